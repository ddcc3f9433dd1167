/*
 * What translated code is written in: the second part of every translation unit, behind
 * cell_abi.h and before the module's own code. Compiled with the cell, never into Cella.
 *
 * Every instruction without an expression in opcodes.c has a function or macro here that bears
 * its name. Instructions that may trap take the instance, those with an address take the linear
 * memory, first. The address of an access is the 32-bit index plus the 32-bit offset, so it lies
 * in the 8 GiB + 64 KiB that the host reserves, and what is not accessible faults: no access is
 * checked here. With a memory of 64-bit addresses (MEMORY64) each is.
 */
#ifndef WASM_PRELUDE_H
#define WASM_PRELUDE_H

#include "wasm/cell_abi.h"

typedef int8_t s8;
typedef uint8_t u8;
typedef int16_t s16;
typedef uint16_t u16;
typedef int32_t s32;
typedef uint32_t u32;
typedef int64_t s64;
typedef uint64_t u64;
typedef float f32;
typedef double f64;
typedef u32 ref;
#if defined(MEMORY64)
typedef u64 address; /* in the linear memory */
#else
typedef u32 address;
#endif

/* The same at any address. */
#define ANYWHERE __attribute__((aligned(1), may_alias))
typedef s8 s8_at ANYWHERE;
typedef u8 u8_at ANYWHERE;
typedef s16 s16_at ANYWHERE;
typedef u16 u16_at ANYWHERE;
typedef s32 s32_at ANYWHERE;
typedef u32 u32_at ANYWHERE;
typedef u64 u64_at ANYWHERE;
typedef ref ref_at ANYWHERE;
typedef f32 f32_at ANYWHERE;
typedef f64 f64_at ANYWHERE;
typedef u8 u8x16 __attribute__((vector_size(16)));
typedef u8x16 u8x16_at ANYWHERE;

/*
 * FUNCTION: one of the module's; kept as it is, so that a backtrace can name it.
 * LEAF: one so small, and unable to trap, that it may vanish in its callers.
 * COPY: a leaf of another unit, for callers in this one.
 * GLUE: code that is not the module's. It lies outside of the section wasm_text, whose end linkers tell.
 * STUB: such code that the module's functions call.
 * SHARED: what the units of a module have in common, if it is divided; UNIT is this one's number then.
 */
#if defined(UNIT)
#define SHARED __attribute__((visibility("hidden")))
#else
#define SHARED static
#endif
#if defined(__clang__)
#define FUNCTION SHARED __attribute__((used, noinline, section("wasm_text")))
#else
#define FUNCTION SHARED __attribute__((used, noinline, noclone, section("wasm_text")))
#endif
#define LEAF SHARED __attribute__((used, section("wasm_text")))
#define COPY extern inline __attribute__((gnu_inline, visibility("hidden")))
#define STUB SHARED __attribute__((noinline, unused, section(".text.unlikely")))
#define GLUE static __attribute__((noinline, unused, section(".text.unlikely")))
#define INLINE static inline __attribute__((always_inline, unused))
#define PUBLIC __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Values the compiler must have, whatever becomes of them; and values it must not look into. */
#if defined(__x86_64__)
#define VECTOR_REGISTER "x"
#else
#define VECTOR_REGISTER "w"
#endif
#define KEEP(x) __asm__ volatile("" : : "r"(x))
#define KEEP_VECTOR(x) __asm__ volatile("" : : VECTOR_REGISTER(x))
#define OPAQUE(type, x)                                     \
	({                                                  \
		type opaque_ = (x);                         \
		__asm__("" : "+" VECTOR_REGISTER(opaque_)); \
		opaque_;                                    \
	})

/* A constant, or what constants become, with which gcc computes (-fsignaling-nans) and clang may not. */
#if defined(__clang__)
#define EXACT(type, x) OPAQUE(type, x)
#else
#define EXACT(type, x) (x)
#endif

__attribute__((noreturn, cold)) GLUE void trap(struct cell_instance *instance, u32 reason)
{
	instance->host->trap(instance, reason);
}

/* Integers */

INLINE u32 i32_clz(u32 x)
{
	return x ? (u32)__builtin_clz(x) : 32;
}
INLINE u32 i32_ctz(u32 x)
{
	return x ? (u32)__builtin_ctz(x) : 32;
}
INLINE u64 i64_clz(u64 x)
{
	return x ? (u64)__builtin_clzll(x) : 64;
}
INLINE u64 i64_ctz(u64 x)
{
	return x ? (u64)__builtin_ctzll(x) : 64;
}

/* Written out, so that no processor needs a library's function for it. */
INLINE u64 i64_popcnt(u64 x)
{
#if defined(__POPCNT__)
	return (u64)__builtin_popcountll(x);
#else
	x -= x >> 1 & 0x5555555555555555u;
	x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
	return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu) * 0x0101010101010101u >> 56;
#endif
}
INLINE u32 i32_popcnt(u32 x)
{
	return (u32)i64_popcnt(x);
}

/* A function with a body that the translator knows (translate_idiom.c). */
INLINE u64 i64_mul_high(u64 x, u64 y)
{
	return (u64)((unsigned __int128)x * y >> 64);
}

#define DIVIDE(name, type, signed_type, least)                                        \
	INLINE type name##_div_s(struct cell_instance *instance, type x, type y)      \
	{                                                                             \
		if (UNLIKELY(y == 0))                                                 \
			trap(instance, CELL_TRAP_DIVIDE_BY_ZERO);                     \
		if (UNLIKELY(x == (least) && y == (type) - 1))                        \
			trap(instance, CELL_TRAP_INTEGER_OVERFLOW);                   \
		return (type)((signed_type)x / (signed_type)y);                       \
	}                                                                             \
	INLINE type name##_div_u(struct cell_instance *instance, type x, type y)      \
	{                                                                             \
		if (UNLIKELY(y == 0))                                                 \
			trap(instance, CELL_TRAP_DIVIDE_BY_ZERO);                     \
		return x / y;                                                         \
	}                                                                             \
	INLINE type name##_rem_s(struct cell_instance *instance, type x, type y)      \
	{                                                                             \
		if (UNLIKELY(y == 0))                                                 \
			trap(instance, CELL_TRAP_DIVIDE_BY_ZERO);                     \
		return y == (type) - 1 ? 0 : (type)((signed_type)x % (signed_type)y); \
	}                                                                             \
	INLINE type name##_rem_u(struct cell_instance *instance, type x, type y)      \
	{                                                                             \
		if (UNLIKELY(y == 0))                                                 \
			trap(instance, CELL_TRAP_DIVIDE_BY_ZERO);                     \
		return x % y;                                                         \
	}
DIVIDE(i32, u32, s32, 0x80000000u)
DIVIDE(i64, u64, s64, 0x8000000000000000u)

/* Floating point */

#define REINTERPRET(name, from, to) \
	INLINE to name(from x)      \
	{                           \
		union {             \
			from in;    \
			to out;     \
		} both = {.in = x}; \
		return both.out;    \
	}
REINTERPRET(i32_reinterpret_f32, f32, u32)
REINTERPRET(i64_reinterpret_f64, f64, u64)
REINTERPRET(f32_reinterpret_i32, u32, f32)
REINTERPRET(f64_reinterpret_i64, u64, f64)

/* An instruction, not a call, for each: SSE 4.1 rounds as it is told, others as the mode is, to nearest. */
#if defined(__SSE4_1__)
typedef f32 f32x4_round __attribute__((vector_size(16)));
typedef f64 f64x2_round __attribute__((vector_size(16)));
#define ROUND(op, mode, other)                                      \
	INLINE f32 f32_##op(f32 x)                                  \
	{                                                           \
		f32x4_round v = {x};                                \
		return __builtin_ia32_roundss(v, v, (mode) | 8)[0]; \
	}                                                           \
	INLINE f64 f64_##op(f64 x)                                  \
	{                                                           \
		f64x2_round v = {x};                                \
		return __builtin_ia32_roundsd(v, v, (mode) | 8)[0]; \
	}
#else
#define ROUND(op, mode, other)                  \
	INLINE f32 f32_##op(f32 x)              \
	{                                       \
		return __builtin_##other##f(x); \
	}                                       \
	INLINE f64 f64_##op(f64 x)              \
	{                                       \
		return __builtin_##other(x);    \
	}
#endif
ROUND(nearest, 0, nearbyint)
ROUND(floor, 1, floor)
ROUND(ceil, 2, ceil)
ROUND(trunc, 3, trunc)

/* The smaller of two NaNs is a NaN, the smaller of two zeros the negative one. */
#define FLOAT(t, bits, suffix)                                                        \
	INLINE t t##_abs(t x)                                                         \
	{                                                                             \
		return __builtin_fabs##suffix(x);                                     \
	}                                                                             \
	INLINE t t##_sqrt(t x)                                                        \
	{                                                                             \
		return __builtin_sqrt##suffix(x);                                     \
	}                                                                             \
	INLINE t t##_copysign(t x, t y)                                               \
	{                                                                             \
		return __builtin_copysign##suffix(x, y);                              \
	}                                                                             \
	INLINE t t##_min(t x, t y)                                                    \
	{                                                                             \
		if (UNLIKELY(x != x || y != y))                                       \
			return x + y;                                                 \
		if (UNLIKELY(x == y))                                                 \
			return t##_reinterpret_i##bits(i##bits##_reinterpret_##t(x) | \
			                               i##bits##_reinterpret_##t(y)); \
		return x < y ? x : y;                                                 \
	}                                                                             \
	INLINE t t##_max(t x, t y)                                                    \
	{                                                                             \
		if (UNLIKELY(x != x || y != y))                                       \
			return x + y;                                                 \
		if (UNLIKELY(x == y))                                                 \
			return t##_reinterpret_i##bits(i##bits##_reinterpret_##t(x) & \
			                               i##bits##_reinterpret_##t(y)); \
		return x > y ? x : y;                                                 \
	}
FLOAT(f32, 32, f)
FLOAT(f64, 64, )

/* Of a variable that may hold a computed NaN (translate_nan.c). By a branch, which costs no time in a
 * chain of computations; by a choice where it is stored, for that can be vectorised. */
#define CANONICAL_f32 f32_reinterpret_i32(0x7fc00000u)
#define CANONICAL_f64 f64_reinterpret_i64(0x7ff8000000000000u)
#if defined(CANONICAL_NANS)
#define CANON(shape, x)                           \
	do                                        \
		if (UNLIKELY(HAS_NAN_##shape(x))) \
			CANON_STORED(shape, x);   \
	while (0)
#define CANON_STORED(shape, x) ((x) = CANON_##shape(x))
#define HAS_NAN_f32(x) ((x) != (x))
#define HAS_NAN_f64(x) ((x) != (x))
#define CANON_f32(x) ((x) == (x) ? (x) : CANONICAL_f32)
#define CANON_f64(x) ((x) == (x) ? (x) : CANONICAL_f64)
#else
#define CANON(shape, x) ((void)0)
#define CANON_STORED(shape, x) ((void)0)
#endif

/* Back from the wider type, it must not be taken for what it was before: a signaling NaN is quiet now. */
INLINE f32 f32_demote_f64(f64 x)
{
	return (f32)OPAQUE(f64, x);
}

/* Truncation to an integer; `in` is false for what has no place in the integer's range, and for NaN. */
#define TRUNCATE(to, source, from, type, via, in, least, greatest)                                  \
	INLINE type to##_trunc_##source(struct cell_instance *instance, from x)                     \
	{                                                                                           \
		if (UNLIKELY(!(in)))                                                                \
			trap(instance, x != x ? CELL_TRAP_CONVERSION : CELL_TRAP_INTEGER_OVERFLOW); \
		return (type)(via)x;                                                                \
	}                                                                                           \
	INLINE type to##_trunc_sat_##source(from x)                                                 \
	{                                                                                           \
		if (in)                                                                             \
			return (type)(via)x;                                                        \
		return x != x ? 0 : x < 0 ? (type)(least) : (type)(greatest);                       \
	}
#define LEAST_32 0x80000000u
#define LEAST_64 0x8000000000000000u
TRUNCATE(i32, f32_s, f32, u32, s32, x >= -0x1p31f && x < 0x1p31f, LEAST_32, LEAST_32 - 1)
TRUNCATE(i32, f32_u, f32, u32, u32, x > -1.0f && x < 0x1p32f, 0, (u32)-1)
TRUNCATE(i32, f64_s, f64, u32, s32, x > -2147483649.0 && x < 0x1p31, LEAST_32, LEAST_32 - 1)
TRUNCATE(i32, f64_u, f64, u32, u32, x > -1.0 && x < 0x1p32, 0, (u32)-1)
TRUNCATE(i64, f32_s, f32, u64, s64, x >= -0x1p63f && x < 0x1p63f, LEAST_64, LEAST_64 - 1)
TRUNCATE(i64, f32_u, f32, u64, u64, x > -1.0f && x < 0x1p64f, 0, (u64)-1)
TRUNCATE(i64, f64_s, f64, u64, s64, x >= -0x1p63 && x < 0x1p63, LEAST_64, LEAST_64 - 1)
TRUNCATE(i64, f64_u, f64, u64, u64, x > -1.0 && x < 0x1p64, 0, (u64)-1)

/* Linear memory */

#if defined(MEMORY64)
/* Nothing reaches beyond the sum of index, offset and size, which must neither overflow nor pass the end. */
INLINE u8 *checked_at(struct cell_instance *instance, u8 *memory, u64 index, u64 offset, u64 size)
{
	u64 reach, end;
	if (UNLIKELY(__builtin_add_overflow(offset, size, &reach) ||
	             __builtin_add_overflow(index, reach, &end) || end > instance->memory_size))
		trap(instance, CELL_TRAP_MEMORY);
	return memory + index + offset;
}
#define AT(memory, index, offset, size) checked_at(instance, memory, index, offset, size)
#else
#define AT(memory, index, offset, size) ((memory) + (u64)(index) + (offset))
#endif
#define LOAD(type, memory, index, offset) (*(const type##_at *)AT(memory, index, offset, sizeof(type)))
#define STORE(type, memory, index, value, offset) \
	(*(type##_at *)AT(memory, index, offset, sizeof(type)) = (type)(value))

#define i32_load(memory, i, offset) LOAD(u32, memory, i, offset)
#define i64_load(memory, i, offset) LOAD(u64, memory, i, offset)
#define f32_load(memory, i, offset) LOAD(f32, memory, i, offset)
#define f64_load(memory, i, offset) LOAD(f64, memory, i, offset)
#define i32_load8_s(memory, i, offset) ((u32)LOAD(s8, memory, i, offset))
#define i32_load8_u(memory, i, offset) LOAD(u8, memory, i, offset)
#define i32_load16_s(memory, i, offset) ((u32)LOAD(s16, memory, i, offset))
#define i32_load16_u(memory, i, offset) LOAD(u16, memory, i, offset)
#define i64_load8_s(memory, i, offset) ((u64)LOAD(s8, memory, i, offset))
#define i64_load8_u(memory, i, offset) LOAD(u8, memory, i, offset)
#define i64_load16_s(memory, i, offset) ((u64)LOAD(s16, memory, i, offset))
#define i64_load16_u(memory, i, offset) LOAD(u16, memory, i, offset)
#define i64_load32_s(memory, i, offset) ((u64)LOAD(s32, memory, i, offset))
#define i64_load32_u(memory, i, offset) LOAD(u32, memory, i, offset)
#define i32_store(memory, i, value, offset) STORE(u32, memory, i, value, offset)
#define i64_store(memory, i, value, offset) STORE(u64, memory, i, value, offset)
#define f32_store(memory, i, value, offset) STORE(f32, memory, i, value, offset)
#define f64_store(memory, i, value, offset) STORE(f64, memory, i, value, offset)
#define i32_store8(memory, i, value, offset) STORE(u8, memory, i, value, offset)
#define i32_store16(memory, i, value, offset) STORE(u16, memory, i, value, offset)
#define i64_store8(memory, i, value, offset) STORE(u8, memory, i, value, offset)
#define i64_store16(memory, i, value, offset) STORE(u16, memory, i, value, offset)
#define i64_store32(memory, i, value, offset) STORE(u32, memory, i, value, offset)

INLINE address memory_size(struct cell_instance *instance)
{
	return (address)(instance->memory_size / CELL_PAGE_SIZE);
}

INLINE address memory_grow(struct cell_instance *instance, address pages)
{
	return (address)instance->host->memory_grow(instance, pages);
}

/* Is [at, at + size) within `limit`? */
INLINE u32 within(u64 at, u64 size, u64 limit)
{
	return at <= limit && size <= limit - at;
}

/*
 * Most copies and fills are of few bytes: those take no call of the host, but two to four moves, which
 * overlap where the size is between. What is copied is loaded whole before any of it is stored.
 */
enum { LITTLE = 64 };

#define MOVE_ENDS(type)                                                       \
	do {                                                                  \
		type first = *(const type##_at *)from,                        \
		     last = *(const type##_at *)(from + size - sizeof(type)); \
		*(type##_at *)to = first;                                     \
		*(type##_at *)(to + size - sizeof(type)) = last;              \
	} while (0)
#define FILL_ENDS(type, value)                                      \
	do {                                                        \
		*(type##_at *)to = (value);                         \
		*(type##_at *)(to + size - sizeof(type)) = (value); \
	} while (0)

INLINE void copy_little(u8 *to, const u8 *from, u64 size)
{
	if (size > 2 * sizeof(u8x16)) {
		u8x16 second = *(const u8x16_at *)(from + 16), third = *(const u8x16_at *)(from + size - 32);
		MOVE_ENDS(u8x16);
		*(u8x16_at *)(to + 16) = second;
		*(u8x16_at *)(to + size - 32) = third;
	} else if (size >= sizeof(u8x16)) {
		MOVE_ENDS(u8x16);
	} else if (size >= sizeof(u64)) {
		MOVE_ENDS(u64);
	} else if (size >= sizeof(u32)) {
		MOVE_ENDS(u32);
	} else if (size) {
		u8 middle = from[size / 2];
		MOVE_ENDS(u8);
		to[size / 2] = middle;
	}
}

INLINE void fill_little(u8 *to, u8 byte, u64 size)
{
	u8x16 block = (u8x16){0} + byte;
	u64 bytes = byte * 0x0101010101010101u;
	if (size > 2 * sizeof(u8x16)) {
		*(u8x16_at *)(to + 16) = block;
		*(u8x16_at *)(to + size - 32) = block;
		FILL_ENDS(u8x16, block);
	} else if (size >= sizeof(u8x16)) {
		FILL_ENDS(u8x16, block);
	} else if (size >= sizeof(u64)) {
		FILL_ENDS(u64, bytes);
	} else if (size >= sizeof(u32)) {
		FILL_ENDS(u32, (u32)bytes);
	} else if (size) {
		to[size / 2] = byte;
		FILL_ENDS(u8, byte);
	}
}

GLUE void memory_copy(struct cell_instance *instance, address to, address from, address size)
{
	if (!within(to, size, instance->memory_size) || !within(from, size, instance->memory_size))
		trap(instance, CELL_TRAP_MEMORY);
	if (size <= LITTLE)
		copy_little(instance->memory + to, instance->memory + from, size);
	else
		instance->host->memmove(instance->memory + to, instance->memory + from, size);
}

GLUE void memory_fill(struct cell_instance *instance, address to, u32 byte, address size)
{
	if (!within(to, size, instance->memory_size))
		trap(instance, CELL_TRAP_MEMORY);
	if (size <= LITTLE)
		fill_little(instance->memory + to, (u8)byte, size);
	else
		instance->host->memset(instance->memory + to, (int)(byte & 0xff), size);
}

GLUE void memory_init(struct cell_instance *instance, u32 segment, u8 dropped, address to, u32 from, u32 size)
{
	u64 limit = dropped ? 0 : instance->segments[segment].size;
	if (!within(to, size, instance->memory_size) || !within(from, size, limit))
		trap(instance, CELL_TRAP_MEMORY);
	if (size)
		instance->host->memmove(instance->memory + to, instance->segments[segment].data + from, size);
}

/* Tables: of functions by index, of the host's references; never of pointers. */

struct table {
	u32 size;
	u32 elements[];
};

/* What other instances own. */
#define LINKED_GLOBAL(type, number) (*(type *)instance->links[number])
#define LINKED_TABLE(number) ((const struct cell_table *)instance->links[number])

INLINE u32 callee_index(struct cell_instance *instance, const struct table *t, u32 index,
                        const struct cell_code *functions, u32 function_count, u32 type)
{
	if (UNLIKELY(index >= t->size))
		trap(instance, CELL_TRAP_TABLE);
	u32 function = t->elements[index];
	if (UNLIKELY(function >= function_count))
		trap(instance, CELL_TRAP_NULL_FUNCTION);
	if (UNLIKELY(functions[function].type != type))
		trap(instance, CELL_TRAP_SIGNATURE);
	return function;
}

INLINE const void *callee(struct cell_instance *instance, const struct table *t, u32 index,
                          const struct cell_code *functions, u32 function_count, u32 type)
{
	return functions[callee_index(instance, t, index, functions, function_count, type)].code;
}

/* Of struct state. */
#define LAYOUT(member, at) \
	_Static_assert(__builtin_offsetof(struct state, member) == (at), "layout of the state")

INLINE ref table_get(struct cell_instance *instance, const struct table *t, u32 index)
{
	if (UNLIKELY(index >= t->size))
		trap(instance, CELL_TRAP_TABLE);
	return t->elements[index];
}

INLINE void table_set(struct cell_instance *instance, struct table *t, u32 index, ref value)
{
	if (UNLIKELY(index >= t->size))
		trap(instance, CELL_TRAP_TABLE);
	t->elements[index] = value;
}

GLUE u32 table_grow(struct table *t, u32 most, ref value, u32 count)
{
	u32 size = t->size;
	if (count > most - size)
		return (u32)-1;
	for (u32 i = 0; i < count; i++)
		t->elements[size + i] = value;
	t->size = size + count;
	return size;
}

GLUE void table_fill(struct cell_instance *instance, struct table *t, u32 to, ref value, u32 count)
{
	if (!within(to, count, t->size))
		trap(instance, CELL_TRAP_TABLE);
	for (u32 i = 0; i < count; i++)
		t->elements[to + i] = value;
}

GLUE void table_copy(struct cell_instance *instance, struct table *t, const struct table *source, u32 to,
                     u32 from, u32 count)
{
	if (!within(to, count, t->size) || !within(from, count, source->size))
		trap(instance, CELL_TRAP_TABLE);
	instance->host->memmove(&t->elements[to], &source->elements[from], (u64)count * sizeof(u32));
}

GLUE void table_init(struct cell_instance *instance, struct table *t, const u32 *segment, u32 segment_size,
                     u32 to, u32 from, u32 count)
{
	if (!within(to, count, t->size) || !within(from, count, segment_size))
		trap(instance, CELL_TRAP_TABLE);
	for (u32 i = 0; i < count; i++)
		t->elements[to + i] = segment[from + i];
}

/*
 * A function that makes tail calls: arguments and results in v. It goes on in another one, or returns
 * NULL: by a jump where the compiler can be told to make one, otherwise by returning it to the loop.
 */
typedef const void *tail_function(struct cell_instance *instance, union cell_value *v);
#if __has_attribute(musttail)
#define GO_ON(code) __attribute__((musttail)) return ((tail_function *)(code))(instance, v)
#else
#define GO_ON(code) return code
#endif

INLINE void run_tail_calls(struct cell_instance *instance, const void *code, union cell_value *v)
{
	do
		code = ((tail_function *)code)(instance, v);
	while (code);
}

/* Exceptions: a value that one carries, by its word. */
#define THROWN(type, exception, word) (*(type##_at *)&(exception).values[word])

/* References that modules share */

INLINE u32 same_text(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

GLUE struct cell_target callee_anywhere(struct cell_instance *instance, const struct table *t, u32 index,
                                        const struct cell_code *functions, u32 function_count, u32 type,
                                        const char *signature)
{
	struct cell_target target = {.instance = instance};
	if (UNLIKELY(index >= t->size))
		trap(instance, CELL_TRAP_TABLE);
	u32 reference = t->elements[index], own = reference - instance->first_reference;
	if (UNLIKELY(reference == CELL_NO_FUNCTION))
		trap(instance, CELL_TRAP_NULL_FUNCTION);
	if (own < function_count) {
		if (UNLIKELY(functions[own].type != type))
			trap(instance, CELL_TRAP_SIGNATURE);
		target.code = functions[own].code;
		return target;
	}
	instance->host->resolve(instance, reference, &target);
	if (UNLIKELY(!same_text(target.signature, signature)))
		trap(instance, CELL_TRAP_SIGNATURE);
	return target;
}

/* Behind a call: no exception leaves its module. */
INLINE void check_target(struct cell_instance *instance, const struct cell_target *target)
{
	if (!target->thrown || !*target->thrown)
		return;
	*target->thrown = 0;
	trap(instance, CELL_TRAP_EXCEPTION);
}

/* From functions' indices, and null, to references. */
GLUE void fill_elements(struct cell_instance *instance, u32 *to, const u32 *from, u32 count)
{
	for (u32 i = 0; i < count; i++)
		to[i] = from[i] == CELL_NO_FUNCTION ? CELL_NO_FUNCTION : instance->first_reference + from[i];
}

#endif
