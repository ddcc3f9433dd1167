/* cella volume import: files of this machine into a volume. */
#include "cli/volume_import.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/interrupt.h"

enum {
	COMMIT_BYTES = 64 << 20,
	COMMIT_NS = 2000000000,
};

bool volume_import_ends(int rc)
{
	return rc == CELLA_ENOSPC || rc == CELLA_EFENCED || rc == CELLA_EROFS || rc == CELLA_ENOMEM ||
	       rc == CELLA_EAUTH || rc == CELLA_EIO || rc == CELLA_ECANCELED || rc == CELLA_EBUG;
}

int volume_import_pace(struct volume_import *i, struct error *err)
{
	uint64_t now = clock_ns();
	if (i->uncommitted >= COMMIT_BYTES || now - i->committed_ns >= COMMIT_NS) {
		int rc = volume_commit(i->v, err);
		if (rc < 0)
			return rc;
		i->uncommitted = 0;
		i->committed_ns = clock_ns();
	}
	return interrupt_pending() ? error_set(err, CELLA_ECANCELED, "interrupted") : 0;
}

static int import_at(struct volume_import *i, int directory, const char *name, int follow, struct error *err);

/* What cannot be imported is told, and the rest is. */
static int complain(struct volume_import *i, int rc, const struct error *why)
{
	if (rc == 0 || volume_import_ends(rc))
		return rc;
	volume_complain(i->c, "%s: %s", volume_shown(i->source), why->text);
	i->failed++;
	return 0;
}

static void leave_out(struct volume_import *i, const char *why)
{
	volume_progress_hide(&i->c->progress);
	fprintf(stderr, "cella volume: left out: %s: %s\n", volume_shown(i->source), why);
	i->left_out++;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* The volume that is imported into, its key and its root do not go into it. */
static bool is_own(const struct volume_import *i, const struct stat *st)
{
	const struct volume_place *place = i->c->place;
	struct stat own;
	return (fstat(volume_place_directory(place), &own) == 0 && is_same(&own, st)) ||
	       (stat(volume_place_key(place), &own) == 0 && is_same(&own, st)) ||
	       (stat(volume_place_root(place), &own) == 0 && is_same(&own, st));
}

/* Where it is for want of descriptors, all that follows would fail, too. */
static int open_code(int number)
{
	return number == EMFILE || number == ENFILE ? CELLA_ENOMEM : CELLA_EINVAL;
}

/* ---- one of each kind */

static int import_regular(struct volume_import *i, int directory, const char *name, int follow,
                          const struct stat *listed, struct error *err)
{
	struct volume_stat there;
	struct stat st;
	int rc = volume_stat(i->v, i->path, VOLUME_NOFOLLOW, &there, err);
	bool is_there = rc == 0;
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	if (is_there && there.type == VOLUME_FILE && there.size == (uint64_t)listed->st_size &&
	    there.modified_ns == volume_import_time(listed)) {
		i->present++;
		return there.mode == (listed->st_mode & 07777)
		               ? 0
		               : volume_set_mode(i->v, i->path, listed->st_mode & 07777, err);
	}
	if (is_there && there.type == VOLUME_DIRECTORY)
		return error_set(err, CELLA_EISDIR, "in the volume it is a directory; remove that first");
	cleanup_close int fd = openat(directory, name,
	                              O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
	                                      (follow ? 0 : O_NOFOLLOW));
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, open_code(errno), "cannot be opened");
	if (!S_ISREG(st.st_mode))
		return error_set(err, CELLA_EAGAIN, "it became something else meanwhile");
	rc = volume_import_file(i, fd, &st, err);
	i->files += rc == 0;
	return rc;
}

/* Under a name of its own first: what is in its place goes only when it is whole. */
static int make_symlink(struct volume_import *i, const char *target, const struct stat *st, struct error *err)
{
	const char *slash = strrchr(i->path, '/');
	char name[VOLUME_PART_SIZE], directory[VOLUME_PATH_MAX], part[VOLUME_PATH_MAX];
	volume_part_name(slash ? slash + 1 : i->path, name);
	snprintf(directory, sizeof(directory), "%.*s", slash ? (int)(slash - i->path) : 0, i->path);
	int rc = volume_join(part, directory, name, err);
	if (rc < 0)
		return rc;
	rc = volume_unlink(i->v, part, err);
	if (rc == 0 || rc == CELLA_ENOENT)
		rc = volume_symlink(i->v, target, part, err);
	if (rc == 0)
		rc = volume_set_modified(i->v, part, VOLUME_NOFOLLOW, volume_import_time(st), err);
	if (rc == 0)
		rc = volume_rename(i->v, part, i->path, err);
	if (rc < 0)
		(void)!volume_unlink(i->v, part, NULL);
	return rc;
}

static int import_symlink(struct volume_import *i, int directory, const char *name, const struct stat *st,
                          struct error *err)
{
	char target[VOLUME_PATH_MAX], there[VOLUME_PATH_MAX];
	struct volume_stat is;
	ssize_t size = readlinkat(directory, name, target, sizeof(target) - 1);
	if (size < 0)
		return error_errno(err, CELLA_EINVAL, "cannot be read");
	target[size] = '\0';
	if (volume_stat(i->v, i->path, VOLUME_NOFOLLOW, &is, NULL) == 0 && is.type == VOLUME_SYMLINK &&
	    volume_readlink(i->v, i->path, there, NULL) == 0 && strcmp(there, target) == 0) {
		i->present++;
		return 0;
	}
	int rc = make_symlink(i, target, st, err);
	i->files += rc == 0;
	return rc;
}

/* A step down, and up again, in both paths. */
static int enter(struct volume_import *i, const char *name, struct error *err)
{
	int rc = volume_descend(i->path, name, err);
	if (rc < 0)
		return rc;
	size_t size = strlen(i->source); /* only for messages: it may be cut */
	snprintf(i->source + size, sizeof(i->source) - size, "%s%s",
	         size && i->source[size - 1] == '/' ? "" : "/", name);
	return 0;
}

static int import_entries(struct volume_import *i, int directory, struct error *err)
{
	DIR *stream = fdopendir(directory);
	if (!stream) {
		close(directory);
		return error_errno(err, CELLA_EINVAL, "cannot be listed");
	}
	size_t path = strlen(i->path), source = strlen(i->source);
	const struct dirent *entry;
	int rc = 0;
	while (rc == 0 && (errno = 0, entry = readdir(stream))) {
		struct error why = {0};
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		rc = enter(i, entry->d_name, &why);
		if (rc == 0)
			rc = import_at(i, dirfd(stream), entry->d_name, 0, &why);
		rc = complain(i, rc, &why);
		i->path[path] = i->source[source] = '\0';
		if (rc == 0)
			rc = volume_import_pace(i, &why);
		if (rc < 0 && err)
			*err = why;
	}
	if (rc == 0 && errno)
		rc = error_errno(err, CELLA_EINVAL, "cannot be listed to its end");
	closedir(stream);
	return rc;
}

static int import_directory(struct volume_import *i, int directory, const char *name, int follow,
                            const struct stat *st, struct error *err)
{
	struct volume_stat there;
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
	if (fd < 0)
		return error_errno(err, open_code(errno), "cannot be opened");
	int rc = volume_mkdir(i->v, i->path, st->st_mode & 07777, err);
	if (rc == CELLA_EEXIST) {
		rc = volume_stat(i->v, i->path, VOLUME_NOFOLLOW, &there, err);
		if (rc == 0 && there.type != VOLUME_DIRECTORY)
			rc = error_set(err, CELLA_EEXIST, "in the volume it is a %s; remove that first",
			               volume_type_name(there.type));
	}
	if (rc < 0) {
		close(fd);
		return rc;
	}
	rc = import_entries(i, fd, err);
	if (rc == 0)
		rc = volume_stat(i->v, i->path, VOLUME_NOFOLLOW, &there, err);
	if (rc == 0 && there.mode != (st->st_mode & 07777))
		rc = volume_set_mode(i->v, i->path, st->st_mode & 07777, err);
	if (rc == 0 && there.modified_ns != volume_import_time(st))
		rc = volume_set_modified(i->v, i->path, VOLUME_NOFOLLOW, volume_import_time(st), err);
	return rc;
}

/* `follow`: the user named it. */
static int import_at(struct volume_import *i, int directory, const char *name, int follow, struct error *err)
{
	struct stat st;
	if (fstatat(directory, name, &st, follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(err, CELLA_EINVAL, "cannot be looked at");
	i->c->progress.files = i->files;
	volume_progress_show(&i->c->progress);
	if (is_own(i, &st)) {
		leave_out(i, "it belongs to the volume itself");
		return 0;
	}
	if (S_ISREG(st.st_mode))
		return import_regular(i, directory, name, follow, &st, err);
	if (S_ISDIR(st.st_mode))
		return import_directory(i, directory, name, follow, &st, err);
	if (S_ISLNK(st.st_mode))
		return import_symlink(i, directory, name, &st, err);
	leave_out(i, S_ISSOCK(st.st_mode) ? "a socket" : S_ISFIFO(st.st_mode) ? "a pipe" : "a device");
	return 0;
}

/* ---- the command */

static int parent_of(const char *path, struct volume *v, struct error *err)
{
	char parent[VOLUME_PATH_MAX];
	const char *slash = strrchr(path, '/');
	snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
	return volume_make_directories(v, parent, err);
}

/* Where a source goes. */
static int set_target(struct volume_import *i, const char *source, const char *target, bool single,
                      struct error *err)
{
	struct volume_stat there;
	struct stat st;
	size_t size = strlen(target);
	char name[256] = "";
	bool into = !single || !size || target[size - 1] == '/';
	if (stat(source, &st) < 0)
		return error_errno(err, CELLA_ENOENT, "cannot be looked at");
	/* a file goes into a directory that is there */
	into = into || (!S_ISDIR(st.st_mode) && volume_stat(i->v, target, VOLUME_FOLLOW, &there, NULL) == 0 &&
	                there.type == VOLUME_DIRECTORY);
	if (into)
		volume_last_name(source, name);
	/* of "." and "..", and into the volume's root, the contents */
	if (into && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	             (S_ISDIR(st.st_mode) && single && strspn(target, "/") == size)))
		name[0] = '\0';
	int rc = volume_join(i->path, target, name, err);
	for (size_t end = strlen(i->path); rc == 0 && end && i->path[end - 1] == '/'; end--)
		i->path[end - 1] = '\0';
	return rc == 0 ? parent_of(i->path, i->v, err) : rc;
}

/* The root directory is there, and cannot be made. */
static int import_operand(struct volume_import *i, const char *source, const char *target, bool single,
                          struct error *err)
{
	struct error why = {0};
	snprintf(i->source, sizeof(i->source), "%s", source);
	int rc = set_target(i, source, target, single, &why);
	if (rc == 0)
		rc = import_at(i, AT_FDCWD, source, 1, &why);
	rc = complain(i, rc, &why);
	if (rc < 0 && err)
		*err = why;
	return rc;
}

static void summarize(const struct volume_import *i)
{
	char size[VOLUME_SIZE_SIZE];
	volume_print_size(i->c->progress.bytes, size);
	volume_progress_hide(&i->c->progress);
	if (i->c->options->quiet)
		return;
	printf("imported %llu file%s, %s; %llu %s there", (unsigned long long)i->files,
	       i->files == 1 ? "" : "s", size, (unsigned long long)i->present,
	       i->present == 1 ? "was" : "were");
	if (i->left_out)
		printf("; %llu left out", (unsigned long long)i->left_out);
	if (i->failed)
		printf("; %llu failed", (unsigned long long)i->failed);
	putchar('\n');
}

/* What was imported before something ended the import counts. */
static int commit_last(struct volume_import *i, int rc, struct error *err)
{
	int committed = volume_commit(i->v, rc < 0 ? NULL : err);
	if (rc < 0 && committed < 0)
		return error_prefix(err, rc,
		                    "%s: since the last commit nothing was kept: ", volume_shown(i->source));
	if (rc < 0)
		return error_prefix(
			err, rc, "%s: what was imported before is committed, and the same command goes on: ",
			volume_shown(i->source));
	return committed;
}

int volume_import_command(struct volume_command *c, struct error *err)
{
	struct volume_import i = {.c = c, .v = c->v, .committed_ns = clock_ns()};
	int sources = c->count - 1;
	cleanup_close int interrupt = -1;
	int rc = interrupt_open(&interrupt, err);
	if (rc < 0)
		return rc;
	i.buffer = mem_alloc(c->pool, VOLUME_COPY_SIZE);
	if (!i.buffer)
		return error_set(err, CELLA_ENOMEM, "no protected memory to read files");
	volume_progress_init(&c->progress, "imported", c->options->quiet);
	for (int n = 0; rc == 0 && n < sources; n++)
		rc = import_operand(&i, c->operands[n], c->operands[sources], sources == 1, err);
	rc = commit_last(&i, rc, err);
	mem_free(c->pool, i.buffer);
	summarize(&i);
	return rc;
}
