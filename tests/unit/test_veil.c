/*
 * Veiled regions. Does a touch of what is veiled fault, is it zero when it is shown, and does nothing that
 * was written reach the next region: whether that is veiled alike, otherwise or not at all, and however much
 * of the last one was shown? Each test runs at both levels.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/buf.h"
#include "mem/mem.h"

enum { MIB = 1 << 20, GRAIN = MEM_VEIL_GRAIN, GRAINS = 64, SIZE = GRAINS * GRAIN };
static const struct mem_veiled whole = {.reserve = 64 * MIB, .maximum = 32 * MIB, .size = SIZE};

static struct mem_pool *pool;

static int pool_at(void **state)
{
	enum mem_level level = *(const enum mem_level *)*state;
	struct error err = {0};
	pool = NULL;
	if (mem_level_check(level, 2 * MIB, &err) == 0)
		return mem_pool_new(level, 128 * MIB, &pool, &err);
	print_message("skipped: %s: %s\n", mem_level_name(level), err.text);
	return 0;
}

static int pool_gone(void **state)
{
	(void)state;
	mem_pool_free(pool);
	return 0;
}

/* The kernel answers without a signal. */
static bool readable(const void *p)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	bool yes = write(ends[1], p, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return yes;
}

static struct mem_region *region_new(size_t from, size_t to)
{
	struct mem_veiled shape = whole;
	struct mem_region *region = NULL;
	struct error err;
	shape.veil_from = from;
	shape.veil_to = to;
	if (mem_region_new_veiled(pool, &shape, &region, &err) < 0)
		fail_msg("%s", err.text);
	return region;
}

/* What can be seen is zero; the rest faults, and is zero as soon as it is seen. */
static void check_fresh(struct mem_region *region, size_t from, size_t to)
{
	for (size_t at = 0; at < SIZE; at += GRAIN) {
		bool veiled = at >= from && at < to;
		assert_int_equal(mem_region_veiled(region, at), veiled);
		assert_int_equal(readable(region->base + at), !veiled);
		assert_int_equal(readable(region->base + at + GRAIN - 1), !veiled);
		if (veiled)
			assert_int_equal(mem_region_unveil(region, at, at + GRAIN), 0);
		assert_false(mem_region_veiled(region, at + 1));
		for (size_t i = 0; i < GRAIN; i++)
			if (region->base[at + i])
				fail_msg("byte %zu of %zu is not zero", i, at);
	}
}

static void test_next(void **state)
{
	(void)state;
	static const struct {
		size_t from, to;
	} veils[] = {{0, 0}, {GRAIN, SIZE - GRAIN}, {0, SIZE}, {7 * GRAIN, 8 * GRAIN}};
	if (!pool)
		skip();
	for (size_t last = 0; last < array_count(veils); last++)
		for (size_t next = 0; next < array_count(veils); next++)
			for (size_t shown = 0; shown <= GRAINS; shown += 21) {
				size_t from = veils[last].from, to = veils[last].to;
				struct mem_region *r = region_new(from, to);
				for (size_t at = from; at < to; at += GRAIN)
					if (at / GRAIN % 2 == 0 && at / GRAIN <= shown)
						assert_int_equal(mem_region_unveil(r, at, at + GRAIN), 0);
				for (size_t at = 0; at < SIZE; at += GRAIN)
					if (!mem_region_veiled(r, at))
						memset(r->base + at, 0xa5, GRAIN);
				mem_region_free(r);
				r = region_new(veils[next].from, veils[next].to);
				check_fresh(r, veils[next].from, veils[next].to);
				mem_region_free(r);
			}
}

static void test_hide_again(void **state)
{
	(void)state;
	if (!pool)
		skip();
	struct mem_region *r = region_new(0, SIZE);
	assert_int_equal(mem_region_unveil(r, GRAIN, 4 * GRAIN), 0);
	memset(r->base + GRAIN, 1, 3 * GRAIN);
	assert_int_equal(mem_region_veil(r, 2 * GRAIN, 3 * GRAIN), 0);
	assert_false(readable(r->base + 2 * GRAIN));
	assert_int_equal(r->base[GRAIN], 1);
	assert_int_equal(r->base[3 * GRAIN], 1);
	assert_int_equal(mem_region_unveil(r, 2 * GRAIN, 3 * GRAIN), 0);
	for (size_t i = 0; i < GRAIN; i++)
		assert_int_equal(r->base[2 * GRAIN + i], 0);
	mem_region_free(r);
}

static void test_grow(void **state)
{
	(void)state;
	if (!pool)
		skip();
	struct mem_region *r = region_new(GRAIN, SIZE);
	assert_int_equal(mem_region_grow(r, SIZE + 3 * GRAIN, NULL), 0);
	memset(r->base + SIZE, 1, 3 * GRAIN);
	assert_false(mem_region_veiled(r, SIZE));
	assert_false(readable(r->base + SIZE - 1));
	mem_region_free(r);
	r = region_new(GRAIN, SIZE);
	assert_false(readable(r->base + SIZE));
	assert_int_equal(mem_region_grow(r, SIZE + 3 * GRAIN, NULL), 0);
	for (size_t i = 0; i < 3 * GRAIN; i++)
		assert_int_equal(r->base[SIZE + i], 0);
	mem_region_free(r);
}

static void test_refused(void **state)
{
	(void)state;
	static const struct {
		size_t from, to;
	} bad[] = {{GRAIN, 0}, {0, GRAIN / 2}, {4096, GRAIN}, {0, SIZE + GRAIN}};
	if (!pool)
		skip();
	for (size_t i = 0; i < array_count(bad); i++) {
		struct mem_veiled shape = whole;
		struct mem_region *r;
		shape.veil_from = bad[i].from;
		shape.veil_to = bad[i].to;
		assert_int_equal(mem_region_new_veiled(pool, &shape, &r, NULL), CELLA_EINVAL);
	}
}

static const enum mem_level levels[] = {MEM_INSECURE_NONE, MEM_SECRET};
#define at_each_level(f)                                                               \
	{#f " (insecure-none)", f, pool_at, pool_gone, (void *)(uintptr_t)&levels[0]}, \
	{                                                                              \
		#f " (secret)", f, pool_at, pool_gone, (void *)(uintptr_t)&levels[1]   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		at_each_level(test_next),
		at_each_level(test_hide_again),
		at_each_level(test_grow),
		at_each_level(test_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
