#include "las/lease.h"

#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/provision.h"
#include "las/clock.h"

/* ---- the statement */

struct stating {
	struct lease_keep keep;
	uint8_t *to;
};

static int state_on_stack(void *data, const struct crypto_signer *signer, struct error *err)
{
	struct stating *s = data;
	struct crypto_key_pair pair;
	int rc = lease_keep_pair(signer, s->keep.memory_level, &pair, err);
	memcpy(s->keep.public_key, pair.public_key, sizeof(s->keep.public_key));
	mem_wipe(&pair, sizeof(pair));
	return rc == 0 ? lease_keep_write(&s->keep, signer, s->to, err) : rc;
}

int lease_statement(struct launcher *launcher, uint8_t ret_bytes[LEASE_KEEP_SIZE], struct error *err)
{
	struct stating s = {.keep.memory_level = signing_level(launcher->signing), .to = ret_bytes};
	int rc = clock_since_boot(s.keep.boot, &s.keep.time_s, err);
	return rc == 0 ? signing_use(launcher->signing, state_on_stack, &s, err) : rc;
}

/* ---- opening */

struct opening {
	const struct buf *sealed;
	const struct evidence *evidence;
	enum mem_level level;
	uint8_t boot[LEASE_BOOT_SIZE];
	uint64_t now_s;
	struct mem_pool *pool;
	uint8_t *plain;
	struct buf *to;
};

static int pass_on(struct opening *o, size_t size, struct error *err)
{
	struct lease lease;
	int rc = lease_read(o->plain, size, &lease, err);
	if (rc == 0)
		rc = lease_judge(&lease, o->evidence, o->boot, o->now_s, err);
	if (rc < 0)
		return rc;
	uint8_t *to = buf_reserve(o->to, lease.grant_size + CRYPTO_HPKE_OVERHEAD);
	return to ? crypto_hpke_seal(o->evidence->public_key, PROVISION_GRANT_INFO,
	                             strlen(PROVISION_GRANT_INFO), NULL, 0, lease.grant, lease.grant_size, to,
	                             err)
	          : error_set(err, CELLA_ENOMEM, "no memory for a grant");
}

static int open_on_stack(void *data, const struct crypto_signer *signer, struct error *err)
{
	struct opening *o = data;
	struct crypto_key_pair pair;
	const size_t size = o->sealed->size - CRYPTO_HPKE_OVERHEAD;
	int rc = lease_keep_pair(signer, o->level, &pair, err);
	if (rc == 0)
		rc = crypto_hpke_open(&pair, LEASE_INFO, strlen(LEASE_INFO), NULL, 0, o->sealed->data,
		                      o->sealed->size, o->plain, err);
	mem_wipe(&pair, sizeof(pair));
	if (rc == CELLA_EAUTH)
		return error_set(err, rc, "the offline lease is another launcher's, or was changed");
	return rc == 0 ? pass_on(o, size, err) : rc;
}

static int open_sealed(struct launcher *launcher, struct opening *o, struct error *err)
{
	enum { POOL_LEAST = 1 << 20, POOL_MORE = 64 << 10 };
	const size_t size = o->sealed->size - CRYPTO_HPKE_OVERHEAD;
	int rc = mem_pool_new(o->level, max_of(size + POOL_MORE, (size_t)POOL_LEAST), &o->pool, err);
	if (rc < 0)
		return error_prefix(err, rc, "opening an offline lease: ");
	o->plain = mem_alloc(o->pool, size + !size);
	rc = o->plain ? signing_use(launcher->signing, open_on_stack, o, err)
	              : error_set(err, CELLA_ENOMEM, "no protected memory for an offline lease");
	mem_free(o->pool, o->plain);
	mem_pool_free(o->pool);
	return rc;
}

int lease_open(struct launcher *launcher, const void *evidence, size_t evidence_size, int file,
               struct buf *ret_grant, struct error *err)
{
	cleanup_buf struct buf sealed = {0};
	struct evidence e;
	struct opening o = {.sealed = &sealed,
	                    .evidence = &e,
	                    .level = signing_level(launcher->signing),
	                    .to = ret_grant};
	int rc = evidence_parse(evidence, evidence_size, &e, err);
	if (rc == 0 && !crypto_equal(e.launcher, signing_public_key(launcher->signing), sizeof(e.launcher)))
		rc = error_set(err, CELLA_EAUTH, "the evidence is another launcher's");
	if (rc == 0)
		rc = clock_since_boot(o.boot, &o.now_s, err);
	if (rc == 0 && lseek(file, 0, SEEK_SET) != 0)
		rc = error_errno(err, CELLA_EIO, "cannot read the offline lease");
	if (rc == 0)
		rc = io_read_fd(file, "the offline lease", LAS_LEASE_MAX, &sealed, err);
	if (rc == 0 && sealed.size < CRYPTO_HPKE_OVERHEAD)
		rc = error_set(err, CELLA_EFORMAT, "%zu bytes are no offline lease", sealed.size);
	return rc == 0 ? open_sealed(launcher, &o, err) : rc;
}
