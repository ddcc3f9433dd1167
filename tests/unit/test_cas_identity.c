/*
 * Identities that a CAS gives to cells, with a clock of the test's own: is a certificate what it should be,
 * in name, time and key, by the CAS's clock; who gets none, before and after a revocation; does the CA stay
 * as it is, and go with a rotation; does a question that was asked before, or is not sealed, get nothing?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/evidence.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/attest.h"
#include "cas/audit/format.h"
#include "cas/identity.h"
#include "cas/judge.h"
#include "cas/keeper.h"
#include "cas/parties.h"
#include "cas/records/upkeep.h"
#include "cas/secret_read.h"
#include "cas/sessions.h"
#include "cas_place.h"
#include "cell/identity_question.h"
#include "cell/provision.h"
#include "seal/seal.h"

static const uint64_t SECOND = 1000000000;
enum { HOUR = 3600, DAY = 24 * HOUR };

/* ---- sessions and executors */

#define SERVICE_OF(name, identity) \
	"  - name: " name "\n    command: [x]\n" identity "    attestation: [{memory_level: secret}]\n"

static void put(struct place *p, const char *text)
{
	struct error err;
	struct cas_session_facts facts;
	must(cas_session_put(p->cas, &p->owner, text, strlen(text), &facts, &err), &err);
}

static void put_hospital(struct place *p)
{
	put(p, "name: clinic/hospital\nversion: \"0.1\"\nservices:\n" SERVICE_OF("classify",
	                                                                         "    identity: /identity\n")
	               SERVICE_OF("plain", ""));
}

/* An executor with its evidence, a grant, and a P-256 key to be certified. */
struct holder {
	struct place *p;
	const char *service;
	struct crypto_key_pair pair;
	struct evidence says;
	struct buf token;
	struct provision *grant;
	uint64_t number; /* of its next question */
	struct cert_key *key;
	struct owner_identity_request question;
};

static struct cas_attestation attestation_of(const struct holder *x)
{
	return (struct cas_attestation){.session = "clinic/hospital",
	                                .service = x->service,
	                                .evidence = x->token.data,
	                                .evidence_size = x->token.size,
	                                .peer = "192.0.2.7"};
}

static void open_grant(struct holder *x, const struct buf *sealed)
{
	struct error err;
	uint8_t *plain = mem_alloc(x->p->pool, sealed->size);
	assert_non_null(plain);
	must(crypto_hpke_open(&x->pair, PROVISION_GRANT_INFO, strlen(PROVISION_GRANT_INFO), NULL, 0,
	                      sealed->data, sealed->size, plain, &err),
	     &err);
	must(provision_read(plain, sealed->size - CRYPTO_HPKE_OVERHEAD, x->p->pool, &x->grant, &err), &err);
	mem_free(x->p->pool, plain);
}

static void make_key(struct holder *x)
{
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	struct error err;
	must(cert_key_generate(&x->key, &err), &err);
	must(cert_key_public(x->key, public_key, &size, &err), &err);
	x->question = (struct owner_identity_request){.operation = OWNER_IDENTITY_CERTIFY,
	                                              .public_size = (uint32_t)size};
	memcpy(x->question.public_key, public_key, size);
}

static void start(struct place *p, struct holder *x, const char *service)
{
	cleanup_buf struct buf sealed = {0};
	struct error err;
	*x = (struct holder){.p = p,
	                     .service = service,
	                     .says = {.machine = "soft", .kernel = "6.1.0", .memory_level = MEM_SECRET}};
	memset(x->says.cell, 0x44, sizeof(x->says.cell));
	memset(x->says.builder, 0x55, sizeof(x->says.builder));
	memset(x->says.executor, 0x11, sizeof(x->says.executor));
	must(crypto_x25519_generate(&x->pair, &err), &err);
	memcpy(x->says.public_key, x->pair.public_key, sizeof(x->says.public_key));
	must(cas_nonce(p->cas, x->says.nonce, &err), &err);
	must(evidence_sign(&x->says, &p->launcher, &x->token, &err), &err);
	const struct cas_attestation a = attestation_of(x);
	must(cas_attest(p->cas, &a, &sealed, NULL, &err), &err);
	open_grant(x, &sealed);
	make_key(x);
}

static void stop(struct holder *x)
{
	provision_free(x->p->pool, x->grant);
	buf_done(&x->token);
	cert_key_free(x->key);
}

/* ---- questions */

/* As an executor seals it; the answer, opened. */
static int ask_raw(struct holder *x, const void *question, uint64_t number, struct buf *ret_plain,
                   struct error *err)
{
	uint8_t sealed[sizeof(struct owner_identity_request) + SEAL_OVERHEAD];
	cleanup_buf struct buf answer = {0};
	struct seal_session *session;
	const struct seal_id asked = owner_keeper_id(0, false, number),
			     answered = owner_keeper_id(0, true, number);
	const struct cas_attestation a = attestation_of(x);
	must(seal_session_new(x->grant->data_key, &session, err), err);
	must(seal_object(session, &asked, NULL, 0, question, sizeof(struct owner_identity_request), sealed,
	                 err),
	     err);
	int rc = cas_keeper_ask(x->p->cas, &a, sealed, sizeof(sealed), &answer, err);
	if (rc == 0) {
		const size_t size = answer.size - SEAL_OVERHEAD;
		must(seal_open(session, &answered, NULL, 0, answer.data, answer.size,
		               buf_reserve(ret_plain, size), size, err),
		     err);
	}
	seal_session_free(session);
	return rc;
}

static int try_certify(struct holder *x, struct cert **ret_cert, struct cert **ret_ca, struct error *err)
{
	cleanup_buf struct buf plain = {0};
	struct identity_answer a;
	struct cert *chain[CERT_CHAIN_MAX];
	size_t count;
	int rc = ask_raw(x, &x->question, x->number++, &plain, err);
	if (rc < 0)
		return rc;
	must(identity_answer_read(plain.data, plain.size, &a, err), err);
	assert_true(a.time_ns == x->p->now);
	assert_int_equal(a.life_s, HOUR);
	must(cert_read_pem(a.certificate, a.certificate_size, chain, &count, err), err);
	assert_int_equal(count, 1);
	*ret_cert = chain[0];
	must(cert_read_pem(a.ca, a.ca_size, chain, &count, err), err);
	assert_int_equal(count, 1);
	*ret_ca = chain[0];
	return 0;
}

static void certify(struct holder *x, struct cert **ret_cert, struct cert **ret_ca)
{
	struct error err;
	must(try_certify(x, ret_cert, ret_ca, &err), &err);
}

static void assert_none(struct holder *x, int code, const char *words)
{
	struct cert *cert, *ca;
	struct error err;
	assert_int_equal(try_certify(x, &cert, &ca, &err), code);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

static int check_at(const struct cert *cert, const struct cert *ca, uint64_t now_ns, const char *name,
                    enum cert_use use)
{
	const struct cert_name wanted = {CERT_URI, name};
	const struct cert_rule rule = {.now = (int64_t)(now_ns / SECOND),
	                               .use = use,
	                               .cas = &ca,
	                               .ca_count = 1,
	                               .name = &wanted};
	struct error err;
	int rc = cert_check(&cert, 1, &rule, &err);
	if (rc < 0)
		print_message("%s\n", err.text);
	return rc;
}

/* ---- what a certificate is */

static void test_certificate(void **state)
{
	static const char name[] = "cella://clinic/hospital/classify";
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cert_facts facts;
	char hash[CERT_KEY_HASH_SIZE];
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	assert_string_equal(x.grant->identity_path, "/identity");
	assert_true(x.grant->time_ns == NOON);
	certify(&x, &cert, &ca);
	must(cert_describe(cert, &facts, &err), &err);
	assert_int_equal(facts.not_before, NOON / SECOND - CAS_IDENTITY_BEFORE_S);
	assert_int_equal(facts.not_after, NOON / SECOND + HOUR);
	assert_string_equal(facts.common_name, "classify");
	assert_int_equal(facts.names.count, 1);
	assert_string_equal(cert_names_first(&facts.names, CERT_URI), name);
	assert_int_equal(check_at(cert, ca, p.now, name, CERT_FOR_CLIENT), 0);
	assert_int_equal(check_at(cert, ca, p.now, name, CERT_FOR_SERVER), 0);
	assert_int_equal(check_at(cert, ca, p.now + (HOUR - 1) * SECOND, name, CERT_FOR_CLIENT), 0);
	assert_int_equal(check_at(cert, ca, p.now + (HOUR + 1) * SECOND, name, CERT_FOR_CLIENT), CELLA_EAUTH);
	assert_int_equal(check_at(cert, ca, p.now - DAY * SECOND, name, CERT_FOR_CLIENT), CELLA_EAUTH);
	assert_int_equal(check_at(cert, ca, p.now, "cella://clinic/hospital/plain", CERT_FOR_CLIENT),
	                 CELLA_EAUTH);
	must(cert_key_hash(x.key, hash, &err), &err);
	assert_string_equal(facts.key_hash, hash);
	cert_free(cert);
	cert_free(ca);
	stop(&x);
	place_end(&p);
}

/* Each time it is another one, with what is left of the hour by the CAS's clock, wherever that has gone. */
static void test_renewal(void **state)
{
	static const int64_t later_s[] = {0, 1800, 86400, -86400};
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cert_facts facts;
	char serials[array_count(later_s)][sizeof(facts.serial)];
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	for (size_t i = 0; i < array_count(later_s); i++) {
		p.now = (uint64_t)((int64_t)NOON + later_s[i] * (int64_t)SECOND);
		certify(&x, &cert, &ca);
		must(cert_describe(cert, &facts, &err), &err);
		assert_int_equal(facts.not_after, (int64_t)(p.now / SECOND) + HOUR);
		memcpy(serials[i], facts.serial, sizeof(facts.serial));
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(serials[i], serials[k]);
		cert_free(cert);
		cert_free(ca);
	}
	stop(&x);
	place_end(&p);
}

/* ---- who gets none */

static void revoke_it(struct place *p, enum records_revoked kind, const void *what, size_t size)
{
	struct error err;
	must(cas_revoke(p->cas, &p->owner, kind, what, size, "test", &err), &err);
}

/* The same executor, before and after. */
static void test_revoked(void **state)
{
	static const struct {
		const char *what;
		enum records_revoked kind;
	} rows[] = {
		{"cell", RECORDS_REVOKED_CELL},
		{"builder", RECORDS_REVOKED_BUILDER},
		{"executor", RECORDS_REVOKED_EXECUTOR},
		{"launcher", RECORDS_REVOKED_LAS},
	};
	(void)state;
	for (size_t i = 0; i < array_count(rows); i++) {
		struct place p;
		struct holder x;
		struct cert *cert, *ca;
		place_begin(&p);
		put_hospital(&p);
		start(&p, &x, "classify");
		certify(&x, &cert, &ca); /* the control */
		cert_free(cert);
		cert_free(ca);
		const struct {
			const void *bytes;
			size_t size;
		} of[] = {{x.says.cell, sizeof(x.says.cell)},
		          {x.says.builder, sizeof(x.says.builder)},
		          {x.says.executor, sizeof(x.says.executor)},
		          {p.launcher.public_key, sizeof(p.launcher.public_key)}};
		print_message("%s\n", rows[i].what);
		revoke_it(&p, rows[i].kind, of[i].bytes, of[i].size);
		assert_none(&x, CELLA_EAUTH, "the CAS refused: the session's owner can see why");
		stop(&x);
		place_end(&p);
	}
}

/* It was judged before the revocation, and is certified after it. */
struct late {
	struct holder *x;
	bool revoke;
	int rc;
	struct error err;
};

static void judge_then_revoke(struct cas_desk *desk, void *arg)
{
	struct late *t = arg;
	const struct cas_attestation a = attestation_of(t->x);
	cleanup_buf struct buf answer = {0};
	struct judgement j;
	must(judge_begin(&j, desk, &a, false, &t->err), &t->err);
	assert_false(j.refused);
	if (t->revoke)
		revoke_it(t->x->p, RECORDS_REVOKED_CELL, t->x->says.cell, sizeof(t->x->says.cell));
	t->rc = cas_identity_issue(&j, &t->x->question, &answer, &t->err);
	assert_true(t->rc == 0 ? answer.size > 0 : answer.size == 0);
	judge_done(&j);
}

static void test_revoked_meanwhile(void **state)
{
	struct place p;
	struct holder x;
	struct late late = {.x = &x};
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	cas_at_desk(p.cas, judge_then_revoke, &late);
	must(late.rc, &late.err); /* the control */
	late.revoke = true;
	cas_at_desk(p.cas, judge_then_revoke, &late);
	assert_int_equal(late.rc, CELLA_EAUTH);
	assert_int_equal(place_in_log(&p, "\"serial\""), 1);
	stop(&x);
	place_end(&p);
}

static bool is_listed(struct place *p, const uint8_t serial[RECORDS_SERIAL_SIZE])
{
	cleanup_buf struct buf crl = {0};
	struct error err;
	must(cas_identity_crl(p->cas, &crl, &err), &err);
	return memmem(crl.data, crl.size, serial, RECORDS_SERIAL_SIZE);
}

/* Whoever checks may have a clock that is behind: for him a certificate that is over is valid still. */
static void test_revoked_and_over(void **state)
{
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cert_facts facts;
	uint8_t serial[RECORDS_SERIAL_SIZE];
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	certify(&x, &cert, &ca);
	must(cert_describe(cert, &facts, &err), &err);
	assert_true(io_unhex(facts.serial, sizeof(serial), serial));
	cert_free(cert);
	cert_free(ca);
	assert_false(is_listed(&p, serial));
	revoke_it(&p, RECORDS_REVOKED_CERTIFICATE, serial, sizeof(serial));
	assert_true(is_listed(&p, serial));
	p.now += (HOUR + CAS_IDENTITY_BEFORE_S) * SECOND;
	certify(&x, &cert, &ca); /* which drops what is over */
	cert_free(cert);
	cert_free(ca);
	assert_true(is_listed(&p, serial));
	p.now += CAS_CERTIFICATE_KEPT_S * SECOND;
	assert_false(is_listed(&p, serial));
	stop(&x);
	place_end(&p);
}

static void test_changed_session(void **state)
{
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cas_session_facts facts;
	cleanup_buf struct buf old = {0}, text = {0};
	char hash[2 * CRYPTO_SHA384_SIZE + 1];
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "plain");
	assert_string_equal(x.grant->identity_path, "");
	assert_none(&x, CELLA_EAUTH, "the session gives the service no identity");
	stop(&x);
	start(&p, &x, "classify");
	certify(&x, &cert, &ca);
	cert_free(cert);
	cert_free(ca);
	must(cas_session_read(p.cas, &p.owner, "clinic/hospital", &facts, &old, &err), &err);
	io_hex(facts.hash, sizeof(facts.hash), hash);
	buf_printf(&text, "name: clinic/hospital\nversion: \"0.1\"\npredecessor: %s\nservices:\n%s", hash,
	           SERVICE_OF("classify", ""));
	must(cas_session_put(p.cas, &p.owner, text.data, text.size, &facts, &err), &err);
	assert_none(&x, CELLA_EAUTH, "the session gives the service no identity");
	must(cas_session_remove(p.cas, &p.owner, "clinic/hospital", &err), &err);
	assert_none(&x, CELLA_EAUTH, "the CAS refused");
	stop(&x);
	place_end(&p);
}

/* What was recorded on the way and is sent again; what another executor has sealed; what is no key. */
static void test_questions(void **state)
{
	struct place p;
	struct holder x, y;
	cleanup_buf struct buf plain = {0};
	struct cert *cert, *ca;
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	start(&p, &y, "classify");
	certify(&x, &cert, &ca);
	cert_free(cert);
	cert_free(ca);
	assert_int_equal(ask_raw(&x, &x.question, 0, &plain, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "asked before"));
	uint8_t own[CRYPTO_KEY_SIZE];
	memcpy(own, x.grant->data_key, sizeof(own));
	memcpy(x.grant->data_key, y.grant->data_key, sizeof(own));
	assert_int_equal(ask_raw(&x, &x.question, 7, &plain, &err), CELLA_EAUTH);
	memcpy(x.grant->data_key, own, sizeof(own));
	assert_int_equal(ask_raw(&x, &x.question, 8, &plain, &err), 0);
	struct owner_identity_request bad = x.question;
	bad.public_key[30] ^= 1; /* no point of the curve */
	assert_true(ask_raw(&x, &bad, 9, &plain, &err) < 0);
	bad = x.question;
	bad.public_size--;
	bad.public_key[bad.public_size] = 0;
	assert_int_equal(ask_raw(&x, &bad, 10, &plain, &err), CELLA_EFORMAT);
	bad.public_size = 0;
	assert_int_equal(ask_raw(&x, &bad, 11, &plain, &err), CELLA_EFORMAT);
	stop(&x);
	stop(&y);
	place_end(&p);
}

/* ---- cells that ask, each by what TLS has told of its certificate */

struct taken {
	size_t count, size;
};

static void take_secret(void *arg, const void *data, size_t size)
{
	struct taken *t = arg;
	assert_non_null(data);
	t->count++;
	t->size = size;
}

/* As the owner's key, too, which is of no use to a cell. */
static struct cas_requester cell_of(const struct place *p, const struct cert_facts *facts)
{
	struct cas_requester who = p->owner;
	who.identity = cert_names_first(&facts->names, CERT_URI);
	who.serial = facts->serial;
	who.not_after = facts->not_after;
	return who;
}

static void assert_reads(struct place *p, const struct cas_requester *who, int code)
{
	struct taken taken = {0};
	struct error err;
	int rc = cas_secret_read(p->cas, who, "clinic/hospital", "token", take_secret, &taken, &err);
	if (rc != code)
		fail_msg("%d: %s", rc, rc < 0 ? err.text : "it reads");
	assert_int_equal(taken.count, code == 0);
	assert_int_equal(taken.size, code == 0 ? 12 : 0);
}

static void test_requesters(void **state)
{
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cert_facts facts;
	struct error err;
	(void)state;
	place_begin(&p);
	put(&p,
	    "name: clinic/hospital\nversion: \"0.1\"\nsecrets: [{name: token, kind: ascii, size: 12}]\n"
	    "services:\n" SERVICE_OF(
		    "classify",
		    "    identity: /identity\n") "access_policy:\n  read: [CREATOR, \"cella://clinic/hospital/classify\"]\n");
	start(&p, &x, "classify");
	certify(&x, &cert, &ca);
	must(cert_describe(cert, &facts, &err), &err);
	cert_free(cert);
	cert_free(ca);
	const struct cas_requester good = cell_of(&p, &facts);
	struct cas_requester who = good;
	assert_reads(&p, &who, 0);
	assert_reads(&p, &p.owner, CELLA_EPERM); /* who may read the session, and is no cell */
	p.now += HOUR * SECOND; /* the last second */
	assert_reads(&p, &who, 0);
	p.now += SECOND; /* on a connection that was made in time */
	assert_reads(&p, &who, CELLA_EPERM);
	p.now = NOON;
	assert_reads(&p, &who, 0);
	who.identity = "cella://clinic/hospital/other";
	assert_reads(&p, &who, CELLA_EPERM);
	who = good;
	who.not_after++;
	assert_reads(&p, &who, CELLA_EPERM);
	who = good;
	who.serial = "41414141414141414141414141414141";
	assert_reads(&p, &who, CELLA_EPERM);
	who.serial = "4141";
	assert_reads(&p, &who, CELLA_EPERM);
	who = good;
	assert_false(cas_is_owner(p.cas, &who));
	assert_true(cas_is_owner(p.cas, &p.owner));
	uint8_t serial[RECORDS_SERIAL_SIZE];
	assert_true(io_unhex(facts.serial, sizeof(serial), serial));
	revoke_it(&p, RECORDS_REVOKED_CERTIFICATE, serial, sizeof(serial));
	assert_reads(&p, &who, CELLA_EPERM);
	stop(&x);
	place_end(&p);
}

/* ---- what is kept */

static int count_one(void *arg, uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE],
                     struct error *err)
{
	size_t *count = arg;
	(void)not_after_s;
	(void)serial;
	(void)err;
	++*count;
	return 0;
}

static size_t certificates(struct place *p)
{
	size_t count = 0;
	struct error err;
	must(records_certificate_list(cas_records_lock(p->cas), count_one, &count, &err), &err);
	cas_records_unlock(p->cas);
	return count;
}

static void test_records(void **state)
{
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	struct cert_facts facts;
	struct records_certificate kept;
	uint8_t serial[RECORDS_SERIAL_SIZE];
	struct error err;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	certify(&x, &cert, &ca);
	must(cert_describe(cert, &facts, &err), &err);
	assert_true(io_unhex(facts.serial, sizeof(serial), serial));
	must(records_certificate_get(cas_records_lock(p.cas), (uint64_t)facts.not_after, serial, &kept, &err),
	     &err);
	cas_records_unlock(p.cas);
	assert_string_equal(kept.name, "cella://clinic/hospital/classify");
	assert_memory_equal(kept.cell, x.says.cell, sizeof(kept.cell));
	assert_memory_equal(kept.builder, x.says.builder, sizeof(kept.builder));
	assert_memory_equal(kept.executor, x.says.executor, sizeof(kept.executor));
	assert_memory_equal(kept.launcher, p.launcher.public_key, sizeof(kept.launcher));
	assert_true(kept.issued_ns == NOON);
	cert_free(cert);
	cert_free(ca);
	for (int i = 0; i < 9; i++) {
		certify(&x, &cert, &ca);
		cert_free(cert);
		cert_free(ca);
	}
	assert_int_equal(certificates(&p), 10);
	/* What is over goes, some with each that is new. */
	p.now += (HOUR + CAS_CERTIFICATE_KEPT_S + 1) * SECOND;
	for (int i = 0; i < 3; i++) {
		certify(&x, &cert, &ca);
		cert_free(cert);
		cert_free(ca);
	}
	assert_int_equal(certificates(&p), 3);
	stop(&x);
	place_end(&p);
}

static void key_hash_of(const struct cert *cert, char ret_hash[CERT_KEY_HASH_SIZE])
{
	struct cert_facts facts;
	struct error err;
	must(cert_describe(cert, &facts, &err), &err);
	memcpy(ret_hash, facts.key_hash, sizeof(facts.key_hash));
}

struct order {
	size_t ca; /* entries about the CA before the rotation */
	bool rotated;
};

static int look_for_order(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	static const char ca[] = "the CA of cells' identities";
	struct order *o = arg;
	struct audit_entry e;
	(void)number;
	must(audit_entry_decode(data, size, &e, err), err);
	o->rotated = o->rotated || e.kind == AUDIT_MASTER_ROTATED;
	o->ca += !o->rotated && memmem(e.what, e.what_size, ca, strlen(ca));
	return 0;
}

/* Made, and gone before there is another master key: whatever ends a rotation in its middle, the CA that who
 * has seen the old one may have does not stay. */
static void assert_gone_first(struct place *p)
{
	struct order o = {0};
	struct error err;
	const struct cas_storage *storage = records_storage(cas_records_lock(p->cas));
	must(storage->log_each(storage->data, 1, look_for_order, &o, &err), &err);
	cas_records_unlock(p->cas);
	assert_true(o.rotated);
	assert_int_equal(o.ca, 2);
}

static void rotate(struct place *p)
{
	const struct upkeep rotation = {.task = "rotate",
	                                .records = {.directory = p->cas_directory,
	                                            .sealing = p->config.sealing,
	                                            .now_ns = p->now,
	                                            .who = "test"}};
	struct error err;
	cas_close(p->cas);
	must(upkeep_run(&rotation, &err), &err);
	must(cas_open(&p->config, &p->cas, &err), &err);
}

/* The CA outlives the process, and not a rotation: who may have the master key may have its key. What it has
 * certified is listed as long as it counts. */
static void test_ca(void **state)
{
	enum { CERTIFIED = 6 };
	struct place p;
	struct holder x;
	struct cert *cert, *ca;
	char first[CERT_KEY_HASH_SIZE], then[CERT_KEY_HASH_SIZE], pin[CERT_KEY_HASH_SIZE];
	struct error err;
	(void)state;
	place_begin(&p);
	key_hash_of(cas_identity_ca(p.cas), first);
	memcpy(pin, cas_key_hash(p.cas), sizeof(pin));
	assert_string_not_equal(first, pin);
	cas_close(p.cas);
	must(cas_open(&p.config, &p.cas, &err), &err);
	key_hash_of(cas_identity_ca(p.cas), then);
	assert_string_equal(first, then);
	put_hospital(&p);
	start(&p, &x, "classify");
	for (int i = 0; i < CERTIFIED; i++) {
		certify(&x, &cert, &ca);
		cert_free(cert);
		cert_free(ca);
	}
	stop(&x);
	assert_int_equal(certificates(&p), CERTIFIED);
	rotate(&p);
	key_hash_of(cas_identity_ca(p.cas), then);
	assert_string_not_equal(first, then);
	assert_int_equal(certificates(&p), 0);
	assert_string_equal(cas_key_hash(p.cas), pin); /* which clients have pinned */
	assert_gone_first(&p);
	rotate(&p); /* and again, where there is a new one */
	place_end(&p);
}

/* So may he have what grants' data keys come from: with it, and with evidence that he has seen, he would be
 * that executor to the root keeper and to the CA. */
static void test_rotated_questions(void **state)
{
	struct place p;
	struct holder x, y;
	struct cert *cert, *ca;
	(void)state;
	place_begin(&p);
	put_hospital(&p);
	start(&p, &x, "classify");
	place_again(&p);
	certify(&x, &cert, &ca); /* the control */
	cert_free(cert);
	cert_free(ca);
	rotate(&p);
	assert_none(&x, CELLA_EAUTH, "");
	start(&p, &y, "classify");
	certify(&y, &cert, &ca);
	cert_free(cert);
	cert_free(ca);
	stop(&y);
	stop(&x);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_certificate),
		cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_revoked),
		cmocka_unit_test(test_revoked_meanwhile),
		cmocka_unit_test(test_revoked_and_over),
		cmocka_unit_test(test_changed_session),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_ca),
		cmocka_unit_test(test_rotated_questions),
		cmocka_unit_test(test_requesters),
	};
	return cmocka_run_group_tests_name("cas_identity", tests, cas_start_ordinary, NULL);
}
