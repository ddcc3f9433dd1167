/*
 * Confidential guests at a CAS without its wire, with a clock of the test's own: how long do challenges,
 * guests and tokens live, how often is a challenge good, who makes room when there are too many, what of many
 * at once; and does a later policy, or a later hour, count for a guest that has attested before?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include "attest/claims.h"
#include "attest/snp/format.h"
#include "attest/tee.h"
#include "cas/collateral.h"
#include "cas/kbs/state.h"
#include "cas/own_keys.h"
#include "cas/records/upkeep.h"
#include "cas_place.h"
#include "dcap_support.h"
#include "guest_json.h"
#include "snp_support.h"

static const uint64_t START = MAKER_TIME * 1000000000ull, SECOND = 1000000000;
enum { MEASURED = 0xa5 };

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define D48(s) X16(s) X16(s) X16(s)

/* A CAS that believes makers of this test's, a session of its owner, and the makers' processors. */
struct clinic {
	struct place place;
	struct kbs *kbs;
	struct maker_files files;
	struct vendor_root roots[2];
};
static struct dcap_files td;
static struct tee_verdict td_says; /* its claims */

#define SESSION                                                                                  \
	"name: clinic/hospital\nversion: \"0.1\"\nsecrets:\n"                                    \
	"- {name: made, kind: ascii, size: 8, guests: [{snp: {measurement: " D48(                \
		"a5") "}}]}\n"                                                                   \
		      "- {name: fresh, kind: ascii, size: 8, guests: [{snp: {measurement: " D48( \
			      "a5") ", max_age: 1m}}]}\n"

static void begin(struct clinic *p)
{
	struct error err;
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	*p = (struct clinic){0};
	shape.not_after = MAKER_TIME + 200;
	maker_make(&shape, &p->files);
	p->roots[0] = p->files.pin;
	p->roots[1] = td.pin;
	place_begin_at(&p->place, START, p->roots, array_count(p->roots));
	must(kbs_new(p->place.cas, &p->kbs, &err), &err);
	place_put(&p->place, SESSION);
}

static void end(struct clinic *p)
{
	kbs_free(p->kbs);
	maker_done(&p->files);
	place_end(&p->place);
}

/* ---- a guest */

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

static json_t *coordinate(const EVP_PKEY *key, const char *which)
{
	uint8_t bytes[32];
	BIGNUM *n = NULL;
	assert_true(EVP_PKEY_get_bn_param(key, which, &n) > 0 && BN_bn2binpad(n, bytes, 32) == 32);
	BN_free(n);
	return claims_base64url(bytes, sizeof(bytes));
}

static struct guest new_guest(struct clinic *p, const char *address)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	struct guest g = {.p = p, .address = address};
	g.key = json_pack("{s:s, s:s, s:s, s:o, s:o}", "kty", "EC", "crv", "P-256", "alg", "ECDH-ES+A256KW",
	                  "x", coordinate(key, OSSL_PKEY_PARAM_EC_PUB_X), "y",
	                  coordinate(key, OSSL_PKEY_PARAM_EC_PUB_Y));
	EVP_PKEY_free(key);
	return g;
}

static void guest_done(struct guest *g)
{
	json_decref(g->key);
	buf_done(&g->token);
}

static void auth(struct guest *g)
{
	cleanup_buf struct buf body = {0};
	struct error err;
	buf_printf(&body, "{\"version\":\"0.4.0\",\"tee\":\"%s\",\"extra-params\":\"\"}",
	           g->is_tdx ? "tdx" : "snp");
	must(kbs_auth(g->p->kbs, body.data, body.size, &g->challenge, &err), &err);
	snprintf(g->cookies, sizeof(g->cookies), "kbs-session-id=%s", g->challenge.cookie);
}

static struct kbs_caller caller(const struct guest *g)
{
	return (struct kbs_caller){.cookies = g->cookies, .address = g->address};
}

static json_t *snp_evidence(const struct guest *g, const uint8_t data[64])
{
	struct maker_files files = g->p->files;
	memcpy(files.report.data + SNP_AT_REPORT_DATA, data, SNP_REPORT_DATA_SIZE);
	memset(files.report.data + SNP_AT_MEASUREMENT, MEASURED, SNP_MEASUREMENT_SIZE);
	maker_sign(&files);
	return guest_snp(files.report.data, GUEST_NESTED, &files.leaf, g->bare ? NULL : &files.ca,
	                 g->bare ? NULL : &files.root);
}

static json_t *tdx_evidence(const uint8_t data[64])
{
	struct dcap_shape shape = dcap_shape(true, 4);
	shape.report_data = data;
	dcap_quote_again(&shape, &td);
	return json_pack("{s:o, s:n}", "quote", claims_base64url(td.quote.data, td.quote.size),
	                 "cc_eventlog");
}

/* The body, with evidence over the challenge. */
static char *attestation(const struct guest *g)
{
	uint8_t data[64] = {0};
	json_t *runtime = json_pack("{s:s, s:s, s:O}", "additional-evidence", "", "nonce", g->challenge.nonce,
	                            "tee-pubkey", g->key);
	char *text = json_dumps(runtime, JSON_COMPACT | JSON_SORT_KEYS);
	assert_int_equal(crypto_sha384(text, strlen(text), data, NULL), 0);
	json_t *body = json_pack("{s:{s:s, s:O}, s:{s:o, s:s}}", "runtime-data", "nonce", g->challenge.nonce,
	                         "tee-pubkey", g->key, "tee-evidence", "primary_evidence",
	                         g->is_tdx ? tdx_evidence(data) : snp_evidence(g, data),
	                         "additional_evidence", "");
	char *all = json_dumps(body, JSON_COMPACT);
	free(text);
	json_decref(runtime);
	json_decref(body);
	return all;
}

static int attest(struct guest *g, struct error *err)
{
	const struct kbs_caller who = caller(g);
	char *body = attestation(g);
	g->token.size = 0;
	int rc = kbs_attest(g->p->kbs, &who, body, strlen(body), &g->token, err);
	free(body);
	return rc;
}

static void handshake(struct guest *g)
{
	struct error err;
	auth(g);
	must(attest(g, &err), &err);
}

static int get_with(struct guest *g, const struct kbs_caller *who, const char *tag)
{
	const struct kbs_path path = {"clinic", "hospital", tag};
	json_t *jwe = NULL;
	int rc = kbs_resource(g->p->kbs, who, &path, &jwe, NULL);
	assert_int_equal(rc == 0, jwe != NULL);
	json_decref(jwe);
	return rc;
}

static int get(struct guest *g, const char *tag)
{
	const struct kbs_caller who = caller(g);
	return get_with(g, &who, tag);
}

static int get_by_token(struct guest *g, const char *tag)
{
	cleanup_buf struct buf header = {0};
	buf_printf(&header, "Bearer %.*s", (int)g->token.size, (const char *)g->token.data);
	buf_put(&header, "", 1);
	const struct kbs_caller who = {.authorization = (const char *)header.data, .address = g->address};
	return get_with(g, &who, tag);
}

/* The newest reasons of a refused attestation. */
static int take_reasons(void *arg, const struct kbs_refusal *refusal, struct error *err)
{
	char *to = arg;
	(void)err;
	if (!*to)
		snprintf(to, KBS_REASON_MAX, "%s", refusal->text);
	return 0;
}

static void check_reason(struct clinic *p, const char *words)
{
	char text[KBS_REASON_MAX] = "";
	struct error err;
	must(kbs_refusals(p->kbs, &p->place.owner, take_reasons, text, &err), &err);
	if (!strstr(text, words))
		fail_msg("%s: %s", words, text);
}

/* ---- time */

static void test_challenge_lives(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	struct error err;
	auth(&g);
	p.place.now += 120 * SECOND;
	assert_int_equal(attest(&g, &err), 0);
	p.place.now = START;
	auth(&g);
	p.place.now += (KBS_HANDSHAKE_S + 1) * SECOND;
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "older than 300 seconds");
	p.place.now = START + 10 * SECOND;
	auth(&g);
	p.place.now = START + 5 * SECOND; /* a clock that was set back */
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "older than");
	guest_done(&g);
	end(&p);
}

static void test_guest_lives(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	handshake(&g);
	assert_int_equal(get(&g, "made"), 0);
	assert_int_equal(get_by_token(&g, "made"), 0);
	p.place.now += 100 * SECOND;
	assert_int_equal(get(&g, "made"), 0);
	assert_int_equal(get(&g, "fresh"), CELLA_EAUTH); /* max_age: 1m */
	p.place.now = START + KBS_GUEST_S * SECOND;
	assert_int_equal(get_by_token(&g, "made"), CELLA_ENOENT);
	assert_int_equal(get(&g, "made"), CELLA_ENOENT);
	guest_done(&g);
	end(&p);
}

/* A clock that is set back makes nobody younger, and nobody live for longer. */
static void test_clock_set_back(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7"), later = new_guest(&p, "192.0.2.8");
	p.place.now = START + 100 * SECOND;
	handshake(&g);
	p.place.now = START;
	assert_int_equal(get(&g, "fresh"), CELLA_ENOENT);
	assert_int_equal(get_by_token(&g, "fresh"), CELLA_ENOENT);
	handshake(&later);
	assert_int_equal(get(&later, "fresh"), 0);
	p.place.now = START + KBS_GUEST_S * SECOND; /* the first one's time is not over */
	assert_int_equal(get(&later, "made"), CELLA_ENOENT);
	assert_int_equal(get(&g, "made"), CELLA_EAUTH); /* its processor's certificate ends before */
	guest_done(&g);
	guest_done(&later);
	end(&p);
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
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	handshake(&g);
	p.place.now += 60 * SECOND;
	assert_int_equal(get(&g, "fresh"), 0);
	p.place.now += SECOND;
	assert_int_equal(get(&g, "fresh"), CELLA_EAUTH);
	assert_told(&p, "clinic/hospital", "fresh",
	            "max_age: wanted evidence of the last 60 s, found one of 61 s ago", NULL);
	handshake(&g);
	assert_int_equal(get(&g, "fresh"), 0);
	guest_done(&g);
	end(&p);
}

/* Evidence is judged by the hour in which something is asked for: here the processor's certificate ends. */
static void test_evidence_is_judged_again(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	handshake(&g);
	p.place.now = START + 200 * SECOND;
	assert_int_equal(get(&g, "made"), 0);
	p.place.now += SECOND;
	assert_int_equal(get(&g, "made"), CELLA_EAUTH);
	assert_told(&p, "clinic/hospital", "made", "certificate.validity: wanted", NULL);
	guest_done(&g);
	end(&p);
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
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	handshake(&g);
	assert_int_equal(get(&g, "made"), 0);
	must(cas_commit(p.place.cas, &change, &err), &err);
	assert_int_equal(get(&g, "made"), CELLA_EIO);
	guest_done(&g);
	end(&p);
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
	begin(&p);
	must(cas_commit(p.place.cas, &change, &err), &err);
	struct guest g = new_guest(&p, "192.0.2.7");
	auth(&g);
	assert_int_equal(attest(&g, &err), CELLA_EIO);
	assert_int_equal(p.kbs->guest_count, 0);
	guest_done(&g);
	end(&p);
}

/* ---- once */

static void test_challenge_is_good_once(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7"), other = new_guest(&p, "192.0.2.8");
	struct error err;
	handshake(&g);
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "used before");
	assert_int_equal(get(&g, "made"), 0);
	/* Of a failure, too. */
	auth(&other);
	json_t *key = other.key;
	char *body = attestation(&other);
	const struct kbs_caller who = caller(&other);
	other.key = g.key;
	assert_int_equal(kbs_attest(p.kbs, &who, "{}", 2, &other.token, &err), CELLA_EFORMAT);
	assert_int_equal(kbs_attest(p.kbs, &who, body, strlen(body), &other.token, &err), CELLA_EAUTH);
	check_reason(&p, "used before");
	free(body);
	other.key = key;
	handshake(&other);
	guest_done(&g);
	guest_done(&other);
	end(&p);
}

/* Reasons are lines, one for each that there is: a guest that is refused writes none of its own. */
static void test_a_guest_writes_no_reasons(void **state)
{
	(void)state;
	struct clinic p;
	struct error err;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	auth(&g);
	snprintf(g.challenge.nonce, sizeof(g.challenge.nonce), "x\nmeasurement: wanted a, found b");
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "found x?measurement: wanted a, found b\nreport_data: ");
	guest_done(&g);
	end(&p);
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
	const struct kbs_caller who = caller(r->g);
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
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	auth(&g);
	char *body = attestation(&g);
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
	assert_int_equal(get(&g, "made"), 0);
	free(body);
	guest_done(&g);
	end(&p);
}

/* ---- too many */

static struct kbs_guest *fake(uint64_t number, const char *address, size_t size, uint64_t now)
{
	struct kbs_guest *g = calloc(1, sizeof(*g));
	assert_non_null(g);
	memcpy(g->id, &number, sizeof(number));
	snprintf(g->token_id, sizeof(g->token_id), "%032llx", (unsigned long long)number);
	snprintf(g->address, sizeof(g->address), "%s", address);
	g->size = size;
	g->since_ns = now;
	g->until_ns = now + KBS_GUEST_S * SECOND;
	return g;
}

static void add(struct clinic *p, uint64_t number, const char *address, size_t size)
{
	struct kbs_guest *g = fake(number, address, size, p->place.now);
	struct error err;
	must(kbs_guest_add(p->kbs, g, &err), &err);
	kbs_guest_put_back(p->kbs, g);
}

static bool is_there(struct clinic *p, uint64_t number)
{
	uint8_t id[KBS_ID_SIZE] = {0};
	struct kbs_guest *g;
	memcpy(id, &number, sizeof(number));
	int rc = kbs_guest_find(p->kbs, id, NULL, &g, NULL);
	if (rc == 0)
		kbs_guest_put_back(p->kbs, g);
	return rc == 0;
}

/* Whoever comes from one address alone makes room for itself. */
static void test_too_many_of_an_address(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	add(&p, 1, "192.0.2.1", 1);
	for (uint64_t i = 0; i < KBS_ADDRESS_GUESTS_MAX; i++)
		add(&p, 1000 + i, "192.0.2.2", 1);
	assert_true(is_there(&p, 1000));
	add(&p, 2, "192.0.2.2", 1);
	assert_false(is_there(&p, 1000));
	assert_true(is_there(&p, 1001));
	assert_true(is_there(&p, 1));
	assert_int_equal(p.kbs->guest_count, KBS_ADDRESS_GUESTS_MAX + 1);
	end(&p);
}

/* Of IPv6 whoever has one address has all of its /64. */
static void test_too_many_of_a_network(void **state)
{
	(void)state;
	struct clinic p;
	char address[40];
	begin(&p);
	add(&p, 1, "2001:db8:0:1::1", 1);
	add(&p, 2, "::ffff:192.0.2.1", 1); /* IPv4, at a CAS that listens on :: */
	for (uint64_t i = 0; i < KBS_GUESTS_MAX; i++) {
		snprintf(address, sizeof(address), "2001:db8::%x", (unsigned)i);
		add(&p, 1000 + i, address, 1);
	}
	for (uint64_t i = 0; i < KBS_ADDRESS_GUESTS_MAX; i++)
		add(&p, 9000 + i, "::ffff:192.0.2.2", 1);
	assert_true(is_there(&p, 1));
	assert_true(is_there(&p, 2));
	assert_int_equal(p.kbs->guest_count, 2 * KBS_ADDRESS_GUESTS_MAX + 2);
	end(&p);
}

static void test_too_many(void **state)
{
	(void)state;
	struct clinic p;
	char address[32];
	begin(&p);
	for (uint64_t i = 0; i < KBS_GUESTS_MAX; i++) {
		snprintf(address, sizeof(address), "192.0.2.%u", (unsigned)(i % 8));
		add(&p, i + 1, address, 1);
	}
	add(&p, 9999, "198.51.100.1", 1);
	assert_false(is_there(&p, 1));
	assert_true(is_there(&p, 2));
	assert_int_equal(p.kbs->guest_count, KBS_GUESTS_MAX);
	p.place.now += KBS_GUEST_S * SECOND;
	assert_false(is_there(&p, 9999));
	assert_int_equal(p.kbs->guest_count, 0);
	assert_int_equal(p.kbs->evidence_size, 0);
	end(&p);
}

/* One that is in use when it has to go stays for who uses it. */
static void test_too_many_bytes(void **state)
{
	(void)state;
	struct clinic p;
	struct kbs_guest *held, *much;
	begin(&p);
	add(&p, 1, "192.0.2.1", KBS_EVIDENCE_MAX / 2);
	add(&p, 2, "192.0.2.2", KBS_EVIDENCE_MAX / 2);
	assert_int_equal(kbs_guest_find(p.kbs, NULL, "00000000000000000000000000000001", &held, NULL), 0);
	add(&p, 3, "192.0.2.3", 1);
	assert_false(is_there(&p, 1));
	assert_true(is_there(&p, 2) && is_there(&p, 3));
	assert_string_equal(held->address, "192.0.2.1");
	kbs_guest_put_back(p.kbs, held);
	much = fake(4, "192.0.2.4", (size_t)KBS_EVIDENCE_MAX + 1, p.place.now);
	assert_int_equal(kbs_guest_add(p.kbs, much, NULL), CELLA_ELIMIT);
	kbs_guest_free(much);
	end(&p);
}

/* Memory that JSON holds. */
static size_t json_held;

static void *json_take(size_t size)
{
	void *taken = malloc(size);
	json_held += taken ? malloc_usable_size(taken) : 0;
	return taken;
}

static void json_give(void *taken)
{
	json_held -= taken ? malloc_usable_size(taken) : 0;
	free(taken);
}

/* A body with numbers that nobody asked for, which take ten times the memory that they are sent in. */
static char *padded(const struct guest *g, size_t size)
{
	struct buf body = {0};
	char *text = attestation(g);
	buf_printf(&body, "{\"more\":[0");
	while (body.size + 2 + strlen(text) < size)
		buf_printf(&body, ",0");
	buf_printf(&body, "],%s", text + 1);
	buf_put(&body, "", 1);
	free(text);
	assert_false(body.failed);
	return (char *)body.data;
}

/* What a guest sends it can fill with anything: does it take more memory than it is counted for? */
static void test_no_more_is_kept_than_is_counted(void **state)
{
	(void)state;
	struct clinic p;
	json_malloc_t take;
	json_free_t give;
	struct error err;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	auth(&g);
	char *body = padded(&g, KBS_ATTESTATION_MAX);
	const struct kbs_caller who = caller(&g);
	json_get_alloc_funcs(&take, &give);
	json_set_alloc_funcs(json_take, json_give);
	must(kbs_attest(p.kbs, &who, body, strlen(body), &g.token, &err), &err);
	const size_t held = json_held;
	json_set_alloc_funcs(take, give);
	assert_int_equal(p.kbs->guest_count, 1);
	assert_in_range(held, 1, p.kbs->evidence_size);
	assert_int_equal(get(&g, "made"), 0);
	free(body);
	guest_done(&g);
	end(&p);
}

/* Of a time, with a number. */
static struct kbs_ticket numbered(uint64_t number, uint64_t ms)
{
	struct kbs_ticket t = {.ms = ms};
	memcpy(t.id, &number, sizeof(number));
	return t;
}

/* Whoever uses up all places does not get a ticket that was used before used again. */
static void test_many_tickets(void **state)
{
	(void)state;
	const uint64_t ms = START / 1000000;
	struct clinic p;
	begin(&p);
	const struct kbs_ticket first = numbered(1, ms - 1), late = numbered(2, ms);
	assert_int_equal(kbs_ticket_use(p.kbs, &first, NULL), 0);
	for (uint64_t i = 0; i < KBS_USED_MAX; i++) {
		const struct kbs_ticket t = numbered(1000 + i, ms);
		assert_int_equal(kbs_ticket_use(p.kbs, &t, NULL), 0);
		assert_int_equal(kbs_ticket_use(p.kbs, &t, NULL), CELLA_EAUTH);
	}
	assert_int_equal(p.kbs->used.count, KBS_USED_MAX);
	assert_int_equal(kbs_ticket_use(p.kbs, &first, NULL), CELLA_EAUTH); /* which is noted no more */
	assert_int_equal(kbs_ticket_use(p.kbs, &late, NULL), 0);
	/* The place of a ticket of this moment went to it: those as old are not good any more. */
	const struct kbs_ticket same = numbered(3, ms), next = numbered(4, ms + 1);
	assert_int_equal(kbs_ticket_use(p.kbs, &same, NULL), CELLA_EAUTH);
	assert_int_equal(kbs_ticket_use(p.kbs, &next, NULL), 0);
	end(&p);
}

static void test_last_refusals(void **state)
{
	(void)state;
	struct clinic p;
	const struct kbs_caller who = {.address = "192.0.2.9"}, honest = {.address = "192.0.2.10"};
	const struct cas_requester stranger = {.known = true, .address = "192.0.2.9"};
	cleanup_buf struct buf token = {0};
	char text[KBS_REASON_MAX] = "";
	begin(&p);
	for (unsigned i = 0; i < KBS_REFUSALS_MAX; i++)
		assert_int_equal(kbs_attest(p.kbs, &honest, "{}", 2, &token, NULL), CELLA_EAUTH);
	assert_int_equal(p.kbs->refusal_count, KBS_ADDRESS_REFUSALS_MAX);
	for (unsigned i = 0; i < KBS_REFUSALS_MAX; i++)
		assert_int_equal(kbs_attest(p.kbs, &who, "{}", 2, &token, NULL), CELLA_EAUTH);
	assert_int_equal(p.kbs->refusal_count, 2 * KBS_ADDRESS_REFUSALS_MAX);
	assert_string_equal(p.kbs->refusals[0].address, honest.address);
	for (unsigned i = 0; i < 2 * KBS_REFUSALS_MAX; i++) {
		char address[16];
		snprintf(address, sizeof(address), "192.0.2.%u", 20 + i % 8);
		const struct kbs_caller many = {.address = address};
		assert_int_equal(kbs_attest(p.kbs, &many, "{}", 2, &token, NULL), CELLA_EAUTH);
	}
	assert_int_equal(p.kbs->refusal_count, KBS_REFUSALS_MAX);
	assert_string_equal(p.kbs->refusals[KBS_REFUSALS_MAX - 1].address, "192.0.2.27");
	check_reason(&p, "not there once");
	assert_int_equal(kbs_refusals(p.kbs, &stranger, take_reasons, text, NULL), CELLA_EPERM);
	assert_string_equal(text, "");
	end(&p);
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
	begin(&p);
	must(kbs_keys(p.kbs, &keys, &err), &err);
	json_decref(keys);
	must(tee_verify(&td.input, &says, &err), &err);
	for (size_t i = 0; i < EVENTS; i++)
		tee_claim_hex(&says, tee_text(&says, "event_log.%zu", i), "an event", digest, sizeof(digest));
	memset(n, 'A', sizeof(n) - 1);
	n[sizeof(n) - 1] = '\0';
	struct kbs_guest *g = fake(1, "192.0.2.7", 1, p.place.now);
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
	end(&p);
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
	begin(&p);
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
	end(&p);
}

/* ---- collateral */

/* Guests mostly bring no certificates of CAs: the CAS has them, as its owner added them. */
static void test_certificates_of_the_cas(void **state)
{
	(void)state;
	struct clinic p;
	struct error err;
	int64_t ends;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	g.bare = true;
	auth(&g);
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "certificate.");
	must(cas_collateral_add(p.place.cas, &p.place.owner, TEE_SNP, "ask", p.files.ca.data, p.files.ca.size,
	                        &ends, &err),
	     &err);
	must(cas_collateral_add(p.place.cas, &p.place.owner, TEE_SNP, "ark", p.files.root.data,
	                        p.files.root.size, &ends, &err),
	     &err);
	handshake(&g);
	assert_int_equal(get(&g, "made"), 0);
	guest_done(&g);
	end(&p);
}

static void put_td(struct clinic *p, const char *mr_td)
{
	cleanup_buf struct buf text = {0};
	char rtmrs[2][97];
	for (size_t i = 0; i < 2; i++)
		snprintf(rtmrs[i], sizeof(rtmrs[i]), "%s",
		         tee_claim_named(&td_says, i ? "td.rtmr2" : "td.rtmr1")->value);
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
	const struct kbs_caller who = caller(g);
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
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	g.is_tdx = true;
	put_td(&p, tee_claim_named(&td_says, "td.mr_td")->value);
	auth(&g);
	assert_int_equal(attest(&g, &err), CELLA_EAUTH);
	check_reason(&p, "tcb_info.signature: wanted");
	add_all(&p, td.collateral, array_count(td.collateral));
	add_all(&p, td.certs, array_count(td.certs));
	handshake(&g);
	assert_int_equal(get_td(&g), 0);
	assert_int_equal(get(&g, "made"), CELLA_EAUTH); /* which is for another kind */
	guest_done(&g);
	end(&p);
}

static void test_another_td(void **state)
{
	(void)state;
	struct clinic p;
	begin(&p);
	struct guest g = new_guest(&p, "192.0.2.7");
	g.is_tdx = true;
	put_td(&p, D48("77"));
	add_all(&p, td.collateral, array_count(td.collateral));
	add_all(&p, td.certs, array_count(td.certs));
	handshake(&g);
	assert_int_equal(get_td(&g), CELLA_EAUTH);
	assert_told(&p, "clinic/td", "made", "mr_td: wanted", "rtmr1");
	guest_done(&g);
	end(&p);
}

static int start(void **state)
{
	(void)state;
	if (crypto_init(NULL, NULL) < 0 || maker_start() < 0 || dcap_start() < 0)
		return -1;
	const struct dcap_shape shape = dcap_shape(true, 4);
	dcap_make(&shape, &td);
	return tee_show(&td.input, &td_says, NULL);
}

static int stop(void **state)
{
	(void)state;
	tee_verdict_done(&td_says);
	dcap_done(&td);
	dcap_stop();
	maker_stop();
	return 0;
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
		cmocka_unit_test(test_too_many_of_an_address),
		cmocka_unit_test(test_too_many_of_a_network),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_bytes),
		cmocka_unit_test(test_no_more_is_kept_than_is_counted),
		cmocka_unit_test(test_many_tickets),
		cmocka_unit_test(test_last_refusals),
		cmocka_unit_test(test_largest_token),
		cmocka_unit_test(test_keys_of_tokens),
		cmocka_unit_test(test_certificates_of_the_cas),
		cmocka_unit_test(test_a_td),
		cmocka_unit_test(test_another_td),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
