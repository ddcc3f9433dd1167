/*
 * Paged memory. Does a memory behave as memory when it is larger than its window, whoever touches
 * it and in whatever order? Does what lies outside show nothing, and is it refused when it was
 * altered, exchanged or put back? What does the kernel get that is given an address?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "page/page_state.h"

enum { KIB = 1 << 10, MIB = 1 << 20, PAGE = 4096 };

static struct mem_pool *pool; /* OpenSSL's too: it takes one in a process's life */
static struct pager *pager;   /* that the handler asks */
static sigjmp_buf lost;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;
#if defined(__x86_64__)
	bool write = ((const ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2;
#else
	bool write = true;
	(void)context;
#endif
	switch (pager ? pager_fault(pager, info->si_addr, write) : PAGE_FOREIGN) {
	case PAGE_READY: errno = saved_errno; return;
	case PAGE_LOST: siglongjmp(lost, 1);
	default: siglongjmp(lost, 2);
	}
	(void)signal;
}

static int set_up_pool(void **state)
{
	struct error err = {0};
	(void)state;
	if (mem_level_check(MEM_PAGED, 4 * MIB, &err) < 0) {
		print_message("skipped: paged: %s\n", err.text);
		return 0;
	}
	if (mem_pool_new(MEM_PAGED, (size_t)1 << 30, &pool, &err) < 0 || crypto_init(pool, &err) < 0)
		fail_msg("%s", err.text);
	return 0;
}

/* At what level of `file` a test runs: -1, or a file. */
struct kind {
	const char *name;
	bool file;
};
static const struct kind kinds[] = {{"ordinary memory", false}, {"file", true}};

static int new_file(void)
{
	char name[] = "/tmp/cella-pages-XXXXXX";
	int fd = mkstemp(name);
	assert_true(fd >= 0);
	unlink(name);
	return fd;
}

static int file = -1;

static void begin(void **state, size_t window)
{
	struct error err = {0};
	const struct kind *kind = *state;
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	if (!pool)
		skip();
	sigaction(SIGSEGV, &action, NULL); /* cmocka sets its own before each test */
	file = kind->file ? new_file() : -1;
	struct pager_config config = {.pool = pool, .window = window, .limit = 256 * MIB, .file = file};
	if (pager_new(&config, &pager, &err) < 0)
		fail_msg("%s", err.text);
}

static void end(void)
{
	pager_free(take_ptr(&pager));
	if (file >= 0)
		close(file);
	file = -1;
}

static struct mem_region *region(size_t maximum, size_t size)
{
	struct error err = {0};
	struct mem_region *r;
	if (page_region_new(pager, ((size_t)8 << 30) + 64 * KIB, maximum, size, &r, &err) < 0)
		fail_msg("%s", err.text);
	return r;
}

static struct pager_stats stats(void)
{
	struct pager_stats s;
	pager_stats(pager, &s);
	return s;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

/* Reads and writes of all sizes at random places, beside ordinary memory that has the same done to it. */
static void test_random_access(void **state)
{
	enum { SIZE = 8 * MIB, TURNS = 30000 };
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	uint8_t *is = r->base, *expected = calloc(SIZE, 1);
	uint32_t random = 1;
	assert_non_null(expected);
	for (int i = 0; i < TURNS; i++) {
		size_t at = (next_random(&random) * (size_t)256 + next_random(&random) % 256) % SIZE;
		size_t size = min_of(next_random(&random) % (i % 100 ? 64 : 20000) + 1, SIZE - at);
		switch (next_random(&random) % 3) {
		case 0:
			memset(is + at, i, size);
			memset(expected + at, i, size);
			break;
		case 1: {
			size_t from = next_random(&random) % (SIZE - size);
			memmove(is + at, is + from, size);
			memmove(expected + at, expected + from, size);
			break;
		}
		default: assert_memory_equal(is + at, expected + at, size);
		}
	}
	assert_memory_equal(is, expected, SIZE);
	struct pager_stats s = stats();
	assert_true(s.faults > 1000 && s.fetched > 1000 && s.evicted > 1000);
	free(expected);
	page_region_free(r);
	end();
}

/* Pages that nobody wrote, or that were written with zeros, are not kept. */
static void test_zero_pages(void **state)
{
	enum { SIZE = 16 * MIB };
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	uint64_t sum = 0;
	for (size_t i = 0; i < SIZE; i += 512)
		sum += r->base[i];
	assert_int_equal(sum, 0);
	memset(r->base, 0, SIZE);
	assert_int_equal(stats().evicted, 0);
	memset(r->base, 1, SIZE);
	memset(r->base, 0, SIZE);
	for (size_t i = 0; i < SIZE; i += 8)
		assert_int_equal(*(uint64_t *)(void *)(r->base + i), 0);
	assert_true(stats().evicted > 0);
	assert_int_equal(stats().stored, 0);
	page_region_free(r);
	end();
}

/* A page that was only read since it came in leaves without being encrypted again. */
static void test_clean_pages(void **state)
{
	enum { SIZE = 8 * MIB };
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	uint64_t sum = 0, wanted = 0;
	for (size_t i = 0; i < SIZE; i += 8)
		*(uint64_t *)(void *)(r->base + i) = i, wanted += i;
	uint64_t before = stats().evicted;
	for (int turn = 0; turn < 3; turn++)
		for (size_t i = 0; i < SIZE; i += 8)
			sum += *(uint64_t *)(void *)(r->base + i);
	assert_true(sum == 3 * wanted);
	assert_in_range(stats().evicted - before, 0, MIB / PAGE);
	page_region_free(r);
	end();
}

/* What fits in the window faults once for each page at most, and never again. */
static void test_working_set_fits(void **state)
{
	enum { SIZE = MIB };
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	memset(r->base, 7, SIZE);
	uint64_t before = stats().faults;
	for (int turn = 0; turn < 10; turn++)
		memset(r->base, turn, SIZE);
	assert_int_equal(stats().faults, before);
	page_region_free(r);
	end();
}

/* A sequence is fetched ahead: far fewer faults than pages. */
static void test_reads_ahead(void **state)
{
	enum { SIZE = 16 * MIB };
	begin(state, 4 * MIB);
	struct mem_region *r = region(SIZE, SIZE);
	memset(r->base, 9, SIZE);
	uint64_t before = stats().faults;
	uint64_t sum = 0;
	for (size_t i = 0; i < SIZE; i += 64)
		sum += r->base[i];
	assert_int_equal(sum, SIZE / 64 * 9);
	assert_in_range(stats().faults - before, SIZE / PAGE / PAGE_AHEAD_MAX, SIZE / PAGE / 32);
	page_region_free(r);
	end();
}

static void test_grows(void **state)
{
	struct error err = {0};
	begin(state, MIB);
	struct mem_region *r = region(64 * MIB, 64 * KIB), *other;
	for (size_t size = 64 * KIB; size <= 8 * MIB; size += 64 * KIB) {
		assert_int_equal(page_region_grow(r, size, &err), 0);
		memset(r->base + size - 64 * KIB, (int)(size / (64 * KIB)), 64 * KIB);
	}
	for (size_t i = 0; i < 8 * MIB; i += 4 * KIB)
		assert_int_equal(r->base[i], (i / (64 * KIB) + 1) & 0xff);
	assert_int_equal(page_region_grow(r, 65 * MIB, &err), CELLA_ELIMIT);
	assert_int_equal(page_region_grow(r, 64 * KIB, &err), CELLA_EINVAL);
	other = region(256 * MIB, 0);
	assert_int_equal(page_region_grow(other, 250 * MIB, &err), CELLA_ELIMIT);
	assert_int_equal(page_region_grow(other, 248 * MIB, &err), 0);
	page_region_free(other);
	page_region_free(r);
	end();
}

/* Beyond its size a memory faults, and the pager does not answer. */
static void test_bounds(void **state)
{
	begin(state, MIB);
	struct mem_region *r = region(4 * MIB, MIB);
	volatile uint8_t *at = r->base;
	int how = sigsetjmp(lost, 1);
	if (how == 0) {
		at[MIB - 1] = 1;
		at[MIB] = 1;
	}
	assert_int_equal(how, 2);
	assert_int_equal(at[MIB - 1], 1);
	page_region_free(r);
	end();
}

/* The kernel gets EFAULT for a page that is not in use or that it may not write yet, unless it is pinned. */
static void test_kernel_and_pins(void **state)
{
	enum { SIZE = 8 * MIB };
	struct error err = {0};
	int ends[2];
	size_t pinned = 0, again = 0;
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	memset(r->base, 'a', SIZE);
	assert_int_equal(pipe(ends), 0);
	errno = 0;
	assert_int_equal(write(ends[1], r->base, 1), -1);
	assert_int_equal(errno, EFAULT);
	assert_int_equal(page_pin(r, r->base + 100, 50000, false, &pinned, &err), 0);
	assert_int_equal(pinned, 50000);
	assert_int_equal(write(ends[1], r->base + 100, 50000), 50000);
	assert_int_equal(page_pin(r, r->base + 100, 50000, true, &again, &err), 0);
	memset(r->base + 2 * MIB, 'b', 6 * MIB); /* several windows full */
	assert_int_equal(read(ends[0], r->base + 100, 50000), 50000);
	page_unpin(r, r->base + 100, again);
	page_unpin(r, r->base + 100, pinned);
	for (size_t i = 0; i < 2 * MIB; i++)
		if (r->base[i] != 'a')
			fail_msg("byte %zu is %d", i, r->base[i]);
	/* Of more than fits a part is pinned. */
	assert_int_equal(page_pin(r, r->base + 10, SIZE - 10, true, &pinned, &err), 0);
	assert_int_equal(pinned, MIB / PAGE_PINS_PART - 10);
	assert_int_equal(page_pin(r, r->base + 4 * MIB, 1, true, &again, &err), CELLA_ELIMIT);
	page_unpin(r, r->base + 10, pinned);
	assert_int_equal(page_pin(r, r->base + 4 * MIB, 1, true, &again, &err), 0);
	page_unpin(r, r->base + 4 * MIB, again);
	close(ends[0]);
	close(ends[1]);
	page_region_free(r);
	end();
}

/* Several regions share a window; one that is freed gives its frames away. */
static void test_regions(void **state)
{
	enum { COUNT = 5, SIZE = MIB };
	struct mem_region *r[COUNT];
	begin(state, MIB);
	for (int turn = 0; turn < 3; turn++) {
		for (int i = 0; i < COUNT; i++) {
			r[i] = region(SIZE, SIZE);
			memset(r[i]->base, i + 1, SIZE);
		}
		for (int i = 0; i < COUNT; i++)
			for (size_t at = 0; at < SIZE; at += 512)
				assert_int_equal(r[i]->base[at], i + 1);
		for (int i = 0; i < COUNT; i++)
			page_region_free(r[i]);
	}
	end();
}

static bool apart(const struct mem_region *a, const struct mem_region *b)
{
	return a->base + a->reserved <= b->base || b->base + b->reserved <= a->base;
}

/* Regions of two pagers lie apart, and behind one that reserves much. Once they are gone, their places are
 * free again. */
static void test_regions_apart(void **state)
{
	enum { COUNT = 4 };
	static const uint64_t reserve[COUNT] = {8ull << 30, 40ull << 30, 16ull << 30, 8ull << 30};
	struct mem_region *r[COUNT];
	struct pager *other;
	struct error err = {0};
	begin(state, MIB);
	struct pager_config config = {.pool = pool, .window = MIB, .limit = 256 * MIB, .file = -1};
	assert_int_equal(pager_new(&config, &other, &err), 0);
	uint8_t *first = NULL;
	for (int turn = 0; turn < 2; turn++) {
		for (int i = 0; i < COUNT; i++) {
			struct pager *p = i == 0 ? other : pager;
			assert_int_equal(page_region_new(p, reserve[i], MIB, MIB, &r[i], &err), 0);
			for (int k = 0; k < i; k++)
				assert_true(apart(r[i], r[k]));
		}
		first = turn ? first : r[0]->base;
		assert_ptr_equal(r[0]->base, first);
		for (int i = 0; i < COUNT; i++)
			page_region_free(r[i]);
	}
	pager_free(other);
	end();
}

/* Does one of many mappings of a page, where the kernel chooses, lie in [base, base + size)? Ends there. */
static bool fills(const uint8_t *base, size_t size)
{
	enum { MAPPINGS = 20000 };
	static void *at[MAPPINGS];
	size_t made = 0;
	bool inside = false;
	for (; made < MAPPINGS && !inside; made++) {
		at[made] = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(at[made] != MAP_FAILED);
		inside = (size_t)((uint8_t *)at[made] - base) < size;
	}
	while (made-- > 0)
		munmap(at[made], PAGE);
	return inside;
}

/* What the process maps fills a hole among its mappings, but none of a region: it would be the cell's. */
static void test_holes_stay(void **state)
{
	enum { SIZE = 16 * MIB, HOLE = 64 * PAGE };
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	for (size_t i = 0; i < SIZE; i += 2 * PAGE) /* a hole beside each page */
		r->base[i] = 1;
	uint8_t *control = mmap(NULL, 3 * HOLE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(control != MAP_FAILED);
	munmap(control + HOLE, HOLE);
	assert_true(fills(control, 3 * (size_t)HOLE));
	assert_false(fills(r->base, r->reserved));
	munmap(control, 3 * HOLE);
	page_region_free(r);
	end();
}

struct worker {
	pthread_t thread;
	uint64_t *counters; /* shared */
	uint32_t seed;
};

enum { THREADS = 4, COUNTERS = MIB, INCREMENTS = 8000 };

static void *count(void *arg)
{
	struct worker *w = arg;
	for (int i = 0; i < INCREMENTS; i++)
		__atomic_fetch_add(&w->counters[next_random(&w->seed) % COUNTERS], 1, __ATOMIC_RELAXED);
	return NULL;
}

/* So that pages come in many at a time, and leave so. */
static void *count_in_order(void *arg)
{
	struct worker *w = arg;
	for (size_t i = 0; i < COUNTERS; i += COUNTERS / INCREMENTS)
		__atomic_fetch_add(&w->counters[i], 1, __ATOMIC_RELAXED);
	return NULL;
}

static void check_threads(void **state, void *(*work)(void *), uint64_t expected)
{
	begin(state, MIB);
	struct mem_region *r = region(COUNTERS * sizeof(uint64_t), COUNTERS * sizeof(uint64_t));
	struct worker workers[THREADS];
	uint64_t sum = 0;
	for (uint32_t i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.counters = (uint64_t *)(void *)r->base, .seed = i};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (size_t i = 0; i < COUNTERS; i++)
		sum += ((uint64_t *)(void *)r->base)[i];
	assert_int_equal(sum, expected);
	page_region_free(r);
	end();
}

/* Several threads add to counters that are spread over many windows: no addition is lost. */
static void test_threads(void **state)
{
	check_threads(state, count, THREADS * INCREMENTS);
}

static void test_threads_in_order(void **state)
{
	check_threads(state, count_in_order, THREADS * (uint64_t)(COUNTERS / (COUNTERS / INCREMENTS) + 1));
}

/* ---- what lies outside ---- */

static uint8_t *outside_of(struct mem_region *r, uint32_t page, uint8_t copy[PAGE])
{
	struct page_region *p = region_of(r);
	if (file < 0)
		return memcpy(copy, p->outside + (size_t)page * PAGE, PAGE);
	assert_int_equal(pread(file, copy, PAGE, (off_t)(p->offset + (size_t)page * PAGE)), PAGE);
	return copy;
}

static void put_outside(struct mem_region *r, uint32_t page, const uint8_t bytes[PAGE])
{
	struct page_region *p = region_of(r);
	if (file < 0)
		memcpy(p->outside + (size_t)page * PAGE, bytes, PAGE);
	else
		assert_int_equal(pwrite(file, bytes, PAGE, (off_t)(p->offset + (size_t)page * PAGE)), PAGE);
}

/* Writes the page, then enough others that it leaves. */
static void write_and_leave(struct mem_region *r, uint32_t page, int byte)
{
	memset(r->base + (size_t)page * PAGE, byte, PAGE);
	memset(r->base + 4 * MIB, 1, 2 * MIB);
	assert_int_equal(entry_of(region_of(r), page)->frame, PAGE_FRAME_NONE);
}

/* How reading the page ends: 0, or 1 if it is lost. */
static int read_page(struct mem_region *r, uint32_t page, int byte)
{
	volatile uint8_t *at = r->base + (size_t)page * PAGE;
	int how = sigsetjmp(lost, 1);
	if (how == 0)
		for (size_t i = 0; i < PAGE; i++)
			assert_int_equal(at[i], byte);
	return how;
}

enum tampering { UNTOUCHED, BIT_FLIPPED, EXCHANGED, PUT_BACK, ZEROED, TAMPERINGS };

static void tamper(struct mem_region *r, enum tampering how, const uint8_t old[PAGE])
{
	uint8_t bytes[PAGE], other[PAGE];
	outside_of(r, 3, bytes);
	switch (how) {
	case BIT_FLIPPED: bytes[1000] ^= 4; break;
	case EXCHANGED: memcpy(bytes, outside_of(r, 5, other), PAGE); break;
	case PUT_BACK: memcpy(bytes, old, PAGE); break;
	case ZEROED: memset(bytes, 0, PAGE); break;
	default: break;
	}
	put_outside(r, 3, bytes);
}

static void test_tampering(void **state)
{
	for (enum tampering how = UNTOUCHED; how < TAMPERINGS; how++) {
		uint8_t old[PAGE];
		begin(state, MIB);
		struct mem_region *r = region(8 * MIB, 8 * MIB);
		write_and_leave(r, 5, 'x');
		write_and_leave(r, 3, 'o');
		outside_of(r, 3, old);
		write_and_leave(r, 3, 'n');
		tamper(r, how, old);
		int ended = read_page(r, 3, 'n');
		assert_int_equal(ended, how == UNTOUCHED ? 0 : 1);
		if (how != UNTOUCHED)
			assert_non_null(strstr(pager_failure(pager), "page 3 was altered"));
		/* A pager that has lost something gives nothing more. */
		assert_int_equal(read_page(r, 5, 'x'), how == UNTOUCHED ? 0 : 1);
		page_region_free(r);
		end();
	}
}

/* Outside lies nothing of what the pages hold; it is found in the region itself (positive control). */
static void test_outside_shows_nothing(void **state)
{
	static const char marker[] = "a marker that is looked for";
	enum { SIZE = 4 * MIB };
	uint8_t *all = malloc(SIZE);
	begin(state, MIB);
	struct mem_region *r = region(SIZE, SIZE);
	for (size_t i = 0; i + sizeof(marker) < SIZE; i += 1000)
		memcpy(r->base + i, marker, sizeof(marker));
	memcpy(all, r->base, SIZE);
	assert_non_null(memmem(all, SIZE, marker, sizeof(marker)));
	for (uint32_t page = 0; page < SIZE / PAGE; page++)
		if (entry_of(region_of(r), page)->stored)
			outside_of(r, page, all + (size_t)page * PAGE);
		else
			memset(all + (size_t)page * PAGE, 0, PAGE);
	assert_null(memmem(all, SIZE, marker, sizeof(marker)));
	free(all);
	page_region_free(r);
	end();
}

/* A page that is written twice with the same bytes does not look the same outside. */
static void test_versions_differ(void **state)
{
	uint8_t once[PAGE], twice[PAGE];
	begin(state, MIB);
	struct mem_region *r = region(8 * MIB, 8 * MIB);
	write_and_leave(r, 3, 'n');
	outside_of(r, 3, once);
	write_and_leave(r, 3, 'n');
	outside_of(r, 3, twice);
	assert_memory_not_equal(once, twice, PAGE);
	page_region_free(r);
	end();
}

/* A file that cannot grow, or that was cut. */
static void test_file_fails(void **state)
{
	begin(state, MIB);
	struct mem_region *r = region(8 * MIB, 8 * MIB);
	write_and_leave(r, 3, 'n');
	memset(r->base + 4 * MIB, 1, 2 * MIB);
	for (size_t page = 0; page < 2 * MIB / PAGE; page++) /* so that none leaves that has to be written */
		assert_int_equal(read_page(r, (uint32_t)(4 * MIB / PAGE + page), 1), 0);
	assert_int_equal(ftruncate(file, 0), 0);
	assert_int_equal(read_page(r, 3, 'n'), 1);
	assert_string_equal(pager_failure(pager), "paged memory: the page file was cut");
	page_region_free(r);
	end();
	begin(state, MIB);
	r = region(8 * MIB, 8 * MIB);
	struct rlimit before, small = {2 * MIB, RLIM_INFINITY};
	getrlimit(RLIMIT_FSIZE, &before);
	small.rlim_max = before.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &small);
	int how = sigsetjmp(lost, 1);
	if (how == 0)
		memset(r->base, 1, 8 * MIB);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(how, 1);
	assert_string_equal(pager_failure(pager),
	                    "paged memory: the page file cannot be written: File too large");
	page_region_free(r);
	end();
}

/* A region that cannot be made has no place in the file, and gives none back: it would be another's. */
static void test_failed_region(void **state)
{
	struct error err = {0};
	struct mem_region *none = NULL;
	begin(state, MIB);
	struct mem_region *r = region(8 * MIB, 8 * MIB);
	write_and_leave(r, 3, 'n');
	assert_int_equal(page_region_new(pager, (size_t)1 << 60, 8 * MIB, MIB, &none, &err), CELLA_ENOMEM);
	assert_null(none);
	assert_int_equal(read_page(r, 3, 'n'), 0);
	page_region_free(r);
	end();
}

static void test_refuses(void **state)
{
	struct error err = {0};
	struct mem_region *r;
	struct pager *p;
	begin(state, MIB);
	struct pager_config config = {.pool = pool, .window = 1000, .limit = MIB, .file = -1};
	assert_int_equal(pager_new(&config, &p, &err), CELLA_EINVAL);
	assert_int_equal(page_region_new(pager, MIB, 2 * MIB, MIB, &r, &err), CELLA_EINVAL);
	assert_int_equal(page_region_new(pager, MIB, MIB, 2 * MIB, &r, &err), CELLA_EINVAL);
	assert_int_equal(page_region_new(pager, MIB, 0, 0, &r, &err), CELLA_EINVAL);
	end();
}

static uint64_t locked_kib(void)
{
	char line[128];
	uint64_t kib = 0;
	cleanup_fclose FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %" SCNu64, &kib) == 1)
			return kib;
	fail_msg("the kernel does not say what is locked");
	return 0;
}

/* A window counts once as locked memory, however often it is mapped, and does not count more as pages come
 * and go. */
static void test_counts_once(void **state)
{
	enum { WINDOW = 16 * MIB, SIZE = 64 * MIB, OTHER = 4 * MIB };
	uint64_t before = locked_kib();
	begin(state, WINDOW);
	struct mem_region *r = region(SIZE, SIZE);
	for (int turn = 0; turn < 3; turn++)
		for (size_t at = 0; at < SIZE; at += PAGE)
			r->base[at]++;
	assert_true(stats().fetched > 0);
	assert_true(locked_kib() - before <= (WINDOW + OTHER) >> 10);
	page_region_free(r);
	end();
}

/* Pages are as small as the number of mappings allows. */
static void test_page_sizes(void **state)
{
	static const struct {
		size_t window, page;
	} cases[] = {{MIB, 4096}, {64 * MIB, 4096}, {65 * MIB, 8192}, {512 * MIB, 32768}};
	for (size_t i = 0; i < array_count(cases); i++) {
		begin(state, cases[i].window);
		assert_int_equal(pager_page_size(pager), cases[i].page);
		struct mem_region *r = region(3 * 64 * KIB, 64 * KIB);
		memset(r->base, 1, 64 * KIB);
		assert_int_equal(page_region_grow(r, 3 * 64 * KIB, NULL), 0);
		memset(r->base + 64 * KIB, 2, 2 * 64 * KIB);
		assert_int_equal(r->base[100] + r->base[70000], 3);
		page_region_free(r);
		end();
	}
}

#define BOTH(test)                                                        \
	{#test ", ordinary memory", test, NULL, NULL, (void *)&kinds[0]}, \
	{                                                                 \
		#test ", file", test, NULL, NULL, (void *)&kinds[1]       \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(test_random_access),
		BOTH(test_zero_pages),
		BOTH(test_clean_pages),
		BOTH(test_working_set_fits),
		BOTH(test_reads_ahead),
		BOTH(test_grows),
		BOTH(test_bounds),
		BOTH(test_kernel_and_pins),
		BOTH(test_regions),
		BOTH(test_regions_apart),
		BOTH(test_holes_stay),
		BOTH(test_threads),
		BOTH(test_threads_in_order),
		BOTH(test_tampering),
		BOTH(test_outside_shows_nothing),
		BOTH(test_versions_differ),
		BOTH(test_failed_region),
		BOTH(test_refuses),
		{"test_file_fails", test_file_fails, NULL, NULL, (void *)&kinds[1]},
		BOTH(test_page_sizes),
		BOTH(test_counts_once),
	};
	return cmocka_run_group_tests(tests, set_up_pool, NULL);
}
