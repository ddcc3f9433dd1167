/* Sealed snapshots: written whole, opened head first. */
#include <string.h>

#include "cell/snapshot/state.h"

static struct seal_id id_of(uint64_t object, uint64_t version)
{
	return (struct seal_id){.kind = SEAL_KIND_SNAPSHOT, .object = object, .version = version};
}

uint64_t snapshot_sealed_size(const struct snapshot *s)
{
	return snapshot_size(s) + ((uint64_t)s->header.block_count + 1) * SEAL_OVERHEAD;
}

/* What ties a block to the header, beside its place. */
struct block_aad {
	uint8_t bytes[SNAPSHOT_SERIES_SIZE + sizeof(uint64_t)];
};

static struct block_aad aad_of(const uint8_t series[SNAPSHOT_SERIES_SIZE], uint64_t row)
{
	struct block_aad aad;
	memcpy(aad.bytes, series, SNAPSHOT_SERIES_SIZE);
	for (size_t i = 0; i < sizeof(row); i++)
		aad.bytes[SNAPSHOT_SERIES_SIZE + i] = (uint8_t)(row >> (8 * i));
	return aad;
}

static int seal_blocks(const struct snapshot *s, struct seal_session *session, struct seal_id id,
                       const uint8_t *series, uint8_t *out, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < s->header.block_count; i++) {
		const struct snapshot_row *row = &s->rows[i];
		struct block_aad aad = aad_of(series, i);
		id.extra = i + 1;
		rc = seal_object(session, &id, aad.bytes, sizeof(aad.bytes), snapshot_blocks(s) + row->at,
		                 row->size, out + row->at + i * SEAL_OVERHEAD, err);
	}
	return rc;
}

int snapshot_seal(const struct snapshot *s, struct seal_session *session, uint64_t object, uint64_t version,
                  uint8_t *out, struct error *err)
{
	if (s->sealed)
		return error_set(err, CELLA_EINVAL, "the snapshot is sealed already: unseal it first");
	uint8_t header[SNAPSHOT_HEADER_SIZE];
	struct seal_id id = id_of(object, version);
	memcpy(header, s->clear, sizeof(header));
	int rc = crypto_random(header + SNAPSHOT_AT_SERIES, SNAPSHOT_SERIES_SIZE, err);
	if (rc == 0)
		rc = seal_object(session, &id, header, sizeof(header), s->clear + sizeof(header),
		                 s->header.body_size, out + sizeof(header), err);
	if (rc == 0)
		rc = seal_blocks(s, session, id, header + SNAPSHOT_AT_SERIES,
		                 out + sizeof(header) + seal_size(s->header.body_size), err);
	if (rc == 0)
		memcpy(out, header, sizeof(header));
	return rc;
}

static int open_body(struct snapshot *s, const struct snapshot_sealed *sealed, struct error *err)
{
	uint8_t header[SNAPSHOT_HEADER_SIZE] = {0};
	memcpy(header, sealed->in, min_of(sealed->size, (uint64_t)sizeof(header)));
	struct reader r = reader_of(header, min_of(sealed->size, (uint64_t)sizeof(header)));
	int rc = snapshot_read_header(&r, &s->header, err);
	if (rc < 0)
		return rc;
	uint64_t body_size = s->header.body_size, left = sealed->size - sizeof(header);
	if (left < SEAL_OVERHEAD || left - SEAL_OVERHEAD < body_size)
		return error_set(err, CELLA_EFORMAT, "the snapshot is cut short");
	s->clear = mem_alloc(s->pool, sizeof(header) + body_size);
	s->staging = mem_alloc(s->pool, SNAPSHOT_ENCODED_MAX);
	if (!s->clear || !s->staging)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a snapshot's body");
	memcpy(s->clear, header, sizeof(header));
	rc = seal_open(s->session, &s->id, header, sizeof(header), sealed->in + sizeof(header),
	               seal_size(body_size), s->clear + sizeof(header), body_size, err);
	return rc < 0 ? rc : snapshot_read_body(s, err);
}

int snapshot_open(struct mem_pool *pool, struct seal_session *session, const struct snapshot_sealed *sealed,
                  struct snapshot *base, struct snapshot **ret_snapshot, struct error *err)
{
	struct snapshot *s = snapshot_new(pool, err);
	if (!s)
		return CELLA_ENOMEM;
	s->session = session;
	s->id = id_of(sealed->object, sealed->version);
	int rc = open_body(s, sealed, err);
	if (rc == 0) {
		s->sealed = sealed->in + SNAPSHOT_HEADER_SIZE + seal_size(s->header.body_size);
		if (sealed->size != snapshot_sealed_size(s))
			rc = error_set(err, CELLA_EFORMAT, "the snapshot's blocks do not fill it");
	}
	if (rc == 0)
		rc = snapshot_set_base(s, base, err);
	if (rc < 0) {
		snapshot_unref(s);
		return error_prefix(err, rc, "cannot open a snapshot: ");
	}
	*ret_snapshot = s;
	return 0;
}

int snapshot_open_row(struct snapshot *s, size_t i, uint8_t *to, struct error *err)
{
	const struct snapshot_row *row = &s->rows[i];
	struct block_aad aad = aad_of(s->header.series, i);
	struct seal_id id = s->id;
	id.extra = i + 1;
	return seal_open(s->session, &id, aad.bytes, sizeof(aad.bytes),
	                 s->sealed + row->at + i * SEAL_OVERHEAD, seal_size(row->size), to, row->size, err);
}

int snapshot_unseal(struct snapshot *s, struct error *err)
{
	if (!s->sealed)
		return 0;
	uint64_t front = SNAPSHOT_HEADER_SIZE + s->header.body_size;
	uint8_t *clear = mem_alloc(s->pool, front + s->blocks_size);
	int rc = clear ? 0 : error_set(err, CELLA_ENOMEM, "no protected memory to unseal a snapshot");
	for (size_t i = 0; rc == 0 && i < s->header.block_count; i++)
		rc = snapshot_open_row(s, i, clear + front + s->rows[i].at, err);
	if (rc < 0) {
		mem_free(s->pool, clear);
		return rc;
	}
	memcpy(clear, s->clear, front);
	memset(clear + SNAPSHOT_AT_SERIES, 0, SNAPSHOT_SERIES_SIZE);
	s->state = clear + (s->state - s->clear);
	mem_free(s->pool, s->clear);
	mem_free(s->pool, s->staging);
	s->clear = clear;
	s->staging = NULL;
	s->sealed = NULL;
	return 0;
}
