#include "attest/tpm/credential.h"

#include <string.h>

#include "crypto/wrap.h"

enum { KEY_MAX = 32, PARTS_MAX = 6 };

/* Labels count with their zero byte. */
static const char identity_label[] = "IDENTITY", storage_label[] = "STORAGE", integrity_label[] = "INTEGRITY";

struct seed {
	size_t size;
	uint8_t bytes[CRYPTO_HASH_MAX];
};
static void seed_cleanup(struct seed *seed)
{
	mem_wipe(seed, sizeof(*seed));
}
#define cleanup_seed __attribute__((cleanup(seed_cleanup)))

static void big_endian(uint32_t value, uint8_t to[4])
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* KDFa of part 1, section 11.4.10.2, for at most one block of output. */
static int kdf_a(enum crypto_hash hash, const struct seed *seed, const char *label, size_t label_size,
                 struct crypto_part context, size_t size, uint8_t ret_key[CRYPTO_HASH_MAX], struct error *err)
{
	uint8_t counter[4], bits[4];
	big_endian(1, counter);
	big_endian((uint32_t)(8 * size), bits);
	const struct crypto_part parts[] = {{counter, sizeof(counter)},
	                                    {label, label_size},
	                                    context,
	                                    {bits, sizeof(bits)}};
	return wrap_hmac(hash, seed->bytes, seed->size, parts, array_count(parts), ret_key, err);
}

/* KDFe of section 11.4.10.3, likewise: of the shared x, and of the x of both public keys. */
static int kdf_e(enum crypto_hash hash, const struct wrap_exchange *exchange, struct tpm_bytes ek_x,
                 struct seed *ret, struct error *err)
{
	static const uint8_t zeros[WRAP_FIELD_MAX];
	uint8_t counter[4];
	big_endian(1, counter);
	const struct crypto_part parts[PARTS_MAX] = {
		{counter, sizeof(counter)},
		{exchange->shared, exchange->field},
		{identity_label, sizeof(identity_label)},
		{exchange->x, exchange->field},
		{zeros, exchange->field - ek_x.size},
		{ek_x.data, ek_x.size},
	};
	return crypto_hash(hash, parts, array_count(parts), ret->bytes, err);
}

static int seed_by_ecc(const struct vendor_key *key, const struct tpm_public *ek, enum crypto_hash hash,
                       struct seed *seed, struct buf *to, struct error *err)
{
	struct wrap_exchange exchange;
	int rc = wrap_exchange(key, &exchange, err);
	if (rc < 0)
		return rc;
	tpm_put_u16(to, (uint16_t)(2 * (2 + exchange.field)));
	tpm_put_2b(to, exchange.x, exchange.field);
	tpm_put_2b(to, exchange.y, exchange.field);
	rc = kdf_e(hash, &exchange, ek->x, seed, err);
	mem_wipe(&exchange, sizeof(exchange));
	return rc;
}

static int seed_by_rsa(const struct vendor_key *key, enum crypto_hash hash, struct seed *seed, struct buf *to,
                       struct error *err)
{
	cleanup_buf struct buf wrapped = {0};
	int rc = crypto_random(seed->bytes, seed->size, err);
	if (rc == 0)
		rc = wrap_oaep(key, hash, identity_label, sizeof(identity_label), seed->bytes, seed->size,
		               &wrapped, err);
	if (rc == 0)
		tpm_put_2b(to, wrapped.data, wrapped.size);
	return rc;
}

static int make_seed(const struct tpm_public *ek, enum crypto_hash hash, struct seed *seed, struct buf *to,
                     struct error *err)
{
	struct vendor_key *key;
	int rc = tpm_public_key(ek, &key, err);
	if (rc < 0)
		return rc;
	seed->size = crypto_hash_size(hash);
	rc = ek->type == TPM_ALG_ECC ? seed_by_ecc(key, ek, hash, seed, to, err)
	                             : seed_by_rsa(key, hash, seed, to, err);
	vendor_key_free(key);
	return rc;
}

/* The blob: HMAC over what is encrypted and the name, then what is encrypted. */
static int make_blob(const struct tpm_public *ek, enum crypto_hash hash, const struct seed *seed,
                     const struct tpm_name *name, const void *secret, size_t size, struct buf *to,
                     struct error *err)
{
	const struct crypto_part nothing = {NULL, 0}, of_name = {name->bytes, name->size};
	cleanup_seed struct seed storage = {0}, integrity = {.size = crypto_hash_size(hash)};
	uint8_t hidden[2 + CRYPTO_HASH_MAX], mac[CRYPTO_HASH_MAX];
	uint8_t text[2 + CRYPTO_HASH_MAX] = {0, (uint8_t)size};
	storage.size = ek->symmetric_bits / 8;
	memcpy(text + 2, secret, size);
	int rc = kdf_a(hash, seed, storage_label, sizeof(storage_label), of_name, storage.size, storage.bytes,
	               err);
	if (rc == 0)
		rc = wrap_cfb(storage.bytes, storage.size, text, 2 + size, hidden, err);
	mem_wipe(text, sizeof(text));
	if (rc == 0)
		rc = kdf_a(hash, seed, integrity_label, sizeof(integrity_label), nothing, integrity.size,
		           integrity.bytes, err);
	const struct crypto_part covered[] = {{hidden, 2 + size}, of_name};
	if (rc == 0)
		rc = wrap_hmac(hash, integrity.bytes, integrity.size, covered, array_count(covered), mac,
		               err);
	if (rc < 0)
		return rc;
	tpm_put_u16(to, (uint16_t)(2 + integrity.size + 2 + size));
	tpm_put_2b(to, mac, integrity.size);
	buf_put(to, hidden, 2 + size);
	return 0;
}

static int check_ek(const struct tpm_public *ek, size_t secret_size, struct error *err)
{
	const int hash = tpm_hash_of(ek->name_alg);
	const uint32_t needed = TPM_RESTRICTED | TPM_DECRYPT;
	if ((ek->attributes & needed) != needed || ek->attributes & TPM_SIGN)
		return error_set(
			err, CELLA_EFORMAT,
			"this is no endorsement key: that is a restricted decryption key (attributes 0x%x)",
			ek->attributes);
	if (ek->symmetric != TPM_ALG_AES || ek->symmetric_mode != TPM_ALG_CFB ||
	    (ek->symmetric_bits != 128 && ek->symmetric_bits != 256))
		return error_set(err, CELLA_EFORMAT,
		                 "the endorsement key wraps with 0x%x of %u bits, not with AES in CFB",
		                 ek->symmetric, ek->symmetric_bits);
	if (hash == CRYPTO_SHA1 || ek->symmetric_bits / 8u > crypto_hash_size((enum crypto_hash)hash))
		return error_set(err, CELLA_EFORMAT, "the endorsement key is named by %s, which is too weak",
		                 tpm_alg_name(ek->name_alg));
	if (secret_size == 0 || secret_size > crypto_hash_size((enum crypto_hash)hash))
		return error_set(err, CELLA_EINVAL, "a credential of %zu bytes: it has 1 to %zu", secret_size,
		                 crypto_hash_size((enum crypto_hash)hash));
	return 0;
}

int tpm_make_credential(const void *ek_public, size_t ek_public_size, const struct tpm_name *ak_name,
                        const void *secret, size_t secret_size, struct tpm_credential *ret_credential,
                        struct error *err)
{
	struct tpm_public ek;
	struct tpm_credential made = {0};
	cleanup_seed struct seed seed = {0};
	int rc = tpm_public_read(ek_public, ek_public_size, &ek, err);
	if (rc == 0)
		rc = check_ek(&ek, secret_size, err);
	if (rc < 0)
		return rc;
	const enum crypto_hash hash = (enum crypto_hash)tpm_hash_of(ek.name_alg);
	rc = make_seed(&ek, hash, &seed, &made.secret, err);
	if (rc == 0)
		rc = make_blob(&ek, hash, &seed, ak_name, secret, secret_size, &made.blob, err);
	if (rc == 0 && (made.blob.failed || made.secret.failed))
		rc = error_set(err, CELLA_ENOMEM, "no memory for a credential");
	if (rc < 0)
		tpm_credential_done(&made);
	else
		*ret_credential = made;
	return rc;
}

/* ---- as a file ---- */

static const uint8_t file_magic[8] = {'C', 'E', 'L', 'L', 'A', 'C', 'R', 'D'};

void tpm_credential_write(const struct tpm_credential *credential, struct buf *to)
{
	buf_put(to, file_magic, sizeof(file_magic));
	buf_put_blob(to, credential->blob.data, credential->blob.size);
	buf_put_blob(to, credential->secret.data, credential->secret.size);
}

int tpm_credential_read(const void *data, size_t size, struct tpm_credential *ret_credential,
                        struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_credential read = {0};
	size_t blob_size, secret_size;
	const uint8_t *magic = reader_bytes(&r, sizeof(file_magic));
	const uint8_t *blob = reader_blob(&r, &blob_size), *secret = reader_blob(&r, &secret_size);
	if (!reader_finished(&r) || !crypto_equal(magic, file_magic, sizeof(file_magic)))
		return error_set(err, CELLA_EFORMAT, "%zu bytes are no challenge for a TPM", size);
	buf_put(&read.blob, blob, blob_size);
	buf_put(&read.secret, secret, secret_size);
	if (read.blob.failed || read.secret.failed) {
		tpm_credential_done(&read);
		return error_set(err, CELLA_ENOMEM, "no memory for a credential");
	}
	*ret_credential = read;
	return 0;
}
