/*
 * Evidence of a TPM 2.0: a quote of its PCRs (attest/tpm/evidence_format.h), with the logs whose events they
 * were extended with. docs/how-to/evidence.md says what each check means.
 *
 * Unlike processors, TPMs have many makers and no root that could be pinned here. So a policy must say whom
 * it believes: attestation keys (AK) by their names, which is what credential activation leads to
 * (attest/tpm/credential.h), or the roots of those who certify AKs.
 *
 *   tpm.c    the checks of AK and quote    certs.c   certificates of AK, certifier and EK
 *   logs.c   PCRs and logs                 policy.c  the policy's members
 */
#ifndef ATTEST_TPM_H
#define ATTEST_TPM_H

#include "attest/chain.h"
#include "attest/policy.h"
#include "attest/tee.h"
#include "attest/tpm/evidence_format.h"

extern const struct tee_kind_row tpm_kind;

/*
 * At an enrolment: everything of tee_verify but what ties the AK to a TPM, and instead of that the EK of the
 * evidence: that a certificate of it leads to one of the policy's "ek_roots". If it is accepted, what is left
 * is to activate the claim "ak.name" by that EK, whose public area is in the evidence.
 */
int tpm_verify_enrolment(const struct tee_input *input, struct tee_verdict *ret_verdict,
                         struct error *err) must_check;

/* ---- the policy ---- */

enum { TPM_OPTIONAL, TPM_REQUIRED };

struct tpm_policy {
	struct policy_texts ak_names; /* in hexadecimal */
	struct policy_values ak_roots, ek_roots; /* SHA-256 of keys */
	struct policy_values pcrs[TPM_PCRS], pcrs_sha384[TPM_PCRS];
	int event_log, ima_log, secure_boot, crl; /* TPM_OPTIONAL, TPM_REQUIRED */
	int expired_crl;     /* 1: warn */
	struct policy_values ima_lists;           /* SHA-256 of lists of files */
};
extern const struct policy_object tpm_policy_object;
void tpm_policy_init(void *policy);
/* Of what was booted alone, for a kind that knows whose the TPM is: its members, and as tee_policy_open. */
extern const struct policy_object tpm_policy_boot_object;
const char *tpm_policy_boot_open(const struct tpm_policy *policy);
/* As tee_policy_open. */
const char *tpm_policy_open(const void *policy);

/* ---- certificates ---- */

struct tpm_certs {
	struct vendor_certs set;
	struct tpm_leaf {
		const struct vendor_cert *cert; /* NULL: there is none */
		struct vendor_chain chain;
		bool has_usage; /* it says that it is one of that kind */
	} ak, certifier, ek;
	struct tpm_roots {
		size_t count;
		struct vendor_root roots[POLICY_VALUES_MAX];
		char hashes[POLICY_VALUES_MAX][CERT_KEY_HASH_SIZE];
	} ak_roots, ek_roots;
};

/* ---- a verification ---- */

struct tpm_judging {
	const struct tee_input *input;
	struct tee_verdict *verdict;
	const struct tpm_policy *policy;
	struct tpm_evidence evidence;
	struct vendor_key *ak_key;
	struct tpm_certs *certs;
	bool owns_certs;
	bool has_bank; /* that logs are held against: SHA-256 if the quote has it, else SHA-384 or 512 */
	enum crypto_hash bank;
	uint16_t bank_alg;
};

/* What the evidence of a TPM says; its claims. CELLA_EFORMAT. Also after a failure tpm_end gives back what *j
 * holds. */
int tpm_begin(struct tpm_judging *j, const void *evidence, size_t size, struct error *err) must_check;
void tpm_end(struct tpm_judging *j);
/* The AK's attributes, the quote, what it is bound to, PCRs, logs. Not: whose the AK is. */
int tpm_check_machine(struct tpm_judging *j, struct error *err) must_check;

/* certs.c. What is remembered depends on certificates, the policy's roots and the evidence's keys. */
int tpm_certs_find(struct tpm_judging *j, struct error *err) must_check;
void tpm_check_certificate(struct tpm_judging *j, const struct tpm_leaf *leaf, const char *name,
                           const char *title);

/* logs.c */
int tpm_logs_claim(const struct tpm_judging *j, struct error *err) must_check;
int tpm_logs_check(const struct tpm_judging *j, struct error *err) must_check;
#endif
