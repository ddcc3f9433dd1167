/* One file into a volume. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/volume_import.h"

enum {
	PART_LEAST = 64 << 20, /* a smaller file is never committed by halves */
	NS_PER_S = 1000000000,
};

uint64_t volume_import_time(const struct stat *st)
{
	const time_t last = INT64_MAX / NS_PER_S - 1; /* in 2262 */
	const struct timespec kept = {.tv_sec = min_of(st->st_mtim.tv_sec, last),
	                              .tv_nsec = st->st_mtim.tv_nsec};
	return kept.tv_sec < 0 ? 0 : (uint64_t)clock_ns_of(&kept);
}

/* Where a file is copied to, and how far it is. */
struct copy {
	struct volume_import *i;
	struct volume_file *to;
	int from;
	uint64_t at, time;
	bool in_part; /* it may be committed as it is */
	char directory[VOLUME_PATH_MAX], part[VOLUME_PATH_MAX];
	char prefix[VOLUME_PART_SIZE + 1]; /* with which all parts of this name begin */
};

static int read_some(const struct copy *c, uint8_t *to, size_t size, size_t *ret_size, struct error *err)
{
	ssize_t n;
	do
		n = pread(c->from, to, size, (off_t)c->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(err, CELLA_EINVAL, "cannot be read");
	*ret_size = (size_t)n;
	return 0;
}

/* The bytes up to the next hole, or so many as fit the buffer. */
static int copy_data(struct copy *c, uint64_t end, struct error *err)
{
	struct volume_import *i = c->i;
	while (c->at < end) {
		size_t size;
		int rc = read_some(c, i->buffer, (size_t)min_of(end - c->at, (uint64_t)VOLUME_COPY_SIZE),
		                   &size, err);
		if (rc < 0 || size == 0)
			return rc;
		rc = volume_file_write(c->to, c->at, i->buffer, size, err);
		if (rc < 0)
			return rc;
		c->at += size;
		i->uncommitted += size;
		i->c->progress.bytes += size;
		volume_progress_show(&i->c->progress);
		if (c->in_part) {
			rc = volume_file_set_modified(c->to, c->time, err);
			if (rc == 0)
				rc = volume_import_pace(i, err);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

/* Data and holes in turn; where the file system knows of no holes, all is data. */
static int copy_all(struct copy *c, uint64_t size, struct error *err)
{
	while (c->at < size) {
		off_t data = lseek(c->from, (off_t)c->at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		off_t hole = data < 0 ? -1 : lseek(c->from, data, SEEK_HOLE);
		if (data >= 0)
			c->at = (uint64_t)data;
		uint64_t end = hole > data ? min_of((uint64_t)hole, size) : size, before = c->at;
		int rc = copy_data(c, end, err);
		if (rc < 0)
			return rc;
		if (c->at == before)
			break; /* it was cut */
	}
	return volume_file_truncate(c->to, size, err);
}

/* Parts of the same name from other sources, or from this one before it was changed, are of no use. */
static int forget_others(struct copy *c, struct error *err)
{
	struct volume *v = c->i->v;
	size_t size = strlen(c->prefix);
	char other[VOLUME_PATH_MAX];
	struct volume_entry entry;
	int rc;
	snprintf(entry.name, sizeof(entry.name), "%s", c->prefix);
	while ((rc = volume_next(v, c->directory, entry.name, &entry, err)) == 0 &&
	       strncmp(entry.name, c->prefix, size) == 0) {
		rc = volume_join(other, c->directory, entry.name, err);
		if (rc == 0 && strcmp(other, c->part) != 0)
			rc = volume_unlink(v, other, err);
		if (rc < 0)
			return rc;
	}
	return rc == CELLA_ENOENT ? 0 : rc;
}

/* A part that an interrupted import left of the same file is gone on with. */
static int open_part(struct copy *c, const struct stat *st, struct error *err)
{
	struct volume_stat there;
	int rc = forget_others(c, err);
	if (rc == 0)
		rc = volume_stat(c->i->v, c->part, VOLUME_NOFOLLOW, &there, err);
	bool usable = rc == 0 && c->in_part && there.type == VOLUME_FILE && there.modified_ns == c->time &&
	              there.size <= (uint64_t)st->st_size;
	if (usable)
		c->at = there.size;
	else if (rc == 0)
		rc = volume_unlink(c->i->v, c->part, err);
	if (rc < 0 && rc != CELLA_ENOENT)
		return rc;
	return volume_file_open(c->i->v, c->part, VOLUME_WRITE | VOLUME_CREATE | VOLUME_NO_SYMLINK, 0600,
	                        &c->to, err);
}

static int finish(struct copy *c, const struct stat *st, struct error *err)
{
	struct volume_import *i = c->i;
	struct stat now;
	bool same = fstat(c->from, &now) == 0 && now.st_size == st->st_size &&
	            volume_import_time(&now) == c->time;
	int rc = volume_set_mode(i->v, c->part, st->st_mode & 07777, err);
	/* where it changed the next import is to see that */
	if (rc == 0)
		rc = volume_file_set_modified(c->to, same ? c->time : 0, err);
	if (rc == 0)
		rc = volume_rename(i->v, c->part, i->path, err);
	if (rc < 0 || same)
		return rc;
	return error_set(err, CELLA_EAGAIN, "it changed while it was read: import it again");
}

/* With which file it is of, and that one's last change: of the same name, size and time may be another. */
static int name_part(struct copy *c, const struct stat *st, struct error *err)
{
	const char *slash = strrchr(c->i->path, '/');
	char part[VOLUME_PART_SIZE], name[256];
	volume_part_name(slash ? slash + 1 : c->i->path, part);
	snprintf(c->directory, sizeof(c->directory), "%.*s", slash ? (int)(slash - c->i->path) : 0,
	         c->i->path);
	snprintf(c->prefix, sizeof(c->prefix), "%s-", part);
	snprintf(name, sizeof(name), "%s%llx-%llx-%llx-%llx", c->prefix, (unsigned long long)st->st_size,
	         (unsigned long long)st->st_dev, (unsigned long long)st->st_ino,
	         (unsigned long long)clock_ns_of(&st->st_ctim));
	return volume_join(c->part, c->directory, name, err);
}

int volume_import_file(struct volume_import *i, int fd, const struct stat *st, struct error *err)
{
	struct copy c = {.i = i,
	                 .from = fd,
	                 .time = volume_import_time(st),
	                 .in_part = st->st_size >= PART_LEAST};
	int rc = name_part(&c, st, err);
	if (rc == 0)
		rc = open_part(&c, st, err);
	if (rc < 0)
		return rc;
	rc = copy_all(&c, (uint64_t)st->st_size, err);
	if (rc == 0)
		rc = finish(&c, st, err);
	volume_file_close(c.to);
	if (rc < 0 && rc != CELLA_ECANCELED && !(c.in_part && volume_import_ends(rc)))
		(void)!volume_unlink(i->v, c.part, NULL);
	return rc;
}
