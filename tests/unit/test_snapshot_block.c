/* Blocks of a snapshot: does each come back as it was, is nothing written down that need not be, and is what
 * no encoder writes refused? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cell/snapshot/block.h"
#include "snapshot_support.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_bad_blocks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
