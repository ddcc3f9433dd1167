/*
 * Evidence as an EAT: a JWS of typ "eat+jwt", whose kid is the launcher's Ed25519 public key in base64url,
 * and whose claims these tables name. docs/protocols/evidence.md says what each means.
 *
 * The submodule `launcher` is what the launcher knows, `measured` in it what it has measured of its child;
 * the submodule `executor` is what that child has stated and the launcher repeats. Registered claims stand
 * where they fit: eat_nonce, eat_profile, submods (RFC 9711), iat (RFC 7519), cnf (RFC 7800) with an OKP
 * key (RFC 8037). The others are the profile's own.
 */
#ifndef ATTEST_EVIDENCE_FORMAT_H
#define ATTEST_EVIDENCE_FORMAT_H

#include <assert.h>
#include <stddef.h>

#include "attest/claims.h"
#include "attest/evidence.h"

#define EVIDENCE_TYPE "eat+jwt" /* RFC 9782 */
#define EVIDENCE_PROFILE "cella:evidence:1"

enum {
	EVIDENCE_ISOLATION_ALL = (EVIDENCE_NO_NEW_PRIVS << 1) - 1,
	EVIDENCE_HOST_ALL = (EVIDENCE_KEXEC_DISABLED << 1) - 1,
};

/* Names of the bits. */
extern const struct claims_names evidence_isolation, evidence_host;

/* A whole token's claims, into struct evidence; all but `launcher`, which the header names. */
extern const struct claims_object evidence_claims;

#endif
