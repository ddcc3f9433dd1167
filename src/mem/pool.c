#include "mem/pool.h"

#include <stdlib.h>
#include <string.h>

#include "mem/mapping.h"

static struct mem_pool *process_pool;

int mem_pool_new(enum mem_level level, size_t budget, struct mem_pool **ret_pool, struct error *err)
{
	if (budget < HEAP_CHUNK_SIZE)
		return error_set(err, CELLA_EINVAL, "a budget of %zu bytes is too small: the least is %d",
		                 budget, HEAP_CHUNK_SIZE);
	int rc = mem_level_check(level, mapping_page_size(), err);
	if (rc < 0)
		return rc;
	struct mem_pool *pool = calloc(1, sizeof(*pool));
	if (!pool)
		return error_set(err, CELLA_ENOMEM, "no memory for a pool");
	pool->level = level;
	pool->budget = budget;
	TAILQ_INIT(&pool->idle_regions);
	*ret_pool = pool;
	return 0;
}

void mem_pool_free(struct mem_pool *pool)
{
	if (!pool)
		return;
	if (process_pool == pool)
		process_pool = NULL;
	mem_heap_done(&pool->heap);
	region_free_all(pool);
	free(pool);
}

enum mem_level mem_pool_level(const struct mem_pool *pool)
{
	return pool->level;
}

void mem_pool_stats(const struct mem_pool *pool, struct mem_stats *ret_stats)
{
	*ret_stats = (struct mem_stats){
		.budget = pool->budget,
		.committed = pool->committed,
		.idle = pool->idle + heap_idle(&pool->heap),
	};
}

bool mem_pool_warm(struct mem_pool *pool)
{
	return heap_warm(&pool->heap);
}

void mem_set_process_pool(struct mem_pool *pool)
{
	process_pool = pool;
}

struct mem_pool *mem_process_pool(void)
{
	return process_pool;
}

void mem_wipe(void *p, size_t size)
{
	if (size)
		memset(p, 0, size);
	__asm__ volatile("" : : "r"(p) : "memory");
}
