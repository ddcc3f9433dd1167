/*
 * Confidential guests: the protocol that Confidential Containers' guests speak with their Key Broker Service,
 * served by the sessions of this CAS. docs/protocols/kbs.md.
 *
 *     kbs_auth      Request -> Challenge: a nonce, and a ticket as cookie (cas/kbs/ticket.h)
 *     kbs_attest    Attestation -> a token: evidence of hardware over nonce and the guest's public key is
 *                   genuine; the guest is remembered for a while, by its cookie and its token
 *     kbs_resource  a secret, encrypted to that key, if the session that has it lets such a guest
 *     kbs_upload    an owner hands a secret over
 *
 * The resource REPOSITORY/TYPE/TAG is the secret TAG of the session REPOSITORY/TYPE. Who gets it stands in
 * its `guests`, alternatives of requirements of evidence, judged anew at each request, at its time. What
 * fails is told to the session's owner with both values; the guest is told that it was refused, and a number
 * by which the owner finds it. Whether there is a session or a secret of a name is told to no guest.
 *
 * Limits: a ticket is good once, for five minutes; guests that are remembered are bounded in number, in all
 * and by address, in bytes, and in time; the oldest go first, and attest again.
 *
 * Any thread.
 */
#ifndef CAS_KBS_H
#define CAS_KBS_H

#include <jansson.h>

#include "cas/kbs/ticket.h"
#include "cas/requester.h"

enum {
	KBS_GUEST_S = 5 * 60, /* from attestation to the last resource; and a token's life */
	KBS_AHEAD_MS = 1000, /* that a clock may be set back without anybody being refused */
	KBS_GUESTS_MAX = 1024,
	KBS_ADDRESS_GUESTS_MAX = 256, /* of one address, of IPv6 of a /64 */
	KBS_EVIDENCE_MAX = 64 << 20,  /* bytes of all guests' */
	KBS_USED_MAX = 1 << 15,       /* tickets that are remembered as used */
	KBS_REFUSALS_MAX = 64,        /* of attestations, which are nobody's but the operator's */
	KBS_ADDRESS_REFUSALS_MAX = 16, /* of one caller (cas/network.h), so that nobody hides the others' */
	KBS_REASON_MAX = 2048,        /* bytes of one */
};

struct kbs;
int kbs_new(struct cas *cas, struct kbs **ret_kbs, struct error *err) must_check;
void kbs_free(struct kbs *kbs);

struct kbs_caller {
	const char *cookies, *authorization; /* the headers, or NULL */
	const char *address;
};

struct kbs_challenge {
	struct kbs_request request;
	char nonce[KBS_NONCE_SIZE];
	char cookie[KBS_COOKIE_SIZE];
};
/* CELLA_EFORMAT, CELLA_EUNSUPPORTED. */
int kbs_auth(struct kbs *kbs, const void *body, size_t size, struct kbs_challenge *ret,
             struct error *err) must_check;

/* Appends the token. CELLA_EFORMAT, CELLA_EUNSUPPORTED: what was sent is not understood; CELLA_EAUTH:
 * refused, the error says no more than that. */
int kbs_attest(struct kbs *kbs, const struct kbs_caller *caller, const void *body, size_t size,
               struct buf *ret_token, struct error *err) must_check;

struct kbs_path {
	const char *repository, *type, *tag;
};
/* A JWE in its flattened form. CELLA_ENOENT: the caller has not attested, or too long ago; CELLA_EAUTH:
 * refused, or there is no such resource. */
int kbs_resource(struct kbs *kbs, const struct kbs_caller *caller, const struct kbs_path *path,
                 json_t **ret_jwe, struct error *err) must_check;

/* `bytes` becomes the secret's newest version. CELLA_EPERM; CELLA_ENOENT: the session has no such secret;
 * CELLA_EINVAL: it is not one that is uploaded, or these bytes are not of its kind. */
int kbs_upload(struct cas *cas, const struct cas_requester *who, const struct kbs_path *path,
               const void *bytes, size_t size, struct error *err) must_check;

/* How often it was uploaded, which a signature under an upload names: who asks may read the session.
 * CELLA_EPERM; CELLA_ENOENT. */
int kbs_uploads(struct cas *cas, const struct cas_requester *who, const char *session, const char *secret,
                uint64_t *ret_version, struct error *err) must_check;

/* Public keys of tokens, a JWK set; NULL where memory ran out. */
int kbs_keys(struct kbs *kbs, json_t **ret_keys, struct error *err) must_check;

/* The last refusals of attestations, newest first: who asks is an owner. CELLA_EPERM. */
struct kbs_refusal {
	uint64_t time_ns;
	char id[17], address[64];
	char text[KBS_REASON_MAX];
};
typedef int kbs_refusal_fn(void *arg, const struct kbs_refusal *refusal, struct error *err);
int kbs_refusals(struct kbs *kbs, const struct cas_requester *who, kbs_refusal_fn *fn, void *arg,
                 struct error *err) must_check;

#endif
