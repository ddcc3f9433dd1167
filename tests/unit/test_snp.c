/*
 * Evidence of SEV-SNP, of a maker of our own. Is what is genuine accepted, and is each thing that can be
 * wrong with a report, or is not as a policy demands it, refused by the check that is named for it, and by no
 * other? The certificates: test_snp_certs.c.
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

/* ---- what is genuine ---- */

static void test_genuine(void **state)
{
	(void)state;
	struct maker_files files;
	struct maker_question q;
	static const uint32_t versions[] = {2, 3, 5};
	for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++)
		for (size_t i = 0; i < array_count(versions); i++)
			for (int vlek = 0; vlek < 2; vlek++) {
				const struct maker_shape shape = maker_shape(p, versions[i], vlek);
				maker_make(&shape, &files);
				maker_ask(&files, &q);
				assert_judged(&q.input, "");
				maker_done(&files);
			}
}

static void test_claims(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"version", "5"},
		{"policy.abi", "0.31"},
		{"policy.debug", "0"},
		{"guest_svn", "7"},
		{"cpuid", "1a.02.01"},
		{"tcb.reported.fmc", "9"},
		{"tcb.current.snp", "24"},
		{"tcb.launch.microcode", "217"},
		{"tcb.committed", "09040118000000d9"},
		{"signing_key", "VCEK"},
		{"firmware.current", "1.55.29"},
		{"mitigations.current", "0x7"},
		{"platform.alias_check", "1"},
		{"certificate.hwid", "0102030405060708"},
		{"certificate.tcb.fmc", "9"},
		{"certificate.product", "Turin-B0"},
		{"certificate.subject", "CN=SEV-VCEK,O=A Maker,C=US,OU=Engineering"},
	};
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct maker_question q;
	struct tee_verdict v = {0};
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	assert_int_equal(tee_show(&q.input, &v, NULL), 0);
	assert_int_equal(v.check_count, 0);
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct tee_claim *claim = tee_claim_named(&v, rows[i].name);
		assert_non_null(claim);
		assert_string_equal(claim->value, rows[i].value);
	}
	assert_null(tee_claim_named(&v, "no_such_claim"));
	tee_verdict_done(&v);
	maker_done(&files);
}

/* ---- the report ---- */

static void test_reports(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *fails; /* when it is signed again */
	} rows[] = {
		{SNP_AT_POLICY + 2, 0x01, "reserved"},      /* bit 17 is not one */
		{SNP_AT_POLICY + 3, 0x04, "reserved"},      /* bit 26 */
		{SNP_AT_POLICY + 7, 0x80, "reserved"},      /* bit 63 */
		{SNP_AT_POLICY + 3, 0x03, ""},              /* bits 24 and 25 are known */
		{SNP_AT_POLICY + 1, 2, "policy.abi"},       /* firmware 2.31 */
		{SNP_AT_POLICY, 56, ""},                    /* 0.56: less than 1.55 */
		{SNP_AT_VMPL, 3, ""},
		{SNP_AT_VMPL, 4, "vmpl"},
		{SNP_AT_VMPL + 3, 0xff, "vmpl"},
		{SNP_AT_SIGNATURE_ALGORITHM, 2, "signature.algorithm signature"},
		{SNP_AT_SIGNATURE_ALGORITHM + 3, 1, "signature.algorithm signature"},
		{SNP_AT_CURRENT_TCB + 1, 0, "tcb.order"},   /* the TEE's level is behind */
		{SNP_AT_CURRENT_TCB + 2, 1, "reserved"},
		{SNP_AT_LAUNCH_TCB + 5, 1, "reserved"},
		{SNP_AT_COMMITTED_TCB + 7, 218, "tcb.order"},
		{SNP_AT_REPORTED_TCB + 7, 216, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 7, 218, "certificate.tcb tcb.order"},
		{SNP_AT_REPORTED_TCB + 6, 23, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB, 3, "certificate.tcb"},
		{SNP_AT_PLATFORM_INFO, 0x65, "reserved"},   /* bit 6 */
		{SNP_AT_PLATFORM_INFO, 0xa5, ""},           /* bit 7: trusted I/O */
		{SNP_AT_PLATFORM_INFO + 1, 1, "reserved"},
		{SNP_AT_KEY_INFO, 1, ""},                   /* an author key */
		{SNP_AT_KEY_INFO, 2, "certificate.kind"},   /* the chip's key is masked */
		{SNP_AT_KEY_INFO, 1 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 2 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 7 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 1 << 5, "reserved"},
		{SNP_AT_KEY_INFO + 3, 0x80, "reserved"},
		{SNP_AT_RESERVED_1, 1, "reserved"},
		{SNP_AT_AUTHOR_KEY_DIGEST, 1, "reserved"},  /* without an author key */
		{SNP_AT_CPUID, 0x1a, "certificate.product"}, /* Turin's */
		{SNP_AT_CPUID, 0x17, "certificate.product"},
		{SNP_AT_CPUID + 1, 0x11, "certificate.product"}, /* Genoa's */
		{SNP_AT_CPUID + 2, 7, ""},
		{SNP_AT_RESERVED_2, 1, "reserved"},
		{SNP_AT_CHIP_ID - 1, 1, "reserved"},
		{SNP_AT_CHIP_ID, 0, "certificate.chip"},
		{SNP_AT_CHIP_ID + 63, 0, "certificate.chip"},
		{SNP_AT_RESERVED_3, 1, "reserved"},
		{SNP_AT_RESERVED_4, 1, "reserved"},
		{SNP_AT_RESERVED_5, 1, "reserved"},
		{SNP_AT_LAUNCH_MITIGATIONS, 1, "reserved"}, /* from version 5 on */
		{SNP_AT_CURRENT_MITIGATIONS + 7, 1, "reserved"},
		{SNP_AT_SIGNATURE - 1, 1, "reserved"},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_NUMBER, 1, "reserved"},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD + SNP_SIGNATURE_NUMBER, 1, "reserved"},
		{SNP_AT_SIGNATURE + 2 * SNP_SIGNATURE_FIELD, 1, "reserved"},
		{SNP_REPORT_SIZE - 1, 1, "reserved"},
		{SNP_AT_MEASUREMENT, 1, ""},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct maker_question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		maker_ask(&files, &q);
		print_message("report byte 0x%zx = 0x%x\n", rows[i].at, rows[i].value);
		assert_judged(&q.input, rows[i].fails);
		maker_done(&files);
	}
}

/* Version 2 has no CPUID, version 5 has mitigations. */
static void test_versions(void **state)
{
	(void)state;
	static const struct {
		uint32_t version;
		size_t at;
		const char *fails;
	} rows[] = {
		{2, SNP_AT_CPUID, "reserved"},      {2, SNP_AT_LAUNCH_MITIGATIONS, "reserved"},
		{5, SNP_AT_LAUNCH_MITIGATIONS, ""}, {5, SNP_AT_CURRENT_MITIGATIONS + 7, ""},
		{5, SNP_AT_RESERVED_5, "reserved"}, {5, SNP_AT_RESERVED_2, "reserved"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct maker_shape shape = maker_shape(SNP_GENOA, rows[i].version, false);
		struct maker_files files;
		struct maker_question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = 1;
		maker_sign(&files);
		maker_ask(&files, &q);
		assert_judged(&q.input, rows[i].fails);
		maker_done(&files);
	}
}

static void test_turin(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *fails;
	} rows[] = {
		{SNP_AT_REPORTED_TCB, 8, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 3, 23, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 4, 1, "reserved"},
		{SNP_AT_REPORTED_TCB + 6, 1, "reserved"},
		{SNP_AT_CHIP_ID + 7, 0, "certificate.chip"},
		{SNP_AT_CHIP_ID + 8, 1, "certificate.chip"}, /* what follows the 8 bytes is zero */
	};
	struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct maker_question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		maker_ask(&files, &q);
		assert_judged(&q.input, rows[i].fails);
		maker_done(&files);
	}
	shape.levels[SNP_FMC] = -1; /* the certificate must say */
	struct maker_files files;
	struct maker_question q;
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	assert_judged(&q.input, "certificate.kind certificate.tcb");
	maker_done(&files);
}

/* The host may mask the chip's id: the key still tells. */
static void test_masked_chip(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct maker_question q;
	struct tee_verdict v = {0};
	maker_make(&shape, &files);
	memset(files.report.data + SNP_AT_CHIP_ID, 0, SNP_CHIP_ID_SIZE);
	maker_sign(&files);
	maker_ask(&files, &q);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "");
	assert_int_equal(tee_check_named(&v, "certificate.chip")->status, TEE_WARNED);
	tee_verdict_done(&v);
	/* But by what AMD's server would be asked for its certificate nobody knows. */
	assert_int_equal(tee_sources(&q.input, &v, NULL), 0);
	assert_null(tee_claim_named(&v, "vcek.der"));
	assert_int_equal(v.check_count, 0); /* it is here already */
	tee_verdict_done(&v);
	q.input.cert_count = 0;
	assert_int_equal(tee_sources(&q.input, &v, NULL), 0);
	assert_non_null(tee_claim_named(&v, "ask_ark.pem"));
	assert_non_null(tee_check_named(&v, "vcek.der"));
	assert_non_null(strstr(tee_check_named(&v, "vcek.der")->found, "masks the chip's id"));
	tee_verdict_done(&v);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_non_null(strstr(tee_check_named(&v, "certificate")->found, "masks the chip's id"));
	tee_verdict_done(&v);
	maker_done(&files);
}

static void test_report_data(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct maker_question q;
	uint8_t data[TEE_REPORT_DATA_MAX];
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	memcpy(data, files.report.data + SNP_AT_REPORT_DATA, sizeof(data));
	q.input.report_data = data;
	q.input.report_data_size = sizeof(data);
	assert_judged(&q.input, "");
	q.input.report_data_size = 63; /* the last byte is not zero */
	assert_judged(&q.input, "report_data");
	memset(files.report.data + SNP_AT_REPORT_DATA + 32, 0, 32);
	maker_sign(&files);
	q.input.report_data_size = 32;
	assert_judged(&q.input, "");
	data[31] ^= 1;
	assert_judged(&q.input, "report_data");
	q.input.report_data_size = 0; /* asked for: nothing but zeros */
	assert_judged(&q.input, "report_data");
	struct tee_verdict v = {0};
	q.input.report_data_size = 65;
	assert_int_equal(tee_verify(&q.input, &v, NULL), CELLA_EINVAL);
	maker_done(&files);
}

/* ---- policies ---- */

#define B0 "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define B1 "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
#define Z32 "0000000000000000000000000000000000000000000000000000000000000000"

static void test_policies(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *fails;
	} rows[] = {
		{"{}", ""},
		{"{\"host_data\": \"" B0 "\"}", ""},
		{"{\"host_data\": [\"" Z32 "\", \"" B0 "\"]}", ""},
		{"{\"host_data\": [\"" Z32 "\"]}", "host_data"},
		{"{\"id_key_digest\": \"" B1 B1 "\"}", ""},
		{"{\"id_key_digest\": \"" Z32 "00000000000000000000000000000000\"}", "id_key_digest"},
		{"{\"author_key_digest\": \"" Z32 "00000000000000000000000000000000\"}", ""},
		{"{\"author_key_digest\": \"" B1 B1 "\"}", "author_key_digest"},
		{"{\"measurement\": \"" B1 B1 "\"}", "measurement"},
		{"{\"report_id\": \"" B0 "\"}", "report_id"},
		{"{\"chip_id\": \"" B0 B0 "\"}", "chip_id"},
		{"{\"family_id\": \"b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", ""},
		{"{\"family_id\": \"b4b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "family_id"},
		{"{\"image_id\": \"b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "image_id"},
		{"{\"minimum_guest_svn\": 7}", ""},
		{"{\"minimum_guest_svn\": 8}", "minimum.guest_svn"},
		{"{\"maximum_vmpl\": 0}", ""},
		{"{\"minimum_tcb\": {\"fmc\": 9, \"bootloader\": 4, \"tee\": 1, \"snp\": 24, \"microcode\": 217}}",
	         ""},
		{"{\"minimum_tcb\": {\"fmc\": 10}}", "minimum.reported.fmc"},
		{"{\"minimum_tcb\": {\"snp\": 25, \"microcode\": 218}}",
	         "minimum.reported.snp minimum.reported.microcode"},
		{"{\"minimum_launch_tcb\": {\"bootloader\": 5}}", "minimum.launch.bootloader"},
		{"{\"minimum_committed_tcb\": {\"tee\": 2}}", "minimum.committed.tee"},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 55, \"build\": 29}}", ""},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 55, \"build\": 30}}", "minimum.firmware"},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 54, \"build\": 99}}", ""},
		{"{\"launch_mitigations\": 3, \"current_mitigations\": 5}", ""},
		{"{\"launch_mitigations\": 4, \"current_mitigations\": 8}",
	         "mitigations.launch mitigations.current"},
		{"{\"guest_policy\": {\"smt\": \"require\", \"debug\": \"refuse\"}}", ""},
		{"{\"guest_policy\": {\"smt\": \"refuse\", \"single_socket\": \"require\"}}",
	         "policy.smt policy.single_socket"},
		{"{\"guest_policy\": {\"smt\": \"warn\"}}", ""},
		{"{\"platform\": {\"ecc\": \"require\", \"alias_check\": \"require\", \"tsme\": \"refuse\"}}",
	         ""},
		{"{\"platform\": {\"ciphertext_hiding\": \"require\", \"smt\": \"refuse\"}}",
	         "platform.smt platform.ciphertext_hiding"},
		{"{\"provisional_firmware\": \"refuse\"}", ""},
		{"{\"product\": [\"Milan\", \"Turin\"]}", ""},
		{"{\"product\": \"Milan\"}", "product"},
		{"{\"signing_key\": \"vcek\"}", ""},
		{"{\"signing_key\": \"vlek\"}", "signing_key"},
		{"{\"csp_id\": \"CN=cloud.example\"}", "csp_id"},
	};
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct maker_question q;
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct error err = {0};
		struct tee_policy *policy;
		if (tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy, &err) != 0)
			fail_msg("%s: %s", rows[i].policy, err.text);
		print_message("%s\n", rows[i].policy);
		q.input.policy = policy;
		assert_judged(&q.input, rows[i].fails);
		tee_policy_free(policy);
	}
	maker_done(&files);
}

/* Debugging, migration, and firmware that is not committed. */
static void test_dangerous(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *check, *policy, *fails;
	} rows[] = {
		{SNP_AT_POLICY + 2, 0x0b, "policy.debug", "{\"guest_policy\":{\"debug\":\"refuse\"}}",
	         "policy.debug"},
		{SNP_AT_POLICY + 2, 0x07, "policy.migration_agent",
	         "{\"guest_policy\":{\"migration_agent\":\"refuse\"}}", "policy.migration_agent"},
		{SNP_AT_COMMITTED_TCB + 7, 200, NULL, "{\"provisional_firmware\":\"refuse\"}",
	         "firmware.provisional"},
		{SNP_AT_PLATFORM_INFO + 7, 1, "reserved", "{\"reserved\":\"warn\"}", ""},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct maker_question q;
		struct tee_verdict v = {0};
		struct tee_policy *policy;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		maker_ask(&files, &q);
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		if (rows[i].check)
			assert_int_not_equal(tee_check_named(&v, rows[i].check)->status, TEE_PASSED);
		tee_verdict_done(&v);
		assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy,
		                                 NULL),
		                 0);
		q.input.policy = policy;
		assert_judged(&q.input, rows[i].fails);
		tee_policy_free(policy);
		maker_done(&files);
	}
}

static void test_policies_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *why;
	} rows[] = {
		{"", "no JSON"},
		{"[]", "no object"},
		{"{\"measurment\": 1}", "did you mean measurement?"},
		{"{\"guest_policy\": {\"debugg\": \"refuse\"}}",
	         "guest_policy: there is no member \"debugg\"; did you mean debug?"},
		{"{\"guest_policy\": {\"debug\": \"refused\"}}",
	         "guest_policy.debug: \"refused\" is none of \"any\", \"warn\", \"refuse\", \"require\"; did you mean refuse?"},
		{"{\"guest_policy\": {\"debug\": true}}", "is none of"},
		{"{\"guest_policy\": []}", "guest_policy: no object"},
		{"{\"measurement\": \"00\"}", "is not 96 hexadecimal digits"},
		{"{\"measurement\": []}", "empty array"},
		{"{\"measurement\": [1]}", "no string"},
		{"{\"family_id\": \"g3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "is not 32 hexadecimal digits"},
		{"{\"minimum_guest_svn\": -1}", "is not between 0 and 4294967295"},
		{"{\"minimum_guest_svn\": 1.5}", "no integer"},
		{"{\"minimum_tcb\": {\"snp\": 256}}", "minimum_tcb.snp: 256 is not between 0 and 255"},
		{"{\"maximum_vmpl\": 4}", "is not between 0 and 3"},
		{"{\"product\": \"\"}", "a string of 0 bytes"},
		{"{\"product\": 1}", "no string"},
		{"{\"product\": \"Milan\", \"product\": \"Milan\"}", "duplicate"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "nested"},
	};
	struct tee_policy *policy;
	struct error err;
	for (size_t i = 0; i < array_count(rows); i++) {
		assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy,
		                                 &err),
		                 CELLA_EFORMAT);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].policy, err.text);
	}
	assert_int_equal(tee_policy_read(TEE_TPM + 100, "{}", 2, &policy, &err), CELLA_EUNSUPPORTED);
}

/* ---- what is not understood ---- */

static void test_not_understood(void **state)
{
	(void)state;
	static const uint32_t versions[] = {0, 1, 4, 6, 0x01000002};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct tee_verdict v = {0};
	struct maker_question q;
	struct error err;
	maker_make(&shape, &files);
	maker_ask(&files, &q);
	for (size_t i = 0; i < array_count(versions); i++) {
		memcpy(files.report.data, &versions[i], sizeof(versions[i]));
		maker_sign(&files);
		assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
		assert_non_null(strstr(err.text, "2, 3 and 5 are"));
	}
	files.report.data[0] = 3, files.report.data[3] = 0;
	maker_sign(&files);
	for (size_t size = 0; size < SNP_REPORT_SIZE; size++) {
		q.input.evidence.size = size;
		assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
		assert_int_equal(tee_show(&q.input, &v, &err), CELLA_EFORMAT);
	}
	assert_int_equal(v.check_count, 0);
	buf_put_u8(&files.report, 0);
	q.input.evidence = (struct tee_blob){files.report.data, files.report.size, "report"};
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
	q.input.evidence.size--;
	assert_judged(&q.input, "");
	q.input.event_logs = q.certs;
	q.input.event_log_count = 1;
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EINVAL);
	q.input.event_log_count = 0;
	q.input.kind = TEE_KINDS;
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EUNSUPPORTED);
	maker_done(&files);
}

static void test_files_of_people(void **state)
{
	(void)state;
	static const struct {
		const char *file, *bytes;
		size_t size;
	} rows[] = {
		{"0a0B\n", "\x0a\x0b", 2}, {" 0x0a 0b\r\n0c", "\x0a\x0b\x0c", 3},
		{"0a0", "0a0", 3}, /* half a byte: not hexadecimal */
		{"0a0g", "0a0g", 4},       {"0x", "0x", 2},
		{"\n", "\n", 1},           {"", "", 0},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf bytes = {0};
		buf_put(&bytes, "before", 6);
		assert_int_equal(tee_file_bytes(rows[i].file, strlen(rows[i].file), &bytes, NULL), 0);
		assert_int_equal(bytes.size, 6 + rows[i].size);
		assert_memory_equal(bytes.data + 6, rows[i].bytes, rows[i].size);
		buf_done(&bytes);
	}
}

static void test_kinds(void **state)
{
	(void)state;
	enum tee_kind kind;
	struct error err;
	assert_int_equal(tee_kind_parse("snp", &kind, &err), 0);
	assert_int_equal(kind, TEE_SNP);
	assert_string_equal(tee_kind_of(TEE_SNP)->name, "snp");
	assert_int_equal(tee_kind_parse("snpp", &kind, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "did you mean snp?"));
	assert_null(tee_kind_of(TEE_KINDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),        cmocka_unit_test(test_claims),
		cmocka_unit_test(test_masked_chip),    cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_policies),       cmocka_unit_test(test_files_of_people),
		cmocka_unit_test(test_kinds),          cmocka_unit_test(test_reports),
		cmocka_unit_test(test_versions),       cmocka_unit_test(test_turin),
		cmocka_unit_test(test_dangerous),      cmocka_unit_test(test_policies_that_are_none),
		cmocka_unit_test(test_not_understood),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
