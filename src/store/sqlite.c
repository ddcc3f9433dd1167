#include "store/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "base/cleanup.h"

struct sqlite {
	sqlite3 *handle;
	char *path;
	bool in_doubt;
};

struct sqlite_statement {
	struct sqlite *db;
	sqlite3_stmt *handle;
	const char *purpose;
	int bind_failure; /* the first one's code */
};

/* ---- errors */

static int error_of(int code)
{
	switch (code & 0xff) {
	case SQLITE_FULL: return CELLA_ENOSPC;
	case SQLITE_NOMEM: return CELLA_ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return CELLA_EAGAIN;
	case SQLITE_ERROR: /* the schema is not what it was when it was checked */
	case SQLITE_SCHEMA:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT: return CELLA_EFORMAT;
	case SQLITE_PERM:
	case SQLITE_READONLY: return CELLA_EPERM;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN: return CELLA_EIO;
	case SQLITE_TOOBIG: return CELLA_ELIMIT;
	case SQLITE_CONSTRAINT: return CELLA_EEXIST;
	default: return CELLA_EBUG;
	}
}

static int failed(struct sqlite *db, int code, const char *purpose, struct error *err)
{
	int rc = error_of(code);
	if (rc == CELLA_EAGAIN)
		return error_set(err, rc, "cannot %s: another process has the database %s open", purpose,
		                 db->path);
	return error_set(err, rc, "cannot %s in the database %s: %s (SQLite's code %d)", purpose, db->path,
	                 sqlite3_errmsg(db->handle), code);
}

static int check_usable(const struct sqlite *db, struct error *err)
{
	if (!db->in_doubt)
		return 0;
	return error_set(err, CELLA_EIO,
	                 "the disk failed while a commit to the database %s was made durable: whether it is "
	                 "can be told when it is opened again",
	                 db->path);
}

/* ---- statements */

int sqlite_prepare(struct sqlite *db, const char *purpose, const char *sql,
                   struct sqlite_statement **ret_statement, struct error *err)
{
	struct sqlite_statement *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a statement");
	*s = (struct sqlite_statement){.db = db, .purpose = purpose};
	int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL);
	int rc = code == SQLITE_OK ? 0 : failed(db, code, purpose, err);
	if (rc < 0)
		sqlite_statement_free(s);
	else
		*ret_statement = s;
	return rc;
}

void sqlite_statement_free(struct sqlite_statement *s)
{
	if (!s)
		return;
	sqlite3_finalize(s->handle);
	free(s);
}

static void statement_cleanup(struct sqlite_statement **s)
{
	sqlite_statement_free(*s);
}
#define cleanup_statement __attribute__((cleanup(statement_cleanup)))

static void bound(struct sqlite_statement *s, int code)
{
	if (s->bind_failure == SQLITE_OK)
		s->bind_failure = code;
}

void sqlite_bind_u64(struct sqlite_statement *s, int parameter, uint64_t value)
{
	bound(s, value > INT64_MAX ? SQLITE_TOOBIG
	                           : sqlite3_bind_int64(s->handle, parameter, (sqlite3_int64)value));
}

void sqlite_bind_bytes(struct sqlite_statement *s, int parameter, const void *bytes, size_t size)
{
	bound(s, sqlite3_bind_blob64(s->handle, parameter, size ? bytes : "", size, SQLITE_STATIC));
}

int sqlite_step(struct sqlite_statement *s, bool *ret_row, struct error *err)
{
	int rc = check_usable(s->db, err);
	if (rc < 0)
		return rc;
	int code = s->bind_failure == SQLITE_OK ? sqlite3_step(s->handle) : s->bind_failure;
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		return failed(s->db, code, s->purpose, err);
	*ret_row = code == SQLITE_ROW;
	return 0;
}

void sqlite_reset(struct sqlite_statement *s)
{
	sqlite3_reset(s->handle);
	sqlite3_clear_bindings(s->handle);
	s->bind_failure = SQLITE_OK;
}

int sqlite_run(struct sqlite_statement *s, struct error *err)
{
	bool row = true;
	int rc = 0;
	while (rc == 0 && row)
		rc = sqlite_step(s, &row, err);
	sqlite_reset(s);
	return rc;
}

uint64_t sqlite_column_u64(struct sqlite_statement *s, int column)
{
	sqlite3_int64 value = sqlite3_column_int64(s->handle, column);
	return value < 0 ? UINT64_MAX : (uint64_t)value;
}

const void *sqlite_column_bytes(struct sqlite_statement *s, int column, size_t *ret_size)
{
	const void *bytes = sqlite3_column_blob(s->handle, column);
	*ret_size = bytes ? (size_t)sqlite3_column_bytes(s->handle, column) : 0;
	return bytes ? bytes : "";
}

static int run_once(struct sqlite *db, const char *purpose, const char *sql, struct error *err)
{
	cleanup_statement struct sqlite_statement *s = NULL;
	int rc = check_usable(db, err);
	if (rc == 0)
		rc = sqlite_prepare(db, purpose, sql, &s, err);
	return rc == 0 ? sqlite_run(s, err) : rc;
}

/* The number that a pragma yields. */
static int ask_number(struct sqlite *db, const char *purpose, const char *sql, uint64_t *ret_number,
                      struct error *err)
{
	cleanup_statement struct sqlite_statement *s = NULL;
	bool row = false;
	int rc = sqlite_prepare(db, purpose, sql, &s, err);
	if (rc == 0)
		rc = sqlite_step(s, &row, err);
	if (rc == 0)
		*ret_number = row ? sqlite_column_u64(s, 0) : UINT64_MAX;
	return rc;
}

/* ---- opening */

static int set_up(struct sqlite *db, struct error *err)
{
	static const int on[] = {SQLITE_DBCONFIG_DEFENSIVE},
			 off[] = {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
	                          SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_DQS_DDL,
	                          SQLITE_DBCONFIG_DQS_DML};
	static const char *const pragmas[] = {
		"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA mmap_size = 0",     "PRAGMA temp_store = MEMORY",
		"PRAGMA cell_size_check = ON",     "PRAGMA foreign_keys = ON", "PRAGMA synchronous = FULL",
	};
	int code = SQLITE_OK, rc = 0;
	for (size_t i = 0; i < array_count(on); i++)
		code |= sqlite3_db_config(db->handle, on[i], 1, NULL);
	for (size_t i = 0; i < array_count(off); i++)
		code |= sqlite3_db_config(db->handle, off[i], 0, NULL);
	if (code != SQLITE_OK)
		return failed(db, code, "set SQLite's safeguards", err);
	for (size_t i = 0; rc == 0 && i < array_count(pragmas); i++)
		rc = run_once(db, "set SQLite up", pragmas[i], err);
	return rc;
}

static int set_quota(struct sqlite *db, uint64_t quota, struct error *err)
{
	char sql[64];
	uint64_t page = 0;
	if (quota == 0)
		return 0;
	int rc = ask_number(db, "ask for the size of a page", "PRAGMA page_size", &page, err);
	if (rc < 0)
		return rc;
	sqlite3_snprintf(sizeof(sql), sql, "PRAGMA max_page_count = %llu", quota / page + 1);
	return run_once(db, "set the quota", sql, err);
}

/* Not before it is known whose file it is: it writes to it. */
static int set_write_ahead(struct sqlite *db, struct error *err)
{
	cleanup_statement struct sqlite_statement *s = NULL;
	bool row = false;
	size_t size = 0;
	const char *mode = "";
	int rc = sqlite_prepare(db, "write ahead", "PRAGMA journal_mode = WAL", &s, err);
	if (rc == 0)
		rc = sqlite_step(s, &row, err);
	if (rc < 0)
		return rc;
	if (row)
		mode = sqlite_column_bytes(s, 0, &size);
	if (size != 3 || memcmp(mode, "wal", 3) != 0)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "the file system of %s lets SQLite write no log ahead", db->path);
	return 0;
}

static int make_schema(struct sqlite *db, const struct sqlite_config *config, struct error *err)
{
	char sql[2][64];
	static const char purpose[] = "make the tables";
	sqlite3_snprintf(sizeof(sql[0]), sql[0], "PRAGMA application_id = %u", config->application_id);
	sqlite3_snprintf(sizeof(sql[1]), sql[1], "PRAGMA user_version = %u", config->version);
	int rc = sqlite_begin(db, err);
	for (size_t i = 0; rc == 0 && i < config->schema_count; i++)
		rc = run_once(db, purpose, config->schema[i], err);
	for (size_t i = 0; rc == 0 && i < array_count(sql); i++)
		rc = run_once(db, purpose, sql[i], err);
	return rc == 0 ? sqlite_commit(db, err) : rc;
}

static int check_objects(struct sqlite *db, const struct sqlite_config *config, struct error *err)
{
	cleanup_statement struct sqlite_statement *s = NULL;
	bool row = true;
	size_t count = 0, size;
	int rc = sqlite_prepare(db, "read the schema", "SELECT sql FROM main.sqlite_schema ORDER BY rowid",
	                        &s, err);
	for (; rc == 0 && row; count += row) {
		rc = sqlite_step(s, &row, err);
		if (rc < 0 || !row)
			break;
		const char *sql = sqlite_column_bytes(s, 0, &size);
		if (count >= config->schema_count || size != strlen(config->schema[count]) ||
		    memcmp(sql, config->schema[count], size) != 0)
			return error_set(
				err, CELLA_EFORMAT,
				"the database %s has a table that does not belong to it: it was changed",
				db->path);
	}
	if (rc == 0 && count != config->schema_count)
		rc = error_set(err, CELLA_EFORMAT, "the database %s lacks a table: it was changed", db->path);
	return rc;
}

static int check_schema(struct sqlite *db, const struct sqlite_config *config, struct error *err)
{
	uint64_t application = 0, version = 0;
	int rc = ask_number(db, "read whose it is", "PRAGMA application_id", &application, err);
	if (rc == 0)
		rc = ask_number(db, "read its version", "PRAGMA user_version", &version, err);
	if (rc < 0)
		return rc;
	if (application != config->application_id)
		return error_set(err, CELLA_EFORMAT,
		                 "%s is another program's database (application %#llx, not %#x)", db->path,
		                 (unsigned long long)application, config->application_id);
	if (version != config->version)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "the database %s is of version %llu, this program knows %u", db->path,
		                 (unsigned long long)version, config->version);
	return check_objects(db, config, err);
}

/* SQLite would give it the mode of the umask; its log takes the database's. */
static int make_file(const char *path, struct error *err)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, errno == EEXIST ? CELLA_EEXIST : CELLA_EIO,
		                   "cannot make the database %s", path);
	return 0;
}

static int open_handle(struct sqlite *db, const char *path, struct error *err)
{
	db->path = strdup(path);
	if (!db->path)
		return error_set(err, CELLA_ENOMEM, "no memory for a database");
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
	            SQLITE_OPEN_EXRESCODE;
	int code = sqlite3_open_v2(path, &db->handle, flags, NULL);
	if (!db->handle)
		return error_set(err, CELLA_ENOMEM, "no memory for the database %s", path);
	return code == SQLITE_OK ? 0 : failed(db, code, "open what is kept", err);
}

static int open_config(struct sqlite *db, const struct sqlite_config *config, struct error *err)
{
	int rc = config->create ? make_file(config->path, err) : 0;
	if (rc == 0)
		rc = open_handle(db, config->path, err);
	if (rc == 0)
		rc = set_up(db, err);
	if (rc == 0 && !config->create)
		rc = check_schema(db, config, err);
	if (rc == 0)
		rc = set_write_ahead(db, err);
	if (rc == 0 && config->create)
		rc = make_schema(db, config, err);
	return rc == 0 ? set_quota(db, config->quota, err) : rc;
}

int sqlite_open(const struct sqlite_config *config, struct sqlite **ret_db, struct error *err)
{
	struct sqlite *db = calloc(1, sizeof(*db));
	if (!db)
		return error_set(err, CELLA_ENOMEM, "no memory for a database");
	int rc = open_config(db, config, err);
	if (rc < 0) {
		sqlite_close(db);
		return rc;
	}
	*ret_db = db;
	return 0;
}

void sqlite_close(struct sqlite *db)
{
	if (!db)
		return;
	sqlite3_close(db->handle);
	free(db->path);
	free(db);
}

/* ---- transactions */

int sqlite_begin(struct sqlite *db, struct error *err)
{
	return run_once(db, "begin a transaction", "BEGIN IMMEDIATE", err);
}

int sqlite_commit(struct sqlite *db, struct error *err)
{
	int rc = run_once(db, "commit", "COMMIT", err);
	if (rc == 0)
		return 0;
	int code = sqlite3_extended_errcode(db->handle);
	db->in_doubt |= code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC;
	sqlite_rollback(db);
	return rc;
}

void sqlite_rollback(struct sqlite *db)
{
	/* Of a transaction that SQLite has rolled back itself nothing is left to do. */
	if (sqlite_in_transaction(db) && sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL) != SQLITE_OK)
		db->in_doubt = true;
}

int sqlite_mark(struct sqlite *db, struct error *err)
{
	return run_once(db, "mark a place in a transaction", "SAVEPOINT mark", err);
}

int sqlite_mark_keep(struct sqlite *db, struct error *err)
{
	return run_once(db, "go on in a transaction", "RELEASE mark", err);
}

int sqlite_mark_undo(struct sqlite *db, struct error *err)
{
	int rc = run_once(db, "go back in a transaction", "ROLLBACK TO mark", err);
	return rc == 0 ? sqlite_mark_keep(db, err) : rc;
}

bool sqlite_in_transaction(const struct sqlite *db)
{
	return sqlite3_get_autocommit(db->handle) == 0;
}

bool sqlite_in_doubt(const struct sqlite *db)
{
	return db->in_doubt;
}

/* ---- the whole */

static int copy_into(struct sqlite *db, struct sqlite *to, struct error *err)
{
	sqlite3_backup *backup = sqlite3_backup_init(to->handle, "main", db->handle, "main");
	if (!backup)
		return failed(to, sqlite3_extended_errcode(to->handle), "begin a backup", err);
	int code = sqlite3_backup_step(backup, -1);
	int finished = sqlite3_backup_finish(backup);
	if (code != SQLITE_DONE || finished != SQLITE_OK)
		return failed(to, code != SQLITE_DONE ? code : finished, "write a backup", err);
	return 0;
}

int sqlite_backup(struct sqlite *db, const char *path, struct error *err)
{
	struct sqlite to = {0};
	int rc = check_usable(db, err);
	if (rc == 0 && sqlite_in_transaction(db))
		rc = error_set(err, CELLA_EBUG, "a backup within a transaction");
	if (rc == 0)
		rc = make_file(path, err);
	if (rc < 0)
		return rc;
	rc = open_handle(&to, path, err);
	if (rc == 0)
		rc = copy_into(db, &to, err);
	sqlite3_close(to.handle);
	free(to.path);
	if (rc < 0)
		unlink(path);
	return rc;
}

int sqlite_examine(struct sqlite *db, struct error *err)
{
	cleanup_statement struct sqlite_statement *s = NULL;
	bool row = false;
	size_t size = 0;
	int rc = sqlite_prepare(db, "examine all", "PRAGMA integrity_check(1)", &s, err);
	if (rc == 0)
		rc = sqlite_step(s, &row, err);
	if (rc < 0)
		return rc;
	const char *found = row ? sqlite_column_bytes(s, 0, &size) : "";
	if (size != 2 || memcmp(found, "ok", 2) != 0)
		return error_set(err, CELLA_EFORMAT, "the database %s is damaged: %.*s", db->path, (int)size,
		                 found);
	return 0;
}
