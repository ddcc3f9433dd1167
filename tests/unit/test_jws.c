/*
 * Signed tokens. Are they those of the RFCs, byte for byte, and is every other form of one refused: another
 * algorithm, a member that has no meaning, padding, bits left over, a part too many?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/jws.h"
#include "base/base64url.h"

/* RFC 8037, appendix A. */
#define RFC_HEADER "eyJhbGciOiJFZERTQSJ9"
#define RFC_PAYLOAD "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
#define RFC_SIGNATURE "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define RFC_TOKEN RFC_HEADER "." RFC_PAYLOAD "." RFC_SIGNATURE
static const char rfc_text[] = "Example of Ed25519 signing";
static const char rfc_private[] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
static const char rfc_public[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

static struct crypto_signer signer;

static int start(void **state)
{
	(void)state;
	uint8_t key[CRYPTO_ED25519_SIZE];
	if (crypto_init(NULL, NULL) < 0 || !base64url_decode(rfc_private, strlen(rfc_private), key))
		return -1;
	return crypto_signer_load(key, &signer, NULL);
}

static void test_base64url(void **state)
{
	(void)state;
	/* RFC 4648 section 10 without padding, RFC 7515 appendix C. */
	static const struct {
		const char *bytes, *text;
		size_t size;
	} right[] = {
		{"", "", 0},
		{"f", "Zg", 1},
		{"fo", "Zm8", 2},
		{"foo", "Zm9v", 3},
		{"foob", "Zm9vYg", 4},
		{"fooba", "Zm9vYmE", 5},
		{"foobar", "Zm9vYmFy", 6},
		{"\x03\xec\xff\xe0\xc1", "A-z_4ME", 5},
	};
	static const char *const wrong[] = {"A",       "AAAAA",      "Zg==", "Zm9=", "Zh",
	                                    "Zm9",     "Zm+v",       "Zm/v", "Zm v", "Zm9v\n",
	                                    "Zm9vYmF", "\xc3\xa9==", "Zg.",  "ab,d"};
	char text[16];
	uint8_t bytes[16];
	for (size_t i = 0; i < array_count(right); i++) {
		size_t length = strlen(right[i].text);
		assert_int_equal(base64url_size(right[i].size), length);
		assert_int_equal(base64url_bytes(length), right[i].size);
		base64url_encode(right[i].bytes, right[i].size, text);
		assert_memory_equal(text, right[i].text, length);
		assert_true(base64url_decode(right[i].text, length, bytes));
		assert_memory_equal(bytes, right[i].bytes, right[i].size);
	}
	for (size_t i = 0; i < array_count(wrong); i++)
		if (base64url_decode(wrong[i], strlen(wrong[i]), bytes))
			fail_msg("%s was read", wrong[i]);
	assert_false(base64url_decode("Zm\0v", 4, bytes));
}

/* Each byte in each of the three places; there and back. */
static void test_base64url_of_all_bytes(void **state)
{
	(void)state;
	for (unsigned at = 0; at < 3; at++)
		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[3] = {0x5a, 0x5a, 0x5a}, back[3];
			char text[4];
			bytes[at] = (uint8_t)value;
			for (size_t size = at + 1; size <= 3; size++) {
				base64url_encode(bytes, size, text);
				assert_true(base64url_decode(text, base64url_size(size), back));
				assert_memory_equal(back, bytes, size);
			}
		}
}

/* RFC 8037 A.4 and A.5. */
static void test_rfc_vector(void **state)
{
	(void)state;
	const struct jws_header header = {.type = ""};
	cleanup_buf struct buf token = {0}, payload = {0};
	struct jws jws;
	uint8_t public_key[CRYPTO_ED25519_SIZE];
	assert_true(base64url_decode(rfc_public, strlen(rfc_public), public_key));
	assert_memory_equal(public_key, signer.public_key, sizeof(public_key));
	assert_int_equal(jws_sign(&header, rfc_text, strlen(rfc_text), &signer, &token, NULL), 0);
	assert_int_equal(token.size, strlen(RFC_TOKEN));
	assert_memory_equal(token.data, RFC_TOKEN, token.size);
	assert_int_equal(jws_parse(RFC_TOKEN, strlen(RFC_TOKEN), &jws, NULL), 0);
	assert_string_equal(jws.header.key_id, "");
	assert_string_equal(jws.header.type, "");
	assert_int_equal(jws_verify(&jws, public_key, &payload, NULL), 0);
	assert_int_equal(payload.size, strlen(rfc_text));
	assert_memory_equal(payload.data, rfc_text, payload.size);
	public_key[0] ^= 1;
	assert_int_equal(jws_verify(&jws, public_key, &payload, NULL), CELLA_EAUTH);
	assert_int_equal(payload.size, strlen(rfc_text));
}

static void test_header(void **state)
{
	(void)state;
	const struct jws_header header = {.key_id = "the \"first\" \\ key", .type = "[[[[[[[[[[ \"{"};
	cleanup_buf struct buf token = {0}, payload = {0};
	struct jws jws;
	buf_put(&token, "before", 6);
	assert_int_equal(jws_sign(&header, "", 0, &signer, &token, NULL), 0);
	assert_memory_equal(token.data, "before", 6);
	assert_int_equal(jws_parse(token.data + 6, token.size - 6, &jws, NULL), 0);
	assert_string_equal(jws.header.key_id, header.key_id);
	assert_string_equal(jws.header.type, header.type);
	assert_int_equal(jws_verify(&jws, signer.public_key, &payload, NULL), 0);
	assert_int_equal(payload.size, 0);
}

/* Its text's error; the token has this header, and a signature that holds. */
static void refuse_header(const char *json, const char *says)
{
	cleanup_buf struct buf token = {0};
	char part[1024];
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	struct error err = {0};
	struct jws jws;
	base64url_encode(json, strlen(json), part);
	buf_put(&token, part, base64url_size(strlen(json)));
	buf_printf(&token, ".%s", RFC_PAYLOAD);
	assert_int_equal(crypto_sign(&signer, token.data, token.size, signature, NULL), 0);
	base64url_encode(signature, sizeof(signature), part);
	buf_put_u8(&token, '.');
	buf_put(&token, part, base64url_size(sizeof(signature)));
	int rc = jws_parse(token.data, token.size, &jws, &err);
	if (rc != CELLA_EFORMAT || !strstr(err.text, says))
		fail_msg("%s: %d, %s", json, rc, err.text);
}

static void test_headers_that_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *json, *says;
	} cases[] = {
		{"{\"alg\":\"none\"}", "header: alg: \"none\", and \"EdDSA\" is expected"},
		{"{\"alg\":\"None\"}", "header: alg: \"None\""},
		{"{\"alg\":\"HS256\"}", "header: alg: \"HS256\""},
		{"{\"alg\":\"Ed25519\"}", "header: alg: \"Ed25519\""},
		{"{\"alg\":\"EdDSA \"}", "header: alg: \"EdDSA \""},
		{"{\"alg\":[\"EdDSA\"]}", "header: alg: no text"},
		{"{}", "header: alg: it is missing"},
		{"{\"typ\":\"JWT\"}", "header: alg: it is missing"},
		{"{\"alg\":\"EdDSA\",\"alg\":\"none\"}", "duplicate object key near '\"alg\"'"},
		{"{\"alg\":\"EdDSA\",\"Alg\":\"EdDSA\"}", "header: \"Alg\" is unknown"},
		{"{\"alg\":\"EdDSA\",\"crit\":[\"exp\"],\"exp\":1}", "is unknown"},
		{"{\"alg\":\"EdDSA\",\"b64\":false,\"crit\":[\"b64\"]}", "is unknown"},
		{"{\"alg\":\"EdDSA\",\"jwk\":{}}", "header: \"jwk\" is unknown"},
		{"{\"alg\":\"EdDSA\",\"jku\":\"http://a\"}", "header: \"jku\" is unknown"},
		{"{\"alg\":\"EdDSA\",\"kid\":7}", "header: kid: no text"},
		{"{\"alg\":\"EdDSA\",\"kid\":\"\"}", "header: kid: a text of 0 characters, 1 to 63"},
		{"{\"alg\":\"EdDSA\",\"typ\":\"\\u0000\"}", "header: no JSON"},
		{"{\"alg\":\"EdDSA\",\"typ\":\"\\u001b[31m\"}", "header: typ: a text with other characters"},
		{"{\"alg\":\"EdDSA\",\"typ\":\"\xc3\xa9\"}", "header: typ: a text with other characters"},
		{"{\"alg\":\"EdDSA\",\"typ\":\"0123456789012345678901234567890123456789012345678901234567890123\"}",
	         "header: typ: a text of 64 characters, 1 to 63"},
		{"{\"alg\":\"EdDSA\"}{}", "header: no JSON"},
		{"[\"alg\",\"EdDSA\"]", "header: no object"},
		{"\"EdDSA\"", "header: no JSON"},
		{"", "header: no JSON"},
		{"{\"alg\":\"EdDSA\"", "header: no JSON"},
		{"{\"alg\":[[[[[[[[1]]]]]]]]}", "nested more than 8 deep"},
	};
	for (size_t i = 0; i < array_count(cases); i++)
		refuse_header(cases[i].json, cases[i].says);
}

static void refuse_token(const char *token, size_t size, const char *says)
{
	struct error err = {0};
	struct jws jws;
	int rc = jws_parse(token, size, &jws, &err);
	if (rc != CELLA_EFORMAT || !strstr(err.text, says))
		fail_msg("%.*s: %d, %s", (int)min_of(size, (size_t)200), token, rc, err.text);
}

/* What RFC 7515 sections 2, 3.1, 5.2 and 7.1 forbid, and what only we do. */
static void test_tokens_that_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *token, *says;
	} cases[] = {
		{"", "3 parts, these 0 bytes have 1"},
		{"..", "header: no JSON"},
		{RFC_HEADER "." RFC_PAYLOAD, "have 2"},
		{RFC_TOKEN ".", "have 4"},
		{RFC_TOKEN "." RFC_SIGNATURE, "have 4"},
		{"." RFC_TOKEN, "have 4"},
		{RFC_HEADER "=." RFC_PAYLOAD "." RFC_SIGNATURE, "the header is no base64url"},
		{" " RFC_TOKEN, "the header is no base64url"},
		{RFC_TOKEN "\n", "signature"},
		{RFC_TOKEN "==", "signature"},
		{RFC_HEADER "." RFC_PAYLOAD ".", "the signature has 0 bytes, not 64"},
		{RFC_HEADER "." RFC_PAYLOAD ".hgyY", "the signature has 3 bytes, not 64"},
		{RFC_HEADER "." RFC_PAYLOAD "." RFC_SIGNATURE "AA", "the signature has 66 bytes"},
		/* Its last character holds two bits of it, and four that are zero. */
		{RFC_HEADER
	         "." RFC_PAYLOAD
	         ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAh",
	         "the signature is no base64url"},
		{"{\"payload\":\"" RFC_PAYLOAD "\",\"protected\":\"" RFC_HEADER
	         "\",\"signature\":\"" RFC_SIGNATURE "\"}",
	         "have 1"},
	};
	char long_one[JWS_SIZE_MAX + 2];
	for (size_t i = 0; i < array_count(cases); i++)
		refuse_token(cases[i].token, strlen(cases[i].token), cases[i].says);
	refuse_token(RFC_TOKEN "\0", sizeof(RFC_TOKEN), "signature");
	memset(long_one, 'A', sizeof(long_one));
	refuse_token(long_one, JWS_SIZE_MAX + 1, "a JWS of 4097 characters");
	long_one[400] = '.';
	refuse_token(long_one, 800, "have 2");
	long_one[500] = '.';
	refuse_token(long_one, 800, "the header has 300 bytes");
}

/* A payload that is no base64url is found when it is read, though its signature holds. */
static void test_signed_payload_that_is_none(void **state)
{
	(void)state;
	cleanup_buf struct buf token = {0}, payload = {0};
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	char part[2 * CRYPTO_SIGNATURE_SIZE];
	struct error err = {0};
	struct jws jws;
	buf_printf(&token, RFC_HEADER ".Zh");
	assert_int_equal(crypto_sign(&signer, token.data, token.size, signature, NULL), 0);
	base64url_encode(signature, sizeof(signature), part);
	buf_put_u8(&token, '.');
	buf_put(&token, part, base64url_size(sizeof(signature)));
	assert_int_equal(jws_parse(token.data, token.size, &jws, NULL), 0);
	assert_int_equal(jws_verify(&jws, signer.public_key, &payload, &err), CELLA_EFORMAT);
	assert_string_equal(err.text, "the payload is no base64url");
	assert_int_equal(payload.size, 0);
}

static void test_too_long_to_sign(void **state)
{
	(void)state;
	static const char payload[JWS_SIZE_MAX + 1];
	const struct jws_header header = {.type = ""};
	cleanup_buf struct buf token = {0};
	assert_int_equal(jws_sign(&header, payload, 2900, &signer, &token, NULL), 0);
	token.size = 1;
	assert_int_equal(jws_sign(&header, payload, 3000, &signer, &token, NULL), CELLA_ELIMIT);
	assert_int_equal(jws_sign(&header, payload, sizeof(payload), &signer, &token, NULL), CELLA_ELIMIT);
	assert_int_equal(token.size, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64url),
		cmocka_unit_test(test_base64url_of_all_bytes),
		cmocka_unit_test(test_rfc_vector),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_headers_that_are_refused),
		cmocka_unit_test(test_tokens_that_are_refused),
		cmocka_unit_test(test_signed_payload_that_is_none),
		cmocka_unit_test(test_too_long_to_sign),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
