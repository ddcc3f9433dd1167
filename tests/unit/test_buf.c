/* Do buffers and readers keep what their header promises, also once they have failed? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <string.h>

#include "base/buf.h"

static void integers_are_little_endian_and_come_back(void **state)
{
	(void)state;
	static const uint8_t expected[] = {0x01, 0x03, 0x02, 0x07, 0x06, 0x05, 0x04, 0x0f,
	                                   0x0e, 0x0d, 0x0c, 0x0b, 0x0a, 0x09, 0x08};
	cleanup_buf struct buf b = {0};
	buf_put_u8(&b, 0x01);
	buf_put_u16(&b, 0x0203);
	buf_put_u32(&b, 0x04050607);
	buf_put_u64(&b, 0x08090a0b0c0d0e0f);
	assert_false(b.failed);
	assert_int_equal(b.size, sizeof(expected));
	assert_memory_equal(b.data, expected, sizeof(expected));

	struct reader r = reader_of(b.data, b.size);
	assert_int_equal(reader_u8(&r), 0x01);
	assert_int_equal(reader_u16(&r), 0x0203);
	assert_int_equal(reader_u32(&r), 0x04050607);
	assert_true(reader_u64(&r) == 0x08090a0b0c0d0e0f);
	assert_true(reader_finished(&r));
}

static void blobs_and_strings_come_back_in_place(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_put_blob(&b, "\0\1\2", 3);
	buf_put_string(&b, "");
	buf_put_string(&b, "recording");
	struct reader r = reader_of(b.data, b.size);
	size_t size;
	const uint8_t *blob = reader_blob(&r, &size);
	assert_int_equal(size, 3);
	assert_ptr_equal(blob, b.data + 4);
	assert_non_null(reader_blob(&r, &size));
	assert_int_equal(size, 0);
	assert_memory_equal(reader_blob(&r, &size), "recording", 9);
	assert_int_equal(size, 9);
	assert_int_equal(reader_left(&r), 0);
	assert_true(reader_finished(&r));
}

static void a_buf_grows_over_many_writes(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	for (uint32_t i = 0; i < 100000; i++)
		buf_put_u32(&b, i);
	assert_false(b.failed);
	assert_int_equal(b.size, 400000);
	struct reader r = reader_of(b.data, b.size);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(reader_u32(&r), i);
	buf_done(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
}

static void printf_appends_without_its_terminator(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_printf(&b, "%s-%04d", "cell", 7);
	buf_printf(&b, "%s", "");
	buf_printf(&b, "%300s", "x");
	assert_false(b.failed);
	assert_int_equal(b.size, 9 + 300);
	assert_memory_equal(b.data, "cell-0007", 9);
	assert_int_equal(b.data[308], 'x');
}

static void reserve_gives_zeroed_room(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	for (int round = 0; round < 20; round++) {
		uint8_t *at = buf_reserve(&b, 1000);
		assert_non_null(at);
		for (size_t i = 0; i < 1000; i++)
			assert_int_equal(at[i], 0);
		memset(at, 0xff, 1000);
		b.size -= 500;
	}
	assert_int_equal(b.size, 20 * 500);
}

static void copy_takes_bytes_out(void **state)
{
	(void)state;
	char to[4];
	struct reader r = reader_of("abcdef", 6);
	reader_copy(&r, to, 4);
	assert_memory_equal(to, "abcd", 4);
	assert_int_equal(reader_left(&r), 2);
	assert_false(reader_finished(&r));
}

static void a_reader_that_failed_returns_zeros_and_stays(void **state)
{
	(void)state;
	uint8_t to[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	size_t size = 99;
	struct reader r = reader_of("\1\2\3", 3);
	assert_int_equal(reader_u8(&r), 1);
	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(r.at, 1);
	assert_int_equal(reader_u8(&r), 0);
	assert_null(reader_bytes(&r, 0));
	assert_null(reader_blob(&r, &size));
	assert_int_equal(size, 0);
	reader_copy(&r, to, sizeof(to));
	assert_memory_equal(to, "\0\0\0\0\0\0\0\0", sizeof(to));
	assert_false(reader_finished(&r));
}

static void a_blob_longer_than_the_input_fails(void **state)
{
	(void)state;
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{"", 0}, {"\1\0\0", 3}, {"\1\0\0\0", 4}, {"\4\0\0\0abc", 7}, {"\377\377\377\377abc", 7},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct reader r = reader_of(cases[i].bytes, cases[i].size);
		size_t size = 99;
		assert_null(reader_blob(&r, &size));
		assert_int_equal(size, 0);
		assert_true(r.failed);
	}
}

static void a_buf_that_failed_drops_what_is_written(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	buf_put_u8(&b, 1);
	assert_null(buf_reserve(&b, SIZE_MAX / 2));
	assert_true(b.failed);
	buf_put_u64(&b, 2);
	buf_printf(&b, "%d", 3);
	assert_int_equal(b.size, 1);

	cleanup_buf struct buf large = {0};
	buf_put_blob(&large, "x", (size_t)UINT32_MAX + 1);
	assert_true(large.failed);
	assert_int_equal(large.size, 0);
}

/* Wherever the one byte lies that is not. */
static void test_zero_bytes(void **state)
{
	(void)state;
	uint8_t bytes[27] = {0};
	for (size_t size = 0; size < sizeof(bytes); size++) {
		assert_true(bytes_are_zero(bytes + 1, size));
		for (size_t at = 0; at < size; at++) {
			bytes[1 + at] = 1;
			assert_false(bytes_are_zero(bytes + 1, size));
			bytes[1 + at] = 0;
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_little_endian_and_come_back),
		cmocka_unit_test(blobs_and_strings_come_back_in_place),
		cmocka_unit_test(a_buf_grows_over_many_writes),
		cmocka_unit_test(printf_appends_without_its_terminator),
		cmocka_unit_test(reserve_gives_zeroed_room),
		cmocka_unit_test(copy_takes_bytes_out),
		cmocka_unit_test(a_reader_that_failed_returns_zeros_and_stays),
		cmocka_unit_test(a_blob_longer_than_the_input_fails),
		cmocka_unit_test(a_buf_that_failed_drops_what_is_written),
		cmocka_unit_test(test_zero_bytes),
	};
	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
