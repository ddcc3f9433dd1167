/*
 * Batches and steps, and records by kind and id: what is changed in the storage is changed in the index and
 * in the state as well, and undone with it.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cas/audit/format.h"
#include "cas/records/records_state.h"

/* ---- the index, with a way back */

static int reserve(struct records *r, struct error *err)
{
	int rc = cas_index_reserve(&r->index, 1, err);
	if (rc < 0 || r->undo_count < r->undo_capacity)
		return rc;
	size_t capacity = max_of(2 * r->undo_capacity, (size_t)64);
	struct records_undo *undo = reallocarray(r->undo, capacity, sizeof(*undo));
	if (!undo)
		return error_set(err, CELLA_ENOMEM, "no memory for a batch of changes");
	r->undo = undo;
	r->undo_capacity = capacity;
	return 0;
}

/* Back to the first `count` changes. */
static void index_return(struct records *r, size_t count)
{
	while (r->undo_count > count) {
		const struct records_undo *u = &r->undo[--r->undo_count];
		if (u->after)
			free(cas_index_take(&r->index, u->after->kind, u->after->id, u->after->id_size));
		if (u->before)
			(void)cas_index_put(&r->index,
			                    u->before); /* in a place that is free, with room for it */
	}
}

static void index_settle(struct records *r)
{
	for (size_t i = 0; i < r->undo_count; i++)
		free(r->undo[i].before);
	r->undo_count = 0;
}

static int check_failure(const struct records *r, struct error *err)
{
	if (!r->step_failed && !r->batch_failed)
		return 0;
	return error_set(err, CELLA_EIO, "a change before this one failed: the %s is to be undone",
	                 r->batch_failed ? "whole batch" : "step");
}

static int check_step(const struct records *r, struct error *err)
{
	if (r->phase != RECORDS_IN_STEP)
		return error_set(err, CELLA_EBUG, "a change outside of a step");
	return check_failure(r, err);
}

/* Of a change, by the storage and in memory: one without the other is undone before anything is read. */
static int note_failure(struct records *r, int rc)
{
	r->step_failed |= rc < 0;
	return rc;
}

/* ---- records */

static int index_change(struct records *r, const struct cas_row *row, struct error *err)
{
	const struct cas_index_entry *before = cas_index_find(&r->index, row->kind, row->id, row->id_size);
	struct cas_index_entry *after = NULL;
	struct vault_record record;
	int rc = reserve(r, err);
	if (rc == 0 && row->body)
		rc = vault_record_decode(row->body, row->size, &record, err);
	if (rc == 0 && row->body)
		rc = cas_index_entry_new(row->kind, row->id, row->id_size, &record, &after, err);
	if (rc == 0 && after)
		rc = cas_state_add(r->state, after, err);
	if (rc == 0 && before)
		rc = cas_state_subtract(r->state, before, err);
	if (rc < 0) {
		free(after);
		return rc;
	}
	r->undo[r->undo_count++] = (struct records_undo){
		.before = after ? cas_index_put(&r->index, after)
	                        : cas_index_take(&r->index, row->kind, row->id, row->id_size),
		.after = after,
	};
	return 0;
}

int records_put_as(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                   uint64_t revision, const struct crypto_part *parts, size_t count, struct error *err)
{
	cleanup_buf struct buf body = {0};
	const struct vault_id name = {.kind = (uint16_t)kind,
	                              .revision = revision,
	                              .id = id,
	                              .id_size = id_size};
	int rc = check_step(r, err);
	if (rc == 0)
		rc = vault_seal(r->vault, &name, parts, count, &body, err);
	if (rc < 0)
		return rc;
	const struct cas_row row = {(uint16_t)kind, id, id_size, body.data, body.size};
	rc = r->storage.put(r->storage.data, &row, err);
	return note_failure(r, rc == 0 ? index_change(r, &row, err) : rc);
}

int records_put(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                const struct crypto_part *parts, size_t count, struct error *err)
{
	const struct cas_index_entry *before = records_find(r, kind, id, id_size);
	return records_put_as(r, kind, id, id_size, before ? before->revision + 1 : 1, parts, count, err);
}

const struct cas_index_entry *records_find(const struct records *r, enum records_kind kind, const void *id,
                                           size_t id_size)
{
	return cas_index_find(&r->index, (uint16_t)kind, id, id_size);
}

/* What the storage gives for this entry, or why that is not it. */
static int read_body(struct records *r, const struct cas_index_entry *e, struct buf *ret_body,
                     struct error *err)
{
	struct vault_record record;
	int rc = r->storage.get(r->storage.data, e->kind, e->id, e->id_size, ret_body, err);
	if (rc == CELLA_ENOENT)
		return error_set(err, CELLA_EAUTH, "a record of the CAS was removed from its database");
	if (rc == 0)
		rc = vault_record_decode(ret_body->data, ret_body->size, &record, err);
	if (rc == 0 &&
	    (record.revision != e->revision || !crypto_equal(record.mark, e->mark, sizeof(e->mark))))
		rc = error_set(
			err, CELLA_EAUTH,
			"a record of the CAS is not the one that was committed: the database was changed");
	return rc;
}

int records_get(struct records *r, enum records_kind kind, const void *id, size_t id_size, const char *what,
                struct vault_bytes *ret_bytes, uint64_t *ret_revision, struct error *err)
{
	cleanup_buf struct buf body = {0};
	const struct cas_index_entry *e = records_find(r, kind, id, id_size);
	int rc = check_failure(r, err);
	if (rc < 0)
		return rc;
	if (!e)
		return error_set(err, CELLA_ENOENT, "there is no %s", what);
	const struct vault_id name = {.kind = e->kind, .revision = e->revision, .id = id, .id_size = id_size};
	rc = read_body(r, e, &body, err);
	if (rc == 0)
		rc = vault_unseal(r->vault, &name, body.data, body.size, ret_bytes, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", what);
	if (ret_revision)
		*ret_revision = e->revision;
	return 0;
}

int records_remove(struct records *r, enum records_kind kind, const void *id, size_t id_size,
                   const char *what, struct error *err)
{
	const struct cas_row row = {.kind = (uint16_t)kind, .id = id, .id_size = id_size};
	int rc = check_step(r, err);
	if (rc == 0 && !records_find(r, kind, id, id_size))
		rc = error_set(err, CELLA_ENOENT, "there is no %s", what);
	if (rc < 0)
		return rc;
	rc = r->storage.remove(r->storage.data, (uint16_t)kind, id, id_size, err);
	return note_failure(r, rc == 0 ? index_change(r, &row, err) : rc);
}

static bool begins_with(const struct cas_index_entry *e, enum records_kind kind, const void *prefix,
                        size_t prefix_size)
{
	return e->kind == kind && e->id_size >= prefix_size && crypto_equal(e->id, prefix, prefix_size);
}

int records_remove_all(struct records *r, enum records_kind kind, const void *prefix, size_t prefix_size,
                       struct error *err)
{
	const size_t at = cas_index_place(&r->index, (uint16_t)kind, prefix, prefix_size);
	int rc = 0;
	while (rc == 0 && at < r->index.count &&
	       begins_with(r->index.entries[at], kind, prefix, prefix_size)) {
		const struct cas_index_entry *e = r->index.entries[at];
		rc = records_remove(r, kind, e->id, e->id_size, "record", err);
	}
	return rc;
}

int records_list(const struct records *r, enum records_kind kind, const void *prefix, size_t prefix_size,
                 records_list_fn *fn, void *arg, struct error *err)
{
	int rc = 0;
	for (size_t at = cas_index_place(&r->index, (uint16_t)kind, prefix, prefix_size);
	     rc == 0 && at < r->index.count && begins_with(r->index.entries[at], kind, prefix, prefix_size);
	     at++) {
		const struct cas_index_entry *e = r->index.entries[at];
		rc = fn(arg, e->id, e->id_size, e->revision, err);
	}
	return rc;
}

size_t records_count(const struct records *r, enum records_kind kind)
{
	return cas_index_place(&r->index, (uint16_t)(kind + 1), "", 0) -
	       cas_index_place(&r->index, (uint16_t)kind, "", 0);
}

/* ---- batches */

int records_begin(struct records *r, struct error *err)
{
	if (r->phase != RECORDS_IDLE)
		return error_set(err, CELLA_EBUG, "a batch within a batch");
	int rc = r->storage.begin(r->storage.data, err);
	if (rc < 0)
		return rc;
	cas_state_save(r->state, CAS_STATE_BATCH);
	r->phase = RECORDS_IN_BATCH;
	return 0;
}

int records_step(struct records *r, struct error *err)
{
	if (r->phase != RECORDS_IN_BATCH)
		return error_set(err, CELLA_EBUG, "a step outside of a batch, or within one");
	int rc = check_failure(r, err);
	if (rc == 0)
		rc = r->storage.mark(r->storage.data, err);
	if (rc < 0)
		return rc;
	cas_state_save(r->state, CAS_STATE_STEP);
	r->step_undo = r->undo_count;
	r->step_events = audit_count(r->audit);
	r->phase = RECORDS_IN_STEP;
	return 0;
}

void records_undo(struct records *r)
{
	struct error err;
	if (r->phase != RECORDS_IN_STEP)
		return;
	r->phase = RECORDS_IN_BATCH;
	audit_cut(r->audit, r->step_events);
	index_return(r, r->step_undo);
	cas_state_return(r->state, CAS_STATE_STEP);
	r->step_failed = false;
	r->batch_failed |= r->storage.mark_undo(r->storage.data, &err) < 0;
}

int records_keep(struct records *r, const struct audit_event *events, size_t count, uint64_t now_ns,
                 struct error *err)
{
	int rc = check_step(r, err);
	if (rc < 0)
		return rc;
	if (count == 0 && r->undo_count > r->step_undo)
		rc = error_set(err, CELLA_EBUG, "a change without an audit entry");
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = audit_add(r->audit, &events[i], now_ns, err);
	if (rc == 0)
		rc = r->storage.mark_keep(r->storage.data, err);
	if (rc < 0)
		records_undo(r);
	else
		r->phase = RECORDS_IN_BATCH;
	return rc;
}

void records_abort(struct records *r)
{
	records_undo(r);
	if (r->phase == RECORDS_IDLE)
		return;
	r->phase = RECORDS_IDLE;
	r->batch_failed = false;
	r->storage.rollback(r->storage.data);
	audit_forget(r->audit);
	index_return(r, 0);
	cas_state_return(r->state, CAS_STATE_BATCH);
}

/* A hint, behind the commit: one that is missing or older only finds less. */
static void write_head(const struct records *r)
{
	uint8_t bytes[AUDIT_HEAD_SIZE];
	audit_head_encode(audit_head(r->audit), bytes);
	if (pwrite(r->head_file, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		log_warn("cannot write %s/%s, which tells of old copies", r->directory, RECORDS_FILE_HEAD);
}

static int close_batch(struct records *r, struct error *err)
{
	uint8_t state[CRYPTO_KEY_SIZE];
	uint64_t epoch, number;
	audit_next(r->audit, &epoch, &number);
	int rc = cas_state_digest(r->state, epoch, number, state, err);
	if (rc == 0)
		rc = audit_close(r->audit, r->vault, &r->storage, state, cas_state_generation(r->state), err);
	return rc == 0 ? r->storage.commit(r->storage.data, err) : rc;
}

int records_commit(struct records *r, struct audit_head *ret_head, struct error *err)
{
	if (r->phase != RECORDS_IN_BATCH)
		return error_set(err, CELLA_EBUG, "a commit outside of a batch, or within a step");
	int rc = check_failure(r, err);
	if (rc == 0 && audit_count(r->audit))
		rc = close_batch(r, err);
	if (rc < 0 || audit_count(r->audit) == 0) {
		records_abort(r);
	} else {
		r->phase = RECORDS_IDLE;
		audit_advance(r->audit);
		index_settle(r);
		write_head(r);
	}
	if (rc == 0 && ret_head)
		*ret_head = *audit_head(r->audit);
	return rc;
}

int records_change(struct records *r, records_change_fn *change, void *arg, const struct audit_event *event,
                   uint64_t now_ns, struct error *err)
{
	int rc = records_begin(r, err);
	if (rc < 0)
		return rc;
	rc = records_step(r, err);
	if (rc == 0)
		rc = change(r, arg, err);
	if (rc == 0)
		rc = records_keep(r, event, 1, now_ns, err);
	if (rc == 0)
		return records_commit(r, NULL, err);
	records_abort(r);
	return rc;
}
