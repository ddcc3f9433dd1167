/*
 * What is demanded of a report of SEV-SNP beyond that it is genuine: --policy of `cella evidence verify`
 * (docs/how-to/evidence.md has every member).
 */
#ifndef ATTEST_SNP_POLICY_H
#define ATTEST_SNP_POLICY_H

#include "attest/policy.h"
#include "attest/snp/report.h"

/* Of a bit, or of a fact that is true or false. */
enum snp_demand { SNP_ANY, SNP_WARN, SNP_REFUSE, SNP_REQUIRE };

enum snp_key_choice { SNP_KEY_ANY, SNP_KEY_VCEK, SNP_KEY_VLEK };

struct snp_minimum {
	struct policy_number levels[SNP_COMPONENTS];
};

struct snp_policy {
	struct policy_values measurement, host_data, id_key_digest, author_key_digest, report_id, chip_id,
		family_id, image_id;
	struct policy_number guest_svn, vmpl;
	struct snp_minimum reported, launch, committed;
	struct policy_number firmware_major, firmware_minor, firmware_build;
	struct policy_number launch_mitigations, current_mitigations; /* bits that must be set */
	struct policy_texts product, csp_id;
	int guest[SNP_POLICY_BITS], platform[SNP_PLATFORM_BITS]; /* enum snp_demand */
	int provisional;      /* enum snp_demand, not SNP_REQUIRE */
	int signing_key;      /* enum snp_key_choice */
	int crl, expired_crl, reserved;                          /* 1: required; 1: warn; 1: warn */
};

extern const struct policy_object snp_policy_object;
/* Debugging and migration agents are warned of, everything else is as any report may have it. */
void snp_policy_init(void *policy);

/* As tee_policy_open. */
const char *snp_policy_open(const void *policy);

/* The checks of a policy. */
void snp_policy_check(struct tee_verdict *verdict, const struct snp_policy *policy,
                      const struct snp_report *report, enum snp_product product, const char *csp_id);

#endif
