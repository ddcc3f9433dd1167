#include "cli/volume_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"

enum {
	PLACE_PATH_MAX = 4096,
	PLACE_WORKERS_MAX = 4,
	POOL_BESIDE_CACHE = 4 << 20, /* nodes, keys, buffers */
	HEADER_ID_AT = 8,            /* of the file "volume" */
};

struct volume_place {
	struct volume_place_config given;
	char path[PLACE_PATH_MAX], key[PLACE_PATH_MAX], root[PLACE_PATH_MAX];
	int directory;
	struct volume_keys *keys; /* in the pool */
	struct volume_config config;
	struct volume *volume;
};

int volume_place_cache(enum mem_level level, size_t *ret_cache, struct error *err)
{
	int rc = CELLA_ENOMEM;
	for (size_t cache = VOLUME_CACHE_DEFAULT; rc < 0 && cache >= VOLUME_CACHE_LEAST; cache /= 2) {
		rc = mem_level_check(level, cache + cache / 2 + POOL_BESIDE_CACHE, err);
		if (rc == 0)
			*ret_cache = cache;
	}
	return rc;
}

/* ---- places */

static int set_path(char to[PLACE_PATH_MAX], const char *given, const char *path, const char *suffix,
                    struct error *err)
{
	int size = given ? snprintf(to, PLACE_PATH_MAX, "%s", given)
	                 : snprintf(to, PLACE_PATH_MAX, "%s%s", path, suffix);
	return size >= PLACE_PATH_MAX ? error_set(err, CELLA_EINVAL, "the path of the volume is too long")
	                              : 0;
}

static int place_new(const struct volume_place_config *given, struct volume_place **ret_place,
                     struct error *err)
{
	struct volume_place *p = calloc(1, sizeof(*p));
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no memory for a volume");
	p->given = *given;
	p->directory = -1;
	int rc = set_path(p->path, given->path, "", "", err);
	for (size_t size = strlen(p->path); size > 1 && p->path[size - 1] == '/'; size--)
		p->path[size - 1] = '\0';
	if (rc == 0)
		rc = set_path(p->key, given->key, p->path, ".key", err);
	if (rc == 0)
		rc = set_path(p->root, given->root, p->path, ".root", err);
	p->keys = mem_alloc(given->pool, sizeof(*p->keys));
	if (rc == 0 && !p->keys)
		rc = error_set(err, CELLA_ENOMEM, "no protected memory for a volume's keys");
	if (rc < 0) {
		volume_place_free(p);
		return rc;
	}
	*ret_place = p;
	return 0;
}

void volume_place_free(struct volume_place *p)
{
	if (!p)
		return;
	volume_free(p->volume);
	volume_disk_directory_free(&p->config.disk);
	volume_keeper_file_free(&p->config.keeper);
	if (p->keys)
		mem_free(p->given.pool, p->keys);
	if (p->directory >= 0)
		close(p->directory);
	free(p);
}

static void free_place(struct volume_place **p)
{
	volume_place_free(*p);
}
#define cleanup_place cleanup_with(free_place)

static int open_directory(struct volume_place *p, struct error *err)
{
	p->directory = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->directory < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
		                   "cannot open the volume %s", p->path);
	return 0;
}

/* Callbacks for the library, and the keys. */
static int configure(struct volume_place *p, struct error *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	cleanup_close int directory = fcntl(p->directory, F_DUPFD_CLOEXEC, 0);
	if (directory < 0)
		return error_errno(err, CELLA_ELIMIT, "cannot open the volume %s again", p->path);
	int rc = volume_disk_directory(take_fd(&directory), &p->config.disk, err);
	if (rc == 0)
		rc = volume_keeper_file(p->root, &p->config.keeper, err);
	p->config.pool = p->given.pool;
	p->config.keys = (const uint8_t(*)[CRYPTO_KEY_SIZE])p->keys->keys;
	p->config.key_count = p->keys->count;
	p->config.cache = p->given.cache;
	p->config.workers = (unsigned)min_of(max_of(processors, 1L), (long)PLACE_WORKERS_MAX);
	p->config.take_over = p->given.take_over;
	p->config.any_copy = p->given.any_copy;
	return rc;
}

/* ---- opening */

/* The volume's file "volume" names it in the clear, so that a wrong key file can be told as that. */
static int check_key_file(const struct volume_place *p, struct error *err)
{
	uint8_t header[VOLUME_HEADER_SIZE];
	char its[2 * VOLUME_ID_SIZE + 1], keys[2 * VOLUME_ID_SIZE + 1];
	cleanup_close int fd = openat(p->directory, VOLUME_FILE_HEADER,
	                              O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, CELLA_ENOENT, "%s is no volume: cannot open its file \"volume\"",
		                   p->path);
	int rc = io_read_full(fd, header, sizeof(header), err);
	if (rc < 0)
		return error_set(err, CELLA_EFORMAT, "%s is no volume: its file \"volume\" is too short",
		                 p->path);
	struct reader r = reader_of(header, sizeof(header));
	if (reader_u32(&r) != VOLUME_MAGIC || reader_u32(&r) != VOLUME_VERSION ||
	    crypto_equal(header + HEADER_ID_AT, p->keys->volume, VOLUME_ID_SIZE))
		return 0; /* the library says what is wrong with the rest */
	io_hex(header + HEADER_ID_AT, VOLUME_ID_SIZE, its);
	io_hex(p->keys->volume, VOLUME_ID_SIZE, keys);
	return error_set(err, CELLA_EAUTH,
	                 "the key file %s is of the volume %s, but %s is %s: name the right one with --key",
	                 p->key, keys, p->path, its);
}

static int check_root_file(const struct volume_place *p, struct error *err)
{
	if (p->given.any_copy || access(p->root, F_OK) == 0 || errno != ENOENT)
		return 0;
	return error_set(
		err, CELLA_ENOENT,
		"there is no root file %s, which says what the volume's last commit is: name it with "
		"--root; --any-copy reads without it, and cella volume trust makes one: both "
		"believe the volume as it is found, and it may be an old copy",
		p->root);
}

/* The place with its keys; not open yet. */
static int load(const struct volume_place_config *given, struct volume_place **ret_place, struct error *err)
{
	cleanup_place struct volume_place *p = NULL;
	int rc = place_new(given, &p, err);
	if (rc == 0)
		rc = open_directory(p, err);
	if (rc == 0)
		rc = volume_keys_read(p->key, given->pool, p->keys, err);
	if (rc == 0)
		rc = check_key_file(p, err);
	if (rc == 0)
		rc = check_root_file(p, err);
	if (rc < 0)
		return rc;
	*ret_place = take_ptr(&p);
	return 0;
}

static int open_loaded(struct volume_place *p, bool writable, struct error *err)
{
	int rc = configure(p, err);
	p->config.writable = writable;
	if (rc == 0)
		rc = volume_open(&p->config, &p->volume, err);
	return rc < 0 ? error_prefix(err, rc, "cannot open the volume %s: ", p->path) : 0;
}

int volume_place_open(const struct volume_place_config *config, bool writable,
                      struct volume_place **ret_place, struct error *err)
{
	cleanup_place struct volume_place *p = NULL;
	int rc = load(config, &p, err);
	if (rc == 0)
		rc = open_loaded(p, writable, err);
	if (rc < 0)
		return rc;
	*ret_place = take_ptr(&p);
	return 0;
}

/* ---- creating */

static int refuse_existing(const char *path, const char *what, struct error *err)
{
	struct stat st;
	if (lstat(path, &st) < 0 && errno == ENOENT)
		return 0;
	return error_set(err, CELLA_EEXIST, "%s %s exists already", what, path);
}

static int create_inside(struct volume_place *p, struct error *err)
{
	int rc = open_directory(p, err);
	if (rc == 0)
		rc = crypto_random(p->keys->volume, VOLUME_ID_SIZE, err);
	if (rc == 0)
		rc = volume_keys_add(p->keys, err);
	if (rc == 0)
		rc = volume_keys_create(p->key, p->given.pool, p->keys, err);
	if (rc < 0)
		return rc;
	rc = configure(p, err);
	p->config.id = p->keys->volume;
	if (rc == 0)
		rc = volume_create(&p->config, err);
	if (rc < 0) {
		unlink(p->key);
		unlink(p->root);
	}
	return rc;
}

static int forget_name(void *directory, const char *name, uint64_t size)
{
	(void)size;
	(void)!unlinkat(*(int *)directory, name, 0);
	return 0;
}

int volume_place_create(const struct volume_place_config *config, struct error *err)
{
	cleanup_place struct volume_place *p = NULL;
	int rc = place_new(config, &p, err);
	if (rc == 0)
		rc = refuse_existing(p->key, "the key file", err);
	if (rc == 0)
		rc = refuse_existing(p->root, "the root file", err);
	if (rc < 0)
		return rc;
	if (mkdir(p->path, 0777) < 0)
		return error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO,
		                   "cannot make the volume %s", p->path);
	rc = io_sync_name(p->path, err);
	if (rc == 0)
		rc = create_inside(p, err);
	if (rc < 0 && p->config.disk.list) /* what is in the directory is ours: it is new */
		(void)!p->config.disk.list(p->config.disk.data, forget_name, &p->directory, NULL);
	if (rc < 0)
		rmdir(p->path);
	return rc < 0 ? error_prefix(err, rc, "cannot create the volume %s: ", p->path) : 0;
}

/* ---- a new key */

/* What is opened is closed again. */
static int may_write(struct volume_place *p, struct error *err)
{
	int rc = open_loaded(p, true, err);
	volume_free(p->volume);
	volume_disk_directory_free(&p->config.disk);
	volume_keeper_file_free(&p->config.keeper);
	p->volume = NULL;
	return rc;
}

static int rekey_locked(struct volume_place *p, struct volume_rekeyed *ret_rekeyed, struct error *err)
{
	/* Not before the lock: another one's new key would be lost. */
	int rc = volume_keys_read(p->key, p->given.pool, p->keys, err);
	if (rc < 0)
		return rc;
	bool went_on = p->keys->count > 1;
	if (!went_on) {
		rc = may_write(p, err); /* or a key would be drawn for nothing */
		if (rc == 0)
			rc = volume_keys_add(p->keys, err);
		if (rc == 0)
			rc = volume_keys_replace(p->key, p->given.pool, p->keys, err);
	}
	if (rc == 0)
		rc = open_loaded(p, true, err);
	if (rc == 0)
		rc = volume_compact(p->volume, 0, err);
	struct volume_info info;
	if (rc == 0)
		rc = volume_info(p->volume, &info, err);
	if (rc < 0)
		return rc;
	mem_wipe(p->keys->keys[1], (p->keys->count - 1) * CRYPTO_KEY_SIZE);
	p->keys->count = 1;
	rc = volume_keys_replace(p->key, p->given.pool, p->keys, err);
	if (rc == 0)
		*ret_rekeyed = (struct volume_rekeyed){.went_on = went_on, .held = info.held > 0};
	return rc;
}

int volume_place_rekey(const struct volume_place_config *config, struct volume_rekeyed *ret_rekeyed,
                       struct error *err)
{
	cleanup_place struct volume_place *p = NULL;
	int rc = load(config, &p, err);
	if (rc < 0)
		return rc;
	if (flock(p->directory, LOCK_EX | LOCK_NB) < 0)
		return error_set(err, CELLA_EAGAIN, "another process gives the volume %s a new key", p->path);
	return rekey_locked(p, ret_rekeyed, err);
}

/* ---- what is known of it */

struct volume *volume_place_volume(const struct volume_place *p)
{
	return p->volume;
}

const struct volume_keys *volume_place_keys(const struct volume_place *p)
{
	return p->keys;
}

const char *volume_place_root(const struct volume_place *p)
{
	return p->root;
}

const char *volume_place_key(const struct volume_place *p)
{
	return p->key;
}

int volume_place_directory(const struct volume_place *p)
{
	return p->directory;
}
