#include "cli/volume_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"

#define FIRST_LINE "cella volume key 1\n"
#define VOLUME_WORD "volume "
#define KEY_WORD "key "

enum {
	TEXT_MAX = 1024, /* five lines have less */
	KEY_PATH_MAX = 4096,
};

/* ---- the text */

/* "WORD digits\n" at *at, which then is behind it. */
static bool take_line(const char **at, const char *word, uint8_t *ret_bytes, size_t size)
{
	const char *digits = *at + strlen(word);
	if (strncmp(*at, word, strlen(word)) != 0)
		return false;
	if (strspn(digits, "0123456789abcdef") != 2 * size || !io_unhex(digits, size, ret_bytes))
		return false;
	if (digits[2 * size] != '\n')
		return false;
	*at = digits + 2 * size + 1;
	return true;
}

static bool parse(const char *text, struct volume_keys *keys)
{
	const char *at = text + strlen(FIRST_LINE);
	if (strncmp(text, FIRST_LINE, strlen(FIRST_LINE)) != 0 ||
	    !take_line(&at, VOLUME_WORD, keys->volume, sizeof(keys->volume)))
		return false;
	keys->count = 0;
	while (*at && keys->count < VOLUME_KEYS_MAX) {
		if (!take_line(&at, KEY_WORD, keys->keys[keys->count], CRYPTO_KEY_SIZE))
			return false;
		keys->count++;
	}
	return keys->count && !*at;
}

static size_t add_line(char *text, size_t at, const char *word, const uint8_t *bytes, size_t size)
{
	at += (size_t)snprintf(text + at, TEXT_MAX - at, "%s", word);
	io_hex(bytes, size, text + at);
	text[at + 2 * size] = '\n';
	return at + 2 * size + 1;
}

static size_t format(const struct volume_keys *keys, char text[TEXT_MAX])
{
	size_t at = (size_t)snprintf(text, TEXT_MAX, FIRST_LINE);
	at = add_line(text, at, VOLUME_WORD, keys->volume, sizeof(keys->volume));
	for (size_t i = 0; i < keys->count; i++)
		at = add_line(text, at, KEY_WORD, keys->keys[i], CRYPTO_KEY_SIZE);
	return at;
}

/* ---- the file */

static int open_key_file(const char *path, int *ret_fd, size_t *ret_size, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(
			err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
			"cannot open the volume's key file %s; --key of cella volume, --volume-key elsewhere, names another",
			path);
	if (!S_ISREG(st.st_mode) || st.st_size >= TEXT_MAX)
		return error_set(err, CELLA_EFORMAT, "%s is no key file of a volume", path);
	if (st.st_mode & 077 || (st.st_uid != geteuid() && geteuid() != 0))
		return error_set(err, CELLA_EPERM,
		                 "the key file %s is open to others: chmod 600 it, as its owner", path);
	*ret_fd = take_fd(&fd);
	*ret_size = (size_t)st.st_size;
	return 0;
}

int volume_keys_read(const char *path, struct mem_pool *pool, struct volume_keys *ret_keys, struct error *err)
{
	cleanup_close int fd = -1;
	size_t size;
	int rc = open_key_file(path, &fd, &size, err);
	if (rc < 0)
		return rc;
	char *text = mem_alloc(pool, TEXT_MAX); /* zeros */
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no protected memory to read the key file %s", path);
	rc = io_read_full(fd, text, size, err);
	if (rc == 0 && !parse(text, ret_keys))
		rc = error_set(err, CELLA_EFORMAT,
		               "%s is no key file of a volume, of a version that this program knows, or it "
		               "is damaged",
		               path);
	mem_free(pool, text);
	return rc;
}

/* A file "PATH.XXXXXX" with the keys, durable but for its name. */
static int write_beside(const char *path, struct mem_pool *pool, const struct volume_keys *keys,
                        char ret_beside[KEY_PATH_MAX], struct error *err)
{
	if (snprintf(ret_beside, KEY_PATH_MAX, "%s.XXXXXX", path) >= KEY_PATH_MAX)
		return error_set(err, CELLA_EINVAL, "the path of the key file is too long");
	char *text = mem_alloc(pool, TEXT_MAX);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no protected memory to write the key file %s", path);
	cleanup_close int fd = mkostemp(ret_beside, O_CLOEXEC); /* with mode 0600 */
	int rc = fd < 0 ? error_errno(err, CELLA_EIO, "cannot write the key file %s", path)
	                : io_write_full(fd, text, format(keys, text), err);
	mem_free(pool, text);
	if (rc < 0 && fd >= 0)
		error_prefix(err, rc, "the key file %s: ", path);
	if (rc == 0 && fsync(fd) < 0)
		rc = error_errno(err, CELLA_EIO, "cannot write the key file %s", path);
	if (rc < 0 && fd >= 0)
		unlink(ret_beside);
	return rc;
}

int volume_keys_create(const char *path, struct mem_pool *pool, const struct volume_keys *keys,
                       struct error *err)
{
	char beside[KEY_PATH_MAX];
	int rc = write_beside(path, pool, keys, beside, err);
	if (rc < 0)
		return rc;
	if (link(beside, path) < 0)
		rc = error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO,
		                 "cannot make the key file %s", path);
	unlink(beside);
	if (rc < 0)
		return rc;
	rc = io_sync_name(path, err);
	if (rc < 0)
		unlink(path);
	return rc;
}

int volume_keys_replace(const char *path, struct mem_pool *pool, const struct volume_keys *keys,
                        struct error *err)
{
	char beside[KEY_PATH_MAX];
	cleanup_free char *real = realpath(path, NULL);
	if (!real)
		return error_errno(err, CELLA_EIO, "cannot replace the key file %s", path);
	int rc = write_beside(real, pool, keys, beside, err);
	if (rc == 0 && rename(beside, real) < 0) {
		rc = error_errno(err, CELLA_EIO, "cannot replace the key file %s", path);
		unlink(beside);
	}
	return rc == 0 ? io_sync_name(real, err) : rc;
}

int volume_keys_add(struct volume_keys *keys, struct error *err)
{
	if (keys->count == VOLUME_KEYS_MAX)
		return error_set(err, CELLA_ELIMIT, "a volume has %d keys at most", VOLUME_KEYS_MAX);
	memmove(keys->keys + 1, keys->keys, keys->count * CRYPTO_KEY_SIZE);
	int rc = crypto_random(keys->keys[0], CRYPTO_KEY_SIZE, err);
	if (rc < 0) {
		memmove(keys->keys, keys->keys + 1, keys->count * CRYPTO_KEY_SIZE);
		return rc;
	}
	keys->count++;
	return 0;
}
