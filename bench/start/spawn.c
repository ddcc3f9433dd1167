/*
 * Memory for snapshots: what `cella bench start` takes a snapshot of and spawns cells from. It is entered by
 * the functions below, not by main.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { PAGE = 4096 };

static uint64_t *memory;
static size_t size;

/* That many bytes with content. */
__attribute__((export_name("fill"))) int fill(uint32_t bytes)
{
	memory = malloc(bytes);
	size = memory ? bytes : 0;
	for (size_t i = 0; i < size / sizeof(*memory); i++)
		memory[i] = i * 0x9e3779b97f4a7c15u + 1;
	return memory != NULL;
}

/* One word of each page from one byte on to another; what `fill` left there, or the cell traps. */
__attribute__((export_name("touch"))) void touch(uint32_t from, uint32_t to)
{
	for (size_t i = from / sizeof(*memory); i < to / sizeof(*memory); i += PAGE / sizeof(*memory))
		if (memory[i] != i * 0x9e3779b97f4a7c15u + 1)
			__builtin_trap();
}

int main(void)
{
	return 0;
}
