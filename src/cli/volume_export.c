/*
 * cella volume export: files of a volume into a directory of this machine.
 *
 * The way below the target goes by descriptors, and no symlink is followed, so that nothing is written
 * elsewhere, whatever symlinks the volume holds or another process makes meanwhile. A file has a name of its
 * own until it is whole (volume_part_name). With --salvage what is damaged is passed over and listed.
 *
 * Directories may be nested VOLUME_DEPTH_MAX deep: what is large is not on the stack of each.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/interrupt.h"
#include "cli/volume_verb.h"

enum { NS_PER_S = 1000000000, SALVAGE_STEP = 4096, PERMISSIONS = 0777, FILE_NAME_SIZE = 256 };
#define DAMAGED_SUFFIX ".damaged"

struct export
{
	struct volume_command *c;
	struct volume *v;
	bool salvage;
	uint8_t *buffer; /* VOLUME_COPY_SIZE */
	char path[VOLUME_PATH_MAX]; /* in the volume */
	char one[VOLUME_PATH_MAX], other[VOLUME_PATH_MAX]; /* of what is no directory */
	uint64_t files, present, damaged;
};

static bool is_damage(int rc)
{
	return rc == CELLA_EAUTH || rc == CELLA_EFORMAT;
}

/* A block, or all of it (-1): listed. */
static void report(struct export *x, int64_t block, const struct error *why)
{
	volume_progress_hide(&x->c->progress);
	if (block < 0)
		printf("damaged  %s: %s\n", volume_shown(x->path), why->text);
	else
		printf("damaged  %s, block %lld: %s\n", volume_shown(x->path), (long long)block, why->text);
	x->c->found = true;
	x->damaged++;
}

/* `entry`: a name in the directory at x->path. */
static void report_lost(struct export *x, const char *entry)
{
	volume_progress_hide(&x->c->progress);
	printf("damaged  %s: entries before %s are lost\n", volume_shown(x->path), volume_shown(entry));
	x->c->found = true;
	x->damaged++;
}

static struct timespec time_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

static int interrupted(struct error *err)
{
	return interrupt_pending() ? error_set(err, CELLA_ECANCELED, "interrupted") : 0;
}

/* ---- a file's bytes */

static int write_at(int fd, const uint8_t *from, size_t size, uint64_t at, struct error *err)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(fd, from + done, size - done, (off_t)(at + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno == ENOSPC || errno == EDQUOT ? CELLA_ENOSPC : CELLA_EIO,
			                   "cannot be written");
		done += (size_t)n;
	}
	return 0;
}

/* Block by block, what is good of [at, end). */
static int salvage_range(struct export *x, struct volume_file *f, int fd, uint64_t at, uint64_t end,
                         bool *ret_damaged, struct error *err)
{
	for (uint64_t next; at < end; at = next) {
		struct error why = {0};
		size_t size;
		next = min_of(end, (at / SALVAGE_STEP + 1) * SALVAGE_STEP);
		int rc = volume_file_read(f, at, x->buffer, (size_t)(next - at), &size, &why);
		if (rc == 0)
			rc = write_at(fd, x->buffer, size, at, err);
		else if (is_damage(rc)) {
			report(x, (int64_t)(at / SALVAGE_STEP), &why);
			*ret_damaged = true;
			rc = 0;
		} else if (err)
			*err = why;
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int copy_range(struct export *x, struct volume_file *f, int fd, uint64_t at, uint64_t end,
                      bool *ret_damaged, struct error *err)
{
	while (at < end) {
		size_t size, step = (size_t)min_of(end - at, (uint64_t)VOLUME_COPY_SIZE);
		struct error why = {0};
		int rc = volume_file_read(f, at, x->buffer, step, &size, &why);
		if (rc == 0)
			rc = write_at(fd, x->buffer, size, at, &why);
		else if (is_damage(rc) && x->salvage)
			rc = salvage_range(x, f, fd, at, at + step, ret_damaged, &why);
		if (rc == 0)
			rc = interrupted(&why);
		if (rc < 0) {
			if (err)
				*err = why;
			return rc;
		}
		at += step;
		x->c->progress.bytes += step;
		volume_progress_show(&x->c->progress);
	}
	return 0;
}

/* Where its holes lie may be damaged, too: then all of it is data, and holes come out as zeros. */
static int copy_all(struct export *x, struct volume_file *f, int fd, uint64_t size, bool *ret_damaged,
                    struct error *err)
{
	uint64_t at = 0, data, hole;
	while (at < size) {
		struct error why = {0};
		int rc = volume_file_seek_data(f, at, &data, &hole, &why);
		if (rc < 0 && is_damage(rc) && x->salvage) {
			data = at;
			hole = min_of(size, at + VOLUME_COPY_SIZE);
			rc = 0;
		}
		if (rc == 0 && data < size)
			rc = copy_range(x, f, fd, data, hole, ret_damaged, &why);
		if (rc < 0) {
			if (err)
				*err = why;
			return rc;
		}
		at = max_of(hole, data);
	}
	if (ftruncate(fd, (off_t)size) < 0)
		return error_errno(err, CELLA_EIO, "cannot be written");
	return 0;
}

/* ---- one of each kind */

static bool is_present(int directory, const char *name, const struct volume_stat *st)
{
	struct stat there;
	return fstatat(directory, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode) &&
	       (uint64_t)there.st_size == st->size && clock_ns_of(&there.st_mtim) == (int64_t)st->modified_ns;
}

/* The copy takes its place with its mode and time. */
static int settle(int directory, const char *part, const char *name, int fd, const struct volume_stat *st,
                  struct error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_of(st->modified_ns)};
	if (fchmod(fd, st->mode & PERMISSIONS) < 0 || futimens(fd, times) < 0)
		return error_errno(err, CELLA_EIO, "its mode and time cannot be set");
	if (renameat(directory, part, directory, name) < 0)
		return error_errno(err, CELLA_EIO, "cannot be put in its place");
	return 0;
}

/* What the copy of a damaged file is called: NAME.damaged; but where that is longer than a name may be, or
 * may be another file of the volume, with digits in it that stand for NAME. */
static int name_damaged(struct export *x, const char *name, char ret_name[FILE_NAME_SIZE], struct error *err)
{
	char part[VOLUME_PART_SIZE], *path = x->one, *beside = x->other;
	const char *slash = strrchr(x->path, '/');
	size_t directory = slash ? (size_t)(slash - x->path) : 0;
	struct volume_stat st;
	bool fits = snprintf(ret_name, FILE_NAME_SIZE, "%s" DAMAGED_SUFFIX, name) < FILE_NAME_SIZE;
	snprintf(beside, sizeof(x->other), "%.*s", (int)directory, x->path);
	if (fits && volume_join(path, beside, ret_name, NULL) == 0 &&
	    volume_stat(x->v, path, VOLUME_NOFOLLOW, &st, NULL) == CELLA_ENOENT)
		return 0;
	volume_part_name(name, part);
	const char *digits = strrchr(part, '-');
	size_t room = FILE_NAME_SIZE - sizeof(DAMAGED_SUFFIX) - strlen(digits);
	snprintf(ret_name, FILE_NAME_SIZE, "%.*s%s" DAMAGED_SUFFIX, (int)room, name, digits);
	if (volume_join(path, beside, ret_name, NULL) == 0 &&
	    volume_stat(x->v, path, VOLUME_NOFOLLOW, &st, NULL) == 0)
		return error_set(err, CELLA_EEXIST, "both names for what is saved of it are other files'");
	return 0;
}

static void report_saved(struct export *x, const char *name)
{
	volume_progress_hide(&x->c->progress);
	printf("saved    %s as %s\n", volume_shown(x->path), volume_shown(name));
}

static int export_open_file(struct export *x, struct volume_file *f, int directory, const char *name,
                            const struct volume_stat *st, struct error *err)
{
	char part[VOLUME_PART_SIZE], damaged_name[FILE_NAME_SIZE];
	bool damaged = false;
	volume_part_name(name, part);
	if (unlinkat(directory, part, 0) < 0 && errno != ENOENT)
		return error_errno(err, CELLA_EIO, "cannot be written");
	cleanup_close int fd = openat(directory, part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                              0600);
	if (fd < 0)
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO, "cannot be written");
	int rc = copy_all(x, f, fd, st->size, &damaged, err);
	if (rc == 0 && damaged)
		rc = name_damaged(x, name, damaged_name, err);
	if (rc == 0)
		rc = settle(directory, part, damaged ? damaged_name : name, fd, st, err);
	if (rc < 0)
		unlinkat(directory, part, 0);
	else if (damaged)
		report_saved(x, damaged_name);
	else
		x->files++;
	return rc;
}

static int export_file(struct export *x, int directory, const char *name, const struct volume_stat *st,
                       struct error *err)
{
	struct volume_file *f;
	if (is_present(directory, name, st)) {
		x->present++;
		return 0;
	}
	int rc = volume_file_open(x->v, x->path, VOLUME_NO_SYMLINK, 0, &f, err);
	if (rc < 0)
		return rc;
	rc = export_open_file(x, f, directory, name, st, err);
	volume_file_close(f);
	return rc;
}

static int export_symlink(struct export *x, int directory, const char *name, const struct volume_stat *st,
                          struct error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_of(st->modified_ns)};
	char *target = x->one, *there = x->other;
	int rc = volume_readlink(x->v, x->path, target, err);
	if (rc < 0)
		return rc;
	ssize_t size = readlinkat(directory, name, there, sizeof(x->other));
	if (size == (ssize_t)strlen(target) && strncmp(there, target, strlen(target)) == 0) {
		x->present++;
		return 0;
	}
	if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
		return error_errno(err, CELLA_EIO, "what is in its place cannot be removed");
	if (symlinkat(target, directory, name) < 0)
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO, "cannot be made");
	(void)!utimensat(directory, name, times, AT_SYMLINK_NOFOLLOW);
	x->files++;
	return 0;
}

static int export_at(struct export *x, int directory, const char *name, struct error *err);

static int export_entry(struct export *x, int directory, const struct volume_entry *entry, struct error *err)
{
	size_t size = strlen(x->path);
	if (entry->after_damage)
		report_lost(x, entry->name);
	int rc = volume_descend(x->path, entry->name, err);
	if (rc == 0)
		rc = export_at(x, directory, entry->name, err);
	if (rc == 0)
		x->path[size] = '\0'; /* otherwise it is what the message names */
	return rc;
}

static int export_entries(struct export *x, int directory, struct error *err)
{
	struct volume_entry entry = {0};
	struct error why = {0};
	int rc;
	while (true) {
		rc = x->salvage ? volume_next_readable(x->v, x->path, entry.name, &entry, &why)
		                : volume_next(x->v, x->path, entry.name, &entry, &why);
		if (rc < 0)
			break;
		rc = export_entry(x, directory, &entry, err);
		if (rc < 0)
			return rc;
	}
	if (rc == CELLA_ENOENT)
		return 0;
	if (is_damage(rc) && x->salvage) {
		report(x, -1, &why);
		return 0;
	}
	if (err)
		*err = why;
	return rc;
}

static int open_directory_at(int directory, const char *name, int *ret_fd, struct error *err)
{
	if (mkdirat(directory, name, 0700) < 0 && errno != EEXIST)
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO,
		                   "cannot make the directory");
	int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(
			err, CELLA_EIO,
			"what is in the directory's place cannot be opened as one (symlinks are not "
			"followed)");
	*ret_fd = fd;
	return 0;
}

static int set_mode_and_time(int fd, const struct volume_stat *st, struct error *err)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, time_of(st->modified_ns)};
	if (fchmod(fd, st->mode & PERMISSIONS) < 0 || futimens(fd, times) < 0)
		return error_errno(err, CELLA_EIO, "its mode and time cannot be set");
	return 0;
}

static int export_directory(struct export *x, int fd, const struct volume_stat *st, struct error *err)
{
	int rc = export_entries(x, fd, err);
	return rc == 0 ? set_mode_and_time(fd, st, err) : rc;
}

/* What is at x->path becomes `name` in the directory. */
static int export_at(struct export *x, int directory, const char *name, struct error *err)
{
	struct volume_stat st;
	struct error why = {0};
	cleanup_close int fd = -1;
	int rc = strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0
	                 ? error_set(&why, CELLA_EINVAL, "no file may have that name here")
	                 : volume_stat(x->v, x->path, VOLUME_NOFOLLOW, &st, &why);
	x->c->progress.files = x->files;
	volume_progress_show(&x->c->progress);
	if (rc == 0)
		rc = interrupted(&why);
	if (rc == 0 && st.type == VOLUME_FILE)
		rc = export_file(x, directory, name, &st, &why);
	else if (rc == 0 && st.type == VOLUME_SYMLINK)
		rc = export_symlink(x, directory, name, &st, &why);
	else if (rc == 0) {
		rc = open_directory_at(directory, name, &fd, &why);
		if (rc == 0)
			rc = export_directory(x, fd, &st, &why);
	}
	/* an entry whose inode is gone is damage, too; so is a damaged file for which no name is left */
	if ((is_damage(rc) || rc == CELLA_ENOENT || rc == CELLA_EEXIST) && x->salvage) {
		report(x, -1, &why);
		return 0;
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

/* ---- the command */

/* A directory of which the contents go to `target`, which is made where it is not there, and else keeps its
 * mode: it may be closed to others for what it gets now. */
static int export_tree(struct export *x, const char *target, const struct volume_stat *st, struct error *err)
{
	bool made = mkdir(target, 0700) == 0;
	if (!made && errno != EEXIST)
		return error_errno(err, CELLA_EIO, "cannot make the directory %s", target);
	cleanup_close int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open the directory %s", target);
	int rc = export_entries(x, fd, err);
	/* also where it was interrupted: who goes on finds it there */
	int set = made ? set_mode_and_time(fd, st, rc == 0 ? err : NULL) : 0;
	return rc < 0 ? rc : set;
}

/* A directory becomes `name` in `target`. Below that no symlink is followed, nor one in its own place. */
static int export_tree_into(struct export *x, const char *target, const char *name,
                            const struct volume_stat *st, struct error *err)
{
	if (mkdir(target, 0777) < 0 && errno != EEXIST)
		return error_errno(err, CELLA_EIO, "cannot make the directory %s", target);
	cleanup_close int into = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	if (into < 0)
		return error_errno(err, CELLA_EIO, "cannot open the directory %s", target);
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(err, CELLA_EINVAL, "no directory may have that name here");
	int rc = open_directory_at(into, name, &fd, err);
	return rc == 0 ? export_directory(x, fd, st, err) : rc;
}

/* A file or symlink: into `target` where that is a directory, or as it. */
static int export_single(struct export *x, const char *target, struct error *err)
{
	char name[256], parent[VOLUME_PATH_MAX];
	struct stat st;
	size_t size = strlen(target);
	bool into = (stat(target, &st) == 0 && S_ISDIR(st.st_mode)) || (size && target[size - 1] == '/');
	const char *slash = strrchr(target, '/');
	if (into)
		snprintf(parent, sizeof(parent), "%s", target);
	else
		snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - target) + 1 : 1,
		         slash ? target : ".");
	volume_last_name(into ? x->path : target, name);
	cleanup_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open the directory %s", parent);
	return export_at(x, fd, name, err);
}

static int export_operand(struct export *x, const char *target, struct error *err)
{
	struct volume_stat st;
	char name[FILE_NAME_SIZE];
	size_t size = strlen(target);
	int rc = volume_stat(x->v, x->path, VOLUME_NOFOLLOW, &st, err);
	if (rc == 0 && st.type == VOLUME_SYMLINK && x->path[strlen(x->path) - 1] == '/')
		rc = volume_stat(x->v, x->path, VOLUME_FOLLOW, &st, err);
	if (rc < 0 || st.type != VOLUME_DIRECTORY)
		return rc < 0 ? rc : export_single(x, target, err);
	volume_last_name(x->path, name);
	if (!size || target[size - 1] != '/' || !*name)
		return export_tree(x, target, &st, err);
	return export_tree_into(x, target, name, &st, err);
}

static void summarize(const struct export *x)
{
	char size[VOLUME_SIZE_SIZE];
	volume_progress_hide(&x->c->progress);
	if (x->c->options->quiet)
		return;
	volume_print_size(x->c->progress.bytes, size);
	printf("exported %llu file%s, %s; %llu %s there", (unsigned long long)x->files,
	       x->files == 1 ? "" : "s", size, (unsigned long long)x->present,
	       x->present == 1 ? "was" : "were");
	if (x->damaged)
		printf("; %llu damaged", (unsigned long long)x->damaged);
	putchar('\n');
}

int volume_export_command(struct volume_command *c, struct error *err)
{
	struct export x = {.c = c, .v = c->v, .salvage = c->options->salvage};
	cleanup_close int interrupt = -1;
	int rc = interrupt_open(&interrupt, err);
	if (rc < 0)
		return rc;
	x.buffer = mem_alloc(c->pool, VOLUME_COPY_SIZE);
	if (!x.buffer)
		return error_set(err, CELLA_ENOMEM, "no protected memory to read files");
	volume_progress_init(&c->progress, "exported", c->options->quiet);
	if (snprintf(x.path, sizeof(x.path), "%s", c->operands[0]) >= (int)sizeof(x.path))
		rc = error_set(err, CELLA_ELIMIT, "the path is too long");
	if (rc == 0)
		rc = export_operand(&x, c->operands[1], err);
	if (rc < 0)
		error_prefix(err, rc, "%s: ", volume_shown(*x.path ? x.path : "/"));
	if (is_damage(rc) && !x.salvage)
		error_prefix(err, rc, "damaged (--salvage gets out what is good): ");
	mem_free(c->pool, x.buffer);
	summarize(&x);
	return rc;
}
