/*
 * Certificates, CRLs and signatures of the makers of hardware: what proves that a key lies in a processor.
 *
 * Not the connections' certificates (crypto/x509.h), which know neither RSA nor makers' extensions. Here a
 * maker's chain is put together from an unordered set, down to a root that is pinned by the hash of its key
 * (SHA-256 over SubjectPublicKeyInfo, lower-case hexadecimal), and everything that does not depend on the
 * time is looked at once: signatures with algorithms that the caller allows, who may sign, lengths of paths,
 * unknown critical extensions, CRLs. What is wrong is collected, never only the first of it. The caller keeps
 * the result and compares times at each verification (attest/chain.h).
 *
 * OpenSSL decodes and computes; nothing here asks its stores, its clock, or the network. What is read may
 * come from an attacker. One thread at a time for one object.
 */
#ifndef CRYPTO_VENDOR_CERT_H
#define CRYPTO_VENDOR_CERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/x509.h"

enum {
	VENDOR_BLOB_MAX = 4 << 20,   /* bytes of one file of certificates or CRLs */
	VENDOR_CERTS_MAX = 16,       /* in a set */
	VENDOR_CRLS_MAX = 8,         /* in a set */
	VENDOR_CHAIN_MAX = 6,        /* certificates, with the root */
	VENDOR_NAME_SIZE = 200, /* of a whole name as text, with the end of the string; cut if longer */
	VENDOR_SERIAL_SIZE = 44, /* 21 bytes in hexadecimal */
	VENDOR_RSA_BITS_MIN = 2048,
	VENDOR_RSA_BITS_MAX = 8192,
};

/* Bits: what a caller allows is an `or` of them. */
enum vendor_algorithm {
	VENDOR_ECDSA_SHA256 = 1 << 0,
	VENDOR_ECDSA_SHA384 = 1 << 1,
	VENDOR_RSA_PSS_SHA384 =
		1 << 2, /* MGF1 with SHA-384, 48 bytes of salt: these parameters and no others */
	VENDOR_RSA_SHA256 = 1 << 3, /* PKCS #1 v1.5 */
	VENDOR_RSA_SHA384 = 1 << 4,
	VENDOR_RSA_PSS_SHA256 = 1 << 5, /* MGF1 with SHA-256, 32 bytes of salt */
	/* With as much salt as the signer chose: what TPMs sign with; no certificate is of it. */
	VENDOR_RSA_PSS_ANY_SHA256 = 1 << 6,
	VENDOR_RSA_PSS_ANY_SHA384 = 1 << 7,
};
/* "RSA-PSS with SHA-384"; "an unknown algorithm" for 0. */
const char *vendor_algorithm_name(enum vendor_algorithm algorithm);

enum vendor_key_kind { VENDOR_KEY_OTHER, VENDOR_P256, VENDOR_P384, VENDOR_RSA };
const char *vendor_key_kind_name(enum vendor_key_kind kind);

/* ---- public keys ---- */

struct vendor_key;
/* From an affine point x || y, big-endian: CELLA_EFORMAT if the curve has no such point. */
int vendor_key_from_point(enum vendor_key_kind kind, const void *point, size_t size,
                          struct vendor_key **ret_key, struct error *err) must_check;
/* Of RSA, from a modulus, big-endian: CELLA_EFORMAT below 2048 bits and above VENDOR_RSA_BITS_MAX. */
int vendor_key_from_rsa(const void *modulus, size_t size, uint32_t exponent, struct vendor_key **ret_key,
                        struct error *err) must_check;
void vendor_key_free(struct vendor_key *key);
enum vendor_key_kind vendor_key_kind(const struct vendor_key *key);
/* SHA-256 over its SubjectPublicKeyInfo, as a certificate's key_hash is. */
int vendor_key_hash(const struct vendor_key *key, char ret_hash[CERT_KEY_HASH_SIZE],
                    struct error *err) must_check;
/* ECDSA signatures are r || s, big-endian, each as long as the curve's field. CELLA_EAUTH. */
int vendor_key_verify(const struct vendor_key *key, enum vendor_algorithm algorithm, const void *data,
                      size_t size, const void *signature, size_t signature_size,
                      struct error *err) must_check;

/* ---- one certificate, one CRL ---- */

struct vendor_cert_facts {
	char subject[VENDOR_NAME_SIZE], issuer[VENDOR_NAME_SIZE]; /* printable */
	char common_name[CERT_COMMON_NAME_MAX + 1]; /* of the subject; "" if it has none */
	char serial[VENDOR_SERIAL_SIZE];
	char key_hash[CERT_KEY_HASH_SIZE];
	enum vendor_key_kind key_kind;
	unsigned key_bits;
	enum vendor_algorithm signed_with; /* 0: an algorithm, or parameters, that is not in the list */
	int64_t not_before, not_after;
	bool self_issued;
	bool is_ca;
	bool signs_certs, signs_crls; /* by keyUsage; false if it has none */
	int path_length; /* -1: not bounded */
	bool has_unknown_critical; /* an extension that is critical and that OpenSSL does not know */
};

struct vendor_cert;
int vendor_cert_read_der(const void *der, size_t size, struct vendor_cert **ret_cert,
                         struct error *err) must_check;
void vendor_cert_free(struct vendor_cert *cert);
const struct vendor_cert_facts *vendor_cert_facts(const struct vendor_cert *cert);
const struct vendor_key *vendor_cert_key(const struct vendor_cert *cert); /* borrowed */
/* The value of the extension (what its OCTET STRING holds), borrowed. CELLA_ENOENT; CELLA_EFORMAT when it is
 * there twice. */
int vendor_cert_extension(const struct vendor_cert *cert, const char *oid, const uint8_t **ret_value,
                          size_t *ret_size, struct error *err) must_check;

struct vendor_crl_facts {
	char issuer[VENDOR_NAME_SIZE];
	enum vendor_algorithm signed_with;
	int64_t this_update;
	int64_t next_update; /* INT64_MAX: it does not say */
	size_t revoked_count;
	bool has_unknown_critical;
};

struct vendor_crl;
int vendor_crl_read_der(const void *der, size_t size, struct vendor_crl **ret_crl,
                        struct error *err) must_check;
void vendor_crl_free(struct vendor_crl *crl);
const struct vendor_crl_facts *vendor_crl_facts(const struct vendor_crl *crl);

/* ---- a set, as it was given ---- */

struct vendor_certs {
	struct vendor_cert *certs[VENDOR_CERTS_MAX];
	size_t count;
	struct vendor_crl *crls[VENDOR_CRLS_MAX];
	size_t crl_count;
};
/* Adds what is in one file: a certificate or CRL in DER, any number of both in PEM, or either as hexadecimal
 * text. A certificate that is there already is passed over. CELLA_EFORMAT, CELLA_ELIMIT. A zeroed set is
 * empty and valid. */
int vendor_certs_add(struct vendor_certs *set, const void *blob, size_t size, struct error *err) must_check;
void vendor_certs_done(struct vendor_certs *set);

/* ---- a chain ---- */

struct vendor_root {
	const char *name; /* "ARK-Milan" */
	const char *key_hash;
};

/* Of the certificate at one place of a chain; 0: nothing is wrong with it. */
enum vendor_flaw {
	VENDOR_NO_ISSUER = 1 << 0, /* no certificate of the set has its issuer's name */
	VENDOR_BAD_SIGNATURE = 1 << 1, /* its issuer's key did not sign it */
	VENDOR_BAD_ALGORITHM = 1 << 2, /* it is signed in a way that is not allowed */
	VENDOR_NO_CA = 1 << 3, /* it signed another, and may not */
	VENDOR_TOO_LONG = 1 << 4, /* its path length does not allow what is below it */
	VENDOR_UNKNOWN_CRITICAL = 1 << 5,
	VENDOR_REVOKED = 1 << 6, /* by a CRL of its issuer whose signature holds */
	VENDOR_BAD_CRL = 1 << 7, /* a CRL with its issuer's name is not signed by it, or not understood */
};

struct vendor_chain {
	size_t count; /* at least 1 */
	struct vendor_link {
		const struct vendor_cert *cert; /* of the set */
		unsigned flaws; /* of enum vendor_flaw */
		const struct vendor_crl *crl; /* the newest good CRL of its issuer; NULL: none was given */
	} links[VENDOR_CHAIN_MAX]; /* the leaf first */
	const struct vendor_root *root; /* the pinned one that it leads to; NULL: it leads to none */
};

/* From `leaf`, which is one of the set or stays as long. Chains are as good as the set allows: of several
 * certificates with an issuer's name the one is taken whose key holds. Only want of memory is an error. */
int vendor_chain_make(const struct vendor_certs *set, const struct vendor_cert *leaf,
                      const struct vendor_root *roots, size_t root_count, unsigned algorithms,
                      struct vendor_chain *ret_chain, struct error *err) must_check;

#endif
