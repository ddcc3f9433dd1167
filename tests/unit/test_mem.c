/*
 * Protected memory. Which memory does a pool hand out, is it zero, is it wiped, does it stay in
 * its budget and bounds, and can another process read it? Each test runs at both levels; the
 * ordinary one shows for the last question that the test can find what it looks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/heap.h"
#include "mem/level.h"
#include "mem/mapping.h"
#include "mem/mem.h"

enum { MIB = 1 << 20 };
#define GIB ((size_t)1 << 30)

static const enum mem_level levels[] = {MEM_INSECURE_NONE, MEM_SECRET};

/* The pool for a test at a level; skips the test, saying why, where the machine has no such memory. */
static struct mem_pool *pool_or_skip(enum mem_level level, size_t budget)
{
	struct error err = {0};
	struct mem_pool *pool = NULL;
	if (mem_level_check(level, 2 * MIB, &err) < 0) {
		print_message("skipped: %s: %s\n", mem_level_name(level), err.text);
		skip();
	}
	if (mem_pool_new(level, budget, &pool, &err) < 0)
		fail_msg("%s", err.text);
	return pool;
}

static enum mem_level level_of(void **state)
{
	return *(const enum mem_level *)*state;
}

static bool all_zero(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

/* Is the byte at `p` accessible? The kernel answers without a signal. */
static bool readable(const void *p)
{
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	bool yes = write(ends[1], p, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return yes;
}

static void test_level_names(void **state)
{
	(void)state;
	enum mem_level level;
	struct error err;
	assert_int_equal(mem_level_parse("secret", &level, &err), 0);
	assert_int_equal(level, MEM_SECRET);
	assert_int_equal(mem_level_parse("insecure-none", &level, &err), 0);
	assert_int_equal(level, MEM_INSECURE_NONE);
	assert_string_equal(mem_level_name(MEM_SECRET), "secret");
	assert_int_equal(mem_level_parse("none", &level, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "insecure-none"));
}

/* What the kernel may answer, and the remedy that the error names for it. */
static void test_refusals(void **state)
{
	(void)state;
	static const struct {
		int number, code;
		const char *says;
	} cases[] = {
		{ENOSYS, CELLA_EUNSUPPORTED, "secretmem.enable=1"},
		{EPERM, CELLA_EPERM, "seccomp"},
		{EMFILE, CELLA_ELIMIT, "ulimit -n"},
		{ENOMEM, CELLA_ENOMEM, "secret memory"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct error err = {0};
		assert_int_equal(level_refused(cases[i].number, 4096, &err), cases[i].code);
		if (!strstr(err.text, cases[i].says))
			fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].says);
	}
}

static void test_region_bounds(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 64 * MIB);
	struct mem_region *r;
	struct error err;
	assert_int_equal(mem_region_new(pool, 8 * GIB, 4 * MIB, 2 * 65536, &r, &err), 0);
	uint8_t *base = r->base;
	assert_true(r->reserved >= 8 * GIB);
	assert_true(all_zero(base, 2 * 65536));
	memset(base, 0x5a, 2 * 65536);
	assert_false(readable(base + 2 * 65536));
	assert_false(readable(base + 8 * GIB - 1));
	assert_int_equal(mem_region_grow(r, 3 * 65536, &err), 0);
	assert_ptr_equal(r->base, base);
	assert_int_equal(base[2 * 65536 - 1], 0x5a);
	assert_true(all_zero(base + 2 * 65536, 65536));
	assert_false(readable(base + 3 * 65536));
	assert_int_equal(mem_region_grow(r, 4 * MIB, &err), 0);
	base[4 * MIB - 1] = 1;
	assert_int_equal(mem_region_grow(r, 4 * MIB + 1, &err), CELLA_ELIMIT);
	assert_int_equal(mem_region_grow(r, 1, &err), CELLA_EINVAL);
	mem_region_free(r);
	mem_pool_free(pool);
}

static void test_region_recycled(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 64 * MIB);
	struct mem_region *r;
	struct mem_stats stats;
	assert_int_equal(mem_region_new(pool, GIB, GIB, 3 * MIB, &r, NULL), 0);
	uint8_t *base = r->base;
	memset(base, 0xa5, MIB);
	base[3 * MIB - 1] = 0xa5;
	mem_region_free(r);
	mem_pool_stats(pool, &stats);
	assert_int_equal(stats.committed, 3 * MIB);
	assert_int_equal(stats.idle, 3 * MIB);
	assert_int_equal(mem_region_new(pool, GIB, GIB, 65536, &r, NULL), 0);
	assert_ptr_equal(r->base, base);
	assert_true(all_zero(base, 65536));
	assert_false(readable(base + 65536));
	assert_int_equal(mem_region_grow(r, 3 * MIB, NULL), 0);
	assert_true(all_zero(base, 3 * MIB));
	mem_pool_stats(pool, &stats);
	assert_int_equal(stats.committed, 3 * MIB);
	assert_int_equal(stats.idle, 0);
	mem_region_free(r);
	mem_pool_free(pool);
}

/* A large region with little in it: is what was touched wiped, and the rest not touched for it? Where
 * the locked-memory limit allows no such region, a small one is wiped in place. */
static void test_region_sparse(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 2 * GIB);
	struct mem_region *r;
	struct mem_stats stats;
	size_t size = mem_level_check(level_of(state), GIB, NULL) == 0 ? GIB : 4 * MIB;
	assert_int_equal(mem_region_new(pool, GIB, GIB, size, &r, NULL), 0);
	memset(r->base, 0x77, 65536);
	r->base[size / 2] = 0x77;
	r->base[size - 1] = 0x77;
	mem_region_free(r);
	mem_pool_stats(pool, &stats);
	assert_true(stats.committed <= (size_t)2 * MAPPING_GRID);
	assert_int_equal(mem_region_new(pool, GIB, GIB, size, &r, NULL), 0);
	assert_true(all_zero(r->base, 2 * 65536));
	assert_int_equal(r->base[size / 2], 0);
	assert_int_equal(r->base[size - 1], 0);
	mem_region_free(r);
	mem_pool_free(pool);
}

/* Does wiping touch what the program did not? The kernel counts the resident pages. */
static void test_wipe_touches_nothing(void **state)
{
	enum { PAGES = 2048 };
	struct mem_pool *pool = pool_or_skip(level_of(state), 16 * MIB);
	struct mem_region *r;
	unsigned char resident[PAGES];
	size_t size = mem_level_check(level_of(state), 8 * MIB, NULL) == 0 ? 8 * MIB : 2 * MIB, count = 0;
	assert_int_equal(mem_region_new(pool, GIB, GIB, size, &r, NULL), 0);
	uint8_t *base = r->base;
	for (size_t at = 0; at < size; at += size / 8)
		base[at] = 1;
	mem_region_free(r); /* stays mapped */
	assert_int_equal(mincore(base, size, resident), 0);
	for (size_t i = 0; i < size / mapping_page_size(); i++)
		count += resident[i] & 1;
	assert_int_equal(count, 8);
	mem_pool_free(pool);
}

static void test_region_budget(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 4 * MIB);
	struct mem_region *a, *b;
	struct error err;
	assert_int_equal(mem_region_new(pool, GIB, GIB, 3 * MIB, &a, &err), 0);
	assert_int_equal(mem_region_new(pool, GIB / 2, GIB / 2, 2 * MIB, &b, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "--heap"));
	mem_region_free(a);
	/* What idles makes room for another shape. */
	assert_int_equal(mem_region_new(pool, GIB / 2, GIB / 2, 2 * MIB, &b, &err), 0);
	assert_int_equal(mem_region_grow(b, 5 * MIB, &err), CELLA_ELIMIT);
	assert_int_equal(b->size, 2 * MIB);
	b->base[2 * MIB - 1] = 1;
	mem_region_free(b);
	assert_int_equal(mem_region_new(pool, 65536, 2 * 65536, 65536, &a, &err), CELLA_EINVAL);
	assert_int_equal(mem_region_new(pool, 65536, 65536, 2 * 65536, &a, &err), CELLA_EINVAL);
	assert_int_equal(mem_region_new(pool, 0, 0, 0, &a, &err), CELLA_EINVAL);
	mem_region_free(NULL);
	mem_pool_free(pool);
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 1000, &pool, &err), CELLA_EINVAL);
	mem_pool_free(NULL);
}

static void test_heap_classes(void **state)
{
	(void)state;
	for (size_t size = 1; size <= 2048; size++) {
		unsigned class = heap_class_of(size);
		assert_true(class < HEAP_CLASSES);
		assert_true(heap_class_size(class) >= size);
		assert_int_equal(heap_class_size(class) % 16, 0);
		if (class)
			assert_true(heap_class_size(class - 1) < size);
	}
}

static void test_heap_sizes(void **state)
{
	static const size_t sizes[] = {0,    1,    16,   17,    32,     128,    129,    500, 1024,   2048,
	                               2049, 4096, 5000, 65536, 200000, 262144, 262145, MIB, 5 * MIB};
	struct mem_pool *pool = pool_or_skip(level_of(state), 64 * MIB);
	for (int round = 0; round < 2; round++) {
		uint8_t *p[array_count(sizes)];
		for (size_t i = 0; i < array_count(sizes); i++) {
			p[i] = mem_alloc(pool, sizes[i]);
			assert_non_null(p[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			assert_true(mem_owns(pool, p[i]));
			assert_true(all_zero(p[i], sizes[i]));
			memset(p[i], (int)i + 1, sizes[i]);
		}
		for (size_t i = 0; i < array_count(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k += 97)
				assert_int_equal(p[i][k], i + 1);
		for (size_t i = 0; i < array_count(sizes); i++)
			mem_free(pool, p[i]);
		assert_false(mem_owns(pool, p[5]));
	}
	mem_free(pool, NULL);
	assert_false(mem_owns(pool, sizes));
	mem_pool_free(pool);
}

static void test_heap_wiped(void **state)
{
	static const size_t sizes[] = {32, 2048, 50000};
	struct mem_pool *pool = pool_or_skip(level_of(state), 64 * MIB);
	for (size_t i = 0; i < array_count(sizes); i++) {
		uint8_t *p = mem_alloc(pool, sizes[i]);
		memset(p, 0xee, sizes[i]);
		mem_free(pool, p); /* the chunk stays mapped, so that we may look */
		assert_true(all_zero(p, sizes[i]));
	}
	mem_pool_free(pool);
}

static void test_heap_realloc(void **state)
{
	static const size_t steps[] = {10,     16,      100,  3000, 4000, 70000, 300000,
	                               310000, 2 * MIB, 1000, 20,   0,    40};
	struct mem_pool *pool = pool_or_skip(level_of(state), 64 * MIB);
	uint8_t *p = NULL;
	size_t old = 0;
	for (size_t i = 0; i < array_count(steps); i++) {
		p = mem_realloc(pool, p, steps[i]);
		assert_non_null(p);
		for (size_t k = 0; k < min_of(old, steps[i]); k++)
			assert_int_equal(p[k], (uint8_t)(k * 7));
		for (size_t k = 0; k < steps[i]; k++)
			p[k] = (uint8_t)(k * 7);
		old = steps[i];
	}
	mem_free(pool, p);
	mem_pool_free(pool);
}

/* A long random sequence: do live allocations keep their bytes, does all come back in the end? */
static void test_heap_random(void **state)
{
	enum { LIVE = 300, STEPS = 40000 };
	struct mem_pool *pool = pool_or_skip(level_of(state), 256 * MIB);
	static struct {
		uint8_t *p;
		size_t size;
		uint8_t byte;
	} live[LIVE];
	memset(live, 0, sizeof(live));
	uint64_t seed = 1;
	for (size_t step = 0; step < STEPS; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t i = (seed >> 33) % LIVE;
		size_t size = ((seed >> 20) & 0xff) == 0 ? (seed >> 40) % 400000 : (seed >> 40) % 3000;
		if (live[i].p) {
			for (size_t k = 0; k < live[i].size; k += 61)
				assert_int_equal(live[i].p[k], live[i].byte);
			mem_free(pool, live[i].p);
			live[i].p = NULL;
			continue;
		}
		live[i].p = mem_alloc(pool, size);
		assert_non_null(live[i].p);
		assert_true(all_zero(live[i].p, size));
		live[i].size = size;
		live[i].byte = (uint8_t)(step | 1);
		memset(live[i].p, live[i].byte, size);
	}
	for (size_t i = 0; i < LIVE; i++)
		mem_free(pool, live[i].p);
	struct mem_stats stats;
	mem_pool_stats(pool, &stats);
	assert_int_equal(stats.committed, stats.idle);
	mem_pool_free(pool);
}

static void test_heap_budget(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 2 * MIB);
	void *p[64];
	size_t count = 0;
	while (count < array_count(p) && (p[count] = mem_alloc(pool, 256 << 10)))
		count++;
	assert_int_equal(count, 8);
	assert_null(mem_alloc(pool, 16));
	assert_null(mem_alloc(pool, MIB));
	assert_null(mem_alloc(pool, SIZE_MAX / 2));
	mem_free(pool, p[0]);
	assert_non_null(mem_alloc(pool, 16));
	mem_pool_free(pool);
}

static void die_of_double_free(struct mem_pool *pool)
{
	void *a = mem_alloc(pool, 32), *b = mem_alloc(pool, 32);
	mem_free(pool, a);
	mem_free(pool, a);
	(void)b;
}

static void die_of_inner_free(struct mem_pool *pool)
{
	uint8_t *p = mem_alloc(pool, 5000);
	mem_free(pool, p + 4096);
}

static void die_of_foreign_free(struct mem_pool *pool)
{
	mem_free(pool, pool);
}

static void die_of_use(struct mem_pool *pool)
{
	uint8_t *p = mem_alloc(pool, MIB);
	p[MIB] = 1;
}

static void test_heap_misuse(void **state)
{
	static void (*const misuses[])(struct mem_pool *) = {die_of_double_free, die_of_inner_free,
	                                                     die_of_foreign_free, die_of_use};
	for (size_t i = 0; i < array_count(misuses); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			close(STDERR_FILENO);
			prctl(PR_SET_DUMPABLE, 0);
			signal(SIGABRT, SIG_DFL);
			signal(SIGSEGV, SIG_DFL);
			struct mem_pool *pool;
			if (mem_pool_new(level_of(state), 8 * MIB, &pool, NULL) < 0)
				_exit(1);
			misuses[i](pool);
			_exit(0);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		bool unavailable = WIFEXITED(status) && WEXITSTATUS(status) == 1;
		assert_true(WIFSIGNALED(status) || unavailable);
	}
}

struct call {
	struct mem_pool *pool;
	uint8_t *seen;
	int depth;
	jmp_buf *out;
};

static void on_stack(void *arg)
{
	struct call *c = arg;
	volatile uint8_t local[256] __attribute__((aligned(16)));
	for (size_t i = 0; i < sizeof(local); i++)
		local[i] = 0xc3;
	c->seen = (uint8_t *)local;
	if (c->depth > 0) {
		struct mem_stack *inner;
		assert_int_equal(mem_stack_new(c->pool, 65536, &inner, NULL), 0);
		struct call deeper = {.pool = c->pool, .depth = c->depth - 1};
		mem_stack_call(inner, on_stack, &deeper);
		assert_true(deeper.seen >= inner->low && deeper.seen < inner->high);
		mem_stack_free(inner);
	}
	assert_int_equal(local[0] + local[255], 2 * 0xc3);
	if (c->out)
		longjmp(*c->out, 1);
}

static void test_stack(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 8 * MIB);
	struct mem_stack *stack;
	assert_int_equal(mem_stack_new(pool, 128 << 10, &stack, NULL), 0);
	assert_int_equal(stack->high - stack->low, 128 << 10);
	assert_int_equal((uintptr_t)stack->high % 16, 0);
	assert_false(readable(stack->low - 1));
	assert_false(readable(stack->low - MIB));
	struct call c = {.pool = pool, .depth = 2};
	mem_stack_call(stack, on_stack, &c);
	assert_true(c.seen >= stack->low && c.seen + 256 <= stack->high);
	jmp_buf out;
	struct call jumper = {.pool = pool, .out = &out};
	if (setjmp(out) == 0)
		mem_stack_call(stack, on_stack, &jumper);
	mem_stack_wipe(stack);
	assert_true(all_zero(stack->low, 128 << 10));
	mem_stack_call(stack, on_stack, &c);
	uint8_t *low = stack->low;
	mem_stack_free(stack);
	assert_int_equal(mem_stack_new(pool, 128 << 10, &stack, NULL), 0);
	assert_ptr_equal(stack->low, low);
	assert_true(all_zero(stack->low, 128 << 10));
	mem_stack_free(stack);
	mem_stack_free(NULL);
	assert_int_equal(mem_stack_new(pool, 0, &stack, NULL), CELLA_EINVAL);
	mem_pool_free(pool);
}

/* Is a child's copy of the mapping gone? */
static void test_fork(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 8 * MIB);
	uint8_t *p = mem_alloc(pool, 32);
	memset(p, 1, 32);
	pid_t pid = fork();
	if (pid == 0)
		_exit(readable(p));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	mem_pool_free(pool);
}

static const char marker_masked[] =
	"\x2f\x3a\x28\x30\x3e\x29\x36\x2f\x3a\x28\x30\x3e\x29\x36\x5d\x22\x11\x4c\x6b\x78";

static void write_marker(uint8_t *to)
{
	for (size_t i = 0; i < sizeof(marker_masked) - 1; i++)
		to[i] = (uint8_t)(marker_masked[i] ^ 0x5b);
}

static void marker_on_stack(void *arg)
{
	uint8_t local[64];
	write_marker(local);
	__asm__ volatile("" : : "r"(local) : "memory");
	char byte = 1;
	const int *end = arg;
	if (write(*end, &byte, 1) != 1)
		_exit(2);
	for (;;)
		pause();
}

/* Hold the marker in a region, in allocations small and large, and on a stack, and say so. */
static void hold_marker(enum mem_level level, int end)
{
	struct mem_pool *pool;
	struct mem_region *region;
	struct mem_stack *stack;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mem_pool_new(level, 32 * MIB, &pool, NULL) < 0 ||
	    mem_region_new(pool, GIB, GIB, MIB, &region, NULL) < 0 ||
	    mem_stack_new(pool, 65536, &stack, NULL) < 0)
		_exit(1);
	uint8_t *small = mem_alloc(pool, 64), *large = mem_alloc(pool, MIB);
	if (!small || !large)
		_exit(1);
	write_marker(region->base + 5000);
	write_marker(small);
	write_marker(large + MIB - 64);
	mem_stack_call(stack, marker_on_stack, &end);
}

/* How often is the marker in [from, to) of the process behind `memory`? Leaves no copy here. */
static size_t count_in_range(int memory, unsigned long from, unsigned long to)
{
	static uint8_t block[MIB];
	uint8_t marker[sizeof(marker_masked) - 1];
	size_t count = 0;
	write_marker(marker);
	for (; from < to; from += sizeof(block)) {
		ssize_t got = pread(memory, block, min_of(sizeof(block), to - from), (off_t)from);
		for (uint8_t *at = block; got > 0; at++, count++) {
			at = memmem(at, (size_t)(block + got - at), marker, sizeof(marker));
			if (!at)
				break;
		}
	}
	mem_wipe(block, sizeof(block));
	mem_wipe(marker, sizeof(marker));
	return count;
}

/* How often is it in what /proc/PID/mem shows of the process? */
static size_t count_marker(pid_t pid)
{
	char path[64], line[512];
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	cleanup_fclose FILE *maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	cleanup_close int memory = open(path, O_RDONLY | O_CLOEXEC);
	assert_non_null(maps);
	assert_true(memory >= 0);
	size_t count = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long from, to;
		char access[5];
		if (sscanf(line, "%lx-%lx %4s", &from, &to, access) != 3 || access[0] != 'r')
			continue;
		if (to - from < 4 * GIB) /* more is a sanitizer's shadow */
			count += count_in_range(memory, from, to);
	}
	return count;
}

static void test_unreadable(void **state)
{
	enum mem_level level = level_of(state);
	mem_pool_free(pool_or_skip(level, 32 * MIB));
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0)
		hold_marker(level, ends[1]);
	close(ends[1]);
	char byte;
	bool ready = read(ends[0], &byte, 1) == 1;
	size_t count = ready ? count_marker(pid) : 0;
	close(ends[0]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	if (!ready)
		fail_msg("the process that holds the marker did not start");
	if (level == MEM_INSECURE_NONE)
		assert_true(count >= 4);
	else
		assert_int_equal(count, 0);
}

/* Under a small locked-memory limit without the privilege to pass it: how far, and what is said? */
static int use_limited(void)
{
	struct rlimit limit = {.rlim_cur = 8 * MIB, .rlim_max = 8 * MIB};
	struct mem_pool *pool;
	struct mem_region *region, *other;
	struct error err = {0};
	if (setrlimit(RLIMIT_MEMLOCK, &limit) < 0 || (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0))
		return 10;
	if (mem_level_check(MEM_SECRET, 64 * MIB, &err) != CELLA_ENOMEM || !strstr(err.text, "8192 KiB"))
		return 11;
	if (mem_pool_new(MEM_SECRET, GIB, &pool, &err) < 0)
		return 12;
	if (mem_region_new(pool, 8 * GIB, 4 * GIB, MIB, &region, &err) < 0)
		return 13;
	if (mem_region_grow(region, 2 * MIB, &err) < 0 || mem_region_grow(region, 6 * MIB, &err) < 0)
		return 14;
	memset(region->base, 1, 6 * MIB);
	if (mem_region_grow(region, 12 * MIB, &err) != CELLA_ENOMEM || !strstr(err.text, "ulimit -l"))
		return 15;
	mem_region_free(region);
	/* What idles fills the limit, and has to make room. */
	if (mem_region_new(pool, GIB, GIB, 5 * MIB, &other, &err) < 0)
		return 16;
	if (!mem_alloc(pool, 100))
		return 17;
	mem_pool_free(pool);
	return 0;
}

static void test_locked_limit(void **state)
{
	(void)state;
	mem_pool_free(pool_or_skip(MEM_SECRET, 8 * MIB));
	pid_t pid = fork();
	if (pid == 0)
		_exit(use_limited());
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0);
}

static void test_process_pool(void **state)
{
	struct mem_pool *pool = pool_or_skip(level_of(state), 8 * MIB);
	assert_null(mem_process_pool());
	mem_set_process_pool(pool);
	assert_ptr_equal(mem_process_pool(), pool);
	assert_int_equal(mem_pool_level(pool), level_of(state));
	mem_pool_free(pool);
	assert_null(mem_process_pool());
}

#define at_each_level(f)                                            \
	{#f " (insecure-none)", f, NULL, NULL, (void *)&levels[0]}, \
	{                                                           \
		#f " (secret)", f, NULL, NULL, (void *)&levels[1]   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_level_names),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_heap_classes),
		at_each_level(test_region_bounds),
		at_each_level(test_region_recycled),
		at_each_level(test_region_sparse),
		at_each_level(test_heap_sizes),
		at_each_level(test_heap_wiped),
		at_each_level(test_heap_realloc),
		at_each_level(test_heap_random),
		at_each_level(test_stack),
		at_each_level(test_process_pool),
		at_each_level(test_fork),
		at_each_level(test_unreadable),
		at_each_level(test_region_budget),
		at_each_level(test_heap_budget),
		at_each_level(test_heap_misuse),
		cmocka_unit_test(test_locked_limit),
		at_each_level(test_wipe_touches_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
