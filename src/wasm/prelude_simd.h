/*
 * The vector instructions, included in a translation unit only if the module uses vectors.
 *
 * A v128 is 16 bytes with lane 0 at the lowest address. Vector extensions of gcc and clang say
 * what they can say; SSE 4.1 intrinsics stand where one instruction does what many lanes of C
 * would, with the C beside them for other processors.
 */
#ifndef WASM_PRELUDE_SIMD_H
#define WASM_PRELUDE_SIMD_H

#include "wasm/prelude.h"

#if defined(__SSE4_1__)
#include <smmintrin.h>
#define SSE 1
#else
#define SSE 0
#endif

#define VECTOR(name, lane, size) typedef lane name __attribute__((vector_size(size)))
VECTOR(s8x16, s8, 16);
VECTOR(s16x8, s16, 16);
VECTOR(u16x8, u16, 16);
VECTOR(s32x4, s32, 16);
VECTOR(u32x4, u32, 16);
VECTOR(s64x2, s64, 16);
VECTOR(u64x2, u64, 16);
VECTOR(f32x4, f32, 16);
VECTOR(f64x2, f64, 16);
VECTOR(s8x8, s8, 8);
VECTOR(u8x8, u8, 8);
VECTOR(s16x4, s16, 8);
VECTOR(u16x4, u16, 8);
VECTOR(s32x2, s32, 8);
VECTOR(u32x2, u32, 8);
VECTOR(f32x2, f32, 8);
typedef u64x2 v128;
typedef v128 v128_at ANYWHERE;
typedef s8x8 s8x8_at ANYWHERE;
typedef u8x8 u8x8_at ANYWHERE;
typedef s16x4 s16x4_at ANYWHERE;
typedef u16x4 u16x4_at ANYWHERE;
typedef s32x2 s32x2_at ANYWHERE;
typedef u32x2 u32x2_at ANYWHERE;

/* Intrinsics on v128. */
#if SSE
#define I(x) ((__m128i)(x))
#define F(x) ((__m128)(x))
#define D(x) ((__m128d)(x))
#endif
#define CONVERT(x, type) __builtin_convertvector(x, type)

INLINE v128 v128_const(u64 low, u64 high)
{
	return (v128){low, high};
}

/* Memory */

#define v128_load(memory, i, offset) LOAD(v128, memory, i, offset)
#define v128_store(memory, i, value, offset) (*(v128_at *)AT(memory, i, offset, 16) = (value))
#define v128_load8x8_s(memory, i, offset) ((v128)CONVERT(LOAD(s8x8, memory, i, offset), s16x8))
#define v128_load8x8_u(memory, i, offset) ((v128)CONVERT(LOAD(u8x8, memory, i, offset), u16x8))
#define v128_load16x4_s(memory, i, offset) ((v128)CONVERT(LOAD(s16x4, memory, i, offset), s32x4))
#define v128_load16x4_u(memory, i, offset) ((v128)CONVERT(LOAD(u16x4, memory, i, offset), u32x4))
#define v128_load32x2_s(memory, i, offset) ((v128)CONVERT(LOAD(s32x2, memory, i, offset), s64x2))
#define v128_load32x2_u(memory, i, offset) ((v128)CONVERT(LOAD(u32x2, memory, i, offset), u64x2))
#define v128_load8_splat(memory, i, offset) i8x16_splat(LOAD(u8, memory, i, offset))
#define v128_load16_splat(memory, i, offset) i16x8_splat(LOAD(u16, memory, i, offset))
#define v128_load32_splat(memory, i, offset) i32x4_splat(LOAD(u32, memory, i, offset))
#define v128_load64_splat(memory, i, offset) i64x2_splat(LOAD(u64, memory, i, offset))
#define v128_load32_zero(memory, i, offset) ((v128)(u32x4){LOAD(u32, memory, i, offset)})
#define v128_load64_zero(memory, i, offset) ((v128){LOAD(u64, memory, i, offset)})
#define v128_load8_lane(memory, i, v, offset, lane) i8x16_replace_lane(v, LOAD(u8, memory, i, offset), lane)
#define v128_load16_lane(memory, i, v, offset, lane) i16x8_replace_lane(v, LOAD(u16, memory, i, offset), lane)
#define v128_load32_lane(memory, i, v, offset, lane) i32x4_replace_lane(v, LOAD(u32, memory, i, offset), lane)
#define v128_load64_lane(memory, i, v, offset, lane) i64x2_replace_lane(v, LOAD(u64, memory, i, offset), lane)
#define v128_store8_lane(memory, i, v, offset, lane) STORE(u8, memory, i, ((u8x16)(v))[lane], offset)
#define v128_store16_lane(memory, i, v, offset, lane) STORE(u16, memory, i, ((u16x8)(v))[lane], offset)
#define v128_store32_lane(memory, i, v, offset, lane) STORE(u32, memory, i, ((u32x4)(v))[lane], offset)
#define v128_store64_lane(memory, i, v, offset, lane) STORE(u64, memory, i, (v)[lane], offset)

/* Lanes */

INLINE v128 i8x16_splat(u32 x)
{
	u8 b = (u8)x;
	return (v128)(u8x16){b, b, b, b, b, b, b, b, b, b, b, b, b, b, b, b};
}
INLINE v128 i16x8_splat(u32 x)
{
	u16 h = (u16)x;
	return (v128)(u16x8){h, h, h, h, h, h, h, h};
}
INLINE v128 i32x4_splat(u32 x)
{
	return (v128)(u32x4){x, x, x, x};
}
INLINE v128 i64x2_splat(u64 x)
{
	return (v128){x, x};
}
INLINE v128 f32x4_splat(f32 x)
{
	return (v128)(f32x4){x, x, x, x};
}
INLINE v128 f64x2_splat(f64 x)
{
	return (v128)(f64x2){x, x};
}

#define LANES(name, type, lane_type, value_type)                            \
	INLINE v128 name##_replace_lane(v128 x, value_type value, u32 lane) \
	{                                                                   \
		type v = (type)x;                                           \
		v[lane] = (lane_type)value;                                 \
		return (v128)v;                                             \
	}
LANES(i8x16, u8x16, u8, u32)
LANES(i16x8, u16x8, u16, u32)
LANES(i32x4, u32x4, u32, u32)
LANES(i64x2, u64x2, u64, u64)
LANES(f32x4, f32x4, f32, f32)
LANES(f64x2, f64x2, f64, f64)
#define i8x16_extract_lane_s(x, lane) ((u32)(s32)((s8x16)(x))[lane])
#define i8x16_extract_lane_u(x, lane) ((u32)((u8x16)(x))[lane])
#define i16x8_extract_lane_s(x, lane) ((u32)(s32)((s16x8)(x))[lane])
#define i16x8_extract_lane_u(x, lane) ((u32)((u16x8)(x))[lane])
#define i32x4_extract_lane(x, lane) (((u32x4)(x))[lane])
#define i64x2_extract_lane(x, lane) (((u64x2)(x))[lane])
#define f32x4_extract_lane(x, lane) (((f32x4)(x))[lane])
#define f64x2_extract_lane(x, lane) (((f64x2)(x))[lane])

#define i8x16_shuffle(x, y, ...) ((v128)__builtin_shufflevector((u8x16)(x), (u8x16)(y), __VA_ARGS__))

INLINE v128 i8x16_swizzle(v128 x, v128 lanes)
{
#if SSE
	return (v128)_mm_shuffle_epi8(I(x), _mm_adds_epu8(I(lanes), _mm_set1_epi8(0x70)));
#else
	u8x16 from = (u8x16)x, at = (u8x16)lanes, to;
	for (u32 i = 0; i < 16; i++)
		to[i] = at[i] < 16 ? from[at[i]] : 0;
	return (v128)to;
#endif
}

/* Instructions that a vector expression says: over x and y of the given type. */

#define UNARY(name, type, expression)      \
	INLINE v128 name(v128 x_)          \
	{                                  \
		type x = (type)x_;         \
		return (v128)(expression); \
	}
#define BINARY(name, type, expression)           \
	INLINE v128 name(v128 x_, v128 y_)       \
	{                                        \
		type x = (type)x_, y = (type)y_; \
		return (v128)(expression);       \
	}

#define COMPARE(shape, s, u)            \
	BINARY(shape##_eq, u, x == y)   \
	BINARY(shape##_ne, u, x != y)   \
	BINARY(shape##_lt_s, s, x < y)  \
	BINARY(shape##_lt_u, u, x < y)  \
	BINARY(shape##_gt_s, s, x > y)  \
	BINARY(shape##_gt_u, u, x > y)  \
	BINARY(shape##_le_s, s, x <= y) \
	BINARY(shape##_le_u, u, x <= y) \
	BINARY(shape##_ge_s, s, x >= y) \
	BINARY(shape##_ge_u, u, x >= y)
COMPARE(i8x16, s8x16, u8x16)
COMPARE(i16x8, s16x8, u16x8)
COMPARE(i32x4, s32x4, u32x4)
BINARY(i64x2_eq, u64x2, x == y)
BINARY(i64x2_ne, u64x2, x != y)
BINARY(i64x2_lt_s, s64x2, x < y)
BINARY(i64x2_gt_s, s64x2, x > y)
BINARY(i64x2_le_s, s64x2, x <= y)
BINARY(i64x2_ge_s, s64x2, x >= y)

#define FLOAT_COMPARE(shape)              \
	BINARY(shape##_eq, shape, x == y) \
	BINARY(shape##_ne, shape, x != y) \
	BINARY(shape##_lt, shape, x < y)  \
	BINARY(shape##_gt, shape, x > y)  \
	BINARY(shape##_le, shape, x <= y) \
	BINARY(shape##_ge, shape, x >= y)
FLOAT_COMPARE(f32x4)
FLOAT_COMPARE(f64x2)

/* `x` where `mask` is set in every bit of a lane, `y` where in none. */
#define CHOOSE(type, mask, x, y) ((type)(((u64x2)(x) & (u64x2)(mask)) | ((u64x2)(y) & ~(u64x2)(mask))))

#define MIN_MAX(shape, s, u)                             \
	BINARY(shape##_min_s, s, CHOOSE(s, x < y, x, y)) \
	BINARY(shape##_min_u, u, CHOOSE(u, x < y, x, y)) \
	BINARY(shape##_max_s, s, CHOOSE(s, x > y, x, y)) \
	BINARY(shape##_max_u, u, CHOOSE(u, x > y, x, y))
#if SSE
BINARY(i8x16_min_s, v128, _mm_min_epi8(I(x), I(y)))
BINARY(i8x16_min_u, v128, _mm_min_epu8(I(x), I(y)))
BINARY(i8x16_max_s, v128, _mm_max_epi8(I(x), I(y)))
BINARY(i8x16_max_u, v128, _mm_max_epu8(I(x), I(y)))
BINARY(i16x8_min_s, v128, _mm_min_epi16(I(x), I(y)))
BINARY(i16x8_min_u, v128, _mm_min_epu16(I(x), I(y)))
BINARY(i16x8_max_s, v128, _mm_max_epi16(I(x), I(y)))
BINARY(i16x8_max_u, v128, _mm_max_epu16(I(x), I(y)))
BINARY(i32x4_min_s, v128, _mm_min_epi32(I(x), I(y)))
BINARY(i32x4_min_u, v128, _mm_min_epu32(I(x), I(y)))
BINARY(i32x4_max_s, v128, _mm_max_epi32(I(x), I(y)))
BINARY(i32x4_max_u, v128, _mm_max_epu32(I(x), I(y)))
#else
MIN_MAX(i8x16, s8x16, u8x16)
MIN_MAX(i16x8, s16x8, u16x8)
MIN_MAX(i32x4, s32x4, u32x4)
#endif

#define ARITHMETIC(shape, s, u)       \
	BINARY(shape##_add, u, x + y) \
	BINARY(shape##_sub, u, x - y) \
	UNARY(shape##_neg, u, -x)     \
	UNARY(shape##_abs, s, (u)CHOOSE(s, x < 0, 0 - (u)x, x))
ARITHMETIC(i8x16, s8x16, u8x16)
ARITHMETIC(i16x8, s16x8, u16x8)
ARITHMETIC(i32x4, s32x4, u32x4)
ARITHMETIC(i64x2, s64x2, u64x2)
BINARY(i16x8_mul, u16x8, x *y)
BINARY(i32x4_mul, u32x4, x *y)
BINARY(i64x2_mul, u64x2, x *y)

/* Shifts, by a count modulo the lane's bits */

#define SHIFT(shape, s, u, bits)                             \
	INLINE v128 shape##_shl(v128 x, u32 count)           \
	{                                                    \
		return (v128)((u)x << (count & (bits - 1))); \
	}                                                    \
	INLINE v128 shape##_shr_s(v128 x, u32 count)         \
	{                                                    \
		return (v128)((s)x >> (count & (bits - 1))); \
	}                                                    \
	INLINE v128 shape##_shr_u(v128 x, u32 count)         \
	{                                                    \
		return (v128)((u)x >> (count & (bits - 1))); \
	}
SHIFT(i16x8, s16x8, u16x8, 16)
SHIFT(i32x4, s32x4, u32x4, 32)
SHIFT(i64x2, s64x2, u64x2, 64)

/* Bytes have no shift of their own: by 16-bit lanes, without what crosses over. */
INLINE v128 i8x16_shl(v128 x, u32 count)
{
	count &= 7;
	return i16x8_shl(x, count) & i8x16_splat(0xffu << count);
}
INLINE v128 i8x16_shr_u(v128 x, u32 count)
{
	count &= 7;
	return i16x8_shr_u(x, count) & i8x16_splat(0xffu >> count);
}
INLINE v128 i8x16_shr_s(v128 x, u32 count)
{
	count &= 7;
	v128 high = i16x8_shr_s(x, count) & i16x8_splat(0xff00);
	v128 low = i16x8_shr_u(i16x8_shr_s(i16x8_shl(x, 8), count), 8);
	return high | low;
}

/* Saturation, averages, rounded multiplication */

#if SSE
BINARY(i8x16_add_sat_s, v128, _mm_adds_epi8(I(x), I(y)))
BINARY(i8x16_add_sat_u, v128, _mm_adds_epu8(I(x), I(y)))
BINARY(i8x16_sub_sat_s, v128, _mm_subs_epi8(I(x), I(y)))
BINARY(i8x16_sub_sat_u, v128, _mm_subs_epu8(I(x), I(y)))
BINARY(i16x8_add_sat_s, v128, _mm_adds_epi16(I(x), I(y)))
BINARY(i16x8_add_sat_u, v128, _mm_adds_epu16(I(x), I(y)))
BINARY(i16x8_sub_sat_s, v128, _mm_subs_epi16(I(x), I(y)))
BINARY(i16x8_sub_sat_u, v128, _mm_subs_epu16(I(x), I(y)))
BINARY(i8x16_avgr_u, v128, _mm_avg_epu8(I(x), I(y)))
BINARY(i16x8_avgr_u, v128, _mm_avg_epu16(I(x), I(y)))
BINARY(i8x16_narrow_i16x8_s, v128, _mm_packs_epi16(I(x), I(y)))
BINARY(i8x16_narrow_i16x8_u, v128, _mm_packus_epi16(I(x), I(y)))
BINARY(i16x8_narrow_i32x4_s, v128, _mm_packs_epi32(I(x), I(y)))
BINARY(i16x8_narrow_i32x4_u, v128, _mm_packus_epi32(I(x), I(y)))
BINARY(i32x4_dot_i16x8_s, v128, _mm_madd_epi16(I(x), I(y)))

/* The instruction gives -32768 for the square of -32768; the rest agrees. */
INLINE v128 i16x8_q15mulr_sat_s(v128 x, v128 y)
{
	__m128i product = _mm_mulhrs_epi16(I(x), I(y));
	return (v128)_mm_xor_si128(product, _mm_cmpeq_epi16(product, _mm_set1_epi16(-32768)));
}
#else
INLINE s32 clamp(s32 x, s32 least, s32 most)
{
	return x < least ? least : x > most ? most : x;
}
#define EACH(name, type, lanes, least, most, expression)                           \
	INLINE v128 name(v128 x_, v128 y_)                                         \
	{                                                                          \
		type xs = (type)x_, ys = (type)y_, to;                             \
		for (u32 i = 0; i < lanes; i++) {                                  \
			s32 x = xs[i], y = ys[i];                                  \
			to[i] = (__typeof__(to[0]))clamp(expression, least, most); \
		}                                                                  \
		return (v128)to;                                                   \
	}
EACH(i8x16_add_sat_s, s8x16, 16, -128, 127, x + y)
EACH(i8x16_add_sat_u, u8x16, 16, 0, 255, x + y)
EACH(i8x16_sub_sat_s, s8x16, 16, -128, 127, x - y)
EACH(i8x16_sub_sat_u, u8x16, 16, 0, 255, x - y)
EACH(i16x8_add_sat_s, s16x8, 8, -32768, 32767, x + y)
EACH(i16x8_add_sat_u, u16x8, 8, 0, 65535, x + y)
EACH(i16x8_sub_sat_s, s16x8, 8, -32768, 32767, x - y)
EACH(i16x8_sub_sat_u, u16x8, 8, 0, 65535, x - y)
EACH(i8x16_avgr_u, u8x16, 16, 0, 255, (x + y + 1) / 2)
EACH(i16x8_avgr_u, u16x8, 8, 0, 65535, (x + y + 1) / 2)
EACH(i16x8_q15mulr_sat_s, s16x8, 8, -32768, 32767, (x * y + 0x4000) >> 15)

#define NARROW(name, from, to, lanes, least, most)                                             \
	INLINE v128 name(v128 x, v128 y)                                                       \
	{                                                                                      \
		to v;                                                                          \
		for (u32 i = 0; i < lanes / 2; i++) {                                          \
			v[i] = (__typeof__(v[0]))clamp(((from)x)[i], least, most);             \
			v[lanes / 2 + i] = (__typeof__(v[0]))clamp(((from)y)[i], least, most); \
		}                                                                              \
		return (v128)v;                                                                \
	}
NARROW(i8x16_narrow_i16x8_s, s16x8, s8x16, 16, -128, 127)
NARROW(i8x16_narrow_i16x8_u, s16x8, u8x16, 16, 0, 255)
NARROW(i16x8_narrow_i32x4_s, s32x4, s16x8, 8, -32768, 32767)
NARROW(i16x8_narrow_i32x4_u, s32x4, u16x8, 8, 0, 65535)

INLINE v128 i32x4_dot_i16x8_s(v128 x_, v128 y_)
{
	s16x8 x = (s16x8)x_, y = (s16x8)y_;
	u32x4 to;
	for (u32 i = 0; i < 4; i++)
		to[i] = (u32)(x[2 * i] * y[2 * i]) + (u32)(x[2 * i + 1] * y[2 * i + 1]);
	return (v128)to;
}
#endif

/* Widening: the low or the high half, lanes twice as wide */

#define HALVES(half, wide, x, low_or_high) CONVERT(low_or_high(half, x), wide)
#define LOW(half, x)                      \
	({                                \
		union {                   \
			v128 whole;       \
			half halves[2];   \
		} both_ = {.whole = (x)}; \
		both_.halves[0];          \
	})
#define HIGH(half, x) LOW(half, ((v128){(x)[1], 0}))

#define WIDEN(to, from, sign, half, wide)                                                           \
	UNARY(to##_extend_low_##from##_##sign, v128, HALVES(half, wide, x, LOW))                    \
	UNARY(to##_extend_high_##from##_##sign, v128, HALVES(half, wide, x, HIGH))                  \
	BINARY(to##_extmul_low_##from##_##sign, v128,                                               \
	       (wide)to##_extend_low_##from##_##sign(x) * (wide)to##_extend_low_##from##_##sign(y)) \
	BINARY(to##_extmul_high_##from##_##sign, v128,                                              \
	       (wide)to##_extend_high_##from##_##sign(x) * (wide)to##_extend_high_##from##_##sign(y))
WIDEN(i16x8, i8x16, s, s8x8, s16x8)
WIDEN(i16x8, i8x16, u, u8x8, u16x8)
WIDEN(i32x4, i16x8, s, s16x4, s32x4)
WIDEN(i32x4, i16x8, u, u16x4, u32x4)
WIDEN(i64x2, i32x4, s, s32x2, s64x2)
WIDEN(i64x2, i32x4, u, u32x2, u64x2)

/* Sums of neighbours: the even lanes plus the odd ones, each in its wider lane. */
UNARY(i16x8_extadd_pairwise_i8x16_s, s16x8, ((s16x8)((u16x8)x << 8) >> 8) + (x >> 8))
UNARY(i16x8_extadd_pairwise_i8x16_u, u16x8, (x & 0xff) + (x >> 8))
UNARY(i32x4_extadd_pairwise_i16x8_s, s32x4, ((s32x4)((u32x4)x << 16) >> 16) + (x >> 16))
UNARY(i32x4_extadd_pairwise_i16x8_u, u32x4, (x & 0xffff) + (x >> 16))

/* Over all lanes */

INLINE u32 v128_any_true(v128 x)
{
#if SSE
	return !_mm_testz_si128(I(x), I(x));
#else
	return (x[0] | x[1]) != 0;
#endif
}

#define ALL_TRUE(shape, type)                                \
	INLINE u32 shape##_all_true(v128 x)                  \
	{                                                    \
		return !v128_any_true((v128)((type)x == 0)); \
	}
ALL_TRUE(i8x16, u8x16)
ALL_TRUE(i16x8, u16x8)
ALL_TRUE(i32x4, u32x4)
ALL_TRUE(i64x2, u64x2)

#if SSE
INLINE u32 i8x16_bitmask(v128 x)
{
	return (u32)_mm_movemask_epi8(I(x));
}
INLINE u32 i16x8_bitmask(v128 x)
{
	return (u32)_mm_movemask_epi8(_mm_packs_epi16(I(x), _mm_setzero_si128()));
}
INLINE u32 i32x4_bitmask(v128 x)
{
	return (u32)_mm_movemask_ps(F(x));
}
INLINE u32 i64x2_bitmask(v128 x)
{
	return (u32)_mm_movemask_pd(D(x));
}
#else
#define BITMASK(shape, type, lanes)                           \
	INLINE u32 shape##_bitmask(v128 x)                    \
	{                                                     \
		u32 mask = 0;                                 \
		for (u32 i = 0; i < lanes; i++)               \
			mask |= (u32)(((type)x)[i] < 0) << i; \
		return mask;                                  \
	}
BITMASK(i8x16, s8x16, 16)
BITMASK(i16x8, s16x8, 8)
BITMASK(i32x4, s32x4, 4)
BITMASK(i64x2, s64x2, 2)
#endif

/* Bits of each byte, by counting in ever wider fields. */
INLINE v128 i8x16_popcnt(v128 x_)
{
	u8x16 x = (u8x16)x_;
	x -= (u8x16)i8x16_shr_u((v128)x, 1) & 0x55;
	x = (x & 0x33) + ((u8x16)i8x16_shr_u((v128)x, 2) & 0x33);
	x = (x + (u8x16)i8x16_shr_u((v128)x, 4)) & 0x0f;
	return (v128)x;
}

/* Floating point */

#define FLOAT_ARITHMETIC(shape, bits, sign)                     \
	BINARY(shape##_add, shape, x + y)                       \
	BINARY(shape##_sub, shape, x - y)                       \
	BINARY(shape##_mul, shape, x *y)                        \
	BINARY(shape##_div, shape, x / y)                       \
	UNARY(shape##_neg, bits, x ^ (sign))                    \
	UNARY(shape##_abs, bits, x & ~(sign))                   \
	BINARY(shape##_pmin, shape, CHOOSE(shape, y < x, y, x)) \
	BINARY(shape##_pmax, shape, CHOOSE(shape, x < y, y, x))
FLOAT_ARITHMETIC(f32x4, u32x4, 0x80000000u)
FLOAT_ARITHMETIC(f64x2, u64x2, 0x8000000000000000u)

/* In vectors, always by a choice. */
#define HAS_NAN_f32x4(x) 1
#define HAS_NAN_f64x2(x) 1
#define CANON_f32x4(x) CHOOSE(v128, (f32x4)(x) == (f32x4)(x), x, f32x4_splat(CANONICAL_f32))
#define CANON_f64x2(x) CHOOSE(v128, (f64x2)(x) == (f64x2)(x), x, f64x2_splat(CANONICAL_f64))

/*
 * The instructions for minimum and maximum return their second operand for zeros and for NaN;
 * so each is done both ways round, and what differs is put right: of two zeros the right sign,
 * of anything with a NaN a quiet NaN.
 */
#if SSE
#define FLOAT_MIN_MAX(shape, vector, cast, suffix, shift)                             \
	INLINE v128 shape##_min(v128 x, v128 y)                                       \
	{                                                                             \
		vector a = _mm_min_##suffix(cast(x), cast(y));                        \
		vector b = _mm_min_##suffix(cast(y), cast(x));                        \
		vector either = _mm_or_##suffix(a, b);                                \
		vector nan = _mm_cmpunord_##suffix(a, b);                             \
		return CHOOSE(v128, nan, _mm_add_##suffix(cast(x), cast(y)), either); \
	}                                                                             \
	INLINE v128 shape##_max(v128 x, v128 y)                                       \
	{                                                                             \
		vector a = _mm_max_##suffix(cast(x), cast(y));                        \
		vector b = _mm_max_##suffix(cast(y), cast(x));                        \
		vector both = _mm_and_##suffix(a, b);                                 \
		vector nan = _mm_cmpunord_##suffix(a, b);                             \
		return CHOOSE(v128, nan, _mm_add_##suffix(cast(x), cast(y)), both);   \
	}
FLOAT_MIN_MAX(f32x4, __m128, F, ps, 10)
FLOAT_MIN_MAX(f64x2, __m128d, D, pd, 13)
UNARY(f32x4_sqrt, v128, _mm_sqrt_ps(F(x)))
UNARY(f64x2_sqrt, v128, _mm_sqrt_pd(D(x)))
UNARY(f32x4_nearest, v128, _mm_round_ps(F(x), 8))
UNARY(f32x4_floor, v128, _mm_round_ps(F(x), 9))
UNARY(f32x4_ceil, v128, _mm_round_ps(F(x), 10))
UNARY(f32x4_trunc, v128, _mm_round_ps(F(x), 11))
UNARY(f64x2_nearest, v128, _mm_round_pd(D(x), 8))
UNARY(f64x2_floor, v128, _mm_round_pd(D(x), 9))
UNARY(f64x2_ceil, v128, _mm_round_pd(D(x), 10))
UNARY(f64x2_trunc, v128, _mm_round_pd(D(x), 11))
#else
#define BY_LANE(name, shape, lanes, lane_function)  \
	INLINE v128 name(v128 x_)                   \
	{                                           \
		shape x = (shape)x_;                \
		for (u32 i = 0; i < lanes; i++)     \
			x[i] = lane_function(x[i]); \
		return (v128)x;                     \
	}
#define BY_LANES(name, shape, lanes, lane_function)       \
	INLINE v128 name(v128 x_, v128 y_)                \
	{                                                 \
		shape x = (shape)x_, y = (shape)y_;       \
		for (u32 i = 0; i < lanes; i++)           \
			x[i] = lane_function(x[i], y[i]); \
		return (v128)x;                           \
	}
#define FLOAT_BY_LANE(shape, lane, lanes)                      \
	BY_LANES(shape##_min, shape, lanes, lane##_min)        \
	BY_LANES(shape##_max, shape, lanes, lane##_max)        \
	BY_LANE(shape##_sqrt, shape, lanes, lane##_sqrt)       \
	BY_LANE(shape##_nearest, shape, lanes, lane##_nearest) \
	BY_LANE(shape##_floor, shape, lanes, lane##_floor)     \
	BY_LANE(shape##_ceil, shape, lanes, lane##_ceil)       \
	BY_LANE(shape##_trunc, shape, lanes, lane##_trunc)
FLOAT_BY_LANE(f32x4, f32, 4)
FLOAT_BY_LANE(f64x2, f64, 2)
#endif

/* Conversions */

UNARY(f32x4_convert_i32x4_s, s32x4, CONVERT(x, f32x4))
UNARY(f64x2_convert_low_i32x4_s, v128, CONVERT(LOW(s32x2, x), f64x2))
UNARY(f64x2_convert_low_i32x4_u, v128, CONVERT(LOW(u32x2, x), f64x2))
UNARY(f64x2_promote_low_f32x4, v128, CONVERT(LOW(f32x2, x), f64x2))

INLINE v128 f32x4_convert_i32x4_u(v128 x_)
{
	u32x4 x = (u32x4)x_;
	return (v128)(f32x4){(f32)x[0], (f32)x[1], (f32)x[2], (f32)x[3]};
}
INLINE v128 f32x4_demote_f64x2_zero(v128 x_)
{
	f64x2 x = (f64x2)x_;
	return (v128)(f32x4){(f32)x[0], (f32)x[1], 0, 0};
}

/* Where the instruction would give its one answer for all that does not fit, choose by comparison. */
INLINE v128 i32x4_trunc_sat_f32x4_s(v128 x_)
{
	f32x4 x = (f32x4)x_;
#if SSE
	u32x4 converted = (u32x4)_mm_cvttps_epi32(F(x));
	u32x4 flipped = converted ^ (u32x4)(x >= 0x1p31f);
	return (v128)(flipped & (u32x4)(x == x));
#else
	return (v128)(u32x4){i32_trunc_sat_f32_s(x[0]), i32_trunc_sat_f32_s(x[1]), i32_trunc_sat_f32_s(x[2]),
	                     i32_trunc_sat_f32_s(x[3])};
#endif
}
INLINE v128 i32x4_trunc_sat_f32x4_u(v128 x_)
{
	f32x4 x = (f32x4)x_;
	return (v128)(u32x4){i32_trunc_sat_f32_u(x[0]), i32_trunc_sat_f32_u(x[1]), i32_trunc_sat_f32_u(x[2]),
	                     i32_trunc_sat_f32_u(x[3])};
}
INLINE v128 i32x4_trunc_sat_f64x2_s_zero(v128 x_)
{
	f64x2 x = (f64x2)x_;
	return (v128)(u32x4){i32_trunc_sat_f64_s(x[0]), i32_trunc_sat_f64_s(x[1]), 0, 0};
}
INLINE v128 i32x4_trunc_sat_f64x2_u_zero(v128 x_)
{
	f64x2 x = (f64x2)x_;
	return (v128)(u32x4){i32_trunc_sat_f64_u(x[0]), i32_trunc_sat_f64_u(x[1]), 0, 0};
}

#endif
