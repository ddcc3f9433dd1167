/* Resources: who gets which, by the session that has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/printable.h"
#include "cas/kbs/state.h"
#include "cas/lookup.h"
#include "cas/refusals.h"
#include "cas/session/machine.h"
#include "crypto/jwe.h"

/* ---- one that asks */

struct asking {
	struct kbs *kbs;
	const struct kbs_guest *guest;
	const struct kbs_path *path;
	const char *address;
	json_t **ret_jwe;
	struct error *err;
	int rc;
	char name[RECORDS_NAME_MAX + 1];
	const struct cas_session *session; /* NULL: there is none */
	const struct session_secret *secret;
	size_t alternative; /* that holds, from 1 */
	struct buf reasons; /* lines: why it is refused */
	bool refused;
};

static int find_secret(struct asking *a)
{
	int rc = kbs_session_name(a->path, a->name)
	                 ? cas_session_get(a->kbs->cas, a->name, &a->session, a->err)
	                 : CELLA_ENOENT;
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	a->secret = a->session ? session_secret(a->session->session, a->path->tag) : NULL;
	if (!a->session)
		printable(a->name, strlen(a->name), false);
	if (!a->session)
		buf_printf(&a->reasons, "session: wanted one that there is, found none of that name\n");
	else if (!a->secret)
		buf_printf(&a->reasons, "secret: wanted one of the session, found none of that name\n");
	else if (a->secret->guest_count == 0)
		buf_printf(&a->reasons, "guests: wanted some that the secret is for, found none\n");
	return 0;
}

/* ---- may it? */

static void check_age(struct asking *a, const struct session_need *need, const char *before, struct buf *why)
{
	const uint64_t now = cas_now_ns(a->kbs->cas);
	const uint64_t age_s = now > a->guest->since_ns ? (now - a->guest->since_ns) / 1000000000u : 0;
	if (age_s > need->max_age_s)
		buf_printf(why, "%smax_age: wanted evidence of the last %llu s, found one of %llu s ago\n",
		           before, (unsigned long long)need->max_age_s, (unsigned long long)age_s);
}

/* Why this alternative does not hold, appended: nothing if it does. */
static int judge_alternative(struct asking *a, size_t number, struct buf *why)
{
	const struct session_need *need = &a->secret->guests[number];
	struct tee_policy *policy = NULL;
	struct tee_verdict verdict = {0};
	enum tee_kind kind = TEE_KINDS;
	char before[40];
	snprintf(before, sizeof(before), "alternative %zu: ", number + 1);
	if (!session_machine_kind(need->machine, &kind) || kind != a->guest->tee) {
		buf_printf(why, "%smachine: wanted %s, found %s\n", before,
		           session_machine_name(need->machine), tee_kind_of(a->guest->tee)->name);
		return 0;
	}
	int rc = session_machine_policy(need->machine, need->policy, &policy, a->err);
	if (rc == 0)
		rc = kbs_verify(a->kbs, a->guest, policy, &verdict, a->err);
	if (rc == 0) {
		check_age(a, need, before, why);
		kbs_failures_print(&verdict, before, why);
		if (!tee_accepted(&verdict) && verdict.failed_count == 0)
			rc = error_set(a->err, CELLA_EBUG, "a verdict without a check");
	}
	tee_verdict_done(&verdict);
	tee_policy_free(policy);
	return rc;
}

static int judge(struct asking *a)
{
	cleanup_buf struct buf all = {0};
	for (size_t i = 0; i < a->secret->guest_count && !a->alternative; i++) {
		cleanup_buf struct buf why = {0};
		int rc = judge_alternative(a, i, &why);
		if (rc < 0)
			return rc;
		if (why.failed)
			return error_set(a->err, CELLA_ENOMEM, "no memory to judge a guest");
		if (why.size == 0)
			a->alternative = i + 1;
		buf_put(&all, why.data, why.size);
	}
	if (a->alternative)
		return 0;
	buf_printf(&a->reasons, "refused: none of %zu alternative%s holds\n", a->secret->guest_count,
	           a->secret->guest_count == 1 ? "" : "s");
	buf_put(&a->reasons, all.data, all.size);
	return a->reasons.failed || all.failed ? error_set(a->err, CELLA_ENOMEM, "no memory to judge a guest")
	                                       : 0;
}

/* ---- what it gets */

static int encrypt(struct asking *a, const struct session_value *value, json_t **ret_jwe)
{
	struct jwe jwe;
	cleanup_free uint8_t *ciphertext = malloc(value->size + 1);
	if (!ciphertext)
		return error_set(a->err, CELLA_ENOMEM, "no memory for a resource");
	int rc = jwe_encrypt(a->guest->attestation.key, value->data, value->size, ciphertext, &jwe, a->err);
	if (rc < 0)
		return rc;
	*ret_jwe = json_pack("{s:o, s:o, s:o, s:o, s:o}", "protected",
	                     claims_base64url(jwe.header, strlen(jwe.header)), "encrypted_key",
	                     claims_base64url(jwe.key, jwe.key_size), "iv",
	                     claims_base64url(jwe.nonce, sizeof(jwe.nonce)), "ciphertext",
	                     claims_base64url(ciphertext, value->size), "tag",
	                     claims_base64url(jwe.tag, sizeof(jwe.tag)));
	return *ret_jwe ? 0 : error_set(a->err, CELLA_ENOMEM, "no memory for a resource");
}

static int make_jwe(struct asking *a, struct cas_desk *desk, json_t **ret_jwe)
{
	struct lookup lookup = {.desk = desk, .session = a->session, .arena.pool = desk->pool};
	struct session_value value;
	struct error why;
	int rc = lookup_secret(&lookup, a->path->tag, &value, &why);
	if (rc == CELLA_EINVAL) {
		buf_printf(&a->reasons, "secret: %s\n", why.text);
		rc = 0;
	} else if (rc == 0) {
		rc = encrypt(a, &value, ret_jwe);
	} else {
		*a->err = why;
	}
	session_arena_done(&lookup.arena);
	return rc;
}

/* ---- what is written down */

/* Whose it is goes by the member "session" (cas/audit/list.h). */
static json_t *describe(const struct asking *a)
{
	json_t *what = kbs_describe(a->guest);
	char secret[RECORDS_NAME_MAX + 1];
	snprintf(secret, sizeof(secret), "%s", a->path->tag);
	printable(secret, strlen(secret), false);
	json_object_set_new(what, "session", json_string(a->name));
	json_object_set_new(what, "secret", json_string(secret));
	json_object_set_new(what, "from", json_string(a->address));
	return what;
}

static int tell(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	(void)r;
	(void)err;
	event->kind = AUDIT_PROVISIONED;
	event->what = arg;
	return 0;
}

static int record(struct asking *a)
{
	json_t *json = describe(a);
	json_object_set_new(json, "alternative", json_integer((json_int_t)a->alternative));
	cleanup_free char *what = json_dumps(json, JSON_COMPACT);
	struct cas_change change = {.make = tell, .arg = what};
	json_decref(json);
	return what ? cas_commit(a->kbs->cas, &change, a->err)
	            : error_set(a->err, CELLA_ENOMEM, "no memory for the audit log");
}

/* Whole lines, as many as there is room for, as a string. */
static void bound_reasons(struct buf *reasons)
{
	enum { MOST = RECORDS_REASON_MAX / 2 };
	if (reasons->size > MOST) {
		reasons->size = MOST;
		while (reasons->size > 0 && reasons->data[reasons->size - 1] != '\n')
			reasons->size--;
		buf_printf(reasons, "and more, for which there is no room\n");
	}
	printable((char *)reasons->data, reasons->size, true);
	buf_put(reasons, "", 1);
}

struct kept {
	struct asking *asking;
	const char *text;
};

/* Of secrets that there are: what else somebody asks for is nobody's. */
static int keep(void *arg, struct records *r, struct error *err)
{
	const struct kept *k = arg;
	return k->asking->secret ? records_refusal_add(r, k->asking->name, k->asking->secret->name, k->text,
	                                               cas_now_ns(k->asking->kbs->cas), err)
	                         : 0;
}

static int refuse(struct asking *a)
{
	char id[KBS_REFUSAL_ID_SIZE];
	cleanup_buf struct buf text = {0};
	bound_reasons(&a->reasons);
	int rc = kbs_refusal_id(id, a->err);
	if (rc < 0)
		return rc;
	json_t *json = describe(a);
	json_object_set_new(json, "id", json_string(id));
	json_object_set_new(json, "refused", json_string((const char *)a->reasons.data));
	cleanup_free char *what = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	buf_printf(&text, "guest %s, %s\n%s", id, a->address, (const char *)a->reasons.data);
	buf_put(&text, "", 1);
	if (!what || text.failed || a->reasons.failed)
		return error_set(a->err, CELLA_ENOMEM, "no memory for the audit log");
	struct kept kept = {a, (const char *)text.data};
	const struct refusal refusal = {.kind = AUDIT_REFUSED,
	                                .who = "",
	                                .address = a->address,
	                                .what = what,
	                                .words = (const char *)a->reasons.data,
	                                .of = {a->name, a->secret ? a->secret->name : ""},
	                                .keep = keep,
	                                .arg = &kept};
	rc = cas_refuse(a->kbs->cas, &refusal, a->err);
	a->refused = rc == 0;
	return rc < 0 ? rc : kbs_refused(id, a->err);
}

/* ---- all of it */

static int answer(struct asking *a, struct cas_desk *desk)
{
	json_t *jwe = NULL;
	int rc = find_secret(a);
	if (rc == 0 && a->reasons.size == 0)
		rc = judge(a);
	if (rc == 0 && a->alternative)
		rc = make_jwe(a, desk, &jwe);
	if (rc == 0)
		rc = jwe ? record(a) : refuse(a);
	if (rc == 0)
		*a->ret_jwe = jwe;
	else
		json_decref(jwe);
	return rc;
}

static void answer_at_desk(struct cas_desk *desk, void *arg)
{
	struct asking *a = arg;
	a->rc = answer(a, desk);
	if (a->session)
		cas_session_put_back(a->kbs->cas, a->session);
	buf_done(&a->reasons);
}

/* By its token, or by its cookie. */
static int find_guest(struct kbs *kbs, const struct kbs_caller *caller, struct kbs_guest **ret_guest,
                      struct error *err)
{
	struct kbs_ticket ticket;
	char cookie[KBS_COOKIE_SIZE], token_id[KBS_TOKEN_ID_SIZE];
	if (caller->authorization) {
		int rc = kbs_token_read(kbs, caller->authorization, token_id, err);
		return rc == 0 ? kbs_guest_find(kbs, NULL, token_id, ret_guest, err) : rc;
	}
	if (!caller->cookies || !kbs_cookie_find(caller->cookies, cookie))
		return error_set(err, CELLA_ENOENT, "there is neither a cookie kbs-session-id nor a token");
	int rc = kbs_ticket_read(kbs->key, cookie, &ticket, err);
	if (rc == 0)
		rc = kbs_guest_find(kbs, ticket.id, NULL, ret_guest, err);
	return rc == CELLA_EAUTH ? CELLA_ENOENT : rc;
}

int kbs_resource(struct kbs *kbs, const struct kbs_caller *caller, const struct kbs_path *path,
                 json_t **ret_jwe, struct error *err)
{
	struct error why;
	struct kbs_guest *guest;
	struct asking a = {.kbs = kbs,
	                   .path = path,
	                   .address = caller->address,
	                   .ret_jwe = ret_jwe,
	                   .err = err ? err : &why};
	int rc = find_guest(kbs, caller, &guest, err);
	if (rc < 0)
		return rc;
	a.guest = guest;
	cas_at_desk(kbs->cas, answer_at_desk, &a);
	kbs_guest_put_back(kbs, guest);
	return a.rc == 0 || a.refused ? a.rc : kbs_own_failure(a.rc, err);
}
