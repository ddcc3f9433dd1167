/*
 * The atomic instructions, included in a translation unit only if the module uses them.
 *
 * All are sequentially consistent, on any memory, whether or not it is marked shared; an address that
 * is no multiple of the access's size traps. The lock-free instructions of the processor fault where
 * others do. Waiting and waking are the host's (cell_host), which other instances on the same
 * memory share.
 */
#ifndef WASM_PRELUDE_ATOMIC_H
#define WASM_PRELUDE_ATOMIC_H

#include "wasm/prelude.h"

INLINE void *atomic_at(struct cell_instance *instance, u8 *memory, address index, address offset, u32 size)
{
	u8 *at = AT(memory, index, offset, size);
	if (UNLIKELY((u64)(at - memory) & (size - 1)))
		trap(instance, CELL_TRAP_UNALIGNED);
	return at;
}

/* Of an access: i64.atomic.load8_u is ATOMIC(load)(i64, 8, _u), u8 in memory and u64 as an operand. */
#define ATOMIC_ARGUMENTS struct cell_instance *instance, u8 *memory, address index
#define ATOMIC_AT(type) ((type *)atomic_at(instance, memory, index, offset, sizeof(type)))
#define ATOMIC_MODIFY(op, builtin, prefix, width, suffix, type, wide)                                   \
	INLINE wide prefix##_atomic_rmw##width##_##op##suffix(ATOMIC_ARGUMENTS, wide x, address offset) \
	{                                                                                               \
		return builtin(ATOMIC_AT(type), (type)x, __ATOMIC_SEQ_CST);                             \
	}
#define ATOMIC(prefix, width, suffix, type, wide)                                                         \
	INLINE wide prefix##_atomic_load##width##suffix(ATOMIC_ARGUMENTS, address offset)                 \
	{                                                                                                 \
		return __atomic_load_n(ATOMIC_AT(type), __ATOMIC_SEQ_CST);                                \
	}                                                                                                 \
	INLINE void prefix##_atomic_store##width(ATOMIC_ARGUMENTS, wide x, address offset)                \
	{                                                                                                 \
		__atomic_store_n(ATOMIC_AT(type), (type)x, __ATOMIC_SEQ_CST);                             \
	}                                                                                                 \
	ATOMIC_MODIFY(add, __atomic_fetch_add, prefix, width, suffix, type, wide)                         \
	ATOMIC_MODIFY(sub, __atomic_fetch_sub, prefix, width, suffix, type, wide)                         \
	ATOMIC_MODIFY(and, __atomic_fetch_and, prefix, width, suffix, type, wide)                         \
	ATOMIC_MODIFY(or, __atomic_fetch_or, prefix, width, suffix, type, wide)                           \
	ATOMIC_MODIFY(xor, __atomic_fetch_xor, prefix, width, suffix, type, wide)                         \
	ATOMIC_MODIFY(xchg, __atomic_exchange_n, prefix, width, suffix, type, wide)                       \
	/* What is expected is narrowed before it is compared. */                                         \
	INLINE wide prefix##_atomic_rmw##width##_cmpxchg##suffix(ATOMIC_ARGUMENTS, wide expected, wide x, \
	                                                         address offset)                          \
	{                                                                                                 \
		type found = (type)expected;                                                              \
		__atomic_compare_exchange_n(ATOMIC_AT(type), &found, (type)x, 0, __ATOMIC_SEQ_CST,        \
		                            __ATOMIC_SEQ_CST);                                            \
		return found;                                                                             \
	}
ATOMIC(i32, , , u32, u32)
ATOMIC(i32, 8, _u, u8, u32)
ATOMIC(i32, 16, _u, u16, u32)
ATOMIC(i64, , , u64, u64)
ATOMIC(i64, 8, _u, u8, u64)
ATOMIC(i64, 16, _u, u16, u64)
ATOMIC(i64, 32, _u, u32, u64)

INLINE void atomic_fence(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Waiting and notifying; neither touches memory that the cell does not have. */
INLINE u64 wait_at(struct cell_instance *instance, u8 *memory, address index, address offset, u32 size)
{
	u64 at = (u64)((u8 *)atomic_at(instance, memory, index, offset, size) - memory);
	if (UNLIKELY(at + size > instance->memory_size))
		trap(instance, CELL_TRAP_MEMORY);
	return at;
}

INLINE u32 memory_atomic_wait32(ATOMIC_ARGUMENTS, u32 expected, u64 timeout_ns, address offset)
{
	u64 at = wait_at(instance, memory, index, offset, 4);
	return instance->host->memory_wait(instance, at, 4, expected, (s64)timeout_ns);
}
INLINE u32 memory_atomic_wait64(ATOMIC_ARGUMENTS, u64 expected, u64 timeout_ns, address offset)
{
	u64 at = wait_at(instance, memory, index, offset, 8);
	return instance->host->memory_wait(instance, at, 8, expected, (s64)timeout_ns);
}
INLINE u32 memory_atomic_notify(ATOMIC_ARGUMENTS, u32 count, address offset)
{
	return instance->host->memory_notify(instance, wait_at(instance, memory, index, offset, 4), count);
}

#endif
