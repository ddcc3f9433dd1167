/* Confidential guests for tests of a CAS without its wire: a CAS that believes makers of the test's, with a
 * session of its owner, and guests on those makers' processors. */
#ifndef KBS_GUEST_H
#define KBS_GUEST_H

#include <stdarg.h>
#include <stddef.h>

#include "cas/kbs/state.h"
#include "cas_place.h"
#include "dcap_support.h"
#include "snp_support.h"

#define CLINIC_START (MAKER_TIME * 1000000000ull)

/* The CAS, and what makers its guests' processors are of. */
struct clinic {
	struct place place;
	struct kbs *kbs;
	struct maker_files files;
	struct vendor_root roots[2];
};
/* Of a TD, and its claims. */
extern struct dcap_files clinic_td;
extern struct tee_verdict clinic_td_says;

struct guest {
	struct clinic *p;
	const char *address;
	bool bare;    /* it sends no certificates but its processor's own */
	bool is_tdx;
	json_t *key;
	struct kbs_challenge challenge;
	char cookies[KBS_COOKIE_SIZE + 32];
	struct buf token;
};

void clinic_begin(struct clinic *p);
void clinic_end(struct clinic *p);
struct guest guest_new(struct clinic *p, const char *address);
void guest_done(struct guest *g);
void guest_auth(struct guest *g);
struct kbs_caller guest_caller(const struct guest *g);
/* The body, with evidence over the challenge. */
char *guest_attestation(const struct guest *g);
int guest_attest(struct guest *g, struct error *err);
void guest_handshake(struct guest *g);
int guest_get_with(struct guest *g, const struct kbs_caller *who, const char *tag);
int guest_get(struct guest *g, const char *tag);
int guest_get_by_token(struct guest *g, const char *tag);
/* As the CAS remembers one, with a number in its names, that has attested now. */
struct kbs_guest *guest_fake(uint64_t number, const char *address, size_t size, uint64_t now);

/* The newest reasons of a refused attestation, KBS_REASON_MAX. */
int clinic_take_reasons(void *arg, const struct kbs_refusal *refusal, struct error *err);
void clinic_check_reason(struct clinic *p, const char *words);
/* Of a whole test program. */
int clinic_start(void **state);
int clinic_stop(void **state);

#endif
