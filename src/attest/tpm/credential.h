/*
 * Is a TPM's attestation key in the TPM whose endorsement key (EK) a maker certified? The verifier's side of
 * credential activation (TPM 2.0 library, part 1, section 24 and annexes B.10.4 and C.7.4).
 *
 *     machine  -> verifier   EK's public area and certificate, AK's public area
 *     verifier: the EK's certificate leads to a root that it trusts (policy member "ek_roots"; tpm.h),
 *               the AK's attributes are right (both: tpm_enrol), and makes a secret that it tells nobody
 *     verifier -> machine    tpm_make_credential(EK, AK's name, secret)
 *     machine: TPM2_ActivateCredential, which gives the secret up only to the TPM that holds the EK's private
 *               half, and only if it also holds a key of that name
 *     machine  -> verifier   the secret
 *     verifier: equal in constant time (crypto_equal): from then on the AK's name stands for that TPM. It is
 *               kept ("ak_names" of a policy), and this is not done again.
 *
 * A secret serves once. A verifier that lets two machines answer one challenge learns nothing.
 */
#ifndef ATTEST_TPM_CREDENTIAL_H
#define ATTEST_TPM_CREDENTIAL_H

#include "attest/tpm/format.h"
#include "base/buf.h"

enum { TPM_CREDENTIAL_SECRET_SIZE = 32 }; /* no name's hash is shorter, so that every EK takes as much */

struct tpm_credential {
	struct buf blob;   /* TPM2B_ID_OBJECT */
	struct buf secret; /* TPM2B_ENCRYPTED_SECRET */
};
static inline void tpm_credential_done(struct tpm_credential *c)
{
	buf_done(&c->blob);
	buf_done(&c->secret);
}

/*
 * `ek_public` is the EK's TPMT_PUBLIC: RSA of 2048 bits or more, or P-256, P-384, a restricted decryption
 * key with a symmetric AES in CFB. CELLA_EFORMAT if it is none; CELLA_EINVAL if the secret is longer than the
 * hash that names the EK.
 */
int tpm_make_credential(const void *ek_public, size_t ek_public_size, const struct tpm_name *ak_name,
                        const void *secret, size_t secret_size, struct tpm_credential *ret_credential,
                        struct error *err) must_check;

/* As a file: CELLACRD, then both blobs. Reading copies; CELLA_EFORMAT, CELLA_ENOMEM. */
void tpm_credential_write(const struct tpm_credential *credential, struct buf *to);
int tpm_credential_read(const void *data, size_t size, struct tpm_credential *ret_credential,
                        struct error *err) must_check;

#endif
