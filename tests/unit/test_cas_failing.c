/*
 * Each call of the storage fails once, in a random load of batches and steps; protected memory runs out. Is
 * what is read always what was kept and not undone, then what was committed, and the same after opening
 * again?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cas/records/records_state.h"
#include "cas_support.h"
#include "fake_power.h"

enum { NAMES = 4, BATCHES = 6, STEPS = 4 };

/* What each secret is; 0: there is none. */
struct model {
	unsigned values[NAMES];
	unsigned entries;
};

/* ---- a storage that fails */

static struct cas_storage real;
static uint64_t calls, failing;

static bool fails(void)
{
	return ++calls == failing;
}

static int refuse(struct error *err)
{
	return error_set(err, CELLA_EIO, "the storage fails, as it was told to");
}

static int fail_begin(void *data, struct error *err)
{
	return fails() ? refuse(err) : real.begin(data, err);
}

static int fail_commit(void *data, struct error *err)
{
	if (!fails())
		return real.commit(data, err);
	real.rollback(data);
	return refuse(err);
}

static int fail_mark(void *data, struct error *err)
{
	return fails() ? refuse(err) : real.mark(data, err);
}

static int fail_mark_keep(void *data, struct error *err)
{
	return fails() ? refuse(err) : real.mark_keep(data, err);
}

static int fail_mark_undo(void *data, struct error *err)
{
	return fails() ? refuse(err) : real.mark_undo(data, err);
}

static int fail_put(void *data, const struct cas_row *row, struct error *err)
{
	return fails() ? refuse(err) : real.put(data, row, err);
}

static int fail_remove(void *data, uint16_t kind, const void *id, size_t id_size, struct error *err)
{
	return fails() ? refuse(err) : real.remove(data, kind, id, id_size, err);
}

static int fail_log_append(void *data, uint64_t number, const void *entry, size_t size, struct error *err)
{
	return fails() ? refuse(err) : real.log_append(data, number, entry, size, err);
}

static void install(struct records *r, uint64_t call)
{
	real = r->storage;
	calls = 0;
	failing = call;
	r->storage.begin = fail_begin;
	r->storage.commit = fail_commit;
	r->storage.mark = fail_mark;
	r->storage.mark_keep = fail_mark_keep;
	r->storage.mark_undo = fail_mark_undo;
	r->storage.put = fail_put;
	r->storage.remove = fail_remove;
	r->storage.log_append = fail_log_append;
}

/* ---- the load */

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void assert_model(struct records *r, const struct model *m)
{
	for (unsigned i = 0; i < NAMES; i++) {
		struct records_secret s;
		char name[8], text[16] = "";
		struct error err;
		snprintf(name, sizeof(name), "k%u", i);
		int rc = records_secret_get(r, "s", name, 0, &s, &err);
		if (m->values[i] == 0) {
			assert_int_equal(rc, CELLA_ENOENT);
			continue;
		}
		if (rc < 0)
			fail_msg("%s", err.text);
		memcpy(text, s.data, s.size);
		assert_int_equal(strtoul(text, NULL, 10), m->values[i]);
		records_secret_done(&s);
	}
}

/* Two or three changes; the model's as well. */
static int change(struct records *r, struct model *m, uint64_t *random, struct error *err)
{
	int rc = 0;
	for (unsigned left = 2 + (unsigned)(next_random(random) % 2); rc == 0 && left; left--) {
		unsigned i = (unsigned)(next_random(random) % NAMES);
		char name[8], text[16];
		uint64_t version;
		snprintf(name, sizeof(name), "k%u", i);
		if (m->values[i] && next_random(random) % 3 == 0) {
			rc = records_secret_remove(r, "s", name, UINT64_MAX, err);
			m->values[i] = 0;
			continue;
		}
		m->values[i] = 1 + (unsigned)(next_random(random) % 100000);
		snprintf(text, sizeof(text), "%u", m->values[i]);
		rc = records_secret_put(r, "s", name, 1, text, strlen(text), 1, &version, err);
	}
	return rc;
}

/* A step that is kept, undone of one's own will, or failed. */
static void run_step(struct records *r, struct model *now, uint64_t *random)
{
	const struct audit_event events[] = {{.kind = AUDIT_SECRET_SET, .who = "x", .what = "{}"},
	                                     {.kind = AUDIT_SECRET_SET, .who = "y", .what = "{}"}};
	struct model next = *now;
	struct error err;
	if (records_step(r, &err) < 0)
		return;
	int rc = change(r, &next, random, &err);
	if (rc < 0) { /* nothing is answered that might be half of it */
		struct records_secret s;
		assert_int_equal(records_secret_get(r, "s", "k0", 0, &s, &err), CELLA_EIO);
		assert_non_null(strstr(err.text, "the step is to be undone"));
	}
	const size_t count = 1 + next_random(random) % 2;
	if (rc < 0 || next_random(random) % 4 == 0) {
		records_undo(r);
	} else if (records_keep(r, events, count, 1, &err) == 0) {
		*now = next;
		now->entries += (unsigned)count;
	}
	if (!r->batch_failed)
		assert_model(r, now);
}

static unsigned run_load(struct records *r, struct model *committed)
{
	uint64_t random = 99;
	unsigned failures = 0;
	for (unsigned batch = 0; batch < BATCHES; batch++) {
		struct model now = *committed;
		struct error err;
		if (records_begin(r, &err) < 0) {
			failures++;
			continue;
		}
		for (unsigned i = 0; i < STEPS; i++)
			run_step(r, &now, &random);
		if (records_commit(r, NULL, &err) == 0)
			*committed = now;
		else
			failures++;
		assert_model(r, committed);
		assert_int_equal(records_head(r)->number, committed->entries);
	}
	return failures;
}

static void test_each_call_fails(void **state)
{
	(void)state;
	struct cas_test t;
	struct audit_summary summary;
	struct error err;
	uint64_t all = 0, lost = 0;
	cas_test_begin(&t);
	cas_test_close(&t);
	cas_copy_directory(&t, "cas", "old");
	for (uint64_t at = 0; at <= all; at++) {
		struct model committed = {.entries = 1};
		cas_copy_directory(&t, "old", "cas");
		cas_test_open(&t);
		install(t.r, at);
		lost += run_load(t.r, &committed);
		if (at == 0) {
			assert_int_equal(lost, 0);
			all = calls;
		}
		t.r->storage = real;
		assert_model(t.r, &committed);
		if (records_verify(t.r, NULL, &summary, &err) < 0)
			fail_msg("call %llu: %s", (unsigned long long)at, err.text);
		cas_test_close(&t);
		cas_test_open(&t);
		assert_model(t.r, &committed);
		assert_int_equal(records_head(t.r)->number, committed.entries);
		cas_put_secret(t.r, "s", "k0", "1");
		cas_test_close(&t);
	}
	print_message("%llu calls failed, %llu batches with them\n", (unsigned long long)all,
	              (unsigned long long)lost);
	assert_true(all > 100 && lost > 0 && lost < all);
	cas_test_end(&t);
}

/* A new master key, with each call of the storage failing once: what is there stays readable, what comes is
 * sealed under the new one, and the next opening finishes it. */
static void test_rotation_fails(void **state)
{
	(void)state;
	static const struct model wanted = {.values = {11, 12, 13, 0}};
	struct cas_test t;
	struct audit_summary summary;
	struct error err;
	uint64_t all = 1;
	cas_test_begin(&t);
	cas_put_secret(t.r, "s", "k0", "10");
	cas_put_secret(t.r, "s", "k0", "11");
	cas_put_secret(t.r, "s", "k1", "12");
	cas_test_close(&t);
	cas_copy_directory(&t, "cas", "old");
	for (uint64_t at = 1; at <= all; at++) {
		cas_copy_directory(&t, "old", "cas");
		cas_test_open(&t);
		install(t.r, at);
		int rc = records_rotate(t.r, "x", 1, &err);
		all = rc == 0 ? at - 1 : at + 1; /* the one that no call fails of is the last */
		t.r->storage = real;
		cas_put_secret(t.r, "s", "k2", "13");
		assert_model(t.r, &wanted);
		assert_int_equal(records_verify(t.r, NULL, &summary, &err), 0);
		cas_test_close(&t);
		cas_test_open(&t);
		assert_int_equal(vault_generation(t.r->vault), 2);
		assert_int_equal(vault_generation_before(t.r->vault), 0);
		assert_model(t.r, &wanted);
		assert_int_equal(records_verify(t.r, NULL, &summary, &err), 0);
		cas_test_close(&t);
	}
	assert_true(all >= 8);
	cas_test_end(&t);
}

/* A pool of 1 MiB has no room for a secret of as much, but for the next one that is small. */
static void test_no_protected_memory(void **state)
{
	(void)state;
	static char large[RECORDS_SECRET_MAX];
	struct cas_test t;
	struct mem_pool *pool;
	struct records_secret s;
	struct error err;
	const struct audit_event event = {.kind = AUDIT_SECRET_SET, .who = "x", .what = "{}"};
	uint64_t version;
	cas_test_begin(&t);
	cas_put_secret(t.r, "s", "small", "value");
	assert_int_equal(records_begin(t.r, NULL), 0);
	assert_int_equal(records_step(t.r, NULL), 0);
	assert_int_equal(records_secret_put(t.r, "s", "large", 1, large, sizeof(large), 1, &version, NULL),
	                 0);
	assert_int_equal(records_keep(t.r, &event, 1, 1, NULL), 0);
	assert_int_equal(records_commit(t.r, NULL, NULL), 0);
	cas_test_close(&t);
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 1 << 20, &pool, NULL), 0);
	t.config.pool = pool;
	cas_test_open(&t);
	assert_int_equal(records_secret_get(t.r, "s", "large", 0, &s, &err), CELLA_ENOMEM);
	assert_non_null(strstr(err.text, "no protected memory"));
	assert_int_equal(records_secret_get(t.r, "s", "small", 0, &s, &err), 0);
	records_secret_done(&s);
	cas_put_secret(t.r, "s", "small", "another");
	cas_test_end(&t);
	mem_pool_free(pool);
}

/* The disk is not what fails here: nothing waits for it. */
static int start(void **state)
{
	fake_power_install();
	return cas_start(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_rotation_fails),
		cmocka_unit_test(test_no_protected_memory),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
