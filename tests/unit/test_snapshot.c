/*
 * Snapshots. Is what is restored what was captured, page by page, at once and as it is touched; is every
 * other cell's, changed, cut or foreign snapshot refused; and does nothing of a cell lie outside of protected
 * memory while it is captured, sealed and restored?
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
#include "cell/snapshot/block.h"
#include "cell/snapshot/snapshot.h"
#include "cell/trap.h"

enum { BLOCK = SNAPSHOT_BLOCK_SIZE, PAGE = SNAPSHOT_PAGE_SIZE, MIB = 1 << 20 };

static struct mem_pool *pool;
static struct seal_session *session, *other_session;
static bool secret;

static uint64_t chance_state = 1;
static void needs_pool(void **state)
{
	(void)state;
	if (!pool)
		skip();
	chance_state = 7;
	/* cmocka puts its own handlers before each test. */
	assert_int_equal(trap_init(mem_process_pool(), NULL), 0);
}

/* A repeatable sequence. */
static uint64_t chance(uint64_t below)
{
	chance_state = chance_state * 6364136223846793005u + 1442695040888963407u;
	return (chance_state >> 33) % below;
}

static const uint8_t identity[CRYPTO_SHA384_SIZE] = {1, 2, 3}, other_identity[CRYPTO_SHA384_SIZE] = {9};

/* Blocks. */

static void check_block(const uint8_t *now, uint64_t touched, const uint8_t *then)
{
	static uint8_t encoded[SNAPSHOT_ENCODED_MAX], back[BLOCK];
	size_t size = snapshot_encode_block(now, touched, then, NULL);
	assert_true(size <= sizeof(encoded));
	assert_int_equal(snapshot_encode_block(now, touched, then, encoded), size);
	memset(back, 0, sizeof(back));
	if (then)
		memcpy(back, then, sizeof(back));
	if (size)
		assert_int_equal(snapshot_decode_block(encoded, size, then != NULL, back, NULL), 0);
	assert_memory_equal(back, now, sizeof(back));
}

static void scatter(uint8_t *block, size_t count)
{
	for (size_t i = 0; i < count; i++)
		block[chance(BLOCK)] = (uint8_t)chance(256);
}

static void test_blocks(void **state)
{
	(void)state;
	static const size_t counts[] = {0, 1, 2, 10, 100, 1000, 10000, 200000};
	static uint8_t now[BLOCK], then[BLOCK];
	for (size_t i = 0; i < array_count(counts); i++) {
		memset(now, 0, sizeof(now));
		scatter(now, counts[i]);
		check_block(now, UINT64_MAX, NULL);
		memcpy(then, now, sizeof(then));
		scatter(now, counts[i]);
		check_block(now, UINT64_MAX, then);
		memset(now + 3 * PAGE, 0, PAGE);
		check_block(now, UINT64_MAX, then);
		check_block(now, UINT64_MAX & ~(1u << 3), then);
	}
	memset(now, 0xff, sizeof(now));
	memset(now + PAGE, 0, PAGE - 1);
	check_block(now, UINT64_MAX, NULL);
}

/* Untouched pages are not looked at, and equal ones are left out. */
static void test_block_sizes(void **state)
{
	(void)state;
	static uint8_t now[BLOCK], then[BLOCK];
	assert_int_equal(snapshot_encode_block(now, UINT64_MAX, NULL, NULL), 0);
	now[5 * PAGE + 100] = 1;
	assert_int_equal(snapshot_encode_block(now, UINT64_MAX, NULL, NULL), 4 + 4 + 8);
	assert_int_equal(snapshot_encode_block(now, ~(uint64_t)(1 << 5), NULL, NULL), 0);
	memset(then, 7, sizeof(then));
	memset(now, 7, sizeof(now));
	assert_int_equal(snapshot_encode_block(now, UINT64_MAX, then, NULL), 0);
	memset(now, 8, PAGE);
	assert_int_equal(snapshot_encode_block(now, UINT64_MAX, then, NULL), 4 + PAGE);
	memset(now, 0, PAGE);
	assert_int_equal(snapshot_encode_block(now, UINT64_MAX, then, NULL), 4);
}

static void test_bad_blocks(void **state)
{
	(void)state;
	static uint8_t to[BLOCK], whole[2 * (4 + PAGE)];
	static const struct {
		const char *why;
		uint8_t bytes[24];
		size_t size;
		bool good;
	} cases[] = {
		{"good: a run", {0, 3, 1, 0, 0, 0, 2, 0, 'a', 'b'}, 10, true},
		{"good: two runs", {0, 3, 2, 0, 0, 0, 1, 0, 'a', 2, 0, 1, 0, 'b'}, 14, true},
		{"good: two pages", {0, 3, 1, 0, 0, 0, 1, 0, 'a', 1, 3, 1, 0, 0, 0, 1, 0, 'b'}, 18, true},
		{"good: the last byte", {15, 3, 1, 0, 0xff, 0x0f, 1, 0, 'a'}, 9, true},
		{"empty", {0}, 0, false},
		{"half a page's head", {0, 3}, 2, false},
		{"page 16", {16, 3, 1, 0, 0, 0, 1, 0, 'a'}, 9, false},
		{"the same page twice",
	         {0, 3, 1, 0, 0, 0, 1, 0, 'a', 0, 3, 1, 0, 0, 0, 1, 0, 'b'},
	         18,
	         false},
		{"pages that descend", {1, 3, 1, 0, 0, 0, 1, 0, 'a', 0, 3, 1, 0, 0, 0, 1, 0, 'b'}, 18, false},
		{"an unknown kind", {0, 4, 0, 0}, 4, false},
		{"a zero page without a base", {0, 1, 0, 0}, 4, false},
		{"a whole page cut short", {0, 2, 0, 0, 1, 2, 3}, 7, false},
		{"no runs", {0, 3, 0, 0}, 4, false},
		{"an empty run", {0, 3, 1, 0, 0, 0, 0, 0}, 8, false},
		{"a run past the page", {0, 3, 1, 0, 0xff, 0x0f, 2, 0, 'a', 'b'}, 10, false},
		{"runs that touch", {0, 3, 2, 0, 0, 0, 1, 0, 'a', 1, 0, 1, 0, 'b'}, 14, false},
		{"runs that overlap", {0, 3, 2, 0, 0, 0, 2, 0, 'a', 'a', 1, 0, 1, 0, 'b'}, 15, false},
		{"a run cut short", {0, 3, 1, 0, 0, 0, 9, 0, 'a'}, 9, false},
		{"fewer runs than said", {0, 3, 2, 0, 0, 0, 1, 0, 'a'}, 9, false},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct error err = {0};
		int rc = snapshot_decode_block(cases[i].bytes, cases[i].size, false, to, &err);
		if (rc != (cases[i].good ? 0 : CELLA_EFORMAT))
			fail_msg("%s: %d %s", cases[i].why, rc, err.text);
	}
	whole[1] = SNAPSHOT_WHOLE;
	whole[2] = 1;
	assert_int_equal(snapshot_decode_block(whole, 4 + PAGE, false, to, NULL), CELLA_EFORMAT);
	whole[2] = 0;
	assert_int_equal(snapshot_decode_block(whole, 4 + PAGE, false, to, NULL), 0);
	assert_int_equal(snapshot_decode_block(whole, 4 + PAGE - 1, false, to, NULL), CELLA_EFORMAT);
}

/* Whole snapshots. */

struct image_of_memory {
	uint8_t *memory;
	uint64_t blocks;
	uint8_t state[40];
};

/* Memory with zero blocks, sparse blocks and full ones. */
static void memory_new(struct image_of_memory *m, uint64_t blocks)
{
	*m = (struct image_of_memory){.blocks = blocks, .memory = calloc(blocks, BLOCK)};
	assert_non_null(m->memory);
	for (uint64_t i = 0; i < blocks; i++) {
		if (i % 4 == 1)
			scatter(m->memory + i * BLOCK, 1 + chance(50));
		if (i % 4 == 2)
			for (size_t k = 0; k < BLOCK; k++)
				m->memory[i * BLOCK + k] = (uint8_t)(k * i >> 3);
	}
	memcpy(m->state, "the globals and tables of a small cell.", sizeof(m->state));
}

static struct snapshot *take(const struct image_of_memory *m, struct snapshot *base)
{
	struct snapshot_source source = {
		.identity = identity,
		.abi_version = 1,
		.translator_version = 1,
		.state = m->state,
		.state_size = sizeof(m->state),
		.memory = m->memory,
		.memory_size = m->blocks * BLOCK,
	};
	struct error err;
	struct snapshot *s = NULL;
	if (snapshot_capture(pool, &source, base, &s, &err) < 0)
		fail_msg("%s", err.text);
	return s;
}

static void check_equal(struct snapshot *s, const struct image_of_memory *m)
{
	static uint8_t block[BLOCK];
	assert_int_equal(snapshot_header(s)->memory_size, m->blocks * BLOCK);
	assert_int_equal(snapshot_header(s)->state_size, sizeof(m->state));
	assert_memory_equal(snapshot_state(s), m->state, sizeof(m->state));
	for (uint64_t i = 0; i < m->blocks; i++) {
		memset(block, 0, sizeof(block));
		assert_int_equal(snapshot_read_block(s, i, block, NULL), 0);
		assert_memory_equal(block, m->memory + i * BLOCK, BLOCK);
	}
}

static void test_capture(void **state)
{
	needs_pool(state);
	struct image_of_memory m;
	memory_new(&m, 13);
	struct snapshot *s = take(&m, NULL), *read;
	check_equal(s, &m);
	assert_int_equal(snapshot_read(pool, snapshot_bytes(s), snapshot_size(s), NULL, &read, NULL), 0);
	check_equal(read, &m);
	assert_memory_equal(snapshot_bytes(s), snapshot_bytes(read), snapshot_size(s));
	assert_false(snapshot_has_blocks(s, 0, 1));
	assert_true(snapshot_has_blocks(s, 0, 2));
	assert_false(snapshot_has_blocks(s, 11, 13));
	snapshot_unref(read);
	snapshot_unref(s);
	free(m.memory);
}

/* The same bytes on every processor: this digest is the same in every build. */
static void test_same_bytes(void **state)
{
	needs_pool(state);
	static const char expected[] =
		"0118e1a135106c14c261b9c1d705eacb71ce56d6b1d3fb6cfd3deb7c634149f8702111244f273cf2a13f58bb958c862b";
	uint8_t digest[CRYPTO_SHA384_SIZE];
	char hex[2 * CRYPTO_SHA384_SIZE + 1];
	struct image_of_memory m;
	memory_new(&m, 9);
	struct snapshot *s = take(&m, NULL);
	assert_int_equal(snapshot_digest(s, digest, NULL), 0);
	for (size_t i = 0; i < sizeof(digest); i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	assert_string_equal(hex, expected);
	snapshot_unref(s);
	free(m.memory);
}

static void test_difference(void **state)
{
	needs_pool(state);
	struct image_of_memory m;
	memory_new(&m, 8);
	struct snapshot *base = take(&m, NULL), *same = take(&m, base), *other, *read;
	check_equal(same, &m);
	assert_int_equal(snapshot_header(same)->block_count, 0);
	m.memory[BLOCK + 17]++;
	memset(m.memory + 2 * BLOCK, 0, BLOCK);
	m.memory[3 * BLOCK] = 1;
	m.state[0]++;
	m.memory = realloc(m.memory, 10 * BLOCK);
	memset(m.memory + 8 * BLOCK, 0, 2 * BLOCK);
	m.memory[9 * BLOCK + 5] = 3;
	m.blocks = 10;
	struct snapshot *s = take(&m, base);
	check_equal(s, &m);
	assert_int_equal(snapshot_header(s)->block_count, 4);
	assert_true(snapshot_size(s) < snapshot_size(base) / 10);
	assert_int_equal(snapshot_read(pool, snapshot_bytes(s), snapshot_size(s), base, &read, NULL), 0);
	check_equal(read, &m);
	snapshot_unref(read);
	assert_int_equal(snapshot_read(pool, snapshot_bytes(s), snapshot_size(s), NULL, &read, NULL),
	                 CELLA_EINVAL);
	assert_int_equal(snapshot_read(pool, snapshot_bytes(s), snapshot_size(s), s, &read, NULL),
	                 CELLA_EINVAL);
	m.memory[0]++;
	other = take(&m, NULL);
	m.blocks = 8;
	snapshot_unref(other);
	other = take(&m, NULL);
	assert_int_equal(snapshot_read(pool, snapshot_bytes(s), snapshot_size(s), other, &read, NULL),
	                 CELLA_EAUTH);
	snapshot_unref(other);
	snapshot_unref(base);
	snapshot_unref(same);
	snapshot_unref(s);
	free(m.memory);
}

struct sealed {
	uint8_t *bytes;
	struct snapshot_sealed form;
};

static struct sealed seal(const struct snapshot *s)
{
	struct sealed out = {.form = {.size = snapshot_sealed_size(s), .object = 5, .version = 2}};
	out.form.in = out.bytes = malloc(out.form.size);
	assert_non_null(out.bytes);
	assert_int_equal(snapshot_seal(s, session, 5, 2, out.bytes, NULL), 0);
	return out;
}

static void test_seal(void **state)
{
	needs_pool(state);
	struct image_of_memory m;
	memory_new(&m, 12);
	struct snapshot *s = take(&m, NULL), *opened;
	struct sealed sealed = seal(s);
	assert_int_equal(snapshot_open(pool, session, &sealed.form, NULL, &opened, NULL), 0);
	assert_null(snapshot_bytes(opened));
	check_equal(opened, &m);
	assert_int_equal(snapshot_unseal(opened, NULL), 0);
	memset(sealed.bytes, 0, sealed.form.size);
	free(sealed.bytes);
	check_equal(opened, &m);
	assert_memory_equal(snapshot_bytes(s), snapshot_bytes(opened), snapshot_size(s));
	snapshot_unref(opened);
	snapshot_unref(s);
	free(m.memory);
}

/* 0 if all of it opens and is as it was; the first error otherwise. */
static int open_whole(const struct snapshot_sealed *form, struct seal_session *with,
                      const struct image_of_memory *m)
{
	struct snapshot *opened;
	int rc = snapshot_open(pool, with, form, NULL, &opened, NULL);
	if (rc < 0)
		return rc;
	rc = snapshot_unseal(opened, NULL);
	if (rc == 0)
		check_equal(opened, m);
	snapshot_unref(opened);
	return rc;
}

static void swap(uint8_t *a, uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = a[i];
		a[i] = b[i];
		b[i] = byte;
	}
}

static void test_changed(void **state)
{
	needs_pool(state);
	struct image_of_memory m;
	memory_new(&m, 8);
	memcpy(m.memory + 6 * BLOCK, m.memory + 2 * BLOCK, BLOCK);
	struct snapshot *s = take(&m, NULL);
	struct sealed sealed = seal(s), again = seal(s);
	struct snapshot_sealed form = sealed.form;
	assert_int_equal(open_whole(&form, session, &m), 0);
	for (uint64_t at = 0; at < form.size; at += at < 700 ? 1 : 1 + chance(700)) {
		sealed.bytes[at] ^= 0x10;
		assert_true(open_whole(&form, session, &m) < 0);
		sealed.bytes[at] ^= 0x10;
	}
	for (form.size = 0; form.size < sealed.form.size; form.size += form.size < 700 ? 1 : 1 + chance(700))
		assert_true(open_whole(&form, session, &m) < 0);
	form = sealed.form;
	form.version++;
	assert_int_equal(open_whole(&form, session, &m), CELLA_EAUTH);
	form = sealed.form;
	form.object++;
	assert_int_equal(open_whole(&form, session, &m), CELLA_EAUTH);
	assert_int_equal(open_whole(&sealed.form, other_session, &m), CELLA_EAUTH);
	/* The last two blocks are equally large: one in the other's place, and one of another sealing. */
	size_t block = seal_size(SNAPSHOT_ENCODED_MAX), whole = sealed.form.size;
	swap(sealed.bytes + whole - block, again.bytes + whole - block, block);
	assert_int_equal(open_whole(&sealed.form, session, &m), CELLA_EAUTH);
	swap(sealed.bytes + whole - block, again.bytes + whole - block, block);
	assert_int_equal(open_whole(&sealed.form, session, &m), 0);
	free(sealed.bytes);
	free(again.bytes);
	snapshot_unref(s);
	free(m.memory);
}

static void test_refused(void **state)
{
	needs_pool(state);
	static const struct {
		const char *why;
		size_t at;
		uint8_t value;
		int rc;
	} cases[] = {
		{"another magic", 0, 'X', CELLA_EFORMAT},
		{"version 2", 4, 2, CELLA_EUNSUPPORTED},
		{"unknown flags", 6, 2, CELLA_EFORMAT},
		{"a state of another size", 16, 41, CELLA_EFORMAT},
		{"memory that is not whole blocks", 24, 1, CELLA_EFORMAT},
		{"memory without its blocks", 26, 1, CELLA_EFORMAT},
		{"more memory than there is", 30, 1, CELLA_EFORMAT},
		{"a larger body", 32, 255, CELLA_EFORMAT},
		{"more blocks", 40, 7, CELLA_EFORMAT},
		{"reserved", 44, 1, CELLA_EFORMAT},
		{"a base without being a difference", 100, 1, CELLA_EFORMAT},
		{"a series", 150, 1, CELLA_EFORMAT},
		{"no state", 160, 2, CELLA_EFORMAT},
		{"a section's reserved field", 164, 2, CELLA_EFORMAT},
		{"a section's size", 168, 2, CELLA_EFORMAT},
		{"another section", 216, 3, CELLA_EFORMAT},
		{"a block's number past the end", 232, 8, CELLA_EFORMAT},
		{"numbers that descend", 232, 3, CELLA_EFORMAT},
		{"a block's size", 236, 3, CELLA_EFORMAT},
		{"the size of another", 240, 0xff, CELLA_EFORMAT},
	};
	struct image_of_memory m;
	memory_new(&m, 8);
	struct snapshot *s = take(&m, NULL), *read;
	cleanup_free uint8_t *copy = malloc(snapshot_size(s) + 1);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct error err = {0};
		memcpy(copy, snapshot_bytes(s), snapshot_size(s));
		copy[cases[i].at] = cases[i].value;
		int rc = snapshot_read(pool, copy, snapshot_size(s), NULL, &read, &err);
		if (rc != cases[i].rc)
			fail_msg("%s: %d %s", cases[i].why, rc, err.text);
	}
	memcpy(copy, snapshot_bytes(s), snapshot_size(s));
	for (uint64_t size = 0; size < snapshot_size(s); size += size < 300 ? 1 : 97)
		assert_true(snapshot_read(pool, copy, size, NULL, &read, NULL) < 0);
	assert_int_equal(snapshot_read(pool, copy, snapshot_size(s) + 1, NULL, &read, NULL), CELLA_EFORMAT);
	snapshot_unref(s);
	free(m.memory);
}

/* A section of the reserved kind, at the end of the body, is refused by its name. */
static void test_call_stack(void **state)
{
	needs_pool(state);
	static const uint8_t section[16] = {SNAPSHOT_STACK};
	struct image_of_memory m;
	struct error err;
	memory_new(&m, 1);
	struct snapshot *s = take(&m, NULL), *read;
	uint64_t size = snapshot_size(s);
	cleanup_free uint8_t *copy = malloc(size + sizeof(section));
	memcpy(copy, snapshot_bytes(s), size);
	memcpy(copy + size, section, sizeof(section));
	copy[32] += sizeof(section);
	assert_int_equal(snapshot_read(pool, copy, size + sizeof(section), NULL, &read, &err),
	                 CELLA_EUNSUPPORTED);
	assert_non_null(strstr(err.text, "call stack"));
	copy[size] = SNAPSHOT_STACK + 1;
	assert_int_equal(snapshot_read(pool, copy, size + sizeof(section), NULL, &read, &err), CELLA_EFORMAT);
	snapshot_unref(s);
	free(m.memory);
}

/* Instances. */

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

/* Keys and OpenSSL stay where they are; cells and snapshots are made at each level. */
static int start(void **state)
{
	(void)state;
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1}, other_key[CRYPTO_KEY_SIZE] = {2};
	struct mem_pool *keys;
	struct error err;
	bool protected = mem_level_check(MEM_SECRET, 128 * MIB, &err) == 0;
	if (mem_pool_new(protected ? MEM_SECRET : MEM_INSECURE_NONE, 64 * MIB, &keys, &err) < 0)
		return -1;
	mem_set_process_pool(keys);
	return crypto_init(keys, &err) < 0 || seal_session_new(key, &session, &err) < 0 ||
	                       seal_session_new(other_key, &other_session, &err) < 0
	               ? -1
	               : 0;
}

static int finish(void **state)
{
	(void)state;
	seal_session_free(session);
	seal_session_free(other_session);
	return 0;
}

static int pool_at(void **state)
{
	enum mem_level level = *(const enum mem_level *)*state;
	struct error err;
	secret = level == MEM_SECRET;
	pool = NULL;
	if (mem_level_check(level, 128 * MIB, &err) < 0) {
		print_message("skipped: %s: %s\n", mem_level_name(level), err.text);
		return 0;
	}
	return mem_pool_new(level, 256 * MIB, &pool, &err);
}

static int pool_gone(void **state)
{
	(void)state;
	mem_pool_free(pool);
	return 0;
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
		cmocka_unit_test(test_blocks),       cmocka_unit_test(test_block_sizes),
		at_each_level(test_capture),         at_each_level(test_same_bytes),
		at_each_level(test_difference),      at_each_level(test_seal),
		at_each_level(test_spawn),           at_each_level(test_lazy),
		at_each_level(test_nothing_outside), cmocka_unit_test(test_bad_blocks),
		at_each_level(test_changed),         at_each_level(test_refused),
		at_each_level(test_call_stack),      at_each_level(test_lazy_changed),
		at_each_level(test_other_cell),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
