/*
 * A private directory for intermediate files, removed on every way out: while it exists, the
 * signals that would end the process wait.
 */
#ifndef CLI_SCRATCH_H
#define CLI_SCRATCH_H

#include <signal.h>
#include <stdbool.h>

#include "base/error.h"

enum { SCRATCH_PATH_MAX = 4096 };

struct scratch {
	char path[SCRATCH_PATH_MAX]; /* "" : none */
	bool keep;
	sigset_t before;
};

/* `keep` (may be NULL) names a directory to use, and to leave, instead. */
int scratch_make(const char *keep, struct scratch *ret, struct error *err) must_check;
void scratch_remove(struct scratch *s);
/* A directory with all that is in it, as far as that can be removed. */
void scratch_remove_tree(const char *path);
#define cleanup_scratch __attribute__((cleanup(scratch_remove)))

#endif
