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

int place_beside(const char *given, const char *directory, const char *ending, char to[PLACE_PATH_MAX],
                 struct error *err)
{
	size_t size = strlen(directory);
	while (size > 1 && directory[size - 1] == '/')
		size--;
	int wanted = given ? snprintf(to, PLACE_PATH_MAX, "%s", given)
	                   : snprintf(to, PLACE_PATH_MAX, "%.*s%s", (int)size, directory, ending);
	return wanted >= PLACE_PATH_MAX ? error_set(err, CELLA_EINVAL, "the path %.60s... is too long",
	                                            given ? given : directory)
	                                : 0;
}
