/*
 * Evidence: whatever the bytes, evidence_verify refuses them, or they are the one encoding of what it
 * returns. The body is signed anew, so that the fuzzer gets past the signature.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/evidence_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void start(struct crypto_signer *signer)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	memset(key, 7, sizeof(key));
	if (crypto_init(NULL, NULL) < 0 || crypto_signer_load(key, signer, NULL) < 0)
		abort();
}

static void check_signed(const struct crypto_signer *signer, const uint8_t *data)
{
	uint8_t bytes[EVIDENCE_SIZE];
	struct evidence_policy policy = {0};
	struct evidence e;
	cleanup_buf struct buf again = {0};
	memcpy(bytes, data, sizeof(bytes));
	memcpy(bytes + 12, signer->public_key, CRYPTO_ED25519_SIZE);
	memcpy(policy.launcher, signer->public_key, CRYPTO_ED25519_SIZE);
	memcpy(policy.executor, bytes + 44, sizeof(policy.executor));
	memcpy(policy.nonce, bytes + 124, sizeof(policy.nonce));
	if (crypto_sign(signer, bytes, EVIDENCE_BODY_SIZE, bytes + EVIDENCE_BODY_SIZE, NULL) < 0)
		abort();
	if (evidence_verify(bytes, sizeof(bytes), &policy, &e, NULL) < 0)
		return;
	if (evidence_sign(&e, signer, &again, NULL) < 0 || again.size != sizeof(bytes) ||
	    memcmp(again.data, bytes, sizeof(bytes)) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct crypto_signer signer;
	static bool started;
	const struct evidence_policy policy = {.isolation = EVIDENCE_ISOLATION_ALL,
	                                       .host = EVIDENCE_HOST_ALL};
	struct evidence e;
	struct error err;
	if (!started)
		start(&signer);
	started = true;
	if (evidence_verify(data, size, &policy, &e, &err) == 0)
		abort();
	if (size == EVIDENCE_SIZE)
		check_signed(&signer, data);
	return 0;
}
