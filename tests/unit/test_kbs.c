/*
 * Confidential guests at a CAS without its wire, with a clock of the test's own: how long do challenges,
 * guests and tokens live, how often is a challenge good, what of many at once; and does a later policy, or a
 * later hour, count for a guest that has attested before? What there is room for is test_kbs_limits.c's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/tee.h"
#include "cas/collateral.h"
#include "cas/own_keys.h"
#include "cas/records/upkeep.h"
#include "kbs_guest.h"

static const uint64_t SECOND = 1000000000;

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define D48(s) X16(s) X16(s) X16(s)

/* ---- time */

static void test_challenge_lives(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	struct error err;
	guest_auth(&g);
	p.place.now += 120 * SECOND;
	assert_int_equal(guest_attest(&g, &err), 0);
	p.place.now = CLINIC_START;
	guest_auth(&g);
	p.place.now += (KBS_HANDSHAKE_S + 1) * SECOND;
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "older than 300 seconds");
	p.place.now = CLINIC_START + 10 * SECOND;
	guest_auth(&g);
	p.place.now = CLINIC_START + 5 * SECOND; /* a clock that was set back */
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "older than");
	guest_done(&g);
	clinic_end(&p);
}

static void test_guest_lives(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_handshake(&g);
	assert_int_equal(guest_get(&g, "made"), 0);
	assert_int_equal(guest_get_by_token(&g, "made"), 0);
	p.place.now += 100 * SECOND;
	assert_int_equal(guest_get(&g, "made"), 0);
	assert_int_equal(guest_get(&g, "fresh"), CELLA_EAUTH); /* max_age: 1m */
	p.place.now = CLINIC_START + KBS_GUEST_S * SECOND;
	assert_int_equal(guest_get_by_token(&g, "made"), CELLA_ENOENT);
	assert_int_equal(guest_get(&g, "made"), CELLA_ENOENT);
	guest_done(&g);
	clinic_end(&p);
}

/* A clock that is set back makes nobody younger, and nobody live for longer. */
static void test_clock_set_back(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7"), later = guest_new(&p, "192.0.2.8");
	p.place.now = CLINIC_START + 100 * SECOND;
	guest_handshake(&g);
	p.place.now = CLINIC_START;
	assert_int_equal(guest_get(&g, "fresh"), CELLA_ENOENT);
	assert_int_equal(guest_get_by_token(&g, "fresh"), CELLA_ENOENT);
	guest_handshake(&later);
	assert_int_equal(guest_get(&later, "fresh"), 0);
	p.place.now = CLINIC_START + KBS_GUEST_S * SECOND; /* the first one's time is not over */
	assert_int_equal(guest_get(&later, "made"), CELLA_ENOENT);
	assert_int_equal(guest_get(&g, "made"), CELLA_EAUTH); /* its processor's certificate ends before */
	guest_done(&g);
	guest_done(&later);
	clinic_end(&p);
}

/* The owner reads these words of the last refusal; `not_there` (NULL) are none of them. */
static void assert_told(struct clinic *p, const char *session, const char *secret, const char *words,
                        const char *not_there)
{
	struct records_refusal *refusal = malloc(sizeof(*refusal));
	assert_int_equal(cas_session_refusal(p->place.cas, &p->place.owner, session, secret, 0, refusal,
	                                     NULL),
	                 0);
	assert_non_null(strstr(refusal->text, words));
	assert_true(!not_there || !strstr(refusal->text, not_there));
	free(refusal);
}

static void test_age(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_handshake(&g);
	p.place.now += 60 * SECOND;
	assert_int_equal(guest_get(&g, "fresh"), 0);
	p.place.now += SECOND;
	assert_int_equal(guest_get(&g, "fresh"), CELLA_EAUTH);
	assert_told(&p, "clinic/hospital", "fresh",
	            "max_age: wanted evidence of the last 60 s, found one of 61 s ago", NULL);
	guest_handshake(&g);
	assert_int_equal(guest_get(&g, "fresh"), 0);
	guest_done(&g);
	clinic_end(&p);
}

/* Evidence is judged by the hour in which something is asked for: here the processor's certificate ends. */
static void test_evidence_is_judged_again(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_handshake(&g);
	p.place.now = CLINIC_START + 200 * SECOND;
	assert_int_equal(guest_get(&g, "made"), 0);
	p.place.now += SECOND;
	assert_int_equal(guest_get(&g, "made"), CELLA_EAUTH);
	assert_told(&p, "clinic/hospital", "made", "certificate.validity: wanted", NULL);
	guest_done(&g);
	clinic_end(&p);
}

static int lose_made(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	(void)arg;
	event->kind = AUDIT_SECRET_DELETED;
	event->what = "{}";
	return records_secret_remove(r, "clinic/hospital", "made", UINT64_MAX, err);
}

/* What the CAS itself fails at sends no guest back to its handshake, and is no refusal. */
static void test_a_secret_that_is_lost(void **state)
{
	(void)state;
	struct clinic p;
	struct cas_change change = {.make = lose_made};
	struct error err;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_handshake(&g);
	assert_int_equal(guest_get(&g, "made"), 0);
	must(cas_commit(p.place.cas, &change, &err), &err);
	assert_int_equal(guest_get(&g, "made"), CELLA_EIO);
	guest_done(&g);
	clinic_end(&p);
}

static int spoil_key(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	uint64_t version;
	(void)arg;
	event->kind = AUDIT_SECRET_SET;
	event->what = "{}";
	return records_secret_put(r, CAS_OWN_SESSION, OWN_TOKEN_ES384, SESSION_PRIVATE_KEY, "no key", 6, 0,
	                          &version, err);
}

static void test_a_key_that_is_none(void **state)
{
	(void)state;
	struct clinic p;
	struct cas_change change = {.make = spoil_key};
	struct error err;
	clinic_begin(&p);
	must(cas_commit(p.place.cas, &change, &err), &err);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_auth(&g);
	assert_int_equal(guest_attest(&g, &err), CELLA_EIO);
	assert_int_equal(p.kbs->guest_count, 0);
	guest_done(&g);
	clinic_end(&p);
}

/* ---- once */

static void test_challenge_is_good_once(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7"), other = guest_new(&p, "192.0.2.8");
	struct error err;
	guest_handshake(&g);
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "used before");
	assert_int_equal(guest_get(&g, "made"), 0);
	/* Of a failure, too. */
	guest_auth(&other);
	json_t *key = other.key;
	char *body = guest_attestation(&other);
	const struct kbs_caller who = guest_caller(&other);
	other.key = g.key;
	assert_int_equal(kbs_attest(p.kbs, &who, "{}", 2, &other.token, &err), CELLA_EFORMAT);
	assert_int_equal(kbs_attest(p.kbs, &who, body, strlen(body), &other.token, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "used before");
	free(body);
	other.key = key;
	guest_handshake(&other);
	guest_done(&g);
	guest_done(&other);
	clinic_end(&p);
}

/* Reasons are lines, one for each that there is: a guest that is refused writes none of its own. */
static void test_a_guest_writes_no_reasons(void **state)
{
	(void)state;
	struct clinic p;
	struct error err;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_auth(&g);
	snprintf(g.challenge.nonce, sizeof(g.challenge.nonce), "x\nmeasurement: wanted a, found b");
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "found x?measurement: wanted a, found b\nreport_data: ");
	guest_done(&g);
	clinic_end(&p);
}

struct racer {
	pthread_t thread;
	struct guest *g;
	const char *body;
	int rc;
};

static void *race(void *arg)
{
	struct racer *r = arg;
	const struct kbs_caller who = guest_caller(r->g);
	cleanup_buf struct buf token = {0};
	r->rc = kbs_attest(r->g->p->kbs, &who, r->body, strlen(r->body), &token, NULL);
	return NULL;
}

static void test_one_of_many_at_once(void **state)
{
	(void)state;
	enum { RACERS = 8 };
	struct clinic p;
	struct racer racers[RACERS];
	size_t won = 0;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_auth(&g);
	char *body = guest_attestation(&g);
	for (size_t i = 0; i < RACERS; i++) {
		racers[i] = (struct racer){.g = &g, .body = body};
		assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
	}
	for (size_t i = 0; i < RACERS; i++) {
		pthread_join(racers[i].thread, NULL);
		assert_true(racers[i].rc == 0 || racers[i].rc == CELLA_EAUTH);
		won += racers[i].rc == 0;
	}
	assert_int_equal(won, 1);
	assert_int_equal(guest_get(&g, "made"), 0);
	free(body);
	guest_done(&g);
	clinic_end(&p);
}

/* ---- tokens */

/* As much as a guest's evidence can say, and the largest key: is there room for all that a token says? */
static void test_largest_token(void **state)
{
	(void)state;
	enum { EVENTS = 300, HEADER_MAX = 15500 }; /* of 16 KiB, which a request's head may have */
	struct clinic p;
	struct tee_verdict says = {0};
	const uint8_t digest[CRYPTO_SHA384_SIZE] = {7};
	char n[684], text[KBS_TOKEN_ID_SIZE];
	struct error err;
	json_t *keys;
	clinic_begin(&p);
	must(kbs_keys(p.kbs, &keys, &err), &err);
	json_decref(keys);
	must(tee_verify(&clinic_td.input, &says, &err), &err);
	for (size_t i = 0; i < EVENTS; i++)
		tee_claim_hex(&says, tee_text(&says, "event_log.%zu", i), "an event", digest, sizeof(digest));
	memset(n, 'A', sizeof(n) - 1);
	n[sizeof(n) - 1] = '\0';
	struct kbs_guest *g = guest_fake(1, "192.0.2.7", 1, p.place.now);
	g->tee = TEE_TDX;
	g->attestation.key_json = json_pack("{s:s, s:s, s:s, s:s}", "kty", "RSA", "alg", "RSA-OAEP-256", "n",
	                                    n, "e", "AQAB");
	for (size_t i = 0; i < TOKEN_ALGORITHMS; i++) {
		cleanup_buf struct buf token = {0}, header = {0};
		must(kbs_token_make(p.kbs, g, &says, (enum token_algorithm)i, &token, &err), &err);
		buf_printf(&header, "Bearer %.*s", (int)token.size, (const char *)token.data);
		buf_put(&header, "", 1);
		assert_in_range(header.size, 1, HEADER_MAX);
		must(kbs_token_read(p.kbs, (const char *)header.data, text, &err), &err);
		assert_string_equal(text, g->token_id);
	}
	kbs_guest_free(g);
	tee_verdict_done(&says);
	clinic_end(&p);
}

static char *key_set(struct clinic *p)
{
	struct error err;
	json_t *keys;
	must(kbs_keys(p->kbs, &keys, &err), &err);
	char *text = json_dumps(keys, JSON_COMPACT | JSON_SORT_KEYS);
	json_decref(keys);
	assert_non_null(text);
	return text;
}

/* The CAS goes, and comes again. */
static void start_again(struct clinic *p, const char *task)
{
	struct error err;
	kbs_free(p->kbs);
	cas_close(p->place.cas);
	const struct upkeep work = {.task = task,
	                            .records = {.directory = p->place.cas_directory,
	                                        .sealing = p->place.config.sealing,
	                                        .now_ns = p->place.now,
	                                        .who = "test"}};
	if (task)
		must(upkeep_run(&work, &err), &err);
	must(cas_open(&p->place.config, &p->place.cas, &err), &err);
	must(kbs_new(p->place.cas, &p->kbs, &err), &err);
}

/* Who has seen the master key could sign tokens until it is rotated, and not after that. */
static void test_keys_of_tokens(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	char *first = key_set(&p);
	start_again(&p, NULL);
	char *same = key_set(&p);
	assert_string_equal(first, same);
	start_again(&p, "rotate");
	char *other = key_set(&p);
	assert_string_not_equal(first, other);
	start_again(&p, "rotate");
	start_again(&p, "rotate"); /* without keys in between */
	free(first);
	free(same);
	free(other);
	clinic_end(&p);
}

/* ---- collateral */

/* Guests mostly bring no certificates of CAs: the CAS has them, as its owner added them. */
static void test_certificates_of_the_cas(void **state)
{
	(void)state;
	struct clinic p;
	struct error err;
	int64_t ends;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	g.bare = true;
	guest_auth(&g);
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "certificate.");
	must(cas_collateral_add(p.place.cas, &p.place.owner, TEE_SNP, "ask", p.files.ca.data, p.files.ca.size,
	                        &ends, &err),
	     &err);
	must(cas_collateral_add(p.place.cas, &p.place.owner, TEE_SNP, "ark", p.files.root.data,
	                        p.files.root.size, &ends, &err),
	     &err);
	guest_handshake(&g);
	assert_int_equal(guest_get(&g, "made"), 0);
	guest_done(&g);
	clinic_end(&p);
}

static void put_td(struct clinic *p, const char *mr_td)
{
	cleanup_buf struct buf text = {0};
	char rtmrs[2][97];
	for (size_t i = 0; i < 2; i++)
		snprintf(rtmrs[i], sizeof(rtmrs[i]), "%s",
		         tee_claim_named(&clinic_td_says, i ? "td.rtmr2" : "td.rtmr1")->value);
	buf_printf(
		&text,
		"name: clinic/td\nversion: \"0.1\"\nsecrets:\n- {name: made, kind: ascii, size: 8, guests: "
		"[{tdx: {mr_td: %s, rtmr1: %s, rtmr2: %s}}]}\n",
		mr_td, rtmrs[0], rtmrs[1]);
	buf_put(&text, "", 1);
	place_put(&p->place, (const char *)text.data);
}

static void add_all(struct clinic *p, const struct tee_blob *blobs, size_t count)
{
	struct error err;
	int64_t ends;
	for (size_t i = 0; i < count; i++)
		must(cas_collateral_add(p->place.cas, &p->place.owner, TEE_TDX, "intel's", blobs[i].data,
		                        blobs[i].size, &ends, &err),
		     &err);
}

static int get_td(struct guest *g)
{
	const struct kbs_caller who = guest_caller(g);
	const struct kbs_path path = {"clinic", "td", "made"};
	json_t *jwe = NULL;
	int rc = kbs_resource(g->p->kbs, &who, &path, &jwe, NULL);
	json_decref(jwe);
	return rc;
}

static void test_a_td(void **state)
{
	(void)state;
	struct clinic p;
	struct error err;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	g.is_tdx = true;
	put_td(&p, tee_claim_named(&clinic_td_says, "td.mr_td")->value);
	guest_auth(&g);
	assert_int_equal(guest_attest(&g, &err), CELLA_EAUTH);
	clinic_check_reason(&p, "tcb_info.signature: wanted");
	add_all(&p, clinic_td.collateral, array_count(clinic_td.collateral));
	add_all(&p, clinic_td.certs, array_count(clinic_td.certs));
	guest_handshake(&g);
	assert_int_equal(get_td(&g), 0);
	assert_int_equal(guest_get(&g, "made"), CELLA_EAUTH); /* which is for another kind */
	guest_done(&g);
	clinic_end(&p);
}

static void test_another_td(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	g.is_tdx = true;
	put_td(&p, D48("77"));
	add_all(&p, clinic_td.collateral, array_count(clinic_td.collateral));
	add_all(&p, clinic_td.certs, array_count(clinic_td.certs));
	guest_handshake(&g);
	assert_int_equal(get_td(&g), CELLA_EAUTH);
	assert_told(&p, "clinic/td", "made", "mr_td: wanted", "rtmr1");
	guest_done(&g);
	clinic_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge_lives),
		cmocka_unit_test(test_guest_lives),
		cmocka_unit_test(test_clock_set_back),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_evidence_is_judged_again),
		cmocka_unit_test(test_a_secret_that_is_lost),
		cmocka_unit_test(test_a_key_that_is_none),
		cmocka_unit_test(test_challenge_is_good_once),
		cmocka_unit_test(test_a_guest_writes_no_reasons),
		cmocka_unit_test(test_one_of_many_at_once),
		cmocka_unit_test(test_largest_token),
		cmocka_unit_test(test_keys_of_tokens),
		cmocka_unit_test(test_certificates_of_the_cas),
		cmocka_unit_test(test_a_td),
		cmocka_unit_test(test_another_td),
	};
	return cmocka_run_group_tests(tests, clinic_start, clinic_stop);
}
