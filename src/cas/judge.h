/*
 * Judging evidence by the records and by the session's own text (RFC 9334's verifier and relying party in
 * one): for a grant, and again for each question of an executor that has one.
 */
#ifndef CAS_JUDGE_H
#define CAS_JUDGE_H

#include "attest/evidence.h"
#include "cas/attest.h"

struct judgement {
	struct cas_desk *desk;
	const struct cas_attestation *a;
	const struct cas_session *session; /* NULL: there is none */
	const struct session_service *service;
	struct evidence evidence;
	bool enrolled; /* its launcher */
	enum session_machine machine; /* what vouches for it, where it is not refused */
	struct buf reasons; /* lines: why it is refused, or what was tolerated */
	bool refused;
	uint64_t offline_s; /* how long a node may keep what is given; 0: not at all. For the audit log */
};

/* A reason to refuse. */
void printf_like(2, 3) judge_refuse(struct judgement *j, const char *format, ...);

/* Every requirement that fails becomes a reason; 0 for either verdict. `fresh`: the nonce is judged, too.
 * judge_done it, also after a failure. */
int judge_begin(struct judgement *j, struct cas_desk *desk, const struct cas_attestation *a, bool fresh,
                struct error *err) must_check;
void judge_done(struct judgement *j);

/* Who it is, in words: "hospital/classify 3f786850e387550f", the executor by its key. */
void judge_holder(const struct judgement *j, char to[RECORDS_NAME_MAX + 1]);

/* To the audit log, as `kind` where it is not refused; refusals to the service's last ones as well, as far as
 * cas/refusals.h lets them. Returns once it is durable, or counted. */
int judge_record(struct judgement *j, enum audit_kind kind, struct error *err) must_check;
/* What the one that asked is told. */
int judge_refusal(const struct cas_attestation *a, struct error *err) must_check;

/* ---- for whoever else refuses */

/* A name that whoever asks has made up, fit for a log. */
void judge_show_name(const char *name, char to[RECORDS_NAME_MAX + 1]);
/* May there be a session or a service that is called so? */
bool judge_is_name(const char *name);
/* A session may want more than a refusal has room for: what comes first is kept, whole lines of it. */
void judge_bound_reasons(struct buf *reasons);

#endif
