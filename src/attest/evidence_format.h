/*
 * Evidence on the wire, version 1. Integers are little-endian; the size is fixed.
 *
 *   offset  size
 *        0     8  magic "CELLAEVD"
 *        8     4  version (1)
 *       12    32  launcher's Ed25519 public key
 *       44    48  SHA-384 of the executor's binary
 *       92    32  executor's X25519 public key
 *      124    32  verifier's nonce
 *      156     4  memory level
 *      160     4  isolation bits
 *      164     4  host bits
 *      168     4  user id of the executor
 *      172     8  heap, bytes
 *      180     8  time, seconds
 *      188    64  kernel release, padded with NUL
 *      252    16  machine class, padded with NUL
 *      268    64  Ed25519 signature of everything before it
 *
 * The form is canonical: each evidence has exactly one encoding. Strings end inside their field and
 * are followed by NULs only, bits that this version does not know are zero. The magic sets what is
 * signed here apart from everything else that a launcher's key may ever sign.
 */
#ifndef ATTEST_EVIDENCE_FORMAT_H
#define ATTEST_EVIDENCE_FORMAT_H

#include <assert.h>

#include "attest/evidence.h"

#define EVIDENCE_MAGIC "CELLAEVD"

enum {
	EVIDENCE_VERSION = 1,
	EVIDENCE_MAGIC_SIZE = 8,
	EVIDENCE_NONCE_SIZE = 32,
	EVIDENCE_KERNEL_SIZE = 64,
	EVIDENCE_MACHINE_SIZE = 16,
	EVIDENCE_BODY_SIZE = 268,
	EVIDENCE_SIZE = EVIDENCE_BODY_SIZE + CRYPTO_SIGNATURE_SIZE,
	EVIDENCE_ISOLATION_ALL = (EVIDENCE_NO_NEW_PRIVS << 1) - 1,
	EVIDENCE_HOST_ALL = (EVIDENCE_KEXEC_DISABLED << 1) - 1,
};

static_assert(EVIDENCE_BODY_SIZE == EVIDENCE_MAGIC_SIZE + 4 + CRYPTO_ED25519_SIZE + CRYPTO_SHA384_SIZE +
                                            CRYPTO_X25519_SIZE + EVIDENCE_NONCE_SIZE + 4 * 4 + 2 * 8 +
                                            EVIDENCE_KERNEL_SIZE + EVIDENCE_MACHINE_SIZE,
              "the table above");
static_assert(sizeof(((struct evidence *)0)->nonce) == EVIDENCE_NONCE_SIZE, "nonce");
static_assert(sizeof(((struct evidence *)0)->kernel) == EVIDENCE_KERNEL_SIZE, "kernel");
static_assert(sizeof(((struct evidence *)0)->machine) == EVIDENCE_MACHINE_SIZE, "machine");

#endif
