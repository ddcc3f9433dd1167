/*
 * How up to date a platform is by what Intel says of it: the comparison that the Provisioning Certification
 * Service's documentation prescribes for TCB info (version 4 of its API, "Get TDX TCB Info", steps 3 to 6)
 * and for the identity of the quoting enclave.
 *
 * Levels are in Intel's order, the best first; the first one none of whose numbers is above the platform's is
 * the platform's. A platform, its TDX module and its quoting enclave are judged apart, and the whole is as
 * the worst of each respect: revoked, out of date, to be configured, in need of hardened software.
 *
 * What is below every level is out of date here. (Intel's documentation calls it not supported, and gives it
 * no status. It happens: Intel strikes levels off, and platforms mix new components with old ones.)
 */
#ifndef ATTEST_DCAP_TCB_H
#define ATTEST_DCAP_TCB_H

#include "attest/dcap/collateral_format.h"
#include "attest/dcap/pck_format.h"
#include "attest/dcap/quote_format.h"

struct tcb_verdict {
	const struct tcb_level *platform; /* NULL: below every level */
	bool has_module;     /* a module is judged apart: TEE_TCB_SVN[1] is not 0 */
	char module_id[16];  /* "TDX_03" */
	/* Of the module's version, or the one that has none; NULL: Intel does not name it. */
	const struct tdx_module *identity;
	const struct tcb_level *module; /* NULL: below every level, or not judged apart */
	const struct tcb_level *qe;     /* NULL: below every level */
	enum tcb_status status;         /* of everything together */
};

/* Of an enclave, or of a TD by the module that launched it and, where the quote says it, the one that runs
 * now. */
void tcb_judge(const struct quote *quote, const struct pck_platform *platform, const struct tcb_info *info,
               const struct qe_identity *identity, struct tcb_verdict *ret_verdict);

/* Exactly the bytes that the mask selects, and none beside it. */
bool tcb_masked_equal(const uint8_t *value, const uint8_t *mask, const uint8_t *wanted, size_t size);

#endif
