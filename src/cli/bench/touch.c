/*
 * cella bench start: what touching memory costs, by level: at first, and again from the pool.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/bench/apart.h"
#include "cli/bench/bench.h"
#include "mem/mem.h"

enum { LEVELS = 2, SPARE_FACTOR = 2 };
static const enum mem_level levels[LEVELS] = {MEM_INSECURE_NONE, MEM_SECRET};

static const struct touch_case {
	const char *name;
	size_t size;
	size_t runs; /* at most */
} touch_cases[] = {
	{"64 MiB", (size_t)64 << 20, BENCH_SAMPLES_MAX},
	{"1 GiB", (size_t)1 << 30, 3},
	{"4 GiB", (size_t)4 << 30, 3},
};

struct touch_times {
	double cold_ms, pooled_ms;
};

static double touch(struct mem_region *region)
{
	uint64_t start = clock_ns();
	for (size_t at = 0; at < region->size; at += 4096)
		((volatile uint8_t *)region->base)[at] = 1;
	return (double)(clock_ns() - start) * 1e-6;
}

/* Touch a fresh region, give it back (which wipes it), take it again and touch it again. */
static int touch_twice(enum mem_level level, size_t size, struct touch_times *ret, struct error *err)
{
	struct mem_pool *pool;
	struct mem_region *region;
	int rc = mem_pool_new(level, size + (64 << 20), &pool, err);
	if (rc < 0)
		return rc;
	rc = mem_region_new(pool, size, size, size, &region, err);
	if (rc == 0) {
		ret->cold_ms = touch(region);
		mem_region_free(region);
		rc = mem_region_new(pool, size, size, size, &region, err);
	}
	if (rc == 0) {
		ret->pooled_ms = touch(region);
		mem_region_free(region);
	}
	mem_pool_free(pool);
	return rc;
}

struct touch_what {
	enum mem_level level;
	size_t size;
};

static int measure_touch(void *data, void *ret, struct error *err)
{
	const struct touch_what *what = data;
	return touch_twice(what->level, what->size, ret, err);
}

static uint64_t available_bytes(void)
{
	static const char key[] = "MemAvailable:";
	char line[128];
	cleanup_fclose FILE *f = fopen("/proc/meminfo", "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			return strtoull(line + strlen(key), NULL, 10) * 1024;
	return UINT64_MAX;
}

/* Samples of one size and level; or why there are none. */
struct touch_series {
	struct bench_samples cold, pooled;
	int rc;
	struct error why;
};

/* Levels in turn. */
static int sample_touch(const struct bench *b, const struct touch_case *c, struct touch_series ret[LEVELS])
{
	for (size_t run = 0; run < min_of(b->runs, c->runs); run++)
		for (size_t i = 0; i < LEVELS; i++) {
			struct touch_times times = {0};
			struct touch_what what = {levels[i], c->size};
			struct touch_series *s = &ret[i];
			if (s->rc == 0)
				s->rc = bench_apart(measure_touch, &what, &times, sizeof(times), &s->why);
			if (s->rc == CELLA_ECANCELED)
				return s->rc;
			if (s->rc < 0)
				continue;
			bench_sample(&s->cold, times.cold_ms);
			bench_sample(&s->pooled, times.pooled_ms);
		}
	return 0;
}

static int report_touch(struct bench *b, const struct touch_case *c, enum mem_level level,
                        const struct touch_series *s, struct error *err)
{
	char name[BENCH_NAME_MAX];
	snprintf(name, sizeof(name), "touch %s, %s", c->name, mem_level_name(level));
	/* What the machine or its limits do not allow is no failure of the benchmark. */
	if (s->rc < 0)
		return bench_cannot(b, name, "cold", s->why.text, err);
	int rc = bench_report(b, name, "cold", "ms", &s->cold, err);
	return rc < 0 ? rc : bench_report(b, name, "from the pool", "ms", &s->pooled, err);
}

static int touch_size(struct bench *b, const struct touch_case *c, struct error *err)
{
	struct touch_series series[LEVELS] = {0};
	uint64_t available = available_bytes();
	if (available < SPARE_FACTOR * c->size)
		for (size_t i = 0; i < LEVELS; i++)
			series[i].rc = error_set(&series[i].why, CELLA_ENOMEM,
			                         "%llu MiB of memory are available, less than twice as much",
			                         (unsigned long long)available >> 20);
	if (sample_touch(b, c, series) < 0)
		return error_set(err, CELLA_ECANCELED, "interrupted");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < LEVELS; i++)
		rc = report_touch(b, c, levels[i], &series[i], err);
	return rc;
}

int bench_touch(struct bench *b, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < array_count(touch_cases); i++)
		rc = touch_size(b, &touch_cases[i], err);
	return rc;
}
