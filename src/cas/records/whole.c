/* What is done with all records at once: examining, new keys, backup, and going on from one. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/audit/format.h"
#include "cas/records/records_state.h"
#include "cas/records/storage_sqlite.h"
#include "cas/records/vault_format.h"

enum { COPY_STEP = 1 << 20 };

static int check_idle(const struct records *r, struct error *err)
{
	return r->phase == RECORDS_IDLE ? 0 : error_set(err, CELLA_EBUG, "within a batch of changes");
}

static int nothing(struct records *r, void *arg, struct error *err)
{
	(void)r;
	(void)arg;
	(void)err;
	return 0;
}

/* ---- examining */

static int open_each(struct records *r, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < r->index.count; i++) {
		const struct cas_index_entry *e = r->index.entries[i];
		cleanup_vault_bytes struct vault_bytes bytes = {0};
		char what[48];
		snprintf(what, sizeof(what), "record %zu of kind %u", i, e->kind);
		rc = records_get(r, (enum records_kind)e->kind, e->id, e->id_size, what, &bytes, NULL, err);
	}
	return rc;
}

int records_verify(struct records *r, const struct audit_head *remembered, struct audit_summary *ret_summary,
                   struct error *err)
{
	struct audit_summary summary;
	int rc = check_idle(r, err);
	if (rc == 0)
		rc = r->storage.examine(r->storage.data, err);
	if (rc == 0)
		rc = audit_verify(&r->storage, vault_cas(r->vault), vault_public_key(r->vault), remembered,
		                  &summary, err);
	if (rc == 0 &&
	    !crypto_equal(summary.head.hash, audit_head(r->audit)->hash, sizeof(summary.head.hash)))
		rc = error_set(err, CELLA_EAUTH,
		               "the audit log in the database is not the one that this process wrote");
	if (rc == 0)
		rc = open_each(r, err);
	if (rc == 0)
		*ret_summary = summary;
	return rc;
}

static int read_vault_header(const char *directory, struct vault_header *ret_header, struct error *err)
{
	char path[PATH_MAX];
	cleanup_buf struct buf bytes = {0};
	int rc = records_path(directory, RECORDS_FILE_VAULT, path, sizeof(path), err);
	if (rc == 0)
		rc = io_read_file(path, VAULT_FILE_MAX, &bytes, err);
	return rc == 0 ? vault_header_decode(bytes.data, bytes.size, ret_header, err) : rc;
}

int records_verify_log(const char *directory, const uint8_t public_key[CRYPTO_ED25519_SIZE],
                       const struct audit_head *remembered, struct audit_summary *ret_summary,
                       struct error *err)
{
	char path[PATH_MAX];
	struct vault_header header;
	struct cas_storage storage;
	int rc = read_vault_header(directory, &header, err);
	if (rc == 0)
		rc = records_path(directory, RECORDS_FILE_DATABASE, path, sizeof(path), err);
	if (rc == 0)
		rc = cas_storage_sqlite(path, false, 0, &storage, err);
	if (rc < 0)
		return error_prefix(err, rc, "the CAS in %s: ", directory);
	rc = audit_verify(&storage, header.cas, public_key ? public_key : header.public_key, remembered,
	                  ret_summary, err);
	storage.free(storage.data);
	return rc;
}

/* ---- keys */

int records_reseal(struct records *r, const struct vault_sealing *sealing, const char *who, uint64_t now_ns,
                   struct error *err)
{
	const struct audit_event event = {.kind = AUDIT_RESEALED,
	                                  .who = who,
	                                  .what = sealing->kind == VAULT_PASSPHRASE
	                                                  ? "{\"by\":\"passphrase\"}"
	                                                  : "{\"by\":\"key file\"}"};
	int rc = check_idle(r, err);
	if (rc == 0)
		rc = vault_reseal(r->vault, sealing, err);
	return rc == 0 ? records_change(r, nothing, NULL, &event, now_ns, err) : rc;
}

static int seal_anew(struct records *r, void *arg, struct error *err)
{
	int rc = 0;
	(void)arg;
	for (size_t i = 0; rc == 0 && i < r->index.count; i++) {
		const struct cas_index_entry *e = r->index.entries[i]; /* which the undo keeps */
		cleanup_vault_bytes struct vault_bytes bytes = {0};
		rc = records_get(r, (enum records_kind)e->kind, e->id, e->id_size, "record", &bytes, NULL,
		                 err);
		const struct crypto_part part = {bytes.data, bytes.size};
		if (rc == 0)
			rc = records_put_as(r, (enum records_kind)e->kind, e->id, e->id_size, e->revision,
			                    &part, 1, err);
	}
	return rc;
}

/* The digest of what is, made with the newest master key; until the commit nobody sees it. */
static int state_anew(struct records *r, struct cas_state **ret_state, struct error *err)
{
	struct cas_state *state;
	int rc = cas_state_new(r->vault, vault_generation(r->vault), &state, err);
	for (size_t i = 0; rc == 0 && i < r->index.count; i++)
		rc = cas_state_add(state, r->index.entries[i], err);
	if (rc < 0)
		return rc;
	*ret_state = state;
	return 0;
}

static int rotate_records(struct records *r, const char *who, uint64_t now_ns, struct error *err)
{
	char what[64];
	struct cas_state *before = r->state, *state;
	snprintf(what, sizeof(what), "{\"generation\":%u}", vault_generation(r->vault));
	const struct audit_event event = {.kind = AUDIT_MASTER_ROTATED, .who = who ? who : "", .what = what};
	int rc = state_anew(r, &state, err);
	if (rc < 0)
		return rc;
	r->state = state;
	rc = records_change(r, seal_anew, NULL, &event, now_ns, err);
	if (rc < 0)
		r->state = before;
	cas_state_free(rc < 0 ? state : before);
	return rc;
}

int records_rotate(struct records *r, const char *who, uint64_t now_ns, struct error *err)
{
	int rc = check_idle(r, err);
	if (rc == 0 && vault_generation_before(r->vault) == 0)
		rc = vault_renew(r->vault, err);
	if (rc == 0)
		rc = rotate_records(r, who, now_ns, err);
	return rc == 0 ? vault_retire(r->vault, err) : rc;
}

/* ---- backup */

int records_backup(struct records *r, const char *path, const char *who, uint64_t now_ns, struct error *err)
{
	char beside[PATH_MAX];
	cleanup_buf struct buf vault = {0};
	const struct audit_event event = {.kind = AUDIT_BACKED_UP, .who = who, .what = "{}"};
	int rc = check_idle(r, err);
	if (rc == 0 && snprintf(beside, sizeof(beside), "%s.part", path) >= (int)sizeof(beside))
		rc = error_set(err, CELLA_EINVAL, "the path %.60s... is too long", path);
	if (rc == 0 && access(path, F_OK) == 0)
		rc = error_set(err, CELLA_EEXIST, "the backup %s is there already", path);
	if (rc == 0)
		rc = vault_export(r->vault, &vault, err);
	if (rc == 0)
		rc = records_change(r, nothing, NULL, &event, now_ns, err);
	if (rc == 0)
		rc = r->storage.backup(r->storage.data, beside, vault.data, vault.size, err);
	if (rc < 0)
		return rc;
	if (link(beside, path) < 0)
		rc = error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO, "cannot make the backup %s",
		                 path);
	unlink(beside);
	return rc;
}

/* ---- going on from a backup */

static int copy_file(const char *from, const char *to, struct error *err)
{
	cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
	if (in < 0)
		return error_errno(err, errno == ENOENT ? CELLA_ENOENT : CELLA_EIO,
		                   "cannot open the backup %s", from);
	cleanup_close int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return error_errno(err, CELLA_EIO, "cannot make %s", to);
	cleanup_free uint8_t *bytes = malloc(COPY_STEP);
	ssize_t size = bytes ? 1 : -1;
	int rc = 0;
	while (rc == 0 && size > 0) {
		size = read(in, bytes, COPY_STEP);
		if (size < 0)
			rc = error_errno(err, CELLA_EIO, "cannot read the backup %s", from);
		else
			rc = io_write_full(out, bytes, (size_t)size, err);
	}
	return rc;
}

/* The files of a CAS, from the backup. */
static int unpack(const struct records_restore *restore, const char *directory, struct error *err)
{
	char path[PATH_MAX];
	struct cas_storage storage;
	cleanup_buf struct buf vault = {0};
	int rc = records_path(directory, RECORDS_FILE_DATABASE, path, sizeof(path), err);
	if (rc == 0)
		rc = copy_file(restore->backup, path, err);
	if (rc == 0)
		rc = cas_storage_sqlite(path, false, restore->config.quota, &storage, err);
	if (rc < 0)
		return rc;
	rc = cas_storage_sqlite_take_vault(&storage, &vault, err);
	storage.free(storage.data);
	if (rc == 0)
		rc = records_path(directory, RECORDS_FILE_VAULT, path, sizeof(path), err);
	return rc == 0 ? io_write_file(path, vault.data, vault.size, 0600, err) : rc;
}

static int raise_epoch(struct records *r, const struct records_restore *restore, struct error *err)
{
	char what[128];
	const struct audit_head *head = audit_head(r->audit);
	const struct audit_event event = {.kind = AUDIT_RESTORED,
	                                  .who = restore->config.who,
	                                  .what = what,
	                                  .epoch = max_of(head->epoch + 1, restore->epoch)};
	if (event.epoch > RECORDS_EPOCH_MAX)
		return error_set(err, CELLA_EINVAL, "an epoch is %d at most", RECORDS_EPOCH_MAX);
	snprintf(what, sizeof(what), "{\"from\":{\"epoch\":%" PRIu64 ",\"number\":%" PRIu64 "}}", head->epoch,
	         head->number);
	return records_change(r, nothing, NULL, &event, restore->config.now_ns, err);
}

static int restore_into(const struct records_restore *restore, const char *directory, struct error *err)
{
	struct records *r = NULL;
	struct audit_summary summary;
	int rc = unpack(restore, directory, err);
	if (rc == 0)
		rc = records_start(&restore->config, directory, &r, err);
	if (rc == 0)
		rc = vault_write(r->vault, err); /* durable */
	if (rc == 0)
		rc = records_load(r, err);
	if (rc == 0)
		rc = records_verify(r, NULL, &summary, err);
	if (rc == 0)
		rc = raise_epoch(r, restore, err);
	records_close(r);
	return rc;
}

int records_restore(const struct records_restore *restore, struct records **ret_records, struct error *err)
{
	char beside[PATH_MAX];
	if (!restore->owner_consents || !restore->config.who || !restore->config.who[0])
		return error_set(
			err, CELLA_EPERM,
			"to go on from a backup forgets what came after it, old roots of volumes and "
			"revocations among it: an owner has to consent, by name");
	int rc = records_directory_make(restore->config.directory, beside, sizeof(beside), err);
	if (rc < 0)
		return rc;
	rc = restore_into(restore, beside, err);
	if (rc == 0)
		rc = records_directory_place(beside, restore->config.directory, err);
	if (rc < 0) {
		records_directory_drop(beside);
		return error_prefix(err, rc, "backup %s: ", restore->backup);
	}
	return records_open(&restore->config, ret_records, err);
}
