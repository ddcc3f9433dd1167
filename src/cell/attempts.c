#include "cell/attempts.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "task/task_format.h"

enum { PAGE_TASKS = 4096 };

struct attempts_page {
	uint64_t key;
	uint64_t begun[PAGE_TASKS / 64];
};

void attempts_done(struct attempts *a)
{
	for (size_t i = 0; i < ATTEMPTS_PAGES_MAX; i++)
		free(a->order[i]);
	map_done(&a->pages);
	*a = (struct attempts){0};
}

static struct attempts_page *page_new(struct attempts *a, uint64_t key)
{
	struct attempts_page *page = calloc(1, sizeof(*page));
	if (!page || map_put(&a->pages, key, page) < 0) {
		free(page);
		return NULL;
	}
	page->key = key;
	struct attempts_page *oldest = a->order[a->next];
	if (oldest) {
		map_take(&a->pages, oldest->key);
		free(oldest);
	}
	a->order[a->next] = page;
	a->next = (a->next + 1) % ATTEMPTS_PAGES_MAX;
	return page;
}

int attempts_begin(struct attempts *a, uint64_t number, uint32_t attempt)
{
	uint64_t key = number / PAGE_TASKS * (TASK_ATTEMPTS_MAX + 1) + attempt;
	if (!a->latest || a->latest->key != key) {
		struct attempts_page *page = map_get(&a->pages, key);
		if (!page)
			page = page_new(a, key);
		if (!page)
			return CELLA_ENOMEM;
		a->latest = page;
	}
	uint64_t bit = (uint64_t)1 << (number % 64);
	uint64_t *word = &a->latest->begun[number % PAGE_TASKS / 64];
	bool fresh = !(*word & bit);
	*word |= bit;
	return fresh ? 0 : CELLA_EAUTH;
}
