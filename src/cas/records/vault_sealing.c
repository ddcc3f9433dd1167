/* What a vault is sealed by: passphrases and key files. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/records/vault_state.h"

/* ---- files */

static int io_code(void)
{
	return errno == ENOSPC || errno == EDQUOT || errno == EFBIG ? CELLA_ENOSPC : CELLA_EIO;
}

static int put_in_place(const char *beside, const char *path, bool replace, struct error *err)
{
	if (replace ? rename(beside, path) == 0 : link(beside, path) == 0)
		return 0;
	return error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO, "cannot make %s", path);
}

int vault_file_write(const char *path, const void *bytes, size_t size, bool replace, struct error *err)
{
	char beside[PATH_MAX];
	if (snprintf(beside, sizeof(beside), "%s.XXXXXX", path) >= (int)sizeof(beside))
		return error_set(err, CELLA_EINVAL, "the path %.60s... is too long", path);
	cleanup_close int fd = mkostemp(beside, O_CLOEXEC); /* with mode 0600 */
	if (fd < 0)
		return error_errno(err, io_code(), "cannot create a file beside %s", path);
	errno = 0;
	int rc = io_write_full(fd, bytes, size, err);
	if (rc < 0)
		rc = error_prefix(err, io_code(), "writing %s: ", path);
	else if (fsync(fd) < 0)
		rc = error_errno(err, io_code(), "cannot write %s", path);
	if (rc == 0)
		rc = put_in_place(beside, path, replace, err);
	if (rc < 0 || !replace)
		unlink(beside);
	return rc == 0 ? io_sync_name(path, err) : rc;
}

/* ---- key files */

static bool parse_key_file(const char *text, uint8_t ret_key[CRYPTO_KEY_SIZE])
{
	static const char start[] = VAULT_KEY_FILE_FIRST VAULT_KEY_FILE_WORD;
	const char *digits = text + sizeof(start) - 1;
	return strncmp(text, start, sizeof(start) - 1) == 0 && text[VAULT_KEY_FILE_SIZE - 1] == '\n' &&
	       strspn(digits, "0123456789abcdef") == (size_t)2 * CRYPTO_KEY_SIZE &&
	       io_unhex(digits, CRYPTO_KEY_SIZE, ret_key);
}

/* Does the file lie in the directory of the vault? */
static bool lies_inside(const char *key_file, const char *vault)
{
	cleanup_free char *key = realpath(key_file, NULL);
	const char *slash = strrchr(vault, '/');
	cleanup_free char *named = slash ? strndup(vault, slash == vault ? 1 : (size_t)(slash - vault))
	                                 : strdup(".");
	cleanup_free char *directory = named ? realpath(named, NULL) : NULL;
	if (!key || !directory)
		return false;
	size_t size = strlen(directory);
	return strncmp(key, directory, size) == 0 && (key[size] == '/' || size == 1);
}

static int check_key_file(int fd, const struct vault_sealing *sealing, const char *vault, struct error *err)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot examine the key file %s", sealing->key_file);
	if (!S_ISREG(st.st_mode) || st.st_size != VAULT_KEY_FILE_SIZE)
		return error_set(err, CELLA_EFORMAT, "%s is no key file of a CAS", sealing->key_file);
	if (st.st_mode & 077 || (st.st_uid != geteuid() && st.st_uid != 0))
		return error_set(err, CELLA_EPERM,
		                 "the key file %s is open to others: chmod 600 it, as its owner",
		                 sealing->key_file);
	if (!sealing->insecure_key_inside && lies_inside(sealing->key_file, vault))
		return error_set(
			err, CELLA_EPERM,
			"the key file %s lies beside the vault that it opens, so that who copies the "
			"directory has both: move it, or say that it may",
			sealing->key_file);
	return 0;
}

static int read_key_file(const struct vault *v, const struct vault_sealing *sealing,
                         uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	cleanup_vault_bytes struct vault_bytes text = {0};
	cleanup_close int fd = open(sealing->key_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
		                   "cannot open the CAS's key file %s", sealing->key_file);
	int rc = check_key_file(fd, sealing, v->path, err);
	if (rc == 0)
		rc = vault_bytes_new(v->pool, VAULT_KEY_FILE_SIZE + 1, &text, err);
	if (rc == 0)
		rc = io_read_full(fd, text.data, VAULT_KEY_FILE_SIZE, err);
	if (rc == 0 && !parse_key_file((const char *)text.data, ret_key))
		rc = error_set(err, CELLA_EFORMAT, "%s is no key file of a CAS, or it is damaged",
		               sealing->key_file);
	return rc;
}

int vault_key_file_create(const char *path, struct error *err)
{
	cleanup_wipe uint8_t key[CRYPTO_KEY_SIZE];
	char text[VAULT_KEY_FILE_SIZE + 1] = VAULT_KEY_FILE_FIRST VAULT_KEY_FILE_WORD;
	int rc = crypto_random(key, sizeof(key), err);
	if (rc < 0)
		return rc;
	io_hex(key, sizeof(key), text + strlen(text));
	text[VAULT_KEY_FILE_SIZE - 1] = '\n';
	rc = vault_file_write(path, text, VAULT_KEY_FILE_SIZE, false, err);
	mem_wipe(text, sizeof(text));
	return rc;
}

/* ---- either */

int vault_sealing_check(const struct vault_sealing *sealing, struct error *err)
{
	if (sealing->kind == VAULT_KEY_FILE)
		return sealing->key_file ? 0 : error_set(err, CELLA_EINVAL, "no key file is named");
	if (sealing->kind != VAULT_PASSPHRASE)
		return error_set(err, CELLA_EINVAL, "a vault is sealed by a passphrase or by a key file");
	if (sealing->passphrase_size < VAULT_PASSPHRASE_MIN ||
	    sealing->passphrase_size > VAULT_PASSPHRASE_MAX)
		return error_set(err, CELLA_EINVAL, "a passphrase has %d to %d bytes", VAULT_PASSPHRASE_MIN,
		                 VAULT_PASSPHRASE_MAX);
	return 0;
}

int vault_sealing_choose(const struct vault_sealing *sealing, struct vault_header *header, struct error *err)
{
	uint32_t log_n = sealing->scrypt_log_n ? sealing->scrypt_log_n : VAULT_SCRYPT_LOG_N;
	int rc = vault_sealing_check(sealing, err);
	if (rc < 0)
		return rc;
	header->sealing = sealing->kind;
	header->cost = (struct crypto_scrypt){0};
	memset(header->password_salt, 0, sizeof(header->password_salt));
	if (sealing->kind == VAULT_KEY_FILE)
		return 0;
	if (log_n < VAULT_SCRYPT_LOG_N_MIN || log_n > CRYPTO_SCRYPT_LOG_N_MAX)
		return error_set(err, CELLA_EINVAL, "scrypt's N is 2^%d to 2^%d", VAULT_SCRYPT_LOG_N_MIN,
		                 CRYPTO_SCRYPT_LOG_N_MAX);
	header->cost = (struct crypto_scrypt){.log_n = log_n, .r = CRYPTO_SCRYPT_R_MAX, .p = 1};
	return crypto_random(header->password_salt, sizeof(header->password_salt), err);
}

int vault_sealing_key(const struct vault *v, const struct vault_sealing *sealing,
                      uint8_t ret_key[CRYPTO_KEY_SIZE], struct error *err)
{
	static const char *const names[] = {"", "a passphrase", "a key file"};
	int rc = vault_sealing_check(sealing, err);
	if (rc < 0)
		return rc;
	if (sealing->kind != v->header.sealing)
		return error_set(err, CELLA_EINVAL, "the vault %s is sealed by %s, not by %s", v->path,
		                 names[v->header.sealing], names[sealing->kind]);
	if (sealing->kind == VAULT_KEY_FILE)
		return read_key_file(v, sealing, ret_key, err);
	rc = crypto_scrypt(sealing->passphrase, sealing->passphrase_size, v->header.password_salt,
	                   sizeof(v->header.password_salt), &v->header.cost, ret_key, CRYPTO_KEY_SIZE, err);
	if (rc == CELLA_ENOMEM)
		return error_set(
			err, rc,
			"no protected memory for the vault's passphrase: scrypt takes %llu MiB; give "
			"the CAS more, or seal the vault by a key file",
			(unsigned long long)(crypto_scrypt_size(&v->header.cost) >> 20));
	return rc;
}
