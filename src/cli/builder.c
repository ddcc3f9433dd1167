#include "cli/builder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "wasm/target.h"

enum { KEY_PATH_MAX = 4096, KEY_DIGITS = 2 * CRYPTO_ED25519_SIZE };

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool parse_digits(const char *hex, uint8_t ret[CRYPTO_ED25519_SIZE])
{
	for (size_t i = 0; i < CRYPTO_ED25519_SIZE; i++) {
		int high = digit_of(hex[2 * i]), low = high < 0 ? -1 : digit_of(hex[2 * i + 1]);
		if (low < 0)
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int builder_parse(const char *hex, uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	uint8_t key[CRYPTO_ED25519_SIZE];
	if (strlen(hex) != KEY_DIGITS || !parse_digits(hex, key))
		return error_set(err, CELLA_EINVAL, "%.80s is no builder key: it has %d hexadecimal digits",
		                 hex, KEY_DIGITS);
	memcpy(ret_key, key, sizeof(key));
	return 0;
}

static int key_path(char to[KEY_PATH_MAX], struct error *err)
{
	const char *given = getenv("CELLA_BUILDER_KEY"), *config = getenv("XDG_CONFIG_HOME"),
		   *home = getenv("HOME");
	int size = -1;
	if (given && *given)
		size = snprintf(to, KEY_PATH_MAX, "%s", given);
	else if (config && *config)
		size = snprintf(to, KEY_PATH_MAX, "%s/cella/builder.key", config);
	else if (home && *home)
		size = snprintf(to, KEY_PATH_MAX, "%s/.config/cella/builder.key", home);
	if (size < 0)
		return error_set(err, CELLA_ENOENT,
		                 "there is no place for the builder's key: set HOME or CELLA_BUILDER_KEY");
	if (size >= KEY_PATH_MAX)
		return error_set(err, CELLA_EINVAL, "the path of the builder's key is too long");
	return 0;
}

static int key_read(const char *path, struct crypto_signer *ret_signer, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	char digits[KEY_DIGITS + 1];
	uint8_t key[CRYPTO_ED25519_SIZE];
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
		                   "cannot open the builder's key %s", path);
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return error_set(err, CELLA_EPERM,
		                 "the builder's key %s is open to others: chmod 600 it, as its owner", path);
	if (!S_ISREG(st.st_mode) || st.st_size < KEY_DIGITS || st.st_size > KEY_DIGITS + 1)
		return error_set(err, CELLA_EFORMAT, "%s holds no builder's key (%d hexadecimal digits)",
		                 path, KEY_DIGITS);
	int rc = io_read_full(fd, digits, KEY_DIGITS, err);
	if (rc == 0 && !parse_digits(digits, key))
		rc = error_set(err, CELLA_EFORMAT, "%s holds no builder's key (%d hexadecimal digits)", path,
		               KEY_DIGITS);
	if (rc == 0)
		rc = crypto_signer_load(key, ret_signer, err);
	mem_wipe(digits, sizeof(digits));
	mem_wipe(key, sizeof(key));
	return rc;
}

/* Each directory on the way, as far as it is missing. */
static int make_parents(char *path, struct error *err)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		int failed = mkdir(path, 0700) < 0 && errno != EEXIST;
		if (failed)
			return error_errno(err, CELLA_EIO, "cannot make the directory %s", path);
		*slash = '/';
	}
	return 0;
}

/* Written beside its place and linked into it: of two that do it at once, one wins and both use that key. */
static int key_make(char *path, struct error *err)
{
	char beside[KEY_PATH_MAX + 8], line[KEY_DIGITS + 2];
	struct crypto_signer signer;
	int rc = crypto_signer_generate(&signer, err);
	if (rc == 0)
		rc = make_parents(path, err);
	if (rc < 0)
		return rc;
	io_hex(signer.private_key, sizeof(signer.private_key), line);
	line[KEY_DIGITS] = '\n';
	snprintf(beside, sizeof(beside), "%s.XXXXXX", path);
	cleanup_close int fd = mkostemp(beside, O_CLOEXEC); /* with mode 0600 */
	if (fd < 0) {
		rc = error_errno(err, CELLA_EIO, "cannot write the builder's key %s", path);
	} else {
		rc = io_write_full(fd, line, KEY_DIGITS + 1, err);
		if (rc == 0 && link(beside, path) < 0 && errno != EEXIST)
			rc = error_errno(err, CELLA_EIO, "cannot write the builder's key %s", path);
		unlink(beside);
	}
	mem_wipe(&signer, sizeof(signer));
	mem_wipe(line, sizeof(line));
	return rc;
}

int builder_load(struct crypto_signer *ret_signer, struct error *err)
{
	char path[KEY_PATH_MAX];
	int rc = key_path(path, err);
	if (rc < 0)
		return rc;
	rc = key_read(path, ret_signer, err);
	if (rc != CELLA_ENOENT)
		return rc;
	rc = key_make(path, err);
	return rc < 0 ? rc : key_read(path, ret_signer, err);
}

/* CELLA_ENOENT: there is no own key; another error: there is one, of no use. */
static int own_key(uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	char path[KEY_PATH_MAX];
	struct crypto_signer signer;
	int rc = key_path(path, err);
	if (rc == 0)
		rc = key_read(path, &signer, err);
	if (rc < 0)
		return rc;
	memcpy(ret_key, signer.public_key, CRYPTO_ED25519_SIZE);
	mem_wipe(&signer, sizeof(signer));
	return 0;
}

int builder_check(const uint8_t builder[CRYPTO_ED25519_SIZE], const char *const *accepted, size_t count,
                  struct error *err)
{
	char hex[KEY_DIGITS + 1];
	uint8_t own[CRYPTO_ED25519_SIZE];
	struct error why;
	for (size_t i = 0; i < count; i++) {
		uint8_t key[CRYPTO_ED25519_SIZE];
		int rc = builder_parse(accepted[i], key, err);
		if (rc < 0)
			return rc;
		if (crypto_equal(builder, key, sizeof(key)))
			return 0;
	}
	int rc = own_key(own, &why);
	if (rc == 0 && crypto_equal(builder, own, sizeof(own)))
		return 0;
	io_hex(builder, CRYPTO_ED25519_SIZE, hex);
	return error_set(
		err, CELLA_EAUTH,
		"it was built by %s, which is not your own key%s%.300s%s: build it yourself, or accept "
		"that builder with cella run --accept-builder or cella verify --builder",
		hex, rc < 0 ? " (" : "", rc < 0 ? why.text : "", rc < 0 ? ")" : "");
}

struct accepted {
	const char *const *keys;
	size_t count;
};

static bool accepts(const uint8_t builder[CRYPTO_ED25519_SIZE], void *context)
{
	const struct accepted *a = context;
	return builder_check(builder, a->keys, a->count, NULL) == 0;
}

int builder_choose(const struct bundle *bundle, const char *const *accepted, size_t count,
                   const struct bundle_artifact **ret_artifact, struct error *err)
{
	struct accepted a = {accepted, count};
	int rc = bundle_choose(bundle, accepts, &a, ret_artifact, err);
	for (size_t i = 0; rc == CELLA_EAUTH && i < bundle->artifact_count; i++)
		if (target_runs_here(bundle->artifacts[i].target) &&
		    builder_check(bundle->artifacts[i].builder, accepted, count, err) < 0)
			return CELLA_EAUTH;
	return rc;
}
