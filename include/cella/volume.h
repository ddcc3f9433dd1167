/*
 * Sealed volumes from C: a small interface to what `cella volume` does (docs/how-to/volumes.md). Link with
 * -lcella -lcrypto -lpthread; examples/volume/volume.c uses all of it.
 *
 * Functions return 0 or a negative CELLA_E* (cella/error.h) and then fill `error`, where it is not NULL, with
 * a sentence for a person. Paths begin at the volume's root. A volume is used by one thread at a time. What
 * was written is there for others, and after a crash, once it was committed.
 *
 * Keys and open blocks lie in protected memory of the volume's own; OpenSSL's working state, which holds the
 * keys of segments, in the process's ordinary memory.
 */
#ifndef CELLA_VOLUME_H
#define CELLA_VOLUME_H

#include <stddef.h>
#include <stdint.h>

#include "cella/error.h"

struct cella_volume;

struct cella_volume_error {
	int code;
	char text[1000];
};

struct cella_volume_options {
	const char *key_file, *root_file; /* NULL: beside the volume, with .key and .root */
	int writable;
	int any_copy;        /* without a root file: believe it as it is found */
	int take_over;       /* from another writer */
	int insecure_memory; /* ordinary memory in the place of protected memory */
};

enum cella_volume_type { CELLA_VOLUME_FILE = 1, CELLA_VOLUME_DIRECTORY, CELLA_VOLUME_SYMLINK };

struct cella_volume_stat {
	enum cella_volume_type type;
	uint32_t mode; /* permission bits */
	uint64_t size; /* bytes */
	uint64_t modified_ns; /* since 1970 */
};

/* A new volume in a new directory `path`, with its key file and root file. `options` may be NULL. */
int cella_volume_create(const char *path, const struct cella_volume_options *options,
                        struct cella_volume_error *error);
int cella_volume_open(const char *path, const struct cella_volume_options *options,
                      struct cella_volume **ret_volume, struct cella_volume_error *error);
/* What was not committed is lost. NULL is fine. */
void cella_volume_close(struct cella_volume *volume);
int cella_volume_commit(struct cella_volume *volume, struct cella_volume_error *error);

/* *ret_size is less than `size` at the end of the file only. */
int cella_volume_read(struct cella_volume *volume, const char *path, uint64_t offset, void *to, size_t size,
                      size_t *ret_size, struct cella_volume_error *error);
/* Makes the file where it is not there. */
int cella_volume_write(struct cella_volume *volume, const char *path, uint64_t offset, const void *from,
                       size_t size, struct cella_volume_error *error);
int cella_volume_truncate(struct cella_volume *volume, const char *path, uint64_t size,
                          struct cella_volume_error *error);
int cella_volume_mkdir(struct cella_volume *volume, const char *path, struct cella_volume_error *error);
int cella_volume_rename(struct cella_volume *volume, const char *from, const char *to,
                        struct cella_volume_error *error);
/* A file, a symlink, or an empty directory. */
int cella_volume_remove(struct cella_volume *volume, const char *path, struct cella_volume_error *error);
int cella_volume_stat(struct cella_volume *volume, const char *path, struct cella_volume_stat *ret_stat,
                      struct cella_volume_error *error);
/* The name in a directory that comes next after `after` ("": the first). CELLA_ENOENT at the end. */
int cella_volume_next(struct cella_volume *volume, const char *path, const char *after, char ret_name[256],
                      struct cella_volume_error *error);

#endif
