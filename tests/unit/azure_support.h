/*
 * For tests of Azure's confidential machines: a paravisor of our own, on processors of our own
 * (snp_support.h, dcap_support.h), which is the TPM of tpm_support.h. Each thing can be made wrong.
 */
#ifndef AZURE_SUPPORT_H
#define AZURE_SUPPORT_H

#include "attest/tee.h"
#include "dcap_support.h"
#include "snp_support.h"
#include "tpm_support.h"

enum paravisor_flaw {
	PARAVISOR_RIGHT,
	PARAVISOR_OTHER_RUNTIME, /* the processor's report has another hash */
	PARAVISOR_OTHER_KEY,     /* the runtime data name another key */
	PARAVISOR_HASH_TAIL,     /* something stands behind the hash in the report data */
	PARAVISOR_UNKNOWN_HASH,
	PARAVISOR_VBS,
	PARAVISOR_TRUSTED_LAUNCH,
	PARAVISOR_NO_QUOTE,      /* of a TD */
};

struct paravisor_shape {
	bool is_tdx;
	uint32_t hash; /* 1 to 3 */
	bool with_user_data;
	enum paravisor_flaw flaw;
	uint8_t vmpl; /* that asked the processor; the paravisor's is 0 */
	struct soft_shape tpm;
};
struct paravisor_shape paravisor_shape(bool is_tdx);

int paravisor_start(void);
void paravisor_stop(void);

struct paravisor {
	struct soft_files tpm;
	struct maker_files snp;
	struct dcap_files tdx;
	bool is_tdx;
	struct buf report;   /* the paravisor's */
	struct buf evidence;
	uint8_t report_data[64];
	struct tee_blob certs[3], logs[2];
	struct tee_input input;
};
void paravisor_make(const struct paravisor_shape *shape, struct paravisor *p);
void paravisor_done(struct paravisor *p);

#endif
