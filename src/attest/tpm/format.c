#include "attest/tpm/format.h"

#include <string.h>

const uint32_t tpm_generated = 0xFF544347;
const uint32_t tpm_endorsement = 0x4000000B;

enum { RSA_EXPONENT = 65537, SELECT_MAX = 4 };

static const struct {
	uint16_t alg;
	int hash;
	const char *name;
} algs[] = {
	{TPM_ALG_SHA1, CRYPTO_SHA1, "SHA-1"},
	{TPM_ALG_SHA256, CRYPTO_SHA256, "SHA-256"},
	{TPM_ALG_SHA384, CRYPTO_SHA384, "SHA-384"},
	{TPM_ALG_SHA512, CRYPTO_SHA512, "SHA-512"},
	{TPM_ALG_RSASSA, -1, "RSASSA"},
	{TPM_ALG_RSAPSS, -1, "RSAPSS"},
	{TPM_ALG_ECDSA, -1, "ECDSA"},
	{TPM_ALG_RSA, -1, "RSA"},
	{TPM_ALG_ECC, -1, "ECC"},
	{TPM_ALG_AES, -1, "AES"},
	{TPM_ALG_NULL, -1, "none"},
};

int tpm_hash_of(uint16_t alg)
{
	for (size_t i = 0; i < array_count(algs); i++)
		if (algs[i].alg == alg)
			return algs[i].hash;
	return -1;
}

const char *tpm_alg_name(uint16_t alg)
{
	for (size_t i = 0; i < array_count(algs); i++)
		if (algs[i].alg == alg)
			return algs[i].name;
	return "an unknown algorithm";
}

/* ---- numbers ---- */

uint16_t tpm_u16(struct reader *r)
{
	return __builtin_bswap16(reader_u16(r));
}

uint32_t tpm_u32(struct reader *r)
{
	return __builtin_bswap32(reader_u32(r));
}

uint64_t tpm_u64(struct reader *r)
{
	return __builtin_bswap64(reader_u64(r));
}

struct tpm_bytes tpm_2b(struct reader *r)
{
	const uint16_t size = tpm_u16(r);
	const uint8_t *data = reader_bytes(r, size);
	return (struct tpm_bytes){.data = data, .size = data ? size : 0};
}

void tpm_put_u16(struct buf *to, uint16_t value)
{
	buf_put_u16(to, __builtin_bswap16(value));
}

void tpm_put_u32(struct buf *to, uint32_t value)
{
	buf_put_u32(to, __builtin_bswap32(value));
}

void tpm_put_2b(struct buf *to, const void *bytes, size_t size)
{
	tpm_put_u16(to, (uint16_t)size);
	buf_put(to, bytes, size);
}

/* ---- TPMT_PUBLIC, table 190 ---- */

static void read_symmetric(struct reader *r, struct tpm_public *to)
{
	to->symmetric = tpm_u16(r);
	if (to->symmetric == TPM_ALG_NULL)
		return;
	to->symmetric_bits = tpm_u16(r);
	to->symmetric_mode = tpm_u16(r);
}

/* TPMT_RSA_SCHEME and TPMT_ECC_SCHEME, tables 157 and 169. */
static void read_scheme(struct reader *r, struct tpm_public *to)
{
	to->scheme = tpm_u16(r);
	if (to->scheme == TPM_ALG_NULL || to->scheme == TPM_ALG_RSAES)
		return;
	to->scheme_hash = tpm_u16(r);
	if (to->scheme == TPM_ALG_ECDAA)
		(void)tpm_u16(r);
}

static void read_rsa(struct reader *r, struct tpm_public *to)
{
	to->key_bits = tpm_u16(r);
	to->exponent = tpm_u32(r);
	if (to->exponent == 0)
		to->exponent = RSA_EXPONENT;
	to->x = tpm_2b(r);
}

static void read_ecc(struct reader *r, struct tpm_public *to)
{
	to->curve = tpm_u16(r);
	if (tpm_u16(r) != TPM_ALG_NULL)
		(void)tpm_u16(r); /* the hash of a KDF */
	to->x = tpm_2b(r);
	to->y = tpm_2b(r);
}

/* Part 1, section 16: the algorithm, then the digest of the public area. */
static int make_name(const void *data, size_t size, struct tpm_public *to, struct error *err)
{
	const int hash = tpm_hash_of(to->name_alg);
	const struct crypto_part part = {data, size};
	if (hash < 0)
		return error_set(err, CELLA_EFORMAT,
		                 "a TPM's key is named by the algorithm 0x%x, which is not known here",
		                 to->name_alg);
	to->name.size = 2 + crypto_hash_size((enum crypto_hash)hash);
	to->name.bytes[0] = (uint8_t)(to->name_alg >> 8);
	to->name.bytes[1] = (uint8_t)to->name_alg;
	uint8_t digest[CRYPTO_HASH_MAX];
	int rc = crypto_hash((enum crypto_hash)hash, &part, 1, digest, err);
	if (rc == 0)
		memcpy(to->name.bytes + 2, digest, to->name.size - 2);
	return rc;
}

int tpm_public_read(const void *data, size_t size, struct tpm_public *ret_public, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_public p = {.type = tpm_u16(&r), .name_alg = tpm_u16(&r), .attributes = tpm_u32(&r)};
	(void)tpm_2b(&r); /* the policy of its use */
	if (!r.failed && p.type != TPM_ALG_RSA && p.type != TPM_ALG_ECC)
		return error_set(err, CELLA_EFORMAT, "a TPM's key of the type 0x%x is neither RSA nor ECC",
		                 p.type);
	read_symmetric(&r, &p);
	read_scheme(&r, &p);
	if (p.type == TPM_ALG_RSA)
		read_rsa(&r, &p);
	else
		read_ecc(&r, &p);
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "%zu bytes are no public area of a TPM's key", size);
	int rc = make_name(data, size, &p, err);
	if (rc == 0)
		*ret_public = p;
	return rc;
}

static int ecc_key(const struct tpm_public *p, struct vendor_key **ret_key, struct error *err)
{
	uint8_t point[2 * 48] = {0};
	const enum vendor_key_kind kind = p->curve == TPM_CURVE_P256   ? VENDOR_P256
	                                  : p->curve == TPM_CURVE_P384 ? VENDOR_P384
	                                                               : VENDOR_KEY_OTHER;
	const size_t field = kind == VENDOR_P384 ? 48 : 32;
	if (kind == VENDOR_KEY_OTHER || p->x.size > field || p->y.size > field)
		return error_set(
			err, CELLA_EFORMAT,
			"a TPM's key is on the curve %u, or no point of it: P-256 (3) and P-384 (4) are "
			"known",
			p->curve);
	if (p->x.size > 0)
		memcpy(point + field - p->x.size, p->x.data, p->x.size);
	if (p->y.size > 0)
		memcpy(point + 2 * field - p->y.size, p->y.data, p->y.size);
	return vendor_key_from_point(kind, point, 2 * field, ret_key, err);
}

int tpm_public_key(const struct tpm_public *p, struct vendor_key **ret_key, struct error *err)
{
	if (p->type == TPM_ALG_ECC)
		return ecc_key(p, ret_key, err);
	if (p->x.size == 0 || p->x.size * 8 != p->key_bits)
		return error_set(err, CELLA_EFORMAT, "a TPM's RSA key of %u bits has a modulus of %zu bytes",
		                 p->key_bits, p->x.size);
	return vendor_key_from_rsa(p->x.data, p->x.size, p->exponent, ret_key, err);
}

/* ---- TPMS_ATTEST, table 127 ---- */

static bool read_bank(struct reader *r, struct tpm_selection *to)
{
	const uint16_t alg = tpm_u16(r);
	const uint8_t size = reader_u8(r);
	const uint8_t *bits = reader_bytes(r, size);
	struct tpm_bank bank = {.alg = alg, .hash = tpm_hash_of(alg)};
	if (!bits || size > SELECT_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		bank.pcrs |= (uint32_t)bits[i] << (8 * i);
	for (size_t i = 0; i < to->count; i++)
		if (to->banks[i].alg == alg)
			return false;
	to->banks[to->count++] = bank;
	return bank.hash >= 0 && bank.pcrs >> TPM_PCRS == 0;
}

/* TPML_PCR_SELECTION and the digest, table 122. */
static bool read_quote(struct reader *r, struct tpm_attest *to)
{
	const uint32_t count = tpm_u32(r);
	if (count > TPM_BANKS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!read_bank(r, &to->selection))
			return false;
	to->digest = tpm_2b(r);
	return true;
}

int tpm_attest_read(const void *data, size_t size, struct tpm_attest *ret_attest, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_attest a = {.magic = tpm_u32(&r), .type = tpm_u16(&r)};
	a.signer = tpm_2b(&r);
	a.extra = tpm_2b(&r);
	a.clock = tpm_u64(&r);
	a.reset_count = tpm_u32(&r);
	a.restart_count = tpm_u32(&r);
	const uint8_t safe = reader_u8(&r);
	a.safe = safe == 1;
	a.firmware = tpm_u64(&r);
	bool understood = safe <= 1 && a.signer.size <= TPM_NAME_MAX && a.extra.size <= TPM_DATA_MAX;
	if (a.type == TPM_QUOTE) {
		understood &= read_quote(&r, &a);
	} else if (a.type == TPM_CERTIFY) {
		a.name = tpm_2b(&r);
		a.qualified_name = tpm_2b(&r);
	} else {
		understood = false;
	}
	if (!understood || !reader_finished(&r))
		return error_set(err, CELLA_EFORMAT,
		                 "%zu bytes (type 0x%x) are no quote and no certification of a TPM", size,
		                 a.type);
	*ret_attest = a;
	return 0;
}

/* ---- TPMT_SIGNATURE, table 187 ---- */

static enum vendor_algorithm algorithm_of(uint16_t alg, uint16_t hash)
{
	static const struct {
		uint16_t alg, hash;
		enum vendor_algorithm algorithm;
	} rows[] = {
		{TPM_ALG_RSASSA, TPM_ALG_SHA256, VENDOR_RSA_SHA256},
		{TPM_ALG_RSASSA, TPM_ALG_SHA384, VENDOR_RSA_SHA384},
		{TPM_ALG_RSAPSS, TPM_ALG_SHA256, VENDOR_RSA_PSS_ANY_SHA256},
		{TPM_ALG_RSAPSS, TPM_ALG_SHA384, VENDOR_RSA_PSS_ANY_SHA384},
		{TPM_ALG_ECDSA, TPM_ALG_SHA256, VENDOR_ECDSA_SHA256},
		{TPM_ALG_ECDSA, TPM_ALG_SHA384, VENDOR_ECDSA_SHA384},
	};
	for (size_t i = 0; i < array_count(rows); i++)
		if (rows[i].alg == alg && rows[i].hash == hash)
			return rows[i].algorithm;
	return 0;
}

static bool put_number(struct tpm_signature *to, struct tpm_bytes number, size_t field)
{
	if (number.size > field)
		return false;
	memset(to->bytes + to->size, 0, field - number.size);
	to->size += field;
	if (number.size > 0)
		memcpy(to->bytes + to->size - number.size, number.data, number.size);
	return true;
}

int tpm_signature_read(const void *data, size_t size, enum vendor_key_kind kind,
                       struct tpm_signature *ret_signature, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_signature s = {.alg = tpm_u16(&r), .hash_alg = tpm_u16(&r)};
	const size_t field = kind == VENDOR_P384 ? 48 : 32;
	bool fits = s.alg == TPM_ALG_RSASSA || s.alg == TPM_ALG_RSAPSS || s.alg == TPM_ALG_ECDSA;
	const struct tpm_bytes first = tpm_2b(&r);
	s.algorithm = algorithm_of(s.alg, s.hash_alg);
	if (s.alg == TPM_ALG_ECDSA) {
		const struct tpm_bytes second = tpm_2b(&r);
		fits = put_number(&s, first, field) && put_number(&s, second, field);
	} else {
		fits &= put_number(&s, first, first.size > TPM_SIGNATURE_MAX ? 0 : first.size);
	}
	if (!fits || !reader_finished(&r))
		return error_set(err, CELLA_EFORMAT,
		                 "%zu bytes (0x%x) are no signature of a TPM by RSASSA, RSAPSS or ECDSA",
		                 size, s.alg);
	*ret_signature = s;
	return 0;
}
