/* The linear memory of fake cells and instances: it is all there always, so nothing has to be brought or
 * pinned. */
#include "cell/instance.h"

void instance_touch(struct cell_instance *cell, const void *at, size_t size)
{
	(void)cell;
	(void)at;
	(void)size;
}

size_t instance_pin(struct cell_instance *cell, const void *at, size_t size, bool write)
{
	(void)cell;
	(void)at;
	(void)write;
	return size;
}

void instance_unpin(struct cell_instance *cell, const void *at, size_t size)
{
	(void)cell;
	(void)at;
	(void)size;
}

void *instance_memory(struct cell_instance *cell, uint64_t address, uint64_t size)
{
	if (address > cell->memory_size || size > cell->memory_size - address)
		return NULL;
	return cell->memory + address;
}
