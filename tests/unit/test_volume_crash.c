/*
 * Is a volume, wherever the power goes or an operation of its disk or its keeper fails, at the last commit
 * that was acknowledged or at the one that was asked for, and can it be written again?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "volume_script.h"

enum { MIB = 1 << 20, SEEDS = 6, COUNT_MIN = 60 };
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static struct mem_pool *pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{7}};

/* Creates, writes within and about blocks, runs that pass the cache by, names of all kinds, commits. */
static const struct step script[] = {
	{.kind = MKDIR, .path = "a"},
	{.kind = WRITE, .path = "a/small", .size = 100},
	{.kind = WRITE, .path = "a/block", .size = 5000},
	{.kind = COMMIT},
	{.kind = WRITE, .path = "a/large", .size = 300000},
	{.kind = WRITE, .path = "a/small", .at = 50, .size = 3000},
	{.kind = LINK, .path = "a/block", .other = "second"},
	{.kind = SYMLINK, .path = "link", .other = "a/block"},
	{.kind = COMMIT},
	{.kind = RENAME, .path = "a/small", .other = "a/block"},
	{.kind = WRITE, .path = "a/large", .at = 70000, .size = 100},
	{.kind = TRUNCATE, .path = "a/large", .at = 150001},
	{.kind = WRITE, .path = "holes", .at = 400000, .size = 10},
	{.kind = COMMIT},
	{.kind = PUBLISH},
	{.kind = UNLINK, .path = "second"},
	{.kind = COMMIT},
	{.kind = REOPEN},
	{.kind = WRITE, .path = "a/large", .at = 1000, .size = 70000},
	{.kind = TRUNCATE, .path = "holes", .at = 100},
	{.kind = COMMIT},
	{.kind = WRITE, .path = "a/large", .at = 0, .size = 200000},
	{.kind = COMMIT},
	{.kind = REOPEN},
	{.kind = MKDIR, .path = "a/b"},
	{.kind = RENAME, .path = "a/block", .other = "a/b/c"},
	{.kind = TRUNCATE, .path = "a/large", .at = 0},
	{.kind = WRITE, .path = "a/large", .at = 10, .size = 10},
	{.kind = COMMIT},
	{.kind = COMPACT, .at = 10},
	{.kind = WRITE, .path = "a/large", .at = 0, .size = 70000},
	{.kind = UNLINK, .path = "holes"},
	{.kind = COMMIT},
	{.kind = UNLINK, .path = "a/b/c"},
	{.kind = RMDIR, .path = "a/b"},
	{.kind = WRITE, .path = "last", .size = 20000},
	{.kind = COMPACT, .at = 0},
};

/* Modes, and whether the keeper is far away, so that commits go on while it is asked. */
struct way {
	enum volume_mode mode;
	bool far;
};
static const struct way strict = {VOLUME_STRICT, false}, bounded = {VOLUME_BOUNDED, false},
			offline = {VOLUME_OFFLINE, false}, far_bounded = {VOLUME_BOUNDED, true};
static const struct way *const ways[] = {&strict, &offline, &far_bounded};

/* One run of it, with what survives. */
struct run {
	struct fake_world world;
	struct fake_disk *disk;
	struct fake_keeper keeper;
	struct volume_config config;
	struct pair pair;
	bool created; /* acknowledged */
};

static void attach(struct run *r)
{
	r->keeper.world = &r->world;
	r->config.disk = fake_disk_interface(r->disk);
	r->config.keeper = fake_keeper_interface(&r->keeper);
}

static void begin(struct run *r, const struct way *way)
{
	*r = (struct run){.config = {.pool = pool,
	                             .keys = key,
	                             .key_count = 1,
	                             .cache = VOLUME_CACHE_LEAST,
	                             .writable = true,
	                             .mode = way->mode,
	                             .bound_commits = 3,
	                             .bound_s = 3600}};
	r->disk = fake_disk_new(&r->world);
	r->keeper.far = way->far;
	attach(r);
}

static void end(struct run *r)
{
	pair_done(&r->pair);
	fake_disk_free(r->disk);
}

/* What comes after the last commit is lost: there is nothing here. */
static int perform(struct run *r, const struct step *step, struct error *err)
{
	if (step->kind != REOPEN)
		return pair_step(&r->pair, step, err);
	volume_free(r->pair.v);
	r->pair.v = NULL;
	return volume_open(&r->config, &r->pair.v, err);
}

/* Up to the first failure. */
static int play(struct run *r)
{
	struct error err;
	pair_begin(&r->pair, NULL);
	int rc = volume_create(&r->config, &err);
	if (rc < 0)
		return rc;
	r->created = true;
	rc = volume_open(&r->config, &r->pair.v, &err);
	for (size_t i = 0; rc == 0 && i < COUNT_OF(script); i++)
		rc = perform(r, &script[i], &err);
	volume_free(r->pair.v);
	return rc;
}

static void check_verified(struct volume *v, const char *when)
{
	struct error err;
	struct volume_counts counts;
	if (volume_verify(v, NULL, &counts, &err) < 0)
		fail_msg("%s: verify: %s", when, err.text);
	if (counts.damaged)
		fail_msg("%s: %llu damaged", when, (unsigned long long)counts.damaged);
}

/* What goes on after a crash: a write, a commit, and it is there when the volume is opened once more. */
static void write_again(struct run *r, const char *when)
{
	static const struct step steps[] = {{.kind = WRITE, .path = "after", .size = 9000},
	                                    {.kind = COMMIT},
	                                    {.kind = COMPACT, .at = 50}};
	struct error err;
	struct volume *v;
	for (size_t i = 0; i < COUNT_OF(steps); i++)
		if (pair_step(&r->pair, &steps[i], &err) < 0)
			fail_msg("%s: step %zu afterwards: %s", when, i, err.text);
	check_verified(r->pair.v, when);
	volume_free(r->pair.v);
	if (volume_open(&r->config, &v, &err) < 0)
		fail_msg("%s: opened once more: %s", when, err.text);
	const char *found = pair_opened(&r->pair, v);
	if (found)
		fail_msg("%s: opened once more: %s", when, found);
	volume_free(v);
}

/* The disk as a power cut may have left it, opened. */
static void reopen(const struct run *cut, uint64_t seed, const char *when)
{
	struct run r = *cut;
	struct error err;
	struct volume *v;
	r.world = (struct fake_world){0};
	r.disk = fake_disk_crashed(cut->disk, seed, &r.world);
	r.pair.committed = model_copy(cut->pair.committed);
	r.pair.asked = cut->pair.asked ? model_copy(cut->pair.asked) : NULL;
	r.pair.now = NULL;
	attach(&r);
	int rc = volume_open(&r.config, &v, &err);
	if (rc < 0 && r.created)
		fail_msg("%s: %s", when, err.text);
	if (rc == 0) {
		const char *found = pair_opened(&r.pair, v);
		if (found)
			fail_msg("%s: %s", when, found);
		write_again(&r, when);
	}
	end(&r);
}

static uint64_t operations_in(const struct way *way)
{
	struct run r;
	begin(&r, way);
	assert_int_equal(play(&r), 0);
	uint64_t count = r.world.operations;
	end(&r);
	assert_true(count > COUNT_MIN);
	return count;
}

static void power_cuts(const struct way *way)
{
	static const enum fault faults[] = {FAULT_STOP, FAULT_STOP_BEFORE};
	uint64_t count = operations_in(way), points = 0;
	for (uint64_t at = 1; at <= count; at += volume_part())
		for (size_t f = 0; f < COUNT_OF(faults); f++) {
			struct run r;
			begin(&r, way);
			r.world.fault = faults[f];
			r.world.fault_at = at;
			r.world.code = CELLA_EIO;
			(void)play(&r);
			assert_true(r.world.stopped);
			for (uint64_t seed = 0; seed < SEEDS; seed++, points++) {
				char when[96];
				snprintf(when, sizeof(when),
				         "mode %d, far %d, power cut %d at operation %llu, seed %llu",
				         way->mode, way->far, faults[f], (unsigned long long)at,
				         (unsigned long long)seed);
				reopen(&r, seed * 1000003 + at, when);
			}
			end(&r);
		}
	print_message("%llu crashes\n", (unsigned long long)points);
}

static void a_power_cut_leaves_one_commit_or_the_next(void **state)
{
	(void)state;
	power_cuts(&strict);
}

static void a_power_cut_in_bounded_mode_takes_no_commit(void **state)
{
	(void)state;
	power_cuts(&bounded);
}

static void a_power_cut_in_offline_mode_takes_no_commit(void **state)
{
	(void)state;
	power_cuts(&offline);
}

static void a_power_cut_while_a_far_keeper_is_asked_takes_no_commit(void **state)
{
	(void)state;
	power_cuts(&far_bounded);
}

/* ---- a writer is killed; the next one finds what the kernel holds, and then the power goes */

enum next { NEXT_WRITES, NEXT_LOOKS };

static void kill_and_cut(const struct way *way, enum fault fault, uint64_t at, enum next next)
{
	static const struct step steps[] = {{.kind = WRITE, .path = "next", .size = 5000}, {.kind = COMMIT}};
	struct run r;
	struct error err;
	struct volume *v;
	char when[96];
	snprintf(when, sizeof(when), "mode %d, far %d, kill %d at operation %llu, next %d", way->mode,
	         way->far, fault, (unsigned long long)at, next);
	begin(&r, way);
	r.world = (struct fake_world){.fault = fault, .fault_at = at, .code = CELLA_EIO};
	(void)play(&r);
	r.world = (struct fake_world){0};
	if (volume_open(&r.config, &v, &err) < 0) {
		if (r.created)
			fail_msg("%s: %s", when, err.text);
		end(&r);
		return;
	}
	const char *found = pair_opened(&r.pair, v);
	if (found)
		fail_msg("%s: %s", when, found);
	r.created = true;
	for (size_t i = 0; next == NEXT_WRITES && i < COUNT_OF(steps); i++)
		if (pair_step(&r.pair, &steps[i], &err) < 0)
			fail_msg("%s: step %zu: %s", when, i, err.text);
	if (next == NEXT_LOOKS)
		volume_free(v);
	r.world.stopped = true;
	if (next == NEXT_WRITES)
		volume_free(v);
	for (uint64_t seed = 0; seed < SEEDS / 3; seed++)
		reopen(&r, seed * 1000003 + at, when);
	end(&r);
}

static void what_a_killed_writer_left_is_built_upon_durably(void **state)
{
	static const enum fault faults[] = {FAULT_STOP, FAULT_STOP_BEFORE};
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++) {
		uint64_t count = operations_in(ways[w]);
		for (uint64_t at = 1; at <= count; at += volume_part())
			for (size_t f = 0; f < COUNT_OF(faults); f++) {
				kill_and_cut(ways[w], faults[f], at, NEXT_WRITES);
				kill_and_cut(ways[w], faults[f], at, NEXT_LOOKS);
			}
	}
}

/* ---- one operation fails, and what was asked for is asked for again */

static void open_again(struct run *r, const char *when)
{
	struct error err;
	struct volume *v;
	volume_free(r->pair.v);
	if (volume_open(&r->config, &v, &err) < 0)
		fail_msg("%s: opened again: %s", when, err.text);
	const char *found = pair_opened(&r->pair, v);
	if (found)
		fail_msg("%s: opened again: %s", when, found);
}

/* A step is tried twice; if it fails twice, the volume can only be opened again. */
static void persist(struct run *r, const struct step *step, const char *when)
{
	struct error err;
	int rc = perform(r, step, &err);
	if (rc < 0)
		rc = perform(r, step, &err);
	if (rc < 0)
		open_again(r, when);
}

/* Who gives up at once closes the volume as it is. */
static void give_up(struct run *r, const struct step *step, const char *when)
{
	struct error err;
	if (perform(r, step, &err) < 0)
		open_again(r, when);
}

/* Who asked again, and was told that it is done, loses nothing to a power cut right then. */
static void persist_and_cut(struct run *r, const struct step *step, const char *when)
{
	struct error err;
	if (perform(r, step, &err) == 0)
		return;
	(void)!perform(r, step, &err);
	r->world.stopped = true;
	volume_free(r->pair.v);
	for (uint64_t seed = 0; seed < SEEDS; seed++)
		reopen(r, seed + r->world.operations, when);
}

typedef void answer_function(struct run *r, const struct step *step, const char *when);

static void fault_in_passing(const struct way *way, const struct fake_world *world, answer_function *answer)
{
	struct run r;
	struct error err;
	char when[96];
	snprintf(when, sizeof(when), "mode %d, far %d, fault %d (%s) at operation %llu", way->mode, way->far,
	         world->fault, cella_error_name(world->code), (unsigned long long)world->fault_at);
	begin(&r, way);
	pair_begin(&r.pair, NULL);
	if (volume_create(&r.config, &err) < 0)
		fail_msg("%s: %s", when, err.text);
	if (volume_open(&r.config, &r.pair.v, &err) < 0)
		fail_msg("%s: %s", when, err.text);
	r.created = true;
	r.world = *world;
	for (size_t i = 0; i < COUNT_OF(script) && !r.world.stopped; i++)
		answer(&r, &script[i], when);
	if (!r.world.stopped) {
		r.world = (struct fake_world){0};
		const char *found = model_difference(r.pair.now, r.pair.v);
		if (found)
			fail_msg("%s: in the end: %s", when, found);
		write_again(&r, when);
	}
	end(&r);
}

static void faults_in_passing(const struct way *way, answer_function *answer)
{
	static const int codes[] = {CELLA_ENOSPC, CELLA_EIO};
	static const enum fault faults[] = {FAULT_FAIL, FAULT_AFTER};
	uint64_t count = operations_in(way);
	for (uint64_t at = 1; at <= count; at += volume_part())
		for (size_t i = 0; i < COUNT_OF(codes) * COUNT_OF(faults); i++) {
			const struct fake_world world = {.fault = faults[i % 2],
			                                 .code = codes[i / 2],
			                                 .fault_at = at};
			fault_in_passing(way, &world, answer);
		}
}

static void who_asks_again_loses_nothing_to_a_fault(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++)
		faults_in_passing(ways[w], persist);
}

static void who_gives_up_at_a_fault_keeps_what_was_committed(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++)
		faults_in_passing(ways[w], give_up);
}

static void who_asked_again_loses_nothing_to_a_power_cut_then(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(ways); w++)
		faults_in_passing(ways[w], persist_and_cut);
}

/* The keeper took a root, but its answer was lost: commits go on from there. */
static void an_answer_of_the_keeper_may_be_lost(void **state)
{
	static const struct step one = {.kind = WRITE, .path = "one", .size = 10},
				 two = {.kind = WRITE, .path = "two", .size = 10}, commit = {.kind = COMMIT};
	static const enum fault faults[] = {FAULT_FAIL, FAULT_AFTER};
	(void)state;
	for (size_t i = 0; i < COUNT_OF(faults); i++) {
		struct run r;
		struct error err;
		begin(&r, &strict);
		pair_begin(&r.pair, NULL);
		assert_int_equal(volume_create(&r.config, &err), 0);
		assert_int_equal(volume_open(&r.config, &r.pair.v, &err), 0);
		assert_int_equal(pair_step(&r.pair, &one, &err), 0);
		assert_int_equal(pair_step(&r.pair, &commit, &err), 0);
		assert_int_equal(pair_step(&r.pair, &two, &err), 0);
		/* the last operation of a commit in this mode is the keeper's */
		r.world = (struct fake_world){.fault = faults[i], .code = CELLA_EIO};
		uint8_t before[VOLUME_REFERENCE_SIZE];
		memcpy(before, r.keeper.root, sizeof(before));
		r.world.fault_at = 4;
		assert_int_equal(pair_step(&r.pair, &commit, &err), CELLA_EIO);
		assert_int_equal(memcmp(before, r.keeper.root, sizeof(before)) != 0,
		                 faults[i] == FAULT_AFTER);
		assert_int_equal(r.world.operations, 4);
		assert_int_equal(pair_step(&r.pair, &one, &err), 0);
		if (pair_step(&r.pair, &commit, &err) < 0)
			fail_msg("%s", err.text);
		write_again(&r, "an answer was lost");
		end(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_power_cut_leaves_one_commit_or_the_next),
		cmocka_unit_test(a_power_cut_in_bounded_mode_takes_no_commit),
		cmocka_unit_test(a_power_cut_in_offline_mode_takes_no_commit),
		cmocka_unit_test(a_power_cut_while_a_far_keeper_is_asked_takes_no_commit),
		cmocka_unit_test(what_a_killed_writer_left_is_built_upon_durably),
		cmocka_unit_test(who_asks_again_loses_nothing_to_a_fault),
		cmocka_unit_test(who_asked_again_loses_nothing_to_a_power_cut_then),
		cmocka_unit_test(an_answer_of_the_keeper_may_be_lost),
		cmocka_unit_test(who_gives_up_at_a_fault_keeps_what_was_committed),
	};
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, NULL) < 0 || crypto_init(pool, NULL) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
