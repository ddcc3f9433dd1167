/*
 * long double, the format binary128 of IEEE 754, by integers: what the compiler calls for each operation
 * (__multf3 and others: quad.h). It stands before the compiler's own library, which takes longer: SQLite and
 * printf compute with long double wherever they print a number.
 *
 * A value is taken apart into sign, exponent and a significand of 113 bits, which stays in its place. A
 * result has 64 bits more behind its last one (`rest`), the lowest of which is set if anything is that lies
 * behind (`odd`): so it is rounded once, to the nearest, to the even of two, when it is put together.
 * NaNs come out quiet, the first operand's if both are; an invalid operation gives the positive one.
 * Nothing is put in memory on the way: operands and results are words, not values of long double, and what is
 * seldom is a function of its own that takes all from the beginning, so that the common case keeps no frame.
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

enum { BIAS = 16383, SPECIAL = 0x7fff, SPARE = 15 }; /* a significand's bits that two words have above it */

static const u64 sign_bit = 1ull << 63, fraction_high = (1ull << 48) - 1, hidden_bit = 1ull << 48,
		 infinity_high = 0x7fffull << 48, quiet_bit = 1ull << 47, half = 1ull << 63;

#define INLINE static inline __attribute__((always_inline))
#define SELDOM static __attribute__((noinline, cold))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* A significand, and in `rest` what is behind its last bit. */
struct long_one {
	u64 rest, low, high;
};

INLINE u64 absolute(u64 high)
{
	return high & ~sign_bit;
}

INLINE u32 exponent_of(u64 high)
{
	return (u32)(high >> 48) & SPECIAL;
}

INLINE bool is_nan(u64 low, u64 high)
{
	return absolute(high) + (low != 0) > infinity_high;
}

/* Products and quotients of such values are neither subnormal nor infinite, nor are these. */
INLINE bool is_moderate(u64 high)
{
	return exponent_of(high) - (BIAS + 1) / 2 < BIAS - 1;
}

INLINE struct wide with_hidden_bit(u64 low, u64 high)
{
	return (struct wide){low, (high & fraction_high) | hidden_bit};
}

INLINE bool is_less(struct wide x, struct wide y)
{
	return x.high < y.high || (x.high == y.high && x.low < y.low);
}

INLINE u32 leading_zeros(u64 high, u64 low)
{
	return high ? (u32)__builtin_clzll(high) : low ? 64 + (u32)__builtin_clzll(low) : 128;
}

/* By less than 64. */
INLINE struct wide shift_left(struct wide x, u32 by)
{
	return (struct wide){x.low << by, x.high << by | x.low >> 1 >> (63 - by)};
}

INLINE struct long_one shift_left_long(struct long_one x, u32 by)
{
	if (UNLIKELY(by >= 64)) {
		x = (struct long_one){0, x.rest, x.low};
		by -= 64;
	}
	struct wide top = shift_left((struct wide){x.low, x.high}, by);
	return (struct long_one){x.rest << by, top.low | x.rest >> 1 >> (63 - by), top.high};
}

/* The bits that fall out leave a 1 in the lowest one. More than 127 is 127: so little decides nothing. */
INLINE struct long_one shift_right_long(struct long_one x, u32 by)
{
	if (UNLIKELY(by >= 64)) {
		x = (struct long_one){x.low | (x.rest != 0), x.high, 0};
		by = by < 127 ? by - 64 : 63;
	}
	u64 odd = x.rest << 1 << (63 - by) != 0;
	return (struct long_one){x.rest >> by | x.low << 1 << (63 - by) | odd,
	                         x.low >> by | x.high << 1 << (63 - by), x.high >> by};
}

/* A finite value's significand, its highest bit in place, or all of it zero; and its exponent. */
INLINE struct wide significand_of(u64 low, u64 high, int32_t *ret_exponent)
{
	u32 exponent = exponent_of(high);
	u64 fraction = high & fraction_high;
	*ret_exponent = (int32_t)exponent;
	if (exponent > 0)
		return (struct wide){low, fraction | hidden_bit};
	u32 zeros = leading_zeros(fraction, low);
	struct long_one x = shift_left_long((struct long_one){0, low, fraction}, zeros - SPARE);
	*ret_exponent = 1 - (int32_t)(zeros - SPARE);
	return (struct wide){x.low, x.high};
}

INLINE void put(struct wide *to, u64 high, u64 low)
{
	to->low = low;
	to->high = high;
}

/* The first NaN of the two, quiet; false if neither is one. */
INLINE bool put_nan(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	bool first = is_nan(x_low, x_high);
	if (!first && !is_nan(y_low, y_high))
		return false;
	put(to, (first ? x_high : y_high) | quiet_bit, first ? x_low : y_low);
	return true;
}

/* Sign and exponent in front: the exponent less 1, since the significand's highest bit adds 1; and so does a
 * carry, as it should. `odd`: not all is 0 that is behind `rest`. */
INLINE void put_rounded(struct wide *to, u64 front, struct long_one x, bool odd)
{
	u64 up = x.rest >> 63, low = x.low + up, high = x.high + (front << 48) + (low < up);
	if (UNLIKELY(x.rest == half && !odd))
		low &= ~1ull;
	put(to, high, low);
}

INLINE void put_anywhere(struct wide *to, u64 sign, int32_t exponent, struct long_one x)
{
	if (exponent >= SPECIAL)
		return put(to, sign | infinity_high, 0);
	if (exponent <= 0) {
		x = shift_right_long(x, (u32)(1 - exponent));
		exponent = 1;
	}
	put_rounded(to, sign >> 48 | (u64)(exponent - 1), x, false);
}

/* Multiplication */

/* Of two significands, whose highest bit counts 1: it is less than 4; `up` tells that it is less than 2. */
INLINE struct long_one product(struct wide x, struct wide y, u64 *ret_up, bool *ret_odd)
{
	y = shift_left(y, SPARE);
	u64 rest = mul_high(x.low, y.low), low = mul_high(x.high, y.low), high = mul_high(x.high, y.high);
	u64 lh = x.low * y.high, hl = x.high * y.low, hh = x.high * y.high, middle = mul_high(x.low, y.high);
	rest += lh;
	low += rest < lh;
	rest += hl;
	low += rest < hl;
	low += middle;
	high += low < middle;
	low += hh;
	high += low < hh;
	u64 up = 1 - (high >> 48); /* by no branch: nobody could foretell it */
	*ret_up = up;
	*ret_odd = x.low * y.low != 0;
	return (struct long_one){rest << up, low << up | (rest >> 63 & up), high << up | (low >> 63 & up)};
}

SELDOM void product_seldom(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	u64 sign = (x_high ^ y_high) & sign_bit, xm = absolute(x_high), ym = absolute(y_high), up;
	if (put_nan(to, x_low, x_high, y_low, y_high))
		return;
	bool zero = (xm | x_low) == 0 || (ym | y_low) == 0, odd;
	if (xm == infinity_high || ym == infinity_high)
		return put(to, zero ? infinity_high | quiet_bit : sign | infinity_high, 0);
	if (zero)
		return put(to, sign, 0);
	int32_t xe, ye;
	struct wide x = significand_of(x_low, x_high, &xe), y = significand_of(y_low, y_high, &ye);
	struct long_one xy = product(x, y, &up, &odd);
	xy.rest |= odd;
	put_anywhere(to, sign, xe + ye - BIAS + 1 - (int32_t)up, xy);
}

void quad_multiply(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	if (UNLIKELY(!is_moderate(x_high) || !is_moderate(y_high)))
		return product_seldom(to, x_low, x_high, y_low, y_high);
	bool odd;
	u64 up;
	struct wide x = with_hidden_bit(x_low, x_high), y = with_hidden_bit(y_low, y_high);
	struct long_one xy = product(x, y, &up, &odd);
	put_rounded(to, (x_high >> 48) + (y_high >> 48) - BIAS - up, xy, odd);
}

/* Addition */

/* As it stands: a subnormal value's exponent is 1, its highest bit 0. `normal` that it is none. */
INLINE struct wide unshifted(struct wide x, bool normal, u32 *ret_exponent)
{
	u32 exponent = exponent_of(x.high);
	bool hidden = normal || exponent > 0;
	*ret_exponent = hidden ? exponent : 1;
	return (struct wide){x.low, (x.high & fraction_high) | (hidden ? hidden_bit : 0)};
}

INLINE struct long_one plus(struct wide x, struct long_one y)
{
	u64 low = x.low + y.low;
	return (struct long_one){y.rest, low, x.high + y.high + (low < y.low)};
}

INLINE struct long_one minus(struct wide x, struct long_one y)
{
	u64 low = x.low - y.low, borrow = y.rest != 0;
	return (struct long_one){0 - y.rest, low - borrow,
	                         x.high - y.high - (x.low < y.low) - (low < borrow)};
}

/* Of finite values, the first not less in magnitude; `normal` that both are, and that the sum is finite. */
INLINE void sum(struct wide *to, struct wide x, struct wide y, bool normal)
{
	u32 xe, ye;
	struct wide xs = unshifted(x, normal, &xe), ys = unshifted(y, normal, &ye);
	struct long_one z = shift_right_long((struct long_one){0, ys.low, ys.high}, xe - ye);
	u64 front = (x.high >> 48) - exponent_of(x.high) + xe - 1;
	if ((x.high ^ y.high) >> 63) {
		z = minus(xs, z);
		if (z.high >> 48 == 0) {
			if (UNLIKELY((z.high | z.low | z.rest) == 0))
				return put(to, 0, 0);
			u32 zeros = leading_zeros(z.high, z.low) - SPARE, most = xe - 1;
			zeros = zeros < most ? zeros : most;
			z = shift_left_long(z, zeros);
			front -= zeros;
		}
		return put_rounded(to, front, z, false);
	}
	z = plus(xs, z);
	if (z.high >> 49) {
		if (!normal && xe == SPECIAL - 1)
			return put(to, (x.high & sign_bit) | infinity_high, 0);
		z = shift_right_long(z, 1);
		front++;
	}
	put_rounded(to, front, z, false);
}

INLINE void sum_ordered(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high, bool normal)
{
	struct wide x = {x_low, x_high}, y = {y_low, y_high};
	struct wide xm = {x_low, absolute(x_high)}, ym = {y_low, absolute(y_high)};
	bool swap = is_less(xm, ym);
	sum(to, swap ? y : x, swap ? x : y, normal);
}

SELDOM void sum_seldom(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	u64 xm = absolute(x_high), ym = absolute(y_high);
	if (put_nan(to, x_low, x_high, y_low, y_high))
		return;
	if (xm == infinity_high && ym == infinity_high && x_high != y_high)
		return put(to, infinity_high | quiet_bit, 0);
	if (xm == infinity_high || ym == infinity_high)
		return put(to, xm == infinity_high ? x_high : y_high, 0);
	sum_ordered(to, x_low, x_high, y_low, y_high, false);
}

/* `flip`: sign_bit, to subtract. */
INLINE void add(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high, u64 flip)
{
	u32 xe = exponent_of(x_high), ye = exponent_of(y_high);
	if (UNLIKELY(xe - 1 >= SPECIAL - 2 || ye - 1 >= SPECIAL - 2))
		return sum_seldom(to, x_low, x_high, y_low, is_nan(y_low, y_high) ? y_high : y_high ^ flip);
	sum_ordered(to, x_low, x_high, y_low, y_high ^ flip, true);
}

void quad_add(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	add(to, x_low, x_high, y_low, y_high, 0);
}

void quad_subtract(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	add(to, x_low, x_high, y_low, y_high, sign_bit);
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

/* Of two significands, whose highest bit counts 1: it is more than 1/2; `up` tells that it is at least 1. */
INLINE struct long_one quotient(struct wide x, struct wide y, u64 *ret_up)
{
	struct wide rest = shift_left(x, 1), divisor = shift_left(y, SPARE);
	u64 v = reciprocal_2(divisor);
	u64 high = divide_digit(&rest, divisor, v), low = divide_digit(&rest, divisor, v);
	u64 up = high >> 50, odd = (rest.high | rest.low) != 0;
	*ret_up = up;
	return (struct long_one){low << (63 - up) | odd, low >> up >> 1 | high << (63 - up), high >> up >> 1};
}

SELDOM void quotient_seldom(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	u64 sign = (x_high ^ y_high) & sign_bit, xm = absolute(x_high), ym = absolute(y_high), up;
	bool x_zero = (xm | x_low) == 0, y_zero = (ym | y_low) == 0;
	if (put_nan(to, x_low, x_high, y_low, y_high))
		return;
	if ((x_zero && y_zero) || (xm == infinity_high && ym == infinity_high))
		return put(to, infinity_high | quiet_bit, 0);
	if (xm == infinity_high || y_zero)
		return put(to, sign | infinity_high, 0);
	if (x_zero || ym == infinity_high)
		return put(to, sign, 0);
	int32_t xe, ye;
	struct wide x = significand_of(x_low, x_high, &xe), y = significand_of(y_low, y_high, &ye);
	struct long_one q = quotient(x, y, &up);
	put_anywhere(to, sign, xe - ye + BIAS - 1 + (int32_t)up, q);
}

void quad_divide(struct wide *to, u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	if (UNLIKELY(!is_moderate(x_high) || !is_moderate(y_high)))
		return quotient_seldom(to, x_low, x_high, y_low, y_high);
	u64 up;
	struct wide x = with_hidden_bit(x_low, x_high), y = with_hidden_bit(y_low, y_high);
	struct long_one q = quotient(x, y, &up);
	put_rounded(to, (x_high >> 48) - (y_high >> 48) + BIAS - 2 + up, q, false);
}

/* Comparison: less, equal, greater as -1, 0, 1; and what stands for "neither". */

INLINE int compare(struct wide x, struct wide y, int neither)
{
	if (UNLIKELY(is_nan(x.low, x.high) || is_nan(y.low, y.high)))
		return neither;
	bool negative = x.high >> 63;
	if ((x.high ^ y.high) >> 63) {
		bool zero = (absolute(x.high | y.high) | x.low | y.low) == 0;
		return zero ? 0 : negative ? -1 : 1;
	}
	int greater = is_less(y, x) - is_less(x, y);
	return negative ? -greater : greater;
}

#define COMPARISON(name, neither)                                                                      \
	int name(u64 x_low, u64 x_high, u64 y_low, u64 y_high)                                         \
	{                                                                                              \
		return compare((struct wide){x_low, x_high}, (struct wide){y_low, y_high}, (neither)); \
	}
COMPARISON(quad_le, 1)
COMPARISON(quad_lt, 1)
COMPARISON(quad_eq, 1)
COMPARISON(quad_ne, 1)
COMPARISON(quad_cmp, 1)
COMPARISON(quad_ge, -1)
COMPARISON(quad_gt, -1)

int quad_unordered(u64 x_low, u64 x_high, u64 y_low, u64 y_high)
{
	return is_nan(x_low, x_high) || is_nan(y_low, y_high);
}

/* From and to integers: what lies outside becomes the nearest that does not; NaN the greatest. */

INLINE u64 magnitude(u64 low, u64 high, u64 most)
{
	u32 exponent = exponent_of(high);
	if (exponent < BIAS)
		return 0;
	if (exponent >= BIAS + 64)
		return most;
	u64 top = (high | hidden_bit) << SPARE | low >> (64 - SPARE);
	top >>= BIAS + 63 - exponent;
	return top > most ? most : top;
}

INLINE u64 to_signed(u64 low, u64 high, u64 most)
{
	return high >> 63 ? 0 - magnitude(low, high, most + 1) : magnitude(low, high, most);
}

INLINE u64 to_unsigned(u64 low, u64 high, u64 most)
{
	return high >> 63 ? 0 : magnitude(low, high, most);
}

int32_t quad_to_i32(u64 low, u64 high)
{
	(void)low;
	return (int32_t)to_signed(0, high, INT32_MAX);
}

int64_t quad_to_i64(u64 low, u64 high)
{
	return (int64_t)to_signed(low, high, INT64_MAX);
}

uint32_t quad_to_u32(u64 low, u64 high)
{
	(void)low;
	return (uint32_t)to_unsigned(0, high, UINT32_MAX);
}

uint64_t quad_to_u64(u64 low, u64 high)
{
	return to_unsigned(low, high, UINT64_MAX);
}

INLINE void put_integer(struct wide *to, u64 sign, u64 n)
{
	if (n == 0)
		return put(to, 0, 0);
	u32 zeros = (u32)__builtin_clzll(n);
	u64 exponent = BIAS + 63 - zeros;
	n <<= zeros;
	put(to, sign | exponent << 48 | (n << 1) >> 16, n << (64 - SPARE));
}

void quad_of_i32(struct wide *to, int32_t n)
{
	put_integer(to, n < 0 ? sign_bit : 0, n < 0 ? 0 - (u32)n : (u32)n);
}

void quad_of_i64(struct wide *to, int64_t n)
{
	put_integer(to, n < 0 ? sign_bit : 0, n < 0 ? 0 - (u64)n : (u64)n);
}

void quad_of_u32(struct wide *to, uint32_t n)
{
	put_integer(to, 0, n);
}

void quad_of_u64(struct wide *to, uint64_t n)
{
	put_integer(to, 0, n);
}

/* From and to the formats of float and double, which differ in their fields' sizes alone. */

enum { DOUBLE_FRACTION = 52, DOUBLE_SPECIAL = 0x7ff, FLOAT_FRACTION = 23, FLOAT_SPECIAL = 0xff };

INLINE void widen(struct wide *to, u64 bits, u32 fraction_bits, u32 special)
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
			return put(to, sign, 0);
		} else {
			u32 up = (u32)__builtin_clzll(fraction) - (63 - fraction_bits);
			fraction = fraction << up & ((1ull << fraction_bits) - 1);
			exponent = 1 - (u64)up;
		}
	}
	fraction <<= DOUBLE_FRACTION - fraction_bits;
	put(to, sign | (exponent + shift) << 48 | fraction >> 4, fraction << 60);
}

void quad_of_f64(struct wide *to, double x)
{
	union {
		double value;
		u64 bits;
	} both = {.value = x};
	widen(to, both.bits, DOUBLE_FRACTION, DOUBLE_SPECIAL);
}

void quad_of_f32(struct wide *to, float x)
{
	union {
		float value;
		u32 bits;
	} both = {.value = x};
	widen(to, both.bits, FLOAT_FRACTION, FLOAT_SPECIAL);
}

INLINE u64 narrow(u64 low, u64 high, u32 fraction_bits, u32 special)
{
	u64 sign = high >> 63 << (fraction_bits + (special == DOUBLE_SPECIAL ? 11 : 8));
	int32_t exponent = (int32_t)exponent_of(high) - (int32_t)(BIAS - special / 2);
	u64 fraction = (high & fraction_high) << SPARE | low >> (64 - SPARE);
	u64 odd = (low << SPARE) != 0;
	u32 drop = 63 - fraction_bits;
	if (UNLIKELY(exponent <= 0 || exponent >= (int32_t)special)) {
		if (is_nan(low, high))
			return sign | (u64)special << fraction_bits | 1ull << (fraction_bits - 1) |
			       fraction >> drop;
		if (exponent > 0)
			return sign | (u64)special << fraction_bits;
		struct long_one small = {0, 0, fraction | 1ull << 63};
		small = shift_right_long(small, (u32)(1 - exponent));
		fraction = small.high;
		odd |= (small.low | small.rest) != 0;
		exponent = 0;
	}
	u64 kept = fraction >> drop, rest = fraction & ((1ull << drop) - 1);
	kept += rest + (odd | (kept & 1)) > 1ull << (drop - 1);
	return sign | (((u64)exponent << fraction_bits) + kept);
}

double quad_to_f64(u64 low, u64 high)
{
	union {
		u64 bits;
		double value;
	} both = {.bits = narrow(low, high, DOUBLE_FRACTION, DOUBLE_SPECIAL)};
	return both.value;
}

float quad_to_f32(u64 low, u64 high)
{
	union {
		u32 bits;
		float value;
	} both = {.bits = (u32)narrow(low, high, FLOAT_FRACTION, FLOAT_SPECIAL)};
	return both.value;
}
