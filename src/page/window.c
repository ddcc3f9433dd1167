/*
 * The window's frames. They are used in turn, so the oldest page leaves first, and pages that came
 * in one after another leave together: one mapping, one writing.
 */
#include "mem/mapping.h"
#include "page/page_state.h"

enum { MOVE_LEAST = 16 }; /* pages: moving takes more calls, and saves a fault for each page */

uint8_t *window_frame(const struct pager *p, uint32_t frame)
{
	return p->window + (size_t)frame * p->page_size;
}

/* A mapping cannot reach from one piece of the window's memory into the next. */
static uint32_t frames_to_border(const struct pager *p, uint32_t frame)
{
	uint32_t piece = (uint32_t)(MAPPING_GRID / p->page_size);
	return min_of(piece - frame % piece, p->frame_count - frame);
}

/* Not of the pool, which hands out memory that was mapped in pieces of any size. */
static int map_window(struct pager *p, size_t size, struct error *err)
{
	p->window = mapping_reserve(size, PAGE_SIZE_LEAST);
	if (!p->window)
		return error_errno(err, CELLA_ENOMEM, "cannot reserve %zu bytes of address space", size);
	int rc = mapping_back(MEM_SECRET, p->window, 0, size, err);
	if (rc == 0)
		rc = mapping_count_once(p->window, size, err);
	return rc < 0 ? rc : mapping_open(p->window, 0, size, err);
}

static int map_home(struct pager *p, size_t size, bool writable, struct error *err)
{
	uint8_t *home = p->homes[writable] = mapping_reserve(size, PAGE_SIZE_LEAST);
	if (!home)
		return error_errno(err, CELLA_ENOMEM, "cannot reserve %zu bytes of address space", size);
	int rc = 0;
	for (size_t at = 0; at < size && rc == 0; at += MAPPING_GRID) {
		size_t piece = min_of((size_t)MAPPING_GRID, size - at);
		rc = mapping_alias(p->window + at, piece, home + at, err);
		if (rc == 0 && mapping_protect(home + at, piece, writable) < 0)
			rc = error_errno(err, CELLA_ENOMEM, "cannot protect a window's pages");
	}
	return rc;
}

int window_new(struct pager *p, size_t size, struct error *err)
{
	p->window_size = size;
	int rc = map_window(p, size, err);
	for (int writable = 0; writable < PAGE_HOMES && rc == 0; writable++)
		rc = map_home(p, size, writable, err);
	if (rc < 0)
		return error_prefix(err, rc, "a window of %zu KiB for paged memory: ", size >> 10);
	p->frame_count = (uint32_t)(size / p->page_size);
	p->pins_left = p->frame_count / PAGE_PINS_PART;
	p->frames = mem_alloc(p->pool, p->frame_count * sizeof(*p->frames));
	if (!p->frames)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a window's %u frames",
		                 p->frame_count);
	return 0;
}

void window_free(struct pager *p)
{
	for (int i = 0; i < PAGE_HOMES; i++)
		if (p->homes[i])
			mapping_release(p->homes[i], p->window_size);
	if (p->window)
		mapping_release(p->window, p->window_size);
	mem_free(p->pool, p->frames);
}

static uint8_t *address_of(const struct page_region *r, uint32_t page)
{
	return r->public.base + (size_t)page * r->pager->page_size;
}

/* The last page may reach beyond the region's size, where nothing is accessible. */
static size_t mapped_size(const struct page_region *r, uint32_t page, uint32_t count)
{
	size_t from = (size_t)page * r->pager->page_size;
	size_t end = align_up(r->public.size, (size_t)PAGE_SIZE_LEAST);
	return min_of(from + count * r->pager->page_size, end) - from;
}

/* Frames from `first` on that hold pages of one region that follow one another, all clean or all written. */
static uint32_t run_at(const struct pager *p, uint32_t first, uint32_t count)
{
	const struct page_frame *f = &p->frames[first];
	uint32_t n = 1;
	while (n < count && f[n].region == f->region && f[n].page == f->page + n &&
	       f[n].writable == f->writable && f[n].moved == f->moved)
		n++;
	return n;
}

/* Nobody may touch the region's pages before they are out of it. Moving finds one mapping: the kernel merges
 * what is alike. */
static int leave(const struct pager *p, uint8_t *at, size_t size, uint32_t first, uint32_t count)
{
	const struct page_frame *f = &p->frames[first];
	if (!f->moved || count < MOVE_LEAST)
		return mapping_empty(at, size);
	uint8_t home = (uint8_t)(f->moved - 1); /* by its rights */
	int rc = f->writable && !home ? mapping_protect(at, size, false) : 0;
	return rc < 0 ? rc : mapping_move_back(at, size, p->homes[home] + (size_t)first * p->page_size);
}

static int evict_run(struct pager *p, uint32_t first, uint32_t count)
{
	struct page_region *r = p->frames[first].region;
	uint32_t page = p->frames[first].page;
	if (leave(p, address_of(r, page), mapped_size(r, page, count), first, count) < 0)
		return pager_lose(p, CELLA_ENOMEM,
		                  "paged memory: the kernel unmaps no more pages (vm.max_map_count)");
	/* From here on nobody else reads or writes the frames. */
	int rc = 0;
	if (p->frames[first].writable)
		rc = store_put_locked(r, page, count, first);
	else
		p->stats.dropped += count;
	for (uint32_t i = 0; i < count; i++) {
		entry_of(r, page + i)->frame = PAGE_FRAME_NONE;
		p->frames[first + i] = (struct page_frame){0};
	}
	r->in_use -= count;
	return rc;
}

int window_evict_locked(struct pager *p, uint32_t first, uint32_t count)
{
	for (uint32_t at = first, run; at < first + count; at += run) {
		run = run_at(p, at, first + count - at);
		int rc = p->frames[at].region ? evict_run(p, at, run) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}

int window_take_locked(struct pager *p, uint32_t count, uint32_t *ret_first, uint32_t *ret_count)
{
	uint32_t tried = 0;
	while (p->frames[p->hand].pins) {
		p->hand = (p->hand + 1) % p->frame_count;
		if (++tried == p->frame_count)
			return pager_lose(p, CELLA_EBUG, "paged memory: all of the window is pinned");
	}
	uint32_t first = p->hand, n = 1;
	count = min_of(count, frames_to_border(p, first));
	while (n < count && !p->frames[first + n].pins)
		n++;
	int rc = window_evict_locked(p, first, n);
	if (rc < 0)
		return rc;
	p->hand = (first + n) % p->frame_count;
	*ret_first = first;
	*ret_count = n;
	return 0;
}

static int enter(const struct pager *p, uint32_t first, uint32_t count, uint8_t *to, size_t size,
                 bool writable)
{
	uint8_t *from = p->homes[writable] + (size_t)first * p->page_size;
	return count >= MOVE_LEAST ? mapping_move(from, size, to) : mapping_alias(from, size, to, NULL);
}

int window_install_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first, bool writable)
{
	struct pager *p = r->pager;
	uint8_t moved = count >= MOVE_LEAST ? writable + 1 : 0;
	uint8_t *to = address_of(r, page);
	size_t size = mapped_size(r, page, count);
	if (enter(p, first, count, to, size, writable) < 0)
		return pager_lose(p, CELLA_ENOMEM,
		                  "paged memory: the kernel maps no more pages (vm.max_map_count)");
	for (uint32_t i = 0; i < count; i++) {
		p->frames[first + i] = (struct page_frame){.region = r,
		                                           .page = page + i,
		                                           .writable = writable,
		                                           .moved = moved};
		entry_of(r, page + i)->frame = first + i;
	}
	r->in_use += count;
	return 0;
}

void window_forget_locked(struct page_region *r)
{
	struct pager *p = r->pager;
	for (uint32_t i = 0; i < p->frame_count && r->in_use; i++)
		if (p->frames[i].region == r) {
			mem_wipe(window_frame(p, i), p->page_size);
			p->pins_left += p->frames[i].pins != 0;
			p->frames[i] = (struct page_frame){0};
			r->in_use--;
		}
}
