/*
 * What a program does with files, as a cell on a volume and as an ordinary program in a directory: both have
 * to print the same.
 *
 *     volumes operations DIR     everything below, with the errors that there are
 *     volumes read FILE          how it ended and a checksum
 *     volumes write FILE TEXT    a file
 *     volumes append FILE TEXT   the same, synced with fsync
 *     volumes hold FILE          reads it, says so, and waits for a line
 *     volumes later FILE         waits, and then as read
 *     volumes again FILE         appends a letter and syncs it, says how that ended, and waits; four times
 *     volumes until FILE         overwrites it, synced, "first", then "second" without, says so, and waits
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BIG = 1 << 20, MANY = 400 };

static const char *root;

static const char *at(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *path = paths[next++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
	return path;
}

/* The numbers of errors are not the same everywhere; their names are. */
static const char *name_of(int number)
{
	switch (number) {
	case EEXIST: return "EEXIST";
	case ENOENT: return "ENOENT";
	case ENOTDIR: return "ENOTDIR";
	case EISDIR: return "EISDIR";
	case ENOTEMPTY: return "ENOTEMPTY";
	case EINVAL: return "EINVAL";
	case ELOOP: return "ELOOP";
	case EROFS: return "EROFS";
	case EIO: return "EIO";
	case EPERM: return "EPERM";
	case ENAMETOOLONG: return "ENAMETOOLONG";
	case EBADF: return "EBADF";
	default: return strerror(number);
	}
}

static void say(const char *what, long rc)
{
	if (rc < 0)
		printf("%s: %s\n", what, name_of(errno));
	else
		printf("%s: %ld\n", what, rc);
}

static void show(const char *name)
{
	struct stat st;
	if (lstat(at(name), &st) < 0)
		printf("%s: %s\n", name, name_of(errno));
	else
		printf("%s: %s of %lld, %u names\n", name,
		       S_ISDIR(st.st_mode)   ? "directory"
		       : S_ISLNK(st.st_mode) ? "symlink"
		                             : "file",
		       S_ISREG(st.st_mode) ? (long long)st.st_size : 0,
		       S_ISREG(st.st_mode) ? (unsigned)st.st_nlink : 0);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *name)
{
	static char *names[2 * MANY];
	size_t count = 0;
	DIR *d = opendir(at(name));
	if (!d) {
		say("opendir", -1);
		return;
	}
	const struct dirent *e;
	while ((e = readdir(d)) && count < 2 * MANY)
		names[count++] = strdup(e->d_name);
	closedir(d);
	qsort(names, count, sizeof(*names), by_name);
	uint32_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		for (const char *c = names[i]; *c; c++)
			sum = sum * 31 + (uint8_t)*c;
		if (count < 20)
			printf("  %s\n", names[i]);
		free(names[i]);
	}
	printf("%s: %zu entries, %08x\n", name, count, sum);
}

static void checksum(const char *name)
{
	uint8_t bytes[5000];
	uint32_t sum = 0;
	ssize_t n;
	long total = 0;
	int fd = open(at(name), O_RDONLY);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			sum = sum * 31 + bytes[i];
		total += n;
	}
	if (n < 0)
		say(name, -1);
	else
		printf("%s: %ld bytes, %08x\n", name, total, sum);
	close(fd);
}

static void put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC, 0644);
	say(name, fd < 0 ? -1 : (long)write(fd, text, strlen(text)));
	close(fd);
}

static void reading_and_writing(void)
{
	uint8_t *big = malloc(BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (uint8_t)(i * i >> 7);
	int fd = open(at("big"), O_RDWR | O_CREAT | O_EXCL, 0644);
	say("write", (long)write(fd, big, BIG));
	say("pwrite behind the end", (long)pwrite(fd, "end", 3, 3 * BIG + 17));
	say("pwrite", (long)pwrite(fd, "middle", 6, 4094));
	say("seek to the end", (long)lseek(fd, 0, SEEK_END));
	say("seek before the beginning", (long)lseek(fd, -5, SEEK_SET));
	say("seek", (long)lseek(fd, 4090, SEEK_SET));
	struct iovec parts[] = {{big, 7}, {big + 7, 0}, {big + 7, 5000}};
	say("readv", (long)readv(fd, parts, 3));
	printf("%.6s\n", (const char *)big + 4);
	say("tell", (long)lseek(fd, 0, SEEK_CUR));
	say("pread at the end", (long)pread(fd, big, 100, 3 * BIG + 10));
	say("pread behind it", (long)pread(fd, big, 100, 4 * BIG));
	say("truncate", ftruncate(fd, BIG / 2 + 1));
	say("and longer", ftruncate(fd, BIG));
	say("fsync", fsync(fd));
	say("fdatasync", fdatasync(fd));
	close(fd);
	checksum("big");
	fd = open(at("big"), O_WRONLY | O_APPEND);
	say("append", (long)write(fd, "appended", 8));
	say("read of what is for writing", (long)read(fd, big, 1));
	close(fd);
	fd = open(at("big"), O_RDONLY);
	say("write of what is for reading", (long)write(fd, big, 1));
	close(fd);
	checksum("big");
	free(big);
}

static void names(void)
{
	put("a", "first");
	put("a", "2nd");
	say("exclusive", open(at("a"), O_WRONLY | O_CREAT | O_EXCL, 0644));
	say("no such", open(at("none"), O_RDONLY));
	say("beneath a file", open(at("a/b"), O_RDONLY));
	say("with a slash", open(at("a/"), O_RDONLY));
	say("as a directory", open(at("a"), O_RDONLY | O_DIRECTORY));
	say("mkdir", mkdir(at("d"), 0755));
	say("mkdir again", mkdir(at("d"), 0755));
	say("mkdir deep", mkdir(at("none/d"), 0755));
	say("writing a directory", open(at("d"), O_RDWR));
	put("d/x", "in a directory");
	say("rmdir of what is not empty", rmdir(at("d")));
	say("rmdir of a file", rmdir(at("a")));
	say("unlink of a directory", unlink(at("d")));
	say("rename", rename(at("a"), at("d/a")));
	say("rename of nothing", rename(at("a"), at("b")));
	put("b", "bb");
	say("rename over", rename(at("b"), at("d/a")));
	say("a directory into itself", rename(at("d"), at("d/e")));
	say("a directory over a file", rename(at("d"), at("big")));
	say("a file over a directory", rename(at("big"), at("d")));
	say("link", link(at("d/a"), at("linked")));
	say("link over", link(at("d/a"), at("linked")));
	show("linked");
	say("unlink", unlink(at("d/a")));
	show("linked");
	char *name = malloc(4096);
	memset(name, 'n', 300);
	name[300] = '\0';
	say("a long name", open(at(name), O_WRONLY | O_CREAT, 0644));
	name[255] = '\0';
	put(name, "just");
	free(name);
	list("d");
	list(".");
	list("linked");
}

static void symlinks(void)
{
	char target[100];
	say("symlink", symlink("d/x", at("s")));
	say("symlink over", symlink("d/x", at("s")));
	ssize_t n = readlink(at("s"), target, sizeof(target));
	printf("readlink: %.*s\n", (int)n, target);
	say("readlink of a file", (long)readlink(at("linked"), target, sizeof(target)));
	checksum("s");
	say("not to follow", open(at("s"), O_RDONLY | O_NOFOLLOW));
	say("a loop", symlink("loop", at("loop")));
	say("into it", open(at("loop"), O_RDONLY));
	say("a link from it", link(at("loop/x"), at("of it")));
	say("a link in it", link(at("big"), at("loop/x")));
	char *long_target = malloc(6000);
	memset(long_target, 't', 5999);
	long_target[5999] = '\0';
	say("a target that is too long", symlink(long_target, at("too long")));
	free(long_target);
	say("to nothing", symlink("made", at("dangling")));
	put("dangling", "through it");
	show("made");
	say("to a directory", symlink("d", at("sd")));
	checksum("sd/x");
	say("out", symlink("../../../../etc/passwd", at("out")));
	say("through it", open(at("out"), O_RDONLY) >= 0 ? 0 : -1);
	show("s");
	show("sd");
}

static void open_and_gone(void)
{
	char text[16] = "";
	int fd = open(at("gone"), O_RDWR | O_CREAT, 0644);
	say("write", (long)write(fd, "still here", 10));
	say("unlink while open", unlink(at("gone")));
	show("gone");
	say("pread", (long)pread(fd, text, 10, 0));
	struct stat st;
	say("fstat", fstat(fd, &st));
	printf("%s, %lld bytes, %u names\n", text, (long long)st.st_size, (unsigned)st.st_nlink);
	close(fd);
}

static void times(void)
{
	struct stat st;
	const struct timespec when[2] = {{.tv_sec = 1000000000, .tv_nsec = 5},
	                                 {.tv_sec = 1111111111, .tv_nsec = 7}};
	say("utimensat", utimensat(AT_FDCWD, at("linked"), when, 0));
	stat(at("linked"), &st);
	printf("%lld %ld\n", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	int fd = open(at("linked"), O_RDWR);
	const struct timespec other[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 1222222222}};
	say("futimens", futimens(fd, other));
	fstat(fd, &st);
	printf("%lld %ld\n", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	close(fd);
}

/* A directory of several buffers, and one that is emptied while it is read. */
static void many(void)
{
	char name[40];
	say("mkdir", mkdir(at("many"), 0755));
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "many/entry-%d-%d", i * 7919 % MANY, i);
		int fd = open(at(name), O_WRONLY | O_CREAT, 0644);
		close(fd);
	}
	list("many");
	DIR *d = opendir(at("many"));
	const struct dirent *e;
	int removed = 0;
	while ((e = readdir(d))) {
		snprintf(name, sizeof(name), "many/%.30s", e->d_name);
		removed += e->d_name[0] != '.' && unlink(at(name)) == 0;
	}
	closedir(d);
	printf("removed %d\n", removed);
	list("many");
	say("rmdir", rmdir(at("many")));
}

static int operations(void)
{
	reading_and_writing();
	names();
	symlinks();
	open_and_gone();
	times();
	many();
	list(".");
	return 0;
}

static int wait_for_line(const char *what)
{
	char line[10];
	printf("%s\n", what);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) ? 0 : 1;
}

static int add(const char *file, const char *text, int flags, int sync)
{
	int fd = open(file, O_WRONLY | O_CREAT | flags, 0644);
	if (fd < 0 || write(fd, text, strlen(text)) < 0 || (sync && fsync(fd) < 0)) {
		printf("%s\n", name_of(errno));
		return 3;
	}
	close(fd);
	return 0;
}

static int again(const char *file)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0644);
	for (const char *letter = "abcd"; *letter; letter++) {
		int rc = write(fd, letter, 1) < 0 || fsync(fd) < 0 ? -1 : 0;
		if (wait_for_line(rc < 0 ? name_of(errno) : "synced") != 0)
			return 1;
	}
	return close(fd) < 0;
}

static int hold(const char *file)
{
	static char held[1 << 16];
	int fd = open(file, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, held, sizeof(held));
	return n <= 0 ? 1 : wait_for_line("holding");
}

static int read_whole(const char *file)
{
	root = "/";
	checksum(file);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	root = argc > 2 ? argv[2] : "";
	if (strcmp(what, "operations") == 0)
		return operations();
	if (strcmp(what, "read") == 0)
		return read_whole(argv[2]);
	if (strcmp(what, "hold") == 0)
		return hold(argv[2]);
	if (strcmp(what, "later") == 0)
		return wait_for_line("waiting") || read_whole(argv[2]);
	if (strcmp(what, "again") == 0)
		return again(argv[2]);
	if (strcmp(what, "write") == 0 && argc == 4)
		return add(argv[2], argv[3], O_TRUNC, 0);
	if (strcmp(what, "append") == 0 && argc == 4)
		return add(argv[2], argv[3], O_APPEND, 1);
	if (strcmp(what, "until") == 0)
		return add(argv[2], "first", O_TRUNC, 1) || add(argv[2], "second", O_TRUNC, 0) ||
		       wait_for_line("written");
	return 2;
}
