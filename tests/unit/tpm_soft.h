/* What the files tpm_support*.c share. */
#ifndef TPM_SOFT_H
#define TPM_SOFT_H

#include <openssl/evp.h>

#include "tpm_support.h"

/* A test that cannot make what it needs stops. */
#define must(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

extern EVP_PKEY *soft_ak_keys[SOFT_KINDS], *soft_ek_keys[SOFT_EKS], *soft_root_key, *soft_other_rsa,
	*soft_other_ec, *soft_iak_key;

uint16_t soft_hash_of(enum soft_kind kind);
uint16_t soft_scheme_of(enum soft_kind kind);
/* A TPMT_SIGNATURE. */
void soft_sign(EVP_PKEY *key, uint16_t scheme, uint16_t hash, const struct buf *data, struct buf *to);

#endif
