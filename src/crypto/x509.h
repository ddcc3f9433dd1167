/*
 * Keys and certificates of connections: X.509 (RFC 5280), made and checked.
 *
 * The keys are P-256 with ECDSA (FIPS 186-5), not the Ed25519 that signs evidence and artifacts: TPMs, smart
 * cards, hardware modules and every TLS client there is have P-256; it is what a TLS 1.3 implementation must
 * have (RFC 8446, section 9.1); and OpenSSL signs and verifies with it twice as fast. Certificates of others
 * may have P-256, P-384 or Ed25519; RSA and the rest are refused.
 *
 * A key is named by its hash: SHA-256 over the SubjectPublicKeyInfo in DER, the bytes of which RFC 7469 makes
 * its pins, in lower-case hexadecimal. It stays the same when a certificate is renewed with the same key.
 *
 * Time is the caller's, in seconds since 1970 in UTC; nothing here reads a clock. Private keys lie in what
 * OpenSSL allocates, hence in the pool that crypto_init was given. What is read here may come from an
 * attacker: OpenSSL decodes it, this module bounds it.
 */
#ifndef CRYPTO_X509_H
#define CRYPTO_X509_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	CERT_KEY_HASH_SIZE = 65,  /* 64 digits and the end of the string */
	CERT_KEY_PEM_MAX = 512,   /* of a private key */
	CERT_PUBLIC_MAX = 256,    /* SubjectPublicKeyInfo */
	CERT_NAMES_MAX = 8,       /* in a certificate */
	CERT_NAME_SIZE = 336,     /* with the end of the string */
	CERT_COMMON_NAME_MAX = 64,
	CERT_CHAIN_MAX = 4,       /* certificates */
	CERT_TEXT_MAX = 32768,    /* of what is read, a chain in PEM at most */
	CERT_SERIAL_SIZE = 16,    /* bytes of a serial number that is made here */
	CERT_SERIAL_MAX = 20,     /* of one that is read (RFC 5280, section 4.1.2.2) */
};

/* A private key with its public one. */
struct cert_key;
int cert_key_generate(struct cert_key **ret_key, struct error *err) must_check;
/* From PEM (PKCS#8, not encrypted): CELLA_EFORMAT, CELLA_EUNSUPPORTED for a key that is not P-256. */
int cert_key_read(const void *pem, size_t size, struct cert_key **ret_key, struct error *err) must_check;
/* As PEM into `to`, CERT_KEY_PEM_MAX bytes of protected memory; without an end of the string. */
int cert_key_write(const struct cert_key *key, char *to, size_t *ret_size, struct error *err) must_check;
/* SubjectPublicKeyInfo in DER, CERT_PUBLIC_MAX bytes at most. */
int cert_key_public(const struct cert_key *key, uint8_t *to, size_t *ret_size, struct error *err) must_check;
/* The same as PEM, appended. */
int cert_key_write_public(const struct cert_key *key, struct buf *to, struct error *err) must_check;
int cert_key_hash(const struct cert_key *key, char ret_hash[CERT_KEY_HASH_SIZE],
                  struct error *err) must_check;
void cert_key_free(struct cert_key *key);

/* 64 digits of hexadecimal, as a person may have typed them. CELLA_EINVAL; `what` names it in the error. */
int cert_key_hash_parse(const char *text, const char *what, char ret_hash[CERT_KEY_HASH_SIZE],
                        struct error *err) must_check;

/* Signatures by such keys over data (ECDSA with SHA-256, DER). */
enum { CERT_SIGNATURE_MAX = 80 };
int cert_key_sign(const struct cert_key *key, const void *data, size_t size,
                  uint8_t ret_signature[CERT_SIGNATURE_MAX], size_t *ret_size, struct error *err) must_check;
/* By a public key, P-256 in DER, whose hash it tells. CELLA_EAUTH: it does not hold; CELLA_EFORMAT,
 * CELLA_EUNSUPPORTED: it is no such key. */
int cert_public_verify(const void *public_key, size_t public_size, const void *data, size_t size,
                       const void *signature, size_t signature_size, char ret_hash[CERT_KEY_HASH_SIZE],
                       struct error *err) must_check;

/* What a certificate calls its holder: subjectAltName. Compared exactly; DNS without regard to case, and
 * there are no wildcards. */
enum cert_name_kind { CERT_DNS, CERT_IP, CERT_URI };
struct cert_name {
	enum cert_name_kind kind;
	const char *text; /* "cas.example", "192.0.2.1" or "::1", "cella://namespace/session/service" */
};
struct cert_names {
	size_t count;
	struct cert_name_text {
		enum cert_name_kind kind;
		char text[CERT_NAME_SIZE];
	} names[CERT_NAMES_MAX];
};
/* "DNS name", "IP address", "URI". */
const char *cert_name_kind_name(enum cert_name_kind kind);
bool cert_names_have(const struct cert_names *names, const struct cert_name *name);
/* The first of that kind, or NULL. */
const char *cert_names_first(const struct cert_names *names, enum cert_name_kind kind);

/* CELLA_EINVAL: it is none, or too long for a certificate. */
int cert_name_check(const struct cert_name *name, struct error *err) must_check;

/* What the holder may do with it: extendedKeyUsage. */
enum cert_use { CERT_FOR_SERVER = 1, CERT_FOR_CLIENT = 2 };

struct cert_shape {
	const char *common_name; /* for people; 1 to CERT_COMMON_NAME_MAX bytes of printable ASCII */
	const struct cert_name *names;
	size_t name_count;
	unsigned use; /* bits of enum cert_use; 0 for a CA */
	int64_t not_before, not_after;
};

struct cert;
/* A CA over `key`, signed by itself, for certificates directly below it. */
int cert_make_ca(const struct cert_key *key, const struct cert_shape *shape, struct cert **ret_cert,
                 struct error *err) must_check;
/* Signed by its own key: who trusts it knows the hash of the key, as of an owner's credential. */
int cert_make_self_signed(const struct cert_key *key, const struct cert_shape *shape, struct cert **ret_cert,
                          struct error *err) must_check;
/* By a CA for a public key (SubjectPublicKeyInfo in DER, from cert_key_public), which may be another
 * process's. It may not outlive the CA: CELLA_EINVAL. */
int cert_issue(const struct cert_key *ca_key, const struct cert *ca, const void *public_key, size_t size,
               const struct cert_shape *shape, struct cert **ret_cert, struct error *err) must_check;
void cert_free(struct cert *cert);

/* One in DER; or one to CERT_CHAIN_MAX in PEM, the holder's own first. The caller frees each. */
int cert_read_der(const void *der, size_t size, struct cert **ret_cert, struct error *err) must_check;
int cert_read_pem(const void *pem, size_t size, struct cert *ret_chain[CERT_CHAIN_MAX], size_t *ret_count,
                  struct error *err) must_check;
/* Appended. */
int cert_write_der(const struct cert *cert, struct buf *to, struct error *err) must_check;
int cert_write_pem(const struct cert *cert, struct buf *to, struct error *err) must_check;

/* A credential: a new key, and a certificate for it that it has signed itself, for ten years; as a client of
 * TLS wants them, PEM, one after the other, in a new file of mode 0600. CELLA_EEXIST. */
int cert_credential_create(const char *path, const char *common_name, int64_t now,
                           char ret_hash[CERT_KEY_HASH_SIZE], struct error *err) must_check;

struct cert_facts {
	char key_hash[CERT_KEY_HASH_SIZE];
	char common_name[CERT_COMMON_NAME_MAX + 1]; /* "" if it has none, or none that is printable */
	bool ca;
	bool self_issued; /* issuer and subject are the same */
	char serial[2 * CERT_SERIAL_MAX + 1]; /* hexadecimal, two digits a byte; "" if it is longer */
	int64_t not_before, not_after;
	struct cert_names names;
};
int cert_describe(const struct cert *cert, struct cert_facts *ret_facts, struct error *err) must_check;

/*
 * What a chain must be. Either the holder's own key is known (`key_hash`): then its certificate may be signed
 * by anybody, and only time and use are checked; the caller sees to it that the holder proves its key, as
 * TLS does. Or it comes from a CA: one of `cas`, or one in the chain whose key has the hash `ca_key_hash`;
 * then signatures, times, use, and what CAs may do are checked (RFC 5280, section 6), and the holder must
 * bear `name` unless that is NULL. Without a name whoever has a certificate of the CA passes.
 */
struct cert_rule {
	int64_t now;
	enum cert_use use;
	const char *key_hash; /* NULL: any of the others */
	const char *ca_key_hash;
	const struct cert *const *cas;
	size_t ca_count;
	const struct cert_name *name;
};
/* CELLA_EAUTH, with both values in the error. */
int cert_check(const struct cert *const *chain, size_t count, const struct cert_rule *rule,
               struct error *err) must_check;

/* A list of what a CA has revoked (RFC 5280, section 5). */
struct cert_revoked {
	uint8_t serial[CERT_SERIAL_SIZE];
	int64_t since;
};
struct cert_crl_shape {
	const struct cert_revoked *revoked;
	size_t count;
	uint64_t number; /* larger than that of every list before */
	int64_t this_update, next_update;
};
/* Signed by the CA; in DER, appended. CELLA_EINVAL: the key is not the CA's. */
int cert_make_crl(const struct cert_key *ca_key, const struct cert *ca, const struct cert_crl_shape *shape,
                  struct buf *to, struct error *err) must_check;

/* 2026-11-29T03:17:00Z. */
enum { CERT_TIME_TEXT_SIZE = 32 };
void cert_time_text(int64_t time, char ret_text[CERT_TIME_TEXT_SIZE]);

#endif
