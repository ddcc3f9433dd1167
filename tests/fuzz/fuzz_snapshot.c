/*
 * Snapshots in the clear, from an attacker. What is read (the seeds are) restores every block, is captured
 * again from what it restores, and restores the same; with itself as the base, too.
 */
#include <stdlib.h>
#include <string.h>

#include "cell/snapshot/snapshot.h"

enum { MEMORY_MAX = 64 * SNAPSHOT_BLOCK_SIZE };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static struct mem_pool *the_pool(void)
{
	static struct mem_pool *pool;
	if (!pool)
		demand(crypto_init(NULL, NULL) == 0 &&
		       mem_pool_new(MEM_INSECURE_NONE, 256 << 20, &pool, NULL) == 0);
	return pool;
}

/* Into calloc's memory; false if a block does not decode. */
static bool restore(struct snapshot *s, uint8_t *to)
{
	for (uint64_t i = 0; i < snapshot_header(s)->memory_size / SNAPSHOT_BLOCK_SIZE; i++)
		if (snapshot_read_block(s, i, to + i * SNAPSHOT_BLOCK_SIZE, NULL) < 0)
			return false;
	return true;
}

static struct snapshot *capture(const struct snapshot *like, const uint8_t *memory, struct snapshot *base)
{
	const struct snapshot_header *h = snapshot_header(like);
	struct snapshot *s = NULL;
	struct snapshot_source source = {
		.identity = h->identity,
		.abi_version = h->abi_version,
		.translator_version = h->translator_version,
		.state = snapshot_state(like),
		.state_size = h->state_size,
		.memory = memory,
		.memory_size = h->memory_size,
	};
	demand(snapshot_capture(the_pool(), &source, base, &s, NULL) == 0);
	return s;
}

static void check_again(const struct snapshot *s, const uint8_t *memory)
{
	uint64_t size = snapshot_header(s)->memory_size;
	uint8_t *again = calloc(1, size + 1);
	struct snapshot *whole = capture(s, memory, NULL), *same = capture(s, memory, whole), *read;
	demand(again && restore(whole, again) && memcmp(again, memory, size) == 0);
	demand(snapshot_header(same)->block_count == 0);
	demand(snapshot_read(the_pool(), snapshot_bytes(same), snapshot_size(same), whole, &read, NULL) == 0);
	memset(again, 0, size);
	demand(restore(read, again) && memcmp(again, memory, size) == 0);
	snapshot_unref(read);
	snapshot_unref(same);
	snapshot_unref(whole);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct snapshot *s;
	if (snapshot_read(the_pool(), data, size, NULL, &s, NULL) < 0)
		return 0;
	uint64_t memory_size = snapshot_header(s)->memory_size;
	if (memory_size <= MEMORY_MAX) {
		uint8_t *memory = calloc(1, memory_size + 1);
		demand(memory);
		if (restore(s, memory))
			check_again(s, memory);
		free(memory);
	}
	snapshot_unref(s);
	return 0;
}
