/*
 * Evidence of Azure's confidential virtual machines: the report that Azure's paravisor (HCL) leaves in the NV
 * memory of its virtual TPM, and a quote of that TPM.
 *
 * The paravisor runs inside of the confidential machine, below its kernel, and is the TPM. Its report holds
 * the processor's own report, whose report data are the hash of a JSON text (runtime data) that names the
 * TPM's attestation key. docs/protocols/hardware-evidence.md has the bytes.
 */
#ifndef ATTEST_AZURE_FORMAT_H
#define ATTEST_AZURE_FORMAT_H

#include "attest/tpm/evidence_format.h"
#include "crypto/vendor_cert.h"

enum {
	AZURE_EVIDENCE_VERSION = 1,
	AZURE_REPORT_FIELD = 1184, /* bytes of the processor's report, or zeros behind a shorter one */
	AZURE_RUNTIME_MAX = 16384,
	AZURE_USER_DATA_SIZE = 64,
	AZURE_VM_ID_SIZE = 64,
	AZURE_NV_REPORT = 0x01400001,
	AZURE_NV_USER_DATA = 0x01400002,
	AZURE_AK_HANDLE = (int)0x81000003,
};

enum azure_type { AZURE_VBS = 1, AZURE_SNP = 2, AZURE_TRUSTED_LAUNCH = 3, AZURE_TDX = 4 };
const char *azure_type_name(uint32_t type);

struct azure_report { /* borrows */
	uint32_t version, request, claims_version;
	uint32_t type; /* enum azure_type, or another */
	int hash;      /* enum crypto_hash, of the runtime data; -1: another */
	const uint8_t *hardware; /* AZURE_REPORT_FIELD bytes */
	struct tpm_bytes runtime;
	/* Of the runtime data. */
	char ak_key_hash[CERT_KEY_HASH_SIZE]; /* of "HCLAkPub" */
	char vm_id[AZURE_VM_ID_SIZE];         /* "" if it is not said */
	int secure_boot, console;             /* -1: not said */
	bool has_user_data;
	uint8_t user_data[AZURE_USER_DATA_SIZE];
};
/* CELLA_EFORMAT. Zeros may follow: the index is as large as it is. */
int azure_report_read(const void *data, size_t size, struct azure_report *ret_report,
                      struct error *err) must_check;

struct azure_evidence { /* borrows */
	struct tpm_bytes report; /* of the paravisor */
	struct tpm_bytes quote;  /* of a TD, by Azure's quoting service; or empty */
	struct tpm_bytes tpm;    /* attest/tpm/evidence_format.h */
};
void azure_evidence_write(const struct azure_evidence *evidence, struct buf *to);
int azure_evidence_read(const void *data, size_t size, struct azure_evidence *ret_evidence,
                        struct error *err) must_check;

#endif
