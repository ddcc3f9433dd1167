/*
 * What guests of Confidential Containers send: the request that begins a handshake, and the attestation that
 * answers the challenge (kbs_attestation_protocol.md of confidential-containers/trustee). Pure functions of
 * their input, which is an attacker's.
 *
 * A guest binds its evidence to *runtime data*: the object {nonce, tee-pubkey}, from protocol 0.4.0 on with
 * additional-evidence, written in one form (RFC 8785) and hashed. Which members there are is told by what was
 * sent, not by the version: all of it is under the hash.
 */
#ifndef CAS_KBS_MESSAGE_H
#define CAS_KBS_MESSAGE_H

#include "cas/kbs/evidence.h"
#include "crypto/crypto.h"
#include "crypto/jwk.h"

enum {
	KBS_REQUEST_MAX = 16 << 10,      /* bytes of a body */
	KBS_ATTESTATION_MAX = 512 << 10,
	KBS_NONCE_MAX = 64,              /* characters */
};

/* How challenge and token are written. */
enum kbs_version { KBS_0_1_1, KBS_0_2_0, KBS_0_3_0, KBS_0_4_0, KBS_VERSIONS };

struct kbs_request {
	enum kbs_version version;
	enum tee_kind tee;
	enum crypto_hash hash; /* of the runtime data */
	bool negotiates; /* it has said which hashes it knows */
};
/* CELLA_EFORMAT; CELLA_EUNSUPPORTED: a version or a kind of evidence that is not served, and why. */
int kbs_request_read(const void *body, size_t size, struct kbs_request *ret, struct error *err) must_check;
/* "sha384". */
const char *kbs_hash_name(enum crypto_hash hash);

/* Zeroed, it is empty and valid. */
struct kbs_attestation {
	bool has_nonce; /* it says one */
	char nonce[KBS_NONCE_MAX + 1];
	json_t *key_json;
	struct jwk *key;
	struct buf runtime; /* with the nonce that it was read for */
	struct kbs_evidence evidence;
};
/* `nonce` is the challenge's, which goes into the runtime data whatever the guest says. Of what was sent no
 * more is kept than the structure has: numbers one by one take ten times the memory that they are sent in.
 * CELLA_EFORMAT, CELLA_EUNSUPPORTED. *ret is to be done in any case. */
int kbs_attestation_read(enum tee_kind tee, const char *nonce, const void *body, size_t size,
                         struct kbs_attestation *ret, struct error *err) must_check;
void kbs_attestation_done(struct kbs_attestation *attestation);
#define cleanup_kbs_attestation __attribute__((cleanup(kbs_attestation_done)))

#endif
