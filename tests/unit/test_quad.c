/*
 * Are operations on long double in cells (guest/libc/quad.c) rounded as IEEE 754 says? The same source,
 * compiled natively, is compared with the compiler's own binary128, on values around every border:
 * subnormals, overflow, ties, cancellation, exponents that hardly overlap, signs of zero.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "../../guest/libc/quad.h"

enum { ROUNDS = 400000, RELATED = 130, EXTREME = 200, BIAS = 16383, SPECIAL = 0x7fff };

static const uint64_t fraction_high = (1ull << 48) - 1, infinity_high = 0x7fffull << 48;

struct wide {
	uint64_t low, high;
};

union parts {
	quad value;
	struct wide bits;
};

static struct wide take(quad value)
{
	return (union parts){.value = value}.bits;
}

static quad make(uint64_t high, uint64_t low)
{
	return (union parts){.bits = {low, high}}.value;
}

static bool is_nan(quad x)
{
	return x != x;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 0x9e3779b97f4a7c15u;
}

/* An exponent near a border, near `other`, near 1, or any. */
static uint64_t random_exponent(uint64_t other)
{
	switch (random_bits() % 10) {
	case 0: return 0;
	case 1: return SPECIAL;
	case 2: return random_bits() % EXTREME;
	case 3: return SPECIAL - random_bits() % EXTREME;
	case 4: return other;
	case 5: return (other + random_bits() % RELATED) & SPECIAL;
	case 6: return (other - random_bits() % RELATED) & SPECIAL;
	case 7: return BIAS - 1100 + random_bits() % 2200; /* double's, and beyond them */
	case 8: return BIAS + random_bits() % 66;          /* integers' */
	default: return random_bits() & SPECIAL;
	}
}

static quad random_quad(uint64_t *exponent)
{
	uint64_t high = random_bits(), low = random_bits();
	*exponent = random_exponent(*exponent);
	switch (random_bits() % 16) {
	case 0:
	case 1: low = 0; break;
	case 2: low = UINT64_MAX, high |= fraction_high; break;
	case 3: low = 0, high &= ~fraction_high; break;
	case 4: low &= low << 32; break;
	case 5: low = high = 0, *exponent = 0; break;
	default: break;
	}
	return make((high & ~infinity_high) | *exponent << 48, low);
}

static void expect(const char *operation, quad x, quad y, quad ours, quad theirs)
{
	struct wide a = take(x), b = take(y), o = take(ours), t = take(theirs);
	if ((is_nan(ours) && is_nan(theirs)) || (o.high == t.high && o.low == t.low))
		return;
	fail_msg("%s of %016llx:%016llx and %016llx:%016llx gives %016llx:%016llx instead of %016llx:%016llx",
	         operation, (unsigned long long)a.high, (unsigned long long)a.low, (unsigned long long)b.high,
	         (unsigned long long)b.low, (unsigned long long)o.high, (unsigned long long)o.low,
	         (unsigned long long)t.high, (unsigned long long)t.low);
}

static void arithmetic(void **state)
{
	(void)state;
	uint64_t exponent = BIAS;
	for (int i = 0; i < ROUNDS; i++) {
		quad x = random_quad(&exponent), y = random_quad(&exponent);
		if (i % 16 == 0)
			y = i % 32 == 0 ? x : -x;
		expect("product", x, y, quad_multiply(x, y), x * y);
		expect("sum", x, y, quad_add(x, y), x + y);
		expect("difference", x, y, quad_subtract(x, y), x - y);
		expect("quotient", x, y, quad_divide(x, y), x / y);
	}
}

static void comparisons(void **state)
{
	(void)state;
	uint64_t exponent = BIAS;
	for (int i = 0; i < ROUNDS; i++) {
		quad x = random_quad(&exponent), y = random_quad(&exponent);
		if (i % 8 == 0)
			y = i % 16 == 0 ? x : -x;
		assert_int_equal(quad_lt(x, y) < 0, x < y);
		assert_int_equal(quad_le(x, y) <= 0, x <= y);
		assert_int_equal(quad_gt(x, y) > 0, x > y);
		assert_int_equal(quad_ge(x, y) >= 0, x >= y);
		assert_int_equal(quad_eq(x, y) == 0, x == y);
		assert_int_equal(quad_ne(x, y) != 0, x != y);
		assert_int_equal(quad_unordered(x, y) != 0, x != x || y != y);
	}
}

/* C leaves open what becomes of the rest; quad.c does not. */
static void integers(void **state)
{
	(void)state;
	uint64_t exponent = BIAS;
	for (int i = 0; i < ROUNDS; i++) {
		quad x = random_quad(&exponent);
		uint64_t n = random_bits() >> random_bits() % 64;
		if (x > -0x1p63 - 1 && x < 0x1p63)
			assert_true(quad_to_i64(x) == (int64_t)x);
		if (x > -0x1p31 - 1 && x < 0x1p31)
			assert_int_equal(quad_to_i32(x), (int32_t)x);
		if (x > -1 && x < 0x1p64)
			assert_true(quad_to_u64(x) == (uint64_t)x);
		if (x > -1 && x < 0x1p32)
			assert_true(quad_to_u32(x) == (uint32_t)x);
		expect("u64", x, x, quad_of_u64(n), (quad)n);
		expect("i64", x, x, quad_of_i64((int64_t)n), (quad)(int64_t)n);
		expect("u32", x, x, quad_of_u32((uint32_t)n), (quad)(uint32_t)n);
		expect("i32", x, x, quad_of_i32((int32_t)n), (quad)(int32_t)n);
	}
	assert_true(quad_to_i64(0x1p63) == INT64_MAX && quad_to_i64(-0x1p64) == INT64_MIN);
	assert_true(quad_to_i32(0x1p31) == INT32_MAX && quad_to_i32(-0x1p70) == INT32_MIN);
	assert_true(quad_to_u64(0x1p64) == UINT64_MAX && quad_to_u64(-1) == 0);
	assert_true(quad_to_u32(0x1p32) == UINT32_MAX && quad_to_u32(-7) == 0);
}

static void other_formats(void **state)
{
	(void)state;
	uint64_t exponent = BIAS;
	for (int i = 0; i < ROUNDS; i++) {
		quad x = random_quad(&exponent);
		expect("double", x, x, (quad)quad_to_f64(x), (quad)(double)x);
		expect("float", x, x, (quad)quad_to_f32(x), (quad)(float)x);
		uint64_t bits = random_bits() & (i % 4 ? UINT64_MAX : 0x800fffffffffffff);
		bits = i % 16 ? bits : bits & 0xff;
		double d;
		memcpy(&d, &bits, sizeof(d));
		expect("of double", x, x, quad_of_f64(d), (quad)d);
		uint32_t half = (uint32_t)random_bits() & (i % 4 ? UINT32_MAX : 0x807fffff);
		float f;
		memcpy(&f, &half, sizeof(f));
		expect("of float", x, x, quad_of_f32(f), (quad)f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic),
		cmocka_unit_test(comparisons),
		cmocka_unit_test(integers),
		cmocka_unit_test(other_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
