/*
 * The attestation report of SEV-SNP, decoded: what it says, not whether it is true.
 */
#ifndef ATTEST_SNP_REPORT_H
#define ATTEST_SNP_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/snp/format.h"
#include "attest/tee.h"

enum snp_product { SNP_UNKNOWN, SNP_MILAN, SNP_GENOA, SNP_TURIN };
/* "Milan"; "" for SNP_UNKNOWN. */
const char *snp_product_name(enum snp_product product);
/* "Milan-B0" or "Milan"; SNP_UNKNOWN for what is none. */
enum snp_product snp_product_parse(const char *name);

/* The security patch levels of a TCB version. */
enum snp_component { SNP_FMC, SNP_BOOTLOADER, SNP_TEE, SNP_FIRMWARE, SNP_MICROCODE, SNP_COMPONENTS };
const char *snp_component_name(enum snp_component component);

struct snp_tcb {
	uint8_t bytes[SNP_TCB_SIZE];
};
/* False where that product's processors have no such component. Unknown products are laid out as Milan. */
bool snp_tcb_level(const struct snp_tcb *tcb, enum snp_product product, enum snp_component component,
                   uint8_t *ret_level);
/* Are the bytes zero that are no component's? */
bool snp_tcb_is_plain(const struct snp_tcb *tcb, enum snp_product product);
/* Is each component of `a` at most that of `b`? */
bool snp_tcb_at_most(const struct snp_tcb *a, const struct snp_tcb *b, enum snp_product product);
/* "bootloader 3, tee 0, snp 8, microcode 115" */
const char *snp_tcb_text(struct tee_verdict *verdict, const struct snp_tcb *tcb, enum snp_product product);

enum snp_signing_key { SNP_VCEK = 0, SNP_VLEK = 1, SNP_NO_KEY = 7 };
const char *snp_signing_key_name(unsigned key); /* "VCEK", "VLEK", "none", "reserved" */

struct snp_firmware {
	uint8_t major, minor, build;
};

struct snp_report {
	uint32_t version, guest_svn;
	uint64_t policy;
	uint8_t family_id[SNP_ID_SIZE], image_id[SNP_ID_SIZE];
	uint32_t vmpl, signature_algorithm;
	uint64_t platform_info;
	uint32_t key_info;
	unsigned signing_key; /* of key_info: enum snp_signing_key, or reserved */
	bool mask_chip_key, author_key_en;
	uint8_t report_data[SNP_REPORT_DATA_SIZE];
	uint8_t measurement[SNP_MEASUREMENT_SIZE];
	uint8_t host_data[SNP_HOST_DATA_SIZE];
	uint8_t id_key_digest[SNP_DIGEST_SIZE], author_key_digest[SNP_DIGEST_SIZE];
	uint8_t report_id[SNP_REPORT_ID_SIZE], report_id_ma[SNP_REPORT_ID_SIZE];
	uint8_t family, model, stepping; /* of CPUID; zero before version 3 */
	uint8_t chip_id[SNP_CHIP_ID_SIZE];
	struct snp_tcb current, reported, committed, launch;
	struct snp_firmware current_firmware, committed_firmware;
	uint64_t launch_mitigations, current_mitigations; /* zero before version 5 */
	uint8_t signature[2 * SNP_SIGNATURE_NUMBER];      /* r || s, big-endian */
	const uint8_t *bytes;                             /* the report itself, borrowed */
};

/* CELLA_EFORMAT: another size, or another version than 2, 3 and 5. */
int snp_report_parse(const void *bytes, size_t size, struct snp_report *ret_report,
                     struct error *err) must_check;
/* By its CPUID; SNP_UNKNOWN before version 3 and for processors that are not known. */
enum snp_product snp_report_product(const struct snp_report *report);
/* What is set and must be zero (or the other way round), as a sentence of the verdict's; NULL: nothing. */
const char *snp_report_reserved(struct tee_verdict *verdict, const struct snp_report *report,
                                enum snp_product product);

/* One bit of the guest policy, or of the platform's information. */
struct snp_bit {
	const char *name; /* "debug" */
	unsigned bit;
	const char *if_set, *if_clear; /* the meaning */
};
enum { SNP_POLICY_BITS = 9, SNP_PLATFORM_BITS = 7 };
extern const struct snp_bit snp_policy_bits[SNP_POLICY_BITS];
extern const struct snp_bit snp_platform_bits[SNP_PLATFORM_BITS];

/* Claims of the report itself. `product` decides the layout of TCB versions. */
void snp_report_claims(struct tee_verdict *verdict, const struct snp_report *report,
                       enum snp_product product);

#endif
