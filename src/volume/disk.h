/*
 * Where a volume is stored: files with names, as callbacks, so that a directory, a bucket, a cell's owner or
 * a test can be behind it. What comes from it is not trusted.
 *
 * Functions return 0 or a CELLA_E* (CELLA_ENOENT, CELLA_EEXIST, CELLA_ENOSPC, CELLA_EIO, CELLA_ENOMEM).
 * A byte of a file is written once, or again with the same value after a failure; several threads write
 * parts of a file in any order, and one is read only after it was written.
 */
#ifndef VOLUME_DISK_H
#define VOLUME_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { VOLUME_PATH_MAX = 4096, VOLUME_DISK_NAME_MAX = 32 };

struct volume_disk {
	void *data;
	/* A file for reading; or a new one for both. CELLA_ENOENT also where it is no regular file. */
	int (*open)(void *data, const char *name, void **ret_file, struct error *err);
	int (*create)(void *data, const char *name, void **ret_file, struct error *err);
	void (*close)(void *data, void *file);
	/* *ret_size is less than `size` at the end of the file only. May be called by several threads. */
	int (*read)(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
	            struct error *err);
	int (*write)(void *data, void *file, uint64_t offset, const void *from, size_t size,
	             struct error *err);
	/* What was written is durable, and so is the file's name. */
	int (*sync)(void *data, void *file, struct error *err);
	/* Replace a small file at once; durable when `durable`. */
	int (*put)(void *data, const char *name, const void *bytes, size_t size, bool durable,
	           struct error *err);
	int (*remove)(void *data, const char *name, struct error *err);
	/* Each name with its size. It fails where a name cannot be looked at, and where `each` fails, which
	 * says itself why. */
	int (*list)(void *data, int (*each)(void *arg, const char *name, uint64_t size), void *arg,
	            struct error *err);
};

/* The CELLA_E* of an errno that a call on a volume's files gave. What is in the place of a file, but is none,
 * is as good as nothing: CELLA_ENOENT. */
int volume_disk_code(int number);

/* A directory; `directory` is one's descriptor, for reading, which is taken. */
int volume_disk_directory(int directory, struct volume_disk *ret_disk, struct error *err) must_check;
void volume_disk_directory_free(struct volume_disk *disk);

/*
 * The same for a process that may not resolve names and asks another one to: what has a name is asked for,
 * what has a descriptor is done here, by system calls that need no more than that (no stat by name, no
 * directory streams). Names are plain; "." is the directory. Functions return 0 or a CELLA_E*.
 */
enum volume_opening {
	VOLUME_OPEN_READ,
	VOLUME_OPEN_NEW, /* for both; CELLA_EEXIST */
	VOLUME_OPEN_REPLACE, /* for writing; empty, made if it is not there */
	VOLUME_OPEN_DIRECTORY, /* for reading */
};
struct volume_names {
	void *data;
	int (*open)(void *data, const char *name, enum volume_opening how, int *ret_fd, struct error *err);
	/* CELLA_ENOENT also where it is no regular file. */
	int (*size)(void *data, const char *name, uint64_t *ret_size, struct error *err);
	int (*rename)(void *data, const char *from, const char *to, struct error *err);
	int (*remove)(void *data, const char *name, struct error *err);
};
/* Freed by volume_disk_directory_free; `names->data` is borrowed. */
int volume_disk_names(const struct volume_names *names, struct volume_disk *ret_disk,
                      struct error *err) must_check;

#endif
