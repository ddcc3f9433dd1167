/* The inside of cas/kbs/kbs.h, for its files: guests that are remembered, verifications, refusals, keys. */
#ifndef CAS_KBS_STATE_H
#define CAS_KBS_STATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/map.h"
#include "cas/kbs/kbs.h"
#include "cas/service_state.h"
#include "crypto/token_key.h"

enum { KBS_TOKEN_ID_SIZE = 33, KBS_REFUSAL_ID_SIZE = 17 };

/* One that has attested. Nothing in it changes but users and listed. */
struct kbs_guest {
	uint8_t id[KBS_ID_SIZE]; /* its ticket's */
	char token_id[KBS_TOKEN_ID_SIZE];
	char address[64];
	uint64_t network; /* of its address (cas/network.h) */
	uint64_t since_ns, until_ns;
	enum tee_kind tee;
	struct kbs_attestation attestation;
	uint8_t report_data[TEE_REPORT_DATA_MAX];
	size_t report_data_size;
	size_t size; /* bytes of its evidence */
	unsigned users;
	bool listed;
	TAILQ_ENTRY(kbs_guest) next; /* the oldest first */
};

struct kbs_used {
	uint64_t key, ms;
};

struct kbs {
	struct cas *cas;
	uint8_t key[CRYPTO_KEY_SIZE]; /* of tickets, of this run */

	pthread_mutex_t lock; /* of what follows */
	TAILQ_HEAD(, kbs_guest) guests;
	size_t guest_count, evidence_size;
	struct map used; /* tickets, by their ids' first bytes */
	struct kbs_used *used_ring; /* KBS_USED_MAX of them, the oldest at used_at once it is full */
	size_t used_count, used_at;
	uint64_t forgotten_ms; /* the newest ticket that was used and is not noted any more */
	struct kbs_refusal *refusals; /* KBS_REFUSALS_MAX of them, the oldest first */
	size_t refusal_count;

	pthread_mutex_t key_lock; /* of making them: once made they stay */
	struct token_key *token_keys[TOKEN_ALGORITHMS];
};

/* ---- guests.c */

/* Takes the guest over if it succeeds; it stays the caller's, too, until kbs_guest_put_back. */
int kbs_guest_add(struct kbs *kbs, struct kbs_guest *guest, struct error *err) must_check;
void kbs_guest_free(struct kbs_guest *guest);
/* By the id of its ticket, or else of its token. CELLA_ENOENT. */
int kbs_guest_find(struct kbs *kbs, const uint8_t *id, const char *token_id, struct kbs_guest **ret_guest,
                   struct error *err) must_check;
void kbs_guest_put_back(struct kbs *kbs, struct kbs_guest *guest);
/* Once for each ticket. CELLA_EAUTH. */
int kbs_ticket_use(struct kbs *kbs, const struct kbs_ticket *ticket, struct error *err) must_check;

/* ---- verify.c */

/* The guest's evidence, now. `policy` NULL: that it is genuine. */
int kbs_verify(struct kbs *kbs, const struct kbs_guest *guest, const struct tee_policy *policy,
               struct tee_verdict *ret_verdict, struct error *err) must_check;
/* Lines "BEFORE: NAME: wanted W, found F" of what failed, appended. */
void kbs_failures_print(const struct tee_verdict *verdict, const char *before, struct buf *ret);
/* What an audit entry says of a guest. */
json_t *kbs_describe(const struct kbs_guest *guest);

/* ---- token.c */

/* At a desk: one that there is not yet is made. */
int kbs_token_key(struct kbs *kbs, enum token_algorithm algorithm, const struct token_key **ret_key,
                  struct error *err) must_check;
int kbs_token_make(struct kbs *kbs, const struct kbs_guest *guest, const struct tee_verdict *verdict,
                   enum token_algorithm algorithm, struct buf *ret, struct error *err) must_check;
/* Of an Authorization header: the token's id. CELLA_ENOENT: it is none of ours, or its time is over. */
int kbs_token_read(struct kbs *kbs, const char *authorization, char ret_id[KBS_TOKEN_ID_SIZE],
                   struct error *err) must_check;

/* ---- upload.c */

/* REPOSITORY/TYPE; false: there can be no such session. */
bool kbs_session_name(const struct kbs_path *path, char to[RECORDS_NAME_MAX + 1]);

/* ---- refuse.c */

int kbs_refusal_id(char ret_id[KBS_REFUSAL_ID_SIZE], struct error *err) must_check;
/* Of what the CAS itself fails at: a code that would say something of the guest becomes CELLA_EIO. */
int kbs_own_failure(int rc, struct error *err);
/* What the guest is told. CELLA_EAUTH. */
int kbs_refused(const char *id, struct error *err) must_check;
/* Of an attestation: into the log, and among the last ones. `what` is taken; `reasons` are lines. */
int kbs_refuse_attestation(struct kbs *kbs, const char *address, struct buf *reasons, json_t *what,
                           struct error *err) must_check;

#endif
