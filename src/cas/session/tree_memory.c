/*
 * The memory of libyaml, which holds parts of what it reads, secrets among them: it is wiped when it is given
 * back. libyaml calls these functions, which it exports, through its procedure linkage table, so a program's
 * own take their place (ELF's symbol interposition).
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "cas/session/tree.h"

void *yaml_malloc(size_t size);
void *yaml_realloc(void *p, size_t size);
void yaml_free(void *p);

static _Thread_local unsigned long asked;

unsigned long tree_memory_count(void)
{
	return asked;
}

void *yaml_malloc(size_t size)
{
	asked++;
	return malloc(size ? size : 1);
}

void yaml_free(void *p)
{
	if (p)
		mem_wipe(p, malloc_usable_size(p));
	free(p);
}

void *yaml_realloc(void *p, size_t size)
{
	void *larger = yaml_malloc(size);
	if (larger && p)
		memcpy(larger, p, min_of(size, malloc_usable_size(p)));
	if (larger)
		yaml_free(p);
	return larger;
}
