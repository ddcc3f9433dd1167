/*
 * Sealed objects: the one primitive for everything outside a cell (task data, invocations,
 * results, standard streams, messages).
 *
 * A sealed object is header || ciphertext || tag (seal/seal_format.h). Each has its own key:
 * HKDF-Expand(data key, "cella object" || header), where the header holds a fresh random
 * 16-byte salt, so no nonce can repeat under retries, restarts or resumed snapshots. The header
 * and the caller's additional data are authenticated. A reader passes the identity that it
 * expects.
 *
 * Sealed objects may lie in memory that others write to while they are sealed or opened. What is
 * sealed is hashed and tagged in private memory and only then copied out; what is opened is
 * copied once, the header first, the ciphertext into the caller's buffer, and hashed and
 * decrypted there. Nothing is released before the tag verifies: the buffer is wiped if it fails.
 */
#ifndef SEAL_SEAL_H
#define SEAL_SEAL_H

#include <stdint.h>

#include "base/error.h"
#include "crypto/crypto.h"

enum seal_kind {
	SEAL_KIND_DATA = 1,       /* a version of a task datum */
	SEAL_KIND_INVOCATION = 2, /* a task's arguments */
	SEAL_KIND_FAILURE = 3,    /* why a task failed */
	SEAL_KIND_STREAM = 4,     /* a record of a standard stream */
	SEAL_KIND_EXIT = 5,       /* how a program ended */
	SEAL_KIND_SNAPSHOT = 6,   /* a part of a snapshot (cell/snapshot/format.h) */
	SEAL_KIND_KEEPER = 7,     /* a question to a volume's root keeper, or its answer */
};

/* What a sealed object is; all of it is authenticated. */
struct seal_id {
	uint16_t kind;    /* enum seal_kind */
	uint64_t object;  /* unique in the session for its kind */
	uint64_t version; /* of the object; a stream's record number */
	uint32_t attempt; /* of the task that made it; 0 otherwise */
	uint64_t extra;   /* the kind's own authenticated word (see docs/protocols/tasks.md) */
};

enum { SEAL_OVERHEAD = 88 }; /* header 72 + tag 16; static_assert in seal_format.h */
static inline size_t seal_size(size_t plain_size)
{
	return plain_size + SEAL_OVERHEAD;
}

/* A session's data key with everything derived from it. Lives in protected memory. */
struct seal_session;
int seal_session_new(const uint8_t data_key[CRYPTO_KEY_SIZE], struct seal_session **ret_session,
                     struct error *err) must_check;
void seal_session_free(struct seal_session *session);

/* `out` has room for seal_size(size) bytes and may lie in untrusted memory, but not overlap `in`. */
int seal_object(struct seal_session *session, const struct seal_id *id, const void *aad, size_t aad_size,
                const void *in, size_t size, uint8_t *out, struct error *err) must_check;

/* The identity and plaintext size that the header of an untrusted sealed object claims (nothing
 * is verified but the form), to size the buffer. CELLA_EFORMAT. */
int seal_peek(const uint8_t *in, size_t size, struct seal_id *ret_id, size_t *ret_plain_size,
              struct error *err) must_check;

/* `expected` is compared whole with the header; `out` has `out_size` bytes, which must be the
 * plaintext's size; it lies in protected memory and does not overlap `in`. CELLA_EFORMAT if it is
 * no sealed object, CELLA_EAUTH if the identity, the size or the tag does not hold; `out` is zero
 * then. */
int seal_open(struct seal_session *session, const struct seal_id *expected, const void *aad, size_t aad_size,
              const uint8_t *in, size_t size, uint8_t *out, size_t out_size, struct error *err) must_check;

/* The receipt for a finished task: PRF(receipt key, task || status || constant), 16 bytes.
 * Receipts of many tasks are added modulo 2^128 (aggregate MAC: Katz and Lindell 2008), so that
 * one sum proves that all finished. */
struct seal_receipt {
	uint64_t low, high;
};
int seal_receipt_make(struct seal_session *session, uint64_t task, uint32_t status,
                      struct seal_receipt *ret_receipt, struct error *err) must_check;
static inline void seal_receipt_add(struct seal_receipt *to, const struct seal_receipt *r)
{
	to->low += r->low;
	to->high += r->high + (to->low < r->low);
}

#endif
