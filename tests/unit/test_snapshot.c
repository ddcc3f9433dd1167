/*
 * Snapshots. Is what is read what was captured, whole or as a difference, sealed or not; are its bytes the
 * same in every build; and is every snapshot that is changed, cut or foreign refused?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "snapshot_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		at_each_level(test_capture),    at_each_level(test_same_bytes),
		at_each_level(test_difference), at_each_level(test_seal),
		at_each_level(test_changed),    at_each_level(test_refused),
		at_each_level(test_call_stack),
	};
	return cmocka_run_group_tests(tests, snapshot_begin, snapshot_end);
}
