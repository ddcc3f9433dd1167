/* Where a verb is to leave a file. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "base/error.h"

/* CELLA_EINVAL if no file can be made there (NULL is fine): found out before the work, not after it. */
int place_check(const char *path, struct error *err) must_check;

#endif
