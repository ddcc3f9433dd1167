/*
 * Launchers whose machines' hardware endorses them, by makers of our own. Is one that nobody has enrolled
 * given keys exactly where its evidence shows all that a session demands; is every requirement that fails
 * named to the owner; is nothing worth anything that is stale, replayed, another launcher's, another class's,
 * or of a guest that may be debugged; does collateral count from the moment it is there?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/endorsement_format.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/collateral.h"
#include "cas/endorse.h"
#include "cas/parties.h"
#include "cas_place.h"
#include "dcap_support.h"
#include "snp_support.h"

enum { AT_POLICY = 0x08, AT_REPORT_DATA = 0x50, AT_MEASUREMENT = 0x90, DEBUG_BYTE = 2, DEBUG_BIT = 1 << 3 };
static const uint64_t SECOND = 1000000000;
#define ZEROS \
	"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

static struct maker_shape shape;
static struct maker_files snp;
static struct dcap_files td;
static struct vendor_root roots[2];

/* ---- a node */

struct node {
	struct crypto_signer launcher;
	uint8_t nonce[CAS_NONCE_SIZE];
};

static void node_begin(struct place *p, struct node *n)
{
	struct error err;
	must(crypto_signer_generate(&n->launcher, &err), &err);
	must(cas_nonce(p->cas, n->nonce, &err), &err);
}

/* What a guest asks its processor for. */
static void ask_processor(const uint8_t launcher[32], const uint8_t nonce[32])
{
	struct error err;
	must(endorsement_report_data(launcher, nonce, snp.report.data + AT_REPORT_DATA, &err), &err);
	maker_sign(&snp);
}

static void encode(const struct crypto_signer *launcher, const uint8_t nonce[32], struct buf *ret)
{
	struct error err;
	struct endorsement e = {.kind = TEE_SNP,
	                        .evidence = {snp.report.data, snp.report.size, NULL},
	                        .certs = {{snp.leaf.data, snp.leaf.size, NULL},
	                                  {snp.ca.data, snp.ca.size, NULL},
	                                  {snp.root.data, snp.root.size, NULL}},
	                        .cert_count = 3};
	memcpy(e.launcher, launcher->public_key, sizeof(e.launcher));
	memcpy(e.nonce, nonce, sizeof(e.nonce));
	must(endorsement_encode(&e, launcher, ret, &err), &err);
}

static int send(struct place *p, const struct buf *bytes, const char *session, struct error *err)
{
	const struct cas_endorsing e = {.session = session,
	                                .service = *session ? "s" : "",
	                                .endorsement = bytes->data,
	                                .size = bytes->size,
	                                .peer = "192.0.2.7"};
	return cas_endorse(p->cas, &e, err);
}

static int endorse(struct place *p, const struct node *n, const char *session)
{
	cleanup_buf struct buf bytes = {0};
	struct error err;
	ask_processor(n->launcher.public_key, n->nonce);
	encode(&n->launcher, n->nonce, &bytes);
	int rc = send(p, &bytes, session, &err);
	if (rc < 0 && rc != CELLA_EAUTH)
		fail_msg("%s", err.text);
	return rc;
}

static void renew(struct place *p, struct node *n, const char *session)
{
	struct error err;
	must(cas_nonce(p->cas, n->nonce, &err), &err);
	assert_int_equal(endorse(p, n, session), 0);
}

static int attest(struct place *p, const struct node *n, const char *session)
{
	cleanup_buf struct buf grant = {0};
	struct executor x;
	place_start(p, &x);
	return place_ask_as(p, &n->launcher, &x, session, "s", &grant);
}

static void assert_granted(struct place *p, const struct node *n, const char *session)
{
	if (attest(p, n, session) != 0) {
		place_assert_reason(p, session, "(accepted)");
		fail_msg("refused");
	}
}

static void assert_refused(struct place *p, const struct node *n, const char *session, const char *words)
{
	assert_int_equal(attest(p, n, session), CELLA_EAUTH);
	place_assert_reason(p, session, words);
}

/* A session that demands this of the machine, of any cell. */
static void demand(struct place *p, const char *name, const char *machine)
{
	cleanup_buf struct buf text = {0};
	buf_printf(&text,
	           "name: %s\nversion: \"0.1\"\nservices:\n  - name: s\n    command: [x]\n    attestation:\n"
	           "      - {memory_level: secret, machine: %s}\n",
	           name, machine);
	buf_put_u8(&text, 0);
	place_put(p, (const char *)text.data);
}

static char pinned[400], measurement[97];

static void begin(struct place *p)
{
	place_begin_at(p, (uint64_t)MAKER_TIME * SECOND, roots, 2);
	memset(snp.report.data + AT_POLICY + DEBUG_BYTE, snp.report.data[AT_POLICY + DEBUG_BYTE] & ~DEBUG_BIT,
	       1);
}

static void enrol(struct place *p, const struct node *n)
{
	struct error err;
	must(cas_party_add(p->cas, &p->owner, RECORDS_LAS, n->launcher.public_key, "node", &err), &err);
}

/* ---- who is accepted */

static void test_nobody_enrolled_it(void **state)
{
	struct place p;
	struct node n;
	(void)state;
	begin(&p);
	demand(&p, "a", pinned);
	node_begin(&p, &n);
	assert_refused(&p, &n, "a",
	               "machine.snp.endorsement: wanted one of the launcher's key, by this class");
	place_assert_reason(&p, "a", "las: wanted one that is enrolled, or whose hardware shows");
	assert_int_equal(endorse(&p, &n, "a"), 0);
	assert_granted(&p, &n, "a");
	assert_int_equal(place_in_log(&p, "\"machine\":\"snp\",\"evidence\":\""), 1);
	/* It outlives the CAS. */
	place_again(&p);
	assert_granted(&p, &n, "a");
	/* The owner sees it, and takes it away. */
	struct error err;
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_LAS, n.launcher.public_key, 32, "gone", &err), &err);
	assert_refused(&p, &n, "a", "las: wanted one that is not revoked");
	must(cas_nonce(p.cas, n.nonce, &err), &err);
	assert_int_equal(endorse(&p, &n, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "las: wanted one that is not revoked");
	place_end(&p);
}

/* The CAS's clock was a day ahead for a while: what was endorsed then is of no use, and in nobody's way. */
static void test_clock_that_was_ahead(void **state)
{
	struct place p;
	struct node n;
	(void)state;
	begin(&p);
	demand(&p, "a", pinned);
	p.now += 86400 * SECOND;
	node_begin(&p, &n);
	assert_int_equal(endorse(&p, &n, "a"), 0);
	assert_granted(&p, &n, "a");
	p.now -= 86400 * SECOND;
	assert_refused(&p, &n, "a", "endorsement.age: wanted");
	assert_int_equal(endorse(&p, &n, "a"), CELLA_EAUTH); /* as it was */
	renew(&p, &n, "a");
	assert_granted(&p, &n, "a");
	place_end(&p);
}

/* ---- room */

/* As many as are kept, of launchers that nobody has enrolled and that are gone. */
static int fill_room(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct records_endorsement gone = {.time_ns = 1, .data = "gone", .size = 4};
	uint8_t launcher[RECORDS_KEY_SIZE] = {0};
	int rc = 0;
	(void)arg;
	event->kind = AUDIT_ENDORSED;
	for (unsigned i = 0; rc == 0 && records_count(r, RECORDS_ENDORSEMENT) < ENDORSE_LAUNCHERS_MAX; i++) {
		memcpy(launcher, &i, sizeof(i));
		rc = records_endorsement_put(r, launcher, TEE_SNP, &gone, err);
	}
	return rc;
}

static size_t endorsed(struct place *p)
{
	size_t count = records_count(cas_records_lock(p->cas), RECORDS_ENDORSEMENT);
	cas_records_unlock(p->cas);
	return count;
}

/* Launchers come and go, and nobody removes those that nobody enrolled: they shut nobody out. */
static void test_room(void **state)
{
	struct place p;
	struct node old, n;
	struct error err;
	struct cas_change fill = {.make = fill_room};
	(void)state;
	begin(&p);
	demand(&p, "a", pinned);
	node_begin(&p, &old);
	enrol(&p, &old);
	assert_int_equal(endorse(&p, &old, "a"), 0);
	must(cas_commit(p.cas, &fill, &err), &err);
	assert_int_equal(endorsed(&p), ENDORSE_LAUNCHERS_MAX);
	for (int i = 0; i < 20; i++) {
		node_begin(&p, &n);
		assert_int_equal(endorse(&p, &n, "a"), 0);
		assert_granted(&p, &n, "a");
	}
	assert_int_equal(endorsed(&p), ENDORSE_LAUNCHERS_MAX);
	assert_granted(&p, &old, "a"); /* which is enrolled */
	/* What is revoked takes no room. */
	must(cas_revoke(p.cas, &p.owner, RECORDS_REVOKED_LAS, n.launcher.public_key, 32, "gone", &err), &err);
	assert_int_equal(endorsed(&p), ENDORSE_LAUNCHERS_MAX - 1);
	place_end(&p);
}

/* Of a launcher that is enrolled the class alone will do; of another never. */
static void test_a_class_by_its_name(void **state)
{
	struct place p;
	struct node n, stranger;
	(void)state;
	begin(&p);
	demand(&p, "a", "snp");
	demand(&p, "open", "{snp: {minimum_tcb: {snp: 1}}}");
	node_begin(&p, &n);
	node_begin(&p, &stranger);
	enrol(&p, &n);
	assert_refused(&p, &n, "a", "machine: wanted snp, found soft");
	assert_int_equal(endorse(&p, &n, ""), 0);
	assert_granted(&p, &n, "a");
	assert_granted(&p, &n, "open");
	/* What is of no use is not kept. */
	assert_int_equal(endorse(&p, &stranger, ""), CELLA_EAUTH);
	assert_int_equal(endorse(&p, &stranger, "a"), CELLA_EAUTH);
	assert_int_equal(endorse(&p, &stranger, "open"), CELLA_EAUTH);
	place_assert_reason(&p, "open",
	                    "las: wanted one that is enrolled, or whose hardware shows what a service");
	assert_refused(&p, &stranger, "a", "las: wanted one that is enrolled, found");
	struct records *r = cas_records_lock(p.cas);
	assert_int_equal(records_count(r, RECORDS_ENDORSEMENT), 1);
	cas_records_unlock(p.cas);
	/* Removed, it loses what hardware has said. */
	struct error err;
	must(cas_party_remove(p.cas, &p.owner, RECORDS_LAS, n.launcher.public_key, &err), &err);
	r = cas_records_lock(p.cas);
	assert_int_equal(records_count(r, RECORDS_ENDORSEMENT), 0);
	cas_records_unlock(p.cas);
	place_end(&p);
}

/* A launcher's own word is worth nothing. */
static void test_a_launcher_that_lies(void **state)
{
	struct place p;
	struct executor x;
	(void)state;
	begin(&p);
	demand(&p, "a", "snp");
	place_start(&p, &x);
	snprintf(x.says.machine, sizeof(x.says.machine), "snp");
	place_assert_refused(&p, &x, "a", "machine.snp.endorsement: wanted");
	place_end(&p);
}

static void test_each_requirement(void **state)
{
	static const struct {
		const char *requirements, *words; /* NULL: accepted */
	} cases[] = {
		{"minimum_tcb: {snp: 1}", NULL},
		{"minimum_tcb: {microcode: 255}",
	         "machine.snp.minimum.reported.microcode: wanted 255 or more, found "},
		{"minimum_launch_tcb: {snp: 255}", "machine.snp.minimum.launch.snp: wanted 255 or more"},
		{"host_data: "
	         "0000000000000000000000000000000000000000000000000000000000000001",
	         "machine.snp.host_data: wanted 00000000"},
		{"minimum_guest_svn: 4294967295", "machine.snp.minimum.guest_svn: wanted 4294967295 or more"},
		{"product: Turin", "machine.snp.product: wanted Turin, found Milan"},
		{"signing_key: vlek", "machine.snp.signing_key: wanted VLEK, found VCEK"},
		{"crl: required", "machine.snp.certificate.crl: wanted"},
		{"product: [Genoa, Turin], signing_key: vlek", "machine.snp.signing_key: wanted VLEK"},
	};
	struct place p;
	struct node n;
	(void)state;
	begin(&p);
	node_begin(&p, &n);
	enrol(&p, &n);
	assert_int_equal(endorse(&p, &n, ""), 0);
	for (size_t i = 0; i < array_count(cases); i++) {
		char name[20];
		cleanup_buf struct buf machine = {0};
		snprintf(name, sizeof(name), "s%zu", i);
		buf_printf(&machine, "{snp: {measurement: %s, %s}}", measurement, cases[i].requirements);
		buf_put_u8(&machine, 0);
		demand(&p, name, (const char *)machine.data);
		print_message("%s\n", cases[i].requirements);
		if (cases[i].words)
			assert_refused(&p, &n, name, cases[i].words);
		else
			assert_granted(&p, &n, name);
	}
	demand(&p, "other", "{snp: {measurement: [" ZEROS "]}}");
	assert_refused(&p, &n, "other", "machine.snp.measurement: wanted 0000");
	place_end(&p);
}

/* Refused unless it is allowed in so many words, and then only where an owner vouches. */
static void test_a_guest_that_may_be_debugged(void **state)
{
	struct place p;
	struct node n, stranger;
	char allowed[500];
	(void)state;
	begin(&p);
	snprintf(allowed, sizeof(allowed), "{snp: {measurement: %s, guest_policy: {debug: any}}}",
	         measurement);
	demand(&p, "a", pinned);
	demand(&p, "allowed", allowed);
	node_begin(&p, &n);
	node_begin(&p, &stranger);
	enrol(&p, &n);
	snp.report.data[AT_POLICY + DEBUG_BYTE] |= DEBUG_BIT;
	assert_int_equal(endorse(&p, &n, ""), CELLA_EAUTH);
	assert_int_equal(endorse(&p, &stranger, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "machine.snp.policy.debug: wanted not so");
	assert_int_equal(endorse(&p, &n, "allowed"), 0);
	assert_int_equal(endorse(&p, &stranger, "allowed"), CELLA_EAUTH);
	assert_refused(&p, &n, "a", "machine.snp.policy.debug: wanted not so");
	assert_granted(&p, &n, "allowed");
	assert_refused(&p, &stranger, "allowed", "las: wanted one that is enrolled");
	place_end(&p);
}

/* ---- time */

static void test_age(void **state)
{
	struct place p;
	struct node n;
	char hours[500];
	(void)state;
	begin(&p);
	snprintf(hours, sizeof(hours), "{snp: {measurement: %s, max_age: 2h}}", measurement);
	demand(&p, "a", pinned);
	demand(&p, "hours", hours);
	node_begin(&p, &n);
	assert_int_equal(endorse(&p, &n, "a"), 0);
	p.now += 3600 * SECOND;
	assert_granted(&p, &n, "a");
	p.now += SECOND;
	assert_refused(&p, &n, "a", "machine.snp.endorsement.age: wanted 3600 s or less, found 3601 s");
	assert_granted(&p, &n, "hours");
	renew(&p, &n, "a");
	assert_granted(&p, &n, "a");
	p.now += 7201 * SECOND;
	assert_refused(&p, &n, "hours", "machine.snp.endorsement.age: wanted 7200 s or less, found 7201 s");
	/* A clock that went back makes nothing younger. */
	p.now -= 8000 * SECOND;
	assert_refused(&p, &n, "hours", "endorsement.age: wanted 7200 s or less, found -799 s");
	place_end(&p);
}

/* What was sent once is as old as its nonce, however often it is sent. */
static void test_sent_again(void **state)
{
	struct place p;
	struct node n;
	cleanup_buf struct buf bytes = {0};
	struct error err;
	(void)state;
	begin(&p);
	demand(&p, "a", pinned);
	node_begin(&p, &n);
	ask_processor(n.launcher.public_key, n.nonce);
	encode(&n.launcher, n.nonce, &bytes);
	p.now += 500 * SECOND;
	assert_int_equal(send(&p, &bytes, "a", &err), 0);
	p.now += 100 * SECOND;
	assert_int_equal(send(&p, &bytes, "a", &err), 0);
	assert_int_equal(place_in_log(&p, "\"machine\":\"snp\",\"evidence\":\""), 1);
	p.now += 3001 * SECOND; /* 3,601 behind the nonce */
	assert_refused(&p, &n, "a", "endorsement.age: wanted 3600 s or less, found 3601 s");
	assert_int_equal(send(&p, &bytes, "a", &err), CELLA_EAUTH);
	place_assert_reason(&p, "a", "nonce: wanted one of the last 600 s, found one of 3601 s ago");
	/* An older one does not take the place of a younger one. */
	uint8_t first[CAS_NONCE_SIZE];
	must(cas_nonce(p.cas, first, &err), &err);
	p.now += 10 * SECOND;
	renew(&p, &n, "a");
	memcpy(n.nonce, first, sizeof(first));
	assert_int_equal(endorse(&p, &n, "a"), 0);
	p.now += 3600 * SECOND;
	assert_granted(&p, &n, "a");
	place_end(&p);
}

/* ---- what is not what it says */

static void test_false_ones(void **state)
{
	struct place p, q;
	struct node n, other;
	struct error err;
	uint8_t nonce[CAS_NONCE_SIZE];
	(void)state;
	begin(&p);
	begin(&q);
	demand(&p, "a", pinned);
	node_begin(&p, &n);
	node_begin(&p, &other);
	cleanup_buf struct buf bytes = {0};
	/* Evidence of one launcher, sent for another. */
	ask_processor(n.launcher.public_key, n.nonce);
	encode(&other.launcher, n.nonce, &bytes);
	assert_int_equal(send(&p, &bytes, "a", &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "cella session explain a/s"));
	place_assert_reason(&p, "a", "machine.snp.report_data: wanted ");
	/* Evidence for another's launcher, by somebody who has such hardware, and not its key. */
	struct node thief = n;
	memcpy(thief.launcher.private_key, other.launcher.private_key, sizeof(thief.launcher.private_key));
	assert_int_equal(endorse(&p, &thief, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "signature: wanted the launcher's under its endorsement");
	/* Another nonce than the evidence is over. */
	must(cas_nonce(p.cas, nonce, &err), &err);
	bytes.size = 0;
	encode(&n.launcher, nonce, &bytes);
	assert_int_equal(send(&p, &bytes, "a", &err), CELLA_EAUTH);
	place_assert_reason(&p, "a", "machine.snp.report_data: wanted ");
	/* A nonce of another CAS, of an earlier run, and one that is no one's. */
	must(cas_nonce(q.cas, n.nonce, &err), &err);
	assert_int_equal(endorse(&p, &n, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "nonce: wanted one of this CAS since it was started");
	must(cas_nonce(p.cas, n.nonce, &err), &err);
	place_again(&p);
	assert_int_equal(endorse(&p, &n, "a"), CELLA_EAUTH);
	memset(n.nonce, 0, sizeof(n.nonce));
	assert_int_equal(endorse(&p, &n, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "nonce: wanted one of this CAS since it was started");
	/* A key that nobody can have. */
	struct node nobody = n;
	memset(nobody.launcher.public_key, 0, sizeof(nobody.launcher.public_key));
	must(cas_nonce(p.cas, nobody.nonce, &err), &err);
	assert_int_equal(endorse(&p, &nobody, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "las: wanted a key that a launcher can have made");
	/* Another's signature under the report. */
	must(cas_nonce(p.cas, n.nonce, &err), &err);
	ask_processor(n.launcher.public_key, n.nonce);
	snp.report.data[AT_MEASUREMENT] ^= 1;
	bytes.size = 0;
	encode(&n.launcher, n.nonce, &bytes);
	snp.report.data[AT_MEASUREMENT] ^= 1;
	assert_int_equal(send(&p, &bytes, "a", &err), CELLA_EAUTH);
	place_assert_reason(&p, "a", "machine.snp.signature: wanted");
	struct records *r = cas_records_lock(p.cas);
	assert_int_equal(records_count(r, RECORDS_ENDORSEMENT), 0);
	cas_records_unlock(p.cas);
	/* And as a control: right, it is taken. */
	assert_int_equal(endorse(&p, &n, "a"), 0);
	assert_granted(&p, &n, "a");
	place_end(&q);
	place_end(&p);
}

/* Whatever is cut or changed in it is refused, in order. */
static void test_damaged(void **state)
{
	struct place p;
	struct node n;
	struct error err;
	cleanup_buf struct buf bytes = {0};
	(void)state;
	begin(&p);
	demand(&p, "a", pinned);
	node_begin(&p, &n);
	ask_processor(n.launcher.public_key, n.nonce);
	encode(&n.launcher, n.nonce, &bytes);
	const size_t whole = bytes.size;
	for (bytes.size = 0; bytes.size < whole; bytes.size += 61)
		assert_int_equal(send(&p, &bytes, "a", &err), CELLA_EFORMAT);
	bytes.size = whole;
	for (size_t i = 0; i < whole; i += 17) {
		bytes.data[i] ^= 0x10;
		const int rc = send(&p, &bytes, "a", &err);
		assert_true(rc == CELLA_EFORMAT || rc == CELLA_EAUTH);
		bytes.data[i] ^= 0x10;
	}
	/* Of no session that there is: the same answer, and nothing of it is kept. */
	assert_int_equal(send(&p, &bytes, "nothing", &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "cella session explain nothing/s"));
	place_end(&p);
}

/* ---- other classes, and collateral */

static int add_all(struct place *p, const struct tee_blob *blobs, size_t count)
{
	struct error err;
	int64_t ends = 0;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = cas_collateral_add(p->cas, &p->owner, TEE_TDX, "intel's", blobs[i].data, blobs[i].size,
		                        &ends, &err);
		if (rc == 0)
			assert_in_range(ends, MAKER_TIME, INT64_MAX - 1);
	}
	return rc;
}

/* A TD's quote over the launcher's key and a nonce of now. */
static int endorse_td(struct place *p, const struct node *n, const char *session)
{
	struct error err;
	uint8_t report_data[64];
	cleanup_buf struct buf bytes = {0};
	struct dcap_shape again = dcap_shape(true, 4);
	struct endorsement e = {.kind = TEE_TDX};
	must(cas_nonce(p->cas, e.nonce, &err), &err);
	memcpy(e.launcher, n->launcher.public_key, sizeof(e.launcher));
	must(endorsement_report_data(e.launcher, e.nonce, report_data, &err), &err);
	again.report_data = report_data;
	dcap_quote_again(&again, &td);
	e.evidence = (struct tee_blob){td.quote.data, td.quote.size, NULL};
	must(endorsement_encode(&e, &n->launcher, &bytes, &err), &err);
	return send(p, &bytes, session, &err);
}

static void test_a_td_wants_collateral(void **state)
{
	struct place p;
	struct node n;
	(void)state;
	begin(&p);
	demand(&p, "a", "tdx");
	demand(&p, "other", "{tdx: {mr_td: " ZEROS "}}");
	node_begin(&p, &n);
	enrol(&p, &n);
	assert_int_equal(endorse_td(&p, &n, "a"), CELLA_EAUTH);
	place_assert_reason(&p, "a", "machine.tdx.tcb_info.signature: wanted");
	assert_int_equal(add_all(&p, td.collateral, 4), 0);
	assert_int_equal(add_all(&p, td.certs, 2), 0);
	assert_int_equal(endorse_td(&p, &n, "a"), 0);
	assert_granted(&p, &n, "a");
	assert_refused(&p, &n, "other", "machine.tdx.td.mr_td: wanted 0000");
	/* Evidence of another class is none of this one; each has its own. */
	struct node m;
	node_begin(&p, &m);
	enrol(&p, &m);
	assert_int_equal(endorse(&p, &m, ""), 0);
	assert_refused(&p, &m, "a", "machine.tdx.endorsement: wanted one of the launcher's key");
	assert_int_equal(endorse_td(&p, &m, ""), 0);
	assert_granted(&p, &m, "a");
	place_end(&p);
}

static int collect(void *arg, const struct cas_collateral *c, struct error *err)
{
	struct cas_collateral *to = arg;
	(void)err;
	*to = *c;
	return 0;
}

/* A CRL counts from the moment it is there, also for what was accepted a moment before. */
static void test_collateral_counts_at_once(void **state)
{
	struct place p;
	struct node n;
	struct error err;
	struct cas_collateral held = {0};
	int64_t ends = 0;
	cleanup_buf struct buf good = {0}, bad = {0};
	const struct maker_crl revokes_none = {.this_update = MAKER_TIME - 60,
	                                       .next_update = MAKER_TIME + 600},
			       revokes = {.revokes_ca = true,
	                                  .this_update = MAKER_TIME - 60,
	                                  .next_update = MAKER_TIME + 600};
	(void)state;
	begin(&p);
	maker_make_crl(&shape, &revokes_none, &good);
	maker_make_crl(&shape, &revokes, &bad);
	demand(&p, "a", pinned);
	node_begin(&p, &n);
	assert_int_equal(endorse(&p, &n, "a"), 0);
	assert_granted(&p, &n, "a");
	must(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "crl", good.data, good.size, &ends, &err), &err);
	assert_int_equal(ends, MAKER_TIME + 600);
	assert_granted(&p, &n, "a");
	assert_int_equal(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "crl", good.data, good.size, &ends,
	                                    &err),
	                 CELLA_EEXIST);
	must(cas_collateral_list(p.cas, &p.owner, collect, &held, &err), &err);
	assert_int_equal(held.ends, MAKER_TIME + 600);
	must(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "new crl", bad.data, bad.size, &ends, &err), &err);
	assert_refused(&p, &n, "a", "machine.snp.certificate.");
	/* Behind its end it vouches for nothing. */
	must(cas_collateral_remove(p.cas, &p.owner, TEE_SNP, held.hash, &err), &err);
	must(cas_collateral_list(p.cas, &p.owner, collect, &held, &err), &err);
	must(cas_collateral_remove(p.cas, &p.owner, TEE_SNP, held.hash, &err), &err);
	assert_granted(&p, &n, "a");
	must(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "crl", good.data, good.size, &ends, &err), &err);
	assert_granted(&p, &n, "a");
	p.now += 601 * SECOND;
	assert_refused(&p, &n, "a", "machine.snp.certificate.crl: wanted");
	assert_int_equal(place_in_log(&p, "\"tee\":\"snp\""), 5);
	place_end(&p);
}

static void test_collateral_that_is_none(void **state)
{
	struct place p;
	struct error err;
	int64_t ends;
	struct cas_requester nobody = {.address = "192.0.2.9"};
	(void)state;
	begin(&p);
	assert_int_equal(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "x", "no certificate", 14, &ends, &err),
	                 CELLA_EFORMAT);
	assert_int_equal(cas_collateral_add(p.cas, &p.owner, TEE_TDX, "x", "{}", 2, &ends, &err),
	                 CELLA_EFORMAT);
	assert_int_equal(cas_collateral_add(p.cas, &p.owner, TEE_SNP, "x", td.tcb_info.data, td.tcb_info.size,
	                                    &ends, &err),
	                 CELLA_EFORMAT);
	assert_int_equal(cas_collateral_add(p.cas, &nobody, TEE_SNP, "x", snp.ca.data, snp.ca.size, &ends,
	                                    &err),
	                 CELLA_EPERM);
	assert_int_equal(cas_collateral_list(p.cas, &nobody, collect, NULL, &err), CELLA_EPERM);
	assert_int_equal(cas_collateral_remove(p.cas, &p.owner, TEE_SNP, (uint8_t[48]){1}, &err),
	                 CELLA_ENOENT);
	place_end(&p);
}

/* OpenSSL's memory is the ordinary heap: a pool's is not looked into by who looks for leaks. */
static int start(void **state)
{
	(void)state;
	if (crypto_init(NULL, NULL) != 0 || maker_start() != 0 || dcap_start() != 0)
		return -1;
	const struct dcap_shape a_td = dcap_shape(true, 4);
	shape = maker_shape(SNP_MILAN, 3, false);
	maker_make(&shape, &snp);
	dcap_make(&a_td, &td);
	roots[0] = snp.pin;
	roots[1] = td.pin;
	io_hex(snp.report.data + AT_MEASUREMENT, 48, measurement);
	snprintf(pinned, sizeof(pinned), "{snp: {measurement: %s}}", measurement);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	maker_done(&snp);
	dcap_done(&td);
	maker_stop();
	dcap_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clock_that_was_ahead),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_nobody_enrolled_it),
		cmocka_unit_test(test_a_class_by_its_name),
		cmocka_unit_test(test_a_launcher_that_lies),
		cmocka_unit_test(test_each_requirement),
		cmocka_unit_test(test_a_guest_that_may_be_debugged),
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_sent_again),
		cmocka_unit_test(test_false_ones),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_a_td_wants_collateral),
		cmocka_unit_test(test_collateral_counts_at_once),
		cmocka_unit_test(test_collateral_that_is_none),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
