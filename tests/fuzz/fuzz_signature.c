/* Signatures that come with a request: whatever the text, it is no list of them, or each holds. */
#include <stdlib.h>
#include <string.h>

#include "cas/session/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	const struct signature_statement statement = {.action = SIGNATURE_PUT, .session = "clinic/hospital"};
	struct signers signers;
	if (!started && crypto_init(NULL, NULL) < 0)
		abort();
	started = true;
	char *text = malloc(size + 1);
	if (!text)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	int rc = signatures_check(&statement, text, &signers, NULL);
	if (rc == 0 && signers.count > SIGNATURES_MAX)
		abort();
	for (size_t i = 0; rc == 0 && i < signers.count; i++)
		if (strlen(signers.key_hash[i]) != CERT_KEY_HASH_SIZE - 1)
			abort();
	free(text);
	return 0;
}
