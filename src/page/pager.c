/* Life of pagers and their regions; pinning. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mem/mapping.h"
#include "page/page_state.h"

enum { WINDOW_UNIT = 64 << 10, COST_OTHER = 1 << 20 };

/* The least that needs no more frames than there may be. */
static size_t page_size_for(size_t window)
{
	size_t size = PAGE_SIZE_LEAST;
	while (window / size > PAGE_FRAMES_MAX)
		size *= 2;
	return size;
}

size_t pager_tables(size_t window, uint64_t limit)
{
	size_t page = page_size_for(window);
	return window / page * sizeof(struct page_frame) +
	       (size_t)(limit / page) * sizeof(struct page_entry) + COST_OTHER;
}

uint64_t pager_locked(size_t window, uint64_t limit)
{
	return (uint64_t)window + PAGE_WINDOW_MORE + pager_tables(window, limit) + PAGE_SECRETS;
}

size_t pager_page_size(const struct pager *p)
{
	return p->page_size;
}

int pager_new(const struct pager_config *config, struct pager **ret_pager, struct error *err)
{
	if (config->window < PAGE_WINDOW_LEAST || config->window % WINDOW_UNIT)
		return error_set(err, CELLA_EINVAL,
		                 "a window of %zu bytes: at least %d KiB, and a multiple of %d KiB",
		                 config->window, PAGE_WINDOW_LEAST >> 10, WINDOW_UNIT >> 10);
	struct pager *p = mem_alloc(config->pool, sizeof(*p));
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a pager");
	p->pool = config->pool;
	p->limit = config->limit;
	p->file = config->file;
	p->page_size = page_size_for(config->window);
	pthread_mutex_init(&p->lock, NULL);
	int rc = window_new(p, config->window, err);
	if (rc < 0) {
		pager_free(p);
		return rc;
	}
	*ret_pager = p;
	return 0;
}

void pager_free(struct pager *p)
{
	if (!p)
		return;
	window_free(p);
	pthread_mutex_destroy(&p->lock);
	mem_free(p->pool, p);
}

void pager_stats(struct pager *p, struct pager_stats *ret_stats)
{
	pthread_mutex_lock(&p->lock);
	*ret_stats = p->stats;
	pthread_mutex_unlock(&p->lock);
}

int pager_lose(struct pager *p, int code, const char *format, ...)
{
	va_list args;
	if (p->failure.code)
		return code;
	p->failure.code = code;
	va_start(args, format);
	vsnprintf(p->failure.text, sizeof(p->failure.text), format, args);
	va_end(args);
	return code;
}

const char *pager_failure(struct pager *p)
{
	return p->failure.text;
}

static int make_cipher(struct page_region *r, struct error *err)
{
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	int rc = crypto_random(key, sizeof(key), err);
	return rc < 0 ? rc : crypto_fixed_new(key, &r->cipher, err);
}

/* A claim finds no region in its way that begins further down. */
static bool is_taken(const struct pager *p, uintptr_t at, size_t size)
{
	const struct page_region *r;
	LIST_FOREACH(r, &p->regions, link)
	if (r->public.base && at < (uintptr_t)r->public.base + r->public.reserved &&
	    (uintptr_t)r->public.base < at + size)
		return true;
	return false;
}

static int claim(struct page_region *r, size_t size, struct error *err)
{
	int rc = CELLA_ENOMEM;
	for (uintptr_t at = MAPPING_CLAIM; at < MAPPING_CLAIM_END && rc < 0; at += MAPPING_CLAIM)
		if (!is_taken(r->pager, at, MAPPING_FENCE + size))
			rc = mapping_claim(at, size, &r->public.base);
	if (rc < 0)
		return error_set(err, rc, "cannot reserve %zu MiB of address space below %llu TiB",
		                 size >> 20, (unsigned long long)MAPPING_CLAIM_END >> 40);
	r->public.reserved = size;
	return 0;
}

static int make_region(struct page_region *r, size_t reserve, struct error *err)
{
	struct pager *p = r->pager;
	size_t entries = pages_of(p, r->maximum) * sizeof(struct page_entry);
	int rc = claim(r, reserve, err);
	if (rc == 0)
		rc = mem_region_new(p->pool, entries, entries, 0, &r->table, err);
	if (rc == 0)
		rc = store_open(r, err);
	return rc < 0 ? rc : make_cipher(r, err);
}

int page_region_new(struct pager *p, size_t reserve, size_t maximum, size_t size,
                    struct mem_region **ret_region, struct error *err)
{
	if (maximum > reserve || size > maximum || maximum == 0 ||
	    maximum / p->page_size >= (size_t)PAGE_FRAME_NONE)
		return error_set(err, CELLA_EINVAL,
		                 "a paged memory of %zu, at most %zu, reserved %zu bytes makes no sense",
		                 size, maximum, reserve);
	struct page_region *r = mem_alloc(p->pool, sizeof(*r));
	if (!r)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a paged memory");
	r->pager = p;
	r->maximum = maximum;
	r->offset = p->file_end;
	int rc = make_region(r, align_up(reserve, (size_t)PAGE_SIZE_LEAST), err);
	pthread_mutex_lock(&p->lock);
	LIST_INSERT_HEAD(&p->regions, r, link);
	pthread_mutex_unlock(&p->lock);
	if (rc == 0)
		rc = page_region_grow(&r->public, size, err);
	if (rc < 0) {
		page_region_free(&r->public);
		return rc;
	}
	*ret_region = &r->public;
	return 0;
}

/* A page that reaches beyond the old size is mapped in part only: it comes in whole when it is next used. */
static int leave_last_page(struct page_region *r)
{
	struct pager *p = r->pager;
	size_t size = r->public.size;
	if (size % p->page_size == 0)
		return 0;
	uint32_t frame = entry_of(r, (uint32_t)(size / p->page_size))->frame;
	if (frame == PAGE_FRAME_NONE)
		return 0;
	if (p->frames[frame].pins)
		return CELLA_EAGAIN;
	return window_evict_locked(p, frame, 1);
}

/* The table first; then the pages may fault. */
static int grow_locked(struct page_region *r, size_t size, struct error *err)
{
	struct pager *p = r->pager;
	uint32_t before = pages_of(p, r->public.size), after = pages_of(p, size);
	if (size - r->public.size > p->limit - p->size)
		return error_set(err, CELLA_ELIMIT, "no room for %zu KiB of paged memory: raise --heap",
		                 (size - r->public.size) >> 10);
	int rc = leave_last_page(r);
	if (rc < 0)
		return error_set(err, rc, "the memory's last page cannot leave the window now: %s",
		                 p->failure.text);
	rc = mem_region_grow(r->table, after * sizeof(struct page_entry), err);
	if (rc < 0)
		return error_prefix(err, rc, "the table of a paged memory: ");
	for (uint32_t page = before; page < after; page++)
		entry_of(r, page)->frame = PAGE_FRAME_NONE;
	p->size += size - r->public.size;
	r->public.size = size;
	return 0;
}

int page_region_grow(struct mem_region *region, size_t size, struct error *err)
{
	struct page_region *r = region_of(region);
	struct pager *p = r->pager;
	if (size < region->size)
		return error_set(err, CELLA_EINVAL, "a memory does not shrink");
	if (size > r->maximum)
		return error_set(err, CELLA_ELIMIT, "a memory of at most %zu bytes cannot grow to %zu",
		                 r->maximum, size);
	pthread_mutex_lock(&p->lock);
	int rc = grow_locked(r, size, err);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void page_region_free(struct mem_region *region)
{
	if (!region)
		return;
	struct page_region *r = region_of(region);
	struct pager *p = r->pager;
	pthread_mutex_lock(&p->lock);
	LIST_REMOVE(r, link);
	p->size -= region->size;
	if (region->base)
		mapping_unclaim(region->base, region->reserved);
	window_forget_locked(r);
	store_close(r);
	pthread_mutex_unlock(&p->lock);
	crypto_fixed_free(r->cipher);
	mem_region_free(r->table);
	mem_free(p->pool, r);
}

static int pin_page_locked(struct page_region *r, uint32_t page, bool write)
{
	struct pager *p = r->pager;
	struct page_entry *e = entry_of(r, page);
	int rc = p->failure.code;
	if (rc == 0 && e->frame == PAGE_FRAME_NONE)
		rc = page_fetch_locked(r, page, write);
	if (rc == 0 && write && !p->frames[e->frame].writable)
		rc = page_write_locked(r, page);
	if (rc == 0 && p->frames[e->frame].pins++ == 0)
		p->pins_left--;
	return rc;
}

static void unpin_page_locked(struct page_region *r, uint32_t page)
{
	struct pager *p = r->pager;
	struct page_frame *f = &p->frames[entry_of(r, page)->frame];
	if (--f->pins == 0)
		p->pins_left++;
}

int page_pin(struct mem_region *region, const void *at, size_t size, bool write, size_t *ret_size,
             struct error *err)
{
	struct page_region *r = region_of(region);
	struct pager *p = r->pager;
	size_t from = (size_t)((const uint8_t *)at - region->base), end = from + size;
	uint32_t page = (uint32_t)(from / p->page_size), first = page;
	int rc = 0;
	pthread_mutex_lock(&p->lock);
	while (rc == 0 && (size_t)page * p->page_size < end && p->pins_left) {
		rc = pin_page_locked(r, page, write);
		page += rc == 0;
	}
	if (rc < 0)
		error_set(err, rc, "%s", p->failure.text);
	else if (page == first)
		rc = error_set(err, CELLA_ELIMIT, "too much of the paged memory's window is pinned");
	while (rc < 0 && page > first)
		unpin_page_locked(r, --page);
	pthread_mutex_unlock(&p->lock);
	if (rc == 0)
		*ret_size = min_of(end, (size_t)page * p->page_size) - from;
	return rc;
}

void page_unpin(struct mem_region *region, const void *at, size_t size)
{
	struct page_region *r = region_of(region);
	struct pager *p = r->pager;
	size_t from = (size_t)((const uint8_t *)at - region->base);
	pthread_mutex_lock(&p->lock);
	for (uint32_t page = (uint32_t)(from / p->page_size); (size_t)page * p->page_size < from + size;
	     page++)
		unpin_page_locked(r, page);
	pthread_mutex_unlock(&p->lock);
}
