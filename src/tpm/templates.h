/* The public areas that keys are made from (src/tpm/device.h says why they are these). */
#ifndef TPM_TEMPLATES_H
#define TPM_TEMPLATES_H

#include <tss2/tss2_tpm2_types.h>

void template_ek_rsa(TPM2B_PUBLIC *to);
void template_ek_ecc(TPM2B_PUBLIC *to);
void template_ak(TPM2B_PUBLIC *to);

#endif
