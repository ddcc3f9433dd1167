#include "cas/session/machine.h"

#include <string.h>

#define GUEST_POLICY "\"guest_policy\":{\"debug\":\"refuse\",\"migration_agent\":\"refuse\"}"

static const struct {
	enum tee_kind kind;
	const char *defaults;
} classes[SESSION_MACHINES] = {
	[SESSION_SOFT] = {TEE_KINDS, NULL},
	[SESSION_TPM] = {TEE_TPM, NULL},
	[SESSION_SNP] = {TEE_SNP, "{" GUEST_POLICY "}"},
	[SESSION_TDX] = {TEE_TDX, NULL},
	[SESSION_SGX] = {TEE_SGX, NULL},
	[SESSION_AZURE] = {TEE_AZURE, "{\"snp\":{" GUEST_POLICY "}}"},
};

bool session_machine_kind(enum session_machine machine, enum tee_kind *ret_kind)
{
	if (classes[machine].kind == TEE_KINDS)
		return false;
	*ret_kind = classes[machine].kind;
	return true;
}

int session_machine_policy(enum session_machine machine, const char *json, struct tee_policy **ret_policy,
                           struct error *err)
{
	const char *defaults = classes[machine].defaults ? classes[machine].defaults : "{}";
	struct tee_policy *policy;
	enum tee_kind kind;
	if (!session_machine_kind(machine, &kind))
		return error_set(err, CELLA_EINVAL, "no hardware vouches for a machine of the class %s",
		                 session_machine_name(machine));
	int rc = tee_policy_read(kind, defaults, strlen(defaults), &policy, err);
	if (rc == 0 && json) {
		rc = tee_policy_add(policy, json, strlen(json), err);
		if (rc < 0)
			tee_policy_free(policy);
	}
	if (rc == 0)
		*ret_policy = policy;
	return rc;
}
