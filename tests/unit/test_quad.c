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

#if defined(__x86_64__)
typedef __float128 quad;
#else
typedef long double quad;
#endif

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

#define OPERATION(name)                                        \
	static quad name(quad x, quad y)                       \
	{                                                      \
		struct wide a = take(x), b = take(y), c;       \
		quad_##name(&c, a.low, a.high, b.low, b.high); \
		return make(c.high, c.low);                    \
	}
OPERATION(multiply)
OPERATION(add)
OPERATION(subtract)
OPERATION(divide)

#define COMPARISON(name)                                                                  \
	static int name(quad x, quad y)                                                   \
	{                                                                                 \
		return quad_##name(take(x).low, take(x).high, take(y).low, take(y).high); \
	}
COMPARISON(lt)
COMPARISON(le)
COMPARISON(gt)
COMPARISON(ge)
COMPARISON(eq)
COMPARISON(ne)
COMPARISON(cmp)
COMPARISON(unordered)

#define FROM_QUAD(name, type)                                  \
	static type name(quad x)                               \
	{                                                      \
		return quad_##name(take(x).low, take(x).high); \
	}
FROM_QUAD(to_i32, int32_t)
FROM_QUAD(to_i64, int64_t)
FROM_QUAD(to_u32, uint32_t)
FROM_QUAD(to_u64, uint64_t)
FROM_QUAD(to_f64, double)
FROM_QUAD(to_f32, float)

#define TO_QUAD(name, type)                 \
	static quad name(type x)            \
	{                                   \
		struct wide c;              \
		quad_##name(&c, x);         \
		return make(c.high, c.low); \
	}
TO_QUAD(of_i32, int32_t)
TO_QUAD(of_i64, int64_t)
TO_QUAD(of_u32, uint32_t)
TO_QUAD(of_u64, uint64_t)
TO_QUAD(of_f64, double)
TO_QUAD(of_f32, float)

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
		expect("product", x, y, multiply(x, y), x * y);
		expect("sum", x, y, add(x, y), x + y);
		expect("difference", x, y, subtract(x, y), x - y);
		expect("quotient", x, y, divide(x, y), x / y);
	}
}

/* Fractions a, b: products (1 + a)(1 + b) whose rest is half of the last bit, one less or one more; carries
 * into the higher word and out of it; quotients that come out even; and what a difference leaves behind. */
static const struct wide fractions[] = {
	{0, 0},
	{1, 0},
	{2, 0},
	{3, 0},
	{7, 0},
	{UINT64_MAX, 0},
	{UINT64_MAX - 1, 0},
	{1ull << 63, 0},
	{(1ull << 63) - 1, 0},
	{0, 1},
	{0, 1ull << 47},
	{1, 1ull << 47},
	{UINT64_MAX, (1ull << 47) - 1},
	{0, 3ull << 46},
	{1, 3ull << 46},
	{0xaaaaaaaaaaaaaaab, 0x2aaaaaaaaaaa}, /* times 3: 2^111 + 1 */
	{0x9249249249249249, 0x124924924924}, /* times 7: 2^111 - 1 */
	{0, 1ull << 46},
	{UINT64_MAX, (1ull << 48) - 1},
	{UINT64_MAX - 1, (1ull << 48) - 1},
	{UINT64_MAX - 2, (1ull << 48) - 1},
};

/* Where subnormals, infinities, and the operations' own borders begin. */
static const int first_exponents[] = {0,      1,      2,      0x1fff,      0x2000,     BIAS,
                                      0x5ffc, 0x5ffd, 0x5ffe, SPECIAL - 2, SPECIAL - 1};
static const int results[] = {-116, -113, -112, -111,        -65,         -64,         -63,    -1,
                              0,    1,    2,    SPECIAL - 3, SPECIAL - 2, SPECIAL - 1, SPECIAL};
static const int distances[] = {0,   1,   2,   3,   48,  49,  63,  64,  65, 111,
                                112, 113, 114, 115, 127, 128, 129, 192, 193};

static void with_fractions(int x_exponent, int y_exponent)
{
	if (y_exponent < 0 || y_exponent > SPECIAL)
		return;
	for (size_t i = 0; i < sizeof(fractions) / sizeof(*fractions); i++) {
		for (size_t j = 0; j < sizeof(fractions) / sizeof(*fractions); j++) {
			struct wide a = fractions[i], b = fractions[j];
			quad x = make(a.high | (uint64_t)x_exponent << 48, a.low);
			quad y = make(b.high | (uint64_t)y_exponent << 48, b.low);
			expect("product", x, y, multiply(x, y), x * y);
			expect("product", x, -y, multiply(x, -y), x * -y);
			expect("sum", x, y, add(x, y), x + y);
			expect("sum", -x, y, add(-x, y), -x + y);
			expect("difference", x, y, subtract(x, y), x - y);
			expect("quotient", x, y, divide(x, y), x / y);
			assert_int_equal(lt(x, y) < 0, x < y);
			assert_int_equal(ge(-x, -y) >= 0, -x >= -y);
		}
	}
}

static void borders(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(first_exponents) / sizeof(*first_exponents); i++) {
		int x = first_exponents[i];
		for (size_t k = 0; k < sizeof(results) / sizeof(*results); k++) {
			with_fractions(x, results[k] + BIAS - x); /* a product's exponent */
			with_fractions(x, x + BIAS - results[k]); /* a quotient's */
		}
		for (size_t k = 0; k < sizeof(distances) / sizeof(*distances); k++) {
			with_fractions(x, x + distances[k]);
			with_fractions(x, x - distances[k]);
		}
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
		assert_int_equal(lt(x, y) < 0, x < y);
		assert_int_equal(le(x, y) <= 0, x <= y);
		assert_int_equal(gt(x, y) > 0, x > y);
		assert_int_equal(ge(x, y) >= 0, x >= y);
		assert_int_equal(eq(x, y) == 0, x == y);
		assert_int_equal(ne(x, y) != 0, x != y);
		assert_int_equal(cmp(x, y) == 0, x == y);
		assert_int_equal(unordered(x, y) != 0, x != x || y != y);
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
			assert_true(to_i64(x) == (int64_t)x);
		if (x > -0x1p31 - 1 && x < 0x1p31)
			assert_int_equal(to_i32(x), (int32_t)x);
		if (x > -1 && x < 0x1p64)
			assert_true(to_u64(x) == (uint64_t)x);
		if (x > -1 && x < 0x1p32)
			assert_true(to_u32(x) == (uint32_t)x);
		expect("u64", x, x, of_u64(n), (quad)n);
		expect("i64", x, x, of_i64((int64_t)n), (quad)(int64_t)n);
		expect("u32", x, x, of_u32((uint32_t)n), (quad)(uint32_t)n);
		expect("i32", x, x, of_i32((int32_t)n), (quad)(int32_t)n);
	}
	assert_true(to_i64(0x1p63) == INT64_MAX && to_i64(-0x1p64) == INT64_MIN);
	assert_true(to_i32(0x1p31) == INT32_MAX && to_i32(-0x1p70) == INT32_MIN);
	assert_true(to_u64(0x1p64) == UINT64_MAX && to_u64(-1) == 0);
	assert_true(to_u32(0x1p32) == UINT32_MAX && to_u32(-7) == 0);
}

static void other_formats(void **state)
{
	(void)state;
	uint64_t exponent = BIAS;
	for (int i = 0; i < ROUNDS; i++) {
		quad x = random_quad(&exponent);
		expect("double", x, x, (quad)to_f64(x), (quad)(double)x);
		expect("float", x, x, (quad)to_f32(x), (quad)(float)x);
		uint64_t bits = random_bits() & (i % 4 ? UINT64_MAX : 0x800fffffffffffff);
		bits = i % 16 ? bits : bits & 0xff;
		double d;
		memcpy(&d, &bits, sizeof(d));
		expect("of double", x, x, of_f64(d), (quad)d);
		uint32_t half = (uint32_t)random_bits() & (i % 4 ? UINT32_MAX : 0x807fffff);
		float f;
		memcpy(&f, &half, sizeof(f));
		expect("of float", x, x, of_f32(f), (quad)f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arithmetic), cmocka_unit_test(borders),       cmocka_unit_test(comparisons),
		cmocka_unit_test(integers),   cmocka_unit_test(other_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
