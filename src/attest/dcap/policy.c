/* Policies for quotes: tables. docs/how-to/evidence.md has each member. */
#include <string.h>

#include "attest/dcap/dcap.h"

#define AT(field) .at = offsetof(struct dcap_policy, field)
#define VALUES(name, field, bytes) {name, POLICY_VALUES, AT(field), .size = bytes}
#define NUMBER(name, field, bound) {name, POLICY_NUMBER, AT(field), .most = bound}
#define BOOL(name, field) {name, POLICY_BOOL, AT(field)}
#define CHOICE(name, field, of) {name, POLICY_CHOICE, AT(field), .choices = of}
#define STATUS(name, status) CHOICE(name, tcb_status[status], judgements)

static const char *const judgements[] = {"accept", "warn", "refuse", NULL};
static const char *const needs[] = {"required", "optional", NULL};

static const struct policy_member statuses[] = {
	STATUS("ConfigurationAndSWHardeningNeeded", TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED),
	STATUS("ConfigurationNeeded", TCB_CONFIGURATION_NEEDED),
	STATUS("OutOfDate", TCB_OUT_OF_DATE),
	STATUS("OutOfDateConfigurationNeeded", TCB_OUT_OF_DATE_CONFIGURATION_NEEDED),
	STATUS("Revoked", TCB_REVOKED),
	STATUS("SWHardeningNeeded", TCB_SW_HARDENING_NEEDED),
	STATUS("TDRelaunchAdvised", TCB_TD_RELAUNCH_ADVISED),
	STATUS("TDRelaunchAdvisedConfigurationNeeded", TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED),
	STATUS("UpToDate", TCB_UP_TO_DATE),
};
static const struct policy_object statuses_object = {statuses, array_count(statuses)};

#define COMMON                                                                                             \
	BOOL("allow_cached_keys", allow_cached_keys), BOOL("allow_debug", allow_debug),                    \
		BOOL("allow_dynamic_platform", allow_dynamic_platform), BOOL("allow_smt", allow_smt),      \
		CHOICE("collateral", collateral, needs), CHOICE("crl", crl, needs),                        \
		CHOICE("expired_collateral", expired, judgements), VALUES("fmspc", fmspc, TCB_FMSPC_SIZE), \
		NUMBER("min_tcb_evaluation_data_number", min_evaluation_number, UINT32_MAX),               \
		VALUES("platform_instance_id", instance_id, 16), VALUES("ppid", ppid, 16),                 \
	{                                                                                                  \
		"tcb_status", POLICY_OBJECT, .object = &statuses_object                                    \
	}

static const struct policy_member tdx_members[] = {
	COMMON,
	BOOL("allow_migration", allow_migration),
	CHOICE("event_log", event_log, needs),
	VALUES("mr_config_id", mr_config_id, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_owner", mr_owner, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_owner_config", mr_owner_config, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_seam", mr_seam, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_service_td", mr_service_td, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_signer_seam", mr_signer_seam, QUOTE_MEASUREMENT_SIZE),
	VALUES("mr_td", mr_td, QUOTE_MEASUREMENT_SIZE),
	VALUES("rtmr0", rtmrs[0], QUOTE_MEASUREMENT_SIZE),
	VALUES("rtmr1", rtmrs[1], QUOTE_MEASUREMENT_SIZE),
	VALUES("rtmr2", rtmrs[2], QUOTE_MEASUREMENT_SIZE),
	VALUES("rtmr3", rtmrs[3], QUOTE_MEASUREMENT_SIZE),
	VALUES("td_attributes", td_attributes, 8),
	VALUES("xfam", xfam, 8),
};
const struct policy_object dcap_tdx_policy = {tdx_members, array_count(tdx_members)};

static const struct policy_member sgx_members[] = {
	COMMON,
	VALUES("config_id", config_id, 64),
	VALUES("isv_ext_prod_id", isv_ext_prod_id, 16),
	VALUES("isv_family_id", isv_family_id, 16),
	NUMBER("isv_prod_id", isv_prod_id, UINT16_MAX),
	NUMBER("min_config_svn", min_config_svn, UINT16_MAX),
	NUMBER("min_isv_svn", min_isv_svn, UINT16_MAX),
	VALUES("mr_enclave", mr_enclave, QUOTE_SGX_MEASUREMENT_SIZE),
	VALUES("mr_signer", mr_signer, QUOTE_SGX_MEASUREMENT_SIZE),
};
const struct policy_object dcap_sgx_policy = {sgx_members, array_count(sgx_members)};

void dcap_policy_init(void *policy)
{
	struct dcap_policy *p = policy;
	memset(p, 0, sizeof(*p));
	p->tcb_status[TCB_UP_TO_DATE] = DCAP_ACCEPT;
	p->tcb_status[TCB_SW_HARDENING_NEEDED] = DCAP_WARN;
	p->tcb_status[TCB_CONFIGURATION_NEEDED] = DCAP_WARN;
	p->tcb_status[TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED] = DCAP_WARN;
	for (int i = TCB_OUT_OF_DATE; i < TCB_STATUSES; i++)
		p->tcb_status[i] = DCAP_REFUSE;
	p->collateral = p->crl = DCAP_REQUIRED;
	p->expired = DCAP_REFUSE;
	p->event_log = DCAP_OPTIONAL;
	p->allow_smt = p->allow_cached_keys = p->allow_dynamic_platform = true;
}

/* MRTD is of the firmware alone, which extends the kernel into RTMR 1, and command line and initrd into
 * RTMR 2. */
const char *dcap_tdx_policy_open(const void *policy)
{
	const struct dcap_policy *p = policy;
	if (!p->mr_td.count)
		return "what the machine was launched from: it does not pin mr_td";
	if (!p->rtmrs[1].count || !p->rtmrs[2].count)
		return "what the firmware started: it does not pin rtmr1 and rtmr2, the kernel and its command "
		       "line";
	if (p->allow_debug)
		return "who reads its memory: allow_debug is set";
	return p->allow_migration ? "where its memory goes: allow_migration is set" : NULL;
}

const char *dcap_sgx_policy_open(const void *policy)
{
	const struct dcap_policy *p = policy;
	if (!p->mr_enclave.count && !(p->mr_signer.count && p->isv_prod_id.is_set))
		return "which enclave runs: it pins neither mr_enclave nor mr_signer and isv_prod_id";
	return p->allow_debug ? "who reads its memory: allow_debug is set" : NULL;
}
