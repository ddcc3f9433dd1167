/*
 * long double, the format binary128 of IEEE 754, by integers: what the compiler calls for each operation
 * (__multf3 and others: quad.h). It stands before the compiler's own library, which takes longer: SQLite and
 * printf compute with long double wherever they print a number.
 *
 * A value is taken apart into sign, exponent and a significand of 128 bits whose highest is the first one.
 * What computes an exact result that does not fit gives its highest 128 bits, with the lowest set if any of
 * the others is (`odd`): so it is rounded once, to the nearest, to the even of two, when it is put together.
 * NaNs come out quiet, the first operand's if both are; an invalid operation gives the positive one.
 * What is seldom is a function of its own and takes no structures, so that nothing is put in memory for it.
 * No rounding mode is asked for and no flag raised: WebAssembly has neither.
 *
 * Division is by Moller and Granlund, "Improved division by invariant integers" (IEEE Transactions on
 * Computers 60, 2011), algorithms 4 to 6.
 */
#include <stdbool.h>
#include <stdint.h>

#include "quad.h"

typedef uint32_t u32;
typedef uint64_t u64;

enum { BIAS = 16383, SPECIAL = 0x7fff, SPARE = 15 }; /* a significand's bits that a value has no room for */

static const u64 sign_bit = 1ull << 63, fraction_high = (1ull << 48) - 1, hidden_bit = 1ull << 48,
		 infinity_high = 0x7fffull << 48, quiet_bit = 1ull << 47;

#define INLINE static inline __attribute__((always_inline))
#define SELDOM static __attribute__((noinline, cold))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

struct wide {
	u64 low, high;
};

union parts {
	quad value;
	struct wide bits;
};

INLINE struct wide take(quad value)
{
	union parts p = {.value = value};
	return p.bits;
}

INLINE quad make(u64 high, u64 low)
{
	union parts p = {.bits = {low, high}};
	return p.value;
}

INLINE u32 exponent_of(u64 high)
{
	return (u32)(high >> 48) & SPECIAL;
}

INLINE bool is_nan(struct wide x)
{
	return (x.high & ~sign_bit) + (x.low != 0) > infinity_high;
}

/* Neither zero, subnormal, infinite nor NaN. */
INLINE bool is_normal(u32 exponent)
{
	return exponent - 1 < SPECIAL - 1;
}

INLINE struct wide shift_left(struct wide x, u32 by)
{
	if (by >= 64)
		return (struct wide){0, x.low << (by & 63)};
	return by ? (struct wide){x.low << by, x.high << by | x.low >> (64 - by)} : x;
}

/* The bits that fall out leave a 1 in the lowest one. */
INLINE struct wide shift_right(struct wide x, u32 by)
{
	if (by == 0)
		return x;
	if (by < 64)
		return (struct wide){x.low >> by | x.high << (64 - by) | (x.low << (64 - by) != 0),
		                     x.high >> by};
	if (by == 64)
		return (struct wide){x.high | (x.low != 0), 0};
	if (by < 128)
		return (struct wide){x.high >> (by - 64) | ((x.high << (128 - by) | x.low) != 0), 0};
	return (struct wide){(x.high | x.low) != 0, 0};
}

INLINE u32 leading_zeros(struct wide x)
{
	return x.high ? (u32)__builtin_clzll(x.high) : 64 + (u32)__builtin_clzll(x.low);
}

/* A finite value's significand, its highest bit set, or all of it zero; and its exponent. */
INLINE struct wide significand_of(struct wide x, int32_t *ret_exponent)
{
	int32_t exponent = (int32_t)exponent_of(x.high);
	u64 high = x.high & fraction_high;
	if (UNLIKELY(exponent == 0)) {
		struct wide rest = {x.low, high};
		u32 zeros = high | x.low ? leading_zeros(rest) : 0;
		*ret_exponent = SPARE + 1 - (int32_t)zeros;
		return shift_left(rest, zeros);
	}
	*ret_exponent = exponent;
	return (struct wide){x.low << SPARE, (high | hidden_bit) << SPARE | x.low >> (64 - SPARE)};
}

/* A significand without its highest bit on top of an exponent, into which a carry goes, as it should. */
INLINE quad rounded(u64 sign, u64 exponent, struct wide x)
{
	u64 low = x.low >> SPARE | x.high << (64 - SPARE), high = x.high >> SPARE;
	u64 rest = x.low & ((1u << SPARE) - 1);
	u64 up = rest + (low & 1) > 1u << (SPARE - 1);
	low += up;
	high = (high & fraction_high) + (exponent << 48) + (low < up);
	return make(sign | high, low);
}

SELDOM quad rounded_outside(u64 sign, int32_t exponent, u64 high, u64 low)
{
	if (exponent >= SPECIAL)
		return make(sign | infinity_high, 0);
	return rounded(sign, 0, shift_right((struct wide){low, high}, (u32)(1 - exponent)));
}

/* The value of a sign, an exponent and a significand whose highest bit is set. */
INLINE quad put_together(u64 sign, int32_t exponent, struct wide x)
{
	if (UNLIKELY(!is_normal((u32)exponent)))
		return rounded_outside(sign, exponent, x.high, x.low);
	return rounded(sign, (u64)exponent, x);
}

INLINE quad quiet(struct wide nan)
{
	return make(nan.high | quiet_bit, nan.low);
}

/* Multiplication */

INLINE quad product(struct wide x, struct wide y)
{
	int32_t xe, ye;
	struct wide xs = significand_of(x, &xe), ys = significand_of(y, &ye);
	u64 ll = xs.low * ys.low, lh = xs.low * ys.high, hl = xs.high * ys.low, hh = xs.high * ys.high;
	u64 second = mul_high(xs.low, ys.low), third = mul_high(xs.high, ys.low),
	    fourth = mul_high(xs.high, ys.high);
	u64 middle = mul_high(xs.low, ys.high);
	second += lh;
	third += second < lh;
	second += hl;
	third += second < hl;
	third += middle;
	fourth += third < middle;
	third += hh;
	fourth += third < hh;
	u64 up = 1 - (fourth >> 63); /* by no branch: nobody could foretell it */
	fourth = fourth << up | (third >> 63 & up);
	third = third << up | (second >> 63 & up);
	third |= (second << up | ll) != 0;
	int32_t exponent = xe + ye - BIAS + 1 - (int32_t)up;
	return put_together((x.high ^ y.high) & sign_bit, exponent, (struct wide){third, fourth});
}

SELDOM quad product_seldom(quad first, quad second)
{
	struct wide x = take(first), y = take(second);
	u64 sign = (x.high ^ y.high) & sign_bit;
	u64 xm = x.high & ~sign_bit, ym = y.high & ~sign_bit;
	if (is_nan(x) || is_nan(y))
		return quiet(is_nan(x) ? x : y);
	bool zero = (xm | x.low) == 0 || (ym | y.low) == 0;
	if (xm == infinity_high || ym == infinity_high)
		return zero ? make(infinity_high | quiet_bit, 0) : make(sign | infinity_high, 0);
	return zero ? make(sign, 0) : product(x, y);
}

quad quad_multiply(quad x, quad y)
{
	struct wide a = take(x), b = take(y);
	if (UNLIKELY(!is_normal(exponent_of(a.high)) || !is_normal(exponent_of(b.high))))
		return product_seldom(x, y);
	return product(a, b);
}

/* Addition, of values that are neither infinite nor NaN, not both zero */

INLINE bool is_less(struct wide x, struct wide y)
{
	return x.high < y.high || (x.high == y.high && x.low < y.low);
}

INLINE quad sum(struct wide x, struct wide y)
{
	struct wide xm = {x.low, x.high & ~sign_bit}, ym = {y.low, y.high & ~sign_bit};
	u64 sign = x.high & sign_bit;
	bool differ = (x.high ^ y.high) >> 63;
	if (is_less(xm, ym)) {
		struct wide greater = ym;
		sign = y.high & sign_bit;
		ym = xm;
		xm = greater;
	}
	int32_t xe, ye;
	struct wide xs = significand_of(xm, &xe), ys = significand_of(ym, &ye);
	if (differ) {
		ys = shift_right(ys, (u32)(xe - ye));
		struct wide rest = {xs.low - ys.low, xs.high - ys.high - (xs.low < ys.low)};
		if (UNLIKELY((rest.high | rest.low) == 0))
			return make(0, 0);
		u32 zeros = leading_zeros(rest);
		return put_together(sign, xe - (int32_t)zeros, shift_left(rest, zeros));
	}
	ys = shift_right(ys, (u32)(xe - ye) + 1);
	u64 low = (xs.low >> 1 | xs.high << 63) + ys.low;
	u64 high = (xs.high >> 1) + ys.high + (low < ys.low);
	if (high >> 63)
		return put_together(sign, xe + 1, (struct wide){low, high});
	return put_together(sign, xe, (struct wide){low << 1, high << 1 | low >> 63});
}

SELDOM quad sum_seldom(quad first, quad second)
{
	struct wide x = take(first), y = take(second);
	u64 xm = x.high & ~sign_bit, ym = y.high & ~sign_bit;
	if (is_nan(x) || is_nan(y))
		return quiet(is_nan(x) ? x : y);
	if (xm == infinity_high && ym == infinity_high && x.high != y.high)
		return make(infinity_high | quiet_bit, 0);
	if (xm == infinity_high || ym == infinity_high)
		return xm == infinity_high ? make(x.high, 0) : make(y.high, 0);
	bool x_zero = (xm | x.low) == 0, y_zero = (ym | y.low) == 0;
	if (x_zero && y_zero)
		return make(x.high & y.high, 0);
	if (x_zero || y_zero)
		return x_zero ? make(y.high, y.low) : make(x.high, x.low);
	return sum(x, y);
}

INLINE quad add(struct wide x, struct wide y)
{
	if (UNLIKELY(!is_normal(exponent_of(x.high)) || !is_normal(exponent_of(y.high))))
		return sum_seldom(make(x.high, x.low), make(y.high, y.low));
	return sum(x, y);
}

quad quad_add(quad x, quad y)
{
	return add(take(x), take(y));
}

quad quad_subtract(quad x, quad y)
{
	struct wide b = take(y);
	if (!is_nan(b))
		b.high ^= sign_bit;
	return add(take(x), b);
}

/* Division */

/* The lower half of (2^128 - 1) / d, whose highest bit is set: digits of 32 bits, each at first at most 2 too
 * large. */
INLINE u64 reciprocal_1(u64 d)
{
	u64 top = d >> 32 | 1ull << 31, bottom = d & 0xffffffff, high = ~d;
	u64 first = high / top, rest = high - first * top;
	while (first >> 32 || first * bottom > (rest << 32 | 0xffffffff)) {
		first--;
		rest += top;
		if (rest >> 32)
			break;
	}
	u64 middle = (high << 32 | 0xffffffff) - first * d;
	u64 second = middle / top;
	rest = middle - second * top;
	while (second >> 32 || second * bottom > (rest << 32 | 0xffffffff)) {
		second--;
		rest += top;
		if (rest >> 32)
			break;
	}
	return first << 32 | second;
}

/* The lower half of (2^192 - 1) / d. */
INLINE u64 reciprocal_2(struct wide d)
{
	u64 v = reciprocal_1(d.high), p = d.high * v + d.low;
	if (p < d.low) {
		v--;
		if (p >= d.high) {
			v--;
			p -= d.high;
		}
		p -= d.high;
	}
	u64 low = v * d.low, high = mul_high(v, d.low);
	p += high;
	if (p < high) {
		v--;
		if (!is_less((struct wide){low, p}, d))
			v--;
	}
	return v;
}

/* A digit of 64 bits, and what remains, of u * 2^64 / d, of which u is less than d. */
INLINE u64 divide_digit(struct wide *u, struct wide d, u64 v)
{
	u64 q_low = v * u->high + u->low, q = mul_high(v, u->high) + u->high + (q_low < u->low);
	u64 low = d.low * q, high = mul_high(d.low, q) + (low > 0);
	struct wide r = {0 - low, u->low - q * d.high - high};
	r.high -= d.high + (r.low < d.low);
	r.low -= d.low;
	q++;
	if (r.high >= q_low) {
		q--;
		r.low += d.low;
		r.high += d.high + (r.low < d.low);
	}
	if (UNLIKELY(!is_less(r, d))) {
		q++;
		r.high -= d.high + (r.low < d.low);
		r.low -= d.low;
	}
	*u = r;
	return q;
}

INLINE quad quotient(struct wide x, struct wide y)
{
	int32_t xe, ye;
	struct wide xs = significand_of(x, &xe), ys = significand_of(y, &ye);
	struct wide rest = {xs.low >> 1 | xs.high << 63, xs.high >> 1};
	u64 v = reciprocal_2(ys);
	u64 high = divide_digit(&rest, ys, v), low = divide_digit(&rest, ys, v);
	u64 odd = (rest.high | rest.low) != 0;
	int32_t exponent = xe - ye + BIAS;
	if (!(high >> 63)) {
		exponent--;
		high = high << 1 | low >> 63;
		low <<= 1;
	}
	return put_together((x.high ^ y.high) & sign_bit, exponent, (struct wide){low | odd, high});
}

SELDOM quad quotient_seldom(quad first, quad second)
{
	struct wide x = take(first), y = take(second);
	u64 sign = (x.high ^ y.high) & sign_bit;
	u64 xm = x.high & ~sign_bit, ym = y.high & ~sign_bit;
	bool x_zero = (xm | x.low) == 0, y_zero = (ym | y.low) == 0;
	if (is_nan(x) || is_nan(y))
		return quiet(is_nan(x) ? x : y);
	if ((x_zero && y_zero) || (xm == infinity_high && ym == infinity_high))
		return make(infinity_high | quiet_bit, 0);
	if (xm == infinity_high || y_zero)
		return make(sign | infinity_high, 0);
	return x_zero || ym == infinity_high ? make(sign, 0) : quotient(x, y);
}

quad quad_divide(quad x, quad y)
{
	struct wide a = take(x), b = take(y);
	if (UNLIKELY(!is_normal(exponent_of(a.high)) || !is_normal(exponent_of(b.high))))
		return quotient_seldom(x, y);
	return quotient(a, b);
}

/* Comparison: less, equal, greater as -1, 0, 1; and what stands for "neither". */

INLINE int compare(struct wide x, struct wide y, int neither)
{
	if (UNLIKELY(is_nan(x) || is_nan(y)))
		return neither;
	if (((x.high | y.high) & ~sign_bit) + (x.low | y.low ? 1 : 0) == 0)
		return 0;
	if ((x.high ^ y.high) >> 63)
		return x.high >> 63 ? -1 : 1;
	int greater = is_less(y, x) - is_less(x, y);
	return x.high >> 63 ? -greater : greater;
}

#define COMPARISON(name, neither)                            \
	int name(quad x, quad y)                             \
	{                                                    \
		return compare(take(x), take(y), (neither)); \
	}
COMPARISON(quad_le, 1)
COMPARISON(quad_lt, 1)
COMPARISON(quad_eq, 1)
COMPARISON(quad_ne, 1)
COMPARISON(quad_cmp, 1)
COMPARISON(quad_ge, -1)
COMPARISON(quad_gt, -1)

int quad_unordered(quad x, quad y)
{
	return is_nan(take(x)) || is_nan(take(y));
}

/* From and to integers: what lies outside becomes the nearest that does not; NaN the greatest. */

INLINE u64 magnitude(struct wide x, u64 most)
{
	u32 exponent = exponent_of(x.high);
	if (exponent < BIAS)
		return 0;
	if (exponent >= BIAS + 64)
		return most;
	u64 top = (x.high | hidden_bit) << SPARE | x.low >> (64 - SPARE);
	top >>= BIAS + 63 - exponent;
	return top > most ? most : top;
}

INLINE u64 to_signed(struct wide x, u64 most)
{
	return x.high >> 63 ? 0 - magnitude(x, most + 1) : magnitude(x, most);
}

INLINE u64 to_unsigned(struct wide x, u64 most)
{
	return x.high >> 63 ? 0 : magnitude(x, most);
}

int32_t quad_to_i32(quad x)
{
	return (int32_t)to_signed(take(x), INT32_MAX);
}

int64_t quad_to_i64(quad x)
{
	return (int64_t)to_signed(take(x), INT64_MAX);
}

uint32_t quad_to_u32(quad x)
{
	return (uint32_t)to_unsigned(take(x), UINT32_MAX);
}

uint64_t quad_to_u64(quad x)
{
	return to_unsigned(take(x), UINT64_MAX);
}

INLINE quad from_integer(u64 sign, u64 n)
{
	if (n == 0)
		return make(0, 0);
	u32 zeros = (u32)__builtin_clzll(n);
	n <<= zeros;
	u64 exponent = BIAS + 63 - zeros;
	return make(sign | exponent << 48 | (n << 1) >> 16, n << (64 - SPARE));
}

quad quad_of_i32(int32_t n)
{
	return from_integer(n < 0 ? sign_bit : 0, n < 0 ? 0 - (u64)n : (u64)n);
}

quad quad_of_i64(int64_t n)
{
	return from_integer(n < 0 ? sign_bit : 0, n < 0 ? 0 - (u64)n : (u64)n);
}

quad quad_of_u32(uint32_t n)
{
	return from_integer(0, n);
}

quad quad_of_u64(uint64_t n)
{
	return from_integer(0, n);
}

/* From and to the formats of float and double, which differ in their fields' sizes alone. */

enum { DOUBLE_FRACTION = 52, DOUBLE_SPECIAL = 0x7ff, FLOAT_FRACTION = 23, FLOAT_SPECIAL = 0xff };

INLINE quad widen(u64 bits, u32 fraction_bits, u32 special)
{
	u64 sign = bits >> fraction_bits > special ? sign_bit : 0;
	u64 exponent = bits >> fraction_bits & special, fraction = bits & ((1ull << fraction_bits) - 1);
	u64 shift = BIAS - special / 2;
	if (UNLIKELY(exponent - 1 >= special - 1)) {
		if (exponent == special) {
			exponent = SPECIAL;
			shift = 0;
			fraction |= fraction ? 1ull << (fraction_bits - 1) : 0;
		} else if (fraction == 0) {
			return make(sign, 0);
		} else {
			u32 up = (u32)__builtin_clzll(fraction) - (63 - fraction_bits);
			fraction = fraction << up & ((1ull << fraction_bits) - 1);
			exponent = 1 - (u64)up;
		}
	}
	fraction <<= DOUBLE_FRACTION - fraction_bits;
	return make(sign | (exponent + shift) << 48 | fraction >> 4, fraction << 60);
}

quad quad_of_f64(double x)
{
	union {
		double value;
		u64 bits;
	} both = {.value = x};
	return widen(both.bits, DOUBLE_FRACTION, DOUBLE_SPECIAL);
}

quad quad_of_f32(float x)
{
	union {
		float value;
		u32 bits;
	} both = {.value = x};
	return widen(both.bits, FLOAT_FRACTION, FLOAT_SPECIAL);
}

INLINE u64 narrow(struct wide x, u32 fraction_bits, u32 special)
{
	u64 sign = x.high >> 63 << (fraction_bits + (special == DOUBLE_SPECIAL ? 11 : 8));
	int32_t exponent = (int32_t)exponent_of(x.high) - (int32_t)(BIAS - special / 2);
	u64 fraction = (x.high & fraction_high) << SPARE | x.low >> (64 - SPARE);
	u64 odd = (x.low << SPARE) != 0;
	u32 drop = 63 - fraction_bits;
	if (UNLIKELY(exponent <= 0 || exponent >= (int32_t)special)) {
		if (is_nan(x))
			return sign | (u64)special << fraction_bits | 1ull << (fraction_bits - 1) |
			       fraction >> drop;
		if (exponent > 0)
			return sign | (u64)special << fraction_bits;
		struct wide small = shift_right((struct wide){0, fraction | 1ull << 63}, (u32)(1 - exponent));
		fraction = small.high;
		odd |= small.low != 0;
		exponent = 0;
	}
	u64 kept = fraction >> drop, rest = fraction & ((1ull << drop) - 1);
	kept += rest + (odd | (kept & 1)) > 1ull << (drop - 1);
	return sign | (((u64)exponent << fraction_bits) + kept);
}

double quad_to_f64(quad x)
{
	union {
		u64 bits;
		double value;
	} both = {.bits = narrow(take(x), DOUBLE_FRACTION, DOUBLE_SPECIAL)};
	return both.value;
}

float quad_to_f32(quad x)
{
	union {
		u32 bits;
		float value;
	} both = {.bits = (u32)narrow(take(x), FLOAT_FRACTION, FLOAT_SPECIAL)};
	return both.value;
}
