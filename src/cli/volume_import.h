/*
 * Inside of `cella volume import`: what the walk over the sources and the copying of one file share.
 *
 * The walk goes down by descriptors and follows no symlink. What is whole is committed every so often, and in
 * the middle of a large file, too: until it is whole that has a name of its own, from its name
 * (volume_part_name) and from which file the source is (size, device, inode, time of its last change), and
 * the source's time: by these a later import knows it again. A part of any other source is removed.
 */
#ifndef CLI_VOLUME_IMPORT_H
#define CLI_VOLUME_IMPORT_H

#include <sys/stat.h>

#include "cli/volume_verb.h"

struct volume_import {
	struct volume_command *c;
	struct volume *v;
	uint8_t *buffer; /* VOLUME_COPY_SIZE, in the pool */
	char path[VOLUME_PATH_MAX],
		source[VOLUME_PATH_MAX]; /* of what is being imported: in the volume, outside */
	uint64_t uncommitted; /* bytes */
	uint64_t committed_ns; /* when */
	uint64_t files, bytes, present, left_out, failed;
};

/* The source's time as a volume keeps it. */
uint64_t volume_import_time(const struct stat *st);
/* Commit where it is time for it. CELLA_ECANCELED after an interrupt. */
int volume_import_pace(struct volume_import *i, struct error *err) must_check;
/* The regular file `fd` to i->path. CELLA_EAGAIN: it changed while it was read. */
int volume_import_file(struct volume_import *i, int fd, const struct stat *st, struct error *err) must_check;
/* Does this failure end the import, rather than what is being imported? */
bool volume_import_ends(int rc);

#endif
