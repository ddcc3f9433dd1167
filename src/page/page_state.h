/*
 * What the files of paged memory share.
 *
 *   pager.c   life of pagers and regions, pinning
 *   fault.c   which pages come in: streams, reading ahead, making writable
 *   window.c  frames: which one is next, what leaves it, what it is mapped as
 *   store.c   the encrypted pages outside
 *
 * Everything here lies in protected memory. A function whose name ends in _locked is called with
 * the pager's lock.
 */
#ifndef PAGE_PAGE_STATE_H
#define PAGE_PAGE_STATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "crypto/crypto.h"
#include "page/page.h"

enum {
	PAGE_SIZE_LEAST = 4096,
	PAGE_FRAMES_MAX = 16384, /* a mapping each: a quarter of what a process may have */
	PAGE_STREAMS = 8,        /* of one region that are followed at a time */
	PAGE_AHEAD_MAX = 128,    /* pages that come in at once */
	PAGE_AHEAD_PART = 8,     /* of the window, at most */
	PAGE_PINS_PART = 4,      /* of the window, at most */
	PAGE_FRAME_NONE = 0xffffffff,
	PAGE_HOMES = 2,
};

/* A page of a region. Version 0 was never written. */
struct page_entry {
	uint8_t tag[CRYPTO_TAG_SIZE];
	uint64_t version; /* of what is or was outside */
	uint32_t frame;   /* PAGE_FRAME_NONE: not in use */
	uint32_t stored;  /* 0: outside lies nothing of it, and if it is not in use it is zero */
};

struct page_frame {
	struct page_region *region; /* NULL: free */
	uint32_t page;
	uint16_t pins;
	uint8_t writable; /* so it may have been written */
	uint8_t moved;    /* the region has the page table entries of home moved - 1; 0: of none */
};

/* Faults that follow one another: the next is expected at `next`, and `ahead` pages come in then. */
struct page_stream {
	uint32_t next;
	uint32_t ahead;
};

struct page_region {
	struct mem_region public; /* first, so that the one is the other */
	LIST_ENTRY(page_region) link;
	struct pager *pager;
	size_t maximum;
	struct mem_region *table; /* struct page_entry by page */
	struct crypto_fixed *cipher;
	uint8_t *outside; /* ordinary memory of `reserved` bytes; NULL: in the file */
	uint64_t offset;  /* in the file; its end while the region has no place there */
	uint32_t in_use;
	struct page_stream reads[PAGE_STREAMS];
	struct page_stream writes[PAGE_STREAMS];
	uint32_t read_turn, write_turn;
};

struct pager {
	struct mem_pool *pool;
	pthread_mutex_t lock;
	LIST_HEAD(, page_region) regions;
	uint64_t limit, size; /* of all regions */
	int file;
	uint64_t file_end;
	size_t page_size;
	size_t window_size;
	uint8_t *window; /* readable and writable, for the pager alone */
	/* The window twice more, read-only and writable: what regions map is made from these. */
	uint8_t *homes[PAGE_HOMES];
	struct page_frame *frames;
	uint32_t frame_count;
	uint32_t hand; /* the next frame to be used */
	uint32_t pins_left;
	struct pager_stats stats;
	struct error failure; /* code not 0: some region is lost */
};

static inline struct page_region *region_of(struct mem_region *region)
{
	return container_of(region, struct page_region, public);
}

static inline struct page_entry *entry_of(const struct page_region *r, uint32_t page)
{
	return (struct page_entry *)(void *)r->table->base + page;
}

static inline uint32_t pages_of(const struct pager *p, size_t size)
{
	return (uint32_t)((size + p->page_size - 1) / p->page_size);
}

/* fault.c: bring the page in, and some that follow. CELLA_E*, and pager->failure says why. */
int page_fetch_locked(struct page_region *r, uint32_t page, bool write) must_check;
int page_write_locked(struct page_region *r, uint32_t page) must_check;

/* window.c */
int window_new(struct pager *p, size_t size, struct error *err) must_check;
void window_free(struct pager *p);
uint8_t *window_frame(const struct pager *p, uint32_t frame);
/* The next frames, freed: *ret_count of them from *ret_first on, from 1 to `count`. */
int window_take_locked(struct pager *p, uint32_t count, uint32_t *ret_first, uint32_t *ret_count) must_check;
/* What is in these frames leaves them. */
int window_evict_locked(struct pager *p, uint32_t first, uint32_t count) must_check;
/* The frames from `first` on hold the pages from `page` on: make them accessible. */
int window_install_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first,
                          bool writable) must_check;
/* Let a region's pages go without writing them. */
void window_forget_locked(struct page_region *r);

/* store.c */
int store_open(struct page_region *r, struct error *err) must_check;
void store_close(struct page_region *r);
/* Seal the pages in these frames where they are, and write them outside; they are not mapped elsewhere. */
int store_put_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first) must_check;
/* Bring pages into these frames. */
int store_get_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first) must_check;

/* Some region is lost: remember why. Returns code. */
int pager_lose(struct pager *p, int code, const char *format, ...) printf_like(3, 4);

#endif
