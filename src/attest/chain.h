/*
 * The judgement of makers' chains and CRLs (crypto/vendor_cert.h) at a given time, as checks of a verdict.
 */
#ifndef ATTEST_CHAIN_H
#define ATTEST_CHAIN_H

#include "attest/tee.h"
#include "crypto/vendor_cert.h"

struct chain_rule {
	const char *name;  /* of the checks: "vcek" gives "vcek.chain", "vcek.validity", "vcek.crl" */
	const char *title; /* "VCEK" */
	int64_t time;
	/* Bit n: the certificate at place n must have a CRL of its issuer. Where none is given at all
	 * and none must be, there is a warning. */
	unsigned crl_required;
	enum tee_status crl_expired; /* of a CRL whose next update is over: TEE_WARNED, TEE_FAILED */
};

/* Checks NAME.root (the pinned key), NAME.chain (signatures and who may sign, each flaw named), NAME.validity
 * (every certificate at that time), NAME.crl. True if all hold. */
bool chain_check(struct tee_verdict *verdict, const struct vendor_chain *chain,
                 const struct chain_rule *rule);

/* Claims NAME.subject, .issuer, .serial, .not_before, .not_after, .key_hash of one certificate. */
void chain_claim_cert(struct tee_verdict *verdict, const char *name, const struct vendor_cert *cert);

/* All certificates and CRLs of a list of files into one set. CELLA_EFORMAT with the file's name. */
int chain_read(const struct tee_blob *blobs, size_t count, struct vendor_certs *set,
               struct error *err) must_check;

#endif
