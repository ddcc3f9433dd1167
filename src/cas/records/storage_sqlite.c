#include "cas/records/storage_sqlite.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "store/sqlite.h"

static const char *const schema[] = {
	("CREATE TABLE record(kind INTEGER NOT NULL, id BLOB NOT NULL, body BLOB NOT NULL, "
         "PRIMARY KEY(kind, id)) STRICT, WITHOUT ROWID"),
	"CREATE TABLE log(number INTEGER PRIMARY KEY, entry BLOB NOT NULL) STRICT",
	/* of a backup alone */
	"CREATE TABLE vault(only INTEGER PRIMARY KEY CHECK(only = 1), file BLOB NOT NULL) STRICT",
};

enum statement {
	GET,
	PUT,
	REMOVE,
	EACH,
	LOG_APPEND,
	LOG_EACH,
	LOG_LAST,
	VAULT_PUT,
	VAULT_GET,
	VAULT_REMOVE,
	STATEMENTS
};

static const struct {
	const char *purpose, *sql;
} texts[STATEMENTS] = {
	[GET] = {"read a record", "SELECT body FROM record WHERE kind = ?1 AND id = ?2"},
	[PUT] = {"write a record", "INSERT OR REPLACE INTO record(kind, id, body) VALUES(?1, ?2, ?3)"},
	[REMOVE] = {"remove a record", "DELETE FROM record WHERE kind = ?1 AND id = ?2"},
	[EACH] = {"read all records", "SELECT kind, id, body FROM record ORDER BY kind, id"},
	[LOG_APPEND] = {"write to the audit log", "INSERT INTO log(number, entry) VALUES(?1, ?2)"},
	[LOG_EACH] = {"read the audit log",
                      "SELECT number, entry FROM log WHERE number >= ?1 ORDER BY number"},
	[LOG_LAST] = {"read the end of the audit log", "SELECT max(number) FROM log"},
	[VAULT_PUT] = {"put the vault into a backup", "INSERT INTO vault(only, file) VALUES(1, ?1)"},
	[VAULT_GET] = {"read the vault of a backup", "SELECT file FROM vault"},
	[VAULT_REMOVE] = {"take the vault out of a backup", "DELETE FROM vault"},
};

struct sqlite_storage {
	struct sqlite *db;
	struct sqlite_statement *statements[STATEMENTS];
};

/* ---- transactions */

/* SQLite may roll back by itself where the disk is full or fails. What is written then would be committed
 * alone. */
static int check_transaction(const struct sqlite_storage *s, struct error *err)
{
	if (sqlite_in_transaction(s->db))
		return 0;
	return error_set(err, CELLA_EIO, "the transaction was rolled back by a failure before this one");
}

static int storage_begin(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	return sqlite_begin(s->db, err);
}

static int storage_commit(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	int rc = check_transaction(s, err);
	return rc == 0 ? sqlite_commit(s->db, err) : rc;
}

static void storage_rollback(void *data)
{
	struct sqlite_storage *s = data;
	sqlite_rollback(s->db);
}

static int storage_mark(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	return sqlite_mark(s->db, err);
}

static int storage_mark_keep(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	return sqlite_mark_keep(s->db, err);
}

static int storage_mark_undo(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	return sqlite_mark_undo(s->db, err);
}

/* ---- rows */

/* What the one column of the one row holds, appended. */
static int take_bytes(struct sqlite_statement *s, struct buf *ret, const char *missing, struct error *err)
{
	bool row = false;
	size_t size;
	int rc = sqlite_step(s, &row, err);
	if (rc == 0 && !row)
		rc = error_set(err, CELLA_ENOENT, "%s", missing);
	if (rc == 0) {
		const void *bytes = sqlite_column_bytes(s, 0, &size);
		buf_put(ret, bytes, size);
		if (ret->failed)
			rc = error_set(err, CELLA_ENOMEM, "no memory for a record of %zu bytes", size);
	}
	sqlite_reset(s);
	return rc;
}

static int storage_get(void *data, uint16_t kind, const void *id, size_t id_size, struct buf *ret_body,
                       struct error *err)
{
	struct sqlite_storage *s = data;
	sqlite_bind_u64(s->statements[GET], 1, kind);
	sqlite_bind_bytes(s->statements[GET], 2, id, id_size);
	return take_bytes(s->statements[GET], ret_body, "there is no such record", err);
}

static int storage_put(void *data, const struct cas_row *row, struct error *err)
{
	struct sqlite_storage *s = data;
	int rc = check_transaction(s, err);
	if (rc < 0)
		return rc;
	sqlite_bind_u64(s->statements[PUT], 1, row->kind);
	sqlite_bind_bytes(s->statements[PUT], 2, row->id, row->id_size);
	sqlite_bind_bytes(s->statements[PUT], 3, row->body, row->size);
	return sqlite_run(s->statements[PUT], err);
}

static int storage_remove(void *data, uint16_t kind, const void *id, size_t id_size, struct error *err)
{
	struct sqlite_storage *s = data;
	int rc = check_transaction(s, err);
	if (rc < 0)
		return rc;
	sqlite_bind_u64(s->statements[REMOVE], 1, kind);
	sqlite_bind_bytes(s->statements[REMOVE], 2, id, id_size);
	return sqlite_run(s->statements[REMOVE], err);
}

static int next_row(struct sqlite_statement *s, bool *ret_row, struct cas_row *ret, struct error *err)
{
	int rc = sqlite_step(s, ret_row, err);
	if (rc < 0 || !*ret_row)
		return rc;
	uint64_t kind = sqlite_column_u64(s, 0);
	if (kind > UINT16_MAX)
		return error_set(err, CELLA_EFORMAT, "a record of an unknown kind: the database was changed");
	ret->kind = (uint16_t)kind;
	ret->id = sqlite_column_bytes(s, 1, &ret->id_size);
	ret->body = sqlite_column_bytes(s, 2, &ret->size);
	return 0;
}

static int storage_each(void *data, cas_row_fn *fn, void *arg, struct error *err)
{
	struct sqlite_storage *s = data;
	struct cas_row row;
	bool found = true;
	int rc = 0;
	while (rc == 0 && found) {
		rc = next_row(s->statements[EACH], &found, &row, err);
		if (rc == 0 && found)
			rc = fn(arg, &row, err);
	}
	sqlite_reset(s->statements[EACH]);
	return rc;
}

/* ---- the log */

static int storage_log_append(void *data, uint64_t number, const void *entry, size_t size, struct error *err)
{
	struct sqlite_storage *s = data;
	int rc = check_transaction(s, err);
	if (rc < 0)
		return rc;
	sqlite_bind_u64(s->statements[LOG_APPEND], 1, number);
	sqlite_bind_bytes(s->statements[LOG_APPEND], 2, entry, size);
	return sqlite_run(s->statements[LOG_APPEND], err);
}

static int storage_log_each(void *data, uint64_t from, cas_log_fn *fn, void *arg, struct error *err)
{
	struct sqlite_storage *storage = data;
	struct sqlite_statement *s = storage->statements[LOG_EACH];
	bool found = true;
	int rc = 0;
	sqlite_bind_u64(s, 1, from);
	while (rc == 0 && found) {
		rc = sqlite_step(s, &found, err);
		if (rc == 0 && found) {
			size_t size;
			const void *entry = sqlite_column_bytes(s, 1, &size);
			rc = fn(arg, sqlite_column_u64(s, 0), entry, size, err);
		}
	}
	sqlite_reset(s);
	return rc;
}

static int storage_log_last(void *data, uint64_t *ret_number, struct error *err)
{
	struct sqlite_storage *s = data;
	bool row = false;
	int rc = sqlite_step(s->statements[LOG_LAST], &row, err);
	if (rc == 0)
		*ret_number = row ? sqlite_column_u64(s->statements[LOG_LAST], 0) : 0;
	sqlite_reset(s->statements[LOG_LAST]);
	return rc;
}

/* ---- the whole */

static int sync_file(const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0
	               ? error_errno(err, CELLA_EIO, "cannot make the backup %s durable", path)
	               : 0;
}

static int add_vault(const char *path, const void *vault, size_t size, struct error *err)
{
	struct cas_storage copy;
	int rc = cas_storage_sqlite(path, false, 0, &copy, err);
	if (rc < 0)
		return rc;
	struct sqlite_storage *s = copy.data;
	sqlite_bind_bytes(s->statements[VAULT_PUT], 1, vault, size);
	rc = sqlite_run(s->statements[VAULT_PUT], err);
	copy.free(copy.data); /* which ends its write-ahead log: one file is left */
	return rc == 0 ? sync_file(path, err) : rc;
}

static int storage_backup(void *data, const char *path, const void *vault, size_t size, struct error *err)
{
	struct sqlite_storage *s = data;
	int rc = sqlite_backup(s->db, path, err);
	if (rc < 0)
		return rc;
	rc = add_vault(path, vault, size, err);
	if (rc < 0)
		unlink(path);
	return rc;
}

static int storage_examine(void *data, struct error *err)
{
	struct sqlite_storage *s = data;
	return sqlite_examine(s->db, err);
}

static void storage_free(void *data)
{
	struct sqlite_storage *s = data;
	if (!s)
		return;
	for (size_t i = 0; i < STATEMENTS; i++)
		sqlite_statement_free(s->statements[i]);
	sqlite_close(s->db);
	free(s);
}

int cas_storage_sqlite(const char *path, bool create, uint64_t quota, struct cas_storage *ret_storage,
                       struct error *err)
{
	const struct sqlite_config config = {.path = path,
	                                     .create = create,
	                                     .application_id = CAS_SQLITE_APPLICATION,
	                                     .version = CAS_SQLITE_VERSION,
	                                     .schema = schema,
	                                     .schema_count = array_count(schema),
	                                     .quota = quota};
	struct sqlite_storage *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a storage");
	int rc = sqlite_open(&config, &s->db, err);
	for (size_t i = 0; rc == 0 && i < STATEMENTS; i++)
		rc = sqlite_prepare(s->db, texts[i].purpose, texts[i].sql, &s->statements[i], err);
	if (rc < 0) {
		storage_free(s);
		return rc;
	}
	*ret_storage = (struct cas_storage){.data = s,
	                                    .begin = storage_begin,
	                                    .commit = storage_commit,
	                                    .rollback = storage_rollback,
	                                    .mark = storage_mark,
	                                    .mark_keep = storage_mark_keep,
	                                    .mark_undo = storage_mark_undo,
	                                    .get = storage_get,
	                                    .put = storage_put,
	                                    .remove = storage_remove,
	                                    .each = storage_each,
	                                    .log_append = storage_log_append,
	                                    .log_each = storage_log_each,
	                                    .log_last = storage_log_last,
	                                    .backup = storage_backup,
	                                    .examine = storage_examine,
	                                    .free = storage_free};
	return 0;
}

int cas_storage_sqlite_take_vault(struct cas_storage *storage, struct buf *ret_vault, struct error *err)
{
	struct sqlite_storage *s = storage->data;
	int rc = take_bytes(s->statements[VAULT_GET], ret_vault, "it has no vault: it is no backup of a CAS",
	                    err);
	return rc == 0 ? sqlite_run(s->statements[VAULT_REMOVE], err) : rc;
}
