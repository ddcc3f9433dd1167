#include "attest/lease.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "mem/mem.h"

/* ---- the launcher's statement */

int lease_keep_pair(const struct crypto_signer *launcher, uint32_t memory_level,
                    struct crypto_key_pair *ret_pair, struct error *err)
{
	uint8_t info[sizeof(LEASE_KEEP_LABEL) + sizeof(memory_level)];
	memcpy(info, LEASE_KEEP_LABEL, sizeof(LEASE_KEEP_LABEL));
	memcpy(info + sizeof(LEASE_KEEP_LABEL), &memory_level, sizeof(memory_level));
	return crypto_x25519_derive(launcher->private_key, info, sizeof(info), ret_pair, err);
}

static void put_signed(struct buf *to, const void *bytes)
{
	buf_put(to, LEASE_KEEP_LABEL, sizeof(LEASE_KEEP_LABEL));
	buf_put(to, bytes, LEASE_KEEP_SIZE - CRYPTO_SIGNATURE_SIZE);
}

int lease_keep_write(const struct lease_keep *keep, const struct crypto_signer *launcher,
                     uint8_t ret_bytes[LEASE_KEEP_SIZE], struct error *err)
{
	cleanup_buf struct buf bytes = {0}, said = {0};
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	buf_put(&bytes, keep->public_key, sizeof(keep->public_key));
	buf_put(&bytes, keep->boot, sizeof(keep->boot));
	buf_put_u64(&bytes, keep->time_s);
	buf_put_u32(&bytes, keep->memory_level);
	if (!bytes.failed)
		put_signed(&said, bytes.data);
	if (bytes.failed || said.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a launcher's statement");
	int rc = crypto_sign(launcher, said.data, said.size, signature, err);
	if (rc < 0)
		return rc;
	memcpy(ret_bytes, bytes.data, bytes.size);
	memcpy(ret_bytes + bytes.size, signature, sizeof(signature));
	return 0;
}

int lease_keep_decode(const void *data, size_t size, struct lease_keep *ret_keep, struct error *err)
{
	struct lease_keep keep;
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	struct reader r = reader_of(data, size);
	reader_copy(&r, keep.public_key, sizeof(keep.public_key));
	reader_copy(&r, keep.boot, sizeof(keep.boot));
	keep.time_s = reader_u64(&r);
	keep.memory_level = reader_u32(&r);
	reader_copy(&r, signature, sizeof(signature));
	if (!reader_finished(&r) || keep.memory_level >= MEM_LEVELS)
		return error_set(err, CELLA_EFORMAT,
		                 "these %zu bytes are no launcher's statement of its keep key", size);
	*ret_keep = keep;
	return 0;
}

int lease_keep_read(const void *data, size_t size, const uint8_t launcher[CRYPTO_ED25519_SIZE],
                    struct lease_keep *ret_keep, struct error *err)
{
	cleanup_buf struct buf said = {0};
	struct lease_keep keep;
	int rc = lease_keep_decode(data, size, &keep, err);
	if (rc < 0)
		return rc;
	put_signed(&said, data);
	if (said.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a launcher's statement");
	rc = crypto_verify(launcher, said.data, said.size,
	                   (const uint8_t *)data + LEASE_KEEP_SIZE - CRYPTO_SIGNATURE_SIZE, err);
	if (rc < 0)
		return error_prefix(err, rc, "the launcher's statement of its keep key: ");
	*ret_keep = keep;
	return 0;
}

/* ---- the lease */

void lease_fill(struct lease *l, const struct evidence *e, const struct lease_keep *keep, uint64_t offline_s)
{
	*l = (struct lease){.memory_level = e->memory_level,
	                    .isolation = e->isolation,
	                    .host = e->host,
	                    .from_s = keep->time_s,
	                    .offline_s = offline_s};
	memcpy(l->launcher, e->launcher, sizeof(l->launcher));
	memcpy(l->executor, e->executor, sizeof(l->executor));
	memcpy(l->cell, e->cell, sizeof(l->cell));
	memcpy(l->builder, e->builder, sizeof(l->builder));
	memcpy(l->boot, keep->boot, sizeof(l->boot));
}

int lease_write_head(const struct lease *l, uint8_t ret_bytes[LEASE_HEAD_SIZE], struct error *err)
{
	cleanup_buf struct buf b = {0};
	buf_put_u32(&b, LEASE_VERSION);
	buf_put(&b, l->launcher, sizeof(l->launcher));
	buf_put(&b, l->executor, sizeof(l->executor));
	buf_put(&b, l->cell, sizeof(l->cell));
	buf_put(&b, l->builder, sizeof(l->builder));
	buf_put_u32(&b, l->memory_level);
	buf_put_u32(&b, l->isolation);
	buf_put_u32(&b, l->host);
	buf_put(&b, l->boot, sizeof(l->boot));
	buf_put_u64(&b, l->from_s);
	buf_put_u64(&b, l->offline_s);
	buf_put_u32(&b, (uint32_t)l->grant_size);
	if (b.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a lease");
	assert(b.size == LEASE_HEAD_SIZE);
	memcpy(ret_bytes, b.data, LEASE_HEAD_SIZE);
	return 0;
}

int lease_read(const void *data, size_t size, struct lease *ret_lease, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct lease l = {0};
	const uint32_t version = reader_u32(&r);
	if (!r.failed && version != LEASE_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED, "a lease of version %u, this program knows %d",
		                 version, LEASE_VERSION);
	reader_copy(&r, l.launcher, sizeof(l.launcher));
	reader_copy(&r, l.executor, sizeof(l.executor));
	reader_copy(&r, l.cell, sizeof(l.cell));
	reader_copy(&r, l.builder, sizeof(l.builder));
	l.memory_level = reader_u32(&r);
	l.isolation = reader_u32(&r);
	l.host = reader_u32(&r);
	reader_copy(&r, l.boot, sizeof(l.boot));
	l.from_s = reader_u64(&r);
	l.offline_s = reader_u64(&r);
	l.grant = reader_blob(&r, &l.grant_size);
	if (!reader_finished(&r) || l.offline_s > LEASE_OFFLINE_MAX_S || l.memory_level >= MEM_LEVELS)
		return error_set(err, CELLA_EFORMAT, "these %zu bytes are no lease", size);
	*ret_lease = l;
	return 0;
}

/* ---- judging it */

static void printf_like(2, 3) add_reason(struct buf *reasons, const char *format, ...)
{
	char line[300];
	va_list args;
	va_start(args, format);
	int size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (reasons->size)
		buf_put(reasons, "; ", 2);
	buf_put(reasons, line, min_of((size_t)size, sizeof(line) - 1));
}

static void demand_same(struct buf *reasons, const char *what, const void *of_lease, const void *found,
                        size_t size)
{
	if (!crypto_equal(of_lease, found, size))
		add_reason(reasons, "%s: another than the one that it was given for", what);
}

static void demand_bits(struct buf *reasons, const char *what, uint32_t wanted, uint32_t found,
                        const char *names(uint32_t bits, char *to, size_t size))
{
	char text[200];
	if (wanted & ~found)
		add_reason(reasons, "%s: there is no %s, as there was then", what,
		           names(wanted & ~found, text, sizeof(text)));
}

int lease_judge(const struct lease *l, const struct evidence *e, const uint8_t boot[LEASE_BOOT_SIZE],
                uint64_t now_s, struct error *err)
{
	cleanup_buf struct buf reasons = {0};
	demand_same(&reasons, "launcher", l->launcher, e->launcher, sizeof(l->launcher));
	demand_same(&reasons, "executor", l->executor, e->executor, sizeof(l->executor));
	demand_same(&reasons, "cell", l->cell, e->cell, sizeof(l->cell));
	demand_same(&reasons, "builder", l->builder, e->builder, sizeof(l->builder));
	if (!mem_level_covers((enum mem_level)e->memory_level, (enum mem_level)l->memory_level))
		add_reason(&reasons, "memory_level: %s, it was %s then",
		           mem_level_name((enum mem_level)e->memory_level),
		           mem_level_name((enum mem_level)l->memory_level));
	demand_bits(&reasons, "isolation", l->isolation, e->isolation, evidence_isolation_names);
	demand_bits(&reasons, "host", l->host, e->host, evidence_host_names);
	buf_put(&reasons, "", 1);
	if (reasons.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to judge a lease");
	if (reasons.size > 1)
		return error_set(err, CELLA_EAUTH, "the offline lease is not for this executor: %s",
		                 (const char *)reasons.data);
	if (!crypto_equal(l->boot, boot, sizeof(l->boot)))
		return error_set(
			err, CELLA_EPERM,
			"the offline lease has ended: the machine was started anew, or it is another");
	if (now_s < l->from_s || now_s - l->from_s >= l->offline_s)
		return error_set(err, CELLA_EPERM, "the offline lease has ended, after %" PRIu64 " s",
		                 l->offline_s);
	return 0;
}
