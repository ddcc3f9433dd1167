/* Reading the log back: its end, and all of it. */
#include <inttypes.h>
#include <string.h>

#include "cas/audit/format.h"

static struct audit_head head_of(const struct audit_entry *e, const uint8_t cas[VAULT_CAS_SIZE],
                                 const uint8_t hash[CRYPTO_SHA384_SIZE])
{
	struct audit_head head = {.epoch = e->epoch, .number = e->number};
	memcpy(head.cas, cas, sizeof(head.cas));
	memcpy(head.hash, hash, sizeof(head.hash));
	memcpy(head.signature, e->signature, sizeof(head.signature));
	return head;
}

static int check_signature(const struct audit_head *head, const uint8_t public_key[CRYPTO_ED25519_SIZE],
                           struct error *err)
{
	uint8_t bytes[AUDIT_HEAD_SIZE];
	audit_head_encode(head, bytes);
	int rc = crypto_verify(public_key, bytes, AUDIT_HEAD_SIGNED_SIZE, head->signature, err);
	return rc < 0 ? error_set(err, rc, "its signature is not this CAS's: it was changed") : 0;
}

/* ---- the end */

struct end_reader {
	const uint8_t *cas, *public_key;
	struct audit_end end;
	bool found;
};

static int read_end(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	struct end_reader *reader = arg;
	struct audit_entry e;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	int rc = audit_entry_decode(data, size, &e, err);
	if (rc == 0 && e.number != number)
		rc = error_set(err, CELLA_EAUTH, "it stands in another one's place");
	if (rc == 0 && !e.closes)
		rc = error_set(err, CELLA_EAUTH, "it is not signed: what follows it was removed");
	if (rc == 0)
		rc = audit_entry_hash(reader->cas, data, size, true, hash, err);
	if (rc < 0)
		return rc;
	reader->end = (struct audit_end){.head = head_of(&e, reader->cas, hash), .generation = e.generation};
	memcpy(reader->end.state, e.state, sizeof(e.state));
	reader->found = true;
	return check_signature(&reader->end.head, reader->public_key, err);
}

int audit_read_end(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE],
                   const uint8_t public_key[CRYPTO_ED25519_SIZE], struct audit_end *ret_end,
                   struct error *err)
{
	struct end_reader reader = {.cas = cas, .public_key = public_key};
	uint64_t last = 0;
	int rc = storage->log_last(storage->data, &last, err);
	if (rc == 0 && last == 0)
		return error_set(err, CELLA_EAUTH, "the audit log is empty: it was removed");
	if (rc == 0)
		rc = storage->log_each(storage->data, last, read_end, &reader, err);
	if (rc == 0 && !reader.found)
		rc = error_set(err, CELLA_EAUTH, "it is not there");
	if (rc < 0)
		return error_prefix(err, rc, "audit log, entry %" PRIu64 ": ", last);
	*ret_end = reader.end;
	return 0;
}

/* ---- one of it */

struct finder {
	const uint8_t *cas;
	uint64_t number, epoch;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	bool seen;
};

/* The first one read is the only one. */
static int read_entry(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	struct finder *f = arg;
	struct audit_entry e;
	if (f->seen || number != f->number)
		return CELLA_ECANCELED;
	int rc = audit_entry_decode(data, size, &e, err);
	if (rc == 0)
		rc = audit_entry_hash(f->cas, data, size, e.closes, f->hash, err);
	if (rc < 0)
		return rc;
	f->epoch = e.epoch;
	f->seen = true;
	return 0;
}

static int find_entry(const struct cas_storage *storage, struct finder *f, struct error *err)
{
	int rc = storage->log_each(storage->data, f->number, read_entry, f, err);
	return rc < 0 && rc != CELLA_ECANCELED
	               ? error_prefix(err, rc, "audit log, entry %" PRIu64 ": ", f->number)
	               : 0;
}

int audit_contains(const struct cas_storage *storage, const struct audit_head *head, struct error *err)
{
	struct finder f = {.cas = head->cas, .number = head->number};
	int rc = find_entry(storage, &f, err);
	if (rc < 0)
		return rc;
	if (f.seen && f.epoch == head->epoch && crypto_equal(f.hash, head->hash, sizeof(f.hash)))
		return 0;
	return error_set(err, CELLA_EAUTH,
	                 "entry %" PRIu64 " of epoch %" PRIu64
	                 " is not in the audit log: the log was cut, or "
	                 "all of it is an old copy",
	                 head->number, head->epoch);
}

int audit_entry_at(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE], uint64_t number,
                   uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	struct finder f = {.cas = cas, .number = number};
	int rc = find_entry(storage, &f, err);
	if (rc == 0 && !f.seen)
		rc = error_set(err, CELLA_ENOENT, "the audit log has no entry %" PRIu64, number);
	if (rc == 0)
		memcpy(ret_hash, f.hash, sizeof(f.hash));
	return rc;
}

/* ---- all of it */

struct verifier {
	const uint8_t *cas, *public_key;
	const struct audit_head *remembered; /* NULL: none */
	struct audit_summary summary;
	bool closed;     /* the last entry closes its commit */
	bool remembered_found;
	bool lost;       /* a restore dropped what is remembered */
	struct error lost_why;
};

static int check_place(const struct verifier *v, const struct audit_entry *e, uint64_t number,
                       struct error *err)
{
	const struct audit_head *before = &v->summary.head;
	if (number != before->number + 1)
		return error_set(err, CELLA_EAUTH,
		                 "entries %" PRIu64 " to %" PRIu64 " before it were removed",
		                 before->number + 1, number - 1);
	if (e->number != number)
		return error_set(err, CELLA_EAUTH, "it stands in the place of entry %" PRIu64, e->number);
	if (!crypto_equal(e->before, before->hash, sizeof(e->before)))
		return error_set(
			err, CELLA_EAUTH,
			"it does not follow from the entry before: one of both was changed, or is of "
			"another history");
	if (number == 1                 ? e->epoch != 1
	    : e->kind == AUDIT_RESTORED ? e->epoch <= before->epoch
	                                : e->epoch != before->epoch)
		return error_set(err, CELLA_EAUTH, "epoch %" PRIu64 " does not follow from epoch %" PRIu64,
		                 e->epoch, before->epoch);
	return 0;
}

/* A restore goes on from a log that ended before what is remembered did. */
static void note_restore(struct verifier *v, const struct audit_entry *e)
{
	const struct audit_head *r = v->remembered;
	v->summary.restores++;
	if (!r || v->lost || e->epoch <= r->epoch || r->number < e->number)
		return;
	v->lost = true;
	error_fill(&v->lost_why, CELLA_ELOST,
	           "the log was continued from a backup at entry %" PRIu64
	           ": what was remembered of it up to "
	           "entry %" PRIu64 " of epoch %" PRIu64 " is not in it; consent: %.*s",
	           e->number, r->number, r->epoch, (int)e->who_size, e->who);
}

static int match_remembered(struct verifier *v, const struct audit_entry *e, const uint8_t *hash,
                            struct error *err)
{
	const struct audit_head *r = v->remembered;
	if (!r || e->number != r->number || e->epoch > r->epoch)
		return 0;
	if (e->epoch != r->epoch || !crypto_equal(hash, r->hash, sizeof(r->hash)))
		return error_set(
			err, CELLA_EAUTH,
			"it is not the one that is remembered: this log and that one are two histories");
	v->remembered_found = true;
	return 0;
}

static int verify_entry(void *arg, uint64_t number, const void *data, size_t size, struct error *err)
{
	struct verifier *v = arg;
	struct audit_entry e;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	int rc = audit_entry_decode(data, size, &e, err);
	if (rc == 0)
		rc = check_place(v, &e, number, err);
	if (rc == 0)
		rc = audit_entry_hash(v->cas, data, size, e.closes, hash, err);
	if (rc == 0)
		rc = match_remembered(v, &e, hash, err);
	if (rc < 0)
		return error_prefix(err, rc, "audit log, entry %" PRIu64 ": ", number);
	if (e.kind == AUDIT_RESTORED)
		note_restore(v, &e);
	v->summary.head = head_of(&e, v->cas, hash);
	v->summary.entries++;
	v->summary.commits += e.closes;
	v->summary.last_time_ns = e.time_ns;
	if (number == 1)
		v->summary.first_time_ns = e.time_ns;
	v->closed = e.closes;
	if (e.closes)
		rc = check_signature(&v->summary.head, v->public_key, err);
	return rc < 0 ? error_prefix(err, rc, "audit log, entry %" PRIu64 ": ", number) : 0;
}

static int check_remembered(const struct verifier *v, struct error *err)
{
	const struct audit_head *r = v->remembered, *end = &v->summary.head;
	if (!r || v->remembered_found)
		return 0;
	if (v->lost) {
		if (err)
			*err = v->lost_why;
		return CELLA_ELOST;
	}
	return error_set(err, CELLA_EAUTH,
	                 "the audit log ends with entry %" PRIu64 " of epoch %" PRIu64 ", but entry %" PRIu64
	                 " of epoch %" PRIu64 " is remembered: it was cut, or all of it is an old copy",
	                 end->number, end->epoch, r->number, r->epoch);
}

int audit_verify(const struct cas_storage *storage, const uint8_t cas[VAULT_CAS_SIZE],
                 const uint8_t public_key[CRYPTO_ED25519_SIZE], const struct audit_head *remembered,
                 struct audit_summary *ret_summary, struct error *err)
{
	struct verifier v = {.cas = cas, .public_key = public_key, .remembered = remembered};
	if (remembered && !crypto_equal(remembered->cas, cas, VAULT_CAS_SIZE))
		return error_set(err, CELLA_EAUTH, "what is remembered is the log of another CAS");
	int rc = storage->log_each(storage->data, 0, verify_entry, &v, err);
	if (rc < 0)
		return rc;
	if (!v.closed)
		return error_set(err, CELLA_EAUTH,
		                 "audit log: its end, entry %" PRIu64
		                 ", is not signed: what follows it was removed",
		                 v.summary.head.number);
	rc = check_remembered(&v, err);
	if (rc == 0)
		*ret_summary = v.summary;
	return rc;
}
