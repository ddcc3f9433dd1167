/* For tests of snapshots: pools of each level of memory, sessions that seal, and a repeatable sequence. */
#ifndef SNAPSHOT_SUPPORT_H
#define SNAPSHOT_SUPPORT_H

#include "cell/snapshot/snapshot.h"

enum { BLOCK = SNAPSHOT_BLOCK_SIZE, PAGE = SNAPSHOT_PAGE_SIZE, MIB = 1 << 20 };

/* Of the level at which the case runs; NULL: this machine does not have it. */
extern struct mem_pool *pool;
extern bool secret; /* the level is MEM_SECRET */
extern struct seal_session *session, *other_session;
/* Of the cell that is captured. */
extern const uint8_t identity[CRYPTO_SHA384_SIZE];

/* For cmocka: keys and OpenSSL stay where they are; cells and snapshots are made at each level. */
int snapshot_begin(void **state);
int snapshot_end(void **state);
int pool_at(void **state);
int pool_gone(void **state);
extern const enum mem_level levels[2];
#define at_each_level(f)                                                               \
	{#f " (insecure-none)", f, pool_at, pool_gone, (void *)(uintptr_t)&levels[0]}, \
	{                                                                              \
		#f " (secret)", f, pool_at, pool_gone, (void *)(uintptr_t)&levels[1]   \
	}

/* Each case that is run at_each_level begins with it: skips where there is no pool, begins the sequence. */
void needs_pool(void **state);

/* A repeatable sequence. */
uint64_t chance(uint64_t below);
/* Puts so many bytes by chance into a block. */
void scatter(uint8_t *block, size_t count);

struct sealed {
	uint8_t *bytes;
	struct snapshot_sealed form;
};
/* By `session`; the caller frees the bytes. */
struct sealed seal(const struct snapshot *s);

#endif
