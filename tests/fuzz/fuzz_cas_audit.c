/*
 * Audit entries and heads from an attacker. What decodes is the one encoding of what it says and lies within
 * its bounds; a head is accepted only with its signature.
 */
#include <stdlib.h>
#include <string.h>

#include "cas/audit/format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_entry(const uint8_t *data, size_t size)
{
	struct audit_entry e;
	cleanup_buf struct buf again = {0};
	if (audit_entry_decode(data, size, &e, NULL) < 0)
		return;
	demand(e.who_size <= AUDIT_WHO_MAX && e.what_size <= AUDIT_WHAT_MAX && size <= AUDIT_ENTRY_MAX);
	demand(audit_kind_name(e.kind) != NULL && e.epoch && e.number);
	audit_entry_encode(&e, &again);
	demand(again.size == size && memcmp(again.data, data, size) == 0);
}

/* As it came, and with the signature that its bytes would have. */
static void check_head(const struct crypto_signer *signer, const uint8_t *data, size_t size)
{
	struct audit_head head;
	uint8_t bytes[AUDIT_HEAD_SIZE], again[AUDIT_HEAD_SIZE];
	demand(audit_head_decode(data, size, signer->public_key, &head, NULL) < 0);
	if (size != AUDIT_HEAD_SIZE)
		return;
	memcpy(bytes, data, sizeof(bytes));
	demand(crypto_sign(signer, bytes, AUDIT_HEAD_SIGNED_SIZE, bytes + AUDIT_HEAD_SIGNED_SIZE, NULL) == 0);
	if (audit_head_decode(bytes, sizeof(bytes), signer->public_key, &head, NULL) < 0)
		return;
	audit_head_encode(&head, again);
	demand(memcmp(bytes, again, sizeof(bytes)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto_signer signer;
	static bool started;
	if (!started)
		demand(crypto_init(NULL, NULL) == 0 && crypto_signer_generate(&signer, NULL) == 0);
	started = true;
	check_entry(data, size);
	check_head(&signer, data, size);
	return 0;
}
