#include "cli/place.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int place_check(const char *path, struct error *err)
{
	char directory[4096];
	if (!path)
		return 0;
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return error_set(err, CELLA_EINVAL, "cannot write %s: it is a directory", path);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		if (access(path, W_OK) < 0)
			return error_errno(err, CELLA_EINVAL, "cannot write %s", path);
		return 0;
	}
	const char *slash = strrchr(path, '/');
	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)max_of(slash - path, 1) : 1,
	         slash ? path : ".");
	if (access(directory, W_OK) < 0)
		return error_errno(err, CELLA_EINVAL, "cannot write %s: directory %s", path, directory);
	return 0;
}
