/*
 * Arithmetic on the 128-bit format of IEEE 754, under the names by which compilers call it for long double in
 * WebAssembly. Elsewhere (tests/unit/test_quad.c) it has its own names, beside the compiler's.
 */
#ifndef QUAD_H
#define QUAD_H

#include <stdint.h>

#if defined(__wasm__)
#define CALLED(name) __asm__(name)
typedef long double quad;

/* The higher half of a product (mul_high.s): an instruction, once it is machine code. */
uint64_t mul_high(uint64_t x, uint64_t y) CALLED("__cella_mul_high") __attribute__((const));
#else
#define CALLED(name)
#if defined(__x86_64__)
typedef __float128 quad;
#else
typedef long double quad;
#endif

static inline uint64_t mul_high(uint64_t x, uint64_t y)
{
	return (uint64_t)((unsigned __int128)x * y >> 64);
}
#endif

quad quad_multiply(quad x, quad y) CALLED("__multf3");
quad quad_add(quad x, quad y) CALLED("__addtf3");
quad quad_subtract(quad x, quad y) CALLED("__subtf3");
quad quad_divide(quad x, quad y) CALLED("__divtf3");
int quad_le(quad x, quad y) CALLED("__letf2");
int quad_lt(quad x, quad y) CALLED("__lttf2");
int quad_eq(quad x, quad y) CALLED("__eqtf2");
int quad_ne(quad x, quad y) CALLED("__netf2");
int quad_cmp(quad x, quad y) CALLED("__cmptf2");
int quad_ge(quad x, quad y) CALLED("__getf2");
int quad_gt(quad x, quad y) CALLED("__gttf2");
int quad_unordered(quad x, quad y) CALLED("__unordtf2");
int32_t quad_to_i32(quad x) CALLED("__fixtfsi");
int64_t quad_to_i64(quad x) CALLED("__fixtfdi");
uint32_t quad_to_u32(quad x) CALLED("__fixunstfsi");
uint64_t quad_to_u64(quad x) CALLED("__fixunstfdi");
quad quad_of_i32(int32_t x) CALLED("__floatsitf");
quad quad_of_i64(int64_t x) CALLED("__floatditf");
quad quad_of_u32(uint32_t x) CALLED("__floatunsitf");
quad quad_of_u64(uint64_t x) CALLED("__floatunditf");
quad quad_of_f64(double x) CALLED("__extenddftf2");
quad quad_of_f32(float x) CALLED("__extendsftf2");
double quad_to_f64(quad x) CALLED("__trunctfdf2");
float quad_to_f32(quad x) CALLED("__trunctfsf2");

#endif
