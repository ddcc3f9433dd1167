/*
 * The owner's side of operations on preopened directories (OWNER_PATH frames).
 *
 * Threat: the request comes from an executor, hence from a cell. Every path is resolved beneath its directory
 * (openat2 with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS): neither "..", nor an absolute path, nor a symlink
 * leads out. Only regular files and directories are opened.
 */
#ifndef CELL_OWNER_PATHS_H
#define CELL_OWNER_PATHS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/owner/format.h"

struct owner_paths;

int owner_paths_new(struct owner_paths **ret_paths, struct error *err) must_check;
void owner_paths_free(struct owner_paths *paths);
/* Preopen a host directory; its index is the number of directories added before it. */
int owner_paths_add(struct owner_paths *paths, const char *host_directory, bool read_only,
                    struct error *err) must_check;

/* Serve one request (the body of an OWNER_PATH frame): the answer's body (struct owner_path_reply
 * and data) and a descriptor (-1: none) that the caller sends beside it and closes. An operation
 * that fails is an answer; CELLA_EFORMAT only for a malformed request. */
int owner_paths_serve(const struct owner_paths *paths, const void *request, size_t size, void *ret_answer,
                      size_t capacity, size_t *ret_size, int *ret_fd, struct error *err) must_check;

#endif
