/*
 * Evidence of a TPM, of a maker of our own. Is what is genuine accepted, and is each thing that can be wrong
 * with a quote, its key's certificates, PCRs, logs or a policy refused by the check that is named for it, and
 * by no other?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/tpm/tpm.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "tpm_question.h"

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || soft_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	soft_stop();
	return 0;
}

/* ---- what is genuine ---- */

static void test_genuine(void **state)
{
	(void)state;
	static const uint16_t banks[] = {TPM_ALG_SHA256, TPM_ALG_SHA384, TPM_ALG_SHA512};
	for (enum soft_kind kind = 0; kind < SOFT_KINDS; kind++)
		for (size_t i = 0; i < array_count(banks); i++)
			for (int certified = 0; certified < 2; certified++) {
				struct question q;
				struct soft_shape shape = soft_shape(kind);
				shape.bank = banks[i];
				shape.with_certification = certified;
				ask(&shape, &q);
				assert_verdict(&q, "");
				answered(&q);
			}
}

static void test_claims(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"ak.key", "RSA of 2048 bits"},
		{"ak.attributes", "00050072"},
		{"ek.key", "RSA of 2048 bits"},
		{"quote.clock", "123456"},
		{"quote.reset_count", "7"},
		{"quote.restart_count", "2"},
		{"quote.firmware", "2024010100120000"},
		{"pcr.sha256.7", NULL},
		{"pcr.sha256.10", NULL},
		{"event_log.2", NULL},
		{"ima_log.4", NULL},
		{"ak_certificate.subject", "CN=AK"},
		{"ek.issuer", "CN=TPM root"},
	};
	const struct soft_shape shape = soft_shape(SOFT_RSASSA);
	struct tee_verdict v = {0};
	struct question q;
	ask(&shape, &q);
	assert_int_equal(tee_show(&q.input, &v, NULL), 0);
	assert_int_equal(v.check_count, 0);
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct tee_claim *claim = tee_claim_named(&v, rows[i].name);
		if (!claim)
			fail_msg("there is no %s", rows[i].name);
		if (rows[i].value)
			assert_string_equal(claim->value, rows[i].value);
	}
	assert_string_equal(tee_claim_named(&v, "ak.name")->value, q.files.ak_name);
	assert_string_equal(tee_claim_named(&v, "ima_log.4")->meaning, "/etc/motd");
	assert_null(tee_claim_named(&v, "pcr.sha256.11"));
	tee_verdict_done(&v);
	answered(&q);
}

/* ---- what is wrong ---- */

static const struct {
	enum soft_flaw flaw;
	bool with_certification;
	const char *fails;
} flaw_rows[] = {
	{SOFT_BY_ANOTHER, false, "quote.signature"},
	{SOFT_OTHER_SCHEME, false, "quote.signature"},
	{SOFT_MAGIC, false, "quote.magic"},
	{SOFT_WEAK_NAME, false, "ak.name"},
	{SOFT_WEAK_NAME, true, "ak.name"},
	{SOFT_OTHER_PARENT, false, "quote.signer"},
	{SOFT_DIGEST, false, "quote.pcrs"},
	{SOFT_CERT_OF_ANOTHER, false, "ak.binding"},
	{SOFT_CERT_NO_USAGE, false, "ak_certificate.usage"},
	{SOFT_CERT_EK_USAGE, false, "ak_certificate.usage"},
	{SOFT_CERT_BY_ANOTHER, false, "ak_certificate.chain"},
	{SOFT_CERT_EXPIRED, false, "ak_certificate.validity"},
	{SOFT_ROOT_NAMES, false, "ak_certificate.chain"},
	{SOFT_CERT_OF_ANOTHER, true, "ak.binding"},
	{SOFT_CERT_NO_USAGE, true, "certifier.usage"},
	{SOFT_CERT_EXPIRED, true, "certifier.validity"},
	{SOFT_CERTIFIES_ANOTHER, true, "certification.name"},
	{SOFT_CERTIFIED_BY_ANOTHER, true, "ak.binding"},
	{SOFT_CERTIFIED_MAGIC, true, "certification.magic"},
	{SOFT_CERTIFIED_ELSEWHERE, true, "certification.signer"},
	{SOFT_EK_CERT_OF_ANOTHER, false, ""}, /* of enrolments */
	{SOFT_NO_EK, false, ""},
};

static void test_flaws(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(flaw_rows); i++)
		for (enum soft_kind kind = 0; kind < SOFT_KINDS; kind++) {
			struct question q;
			struct soft_shape shape = soft_shape(kind);
			if (flaw_rows[i].flaw == SOFT_OTHER_SCHEME && kind > SOFT_RSAPSS)
				continue; /* of ECC there is one scheme */
			shape.flaw = flaw_rows[i].flaw;
			shape.with_certification = flaw_rows[i].with_certification;
			print_message("flaw %zu, key %d\n", i, kind);
			ask(&shape, &q);
			assert_verdict(&q, flaw_rows[i].fails);
			answered(&q);
		}
}

static void test_attributes(void **state)
{
	(void)state;
	static const uint32_t bits[] = {TPM_FIXED_TPM,  TPM_FIXED_PARENT, TPM_SENSITIVE_DATA_ORIGIN,
	                                TPM_RESTRICTED, TPM_SIGN,         TPM_DECRYPT};
	for (size_t i = 0; i < array_count(bits); i++) {
		struct question q;
		struct soft_shape shape = soft_shape(SOFT_P256);
		shape.attributes ^= bits[i];
		ask(&shape, &q);
		assert_verdict(&q, "ak.attributes");
		answered(&q);
	}
}

static void test_whose_key(void **state)
{
	(void)state;
	const struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	ask(&shape, &q);
	q.input.policy = NULL;
	assert_verdict(&q, "ak.binding");
	set_policy(&q, "{'ak_names': '%s'}", q.files.ak_name);
	assert_verdict(&q, "");
	q.input.cert_count = 0;
	assert_verdict(&q, "");
	for (char *c = q.files.ak_name; *c; c++)
		*c = *c >= 'a' ? (char)(*c - 'a' + 'A') : *c;
	set_policy(&q, "{'ak_names': ['00', '%s']}", q.files.ak_name);
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_names': ['00', '%.60s']}", q.files.ak_name);
	assert_verdict(&q, "ak.binding");
	set_policy(&q, "{'ak_roots': '%s'}", q.files.root_hash);
	assert_verdict(&q, "ak.binding");
	q.input.cert_count = 1;
	assert_verdict(&q, "ak_certificate.root ak_certificate.chain");
	q.input.cert_count = 2;
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_roots': '%064d'}", 0);
	assert_verdict(&q, "ak_certificate.root");
	set_policy(&q, "{'ek_roots': '%s'}",
	           q.files.root_hash); /* who certifies EKs may certify anything else */
	assert_verdict(&q, "ak.binding");
	set_policy(&q, "{'ak_roots': '%s', 'crl': 'required'}", q.files.root_hash);
	assert_verdict(&q, "ak_certificate.crl");
	answered(&q);
}

static void test_report_data(void **state)
{
	(void)state;
	const struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	uint8_t data[64] = {0}, hash[64];
	ask(&shape, &q);
	memcpy(data, q.files.nonce, SOFT_NONCE_SIZE);
	q.input.report_data = data;
	for (size_t size = 0; size <= sizeof(data); size++) {
		q.input.report_data_size = size;
		assert_verdict(&q, size < SOFT_NONCE_SIZE ? "report_data" : "");
	}
	for (size_t i = 0; i < sizeof(data); i++) {
		data[i] ^= 0x80;
		assert_verdict(&q, "report_data");
		data[i] ^= 0x80;
	}
	/* A quote of the hash of all 64 bytes. */
	const struct crypto_part whole = {data, sizeof(data)};
	memset(data, 0x5A, sizeof(data));
	assert_int_equal(crypto_hash(CRYPTO_SHA256, &whole, 1, hash, NULL), 0);
	assert_verdict(&q, "report_data");
	answered(&q);
	ask(&shape, &q);
	uint8_t *at = memmem(q.files.evidence.data, q.files.evidence.size, q.files.nonce, SOFT_NONCE_SIZE);
	assert_non_null(at);
	memcpy(at, hash, 32);
	q.input.report_data = data;
	q.input.report_data_size = sizeof(data);
	assert_verdict(&q, "quote.signature"); /* and not report_data */
	answered(&q);
}

static void test_pcrs(void **state)
{
	(void)state;
	const struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	char hex[65];
	ask(&shape, &q);
	io_hex(q.files.pcrs[7], 32, hex);
	set_policy(&q, "{'ak_names': '%s', 'pcrs': {'7': '%s'}}", q.files.ak_name, hex);
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_names': '%s', 'pcrs': {'7': ['%064d', '%s']}}", q.files.ak_name, 0, hex);
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_names': '%s', 'pcrs': {'4': '%s', '7': '%064d', '11': '%064d'}}",
	           q.files.ak_name, hex, 0, 0);
	assert_verdict(&q, "pcr.sha256.4 pcr.sha256.7 pcr.sha256.11");
	set_policy(&q, "{'ak_names': '%s', 'pcrs_sha384': {'7': '%096d'}}", q.files.ak_name, 0);
	assert_verdict(&q, "pcr.sha384.7");
	answered(&q);
}

/* A quote without PCRs, and one of SHA-1 alone, say nothing of the machine. */
static void test_banks(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	shape.pcrs = 0;
	ask(&shape, &q);
	assert_verdict(&q, "quote.bank event_log");
	answered(&q);
	shape = soft_shape(SOFT_P256);
	shape.bank = TPM_ALG_SHA1;
	ask(&shape, &q);
	assert_verdict(&q, "quote.bank event_log");
	answered(&q);
	shape = soft_shape(SOFT_P256);
	shape.pcrs = 0xFF; /* neither 8 to 10: a warning, and IMA's log proves nothing */
	ask(&shape, &q);
	assert_verdict(&q, "ima_log.pcr10");
	q.input.event_log_count = 1;
	assert_verdict(&q, "");
	answered(&q);
}

/* Values of several banks are found where they lie. */
static void test_two_banks(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	struct tpm_evidence e;
	uint8_t sha1[20];
	struct tee_verdict v = {0};
	shape.two_banks = true;
	ask(&shape, &q);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "");
	assert_string_equal(tee_check_named(&v, "quote.bank")->found, "SHA-256"); /* and not the first */
	tee_verdict_done(&v);
	assert_int_equal(tpm_evidence_read(q.files.evidence.data, q.files.evidence.size, &e, NULL), 0);
	for (unsigned i = 0; i < TPM_PCRS; i++) {
		const uint8_t *first = tpm_evidence_pcr(&e, CRYPTO_SHA1, i);
		const uint8_t *second = tpm_evidence_pcr(&e, CRYPTO_SHA256, i);
		memset(sha1, (int)i, sizeof(sha1));
		assert_int_equal(first != NULL, i == 3 || i == 7);
		assert_int_equal(second != NULL, shape.pcrs >> i & 1);
		if (first)
			assert_memory_equal(first, sha1, sizeof(sha1));
		if (second)
			assert_memory_equal(second, q.files.pcrs[i], 32);
	}
	assert_null(tpm_evidence_pcr(&e, CRYPTO_SHA384, 0));
	answered(&q);
}

/* ---- bytes ---- */

static void flip(const struct soft_shape *shape, size_t step)
{
	struct question q;
	size_t refused = 0, misunderstood = 0;
	ask(shape, &q);
	set_policy(&q, "{'ak_names': '%s'}", q.files.ak_name);
	q.input.cert_count = q.input.event_log_count = 0;
	const size_t from = q.files.quote_at, to = q.files.signature_at + q.files.signature_size;
	for (size_t bit = 8 * from; bit < 8 * to; bit += step) {
		struct tee_verdict v = {0};
		if (bit / 8 >= from + q.files.quote_size && bit / 8 < q.files.signature_at)
			continue;
		q.files.evidence.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		const int rc = tee_verify(&q.input, &v, NULL);
		if (rc == 0 && tee_accepted(&v))
			fail_msg("bit %zu of byte %zu may be changed", bit % 8, bit / 8);
		refused += rc == 0;
		misunderstood += rc == CELLA_EFORMAT;
		assert_true(rc == 0 || rc == CELLA_EFORMAT);
		tee_verdict_done(&v);
		q.files.evidence.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	print_message("%zu refused, %zu not understood\n", refused, misunderstood);
	assert_true(refused > 0 && misunderstood > 0);
	assert_verdict(&q, "");
	answered(&q);
}

static void test_every_bit(void **state)
{
	(void)state;
	for (enum soft_kind kind = 0; kind < SOFT_KINDS; kind++) {
		const struct soft_shape shape = soft_shape(kind);
		flip(&shape, kind == SOFT_P256 ? 1 : 11);
	}
}

static void test_every_truncation(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	shape.with_certification = true;
	ask(&shape, &q);
	const size_t whole = q.files.evidence.size;
	for (size_t size = 0; size < whole; size++) {
		q.input.evidence.size = size;
		assert_error(&q, "evidence");
	}
	q.input.evidence.size = whole;
	buf_put_u8(&q.files.evidence, 0);
	q.input.evidence = (struct tee_blob){q.files.evidence.data, q.files.evidence.size, "evidence"};
	assert_error(&q, "cut or malformed");
	q.files.evidence.data[8] = 2;
	assert_error(&q, "version 2");
	answered(&q);
}

/* ---- enrolment ---- */

static void assert_enrolment(const struct question *q, const char *names)
{
	struct tee_verdict v = {0};
	assert_int_equal(tpm_verify_enrolment(&q->input, &v, NULL), 0);
	assert_fails(&v, names);
	tee_verdict_done(&v);
}

static void test_enrolment(void **state)
{
	(void)state;
	static const struct {
		enum soft_flaw flaw;
		const char *fails;
	} rows[] = {
		{SOFT_RIGHT, ""},
		{SOFT_EK_CERT_OF_ANOTHER, "ek.certificate"},
		{SOFT_EK_CERT_NO_USAGE, "ek.usage"},
		{SOFT_NO_EK, "ek.certificate"},
		{SOFT_BY_ANOTHER, "quote.signature"},
		{SOFT_CERT_OF_ANOTHER, ""}, /* the AK's certificate is not asked for */
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct question q;
		struct soft_shape shape = soft_shape(SOFT_P256);
		shape.flaw = rows[i].flaw;
		ask(&shape, &q);
		assert_enrolment(&q, rows[i].fails);
		answered(&q);
	}
	struct question q;
	const struct soft_shape shape = soft_shape(SOFT_P256);
	ask(&shape, &q);
	set_policy(&q, "{'ak_roots': '%s'}", q.files.root_hash);
	assert_enrolment(&q, "ek.root");
	answered(&q);
}

/* What is remembered says the same, and is not taken for another policy's. */
static void test_remembered(void **state)
{
	(void)state;
	const struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	struct tee_chains *chains;
	ask(&shape, &q);
	assert_int_equal(tee_chains_new(4, &chains, NULL), 0);
	q.input.chains = chains;
	for (size_t i = 0; i < 3; i++)
		assert_verdict(&q, "");
	set_policy(&q, "{'ak_roots': '%064d'}", 0);
	assert_verdict(&q, "ak_certificate.root");
	q.input.collateral = &q.list;
	q.input.collateral_count = 1;
	set_policy(&q, "{'ak_roots': '%s', 'ima_lists': '%s'}", q.files.root_hash, q.files.list_hash);
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_roots': '%s'}", q.files.root_hash);
	assert_verdict(&q, ""); /* whoever else has use for that list */
	tee_chains_free(chains);
	answered(&q);
}

static void test_policies(void **state)
{
	(void)state;
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"{\"ak_name\": \"00\"}", "did you mean ak_names?"},
		{"{\"pcrs\": {\"24\": \"00\"}}", "pcrs: there is no member \"24\""},
		{"{\"pcrs\": {\"7\": \"00\"}}", "pcrs.7: \"00\" is not 64 hexadecimal digits"},
		{"{\"ak_roots\": []}", "an empty array"},
		{"{\"secure_boot\": true}", "secure_boot"},
		{"{\"ima_lists\": [1]}", "ima_lists"},
		{"[]", "object"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct tee_policy *policy;
		struct error err = {0};
		assert_int_equal(tee_policy_read(TEE_TPM, rows[i].text, strlen(rows[i].text), &policy, &err),
		                 CELLA_EFORMAT);
		if (!strstr(err.text, rows[i].why))
			fail_msg("\"%s\" does not say \"%s\"", err.text, rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_flaws),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_whose_key),
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_pcrs),
		cmocka_unit_test(test_banks),
		cmocka_unit_test(test_two_banks),
		cmocka_unit_test(test_enrolment),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_every_bit),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
