/*
 * The power is cut at each write, truncation, sync and removal of a CAS's database, and what was not synced
 * is there, or not, or in part. Is every change that was acknowledged there, the database whole, and its log
 * the one that was promised ("head", which is never lost here, would say so if it were not)? And where a sync
 * fails: is nothing acknowledged, and nothing answered, until it is opened again?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cas_support.h"
#include "fake_power.h"

enum { SESSIONS = 2, COMMITS = 4 };

static int put(struct records *r, unsigned n, struct error *err)
{
	char value[16];
	uint64_t version;
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "load", .what = "{}"};
	int rc = records_begin(r, err);
	if (rc == 0)
		rc = records_step(r, err);
	snprintf(value, sizeof(value), "%u", n);
	if (rc == 0)
		rc = records_secret_put(r, "s", "k", 1, value, strlen(value), n, &version, err);
	if (rc == 0 && version > 2)
		rc = records_secret_remove(r, "s", "k", version - 1, err);
	if (rc == 0)
		rc = records_keep(r, &event, 1, n, err);
	if (rc == 0)
		return records_commit(r, NULL, err);
	records_abort(r);
	return rc;
}

/* Opened, written to and closed, twice: closing brings the log into the database and removes it. Returns how
 * many were acknowledged. */
static unsigned work(const struct records_config *config)
{
	unsigned acknowledged = 0;
	struct error err;
	for (unsigned session = 0; session < SESSIONS; session++) {
		struct records *r;
		if (records_open(config, &r, &err) < 0)
			break;
		for (unsigned i = 0; i < COMMITS; i++)
			if (put(r, acknowledged + 1, &err) == 0)
				acknowledged++;
			else
				assert_true(fake_power_is_cut());
		records_close(r);
	}
	return acknowledged;
}

static unsigned read_newest(struct records *r)
{
	struct records_secret s;
	char text[16] = "";
	int rc = records_secret_get(r, "s", "k", 0, &s, NULL);
	if (rc == CELLA_ENOENT)
		return 0;
	assert_int_equal(rc, 0);
	memcpy(text, s.data, s.size);
	assert_int_equal(s.version, strtoul(text, NULL, 10));
	records_secret_done(&s);
	return (unsigned)strtoul(text, NULL, 10);
}

static void test_cut(void **state)
{
	(void)state;
	static const enum fake_power_rest rests[] = {FAKE_POWER_NOTHING, FAKE_POWER_ALL, FAKE_POWER_SECTORS,
	                                             FAKE_POWER_SECTORS};
	struct cas_test t;
	struct records_config config;
	struct audit_summary summary;
	char path[CAS_PATH_MAX];
	uint64_t operations, points = 0, further = 0;
	cas_test_begin(&t);
	cas_test_close(&t);
	config = t.config;
	config.directory = cas_path(&t, "copy", path);
	fake_power_settle(FAKE_POWER_ALL, 0);
	cas_copy_directory(&t, "cas", "copy");
	fake_power_cut_after(0);
	assert_int_equal(work(&config), SESSIONS * COMMITS);
	operations = fake_power_operations();
	assert_true(operations > 3 * SESSIONS * COMMITS);
	for (uint64_t at = 1; at <= operations; at++)
		for (size_t i = 0; i < array_count(rests); i++, points++) {
			struct records *r;
			struct error err;
			fake_power_settle(FAKE_POWER_ALL, 0);
			cas_copy_directory(&t, "cas", "copy");
			fake_power_cut_after(at);
			unsigned acknowledged = work(&config);
			assert_true(fake_power_is_cut());
			fake_power_settle(rests[i], at * 31 + i);
			if (records_open(&config, &r, &err) < 0)
				fail_msg("cut at %llu, rest %zu: %s", (unsigned long long)at, i, err.text);
			unsigned newest = read_newest(r);
			if (newest != acknowledged && newest != acknowledged + 1)
				fail_msg("cut at %llu, rest %zu: %u acknowledged, %u there",
				         (unsigned long long)at, i, acknowledged, newest);
			further += newest > acknowledged;
			assert_int_equal(records_head(r)->number, 1 + newest);
			assert_int_equal(records_verify(r, NULL, &summary, &err), 0);
			assert_int_equal(put(r, newest + 1, &err), 0);
			records_close(r);
		}
	print_message("%llu cuts; in %llu what was under way was there\n", (unsigned long long)points,
	              (unsigned long long)further);
	assert_true(further > 0 && further < points);
	fake_power_settle(FAKE_POWER_ALL, 0);
	cas_test_end(&t);
}

static void test_sync_fails(void **state)
{
	(void)state;
	struct cas_test t;
	struct error err;
	cas_test_begin(&t);
	assert_int_equal(put(t.r, 1, &err), 0);
	const uint64_t number = records_head(t.r)->number;
	fake_power_fail_sync(1);
	assert_int_equal(put(t.r, 2, &err), CELLA_EIO);
	assert_int_equal(records_head(t.r)->number, number);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(put(t.r, 2, &err), CELLA_EIO);
		assert_non_null(strstr(err.text, "opened again"));
	}
	struct records_secret s;
	assert_int_equal(records_secret_get(t.r, "s", "k", 0, &s, &err), CELLA_EIO);
	cas_test_close(&t);
	cas_test_open(&t);
	unsigned newest = read_newest(t.r);
	assert_true(newest == 1 || newest == 2);
	assert_int_equal(put(t.r, newest + 1, &err), 0);
	fake_power_settle(FAKE_POWER_ALL, 0);
	cas_test_end(&t);
}

static int start(void **state)
{
	fake_power_install();
	return cas_start(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cut), cmocka_unit_test(test_sync_fails)};
	return cmocka_run_group_tests(tests, start, NULL);
}
