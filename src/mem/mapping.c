#include "mem/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "mem/level.h"

enum { SCAN_PAGES = 4096, WIPE_WHOLE_PAGES = 2 };

size_t mapping_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void *mapping_reserve(size_t size, size_t align)
{
	size_t page = mapping_page_size();
	size_t slack = align > page ? align - page : 0;
	if (size > SIZE_MAX - slack)
		return NULL;
	uint8_t *at = mmap(NULL, size + slack, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, size + slack, MADV_DONTDUMP); /* debuggers write even what nobody may read */
	uint8_t *base = (uint8_t *)align_up((uintptr_t)at, max_of(align, page));
	if (base > at)
		munmap(at, (size_t)(base - at));
	if (at + slack > base)
		munmap(base + size, (size_t)(at + slack - base));
	return base;
}

void mapping_release(void *base, size_t size)
{
	munmap(base, size);
}

int mapping_claim(uintptr_t at, size_t size, uint8_t **ret_base)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
	if (size > MAPPING_CLAIM_END - MAPPING_FENCE - at)
		return CELLA_ENOMEM;
	uint8_t *fence = mmap((void *)at, MAPPING_FENCE + size, PROT_NONE, flags, -1, 0);
	if (fence == MAP_FAILED)
		return CELLA_ENOMEM;
	munmap(fence + MAPPING_FENCE, size);
	*ret_base = fence + MAPPING_FENCE;
	return 0;
}

void mapping_unclaim(uint8_t *base, size_t size)
{
	munmap(base - MAPPING_FENCE, MAPPING_FENCE + size);
}

static int reserve_over(uint8_t *at, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
	if (mmap(at, size, PROT_NONE, flags, -1, 0) == MAP_FAILED)
		return CELLA_ENOMEM;
	madvise(at, size, MADV_DONTDUMP);
	return 0;
}

static int back_with_secret(uint8_t *at, size_t size, struct error *err)
{
	cleanup_close int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	if (fd < 0)
		return level_refused(errno, size, err);
	if (ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, CELLA_ENOMEM, "cannot size %zu bytes of secret memory", size);
	if (mmap(at, size, PROT_NONE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		return level_refused(errno, size, err);
	return 0;
}

static int back_piece(enum mem_level level, uint8_t *at, size_t size, struct error *err)
{
	if (level != MEM_INSECURE_NONE) {
		int rc = back_with_secret(at, size, err);
		if (rc < 0)
			return rc;
	}
	if (madvise(at, size, MADV_DONTFORK) < 0 || madvise(at, size, MADV_DONTDUMP) < 0)
		return error_errno(err, CELLA_ENOMEM,
		                   "cannot keep protected memory out of forks and core files");
	return 0;
}

int mapping_back(enum mem_level level, uint8_t *base, size_t from, size_t to, struct error *err)
{
	for (size_t at = from, end; at < to; at = end) {
		end = min_of(to, align_up(at + 1, (size_t)MAPPING_GRID));
		int rc = back_piece(level, base + at, end - at, err);
		if (rc < 0) {
			if (reserve_over(base + from, end - from) < 0)
				return error_errno(err, CELLA_EBUG, "cannot undo a mapping");
			return rc;
		}
	}
	return 0;
}

int mapping_drop(uint8_t *base, size_t from, size_t to)
{
	return from < to ? reserve_over(base + from, to - from) : 0;
}

int mapping_open(uint8_t *base, size_t from, size_t to, struct error *err)
{
	if (from < to && mprotect(base + from, to - from, PROT_READ | PROT_WRITE) < 0)
		return error_errno(err, CELLA_ENOMEM, "cannot open %zu bytes of protected memory", to - from);
	return 0;
}

int mapping_shut(uint8_t *base, size_t from, size_t to)
{
	return from < to && mprotect(base + from, to - from, PROT_NONE) < 0 ? CELLA_ENOMEM : 0;
}

/* mremap(2): an old size of 0 leaves a shared mapping where it is and makes another one of its pages. So no
 * descriptor of the memory has to be kept, which pidfd_getfd(2) could reach. */
int mapping_alias(uint8_t *from, size_t size, uint8_t *to, struct error *err)
{
	if (mremap(from, 0, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "cannot map %zu bytes of secret memory a second time",
		                   size);
	return 0;
}

/* Shared mappings may be left where they are since 5.13, which is older than secret memory. */
int mapping_move(uint8_t *from, size_t size, uint8_t *to)
{
	int flags = MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP;
	return mremap(from, size, size, flags, to) == MAP_FAILED ? CELLA_ENOMEM : 0;
}

int mapping_move_back(uint8_t *from, size_t size, uint8_t *to)
{
	return mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED ? CELLA_ENOMEM : 0;
}

/* What is left behind is no locked mapping any more (dontunmap_complete in mm/mremap.c), nor is what is made
 * from it. Where the kernel counted the one that is made here, it forgets the first one with it. */
int mapping_count_once(uint8_t *base, size_t size, struct error *err)
{
	void *other = mapping_reserve(MAPPING_COUNT_STEP, MAPPING_COUNT_STEP);
	int rc = other ? 0 : CELLA_ENOMEM;
	for (size_t at = 0; at < size && rc == 0; at += MAPPING_COUNT_STEP)
		rc = mapping_move(base + at, min_of((size_t)MAPPING_COUNT_STEP, size - at), other);
	if (rc < 0)
		error_errno(err, rc, "cannot move secret memory");
	if (other)
		mapping_release(other, MAPPING_COUNT_STEP);
	return rc;
}

/* The call itself: the thread sanitizer takes the C library's for a write to all of it, and other threads may
 * be about to touch it. */
int mapping_empty(uint8_t *at, size_t size)
{
	return syscall(SYS_munmap, at, size) < 0 ? CELLA_ENOMEM : 0;
}

int mapping_protect(uint8_t *at, size_t size, bool writable)
{
	return mprotect(at, size, writable ? PROT_READ | PROT_WRITE : PROT_READ) < 0 ? CELLA_ENOMEM : 0;
}

/*
 * Zero a run of pages. Pages that are not resident were never touched or, in ordinary memory,
 * may be swapped out: dropping those brings fresh zeros, and nothing from the swap.
 */
static void wipe_run(enum mem_level level, uint8_t *at, size_t size, bool resident)
{
	if (!resident && level != MEM_INSECURE_NONE)
		return;
	if (resident || size % mapping_page_size() || madvise(at, size, MADV_DONTNEED) < 0)
		mem_wipe(at, size);
}

/* Zero at most SCAN_PAGES pages; returns how many were resident. */
static size_t wipe_scan(enum mem_level level, uint8_t *at, size_t size, size_t page)
{
	size_t count = (size + page - 1) / page;
	unsigned char resident[SCAN_PAGES];
	if (count <= WIPE_WHOLE_PAGES || mincore(at, size, resident) < 0) {
		mem_wipe(at, size);
		return count;
	}
	size_t found = 0;
	for (size_t i = 0, end; i < count; i = end) {
		bool in = resident[i] & 1;
		for (end = i; end < count && (resident[end] & 1) == in; end++)
			found += in;
		wipe_run(level, at + i * page, min_of(end * page, size) - i * page, in);
	}
	return found;
}

/* Zero [0, size), a part of one stretch of the grid; returns how many pages were resident. */
static size_t wipe_stretch(enum mem_level level, uint8_t *at, size_t size)
{
	size_t page = mapping_page_size();
	size_t found = 0;
	for (size_t done = 0; done < size; done += page * SCAN_PAGES)
		found += wipe_scan(level, at + done, min_of(page * SCAN_PAGES, size - done), page);
	return found;
}

void mapping_wipe(enum mem_level level, uint8_t *base, size_t size)
{
	wipe_stretch(level, base, size);
}

size_t mapping_wipe_low(enum mem_level level, uint8_t *base, size_t size)
{
	size_t at = 0;
	while (at < size) {
		size_t stretch = min_of((size_t)MAPPING_GRID, size - at);
		size_t found = wipe_stretch(level, base + at, stretch);
		at += stretch;
		if (!found)
			break;
	}
	return at;
}
