/*
 * Evidence of Azure's confidential virtual machines (attest/azure/format.h): the processor's report, by the
 * checks of its own kind (attest/snp/snp.h, attest/dcap/dcap.h), with "snp." or "tdx." before their names;
 * that its report data are the hash of the runtime data; that these name the key of the quote; and the quote
 * and the logs, by the checks of TPMs (attest/tpm/tpm.h). No certificate of the TPM's key is asked for: the
 * processor vouches for it.
 *
 * Certificates are those of the processor's kind; collateral, too, and lists of files; event logs the TPM's.
 */
#ifndef ATTEST_AZURE_H
#define ATTEST_AZURE_H

#include "attest/dcap/dcap.h"
#include "attest/snp/policy.h"
#include "attest/tpm/tpm.h"

extern const struct tee_kind_row azure_kind;

enum azure_isolation { AZURE_ANY, AZURE_SNP_ALONE, AZURE_TDX_ALONE };

struct azure_policy {
	struct snp_policy snp;
	struct dcap_policy tdx;
	struct tpm_policy tpm;
	int isolation; /* enum azure_isolation */
	struct policy_texts vm_id;
};

#endif
