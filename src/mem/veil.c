#include <stdlib.h>

#include "mem/mapping.h"
#include "mem/pool.h"

static bool bit_of(const struct veil *v, size_t at)
{
	size_t grain = (at - v->from) / MEM_VEIL_GRAIN;
	return v->bits[grain / 64] >> (grain % 64) & 1;
}

static void set_bits(struct veil *v, size_t from, size_t to, bool on)
{
	for (size_t grain = (from - v->from) / MEM_VEIL_GRAIN; from < to; from += MEM_VEIL_GRAIN, grain++) {
		uint64_t bit = (uint64_t)1 << (grain % 64);
		v->bits[grain / 64] = on ? v->bits[grain / 64] | bit : v->bits[grain / 64] & ~bit;
	}
}

bool veil_lift(struct region *r)
{
	struct veil *v = &r->veil;
	if (v->bits && mapping_open(r->public.base, v->from, v->to, NULL) < 0)
		return false;
	free(v->bits);
	*v = (struct veil){0};
	return true;
}

int veil_draw(struct region *r, size_t from, size_t to, struct error *err)
{
	struct veil *v = &r->veil;
	uint64_t *bits = calloc(((to - from) / MEM_VEIL_GRAIN + 63) / 64, sizeof(*bits));
	if (!bits)
		return error_set(err, CELLA_ENOMEM, "no memory to veil a region");
	if (mapping_shut(r->public.base, from, to) < 0) {
		free(bits);
		return error_errno(err, CELLA_ENOMEM, "cannot veil protected memory");
	}
	*v = (struct veil){from, to, bits};
	set_bits(v, from, to, true);
	return 0;
}

/* Wiped before it is shut: what is veiled is zero. */
static bool wipe_run(struct region *r, size_t from, size_t to)
{
	mapping_wipe(r->pool->level, r->public.base + from, to - from);
	if (mapping_shut(r->public.base, from, to) < 0)
		return false;
	set_bits(&r->veil, from, to, true);
	return true;
}

bool veil_restore(struct region *r)
{
	const struct veil *v = &r->veil;
	for (size_t from = v->from, to; from < v->to; from = to) {
		bool veiled = bit_of(v, from);
		for (to = from; to < v->to && bit_of(v, to) == veiled; to += MEM_VEIL_GRAIN)
			;
		if (!veiled && !wipe_run(r, from, to))
			return false;
	}
	return true;
}

bool mem_region_veiled(const struct mem_region *region, size_t at)
{
	const struct veil *v = &container_of(region, struct region, public)->veil;
	return at >= v->from && at < v->to && bit_of(v, at);
}

int mem_region_unveil(struct mem_region *region, size_t from, size_t to)
{
	struct region *r = container_of(region, struct region, public);
	int rc = mapping_open(region->base, from, to, NULL);
	if (rc == 0)
		set_bits(&r->veil, from, to, false);
	return rc;
}

int mem_region_veil(struct mem_region *region, size_t from, size_t to)
{
	return wipe_run(container_of(region, struct region, public), from, to) ? 0 : CELLA_ENOMEM;
}
