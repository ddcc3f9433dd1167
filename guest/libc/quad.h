/*
 * Arithmetic on the 128-bit format of IEEE 754, under the names by which compilers call it for long double in
 * WebAssembly. Elsewhere (tests/unit/test_quad.c) it has its own names, beside the compiler's.
 */
#ifndef QUAD_H
#define QUAD_H

#include <stdint.h>

#if defined(__wasm__)
#define CALLED(name) __asm__(name)
/* The higher half of a product (mul_high.s): an instruction, once it is machine code. */
uint64_t mul_high(uint64_t x, uint64_t y) CALLED("__cella_mul_high") __attribute__((const));
#else
#define CALLED(name)
static inline uint64_t mul_high(uint64_t x, uint64_t y)
{
	return (uint64_t)((unsigned __int128)x * y >> 64);
}
#endif

struct wide {
	uint64_t low, high;
};

typedef void quad_operation(struct wide *to, uint64_t x_low, uint64_t x_high, uint64_t y_low,
                            uint64_t y_high);
typedef int quad_comparison(uint64_t x_low, uint64_t x_high, uint64_t y_low, uint64_t y_high);

quad_operation quad_multiply CALLED("__multf3");
quad_operation quad_add CALLED("__addtf3");
quad_operation quad_subtract CALLED("__subtf3");
quad_operation quad_divide CALLED("__divtf3");
quad_comparison quad_le CALLED("__letf2");
quad_comparison quad_lt CALLED("__lttf2");
quad_comparison quad_eq CALLED("__eqtf2");
quad_comparison quad_ne CALLED("__netf2");
quad_comparison quad_cmp CALLED("__cmptf2");
quad_comparison quad_ge CALLED("__getf2");
quad_comparison quad_gt CALLED("__gttf2");
quad_comparison quad_unordered CALLED("__unordtf2");
int32_t quad_to_i32(uint64_t low, uint64_t high) CALLED("__fixtfsi");
int64_t quad_to_i64(uint64_t low, uint64_t high) CALLED("__fixtfdi");
uint32_t quad_to_u32(uint64_t low, uint64_t high) CALLED("__fixunstfsi");
uint64_t quad_to_u64(uint64_t low, uint64_t high) CALLED("__fixunstfdi");
void quad_of_i32(struct wide *to, int32_t x) CALLED("__floatsitf");
void quad_of_i64(struct wide *to, int64_t x) CALLED("__floatditf");
void quad_of_u32(struct wide *to, uint32_t x) CALLED("__floatunsitf");
void quad_of_u64(struct wide *to, uint64_t x) CALLED("__floatunditf");
void quad_of_f64(struct wide *to, double x) CALLED("__extenddftf2");
void quad_of_f32(struct wide *to, float x) CALLED("__extendsftf2");
double quad_to_f64(uint64_t low, uint64_t high) CALLED("__trunctfdf2");
float quad_to_f32(uint64_t low, uint64_t high) CALLED("__trunctfsf2");

#endif
