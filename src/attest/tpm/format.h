/*
 * Structures of TPM 2.0 (TCG, Trusted Platform Module Library, part 2: Structures, revision 1.59), as bytes
 * on the wire: big-endian. What of them evidence needs, and no more.
 */
#ifndef ATTEST_TPM_FORMAT_H
#define ATTEST_TPM_FORMAT_H

#include <stdbool.h>

#include "attest/event_log.h"
#include "crypto/crypto.h"
#include "crypto/vendor_cert.h"

enum tpm_alg { /* TPM_ALG_ID, table 9 */
	       TPM_ALG_RSA = 0x01,
	       TPM_ALG_AES = 0x06,
	       TPM_ALG_SHA1 = 0x04,
	       TPM_ALG_SHA256 = 0x0B,
	       TPM_ALG_SHA384 = 0x0C,
	       TPM_ALG_SHA512 = 0x0D,
	       TPM_ALG_NULL = 0x10,
	       TPM_ALG_RSASSA = 0x14,
	       TPM_ALG_RSAES = 0x15,
	       TPM_ALG_RSAPSS = 0x16,
	       TPM_ALG_OAEP = 0x17,
	       TPM_ALG_ECDSA = 0x18,
	       TPM_ALG_ECDAA = 0x1A,
	       TPM_ALG_ECC = 0x23,
	       TPM_ALG_CFB = 0x43,
};

enum tpm_object_bit { /* TPMA_OBJECT, table 31 */
	              TPM_FIXED_TPM = 1 << 1,
	              TPM_FIXED_PARENT = 1 << 4,
	              TPM_SENSITIVE_DATA_ORIGIN = 1 << 5,
	              TPM_RESTRICTED = 1 << 16,
	              TPM_DECRYPT = 1 << 17,
	              TPM_SIGN = 1 << 18,
};

enum {
	TPM_CURVE_P256 = 3,
	TPM_CURVE_P384 = 4,
	TPM_PCRS = 24,
	TPM_BANKS_MAX = 4,
	TPM_NAME_MAX = 2 + CRYPTO_HASH_MAX, /* the algorithm, then the digest */
	TPM_DATA_MAX = 2 + CRYPTO_HASH_MAX, /* TPM2B_DATA: of the largest hash */
	TPM_SIGNATURE_MAX = 1024,
	TPM_QUOTE = 0x8018,   /* TPM_ST_ATTEST_QUOTE */
	TPM_CERTIFY = 0x8017, /* TPM_ST_ATTEST_CERTIFY */
};
extern const uint32_t tpm_generated; /* TPM_GENERATED_VALUE */
extern const uint32_t tpm_endorsement; /* TPM_RH_ENDORSEMENT */

/* -1: none that is known here. */
int tpm_hash_of(uint16_t alg);
const char *tpm_alg_name(uint16_t alg); /* "SHA-256"; "an unknown algorithm" */

/* ---- readers: as those of base/buf.h, which are little-endian ---- */

uint16_t tpm_u16(struct reader *r);
uint32_t tpm_u32(struct reader *r);
uint64_t tpm_u64(struct reader *r);
struct tpm_bytes { /* borrowed */
	const uint8_t *data;
	size_t size;
};
/* A TPM2B: 16 bits of size, then the bytes. */
struct tpm_bytes tpm_2b(struct reader *r);
void tpm_put_u16(struct buf *to, uint16_t value);
void tpm_put_u32(struct buf *to, uint32_t value);
void tpm_put_2b(struct buf *to, const void *bytes, size_t size);

/* ---- TPMT_PUBLIC ---- */

struct tpm_name {
	size_t size;
	uint8_t bytes[TPM_NAME_MAX];
};

struct tpm_public {
	uint16_t type, name_alg;
	uint32_t attributes;
	uint16_t symmetric, symmetric_bits, symmetric_mode; /* TPM_ALG_NULL: none */
	uint16_t scheme, scheme_hash;                       /* likewise */
	uint16_t key_bits, curve;
	uint32_t exponent;          /* 0 on the wire is 65537 */
	struct tpm_bytes x, y; /* x: the modulus of RSA */
	struct tpm_name name;
};
/* Of RSA or ECC; nothing may follow. CELLA_EFORMAT. */
int tpm_public_read(const void *data, size_t size, struct tpm_public *ret_public,
                    struct error *err) must_check;
int tpm_public_key(const struct tpm_public *public, struct vendor_key **ret_key,
                   struct error *err) must_check;

/* ---- TPMS_ATTEST ---- */

struct tpm_selection {
	size_t count;
	struct tpm_bank {
		uint16_t alg;
		int hash;      /* enum crypto_hash; -1 */
		uint32_t pcrs; /* bits */
	} banks[TPM_BANKS_MAX];
};

struct tpm_attest {
	uint32_t magic;
	uint16_t type; /* TPM_QUOTE or TPM_CERTIFY; others are refused */
	struct tpm_bytes signer; /* its qualified name */
	struct tpm_bytes extra;
	uint64_t clock;
	uint32_t reset_count, restart_count;
	bool safe;
	uint64_t firmware;
	struct tpm_selection selection;       /* of a quote */
	struct tpm_bytes digest;
	struct tpm_bytes name, qualified_name; /* of what is certified */
};
int tpm_attest_read(const void *data, size_t size, struct tpm_attest *ret_attest,
                    struct error *err) must_check;

/* ---- TPMT_SIGNATURE ---- */

struct tpm_signature {
	uint16_t alg, hash_alg;
	enum vendor_algorithm algorithm; /* 0: one that is not verified here */
	size_t size;
	uint8_t bytes[TPM_SIGNATURE_MAX]; /* of ECDSA r || s, each as long as the hash's curve has it */
};
/* `kind` is the key's, whose numbers r and s are as long as. */
int tpm_signature_read(const void *data, size_t size, enum vendor_key_kind kind,
                       struct tpm_signature *ret_signature, struct error *err) must_check;

#endif
