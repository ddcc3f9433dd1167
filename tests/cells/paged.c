/*
 * A program that uses more memory than is in the clear at a time.
 *
 *   paged sort MIB         sorts that much and checks it
 *   paged calls DIRECTORY  every host call, with arguments and results in memory that has left the window
 *   paged hold FILE MIB    copies of the file all over that much memory; prints "parked"; for every line of
 *                          input it reads them all, writes half of them anew and says so; ends with the input
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
#include <time.h>
#include <unistd.h>
#ifdef __wasi__
#include <wasi/api.h>
#endif

enum { MIB = 1 << 20, BIG = 8 * MIB, FILLER = 3 * MIB, PARTS = 100, PART = 1000 };

static int failures;

static void check(const char *what, int ok)
{
	if (!ok)
		printf("FAILED %s, errno %d\n", what, errno);
	failures += !ok;
}

static void *memory(size_t size)
{
	void *p = malloc(size);
	if (!p) {
		printf("no memory for %zu bytes\n", size);
		exit(1);
	}
	return p;
}

static void merge(const uint32_t *from, uint32_t *to, size_t at, size_t middle, size_t end)
{
	size_t left = at, right = middle;
	for (; at < end; at++)
		to[at] = left < middle && (right >= end || from[left] <= from[right]) ? from[left++]
		                                                                      : from[right++];
}

static int sort(size_t mib)
{
	size_t count = mib * (MIB / sizeof(uint32_t)) / 2;
	uint32_t *a = memory(count * sizeof(*a)), *b = memory(count * sizeof(*b)), x = 1;
	uint64_t sum = 0;
	for (size_t i = 0; i < count; i++) {
		x = x * 1664525u + 1013904223u;
		a[i] = x;
		sum += x;
	}
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t at = 0; at < count; at += 2 * width) {
			size_t middle = at + width < count ? at + width : count;
			size_t end = at + 2 * width < count ? at + 2 * width : count;
			merge(a, b, at, middle, end);
		}
		uint32_t *other = a;
		a = b;
		b = other;
	}
	for (size_t i = 0; i < count; i++) {
		check("order", i == 0 || a[i - 1] <= a[i]);
		sum -= a[i];
	}
	check("sum", sum == 0);
	printf("sorted %zu numbers\n", count);
	return failures != 0;
}

static char *big, *filler;

/* Nothing but the filler and the stack is in the clear then, in a window of less than the filler. */
static void leave(void)
{
	for (size_t i = 0; i < FILLER; i += 512)
		filler[i]++;
}

static void fill(char *to, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		to[i] = (char)((i * 31 + i / 4096 * 7 + seed) & 0xff);
}

static int filled(const char *at, size_t size, unsigned seed)
{
	for (size_t i = 0; i < size; i++)
		if (at[i] != (char)((i * 31 + i / 4096 * 7 + seed) & 0xff))
			return 0;
	return 1;
}

/* A string in memory that has left. */
static char *away(size_t at, const char *directory, const char *name)
{
	char *to = big + at * 8192 + 8000; /* over a page's border */
	snprintf(to, 512, "%s/%s", directory, name);
	leave();
	return to;
}

static void read_and_write(const char *directory)
{
	int fd = open(away(0, directory, "data"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	check("open", fd >= 0);
	fill(big + 123, 3 * MIB, 1);
	leave();
	check("write of three windows", write(fd, big + 123, 3 * MIB) == 3 * MIB);
	check("lseek", lseek(fd, 0, SEEK_SET) == 0);
	leave();
	check("read of three windows", read(fd, big + 4 * MIB + 7, 4 * MIB - 7) == 3 * MIB);
	check("what was read", filled(big + 4 * MIB + 7, 3 * MIB, 1));
	leave();
	check("pwrite", pwrite(fd, big + 123, MIB, 3 * MIB + 5) == MIB);
	memset(big + 5 * MIB, 0, MIB);
	leave();
	check("pread", pread(fd, big + 5 * MIB, MIB, 3 * MIB + 5) == MIB);
	check("what was read at an offset", filled(big + 5 * MIB, MIB, 1));
	close(fd);
}

static void scatter(const char *directory)
{
	struct iovec *parts = (struct iovec *)(void *)(big + 7 * MIB + 4000);
	int fd = open(away(0, directory, "parts"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < PARTS; i++) {
		parts[i] = (struct iovec){big + (size_t)i * 50000, PART};
		fill(parts[i].iov_base, PART, (unsigned)i);
	}
	leave();
	check("writev", writev(fd, parts, PARTS) == PARTS * PART);
	for (int i = 0; i < PARTS; i++)
		memset(parts[i].iov_base, 0, PART);
	lseek(fd, 0, SEEK_SET);
	leave();
	check("readv", readv(fd, parts, PARTS) == PARTS * PART);
	for (int i = 0; i < PARTS; i++)
		check("a part", filled(parts[i].iov_base, PART, (unsigned)i));
	close(fd);
}

static void paths(const char *directory)
{
	struct stat *st = (struct stat *)(void *)(big + 6 * MIB + 4088);
	char *link = big + 6 * MIB + 8190;
	check("mkdir", mkdir(away(0, directory, "sub"), 0700) == 0);
	check("rename", rename(away(1, directory, "parts"), away(2, directory, "sub/moved")) == 0);
	check("stat", stat(away(3, directory, "sub/moved"), st) == 0 && st->st_size == PARTS * PART);
	memcpy(big + 5 * MIB, "sub/moved", 10);
	check("symlink", symlink(big + 5 * MIB, away(4, directory, "link")) == 0);
	check("readlink",
	      readlink(away(5, directory, "link"), link, 100) == 9 && memcmp(link, "sub/moved", 9) == 0);
	check("link", link && linkat(AT_FDCWD, away(6, directory, "sub/moved"), AT_FDCWD,
	                             away(7, directory, "hard"), 0) == 0);
	DIR *d = opendir(away(8, directory, "sub"));
	int entries = 0;
	leave();
	for (struct dirent *e; d && (e = readdir(d));)
		entries += strcmp(e->d_name, "moved") == 0;
	check("readdir", entries == 1);
	closedir(d);
	check("unlink", unlink(away(9, directory, "hard")) == 0 && unlink(away(10, directory, "link")) == 0);
	check("unlink of the moved", unlink(away(11, directory, "sub/moved")) == 0);
	check("rmdir", rmdir(away(12, directory, "sub")) == 0);
	check("an absent file", stat(away(13, directory, "sub"), st) < 0 && errno == ENOENT);
}

static void clocks_and_chance(void)
{
	struct timespec *time = (struct timespec *)(void *)(big + 4088);
	struct timespec *wait = (struct timespec *)(void *)(big + MIB + 4088);
	leave();
	check("clock_gettime", clock_gettime(CLOCK_REALTIME, time) == 0 && time->tv_sec > 1000000000);
	leave();
	check("clock_getres", clock_getres(CLOCK_MONOTONIC, time) == 0 && time->tv_nsec > 0);
	*wait = (struct timespec){0, 1000000};
	leave();
	check("nanosleep", nanosleep(wait, NULL) == 0);
#ifdef __wasi__
	size_t zeros = 0;
	memset(big, 0, BIG);
	leave();
	check("random_get of windows", __wasi_random_get((uint8_t *)big + 1, 2 * MIB) == 0);
	for (size_t i = 1; i <= 2 * MIB; i++)
		zeros += big[i] == 0;
	check("random bytes", zeros > MIB / 256 && zeros < 4 * MIB / 256);
	uint8_t **arguments = (uint8_t **)(void *)(big + 4092);
	__wasi_size_t *sizes = (__wasi_size_t *)(void *)(big + 2 * MIB + 4092);
	leave();
	check("args_sizes_get", __wasi_args_sizes_get(sizes, sizes + 1) == 0 && *sizes == 3);
	leave();
	check("args_get", __wasi_args_get(arguments, (uint8_t *)big + 3 * MIB + 4090) == 0);
	leave();
	check("the arguments", strcmp((char *)arguments[1], "calls") == 0);
	__wasi_subscription_t *s = (__wasi_subscription_t *)(void *)(big + MIB + 4080);
	*s = (__wasi_subscription_t){.userdata = 77, .u = {.tag = __WASI_EVENTTYPE_CLOCK}};
	s->u.u.clock = (__wasi_subscription_clock_t){.id = __WASI_CLOCKID_MONOTONIC, .timeout = 1000};
	__wasi_event_t *event = (__wasi_event_t *)(void *)(big + 5 * MIB + 4088);
	leave();
	check("poll_oneoff",
	      __wasi_poll_oneoff(s, event, 1, sizes) == 0 && *sizes == 1 && event->userdata == 77);
	__wasi_fdstat_t *stat = (__wasi_fdstat_t *)(void *)(big + 6 * MIB + 4088);
	leave();
	check("fd_fdstat_get",
	      __wasi_fd_fdstat_get(3, stat) == 0 && stat->fs_filetype == __WASI_FILETYPE_DIRECTORY);
	__wasi_prestat_t *prestat = (__wasi_prestat_t *)(void *)(big + 7 * MIB + 4092);
	leave();
	check("fd_prestat_get", __wasi_fd_prestat_get(3, prestat) == 0 && prestat->u.dir.pr_name_len > 0);
	leave();
	check("fd_prestat_dir_name",
	      __wasi_fd_prestat_dir_name(3, (uint8_t *)big + 4090, prestat->u.dir.pr_name_len) == 0);
#endif
}

static void copies(void)
{
	fill(big, 4 * MIB, 3);
	leave();
	memmove(big + 1, big, 4 * MIB);
	check("memmove of windows", filled(big + 1, 4 * MIB, 3));
	leave();
	memset(big + 100, 5, 7 * MIB);
	leave();
	size_t other = 0;
	for (size_t i = 100; i < 100 + 7 * MIB; i++)
		other += big[i] != 5;
	check("memset of windows", other == 0);
}

/* What comes from standard input goes to standard output, by way of memory that has left in between. */
static void streams(void)
{
	size_t size = 0;
	leave();
	for (ssize_t n; size < BIG && (n = read(0, big + size, BIG - size)) > 0;)
		size += (size_t)n;
	leave();
	for (size_t done = 0; done < size;) {
		ssize_t n = write(1, big + done, size - done);
		check("write to a stream", n > 0);
		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

static int calls(const char *directory)
{
	big = memory(BIG);
	filler = memory(FILLER);
	read_and_write(directory);
	scatter(directory);
	paths(directory);
	clocks_and_chance();
	copies();
	streams();
	fprintf(stderr, "calls: %d failures\n", failures);
	return failures != 0;
}

static int hold(const char *path, size_t mib)
{
	static char secret[4096], line[100];
	FILE *f = fopen(path, "rb");
	size_t size = f ? fread(secret, 1, sizeof(secret), f) : 0, count = mib * (MIB / sizeof(secret));
	char *all = memory(count * sizeof(secret));
	if (f)
		fclose(f);
	for (size_t i = 0; i < count; i++)
		memcpy(all + i * sizeof(secret), secret, size);
	printf("parked with %zu bytes %zu times\n", size, count);
	fflush(stdout);
	for (int turn = 1; fgets(line, sizeof(line), stdin); turn++) {
		for (size_t i = 0; i < count; i++)
			check("a copy", memcmp(all + i * sizeof(secret), secret, size) == 0);
		for (size_t i = 0; i < count; i += 2)
			all[i * sizeof(secret) + sizeof(secret) - 1] = (char)turn;
		printf("turn %d, %d failures\n", turn, failures);
		fflush(stdout);
	}
	return failures != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sort") == 0)
		return sort((size_t)atoi(argv[2]));
	if (argc == 3 && strcmp(argv[1], "calls") == 0)
		return calls(argv[2]);
	if (argc == 4 && strcmp(argv[1], "hold") == 0)
		return hold(argv[2], (size_t)atoi(argv[3]));
	fprintf(stderr, "usage: paged sort MIB | calls DIRECTORY | hold FILE MIB\n");
	return 2;
}
