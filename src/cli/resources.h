/*
 * Cella's own files that the command line needs: headers and library of cells (include, guest),
 * and the sources of its benchmarks and examples. They lie in share/cella beside the program (a
 * build tree, where that is a link to the source tree) or beside its directory (an installation).
 */
#ifndef CLI_RESOURCES_H
#define CLI_RESOURCES_H

#include <stddef.h>

#include "base/error.h"

int resources_directory(char *ret_path, size_t capacity, struct error *err) must_check;
/* The path of one of them, such as "guest/task.c". */
int resources_find(const char *name, char *ret_path, size_t capacity, struct error *err) must_check;

#endif
