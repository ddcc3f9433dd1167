/*
 * Evidence of Intel's TDX and SGX: quotes of DCAP (attest/dcap/quote_format.h), with Intel's certificates,
 * CRLs, TCB info and QE identity. docs/how-to/evidence.md says what each check means.
 *
 * What does not depend on time, policy or nonce (the chains, whose key signed which document, the documents
 * themselves) is put together once for the same bytes, in endorse.c, and remembered by the caller's
 * tee_chains. What is left of a verification then is two signatures with P-256: the quote's and the QE
 * report's.
 */
#ifndef ATTEST_DCAP_H
#define ATTEST_DCAP_H

#include "attest/chain.h"
#include "attest/dcap/tcb.h"
#include "attest/policy.h"
#include "attest/tee.h"

extern const struct tee_kind_row dcap_tdx_kind, dcap_sgx_kind;

/* ---- the policy ---- */

enum dcap_judgement { DCAP_ACCEPT, DCAP_WARN, DCAP_REFUSE };
enum dcap_need { DCAP_REQUIRED, DCAP_OPTIONAL };

struct dcap_policy {
	int tcb_status[TCB_STATUSES]; /* enum dcap_judgement */
	int collateral, crl;          /* enum dcap_need */
	int expired;                  /* of collateral and CRLs: enum dcap_judgement */
	struct policy_number min_evaluation_number;
	struct policy_values fmspc, ppid, instance_id;
	bool allow_smt, allow_cached_keys, allow_dynamic_platform;
	bool allow_debug;

	bool allow_migration; /* of a TD */
	int event_log;        /* enum dcap_need */
	struct policy_values td_attributes, xfam, mr_td, mr_seam, mr_signer_seam, mr_config_id, mr_owner,
		mr_owner_config, mr_service_td, rtmrs[QUOTE_RTMRS];

	struct policy_values mr_enclave, mr_signer, config_id, isv_ext_prod_id,
		isv_family_id; /* of an enclave */
	struct policy_number isv_prod_id, min_isv_svn, min_config_svn;
};
extern const struct policy_object dcap_tdx_policy, dcap_sgx_policy;
void dcap_policy_init(void *policy);
/* As tee_policy_open. */
const char *dcap_tdx_policy_open(const void *policy);
const char *dcap_sgx_policy_open(const void *policy);

/* ---- what certificates and collateral say, endorse.c ---- */

enum { DCAP_SIGNERS_MAX = 4 };

/* Who signed a document: chains of all certificates whose key did, for they are renewed with the same key. */
struct dcap_signers {
	size_t count;
	struct vendor_chain chains[DCAP_SIGNERS_MAX];
};

struct dcap_endorsements {
	struct vendor_certs certs;
	const struct vendor_cert *pck; /* NULL: there is none */
	struct vendor_chain pck_chain;
	bool has_platform; /* the PCK's extension is there */
	struct pck_platform platform;
	bool has_tcb_info, has_qe_identity;
	struct tcb_info tcb_info;
	struct qe_identity qe_identity;
	struct dcap_signers tcb_signers, qe_signers;
};

/* Of the input's certificates and collateral and of what the quote brings. *ret_owned is to be freed by
 * dcap_endorsements_free; it is NULL if the caller's tee_chains remember it. */
int dcap_endorse(const struct tee_input *input, const struct quote *quote,
                 const struct dcap_endorsements **ret_endorsements, struct dcap_endorsements **ret_owned,
                 struct error *err) must_check;
void dcap_endorsements_free(void *endorsements);

/* ---- parts of a verdict ---- */

/* Of the quote, its PCK's certificate (NULL members where there is none) and an event log. */
int dcap_claim(const struct tee_input *input, const struct quote *quote,
               const struct dcap_endorsements *endorsements, struct tee_verdict *verdict,
               struct error *err) must_check;
/* Chains, documents and TCB: platform.c. */
void dcap_check_platform(const struct tee_input *input, const struct quote *quote,
                         const struct dcap_endorsements *endorsements, const struct dcap_policy *policy,
                         struct tee_verdict *verdict);
/* What runs: guest.c. */
int dcap_check_td(const struct tee_input *input, const struct quote *quote, const struct dcap_policy *policy,
                  struct tee_verdict *verdict, struct error *err) must_check;
void dcap_check_enclave(const struct quote *quote, const struct dcap_policy *policy,
                        struct tee_verdict *verdict);

/* ---- where Intel publishes it, sources.c ---- */

const char *dcap_url_of_tcb_info(struct tee_verdict *verdict, bool is_tdx,
                                 const struct pck_platform *platform);
const char *dcap_url_of_qe_identity(bool is_tdx);
/* All of it, as claims (tee_sources). CELLA_EINVAL: the PCK's certificate, on which it depends, is not
 * there. */
int dcap_sources(const struct quote *quote, const struct dcap_endorsements *endorsements,
                 struct tee_verdict *verdict, struct error *err) must_check;

enum { DCAP_BITS_SIZE = 400 };
/* The names of the bits that are set, "DEBUG, PERFMON". */
struct dcap_bit {
	unsigned bit;
	const char *name;
};
void dcap_bits_text(uint64_t value, const struct dcap_bit *bits, size_t count, char ret_text[DCAP_BITS_SIZE]);
extern const struct dcap_bit dcap_td_bits[], dcap_xfam_bits[], dcap_sgx_bits[];
extern const size_t dcap_td_bit_count, dcap_xfam_bit_count, dcap_sgx_bit_count;

#endif
