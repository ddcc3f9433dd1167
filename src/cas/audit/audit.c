#include "cas/audit/audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "cas/audit/format.h"

/* An event that waits for its commit; one allocation, its texts behind it. */
struct pending {
	enum audit_kind kind;
	uint64_t time_ns, epoch;
	size_t who_size, what_size;
	char texts[];
};

struct audit {
	struct audit_head head, next;
	struct pending *pending[AUDIT_BATCH_MAX];
	size_t count;
};

int audit_new(const struct audit_head *head, struct audit **ret_audit, struct error *err)
{
	struct audit *a = calloc(1, sizeof(*a));
	if (!a)
		return error_set(err, CELLA_ENOMEM, "no memory for an audit log");
	a->head = *head;
	*ret_audit = a;
	return 0;
}

void audit_free(struct audit *a)
{
	if (a)
		audit_forget(a);
	free(a);
}

const struct audit_head *audit_head(const struct audit *a)
{
	return &a->head;
}

size_t audit_count(const struct audit *a)
{
	return a->count;
}

static bool is_text(const char *text, size_t size)
{
	cleanup_free char *copy = strdup(text);
	if (!copy)
		return false;
	printable(copy, size, false);
	return strcmp(copy, text) == 0;
}

int audit_add(struct audit *a, const struct audit_event *event, uint64_t time_ns, struct error *err)
{
	const size_t who_size = strlen(event->who), what_size = strlen(event->what);
	if (!audit_kind_name(event->kind))
		return error_set(err, CELLA_EBUG, "an audit entry of an unknown kind (%u)", event->kind);
	if ((event->kind == AUDIT_RESTORED) != (event->epoch > a->head.epoch))
		return error_set(err, CELLA_EBUG,
		                 "an audit entry that should, or should not, raise the epoch");
	if (who_size > AUDIT_WHO_MAX || what_size > AUDIT_WHAT_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "an audit entry with texts of %zu and %zu bytes, at most %d and %d",
		                 who_size, what_size, AUDIT_WHO_MAX, AUDIT_WHAT_MAX);
	if (!is_text(event->who, who_size) || !is_text(event->what, what_size))
		return error_set(err, CELLA_EINVAL, "an audit entry with what is no text");
	if (a->count == AUDIT_BATCH_MAX)
		return error_set(err, CELLA_ELIMIT, "a commit has at most %d audit entries", AUDIT_BATCH_MAX);
	struct pending *p = malloc(sizeof(*p) + who_size + what_size);
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no memory for an audit entry");
	*p = (struct pending){event->kind, time_ns, event->epoch, who_size, what_size};
	memcpy(p->texts, event->who, who_size);
	memcpy(p->texts + who_size, event->what, what_size);
	a->pending[a->count++] = p;
	return 0;
}

void audit_cut(struct audit *a, size_t count)
{
	while (a->count > count)
		free(a->pending[--a->count]);
}

void audit_forget(struct audit *a)
{
	audit_cut(a, 0);
}

/* The epoch of the first `count` entries that wait. */
static uint64_t epoch_after(const struct audit *a, size_t count)
{
	uint64_t epoch = max_of(a->head.epoch, (uint64_t)1);
	for (size_t i = 0; i < count; i++)
		epoch = max_of(epoch, a->pending[i]->epoch);
	return epoch;
}

void audit_next(const struct audit *a, uint64_t *ret_epoch, uint64_t *ret_number)
{
	*ret_epoch = epoch_after(a, a->count);
	*ret_number = a->head.number + a->count;
}

static int sign_head(struct audit_head *head, struct vault *v, struct error *err)
{
	uint8_t bytes[AUDIT_HEAD_SIZE];
	audit_head_encode(head, bytes);
	if (bytes_are_zero(bytes, sizeof(bytes)))
		return error_set(err, CELLA_ENOMEM, "no memory to sign the audit log");
	return vault_sign(v, bytes, AUDIT_HEAD_SIGNED_SIZE, head->signature, err);
}

/* One entry behind a->next, which then is it. */
static int append(struct audit *a, struct audit_entry *e, struct vault *v, const struct cas_storage *storage,
                  struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	e->number = a->next.number + 1;
	memcpy(e->before, a->next.hash, sizeof(e->before));
	audit_entry_encode(e, &bytes);
	if (bytes.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for an audit entry");
	a->next.epoch = e->epoch;
	a->next.number = e->number;
	int rc = audit_entry_hash(a->next.cas, bytes.data, bytes.size, e->closes, a->next.hash, err);
	if (rc == 0 && e->closes) {
		rc = sign_head(&a->next, v, err);
		memcpy(bytes.data + bytes.size - CRYPTO_SIGNATURE_SIZE, a->next.signature,
		       CRYPTO_SIGNATURE_SIZE);
	}
	return rc == 0 ? storage->log_append(storage->data, e->number, bytes.data, bytes.size, err) : rc;
}

int audit_close(struct audit *a, struct vault *v, const struct cas_storage *storage,
                const uint8_t state[CRYPTO_KEY_SIZE], uint32_t generation, struct error *err)
{
	int rc = 0;
	a->next = a->head;
	memcpy(a->next.cas, vault_cas(v), sizeof(a->next.cas));
	for (size_t i = 0; rc == 0 && i < a->count; i++) {
		const struct pending *p = a->pending[i];
		struct audit_entry e = {.kind = p->kind,
		                        .closes = i + 1 == a->count,
		                        .epoch = epoch_after(a, i + 1),
		                        .time_ns = p->time_ns,
		                        .who = p->texts,
		                        .who_size = p->who_size,
		                        .what = p->texts + p->who_size,
		                        .what_size = p->what_size};
		if (e.closes) {
			e.generation = generation;
			memcpy(e.state, state, sizeof(e.state));
		}
		rc = append(a, &e, v, storage, err);
	}
	return rc;
}

void audit_advance(struct audit *a)
{
	if (a->count)
		a->head = a->next;
	audit_forget(a);
}
