/*
 * Evidence: whatever the bytes, evidence_parse refuses them, or what it returns can be signed again and
 * reads as the same. The first byte says what the others are: claims or a header, which are signed here,
 * so that the fuzzer gets past the signature, or a whole token.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/evidence_format.h"
#include "attest/jws.h"
#include "base/base64url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct crypto_signer signer;

static void start(void)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	memset(key, 7, sizeof(key));
	if (crypto_init(NULL, NULL) < 0 || crypto_signer_load(key, &signer, NULL) < 0)
		abort();
}

static void check_token(const void *token, size_t size)
{
	struct evidence e, same;
	struct evidence_policy policy = {.isolation = EVIDENCE_ISOLATION_ALL, .host = EVIDENCE_HOST_ALL};
	struct error err;
	cleanup_buf struct buf again = {0};
	if (evidence_parse(token, size, &e, &err) < 0)
		return;
	if (evidence_sign(&e, &signer, &again, &err) < 0 ||
	    evidence_parse(again.data, again.size, &same, &err) < 0 || memcmp(&e, &same, sizeof(e)) != 0)
		abort();
	if (evidence_check(&e, &policy, &err) == 0)
		abort();
}

/* Claims under the right header. */
static void check_claims(const uint8_t *data, size_t size)
{
	struct jws_header header = {.type = EVIDENCE_TYPE};
	cleanup_buf struct buf token = {0};
	base64url_encode(signer.public_key, sizeof(signer.public_key), header.key_id);
	if (jws_sign(&header, data, size, &signer, &token, NULL) == 0)
		check_token(token.data, token.size);
}

static void put_part(struct buf *to, const void *data, size_t size)
{
	base64url_encode(data, size, (char *)buf_reserve(to, base64url_size(size)));
}

/* A header over no claims. */
static void check_header(const uint8_t *data, size_t size)
{
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	cleanup_buf struct buf token = {0}, payload = {0};
	struct jws jws;
	put_part(&token, data, size);
	buf_put_u8(&token, '.');
	if (crypto_sign(&signer, token.data, token.size, signature, NULL) < 0)
		abort();
	buf_put_u8(&token, '.');
	put_part(&token, signature, sizeof(signature));
	check_token(token.data, token.size);
	if (jws_parse(token.data, token.size, &jws, NULL) == 0 &&
	    jws_verify(&jws, signer.public_key, &payload, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	if (!started)
		start();
	started = true;
	if (size == 0)
		return 0;
	if (data[0] == 'c')
		check_claims(data + 1, size - 1);
	else if (data[0] == 'h')
		check_header(data + 1, size - 1);
	else
		check_token(data + 1, size - 1);
	return 0;
}
