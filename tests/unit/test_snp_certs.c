/*
 * The certificates of SEV-SNP, of a maker of our own, and its CRLs. Is each thing that can be wrong with them
 * refused by the check that is named for it, and by no other, in whatever form they are given; and does what
 * is remembered of them outlive nothing?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "crypto/crypto.h"
#include "snp_support.h"
#include "verdict_assert.h"

static void assert_shape(const struct maker_shape *shape, const char *names)
{
	struct maker_files files;
	struct maker_question q;
	maker_make(shape, &files);
	maker_ask(&files, &q);
	assert_judged(&q.input, names);
	maker_done(&files);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || maker_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	maker_stop();
	return 0;
}

static void wrong_product(struct maker_shape *s)
{
	s->product_name = "Genoa-B0";
}
static void no_product(struct maker_shape *s)
{
	s->product_name = "Rome-B0";
}
static void by_another(struct maker_shape *s)
{
	s->leaf_by_another = true;
}
static void ca_by_another(struct maker_shape *s)
{
	s->ca_by_another = true;
}
static void root_by_another(struct maker_shape *s)
{
	s->root_by_another = true;
}
static void no_ca(struct maker_shape *s)
{
	s->ca_is_none = true;
}
static void no_usage(struct maker_shape *s)
{
	s->ca_without_usage = true;
}
static void short_salt(struct maker_shape *s)
{
	s->ca_salt = 32;
}
static void sha256(struct maker_shape *s)
{
	s->ca_sha256 = true, s->ca_salt = 32;
}
static void too_long(struct maker_shape *s)
{
	s->root_path_length = true;
}
static void critical(struct maker_shape *s)
{
	s->leaf_critical = true;
}
static void twice(struct maker_shape *s)
{
	s->level_twice = true;
}
static void malformed(struct maker_shape *s)
{
	s->level_malformed = true;
}
static void missing(struct maker_shape *s)
{
	s->levels[SNP_MICROCODE] = -1;
}
static void reserved_level(struct maker_shape *s)
{
	s->reserved_level = 1;
}
static void no_hwid(struct maker_shape *s)
{
	s->hwid_size = 0;
}
static void odd_hwid(struct maker_shape *s)
{
	s->hwid_size = 63;
}
static void turin_hwid(struct maker_shape *s)
{
	s->hwid_size = 8;
}
static void csp_too(struct maker_shape *s)
{
	s->csp_id = "CN=cloud.example";
}
static void vlek_name(struct maker_shape *s)
{
	s->leaf_name = "SEV-VLEK";
}
static void vlek_ca(struct maker_shape *s)
{
	s->ca_name = "SEV-VLEK-Milan";
}
static void other_ca(struct maker_shape *s)
{
	s->ca_name = "SEV-Genoa";
}
static void expired(struct maker_shape *s)
{
	s->not_after = MAKER_TIME - 1;
}
static void not_yet(struct maker_shape *s)
{
	s->not_before = MAKER_TIME + 1;
}
static void p256(struct maker_shape *s)
{
	s->leaf_p256 = true;
}
static void wrapped(struct maker_shape *s)
{
	s->hwid_wrapped = true;
}
static void no_reserved_level(struct maker_shape *s)
{
	s->reserved_level = -1;
}
static void last_second(struct maker_shape *s)
{
	s->not_after = MAKER_TIME;
}

static void test_certificates(void **state)
{
	(void)state;
	static const struct {
		void (*spoil)(struct maker_shape *shape);
		const char *fails;
	} rows[] = {
		{wrapped, ""},
		{no_reserved_level, ""},
		{last_second, ""},
		{wrong_product, "certificate.kind certificate.product"},
		{no_product, "certificate.kind certificate.product"},
		{by_another, "certificate.chain"},
		{ca_by_another, "certificate.chain"},
		{root_by_another, "certificate.chain"},
		{no_usage, "certificate.chain"},
		{short_salt, "certificate.chain"},
		{sha256, "certificate.chain"},
		{too_long, "certificate.chain"},
		{critical, "certificate.chain"},
		{twice, "certificate.kind certificate.tcb"},
		{malformed, "certificate.kind certificate.tcb"},
		{missing, "certificate.kind certificate.tcb"},
		{reserved_level, "certificate.tcb"},
		{no_hwid, "certificate.kind"},
		{odd_hwid, "certificate.kind certificate.chip"},
		{turin_hwid, "certificate.chip"},
		{csp_too, "certificate.kind"},
		{vlek_name, "certificate.kind"},
		{vlek_ca, "certificate.kind"},
		{other_ca, "certificate.kind"},
		{expired, "certificate.validity"},
		{not_yet, "certificate.validity"},
		{p256, "signature"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
		rows[i].spoil(&shape);
		print_message("certificate %zu\n", i);
		assert_shape(&shape, rows[i].fails);
	}
}

/* A CA that is none counts as one more leaf, and is still not believed. */
static void test_ca_that_is_none(void **state)
{
	(void)state;
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct tee_verdict v = {0};
	struct maker_files files;
	struct maker_question q;
	no_ca(&shape);
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "certificate.chain");
	assert_non_null(strstr(tee_check_named(&v, "certificate.chain")->found, "may not sign"));
	tee_verdict_done(&v);
	maker_done(&files);
}

static void test_missing_certificates(void **state)
{
	(void)state;
	static const struct {
		unsigned left; /* bits */
		const char *fails;
	} rows[] = {
		{6, "certificate certificate.chain certificate.kind certificate.product certificate.tcb "
	            "certificate.chip signature"},
		{5, "certificate.root certificate.chain certificate.product"},
		{3, "certificate.root certificate.chain certificate.product"},
		{1, "certificate.root certificate.chain certificate.product"},
	};
	const struct maker_shape shape = maker_shape(SNP_GENOA, 3, false);
	struct maker_files files;
	maker_make(&shape, &files);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_question q;
		maker_ask(&files, &q);
		q.input.cert_count = 0;
		for (unsigned bit = 0; bit < MAKER_CERTS; bit++)
			if (rows[i].left & 1u << bit)
				q.certs[q.input.cert_count++] = q.certs[bit];
		assert_judged(&q.input, rows[i].fails);
	}
	maker_done(&files);
}

/* A root of the right name that is not the pinned one, and AMD's own roots. */
static void test_roots(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 2, false);
	const struct vendor_root another = {"ARK-Milan", "00"};
	struct maker_files files;
	struct maker_question q;
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	q.input.test_roots = &another;
	assert_judged(&q.input, "certificate.root certificate.product");
	q.input.test_roots = NULL;
	assert_judged(&q.input, "certificate.root certificate.product");
	maker_done(&files);
}

/* Of several keys the one that signed is found, wherever it stands. */
static void test_several_leaves(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_shape other = shape;
	struct maker_files files, others;
	struct maker_question q;
	struct tee_blob certs[4];
	other.leaf_p256 = true;
	maker_make(&shape, &files);
	maker_make(&other, &others);
	maker_ask(&files, &q);
	for (size_t place = 0; place < 4; place++) {
		size_t count = 0;
		for (size_t i = 0; i < 4; i++)
			certs[i] = i == place ? (struct tee_blob){others.leaf.data, others.leaf.size, "other"}
			                      : q.certs[count++];
		q.input.certs = certs;
		q.input.cert_count = 4;
		assert_judged(&q.input, "");
	}
	maker_done(&files);
	maker_done(&others);
}

static void test_forms(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct maker_question q;
	maker_make(&shape, &files);
	for (int form = 0; form < 4; form++) {
		struct buf all = {0};
		char *hex = malloc(2 * files.leaf.size + 1);
		maker_ask(&files, &q);
		if (form < 2)
			maker_table(&files, form == 1, &all);
		if (form == 2) {
			maker_pem(&files.leaf, "CERTIFICATE", &all);
			maker_pem(&files.ca, "CERTIFICATE", &all);
			buf_put_string(&all, "\ncomments may stand between\n");
			maker_pem(&files.root, "CERTIFICATE", &all);
		}
		io_hex(files.leaf.data, files.leaf.size, hex);
		q.certs[0] = form == 3 ? (struct tee_blob){hex, 2 * files.leaf.size, "hex"}
		                       : (struct tee_blob){all.data, all.size, "all"};
		q.input.cert_count = form == 3 ? MAKER_CERTS : 1;
		assert_judged(&q.input, "");
		buf_done(&all);
		free(hex);
	}
	maker_done(&files);
}

/* ---- CRLs ---- */

static void test_crls(void **state)
{
	(void)state;
	enum { DAY = 86400 };
	static const struct {
		struct maker_crl crl;
		const char *policy, *fails;
		enum tee_status status;
	} rows[] = {
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME + DAY}, NULL, "", TEE_PASSED},
		{{.this_update = MAKER_TIME, .next_update = MAKER_TIME}, NULL, "", TEE_PASSED},
		{{.this_update = MAKER_TIME - DAY}, NULL, "", TEE_PASSED},
		{{.revokes_another = true, .this_update = MAKER_TIME - DAY}, NULL, "", TEE_PASSED},
		{{.revokes_ca = true, .revokes_another = true, .this_update = MAKER_TIME - DAY},
	         NULL,
	         "certificate.crl",
	         TEE_FAILED},
		{{.this_update = MAKER_TIME + 1}, NULL, "certificate.crl", TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         NULL,
	         "certificate.crl",
	         TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         "{\"expired_crl\": \"warn\"}",
	         "",
	         TEE_WARNED},
		{{.revokes_ca = true, .this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         "{\"expired_crl\": \"warn\"}",
	         "certificate.crl",
	         TEE_FAILED},
		{{.by_another = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.critical = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.is_indirect = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY}, "{\"crl\": \"required\"}", "", TEE_PASSED},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	maker_make(&shape, &files);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf crl = {0}, pem = {0};
		struct tee_verdict v = {0};
		struct maker_question q;
		maker_make_crl(&shape, &rows[i].crl, &crl);
		maker_pem(&crl, "X509 CRL", &pem);
		maker_ask(&files, &q);
		q.crl = i % 2 ? (struct tee_blob){pem.data, pem.size, "crl"}
		              : (struct tee_blob){crl.data, crl.size, "crl"};
		q.input.collateral = &q.crl;
		q.input.collateral_count = 1;
		if (rows[i].policy)
			assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy),
			                                 &q.policy, NULL),
			                 0);
		q.input.policy = q.policy;
		print_message("crl %zu\n", i);
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		assert_fails(&v, rows[i].fails);
		assert_int_equal(tee_check_named(&v, "certificate.crl")->status, rows[i].status);
		tee_verdict_done(&v);
		tee_policy_free(q.policy);
		buf_done(&crl);
		buf_done(&pem);
	}
	maker_done(&files);
}

/* Of two CRLs either may revoke, and the newer one is asked whether it is still good. */
static void test_two_crls(void **state)
{
	(void)state;
	enum { DAY = 86400 };
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	const struct maker_crl older = {.this_update = MAKER_TIME - 9 * DAY, .next_update = MAKER_TIME - DAY};
	const struct maker_crl newer = {.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME + DAY};
	struct maker_crl revoking = older;
	struct buf a = {0}, b = {0}, c = {0};
	struct maker_files files;
	struct maker_question q;
	revoking.revokes_ca = true;
	maker_make(&shape, &files);
	maker_make_crl(&shape, &older, &a);
	maker_make_crl(&shape, &newer, &b);
	maker_make_crl(&shape, &revoking, &c);
	maker_ask(&files, &q);
	struct tee_blob crls[2] = {{a.data, a.size, "a"}, {b.data, b.size, "b"}};
	q.input.collateral = crls;
	q.input.collateral_count = 2;
	assert_judged(&q.input, "");
	crls[0] = (struct tee_blob){c.data, c.size, "c"};
	assert_judged(&q.input, "certificate.crl");
	q.input.collateral_count = 0;
	struct tee_policy *policy;
	assert_int_equal(tee_policy_read(TEE_SNP, "{\"crl\":\"required\"}", 18, &policy, NULL), 0);
	q.input.policy = policy;
	assert_judged(&q.input, "certificate.crl");
	tee_policy_free(policy);
	buf_done(&a);
	buf_done(&b);
	buf_done(&c);
	maker_done(&files);
}

/* ---- bytes ---- */

/* Every truncation of a certificate or table is an error, or refused. */
static void test_truncated_certificates(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct buf table = {0};
	struct maker_question q;
#ifdef __x86_64__
	const size_t step = 1;
#else
	const size_t step = 17; /* an emulated processor takes too long for all of them */
#endif
	maker_make(&shape, &files);
	maker_table(&files, false, &table);
	maker_ask(&files, &q);
	for (size_t which = 0; which < 2; which++) {
		const struct buf *whole = which ? &table : &files.leaf;
		q.input.cert_count = which ? 1 : MAKER_CERTS;
		for (size_t size = 0; size < whole->size; size += step) {
			struct tee_verdict v = {0};
			uint8_t *copy = malloc(size + 1); /* so that a sanitizer sees its end */
			memcpy(copy, whole->data, size);
			q.certs[0] = (struct tee_blob){copy, size, "cut"};
			int rc = tee_verify(&q.input, &v, NULL);
			assert_true(rc == CELLA_EFORMAT || (rc == 0 && !tee_accepted(&v)));
			tee_verdict_done(&v);
			free(copy);
		}
	}
	buf_done(&table);
	maker_done(&files);
}

/* ---- what is remembered ---- */

static void test_remembered(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files, others;
	struct tee_chains *chains;
	struct maker_question q;
	maker_make(&shape, &files);
	struct maker_shape spoilt = shape;
	by_another(&spoilt);
	maker_make(&spoilt, &others);
	maker_ask(&files, &q);
	assert_int_equal(tee_chains_new(2, &chains, NULL), 0);
	q.input.chains = chains;
	for (int i = 0; i < 3; i++)
		assert_judged(&q.input, "");
	q.input.time = MAKER_TIME + 2LL * MAKER_YEAR; /* what is remembered does not outlive it */
	assert_judged(&q.input, "certificate.validity");
	q.input.time = MAKER_TIME;
	files.report.data[SNP_AT_MEASUREMENT] ^= 1;
	assert_judged(&q.input, "signature");
	files.report.data[SNP_AT_MEASUREMENT] ^= 1;
	q.certs[0] = (struct tee_blob){others.leaf.data, others.leaf.size, "other"};
	assert_judged(&q.input, "certificate.chain");
	const struct vendor_root another = {"ARK-Milan", "00"};
	maker_ask(&files, &q);
	q.input.chains = chains;
	q.input.test_roots = &another; /* the third: the first goes */
	assert_judged(&q.input, "certificate.root certificate.product");
	q.input.test_roots = &files.pin;
	assert_judged(&q.input, "");
	tee_chains_free(chains);
	maker_done(&files);
	maker_done(&others);
}

static size_t freed;
static void count_free(void *value)
{
	freed += *(size_t *)value;
}

static void test_chains(void **state)
{
	(void)state;
	uint8_t keys[4][TEE_KEY_SIZE];
	size_t values[4] = {1, 10, 100, 1000};
	struct tee_chains *chains;
	assert_int_equal(tee_chains_new(0, &chains, NULL), CELLA_EINVAL);
	assert_int_equal(tee_chains_new(3, &chains, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		const struct tee_blob blob = {&values[i], sizeof(values[i]), NULL};
		assert_int_equal(tee_chains_key("test", &blob, 1, keys[i], NULL), 0);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(tee_chains_put(chains, keys[i], &values[i], count_free, NULL), 0);
	assert_ptr_equal(tee_chains_get(chains, keys[0]), &values[0]); /* so the second is the oldest */
	assert_int_equal(tee_chains_put(chains, keys[0], &values[3], count_free, NULL), CELLA_EEXIST);
	assert_int_equal(tee_chains_put(chains, keys[3], &values[3], count_free, NULL), 0);
	assert_int_equal(freed, 10);
	assert_null(tee_chains_get(chains, keys[1]));
	assert_null(tee_chains_get(NULL, keys[0]));
	assert_ptr_equal(tee_chains_get(chains, keys[2]), &values[2]);
	tee_chains_free(chains);
	assert_int_equal(freed, 1111);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_several_leaves),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_ca_that_is_none),
		cmocka_unit_test(test_missing_certificates),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_crls),
		cmocka_unit_test(test_two_crls),
		cmocka_unit_test(test_truncated_certificates),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
