/* The names of host claims and isolation in sessions, one for each bit of attest/evidence.h. */
#ifndef CAS_SESSION_CLAIMS_H
#define CAS_SESSION_CLAIMS_H

#include <stddef.h>
#include <stdint.h>

enum { CLAIM_BITS_MAX = 32, CLAIM_NAME_SIZE = 64 };

struct claim_names {
	char text[CLAIM_BITS_MAX][CLAIM_NAME_SIZE];
	const char *items[CLAIM_BITS_MAX]; /* point into text */
	size_t count;
};
/* "prefix" before each. */
void claim_names_of_host(const char *prefix, struct claim_names *ret);
void claim_names_of_isolation(const char *prefix, struct claim_names *ret);

#endif
