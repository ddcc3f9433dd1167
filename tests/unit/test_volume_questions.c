/*
 * Does a volume in bounded mode go on while its root keeper, far away, is asked; is the keeper never further
 * behind than it may be; and is what an answer says, or that there is none, told when it has come?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_disk.h"
#include "volume/volume_state.h"

enum { MIB = 1 << 20 };

static struct mem_pool *pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{7}};
static struct error err;

struct there {
	struct fake_world world;
	struct fake_disk *disk;
	struct fake_keeper keeper;
	struct volume_config config;
	struct volume *v;
	unsigned commits;
};

/* Its keeper does nothing before it is waited for. */
static void begin(struct there *t, uint32_t bound)
{
	*t = (struct there){.keeper = {.far = true, .slow = true, .world = &t->world},
	                    .config = {.pool = pool,
	                               .keys = key,
	                               .key_count = 1,
	                               .cache = VOLUME_CACHE_LEAST,
	                               .writable = true,
	                               .mode = VOLUME_BOUNDED,
	                               .bound_commits = bound,
	                               .bound_s = 3600}};
	t->disk = fake_disk_new(&t->world);
	t->config.disk = fake_disk_interface(t->disk);
	t->config.keeper = fake_keeper_interface(&t->keeper);
	assert_int_equal(volume_create(&t->config, &err), 0);
	assert_int_equal(volume_open(&t->config, &t->v, &err), 0);
}

static void end(struct there *t)
{
	volume_free(t->v);
	fake_disk_free(t->disk);
}

static int commit(struct there *t)
{
	struct volume_file *f;
	char name[16];
	snprintf(name, sizeof(name), "%u", t->commits);
	int rc = volume_file_open(t->v, name, VOLUME_WRITE | VOLUME_CREATE, 0644, &f, &err);
	if (rc < 0)
		return rc;
	assert_int_equal(volume_file_write(f, 0, name, sizeof(name), &err), 0);
	volume_file_close(f);
	rc = volume_commit(t->v, &err);
	t->commits += rc == 0;
	return rc;
}

static void commit_some(struct there *t, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (commit(t) < 0)
			fail_msg("commit %u: %s", t->commits, err.text);
}

static uint64_t behind(const struct there *t)
{
	return volume_counter_of(t->v->reference) - volume_counter_of(t->keeper.root);
}

static void check_end(struct there *t)
{
	uint8_t last[VOLUME_REFERENCE_SIZE];
	struct volume_stat st;
	char name[16];
	memcpy(last, t->v->reference, sizeof(last));
	volume_free(t->v);
	assert_int_equal(t->keeper.count, 0);
	assert_memory_equal(t->keeper.root, last, sizeof(last));
	assert_int_equal(volume_open(&t->config, &t->v, &err), 0);
	for (unsigned i = 0; i < t->commits; i++) {
		snprintf(name, sizeof(name), "%u", i);
		assert_int_equal(volume_stat(t->v, name, VOLUME_FOLLOW, &st, &err), 0);
	}
}

static void commits_go_on_and_the_keeper_is_never_too_far_behind(void **state)
{
	static const uint32_t bounds[] = {1, 2, 3, 8, 9, 64, 100};
	(void)state;
	for (size_t i = 0; i < sizeof(bounds) / sizeof(bounds[0]); i++) {
		struct there t;
		begin(&t, bounds[i]);
		commit_some(&t, bounds[i] - 1);
		assert_int_equal(behind(&t), bounds[i] - 1);
		assert_true(bounds[i] < 16 || t.keeper.count + 1 >= VOLUME_QUESTIONS_MAX);
		for (unsigned n = 0; n < 150; n++) {
			commit_some(&t, 1);
			assert_true(behind(&t) < bounds[i]);
		}
		assert_true(bounds[i] < 3 || t.keeper.count > 0); /* and not for every one of them */
		check_end(&t);
		end(&t);
	}
}

/* What it has said by the next commit is known there, and does not wait for the bound. */
static void answers_that_have_come_are_taken(void **state)
{
	struct there t;
	(void)state;
	begin(&t, 64);
	t.keeper.slow = false;
	for (unsigned n = 0; n < 300; n++) {
		commit_some(&t, 1);
		assert_true(behind(&t) < 64);
	}
	assert_true(behind(&t) < 40);
	assert_true(t.keeper.count < VOLUME_QUESTIONS_MAX);
	check_end(&t);
	end(&t);
}

static void a_publish_waits_for_all_of_it(void **state)
{
	struct there t;
	(void)state;
	begin(&t, 64);
	commit_some(&t, 30);
	assert_int_equal(t.keeper.count, 3);
	assert_int_equal(volume_publish(t.v, &err), 0);
	assert_int_equal(behind(&t), 0);
	assert_int_equal(t.keeper.count, 0);
	end(&t);
}

/* At the first commit after the answer has come, and before so many are ahead as may be. */
static void a_writer_that_was_taken_over_is_told(void **state)
{
	uint8_t kept[VOLUME_REFERENCE_SIZE];
	(void)state;
	for (unsigned slow = 0; slow < 2; slow++) {
		struct there t;
		unsigned told = 0;
		begin(&t, 16);
		commit_some(&t, 5);
		assert_int_equal(volume_publish(t.v, &err), 0);
		t.keeper.slow = slow;
		t.keeper.token++;
		memcpy(kept, t.keeper.root, sizeof(kept));
		while (told < 20 && commit(&t) == 0)
			told++;
		assert_true(slow ? told == 15 : told < 15);
		assert_int_equal(err.code, CELLA_EFENCED);
		assert_int_equal(commit(&t), CELLA_EFENCED);
		assert_memory_equal(t.keeper.root, kept, sizeof(kept));
		volume_free(t.v);
		assert_int_equal(t.keeper.count, 0);
		assert_memory_equal(t.keeper.root, kept, sizeof(kept));
		fake_disk_free(t.disk);
	}
}

/* Each answer in turn, whether it was done or not, those behind it having arrived. */
static void a_lost_answer_is_asked_for_again(void **state)
{
	static const enum fault faults[] = {FAULT_FAIL, FAULT_AFTER};
	(void)state;
	for (unsigned n = 0; n < 14; n++) {
		struct there t;
		begin(&t, 16);
		commit_some(&t, 15);
		assert_int_equal(t.keeper.count, 7);
		t.world =
			(struct fake_world){.fault = faults[n % 2], .fault_at = 1 + n / 2, .code = CELLA_EIO};
		assert_int_equal(volume_publish(t.v, &err), 0);
		assert_true(t.world.operations >= 7);
		commit_some(&t, 15);
		assert_true(behind(&t) < 16);
		check_end(&t);
		end(&t);
	}
}

/* It takes questions, and gives no answer, whatever became of them. */
static int no_answer(void *data, struct error *why)
{
	struct fake_keeper *k = data;
	struct error ignored;
	(void)!fake_keeper_interface(k).answer(k, &ignored);
	return error_set(why, CELLA_ETIMEOUT, "no answer came");
}

static int nothing(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint8_t ret_root[VOLUME_REFERENCE_SIZE],
                   struct error *why)
{
	(void)data;
	(void)volume;
	(void)ret_root;
	return error_set(why, CELLA_ETIMEOUT, "no answer came");
}

static void a_keeper_that_is_gone_stops_commits_at_the_bound(void **state)
{
	struct there t;
	(void)state;
	begin(&t, 16);
	const struct volume_keeper well = t.v->config.keeper;
	t.v->config.keeper.answer = no_answer;
	t.v->config.keeper.get = nothing;
	commit_some(&t, 15);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(commit(&t), CELLA_ETIMEOUT);
		assert_non_null(strstr(err.text, "on the disk, but not at the root keeper"));
		assert_int_equal(t.keeper.count, 0);
	}
	t.v->config.keeper = well; /* the first of those three is on the disk, the others change it */
	commit_some(&t, 15);
	assert_true(behind(&t) < 16);
	check_end(&t);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commits_go_on_and_the_keeper_is_never_too_far_behind),
		cmocka_unit_test(answers_that_have_come_are_taken),
		cmocka_unit_test(a_publish_waits_for_all_of_it),
		cmocka_unit_test(a_writer_that_was_taken_over_is_told),
		cmocka_unit_test(a_lost_answer_is_asked_for_again),
		cmocka_unit_test(a_keeper_that_is_gone_stops_commits_at_the_bound),
	};
	if (mem_pool_new(MEM_INSECURE_NONE, 256 * MIB, &pool, NULL) < 0 || crypto_init(pool, NULL) < 0)
		return 1;
	mem_set_process_pool(pool);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
