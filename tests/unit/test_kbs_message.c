/*
 * What confidential guests send. Are requests, keys and evidence read as the crates write them, is runtime
 * data put in the one form that is hashed, and is everything else refused by name? Are tickets those of this
 * run of the CAS, and of no other?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/snp/format.h"
#include "base/base64url.h"
#include "cas/kbs/ticket.h"
#include "guest_json.h"
#include "snp_support.h"

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || maker_start() < 0;
}

static int stop(void **state)
{
	(void)state;
	maker_stop();
	return 0;
}

/* ---- requests */

static void check_same(const struct kbs_request *a, const struct kbs_request *b)
{
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->tee, b->tee);
	assert_int_equal(a->hash, b->hash);
	assert_int_equal(a->negotiates, b->negotiates);
}

static void test_requests(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		struct kbs_request wanted;
	} rows[] = {
		{"{\"version\":\"0.1.1\",\"tee\":\"snp\",\"extra-params\":\"\"}",
	         {KBS_0_1_1, TEE_SNP, CRYPTO_SHA384, false}},
		{"{\"version\":\"0.2.0\",\"tee\":\"tdx\",\"extra-params\":{}}",
	         {KBS_0_2_0, TEE_TDX, CRYPTO_SHA384, false}},
		{"{\"version\":\"0.3.0\",\"tee\":\"sgx\",\"more\":1}",
	         {KBS_0_3_0, TEE_SGX, CRYPTO_SHA384, false}},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{\"supported-hash-algorithms\":[\"sha256\","
	         "\"sha384\",\"sha512\"]}}",
	         {KBS_0_4_0, TEE_SNP, CRYPTO_SHA384, true}},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{\"supported-hash-algorithms\":[\"sha256\","
	         "\"sha512\"]}}",
	         {KBS_0_4_0, TEE_SNP, CRYPTO_SHA512, true}},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{\"supported-hash-algorithms\":[1,"
	         "\"sha256\"]}}",
	         {KBS_0_4_0, TEE_SNP, CRYPTO_SHA256, true}},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct kbs_request r;
		struct error err;
		if (kbs_request_read(rows[i].body, strlen(rows[i].body), &r, &err) < 0)
			fail_msg("%s: %s", rows[i].body, err.text);
		check_same(&r, &rows[i].wanted);
	}
}

static void test_bad_requests(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		int code;
		const char *words;
	} rows[] = {
		{"", CELLA_EFORMAT, "no JSON"},
		{"[]", CELLA_EFORMAT, "no JSON object"},
		{"{\"tee\":\"snp\"}", CELLA_EFORMAT, "\"version\""},
		{"{\"version\":4,\"tee\":\"snp\"}", CELLA_EFORMAT, "\"version\""},
		{"{\"version\":\"0.4.0\"}", CELLA_EFORMAT, "\"tee\""},
		{"{\"version\":\"0.1.0\",\"tee\":\"snp\"}", CELLA_EUNSUPPORTED, "fits other keys"},
		{"{\"version\":\"0.4.1\",\"tee\":\"snp\"}", CELLA_EUNSUPPORTED, "Mismatch: 0.4.1"},
		{"{\"version\":\"0.4.0\",\"tee\":\"sample\"}", CELLA_EUNSUPPORTED, "proves nothing"},
		{"{\"version\":\"0.4.0\",\"tee\":\"sampledevice\"}", CELLA_EUNSUPPORTED, "proves nothing"},
		{"{\"version\":\"0.4.0\",\"tee\":\"azsnpvtpm\"}", CELLA_EUNSUPPORTED, "azsnpvtpm is not"},
		{"{\"version\":\"0.4.0\",\"tee\":\"snp\",\"extra-params\":{\"supported-hash-algorithms\":[]}}",
	         CELLA_EUNSUPPORTED, "none is sha384"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct kbs_request r;
		struct error err;
		assert_int_equal(kbs_request_read(rows[i].body, strlen(rows[i].body), &r, &err),
		                 rows[i].code);
		if (!strstr(err.text, rows[i].words))
			fail_msg("%s: %s", rows[i].body, err.text);
	}
	assert_int_equal(kbs_request_read(NULL, 0, NULL, NULL), CELLA_EFORMAT);
}

/* ---- evidence */

static void check_form(const struct maker_files *files, enum guest_form form)
{
	cleanup_kbs_evidence struct kbs_evidence e = {0};
	struct error err;
	json_t *json = guest_snp(files->report.data, form, &files->leaf, &files->ca, &files->root);
	if (kbs_evidence_read(TEE_SNP, json, &e, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(e.report.size, SNP_REPORT_SIZE);
	assert_memory_equal(e.report.data, files->report.data, SNP_REPORT_SIZE);
	assert_int_equal(e.cert_count, 3);
	assert_int_equal(e.certs[0].size, files->leaf.size);
	assert_memory_equal(e.certs[0].data, files->leaf.data, files->leaf.size);
	json_decref(json);
}

/* Reports of every product and version, from either form of JSON, are what the processor signed. */
static void test_reports(void **state)
{
	(void)state;
	static const struct {
		enum snp_product product;
		uint32_t version;
		bool flat;
	} rows[] = {{SNP_MILAN, 2, true},  {SNP_MILAN, 3, false}, {SNP_MILAN, 5, false}, {SNP_GENOA, 2, true},
	            {SNP_GENOA, 3, false}, {SNP_TURIN, 3, false}, {SNP_TURIN, 5, false}};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_shape shape = maker_shape(rows[i].product, rows[i].version, false);
		struct maker_files files;
		maker_make(&shape, &files);
		check_form(&files, GUEST_NESTED);
		if (rows[i].flat)
			check_form(&files, GUEST_FLAT);
		maker_done(&files);
	}
}

/* A report as one text, and evidence as a text that holds JSON. */
static void test_texts(void **state)
{
	(void)state;
	uint8_t report[SNP_REPORT_SIZE];
	char text[2 * SNP_REPORT_SIZE] = "";
	for (size_t i = 0; i < sizeof(report); i++)
		report[i] = (uint8_t)(i * 7);
	base64url_encode(report, sizeof(report), text);
	json_t *object = json_pack("{s:s, s:n}", "attestation_report", text, "cert_chain");
	char *inner = json_dumps(object, 0);
	json_t *whole = json_string(inner);
	const json_t *const both[] = {object, whole};
	for (size_t i = 0; i < array_count(both); i++) {
		cleanup_kbs_evidence struct kbs_evidence e = {0};
		assert_int_equal(kbs_evidence_read(TEE_SNP, both[i], &e, NULL), 0);
		assert_memory_equal(e.report.data, report, sizeof(report));
		assert_int_equal(e.cert_count, 0);
	}
	free(inner);
	json_decref(whole);
	json_decref(object);
}

static void test_quotes(void **state)
{
	(void)state;
	cleanup_kbs_evidence struct kbs_evidence tdx = {0}, sgx = {0}, none = {0};
	json_t *json = json_pack("{s:s, s:s}", "quote", "AQL+/w==", "cc_eventlog", "AAE=");
	assert_int_equal(kbs_evidence_read(TEE_TDX, json, &tdx, NULL), 0);
	assert_int_equal(tdx.report.size, 4);
	assert_memory_equal(tdx.report.data, "\x01\x02\xfe\xff", 4);
	assert_int_equal(tdx.event_log.size, 2);
	json_object_set_new(json, "cc_eventlog", json_null());
	assert_int_equal(kbs_evidence_read(TEE_SGX, json, &sgx, NULL), 0);
	assert_int_equal(sgx.event_log.size, 0);
	assert_int_equal(kbs_evidence_read(TEE_TPM, json, &none, NULL), CELLA_EUNSUPPORTED);
	json_decref(json);
}

static void test_bad_evidence(void **state)
{
	(void)state;
	static const struct {
		enum tee_kind kind;
		const char *json, *words;
	} rows[] = {
		{TEE_SNP, "[]", "no object"},
		{TEE_SNP, "{}", "attestation_report"},
		{TEE_SNP, "\"{\"", "no JSON"},
		{TEE_SNP, "\"[1]\"", "no object"},
		{TEE_SNP, "{\"attestation_report\":\"A\"}", "no base64"},
		{TEE_SNP, "{\"attestation_report\":\"\"}", "no text of base64"},
		{TEE_SNP, "{\"attestation_report\":{}}", "\"version\" is no number of 4 bytes"},
		{TEE_SNP, "{\"attestation_report\":{\"version\":4294967296}}",
	         "\"version\" is no number of 4 bytes"},
		{TEE_SNP, "{\"attestation_report\":{\"version\":2.0}}", "\"version\" is no number"},
		{TEE_SNP, "{\"attestation_report\":\"AA==\",\"cert_chain\":{}}",
	         "\"cert_chain\" is no array"},
		{TEE_SNP, "{\"attestation_report\":\"AA==\",\"cert_chain\":[1]}", "entry 1 is no object"},
		{TEE_SNP,
	         "{\"attestation_report\":\"AA==\",\"cert_chain\":[{\"cert_type\":\"ASK\",\"data\":[1,256]}]}",
	         "number 2 is no byte"},
		{TEE_SNP, "{\"attestation_report\":\"AA==\",\"cert_chain\":[{\"cert_type\":\"ASK\"}]}",
	         "\"data\""},
		{TEE_TDX, "{}", "\"quote\""},
		{TEE_TDX, "{\"quote\":1}", "\"quote\""},
		{TEE_TDX, "{\"quote\":\"AA=\"}", "no base64"},
		{TEE_TDX, "{\"quote\":\"AA\",\"cc_eventlog\":\"?\"}", "\"cc_eventlog\""},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		cleanup_kbs_evidence struct kbs_evidence e = {0};
		struct error err;
		json_t *json = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
		assert_int_equal(kbs_evidence_read(rows[i].kind, json, &e, &err), CELLA_EFORMAT);
		if (!strstr(err.text, rows[i].words))
			fail_msg("%s: %s", rows[i].json, err.text);
		json_decref(json);
	}
}

static void test_other_certs_are_passed_over(void **state)
{
	(void)state;
	cleanup_kbs_evidence struct kbs_evidence e = {0};
	json_t *json = json_loads(
		"{\"attestation_report\":\"AA==\",\"cert_chain\":[{\"cert_type\":\"CRL\",\"data\":[1]},"
		"{\"cert_type\":{\"OTHER\":\"1234\"},\"data\":[]},{\"cert_type\":\"VLEK\",\"data\":\"AQI\"}]}",
		0, NULL);
	assert_int_equal(kbs_evidence_read(TEE_SNP, json, &e, NULL), 0);
	assert_int_equal(e.cert_count, 1);
	assert_memory_equal(e.certs[0].data, "\x01\x02", 2);
	json_decref(json);
}

static void test_base64(void **state)
{
	(void)state;
	static const struct {
		const char *text, *bytes;
		size_t size;
	} right[] = {{"", "", 0},        {"Zg==", "f", 1},       {"Zg", "f", 1},         {"Zm8=", "fo", 2},
	             {"Zm9v", "foo", 3}, {"-_8", "\xfb\xff", 2}, {"+/8=", "\xfb\xff", 2}};
	static const char *const wrong[] = {"Z",    "Zg=",  "Zg===", "=",    "====",
	                                    "Zh==", "+_8=", "Zm9v=", "Zm 9", "Zm9vZg==A"};
	for (size_t i = 0; i < array_count(right); i++) {
		cleanup_buf struct buf bytes = {0};
		assert_int_equal(kbs_base64(right[i].text, strlen(right[i].text), 3, &bytes, NULL), 0);
		assert_int_equal(bytes.size, right[i].size);
		assert_memory_equal(bytes.size ? (char *)bytes.data : "", right[i].bytes, bytes.size);
	}
	for (size_t i = 0; i < array_count(wrong); i++) {
		cleanup_buf struct buf bytes = {0};
		if (kbs_base64(wrong[i], strlen(wrong[i]), 8, &bytes, NULL) != CELLA_EFORMAT)
			fail_msg("%s is base64", wrong[i]);
	}
	cleanup_buf struct buf bytes = {0};
	assert_int_equal(kbs_base64("Zm9v", 4, 2, &bytes, NULL), CELLA_EFORMAT);
}

/* ---- attestations */

#define X "weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ" /* Bob of RFC 7518 */
#define Y "e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck"
#define EC                                                                            \
	"\"tee-pubkey\":{\"y\":\"" Y "\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X \
	"\",\"alg\":\"ECDH-ES+A256KW\"}"
#define SORTED                                                                                   \
	"\"tee-pubkey\":{\"alg\":\"ECDH-ES+A256KW\",\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" X \
	"\",\"y\":\"" Y "\"}}"
#define QUOTE "{\"quote\":\"AA==\"}"

static void test_runtime_data(void **state)
{
	(void)state;
	static const struct {
		const char *body, *nonce, *runtime;
	} rows[] = {
		{"{" EC ",\"tee-evidence\":" QUOTE "}", NULL, "{\"nonce\":\"N+/=\"," SORTED},
		{"{\"runtime-data\":{\"nonce\":\"other\"," EC "},\"tee-evidence\":" QUOTE "}", "other",
	         "{\"nonce\":\"N+/=\"," SORTED},
		{"{\"init-data\":{},\"runtime-data\":{\"nonce\":\"N\"," EC
	         "},\"tee-evidence\":{\"primary_evidence\":" QUOTE ",\"additional_evidence\":\"\"}}",
	         "N", "{\"additional-evidence\":\"\",\"nonce\":\"N+/=\"," SORTED},
		{"{\"runtime-data\":{\"nonce\":\"N\"," EC "},\"tee-evidence\":{\"primary_evidence\":" QUOTE
	         ",\"additional_evidence\":\"{\\\"a\\\": \\\"\\u00e9\\\\\\/\\n\\t\\b\\f\\r\\u000b\\u001f\\u007f\\\"}\"}}",
	         "N",
	         "{\"additional-evidence\":\"{\\\"a\\\": \\\"\xc3\xa9\\\\/\\n\\t\\b\\f\\r\\u000b\\u001f\x7f\\\"}\",\"nonce\":"
	         "\"N+/=\"," SORTED},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		cleanup_kbs_attestation struct kbs_attestation a = {0};
		struct error err;
		if (kbs_attestation_read(TEE_TDX, "N+/=", rows[i].body, strlen(rows[i].body), &a, &err) < 0)
			fail_msg("%s: %s", rows[i].body, err.text);
		buf_put(&a.runtime, "", 1);
		assert_string_equal(a.runtime.data, rows[i].runtime);
		assert_int_equal(jwk_kind(a.key), JWK_P256);
		if (rows[i].nonce)
			assert_string_equal(a.nonce, rows[i].nonce);
		else
			assert_false(a.has_nonce);
	}
}

static void test_rsa_runtime_data(void **state)
{
	(void)state;
	uint8_t n[256];
	char text[400] = "";
	cleanup_buf struct buf body = {0}, wanted = {0};
	cleanup_kbs_attestation struct kbs_attestation a = {0};
	memset(n, 0xfb, sizeof(n));
	base64url_encode(n, sizeof(n), text);
	buf_printf(&body,
	           "{\"tee-pubkey\":{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP-256\"},"
	           "\"tee-evidence\":" QUOTE "}",
	           text);
	buf_printf(
		&wanted,
		"{\"nonce\":\"N\",\"tee-pubkey\":{\"alg\":\"RSA-OAEP-256\",\"e\":\"AQAB\",\"kty\":\"RSA\",\"n\":\"%s\"}}",
		text);
	assert_int_equal(kbs_attestation_read(TEE_TDX, "N", body.data, body.size, &a, NULL), 0);
	assert_int_equal(jwk_kind(a.key), JWK_RSA);
	assert_int_equal(a.runtime.size, wanted.size);
	assert_memory_equal(a.runtime.data, wanted.data, wanted.size);
}

static void test_bad_attestations(void **state)
{
	(void)state;
	static const struct {
		const char *body;
		int code;
		const char *words;
	} rows[] = {
		{"{}", CELLA_EFORMAT, "tee-pubkey"},
		{"{" EC "}", CELLA_EFORMAT, "tee-evidence"},
		{"{\"runtime-data\":{" EC "},\"tee-evidence\":" QUOTE "}", CELLA_EFORMAT, "\"nonce\""},
		{"{\"tee-pubkey\":{},\"tee-evidence\":" QUOTE "}", CELLA_EUNSUPPORTED, "no JWK"},
		{"{\"tee-pubkey\":{\"kty\":\"EC\"},\"tee-evidence\":" QUOTE "}", CELLA_EFORMAT,
	         "\"alg\" is no text"},
		{"{\"tee-pubkey\":{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\",\"alg\":\"RSA1_5\"},\"tee-evidence\":" QUOTE
	         "}",
	         CELLA_EUNSUPPORTED, "RSA1_5 is not served"},
		{"{\"tee-pubkey\":{\"kty\":\"RSA\",\"n\":\"AA\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP-256\"},\"tee-evidence\":" QUOTE
	         "}",
	         CELLA_EFORMAT, "bits"},
		{"{\"tee-pubkey\":{\"kty\":\"RSA\",\"n\":\"A A\",\"e\":\"AQAB\",\"alg\":\"RSA-OAEP-256\"},\"tee-evidence\":" QUOTE
	         "}",
	         CELLA_EFORMAT, "no base64url"},
		{"{" EC ",\"tee-evidence\":{\"primary_evidence\":" QUOTE "}}", CELLA_EFORMAT,
	         "additional_evidence"},
		{"{" EC ",\"tee-evidence\":{\"primary_evidence\":" QUOTE ",\"additional_evidence\":{}}}",
	         CELLA_EFORMAT, "additional_evidence"},
		{"{" EC ",\"tee-evidence\":{\"primary_evidence\":1,\"additional_evidence\":\"\"}}",
	         CELLA_EFORMAT, "no object"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		cleanup_kbs_attestation struct kbs_attestation a = {0};
		struct error err;
		assert_int_equal(kbs_attestation_read(TEE_TDX, "N", rows[i].body, strlen(rows[i].body), &a,
		                                      &err),
		                 rows[i].code);
		if (!strstr(err.text, rows[i].words))
			fail_msg("%s: %s", rows[i].body, err.text);
	}
}

/* ---- tickets */

static void test_tickets(void **state)
{
	(void)state;
	const uint8_t key[CRYPTO_KEY_SIZE] = {1}, another[CRYPTO_KEY_SIZE] = {2};
	const struct kbs_request request = {KBS_0_4_0, TEE_TDX, CRYPTO_SHA512, true};
	struct kbs_ticket made, read, next;
	char cookie[KBS_COOKIE_SIZE], second[KBS_COOKIE_SIZE], nonce[KBS_NONCE_SIZE], again[KBS_NONCE_SIZE];
	assert_int_equal(kbs_ticket_make(key, &request, 1234567890123456789u, &made, cookie, NULL), 0);
	assert_int_equal(strlen(cookie), KBS_COOKIE_SIZE - 1);
	assert_int_equal(kbs_ticket_read(key, cookie, &read, NULL), 0);
	check_same(&read.request, &request);
	assert_int_equal(read.ms, 1234567890123u);
	assert_memory_equal(read.id, made.id, sizeof(made.id));
	assert_int_equal(kbs_ticket_read(another, cookie, &read, NULL), CELLA_EAUTH);
	assert_int_equal(kbs_ticket_read(key, cookie + 1, &read, NULL), CELLA_EAUTH);
	for (size_t i = 0; i < KBS_COOKIE_SIZE - 1; i++) {
		char changed[KBS_COOKIE_SIZE];
		memcpy(changed, cookie, sizeof(changed));
		changed[i] = changed[i] == 'A' ? 'B' : 'A';
		assert_int_equal(kbs_ticket_read(key, changed, &read, NULL), CELLA_EAUTH);
	}
	assert_int_equal(kbs_ticket_nonce(key, &made, nonce, NULL), 0);
	assert_int_equal(kbs_ticket_nonce(key, &made, again, NULL), 0);
	assert_string_equal(nonce, again);
	assert_int_equal(strlen(nonce), 44);
	assert_int_equal(strspn(nonce, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"),
	                 43);
	assert_int_equal(nonce[43], '=');
	assert_int_equal(kbs_ticket_make(key, &request, 1234567890123456789u, &next, second, NULL), 0);
	assert_int_equal(kbs_ticket_nonce(key, &next, again, NULL), 0);
	assert_string_not_equal(cookie, second);
	assert_string_not_equal(nonce, again);
}

static void test_cookies(void **state)
{
	(void)state;
	static const struct {
		const char *header, *found; /* NULL: none */
	} rows[] = {
		{NULL, NULL},
		{"", NULL},
		{"a=b", NULL},
		{"kbs-session-id=", ""},
		{"kbs-session-id=x", "x"},
		{"a=1; kbs-session-id=x; b=2", "x"},
		{"a=1;kbs-session-id=x;b=2", "x"},
		{";; kbs-session-id=x ;", "x "},
		{"xkbs-session-id=x", NULL},
		{"a=kbs-session-id=x", NULL},
		{"kbs-session-id", NULL},
		{"kbs-session-id=x; kbs-session-id=x", NULL},
		{"kbs-session-id=0123456789012345678901234567890123456789012345678901234567890123",
	         "0123456789012345678901234567890123456789012345678901234567890123"},
		{"kbs-session-id=01234567890123456789012345678901234567890123456789012345678901234", NULL},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		char cookie[KBS_COOKIE_SIZE] = "";
		assert_int_equal(kbs_cookie_find(rows[i].header, cookie), rows[i].found != NULL);
		if (rows[i].found)
			assert_string_equal(cookie, rows[i].found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_quotes),
		cmocka_unit_test(test_other_certs_are_passed_over),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_runtime_data),
		cmocka_unit_test(test_rsa_runtime_data),
		cmocka_unit_test(test_tickets),
		cmocka_unit_test(test_cookies),
		cmocka_unit_test(test_bad_requests),
		cmocka_unit_test(test_bad_evidence),
		cmocka_unit_test(test_bad_attestations),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
