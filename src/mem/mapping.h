/*
 * Mappings of one protection level: the only code that asks the kernel for protected memory.
 *
 * A reservation is address space without memory behind it. Parts of it are then backed, in pieces
 * that never cross a multiple of MAPPING_GRID from the reservation's base: each piece is a memory
 * file of its own, whose pages the kernel clears and frees only when the whole piece is unmapped.
 * So what is unmapped before the reservation itself goes must begin at a multiple of the grid.
 */
#ifndef MEM_MAPPING_H
#define MEM_MAPPING_H

#include "mem/mem.h"

enum {
	MAPPING_GRID = 16 << 20,
	MAPPING_COUNT_STEP = 1 << 20,
};

size_t mapping_page_size(void);

/* Address space of `size` bytes at a multiple of `align`, a power of two; NULL if there is none. */
void *mapping_reserve(size_t size, size_t align) must_check;
void mapping_release(void *base, size_t size);

/* Back [from, to) of the reservation at `base`, page-aligned, without access to it yet. */
int mapping_back(enum mem_level level, uint8_t *base, size_t from, size_t to, struct error *err) must_check;
/* Take the backing of [from, to) away; `from` is a multiple of MAPPING_GRID. */
int mapping_drop(uint8_t *base, size_t from, size_t to) must_check;

/* Make [from, to) readable and writable, or inaccessible. */
int mapping_open(uint8_t *base, size_t from, size_t to, struct error *err) must_check;
int mapping_shut(uint8_t *base, size_t from, size_t to) must_check;

/* Map the pages at `from`, which are of one piece, a second time, over what is at `to`: both show the same
 * memory, with the rights that `from` has, and nothing else is kept of it. The kernel counts both as locked,
 * but for mapping_count_once. */
int mapping_alias(uint8_t *from, size_t size, uint8_t *to, struct error *err) must_check;
/* The same, but with the page table entries that `from` has, so that `to` does not fault page by page;
 * `from` shows the memory still, at the cost of a fault for each page. If the kernel has no memory, nothing
 * is mapped at `to`, and it is no part of a reservation any more. */
int mapping_move(uint8_t *from, size_t size, uint8_t *to) must_check;
/* From now on further mappings of this secret memory count no more: whatever is made of it, the kernel
 * counts its size once, some kernels not at all. In between it counts MAPPING_COUNT_STEP bytes more. */
int mapping_count_once(uint8_t *base, size_t size, struct error *err) must_check;
/* Take what is mapped over a part of a reservation away again, so that it faults. */
int mapping_cover(uint8_t *at, size_t size) must_check;
/* Make [at, at + size) read-only, or writable again. */
int mapping_protect(uint8_t *at, size_t size, bool writable) must_check;

/* Make [0, size), readable and writable, zero; only pages that were touched before are touched. */
void mapping_wipe(enum mem_level level, uint8_t *base, size_t size);
/* The same from the reservation's base up to the end of the first stretch of MAPPING_GRID bytes
 * that holds no touched page; returns where. What lies beyond is as it was. */
size_t mapping_wipe_low(enum mem_level level, uint8_t *base, size_t size) must_check;

#endif
