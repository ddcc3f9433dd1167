/* The object store. Does nobody get what another has, is what was freed used again, and does what
 * was moved come back? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/mman.h>

#include "agent/store.h"

enum { MIB = 1 << 20, LIMIT = 16 * MIB };

static int setup(void **state)
{
	struct error err;
	return store_new(LIMIT, "/tmp", (struct store **)state, &err);
}

static int teardown(void **state)
{
	store_free(*state);
	return 0;
}

static uint64_t grant(struct store *s, uint32_t executor, uint64_t size)
{
	uint64_t offset, granted;
	assert_int_equal(store_grant(s, executor, size, &offset, &granted), 0);
	assert_true(granted >= size && granted % STORE_UNIT == 0);
	return offset;
}

static void test_rights(void **state)
{
	struct store *s = *state;
	uint64_t a = grant(s, 2, MIB), b = grant(s, 3, 100000);
	static const struct {
		uint32_t executor;
		int64_t from_b, size;
		bool may;
	} cases[] = {
		{3, 0, 1, true},       {3, 0, 131072, true},  {3, 131071, 1, true},
		{3, 0, 131073, false}, {3, 131072, 1, false}, {2, 0, 1, false},
		{3, -1, 1, false},     {3, 0, 0, false},      {3, 1, INT64_MAX, false},
		{4, 0, 1, false},      {0, 0, 1, false},      {3, 1ll << 40, 1, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(store_may_write(s, cases[i].executor, b + (uint64_t)cases[i].from_b,
		                                 (uint64_t)cases[i].size),
		                 cases[i].may);
	assert_int_equal(store_close(s, 3, a), CELLA_EFORMAT);
	assert_int_equal(store_close(s, 3, b + STORE_UNIT), CELLA_EFORMAT);
	assert_int_equal(store_close(s, 3, 1ull << 50), CELLA_EFORMAT);
	store_placed(s, b);
	assert_int_equal(store_close(s, 3, b), 0);
	assert_int_equal(store_close(s, 3, b), CELLA_EFORMAT);
	assert_false(store_may_write(s, 3, b, 1));
	store_dropped(s, b, 1, false);
	assert_false(store_may_write(s, 3, b, 1));
	assert_false(store_may_write(s, 0, b, 1));
}

static uint64_t used(const struct store *s)
{
	struct store_stats stats;
	store_stats(s, &stats);
	return stats.used;
}

static void test_freeing(void **state)
{
	struct store *s = *state;
	uint64_t a = grant(s, 2, MIB), b = grant(s, 2, MIB), c = grant(s, 3, MIB);
	store_placed(s, b);
	store_placed(s, b + 100);
	assert_int_equal(store_close(s, 2, b), 0);
	store_dropped(s, b, 10, false);
	assert_int_equal(used(s), 3 * MIB);
	store_dropped(s, b + 100, 10, false);
	assert_int_equal(used(s), 2 * MIB);
	store_close_all(s, 2);
	assert_int_equal(used(s), MIB);
	assert_int_equal(grant(s, 4, 2 * MIB), a); /* the free runs were joined */
	assert_false(store_may_write(s, 2, a, 1));
	store_close_all(s, 3);
	store_close_all(s, 4);
	assert_int_equal(used(s), 0);
	assert_int_equal(grant(s, 5, 3 * MIB), a);
	(void)c;
}

static void test_limit(void **state)
{
	struct store *s = *state;
	uint64_t offset, size;
	assert_false(store_lacks(s, LIMIT));
	assert_true(store_lacks(s, LIMIT + 1));
	assert_false(store_hopeless(s, STORE_OVERSHOOT * LIMIT));
	assert_true(store_hopeless(s, STORE_OVERSHOOT * LIMIT + 1));
	assert_true(store_hopeless(s, UINT64_MAX));
	grant(s, 2, LIMIT);
	assert_true(store_lacks(s, 1));
	grant(s, 2, LIMIT); /* the overshoot */
	assert_int_equal(store_grant(s, 2, 1, &offset, &size), CELLA_ELIMIT);
	assert_int_equal(store_grant(s, 2, UINT64_MAX, &offset, &size), CELLA_ELIMIT);
	grant(s, STORE_AGENT, LIMIT);
}

/* Random extents; a model says which units are whose. */
static void test_model(void **state)
{
	struct store *s = *state;
	enum { EXTENTS = 64 };
	struct {
		uint64_t offset, size;
		uint32_t executor, live;
		bool closed;
	} extents[EXTENTS] = {0};
	srandom(7);
	for (int step = 0; step < 20000; step++) {
		int at = (int)(random() % EXTENTS);
		if (extents[at].size == 0) {
			extents[at].executor = 1 + (uint32_t)(random() % 5);
			if (store_grant(s, extents[at].executor, 1 + (uint64_t)random() % (3 * STORE_UNIT),
			                &extents[at].offset, &extents[at].size) < 0)
				extents[at].size = 0;
			for (int i = 0; i < EXTENTS && extents[at].size; i++)
				assert_true(i == at || extents[i].size == 0 ||
				            extents[i].offset + extents[i].size <= extents[at].offset ||
				            extents[at].offset + extents[at].size <= extents[i].offset);
		} else if (extents[at].live && random() % 2) {
			store_dropped(s, extents[at].offset + (uint64_t)random() % extents[at].size, 1,
			              false);
			extents[at].live--;
		} else if (!extents[at].closed && random() % 3) {
			store_placed(s, extents[at].offset + (uint64_t)random() % extents[at].size);
			extents[at].live++;
		} else if (!extents[at].closed) {
			assert_int_equal(store_close(s, extents[at].executor, extents[at].offset), 0);
			extents[at].closed = true;
		}
		if (extents[at].closed && extents[at].live == 0)
			memset(&extents[at], 0, sizeof(extents[at]));
		uint64_t sum = 0;
		for (int i = 0; i < EXTENTS; i++)
			sum += extents[i].size;
		assert_int_equal(used(s), sum);
	}
}

static void test_spill(void **state)
{
	struct store *s = *state;
	struct error err;
	enum { SIZE = 300000 };
	uint8_t *memory = mmap(NULL, store_size(s), PROT_READ | PROT_WRITE, MAP_SHARED, store_fd(s), 0);
	uint64_t places[20], extents[20];
	for (uint64_t i = 0; i < 20; i++) {
		extents[i] = places[i] = grant(s, 2, SIZE);
		memset(memory + places[i], (int)i + 1, SIZE);
		store_placed(s, places[i]);
		assert_false(store_may_spill(s, places[i]));
		assert_int_equal(store_close(s, 2, places[i]), 0);
		assert_true(store_may_spill(s, places[i]));
		assert_int_equal(store_spill(s, &places[i], SIZE, &err), 0);
	}
	assert_int_equal(used(s), 0);
	store_dropped(s, places[3], SIZE, true);
	for (uint64_t i = 0; i < 20; i++) {
		if (i == 3)
			continue;
		assert_int_equal(store_restore(s, &places[i], SIZE, &err), 0);
		for (uint64_t j = 0; j < SIZE; j += 777)
			assert_int_equal(memory[places[i] + j], i + 1);
	}
	assert_int_equal(store_take_restored(s), 19 * SIZE);
	assert_int_equal(store_take_restored(s), 0);
	for (uint64_t i = 0; i < 20; i++)
		if (i != 3)
			store_dropped(s, places[i], SIZE, false);
	assert_int_equal(used(s), 0);
	munmap(memory, store_size(s));
	(void)extents;
}

static void test_no_directory(void **state)
{
	(void)state;
	struct store *s;
	struct error err;
	uint64_t at;
	assert_int_equal(store_new(LIMIT, "/nonexistent", &s, &err), 0); /* it is not needed yet */
	at = grant(s, 2, 100);
	store_placed(s, at);
	assert_int_equal(store_spill(s, &at, 100, &err), CELLA_EIO);
	assert_non_null(strstr(err.text, "/nonexistent"));
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freeing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_model, setup, teardown),
		cmocka_unit_test_setup_teardown(test_spill, setup, teardown),
		cmocka_unit_test(test_no_directory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
