#include "crypto/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

enum { KEY_DIGITS = 2 * CRYPTO_ED25519_SIZE };

int crypto_key_file_place(const char *variable, const char *name, const char *what,
                          char to[CRYPTO_KEY_PATH_MAX], struct error *err)
{
	const char *given = getenv(variable), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int size = -1;
	if (given && *given)
		size = snprintf(to, CRYPTO_KEY_PATH_MAX, "%s", given);
	else if (config && *config)
		size = snprintf(to, CRYPTO_KEY_PATH_MAX, "%s/cella/%s", config, name);
	else if (home && *home)
		size = snprintf(to, CRYPTO_KEY_PATH_MAX, "%s/.config/cella/%s", home, name);
	if (size < 0)
		return error_set(err, CELLA_ENOENT, "there is no place for %s: set HOME or %s", what,
		                 variable);
	if (size >= CRYPTO_KEY_PATH_MAX)
		return error_set(err, CELLA_EINVAL, "the path of %s is too long", what);
	return 0;
}

static int no_key(const char *path, const char *what, struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "%s does not hold %s (%d hexadecimal digits)", path, what,
	                 KEY_DIGITS);
}

int crypto_key_file_read(const char *path, const char *what, struct crypto_signer *ret_signer,
                         struct error *err)
{
	cleanup_close int fd = -1;
	struct stat st;
	char digits[KEY_DIGITS];
	cleanup_wipe uint8_t key[CRYPTO_ED25519_SIZE];
	int rc = io_open_private(path, what, &fd, err);
	if (rc < 0)
		return rc;
	if (fstat(fd, &st) < 0 || st.st_size < KEY_DIGITS || st.st_size > KEY_DIGITS + 1)
		return no_key(path, what, err);
	rc = io_read_full(fd, digits, sizeof(digits), err);
	if (rc == 0 && !io_unhex(digits, sizeof(key), key))
		rc = no_key(path, what, err);
	if (rc == 0)
		rc = crypto_signer_load(key, ret_signer, err);
	mem_wipe(digits, sizeof(digits));
	return rc;
}

int crypto_key_file_parents(const char *path, struct error *err)
{
	cleanup_free char *part = strdup(path);
	if (!part)
		return error_set(err, CELLA_ENOMEM, "no memory for a path");
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0700) < 0 && errno != EEXIST)
			return error_errno(err, CELLA_EIO, "cannot make the directory %s", part);
		*slash = '/';
	}
	return 0;
}

/* Written beside its place and linked into it: of two that do it at once, one wins. */
static int key_make(const char *path, const char *what, struct error *err)
{
	char beside[CRYPTO_KEY_PATH_MAX + 8], line[KEY_DIGITS + 2];
	struct crypto_signer signer;
	int rc = crypto_signer_generate(&signer, err);
	if (rc == 0)
		rc = crypto_key_file_parents(path, err);
	if (rc < 0)
		return rc;
	io_hex(signer.private_key, sizeof(signer.private_key), line);
	line[KEY_DIGITS] = '\n';
	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	cleanup_close int fd = mkostemp(beside, O_CLOEXEC); /* with mode 0600 */
	if (fd < 0) {
		rc = error_errno(err, CELLA_EIO, "cannot write %s %s", what, path);
	} else {
		rc = io_write_full(fd, line, KEY_DIGITS + 1, err);
		if (rc == 0 && link(beside, path) < 0 && errno != EEXIST)
			rc = error_errno(err, CELLA_EIO, "cannot write %s %s", what, path);
		unlink(beside);
	}
	mem_wipe(&signer, sizeof(signer));
	mem_wipe(line, sizeof(line));
	return rc;
}

int crypto_key_file_load(const char *path, const char *what, struct crypto_signer *ret_signer,
                         struct error *err)
{
	int rc = crypto_key_file_read(path, what, ret_signer, err);
	if (rc != CELLA_ENOENT)
		return rc;
	rc = key_make(path, what, err);
	return rc < 0 ? rc : crypto_key_file_read(path, what, ret_signer, err);
}
