/* Where a verb is to leave a file, or finds one. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "base/error.h"

/* CELLA_EINVAL if no file can be made there (NULL is fine): found out before the work, not after it. */
int place_check(const char *path, struct error *err) must_check;

enum { PLACE_PATH_MAX = 4096 };
/* A file that belongs to a directory: `given`, or where that is NULL the directory's path, without slashes at
 * its end, and `ending`. */
int place_beside(const char *given, const char *directory, const char *ending, char to[PLACE_PATH_MAX],
                 struct error *err) must_check;

#endif
