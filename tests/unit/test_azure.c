/*
 * Evidence of Azure's confidential machines. Do the processor's report, the runtime data, the TPM's key and
 * its quote only hold together, and is each of them that was changed, or is another machine's, refused by the
 * check that is named for it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/azure/format.h"
#include "azure_support.h"
#include "crypto/crypto.h"
#include "verdict_assert.h"

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || paravisor_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	paravisor_stop();
	return 0;
}

static void assert_shape(const struct paravisor_shape *shape, const char *names)
{
	struct paravisor p;
	paravisor_make(shape, &p);
	assert_judged(&p.input, names);
	paravisor_done(&p);
}

static void test_genuine(void **state)
{
	(void)state;
	for (int tdx = 0; tdx < 2; tdx++)
		for (uint32_t hash = 1; hash <= 3; hash++) {
			struct paravisor_shape shape = paravisor_shape(tdx);
			shape.hash = hash;
			assert_shape(&shape, "");
			shape.with_user_data = false; /* a warning */
			assert_shape(&shape, "");
		}
}

/* A set that is for machines on both kinds of processors. */
static void test_collateral_of_both(void **state)
{
	(void)state;
	struct paravisor_shape shape = paravisor_shape(true);
	struct paravisor td, snp;
	paravisor_make(&shape, &td);
	shape = paravisor_shape(false);
	paravisor_make(&shape, &snp);
	struct tee_input input = snp.input;
	const struct tee_blob json = {td.tdx.tcb_info.data, td.tdx.tcb_info.size, "tcb.json"};
	input.collateral = &json;
	input.collateral_count = 1;
	assert_judged(&input, "");
	paravisor_done(&td);
	paravisor_done(&snp);
}

static void test_flaws(void **state)
{
	(void)state;
	static const struct {
		enum paravisor_flaw flaw;
		const char *snp, *tdx;
	} rows[] = {
		{PARAVISOR_OTHER_RUNTIME, "snp.report_data", "tdx.report_data"},
		{PARAVISOR_HASH_TAIL, "snp.report_data", "tdx.report_data"},
		{PARAVISOR_OTHER_KEY, "ak.binding", "ak.binding"},
		{PARAVISOR_UNKNOWN_HASH, "hcl.hash", "hcl.hash"},
		{PARAVISOR_VBS, "hcl.type", "hcl.type"},
		{PARAVISOR_TRUSTED_LAUNCH, "hcl.type", "hcl.type"},
		{PARAVISOR_NO_QUOTE, "", "tdx"},
	};
	for (size_t i = 0; i < array_count(rows); i++)
		for (int tdx = 0; tdx < 2; tdx++) {
			struct paravisor_shape shape = paravisor_shape(tdx);
			shape.flaw = rows[i].flaw;
			print_message("flaw %zu of %s\n", i, tdx ? "TDX" : "SNP");
			assert_shape(&shape, tdx ? rows[i].tdx : rows[i].snp);
		}
}

/* What TPMs are asked is asked here, too. */
static void test_tpm(void **state)
{
	(void)state;
	static const struct {
		enum soft_flaw flaw;
		const char *fails;
	} rows[] = {
		{SOFT_BY_ANOTHER, "quote.signature"},
		{SOFT_MAGIC, "quote.magic"},
		{SOFT_DIGEST, "quote.pcrs"},
	};
	struct paravisor_shape shape = paravisor_shape(false);
	for (size_t i = 0; i < array_count(rows); i++) {
		shape.tpm.flaw = rows[i].flaw;
		assert_shape(&shape, rows[i].fails);
	}
	shape = paravisor_shape(false);
	shape.tpm.attributes &= ~(uint32_t)TPM_RESTRICTED;
	assert_shape(&shape, "ak.attributes");
	shape = paravisor_shape(false);
	shape.tpm.kind = SOFT_RSAPSS; /* another key of the same TPM */
	assert_shape(&shape, "ak.binding");
}

static void assert_policy(struct paravisor *p, const char *text, const char *fails)
{
	struct tee_policy *policy;
	struct error err = {0};
	if (tee_policy_read(TEE_AZURE, text, strlen(text), &policy, &err) < 0)
		fail_msg("%s: %s", text, err.text);
	p->input.policy = policy;
	assert_judged(&p->input, fails);
	p->input.policy = NULL;
	tee_policy_free(policy);
}

/* The system that the paravisor boots runs beside it, at a lower privilege. A report that it asked for says
 * whatever it wants of a TPM of its own. */
static void test_by_the_guest(void **state)
{
	(void)state;
	struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	for (shape.vmpl = 1; shape.vmpl <= 3; shape.vmpl++)
		assert_shape(&shape, "snp.maximum.vmpl");
	shape.vmpl = 2;
	paravisor_make(&shape, &p);
	assert_policy(&p, "{\"snp\": {\"product\": \"Milan\"}}", "snp.maximum.vmpl");
	assert_policy(&p, "{\"snp\": {\"maximum_vmpl\": 2}}", ""); /* in so many words */
	paravisor_done(&p);
}

/* What is not asked of Azure's TPMs cannot be demanded of them: nobody would look. */
static void test_whose_tpm(void **state)
{
	(void)state;
	static const char *const members[] = {
		"\"ak_names\": \"000b\"", "\"ak_roots\": \"" ZEROS "\"", "\"ek_roots\": \"" ZEROS "\"",
		"\"crl\": \"required\"",  "\"expired_crl\": \"warn\"",
	};
	for (size_t i = 0; i < array_count(members); i++) {
		struct tee_policy *policy;
		struct error err = {0};
		char text[200];
		snprintf(text, sizeof(text), "{%s}", members[i]);
		assert_int_equal(tee_policy_read(TEE_TPM, text, strlen(text), &policy, &err), 0);
		tee_policy_free(policy);
		snprintf(text, sizeof(text), "{\"tpm\": {%s}}", members[i]);
		print_message("%s\n", text);
		assert_int_equal(tee_policy_read(TEE_AZURE, text, strlen(text), &policy, &err),
		                 CELLA_EFORMAT);
		assert_non_null(strstr(err.text, "tpm: there is no member"));
	}
}

/* Parts of two machines, each genuine. */
static void test_mixed(void **state)
{
	(void)state;
	const struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor_shape other_shape = shape;
	struct paravisor p, other;
	struct buf mixed = {0};
	other_shape.flaw = PARAVISOR_OTHER_KEY; /* right, for a TPM with that key */
	paravisor_make(&shape, &p);
	paravisor_make(&other_shape, &other);
	const struct azure_evidence parts = {
		.report = {other.report.data, other.report.size},
		.tpm = {p.tpm.evidence.data, p.tpm.evidence.size},
	};
	azure_evidence_write(&parts, &mixed);
	p.input.evidence = (struct tee_blob){mixed.data, mixed.size, "mixed"};
	p.input.certs = other.certs;
	p.input.test_roots = &other.snp.pin;
	assert_judged(&p.input, "ak.binding");
	buf_done(&mixed);
	paravisor_done(&p);
	paravisor_done(&other);
}

static void test_bound(void **state)
{
	(void)state;
	const struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	struct tee_verdict v = {0};
	paravisor_make(&shape, &p);
	p.report_data[0] ^= 1;
	assert_judged(&p.input, "report_data");
	p.report_data[0] ^= 1;
	p.logs[0].size -= 10;
	assert_int_equal(tee_verify(&p.input, &v, NULL), CELLA_EFORMAT);
	p.input.cert_count = 0;
	p.input.event_log_count = 0;
	assert_int_equal(tee_verify(&p.input, &v, NULL), 0);
	assert_non_null(tee_check_named(&v, "snp.certificate"));
	assert_int_equal(tee_check_named(&v, "snp.signature")->status, TEE_FAILED);
	tee_verdict_done(&v);
	paravisor_done(&p);
}

static void test_policies(void **state)
{
	(void)state;
	static const char mistake[] = "{\"snp\": {\"measurment\": 1}}";
	struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	struct tee_policy *policy;
	struct error err = {0};
	paravisor_make(&shape, &p);
	assert_policy(&p, "{\"snp\": {\"minimum_tcb\": {\"snp\": 24}, \"product\": \"Milan\"}}", "");
	assert_policy(&p, "{\"snp\": {\"minimum_tcb\": {\"snp\": 25}, \"product\": \"Genoa\"}}",
	              "snp.minimum.reported.snp snp.product");
	assert_policy(&p, "{\"tpm\": {\"secure_boot\": \"required\", \"event_log\": \"required\"}}", "");
	assert_policy(&p,
	              "{\"tpm\": {\"pcrs\": {\"7\": "
	              "\"0000000000000000000000000000000000000000000000000000000000000000\"}}}",
	              "pcr.sha256.7");
	assert_policy(&p, "{\"vm_id\": \"5e1f0f4a-0000-4000-8000-0123456789ab\", \"isolation\": \"snp\"}",
	              "");
	assert_policy(&p, "{\"vm_id\": \"5e1f0f4a\", \"isolation\": \"tdx\"}", "hcl.type hcl.vm_id");
	paravisor_done(&p);
	shape = paravisor_shape(true);
	paravisor_make(&shape, &p);
	assert_policy(&p, "{\"tdx\": {\"allow_smt\": true, \"event_log\": \"optional\"}}", "");
	assert_policy(
		&p,
		"{\"tdx\": {\"mr_td\": "
		"\"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000\"}}",
		"tdx.td.mr_td");
	paravisor_done(&p);
	assert_int_equal(tee_policy_read(TEE_AZURE, mistake, strlen(mistake), &policy, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "did you mean measurement?"));
}

static void test_claims(void **state)
{
	(void)state;
	const struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	struct tee_verdict v = {0};
	paravisor_make(&shape, &p);
	assert_int_equal(tee_show(&p.input, &v, NULL), 0);
	assert_int_equal(v.check_count, 0);
	assert_string_equal(tee_claim_named(&v, "hcl.type")->value, "SEV-SNP");
	assert_string_equal(tee_claim_named(&v, "hcl.secure_boot")->value, "yes");
	assert_string_equal(tee_claim_named(&v, "hcl.vm_id")->value, "5E1F0F4A-0000-4000-8000-0123456789AB");
	assert_string_equal(tee_claim_named(&v, "snp.guest_svn")->value, "7");
	assert_non_null(tee_claim_named(&v, "pcr.sha256.7"));
	tee_verdict_done(&v);
	paravisor_done(&p);
}

/* What the processor's maker publishes is the same as for any other machine of the kind. */
static void test_sources(void **state)
{
	(void)state;
	struct paravisor_shape shape = paravisor_shape(false);
	for (int tdx = 0; tdx < 2; tdx++) {
		struct paravisor p;
		struct tee_verdict v = {0};
		shape.is_tdx = tdx;
		shape.flaw = PARAVISOR_RIGHT;
		paravisor_make(&shape, &p);
		p.input.product = "Milan";
		assert_int_equal(tee_sources(&p.input, &v, NULL), 0);
		const struct tee_claim *source = tee_claim_named(&v, tdx ? "tcb.json" : "vcek.der");
		if (!source)
			for (size_t i = 0; i < v.claim_count; i++)
				print_message("%s %s\n", v.claims[i].name, v.claims[i].value);
		assert_non_null(source);
		assert_non_null(strstr(source->value, tdx ? "/tdx/certification/" : "/vcek/v1/Milan/"));
		tee_verdict_done(&v);
		paravisor_done(&p);
		shape.flaw = tdx ? PARAVISOR_NO_QUOTE : PARAVISOR_TRUSTED_LAUNCH;
		paravisor_make(&shape, &p);
		assert_int_equal(tee_sources(&p.input, &v, NULL), CELLA_EUNSUPPORTED);
		paravisor_done(&p);
	}
}

/* Bits of the paravisor's report: what the processor signed, and the runtime data. Header and sizes are
 * nobody's; they may be changed if nothing else is read then. */
static void test_bits(void **state)
{
	(void)state;
	enum { HARDWARE = 32, SIGNED = 0x2a0, RUNTIME = 32 + AZURE_REPORT_FIELD + 20 };
	const struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	struct tee_chains *chains;
	paravisor_make(&shape, &p);
	assert_int_equal(tee_chains_new(1, &chains, NULL), 0);
	p.input.chains = chains;
	p.input.event_log_count = 0;
	uint8_t *report = memmem(p.evidence.data, p.evidence.size, p.report.data, p.report.size);
	assert_non_null(report);
	for (size_t bit = 0; bit < 8 * (p.report.size - 64); bit += 13) {
		const size_t at = bit / 8;
		struct tee_verdict v = {0};
		if (at < HARDWARE || (at >= HARDWARE + SIGNED && at < RUNTIME))
			continue;
		report[at] ^= (uint8_t)(1u << bit % 8);
		const int rc = tee_verify(&p.input, &v, NULL);
		if (rc == 0 && tee_accepted(&v))
			fail_msg("bit %zu of byte %zu may be changed", bit % 8, at);
		assert_true(rc == 0 || rc == CELLA_EFORMAT);
		tee_verdict_done(&v);
		report[at] ^= (uint8_t)(1u << bit % 8);
	}
	assert_judged(&p.input, "");
	tee_chains_free(chains);
	paravisor_done(&p);
}

static void test_truncations(void **state)
{
	(void)state;
	const struct paravisor_shape shape = paravisor_shape(false);
	struct paravisor p;
	paravisor_make(&shape, &p);
	for (size_t size = 0; size < p.evidence.size; size++) {
		struct tee_verdict v = {0};
		p.input.evidence.size = size;
		assert_int_equal(tee_verify(&p.input, &v, NULL), CELLA_EFORMAT);
	}
	for (size_t size = 0; size < p.report.size - 64; size++) {
		struct azure_report report;
		assert_int_equal(azure_report_read(p.report.data, size, &report, NULL), CELLA_EFORMAT);
	}
	struct azure_report report;
	assert_int_equal(azure_report_read(p.report.data, p.report.size, &report, NULL), 0);
	p.report.data[p.report.size - 1] = 1;
	assert_int_equal(azure_report_read(p.report.data, p.report.size, &report, NULL), CELLA_EFORMAT);
	paravisor_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),     cmocka_unit_test(test_collateral_of_both),
		cmocka_unit_test(test_flaws),       cmocka_unit_test(test_tpm),
		cmocka_unit_test(test_mixed),       cmocka_unit_test(test_by_the_guest),
		cmocka_unit_test(test_whose_tpm),   cmocka_unit_test(test_bound),
		cmocka_unit_test(test_policies),    cmocka_unit_test(test_claims),
		cmocka_unit_test(test_sources),     cmocka_unit_test(test_bits),
		cmocka_unit_test(test_truncations),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
