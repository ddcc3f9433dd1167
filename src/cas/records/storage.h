/*
 * What the CAS needs of a storage: rows by kind and id, a log of numbered entries, transactions. SQLite is
 * behind it here (storage_sqlite.h).
 *
 * A storage is trusted with nothing: what is in rows is sealed, and what it leaves out, puts back or makes
 * up is found by records.h. What it owes is durability: after `commit` returned 0 what was written is there,
 * all of it, whatever happens to the process or the machine; before that none of it is.
 *
 * Codes as store/sqlite.h's: CELLA_ENOSPC, CELLA_EIO, CELLA_ENOMEM, CELLA_EFORMAT.
 */
#ifndef CAS_STORAGE_H
#define CAS_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

struct cas_row {
	uint16_t kind;
	const void *id; /* bytes */
	size_t id_size;
	const void *body;
	size_t size;
};

typedef int cas_row_fn(void *arg, const struct cas_row *row, struct error *err);
typedef int cas_log_fn(void *arg, uint64_t number, const void *entry, size_t size, struct error *err);

struct cas_storage {
	void *data;

	int (*begin)(void *data, struct error *err);
	int (*commit)(void *data, struct error *err); /* one that fails is rolled back */
	void (*rollback)(void *data);
	/* A place in a transaction that can be gone back to; one at a time. */
	int (*mark)(void *data, struct error *err);
	int (*mark_keep)(void *data, struct error *err);
	int (*mark_undo)(void *data, struct error *err);

	int (*get)(void *data, uint16_t kind, const void *id, size_t id_size, struct buf *ret_body,
	           struct error *err); /* CELLA_ENOENT */
	int (*put)(void *data, const struct cas_row *row,
	           struct error *err); /* in the place of what is there */
	int (*remove)(void *data, uint16_t kind, const void *id, size_t id_size, struct error *err);
	/* All rows in the order of kind and id, bytewise; what `row` returns below 0 ends it. */
	int (*each)(void *data, cas_row_fn *row, void *arg, struct error *err);

	int (*log_append)(void *data, uint64_t number, const void *entry, size_t size, struct error *err);
	/* From number `from` on, in order. */
	int (*log_each)(void *data, uint64_t from, cas_log_fn *entry, void *arg, struct error *err);
	int (*log_last)(void *data, uint64_t *ret_number, struct error *err); /* 0: it is empty */

	/* What is committed, into a new file: with `vault`, the vault's bytes, and durable. */
	int (*backup)(void *data, const char *path, const void *vault, size_t size, struct error *err);
	/* The storage's own examination of what it keeps. */
	int (*examine)(void *data, struct error *err);
	void (*free)(void *data);
};

#endif
