/* Making, opening and closing; what opening checks. */
#include "cas/records/records.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cas/audit/format.h"
#include "cas/records/records_state.h"
#include "cas/records/storage_sqlite.h"

/* ---- small things */

const uint8_t *records_cas(const struct records *r)
{
	return vault_cas(r->vault);
}

const uint8_t *records_public_key(const struct records *r)
{
	return vault_public_key(r->vault);
}

const struct audit_head *records_head(const struct records *r)
{
	return audit_head(r->audit);
}

const struct cas_storage *records_storage(const struct records *r)
{
	return &r->storage;
}

int records_malformed(const char *what, struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "the record of a %s is not laid out as this program does it",
	                 what);
}

int records_check_name(const char *name, const char *what, struct error *err)
{
	char copy[RECORDS_NAME_MAX + 1];
	size_t size = strnlen(name, RECORDS_NAME_MAX + 1);
	if (size == 0 || size > RECORDS_NAME_MAX)
		return error_set(err, CELLA_EINVAL, "the name of a %s has 1 to %d bytes", what,
		                 RECORDS_NAME_MAX);
	memcpy(copy, name, size + 1);
	printable(copy, size, false);
	if (strcmp(copy, name) != 0)
		return error_set(err, CELLA_EINVAL, "the name of a %s is no text: \"%s\"", what, copy);
	return 0;
}

int records_pair_of(const char *session, const char *name, const char *what, struct records_pair *ret_pair,
                    struct error *err)
{
	int rc = records_check_name(session, "session", err);
	if (rc == 0)
		rc = records_check_name(name, what, err);
	if (rc < 0)
		return rc;
	const size_t first = strlen(session) + 1, second = strlen(name) + 1;
	ret_pair->size = first + second;
	memcpy(ret_pair->bytes, session, first);
	memcpy(ret_pair->bytes + first, name, second);
	return 0;
}

int records_path(const char *directory, const char *name, char *ret_path, size_t room, struct error *err)
{
	int size = snprintf(ret_path, room, "%s/%s", directory, name);
	if (size < 0 || (size_t)size >= room)
		return error_set(err, CELLA_EINVAL, "the path %.60s... is too long", directory);
	return 0;
}

/* ---- the directory */

int records_directory_make(const char *directory, char *ret_beside, size_t room, struct error *err)
{
	size_t size = strlen(directory);
	while (size > 1 && directory[size - 1] == '/')
		size--;
	int written = snprintf(ret_beside, room, "%.*s.new.XXXXXX", (int)size, directory);
	if (size == 0 || written < 0 || (size_t)written >= room)
		return error_set(err, CELLA_EINVAL, "the path %.60s... of the CAS's directory is too long",
		                 directory);
	if (!mkdtemp(ret_beside))
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO,
		                   "cannot make a directory beside %s", directory);
	return 0;
}

static int sync_directory(const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0
	               ? error_errno(err, CELLA_EIO, "cannot make the directory %s durable", path)
	               : 0;
}

int records_directory_place(const char *beside, const char *directory, struct error *err)
{
	char parent[PATH_MAX];
	int rc = sync_directory(beside, err);
	if (rc == 0 && rename(beside, directory) < 0)
		rc = errno == ENOTEMPTY || errno == EEXIST
		             ? error_set(
				       err, CELLA_EEXIST,
				       "there is something in the CAS's directory %s already: move it away first",
				       directory)
		             : error_errno(err, CELLA_EIO, "cannot make the CAS's directory %s", directory);
	if (rc == 0)
		rc = records_path(directory, "..", parent, sizeof(parent), err);
	return rc == 0 ? sync_directory(parent, err) : rc;
}

void records_directory_drop(const char *beside)
{
	static const char *const names[] = {RECORDS_FILE_VAULT,
	                                    RECORDS_FILE_DATABASE,
	                                    RECORDS_FILE_DATABASE "-wal",
	                                    RECORDS_FILE_DATABASE "-journal",
	                                    RECORDS_FILE_HEAD,
	                                    RECORDS_FILE_LOCK};
	char path[PATH_MAX];
	for (size_t i = 0; i < array_count(names); i++)
		if (records_path(beside, names[i], path, sizeof(path), NULL) == 0)
			unlink(path);
	rmdir(beside);
}

static int lock_directory(struct records *r, const char *directory, struct error *err)
{
	char path[PATH_MAX], who[24] = {0};
	int rc = records_path(directory, RECORDS_FILE_LOCK, path, sizeof(path), err);
	if (rc < 0)
		return rc;
	r->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->lock < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO, "cannot open %s", path);
	if (flock(r->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return error_errno(err, CELLA_EIO, "cannot lock %s", path);
		if (pread(r->lock, who, sizeof(who) - 1, 0) < 0)
			who[0] = '\0';
		return error_set(err, CELLA_EAGAIN, "the CAS in %s is in use by another process (%lu)",
		                 directory, strtoul(who, NULL, 10));
	}
	int size = snprintf(who, sizeof(who), "%ld\n", (long)getpid());
	if (ftruncate(r->lock, 0) < 0 || pwrite(r->lock, who, (size_t)size, 0) < 0)
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO, "cannot write %s", path);
	return 0;
}

static int open_head_file(struct records *r, const char *directory, struct error *err)
{
	char path[PATH_MAX];
	int rc = records_path(directory, RECORDS_FILE_HEAD, path, sizeof(path), err);
	if (rc < 0)
		return rc;
	r->head_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return r->head_file < 0 ? error_errno(err, CELLA_EIO, "cannot open %s", path) : 0;
}

/* ---- what opening finds */

static int load_row(void *arg, const struct cas_row *row, struct error *err)
{
	struct records *r = arg;
	struct vault_record record;
	struct cas_index_entry *entry;
	int rc = vault_record_decode(row->body, row->size, &record, err);
	if (rc == 0 && (record.kind != row->kind || row->kind == 0 || row->kind >= RECORDS_KINDS))
		rc = error_set(err, CELLA_EAUTH, "a record of kind %u stands in another one's place",
		               row->kind);
	if (rc == 0)
		rc = cas_index_reserve(&r->index, 1, err);
	if (rc == 0)
		rc = cas_index_entry_new(row->kind, row->id, row->id_size, &record, &entry, err);
	if (rc < 0)
		return rc;
	free(cas_index_put(&r->index, entry));
	return cas_state_add(r->state, entry, err);
}

int records_load(struct records *r, struct error *err)
{
	struct audit_end end;
	uint8_t state[CRYPTO_KEY_SIZE];
	int rc = audit_read_end(&r->storage, vault_cas(r->vault), vault_public_key(r->vault), &end, err);
	if (rc == 0)
		rc = audit_new(&end.head, &r->audit, err);
	if (rc == 0)
		rc = cas_state_new(r->vault, end.generation, &r->state, err);
	if (rc == 0)
		rc = r->storage.each(r->storage.data, load_row, r, err);
	if (rc == 0)
		rc = cas_state_digest(r->state, end.head.epoch, end.head.number, state, err);
	if (rc == 0 && !crypto_equal(state, end.state, sizeof(state)))
		rc = error_set(err, CELLA_EAUTH,
		               "the records are not those of the audit log's end: one was changed, removed, "
		               "added, or put back from an older copy");
	return rc;
}

static int check_head_file(struct records *r, struct error *err)
{
	uint8_t bytes[AUDIT_HEAD_SIZE + 1];
	struct audit_head head;
	ssize_t size = pread(r->head_file, bytes, sizeof(bytes), 0);
	if (size < 0)
		return error_errno(err, CELLA_EIO, "cannot read %s/%s", r->directory, RECORDS_FILE_HEAD);
	if (size == 0)
		return 0;
	struct error why;
	int rc = audit_head_decode(bytes, (size_t)size, vault_public_key(r->vault), &head, &why);
	if (rc == 0)
		rc = audit_contains(&r->storage, &head, &why);
	if (rc < 0)
		return error_set(
			err, rc,
			"%s/%s, which names the newest state of the CAS that was in this directory: %s. Put "
			"the newer %s back; where it is lost, restore a backup, or start with "
			"--insecure-older: what came later, revocations too, is forgotten then",
			r->directory, RECORDS_FILE_HEAD, why.text, RECORDS_FILE_DATABASE);
	return 0;
}

/* Nothing is converted: what another version wrote, that version reads. */
static int open_storage(const char *database, const struct records_config *config,
                        struct cas_storage *ret_storage, struct error *err)
{
	struct error why;
	int rc = cas_storage_sqlite(database, false, config->quota, ret_storage, &why);
	if (rc == CELLA_EUNSUPPORTED)
		return error_set(err, rc,
		                 "%s. Start the CAS with the version of Cella that wrote it, or make a new "
		                 "CAS in another directory, and put its sessions and volumes there again",
		                 why.text);
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int records_start(const struct records_config *config, const char *directory, struct records **ret_records,
                  struct error *err)
{
	char vault[PATH_MAX], database[PATH_MAX];
	struct records *r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, CELLA_ENOMEM, "no memory for a CAS's records");
	r->lock = r->head_file = -1;
	r->directory = strdup(directory);
	int rc = r->directory ? 0 : error_set(err, CELLA_ENOMEM, "no memory for a CAS's records");
	if (rc == 0)
		rc = records_path(directory, RECORDS_FILE_VAULT, vault, sizeof(vault), err);
	if (rc == 0)
		rc = records_path(directory, RECORDS_FILE_DATABASE, database, sizeof(database), err);
	if (rc == 0 && access(vault, F_OK) < 0)
		rc = error_errno(err, errno == ENOENT || errno == ENOTDIR ? CELLA_ENOENT : CELLA_EIO,
		                 "there is no CAS in %s", directory);
	if (rc == 0)
		rc = lock_directory(r, directory, err);
	if (rc == 0)
		rc = vault_open(vault, &config->sealing, config->pool, &r->vault, err);
	if (rc == 0)
		rc = open_storage(database, config, &r->storage, err);
	if (rc == 0)
		rc = open_head_file(r, directory, err);
	if (rc < 0)
		records_close(r);
	else
		*ret_records = r;
	return rc;
}

int records_open(const struct records_config *config, struct records **ret_records, struct error *err)
{
	struct records *r;
	int rc = records_start(config, config->directory, &r, err);
	if (rc < 0)
		return rc;
	rc = records_load(r, err);
	if (rc == 0 && !config->insecure_older)
		rc = check_head_file(r, err);
	if (rc == 0 && vault_generation_before(r->vault))
		rc = records_rotate(r, config->who, config->now_ns, err);
	if (rc < 0) {
		records_close(r);
		return error_prefix(err, rc, "the CAS in %s: ", config->directory);
	}
	*ret_records = r;
	return 0;
}

void records_close(struct records *r)
{
	if (!r)
		return;
	if (r->phase != RECORDS_IDLE)
		records_abort(r);
	if (r->storage.free)
		r->storage.free(r->storage.data);
	cas_state_free(r->state);
	cas_index_done(&r->index);
	audit_free(r->audit);
	vault_free(r->vault);
	free(r->undo);
	free(r->directory);
	cleanup_close_fn(&r->head_file);
	cleanup_close_fn(&r->lock);
	free(r);
}

/* ---- a new one */

static int make_files(const struct records_config *config, const char *directory, struct error *err)
{
	char path[PATH_MAX];
	struct vault *v = NULL;
	struct cas_storage storage = {0};
	int rc = records_path(directory, RECORDS_FILE_VAULT, path, sizeof(path), err);
	if (rc == 0)
		rc = vault_create(path, &config->sealing, config->pool, &v, err);
	vault_free(v);
	if (rc == 0)
		rc = records_path(directory, RECORDS_FILE_DATABASE, path, sizeof(path), err);
	if (rc == 0)
		rc = cas_storage_sqlite(path, true, config->quota, &storage, err);
	if (rc == 0)
		storage.free(storage.data);
	return rc;
}

static int nothing(struct records *r, void *arg, struct error *err)
{
	(void)r;
	(void)arg;
	(void)err;
	return 0;
}

static int write_first(struct records *r, const struct records_config *config, struct error *err)
{
	char cas[2 * VAULT_CAS_SIZE + 1], key[2 * CRYPTO_ED25519_SIZE + 1], what[160];
	struct audit_head none = {0};
	io_hex(vault_cas(r->vault), VAULT_CAS_SIZE, cas);
	io_hex(vault_public_key(r->vault), CRYPTO_ED25519_SIZE, key);
	snprintf(what, sizeof(what), "{\"cas\":\"%s\",\"key\":\"%s\"}", cas, key);
	const struct audit_event event = {.kind = AUDIT_CREATED,
	                                  .who = config->who ? config->who : "",
	                                  .what = what};
	int rc = audit_new(&none, &r->audit, err);
	if (rc == 0)
		rc = cas_state_new(r->vault, vault_generation(r->vault), &r->state, err);
	return rc == 0 ? records_change(r, nothing, NULL, &event, config->now_ns, err) : rc;
}

int records_create(const struct records_config *config, struct records **ret_records, struct error *err)
{
	char beside[PATH_MAX];
	struct records *r = NULL;
	int rc = records_directory_make(config->directory, beside, sizeof(beside), err);
	if (rc < 0)
		return rc;
	rc = make_files(config, beside, err);
	if (rc == 0)
		rc = records_start(config, beside, &r, err);
	if (rc == 0)
		rc = write_first(r, config, err);
	records_close(r);
	if (rc == 0)
		rc = records_directory_place(beside, config->directory, err);
	if (rc < 0) {
		records_directory_drop(beside);
		return rc;
	}
	return records_open(config, ret_records, err);
}
