/* Policies for evidence of TPMs: tables. docs/how-to/evidence.md has each member. */
#include <string.h>

#include "attest/tpm/tpm.h"

#define AT(field) .at = offsetof(struct tpm_policy, field)
#define PCR(field, name, index, bytes) {name, POLICY_VALUES, AT(field[index]), .size = bytes}
#define PCRS(field, bytes)                                                                             \
	PCR(field, "0", 0, bytes), PCR(field, "1", 1, bytes), PCR(field, "2", 2, bytes),               \
		PCR(field, "3", 3, bytes), PCR(field, "4", 4, bytes), PCR(field, "5", 5, bytes),       \
		PCR(field, "6", 6, bytes), PCR(field, "7", 7, bytes), PCR(field, "8", 8, bytes),       \
		PCR(field, "9", 9, bytes), PCR(field, "10", 10, bytes), PCR(field, "11", 11, bytes),   \
		PCR(field, "12", 12, bytes), PCR(field, "13", 13, bytes), PCR(field, "14", 14, bytes), \
		PCR(field, "15", 15, bytes), PCR(field, "16", 16, bytes), PCR(field, "17", 17, bytes), \
		PCR(field, "18", 18, bytes), PCR(field, "19", 19, bytes), PCR(field, "20", 20, bytes), \
		PCR(field, "21", 21, bytes), PCR(field, "22", 22, bytes), PCR(field, "23", 23, bytes)

static const struct policy_member sha256_members[] = {PCRS(pcrs, CRYPTO_SHA256_SIZE)};
static const struct policy_member sha384_members[] = {PCRS(pcrs_sha384, CRYPTO_SHA384_SIZE)};
static const struct policy_object sha256_object = {sha256_members, array_count(sha256_members)};
static const struct policy_object sha384_object = {sha384_members, array_count(sha384_members)};

static const char *const needs[] = {"optional", "required", NULL};
static const char *const refusals[] = {"refuse", "warn", NULL};

/* What was booted and ran. */
#define BOOT_MEMBERS                                                                     \
	{"event_log", POLICY_CHOICE, AT(event_log), .choices = needs},                   \
		{"ima_lists", POLICY_VALUES, AT(ima_lists), .size = CRYPTO_SHA256_SIZE}, \
		{"ima_log", POLICY_CHOICE, AT(ima_log), .choices = needs},               \
		{"pcrs", POLICY_OBJECT, .object = &sha256_object},                       \
		{"pcrs_sha384", POLICY_OBJECT, .object = &sha384_object},                \
	{                                                                                \
		"secure_boot", POLICY_CHOICE, AT(secure_boot), .choices = needs          \
	}
static const struct policy_member boot_members[] = {BOOT_MEMBERS};
static const struct policy_member members[] = {
	BOOT_MEMBERS,
	{"ak_names", POLICY_TEXTS, AT(ak_names)},
	{"ak_roots", POLICY_VALUES, AT(ak_roots), .size = CRYPTO_SHA256_SIZE},
	{"crl", POLICY_CHOICE, AT(crl), .choices = needs},
	{"ek_roots", POLICY_VALUES, AT(ek_roots), .size = CRYPTO_SHA256_SIZE},
	{"expired_crl", POLICY_CHOICE, AT(expired_crl), .choices = refusals},
};
const struct policy_object tpm_policy_object = {members, array_count(members)};
const struct policy_object tpm_policy_boot_object = {boot_members, array_count(boot_members)};

void tpm_policy_init(void *policy)
{
	memset(policy, 0, sizeof(struct tpm_policy));
}

static bool is_pinned(const struct tpm_policy *p, size_t pcr)
{
	return p->pcrs[pcr].count > 0 || p->pcrs_sha384[pcr].count > 0;
}

static bool has_no_zeros(const struct policy_values *values, size_t size)
{
	for (size_t i = 0; i < values->count; i++)
		if (bytes_are_zero(values->values[i], size))
			return false;
	return values->count > 0;
}

/* A PCR of zeros is one that nobody has measured into: whatever runs there, it was not looked at. */
static bool is_measured(const struct tpm_policy *p, size_t pcr)
{
	return has_no_zeros(&p->pcrs[pcr], CRYPTO_SHA256_SIZE) ||
	       has_no_zeros(&p->pcrs_sha384[pcr], CRYPTO_SHA384_SIZE);
}

/*
 * What started is in the PCRs, if all that matters was measured (TCG PC Client Platform Firmware Profile,
 * section 3.3.4; the UAPI Group's registry of TPM PCRs): the firmware measures what it starts into PCR 4.
 * GRUB goes on with its commands, the kernel's line among them, in PCR 8 and the files in PCR 9. A unified
 * kernel image holds kernel, line and initrd, and its stub measures them into PCR 11; what it takes from
 * beside the image, another line and credentials in PCR 12, and extensions in PCR 13: zeros, if nothing.
 */
const char *tpm_policy_boot_open(const struct tpm_policy *p)
{
	if (!is_measured(p, 4))
		return "what the firmware started: pcrs does not pin 4, to what is not zeros";
	if ((is_measured(p, 11) && is_pinned(p, 12) && is_pinned(p, 13)) ||
	    (is_measured(p, 8) && is_measured(p, 9)))
		return NULL;
	return "kernel, initrd and command line: pcrs pins neither 11 (not to zeros), 12 and 13, nor 8 and 9 (not "
	       "to zeros)";
}

/* The firmware, which measures the rest, is in PCR 0, and what it runs from cards in PCR 2. */
const char *tpm_policy_open(const void *policy)
{
	const struct tpm_policy *p = policy;
	if (!p->ak_names.count && !p->ak_roots.count)
		return "whose TPM it is: it names neither ak_names nor ak_roots, so it accepts none";
	return is_measured(p, 0) && is_measured(p, 2)
	               ? tpm_policy_boot_open(p)
	               : "what the firmware is, which measures the rest: pcrs does not pin 0 and 2, to what is "
	                 "not zeros";
}
