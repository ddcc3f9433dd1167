/*
 * An offline lease: a grant (cell/provision.h) that a CAS lets a node keep, so that a service starts there
 * while the CAS cannot be reached (docs/protocols/cas.md has what that is worth).
 *
 * The launcher has a *keep key*, an X25519 pair that it derives from its own key, and says in a signed
 * *statement* which one that is, and when, by a clock that nobody sets: seconds since the machine was
 * started, and which start that was. The CAS seals the lease to that key, with what it has judged the
 * executor by. The launcher opens it for an executor that it has started itself, whose evidence states no
 * less, until its end, and seals the grant on to that executor. In between it lies anywhere.
 *
 * Statement, LEASE_KEEP_SIZE bytes (integers are little-endian):
 *      0    32  public key     X25519
 *     32    16  boot           the kernel's id of this start of the machine
 *     48     8  time           seconds since then (CLOCK_BOOTTIME)
 *     56     4  memory level   of the launcher's own memory, in which it opens leases
 *     60    64  signature      Ed25519 of LEASE_KEEP_LABEL with its zero byte, and the 60 bytes before
 *
 * Lease, under HPKE (info LEASE_INFO) to the public key:
 *      0     4  version        1
 *      4    32  launcher       whose statement it was
 *     36    48  executor       what the evidence said that was granted
 *     84    48  cell
 *    132    32  builder
 *    164     4  memory level
 *    168     4  isolation
 *    172     4  host
 *    176    16  boot           of the statement
 *    192     8  from           its time
 *    200     8  offline        seconds that it may be used from then on
 *    208     -  grant          u32 size, bytes
 */
#ifndef ATTEST_LEASE_H
#define ATTEST_LEASE_H

#include "attest/evidence.h"

#define LEASE_INFO "cella lease 1"
#define LEASE_KEEP_LABEL "cella las keep 1"

enum {
	LEASE_VERSION = 1,
	LEASE_BOOT_SIZE = 16,
	LEASE_KEEP_SIZE = 124,
	LEASE_HEAD_SIZE = 212, /* all but the grant */
	LEASE_OFFLINE_MAX_S = 31 * 86400,
};

struct lease_keep {
	uint8_t public_key[CRYPTO_X25519_SIZE];
	uint8_t boot[LEASE_BOOT_SIZE];
	uint64_t time_s;
	uint32_t memory_level; /* enum mem_level */
};
/* The pair that belongs to a launcher's key, in memory of this level: a launcher without secret memory
 * cannot open what is for one that has it. */
int lease_keep_pair(const struct crypto_signer *launcher, uint32_t memory_level,
                    struct crypto_key_pair *ret_pair, struct error *err) must_check;
/* Signs; of the statement's key. */
int lease_keep_write(const struct lease_keep *keep, const struct crypto_signer *launcher,
                     uint8_t ret_bytes[LEASE_KEEP_SIZE], struct error *err) must_check;
/* Whatever it says, whoever signed it. CELLA_EFORMAT: of another size. */
int lease_keep_decode(const void *data, size_t size, struct lease_keep *ret_keep,
                      struct error *err) must_check;
/* CELLA_EFORMAT: of another size; CELLA_EAUTH: not signed by this launcher. */
int lease_keep_read(const void *data, size_t size, const uint8_t launcher[CRYPTO_ED25519_SIZE],
                    struct lease_keep *ret_keep, struct error *err) must_check;

struct lease {
	uint8_t launcher[CRYPTO_ED25519_SIZE];
	uint8_t executor[CRYPTO_SHA384_SIZE], cell[CRYPTO_SHA384_SIZE];
	uint8_t builder[CRYPTO_ED25519_SIZE];
	uint32_t memory_level, isolation, host;
	uint8_t boot[LEASE_BOOT_SIZE];
	uint64_t from_s, offline_s;
	const uint8_t *grant;
	size_t grant_size;
};
/* For what this evidence was granted, from this statement on. */
void lease_fill(struct lease *l, const struct evidence *e, const struct lease_keep *keep, uint64_t offline_s);
/* Everything but the grant's bytes, no secret. */
int lease_write_head(const struct lease *l, uint8_t ret_bytes[LEASE_HEAD_SIZE], struct error *err) must_check;
/* The grant points into `data`. CELLA_EFORMAT, CELLA_EUNSUPPORTED. */
int lease_read(const void *data, size_t size, struct lease *ret_lease, struct error *err) must_check;

/* May this executor have it, now? CELLA_EAUTH with every reason against it; CELLA_EPERM: it has ended. */
int lease_judge(const struct lease *l, const struct evidence *e, const uint8_t boot[LEASE_BOOT_SIZE],
                uint64_t now_s, struct error *err) must_check;

#endif
