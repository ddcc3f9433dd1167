/*
 * Mappings of one protection level: the only code that asks the kernel for protected memory.
 *
 * A reservation is address space without memory behind it. Parts of it are then backed, in pieces
 * that never cross a multiple of MAPPING_GRID from the reservation's base: each piece is a memory
 * file of its own, whose pages the kernel clears and frees only when the whole piece is unmapped.
 * So what is unmapped before the reservation itself goes must begin at a multiple of the grid.
 *
 * A claim is address space where nothing is mapped at all but what is put there. A mapping that comes
 * or goes in it leaves its neighbours as they are; in a reservation it would split one in two or make
 * two one. Elsewhere a hole is filled by whatever the process maps next. Not there: the kernel chooses
 * addresses from the top of the address space down, or, where a stack may be of any size, from a third
 * of it (aarch64: a quarter) up; claims lie below.
 */
#ifndef MEM_MAPPING_H
#define MEM_MAPPING_H

#include "mem/mem.h"

enum {
	MAPPING_GRID = 16 << 20,
	MAPPING_COUNT_STEP = 1 << 20,
	MAPPING_FENCE = 64 << 10,
};
#define MAPPING_CLAIM ((uintptr_t)16 << 30)
#define MAPPING_CLAIM_END ((uintptr_t)32 << 40)

size_t mapping_page_size(void);

/* Address space of `size` bytes at a multiple of `align`, a power of two; NULL if there is none. */
void *mapping_reserve(size_t size, size_t align) must_check;
void mapping_release(void *base, size_t size);

/* Claim `size` bytes from *ret_base on, which is `at`, a multiple of MAPPING_CLAIM, and a fence: a mapping
 * without access, by which the next claim at `at` finds the place taken. What lies further up in a claim is
 * not found so. CELLA_ENOMEM: something is mapped there, or it ends beyond MAPPING_CLAIM_END. */
int mapping_claim(uintptr_t at, size_t size, uint8_t **ret_base) must_check;
/* With all that is mapped there. */
void mapping_unclaim(uint8_t *base, size_t size);

/* Back [from, to) of the reservation at `base`, page-aligned, without access to it yet. */
int mapping_back(enum mem_level level, uint8_t *base, size_t from, size_t to, struct error *err) must_check;
/* Take the backing of [from, to) away; `from` is a multiple of MAPPING_GRID. */
int mapping_drop(uint8_t *base, size_t from, size_t to) must_check;

/* Make [from, to) readable and writable, or inaccessible. */
int mapping_open(uint8_t *base, size_t from, size_t to, struct error *err) must_check;
int mapping_shut(uint8_t *base, size_t from, size_t to) must_check;

/* Map the pages at `from`, which are of one piece, a second time, over what is at `to`: both show the same
 * memory, with the rights that `from` has, and nothing else is kept of it; if the kernel has no memory,
 * nothing is mapped at `to` any more. The kernel counts both as locked, but for mapping_count_once. */
int mapping_alias(uint8_t *from, size_t size, uint8_t *to, struct error *err) must_check;
/* The same, but with the page table entries that `from` has, so that `to` does not fault page by page;
 * `from` shows the memory still, at the cost of a fault for each page. */
int mapping_move(uint8_t *from, size_t size, uint8_t *to) must_check;
/* The reverse: `to` gets the entries back, and nothing is mapped at `from`, a part of a claim, any more. */
int mapping_move_back(uint8_t *from, size_t size, uint8_t *to) must_check;
/* From now on further mappings of this secret memory count no more: whatever is made of it, the kernel
 * counts its size once, some kernels not at all. In between it counts MAPPING_COUNT_STEP bytes more. */
int mapping_count_once(uint8_t *base, size_t size, struct error *err) must_check;
/* Nothing is mapped at [at, at + size) of a claim any more. */
int mapping_empty(uint8_t *at, size_t size) must_check;
/* Make [at, at + size) read-only, or writable again. */
int mapping_protect(uint8_t *at, size_t size, bool writable) must_check;

/* Make [0, size), readable and writable, zero; only pages that were touched before are touched. */
void mapping_wipe(enum mem_level level, uint8_t *base, size_t size);
/* The same from the reservation's base up to the end of the first stretch of MAPPING_GRID bytes
 * that holds no touched page; returns where. What lies beyond is as it was. */
size_t mapping_wipe_low(enum mem_level level, uint8_t *base, size_t size) must_check;

#endif
