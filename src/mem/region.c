#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem/mapping.h"
#include "mem/pool.h"

enum { GROW_LEAST = 1 << 20 };

/* A bin holds the sizes between two neighbouring eighths of a power of two. */
static size_t bin_of(size_t reserved)
{
	if (reserved < 8)
		return reserved;
	unsigned exponent = 63u - (unsigned)__builtin_clzll(reserved);
	return exponent * 8u + ((reserved >> (exponent - 3)) & 7);
}

static void discharge(struct region *r)
{
	r->pool->committed -= r->charged;
	r->charged = 0;
}

/* Unmapping secret memory clears it; of ordinary memory what can be reached is wiped before. */
static void unmap(struct region *r)
{
	if (r->pool->level == MEM_INSECURE_NONE && veil_lift(r))
		mapping_wipe(MEM_INSECURE_NONE, r->public.base, r->open);
	mapping_release(r->public.base - r->guard, r->guard + r->public.reserved);
	discharge(r);
	free(r->veil.bits);
	free(r);
}

static void idle_remove(struct region *r)
{
	LIST_REMOVE(r, link);
	TAILQ_REMOVE(&r->pool->idle_regions, r, idle_link);
	r->pool->idle -= r->charged;
}

void region_trim(struct mem_pool *pool, size_t size)
{
	struct region *r;
	while ((r = TAILQ_FIRST(&pool->idle_regions)) && size > pool->budget - pool->committed) {
		idle_remove(r);
		unmap(r);
	}
}

/* The kernel refused: what idles may be what fills its limit. True if there was any. */
static bool trim_all(struct mem_pool *pool)
{
	bool any = !TAILQ_EMPTY(&pool->idle_regions);
	region_trim(pool, SIZE_MAX);
	return any;
}

void region_free_all(struct mem_pool *pool)
{
	region_trim(pool, SIZE_MAX);
	struct region *r;
	while ((r = LIST_FIRST(&pool->live))) {
		LIST_REMOVE(r, link);
		unmap(r);
	}
}

/* Back [0, size) and some more, so that growing by little does not map as often; or just that. */
static int back(struct region *r, size_t size, struct error *err)
{
	if (size <= r->mapped)
		return 0;
	size_t ahead = r->mapped ? r->mapped + max_of((size_t)GROW_LEAST, r->mapped / 4) : 0;
	size_t to = min_of(max_of(size, align_up(ahead, mapping_page_size())), r->maximum);
	enum mem_level level = r->pool->level;
	int rc = to > size ? mapping_back(level, r->public.base, r->mapped, to, NULL) : -1;
	if (rc < 0) {
		to = size;
		rc = mapping_back(level, r->public.base, r->mapped, to, err);
	}
	if (rc < 0 && trim_all(r->pool))
		rc = mapping_back(level, r->public.base, r->mapped, to, err);
	if (rc == 0)
		r->mapped = to;
	return rc;
}

static int charge(struct region *r, size_t size, struct error *err)
{
	struct mem_pool *pool = r->pool;
	size_t more = size > r->charged ? size - r->charged : 0;
	if (more > pool->budget - pool->committed)
		region_trim(pool, more);
	if (more > pool->budget - pool->committed)
		return error_set(
			err, CELLA_ELIMIT,
			"no room for %zu KiB of protected memory: %zu of %zu KiB are in use; raise --heap",
			more / 1024, pool->committed / 1024, pool->budget / 1024);
	pool->committed += more;
	r->charged += more;
	return 0;
}

/* Make exactly [0, size) accessible, rounded up to pages. */
static int resize(struct region *r, size_t size, struct error *err)
{
	size_t pages = align_up(size, mapping_page_size());
	uint8_t *base = r->public.base;
	if (pages < r->open) {
		if (mapping_shut(base, pages, r->open) < 0)
			return error_errno(err, CELLA_ENOMEM, "cannot close protected memory");
		r->open = pages;
	}
	int rc = back(r, pages, err);
	if (rc == 0)
		rc = charge(r, pages, err);
	if (rc == 0)
		rc = mapping_open(base, r->open, pages, err);
	if (rc < 0)
		return rc;
	r->open = pages;
	r->public.size = size;
	return 0;
}

static bool is_veiled_alike(const struct region *r, const struct region_shape *shape)
{
	return r->veil.from == shape->veil_from && r->veil.to == shape->veil_to;
}

/* One that is veiled as is wanted, or else another. */
static struct region *find_idle(struct mem_pool *pool, const struct region_shape *shape)
{
	struct region *r, *other = NULL;
	LIST_FOREACH(r, &pool->bins[bin_of(shape->reserve)], link)
	{
		bool aligned = ((uintptr_t)r->public.base & (shape->align - 1)) == 0;
		if (r->public.reserved != shape->reserve || r->guard != shape->guard || !aligned)
			continue;
		if (is_veiled_alike(r, shape))
			return r;
		other = other ? other : r;
	}
	return other;
}

static struct region *take_idle(struct mem_pool *pool, const struct region_shape *shape)
{
	struct region *r = find_idle(pool, shape);
	if (!r)
		return NULL;
	idle_remove(r);
	if (is_veiled_alike(r, shape) || veil_lift(r))
		return r;
	unmap(r);
	return NULL;
}

static struct region *reserve(struct mem_pool *pool, const struct region_shape *shape, struct error *err)
{
	struct region *r = calloc(1, sizeof(*r));
	if (!r) {
		error_set(err, CELLA_ENOMEM, "no memory for a region");
		return NULL;
	}
	uint8_t *low = mapping_reserve(shape->guard + shape->reserve, shape->align);
	if (!low) {
		error_errno(err, CELLA_ENOMEM, "cannot reserve %zu MiB of address space",
		            shape->reserve >> 20);
		free(r);
		return NULL;
	}
	r->public.base = low + shape->guard;
	r->public.reserved = shape->reserve;
	r->pool = pool;
	r->guard = shape->guard;
	return r;
}

int region_new(struct mem_pool *pool, const struct region_shape *shape, struct region **ret_region,
               struct error *err)
{
	size_t page = mapping_page_size();
	bool veiled = shape->veil_from < shape->veil_to;
	if (shape->size > shape->maximum || shape->veil_from > shape->veil_to ||
	    shape->veil_to > shape->size || (shape->veil_from | shape->veil_to) % MEM_VEIL_GRAIN ||
	    shape->maximum > shape->reserve || shape->reserve == 0 || shape->reserve > (size_t)1 << 46 ||
	    shape->guard > (size_t)1 << 46)
		return error_set(err, CELLA_EINVAL,
		                 "a region of %zu, at most %zu, reserved %zu bytes makes no sense",
		                 shape->size, shape->maximum, shape->reserve);
	struct region_shape whole = *shape;
	if (!veiled)
		whole.veil_from = whole.veil_to = 0;
	whole.align = max_of(shape->align, page);
	whole.reserve = align_up(shape->reserve, page);
	whole.maximum = align_up(shape->maximum, page);
	struct region *r = take_idle(pool, &whole);
	if (!r)
		r = reserve(pool, &whole, err);
	if (!r)
		return CELLA_ENOMEM;
	r->maximum = whole.maximum;
	LIST_INSERT_HEAD(&pool->live, r, link);
	int rc = resize(r, shape->size, err);
	if (rc == 0 && veiled && !r->veil.bits)
		rc = veil_draw(r, shape->veil_from, shape->veil_to, err);
	if (rc < 0) {
		region_free(r);
		return rc;
	}
	*ret_region = r;
	return 0;
}

/* The last ones of what was never touched go back to the kernel. */
static bool clean_open(struct region *r)
{
	size_t kept = mapping_wipe_low(r->pool->level, r->public.base, r->open);
	if (kept == r->open)
		return true;
	if (mapping_drop(r->public.base, kept, r->mapped) < 0)
		return false;
	r->pool->committed -= r->charged - kept;
	r->mapped = r->open = r->charged = kept;
	return true;
}

static bool clean_veiled(struct region *r)
{
	enum mem_level level = r->pool->level;
	uint8_t *base = r->public.base;
	mapping_wipe(level, base, r->veil.from);
	mapping_wipe(level, base + r->veil.to, r->open - r->veil.to);
	return veil_restore(r);
}

void region_free(struct region *r)
{
	struct mem_pool *pool = r->pool;
	LIST_REMOVE(r, link);
	if (!(r->veil.bits ? clean_veiled(r) : clean_open(r)) || !r->charged) {
		unmap(r);
		return;
	}
	LIST_INSERT_HEAD(&pool->bins[bin_of(r->public.reserved)], r, link);
	TAILQ_INSERT_TAIL(&pool->idle_regions, r, idle_link);
	pool->idle += r->charged;
}

int mem_region_new_veiled(struct mem_pool *pool, const struct mem_veiled *veiled,
                          struct mem_region **ret_region, struct error *err)
{
	struct region_shape shape = {
		.reserve = veiled->reserve,
		.maximum = veiled->maximum,
		.size = veiled->size,
		.veil_from = veiled->veil_from,
		.veil_to = veiled->veil_to,
	};
	struct region *r;
	int rc = region_new(pool, &shape, &r, err);
	if (rc == 0)
		*ret_region = &r->public;
	return rc;
}

int mem_region_new(struct mem_pool *pool, size_t reserve_size, size_t maximum, size_t size,
                   struct mem_region **ret_region, struct error *err)
{
	const struct mem_veiled shape = {.reserve = reserve_size, .maximum = maximum, .size = size};
	return mem_region_new_veiled(pool, &shape, ret_region, err);
}

int mem_region_grow(struct mem_region *region, size_t size, struct error *err)
{
	struct region *r = container_of(region, struct region, public);
	if (size < region->size)
		return error_set(err, CELLA_EINVAL, "a region does not shrink");
	if (size > r->maximum)
		return error_set(err, CELLA_ELIMIT, "a region of at most %zu bytes cannot grow to %zu",
		                 r->maximum, size);
	return resize(r, size, err);
}

uint64_t mem_region_touched(const struct mem_region *region, size_t at, size_t size)
{
	const struct region *r = container_of(region, struct region, public);
	size_t count = min_of(size / MEM_PAGE_SIZE, (size_t)MEM_TOUCHED_MAX);
	uint64_t all = count < MEM_TOUCHED_MAX ? ((uint64_t)1 << count) - 1 : UINT64_MAX, touched = 0;
	unsigned char resident[MEM_TOUCHED_MAX];
	/* Ordinary memory that is not resident may be swapped out. */
	if (r->pool->level == MEM_INSECURE_NONE || mincore(region->base + at, size, resident) < 0)
		return all;
	size_t page = mapping_page_size();
	for (size_t i = 0; i < count; i++)
		touched |= (uint64_t)(resident[i * MEM_PAGE_SIZE / page] & 1) << i;
	return touched;
}

void mem_region_free(struct mem_region *region)
{
	if (region)
		region_free(container_of(region, struct region, public));
}
