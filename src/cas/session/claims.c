#include "cas/session/claims.h"

#include <stdio.h>
#include <string.h>

#include "attest/evidence.h"
#include "cas/session/session.h"

static const char *const machine_names[] = {
	[SESSION_SOFT] = "soft", [SESSION_TPM] = "tpm", [SESSION_SNP] = "snp",
	[SESSION_TDX] = "tdx",   [SESSION_SGX] = "sgx", [SESSION_AZURE] = "azure",
};

const char *session_machine_name(enum session_machine machine)
{
	return machine_names[machine];
}

bool session_machine_parse(const char *name, enum session_machine *ret_machine)
{
	for (size_t i = 0; i < array_count(machine_names); i++)
		if (strcmp(name, machine_names[i]) == 0) {
			*ret_machine = (enum session_machine)i;
			return true;
		}
	return false;
}

/* A bit without a name has the text that no bits have. */
static void name_bits(const char *(*names_of)(uint32_t bits, char *to, size_t size), const char *prefix,
                      struct claim_names *ret)
{
	char none[CLAIM_NAME_SIZE], name[CLAIM_NAME_SIZE];
	names_of(0, none, sizeof(none));
	*ret = (struct claim_names){0};
	for (; ret->count < CLAIM_BITS_MAX; ret->count++) {
		if (strcmp(names_of(1u << ret->count, name, sizeof(name)), none) == 0)
			break;
		snprintf(ret->text[ret->count], CLAIM_NAME_SIZE, "%s%.40s", prefix, name);
	}
	for (size_t i = 0; i < ret->count; i++)
		ret->items[i] = ret->text[i];
}

void claim_names_of_host(const char *prefix, struct claim_names *ret)
{
	name_bits(evidence_host_names, prefix, ret);
}

void claim_names_of_isolation(const char *prefix, struct claim_names *ret)
{
	name_bits(evidence_isolation_names, prefix, ret);
}
