/*
 * Cells that are restored. Do they go on where they were captured, page by page as they touch them; are other
 * cells' snapshots refused, and changed blocks found when they are touched; and does nothing of a cell lie
 * outside of protected memory while it is captured, sealed and restored?
 *
 * The cells are made of this program's own functions behind a hand-written image, so that instances, faults
 * and traps are the executor's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cell/code.h"
#include "cell/instance.h"
#include "snapshot_support.h"

enum { CELL_PAGES = 4, CELL_PAGES_MAX = 4096, TEXT_AT = 70000 };
static const char text[] = "placed by a data segment";

struct cell_state {
	uint64_t counter;
	uint32_t table[4];
};

static struct cell_state *state_of(struct cell_instance *cell)
{
	return (struct cell_state *)(void *)cell->state;
}

static void cell_initialize(struct cell_instance *cell)
{
	state_of(cell)->counter = 100;
	state_of(cell)->table[2] = 3;
	cell->host->memmove(cell->memory + TEXT_AT, text, sizeof(text));
}

static void cell_count(struct cell_instance *cell, union cell_value *v)
{
	v[0].i64 = ++state_of(cell)->counter;
}

static void cell_load(struct cell_instance *cell, union cell_value *v)
{
	v[0].i32 = *(volatile uint8_t *)(cell->memory + v[0].i64);
}

static void cell_store(struct cell_instance *cell, union cell_value *v)
{
	*(volatile uint8_t *)(cell->memory + v[0].i64) = (uint8_t)v[1].i32;
}

/* memory.fill of [v0, v0 + v2) with v1. */
static void cell_fill(struct cell_instance *cell, union cell_value *v)
{
	cell->host->memset(cell->memory + v[0].i64, (int)v[1].i32, v[2].i64);
}

static void cell_copy(struct cell_instance *cell, union cell_value *v)
{
	cell->host->memmove(cell->memory + v[0].i64, cell->memory + v[1].i64, v[2].i64);
}

static void cell_grow(struct cell_instance *cell, union cell_value *v)
{
	v[0].i64 = cell->host->memory_grow(cell, v[0].i64);
}

static const struct cell_export exports[] = {
	{"count", ":l", cell_count, 0}, {"load", "l:i", cell_load, 1},  {"store", "li:", cell_store, 2},
	{"fill", "lil:", cell_fill, 3}, {"copy", "lll:", cell_copy, 4}, {"grow", "l:l", cell_grow, 5},
};
static const struct cell_image image = {
	.abi_version = CELL_ABI_VERSION,
	.translator_version = 1,
	.state_size = sizeof(struct cell_state),
	.memory_pages = CELL_PAGES,
	.memory_pages_max = CELL_PAGES_MAX,
	.exports = exports,
	.export_count = array_count(exports),
	.initialize = cell_initialize,
};
static const uint8_t no_segments[4];
extern const char text_start __asm__("__executable_start"), text_end __asm__("etext");
static struct code code;

static struct instance_config config(void)
{
	code = (struct code){
		.base = (uint8_t *)(uintptr_t)&text_start,
		.size = (size_t)(&text_end - &text_start),
		.image = &image,
		.data = no_segments,
		.data_size = sizeof(no_segments),
	};
	return (struct instance_config){
		.pool = pool,
		.code = &code,
		.heap = 1u << 30,
		.stack_size = 256 << 10,
		.identity = identity,
	};
}

static int call(struct instance *in, const char *name, uint64_t a, uint64_t b, uint64_t c, uint64_t *ret,
                struct trap_report *report)
{
	union cell_value v[3] = {{.i64 = a}, {.i64 = b}, {.i64 = c}};
	struct trap_report own;
	int rc = instance_call(in, name, NULL, v, 0, report ? report : &own, NULL);
	if (ret)
		*ret = v[0].i64;
	return rc;
}

static uint64_t called(struct instance *in, const char *name, uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t result;
	struct trap_report report;
	if (call(in, name, a, b, c, &result, &report) < 0)
		fail_msg("%s: %s", name, report.text);
	return result;
}

static struct instance *fresh(void)
{
	struct instance_config c = config();
	struct instance *in = NULL;
	struct error err;
	if (instance_new(&c, &in, &err) < 0)
		fail_msg("%s", err.text);
	return in;
}

static struct instance *spawn(struct snapshot *s)
{
	struct instance_config c = config();
	struct instance *in = NULL;
	struct error err;
	if (instance_spawn(&c, s, &in, &err) < 0)
		fail_msg("%s", err.text);
	return in;
}

static struct snapshot *capture(struct instance *in, struct snapshot *base)
{
	struct snapshot *s = NULL;
	struct error err;
	if (instance_capture(in, base, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static void test_spawn(void **state)
{
	needs_pool(state);
	struct instance *first = fresh();
	assert_int_equal(called(first, "count", 0, 0, 0), 101);
	called(first, "store", 200000, 77, 0);
	struct snapshot *base = capture(first, NULL);
	/* Only pages with content, however many the cell has. */
	assert_true(snapshot_size(base) < 1000);
	assert_int_equal(called(first, "count", 0, 0, 0), 102);
	called(first, "store", 200000, 78, 0);
	called(first, "store", 5, 1, 0);
	for (int round = 0; round < 3; round++) {
		struct instance *in = spawn(base);
		assert_int_equal(called(in, "count", 0, 0, 0), 102);
		assert_int_equal(called(in, "load", 200000, 0, 0), 77);
		assert_int_equal(called(in, "load", 5, 0, 0), 0);
		assert_string_equal(instance_bytes(in, TEXT_AT, sizeof(text)), text);
		called(in, "store", 5, 9, 0);
		called(in, "store", 130000, 9, 0);
		instance_free(in);
	}
	struct snapshot *difference = capture(first, base);
	struct instance *again = spawn(difference);
	assert_int_equal(called(again, "count", 0, 0, 0), 103);
	assert_int_equal(called(again, "load", 200000, 0, 0), 78);
	assert_int_equal(called(again, "load", 5, 0, 0), 1);
	instance_free(again);
	snapshot_unref(difference);
	instance_free(first);
	snapshot_unref(base);
}

/* A cell with 16 MiB of memory, of which every third block is empty. */
enum { LARGE_BLOCKS = 256 };
static uint8_t large_byte(uint64_t at)
{
	return (uint8_t)(at / BLOCK % 3 == 2 ? 0 : 1 + (at / 13 + at / BLOCK) % 255);
}

static struct snapshot *large_snapshot(void)
{
	struct instance *in = fresh();
	assert_int_equal(called(in, "grow", LARGE_BLOCKS - CELL_PAGES, 0, 0), CELL_PAGES);
	uint8_t *memory = instance_bytes(in, 0, LARGE_BLOCKS * BLOCK);
	assert_non_null(memory);
	for (uint64_t i = 0; i < LARGE_BLOCKS * BLOCK; i++)
		memory[i] = large_byte(i);
	called(in, "count", 0, 0, 0);
	struct snapshot *s = capture(in, NULL);
	instance_free(in);
	return s;
}

static void touch_in_order(struct instance *in, struct snapshot *s)
{
	(void)s;
	for (uint64_t at = 0; at < LARGE_BLOCKS * BLOCK; at += 1999)
		assert_int_equal(called(in, "load", at, 0, 0), large_byte(at));
}

static void touch_at_random(struct instance *in, struct snapshot *s)
{
	(void)s;
	for (int i = 0; i < 2000; i++) {
		uint64_t at = chance(LARGE_BLOCKS * BLOCK);
		assert_int_equal(called(in, "load", at, 0, 0), large_byte(at));
	}
}

static void touch_from_the_end(struct instance *in, struct snapshot *s)
{
	(void)s;
	for (uint64_t at = LARGE_BLOCKS * BLOCK; at-- > 0; at -= min_of(at, (uint64_t)5000))
		assert_int_equal(called(in, "load", at, 0, 0), large_byte(at));
}

static void touch_in_bulk(struct instance *in, struct snapshot *s)
{
	(void)s;
	called(in, "copy", 100 * BLOCK + 77, 7 * BLOCK + 5, 20 * BLOCK);
	called(in, "fill", 200 * BLOCK + 5, 1, 3 * BLOCK);
	const uint8_t *memory = instance_bytes(in, 0, LARGE_BLOCKS * BLOCK);
	for (uint64_t i = 0; i < 20 * BLOCK; i++)
		assert_int_equal(memory[100 * BLOCK + 77 + i], large_byte(7 * BLOCK + 5 + i));
	assert_int_equal(memory[200 * BLOCK + 4], large_byte(200 * BLOCK + 4));
	assert_int_equal(memory[200 * BLOCK + 5], 1);
	assert_int_equal(memory[203 * BLOCK + 4], 1);
	assert_int_equal(memory[203 * BLOCK + 5], large_byte(203 * BLOCK + 5));
}

/* The kernel reads and writes memory that no cell has touched yet: host code asks for it before. */
static void touch_by_kernel(struct instance *in, struct snapshot *s)
{
	(void)s;
	cleanup_close int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC),
			  sink = memfd_create("sink", MFD_CLOEXEC);
	uint64_t at = 33 * BLOCK - 100;
	uint8_t back[200];
	assert_int_equal(write(sink, instance_bytes(in, at, sizeof(back)), sizeof(back)), sizeof(back));
	assert_int_equal(pread(sink, back, sizeof(back), 0), sizeof(back));
	for (size_t i = 0; i < sizeof(back); i++)
		assert_int_equal(back[i], large_byte(at + i));
	assert_int_equal(read(zero, instance_bytes(in, 90 * BLOCK, BLOCK), BLOCK), BLOCK);
	assert_int_equal(called(in, "load", 91 * BLOCK - 1, 0, 0), 0);
	assert_int_equal(called(in, "load", 91 * BLOCK, 0, 0), large_byte(91 * BLOCK));
}

static void touch_and_grow(struct instance *in, struct snapshot *s)
{
	(void)s;
	assert_int_equal(called(in, "load", 10 * BLOCK, 0, 0), large_byte(10 * BLOCK));
	assert_int_equal(called(in, "grow", 40, 0, 0), LARGE_BLOCKS);
	assert_int_equal(called(in, "load", (LARGE_BLOCKS + 39) * BLOCK, 0, 0), 0);
	called(in, "store", (LARGE_BLOCKS + 40) * BLOCK - 1, 5, 0);
	assert_int_equal(called(in, "load", 12 * BLOCK, 0, 0), large_byte(12 * BLOCK));
}

/* Beyond its memory a restored cell traps as any other, and so does one whose time is over. */
static void touch_beyond(struct instance *in, struct snapshot *s)
{
	(void)s;
	struct trap_report report;
	assert_int_equal(call(in, "load", LARGE_BLOCKS * BLOCK, 0, 0, NULL, &report), CELLA_ETRAP);
	assert_int_equal(report.trap, CELL_TRAP_MEMORY);
}

static void capture_again(struct instance *in, struct snapshot *s)
{
	called(in, "store", 50 * BLOCK, 1, 0);
	called(in, "store", 50 * BLOCK, large_byte(50 * BLOCK), 0);
	struct snapshot *whole = capture(in, NULL);
	if (snapshot_bytes(s)) {
		assert_int_equal(snapshot_size(whole), snapshot_size(s));
		assert_memory_equal(snapshot_bytes(whole), snapshot_bytes(s), snapshot_size(s));
	}
	snapshot_unref(whole);
}

static void touch_nothing(struct instance *in, struct snapshot *s)
{
	(void)in;
	(void)s;
}

static void test_lazy(void **state)
{
	needs_pool(state);
	static void (*const ways[])(struct instance *in, struct snapshot *s) = {
		touch_nothing,   touch_in_order, touch_at_random, touch_from_the_end, touch_in_bulk,
		touch_by_kernel, touch_and_grow, touch_beyond,    capture_again,
	};
	struct snapshot *s = large_snapshot(), *opened;
	struct sealed sealed = seal(s);
	assert_int_equal(snapshot_open(pool, session, &sealed.form, NULL, &opened, NULL), 0);
	for (size_t i = 0; i < 2 * array_count(ways); i++) {
		struct snapshot *from = i % 2 ? opened : s;
		struct instance *in = spawn(from);
		ways[i / 2](in, from);
		instance_free(in);
	}
	/* What comes back from all these is zero. */
	struct instance *in = fresh();
	assert_int_equal(called(in, "grow", LARGE_BLOCKS, 0, 0), CELL_PAGES);
	const uint8_t *memory = instance_bytes(in, 0, LARGE_BLOCKS * BLOCK);
	for (uint64_t i = TEXT_AT + sizeof(text); i < LARGE_BLOCKS * BLOCK; i++)
		if (memory[i])
			fail_msg("byte %llu is left over", (unsigned long long)i);
	instance_free(in);
	snapshot_unref(opened);
	free(sealed.bytes);
	snapshot_unref(s);
}

/* A block that was changed ends the cell that touches it, and only then. */
static void test_lazy_changed(void **state)
{
	needs_pool(state);
	struct snapshot *s = large_snapshot(), *opened;
	struct sealed sealed = seal(s);
	struct trap_report report;
	sealed.bytes[sealed.form.size - 20] ^= 1; /* in the last block with content, 253 or 254 */
	assert_int_equal(snapshot_open(pool, session, &sealed.form, NULL, &opened, NULL), 0);
	for (int by_host = 0; by_host < 2; by_host++) {
		struct instance *in = spawn(opened);
		assert_int_equal(called(in, "load", 4 * BLOCK, 0, 0), large_byte(4 * BLOCK));
		if (by_host)
			assert_null(instance_bytes(in, 0, LARGE_BLOCKS * BLOCK));
		assert_int_equal(call(in, "load", 255 * BLOCK + 9, 0, 0, NULL, &report), CELLA_ETRAP);
		assert_int_equal(report.trap, CELL_TRAP_HOST);
		assert_non_null(strstr(report.text, "a sealed object was changed"));
		instance_free(in);
	}
	snapshot_unref(opened);
	free(sealed.bytes);
	snapshot_unref(s);
}

static void test_other_cell(void **state)
{
	needs_pool(state);
	static const uint8_t other_identity[CRYPTO_SHA384_SIZE] = {9};
	struct instance *in = fresh();
	struct snapshot *base = capture(in, NULL);
	struct cell_image another = image;
	struct error err;
	static const struct {
		uint32_t abi, translator, state_size, pages;
		const uint8_t *identity;
		const char *says;
	} cases[] = {
		{CELL_ABI_VERSION, 1, sizeof(struct cell_state), CELL_PAGES, other_identity, "another cell"},
		{CELL_ABI_VERSION, 1, sizeof(struct cell_state), CELL_PAGES, NULL, "another cell"},
		{CELL_ABI_VERSION + 1, 1, sizeof(struct cell_state), CELL_PAGES, identity, "translator"},
		{CELL_ABI_VERSION, 2, sizeof(struct cell_state), CELL_PAGES, identity, "translator"},
		{CELL_ABI_VERSION, 1, sizeof(struct cell_state) + 8, CELL_PAGES, identity, "state"},
		{CELL_ABI_VERSION, 1, sizeof(struct cell_state), CELL_PAGES + 1, identity, "state"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct instance_config c = config();
		struct instance *refused;
		another.abi_version = cases[i].abi;
		another.translator_version = cases[i].translator;
		another.state_size = cases[i].state_size;
		another.memory_pages = cases[i].pages;
		code.image = &another;
		c.identity = cases[i].identity;
		assert_int_equal(instance_spawn(&c, base, &refused, &err), CELLA_EINVAL);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	snapshot_unref(base);
	instance_free(in);
}

/* What root would find: this process's own memory, as the kernel gives it to readers of /proc/PID/mem. */

enum { MARKER_SIZE = 32 };

static void make_marker(uint8_t *to)
{
	for (size_t i = 0; i < MARKER_SIZE; i++)
		to[i] = (uint8_t)("qmv!yc#tk&wz*oe(xr)lu_hb+dn=fs~j"[i] ^ 0x35);
}

static bool buffer_has(const uint8_t *buffer, size_t size)
{
	uint8_t marker[MARKER_SIZE];
	bool found = false;
	make_marker(marker);
	for (size_t i = 0; !found && i + MARKER_SIZE <= size; i++)
		found = buffer[i] == marker[0] && memcmp(buffer + i, marker, MARKER_SIZE) == 0;
	memset(marker, 0, sizeof(marker));
	__asm__ volatile("" : : "r"(marker) : "memory");
	return found;
}

/* In how many mappings it is; what is larger than all that the test has is a sanitizer's. */
static size_t visible_markers(void)
{
	static uint8_t buffer[MIB];
	cleanup_fclose FILE *maps = fopen("/proc/self/maps", "re");
	cleanup_close int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	char line[512];
	size_t found = 0;
	while (fgets(line, sizeof(line), maps)) {
		unsigned long long low, high;
		char mode[5];
		if (sscanf(line, "%llx-%llx %4s", &low, &high, mode) != 3 || mode[1] != 'w' ||
		    high - low > 4ull << 30)
			continue;
		bool has = false;
		for (; !has && low < high; low += sizeof(buffer) - MARKER_SIZE) {
			size_t size = min_of(high - low, (unsigned long long)sizeof(buffer));
			ssize_t n = pread(memory, buffer, size, (off_t)low);
			has = n > 0 && buffer_has(buffer, (size_t)n);
			memset(buffer, 0, sizeof(buffer));
		}
		found += has;
	}
	return found;
}

static void test_nothing_outside(void **state)
{
	needs_pool(state);
	struct instance *in = fresh();
	called(in, "grow", LARGE_BLOCKS, 0, 0);
	uint8_t *memory = instance_bytes(in, 0, LARGE_BLOCKS * BLOCK);
	for (uint64_t i = 0; i < LARGE_BLOCKS * BLOCK; i++)
		memory[i] = large_byte(i);
	for (uint64_t i = 0; i < LARGE_BLOCKS; i++)
		make_marker(instance_bytes(in, i * BLOCK + i, MARKER_SIZE));
	assert_int_equal(visible_markers() > 0, !secret);
	struct snapshot *s = capture(in, NULL), *opened;
	make_marker(instance_bytes(in, 3 * BLOCK, MARKER_SIZE));
	struct snapshot *difference = capture(in, s);
	struct sealed sealed = seal(s), sealed_difference = seal(difference);
	assert_false(buffer_has(sealed.bytes, sealed.form.size));
	assert_false(buffer_has(sealed_difference.bytes, sealed_difference.form.size));
	assert_int_equal(snapshot_open(pool, session, &sealed_difference.form, s, &opened, NULL), 0);
	snapshot_unref(opened);
	assert_int_equal(snapshot_open(pool, session, &sealed.form, NULL, &opened, NULL), 0);
	struct instance *restored = spawn(opened);
	for (uint64_t at = 0; at < LARGE_BLOCKS * BLOCK; at += BLOCK / 2)
		called(restored, "load", at, 0, 0);
	assert_int_equal(snapshot_unseal(opened, NULL), 0);
	assert_int_equal(visible_markers() > 0, !secret);
	instance_free(in);
	instance_free(restored);
	snapshot_unref(difference);
	snapshot_unref(opened);
	snapshot_unref(s);
	free(sealed.bytes);
	free(sealed_difference.bytes);
	assert_int_equal(visible_markers(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		at_each_level(test_spawn),           at_each_level(test_lazy),
		at_each_level(test_nothing_outside), at_each_level(test_lazy_changed),
		at_each_level(test_other_cell),
	};
	return cmocka_run_group_tests(tests, snapshot_begin, snapshot_end);
}
