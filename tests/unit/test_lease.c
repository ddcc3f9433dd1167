/*
 * Offline leases. Does a launcher's statement hold for its key alone, does a lease read as what was written
 * and nothing else, is it judged by every claim, by the start of the machine and by its clock, to the
 * second; and does the CAS make one only where the session says so, for who may be granted the service,
 * under a statement of the launcher that vouches for it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/lease.h"
#include "cas_place.h"

enum { DAY = 86400 };

static struct evidence evidence_of(void)
{
	struct evidence e = {.memory_level = MEM_SECRET,
	                     .isolation = EVIDENCE_OWN_UID | EVIDENCE_PID_NAMESPACE,
	                     .host = EVIDENCE_YAMA_SCOPE_3};
	memset(e.launcher, 1, sizeof(e.launcher));
	memset(e.executor, 2, sizeof(e.executor));
	memset(e.cell, 3, sizeof(e.cell));
	memset(e.builder, 4, sizeof(e.builder));
	return e;
}

static struct lease_keep keep_of(const struct crypto_signer *launcher, uint32_t level)
{
	struct lease_keep keep = {.boot = {9}, .time_s = 1000, .memory_level = level};
	struct crypto_key_pair pair;
	struct error err;
	must(lease_keep_pair(launcher, level, &pair, &err), &err);
	memcpy(keep.public_key, pair.public_key, sizeof(keep.public_key));
	return keep;
}

/* ---- the launcher's statement */

static void test_statement(void **state)
{
	struct crypto_signer one, two;
	struct crypto_key_pair pair, same, other;
	struct lease_keep keep, read;
	uint8_t bytes[LEASE_KEEP_SIZE];
	struct error err;
	(void)state;
	must(crypto_signer_generate(&one, &err), &err);
	must(crypto_signer_generate(&two, &err), &err);
	must(lease_keep_pair(&one, MEM_SECRET, &pair, &err), &err);
	must(lease_keep_pair(&one, MEM_SECRET, &same, &err), &err);
	assert_memory_equal(&pair, &same, sizeof(pair));
	must(lease_keep_pair(&one, MEM_INSECURE_NONE, &other, &err), &err);
	assert_memory_not_equal(&pair, &other, sizeof(pair));
	must(lease_keep_pair(&two, MEM_SECRET, &other, &err), &err);
	assert_memory_not_equal(&pair, &other, sizeof(pair));
	keep = keep_of(&one, MEM_LEVELS);
	must(lease_keep_write(&keep, &one, bytes, &err), &err);
	assert_int_equal(lease_keep_read(bytes, sizeof(bytes), one.public_key, &read, &err), CELLA_EFORMAT);
	keep = keep_of(&one, MEM_SECRET);
	must(lease_keep_write(&keep, &one, bytes, &err), &err);
	must(lease_keep_read(bytes, sizeof(bytes), one.public_key, &read, &err), &err);
	assert_memory_equal(read.public_key, keep.public_key, sizeof(keep.public_key));
	assert_memory_equal(read.boot, keep.boot, sizeof(keep.boot));
	assert_int_equal(read.time_s, 1000);
	assert_int_equal(read.memory_level, MEM_SECRET);
	assert_int_equal(lease_keep_read(bytes, sizeof(bytes), two.public_key, &read, &err), CELLA_EAUTH);
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 2;
		int rc = lease_keep_read(bytes, sizeof(bytes), one.public_key, &read, &err);
		assert_true(rc == CELLA_EAUTH || rc == CELLA_EFORMAT);
		bytes[i] ^= 2;
		assert_int_equal(lease_keep_read(bytes, i, one.public_key, &read, &err), CELLA_EFORMAT);
	}
}

/* ---- the form */

static void test_form(void **state)
{
	static const uint8_t grant[] = "a grant";
	struct evidence e = evidence_of();
	struct lease_keep keep = {.boot = {9}, .time_s = 1000};
	struct lease l, read;
	uint8_t bytes[LEASE_HEAD_SIZE + sizeof(grant)];
	struct error err;
	(void)state;
	lease_fill(&l, &e, &keep, DAY);
	l.grant_size = sizeof(grant);
	must(lease_write_head(&l, bytes, &err), &err);
	memcpy(bytes + LEASE_HEAD_SIZE, grant, sizeof(grant));
	must(lease_read(bytes, sizeof(bytes), &read, &err), &err);
	assert_ptr_equal(read.grant, bytes + LEASE_HEAD_SIZE);
	l.grant = read.grant;
	assert_memory_equal(&l, &read, sizeof(l));
	for (size_t size = 0; size < sizeof(bytes); size++)
		assert_int_equal(lease_read(bytes, size, &read, &err), CELLA_EFORMAT);
	bytes[164] = MEM_LEVELS;
	assert_int_equal(lease_read(bytes, sizeof(bytes), &read, &err), CELLA_EFORMAT);
	bytes[0] = 2;
	assert_int_equal(lease_read(bytes, sizeof(bytes), &read, &err), CELLA_EUNSUPPORTED);
	l.offline_s = (uint64_t)LEASE_OFFLINE_MAX_S + 1;
	must(lease_write_head(&l, bytes, &err), &err);
	assert_int_equal(lease_read(bytes, sizeof(bytes), &read, &err), CELLA_EFORMAT);
}

/* ---- judging */

static void test_judging(void **state)
{
	static const struct {
		size_t at, size; /* of what another evidence says */
		const char *reason;
	} others[] = {
		{offsetof(struct evidence, launcher), CRYPTO_ED25519_SIZE, "launcher"},
		{offsetof(struct evidence, executor), CRYPTO_SHA384_SIZE, "executor"},
		{offsetof(struct evidence, cell), CRYPTO_SHA384_SIZE, "cell"},
		{offsetof(struct evidence, builder), CRYPTO_ED25519_SIZE, "builder"},
		{offsetof(struct evidence, isolation), sizeof(uint32_t), "isolation: there is no own-uid"},
		{offsetof(struct evidence, host), sizeof(uint32_t), "host: there is no yama-scope-3"},
		{offsetof(struct evidence, memory_level), sizeof(uint32_t), "memory_level"},
	};
	struct evidence e = evidence_of();
	struct lease_keep keep = {.boot = {9}, .time_s = 1000};
	struct lease l;
	struct error err;
	(void)state;
	lease_fill(&l, &e, &keep, DAY);
	must(lease_judge(&l, &e, keep.boot, 1000, &err), &err);
	for (size_t i = 0; i < array_count(others); i++) {
		struct evidence other = e;
		memset((char *)&other + others[i].at, 0, others[i].size);
		assert_int_equal(lease_judge(&l, &other, keep.boot, 1000, &err), CELLA_EAUTH);
		assert_non_null(strstr(err.text, others[i].reason));
	}
	struct evidence more = e;
	more.isolation |= EVIDENCE_NO_NEW_PRIVS;
	must(lease_judge(&l, &more, keep.boot, 1000, &err), &err);
}

static void test_end(void **state)
{
	struct evidence e = evidence_of();
	struct lease_keep keep = {.boot = {9}, .time_s = 1000};
	const uint8_t anew[LEASE_BOOT_SIZE] = {8};
	struct lease l;
	struct error err;
	(void)state;
	lease_fill(&l, &e, &keep, DAY);
	must(lease_judge(&l, &e, keep.boot, 1000 + DAY - 1, &err), &err);
	assert_int_equal(lease_judge(&l, &e, keep.boot, 1000 + DAY, &err), CELLA_EPERM);
	assert_int_equal(lease_judge(&l, &e, keep.boot, 999, &err), CELLA_EPERM);
	assert_int_equal(lease_judge(&l, &e, keep.boot, UINT64_MAX, &err), CELLA_EPERM);
	assert_int_equal(lease_judge(&l, &e, anew, 1000, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "started anew"));
	l.offline_s = 0;
	assert_int_equal(lease_judge(&l, &e, keep.boot, 1000, &err), CELLA_EPERM);
}

/* ---- the CAS */

static const char session[] = HEAD(
	"edge") "secrets:\n  - {name: word, kind: ascii, value: w0rd}\nservices:\n"
		"  - name: s\n    command: [$$CELLA::word$$]\n    offline: 24h\n    attestation:\n      - " CELL44
		"\n"
		"  - name: t\n    attestation:\n      - " CELL44
		"\naccess_policy:\n  read: CREATOR\n  update: CREATOR\n";

static int ask(struct place *p, const struct executor *x, const char *service, const struct lease_keep *keep,
               const struct crypto_signer *signer, struct buf *ret_lease, struct error *err)
{
	cleanup_buf struct buf token = {0};
	uint8_t bytes[LEASE_KEEP_SIZE];
	must(evidence_sign(&x->says, &p->launcher, &token, err), err);
	must(lease_keep_write(keep, signer, bytes, err), err);
	const struct cas_attestation a = {.session = "edge",
	                                  .service = service,
	                                  .evidence = token.data,
	                                  .evidence_size = token.size,
	                                  .peer = "192.0.2.7"};
	return cas_lease(p->cas, &a, bytes, sizeof(bytes), ret_lease, err);
}

/* What the launcher makes of it: the grant is the session's, and not for the root keeper. */
static void check_lease(struct place *p, const struct executor *x, const struct buf *sealed)
{
	struct crypto_key_pair pair;
	struct lease l;
	struct provision *grant;
	struct error err;
	uint8_t *plain = mem_alloc(p->pool, sealed->size);
	must(lease_keep_pair(&p->launcher, MEM_SECRET, &pair, &err), &err);
	must(crypto_hpke_open(&pair, LEASE_INFO, strlen(LEASE_INFO), NULL, 0, sealed->data, sealed->size,
	                      plain, &err),
	     &err);
	must(lease_read(plain, sealed->size - CRYPTO_HPKE_OVERHEAD, &l, &err), &err);
	assert_int_equal(l.offline_s, DAY);
	assert_int_equal(l.from_s, 1000);
	assert_memory_equal(l.cell, x->says.cell, sizeof(l.cell));
	assert_memory_equal(l.launcher, p->launcher.public_key, sizeof(l.launcher));
	must(provision_read(l.grant, l.grant_size, p->pool, &grant, &err), &err);
	assert_int_equal(grant->role, PROVISION_GRANT);
	assert_string_equal(grant->arguments[0], "w0rd");
	provision_free(p->pool, grant);
	mem_free(p->pool, plain);
}

static void test_cas(void **state)
{
	struct place p;
	struct executor x;
	struct crypto_signer strange;
	struct error err;
	cleanup_buf struct buf lease = {0};
	(void)state;
	place_begin(&p);
	place_put(&p, session);
	place_start(&p, &x);
	x.says.memory_level = MEM_SECRET;
	memcpy(x.says.launcher, p.launcher.public_key, sizeof(x.says.launcher));
	must(crypto_signer_generate(&strange, &err), &err);
	const struct lease_keep keep = keep_of(&p.launcher, MEM_SECRET),
				exposed = keep_of(&p.launcher, MEM_INSECURE_NONE);
	must(ask(&p, &x, "s", &keep, &p.launcher, &lease, &err), &err);
	check_lease(&p, &x, &lease);
	assert_int_equal(ask(&p, &x, "t", &keep, &p.launcher, &lease, &err), CELLA_ENOENT);
	assert_int_equal(ask(&p, &x, "s", &keep, &strange, &lease, &err), CELLA_EAUTH);
	assert_int_equal(ask(&p, &x, "s", &exposed, &p.launcher, &lease, &err), CELLA_EAUTH);
	x.says.cell[0] ^= 1;
	assert_int_equal(ask(&p, &x, "s", &keep, &p.launcher, &lease, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "the CAS refused"));
	assert_int_equal(ask(&p, &x, "none", &keep, &p.launcher, &lease, &err), CELLA_EAUTH);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statement), cmocka_unit_test(test_form), cmocka_unit_test(test_judging),
		cmocka_unit_test(test_end),       cmocka_unit_test(test_cas),
	};
	return cmocka_run_group_tests(tests, cas_start_ordinary, NULL);
}
