#include "cas/judge.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cas/machines.h"
#include "cas/nonce.h"
#include "cas/refusals.h"
#include "cas/service_state.h"

enum {
	STRANGE_SERVICES_MAX = 8, /* that a session has not, and whose refusals are kept all the same */
};

/* ---- names, which whoever asks has made up */

void judge_show_name(const char *name, char to[RECORDS_NAME_MAX + 1])
{
	snprintf(to, RECORDS_NAME_MAX + 1, "%s", name);
	printable(to, strlen(to), false);
}

bool judge_is_name(const char *name)
{
	char shown[RECORDS_NAME_MAX + 1];
	judge_show_name(name, shown);
	return *name && strcmp(name, shown) == 0;
}

/* ---- judging */

void judge_refuse(struct judgement *j, const char *format, ...)
{
	char line[400];
	va_list args;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	buf_put(&j->reasons, line, strlen(line));
	buf_put(&j->reasons, "\n", 1);
	j->refused = true;
}

static int check_nonce(struct judgement *j, struct error *err)
{
	struct nonce_age age;
	const uint64_t now = cas_now_ns(j->desk->cas) / 1000000u;
	int rc = nonce_look(j->desk->cas, j->evidence.nonce, &age, err);
	if (rc < 0)
		return rc;
	if (!age.own)
		judge_refuse(
			j,
			"nonce: wanted one of this CAS since it was started, found another: replayed, or for "
			"another verifier");
	else if (age.ahead || now - min_of(age.ms, now) > (uint64_t)CAS_NONCE_LIFE_S * 1000)
		judge_refuse(j, "nonce: wanted one of the last %d hours, found one of %" PRId64 " s ago",
		             CAS_NONCE_LIFE_S / 3600, age.age_s);
	return 0;
}

static void check_revoked(struct judgement *j, struct records *r, enum records_revoked kind, const char *what,
                          const void *key, size_t size)
{
	char hex[2 * CRYPTO_SHA384_SIZE + 1];
	if (!records_is_revoked(r, kind, key, size))
		return;
	io_hex(key, size, hex);
	judge_refuse(j, "%s: wanted one that is not revoked, found %s, which is", what, hex);
}

static void check_parties(struct judgement *j)
{
	const struct evidence *e = &j->evidence;
	struct records *r = cas_records_lock(j->desk->cas);
	j->enrolled = records_party_known(r, RECORDS_LAS, e->launcher);
	check_revoked(j, r, RECORDS_REVOKED_LAS, "las", e->launcher, sizeof(e->launcher));
	check_revoked(j, r, RECORDS_REVOKED_EXECUTOR, "executor", e->executor, sizeof(e->executor));
	check_revoked(j, r, RECORDS_REVOKED_CELL, "cell", e->cell, sizeof(e->cell));
	check_revoked(j, r, RECORDS_REVOKED_BUILDER, "builder", e->builder, sizeof(e->builder));
	cas_records_unlock(j->desk->cas);
}

static int check_session(struct judgement *j, struct error *err)
{
	const struct evidence *e = &j->evidence;
	struct machine machine = {j->desk->cas, e->launcher};
	struct session_claims claims = {.enrolled = j->enrolled,
	                                .hardware = machine_judge,
	                                .hardware_data = &machine,
	                                .has_cell = true,
	                                .memory_level = (enum mem_level)e->memory_level,
	                                .host = e->host,
	                                .isolation = e->isolation};
	struct session_verdict verdict = {0};
	memcpy(claims.launcher, e->launcher, sizeof(claims.launcher));
	memcpy(claims.executor, e->executor, sizeof(claims.executor));
	memcpy(claims.cell, e->cell, sizeof(claims.cell));
	memcpy(claims.builder, e->builder, sizeof(claims.builder));
	if (!session_machine_parse(e->machine, &claims.machine)) {
		judge_refuse(j, "machine: wanted a class that this CAS knows, found %s", e->machine);
		return 0;
	}
	int rc = session_verdict(j->service, &claims, &verdict, err);
	if (rc < 0)
		return rc;
	session_verdict_print(&verdict, &j->reasons);
	j->machine = verdict.machine;
	j->refused = j->refused || !verdict.accepted;
	session_verdict_done(&verdict);
	return 0;
}

static int judge(struct judgement *j, bool fresh, struct error *err)
{
	int rc = evidence_parse(j->a->evidence, j->a->evidence_size, &j->evidence, err);
	if (rc == CELLA_EAUTH || rc == CELLA_EFORMAT) {
		judge_refuse(j, "evidence: wanted what its launcher has signed, found: %s", err->text);
		return 0;
	}
	if (rc == 0 && fresh)
		rc = check_nonce(j, err);
	if (rc < 0)
		return rc;
	check_parties(j);
	return check_session(j, err);
}

static int find_service(struct judgement *j, struct error *err)
{
	int rc = CELLA_ENOENT;
	if (judge_is_name(j->a->session))
		rc = cas_session_get(j->desk->cas, j->a->session, &j->session, err);
	if (rc == CELLA_ENOENT)
		judge_refuse(j, "session: wanted one that there is, found none of that name");
	if (rc < 0)
		return rc == CELLA_ENOENT ? 0 : rc;
	j->service = session_service(j->session->session, j->a->service);
	if (!j->service)
		judge_refuse(j, "service: wanted one of the session, found none of that name");
	return 0;
}

int judge_begin(struct judgement *j, struct cas_desk *desk, const struct cas_attestation *a, bool fresh,
                struct error *err)
{
	struct error why;
	*j = (struct judgement){.desk = desk, .a = a};
	int rc = find_service(j, err ? err : &why);
	return rc == 0 && !j->refused ? judge(j, fresh, err ? err : &why) : rc;
}

void judge_done(struct judgement *j)
{
	if (j->session)
		cas_session_put_back(j->desk->cas, j->session);
	buf_done(&j->reasons);
}

int judge_refusal(const struct cas_attestation *a, struct error *err)
{
	return error_set(err, CELLA_EAUTH,
	                 "the CAS refused: the session's owner can see why (cella session explain %s/%s)",
	                 a->session, a->service);
}

void judge_holder(const struct judgement *j, char to[RECORDS_NAME_MAX + 1])
{
	enum { KEY_SHOWN = 8 };
	char key[2 * KEY_SHOWN + 1];
	io_hex(j->evidence.public_key, KEY_SHOWN, key);
	snprintf(to, RECORDS_NAME_MAX + 1, "%.150s/%.63s %s", j->a->session, j->a->service, key);
}

/* ---- telling */

/* Of the audit log; the caller frees it. NULL where memory ran out. */
static char *describe(const struct judgement *j)
{
	const struct evidence *e = &j->evidence;
	char session[RECORDS_NAME_MAX + 1], service[RECORDS_NAME_MAX + 1];
	json_t *what = json_object();
	judge_show_name(j->a->session, session);
	judge_show_name(j->a->service, service);
	json_object_set_new(what, "session", json_string(session));
	json_object_set_new(what, "service", json_string(service));
	json_object_set_new(what, "from", json_string(j->a->peer));
	if (j->session)
		json_object_set_new(what, "hash", claims_hex(j->session->hash, sizeof(j->session->hash)));
	json_object_set_new(what, "cell", claims_hex(e->cell, sizeof(e->cell)));
	json_object_set_new(what, "builder", claims_hex(e->builder, sizeof(e->builder)));
	json_object_set_new(what, "executor", claims_hex(e->executor, sizeof(e->executor)));
	json_object_set_new(what, "las", claims_hex(e->launcher, sizeof(e->launcher)));
	json_object_set_new(what, "key", claims_hex(e->public_key, sizeof(e->public_key)));
	if (!j->refused)
		json_object_set_new(what, "machine", json_string(session_machine_name(j->machine)));
	if (j->offline_s && !j->refused)
		json_object_set_new(what, "offline", json_integer((json_int_t)j->offline_s));
	json_object_set_new(what, j->refused ? "refused" : "verdict",
	                    json_stringn((const char *)j->reasons.data,
	                                 min_of(j->reasons.size, (size_t)AUDIT_WHAT_MAX / 2)));
	char *text = json_dumps(what, JSON_COMPACT);
	json_decref(what);
	return text;
}

struct granting {
	enum audit_kind kind;
	const char *what;
};

struct strangers {
	const struct judgement *j;
	size_t count; /* services that the session has not and that have refusals */
	bool there;   /* this one is among them */
};

static int count_stranger(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	struct strangers *s = arg;
	const char *session = id, *service = session + strlen(session) + 1;
	(void)revision;
	(void)err;
	if (session[id_size - 1] != 0 || session_service(s->j->session->session, service))
		return 0; /* not the first of its refusals, or one of the session's */
	s->count++;
	s->there = s->there || strcmp(service, s->j->a->service) == 0;
	return 0;
}

/* Of what nobody owns none are kept, and of services that a session has not only a few. */
static int keep_refusal(void *arg, struct records *r, struct error *err)
{
	const struct judgement *j = arg;
	struct strangers s = {.j = j};
	if (!j->session || !judge_is_name(j->a->service))
		return 0;
	int rc = j->service ? 0
	                    : records_list(r, RECORDS_REFUSAL, j->a->session, strlen(j->a->session) + 1,
	                                   count_stranger, &s, err);
	if (rc < 0 || (s.count >= STRANGE_SERVICES_MAX && !s.there))
		return rc;
	return records_refusal_add(r, j->a->session, j->a->service, (const char *)j->reasons.data,
	                           cas_now_ns(j->desk->cas), err);
}

static int tell(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct granting *g = arg;
	(void)r;
	(void)err;
	event->kind = g->kind;
	event->what = g->what;
	return 0;
}

void judge_bound_reasons(struct buf *reasons)
{
	static const char more[] = "and more, for which there is no room\n";
	if (reasons->failed || !reasons->size)
		return;
	printable((char *)reasons->data, reasons->size, true);
	if (reasons->size <= RECORDS_REASON_MAX)
		return;
	reasons->size = RECORDS_REASON_MAX - sizeof(more);
	while (reasons->data[reasons->size - 1] != '\n')
		reasons->size--;
	buf_put(reasons, more, sizeof(more) - 1);
}

int judge_record(struct judgement *j, enum audit_kind kind, struct error *err)
{
	judge_bound_reasons(&j->reasons);
	cleanup_free char *what = describe(j);
	buf_put(&j->reasons, "", 1); /* a string from here on */
	if (!what || j->reasons.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	struct granting granting = {.kind = kind, .what = what};
	struct cas_change granted = {.make = tell, .arg = &granting};
	const struct refusal refused = {.kind = AUDIT_REFUSED,
	                                .who = "",
	                                .address = j->a->peer,
	                                .what = what,
	                                .words = (const char *)j->reasons.data,
	                                .of = {j->a->session, j->a->service},
	                                .keep = keep_refusal,
	                                .arg = j};
	return j->refused ? cas_refuse(j->desk->cas, &refused, err) : cas_commit(j->desk->cas, &granted, err);
}
