#include "cas/endorse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/judge.h"
#include "cas/machines.h"
#include "cas/nonce.h"
#include "cas/refusals.h"
#include "cas/session/machine.h"

static const uint64_t SECOND_NS = 1000000000;

struct endorsing {
	struct cas_desk *desk;
	const struct cas_endorsing *asked;
	struct endorsement endorsement;
	enum session_machine machine;
	uint64_t time_ns; /* of the nonce */
	bool enrolled;
	const struct cas_session *session; /* NULL: there is none of that name */
	const struct session_service *service;
	struct buf reasons; /* lines */
	struct error *err;
	int rc;
};

static void printf_like(2, 3) refuse(struct endorsing *t, const char *format, ...)
{
	char line[700];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	const size_t size = strlen(line);
	line[size] = '\n'; /* two needs may fail by the same */
	if (!t->reasons.size || !memmem(t->reasons.data, t->reasons.size, line, size + 1))
		buf_put(&t->reasons, line, size + 1);
}

static bool is_refused(const struct endorsing *t)
{
	return t->reasons.size > 0;
}

/* ---- judging */

static int check_nonce(struct endorsing *t, struct error *err)
{
	struct nonce_age age;
	int rc = nonce_look(t->desk->cas, t->endorsement.nonce, &age, err);
	if (rc < 0)
		return rc;
	t->time_ns = age.ms * 1000000u;
	if (!age.own)
		refuse(t,
		       "nonce: wanted one of this CAS since it was started, found another: replayed, or for "
		       "another verifier");
	else if (age.ahead || age.age_s > ENDORSE_NONCE_LIFE_S)
		refuse(t, "nonce: wanted one of the last %d s, found one of %" PRId64 " s ago",
		       ENDORSE_NONCE_LIFE_S, age.age_s);
	return 0;
}

static void check_launcher(struct endorsing *t)
{
	const uint8_t *key = t->endorsement.launcher;
	char hex[2 * RECORDS_KEY_SIZE + 1];
	struct records *r = cas_records_lock(t->desk->cas);
	const bool revoked = records_is_revoked(r, RECORDS_REVOKED_LAS, key, RECORDS_KEY_SIZE);
	t->enrolled = records_party_known(r, RECORDS_LAS, key);
	cas_records_unlock(t->desk->cas);
	io_hex(key, RECORDS_KEY_SIZE, hex);
	if (revoked)
		refuse(t, "las: wanted one that is not revoked, found %s, which is", hex);
	if (crypto_ed25519_check(key, NULL) < 0)
		refuse(t, "las: wanted a key that a launcher can have made, found %s", hex);
}

/* Else whoever has such hardware could speak for others' launchers. */
static int check_signature(struct endorsing *t, struct error *err)
{
	int rc = endorsement_check_signature(&t->endorsement, t->asked->endorsement, t->asked->size, err);
	if (rc == CELLA_EAUTH)
		refuse(t,
		       "signature: wanted the launcher's under its endorsement, found one that does not hold");
	return rc == CELLA_EAUTH ? 0 : rc;
}

static void note(void *arg, const char *requirement, const char *wanted, const char *found)
{
	struct endorsing *t = arg;
	refuse(t, "machine.%s.%s: wanted %s, found %s", session_machine_name(t->machine), requirement, wanted,
	       found);
}

static int try_need(struct endorsing *t, const struct session_need *need, bool *ret_useful, struct error *err)
{
	if (*ret_useful || need->machine != t->machine || (!t->enrolled && need->open))
		return 0;
	return machines_verify(t->desk->cas, &t->endorsement, need, ret_useful, note, t, err);
}

static int check_use(struct endorsing *t, struct error *err)
{
	const struct session_need any = {.machine = t->machine, .open = "what runs there"};
	char hex[2 * RECORDS_KEY_SIZE + 1];
	bool useful = false;
	int rc = try_need(t, &any, &useful, err);
	for (size_t i = 0; rc == 0 && t->service && i < t->service->alternative_count; i++) {
		const struct session_requirements *r = &t->service->alternatives[i];
		for (size_t k = 0; rc == 0 && k < r->need_count; k++)
			rc = try_need(t, &r->needs[k], &useful, err);
	}
	if (useful)
		buf_done(&t->reasons);
	io_hex(t->endorsement.launcher, sizeof(t->endorsement.launcher), hex);
	if (rc == 0 && !useful && !t->enrolled)
		refuse(t,
		       "las: wanted one that is enrolled, or whose hardware shows what a service demands that "
		       "leaves nothing open, found %s",
		       hex);
	return rc;
}

static int find_service(struct endorsing *t, struct error *err)
{
	const struct cas_endorsing *a = t->asked;
	int rc = judge_is_name(a->session) ? cas_session_get(t->desk->cas, a->session, &t->session, err)
	                                   : CELLA_ENOENT;
	if (rc == 0)
		t->service = session_service(t->session->session, a->service);
	return rc == CELLA_ENOENT ? 0 : rc;
}

static int judge(struct endorsing *t, struct error *err)
{
	enum tee_kind kind;
	int rc = endorsement_decode(t->asked->endorsement, t->asked->size, &t->endorsement, err);
	if (rc < 0)
		return error_prefix(err, rc == CELLA_EUNSUPPORTED ? CELLA_EFORMAT : rc, "the body: ");
	for (size_t i = 0; i < SESSION_MACHINES; i++)
		if (session_machine_kind((enum session_machine)i, &kind) && kind == t->endorsement.kind)
			t->machine = (enum session_machine)i;
	if (t->machine == SESSION_SOFT)
		return error_set(err, CELLA_EFORMAT, "%s is no machine class of sessions",
		                 tee_kind_of(t->endorsement.kind)->name);
	if (*t->asked->session)
		rc = find_service(t, err);
	if (rc == 0)
		rc = check_nonce(t, err);
	if (rc < 0)
		return rc;
	check_launcher(t);
	rc = check_signature(t, err);
	if (rc < 0)
		return rc;
	return is_refused(t) ? 0 : check_use(t, err);
}

/* ---- keeping and telling */

/* For the audit log; the caller frees it. NULL where memory ran out. */
static char *describe(const struct endorsing *t)
{
	const struct endorsement *e = &t->endorsement;
	uint8_t digest[CRYPTO_SHA384_SIZE];
	char name[RECORDS_NAME_MAX + 1];
	if (crypto_sha384(e->evidence.data, e->evidence.size, digest, NULL) < 0)
		return NULL;
	json_t *what = json_pack("{s:o, s:s, s:o, s:s}", "las", claims_hex(e->launcher, sizeof(e->launcher)),
	                         "machine", session_machine_name(t->machine), "evidence",
	                         claims_hex(digest, sizeof(digest)), "from", t->asked->peer);
	if (what && *t->asked->session) {
		judge_show_name(t->asked->session, name);
		json_object_set_new(what, "session", json_string(name));
		judge_show_name(t->asked->service, name);
		json_object_set_new(what, "service", json_string(name));
	}
	if (what && is_refused(t))
		json_object_set_new(what, "refused",
		                    json_stringn((const char *)t->reasons.data,
		                                 min_of(t->reasons.size, (size_t)AUDIT_WHAT_MAX / 2)));
	char *text = what ? json_dumps(what, JSON_COMPACT) : NULL;
	json_decref(what);
	return text;
}

struct keeping {
	const struct endorsing *t;
	const char *what;
};

/* One of those of launchers that nobody has enrolled, any of them. */
struct making_room {
	struct records *records;
	uint64_t at; /* of them, this one; the list ends there */
	uint64_t count;
	uint8_t launcher[RECORDS_KEY_SIZE];
};

static int pass_stranger(void *arg, const void *id, size_t id_size not_used, uint64_t revision not_used,
                         struct error *err not_used)
{
	struct making_room *m = arg;
	memcpy(m->launcher, id, sizeof(m->launcher));
	m->count += !records_party_known(m->records, RECORDS_LAS, m->launcher);
	return m->count > m->at ? CELLA_EEXIST : 0;
}

/* CELLA_ELIMIT: there is none. */
static int make_room(struct records *r, struct error *err)
{
	struct making_room m = {.records = r, .at = UINT64_MAX};
	int rc = records_list(r, RECORDS_ENDORSEMENT, "", 0, pass_stranger, &m, err);
	if (rc == 0 && m.count == 0)
		return error_set(err, CELLA_ELIMIT,
		                 "the CAS keeps endorsements of %d launchers at most: an owner removes those "
		                 "that are gone",
		                 ENDORSE_LAUNCHERS_MAX);
	if (rc == 0)
		rc = crypto_random(&m.at, sizeof(m.at), err);
	if (rc < 0)
		return rc;
	m.at %= m.count;
	m.count = 0;
	rc = records_list(r, RECORDS_ENDORSEMENT, "", 0, pass_stranger, &m, err);
	return rc == CELLA_EEXIST ? records_endorsements_remove(r, m.launcher, err) : rc;
}

/* CELLA_EEXIST: one that is as young is there. */
static int keep(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct keeping *k = arg;
	const struct endorsing *t = k->t;
	const uint8_t kind = (uint8_t)t->endorsement.kind;
	const struct records_endorsement e = {.time_ns = t->time_ns,
	                                      .data = t->asked->endorsement,
	                                      .size = t->asked->size};
	struct records_endorsement held = {0};
	int rc = records_endorsement_get(r, t->endorsement.launcher, kind, &held, err);
	const uint64_t held_ns = held.time_ns;
	records_endorsement_done(&held);
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	/* One of a time that is still to come is of no use: the clock was ahead then. */
	if (rc == 0 && held_ns >= t->time_ns && held_ns <= cas_now_ns(t->desk->cas) + SECOND_NS)
		return error_set(err, CELLA_EEXIST, "one that is as young is there");
	rc = rc == CELLA_ENOENT && records_count(r, RECORDS_ENDORSEMENT) >= ENDORSE_LAUNCHERS_MAX
	             ? make_room(r, err)
	             : 0;
	if (rc < 0)
		return rc;
	event->kind = AUDIT_ENDORSED;
	event->what = k->what;
	return records_endorsement_put(r, t->endorsement.launcher, kind, &e, err);
}

static int keep_refusal(void *arg, struct records *r, struct error *err)
{
	const struct endorsing *t = arg;
	return t->service ? records_refusal_add(r, t->asked->session, t->asked->service,
	                                        (const char *)t->reasons.data, cas_now_ns(t->desk->cas), err)
	                  : 0;
}

static int tell_refusal(const struct endorsing *t, struct error *err)
{
	if (*t->asked->session)
		return error_set(
			err, CELLA_EAUTH,
			"the CAS refused this machine's evidence: the session's owner can see why (cella "
			"session explain %.200s/%.100s)",
			t->asked->session, t->asked->service);
	char why[sizeof(err->text) / 2];
	snprintf(why, sizeof(why), "%.*s", (int)(t->reasons.size - 2), (const char *)t->reasons.data);
	for (char *end = strchr(why, '\n'); end; end = strchr(end, '\n'))
		*end = ';';
	return error_set(err, CELLA_EAUTH, "the CAS refused this machine's evidence: %s", why);
}

static int record(struct endorsing *t, struct error *err)
{
	const bool refused = is_refused(t);
	judge_bound_reasons(&t->reasons);
	cleanup_free char *what = describe(t);
	if (refused)
		buf_put(&t->reasons, "", 1); /* a string from here on */
	if (!what || t->reasons.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	struct keeping keeping = {t, what};
	struct cas_change change = {.make = keep, .arg = &keeping};
	const struct refusal refusal = {.kind = AUDIT_REFUSED,
	                                .who = "",
	                                .address = t->asked->peer,
	                                .what = what,
	                                .words = (const char *)t->reasons.data,
	                                .of = {t->asked->session, t->asked->service},
	                                .keep = keep_refusal,
	                                .arg = t};
	int rc = refused ? cas_refuse(t->desk->cas, &refusal, err) : cas_commit(t->desk->cas, &change, err);
	if (rc == CELLA_EEXIST)
		rc = 0;
	return rc == 0 && refused ? tell_refusal(t, err) : rc;
}

static void endorse_at_desk(struct cas_desk *desk, void *arg)
{
	struct endorsing *t = arg;
	t->desk = desk;
	t->rc = judge(t, t->err);
	if (t->rc == 0)
		t->rc = record(t, t->err);
	if (t->session)
		cas_session_put_back(desk->cas, t->session);
	buf_done(&t->reasons);
}

int cas_endorse(struct cas *cas, const struct cas_endorsing *endorsing, struct error *err)
{
	struct error why;
	struct endorsing t = {.asked = endorsing, .machine = SESSION_SOFT, .err = err ? err : &why};
	cas_at_desk(cas, endorse_at_desk, &t);
	return t.rc;
}

/* ---- for owners */

struct endorsed_listing {
	struct records *records;
	cas_endorsed_fn *fn;
	void *arg;
};

static int list_endorsed(void *arg, const void *id, size_t id_size, uint64_t revision not_used,
                         struct error *err)
{
	const struct endorsed_listing *l = arg;
	const uint8_t *bytes = id;
	struct records_endorsement held = {0};
	struct cas_endorsed e;
	if (id_size != sizeof(e.launcher) + 1 || !tee_kind_of((enum tee_kind)bytes[sizeof(e.launcher)]))
		return error_set(err, CELLA_EFORMAT, "an endorsement in the records is of no known kind");
	memcpy(e.launcher, bytes, sizeof(e.launcher));
	e.kind = (enum tee_kind)bytes[sizeof(e.launcher)];
	e.enrolled = records_party_known(l->records, RECORDS_LAS, e.launcher);
	int rc = records_endorsement_get(l->records, e.launcher, (uint8_t)e.kind, &held, err);
	if (rc < 0)
		return rc;
	e.time_ns = held.time_ns;
	records_endorsement_done(&held);
	return l->fn(l->arg, &e, err);
}

int cas_endorsed_list(struct cas *cas, const struct cas_requester *who, cas_endorsed_fn *fn, void *arg,
                      struct error *err)
{
	int rc = cas_demand_owner(cas, who, "list endorsed launchers", err);
	if (rc < 0)
		return rc;
	struct endorsed_listing l = {.records = cas_records_lock(cas), .fn = fn, .arg = arg};
	rc = records_list(l.records, RECORDS_ENDORSEMENT, "", 0, list_endorsed, &l, err);
	cas_records_unlock(cas);
	return rc;
}
