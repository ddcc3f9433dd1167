/*
 * Owners and launchers, revocations, refusals.
 *
 *   owner, launcher   u64 since, 32 bytes by, u32 size of the label, the label
 *   revocation        u64 since, u32 size of the reason, the reason
 *   refusal           u64 time, u32 size of the text, the text
 */
#include <stdio.h>
#include <string.h>

#include "cas/records/records_state.h"

/* A terminated text into `to`, which holds RECORDS_REASON_MAX or RECORDS_NAME_MAX bytes and a NUL. */
static bool take_text(struct reader *in, char *to, size_t room)
{
	size_t size;
	const uint8_t *text = reader_blob(in, &size);
	if (!reader_finished(in) || size >= room)
		return false;
	memcpy(to, text, size);
	to[size] = '\0';
	return true;
}

static int put(struct records *r, enum records_kind kind, const void *id, size_t id_size,
               const struct buf *body, struct error *err)
{
	if (body->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a record");
	const struct crypto_part part = {body->data, body->size};
	return records_put(r, kind, id, id_size, &part, 1, err);
}

/* ---- owners and launchers */

static const char *party_name(enum records_kind kind)
{
	return kind == RECORDS_LAS ? "launcher with this key" : "owner with this key";
}

static int check_party(enum records_kind kind, struct error *err)
{
	return kind == RECORDS_OWNER || kind == RECORDS_LAS
	               ? 0
	               : error_set(err, CELLA_EBUG, "a party of kind %u", kind);
}

int records_party_get(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                      struct records_party *ret_party, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes bytes = {0};
	struct records_party party;
	int rc = check_party(kind, err);
	if (rc == 0)
		rc = records_get(r, kind, key, RECORDS_KEY_SIZE, party_name(kind), &bytes, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(bytes.data, bytes.size);
	party.since_ns = reader_u64(&in);
	reader_copy(&in, party.by, sizeof(party.by));
	if (!take_text(&in, party.label, sizeof(party.label)))
		return records_malformed("party", err);
	*ret_party = party;
	return 0;
}

bool records_party_known(const struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE])
{
	return records_find(r, kind, key, RECORDS_KEY_SIZE) != NULL;
}

int records_party_add(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                      const struct records_party *party, struct error *err)
{
	cleanup_buf struct buf body = {0};
	int rc = check_party(kind, err);
	if (rc == 0)
		rc = records_check_name(party->label, "party", err);
	if (rc == 0 && records_party_known(r, kind, key))
		rc = error_set(err, CELLA_EEXIST, "there is already an %s", party_name(kind));
	if (rc < 0)
		return rc;
	buf_put_u64(&body, party->since_ns);
	buf_put(&body, party->by, sizeof(party->by));
	buf_put_string(&body, party->label);
	return put(r, kind, key, RECORDS_KEY_SIZE, &body, err);
}

int records_party_remove(struct records *r, enum records_kind kind, const uint8_t key[RECORDS_KEY_SIZE],
                         struct error *err)
{
	int rc = check_party(kind, err);
	return rc == 0 ? records_remove(r, kind, key, RECORDS_KEY_SIZE, party_name(kind), err) : rc;
}

/* ---- revocations */

static bool revocation_id(enum records_revoked kind, const void *what, size_t size,
                          uint8_t id[1 + RECORDS_REVOKED_MAX])
{
	if (size == 0 || size > RECORDS_REVOKED_MAX || kind < RECORDS_REVOKED_CELL ||
	    kind > RECORDS_REVOKED_EXECUTOR)
		return false;
	id[0] = (uint8_t)kind;
	memcpy(id + 1, what, size);
	return true;
}

bool records_is_revoked(const struct records *r, enum records_revoked kind, const void *what, size_t size)
{
	uint8_t id[1 + RECORDS_REVOKED_MAX];
	return revocation_id(kind, what, size, id) && records_find(r, RECORDS_REVOKED, id, 1 + size);
}

int records_revoke(struct records *r, enum records_revoked kind, const void *what, size_t size,
                   const char *reason, uint64_t now_ns, struct error *err)
{
	cleanup_buf struct buf body = {0};
	uint8_t id[1 + RECORDS_REVOKED_MAX];
	if (!revocation_id(kind, what, size, id) || strlen(reason) > RECORDS_REASON_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "a revocation of %zu bytes with a reason of %zu, at most %d "
		                 "and %d",
		                 size, strlen(reason), RECORDS_REVOKED_MAX, RECORDS_REASON_MAX);
	if (records_find(r, RECORDS_REVOKED, id, 1 + size))
		return error_set(err, CELLA_EEXIST, "this is revoked already");
	buf_put_u64(&body, now_ns);
	buf_put_string(&body, reason);
	return put(r, RECORDS_REVOKED, id, 1 + size, &body, err);
}

int records_revocation_get(struct records *r, enum records_revoked kind, const void *what, size_t size,
                           struct records_revocation *ret_revocation, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes bytes = {0};
	uint8_t id[1 + RECORDS_REVOKED_MAX];
	if (!revocation_id(kind, what, size, id))
		return error_set(err, CELLA_EINVAL, "nothing that %zu bytes name is ever revoked", size);
	int rc = records_get(r, RECORDS_REVOKED, id, 1 + size, "such revocation", &bytes, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(bytes.data, bytes.size);
	uint64_t since_ns = reader_u64(&in);
	char reason[sizeof(ret_revocation->reason)];
	if (!take_text(&in, reason, sizeof(reason)))
		return records_malformed("revocation", err);
	ret_revocation->since_ns = since_ns;
	memcpy(ret_revocation->reason, reason, sizeof(reason));
	return 0;
}

/* ---- refusals: a ring of slots, whose revisions number them */

/* Behind the pair of names. */
static void set_slot(struct records_pair *id, uint64_t number)
{
	id->bytes[id->size] = (uint8_t)((number - 1) % RECORDS_REFUSALS);
}

static int take_number(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	uint64_t *newest = arg;
	const uint8_t slot = ((const uint8_t *)id)[id_size - 1];
	(void)err;
	*newest = max_of(*newest, (revision - 1) * RECORDS_REFUSALS + slot + 1);
	return 0;
}

static int newest_number(const struct records *r, const struct records_pair *id, uint64_t *ret_number,
                         struct error *err)
{
	*ret_number = 0;
	return records_list(r, RECORDS_REFUSAL, id->bytes, id->size, take_number, ret_number, err);
}

int records_refusal_add(struct records *r, const char *session, const char *service, const char *text,
                        uint64_t now_ns, struct error *err)
{
	cleanup_buf struct buf body = {0};
	struct records_pair id;
	uint64_t newest = 0;
	if (strlen(text) > RECORDS_REASON_MAX)
		return error_set(err, CELLA_ELIMIT, "a refusal has at most %d bytes", RECORDS_REASON_MAX);
	int rc = records_pair_of(session, service, "service", &id, err);
	if (rc == 0)
		rc = newest_number(r, &id, &newest, err);
	if (rc < 0)
		return rc;
	set_slot(&id, newest + 1);
	buf_put_u64(&body, now_ns);
	buf_put_string(&body, text);
	return put(r, RECORDS_REFUSAL, id.bytes, id.size + 1, &body, err);
}

int records_refusal_get(struct records *r, const char *session, const char *service, unsigned back,
                        struct records_refusal *ret_refusal, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes bytes = {0};
	struct records_pair id;
	uint64_t newest = 0;
	char text[sizeof(ret_refusal->text)];
	int rc = records_pair_of(session, service, "service", &id, err);
	if (rc == 0)
		rc = newest_number(r, &id, &newest, err);
	if (rc == 0 && (back >= newest || back >= RECORDS_REFUSALS))
		rc = error_set(err, CELLA_ENOENT, "there are no more refusals of %s, %s", session, service);
	if (rc < 0)
		return rc;
	set_slot(&id, newest - back);
	rc = records_get(r, RECORDS_REFUSAL, id.bytes, id.size + 1, "refusal", &bytes, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(bytes.data, bytes.size);
	uint64_t time_ns = reader_u64(&in);
	if (!take_text(&in, text, sizeof(text)))
		return records_malformed("refusal", err);
	ret_refusal->number = newest - back;
	ret_refusal->time_ns = time_ns;
	memcpy(ret_refusal->text, text, sizeof(text));
	return 0;
}
