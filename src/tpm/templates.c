#include "tpm/templates.h"

#include <string.h>

enum { UNIQUE_RSA = 256, UNIQUE_ECC = 32 };

/* TPM2_PolicySecret(TPM_RH_ENDORSEMENT), of TCG's EK Credential Profile, annex B. */
static const uint8_t ek_policy[] = {0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc,
                                    0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52,
                                    0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa};

static const TPMA_OBJECT ek_attributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
                                         TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_ADMINWITHPOLICY |
                                         TPMA_OBJECT_RESTRICTED | TPMA_OBJECT_DECRYPT;

static void begin_ek(TPMI_ALG_PUBLIC type, TPM2B_PUBLIC *to)
{
	memset(to, 0, sizeof(*to));
	to->publicArea.type = type;
	to->publicArea.nameAlg = TPM2_ALG_SHA256;
	to->publicArea.objectAttributes = ek_attributes;
	to->publicArea.authPolicy.size = sizeof(ek_policy);
	memcpy(to->publicArea.authPolicy.buffer, ek_policy, sizeof(ek_policy));
	TPMT_SYM_DEF_OBJECT *symmetric = &to->publicArea.parameters.asymDetail.symmetric;
	symmetric->algorithm = TPM2_ALG_AES;
	symmetric->keyBits.aes = 128;
	symmetric->mode.aes = TPM2_ALG_CFB;
}

void template_ek_rsa(TPM2B_PUBLIC *to)
{
	begin_ek(TPM2_ALG_RSA, to);
	to->publicArea.parameters.rsaDetail.scheme.scheme = TPM2_ALG_NULL;
	to->publicArea.parameters.rsaDetail.keyBits = 2048;
	to->publicArea.unique.rsa.size = UNIQUE_RSA;
}

void template_ek_ecc(TPM2B_PUBLIC *to)
{
	begin_ek(TPM2_ALG_ECC, to);
	TPMS_ECC_PARMS *parameters = &to->publicArea.parameters.eccDetail;
	parameters->scheme.scheme = TPM2_ALG_NULL;
	parameters->curveID = TPM2_ECC_NIST_P256;
	parameters->kdf.scheme = TPM2_ALG_NULL;
	to->publicArea.unique.ecc.x.size = UNIQUE_ECC;
	to->publicArea.unique.ecc.y.size = UNIQUE_ECC;
}

void template_ak(TPM2B_PUBLIC *to)
{
	static const char unique[] = "Cella attestation key 1";
	memset(to, 0, sizeof(*to));
	to->publicArea.type = TPM2_ALG_ECC;
	to->publicArea.nameAlg = TPM2_ALG_SHA256;
	to->publicArea.objectAttributes = TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
	                                  TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
	                                  TPMA_OBJECT_NODA | TPMA_OBJECT_RESTRICTED |
	                                  TPMA_OBJECT_SIGN_ENCRYPT;
	TPMS_ECC_PARMS *parameters = &to->publicArea.parameters.eccDetail;
	parameters->symmetric.algorithm = TPM2_ALG_NULL;
	parameters->scheme.scheme = TPM2_ALG_ECDSA;
	parameters->scheme.details.ecdsa.hashAlg = TPM2_ALG_SHA256;
	parameters->curveID = TPM2_ECC_NIST_P256;
	parameters->kdf.scheme = TPM2_ALG_NULL;
	to->publicArea.unique.ecc.x.size = UNIQUE_ECC;
	to->publicArea.unique.ecc.y.size = UNIQUE_ECC;
	memcpy(to->publicArea.unique.ecc.x.buffer, unique, sizeof(unique) - 1);
}
