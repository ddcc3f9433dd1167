/*
 * What a C program does with files, printed step by step: files ROOT [READ_ONLY]. The same source
 * as a cell and as an ordinary program prints the same.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *root;

static const char *in_root(const char *name)
{
	static char path[2][512];
	static int which;
	which = !which;
	snprintf(path[which], sizeof(path[which]), "%s/%s", root, name);
	return path[which];
}

static void say(const char *what, int result)
{
	printf("%s: %s\n", what,
	       result >= 0                                           ? "done"
	       : errno == ENOENT                                     ? "no such file"
	       : errno == EEXIST                                     ? "exists"
	       : errno == ENOTDIR                                    ? "no directory"
	       : errno == EISDIR                                     ? "a directory"
	       : errno == ENOTEMPTY                                  ? "not empty"
	       : errno == EROFS || errno == EACCES || errno == EPERM ? "refused"
	       : errno == EBADF                                      ? "bad descriptor"
	                                                             : strerror(errno));
}

static void use_stdio(void)
{
	char line[100];
	FILE *f = fopen(in_root("numbers"), "w+");
	if (!f) {
		say("fopen", -1);
		return;
	}
	for (int i = 0; i < 1000; i++)
		fprintf(f, "%d %.3f %Lg\n", i, i / 7.0, (long double)i / 3);
	fseek(f, -20, SEEK_END);
	fgets(line, sizeof(line), f);
	fgets(line, sizeof(line), f);
	printf("last line: %s", line);
	rewind(f);
	int n;
	double x;
	printf("read back: %d fields, ", fscanf(f, "%d %lf", &n, &x));
	printf("at %ld\n", ftell(f));
	say("fclose", fclose(f));
	f = fopen(in_root("numbers"), "a");
	fputs("the end\n", f);
	fclose(f);
	struct stat st;
	say("stat", stat(in_root("numbers"), &st));
	printf("size %lld, regular %d\n", (long long)st.st_size, S_ISREG(st.st_mode) != 0);
	say("truncate", truncate(in_root("numbers"), 10));
	stat(in_root("numbers"), &st);
	printf("size %lld\n", (long long)st.st_size);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *path)
{
	char *names[512];
	int count = 0;
	DIR *directory = opendir(path);
	if (!directory) {
		say("opendir", -1);
		return;
	}
	for (struct dirent *e; (e = readdir(directory)) && count < 512;)
		names[count++] = strdup(e->d_name);
	closedir(directory);
	qsort(names, (size_t)count, sizeof(names[0]), by_name);
	printf("%d entries:", count);
	for (int i = 0; i < count; i++) {
		if (i < 6 || i > count - 3)
			printf(" %s", names[i]);
		free(names[i]);
	}
	putchar('\n');
}

static void use_directories(void)
{
	char name[32], target[64] = {0};
	say("mkdir", mkdir(in_root("d"), 0755));
	say("mkdir again", mkdir(in_root("d"), 0755));
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "d/entry-%03d", i);
		int fd = open(in_root(name), O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0)
			say("create", fd);
		close(fd);
	}
	list(in_root("d"));
	list(root);
	say("rmdir", rmdir(in_root("d")));
	say("unlink directory", unlink(in_root("d")) < 0 ? -1 : 0);
	say("rename", rename(in_root("d/entry-000"), in_root("moved")));
	say("rename missing", rename(in_root("d/entry-000"), in_root("moved")));
	say("symlink", symlink("moved", in_root("link")));
	say("readlink", (int)readlink(in_root("link"), target, sizeof(target)));
	printf("link to %s\n", target);
	struct stat st;
	say("lstat", lstat(in_root("link"), &st));
	printf("is link %d\n", S_ISLNK(st.st_mode) != 0);
	say("link", link(in_root("moved"), in_root("hard")));
	stat(in_root("hard"), &st);
	printf("links %d\n", (int)st.st_nlink);
	say("open directory for writing", open(in_root("d"), O_WRONLY));
	say("open file as directory", open(in_root("moved"), O_RDONLY | O_DIRECTORY));
	say("open through file", open(in_root("moved/x"), O_RDONLY));
}

static void use_descriptors(void)
{
	char buffer[16] = {0};
	int fd = open(in_root("bytes"), O_RDWR | O_CREAT | O_TRUNC, 0644);
	say("open", fd);
	say("pwrite", (int)pwrite(fd, "0123456789", 10, 5));
	say("pread", (int)pread(fd, buffer, 4, 7));
	printf("%s, at %lld, ", buffer, (long long)lseek(fd, 0, SEEK_CUR));
	printf("end %lld\n", (long long)lseek(fd, 0, SEEK_END));
	say("fsync", fsync(fd));
	say("ftruncate", ftruncate(fd, 3));
	say("allocate", posix_fallocate(fd, 0, 100));
	struct timespec times[2] = {{1000, 0}, {2000, 500}};
	say("times", futimens(fd, times));
	struct stat st;
	fstat(fd, &st);
	printf("modified at %lld, size %lld\n", (long long)st.st_mtime, (long long)st.st_size);
	say("close", close(fd));
	say("close again", close(fd));
	fd = open(in_root("bytes"), O_RDONLY);
	say("write to a reader", (int)write(fd, "x", 1));
	close(fd);
}

static void try_read_only(const char *directory)
{
	char path[512], line[64] = "";
	snprintf(path, sizeof(path), "%s/fixed", directory);
	FILE *f = fopen(path, "r");
	printf("read-only file: %s", f && fgets(line, sizeof(line), f) ? line : "?\n");
	if (f)
		fclose(f);
	say("write it", open(path, O_WRONLY));
	say("truncate it", open(path, O_RDONLY | O_TRUNC));
	say("unlink it", unlink(path));
	snprintf(path, sizeof(path), "%s/new", directory);
	say("create beside it", open(path, O_WRONLY | O_CREAT, 0644));
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	root = argv[1];
	use_stdio();
	use_directories();
	use_descriptors();
	say("nothing there", open("/nowhere/at/all", O_RDONLY));
	printf("variable: %s\n", getenv("COLOUR") ? getenv("COLOUR") : "(unset)");
	struct timespec before, after, pause = {0, 2000000};
	clock_gettime(CLOCK_MONOTONIC, &before);
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC, &after);
	printf("slept: %d\n",
	       (after.tv_sec - before.tv_sec) * 1000000000LL + after.tv_nsec - before.tv_nsec >= 2000000);
	for (int c; (c = getchar()) != EOF;)
		putchar(c >= 'a' && c <= 'z' ? c - 32 : c);
	if (argc > 2)
		try_read_only(argv[2]);
	return 42;
}
