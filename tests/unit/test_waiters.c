/*
 * Threads of a cell. Does a wait end when it should, by a notification, a time-out, the end of the
 * cell, and not otherwise? Are the atomic instructions, compiled from the prelude as cells have
 * them, atomic, and do they order what lies around them (under the thread sanitizer, too)?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "cell/waiters.h"

/* As translated code is compiled. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include "wasm/prelude.h"
#include "wasm/prelude_atomic.h"
#pragma GCC diagnostic pop

enum { THREADS = 4, ROUNDS = 5000, MEMORY = 256 };
static const s64 forever = -1;

/* A linear memory, and threads that each have an instance on it. */
struct world {
	_Alignas(64) u8 memory[MEMORY];
	struct waiters *waiters;
	struct actor {
		struct world *world;
		struct cell_instance *instance;
		pthread_t thread;
		u32 number;
		u32 index; /* what it waits at */
		u32 result;
		_Atomic pid_t tid;
		atomic_bool overdue;
	} actors[THREADS];
};

static bool is_overdue(void *context)
{
	return atomic_load(&((struct actor *)context)->overdue);
}

static u32 host_wait(struct cell_instance *instance, u64 at, u32 size, u64 expected, s64 timeout_ns)
{
	struct actor *actor = instance->host_data;
	const struct waiters_wait wait = {.at = instance->memory + at,
	                                  .size = size,
	                                  .expected = expected,
	                                  .timeout_ns = timeout_ns,
	                                  .give_up = is_overdue,
	                                  .context = actor};
	return waiters_wait(actor->world->waiters, &wait);
}

static u32 host_notify(struct cell_instance *instance, u64 at, u32 count)
{
	struct actor *actor = instance->host_data;
	return waiters_notify(actor->world->waiters, instance->memory + at, count);
}

__attribute__((noreturn)) static void host_trap(struct cell_instance *instance, u32 reason)
{
	(void)instance;
	fprintf(stderr, "trap %u\n", reason);
	abort();
}

static const struct cell_host host = {.trap = host_trap,
                                      .memory_wait = host_wait,
                                      .memory_notify = host_notify};

static int setup(void **state)
{
	struct world *world = aligned_alloc(64, align_up(sizeof(*world), (size_t)64));
	struct error err;
	assert_non_null(world);
	memset(world, 0, sizeof(*world));
	assert_int_equal(waiters_new(&world->waiters, &err), 0);
	for (u32 i = 0; i < THREADS; i++) {
		struct actor *actor = &world->actors[i];
		actor->world = world;
		actor->number = i;
		actor->instance = calloc(1, sizeof(*actor->instance));
		assert_non_null(actor->instance);
		actor->instance->memory = world->memory;
		actor->instance->memory_size = MEMORY;
		actor->instance->host = &host;
		actor->instance->host_data = actor;
	}
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;
	waiters_free(world->waiters);
	for (u32 i = 0; i < THREADS; i++)
		free(world->actors[i].instance);
	free(world);
	return 0;
}

static void start(struct actor *actor, void *(*run)(void *))
{
	assert_int_equal(pthread_create(&actor->thread, NULL, run, actor), 0);
}

static void run_all(struct world *world, void *(*run)(void *))
{
	for (u32 i = 0; i < THREADS; i++)
		start(&world->actors[i], run);
	for (u32 i = 0; i < THREADS; i++)
		pthread_join(world->actors[i].thread, NULL);
}

/* Has the thread begun to wait, and does it sleep? */
static bool sleeps(struct actor *actor)
{
	char path[64], text[256] = "";
	pid_t tid = atomic_load(&actor->tid);
	if (!tid)
		return false;
	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	const char *end = size ? strrchr(text, ')') : NULL;
	return end && end[2] == 'S';
}

static void *wait_without_end(void *p)
{
	struct actor *actor = p;
	atomic_store(&actor->tid, gettid());
	actor->result = memory_atomic_wait32(actor->instance, actor->instance->memory, actor->index, 0,
	                                     (u64)forever, 0);
	return NULL;
}

/* Starts those up to `count`, one after the other, each at its index, and returns when they all sleep. */
static void put_to_sleep(struct world *world, u32 count)
{
	for (u32 i = 0; i < count; i++) {
		start(&world->actors[i], wait_without_end);
		while (!sleeps(&world->actors[i]))
			sched_yield();
	}
}

static void another_value_is_told_at_once(void **state)
{
	struct world *world = *state;
	struct actor *actor = &world->actors[0];
	const u64 high = 1ull << 32;
	memcpy(world->memory + 8, &high, sizeof(high));
	assert_int_equal(memory_atomic_wait32(actor->instance, world->memory, 8, 1, (u64)forever, 0), 1);
	assert_int_equal(memory_atomic_wait64(actor->instance, world->memory, 8, 0, (u64)forever, 0), 1);
}

static void a_time_out_ends_a_wait(void **state)
{
	static const u64 timeouts_ns[] = {0, 1, 2000000};
	struct world *world = *state;
	struct actor *actor = &world->actors[0];
	for (size_t i = 0; i < array_count(timeouts_ns); i++) {
		assert_int_equal(memory_atomic_wait32(actor->instance, world->memory, 0, 0, timeouts_ns[i],
		                                      0),
		                 2);
		assert_int_equal(memory_atomic_wait64(actor->instance, world->memory, 0, 0, timeouts_ns[i],
		                                      8),
		                 2);
	}
	assert_int_equal(waiters_notify(world->waiters, world->memory, UINT32_MAX), 0);
}

/* The last one waits elsewhere. */
static void a_notification_wakes_as_many_as_it_says_at_its_address_the_oldest_first(void **state)
{
	struct world *world = *state;
	struct actor *last = &world->actors[THREADS - 1];
	last->index = 16;
	put_to_sleep(world, THREADS);
	assert_int_equal(waiters_notify(world->waiters, world->memory, 0), 0);
	assert_int_equal(waiters_notify(world->waiters, world->memory + 4, UINT32_MAX), 0);
	for (u32 i = 0; i < THREADS; i++)
		assert_true(sleeps(&world->actors[i]));
	assert_int_equal(waiters_notify(world->waiters, world->memory, 1), 1);
	pthread_join(world->actors[0].thread, NULL);
	assert_true(sleeps(&world->actors[1]));
	assert_int_equal(waiters_notify(world->waiters, world->memory, UINT32_MAX), THREADS - 2);
	for (u32 i = 1; i < THREADS - 1; i++)
		pthread_join(world->actors[i].thread, NULL);
	assert_true(sleeps(last));
	assert_int_equal(waiters_notify(world->waiters, world->memory + 16, 5), 1);
	pthread_join(last->thread, NULL);
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(world->actors[i].result, WAITERS_NOTIFIED);
}

static void the_end_of_the_cell_ends_all_waits(void **state)
{
	struct world *world = *state;
	struct actor *actor = &world->actors[0];
	put_to_sleep(world, THREADS);
	waiters_close(world->waiters);
	for (u32 i = 0; i < THREADS; i++) {
		pthread_join(world->actors[i].thread, NULL);
		assert_int_equal(world->actors[i].result, WAITERS_GIVEN_UP);
	}
	assert_int_equal(memory_atomic_wait32(actor->instance, world->memory, 0, 0, (u64)forever, 0),
	                 WAITERS_GIVEN_UP);
}

static void on_signal(int number)
{
	(void)number;
}

/* As the executor's timer does it. Only who is overdue gives up. */
static void a_signal_ends_the_wait_of_who_is_overdue(void **state)
{
	struct world *world = *state;
	struct sigaction action = {.sa_handler = on_signal};
	assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
	put_to_sleep(world, 2);
	for (int i = 0; i < 100; i++) {
		pthread_kill(world->actors[0].thread, SIGUSR1);
		pthread_kill(world->actors[1].thread, SIGUSR1);
		sched_yield();
	}
	atomic_store(&world->actors[0].overdue, true);
	pthread_kill(world->actors[0].thread, SIGUSR1);
	pthread_join(world->actors[0].thread, NULL);
	assert_int_equal(world->actors[0].result, WAITERS_GIVEN_UP);
	assert_int_equal(waiters_notify(world->waiters, world->memory, UINT32_MAX), 1);
	pthread_join(world->actors[1].thread, NULL);
	assert_int_equal(world->actors[1].result, WAITERS_NOTIFIED);
}

/* Each waits for its turn and gives it on: a notification that is lost ends in a time-out. */
static void *take_turns(void *p)
{
	struct actor *actor = p;
	struct cell_instance *instance = actor->instance;
	u8 *memory = instance->memory;
	for (u32 turn = actor->number; turn < THREADS * ROUNDS / 10; turn += THREADS) {
		u32 seen;
		while ((seen = i32_atomic_load(instance, memory, 0, 0)) != turn)
			actor->result |= memory_atomic_wait32(instance, memory, 0, seen, 60000000000u, 0) ==
			                 2;
		i32_atomic_rmw_add(instance, memory, 0, 1, 0);
		memory_atomic_notify(instance, memory, 0, UINT32_MAX, 0);
	}
	return NULL;
}

static void no_notification_is_lost(void **state)
{
	struct world *world = *state;
	run_all(world, take_turns);
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(world->actors[i].result, 0);
}

/* A lock as a C library makes it: 0 free, 1 taken, 2 taken and wanted. What it guards is no atomic. */
static void *count_under_lock(void *p)
{
	struct actor *actor = p;
	struct cell_instance *instance = actor->instance;
	u8 *memory = instance->memory;
	for (u32 i = 0; i < ROUNDS; i++) {
		if (i32_atomic_rmw_cmpxchg(instance, memory, 0, 0, 1, 0) != 0)
			while (i32_atomic_rmw_xchg(instance, memory, 0, 2, 0) != 0)
				actor->result |= memory_atomic_wait32(instance, memory, 0, 2, 60000000000u,
				                                      0) == 2;
		(*(u64 *)(memory + 64))++;
		if (i32_atomic_rmw_xchg(instance, memory, 0, 0, 0) == 2)
			memory_atomic_notify(instance, memory, 0, 1, 0);
	}
	return NULL;
}

static void a_lock_of_a_cell_excludes(void **state)
{
	struct world *world = *state;
	run_all(world, count_under_lock);
	assert_int_equal(*(u64 *)(world->memory + 64), THREADS * ROUNDS);
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(world->actors[i].result, 0);
}

/* Neighbours of every width: one that is wider than it should be, or no atomic, loses some. */
static void *add_to_all(void *p)
{
	struct actor *actor = p;
	struct cell_instance *instance = actor->instance;
	u8 *memory = instance->memory;
	for (u32 i = 0; i < ROUNDS; i++) {
		i64_atomic_rmw_add(instance, memory, 0, 1ull << 32, 0);
		i32_atomic_rmw_sub(instance, memory, 8, 1, 0);
		i64_atomic_rmw32_add_u(instance, memory, 8, 3, 4);
		i32_atomic_rmw16_add_u(instance, memory, 16, 1, 0);
		i64_atomic_rmw16_sub_u(instance, memory, 16, 1, 2);
		i32_atomic_rmw8_add_u(instance, memory, 20, 1, 0);
		i64_atomic_rmw8_sub_u(instance, memory, 20, 1, 1);
		i32_atomic_rmw8_xor_u(instance, memory, 20, 1u << actor->number, 2);
		i64_atomic_rmw8_or_u(instance, memory, 20, 1u << actor->number, 3);
		u32 seen = i32_atomic_load16_u(instance, memory, 24, 0), found;
		while ((found = i32_atomic_rmw16_cmpxchg_u(instance, memory, 24, seen, seen + 1, 0)) != seen)
			seen = found;
	}
	return NULL;
}

static void what_threads_add_is_there(void **state)
{
	struct world *world = *state;
	const u32 n = THREADS * ROUNDS;
	u64 wide;
	u32 words[2];
	u16 halves[2], last;
	run_all(world, add_to_all);
	memcpy(&wide, world->memory, sizeof(wide));
	memcpy(words, world->memory + 8, sizeof(words));
	memcpy(halves, world->memory + 16, sizeof(halves));
	memcpy(&last, world->memory + 24, sizeof(last));
	assert_int_equal(wide, (u64)n << 32);
	assert_int_equal(words[0], 0u - n);
	assert_int_equal(words[1], 3 * n);
	assert_int_equal(halves[0], (u16)n);
	assert_int_equal(halves[1], (u16)(0u - n));
	assert_int_equal(world->memory[20], (u8)n);
	assert_int_equal(world->memory[21], (u8)(0u - n));
	assert_int_equal(world->memory[22], ROUNDS % 2 ? (1u << THREADS) - 1 : 0);
	assert_int_equal(world->memory[23], (1u << THREADS) - 1);
	assert_int_equal(last, (u16)n);
}

/* The first publishes ever new values beside a flag, the others read what the flag says is there. */
static void *publish_or_read(void *p)
{
	struct actor *actor = p;
	struct cell_instance *instance = actor->instance;
	u8 *memory = instance->memory;
	u64 *values = (u64 *)(memory + 64);
	for (u32 i = 0; actor->number == 0 && i < 16; i++) {
		values[i] = i * 0x0101010101010101u;
		atomic_fence();
		i32_atomic_store(instance, memory, 0, i + 1, 0);
	}
	for (u32 seen = 0; actor->number != 0 && seen < 16;) {
		seen = i32_atomic_load(instance, memory, 0, 0);
		for (u32 i = 0; i < seen; i++)
			actor->result |= values[i] != i * 0x0101010101010101u;
	}
	return NULL;
}

static void what_is_stored_before_a_flag_is_seen_behind_it(void **state)
{
	struct world *world = *state;
	run_all(world, publish_or_read);
	for (u32 i = 0; i < THREADS; i++)
		assert_int_equal(world->actors[i].result, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(another_value_is_told_at_once),
		TEST(a_time_out_ends_a_wait),
		TEST(a_notification_wakes_as_many_as_it_says_at_its_address_the_oldest_first),
		TEST(the_end_of_the_cell_ends_all_waits),
		TEST(a_signal_ends_the_wait_of_who_is_overdue),
		TEST(no_notification_is_lost),
		TEST(a_lock_of_a_cell_excludes),
		TEST(what_threads_add_is_there),
		TEST(what_is_stored_before_a_flag_is_seen_behind_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
