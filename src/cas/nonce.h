/*
 * Nonces that the CAS gives and does not remember: u64 milliseconds since 1970, 8 random bytes, and a MAC of
 * these under a key of this run. Of evidence they say when it was asked for.
 */
#ifndef CAS_NONCE_H
#define CAS_NONCE_H

#include "cas/service.h"

/* cas_nonce is declared in cas/attest.h. */

struct nonce_age {
	bool own;    /* of this CAS, in this run; what follows is 0 if not */
	uint64_t ms; /* when it was given */
	int64_t age_s; /* negative: the clock went back */
	bool ahead; /* by more than a second: the clock went back */
};
int nonce_look(const struct cas *cas, const uint8_t nonce[CAS_NONCE_SIZE], struct nonce_age *ret_age,
               struct error *err) must_check;

#endif
