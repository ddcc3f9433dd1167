/*
 * Faults: which pages come in.
 *
 * A fault where a stream was expected to go on doubles what comes in at once; any other fault
 * brings one page and begins a stream of its own, in place of the one that was begun longest ago.
 * The same for pages that are made writable.
 */
#include "mem/mapping.h"
#include "page/page_state.h"

/* How many pages from `page` on to treat at once. */
static uint32_t stream_ahead(struct page_stream streams[PAGE_STREAMS], uint32_t *turn, uint32_t page,
                             uint32_t most, struct page_stream **ret)
{
	for (uint32_t i = 0; i < PAGE_STREAMS; i++)
		if (streams[i].ahead && streams[i].next == page) {
			streams[i].ahead = min_of(streams[i].ahead * 2, most);
			*ret = &streams[i];
			return streams[i].ahead;
		}
	*ret = &streams[(*turn)++ % PAGE_STREAMS];
	**ret = (struct page_stream){.ahead = 1};
	return 1;
}

static uint32_t most_ahead(const struct pager *p)
{
	return max_of(min_of((uint32_t)PAGE_AHEAD_MAX, p->frame_count / PAGE_AHEAD_PART), 1u);
}

/* Pages from `page` on that are not in use, at most `count`. */
static uint32_t absent_run(const struct page_region *r, uint32_t page, uint32_t count)
{
	uint32_t end = pages_of(r->pager, r->public.size), n = 1;
	while (n < count && page + n < end && entry_of(r, page + n)->frame == PAGE_FRAME_NONE)
		n++;
	return n;
}

int page_fetch_locked(struct page_region *r, uint32_t page, bool write)
{
	struct pager *p = r->pager;
	struct page_stream *stream;
	uint32_t count = stream_ahead(r->reads, &r->read_turn, page, most_ahead(p), &stream);
	uint32_t first;
	int rc = window_take_locked(p, absent_run(r, page, count), &first, &count);
	if (rc == 0)
		rc = store_get_locked(r, page, count, first);
	if (rc == 0)
		rc = window_install_locked(r, page, count, first, write);
	stream->next = page + count;
	return rc;
}

/* Pages from `page` on that are in use and read-only, at most `count`. */
static uint32_t readable_run(const struct page_region *r, uint32_t page, uint32_t count)
{
	const struct pager *p = r->pager;
	uint32_t end = pages_of(p, r->public.size), n = 1;
	for (; n < count && page + n < end; n++) {
		uint32_t frame = entry_of(r, page + n)->frame;
		if (frame == PAGE_FRAME_NONE || p->frames[frame].writable)
			break;
	}
	return n;
}

int page_write_locked(struct page_region *r, uint32_t page)
{
	struct pager *p = r->pager;
	struct page_stream *stream;
	uint32_t count = stream_ahead(r->writes, &r->write_turn, page, most_ahead(p), &stream);
	count = readable_run(r, page, count);
	size_t from = (size_t)page * p->page_size;
	size_t end = min_of(from + count * p->page_size, align_up(r->public.size, (size_t)PAGE_SIZE_LEAST));
	if (mapping_protect(r->public.base + from, end - from, true) < 0)
		return pager_lose(p, CELLA_ENOMEM,
		                  "paged memory: the kernel maps no more pages (vm.max_map_count)");
	for (uint32_t i = 0; i < count; i++)
		p->frames[entry_of(r, page + i)->frame].writable = 1;
	stream->next = page + count;
	return 0;
}

static struct page_region *find_region(struct pager *p, const uint8_t *address)
{
	struct page_region *r;
	LIST_FOREACH(r, &p->regions, link)
	if ((uintptr_t)address - (uintptr_t)r->public.base < r->public.size)
		return r;
	return NULL;
}

/* Another thread may have been faster. */
static int answer_locked(struct page_region *r, const uint8_t *address, bool write)
{
	struct pager *p = r->pager;
	uint32_t page = (uint32_t)((size_t)(address - r->public.base) / p->page_size);
	uint32_t frame = entry_of(r, page)->frame;
	p->stats.faults++;
	if (p->failure.code)
		return p->failure.code;
	if (frame == PAGE_FRAME_NONE)
		return page_fetch_locked(r, page, write);
	return write && !p->frames[frame].writable ? page_write_locked(r, page) : 0;
}

enum page_outcome pager_fault(struct pager *p, const void *address, bool write)
{
	pthread_mutex_lock(&p->lock);
	struct page_region *r = find_region(p, address);
	enum page_outcome outcome = PAGE_FOREIGN;
	if (r)
		outcome = answer_locked(r, address, write) < 0 ? PAGE_LOST : PAGE_READY;
	pthread_mutex_unlock(&p->lock);
	return outcome;
}
