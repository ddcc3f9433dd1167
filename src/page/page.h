/*
 * Paged memory: linear memories that are larger than the protected memory that there is.
 *
 * A pager has a *window* of secret memory, divided into frames of one page each. The pages of its
 * regions that are in use lie in frames, in the clear. All others lie outside, encrypted: in
 * ordinary memory or in a file. A page that was never written lies nowhere.
 *
 *   region    |  . . .  [page 7]  . . . . . . . [page 20] [21] [22]  . . .  |   nothing else is there
 *                          |                        |       |    |
 *   window         [ frame 3 ]                [ frame 4 ] [ 5 ] [ 6 ]           always mapped, for the pager
 *
 * Where a region's page is not in use, its addresses fault. The handler of the signal calls
 * pager_fault, which frees a frame (the oldest goes first), decrypts the page in it, checks it, and
 * only then maps the frame a second time at the page's address. What leaves is first unmapped, then
 * encrypted in its frame: so with several threads no write is lost, and none sees a page that is
 * half there. A page comes in read-only and is encrypted again only if it was written. Pages that
 * follow one another are fetched ahead, ever more of them.
 *
 * There is no thread that answers faults, and no userfaultfd: what touches a region from outside of
 * the process (the kernel for a system call, a debugger, process_vm_readv) gets an error, never a
 * page. Hence whoever gives the kernel an address in a region pins it for the time of the call.
 *
 * Threats. Ordinary memory and file belong to the attacker. Pages are sealed by AES-256-GCM under a
 * key of their region that exists nowhere else; the nonce is the page's number and its version, a
 * counter that no two writings share. Versions and tags lie in protected memory, so a page that was
 * altered, exchanged or put back is refused: the region is lost and its cell ends. What is read
 * from outside is copied into its frame before it is checked. The attacker sees which pages leave
 * and return, and when; not what is in them.
 *
 * A pager's functions may be called by several threads, but for those that make and free;
 * pager_fault also from a SIGSEGV handler of a thread that is not in one of them. None of them
 * touches a region's addresses.
 */
#ifndef PAGE_PAGE_H
#define PAGE_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"

struct pager;
struct page_region;

enum {
	PAGE_WINDOW_LEAST = 1 << 20,
	PAGE_WINDOW_MORE = 1 << 20, /* of locked memory, while a window is made */
	PAGE_SECRETS = 64 << 20,  /* stacks, keys, small allocations and opened data beside it, at most */
};

struct pager_config {
	struct mem_pool *pool; /* for the window, tables and keys; of level MEM_PAGED */
	size_t window;         /* bytes of pages in use at a time, a multiple of 64 KiB */
	uint64_t limit;        /* bytes that all regions together may grow to */
	int file;              /* for what is not in use; not closed. -1: ordinary memory */
};
/* One for a process, unless all regions reserve less than MAPPING_CLAIM bytes (mapping.h). */
int pager_new(const struct pager_config *config, struct pager **ret_pager, struct error *err) must_check;
/* After all of its regions. NULL is fine. */
void pager_free(struct pager *pager);

/* What a pager takes of its pool, if its regions grow to `limit` bytes. */
size_t pager_tables(size_t window, uint64_t limit);
/* The locked memory that a process with a pager may need: window, tables, and PAGE_SECRETS. */
uint64_t pager_locked(size_t window, uint64_t limit);
/* Bytes that come and go together. */
size_t pager_page_size(const struct pager *pager);

struct pager_stats {
	uint64_t faults;   /* that the pager answered */
	uint64_t fetched;  /* pages that were decrypted */
	uint64_t evicted;  /* pages that were encrypted and written */
	uint64_t dropped;  /* pages that left without, as they were clean or zero */
	uint64_t stored;   /* pages that lie outside now */
};
void pager_stats(struct pager *pager, struct pager_stats *ret_stats);

/* As mem_region_new and its kin; the region's base and size are those of the mem_region. */
int page_region_new(struct pager *pager, size_t reserve, size_t maximum, size_t size,
                    struct mem_region **ret_region, struct error *err) must_check;
int page_region_grow(struct mem_region *region, size_t size, struct error *err) must_check;
void page_region_free(struct mem_region *region);

enum page_outcome {
	PAGE_FOREIGN, /* the address is none of a region's, or beyond its size */
	PAGE_READY,   /* the access can be tried again */
	PAGE_LOST,    /* it cannot; pager_failure says why */
};
enum page_outcome pager_fault(struct pager *pager, const void *address, bool write);
/* Why a region was lost; "" if none was. */
const char *pager_failure(struct pager *pager);

/*
 * Keep the pages of [at, at + size) of a region in use, and writable if the kernel is to write:
 * *ret_size gets how many bytes from `at` on are pinned, at least one and as many as fit in a part
 * of the window. Each success is ended by page_unpin of the same bytes.
 */
int page_pin(struct mem_region *region, const void *at, size_t size, bool write, size_t *ret_size,
             struct error *err) must_check;
void page_unpin(struct mem_region *region, const void *at, size_t size);
/* Copy [from, from + size) of a region out of it, or [to, to + size) into it. */
int page_read(struct mem_region *region, size_t from, void *to, size_t size, struct error *err) must_check;
int page_write(struct mem_region *region, size_t to, const void *from, size_t size,
               struct error *err) must_check;

#endif
