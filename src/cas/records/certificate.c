/*
 * Certificates that were issued to cells, as long as they are valid.
 *
 *   id     u64 end of its time in s since 1970, big-endian, so that those that end first come first; serial
 *   body   u64 when it was issued; 48 bytes cell, 32 builder, 48 executor, 32 launcher; u32 size of the name,
 *          the name
 */
#include <string.h>

#include "cas/records/records_state.h"

enum { ID_SIZE = 8 + RECORDS_SERIAL_SIZE };

static void id_of(uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE], uint8_t ret_id[ID_SIZE])
{
	for (size_t i = 0; i < 8; i++)
		ret_id[i] = (uint8_t)(not_after_s >> (56 - 8 * i));
	memcpy(ret_id + 8, serial, RECORDS_SERIAL_SIZE);
}

static uint64_t end_of(const uint8_t id[ID_SIZE])
{
	uint64_t end = 0;
	for (size_t i = 0; i < 8; i++)
		end = end << 8 | id[i];
	return end;
}

int records_certificate_add(struct records *r, const struct records_certificate *c, struct error *err)
{
	cleanup_buf struct buf body = {0};
	uint8_t id[ID_SIZE];
	id_of(c->not_after_s, c->serial, id);
	if (records_find(r, RECORDS_CERTIFICATE, id, sizeof(id)))
		return error_set(err, CELLA_EEXIST, "there is already a certificate of this serial number");
	buf_put_u64(&body, c->issued_ns);
	buf_put(&body, c->cell, sizeof(c->cell));
	buf_put(&body, c->builder, sizeof(c->builder));
	buf_put(&body, c->executor, sizeof(c->executor));
	buf_put(&body, c->launcher, sizeof(c->launcher));
	buf_put_string(&body, c->name);
	if (body.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a record");
	const struct crypto_part part = {body.data, body.size};
	return records_put(r, RECORDS_CERTIFICATE, id, sizeof(id), &part, 1, err);
}

int records_certificate_get(struct records *r, uint64_t not_after_s,
                            const uint8_t serial[RECORDS_SERIAL_SIZE],
                            struct records_certificate *ret_certificate, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes bytes = {0};
	struct records_certificate c = {.not_after_s = not_after_s};
	uint8_t id[ID_SIZE];
	size_t size;
	id_of(not_after_s, serial, id);
	int rc = records_get(r, RECORDS_CERTIFICATE, id, sizeof(id), "certificate of this serial number",
	                     &bytes, NULL, err);
	if (rc < 0)
		return rc;
	struct reader in = reader_of(bytes.data, bytes.size);
	memcpy(c.serial, serial, sizeof(c.serial));
	c.issued_ns = reader_u64(&in);
	reader_copy(&in, c.cell, sizeof(c.cell));
	reader_copy(&in, c.builder, sizeof(c.builder));
	reader_copy(&in, c.executor, sizeof(c.executor));
	reader_copy(&in, c.launcher, sizeof(c.launcher));
	const uint8_t *name = reader_blob(&in, &size);
	if (!reader_finished(&in) || size >= sizeof(c.name))
		return records_malformed("certificate", err);
	memcpy(c.name, name, size);
	*ret_certificate = c;
	return 0;
}

/* ---- all of them */

struct listing {
	records_certificate_fn *fn;
	void *arg;
};

static int list_one(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	const struct listing *l = arg;
	const uint8_t *bytes = id;
	(void)revision;
	return id_size == ID_SIZE ? l->fn(l->arg, end_of(bytes), bytes + 8, err)
	                          : records_malformed("certificate", err);
}

int records_certificate_list(const struct records *r, records_certificate_fn *fn, void *arg,
                             struct error *err)
{
	struct listing l = {fn, arg};
	return records_list(r, RECORDS_CERTIFICATE, "", 0, list_one, &l, err);
}

static int is_serial(void *arg, uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE],
                     struct error *err)
{
	(void)not_after_s;
	(void)err;
	return crypto_equal(serial, arg, RECORDS_SERIAL_SIZE) ? CELLA_EEXIST : 0;
}

int records_certificate_find(const struct records *r, const uint8_t serial[RECORDS_SERIAL_SIZE],
                             struct error *err)
{
	int rc = records_certificate_list(r, is_serial, (void *)(uintptr_t)serial, err);
	if (rc == CELLA_EEXIST)
		return 0;
	return rc < 0 ? rc
	              : error_set(err, CELLA_ENOENT,
	                          "no certificate of this serial number was issued that is still valid");
}

/* ---- those that are over */

enum { DROPPED_AT_ONCE = 4 };

struct dropping {
	uint64_t before_s;
	size_t count;
	uint8_t ids[DROPPED_AT_ONCE][ID_SIZE];
};

static int find_over(void *arg, uint64_t not_after_s, const uint8_t serial[RECORDS_SERIAL_SIZE],
                     struct error *err)
{
	struct dropping *d = arg;
	(void)err;
	if (not_after_s >= d->before_s || d->count == DROPPED_AT_ONCE)
		return CELLA_ECANCELED; /* the rest end later */
	id_of(not_after_s, serial, d->ids[d->count++]);
	return 0;
}

int records_certificate_drop(struct records *r, uint64_t before_s, struct error *err)
{
	struct dropping d = {.before_s = before_s};
	int rc = records_certificate_list(r, find_over, &d, err);
	if (rc == CELLA_ECANCELED)
		rc = 0;
	for (size_t i = 0; rc == 0 && i < d.count; i++)
		rc = records_remove(r, RECORDS_CERTIFICATE, d.ids[i], ID_SIZE, "certificate", err);
	return rc;
}
