/*
 * Evidence of real hardware, verified: what every kind shares.
 *
 * Roles as RFC 9334: the hardware attests, this verifies. A verification is a pure function of what it is
 * given: no file, no clock, no network, no store of trusted certificates but the makers' roots, which are
 * pinned in the code by the hashes of their keys. It gives *claims*, what the evidence says, and *checks*,
 * what was asked of it and how it came out: all of them, in order, also behind the first that failed.
 * Evidence is accepted if no check failed.
 *
 * An error is something else than a refusal: CELLA_EFORMAT where the evidence (or a policy, a certificate, a
 * piece of collateral) is not understood at all, CELLA_ENOMEM. Nothing else is an error.
 *
 * A kind is one row of tee_kinds (tee.c) and the files src/attest/KIND*.c.
 */
#ifndef ATTEST_TEE_H
#define ATTEST_TEE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum tee_kind { TEE_SNP, TEE_TDX, TEE_SGX, TEE_TPM, TEE_AZURE, TEE_KINDS };

enum {
	TEE_EVIDENCE_MAX = 1 << 20,   /* bytes */
	TEE_BLOB_MAX = 16 << 20,      /* of a certificate file, a piece of collateral, an event log */
	TEE_BLOBS_MAX = 32,           /* certificate files; pieces of collateral */
	TEE_REPORT_DATA_MAX = 64,     /* bytes of report data, or of a nonce */
	TEE_POLICY_MAX = 64 << 10,    /* bytes of a policy's text */
};

/* Bytes that somebody else owns. `name` is for texts, such as the file's, or NULL. */
struct tee_blob {
	const void *data;
	size_t size;
	const char *name;
};

struct vendor_root; /* crypto/vendor_cert.h */
struct tee_policy; /* read by tee_policy_read, of one kind */
struct tee_chains;

struct tee_input {
	enum tee_kind kind;
	struct tee_blob evidence;         /* binary */
	const struct tee_blob *certs;     /* each DER, PEM or hexadecimal text */
	size_t cert_count;
	const struct tee_blob *collateral; /* each what its kind documents; CRLs also count here */
	size_t collateral_count;
	const struct tee_blob *event_logs; /* binary; a kind that takes several tells them apart */
	size_t event_log_count;
	const uint8_t *report_data;       /* NULL: not asked */
	size_t report_data_size;          /* shorter than the field: it is to be followed by zeros */
	const char *product; /* for tee_sources, of what does not tell: "Milan"; NULL: not known */
	int64_t time; /* of the verification, seconds since 1970 in UTC */
	const struct tee_policy *policy; /* NULL: the defaults. Of the same kind */
	struct tee_chains *chains; /* NULL: nothing is remembered */
	/* For tests and measurements, which sign evidence themselves. NULL: the makers' roots, pinned
	 * in the code. */
	const struct vendor_root *test_roots;
	size_t test_root_count;
};

enum tee_status { TEE_PASSED, TEE_WARNED, TEE_FAILED };
const char *tee_status_name(enum tee_status status); /* "passed", "warned", "failed" */

struct tee_claim {
	const char *name; /* "tcb.reported.snp"; lower case, dots and '_' */
	const char *value; /* printable ASCII; bytes as lower-case hexadecimal */
	const char *meaning; /* for a person; "" if the name says it */
};

struct tee_check {
	const char *name;
	enum tee_status status;
	const char *wanted;
	const char *found;
};

/* Zeroed, it is empty and valid. Its texts live until tee_verdict_done. */
struct tee_verdict {
	struct tee_claim *claims;
	size_t claim_count, claim_capacity;
	struct tee_check *checks;
	size_t check_count, check_capacity;
	size_t failed_count, warned_count;
	struct tee_text *texts; /* the storage of the strings */
	bool no_memory; /* sticky; tee_verify turns it into CELLA_ENOMEM */
};
void tee_verdict_done(struct tee_verdict *verdict);
static inline bool tee_accepted(const struct tee_verdict *verdict)
{
	return verdict->failed_count == 0 && verdict->check_count > 0 && !verdict->no_memory;
}
const struct tee_claim *tee_claim_named(const struct tee_verdict *verdict, const char *name); /* or NULL */
/* The first of that name, or NULL. */
const struct tee_check *tee_check_named(const struct tee_verdict *verdict, const char *name);

/* ---- the two things that can be asked ---- */

/* *ret_verdict is zeroed before the call; after an error it is empty again. */
int tee_verify(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err) must_check;
/* Claims alone: of evidence that may be anybody's. */
int tee_show(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err) must_check;

/* What its maker publishes that a verification of this evidence needs: a claim for each, whose name is a
 * file's and whose value is an address; of what is needed and is nowhere to be had, nor among the
 * certificates, a check that warns, and says why. CELLA_EINVAL: that depends on what is not known, such as
 * the product; CELLA_EUNSUPPORTED: nobody publishes anything about this kind. */
int tee_sources(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err) must_check;

/* ---- kinds ---- */

struct tee_kind_row {
	const char *name; /* "snp" */
	const char *title; /* "AMD SEV-SNP" */
	int (*verify)(const struct tee_input *input, struct tee_verdict *verdict, struct error *err);
	int (*show)(const struct tee_input *input, struct tee_verdict *verdict, struct error *err);
	/* NULL: there is nothing. */
	int (*sources)(const struct tee_input *input, struct tee_verdict *verdict, struct error *err);
	/* A zeroed policy means the defaults nowhere: policy_init makes them. */
	size_t policy_size;
	void (*policy_init)(void *policy);
	const struct policy_object *policy; /* its members, attest/policy.h */
	/* As tee_policy_open. No function: a policy of this kind leaves everything open. */
	const char *(*policy_open)(const void *policy);
};
/* The row of a kind, NULL if this build does not verify it yet. */
const struct tee_kind_row *tee_kind_of(enum tee_kind kind);
/* CELLA_EINVAL with the nearest name. */
int tee_kind_parse(const char *name, enum tee_kind *ret_kind, struct error *err) must_check;

/* ---- policies: JSON, strict; docs/how-to/evidence.md has each kind's members ---- */

int tee_policy_read(enum tee_kind kind, const void *json, size_t size, struct tee_policy **ret_policy,
                    struct error *err) must_check;
/* Members of a further policy take the place of those that are there. After a failure it is of no use. */
int tee_policy_add(struct tee_policy *policy, const void *json, size_t size, struct error *err) must_check;
/* Of a kind's structure, of which a kind that consists of others has a copy. */
int tee_policy_copy(enum tee_kind kind, const void *body, struct tee_policy **ret_policy,
                    struct error *err) must_check;
void tee_policy_free(struct tee_policy *policy);
/* What it leaves open of what runs on a machine whose evidence it accepts, for a person; NULL: nothing, so
 * that the evidence stands for itself and needs nobody's word beside it. */
const char *tee_policy_open(const struct tee_policy *policy);
/* What a kind's own files use: its structure, of policy_size bytes; the defaults for NULL are written to
 * `defaults` and that is given. */
const void *tee_policy_of(const struct tee_policy *policy, enum tee_kind kind, void *defaults);

/* ---- what the kinds' own files use to give their verdict ---- */

/* A string that lives as long as the verdict; "" when memory ran out (sticky). Not printable bytes become
 * '?'. */
const char *tee_text(struct tee_verdict *verdict, const char *format, ...) printf_like(2, 3);
const char *tee_hex(struct tee_verdict *verdict, const void *bytes, size_t size);
/* 2026-11-29T03:17:00Z. */
const char *tee_time_text(struct tee_verdict *verdict, int64_t time);

/* `name` and `meaning` are constants or of tee_text. */
void tee_claim(struct tee_verdict *verdict, const char *name, const char *meaning, const char *format, ...)
	printf_like(4, 5);
void tee_claim_hex(struct tee_verdict *verdict, const char *name, const char *meaning, const void *bytes,
                   size_t size);
/* `wanted` is a constant or of tee_text; what follows is what was found. */
void tee_check(struct tee_verdict *verdict, const char *name, enum tee_status status, const char *wanted,
               const char *format, ...) printf_like(5, 6);
/* Passed if `holds`, else failed. */
#define tee_demand(verdict, name, holds, wanted, ...) \
	tee_check(verdict, name, (holds) ? TEE_PASSED : TEE_FAILED, wanted, __VA_ARGS__)
/* Failed: it could not be looked at, `because`. */
void tee_unchecked(struct tee_verdict *verdict, const char *name, const char *wanted, const char *because);

/* ---- what a caller remembers between verifications ---- */

/*
 * Results that depend on nothing but bytes (never on time, policy or nonce), by the hash of these bytes: a
 * chain whose signatures were checked, collateral that was parsed. The least recently used goes when it is
 * full. One thread.
 */
int tee_chains_new(size_t capacity, struct tee_chains **ret_chains, struct error *err) must_check;
void tee_chains_free(struct tee_chains *chains);

enum { TEE_KEY_SIZE = 48 };
/* The hash of a list of blobs under a label, such as "snp chain": no two lists hash alike. */
int tee_chains_key(const char *label, const struct tee_blob *blobs, size_t count,
                   uint8_t ret_key[TEE_KEY_SIZE], struct error *err) must_check;
/* Borrowed until the next tee_chains_put; NULL: not there, or no chains. */
void *tee_chains_get(struct tee_chains *chains, const uint8_t key[TEE_KEY_SIZE]);
/* Takes `value` over, which is freed with `free_value`. Where it fails `value` stays the caller's. */
int tee_chains_put(struct tee_chains *chains, const uint8_t key[TEE_KEY_SIZE], void *value,
                   void (*free_value)(void *value), struct error *err) must_check;

/* ---- files as people have them ---- */

/* Appends the bytes of a file that holds hexadecimal text (digits in either case, white space, a leading 0x),
 * or the file as it is if it is anything else. CELLA_ENOMEM. */
int tee_file_bytes(const void *file, size_t size, struct buf *ret, struct error *err) must_check;

#endif
