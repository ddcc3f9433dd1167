/*
 * Logs beside a TPM's quote. Is a log that was cut, lengthened, changed or is of another boot told from the
 * one that the PCRs vouch for, is secure boot believed only where the firmware measured it, and is a file
 * that the lists do not have found among those that were measured?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/tpm/ima_list.h"
#include "attest/tpm/ima_log.h"
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

static void ask_right(struct question *q)
{
	const struct soft_shape shape = soft_shape(SOFT_P256);
	ask(&shape, q);
	set_policy(q, "{'ak_names': '%s'}", q->files.ak_name);
	q->input.cert_count = 0;
}

/* ---- the boot log ---- */

/* Where each event of the boot log begins, and its end. */
static size_t events_of(const struct buf *log, size_t at[], size_t most)
{
	struct event_log reading;
	struct event event;
	size_t count = 0;
	assert_int_equal(event_log_open(log->data, log->size, &reading, NULL), 0);
	at[count++] = reading.reader.at;
	while (event_log_next(&reading, &event, NULL) > 0 && count < most)
		at[count++] = reading.reader.at;
	return count;
}

static void test_cut_boot_log(void **state)
{
	(void)state;
	/* By what the last event that is left away extended, and those behind it. */
	static const char *const fails[] = {
		"event_log.pcr9",
		"event_log.pcr8 event_log.pcr9",
		"event_log.pcr4 event_log.pcr8 event_log.pcr9",
		"event_log.pcr4 event_log.pcr7 event_log.pcr8 event_log.pcr9",
	};
	struct question q;
	size_t at[40];
	ask_right(&q);
	const size_t count = events_of(&q.files.boot_log, at, array_count(at));
	assert_int_equal(count, 14);
	for (size_t i = 0; i < array_count(fails); i++) {
		q.logs[0].size = at[count - 2 - i];
		assert_verdict(&q, fails[i]);
	}
	for (size_t size = 1; size < q.files.boot_log.size; size += 3) {
		struct tee_verdict v = {0};
		q.logs[0].size = size;
		const int rc = tee_verify(&q.input, &v, NULL);
		assert_true(rc == CELLA_EFORMAT || (rc == 0 && !tee_accepted(&v)));
		tee_verdict_done(&v);
	}
	answered(&q);
}

static void test_changed_boot_log(void **state)
{
	(void)state;
	struct question q, other;
	struct soft_shape shape = soft_shape(SOFT_P256);
	size_t at[40];
	ask_right(&q);
	const size_t count = events_of(&q.files.boot_log, at, array_count(at));
	for (size_t i = 0; i + 1 < count; i++) { /* a bit of the digest in each event */
		struct tee_verdict v = {0};
		q.files.boot_log.data[at[i] + 14] ^= 1;
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		assert_int_equal(v.failed_count, 1);
		assert_int_equal(strncmp(v.checks[v.check_count - 1].name, "ima", 3), 0);
		tee_verdict_done(&v);
		q.files.boot_log.data[at[i] + 14] ^= 1;
	}
	assert_verdict(&q, "");
	shape.secure_boot = 0;
	ask(&shape, &other);
	q.logs[0] = other.logs[0]; /* of another boot */
	assert_verdict(&q, "event_log.pcr7");
	answered(&other);
	answered(&q);
}

static void test_which_log(void **state)
{
	(void)state;
	struct question q;
	ask_right(&q);
	const struct tee_blob boot = q.logs[0], ima = q.logs[1];
	q.logs[0] = ima;
	q.logs[1] = boot;
	assert_verdict(&q, "");
	q.logs[0] = boot;
	assert_error(&q, "two boot logs");
	q.logs[0] = q.logs[1] = ima;
	assert_error(&q, "two IMA logs");
	q.logs[0] = (struct tee_blob){"nonsense", 8, "nonsense"};
	assert_error(&q, "nonsense: ");
	q.input.event_log_count = 0;
	assert_verdict(&q, "");
	set_policy(&q, "{'ak_names': '%s', 'event_log': 'required', 'ima_log': 'required'}", q.files.ak_name);
	assert_verdict(&q, "event_log ima_log");
	set_policy(&q, "{'ak_names': '%s', 'secure_boot': 'required', 'ima_lists': '%064d'}", q.files.ak_name,
	           0);
	assert_verdict(&q, "event_log ima_log");
	answered(&q);
}

/* Who asks for the quote on the machine chooses its PCRs: a log that none of them vouches for is as good as
 * none, and so is one without events. */
static void test_log_that_nobody_vouches_for(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	size_t at[40];
	shape.pcrs = 0x3FF;
	ask(&shape, &q);
	q.input.event_log_count = 1;
	set_policy(&q, "{'ak_names': '%s', 'event_log': 'required'}", q.files.ak_name);
	assert_verdict(&q, "");
	answered(&q);
	shape.pcrs = 0x3FF & ~(1u << 5);
	ask(&shape, &q);
	q.input.event_log_count = 1;
	assert_verdict(&q, ""); /* a warning */
	set_policy(&q, "{'ak_names': '%s', 'event_log': 'required'}", q.files.ak_name);
	assert_verdict(&q, "event_log.pcr5");
	answered(&q);
	shape.pcrs = 1u << 16;
	ask(&shape, &q);
	events_of(&q.files.boot_log, at, array_count(at));
	q.logs[0].size = at[0];
	q.input.event_log_count = 1;
	set_policy(&q, "{'ak_names': '%s', 'event_log': 'required'}", q.files.ak_name);
	assert_verdict(&q, "event_log.pcr0 event_log.pcr1 event_log.pcr2 event_log.pcr3 event_log.pcr4 "
	                   "event_log.pcr5 event_log.pcr6 event_log.pcr7 event_log.pcr8 event_log.pcr9");
	answered(&q);
}

/* ---- secure boot ---- */

static void assert_secure_boot(const struct soft_shape *shape, const char *fails)
{
	struct question q;
	ask(shape, &q);
	set_policy(&q, "{'ak_names': '%s', 'secure_boot': 'required'}", q.files.ak_name);
	assert_verdict(&q, fails);
	set_policy(&q, "{'ak_names': '%s'}", q.files.ak_name);
	assert_verdict(&q, ""); /* a warning */
	answered(&q);
}

static void test_secure_boot(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	assert_secure_boot(&shape, "");
	shape.bank = TPM_ALG_SHA384;
	assert_secure_boot(&shape, "");
	shape = soft_shape(SOFT_P256);
	shape.secure_boot = 0;
	assert_secure_boot(&shape, "secure_boot");
	shape.secure_boot = -1;
	assert_secure_boot(&shape, "secure_boot");
	shape.secure_boot = 1;
	shape.secure_boot_lies = true;
	assert_secure_boot(&shape, "secure_boot");
	shape.secure_boot_lies = false;
	shape.secure_boot_late = true;
	assert_secure_boot(&shape, "secure_boot");
}

/* Whoever runs behind the firmware extends PCR 7 as if secure boot were on, and calls the separator something
 * else: types are not in digests. */
static void test_relabelled_separator(void **state)
{
	(void)state;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct question q;
	size_t at[40];
	shape.secure_boot_late = true;
	ask(&shape, &q);
	set_policy(&q, "{'ak_names': '%s', 'secure_boot': 'required'}", q.files.ak_name);
	const size_t count = events_of(&q.files.boot_log, at, array_count(at));
	for (size_t i = 0; i + 1 < count; i++) {
		uint8_t *event = q.files.boot_log.data + at[i];
		if (event[0] == 7 && event[4] == EVENT_SEPARATOR)
			event[4] = 0xD;
	}
	assert_verdict(&q, "secure_boot");
	answered(&q);
}

/* ---- IMA ---- */

static void test_ima_text(void **state)
{
	(void)state;
	struct question q;
	struct soft_shape shape = soft_shape(SOFT_P256);
	for (int violation = 0; violation < 2; violation++) {
		shape.violation = violation;
		ask(&shape, &q);
		assert_verdict(&q, "");
		q.logs[1] = (struct tee_blob){q.files.ima_text.data, q.files.ima_text.size, "text"};
		assert_verdict(&q, "");
		q.logs[1].size--; /* without the last new line */
		assert_verdict(&q, "");
		q.logs[1].size--; /* of what was violated the PCR has neither path nor hash */
		assert_verdict(&q, violation ? "" : "ima_log.pcr10");
		answered(&q);
	}
}

/* A log that went on is believed as far as the quote goes; one that was cut is not. */
static void test_ima_length(void **state)
{
	(void)state;
	struct question q, longer;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct tee_verdict v = {0};
	struct ima_log log;
	struct ima_entry entry;
	ask(&shape, &q);
	ask(&shape, &longer);
	buf_put(&longer.files.ima_text, "10 ", 3);
	for (size_t i = 0; i < 40; i++)
		buf_put_u8(&longer.files.ima_text, '1');
	buf_printf(&longer.files.ima_text, " ima-ng sha256:%064d /later\n", 7);
	q.logs[1] = (struct tee_blob){longer.files.ima_text.data, longer.files.ima_text.size, "longer"};
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "");
	assert_string_equal(tee_check_named(&v, "ima_log.pcr10")->found, "4 of 5");
	tee_verdict_done(&v);
	ima_log_open(q.files.ima_binary.data, q.files.ima_binary.size, &log);
	q.logs[1] = (struct tee_blob){q.files.ima_binary.data, 0, "cut"};
	while (ima_log_next(&log, &entry, NULL) > 0) {
		q.logs[1].size = log.reader.at;
		assert_verdict(&q, log.count < 4 ? "ima_log.pcr10" : "");
	}
	ima_log_done(&log);
	for (size_t size = 4; size < q.files.ima_binary.size; size++) {
		q.logs[1].size = size;
		assert_int_not_equal(tee_verify(&q.input, &v, NULL) == 0 && tee_accepted(&v), 1);
		tee_verdict_done(&v);
	}
	answered(&longer);
	answered(&q);
}

/* Any byte of what is hashed, or of the entry's own digest, which nobody signed but the log contradicts. */
static void test_ima_bits(void **state)
{
	(void)state;
	struct question q;
	size_t accepted = 0;
	ask_right(&q);
	q.input.event_logs = &q.logs[1];
	q.input.event_log_count = 1;
	set_policy(&q, "{'ak_names': '%s'}", q.files.ak_name);
	for (size_t bit = 0; bit < 8 * q.files.ima_binary.size; bit += 4) {
		struct tee_verdict v = {0};
		q.files.ima_binary.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		accepted += tee_verify(&q.input, &v, NULL) == 0 && tee_accepted(&v);
		tee_verdict_done(&v);
		q.files.ima_binary.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	/* The template's name alone is in no hash: 6 letters of each of 4 entries, two bits of each. */
	assert_int_equal(accepted, 4 * 6 * 2);
	answered(&q);
}

static void test_files(void **state)
{
	(void)state;
	struct question q;
	ask_right(&q);
	q.input.collateral = &q.list;
	q.input.collateral_count = 1;
	set_policy(&q, "{'ak_names': '%s', 'ima_lists': ['%064d', '%s']}", q.files.ak_name, 0,
	           q.files.list_hash);
	assert_verdict(&q, "");
	struct tee_verdict v = {0};
	for (int other = 0; other < 2; other++) { /* than the policy's; and none */
		q.files.list.data[0] ^= (uint8_t)(other == 0);
		q.input.collateral_count = other == 0;
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		assert_fails(&v, "ima_log.files");
		assert_string_equal(tee_check_named(&v, "ima_log.files")->found,
		                    "3 of 4 entries are not; the first: /usr/lib/systemd/systemd; no list of "
		                    "those hashes is among the collateral");
		tee_verdict_done(&v);
		q.files.list.data[0] ^= (uint8_t)(other == 0);
	}
	q.files.list.data[0] = 'x'; /* neither a list nor a certificate */
	q.input.collateral_count = 1;
	assert_error(&q, "list: ");
	answered(&q);
}

#define HASH20 "0123456789012345678901234567890123456789"
#define HASH32 "0123456789012345678901234567890123456789012345678901234567890123"

/* As sha256sum writes them: with a '\\' where the path has one, as units of systemd's have. */
static void test_lists(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool is;
		int files; /* -1: malformed */
	} rows[] = {
		{HASH32 "  /usr/bin/cella\n", true, 1},
		{HASH32 "  /a\n" HASH32 " */b\n" HASH32 "  /c d", true, 3},
		{"\\" HASH32 "  /system-systemd\\\\x2dcryptsetup.slice\n", true, 1},
		{HASH32 "  /a\n\\" HASH32 "  /b\\\\x2d\n", true, 2},
		{HASH32 "  /a\n\n", true, -1},
		{HASH32 "  /a\nsha256sum: /b: Permission denied\n", true, -1},
		{HASH32 "  /a\n" HASH20 "  /b\n", true, -1},
		{HASH32 "\n" HASH32 "\n", false, -1}, /* a certificate, in hexadecimal */
		{HASH32 "  ", false, -1},
		{HASH32 " /a\n", false, -1},
		{"\\\\" HASH32 "  /a\n", false, -1},
		{"-----BEGIN CERTIFICATE-----\n", false, -1},
		{"", false, 0},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf digests = {0};
		const struct tee_blob list = {rows[i].text, strlen(rows[i].text), "list"};
		print_message("%s\n", rows[i].text);
		assert_int_equal(ima_list_is(list.data, list.size), rows[i].is);
		assert_int_equal(ima_list_read(&list, &digests, NULL), rows[i].files < 0 ? CELLA_EFORMAT : 0);
		if (rows[i].files >= 0)
			assert_int_equal(digests.size, rows[i].files * CRYPTO_SHA256_SIZE);
		buf_done(&digests);
	}
}

static void test_violation(void **state)
{
	(void)state;
	struct question q;
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct tee_verdict v = {0};
	shape.violation = true;
	ask(&shape, &q);
	q.input.collateral = &q.list;
	q.input.collateral_count = 1;
	set_policy(&q, "{'ak_names': '%s', 'ima_lists': '%s'}", q.files.ak_name, q.files.list_hash);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "ima_log.files");
	assert_string_equal(tee_check_named(&v, "ima_log.files")->found,
	                    "1 of 4 entries are not; the first: /etc/motd, which was open for writing");
	tee_verdict_done(&v);
	answered(&q);
}

/* A file's fs-verity digest is the SHA-256 of something else than its contents: a list that has a file with
 * those bytes in it would let any contents pass. */
static void test_kinds_of_digests(void **state)
{
	(void)state;
	static const struct {
		const char *prefix, *fails;
	} rows[] = {
		{"sha256:", ""},
		{"ima:sha256:", ""},
		{"verity:sha256:", "ima_log.files"},
		{"ima:verity:sha256:", "ima_log.files"},
		{"sha384:", "ima_log.files"},
	};
	struct soft_shape shape = soft_shape(SOFT_P256);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct question q;
		shape.last_prefix = rows[i].prefix;
		ask(&shape, &q);
		q.input.collateral = &q.list;
		q.input.collateral_count = 1;
		set_policy(&q, "{'ak_names': '%s', 'ima_lists': '%s'}", q.files.ak_name, q.files.list_hash);
		print_message("%s\n", rows[i].prefix);
		assert_verdict(&q, rows[i].fails);
		q.logs[1] = (struct tee_blob){q.files.ima_text.data, q.files.ima_text.size, "text"};
		assert_verdict(&q, rows[i].fails);
		answered(&q);
	}
}

static void assert_text(const char *text, int expected)
{
	struct ima_log log;
	struct ima_entry entry;
	ima_log_open(text, strlen(text), &log);
	const int rc = ima_log_next(&log, &entry, NULL);
	ima_log_done(&log);
	if (rc != expected)
		fail_msg("%s: %d", text, rc);
}

static void test_ima_forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int expected;
	} rows[] = {
		{"10 " HASH20 " ima-ng sha256:" HASH32 " /a", 1},
		{"10 " HASH20 " ima-sig sha256:" HASH32 " /a 030204", 1},
		{"10 " HASH20 " ima-sig sha256:" HASH32 " /a ", 1},
		{"10 " HASH20 " ima-sig sha256:" HASH32 " /a", 1},
		{"10 " HASH20 " ima-ng sha256:" HASH32 " ", 1},
		{"10 " HASH20 " ima-ng sha256:" HASH32 " /a b", CELLA_EFORMAT},
		{"10 " HASH20 " ima-sig sha256:" HASH32 " /a 03020", CELLA_EFORMAT},
		{"10 " HASH20 " ima-sig sha256:" HASH32 " /a 0302 04", CELLA_EFORMAT},
		{"10 " HASH20 " ima-ng sha256:" HASH20 "0 /a", CELLA_EFORMAT},
		{"10 " HASH20 " ima-ng " HASH32 " /a", CELLA_EFORMAT},
		{"10 " HASH20 " ima-buf sha256:" HASH32 " /a", CELLA_EFORMAT},
		{"10 " HASH32 " ima-ng sha256:" HASH32 " /a", CELLA_EFORMAT},
		{"10 ", CELLA_EFORMAT},
		{"10 \n", CELLA_EFORMAT},
		{"10 " HASH20, CELLA_EFORMAT},
	};
	for (size_t i = 0; i < array_count(rows); i++)
		assert_text(rows[i].text, rows[i].expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_which_log),
		cmocka_unit_test(test_cut_boot_log),
		cmocka_unit_test(test_changed_boot_log),
		cmocka_unit_test(test_log_that_nobody_vouches_for),
		cmocka_unit_test(test_secure_boot),
		cmocka_unit_test(test_relabelled_separator),
		cmocka_unit_test(test_ima_text),
		cmocka_unit_test(test_ima_length),
		cmocka_unit_test(test_ima_bits),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_violation),
		cmocka_unit_test(test_kinds_of_digests),
		cmocka_unit_test(test_ima_forms),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
