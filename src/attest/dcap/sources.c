/* Where Intel publishes what the verification of a quote needs. */
#include <string.h>

#include "attest/dcap/dcap.h"
#include "attest/dcap/intel.h"

const char *dcap_url_of_tcb_info(struct tee_verdict *verdict, bool is_tdx,
                                 const struct pck_platform *platform)
{
	return tee_text(verdict, DCAP_SERVICE "%s/certification/v4/tcb?fmspc=%s", is_tdx ? "tdx" : "sgx",
	                tee_hex(verdict, platform->fmspc, TCB_FMSPC_SIZE));
}

const char *dcap_url_of_qe_identity(bool is_tdx)
{
	return is_tdx ? DCAP_SERVICE "tdx/certification/v4/qe/identity"
	              : DCAP_SERVICE "sgx/certification/v4/qe/identity";
}

int dcap_sources(const struct quote *quote, const struct dcap_endorsements *e, struct tee_verdict *verdict,
                 struct error *err)
{
	const bool is_tdx = quote->tee == QUOTE_TDX;
	if (!e->has_platform)
		return error_set(
			err, CELLA_EINVAL,
			"what is needed depends on the platform's PCK certificate, which the quote does not "
			"bring: give it with --certs");
	const bool processor = strstr(vendor_cert_facts(e->pck)->issuer, DCAP_PROCESSOR_CA_NAME) != NULL;
	tee_claim(verdict, "tcb.json", "the TCB levels of this family of platforms", "%s",
	          dcap_url_of_tcb_info(verdict, is_tdx, &e->platform));
	tee_claim(verdict, "qe.json", "the identity of the quoting enclave", "%s",
	          dcap_url_of_qe_identity(is_tdx));
	tee_claim(verdict, "pck.crl", "platforms that Intel has revoked",
	          DCAP_SERVICE "sgx/certification/v4/pckcrl?ca=%s&encoding=der",
	          processor ? "processor" : "platform");
	tee_claim(verdict, "root.crl", "CAs that Intel has revoked", DCAP_ROOT_CRL);
	return 0;
}
