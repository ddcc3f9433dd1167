/*
 * Secrets for confidential guests, and secrets that are uploaded. Is what a session says of them read, does
 * its hash stand for it, and is every mistake told at its place; above all, one that would give a secret to
 * any guest?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "cas/session/session.h"

#define X4(s) s s s s
#define X16(s) X4(s) X4(s) X4(s) X4(s)
#define D48(s) X16(s) X16(s) X16(s)

#define BEFORE "name: clinic/hospital\nversion: 0.1\nsecrets:\n- name: key\n  kind: binary\n"

static int try_parse(const char *more, struct session **ret, struct session_mistakes *mistakes)
{
	cleanup_buf struct buf text = {0};
	struct error err;
	buf_printf(&text, "%s%s\n", BEFORE, more);
	return session_parse("file", text.data, text.size, NULL, mistakes, ret, &err);
}

static struct session *parse(const char *more)
{
	struct session_mistakes mistakes;
	struct session *s = NULL;
	if (try_parse(more, &s, &mistakes) < 0)
		fail_msg("%s: %s", more, mistakes.items[0].text);
	return s;
}

static void test_guests(void **state)
{
	(void)state;
	struct session *s = parse(
		"  size: 32\n"
		"  guests:\n"
		"  - snp: {measurement: " D48("AB") ", max_age: 2m}\n"
						    "  - tdx: {mr_td: " D48("01") ", rtmr1: " D48(
							    "02") ", rtmr2: " D48("03") "}\n");
	const struct session_secret *secret = session_secret(s, "key");
	assert_int_equal(secret->guest_count, 2);
	assert_int_equal(secret->guests[0].machine, SESSION_SNP);
	assert_string_equal(secret->guests[0].policy, "{\"measurement\":[\"" D48("ab") "\"]}");
	assert_int_equal(secret->guests[0].max_age_s, 120);
	assert_int_equal(secret->guests[1].machine, SESSION_TDX);
	session_free(s);
	s = parse("  size: 32\n  guests: {snp: {measurement: " D48(
		"ab") "}}"); /* one stands for a list of it */
	assert_int_equal(session_secret(s, "key")->guest_count, 1);
	session_free(s);
	s = parse("  size: 32");
	assert_int_equal(session_secret(s, "key")->guest_count, 0);
	session_free(s);
}

static void test_upload(void **state)
{
	(void)state;
	struct session *s = parse("  upload: true");
	assert_int_equal(session_secret(s, "key")->origin, SESSION_UPLOADED);
	session_free(s);
	s = parse("  upload: true\n  export: other/one");
	assert_int_equal(session_secret(s, "key")->exports.count, 1);
	session_free(s);
}

static void hash_of(const char *more, uint8_t ret[CRYPTO_SHA384_SIZE])
{
	struct session *s = parse(more);
	assert_int_equal(session_hash(s, ret, NULL), 0);
	session_free(s);
}

static void test_hash(void **state)
{
	(void)state;
	static const char *const different[] = {
		"  size: 32",
		"  upload: true",
		"  size: 32\n  guests: {snp: {measurement: " D48("ab") "}}",
		"  size: 32\n  guests: {snp: {measurement: " D48("ac") "}}",
		"  size: 32\n  guests: {snp: {measurement: " D48("ab") ", max_age: 1m}}",
		"  size: 32\n  guests: {snp: {measurement: [" D48("ab") ", " D48("ac") "]}}",
		"  size: 32\n  guests: [{snp: {measurement: " D48("ab") "}}, {snp: {measurement: " D48(
			"ac") "}}]",
		"  upload: true\n  guests: {snp: {measurement: " D48("ab") "}}",
		"  size: 32\n  guests: {sgx: {mr_enclave: " X16("ab") X16("ab") "}}",
	};
	uint8_t hashes[array_count(different)][CRYPTO_SHA384_SIZE], same[CRYPTO_SHA384_SIZE];
	for (size_t i = 0; i < array_count(different); i++) {
		hash_of(different[i], hashes[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(hashes[i], hashes[j], CRYPTO_SHA384_SIZE);
	}
	hash_of("  guests:\n  - snp:\n      measurement:\n      - " D48("AB") "\n  size: 32", same);
	assert_memory_equal(same, hashes[2], sizeof(same));
}

/* Of which secret they are is under the hash, too. */
static void test_hash_of_whose(void **state)
{
	(void)state;
	uint8_t first[CRYPTO_SHA384_SIZE], second[CRYPTO_SHA384_SIZE];
	hash_of("  size: 32\n  guests: {snp: {measurement: " D48(
			"ab") "}}\n- {name: b, kind: binary, size: 32}",
	        first);
	hash_of("  size: 32\n- {name: b, kind: binary, size: 32, guests: {snp: {measurement: " D48(
			"ab") "}}}",
	        second);
	assert_memory_not_equal(first, second, sizeof(first));
}

static void test_mistakes(void **state)
{
	(void)state;
	const struct {
		const char *more, *words;
		unsigned line, column;
	} cases[] = {
		{"  size: 32\n  guests: [snp]", "a guest is a map from its machine class", 7, 12},
		{"  size: 32\n  guests: []", "the list is empty", 7, 11},
		{"  size: 32\n  guests: {snp: {}}", "any guest of the class snp would have it", 7, 12},
		{"  size: 32\n  guests: {snp: {measurement: " D48("ab") ", guest_policy: {debug: any}}}",
	         "guest_policy.debug is not refused", 7, 12},
		{"  size: 32\n  guests: {tdx: {mr_td: " D48("ab") "}}", "rtmr1 and rtmr2", 7, 12},
		{"  size: 32\n  guests: {soft: {}}", "nothing but the operator vouches", 7, 12},
		{"  size: 32\n  guests: {tpm: {ak_names: 000b01, pcrs: {4: " X16("01")
	                 X16("01") ", 11: " X16("02") X16("02") "}}}",
	         "no guest of the class tpm can ask", 7, 12},
		{"  size: 32\n  guests: {snq: {}}", "did you mean \"snp\"?", 7, 12},
		{"  size: 32\n  guests: {snp: {measurment: " D48("ab") "}}", "did you mean \"measurement\"?",
	         7, 18},
		{"  size: 32\n  guests: {snp: {measurement: 00}}", "96", 7, 31},
		{"  upload: yes", "There are: true", 6, 11},
		{"  upload: true\n  size: 32", "that is uploaded has no field \"size\"", 7, 3},
		{"  upload: true\n  value: \"00\"", "has a value or an import, or is uploaded", 6, 3},
		{"  upload: true\n  import: {session: a/b}", "has a value or an import, or is uploaded", 6,
	         3},
		{"  upload: true\n- {name: b, kind: private-key, upload: true}",
	         "of kind ascii or binary, not private-key", 7, 32},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct session_mistakes mistakes;
		struct session *s = NULL;
		assert_int_equal(try_parse(cases[i].more, &s, &mistakes), CELLA_EFORMAT);
		const struct session_mistake *m = &mistakes.items[0];
		if (!strstr(m->text, cases[i].words) || m->line != cases[i].line ||
		    m->column != cases[i].column)
			fail_msg("%s: %u:%u: %s", cases[i].more, m->line, m->column, m->text);
	}
}

static void test_used(void **state)
{
	(void)state;
	struct session *with = parse("  size: 32\n  guests: {snp: {measurement: " D48("ab") "}}");
	struct session *without = parse("  size: 32");
	cleanup_buf struct buf none = {0}, some = {0};
	session_remarks(with, &none);
	session_remarks(without, &some);
	buf_put(&none, "", 1);
	buf_put(&some, "", 1);
	assert_null(strstr((char *)none.data, "secret key: nothing uses it"));
	assert_non_null(strstr((char *)some.data, "secret key: nothing uses it"));
	session_free(with);
	session_free(without);
}

/* A resource has a name of three parts: a secret of a session with another name has none. */
static void test_names_that_cannot_be_uploaded_to(void **state)
{
	static const struct {
		const char *name;
		bool has;
	} cases[] = {{"hospital", false}, {"clinic/hospital", true}, {"a/clinic/hospital", false}};
	(void)state;
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf text = {0}, remarks = {0};
		struct session_mistakes mistakes;
		struct session *s = NULL;
		struct error err;
		buf_printf(&text,
		           "name: %s\nversion: 0.1\nsecrets:\n- {name: key, kind: binary, upload: true}\n",
		           cases[i].name);
		assert_int_equal(session_parse("file", text.data, text.size, NULL, &mistakes, &s, &err), 0);
		session_remarks(s, &remarks);
		buf_put_u8(&remarks, 0);
		const char *told = strstr((char *)remarks.data, "secret key: it can never be uploaded: only");
		assert_int_equal(told == NULL, cases[i].has);
		assert_true(cases[i].has || strstr(told, "such as clinic/hospital"));
		session_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_guests),
		cmocka_unit_test(test_upload),
		cmocka_unit_test(test_hash),
		cmocka_unit_test(test_hash_of_whose),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_used),
		cmocka_unit_test(test_names_that_cannot_be_uploaded_to),
	};
	if (crypto_init(NULL, NULL) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
