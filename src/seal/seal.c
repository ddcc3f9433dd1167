#include "seal/seal.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "seal/seal_format.h"

enum { STEP = 32 << 10 }; /* bytes between private and untrusted memory at a time: they fit a cache */

struct seal_session {
	struct mem_pool *pool; /* NULL: the ordinary heap, in a process without protected memory */
	struct crypto_deriver *deriver;
	struct crypto_aead *aead;
	struct crypto_prf *receipts;
	struct crypto_salts *salts;
	uint8_t *staging; /* STEP bytes of private memory; ciphertext only */
	uint8_t key_id[SEAL_KEY_ID_SIZE];
};

static const uint8_t zero_nonce[CRYPTO_NONCE_SIZE];

static int derive_own(struct seal_session *s, struct error *err)
{
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	int rc = crypto_derive(s->deriver, SEAL_LABEL_KEY_ID, strlen(SEAL_LABEL_KEY_ID), key, err);
	if (rc == 0)
		memcpy(s->key_id, key, sizeof(s->key_id));
	if (rc == 0)
		rc = crypto_derive(s->deriver, SEAL_LABEL_RECEIPT, strlen(SEAL_LABEL_RECEIPT), key, err);
	if (rc == 0)
		rc = crypto_prf_new(key, &s->receipts, err);
	return rc;
}

int seal_session_new(const uint8_t data_key[CRYPTO_KEY_SIZE], struct seal_session **ret_session,
                     struct error *err)
{
	struct mem_pool *pool = mem_process_pool();
	struct seal_session *s = pool ? mem_alloc(pool, sizeof(*s)) : calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a session's keys");
	s->pool = pool;
	s->staging = malloc(STEP);
	int rc = s->staging ? 0 : error_set(err, CELLA_ENOMEM, "no memory for a session's staging buffer");
	if (rc == 0)
		rc = crypto_deriver_new(data_key, &s->deriver, err);
	if (rc == 0)
		rc = crypto_aead_new(&s->aead, err);
	if (rc == 0)
		rc = crypto_salts_new(&s->salts, err);
	if (rc == 0)
		rc = derive_own(s, err);
	if (rc < 0) {
		seal_session_free(s);
		return rc;
	}
	*ret_session = s;
	return 0;
}

void seal_session_free(struct seal_session *s)
{
	if (!s)
		return;
	crypto_deriver_free(s->deriver);
	crypto_aead_free(s->aead);
	crypto_prf_free(s->receipts);
	crypto_salts_free(s->salts);
	free(s->staging);
	if (s->pool)
		mem_free(s->pool, s);
	else
		free(s);
}

static void put(uint8_t **at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		*(*at)++ = (uint8_t)(value >> (8 * i));
}

static int header_write(struct seal_session *s, const struct seal_id *id, uint64_t length,
                        uint8_t header[SEAL_HEADER_SIZE], struct error *err)
{
	uint8_t *at = header;
	put(&at, SEAL_MAGIC, 4);
	put(&at, SEAL_VERSION, 2);
	put(&at, id->kind, 2);
	memcpy(at, s->key_id, SEAL_KEY_ID_SIZE);
	at += SEAL_KEY_ID_SIZE;
	put(&at, id->object, 8);
	put(&at, id->version, 8);
	put(&at, id->attempt, 4);
	put(&at, 0, 4);
	put(&at, id->extra, 8);
	put(&at, length, 8);
	return crypto_salt(s->salts, at, err);
}

static int header_read(const uint8_t *in, size_t size, struct seal_header *ret, struct error *err)
{
	if (size < SEAL_OVERHEAD)
		return error_set(err, CELLA_EFORMAT, "%zu bytes are too few for a sealed object", size);
	struct reader r = reader_of(in, SEAL_HEADER_SIZE);
	struct seal_header h = {0};
	if (reader_u32(&r) != SEAL_MAGIC)
		return error_set(err, CELLA_EFORMAT, "not a sealed object: its first bytes are wrong");
	uint16_t version = reader_u16(&r);
	if (version != SEAL_VERSION)
		return error_set(err, CELLA_EFORMAT, "a sealed object of version %u is unknown", version);
	h.id.kind = reader_u16(&r);
	reader_copy(&r, h.key_id, sizeof(h.key_id));
	h.id.object = reader_u64(&r);
	h.id.version = reader_u64(&r);
	h.id.attempt = reader_u32(&r);
	if (reader_u32(&r) != 0)
		return error_set(err, CELLA_EFORMAT, "a reserved field of a sealed object is set");
	h.id.extra = reader_u64(&r);
	h.length = reader_u64(&r);
	if (h.length != size - SEAL_OVERHEAD)
		return error_set(err, CELLA_EFORMAT, "a sealed object of %zu bytes claims %llu of plaintext",
		                 size, (unsigned long long)h.length);
	*ret = h;
	return 0;
}

static int object_key(struct seal_session *s, const uint8_t header[SEAL_HEADER_SIZE],
                      uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	enum { LABEL_SIZE = sizeof(SEAL_LABEL_OBJECT) - 1 };
	uint8_t info[LABEL_SIZE + SEAL_HEADER_SIZE];
	memcpy(info, SEAL_LABEL_OBJECT, LABEL_SIZE);
	memcpy(info + LABEL_SIZE, header, SEAL_HEADER_SIZE);
	return crypto_derive(s->deriver, info, sizeof(info), ret_key, err);
}

static int seal_bytes(struct seal_session *s, const uint8_t *in, size_t size, uint8_t *out, struct error *err)
{
	for (size_t done = 0; done < size; done += STEP) {
		size_t step = min_of((size_t)STEP, size - done);
		int rc = crypto_aead_seal_update(s->aead, in + done, step, s->staging, err);
		if (rc < 0)
			return rc;
		memcpy(out + done, s->staging, step);
	}
	return 0;
}

static int open_bytes(struct seal_session *s, const uint8_t *in, size_t size, uint8_t *out, struct error *err)
{
	for (size_t done = 0; done < size; done += STEP) {
		size_t step = min_of((size_t)STEP, size - done);
		memcpy(out + done, in + done, step);
		int rc = crypto_aead_open_update(s->aead, out + done, step, out + done, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int seal_object(struct seal_session *s, const struct seal_id *id, const void *aad, size_t aad_size,
                const void *in, size_t size, uint8_t *out, struct error *err)
{
	uint8_t header[SEAL_HEADER_SIZE], tag[CRYPTO_TAG_SIZE];
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	const struct crypto_part parts[] = {{header, sizeof(header)}, {aad, aad_size}};
	int rc = header_write(s, id, size, header, err);
	if (rc == 0)
		rc = object_key(s, header, key, err);
	if (rc == 0)
		rc = crypto_aead_seal_begin(s->aead, key, zero_nonce, parts, array_count(parts), err);
	if (rc == 0)
		rc = seal_bytes(s, in, size, out + SEAL_HEADER_SIZE, err);
	if (rc == 0)
		rc = crypto_aead_seal_finish(s->aead, tag, err);
	if (rc == 0) {
		memcpy(out, header, sizeof(header));
		memcpy(out + SEAL_HEADER_SIZE + size, tag, sizeof(tag));
	}
	return rc;
}

int seal_peek(const uint8_t *in, size_t size, struct seal_id *ret_id, size_t *ret_plain_size,
              struct error *err)
{
	uint8_t header[SEAL_HEADER_SIZE] = {0};
	struct seal_header h;
	memcpy(header, in, min_of(size, sizeof(header)));
	int rc = header_read(header, size, &h, err);
	if (rc < 0)
		return rc;
	*ret_id = h.id;
	*ret_plain_size = (size_t)h.length;
	return 0;
}

static bool id_equal(const struct seal_id *a, const struct seal_id *b)
{
	return a->kind == b->kind && a->object == b->object && a->version == b->version &&
	       a->attempt == b->attempt && a->extra == b->extra;
}

static int check_identity(const struct seal_session *s, const struct seal_header *h,
                          const struct seal_id *expected, struct error *err)
{
	if (!crypto_equal(h->key_id, s->key_id, sizeof(s->key_id)))
		return error_set(err, CELLA_EAUTH, "a sealed object is sealed with another session's key");
	if (!id_equal(&h->id, expected))
		return error_set(
			err, CELLA_EAUTH,
			"not the sealed object expected: kind %u object %llu version %llu attempt %u "
			"instead of kind %u object %llu version %llu attempt %u",
			h->id.kind, (unsigned long long)h->id.object, (unsigned long long)h->id.version,
			h->id.attempt, expected->kind, (unsigned long long)expected->object,
			(unsigned long long)expected->version, expected->attempt);
	return 0;
}

/* The header of `in`, copied once, decoded, and compared with what is expected. */
static int open_header(struct seal_session *s, const struct seal_id *expected, const uint8_t *in, size_t size,
                       size_t out_size, uint8_t ret_header[SEAL_HEADER_SIZE], struct error *err)
{
	struct seal_header h;
	memset(ret_header, 0, SEAL_HEADER_SIZE);
	memcpy(ret_header, in, min_of(size, (size_t)SEAL_HEADER_SIZE));
	int rc = header_read(ret_header, size, &h, err);
	if (rc < 0)
		return rc;
	if (h.length != out_size)
		return error_set(err, CELLA_EAUTH,
		                 "a sealed object of %llu bytes is not the one of %zu expected",
		                 (unsigned long long)h.length, out_size);
	return check_identity(s, &h, expected, err);
}

int seal_open(struct seal_session *s, const struct seal_id *expected, const void *aad, size_t aad_size,
              const uint8_t *in, size_t size, uint8_t *out, size_t out_size, struct error *err)
{
	uint8_t header[SEAL_HEADER_SIZE], tag[CRYPTO_TAG_SIZE];
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	const struct crypto_part parts[] = {{header, sizeof(header)}, {aad, aad_size}};
	int rc = open_header(s, expected, in, size, out_size, header, err);
	if (rc == 0)
		rc = object_key(s, header, key, err);
	if (rc == 0)
		rc = crypto_aead_open_begin(s->aead, key, zero_nonce, parts, array_count(parts), err);
	if (rc == 0)
		rc = open_bytes(s, in + SEAL_HEADER_SIZE, out_size, out, err);
	if (rc == 0) {
		memcpy(tag, in + size - sizeof(tag), sizeof(tag));
		rc = crypto_aead_open_finish(s->aead, tag, err);
		if (rc < 0)
			error_prefix(err, rc, "a sealed object was changed: ");
	}
	if (rc < 0)
		mem_wipe(out, out_size);
	return rc;
}

int seal_receipt_make(struct seal_session *s, uint64_t task, uint32_t status,
                      struct seal_receipt *ret_receipt, struct error *err)
{
	static const uint32_t constant = 0x54504352u; /* "RCPT" */
	uint8_t block[16], *at = block;
	put(&at, task, 8);
	put(&at, status, 4);
	put(&at, constant, 4);
	int rc = crypto_prf_block(s->receipts, block, block, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(block, sizeof(block));
	ret_receipt->low = reader_u64(&r);
	ret_receipt->high = reader_u64(&r);
	return 0;
}
