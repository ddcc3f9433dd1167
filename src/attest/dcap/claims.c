/* What a quote, its PCK's certificate and an event log say, each field with its meaning. */
#include <stdio.h>
#include <string.h>

#include "attest/dcap/dcap.h"
#include "attest/event_log.h"
#include "crypto/crypto.h"

void dcap_bits_text(uint64_t value, const struct dcap_bit *bits, size_t count, char ret_text[DCAP_BITS_SIZE])
{
	size_t at = 0;
	uint64_t known = 0;
	ret_text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		known |= UINT64_C(1) << bits[i].bit;
		if ((value >> bits[i].bit & 1) && at < DCAP_BITS_SIZE)
			at += (size_t)snprintf(ret_text + at, DCAP_BITS_SIZE - at, "%s%s", at > 0 ? ", " : "",
			                       bits[i].name);
	}
	if ((value & ~known) != 0 && at < DCAP_BITS_SIZE)
		snprintf(ret_text + at, DCAP_BITS_SIZE - at, "%sreserved 0x%llx", at > 0 ? ", " : "",
		         (unsigned long long)(value & ~known));
	if (value == 0)
		snprintf(ret_text, DCAP_BITS_SIZE, "none");
}

/* A claim of bytes under a prefix: "td" and "mr_td". */
struct row {
	const char *name, *meaning;
	const uint8_t *value;
	size_t size;
};

static void claim_rows(struct tee_verdict *verdict, const char *prefix, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (rows[i].value)
			tee_claim_hex(verdict, tee_text(verdict, "%s.%s", prefix, rows[i].name),
			              rows[i].meaning, rows[i].value, rows[i].size);
	}
}

static void claim_bits(struct tee_verdict *verdict, const char *name, const char *title, uint64_t value,
                       const struct dcap_bit *bits, size_t count)
{
	uint8_t bytes[8];
	char text[DCAP_BITS_SIZE];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	dcap_bits_text(value, bits, count, text);
	tee_claim_hex(verdict, name, tee_text(verdict, "%s: %s", title, text), bytes, sizeof(bytes));
}

static void claim_td(const struct quote_td_body *td, struct tee_verdict *verdict)
{
	enum { MR = QUOTE_MEASUREMENT_SIZE };
	const struct row module[] = {
		{"tee_tcb_svn",
	         "versions of the TDX module that launched it (2 bytes) and the CPU's components",
	         td->tee_tcb_svn, QUOTE_SVNS},
		{"tee_tcb_svn_2", "the same of the module that runs now", td->tee_tcb_svn_2, QUOTE_SVNS},
		{"mr_seam", "SHA-384 of the TDX module", td->mr_seam, MR},
		{"mr_signer_seam", "who signed the module; zeros: Intel", td->mr_signer_seam, MR},
		{"attributes", "of the module; zeros: production", td->seam_attributes, 8},
	};
	const struct row rows[] = {
		{"mr_td", "the TD's initial memory: its firmware", td->mr_td, MR},
		{"mr_config_id", "what its host configured", td->mr_config_id, MR},
		{"mr_owner", "its owner, as the host says", td->mr_owner, MR},
		{"mr_owner_config", "its owner's configuration, as the host says", td->mr_owner_config, MR},
		{"rtmr0", "measured by the firmware: its configuration", td->rtmrs[0], MR},
		{"rtmr1", "measured by the firmware: boot loader and kernel", td->rtmrs[1], MR},
		{"rtmr2", "measured by the boot loader or kernel: command line, initrd", td->rtmrs[2], MR},
		{"rtmr3", "measured by the running system", td->rtmrs[3], MR},
		{"mr_service_td", "services bound to it, such as for migration; zeros: none",
	         td->mr_service_td, MR},
	};
	claim_rows(verdict, "tdx_module", module, array_count(module));
	claim_bits(verdict, "td.attributes", "how it was made", td->td_attributes, dcap_td_bits,
	           dcap_td_bit_count);
	claim_bits(verdict, "td.xfam", "what of the processor it may use", td->xfam, dcap_xfam_bits,
	           dcap_xfam_bit_count);
	claim_rows(verdict, "td", rows, array_count(rows));
}

static void claim_sgx(const struct quote_sgx_body *s, const char *prefix, struct tee_verdict *verdict)
{
	uint64_t flags = 0;
	char text[DCAP_BITS_SIZE];
	for (size_t i = 0; i < sizeof(flags); i++)
		flags |= (uint64_t)s->attributes[i] << (8 * i);
	dcap_bits_text(flags, dcap_sgx_bits, dcap_sgx_bit_count, text);
	const struct row rows[] = {
		{"mr_enclave", "the enclave's code and data", s->mr_enclave, QUOTE_SGX_MEASUREMENT_SIZE},
		{"mr_signer", "SHA-256 of the key of who signed it", s->mr_signer,
	         QUOTE_SGX_MEASUREMENT_SIZE},
		{"attributes", tee_text(verdict, "flags (%s) and XFRM", text), s->attributes, 16},
		{"cpu_svn", "of the processor, as the CPU encodes it", s->cpu_svn, 16},
		{"config_id", "", s->config_id, 64},
		{"isv_ext_prod_id", "", s->isv_ext_prod_id, 16},
		{"isv_family_id", "", s->isv_family_id, 16},
	};
	claim_rows(verdict, prefix, rows, array_count(rows));
	tee_claim(verdict, tee_text(verdict, "%s.isv_prod_id", prefix), "the signer's number for the product",
	          "%u", s->isv_prod_id);
	tee_claim(verdict, tee_text(verdict, "%s.isv_svn", prefix), "the signer's security version", "%u",
	          s->isv_svn);
	tee_claim(verdict, tee_text(verdict, "%s.config_svn", prefix), "", "%u", s->config_svn);
	tee_claim(verdict, tee_text(verdict, "%s.misc_select", prefix), "", "%08x", s->misc_select);
}

static void claim_quote(const struct quote *quote, struct tee_verdict *verdict)
{
	tee_claim(verdict, "quote.version", "", "%u", quote->version);
	tee_claim(verdict, "quote.tee", "", "%s", quote->tee == QUOTE_TDX ? "TDX" : "SGX");
	tee_claim_hex(verdict, "quote.qe_vendor_id",
	              crypto_equal(quote->qe_vendor_id, quote_intel_qe_vendor, sizeof(quote_intel_qe_vendor))
	                      ? "Intel"
	                      : "not Intel",
	              quote->qe_vendor_id, sizeof(quote_intel_qe_vendor));
	tee_claim_hex(verdict, "quote.user_data",
	              "of the quoting enclave; its first 16 bytes name the platform", quote->user_data, 20);
	tee_claim_hex(verdict, "quote.attestation_key", "P-256, x and y", quote->attestation_key,
	              QUOTE_POINT_SIZE);
	tee_claim(verdict, "quote.certification", "how the PCK is found: 5 is its chain of certificates",
	          "%u", quote->certification);
	if (quote->trailing_size > 0)
		tee_claim(verdict, "quote.trailing", "bytes behind the quote, which belong to nobody", "%zu",
		          quote->trailing_size);
	tee_claim_hex(verdict, "report_data", "what the TD or enclave had signed", quote->report_data,
	              QUOTE_REPORT_DATA_SIZE);
}

static void claim_platform(const struct pck_platform *p, struct tee_verdict *verdict)
{
	const struct row rows[] = {
		{"fmspc", "family, model, stepping, type of platform, custom SKU", p->fmspc,
	         sizeof(p->fmspc)},
		{"pce_id", "", p->pce_id, sizeof(p->pce_id)},
		{"ppid", "the platform's own number", p->ppid, sizeof(p->ppid)},
		{"tcb_components", "security versions of what the platform is made of", p->components,
	         sizeof(p->components)},
		{"cpu_svn", "", p->cpu_svn, sizeof(p->cpu_svn)},
		{"instance_id", "of a platform of several packages", p->has_instance ? p->instance_id : NULL,
	         sizeof(p->instance_id)},
	};
	claim_rows(verdict, "platform", rows, array_count(rows));
	tee_claim(verdict, "platform.pce_svn", "", "%u", p->pce_svn);
	tee_claim(verdict, "platform.sgx_type", "", "%s",
	          p->sgx_type == 0   ? "standard"
	          : p->sgx_type == 1 ? "scalable"
	          : p->sgx_type == 2 ? "scalable with integrity"
	                             : "unknown");
	if (!p->has_configuration)
		return;
	tee_claim(verdict, "platform.dynamic", "packages may be added to it", "%s",
	          p->dynamic_platform ? "yes" : "no");
	tee_claim(verdict, "platform.cached_keys", "Intel keeps its root keys", "%s",
	          p->cached_keys ? "yes" : "no");
	tee_claim(verdict, "platform.smt", "hyper-threads are on", "%s", p->smt_enabled ? "yes" : "no");
}

/* UEFI 2.10, table 38.4.1 (CC measurement registers). */
static const char *register_name(uint32_t index)
{
	static const char *const names[] = {"MRTD", "RTMR 0", "RTMR 1", "RTMR 2", "RTMR 3"};
	return index < array_count(names) ? names[index] : "no register of a TD";
}

static int claim_events(const struct tee_blob *blob, struct tee_verdict *verdict, struct error *err)
{
	struct event_log log;
	struct event event;
	int rc = event_log_open(blob->data, blob->size, &log, err);
	const int place = rc == 0 ? event_log_find(&log, CRYPTO_SHA384) : -1;
	while (rc == 0 && (rc = event_log_next(&log, &event, err)) > 0) {
		const uint8_t *digest = place >= 0 ? event.digests[place] : NULL;
		if (digest)
			tee_claim_hex(verdict, tee_text(verdict, "event_log.%zu", log.event_count),
			              tee_text(verdict, "%s, %s, %zu bytes", register_name(event.index),
			                       event_type_name(event.type), event.size),
			              digest, CRYPTO_SHA384_SIZE);
		rc = 0;
	}
	if (rc < 0)
		return error_prefix(err, CELLA_EFORMAT, "%s: ", blob->name ? blob->name : "the event log");
	return 0;
}

int dcap_claim(const struct tee_input *input, const struct quote *quote,
               const struct dcap_endorsements *endorsements, struct tee_verdict *verdict, struct error *err)
{
	claim_quote(quote, verdict);
	if (quote->tee == QUOTE_TDX)
		claim_td(&quote->td, verdict);
	else
		claim_sgx(&quote->sgx, "enclave", verdict);
	claim_sgx(&quote->qe, "qe", verdict);
	if (endorsements->pck)
		chain_claim_cert(verdict, "pck", endorsements->pck);
	if (endorsements->has_platform)
		claim_platform(&endorsements->platform, verdict);
	for (size_t i = 0; i < input->event_log_count; i++) {
		int rc = claim_events(&input->event_logs[i], verdict, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
