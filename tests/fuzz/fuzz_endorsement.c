/* An endorsement as anybody may send it to a CAS: refused, or what is encoded again to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "attest/endorsement_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto_signer signer;
	static bool ready;
	cleanup_buf struct buf again = {0};
	struct endorsement e;
	struct tee_input input = {0};
	struct error err;
	if (!ready)
		demand(crypto_init(NULL, NULL) == 0 && crypto_signer_generate(&signer, NULL) == 0);
	ready = true;
	int rc = endorsement_decode(data, size, &e, &err);
	demand(rc == 0 || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED);
	if (rc < 0)
		return 0;
	endorsement_input(&e, &input);
	demand(input.cert_count <= TEE_BLOBS_MAX && input.event_log_count <= TEE_BLOBS_MAX);
	if (size > ENDORSEMENT_MAX - 1024)
		return 0;
	/* The same but for its signature, which nobody has the key for. */
	demand(endorsement_encode(&e, &signer, &again, &err) == 0);
	demand(again.size == size && memcmp(again.data, data, size - CRYPTO_SIGNATURE_SIZE) == 0);
	rc = endorsement_check_signature(&e, data, size, &err);
	demand(rc == 0 || rc == CELLA_EAUTH);
	return 0;
}
