/* A quote verified: its signatures here, the rest by the files beside it. */
#include "attest/dcap/dcap.h"

#include <string.h>

#include "crypto/crypto.h"

/* ---- signatures ---- */

static void cleanup_key_fn(struct vendor_key **key)
{
	vendor_key_free(*key);
}
#define cleanup_key __attribute__((cleanup(cleanup_key_fn)))

static bool signed_by(const struct vendor_key *key, const void *data, size_t size, const uint8_t *signature)
{
	return key && vendor_key_verify(key, VENDOR_ECDSA_SHA256, data, size, signature, QUOTE_POINT_SIZE,
	                                NULL) == 0;
}

static void check_quote_signature(const struct quote *quote, struct tee_verdict *verdict)
{
	static const char name[] = "quote.signature";
	static const char wanted[] = "header and body signed by the attestation key";
	cleanup_key struct vendor_key *key = NULL;
	if (vendor_key_from_point(VENDOR_P256, quote->attestation_key, QUOTE_POINT_SIZE, &key, NULL) < 0) {
		tee_check(verdict, name, TEE_FAILED, wanted, "the attestation key is no point of P-256");
		return;
	}
	const bool holds = signed_by(key, quote->signed_bytes, quote->signed_size, quote->signature);
	tee_demand(verdict, name, holds, wanted, "%s",
	           holds ? "it holds" : "it does not hold: the quote was changed, or is put together");
}

/* The QE's report data: SHA-256 of the attestation key and of the QE's authentication data, then zeros. */
static int check_attestation_key(const struct quote *quote, struct tee_verdict *verdict, struct error *err)
{
	uint8_t wanted[CRYPTO_HASH_MAX] = {0};
	const struct crypto_part parts[] = {{quote->attestation_key, QUOTE_POINT_SIZE},
	                                    {quote->qe_auth, quote->qe_auth_size}};
	int rc = crypto_hash(CRYPTO_SHA256, parts, array_count(parts), wanted, err);
	if (rc < 0)
		return rc;
	tee_demand(verdict, "quote.attestation_key",
	           crypto_equal(wanted, quote->qe.report_data, QUOTE_REPORT_DATA_SIZE),
	           tee_text(verdict, "a key that the quoting enclave reports: %s",
	                    tee_hex(verdict, wanted, QUOTE_REPORT_DATA_SIZE)),
	           "%s", tee_hex(verdict, quote->qe.report_data, QUOTE_REPORT_DATA_SIZE));
	return 0;
}

static void check_qe_signature(const struct quote *quote, const struct dcap_endorsements *e,
                               struct tee_verdict *verdict)
{
	static const char name[] = "quote.qe_signature";
	static const char wanted[] = "the quoting enclave's report signed by the PCK";
	if (!e->pck) {
		tee_unchecked(verdict, name, wanted, "there is no PCK certificate");
		return;
	}
	const bool holds = signed_by(vendor_cert_key(e->pck), quote->qe_report, QUOTE_SGX_BODY_SIZE,
	                             quote->qe_signature);
	tee_demand(verdict, name, holds, wanted, "%s", holds ? "it holds" : "it does not hold");
}

/* ---- the question that was asked ---- */

static void check_report_data(const struct tee_input *input, const struct quote *quote,
                              struct tee_verdict *verdict)
{
	uint8_t wanted[QUOTE_REPORT_DATA_SIZE] = {0};
	if (!input->report_data)
		return;
	memcpy(wanted, input->report_data, min_of(input->report_data_size, sizeof(wanted)));
	tee_demand(verdict, "report_data", crypto_equal(wanted, quote->report_data, sizeof(wanted)),
	           tee_hex(verdict, wanted, sizeof(wanted)), "%s",
	           tee_hex(verdict, quote->report_data, sizeof(wanted)));
}

/* ---- the kinds ---- */

static int parse(const struct tee_input *input, struct quote *ret_quote, struct error *err)
{
	struct quote quote;
	int rc = quote_parse(input->evidence.data, input->evidence.size, &quote, err);
	if (rc < 0)
		return rc;
	if ((quote.tee == QUOTE_TDX) != (input->kind == TEE_TDX))
		return error_set(err, CELLA_EFORMAT, "this is a quote of %s",
		                 quote.tee == QUOTE_TDX ? "TDX (--tee tdx)" : "SGX (--tee sgx)");
	if (quote.tee == QUOTE_SGX && input->event_log_count > 0)
		return error_set(err, CELLA_EFORMAT, "an enclave has no event log");
	*ret_quote = quote;
	return 0;
}

static int judge(const struct tee_input *input, const struct quote *quote, const struct dcap_endorsements *e,
                 struct tee_verdict *verdict, struct error *err)
{
	struct dcap_policy defaults;
	const struct dcap_policy *policy = tee_policy_of(input->policy, input->kind, &defaults);
	check_report_data(input, quote, verdict);
	tee_demand(verdict, "quote.qe_vendor",
	           crypto_equal(quote->qe_vendor_id, quote_intel_qe_vendor, sizeof(quote_intel_qe_vendor)),
	           "Intel's quoting enclave", "%s",
	           tee_hex(verdict, quote->qe_vendor_id, sizeof(quote_intel_qe_vendor)));
	check_quote_signature(quote, verdict);
	int rc = check_attestation_key(quote, verdict, err);
	if (rc < 0)
		return rc;
	check_qe_signature(quote, e, verdict);
	dcap_check_platform(input, quote, e, policy, verdict);
	if (quote->tee == QUOTE_TDX)
		return dcap_check_td(input, quote, policy, verdict, err);
	dcap_check_enclave(quote, policy, verdict);
	return 0;
}

enum look { LOOK_SHOW, LOOK_VERIFY, LOOK_SOURCES };

static int look(const struct tee_input *input, enum look how, struct tee_verdict *verdict, struct error *err)
{
	struct quote quote;
	const struct dcap_endorsements *endorsements = NULL;
	struct dcap_endorsements *owned = NULL;
	int rc = parse(input, &quote, err);
	if (rc == 0)
		rc = dcap_endorse(input, &quote, &endorsements, &owned, err);
	if (rc == 0)
		rc = how == LOOK_SOURCES ? dcap_sources(&quote, endorsements, verdict, err)
		                         : dcap_claim(input, &quote, endorsements, verdict, err);
	if (rc == 0 && how == LOOK_VERIFY)
		rc = judge(input, &quote, endorsements, verdict, err);
	dcap_endorsements_free(owned);
	return rc;
}

static int verify(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	return look(input, LOOK_VERIFY, verdict, err);
}

static int show(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	return look(input, LOOK_SHOW, verdict, err);
}

static int sources(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	return look(input, LOOK_SOURCES, verdict, err);
}

const struct tee_kind_row dcap_tdx_kind = {
	.name = "tdx",
	.title = "Intel TDX",
	.verify = verify,
	.show = show,
	.sources = sources,
	.policy_size = sizeof(struct dcap_policy),
	.policy_init = dcap_policy_init,
	.policy = &dcap_tdx_policy,
	.policy_open = dcap_tdx_policy_open,
};

const struct tee_kind_row dcap_sgx_kind = {
	.name = "sgx",
	.title = "Intel SGX",
	.verify = verify,
	.show = show,
	.sources = sources,
	.policy_size = sizeof(struct dcap_policy),
	.policy_init = dcap_policy_init,
	.policy = &dcap_sgx_policy,
	.policy_open = dcap_sgx_policy_open,
};
