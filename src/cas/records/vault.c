#include "cas/records/vault.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/records/vault_state.h"

static const uint8_t zero_nonce[CRYPTO_NONCE_SIZE];

/* ---- protected bytes */

static void *protected_new(struct mem_pool *pool, size_t size)
{
	return pool ? mem_alloc(pool, size) : calloc(1, size);
}

static void protected_free(struct mem_pool *pool, void *p, size_t size)
{
	if (!p)
		return;
	mem_wipe(p, size);
	if (pool)
		mem_free(pool, p);
	else
		free(p);
}

int vault_bytes_new(struct mem_pool *pool, size_t size, struct vault_bytes *ret_bytes, struct error *err)
{
	uint8_t *data = protected_new(pool, size + 1);
	if (!data)
		return error_set(err, CELLA_ENOMEM, "no protected memory for %zu bytes", size);
	*ret_bytes = (struct vault_bytes){.pool = pool, .data = data, .size = size};
	return 0;
}

void vault_bytes_done(struct vault_bytes *bytes)
{
	protected_free(bytes->pool, bytes->data, bytes->size);
	*bytes = (struct vault_bytes){0};
}

/* ---- the header */

void vault_header_encode(const struct vault_header *h, uint8_t ret_bytes[VAULT_AT_CIPHERTEXT])
{
	cleanup_buf struct buf b = {0};
	buf_put_u32(&b, VAULT_MAGIC);
	buf_put_u16(&b, VAULT_VERSION);
	buf_put_u16(&b, (uint16_t)h->sealing);
	buf_put(&b, h->cas, sizeof(h->cas));
	buf_put(&b, h->public_key, sizeof(h->public_key));
	buf_put_u32(&b, h->cost.log_n);
	buf_put_u32(&b, h->cost.r);
	buf_put_u32(&b, h->cost.p);
	buf_put_u32(&b, h->master_count);
	buf_put(&b, h->password_salt, sizeof(h->password_salt));
	buf_put(&b, h->salt, sizeof(h->salt));
	memset(ret_bytes, 0, VAULT_AT_CIPHERTEXT);
	if (!b.failed)
		memcpy(ret_bytes, b.data, min_of(b.size, (size_t)VAULT_AT_CIPHERTEXT));
}

static int check_cost(const struct vault_header *h, struct error *err)
{
	const struct crypto_scrypt *c = &h->cost;
	if (h->sealing == VAULT_KEY_FILE)
		return c->log_n || c->r || c->p || !bytes_are_zero(h->password_salt, sizeof(h->password_salt))
		               ? error_set(err, CELLA_EFORMAT,
		                           "a vault sealed by a key file has a cost of scrypt")
		               : 0;
	if (c->log_n < VAULT_SCRYPT_LOG_N_MIN || c->log_n > CRYPTO_SCRYPT_LOG_N_MAX ||
	    c->r != CRYPTO_SCRYPT_R_MAX || c->p == 0 || c->p > CRYPTO_SCRYPT_P_MAX)
		return error_set(
			err, CELLA_ELIMIT,
			"a vault with scrypt's N = 2^%u, r = %u, p = %u: N is 2^%d to 2^%d, r %d, p 1 "
			"to %d",
			c->log_n, c->r, c->p, VAULT_SCRYPT_LOG_N_MIN, CRYPTO_SCRYPT_LOG_N_MAX,
			CRYPTO_SCRYPT_R_MAX, CRYPTO_SCRYPT_P_MAX);
	return 0;
}

int vault_header_decode(const void *data, size_t size, struct vault_header *ret_header, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct vault_header h = {0};
	if (reader_u32(&r) != VAULT_MAGIC)
		return error_set(err, CELLA_EFORMAT, "no vault: its first bytes are wrong");
	unsigned version = reader_u16(&r), sealing = reader_u16(&r);
	if (!r.failed && version != VAULT_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED, "a vault of version %u, this program knows %d",
		                 version, VAULT_VERSION);
	reader_copy(&r, h.cas, sizeof(h.cas));
	reader_copy(&r, h.public_key, sizeof(h.public_key));
	h.cost.log_n = reader_u32(&r);
	h.cost.r = reader_u32(&r);
	h.cost.p = reader_u32(&r);
	h.master_count = reader_u32(&r);
	reader_copy(&r, h.password_salt, sizeof(h.password_salt));
	reader_copy(&r, h.salt, sizeof(h.salt));
	if (!r.failed && sealing != VAULT_PASSPHRASE && sealing != VAULT_KEY_FILE)
		return error_set(err, CELLA_EUNSUPPORTED, "a vault that is sealed in an unknown way (%u)",
		                 sealing);
	h.sealing = (enum vault_sealing_kind)sealing;
	size_t sealed = CRYPTO_ED25519_SIZE + (size_t)h.master_count * VAULT_MASTER_SIZE + CRYPTO_TAG_SIZE;
	if (r.failed || h.master_count < 1 || h.master_count > VAULT_MASTERS_MAX || reader_left(&r) != sealed)
		return error_set(err, CELLA_EFORMAT, "a vault of %zu bytes was cut, or is damaged", size);
	int rc = check_cost(&h, err);
	if (rc == 0)
		*ret_header = h;
	return rc;
}

/* ---- the file */

static int file_key(const struct vault *v, uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	uint8_t salt[2 * CRYPTO_SALT_SIZE];
	memcpy(salt, v->header.password_salt, CRYPTO_SALT_SIZE);
	memcpy(salt + CRYPTO_SALT_SIZE, v->header.salt, CRYPTO_SALT_SIZE);
	return crypto_hkdf(v->sealing_key, sizeof(v->sealing_key), salt, sizeof(salt), VAULT_LABEL_FILE,
	                   strlen(VAULT_LABEL_FILE), ret_key, CRYPTO_KEY_SIZE, err);
}

static void put_keys(const struct vault *v, uint8_t *to)
{
	memcpy(to, v->signer.private_key, CRYPTO_ED25519_SIZE);
	to += CRYPTO_ED25519_SIZE;
	for (uint32_t i = 0; i < v->header.master_count; i++, to += VAULT_MASTER_SIZE) {
		for (unsigned k = 0; k < 4; k++)
			to[k] = (uint8_t)(v->masters[i].generation >> (8 * k));
		memcpy(to + 4, v->masters[i].key, CRYPTO_KEY_SIZE);
	}
}

int vault_export(struct vault *v, struct buf *ret, struct error *err)
{
	const size_t size = CRYPTO_ED25519_SIZE + (size_t)v->header.master_count * VAULT_MASTER_SIZE;
	cleanup_vault_bytes struct vault_bytes keys = {0};
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	uint8_t header[VAULT_AT_CIPHERTEXT];
	int rc = crypto_random(v->header.salt, sizeof(v->header.salt), err);
	if (rc == 0)
		rc = vault_bytes_new(v->pool, size, &keys, err);
	if (rc == 0)
		rc = file_key(v, key, err);
	if (rc != 0)
		return rc;
	put_keys(v, keys.data);
	vault_header_encode(&v->header, header);
	uint8_t *to = buf_reserve(ret, sizeof(header) + size + CRYPTO_TAG_SIZE);
	if (!to)
		return error_set(err, CELLA_ENOMEM, "no memory for a vault");
	memcpy(to, header, sizeof(header));
	return crypto_aead_seal(v->aead, key, zero_nonce, header, sizeof(header), keys.data, size,
	                        to + sizeof(header), to + sizeof(header) + size, err);
}

static int write_file(struct vault *v, bool replace, struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	int rc = vault_export(v, &bytes, err);
	return rc == 0 ? vault_file_write(v->path, bytes.data, bytes.size, replace, err) : rc;
}

int vault_write(struct vault *v, struct error *err)
{
	return write_file(v, true, err);
}

static int take_keys(struct vault *v, const uint8_t *from, struct error *err)
{
	struct reader r = reader_of(from,
	                            CRYPTO_ED25519_SIZE + (size_t)v->header.master_count * VAULT_MASTER_SIZE);
	int rc = crypto_signer_load(reader_bytes(&r, CRYPTO_ED25519_SIZE), &v->signer, err);
	for (uint32_t i = 0; rc == 0 && i < v->header.master_count; i++) {
		struct vault_master *m = &v->masters[i];
		m->generation = reader_u32(&r);
		reader_copy(&r, m->key, sizeof(m->key));
		rc = crypto_deriver_new(m->key, &m->deriver, err);
	}
	if (rc == 0 && !crypto_equal(v->signer.public_key, v->header.public_key, CRYPTO_ED25519_SIZE))
		rc = error_set(err, CELLA_EBUG, "the vault's public key is not that of its private key");
	return rc;
}

static int open_file(struct vault *v, const uint8_t *data, size_t size, const struct vault_sealing *sealing,
                     struct error *err)
{
	const size_t keys_size = size - VAULT_AT_CIPHERTEXT - CRYPTO_TAG_SIZE;
	cleanup_vault_bytes struct vault_bytes keys = {0};
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	int rc = vault_sealing_key(v, sealing, v->sealing_key, err);
	if (rc == 0)
		rc = file_key(v, key, err);
	if (rc == 0)
		rc = vault_bytes_new(v->pool, keys_size, &keys, err);
	if (rc < 0)
		return rc;
	rc = crypto_aead_open(v->aead, key, zero_nonce, data, VAULT_AT_CIPHERTEXT, data + VAULT_AT_CIPHERTEXT,
	                      keys_size, data + size - CRYPTO_TAG_SIZE, keys.data, err);
	if (rc == CELLA_EAUTH)
		return error_set(err, rc, "the vault does not open: the %s is wrong, or the file was changed",
		                 sealing->kind == VAULT_PASSPHRASE ? "passphrase" : "key file");
	return rc == 0 ? take_keys(v, keys.data, err) : rc;
}

/* ---- life */

static int vault_new(const char *path, struct mem_pool *pool, struct vault **ret_vault, struct error *err)
{
	struct vault *v = protected_new(pool, sizeof(*v));
	if (!v)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a vault");
	v->pool = pool;
	v->path = strdup(path);
	int rc = v->path ? crypto_aead_new(&v->aead, err)
	                 : error_set(err, CELLA_ENOMEM, "no memory for a vault");
	if (rc < 0) {
		vault_free(v);
		return rc;
	}
	*ret_vault = v;
	return 0;
}

void vault_free(struct vault *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < VAULT_MASTERS_MAX; i++)
		crypto_deriver_free(v->masters[i].deriver);
	crypto_aead_free(v->aead);
	free(v->path);
	protected_free(v->pool, v, sizeof(*v));
}

static void vault_cleanup(struct vault **v)
{
	vault_free(*v);
}
#define cleanup_vault __attribute__((cleanup(vault_cleanup)))

static int make_master(struct vault_master *m, uint32_t generation, struct error *err)
{
	m->generation = generation;
	int rc = crypto_random(m->key, sizeof(m->key), err);
	return rc == 0 ? crypto_deriver_new(m->key, &m->deriver, err) : rc;
}

static int make_keys(struct vault *v, struct error *err)
{
	int rc = crypto_random(v->header.cas, sizeof(v->header.cas), err);
	if (rc == 0)
		rc = crypto_signer_generate(&v->signer, err);
	if (rc == 0)
		rc = make_master(&v->masters[0], 1, err);
	memcpy(v->header.public_key, v->signer.public_key, CRYPTO_ED25519_SIZE);
	v->header.master_count = 1;
	return rc;
}

int vault_create(const char *path, const struct vault_sealing *sealing, struct mem_pool *pool,
                 struct vault **ret_vault, struct error *err)
{
	cleanup_vault struct vault *v = NULL;
	int rc = vault_new(path, pool, &v, err);
	if (rc == 0)
		rc = make_keys(v, err);
	if (rc == 0)
		rc = vault_sealing_choose(sealing, &v->header, err);
	if (rc == 0)
		rc = vault_sealing_key(v, sealing, v->sealing_key, err);
	if (rc == 0)
		rc = write_file(v, false, err);
	if (rc == 0)
		*ret_vault = take_ptr(&v);
	return rc;
}

int vault_open_bytes(const void *data, size_t size, const char *path, const struct vault_sealing *sealing,
                     struct mem_pool *pool, struct vault **ret_vault, struct error *err)
{
	cleanup_vault struct vault *v = NULL;
	struct vault_header header;
	int rc = vault_header_decode(data, size, &header, err);
	if (rc == 0)
		rc = vault_new(path, pool, &v, err);
	if (rc < 0)
		return rc;
	v->header = header;
	rc = open_file(v, data, size, sealing, err);
	if (rc == 0)
		*ret_vault = take_ptr(&v);
	return rc;
}

int vault_open(const char *path, const struct vault_sealing *sealing, struct mem_pool *pool,
               struct vault **ret_vault, struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	int rc = io_read_file(path, VAULT_FILE_MAX, &bytes, err);
	if (rc == 0)
		rc = vault_open_bytes(bytes.data, bytes.size, path, sealing, pool, ret_vault, err);
	return rc < 0 ? error_prefix(err, rc, "vault %s: ", path) : 0;
}

const uint8_t *vault_cas(const struct vault *v)
{
	return v->header.cas;
}

const uint8_t *vault_public_key(const struct vault *v)
{
	return v->header.public_key;
}

struct mem_pool *vault_pool(const struct vault *v)
{
	return v->pool;
}

/* ---- rotation */

int vault_reseal(struct vault *v, const struct vault_sealing *sealing, struct error *err)
{
	const struct vault_header header = v->header;
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE], before[CRYPTO_KEY_SIZE];
	memcpy(before, v->sealing_key, sizeof(before));
	int rc = vault_sealing_choose(sealing, &v->header, err);
	if (rc == 0)
		rc = vault_sealing_key(v, sealing, key, err);
	if (rc == 0) {
		memcpy(v->sealing_key, key, sizeof(key));
		rc = vault_write(v, err);
	}
	if (rc < 0) {
		v->header = header;
		memcpy(v->sealing_key, before, sizeof(before));
	}
	return rc;
}

uint32_t vault_generation(const struct vault *v)
{
	return v->masters[0].generation;
}

uint32_t vault_generation_before(const struct vault *v)
{
	return v->header.master_count > 1 ? v->masters[1].generation : 0;
}

static void drop_master(struct vault_master *m)
{
	crypto_deriver_free(m->deriver);
	mem_wipe(m, sizeof(*m));
}

int vault_renew(struct vault *v, struct error *err)
{
	if (v->header.master_count == VAULT_MASTERS_MAX)
		return error_set(err, CELLA_EBUG, "a new master key while the one before is in use");
	const struct vault_master before = v->masters[0];
	v->masters[1] = before;
	v->masters[0] = (struct vault_master){0};
	int rc = make_master(&v->masters[0], before.generation + 1, err);
	v->header.master_count = 2;
	if (rc == 0)
		rc = vault_write(v, err);
	if (rc < 0) {
		drop_master(&v->masters[0]);
		v->masters[0] = before;
		mem_wipe(&v->masters[1], sizeof(v->masters[1]));
		v->header.master_count = 1;
	}
	mem_wipe((void *)(uintptr_t)&before, sizeof(before));
	return rc;
}

int vault_retire(struct vault *v, struct error *err)
{
	if (v->header.master_count == 1)
		return 0;
	v->header.master_count = 1;
	int rc = vault_write(v, err);
	if (rc < 0)
		v->header.master_count = 2;
	else
		drop_master(&v->masters[1]);
	return rc;
}

/* ---- records */

static struct vault_master *master_of(struct vault *v, uint32_t generation)
{
	for (uint32_t i = 0; i < v->header.master_count; i++)
		if (v->masters[i].generation == generation)
			return &v->masters[i];
	return NULL;
}

static int no_master(const struct vault *v, uint32_t generation, struct error *err)
{
	return error_set(
		err, CELLA_EAUTH,
		"a record is sealed under master key %u, the vault %s has %u: the one or the other is "
		"an older copy",
		generation, v->path, vault_generation(v));
}

int vault_derive(struct vault *v, uint32_t generation, const void *info, size_t size,
                 uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	struct vault_master *m = master_of(v, generation);
	return m ? crypto_derive(m->deriver, info, size, ret_key, err) : no_master(v, generation, err);
}

static int record_key(struct vault *v, uint32_t generation, const uint8_t header[VAULT_RECORD_HEADER_SIZE],
                      const struct vault_id *id, uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	cleanup_buf struct buf info = {0};
	buf_put(&info, VAULT_LABEL_RECORD, strlen(VAULT_LABEL_RECORD));
	buf_put(&info, v->header.cas, sizeof(v->header.cas));
	buf_put(&info, header, VAULT_RECORD_HEADER_SIZE);
	buf_put(&info, id->id, id->id_size);
	if (info.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to derive a key");
	return vault_derive(v, generation, info.data, info.size, ret_key, err);
}

static int record_header(const struct vault *v, const struct vault_id *id, uint8_t *header, struct error *err)
{
	cleanup_buf struct buf b = {0};
	buf_put_u16(&b, VAULT_RECORD_VERSION);
	buf_put_u16(&b, id->kind);
	buf_put_u32(&b, vault_generation(v));
	buf_put_u64(&b, id->revision);
	if (b.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to seal a record");
	memcpy(header, b.data, VAULT_RECORD_AT_SALT);
	return crypto_random(header + VAULT_RECORD_AT_SALT, CRYPTO_SALT_SIZE, err);
}

static int seal_parts(struct vault *v, const struct crypto_part *parts, size_t count, uint8_t *to,
                      struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (parts[i].size)
			rc = crypto_aead_seal_update(v->aead, parts[i].data, parts[i].size, to, err);
		to += parts[i].size;
	}
	return rc == 0 ? crypto_aead_seal_finish(v->aead, to, err) : rc;
}

int vault_seal(struct vault *v, const struct vault_id *id, const struct crypto_part *parts, size_t count,
               struct buf *ret, struct error *err)
{
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	const size_t start = ret->size;
	size_t size = VAULT_RECORD_OVERHEAD;
	for (size_t i = 0; i < count; i++)
		size += parts[i].size;
	uint8_t *header = buf_reserve(ret, size);
	if (!header)
		return error_set(err, CELLA_ENOMEM, "no memory to seal a record");
	const struct crypto_part bound[] = {{header, VAULT_RECORD_HEADER_SIZE}, {id->id, id->id_size}};
	int rc = record_header(v, id, header, err);
	if (rc == 0)
		rc = record_key(v, vault_generation(v), header, id, key, err);
	if (rc == 0)
		rc = crypto_aead_seal_begin(v->aead, key, zero_nonce, bound, array_count(bound), err);
	if (rc == 0)
		rc = seal_parts(v, parts, count, header + VAULT_RECORD_HEADER_SIZE, err);
	if (rc < 0)
		ret->size = start;
	return rc;
}

int vault_record_decode(const void *sealed, size_t size, struct vault_record *ret_record, struct error *err)
{
	struct reader r = reader_of(sealed, size);
	struct vault_record record = {0};
	unsigned version = reader_u16(&r);
	record.kind = reader_u16(&r);
	record.generation = reader_u32(&r);
	record.revision = reader_u64(&r);
	reader_copy(&r, record.mark, CRYPTO_SALT_SIZE);
	if (r.failed || reader_left(&r) < CRYPTO_TAG_SIZE)
		return error_set(err, CELLA_EFORMAT, "%zu bytes are too few for a sealed record", size);
	if (version != VAULT_RECORD_VERSION)
		return error_set(err, CELLA_EFORMAT, "a sealed record of version %u is unknown", version);
	memcpy(record.mark + CRYPTO_SALT_SIZE, (const uint8_t *)sealed + size - CRYPTO_TAG_SIZE,
	       CRYPTO_TAG_SIZE);
	*ret_record = record;
	return 0;
}

int vault_unseal(struct vault *v, const struct vault_id *id, const void *sealed, size_t size,
                 struct vault_bytes *ret_bytes, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes plain = {0};
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	struct vault_record record;
	const uint8_t *header = sealed;
	int rc = vault_record_decode(sealed, size, &record, err);
	if (rc < 0)
		return rc;
	if (record.kind != id->kind || record.revision != id->revision)
		return error_set(
			err, CELLA_EAUTH,
			"not the record expected: kind %u revision %llu instead of kind %u revision %llu",
			record.kind, (unsigned long long)record.revision, id->kind,
			(unsigned long long)id->revision);
	const struct crypto_part bound[] = {{header, VAULT_RECORD_HEADER_SIZE}, {id->id, id->id_size}};
	rc = vault_bytes_new(v->pool, size - VAULT_RECORD_OVERHEAD, &plain, err);
	if (rc == 0)
		rc = record_key(v, record.generation, header, id, key, err);
	if (rc == 0)
		rc = crypto_aead_open_begin(v->aead, key, zero_nonce, bound, array_count(bound), err);
	if (rc == 0 && plain.size)
		rc = crypto_aead_open_update(v->aead, header + VAULT_RECORD_HEADER_SIZE, plain.size,
		                             plain.data, err);
	if (rc == 0)
		rc = crypto_aead_open_finish(v->aead, header + size - CRYPTO_TAG_SIZE, err);
	if (rc < 0)
		return rc == CELLA_EAUTH && master_of(v, record.generation)
		               ? error_set(err, rc, "a sealed record was changed, or is of another place")
		               : rc;
	*ret_bytes = plain;
	plain = (struct vault_bytes){0};
	return 0;
}

int vault_sign(struct vault *v, const void *data, size_t size, uint8_t ret_signature[CRYPTO_SIGNATURE_SIZE],
               struct error *err)
{
	return crypto_sign(&v->signer, data, size, ret_signature, err);
}
