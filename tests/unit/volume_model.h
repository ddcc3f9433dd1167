/*
 * What a volume should be: a tree of directories, files and symlinks in ordinary memory, and a comparison.
 * Functions on names return what the volume's should. Paths lead through no symlinks.
 */
#ifndef VOLUME_MODEL_H
#define VOLUME_MODEL_H

#include "volume/volume.h"

struct model;
struct model *model_new(void);
void model_free(struct model *m);
struct model *model_copy(const struct model *m);

int model_mkdir(struct model *m, const char *path);
int model_remove(struct model *m, const char *path, bool directory);
int model_rename(struct model *m, const char *from, const char *to);
int model_link(struct model *m, const char *from, const char *to);
int model_symlink(struct model *m, const char *target, const char *path);
/* Is a component of the path but the last a symlink? */
bool model_passes_symlink(const struct model *m, const char *path);
/* A regular file, made if `create`; its number stays valid when its name goes. */
int model_open(struct model *m, const char *path, bool create, size_t *ret_file);

const uint8_t *model_bytes(const struct model *m, size_t file, size_t *ret_size);
void model_write(struct model *m, size_t file, size_t offset, const void *from, size_t size);
void model_truncate(struct model *m, size_t file, size_t size);

/* Reads all of the volume. NULL, or the first difference in words (a static buffer). */
const char *model_difference(const struct model *m, struct volume *v);

#endif
