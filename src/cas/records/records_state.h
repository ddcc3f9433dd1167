/* The inside of records, shared by its files. */
#ifndef CAS_RECORDS_STATE_H
#define CAS_RECORDS_STATE_H

#include "cas/records/index.h"
#include "cas/records/records.h"
#include "cas/records/state.h"
#include "cas/records/storage.h"

enum { RECORDS_ID_MAX = 2 * RECORDS_NAME_MAX + 16 };

enum records_phase { RECORDS_IDLE, RECORDS_IN_BATCH, RECORDS_IN_STEP };

/* What the index had in one place, and what it has now; the one or the other may be NULL. */
struct records_undo {
	struct cas_index_entry *before;
	struct cas_index_entry *after; /* in the index, which owns it */
};

struct records {
	char *directory;
	int lock;
	int head_file;
	struct vault *vault;
	struct cas_storage storage;
	struct audit *audit;
	struct cas_index index;
	struct cas_state *state;

	enum records_phase phase;
	/* The storage failed in a change, so that what it has need not be what the index says: nothing is
	 * read until the step is undone; or until the batch is, for the storage could not go back. */
	bool step_failed, batch_failed;
	struct records_undo *undo;
	size_t undo_count, undo_capacity;
	size_t step_undo, step_events; /* as they were when the step began */
};

/* Parts of one record, one after another, sealed and put in the place of what is there, as its next revision
 * (or as the one named). */
int records_put_as(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                   uint64_t revision, const struct crypto_part *parts, size_t count,
                   struct error *err) must_check;
int records_put(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                const struct crypto_part *parts, size_t count, struct error *err) must_check;
/* `what` names it in CELLA_ENOENT's text. */
int records_get(struct records *r, enum records_kind kind, const void *id, size_t id_size, const char *what,
                struct vault_bytes *ret_bytes, uint64_t *ret_revision, struct error *err) must_check;
/* CELLA_ENOENT. */
int records_remove(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                   const char *what, struct error *err) must_check;
const struct cas_index_entry *records_find(const struct records *r, enum records_kind kind, const void *id,
                                           size_t id_size);
/* All that begin so. */
int records_remove_all(struct records *r, enum records_kind kind, const void *prefix, size_t prefix_size,
                       struct error *err) must_check;
/* The record did not read as its kind is laid out: it was written by another version of the program. */
int records_malformed(const char *what, struct error *err);
/* An id that begins with two names, each with its NUL: session and secret, session and service. `what` is the
 * second one's kind. */
struct records_pair {
	size_t size;
	uint8_t bytes[RECORDS_ID_MAX]; /* with room for 8 more */
};
int records_pair_of(const char *session, const char *name, const char *what, struct records_pair *ret_pair,
                    struct error *err) must_check;
/* 1 to RECORDS_NAME_MAX bytes of UTF-8 without control characters. `what` continues "the name of a". */
int records_check_name(const char *name, const char *what, struct error *err) must_check;

/* What opening finds: rows, state. */
int records_load(struct records *r, struct error *err) must_check;
/* From a directory whose files are there; without the check of the file "head". */
int records_start(const struct records_config *config, const char *directory, struct records **ret_records,
                  struct error *err) must_check;
/* `directory` as "DIRECTORY.new.XXXXXX", made; then in its place. */
int records_directory_make(const char *directory, char *ret_beside, size_t room,
                           struct error *err) must_check;
int records_directory_place(const char *beside, const char *directory, struct error *err) must_check;
/* Its files, and itself. */
void records_directory_drop(const char *beside);
/* "DIRECTORY/NAME". */
int records_path(const char *directory, const char *name, char *ret_path, size_t room,
                 struct error *err) must_check;

#define RECORDS_FILE_VAULT "vault"
#define RECORDS_FILE_DATABASE "cas.db"
#define RECORDS_FILE_HEAD "head"
#define RECORDS_FILE_LOCK "lock"

#endif
