#include "cli/scratch.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCRATCH_OPEN = 16 }; /* directories at a time */

static int make(const char *keep, struct scratch *s, struct error *err)
{
	const char *parent = getenv("TMPDIR");
	if (keep) {
		if (snprintf(s->path, sizeof(s->path), "%s", keep) >= (int)sizeof(s->path))
			return error_set(err, CELLA_EINVAL, "the path %.60s... is too long", keep);
		if (mkdir(keep, 0777) < 0 && errno != EEXIST)
			return error_errno(err, CELLA_EIO, "cannot make the directory %s", keep);
		return 0;
	}
	if (!parent || parent[0] != '/')
		parent = "/tmp";
	if (snprintf(s->path, sizeof(s->path), "%s/cella-XXXXXX", parent) >= (int)sizeof(s->path))
		return error_set(err, CELLA_EINVAL, "TMPDIR is too long");
	if (!mkdtemp(s->path))
		return error_errno(err, CELLA_EIO, "cannot make a directory in %s", parent);
	return 0;
}

int scratch_make(const char *keep, struct scratch *ret, struct error *err)
{
	sigset_t held;
	struct scratch s = {.keep = keep != NULL};
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigaddset(&held, SIGTERM);
	sigaddset(&held, SIGHUP);
	sigprocmask(SIG_BLOCK, &held, &s.before);
	int rc = make(keep, &s, err);
	if (rc < 0) {
		sigprocmask(SIG_SETMASK, &s.before, NULL);
		return rc;
	}
	*ret = s;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *walk)
{
	(void)st;
	(void)type;
	return remove(path) == 0 || walk->level == 0 ? 0 : -1;
}

void scratch_remove_tree(const char *path)
{
	nftw(path, remove_one, SCRATCH_OPEN, FTW_DEPTH | FTW_PHYS);
}

void scratch_remove(struct scratch *s)
{
	if (!s->path[0])
		return;
	if (!s->keep)
		scratch_remove_tree(s->path);
	s->path[0] = '\0';
	sigprocmask(SIG_SETMASK, &s->before, NULL);
}
