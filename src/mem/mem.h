/*
 * Protected memory.
 *
 * Everything that may hold plaintext of a cell or key material comes from here: linear memories
 * (regions), the stacks that cells and key operations run on, and small allocations (objects,
 * keys, OpenSSL's own). One `mem_pool` per executor; it has one level and one budget.
 *
 * Levels:
 *   MEM_INSECURE_NONE  ordinary memory; stated everywhere as insecure.
 *   MEM_SECRET         memfd_secret(2): out of the kernel's direct map, hence unreadable through
 *                      /proc/PID/mem, process_vm_readv, ptrace, core files and swap.
 *   MEM_PAGED          the same as MEM_SECRET here; linear memories are larger than it, and lie
 *                      encrypted outside of it where they do not fit (page/page.h).
 *
 * Invariants:
 *   - The descriptor of a mapping is closed before the mapping is used (pidfd_getfd(2) reaches
 *     an open one).
 *   - Nothing is reserved against the budget or the locked-memory limit before it is committed,
 *     and nothing is touched before it is used, but for what mem_pool_warm is asked to touch.
 *   - What was touched is wiped when it is released, stays mapped, and is handed out again: a
 *     first touch of a secret page costs about ten times that of an ordinary one.
 *   - A pool serves one session: nothing recycled crosses sessions.
 *   - fork does not inherit it (MADV_DONTFORK); core files omit it (MADV_DONTDUMP).
 *
 * A pool belongs to one thread.
 */
#ifndef MEM_MEM_H
#define MEM_MEM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum mem_level { MEM_INSECURE_NONE, MEM_SECRET, MEM_PAGED, MEM_LEVELS };
enum { MEM_PAGE_SIZE = 4096, MEM_TOUCHED_MAX = 64, MEM_VEIL_GRAIN = 65536 };

/* "insecure-none", "secret", "paged". */
const char *mem_level_name(enum mem_level level);
/* Does it protect at least as well? `paged` shows in what order pages leave and return, `secret` does not. */
bool mem_level_covers(enum mem_level level, enum mem_level demanded);
/* CELLA_EINVAL for an unknown name, with the names there are. */
int mem_level_parse(const char *name, enum mem_level *ret_level, struct error *err) must_check;
/* Can this kernel, with this process's limits, give `size` bytes at `level`? Touches nothing that
 * stays. The error says what forbids it and the remedy. */
int mem_level_check(enum mem_level level, size_t size, struct error *err) must_check;

struct mem_pool;

struct mem_stats {
	size_t budget; /* bytes that may be committed */
	size_t committed; /* bytes mapped readable and writable, idle ones included */
	size_t idle; /* of these, wiped and waiting */
};

/* `budget` bounds what is committed (the job's --heap); at least 1 MiB. */
int mem_pool_new(enum mem_level level, size_t budget, struct mem_pool **ret_pool,
                 struct error *err) must_check;
/* Wipes and unmaps everything that the pool ever gave out. NULL is fine. */
void mem_pool_free(struct mem_pool *pool);
enum mem_level mem_pool_level(const struct mem_pool *pool);
/* For a process that has nothing to do yet: touch one page that mem_alloc will give out later. False when
 * all that is there is touched (an allocation maps 1 MiB at a time). */
bool mem_pool_warm(struct mem_pool *pool);
void mem_pool_stats(const struct mem_pool *pool, struct mem_stats *ret_stats);

/*
 * A linear memory: `base` is page-aligned inside a reservation of `reserved` bytes; [0, size) is
 * readable and writable, the rest faults. `base` never changes while the region lives, and a
 * region that comes back from the pool is zero.
 */
struct mem_region {
	uint8_t *base;
	size_t size;
	size_t reserved;
};
/* `reserve` is address space (8 GiB plus a guard for a 32-bit linear memory), `maximum` the most
 * that it may grow to, `size` what it has at once. */
int mem_region_new(struct mem_pool *pool, size_t reserve, size_t maximum, size_t size,
                   struct mem_region **ret_region, struct error *err) must_check;
/* CELLA_ELIMIT past the maximum or the budget, CELLA_ENOMEM past the kernel's limits. */
int mem_region_grow(struct mem_region *region, size_t size, struct error *err) must_check;
/* Which pages of MEM_PAGE_SIZE in [at, at + size), MEM_TOUCHED_MAX at most, may hold anything but zeros? A
 * bit for each, the lowest for the first. Touches nothing; `at` is a multiple of the kernel's page size. */
uint64_t mem_region_touched(const struct mem_region *region, size_t at, size_t size);
/*
 * A region of which [veil_from, veil_to), multiples of MEM_VEIL_GRAIN below `size`, is veiled: zero, and a
 * touch faults, which is the caller's to answer: it unveils a part and writes what belongs there. What
 * was never unveiled costs nothing when the region is freed, nor when the next one is veiled alike.
 */
struct mem_veiled {
	size_t reserve, maximum, size; /* as mem_region_new's */
	size_t veil_from, veil_to; /* equal: nothing is veiled */
};
int mem_region_new_veiled(struct mem_pool *pool, const struct mem_veiled *shape,
                          struct mem_region **ret_region, struct error *err) must_check;
/* Of a byte of the region. */
bool mem_region_veiled(const struct mem_region *region, size_t at);
/* Parts of the veil, in whole grains: show, or wipe and hide again. Signal handlers may call them. */
int mem_region_unveil(struct mem_region *region, size_t from, size_t to) must_check;
int mem_region_veil(struct mem_region *region, size_t from, size_t to) must_check;
/* Wipes what may have been written and gives it back to the pool. NULL is fine. */
void mem_region_free(struct mem_region *region);

/*
 * Protected allocations of any size: zeroed, 16-byte aligned, wiped when freed. For keys, objects
 * in the clear, staging buffers. NULL when the budget or the kernel gives no more. What
 * mem_realloc adds to an allocation is not promised to be zero. Freeing what was not given out
 * ends the process.
 */
void *mem_alloc(struct mem_pool *pool, size_t size) must_check;
void *mem_realloc(struct mem_pool *pool, void *p, size_t size) must_check;
void mem_free(struct mem_pool *pool, void *p);
/* Did mem_alloc or mem_realloc of this pool give out the allocation at `p`? */
bool mem_owns(const struct mem_pool *pool, const void *p);

/*
 * A protected stack of `size` usable bytes above a guard of 1 MiB. mem_stack_call runs fn(arg) on
 * it and comes back when fn returns; longjmp out of it to a frame on the old stack is allowed.
 * Calls may nest on different stacks. What a call leaves on the stack stays there, protected,
 * until mem_stack_wipe or mem_stack_free.
 */
struct mem_stack {
	uint8_t *low; /* the lowest usable byte */
	uint8_t *high; /* one past the highest */
};
int mem_stack_new(struct mem_pool *pool, size_t size, struct mem_stack **ret_stack,
                  struct error *err) must_check;
void mem_stack_free(struct mem_stack *stack);
void mem_stack_call(struct mem_stack *stack, void (*fn)(void *), void *arg);
/* Not while a call runs on it. */
void mem_stack_wipe(struct mem_stack *stack);

/* Wipe `size` bytes so that the compiler keeps it. */
void mem_wipe(void *p, size_t size);

/*
 * The process's own pool, for code that has no other: OpenSSL's allocations and keys. Set once,
 * early, by a process that handles plaintext; mem_process_pool() is NULL before that.
 */
void mem_set_process_pool(struct mem_pool *pool);
struct mem_pool *mem_process_pool(void);

#endif
