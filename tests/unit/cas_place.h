/* For tests of the CAS without its wire: one with an owner and an enrolled launcher, sessions, executors. */
#ifndef CAS_PLACE_H
#define CAS_PLACE_H

#include "attest/evidence.h"
#include "cas/attest.h"
#include "cas/sessions.h"
#include "cas_support.h"
#include "cell/provision.h"
#include "crypto/vendor_cert.h"

static const uint64_t NOON = 1800000000ull * 1000000000ull; /* of the clocks that tests begin with */

/* A CAS in a directory of its own, its owner, and a launcher that is enrolled. */
struct place {
	char directory[CAS_PATH_MAX], cas_directory[CAS_PATH_MAX], key_file[CAS_PATH_MAX],
		owner_file[CAS_PATH_MAX];
	uint64_t now;
	struct cas_config config;
	struct cas *cas;
	struct cas_requester owner;
	struct crypto_signer launcher;
	struct mem_pool *pool; /* of grants that are opened */
};

/* Fails the test. */
void must(int rc, const struct error *err);

void place_begin(struct place *p); /* at noon */
void place_begin_at(struct place *p, uint64_t now_ns, const struct vendor_root *roots, size_t root_count);
/* Closed and opened. */
void place_again(struct place *p);
void place_end(struct place *p);

/* ---- what is put, and what is asked */

#define SERVICE(attestation)                                                                    \
	"services:\n  - name: s\n    command: [x]\n    attestation:\n      - " attestation "\n" \
	"access_policy:\n  read: CREATOR\n  update: CREATOR\n"
#define HEAD(name) "name: " name "\nversion: \"0.1\"\n"

#define CELL44                                                                                           \
	"cell: 4444444444444444444444444444444444444444444444444444444444444444444444444444444444444444" \
	"44444444"

int place_try_put(struct place *p, const char *text, struct error *err);
void place_put(struct place *p, const char *text);
/* With the hash that is there as its predecessor. */
void place_update(struct place *p, const char *name, const char *text);

struct executor {
	struct crypto_key_pair pair;
	struct evidence says;
};

/* One that all is right with, and a nonce of now. */
void place_start(struct place *p, struct executor *x);
/* 0 or CELLA_EAUTH; anything else fails the test. */
int place_ask_as(struct place *p, const struct crypto_signer *launcher, const struct executor *x,
                 const char *session, const char *service, struct buf *ret_grant);
int place_ask(struct place *p, const struct executor *x, const char *session, struct buf *ret_grant);
/* The newest refusal's reasons have these words. */
void place_assert_reason(struct place *p, const char *session, const char *words);
void place_assert_refused(struct place *p, const struct executor *x, const char *session, const char *words);
struct provision *place_open_grant(struct place *p, const struct executor *x, const struct buf *grant);
/* What a new executor has: provision_free it. */
struct provision *place_granted(struct place *p, const char *session);
void place_assert_granted(struct place *p, const struct executor *x, const char *session);
/* Entries of the log with these words. */
size_t place_in_log(struct place *p, const char *words);

#endif
