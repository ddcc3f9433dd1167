/*
 * Evidence of TDX and SGX, of a maker of our own. Is what is genuine accepted in every version, is each thing
 * that can be wrong refused by the check that is named for it and by no other, has each level of a platform,
 * of a TDX module and of a quoting enclave the status that Intel's documentation gives it, and is a quote
 * refused when any single bit of what is signed is changed?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/dcap/dcap.h"
#include "attest/dcap/quote_format.h"
#include "crypto/crypto.h"
#include "dcap_support.h"
#include "verdict_assert.h"

/* Verifies, with a policy if there is one. */
static void judge(struct tee_input *input, const char *policy, struct tee_verdict *v)
{
	struct error err = {0};
	struct tee_policy *read = NULL;
	if (policy && tee_policy_read(input->kind, policy, strlen(policy), &read, &err) != 0)
		fail_msg("%s", err.text);
	input->policy = read;
	memset(v, 0, sizeof(*v));
	if (tee_verify(input, v, &err) != 0)
		fail_msg("%s", err.text);
	input->policy = NULL;
	tee_policy_free(read);
}

static void assert_shape(const struct dcap_shape *shape, const char *policy, const char *failed,
                         const char *warned, const char *what)
{
	struct dcap_files files;
	struct tee_verdict v;
	dcap_make(shape, &files);
	judge(&files.input, policy, &v);
	assert_names(&v, TEE_FAILED, failed, what);
	assert_names(&v, TEE_WARNED, warned, what);
	assert_int_equal(tee_accepted(&v), *failed == '\0');
	tee_verdict_done(&v);
	dcap_done(&files);
}

static void test_genuine(void **state)
{
	(void)state;
	static const struct {
		const char *what;
		bool is_tdx;
		uint16_t version;
		bool is_15, old_format;
	} rows[] = {
		{"SGX, 3", false, 3, false, false},    {"SGX, 3, TCB info 2", false, 3, false, true},
		{"SGX, 4", false, 4, false, false},    {"SGX, 5", false, 5, false, false},
		{"TDX 1.0, 4", true, 4, false, false}, {"TDX 1.0, 5", true, 5, false, false},
		{"TDX 1.5, 5", true, 5, true, false},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(rows[i].is_tdx, rows[i].version);
		shape.is_15 = rows[i].is_15;
		shape.old_format = rows[i].old_format;
		assert_shape(&shape, NULL, "", "", rows[i].what);
	}
}

#define NO_TCB "tdx_module.identity tcb.status"

static const struct {
	enum dcap_flaw flaw;
	const char *failed;
} flaws[] = {
	{DCAP_QUOTE_BY_ANOTHER, "quote.signature"},
	{DCAP_KEY_UNREPORTED, "quote.attestation_key"},
	{DCAP_AUTH_CHANGED, "quote.attestation_key"},
	{DCAP_QE_BY_ANOTHER, "quote.qe_signature"},
	{DCAP_NOT_VENDOR, "quote.qe_vendor"},
	{DCAP_NO_CHAIN,
         "quote.qe_signature pck.certificate pck.root pck.chain pck.validity pck.crl tcb_info.platform " NO_TCB},
	{DCAP_PCK_BY_ANOTHER, "pck.chain"},
	{DCAP_PCK_NAME, "pck.certificate"},
	{DCAP_PCK_OF_ROOT, "pck.certificate"},
	{DCAP_PCK_EXPIRED, "pck.validity"},
	{DCAP_CA_OTHER_NAME, "pck.certificate"},
	{DCAP_ANOTHER_ROOT, "pck.root tcb_info.root qe_identity.root qe.identity " NO_TCB},
	{DCAP_PCK_REVOKED, "pck.crl"},
	{DCAP_CA_REVOKED, "pck.crl"},
	{DCAP_SIGNER_REVOKED, "tcb_info.crl qe_identity.crl qe.identity " NO_TCB},
	{DCAP_CRL_BY_ANOTHER, "pck.crl"},
	{DCAP_CRL_EXPIRED, "pck.crl"},
	{DCAP_NO_PCK_CRL, "pck.crl"},
	{DCAP_NO_ROOT_CRL, "pck.crl tcb_info.crl qe_identity.crl"},
	{DCAP_TCB_CHANGED, "tcb_info.signature " NO_TCB},
	{DCAP_TCB_BY_PCK, "tcb_info.signature " NO_TCB},
	{DCAP_TCB_BY_ANOTHER, "tcb_info.signature " NO_TCB},
	{DCAP_TCB_SIGNER_OF_CA, "tcb_info.signer qe_identity.signer qe.identity " NO_TCB},
	{DCAP_TCB_OTHER_FMSPC, "tcb_info.platform " NO_TCB},
	{DCAP_TCB_OTHER_PCE, "tcb_info.platform " NO_TCB},
	{DCAP_TCB_OTHER_TEE, "tcb_info.platform " NO_TCB},
	{DCAP_TCB_EXPIRED, "tcb_info.dates"},
	{DCAP_TCB_EARLY, "tcb_info.dates"},
	{DCAP_NO_TCB_INFO, "tcb_info.signature tcb.status"},
	{DCAP_QE_ID_CHANGED, "qe_identity.signature qe.identity " NO_TCB},
	{DCAP_QE_ID_EXPIRED, "qe_identity.dates"},
	{DCAP_QE_ID_OTHER_TEE, "qe.identity"},
	{DCAP_NO_QE_IDENTITY, "qe_identity.signature tcb.status"},
	{DCAP_QE_MR_SIGNER, "qe.identity"},
	{DCAP_QE_PROD_ID, "qe.identity"},
	{DCAP_QE_MISC_SELECT, "qe.identity"},
	{DCAP_QE_DEBUG, "qe.identity"},
};
_Static_assert(array_count(flaws) == DCAP_FLAWS - 1, "every flaw");

static void test_flaws(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(flaws); i++) {
		char what[40];
		snprintf(what, sizeof(what), "flaw %d", (int)flaws[i].flaw);
		assert_int_equal(flaws[i].flaw, i + 1);
		struct dcap_shape shape = dcap_shape(true, 4);
		shape.flaw = flaws[i].flaw;
		assert_shape(&shape, NULL, flaws[i].failed, "", what);
	}
}

static void test_missing_allowed(void **state)
{
	(void)state;
	static const struct {
		enum dcap_flaw flaw;
		const char *policy, *failed, *warned;
	} rows[] = {
		{DCAP_NO_TCB_INFO, "{\"collateral\":\"optional\"}", "", "tcb_info.signature tcb.status"},
		{DCAP_NO_QE_IDENTITY, "{\"collateral\":\"optional\"}", "",
	         "qe_identity.signature tcb.status"},
		{DCAP_NO_ROOT_CRL, "{\"crl\":\"optional\"}", "", "tcb_info.crl qe_identity.crl"},
		{DCAP_CRL_EXPIRED, "{\"expired_collateral\":\"warn\"}", "", "pck.crl"},
		{DCAP_TCB_EXPIRED, "{\"expired_collateral\":\"warn\"}", "", "tcb_info.dates"},
		{DCAP_TCB_EXPIRED, "{\"expired_collateral\":\"accept\"}", "", ""},
		{DCAP_TCB_EARLY, "{\"expired_collateral\":\"accept\"}", "tcb_info.dates", ""},
		{DCAP_PCK_REVOKED, "{\"crl\":\"optional\"}", "pck.crl", ""},
		{DCAP_TCB_CHANGED, "{\"collateral\":\"optional\"}", "tcb_info.signature " NO_TCB, ""},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(true, 4);
		shape.flaw = rows[i].flaw;
		assert_shape(&shape, rows[i].policy, rows[i].failed, rows[i].warned, rows[i].policy);
	}
}

/* ---- levels ---- */

static void assert_status(const struct dcap_shape *shape, const char *status, const char *advisories,
                          enum tee_status expected, size_t row)
{
	struct dcap_files files;
	struct tee_verdict v;
	dcap_make(shape, &files);
	judge(&files.input, NULL, &v);
	const struct tee_claim *claim = tee_claim_named(&v, "tcb.status");
	const struct tee_claim *known = tee_claim_named(&v, "tcb.advisories");
	if (!claim || strcmp(claim->value, status) != 0 ||
	    strcmp(known ? known->value : "", advisories) != 0 ||
	    tee_check_named(&v, "tcb.status")->status != expected) {
		verdict_print(&v);
		fail_msg("row %zu: %s, wanted %s (%s)", row, claim ? claim->value : "none", status,
		         known ? known->value : "");
	}
	tee_verdict_done(&v);
	dcap_done(&files);
}

static void test_levels(void **state)
{
	(void)state;
	static const struct {
		uint8_t component, pce_svn, module, qe;
		const char *status, *advisories;
		enum tee_status expected;
	} rows[] = {
		{5, 10, 5, 8, "UpToDate", "INTEL-SA-00005", TEE_PASSED},
		{9, 99, 9, 99, "UpToDate", "INTEL-SA-00005", TEE_PASSED},
		{4, 10, 5, 8, "SWHardeningNeeded", "INTEL-SA-00004", TEE_WARNED},
		{3, 10, 5, 8, "ConfigurationNeeded", "INTEL-SA-00003", TEE_WARNED},
		{2, 10, 5, 8, "OutOfDateConfigurationNeeded", "INTEL-SA-00002", TEE_FAILED},
		{1, 10, 5, 8, "OutOfDate", "INTEL-SA-00001", TEE_FAILED},
		{0, 10, 5, 8, "Revoked", "INTEL-SA-00000", TEE_FAILED},
		{5, 9, 5, 8, "OutOfDate", "", TEE_FAILED}, /* below every level */
		/* The module. */
		{5, 10, 4, 8, "OutOfDate", "INTEL-SA-00005", TEE_FAILED},
		{5, 10, 2, 8, "Revoked", "INTEL-SA-00005", TEE_FAILED},
		{5, 10, 0, 8, "OutOfDate", "INTEL-SA-00005", TEE_FAILED}, /* below every level */
		{4, 10, 3, 8, "OutOfDate", "INTEL-SA-00004", TEE_FAILED},
		{3, 10, 3, 8, "OutOfDateConfigurationNeeded", "INTEL-SA-00003", TEE_FAILED},
		{0, 10, 3, 8, "Revoked", "INTEL-SA-00000", TEE_FAILED},
		/* The quoting enclave. */
		{5, 10, 5, 7, "OutOfDate", "INTEL-SA-00005", TEE_FAILED},
		{4, 10, 5, 6, "OutOfDate", "INTEL-SA-00004", TEE_FAILED},
		{3, 10, 5, 6, "OutOfDateConfigurationNeeded", "INTEL-SA-00003", TEE_FAILED},
		{5, 10, 5, 5, "Revoked", "INTEL-SA-00005", TEE_FAILED},
		{5, 10, 5, 4, "OutOfDate", "INTEL-SA-00005", TEE_FAILED}, /* below every level */
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(true, 4);
		shape.component = rows[i].component;
		shape.pce_svn = rows[i].pce_svn;
		shape.module = rows[i].module;
		shape.qe_svn = rows[i].qe;
		assert_status(&shape, rows[i].status, rows[i].advisories, rows[i].expected, i);
		if (rows[i].module != 5)
			continue;
		shape.is_tdx = false; /* the same platform's enclave */
		assert_status(&shape, rows[i].status, rows[i].advisories, rows[i].expected, i);
	}
}

/* A module of version 0 is a component as the others are; one that Intel does not name is refused. */
static void test_modules(void **state)
{
	(void)state;
	struct dcap_shape shape = dcap_shape(true, 4);
	shape.module_version = 0;
	assert_shape(&shape, NULL, "", "", "version 0");
	shape.module = 4;
	assert_status(&shape, "SWHardeningNeeded", "INTEL-SA-00004", TEE_WARNED, 0);
	shape.module_version = 3;
	shape.module = 2;
	assert_shape(&shape, NULL, "", "", "version 3");
	shape.module_version = 2;
	assert_shape(&shape, "{\"tcb_status\":{\"OutOfDate\":\"accept\"}}", "tdx_module.identity", "",
	             "version 2");
	shape = dcap_shape(true, 4);
	shape.mr_signer_seam = 1;
	assert_shape(&shape, NULL, "tdx_module.identity", "", "signer");
	shape = dcap_shape(true, 4);
	shape.seam_attributes = 1;
	assert_shape(&shape, NULL, "tdx_module.identity", "", "attributes");
}

static void test_relaunch(void **state)
{
	(void)state;
	static const struct {
		uint8_t component, module, now;
		const char *status, *advisories;
	} rows[] = {
		{5, 5, 5, "UpToDate", "INTEL-SA-00005"},
		{5, 4, 4, "OutOfDate", "INTEL-SA-00005"},
		{5, 4, 5, "TDRelaunchAdvised", "INTEL-SA-00005"},
		{4, 4, 5, "TDRelaunchAdvised", "INTEL-SA-00004"},
		{3, 4, 5, "TDRelaunchAdvisedConfigurationNeeded", "INTEL-SA-00003"},
		{1, 4, 5, "OutOfDate", "INTEL-SA-00001"},
		{5, 2, 5, "Revoked", "INTEL-SA-00005"},
		{5, 4, 1, "OutOfDate", "INTEL-SA-00005"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(true, 5);
		shape.is_15 = true;
		shape.component = rows[i].component;
		shape.module = rows[i].module;
		shape.module_now = rows[i].now;
		assert_status(&shape, rows[i].status, rows[i].advisories, i == 0 ? TEE_PASSED : TEE_FAILED,
		              i);
	}
	struct dcap_shape shape = dcap_shape(true, 5);
	shape.is_15 = true;
	shape.module = 4;
	assert_shape(&shape, "{\"tcb_status\":{\"TDRelaunchAdvised\":\"warn\"}}", "", "tcb.status",
	             "allowed");
}

/* ---- what runs ---- */

static void test_td(void **state)
{
	(void)state;
	static const struct {
		uint64_t attributes, xfam;
		const char *policy, *failed;
	} rows[] = {
		{1, 3, NULL, "td.debug"},
		{1, 3, "{\"allow_debug\":true}", ""},
		{0x10, 3, NULL, "td.debug"},
		{UINT64_C(1) << 29, 3, NULL, "td.migration"},
		{UINT64_C(1) << 29, 3, "{\"allow_migration\":true}", ""},
		{UINT64_C(1) << 40, 3, NULL, "td.attributes"},
		{UINT64_C(1) << 40, 3, "{\"td_attributes\":\"0000000000010000\"}", ""},
		{0, 3, "{\"td_attributes\":\"0000000000010000\"}", "td.attributes"},
		{0, 2, NULL, "td.xfam"},
		{0, 0x13, NULL, "td.xfam"},
		{0, 3, "{\"xfam\":[\"0100000000000000\",\"0300000000000000\"]}", ""},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(true, 4);
		shape.td_attributes = rows[i].attributes;
		shape.xfam = rows[i].xfam;
		assert_shape(&shape, rows[i].policy, rows[i].failed, "",
		             rows[i].policy ? rows[i].policy : "none");
	}
}

/* Each member of a policy for a measurement, with the byte that the maker fills it with. */
static void test_measurements(void **state)
{
	(void)state;
	static const struct {
		const char *member, *check;
		uint8_t filled;
	} rows[] = {
		{"mr_td", "td.mr_td", 0x20},
		{"mr_config_id", "td.mr_config_id", 0x21},
		{"mr_owner", "td.mr_owner", 0x22},
		{"mr_owner_config", "td.mr_owner_config", 0x23},
		{"rtmr0", "td.rtmr0", 0x24},
		{"rtmr1", "td.rtmr1", 0x25},
		{"rtmr2", "td.rtmr2", 0x26},
		{"rtmr3", "td.rtmr3", 0x27},
		{"mr_seam", "tdx_module.mr_seam", 0x10},
		{"mr_service_td", "td.mr_service_td", 0x31},
		{"mr_signer_seam", "tdx_module.mr_signer_seam", 0},
	};
	struct dcap_shape shape = dcap_shape(true, 5);
	shape.is_15 = true;
	for (size_t i = 0; i < array_count(rows); i++) {
		char policy[200], hex[97];
		for (int wrong = 0; wrong < 2; wrong++) {
			for (int j = 0; j < 48; j++)
				snprintf(hex + 2 * j, 3, "%02x", rows[i].filled ^ (wrong && j == 47));
			snprintf(policy, sizeof(policy), "{\"%s\":\"%s\"}", rows[i].member, hex);
			assert_shape(&shape, policy, wrong ? rows[i].check : "", "", policy);
		}
	}
	shape = dcap_shape(true, 4); /* a body that has no such field */
	assert_shape(
		&shape,
		"{\"mr_service_td\":\"000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000\"}",
		"td.mr_service_td", "", "mr_service_td of 1.0");
}

static void test_enclave(void **state)
{
	(void)state;
#define ZEROS_31 "00000000000000000000000000000000000000000000000000000000000000"
	static const struct {
		uint8_t flags;
		const char *policy, *failed;
	} rows[] = {
		{QUOTE_SGX_INIT | QUOTE_SGX_DEBUG, NULL, "enclave.debug"},
		{QUOTE_SGX_INIT | QUOTE_SGX_DEBUG, "{\"allow_debug\":true}", ""},
		{QUOTE_SGX_MODE64BIT, NULL, "enclave.attributes"},
		{5, "{\"mr_signer\":\"bb" ZEROS_31 "\"}", ""},
		{5, "{\"mr_signer\":\"bc" ZEROS_31 "\"}", "enclave.mr_signer"},
		{5, "{\"mr_enclave\":\"40" ZEROS_31 "\"}", "enclave.mr_enclave"},
		{5, "{\"isv_prod_id\":7,\"min_isv_svn\":3,\"min_config_svn\":0}", ""},
		{5, "{\"isv_prod_id\":8,\"min_isv_svn\":4,\"min_config_svn\":1}",
	         "enclave.isv_prod_id enclave.isv_svn enclave.config_svn"},
		{5, "{\"isv_family_id\":\"00000000000000000000000000000000\"}", ""},
		{5, "{\"isv_ext_prod_id\":\"00000000000000000000000000000001\"}", "enclave.isv_ext_prod_id"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(false, 3);
		shape.sgx_flags = rows[i].flags;
		assert_shape(&shape, rows[i].policy, rows[i].failed, "",
		             rows[i].policy ? rows[i].policy : "none");
	}
}

static void test_platform_policy(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *failed;
	} rows[] = {
		{"{\"fmspc\":\"00906ed50000\"}", ""},
		{"{\"fmspc\":\"00906ed60000\"}", "platform.fmspc"},
		{"{\"ppid\":\"01000000000000000000000000000000\"}", ""},
		{"{\"ppid\":\"02000000000000000000000000000000\"}", "platform.ppid"},
		{"{\"platform_instance_id\":\"02000000000000000000000000000000\"}", "platform.instance_id"},
		{"{\"allow_smt\":false,\"allow_cached_keys\":false,\"allow_dynamic_platform\":false}",
	         "platform.smt platform.cached_keys platform.dynamic"}, /* the certificate does not say */
		{"{\"min_tcb_evaluation_data_number\":17}", ""},
		{"{\"min_tcb_evaluation_data_number\":18}",
	         "tcb_info.evaluation_number qe_identity.evaluation_number"},
		{"{\"event_log\":\"required\"}", "event_log"},
		{"{\"tcb_status\":{\"UpToDate\":\"refuse\"}}", "tcb.status"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct dcap_shape shape = dcap_shape(true, 4);
		assert_shape(&shape, rows[i].policy, rows[i].failed, "", rows[i].policy);
	}
}

static void test_report_data(void **state)
{
	(void)state;
	struct dcap_shape shape = dcap_shape(false, 3);
	struct dcap_files files;
	struct tee_verdict v;
	static const uint8_t right[] = {0x50, 0x51}, wrong[] = {0x50, 0x52}, shorter[] = {0x50};
	static const struct {
		const uint8_t *data;
		size_t size;
		const char *failed;
	} rows[] = {{right, 2, ""}, {wrong, 2, "report_data"}, {shorter, 1, "report_data"}};
	dcap_make(&shape, &files);
	for (size_t i = 0; i < array_count(rows); i++) {
		files.input.report_data = rows[i].data;
		files.input.report_data_size = rows[i].size;
		judge(&files.input, NULL, &v);
		assert_names(&v, TEE_FAILED, rows[i].failed, "report data");
		tee_verdict_done(&v);
	}
	dcap_done(&files);
}

/* ---- the bytes ---- */

/* Refused, or not understood. */
static bool is_refused(const struct tee_input *input)
{
	struct tee_verdict v = {0};
	int rc = tee_verify(input, &v, NULL);
	const bool refused = rc == CELLA_EFORMAT || (rc == 0 && !tee_accepted(&v));
	tee_verdict_done(&v);
	return refused;
}

/* Every bit of header, body, signature, attestation key, QE report, its signature and authentication data, of
 * each version. What follows is the certificates' text, of which not every bit means something. */
static void test_every_bit(void **state)
{
	(void)state;
	static const uint16_t versions[] = {3, 4, 5};
#ifdef __x86_64__
	const size_t step = 1;
#else
	const size_t step = 211; /* an emulated processor takes too long for all of them */
#endif
	for (size_t i = 0; i < array_count(versions); i++) {
		struct dcap_shape shape = dcap_shape(versions[i] > 3, versions[i]);
		struct dcap_files files;
		struct quote quote;
		shape.is_15 = versions[i] == 5;
		dcap_make(&shape, &files);
		assert_int_equal(tee_chains_new(4, &files.input.chains, NULL), 0);
		assert_int_equal(quote_parse(files.quote.data, files.quote.size, &quote, NULL), 0);
		assert_false(is_refused(&files.input));
		const size_t size = (size_t)(quote.qe_auth - files.quote.data) + quote.qe_auth_size;
		for (size_t bit = 0; bit < 8 * size; bit += step) {
			files.quote.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!is_refused(&files.input))
				fail_msg("version %u, byte %zu, bit %zu", versions[i], bit / 8, bit % 8);
			files.quote.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		assert_false(is_refused(&files.input));
		tee_chains_free(files.input.chains);
		dcap_done(&files);
	}
}

static void test_truncations(void **state)
{
	(void)state;
	for (uint16_t version = 3; version <= 5; version++) {
		struct dcap_shape shape = dcap_shape(version > 3, version);
		struct dcap_files files;
		struct quote quote;
		dcap_make(&shape, &files);
		for (size_t size = 0; size < files.quote.size; size++) {
			uint8_t *copy = malloc(size + 1); /* so that the sanitizer sees a byte too far */
			assert_non_null(copy);
			memcpy(copy, files.quote.data, size);
			assert_int_equal(quote_parse(copy, size, &quote, NULL), CELLA_EFORMAT);
			free(copy);
		}
		buf_put(&files.quote, "behind", 6);
		assert_int_equal(quote_parse(files.quote.data, files.quote.size, &quote, NULL), 0);
		assert_int_equal(quote.trailing_size, 6);
		dcap_done(&files);
	}
}

/* Verifications that share what they remember judge as those that remember nothing, at each time. */
static void test_remembered(void **state)
{
	(void)state;
	struct dcap_shape shape = dcap_shape(true, 4), other = dcap_shape(true, 4);
	struct dcap_files files, others;
	struct tee_chains *chains;
	struct tee_verdict v;
	other.flaw = DCAP_PCK_REVOKED;
	dcap_make(&shape, &files);
	dcap_make(&other, &others);
	assert_int_equal(tee_chains_new(2, &chains, NULL), 0);
	files.input.chains = others.input.chains = chains;
	for (int i = 0; i < 3; i++) {
		files.input.time = DCAP_TIME;
		judge(&files.input, NULL, &v);
		assert_names(&v, TEE_FAILED, "", "right");
		tee_verdict_done(&v);
		files.input.time = DCAP_TIME + 1;
		judge(&files.input, NULL, &v);
		assert_names(&v, TEE_FAILED, "tcb_info.dates", "later");
		tee_verdict_done(&v);
		judge(&others.input, NULL, &v);
		assert_names(&v, TEE_FAILED, "pck.crl", "revoked");
		tee_verdict_done(&v);
	}
	tee_chains_free(chains);
	dcap_done(&files);
	dcap_done(&others);
}

/* Of what was given for several platforms, the documents for this one are taken, in whatever order. */
static void test_collateral_of_many(void **state)
{
	(void)state;
	struct dcap_shape shape = dcap_shape(true, 4), fmspc = shape, sgx = dcap_shape(false, 3);
	struct dcap_files files, of_fmspc, of_sgx;
	struct tee_verdict v;
	fmspc.flaw = DCAP_TCB_OTHER_FMSPC;
	dcap_make(&shape, &files);
	dcap_make(&fmspc, &of_fmspc);
	dcap_make(&sgx, &of_sgx);
	const struct tee_blob all[] = {of_fmspc.collateral[0], of_sgx.collateral[0], of_sgx.collateral[1],
	                               files.collateral[0],    files.collateral[1],  files.collateral[2],
	                               files.collateral[3]};
	struct tee_blob reversed[array_count(all)];
	for (size_t i = 0; i < array_count(all); i++)
		reversed[i] = all[array_count(all) - 1 - i];
	files.input.collateral_count = array_count(all);
	for (int i = 0; i < 2; i++) {
		files.input.collateral = i == 0 ? all : reversed;
		judge(&files.input, NULL, &v);
		assert_names(&v, TEE_FAILED, "", i == 0 ? "in order" : "reversed");
		tee_verdict_done(&v);
	}
	dcap_done(&files);
	dcap_done(&of_fmspc);
	dcap_done(&of_sgx);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 ? -1 : dcap_start();
}

static int stop(void **state)
{
	(void)state;
	dcap_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_relaunch),
		cmocka_unit_test(test_td),
		cmocka_unit_test(test_measurements),
		cmocka_unit_test(test_enclave),
		cmocka_unit_test(test_platform_policy),
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_collateral_of_many),
		cmocka_unit_test(test_missing_allowed),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_flaws),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
