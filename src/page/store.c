/* The encrypted pages outside: in ordinary memory, or in a file that nobody vouches for. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "page/page_state.h"

int store_open(struct page_region *r, struct error *err)
{
	struct pager *p = r->pager;
	size_t size = align_up(r->maximum, p->page_size);
	if (p->file >= 0) {
		if (size > (uint64_t)INT64_MAX - p->file_end)
			return error_set(err, CELLA_ELIMIT, "the page file cannot grow to %zu bytes more",
			                 size);
		p->file_end += size;
		return 0;
	}
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
	if (at == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "cannot reserve %zu MiB for encrypted pages",
		                   size >> 20);
	madvise(at, size, MADV_DONTFORK);
	r->outside = at;
	return 0;
}

/* The file's room is given back, of a region that got some; its place is not used again. */
void store_close(struct page_region *r)
{
	size_t size = align_up(r->maximum, r->pager->page_size);
	if (r->outside)
		munmap(r->outside, size);
	else if (r->pager->file >= 0 && r->offset < r->pager->file_end)
		fallocate(r->pager->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)r->offset,
		          (off_t)size);
}

static void nonce_of(uint32_t page, uint64_t version, uint8_t nonce[CRYPTO_NONCE_SIZE])
{
	memcpy(nonce, &page, sizeof(page));
	memcpy(nonce + sizeof(page), &version, sizeof(version));
}

static int write_run(struct page_region *r, uint32_t page, const uint8_t *from, size_t size)
{
	uint64_t at = (uint64_t)page * r->pager->page_size;
	if (r->outside) {
		memcpy(r->outside + at, from, size);
		return 0;
	}
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(r->pager->file, from + done, size - done, (off_t)(r->offset + at + done));
		if (n <= 0 && errno != EINTR)
			return pager_lose(r->pager, CELLA_EIO,
			                  "paged memory: the page file cannot be written: %s",
			                  n == 0 ? "no room" : strerror(errno));
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Up to the first page that is zero; *ret_count may be 0. */
static int seal_run(struct page_region *r, uint32_t page, uint32_t count, uint32_t first, uint32_t *ret_count)
{
	struct pager *p = r->pager;
	uint8_t nonce[CRYPTO_NONCE_SIZE];
	uint32_t i;
	for (i = 0; i < count; i++) {
		struct page_entry *e = entry_of(r, page + i);
		uint8_t *at = window_frame(p, first + i);
		if (bytes_are_zero(at, p->page_size)) /* it need not be kept */
			break;
		nonce_of(page + i, ++e->version, nonce);
		if (crypto_fixed_seal(r->cipher, nonce, at, p->page_size, e->tag) < 0)
			return pager_lose(p, CELLA_EBUG, "paged memory: a page could not be encrypted");
	}
	*ret_count = i;
	return 0;
}

int store_put_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first)
{
	struct pager *p = r->pager;
	for (uint32_t at = 0, run = 0; at < count; at += run) {
		int rc = seal_run(r, page + at, count - at, first + at, &run);
		if (rc == 0 && run)
			rc = write_run(r, page + at, window_frame(p, first + at), run * p->page_size);
		if (rc < 0)
			return rc;
		for (uint32_t i = at; i < at + run; i++) {
			p->stats.stored += !entry_of(r, page + i)->stored;
			entry_of(r, page + i)->stored = 1;
		}
		p->stats.evicted += run;
		if (at + run < count) {
			struct page_entry *zero = entry_of(r, page + at + run);
			p->stats.stored -= zero->stored;
			p->stats.dropped++;
			zero->stored = 0;
			run++;
		}
	}
	return 0;
}

/* Pages that are outside, into the frames as they are; what lies beyond the file's end is altered as well. */
static int read_run(struct page_region *r, uint32_t page, uint8_t *to, size_t size)
{
	uint64_t at = (uint64_t)page * r->pager->page_size;
	if (r->outside) {
		memcpy(to, r->outside + at, size);
		return 0;
	}
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(r->pager->file, to + done, size - done, (off_t)(r->offset + at + done));
		if (n < 0 && errno != EINTR)
			return pager_lose(r->pager, CELLA_EIO,
			                  "paged memory: the page file cannot be read: %s", strerror(errno));
		if (n == 0)
			return pager_lose(r->pager, CELLA_EAUTH, "paged memory: the page file was cut");
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int open_page(struct page_region *r, uint32_t page, uint8_t *at)
{
	struct pager *p = r->pager;
	const struct page_entry *e = entry_of(r, page);
	uint8_t nonce[CRYPTO_NONCE_SIZE];
	nonce_of(page, e->version, nonce);
	if (crypto_fixed_open(r->cipher, nonce, at, p->page_size, e->tag) < 0) {
		mem_wipe(at, p->page_size);
		return pager_lose(p, CELLA_EAUTH,
		                  "paged memory: page %u was altered outside, or is an old copy", page);
	}
	p->stats.fetched++;
	return 0;
}

/* The first pages of [page, page + count) that are alike: all outside, or all zero. */
static uint32_t alike(const struct page_region *r, uint32_t page, uint32_t count)
{
	uint32_t n = 1;
	while (n < count && !entry_of(r, page + n)->stored == !entry_of(r, page)->stored)
		n++;
	return n;
}

int store_get_locked(struct page_region *r, uint32_t page, uint32_t count, uint32_t first)
{
	struct pager *p = r->pager;
	int rc = 0;
	for (uint32_t done = 0, run; done < count && rc == 0; done += run) {
		run = alike(r, page + done, count - done);
		uint8_t *to = window_frame(p, first + done);
		if (!entry_of(r, page + done)->stored) {
			memset(to, 0, run * p->page_size);
			continue;
		}
		rc = read_run(r, page + done, to, run * p->page_size);
		for (uint32_t i = 0; i < run && rc == 0; i++)
			rc = open_page(r, page + done + i, to + i * p->page_size);
	}
	return rc;
}
