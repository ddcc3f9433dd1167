#include "cas/keeper.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cas/identity.h"
#include "cas/lookup.h"
#include "cas/service_state.h"
#include "cell/identity_question.h"
#include "cell/keeper_question.h"
#include "seal/seal.h"

#define GRANT_KEY_INFO "cella grant data 1"

static const uint64_t RENEWED_NS = 30ull * 1000000000u; /* before a lease is renewed again */

int cas_grant_key(const struct cas *cas, const struct cas_attestation *a, uint8_t ret_key[CRYPTO_KEY_SIZE],
                  struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	const struct crypto_part parts[] = {{a->session, strlen(a->session) + 1},
	                                    {a->service, strlen(a->service) + 1},
	                                    {a->evidence, a->evidence_size}};
	int rc = crypto_sha384_parts(parts, array_count(parts), digest, err);
	return rc == 0 ? crypto_hkdf(cas->grant_key, CRYPTO_KEY_SIZE, digest, sizeof(digest), GRANT_KEY_INFO,
	                             strlen(GRANT_KEY_INFO), ret_key, CRYPTO_KEY_SIZE, err)
	               : rc;
}

/* ---- a volume of the service that asks */

/* The keeper of one volume, for one executor. */
struct volume_at {
	struct cas *cas;
	const struct judgement *j;
	const struct session_volume *volume;
	uint8_t id[VOLUME_ID_SIZE];
	bool writable;
	char holder[RECORDS_NAME_MAX + 1]; /* of its lease */
};

static int volume_of(const struct judgement *j, const struct session_volume *volume, struct volume_at *ret,
                     struct error *err)
{
	struct lookup lookup = {.desk = j->desk, .session = j->session, .arena = {.pool = j->desk->pool}};
	struct lookup_volume found = {0};
	int rc = lookup_volume(&lookup, volume, &found, err);
	*ret = (struct volume_at){.cas = j->desk->cas, .j = j, .volume = volume, .writable = found.writable};
	memcpy(ret->id, found.id, sizeof(ret->id));
	judge_holder(j, ret->holder);
	session_arena_done(&lookup.arena);
	return rc;
}

/* CELLA_EAUTH: the service has no such volume. */
static int find_volume(const struct judgement *j, const uint8_t id[VOLUME_ID_SIZE], struct volume_at *ret,
                       struct error *err)
{
	const struct session_volume *volume;
	for (size_t i = 0; (volume = service_volume(j->session->session, j->service, i)); i++) {
		int rc = volume_of(j, volume, ret, err);
		if (rc < 0 && rc != CELLA_EINVAL) /* which is: not handed over, not exported */
			return rc;
		if (rc == 0 && crypto_equal(ret->id, id, VOLUME_ID_SIZE))
			return 0;
	}
	return error_set(err, CELLA_EAUTH, "the volume is none of the service's");
}

/* ---- questions are asked once */

/* A question's number is larger than all before, in this run of the CAS: what was recorded and is sent again
 * takes no lease, and writes nothing. Beyond so many executors that is not remembered. */
static int note_question(struct cas *cas, const uint8_t grant_key[CRYPTO_KEY_SIZE], uint64_t number,
                         struct error *err)
{
	enum { REMEMBERED_MAX = 1 << 20 };
	uint8_t digest[CRYPTO_SHA384_SIZE];
	uint64_t key;
	int rc = crypto_sha384(grant_key, CRYPTO_KEY_SIZE, digest, err);
	if (rc < 0)
		return rc;
	memcpy(&key, digest, sizeof(key));
	pthread_mutex_lock(&cas->change_lock);
	uint64_t asked = (uintptr_t)map_get(&cas->asked, key);
	if (number < asked || number == UINTPTR_MAX)
		rc = error_set(err, CELLA_EAUTH, "the question was asked before");
	else if ((asked || cas->asked.count < REMEMBERED_MAX) &&
	         map_put(&cas->asked, key, (void *)((uintptr_t)number + 1)) < 0)
		rc = error_set(err, CELLA_ENOMEM, "no memory to note a question");
	pthread_mutex_unlock(&cas->change_lock);
	return rc;
}

/* ---- what is asked of the records */

struct keeper_act {
	const struct volume_at *at;
	enum audit_kind kind;
	uint64_t token;
	const uint8_t *from, *to;
	int (*make)(struct keeper_act *act, struct records *r, struct error *err);
	char *what;
};

static int make_act(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	struct keeper_act *act = arg;
	event->kind = act->kind;
	event->who = act->at->holder;
	event->what = act->what;
	return act->make(act, r, err);
}

static int do_act(struct keeper_act *act, struct error *err)
{
	const struct judgement *j = act->at->j;
	struct cas_change change = {.make = make_act, .arg = act};
	uint64_t commit = 0;
	if (act->to)
		memcpy(&commit, act->to, sizeof(commit));
	json_t *what = json_pack("{s:s, s:s, s:s}", "session", j->a->session, "service", j->a->service,
	                         "volume", act->at->volume->name);
	if (what && commit)
		json_object_set_new(what, "commit", json_integer((json_int_t)commit));
	act->what = json_dumps(what, JSON_COMPACT);
	json_decref(what);
	int rc = act->what ? cas_commit(act->at->cas, &change, err)
	                   : error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	free(act->what);
	return rc;
}

static uint64_t lease_end(const struct volume_at *at)
{
	return cas_now_ns(at->cas) + (uint64_t)CAS_LEASE_S * 1000000000u;
}

static int keeper_get(void *data, const uint8_t volume[VOLUME_ID_SIZE],
                      uint8_t ret_root[VOLUME_REFERENCE_SIZE], struct error *err)
{
	const struct volume_at *at = data;
	struct records_volume kept;
	int rc = records_volume_get(cas_records_lock(at->cas), volume, &kept, err);
	cas_records_unlock(at->cas);
	if (rc == 0)
		memcpy(ret_root, kept.root, sizeof(kept.root));
	return rc;
}

static int make_acquire(struct keeper_act *act, struct records *r, struct error *err)
{
	return records_volume_acquire(r, act->at->id, act->at->holder, false, cas_now_ns(act->at->cas),
	                              lease_end(act->at), &act->token, err);
}

static int keeper_acquire(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over,
                          uint64_t *ret_token, struct error *err)
{
	struct keeper_act act = {.at = data, .kind = AUDIT_VOLUME_LEASED, .make = make_acquire};
	(void)volume;
	(void)take_over; /* not from inside a job */
	int rc = do_act(&act, err);
	if (rc == 0)
		*ret_token = act.token;
	return rc;
}

/* A token is its holder's, until he gives it back: another executor's is of no use. It outlives the lease's
 * time, until somebody takes the lease. */
static int demand_holder(const struct keeper_act *act, struct records *r, struct error *err)
{
	struct records_volume kept;
	int rc = records_volume_get(r, act->at->id, &kept, err);
	if (rc == 0 && strcmp(kept.holder, act->at->holder) != 0)
		rc = error_set(err, CELLA_EFENCED, "the lease of the volume is another's by now");
	if (rc == 0 && kept.lease_until_ns == 0)
		rc = error_set(err, CELLA_EFENCED, "the lease of the volume was given back");
	return rc;
}

static int make_swap(struct keeper_act *act, struct records *r, struct error *err)
{
	int rc = demand_holder(act, r, err);
	if (rc == 0)
		rc = records_volume_swap(r, act->at->id, act->token, act->from, act->to, err);
	return rc == 0 ? records_volume_renew(r, act->at->id, act->token, lease_end(act->at), err) : rc;
}

static int keeper_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                       const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                       struct error *err)
{
	struct keeper_act act = {.at = data,
	                         .kind = AUDIT_VOLUME_COMMITTED,
	                         .token = token,
	                         .from = from,
	                         .to = to,
	                         .make = make_swap};
	(void)volume;
	return do_act(&act, err);
}

static int make_release(struct keeper_act *act, struct records *r, struct error *err)
{
	int rc = demand_holder(act, r, err);
	return rc == 0 ? records_volume_release(r, act->at->id, act->token, err) : rc;
}

static void keeper_release(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	struct keeper_act act = {.at = data,
	                         .kind = AUDIT_VOLUME_RELEASED,
	                         .token = token,
	                         .make = make_release};
	(void)volume;
	(void)!do_act(&act, NULL); /* it ends by itself later */
}

/* Who reads which root is not known here. What a commit does without stays until the owner compacts. */
static int keeper_begin_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	(void)data;
	(void)volume;
	return error_set(err, CELLA_EAGAIN, "other jobs may read an earlier commit");
}

/* ---- questions */

struct asking {
	struct cas *cas;
	const struct cas_attestation *a;
	const void *question;
	size_t size;
	struct buf *answer;
	struct error *err;
	int rc;
};

enum { QUESTION_SIZE = sizeof(struct owner_keeper_request) }; /* of each kind */

struct question {
	bool identity; /* for a certificate; else to the root keeper */
	struct owner_identity_request certify;
	struct owner_keeper_request volume;
};

static int read_question(const uint8_t plain[QUESTION_SIZE], struct question *ret, struct error *err)
{
	ret->identity = identity_question_is(plain, QUESTION_SIZE);
	return ret->identity ? identity_question_read(plain, QUESTION_SIZE, &ret->certify, err)
	                     : keeper_question_read(plain, QUESTION_SIZE, &ret->volume, err);
}

/* CELLA_EAUTH: it is not sealed by this executor. *ret_number belongs to it. */
static int open_question(const struct asking *t, struct seal_session *session, struct question *ret_question,
                         uint64_t *ret_number, struct error *err)
{
	uint8_t plain[QUESTION_SIZE];
	struct seal_id claimed;
	size_t size;
	int rc = seal_peek(t->question, t->size, &claimed, &size, err);
	if (rc == 0 && size != sizeof(plain))
		rc = error_set(err, CELLA_EFORMAT, "a question of %zu bytes", size);
	if (rc < 0)
		return rc;
	const struct seal_id id = owner_keeper_id(0, false, claimed.version);
	*ret_number = claimed.version;
	rc = seal_open(session, &id, NULL, 0, t->question, t->size, plain, sizeof(plain), err);
	return rc == 0 ? read_question(plain, ret_question, err) : rc;
}

/* What is refused is in the log; what is accepted, as what it then does. A lease may be given up by whoever
 * has it, accepted or not. */
static int may_ask(struct judgement *j, const struct question *question, struct error *err)
{
	bool gives_up = !question->identity && question->volume.operation == OWNER_KEEPER_RELEASE &&
	                j->service;
	if (!j->refused || gives_up)
		return 0;
	int rc = judge_record(j, AUDIT_REFUSED, err);
	return rc == 0 ? judge_refusal(j->a, err) : rc;
}

static int answer_volume(const struct judgement *j, const struct owner_keeper_request *question,
                         struct buf *ret_plain, struct error *err)
{
	struct volume_at at;
	size_t size;
	int rc = find_volume(j, question->volume, &at, err);
	if (rc == 0 && !at.writable && question->operation != OWNER_KEEPER_RELEASE)
		rc = error_set(err, CELLA_EAUTH, "the session lets the service read the volume %s only",
		               at.volume->name);
	if (rc < 0)
		return rc;
	const struct volume_keeper keeper = {.data = &at,
	                                     .get = keeper_get,
	                                     .acquire = keeper_acquire,
	                                     .swap = keeper_swap,
	                                     .release = keeper_release,
	                                     .begin_removal = keeper_begin_removal};
	uint8_t *plain = buf_reserve(ret_plain, KEEPER_ANSWER_MAX);
	if (!plain)
		return error_set(err, CELLA_ENOMEM, "no memory for an answer");
	keeper_question_answer(question, &keeper, plain, &size);
	ret_plain->size = size;
	return 0;
}

/* What an answer says is no secret: roots, tokens, certificates. */
static int answer(const struct asking *t, struct judgement *j, const uint8_t grant_key[CRYPTO_KEY_SIZE],
                  struct seal_session *session, struct error *err)
{
	cleanup_buf struct buf plain = {0};
	struct question question;
	uint64_t number;
	int rc = open_question(t, session, &question, &number, err);
	if (rc == 0)
		rc = may_ask(j, &question, err);
	if (rc == 0) /* one that was refused may be asked again, when its reason is gone */
		rc = note_question(t->cas, grant_key, number, err);
	if (rc == 0)
		rc = question.identity ? cas_identity_issue(j, &question.certify, &plain, err)
		                       : answer_volume(j, &question.volume, &plain, err);
	if (rc < 0)
		return rc;
	const struct seal_id id = owner_keeper_id(0, true, number);
	uint8_t *to = buf_reserve(t->answer, seal_size(plain.size));
	return to ? seal_object(session, &id, NULL, 0, plain.data, plain.size, to, err)
	          : error_set(err, CELLA_ENOMEM, "no memory for an answer");
}

/* Opened before it is judged, so that the log says nothing of what is no executor's. */
static int answer_sealed(const struct asking *t, struct judgement *j, struct error *err)
{
	struct seal_session *session;
	uint8_t key[CRYPTO_KEY_SIZE];
	int rc = cas_grant_key(t->cas, t->a, key, err);
	if (rc == 0)
		rc = seal_session_new(key, &session, err);
	if (rc == 0) {
		rc = answer(t, j, key, session, err);
		seal_session_free(session);
	}
	mem_wipe(key, sizeof(key));
	return rc;
}

static void ask_at_desk(struct cas_desk *desk, void *arg)
{
	struct asking *t = arg;
	struct judgement j;
	t->rc = judge_begin(&j, desk, t->a, false, t->err);
	if (t->rc == 0)
		t->rc = answer_sealed(t, &j, t->err);
	judge_done(&j);
}

int cas_keeper_ask(struct cas *cas, const struct cas_attestation *attestation, const void *question,
                   size_t size, struct buf *ret_answer, struct error *err)
{
	struct error why;
	struct asking t = {.cas = cas,
	                   .a = attestation,
	                   .question = question,
	                   .size = size,
	                   .answer = ret_answer,
	                   .err = err ? err : &why};
	cas_at_desk(cas, ask_at_desk, &t);
	return t.rc;
}

/* ---- renewing */

static int make_renew(struct keeper_act *act, struct records *r, struct error *err)
{
	return records_volume_renew(r, act->at->id, act->token, lease_end(act->at), err);
}

/* Nothing, where another has the lease, or nobody. Not at once again: each is an entry of the log. */
static int renew(struct volume_at *at, struct error *err)
{
	struct records_volume kept;
	struct keeper_act act = {.at = at, .kind = AUDIT_VOLUME_LEASED, .make = make_renew};
	int rc = records_volume_get(cas_records_lock(at->cas), at->id, &kept, err);
	cas_records_unlock(at->cas);
	if (rc < 0 || !kept.lease_until_ns || strcmp(kept.holder, at->holder) != 0 ||
	    kept.lease_until_ns + RENEWED_NS > lease_end(at))
		return rc;
	act.token = kept.token;
	return do_act(&act, err);
}

static int renew_all(const struct judgement *j, struct error *err)
{
	const struct session_volume *volume;
	struct volume_at at;
	int rc = 0;
	for (size_t i = 0; rc == 0 && (volume = service_volume(j->session->session, j->service, i)); i++)
		if (volume_of(j, volume, &at, NULL) == 0 && at.writable)
			rc = renew(&at, err);
	return rc;
}

static void renew_at_desk(struct cas_desk *desk, void *arg)
{
	struct asking *t = arg;
	struct judgement j;
	t->rc = judge_begin(&j, desk, t->a, false, t->err);
	if (t->rc == 0)
		t->rc = j.refused ? judge_refusal(t->a, t->err) : renew_all(&j, t->err);
	judge_done(&j);
}

int cas_keeper_renew(struct cas *cas, const struct cas_attestation *attestation, struct error *err)
{
	struct error why;
	struct asking t = {.cas = cas, .a = attestation, .err = err ? err : &why};
	cas_at_desk(cas, renew_at_desk, &t);
	return t.rc;
}
