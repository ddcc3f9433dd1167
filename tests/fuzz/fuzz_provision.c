/* Provisionings: whatever the bytes, provision_read accepts or refuses, and what it accepts is whole. */
#include <stdlib.h>
#include <string.h>

#include "cell/provision.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mem_pool *pool;
	struct provision *p;
	if (!pool && mem_pool_new(MEM_INSECURE_NONE, 64 << 20, &pool, NULL) < 0)
		abort();
	if (provision_read(data, size, pool, &p, NULL) < 0)
		return 0;
	size_t total = 0;
	for (uint32_t i = 0; i < p->argument_count; i++)
		total += strlen(p->arguments[i]);
	for (uint32_t i = 0; i < p->environment_count; i++)
		total += strlen(p->environment[i]);
	for (uint32_t i = 0; i < p->preopen_count; i++)
		total += strlen(p->preopens[i].guest);
	for (uint32_t i = 0; i < p->file_count; i++) {
		const uint8_t *bytes = p->files[i].data;
		total += strlen(p->files[i].path) + p->files[i].size;
		if (p->files[i].size && bytes[0] != bytes[p->files[i].size - 1])
			total++; /* it is readable to its end */
	}
	if (total > size)
		abort();
	provision_free(pool, p);
	return 0;
}
