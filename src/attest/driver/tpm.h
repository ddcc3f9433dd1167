/*
 * A machine's own TPM, beside the evidence that its driver gets: activation of credentials, at an enrolment.
 *
 * tpm2-tss is in none of Cella's programs but cella-tpm, a small one that is started for each question and
 * lies beside the running one: the launcher and the agent are static, where tpm2-tss loads its transports;
 * the others would start more slowly for something that few machines ask; and what parses a device's bytes
 * holds no keys.
 * CELLA_TPM names the TPM as tpm2-tss does ("swtpm:path=…"); without it the kernel's, device:/dev/tpmrm0.
 */
#ifndef ATTEST_DRIVER_TPM_H
#define ATTEST_DRIVER_TPM_H

#include "attest/tpm/credential.h"

#define TPM_DEVICE "/dev/tpmrm0"

/* The secret that a verifier wrapped for this machine's EK and AK (attest/tpm/credential.h). CELLA_EAUTH if
 * they are others; CELLA_ENOENT, CELLA_EPERM, CELLA_EIO. */
int driver_tpm_activate(const struct tpm_credential *credential, struct buf *ret_secret,
                        struct error *err) must_check;

#endif
