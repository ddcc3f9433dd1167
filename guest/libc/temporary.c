/*
 * Temporary files: musl's mkstemp and its like (src/temp) with names from the random generator instead of
 * the clock, and tmpfile, tmpnam and tempnam without system calls. They lie in /tmp, if a directory of
 * the cell covers it: in the clear on the host, as every file.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 100, RANDOM_SIZE = 6 };

char *__randname(char *to);

/* Fills the six letters at `to`. */
char *__randname(char *to)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef";
	unsigned char bytes[RANDOM_SIZE];
	if (getentropy(bytes, sizeof(bytes)) != 0)
		memset(bytes, 0, sizeof(bytes));
	for (int i = 0; i < RANDOM_SIZE; i++)
		to[i] = letters[bytes[i] % (sizeof(letters) - 1)];
	return to;
}

FILE *tmpfile(void)
{
	char path[] = P_tmpdir "/tmpfile_XXXXXX";
	int fd = mkstemp(path);
	if (fd < 0)
		return NULL;
	unlink(path);
	FILE *file = fdopen(fd, "w+");
	if (!file)
		close(fd);
	return file;
}

/* Until nothing is called so; the letters are the last six of `path`. */
static int find_name(char *path)
{
	struct stat ignored;
	for (int i = 0; i < TRIES; i++) {
		__randname(path + strlen(path) - RANDOM_SIZE);
		if (lstat(path, &ignored) != 0)
			return errno == ENOENT ? 0 : -1;
	}
	errno = EEXIST;
	return -1;
}

char *tmpnam(char *to)
{
	static char own[L_tmpnam];
	char path[L_tmpnam] = P_tmpdir "/tmpnam_XXXXXX";
	if (find_name(path) != 0)
		return NULL;
	to = to ? to : own;
	snprintf(to, L_tmpnam, "%s", path);
	return to;
}

char *tempnam(const char *directory, const char *prefix)
{
	char path[PATH_MAX];
	int size = snprintf(path, sizeof(path), "%s/%s_XXXXXX", directory ? directory : P_tmpdir,
	                    prefix ? prefix : "temp");
	if (size >= (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return find_name(path) == 0 ? strdup(path) : NULL;
}
