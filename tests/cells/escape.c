/*
 * A hostile program: tries to leave its directories, to change the read-only one, and to confuse the host
 * with descriptors and pointers. Its directories are /rw and /ro. Prints a line for each attempt: its name
 * and "refused" with the error's number, or "done".
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

static __wasi_fd_t rw, ro;

static void say(const char *what, __wasi_errno_t error)
{
	if (error)
		printf("%s: refused %u\n", what, error);
	else
		printf("%s: done\n", what);
}

/* The descriptors of the two directories, found as the C library does. */
static void find_directories(void)
{
	char name[64];
	__wasi_prestat_t stat;
	for (__wasi_fd_t fd = 3; __wasi_fd_prestat_get(fd, &stat) == 0; fd++) {
		if (stat.u.dir.pr_name_len >= sizeof(name) ||
		    __wasi_fd_prestat_dir_name(fd, (uint8_t *)name, stat.u.dir.pr_name_len) != 0)
			continue;
		name[stat.u.dir.pr_name_len] = '\0';
		if (strcmp(name, "/rw") == 0)
			rw = fd;
		if (strcmp(name, "/ro") == 0)
			ro = fd;
	}
}

static __wasi_errno_t open_at(__wasi_fd_t directory, const char *path, __wasi_oflags_t flags,
                              __wasi_rights_t rights, __wasi_fd_t *fd)
{
	return __wasi_path_open(directory, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, path, flags, rights, rights, 0,
	                        fd);
}

static void try_reading(__wasi_fd_t directory, const char *path)
{
	char what[200], line[64] = "";
	__wasi_fd_t fd;
	size_t size;
	__wasi_iovec_t to = {(uint8_t *)line, sizeof(line) - 1};
	snprintf(what, sizeof(what), "read %s/%s", directory == rw ? "rw" : "ro", path);
	__wasi_errno_t error = open_at(directory, path, 0, __WASI_RIGHTS_FD_READ, &fd);
	if (error == 0 && __wasi_fd_read(fd, &to, 1, &size) == 0 && size)
		printf("%s: got %.*s\n", what, (int)strcspn(line, "\n"), line);
	else
		say(what, error);
}

static void try_writing(__wasi_fd_t directory, const char *path, __wasi_oflags_t flags)
{
	char what[200];
	__wasi_fd_t fd;
	snprintf(what, sizeof(what), "write %s/%s", directory == rw ? "rw" : "ro", path);
	say(what, open_at(directory, path, flags, __WASI_RIGHTS_FD_WRITE | __WASI_RIGHTS_FD_READ, &fd));
}

static void look_outside(void)
{
	static const char *const paths[] = {
		"inside",
		"../out/secret",
		"./../out/secret",
		"sub/../../out/secret",
		"/etc/passwd",
		"//etc/passwd",
		"..",
		"../",
		"sub/../..",
		"link-absolute",
		"link-relative",
		"link-directory/secret",
		"link-up/out/secret",
		"sub/link-in",
		"link-loop",
		"link-proc/etc/passwd",
		"fifo",
		"device",
		"sub/./../inside",
		"",
	};
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		try_reading(rw, paths[i]);
	__wasi_fd_t sub;
	if (open_at(rw, "sub", __WASI_OFLAGS_DIRECTORY, ~0ull, &sub) == 0 ||
	    open_at(rw, "sub", __WASI_OFLAGS_DIRECTORY, 0, &sub) == 0) {
		try_reading(sub, "../../out/secret");
		try_reading(sub, "link-in");
	}
	for (__wasi_fd_t fd = 0; fd < 40; fd++)
		if (fd != rw && fd != ro && fd != sub &&
		    open_at(fd, "etc/passwd", 0, __WASI_RIGHTS_FD_READ, &sub) == 0)
			printf("descriptor %u: got a file\n", fd);
}

static void make_ways_out(void)
{
	say("symlink absolute", __wasi_path_symlink("/etc/passwd", rw, "made-absolute"));
	say("symlink relative", __wasi_path_symlink("../out/secret", rw, "made-relative"));
	try_reading(rw, "made-absolute");
	try_reading(rw, "made-relative");
	say("mkdir outside", __wasi_path_create_directory(rw, "../out/made"));
	say("unlink outside", __wasi_path_unlink_file(rw, "../out/secret"));
	say("unlink through link", __wasi_path_unlink_file(rw, "link-directory/secret"));
	say("rmdir outside", __wasi_path_remove_directory(rw, "../out/empty"));
	say("rename out", __wasi_path_rename(rw, "inside", rw, "../out/moved"));
	say("rename in", __wasi_path_rename(rw, "../out/secret", rw, "taken"));
	say("link in", __wasi_path_link(rw, 0, "../out/secret", rw, "linked"));
	say("link through link", __wasi_path_link(rw, 1, "link-absolute", rw, "linked"));
	try_writing(rw, "../out/new", __WASI_OFLAGS_CREAT);
	try_writing(rw, "link-directory/new", __WASI_OFLAGS_CREAT);
	try_writing(rw, "link-dangling", __WASI_OFLAGS_CREAT);
	try_writing(rw, "link-relative", __WASI_OFLAGS_TRUNC);
	__wasi_filestat_t stat;
	say("stat outside", __wasi_path_filestat_get(rw, 1, "../out/secret", &stat));
	say("stat through link", __wasi_path_filestat_get(rw, 1, "link-relative", &stat));
	say("times outside",
	    __wasi_path_filestat_set_times(rw, 1, "link-relative", 1, 1, __WASI_FSTFLAGS_MTIM));
}

static void change_read_only(void)
{
	__wasi_fd_t fd;
	try_reading(ro, "fixed");
	try_writing(ro, "fixed", 0);
	try_writing(ro, "fixed", __WASI_OFLAGS_TRUNC);
	try_writing(ro, "new", __WASI_OFLAGS_CREAT);
	say("truncate by reading", open_at(ro, "fixed", __WASI_OFLAGS_TRUNC, __WASI_RIGHTS_FD_READ, &fd));
	say("unlink read-only", __wasi_path_unlink_file(ro, "fixed"));
	say("mkdir read-only", __wasi_path_create_directory(ro, "made"));
	say("rename from read-only", __wasi_path_rename(ro, "fixed", rw, "taken"));
	say("rename into read-only", __wasi_path_rename(rw, "inside", ro, "fixed"));
	say("link from read-only", __wasi_path_link(ro, 0, "fixed", rw, "linked"));
	say("link into read-only", __wasi_path_link(rw, 0, "inside", ro, "linked"));
	say("symlink in read-only", __wasi_path_symlink("fixed", ro, "made"));
	say("times read-only", __wasi_path_filestat_set_times(ro, 0, "fixed", 1, 1, __WASI_FSTFLAGS_MTIM));
	if (open_at(ro, "fixed", 0, __WASI_RIGHTS_FD_READ, &fd) != 0)
		return;
	size_t size;
	__wasi_ciovec_t from = {(const uint8_t *)"changed", 7};
	say("write a reader", __wasi_fd_write(fd, &from, 1, &size));
	say("size of a reader", __wasi_fd_filestat_set_size(fd, 0));
	say("allocate a reader", __wasi_fd_allocate(fd, 0, 1 << 20));
	say("times of a reader", __wasi_fd_filestat_set_times(fd, 1, 1, __WASI_FSTFLAGS_MTIM));
}

static void confuse(void)
{
	size_t size;
	__wasi_fd_t fd;
	static const uint32_t places[] = {0xffffffffu, 0xfffffff0u, 0x80000000u};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		uint8_t *wild = (uint8_t *)(uintptr_t)places[i];
		__wasi_ciovec_t from = {wild, 100};
		__wasi_iovec_t to = {wild, 100};
		say("write wild bytes", __wasi_fd_write(1, &from, 1, &size));
		say("write wild pieces", __wasi_fd_write(1, (__wasi_ciovec_t *)(void *)wild, 1000000, &size));
		say("read wild bytes", open_at(rw, "inside", 0, __WASI_RIGHTS_FD_READ, &fd)
		                               ? 1
		                               : __wasi_fd_read(fd, &to, 1, &size));
		say("wild random", __wasi_random_get(wild, 100));
		say("wild directory", __wasi_fd_readdir(rw, wild, 100, 0, &size));
	}
	__wasi_ciovec_t everything = {NULL, 0xffffffffu};
	say("write all of memory", __wasi_fd_write(1, &everything, 1, &size));
	say("close a directory", __wasi_fd_close(ro));
	say("read a closed directory", open_at(ro, "fixed", 0, __WASI_RIGHTS_FD_READ, &fd));
	say("renumber to standard output", __wasi_fd_renumber(rw, 1000000));
}

int main(void)
{
	find_directories();
	look_outside();
	make_ways_out();
	change_read_only();
	confuse();
	return 0;
}
