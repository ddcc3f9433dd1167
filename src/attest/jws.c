#include "attest/jws.h"

#include <stddef.h>
#include <string.h>

#include "attest/claims.h"
#include "base/base64url.h"

/* In ASCII's order, as all tables of claims are. */
static const struct claims_member header_members[] = {
	{"alg", CLAIMS_CONSTANT, .constant = "EdDSA"},
	{"kid", CLAIMS_TEXT, .optional = true, CLAIMS_FIELD(struct jws_header, key_id)},
	{"typ", CLAIMS_TEXT, .optional = true, CLAIMS_FIELD(struct jws_header, type)},
};
static const struct claims_object header_object = {header_members, array_count(header_members)};

enum { JWS_PARTS = 3 };

static void put_part(struct buf *to, const void *data, size_t size)
{
	char *text = (char *)buf_reserve(to, base64url_size(size));
	if (text)
		base64url_encode(data, size, text);
}

/* Header, payload and their dot; the signature goes over these bytes. */
static int put_signed(const struct jws_header *header, const void *payload, size_t size, struct buf *to,
                      struct error *err)
{
	cleanup_buf struct buf json = {0};
	int rc = claims_write(&header_object, header, &json, err);
	if (rc < 0)
		return rc;
	put_part(to, json.data, json.size);
	buf_put_u8(to, '.');
	put_part(to, payload, size);
	return 0;
}

int jws_sign(const struct jws_header *header, const void *payload, size_t size,
             const struct crypto_signer *signer, struct buf *ret, struct error *err)
{
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	const size_t start = ret->size;
	if (size > JWS_SIZE_MAX)
		return error_set(err, CELLA_ELIMIT, "%zu bytes are too many for a JWS", size);
	int rc = put_signed(header, payload, size, ret, err);
	if (rc == 0 && ret->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a JWS");
	if (rc == 0)
		rc = crypto_sign(signer, ret->data + start, ret->size - start, signature, err);
	if (rc == 0) {
		buf_put_u8(ret, '.');
		put_part(ret, signature, sizeof(signature));
		if (ret->failed)
			rc = error_set(err, CELLA_ENOMEM, "no memory for a JWS");
		else if (ret->size - start > JWS_SIZE_MAX)
			rc = error_set(err, CELLA_ELIMIT, "a JWS of %zu characters, at most %d are allowed",
			               ret->size - start, JWS_SIZE_MAX);
	}
	if (rc < 0)
		ret->size = start;
	return rc;
}

/* A part as it stands in the token. */
struct part {
	const char *text;
	size_t size;
};

static int split(const char *token, size_t size, struct part parts[JWS_PARTS], struct error *err)
{
	size_t count = 0, from = 0;
	for (size_t i = 0; i <= size; i++) {
		if (i < size && token[i] != '.')
			continue;
		if (count < JWS_PARTS)
			parts[count] = (struct part){token + from, i - from};
		count++;
		from = i + 1;
	}
	return count == JWS_PARTS
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "a JWS has %d parts, these %zu bytes have %zu",
	                           JWS_PARTS, size, count);
}

static int decode(const struct part *part, const char *name, size_t most, void *to, size_t *ret_size,
                  struct error *err)
{
	const size_t size = base64url_bytes(part->size);
	if (size > most)
		return error_set(err, CELLA_EFORMAT, "the %s has %zu bytes, at most %zu are allowed", name,
		                 size, most);
	if (!base64url_decode(part->text, part->size, to))
		return error_set(err, CELLA_EFORMAT, "the %s is no base64url", name);
	*ret_size = size;
	return 0;
}

static int parse_header(const struct part *part, struct jws_header *ret, struct error *err)
{
	uint8_t json[JWS_HEADER_MAX];
	size_t size;
	int rc = decode(part, "header", sizeof(json), json, &size, err);
	if (rc < 0)
		return rc;
	rc = claims_read(&header_object, json, size, ret, err);
	return rc < 0 ? error_prefix(err, rc, "header: ") : 0;
}

static int parse_signature(const struct part *part, uint8_t ret[CRYPTO_SIGNATURE_SIZE], struct error *err)
{
	size_t size;
	int rc = decode(part, "signature", CRYPTO_SIGNATURE_SIZE, ret, &size, err);
	if (rc == 0 && size != CRYPTO_SIGNATURE_SIZE)
		rc = error_set(err, CELLA_EFORMAT, "the signature has %zu bytes, not %d", size,
		               CRYPTO_SIGNATURE_SIZE);
	return rc;
}

int jws_parse(const void *token, size_t size, struct jws *ret_jws, struct error *err)
{
	struct part parts[JWS_PARTS];
	struct jws jws = {.token = token};
	if (size > JWS_SIZE_MAX)
		return error_set(err, CELLA_EFORMAT, "a JWS of %zu characters, at most %d are allowed", size,
		                 JWS_SIZE_MAX);
	int rc = split(token, size, parts, err);
	if (rc == 0)
		rc = parse_header(&parts[0], &jws.header, err);
	if (rc == 0)
		rc = parse_signature(&parts[2], jws.signature, err);
	if (rc < 0)
		return rc;
	jws.payload = parts[1].text;
	jws.payload_size = parts[1].size;
	*ret_jws = jws;
	return 0;
}

int jws_verify(const struct jws *jws, const uint8_t public_key[CRYPTO_ED25519_SIZE], struct buf *ret_payload,
               struct error *err)
{
	const size_t start = ret_payload->size;
	const size_t signed_size = (size_t)(jws->payload - jws->token) + jws->payload_size;
	int rc = crypto_verify(public_key, jws->token, signed_size, jws->signature, err);
	if (rc < 0)
		return rc;
	uint8_t *payload = buf_reserve(ret_payload, base64url_bytes(jws->payload_size));
	if (!payload)
		return error_set(err, CELLA_ENOMEM, "no memory for the payload of a JWS");
	if (base64url_decode(jws->payload, jws->payload_size, payload))
		return 0;
	ret_payload->size = start;
	return error_set(err, CELLA_EFORMAT, "the payload is no base64url");
}
