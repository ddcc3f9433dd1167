/*
 * SQLite, by its only user: open, statements, transactions, backup.
 *
 * A database is one process's, one thread's: it is opened with an exclusive lock (locking_mode=EXCLUSIVE, so
 * that there is no shared memory file either), as a write-ahead log with synchronous=FULL, so that what
 * sqlite_commit returned 0 for is on the disk.
 *
 * Threats: the file is the attacker's. It is refused unless its application id, its version and every
 * statement of its schema are the caller's own, so that no trigger, view or index of somebody else's runs;
 * SQLite's defensive mode is on, its trust in schemas off, and the file is not mapped into memory. What is
 * in the rows is the caller's to check. SQLite's memory is ordinary memory: never a secret in a statement.
 *
 * Errors say what the statement was for, and what SQLite says: CELLA_ENOSPC the disk or the quota is full,
 * CELLA_EAGAIN another process has it open, CELLA_EFORMAT it is damaged, CELLA_EEXIST a constraint,
 * CELLA_EIO, CELLA_ENOMEM.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct sqlite;
struct sqlite_statement;

struct sqlite_config {
	const char *path;
	bool create; /* a file that must not be there yet, with mode 0600 */
	uint32_t application_id;
	uint32_t version; /* user_version */
	/* One object each, as sqlite_schema keeps it: CREATE TABLE name(...). No others may be there. */
	const char *const *schema;
	size_t schema_count;
	uint64_t quota; /* bytes of the database at most; 0: no limit */
};

int sqlite_open(const struct sqlite_config *config, struct sqlite **ret_db, struct error *err) must_check;
/* Statements first. What was not committed is lost. NULL is fine. */
void sqlite_close(struct sqlite *db);

/* `purpose` continues "cannot ", and lives as long as the statement. */
int sqlite_prepare(struct sqlite *db, const char *purpose, const char *sql,
                   struct sqlite_statement **ret_statement, struct error *err) must_check;
void sqlite_statement_free(struct sqlite_statement *s);
/* From 1. Bytes are borrowed until sqlite_reset. A failure shows at the next step. */
void sqlite_bind_u64(struct sqlite_statement *s, int parameter, uint64_t value);
void sqlite_bind_bytes(struct sqlite_statement *s, int parameter, const void *bytes, size_t size);
/* *ret_row: there is a row, whose columns may be read until the next step or reset. */
int sqlite_step(struct sqlite_statement *s, bool *ret_row, struct error *err) must_check;
/* Before it is bound anew; ends what it holds of the database. */
void sqlite_reset(struct sqlite_statement *s);
/* To its end, for what yields no rows; reset then. */
int sqlite_run(struct sqlite_statement *s, struct error *err) must_check;
/* From 0. A negative number reads as UINT64_MAX. */
uint64_t sqlite_column_u64(struct sqlite_statement *s, int column);
const void *sqlite_column_bytes(struct sqlite_statement *s, int column, size_t *ret_size);

/*
 * Transactions, and marks in them that can be gone back to, one inside the other. A commit that fails is
 * rolled back. sqlite_in_doubt: whether it is on the disk is not known, for the disk failed where it was
 * to be made durable; the database answers CELLA_EIO from then on, and opening it again tells.
 */
int sqlite_begin(struct sqlite *db, struct error *err) must_check;
int sqlite_commit(struct sqlite *db, struct error *err) must_check;
void sqlite_rollback(struct sqlite *db);
int sqlite_mark(struct sqlite *db, struct error *err) must_check;
int sqlite_mark_keep(struct sqlite *db, struct error *err) must_check;
int sqlite_mark_undo(struct sqlite *db, struct error *err) must_check;
bool sqlite_in_transaction(const struct sqlite *db);
bool sqlite_in_doubt(const struct sqlite *db);

/* What is committed, into a new file with mode 0600. Not within a transaction. It is not durable until that
 * file was opened and closed again, or synced. */
int sqlite_backup(struct sqlite *db, const char *path, struct error *err) must_check;
/* SQLite's own examination of the whole file. CELLA_EFORMAT with the first thing found. */
int sqlite_examine(struct sqlite *db, struct error *err) must_check;

#endif
