#include "cli/bench/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/process.h"

/* ---- a volume */

static const uint8_t volume_key[1][CRYPTO_KEY_SIZE] = {{0xce, 0x11, 0xa0}};

static int volume_config_make(struct store *s, struct error *err)
{
	char root[600];
	snprintf(root, sizeof(root), "%s.root", s->directory);
	s->config = (struct volume_config){.pool = s->pool,
	                                   .keys = volume_key,
	                                   .key_count = 1,
	                                   .workers = s->kind->workers,
	                                   .writable = true};
	int fd = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", s->directory);
	int rc = volume_disk_directory(fd, &s->config.disk, err);
	return rc == 0 ? volume_keeper_file(root, &s->config.keeper, err) : rc;
}

static int volume_store_make(struct store *s, struct error *err)
{
	int rc = volume_config_make(s, err);
	return rc == 0 ? volume_create(&s->config, err) : rc;
}

static int volume_store_begin(struct store *s, struct error *err)
{
	return volume_open(&s->config, &s->volume, err);
}

static int volume_store_end(struct store *s, struct error *err)
{
	int rc = volume_commit(s->volume, err);
	volume_free(s->volume);
	s->volume = NULL;
	return rc;
}

static int volume_store_open(struct store *s, const char *path, bool create, struct store_file *ret,
                             struct error *err)
{
	return volume_file_open(s->volume, path, create ? VOLUME_WRITE | VOLUME_CREATE : 0, 0644, &ret->file,
	                        err);
}

static int volume_store_close(struct store *s, struct store_file *f, struct error *err)
{
	(void)s;
	(void)err;
	volume_file_close(f->file);
	return 0;
}

static int volume_store_read(struct store *s, struct store_file *f, uint64_t offset, void *to, size_t size,
                             struct error *err)
{
	size_t got;
	(void)s;
	int rc = volume_file_read(f->file, offset, to, size, &got, err);
	return rc < 0 || got == size ? rc : error_set(err, CELLA_EIO, "a file ended early");
}

static int volume_store_write(struct store *s, struct store_file *f, uint64_t offset, const void *from,
                              size_t size, struct error *err)
{
	(void)s;
	return volume_file_write(f->file, offset, from, size, err);
}

static int volume_store_commit(struct store *s, struct store_file *f, struct error *err)
{
	(void)f;
	return volume_commit(s->volume, err);
}

static int volume_store_unlink(struct store *s, const char *path, struct error *err)
{
	return volume_unlink(s->volume, path, err);
}

#define VOLUME_OPERATIONS                                                                                 \
	.durable = true, .make = volume_store_make, .begin = volume_store_begin, .end = volume_store_end, \
	.open = volume_store_open, .close = volume_store_close, .read = volume_store_read,                \
	.write = volume_store_write, .commit = volume_store_commit, .unlink = volume_store_unlink
const struct store_kind store_volume = {.name = "volume", .workers = 1, VOLUME_OPERATIONS};
const struct store_kind store_volume_two = {.name = "volume, 2 threads", .workers = 2, VOLUME_OPERATIONS};

/* ---- a directory */

static int plain_nothing(struct store *s, struct error *err)
{
	(void)s;
	(void)err;
	return 0;
}

static void path_of(const struct store *s, const char *path, char to[700])
{
	bool mounted = s->kind == &store_gocryptfs;
	snprintf(to, 700, "%s%s/%s", s->directory, mounted ? ".mount" : "", path);
}

static int plain_open(struct store *s, const char *path, bool create, struct store_file *ret,
                      struct error *err)
{
	char full[700];
	path_of(s, path, full);
	ret->fd = open(full, create ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0644);
	return ret->fd < 0 ? error_errno(err, CELLA_EIO, "cannot open %s", full) : 0;
}

static int plain_close(struct store *s, struct store_file *f, struct error *err)
{
	(void)s;
	return close(f->fd) < 0 ? error_errno(err, CELLA_EIO, "cannot close a file") : 0;
}

static int plain_read(struct store *s, struct store_file *f, uint64_t offset, void *to, size_t size,
                      struct error *err)
{
	(void)s;
	for (size_t done = 0; done < size;) {
		ssize_t n = pread(f->fd, (uint8_t *)to + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			return error_set(err, CELLA_EIO, "a file ends early");
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot read a file");
		done += (size_t)n;
	}
	return 0;
}

static int plain_write(struct store *s, struct store_file *f, uint64_t offset, const void *from, size_t size,
                       struct error *err)
{
	(void)s;
	for (size_t done = 0; done < size;) {
		ssize_t n = pwrite(f->fd, (const uint8_t *)from + done, size - done, (off_t)(offset + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot write a file");
		done += (size_t)n;
	}
	return 0;
}

static int plain_commit(struct store *s, struct store_file *f, struct error *err)
{
	(void)s;
	return fsync(f->fd) < 0 ? error_errno(err, CELLA_EIO, "cannot sync a file") : 0;
}

static int plain_unlink(struct store *s, const char *path, struct error *err)
{
	char full[700];
	path_of(s, path, full);
	return unlink(full) < 0 ? error_errno(err, CELLA_EIO, "cannot unlink %s", full) : 0;
}

#define PLAIN_OPERATIONS                                                                    \
	.open = plain_open, .close = plain_close, .read = plain_read, .write = plain_write, \
	.commit = plain_commit, .unlink = plain_unlink
const struct store_kind store_plain = {.name = "plain",
                                       .durable = true,
                                       .make = plain_nothing,
                                       .begin = plain_nothing,
                                       .end = plain_nothing,
                                       PLAIN_OPERATIONS};

/* ---- gocryptfs, mounted on a directory beside its own */

static int run_words(const char *const *words, struct error *err)
{
	struct arguments command = {0};
	struct buf output = {0};
	for (; *words; words++)
		arguments_add(&command, *words);
	int rc = command.failed ? error_set(err, CELLA_ENOMEM, "no memory for a command line")
	                        : process_read(&command, &output, err);
	arguments_done(&command);
	buf_done(&output);
	return rc;
}

/* The password is in a file beside the directory: what it protects is noise. */
static int password_make(const char *path, struct error *err)
{
	return io_write_file(path, "bench", 5, 0600, err);
}

static int gocryptfs_make(struct store *s, struct error *err)
{
	char mount[600], password[600];
	snprintf(mount, sizeof(mount), "%s.mount", s->directory);
	snprintf(password, sizeof(password), "%s.root", s->directory);
	if (mkdir(mount, 0700) < 0)
		return error_errno(err, CELLA_EIO, "cannot make %s", mount);
	int rc = password_make(password, err);
	const char *words[] = {"gocryptfs", "-init",  "-q",         "-scryptn", "10",
	                       "-passfile", password, s->directory, NULL};
	return rc == 0 ? run_words(words, err) : rc;
}

static int gocryptfs_begin(struct store *s, struct error *err)
{
	char mount[600], password[600];
	snprintf(mount, sizeof(mount), "%s.mount", s->directory);
	snprintf(password, sizeof(password), "%s.root", s->directory);
	const char *words[] = {"gocryptfs", "-q", "-passfile", password, s->directory, mount, NULL};
	return run_words(words, err);
}

static int gocryptfs_end(struct store *s, struct error *err)
{
	char mount[600];
	snprintf(mount, sizeof(mount), "%s.mount", s->directory);
	return run_words((const char *[]){"fusermount", "-u", mount, NULL}, err);
}

const struct store_kind store_gocryptfs = {.name = "gocryptfs",
                                           .make = gocryptfs_make,
                                           .begin = gocryptfs_begin,
                                           .end = gocryptfs_end,
                                           PLAIN_OPERATIONS};

int store_check(const struct store_kind *kind, struct error *err)
{
	char path[512];
	if (kind != &store_gocryptfs)
		return 0;
	return process_find("gocryptfs", path, sizeof(path), NULL) == 0
	               ? 0
	               : error_set(err, CELLA_EUNSUPPORTED,
	                           "gocryptfs is not installed: apt-get install gocryptfs fuse");
}
