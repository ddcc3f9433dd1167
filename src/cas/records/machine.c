/*
 * What hardware has said of launchers' machines, and collateral.
 *
 *   endorsement   u64 time, the endorsement's bytes
 *   collateral    u64 since, u64 end, u32 size of the label, the label, the file's bytes
 */
#include <string.h>

#include "cas/records/records_state.h"

enum { ENDORSEMENT_ID_SIZE = RECORDS_KEY_SIZE + 1, COLLATERAL_ID_SIZE = 1 + CRYPTO_SHA384_SIZE };

static int check_size(size_t size, const char *what, struct error *err)
{
	return size > 0 && size <= RECORDS_MACHINE_MAX
	               ? 0
	               : error_set(err, CELLA_ELIMIT, "%s has 1 to %d bytes, not %zu", what,
	                           RECORDS_MACHINE_MAX, size);
}

/* ---- endorsements */

static void endorsement_id(const uint8_t launcher[RECORDS_KEY_SIZE], uint8_t kind,
                           uint8_t id[ENDORSEMENT_ID_SIZE])
{
	memcpy(id, launcher, RECORDS_KEY_SIZE);
	id[RECORDS_KEY_SIZE] = kind;
}

void records_endorsement_done(struct records_endorsement *e)
{
	vault_bytes_done(&e->memory);
	*e = (struct records_endorsement){0};
}

int records_endorsement_get(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE], uint8_t kind,
                            struct records_endorsement *ret_endorsement, struct error *err)
{
	struct records_endorsement e = {0};
	uint8_t id[ENDORSEMENT_ID_SIZE];
	endorsement_id(launcher, kind, id);
	int rc = records_get(r, RECORDS_ENDORSEMENT, id, sizeof(id), "endorsement of this launcher",
	                     &e.memory, &e.revision, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(e.memory.data, e.memory.size);
	e.time_ns = reader_u64(&in);
	e.size = reader_left(&in);
	e.data = reader_bytes(&in, e.size);
	if (!reader_finished(&in) || e.size == 0) {
		records_endorsement_done(&e);
		return records_malformed("launcher's endorsement", err);
	}
	*ret_endorsement = e;
	return 0;
}

int records_endorsement_put(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE], uint8_t kind,
                            const struct records_endorsement *endorsement, struct error *err)
{
	cleanup_buf struct buf head = {0};
	uint8_t id[ENDORSEMENT_ID_SIZE];
	int rc = check_size(endorsement->size, "an endorsement", err);
	if (rc < 0)
		return rc;
	endorsement_id(launcher, kind, id);
	buf_put_u64(&head, endorsement->time_ns);
	if (head.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a record");
	const struct crypto_part parts[] = {{head.data, head.size}, {endorsement->data, endorsement->size}};
	return records_put(r, RECORDS_ENDORSEMENT, id, sizeof(id), parts, array_count(parts), err);
}

int records_endorsements_remove(struct records *r, const uint8_t launcher[RECORDS_KEY_SIZE],
                                struct error *err)
{
	return records_remove_all(r, RECORDS_ENDORSEMENT, launcher, RECORDS_KEY_SIZE, err);
}

/* ---- collateral */

static void collateral_id(uint8_t kind, const uint8_t hash[CRYPTO_SHA384_SIZE],
                          uint8_t id[COLLATERAL_ID_SIZE])
{
	id[0] = kind;
	memcpy(id + 1, hash, CRYPTO_SHA384_SIZE);
}

void records_collateral_done(struct records_collateral *c)
{
	vault_bytes_done(&c->memory);
	*c = (struct records_collateral){0};
}

int records_collateral_get(struct records *r, uint8_t kind, const uint8_t hash[CRYPTO_SHA384_SIZE],
                           struct records_collateral *ret_collateral, struct error *err)
{
	struct records_collateral c = {0};
	uint8_t id[COLLATERAL_ID_SIZE];
	size_t label_size;
	collateral_id(kind, hash, id);
	int rc = records_get(r, RECORDS_COLLATERAL, id, sizeof(id), "such collateral", &c.memory, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(c.memory.data, c.memory.size);
	c.since_ns = reader_u64(&in);
	c.ends = (int64_t)reader_u64(&in);
	const uint8_t *label = reader_blob(&in, &label_size);
	c.size = reader_left(&in);
	c.data = reader_bytes(&in, c.size);
	if (!reader_finished(&in) || label_size >= sizeof(c.label)) {
		records_collateral_done(&c);
		return records_malformed("piece of collateral", err);
	}
	memcpy(c.label, label, label_size);
	*ret_collateral = c;
	return 0;
}

int records_collateral_add(struct records *r, uint8_t kind, const struct records_collateral *collateral,
                           uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	cleanup_buf struct buf head = {0};
	uint8_t hash[CRYPTO_SHA384_SIZE], id[COLLATERAL_ID_SIZE];
	int rc = check_size(collateral->size, "collateral", err);
	if (rc == 0)
		rc = records_check_name(collateral->label, "piece of collateral", err);
	if (rc == 0)
		rc = crypto_sha384(collateral->data, collateral->size, hash, err);
	if (rc < 0)
		return rc;
	collateral_id(kind, hash, id);
	if (records_find(r, RECORDS_COLLATERAL, id, sizeof(id)))
		return error_set(err, CELLA_EEXIST, "%s is there already", collateral->label);
	buf_put_u64(&head, collateral->since_ns);
	buf_put_u64(&head, (uint64_t)collateral->ends);
	buf_put_string(&head, collateral->label);
	if (head.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a record");
	const struct crypto_part parts[] = {{head.data, head.size}, {collateral->data, collateral->size}};
	memcpy(ret_hash, hash, sizeof(hash));
	return records_put(r, RECORDS_COLLATERAL, id, sizeof(id), parts, array_count(parts), err);
}

int records_collateral_remove(struct records *r, uint8_t kind, const uint8_t hash[CRYPTO_SHA384_SIZE],
                              struct error *err)
{
	uint8_t id[COLLATERAL_ID_SIZE];
	collateral_id(kind, hash, id);
	return records_remove(r, RECORDS_COLLATERAL, id, sizeof(id), "such collateral", err);
}
