/*
 * Evidence: what the launcher states about an executor that it started, signed with its key. An EAT
 * (RFC 9711) in a JWT (RFC 7519); docs/protocols/evidence.md has every claim and an example.
 *
 * Roles as RFC 9334: the launcher (LAS) attests its own child; the key source (the owner's
 * command line, or the CAS) verifies. Evidence is bound to the child's public key, to which
 * the key source then encrypts, and to the verifier's nonce.
 *
 * A verifier that has a launcher to compare with asks evidence_verify. One that knows many launchers asks
 * evidence_parse who signed and what, and judges by its own policy.
 */
#ifndef ATTEST_EVIDENCE_H
#define ATTEST_EVIDENCE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"

/* What stands around the executor; a missing bit is something that this launcher could not do. */
enum evidence_isolation {
	EVIDENCE_OWN_UID = 1 << 0, /* random, and no process visible to the launcher had it */
	EVIDENCE_USER_NAMESPACE = 1 << 1,
	EVIDENCE_MOUNT_NAMESPACE = 1 << 2, /* with an empty root */
	EVIDENCE_PID_NAMESPACE = 1 << 3,
	EVIDENCE_NET_NAMESPACE = 1 << 4,
	EVIDENCE_IPC_NAMESPACE = 1 << 5,
	EVIDENCE_UTS_NAMESPACE = 1 << 6,
	EVIDENCE_CGROUP = 1 << 7,
	EVIDENCE_NO_INHERITED_FILTER = 1 << 8, /* no seccomp filter was in force before the executor's own */
	EVIDENCE_NO_NEW_PRIVS = 1 << 9,
};

/* Facts about the host, stated by the launcher. */
enum evidence_host {
	EVIDENCE_LOCKDOWN_CONFIDENTIALITY = 1 << 0,
	EVIDENCE_YAMA_SCOPE_3 = 1 << 1,
	EVIDENCE_KEXEC_DISABLED = 1 << 2,
};

/* The names of the bits, separated by spaces ("nothing" if there are none), in `to`. */
const char *evidence_isolation_names(uint32_t bits, char *to, size_t size);
const char *evidence_host_names(uint32_t bits, char *to, size_t size);

struct evidence {
	/* Stated by the launcher about itself and its host. */
	uint8_t launcher[CRYPTO_ED25519_SIZE]; /* who signed */
	char machine[16]; /* machine class: "soft" */
	char kernel[64]; /* uname release */
	uint32_t host; /* enum evidence_host bits */
	uint64_t time_s; /* of the launcher's clock, informative */
	/* Measured by the launcher of its child. */
	uint8_t executor[CRYPTO_SHA384_SIZE]; /* digest of the executor's binary */
	uint32_t isolation; /* enum evidence_isolation bits */
	uint32_t uid;
	uint64_t heap; /* bytes that it may have */
	/* Stated by the executor over its launch socket, and repeated by the launcher. */
	uint8_t public_key[CRYPTO_X25519_SIZE]; /* the executor's */
	uint32_t memory_level; /* enum mem_level, as granted */
	uint8_t cell[CRYPTO_SHA384_SIZE]; /* identity of the cell that it holds (wasm/bundle.h) */
	uint8_t builder[CRYPTO_ED25519_SIZE]; /* of the machine code that it will load of it */

	uint8_t nonce[32]; /* the verifier's */
};

enum { EVIDENCE_SIZE_MAX = 2048 }; /* no evidence is longer */

/* Appends the token, with the signer's key as launcher (e->launcher is not read). What is not printable in a
 * text becomes '?'. CELLA_EBUG for bits, levels and numbers that evidence does not have. */
int evidence_sign(const struct evidence *e, const struct crypto_signer *launcher, struct buf *ret,
                  struct error *err) must_check;

/* What it says, if it is evidence and signed with the key that it names. Whose key that is, and whether what
 * is said will do, remains to be asked. CELLA_EFORMAT if malformed, with the member; CELLA_EAUTH if the
 * signature does not hold. */
int evidence_parse(const void *data, size_t size, struct evidence *ret_evidence,
                   struct error *err) must_check;

/* What a verifier demands. */
struct evidence_policy {
	uint8_t launcher[CRYPTO_ED25519_SIZE];
	uint8_t executor[CRYPTO_SHA384_SIZE];
	uint8_t nonce[32];
	uint8_t cell[CRYPTO_SHA384_SIZE];
	uint8_t builder[CRYPTO_ED25519_SIZE];
	uint32_t memory_level; /* at least */
	uint32_t isolation; /* these bits at least */
	uint32_t host;
};

/* CELLA_EAUTH with *every* demand that is not met in the text, each with both values. */
int evidence_check(const struct evidence *e, const struct evidence_policy *policy,
                   struct error *err) must_check;

/* evidence_parse and evidence_check. */
int evidence_verify(const void *data, size_t size, const struct evidence_policy *policy,
                    struct evidence *ret_evidence, struct error *err) must_check;

#endif
