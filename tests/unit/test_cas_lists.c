/*
 * Lists of files at a CAS. Is a launcher whose TPM vouches for IMA's log given keys exactly where every
 * measured file is in a list that the session names by its hash and an owner has added; does a list that
 * another session names stand in nobody's way; is one that cannot be read refused when it is added?
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
#include "cas/collateral.h"
#include "cas/endorse.h"
#include "cas_place.h"
#include "tpm_support.h"

static const uint64_t SECOND = 1000000000;
static const char foreign_list[] = "0123456789012345678901234567890123456789012345678901234567890123  /a\n";

static void begin(struct place *p)
{
	place_begin_at(p, (uint64_t)SOFT_TIME * SECOND, NULL, 0);
}

/* Of the place's launcher, by a TPM of our own that quotes its key and this nonce. */
static void make_files(struct place *p, bool violation, uint8_t nonce[CAS_NONCE_SIZE],
                       struct soft_files *files)
{
	uint8_t report_data[TEE_REPORT_DATA_MAX], hash[CRYPTO_HASH_MAX];
	const struct crypto_part whole = {report_data, sizeof(report_data)};
	struct soft_shape shape = soft_shape(SOFT_P256);
	struct error err;
	must(cas_nonce(p->cas, nonce, &err), &err);
	must(endorsement_report_data(p->launcher.public_key, nonce, report_data, &err), &err);
	must(crypto_hash(CRYPTO_SHA256, &whole, 1, hash, &err), &err);
	shape.nonce = hash;
	shape.violation = violation;
	soft_make(&shape, files);
}

static int endorse(struct place *p, bool violation)
{
	cleanup_buf struct buf bytes = {0};
	struct soft_files f;
	struct error err;
	struct endorsement e = {.kind = TEE_TPM};
	make_files(p, violation, e.nonce, &f);
	memcpy(e.launcher, p->launcher.public_key, sizeof(e.launcher));
	e.evidence = (struct tee_blob){f.evidence.data, f.evidence.size, NULL};
	e.event_logs[0] = (struct tee_blob){f.ima_binary.data, f.ima_binary.size, NULL};
	e.event_log_count = 1;
	must(endorsement_encode(&e, &p->launcher, &bytes, &err), &err);
	soft_done(&f);
	const struct cas_endorsing asked = {.session = "listed",
	                                    .service = "s",
	                                    .endorsement = bytes.data,
	                                    .size = bytes.size,
	                                    .peer = "192.0.2.7"};
	int rc = cas_endorse(p->cas, &asked, &err);
	if (rc < 0 && rc != CELLA_EAUTH)
		fail_msg("%s", err.text);
	return rc;
}

/* Sessions that name the list that the soft TPM's files are in, and one that names none. */
static void put_sessions(struct place *p)
{
	struct soft_files f;
	uint8_t nonce[CAS_NONCE_SIZE];
	make_files(p, false, nonce, &f);
	for (int listed = 0; listed < 2; listed++) {
		cleanup_buf struct buf text = {0};
		buf_printf(&text,
		           "name: %s\nversion: \"0.1\"\nservices:\n  - name: s\n    command: [x]\n"
		           "    attestation:\n      - {machine: {tpm: {ak_names: %s%s%s}}}\n",
		           listed ? "listed" : "free", f.ak_name, listed ? ", ima_lists: " : "",
		           listed ? f.list_hash : "");
		buf_put_u8(&text, 0);
		place_put(p, (const char *)text.data);
	}
	soft_done(&f);
}

static int add(struct place *p, enum tee_kind kind, const void *data, size_t size, struct error *err)
{
	int64_t ends = 0;
	int rc = cas_collateral_add(p->cas, &p->owner, kind, "files.sha256", data, size, &ends, err);
	if (rc == 0)
		assert_true(ends == INT64_MAX);
	return rc;
}

static void add_list(struct place *p)
{
	struct soft_files f;
	uint8_t nonce[CAS_NONCE_SIZE];
	struct error err;
	make_files(p, false, nonce, &f);
	must(add(p, TEE_TPM, f.list.data, f.list.size, &err), &err);
	soft_done(&f);
}

static void assert_granted(struct place *p, const char *session)
{
	struct executor x;
	place_start(p, &x);
	place_assert_granted(p, &x, session);
}

static void test_a_list_that_counts(void **state)
{
	struct place p;
	struct error err;
	(void)state;
	begin(&p);
	put_sessions(&p);
	assert_int_equal(endorse(&p, false), CELLA_EAUTH);
	place_assert_reason(&p, "listed", "machine.tpm.ima_log.files: wanted nothing measured but");
	place_assert_reason(&p, "listed", "no list of those hashes is among the collateral");
	must(add(&p, TEE_TPM, foreign_list, sizeof(foreign_list) - 1, &err), &err);
	assert_int_equal(endorse(&p, false), CELLA_EAUTH);
	add_list(&p);
	assert_int_equal(endorse(&p, false), 0);
	assert_granted(&p, "listed");
	assert_granted(&p, "free");
	place_again(&p);
	assert_granted(&p, "listed");
	place_end(&p);
}

/* A file that was open for writing while it was measured is in no list. */
static void test_a_file_that_is_not_listed(void **state)
{
	struct place p;
	(void)state;
	begin(&p);
	put_sessions(&p);
	add_list(&p);
	assert_int_equal(endorse(&p, true), CELLA_EAUTH);
	place_assert_reason(&p, "listed", "1 of 4 entries are not; the first: /etc/motd");
	assert_int_equal(endorse(&p, false), 0);
	assert_granted(&p, "listed");
	place_end(&p);
}

static void test_lists_that_are_none(void **state)
{
	static const char cut[] = "0123456789012345678901234567890123456789012345678901234567890123  /a\n"
				  "sha256sum: /b: Permission denied\n";
	struct place p;
	struct error err;
	(void)state;
	begin(&p);
	assert_int_equal(add(&p, TEE_TPM, cut, sizeof(cut) - 1, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "files.sha256: line 2 of a list of files"));
	assert_int_equal(add(&p, TEE_SNP, foreign_list, sizeof(foreign_list) - 1, &err), CELLA_EFORMAT);
	must(add(&p, TEE_AZURE, foreign_list, sizeof(foreign_list) - 1, &err), &err);
	assert_int_equal(add(&p, TEE_AZURE, foreign_list, sizeof(foreign_list) - 1, &err), CELLA_EEXIST);
	place_end(&p);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 ? -1 : soft_start();
}

static int stop(void **state)
{
	(void)state;
	soft_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_list_that_counts),
		cmocka_unit_test(test_a_file_that_is_not_listed),
		cmocka_unit_test(test_lists_that_are_none),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
