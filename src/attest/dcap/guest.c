/* What runs: the TD or the enclave, by what the quote's body says, against the policy. */
#include <string.h>

#include "attest/dcap/dcap.h"
#include "attest/event_log.h"
#include "crypto/crypto.h"

enum { CCEL_FIRST_RTMR = 1 };

static const uint64_t TD_UNDER_DEBUG = 0xFF; /* the bits of TUD: any of them, and the TD is not trusted */
static const uint64_t TD_MIGRATABLE = UINT64_C(1) << 29;
static const uint64_t XFAM_ALWAYS = 0x3; /* x87 and SSE */

/* Intel TDX Module 1.5 ABI, "ATTRIBUTES". */
const struct dcap_bit dcap_td_bits[] = {
	{0, "DEBUG"}, {4, "HGS_PLUS_PROF"},    {5, "PERF_PROF"},   {6, "PMT_PROF"}, {16, "ICSSD"},
	{27, "LASS"}, {28, "SEPT_VE_DISABLE"}, {29, "MIGRATABLE"}, {30, "PKS"},     {31, "KL"},
	{62, "TPA"},  {63, "PERFMON"},
};
const size_t dcap_td_bit_count = array_count(dcap_td_bits);

/* Intel SDM volume 1, 13.1; which of them a TD may have: TDX Module 1.5 base specification, 11.8.1. */
const struct dcap_bit dcap_xfam_bits[] = {
	{0, "x87"},
	{1, "SSE"},
	{2, "AVX"},
	{5, "AVX-512 opmask"},
	{6, "AVX-512 ZMM_Hi256"},
	{7, "AVX-512 Hi16_ZMM"},
	{8, "PT"},
	{9, "PKRU"},
	{11, "CET_U"},
	{12, "CET_S"},
	{14, "UINTR"},
	{15, "LBR"},
	{17, "AMX TILECFG"},
	{18, "AMX TILEDATA"},
	{19, "APX"},
};
const size_t dcap_xfam_bit_count = array_count(dcap_xfam_bits);

/* Intel SDM volume 3D, 38.7.1. */
const struct dcap_bit dcap_sgx_bits[] = {
	{0, "INIT"},           {1, "DEBUG"}, {2, "MODE64BIT"}, {4, "PROVISIONKEY"},
	{5, "EINITTOKEN_KEY"}, {6, "CET"},   {7, "KSS"},       {10, "AEXNOTIFY"},
};
const size_t dcap_sgx_bit_count = array_count(dcap_sgx_bits);

static uint64_t known_bits(const struct dcap_bit *bits, size_t count)
{
	uint64_t known = 0;
	for (size_t i = 0; i < count; i++)
		known |= UINT64_C(1) << bits[i].bit;
	return known;
}

static void put_u64(uint64_t value, uint8_t to[8])
{
	for (size_t i = 0; i < 8; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static void check_value(struct tee_verdict *verdict, const char *name, const struct policy_values *allowed,
                        const void *value, size_t size)
{
	if (allowed->count == 0)
		return;
	if (!value) {
		tee_check(verdict, name, TEE_FAILED, "a value that the policy lists",
		          "none: the quote does not have it");
		return;
	}
	tee_demand(verdict, name, policy_allows(allowed, value, size),
	           allowed->count == 1 ? tee_hex(verdict, allowed->values[0], size)
	                               : tee_text(verdict, "one of %zu values of the policy", allowed->count),
	           "%s", tee_hex(verdict, value, size));
}

/* ---- a TD ---- */

/* Bits that are set and have no meaning here, unless the policy lists the whole value. */
static void check_bits(struct tee_verdict *verdict, const char *name, uint64_t value, uint64_t needed,
                       const struct dcap_bit *bits, size_t count, const struct policy_values *allowed)
{
	uint8_t bytes[8];
	char text[DCAP_BITS_SIZE];
	put_u64(value, bytes);
	if (allowed->count > 0) {
		check_value(verdict, name, allowed, bytes, sizeof(bytes));
		return;
	}
	dcap_bits_text(value, bits, count, text);
	tee_demand(verdict, name, (value & ~known_bits(bits, count)) == 0 && (value & needed) == needed,
	           "no bit that is reserved", "%s: %s", tee_hex(verdict, bytes, sizeof(bytes)), text);
}

static void check_td_attributes(const struct quote_td_body *td, const struct dcap_policy *policy,
                                struct tee_verdict *verdict)
{
	char text[DCAP_BITS_SIZE];
	dcap_bits_text(td->td_attributes & TD_UNDER_DEBUG, dcap_td_bits, dcap_td_bit_count, text);
	if (!policy->allow_debug)
		tee_demand(verdict, "td.debug", (td->td_attributes & TD_UNDER_DEBUG) == 0,
		           "not under debug: its host cannot read it", "%s",
		           (td->td_attributes & TD_UNDER_DEBUG) == 0 ? "not under debug" : text);
	if (!policy->allow_migration)
		tee_demand(verdict, "td.migration", (td->td_attributes & TD_MIGRATABLE) == 0,
		           "no service that may move it to another machine", "%s",
		           td->td_attributes & TD_MIGRATABLE ? "MIGRATABLE" : "not migratable");
	check_bits(verdict, "td.attributes", td->td_attributes, 0, dcap_td_bits, dcap_td_bit_count,
	           &policy->td_attributes);
	check_bits(verdict, "td.xfam", td->xfam, XFAM_ALWAYS, dcap_xfam_bits, dcap_xfam_bit_count,
	           &policy->xfam);
}

static void check_td_values(const struct quote_td_body *td, const struct dcap_policy *p,
                            struct tee_verdict *verdict)
{
	static const char *const rtmr_names[QUOTE_RTMRS] = {"td.rtmr0", "td.rtmr1", "td.rtmr2", "td.rtmr3"};
	const struct {
		const char *name;
		const struct policy_values *allowed;
		const uint8_t *value;
	} rows[] = {
		{"td.mr_td", &p->mr_td, td->mr_td},
		{"td.mr_config_id", &p->mr_config_id, td->mr_config_id},
		{"td.mr_owner", &p->mr_owner, td->mr_owner},
		{"td.mr_owner_config", &p->mr_owner_config, td->mr_owner_config},
		{"td.mr_service_td", &p->mr_service_td, td->mr_service_td},
		{"tdx_module.mr_seam", &p->mr_seam, td->mr_seam},
		{"tdx_module.mr_signer_seam", &p->mr_signer_seam, td->mr_signer_seam},
	};
	for (size_t i = 0; i < array_count(rows); i++)
		check_value(verdict, rows[i].name, rows[i].allowed, rows[i].value, QUOTE_MEASUREMENT_SIZE);
	for (size_t i = 0; i < QUOTE_RTMRS; i++)
		check_value(verdict, rtmr_names[i], &p->rtmrs[i], td->rtmrs[i], QUOTE_MEASUREMENT_SIZE);
}

static int replay(const struct tee_blob *log, const struct quote_td_body *td, struct tee_verdict *verdict,
                  struct error *err)
{
	static const char *const names[QUOTE_RTMRS] = {"event_log.rtmr0", "event_log.rtmr1",
	                                               "event_log.rtmr2", "event_log.rtmr3"};
	struct event_registers registers;
	int rc = event_log_replay(log->data, log->size, CRYPTO_SHA384, &registers, err);
	if (rc < 0)
		return error_prefix(err, rc == CELLA_ENOMEM ? rc : CELLA_EFORMAT,
		                    "%s: ", log->name ? log->name : "the event log");
	for (size_t i = 0; i < QUOTE_RTMRS; i++) {
		const uint8_t *value = registers.values[CCEL_FIRST_RTMR + i];
		tee_demand(verdict, names[i], crypto_equal(value, td->rtmrs[i], QUOTE_MEASUREMENT_SIZE),
		           tee_hex(verdict, td->rtmrs[i], QUOTE_MEASUREMENT_SIZE), "%s, of %zu events",
		           tee_hex(verdict, value, QUOTE_MEASUREMENT_SIZE), registers.event_count);
	}
	const uint32_t known = ((1u << QUOTE_RTMRS) - 1) << CCEL_FIRST_RTMR;
	tee_demand(verdict, "event_log.registers", (registers.extended & ~known) == 0,
	           "events of the RTMRs alone: indices 1 to 4", "indices (bits) 0x%x", registers.extended);
	return 0;
}

int dcap_check_td(const struct tee_input *input, const struct quote *quote, const struct dcap_policy *policy,
                  struct tee_verdict *verdict, struct error *err)
{
	check_td_attributes(&quote->td, policy, verdict);
	check_td_values(&quote->td, policy, verdict);
	if (input->event_log_count > 1)
		return error_set(err, CELLA_EFORMAT, "a TD has one event log, and %zu were given",
		                 input->event_log_count);
	if (input->event_log_count == 1)
		return replay(&input->event_logs[0], &quote->td, verdict, err);
	if (policy->event_log == DCAP_REQUIRED)
		tee_check(verdict, "event_log", TEE_FAILED, "an event log that the RTMRs replay from",
		          "none: give it with --event-log (in the TD: /sys/firmware/acpi/tables/data/CCEL)");
	return 0;
}

/* ---- an enclave ---- */

static void check_least(struct tee_verdict *verdict, const char *name, const struct policy_number *least,
                        uint16_t value)
{
	if (least->is_set)
		tee_demand(verdict, name, value >= least->value,
		           tee_text(verdict, "%llu or later", (unsigned long long)least->value), "%u", value);
}

void dcap_check_enclave(const struct quote *quote, const struct dcap_policy *policy,
                        struct tee_verdict *verdict)
{
	const struct quote_sgx_body *s = &quote->sgx;
	const bool is_debug = (s->attributes[0] & QUOTE_SGX_DEBUG) != 0;
	if (!policy->allow_debug)
		tee_demand(verdict, "enclave.debug", !is_debug, "not under debug: its host cannot read it",
		           "%s", is_debug ? "DEBUG" : "not under debug");
	tee_demand(verdict, "enclave.attributes",
	           (s->attributes[0] & QUOTE_SGX_INIT) != 0 && s->reserved_are_zero,
	           "INIT, and zeros where the report is reserved", "%s%s",
	           tee_hex(verdict, s->attributes, 16),
	           s->reserved_are_zero ? "" : ", and bytes that are not zero");
	check_value(verdict, "enclave.mr_enclave", &policy->mr_enclave, s->mr_enclave,
	            QUOTE_SGX_MEASUREMENT_SIZE);
	check_value(verdict, "enclave.mr_signer", &policy->mr_signer, s->mr_signer,
	            QUOTE_SGX_MEASUREMENT_SIZE);
	check_value(verdict, "enclave.config_id", &policy->config_id, s->config_id, 64);
	check_value(verdict, "enclave.isv_ext_prod_id", &policy->isv_ext_prod_id, s->isv_ext_prod_id, 16);
	check_value(verdict, "enclave.isv_family_id", &policy->isv_family_id, s->isv_family_id, 16);
	if (policy->isv_prod_id.is_set)
		tee_demand(verdict, "enclave.isv_prod_id", s->isv_prod_id == policy->isv_prod_id.value,
		           tee_text(verdict, "%llu", (unsigned long long)policy->isv_prod_id.value), "%u",
		           s->isv_prod_id);
	check_least(verdict, "enclave.isv_svn", &policy->min_isv_svn, s->isv_svn);
	check_least(verdict, "enclave.config_svn", &policy->min_config_svn, s->config_svn);
}
