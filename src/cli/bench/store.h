/*
 * Places for files that cella bench volumes compares: a volume, a plain directory, gocryptfs. Paths are
 * relative to the place; all calls are those that a program would make of it.
 */
#ifndef CLI_BENCH_STORE_H
#define CLI_BENCH_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "mem/mem.h"
#include "volume/volume.h"

struct store {
	const struct store_kind *kind;
	char directory[512]; /* its own, there is nothing else in it */
	struct mem_pool *pool; /* of a volume */
	struct volume_config config;
	struct volume *volume;
};

struct store_file {
	int fd;
	struct volume_file *file;
};

struct store_kind {
	const char *name;
	unsigned workers; /* of a volume */
	bool durable; /* it is worth while to measure its syncs */
	int (*make)(struct store *s, struct error *err); /* once */
	/* Open it, with nothing of it in the clear in any cache, and close it: any number of times. */
	int (*begin)(struct store *s, struct error *err);
	int (*end)(struct store *s, struct error *err);
	int (*open)(struct store *s, const char *path, bool create, struct store_file *ret,
	            struct error *err);
	int (*close)(struct store *s, struct store_file *f, struct error *err);
	int (*read)(struct store *s, struct store_file *f, uint64_t offset, void *to, size_t size,
	            struct error *err);
	int (*write)(struct store *s, struct store_file *f, uint64_t offset, const void *from, size_t size,
	             struct error *err);
	/* What was written to the file is durable; of a volume: all that was written. */
	int (*commit)(struct store *s, struct store_file *f, struct error *err);
	int (*unlink)(struct store *s, const char *path, struct error *err);
};

extern const struct store_kind store_volume, store_volume_two, store_plain, store_gocryptfs;

/* CELLA_EUNSUPPORTED: not here. */
int store_check(const struct store_kind *kind, struct error *err) must_check;

#endif
