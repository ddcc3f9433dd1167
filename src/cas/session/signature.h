/*
 * Signatures of owners under a request, for sessions whose access_policy wants several keys: one asks,
 * the others have signed what is asked for.
 *
 * What is signed, the *statement*: "cella request 1" and a zero byte, 16 bytes that name the CAS, the action
 * and a zero byte, the session's name and a zero byte, 48 bytes of digest. The digest is the hash of the
 * session that is put; or of the session as it is, for who reads or deletes it, or takes a lease over; of a
 * volume that is handed over SHA-384 of the session's hash, the volume's name there and a zero byte, its id,
 * root and keys, each with its size before it (crypto_sha384_parts); of a secret that is uploaded the same of
 * the session's hash, the secret's name and a zero byte, the number of the version whose place it takes as
 * eight bytes (little-endian; 0: there is none), and its bytes. So a signature is for one change of
 * one state: it is of no use when the session, the volume or the secret is another.
 *
 * A signature as text: the public key (SubjectPublicKeyInfo in DER), a full stop, and the signature (ECDSA
 * with SHA-256, DER), both in base64url. Several are separated by commas.
 */
#ifndef CAS_SIGNATURE_H
#define CAS_SIGNATURE_H

#include "base/buf.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"

enum { SIGNATURE_CAS_SIZE = 16, SIGNATURES_MAX = 16, SIGNATURE_TEXT_MAX = 512 };

/* Of a request: one of these. */
#define SIGNATURE_PUT "put"
#define SIGNATURE_READ "read"
#define SIGNATURE_DELETE "delete"
#define SIGNATURE_VOLUME "volume"
#define SIGNATURE_TAKE_OVER "take-over" /* of the lease of any of its volumes */
#define SIGNATURE_UPLOAD "upload"

struct signature_statement {
	uint8_t cas[SIGNATURE_CAS_SIZE];
	const char *action, *session;
	uint8_t digest[CRYPTO_SHA384_SIZE];
};

/* Of a volume that is handed over; sizes are those of volume/volume.h. */
struct signature_volume {
	const uint8_t *session_hash; /* CRYPTO_SHA384_SIZE bytes */
	const char *name;            /* of the session's */
	const void *id, *root, *keys;
	size_t id_size, root_size, keys_size;
};
int signature_volume_digest(const struct signature_volume *volume, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                            struct error *err) must_check;

/* Of a secret that is uploaded. */
struct signature_upload {
	const uint8_t *session_hash; /* CRYPTO_SHA384_SIZE bytes */
	const char *name;            /* of the session's */
	uint64_t version; /* that is there; 0: none was uploaded */
	const void *bytes;
	size_t size;
};
int signature_upload_digest(const struct signature_upload *upload, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                            struct error *err) must_check;

/* Appends the text, without a zero byte. */
int signature_make(const struct signature_statement *statement, const struct cert_key *key,
                   struct buf *ret_text, struct error *err) must_check;

/* Whose signatures are in the text, each of which has to hold. CELLA_EAUTH: one does not, by its number;
 * CELLA_EFORMAT: that is no list of signatures; CELLA_ELIMIT: there are more than SIGNATURES_MAX. */
struct signers {
	size_t count;
	char key_hash[SIGNATURES_MAX][CERT_KEY_HASH_SIZE];
};
int signatures_check(const struct signature_statement *statement, const char *text,
                     struct signers *ret_signers, struct error *err) must_check;

#endif
