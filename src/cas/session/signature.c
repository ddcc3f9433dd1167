#include "cas/session/signature.h"

#include <string.h>

#include "base/base64url.h"

#define LABEL "cella request 1"

static void put_statement(const struct signature_statement *s, struct buf *to)
{
	buf_put(to, LABEL, sizeof(LABEL));
	buf_put(to, s->cas, sizeof(s->cas));
	buf_put(to, s->action, strlen(s->action) + 1);
	buf_put(to, s->session, strlen(s->session) + 1);
	buf_put(to, s->digest, sizeof(s->digest));
}

int signature_volume_digest(const struct signature_volume *v, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                            struct error *err)
{
	const struct crypto_part parts[] = {{v->session_hash, CRYPTO_SHA384_SIZE},
	                                    {v->name, strlen(v->name) + 1},
	                                    {v->id, v->id_size},
	                                    {v->root, v->root_size},
	                                    {v->keys, v->keys_size}};
	return crypto_sha384_parts(parts, array_count(parts), ret_digest, err);
}

int signature_upload_digest(const struct signature_upload *u, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                            struct error *err)
{
	uint8_t version[8];
	for (size_t i = 0; i < sizeof(version); i++)
		version[i] = (uint8_t)(u->version >> (8 * i));
	const struct crypto_part parts[] = {{u->session_hash, CRYPTO_SHA384_SIZE},
	                                    {u->name, strlen(u->name) + 1},
	                                    {version, sizeof(version)},
	                                    {u->bytes, u->size}};
	return crypto_sha384_parts(parts, array_count(parts), ret_digest, err);
}

static void put_base64url(struct buf *to, const void *bytes, size_t size)
{
	char text[SIGNATURE_TEXT_MAX];
	if (base64url_size(size) >= sizeof(text)) {
		to->failed = true;
		return;
	}
	base64url_encode(bytes, size, text);
	buf_put(to, text, base64url_size(size));
}

int signature_make(const struct signature_statement *statement, const struct cert_key *key,
                   struct buf *ret_text, struct error *err)
{
	cleanup_buf struct buf said = {0};
	uint8_t public[CERT_PUBLIC_MAX], signature[CERT_SIGNATURE_MAX];
	size_t public_size, size;
	put_statement(statement, &said);
	int rc = said.failed ? error_set(err, CELLA_ENOMEM, "no memory for a signature") : 0;
	if (rc == 0)
		rc = cert_key_public(key, public, &public_size, err);
	if (rc == 0)
		rc = cert_key_sign(key, said.data, said.size, signature, &size, err);
	if (rc < 0)
		return rc;
	put_base64url(ret_text, public, public_size);
	buf_put(ret_text, ".", 1);
	put_base64url(ret_text, signature, size);
	return ret_text->failed ? error_set(err, CELLA_ENOMEM, "no memory for a signature") : 0;
}

/* `size` characters of base64url into `to`, which has room for `capacity` bytes. */
static bool take(const char *text, size_t size, uint8_t *to, size_t capacity, size_t *ret_size)
{
	*ret_size = base64url_bytes(size);
	return size && *ret_size <= capacity && base64url_decode(text, size, to);
}

static int check_one(const struct buf *said, const char *text, size_t size, char ret_hash[CERT_KEY_HASH_SIZE],
                     struct error *err)
{
	uint8_t public[CERT_PUBLIC_MAX + 2], signature[CERT_SIGNATURE_MAX + 2];
	size_t public_size, signature_size;
	const char *point = memchr(text, '.', size);
	size_t first = point ? (size_t)(point - text) : 0;
	if (!point || !take(text, first, public, sizeof(public), &public_size) ||
	    !take(point + 1, size - first - 1, signature, sizeof(signature), &signature_size))
		return error_set(err, CELLA_EFORMAT, "it is no key and signature");
	return cert_public_verify(public, public_size, said->data, said->size, signature, signature_size,
	                          ret_hash, err);
}

int signatures_check(const struct signature_statement *statement, const char *text,
                     struct signers *ret_signers, struct error *err)
{
	cleanup_buf struct buf said = {0};
	put_statement(statement, &said);
	ret_signers->count = 0;
	if (said.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to check signatures");
	for (const char *at = text; *at;) {
		at += strspn(at, ", ");
		size_t size = strcspn(at, ", ");
		if (!size)
			break;
		if (ret_signers->count == SIGNATURES_MAX)
			return error_set(err, CELLA_ELIMIT, "there are more than %d signatures",
			                 SIGNATURES_MAX);
		int rc = check_one(&said, at, size, ret_signers->key_hash[ret_signers->count], err);
		if (rc < 0)
			return error_prefix(err, rc, "signature %zu: ", ret_signers->count + 1);
		ret_signers->count++;
		at += size;
	}
	return 0;
}
