#include "attest/snp/policy.h"

#include <stdio.h>
#include <string.h>

#include "crypto/crypto.h"

static const char *const demands[] = {
	[SNP_ANY] = "any", [SNP_WARN] = "warn", [SNP_REFUSE] = "refuse", [SNP_REQUIRE] = "require", NULL,
};
static const char *const shorter_demands[] = {"any", "warn", "refuse", NULL};
static const char *const key_choices[] = {"any", "vcek", "vlek", NULL};
static const char *const crl_choices[] = {"optional", "required", NULL};
static const char *const refusals[] = {"refuse", "warn", NULL};

#define AT(field) offsetof(struct snp_policy, field)

#define GUEST(name, place) {name, POLICY_CHOICE, AT(guest[place]), .choices = demands}
static const struct policy_member guest_members[] = {
	GUEST("smt", 0),
	GUEST("migration_agent", 1),
	GUEST("debug", 2),
	GUEST("single_socket", 3),
	GUEST("cxl", 4),
	GUEST("aes_256_xts", 5),
	GUEST("rapl_disabled", 6),
	GUEST("ciphertext_hiding", 7),
	GUEST("page_swap_disabled", 8),
};
static const struct policy_object guest_object = {guest_members, array_count(guest_members)};

#define PLATFORM(name, place) {name, POLICY_CHOICE, AT(platform[place]), .choices = demands}
static const struct policy_member platform_members[] = {
	PLATFORM("smt", 0),
	PLATFORM("tsme", 1),
	PLATFORM("ecc", 2),
	PLATFORM("rapl_disabled", 3),
	PLATFORM("ciphertext_hiding", 4),
	PLATFORM("alias_check", 5),
	PLATFORM("tio", 6),
};
static const struct policy_object platform_object = {platform_members, array_count(platform_members)};

#define LEVEL(name, field, component) {name, POLICY_NUMBER, AT(field.levels[component]), .most = 255}
#define LEVELS(field)                                                             \
	LEVEL("fmc", field, SNP_FMC), LEVEL("bootloader", field, SNP_BOOTLOADER), \
		LEVEL("tee", field, SNP_TEE), LEVEL("snp", field, SNP_FIRMWARE),  \
		LEVEL("microcode", field, SNP_MICROCODE)
static const struct policy_member reported_members[] = {LEVELS(reported)};
static const struct policy_member launch_members[] = {LEVELS(launch)};
static const struct policy_member committed_members[] = {LEVELS(committed)};
static const struct policy_object reported_object = {reported_members, SNP_COMPONENTS};
static const struct policy_object launch_object = {launch_members, SNP_COMPONENTS};
static const struct policy_object committed_object = {committed_members, SNP_COMPONENTS};

static const struct policy_member firmware_members[] = {
	{"major", POLICY_NUMBER, AT(firmware_major), .most = 255},
	{"minor", POLICY_NUMBER, AT(firmware_minor), .most = 255},
	{"build", POLICY_NUMBER, AT(firmware_build), .most = 255},
};
static const struct policy_object firmware_object = {firmware_members, array_count(firmware_members)};

static const struct policy_member members[] = {
	{"measurement", POLICY_VALUES, AT(measurement), .size = SNP_MEASUREMENT_SIZE},
	{"host_data", POLICY_VALUES, AT(host_data), .size = SNP_HOST_DATA_SIZE},
	{"id_key_digest", POLICY_VALUES, AT(id_key_digest), .size = SNP_DIGEST_SIZE},
	{"author_key_digest", POLICY_VALUES, AT(author_key_digest), .size = SNP_DIGEST_SIZE},
	{"report_id", POLICY_VALUES, AT(report_id), .size = SNP_REPORT_ID_SIZE},
	{"chip_id", POLICY_VALUES, AT(chip_id), .size = SNP_CHIP_ID_SIZE},
	{"family_id", POLICY_VALUES, AT(family_id), .size = SNP_ID_SIZE},
	{"image_id", POLICY_VALUES, AT(image_id), .size = SNP_ID_SIZE},
	{"minimum_guest_svn", POLICY_NUMBER, AT(guest_svn), .most = UINT32_MAX},
	{"maximum_vmpl", POLICY_NUMBER, AT(vmpl), .most = SNP_VMPL_MAX},
	{"minimum_tcb", POLICY_OBJECT, .object = &reported_object},
	{"minimum_launch_tcb", POLICY_OBJECT, .object = &launch_object},
	{"minimum_committed_tcb", POLICY_OBJECT, .object = &committed_object},
	{"minimum_firmware", POLICY_OBJECT, .object = &firmware_object},
	{"launch_mitigations", POLICY_NUMBER, AT(launch_mitigations), .most = INT64_MAX},
	{"current_mitigations", POLICY_NUMBER, AT(current_mitigations), .most = INT64_MAX},
	{"guest_policy", POLICY_OBJECT, .object = &guest_object},
	{"platform", POLICY_OBJECT, .object = &platform_object},
	{"provisional_firmware", POLICY_CHOICE, AT(provisional), .choices = shorter_demands},
	{"product", POLICY_TEXTS, AT(product)},
	{"signing_key", POLICY_CHOICE, AT(signing_key), .choices = key_choices},
	{"csp_id", POLICY_TEXTS, AT(csp_id)},
	{"crl", POLICY_CHOICE, AT(crl), .choices = crl_choices},
	{"expired_crl", POLICY_CHOICE, AT(expired_crl), .choices = refusals},
	{"reserved", POLICY_CHOICE, AT(reserved), .choices = refusals},
};
const struct policy_object snp_policy_object = {members, array_count(members)};

void snp_policy_init(void *to)
{
	struct snp_policy *policy = to;
	memset(policy, 0, sizeof(*policy));
	policy->guest[1] = SNP_WARN; /* the places of snp_policy_bits: migration_agent, debug */
	policy->guest[2] = SNP_WARN;
}

/* The ID key's owner has signed the measurement. */
const char *snp_policy_open(const void *of)
{
	const struct snp_policy *policy = of;
	if (!policy->measurement.count && !policy->id_key_digest.count)
		return "what the machine was launched from: it pins neither measurement nor id_key_digest";
	if (policy->guest[2] != SNP_REFUSE)
		return "who reads its memory: guest_policy.debug is not refused";
	if (policy->guest[1] != SNP_REFUSE)
		return "where its memory goes: guest_policy.migration_agent is not refused";
	return NULL;
}

/* ---- checks ---- */

static void check_fact(struct tee_verdict *v, const char *name, int demand, bool is, const char *meaning)
{
	static const char *const wanted[] =
		{[SNP_WARN] = "better not", [SNP_REFUSE] = "not so", [SNP_REQUIRE] = "it must be so"};
	if (demand == SNP_ANY)
		return;
	enum tee_status status = TEE_PASSED;
	if (demand == SNP_REQUIRE ? !is : is)
		status = demand == SNP_WARN ? TEE_WARNED : TEE_FAILED;
	tee_check(v, name, status, wanted[demand], "%s", meaning);
}

static void check_bits(struct tee_verdict *v, const char *of, const struct snp_bit *bits, size_t count,
                       const int *bit_demands, uint64_t value)
{
	for (size_t i = 0; i < count; i++) {
		const bool set = value >> bits[i].bit & 1;
		if (bit_demands[i] != SNP_ANY)
			check_fact(v, tee_text(v, "%s.%s", of, bits[i].name), bit_demands[i], set,
			           set ? bits[i].if_set : bits[i].if_clear);
	}
}

static void check_values(struct tee_verdict *v, const char *name, const struct policy_values *values,
                         const void *found, size_t size)
{
	if (values->count == 0)
		return;
	const char *wanted = tee_hex(v, values->values[0], size);
	if (values->count > 1)
		wanted = tee_text(v, "%s, or one of %zu others", wanted, values->count - 1);
	tee_demand(v, name, policy_allows(values, found, size), wanted, "%s", tee_hex(v, found, size));
}

static void check_texts(struct tee_verdict *v, const char *name, const struct policy_texts *texts,
                        const char *found)
{
	bool holds = false;
	if (texts->count == 0)
		return;
	for (size_t i = 0; i < texts->count; i++)
		holds |= strcmp(texts->texts[i], found) == 0;
	const char *wanted = tee_text(v, "%s", texts->texts[0]);
	if (texts->count > 1)
		wanted = tee_text(v, "%s, or one of %zu others", wanted, texts->count - 1);
	tee_demand(v, name, holds, wanted, "%s", *found ? found : "none");
}

static void check_minimum(struct tee_verdict *v, const char *of, const struct snp_minimum *minimum,
                          const struct snp_tcb *tcb, enum snp_product product)
{
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++) {
		const struct policy_number *least = &minimum->levels[c];
		const char *name = tee_text(v, "minimum.%s.%s", of, snp_component_name(c));
		const char *wanted = tee_text(v, "%u or more", (unsigned)least->value);
		uint8_t level;
		if (!least->is_set)
			continue;
		if (snp_tcb_level(tcb, product, c, &level))
			tee_demand(v, name, level >= least->value, wanted, "%u", level);
		else
			tee_demand(v, name, false, wanted, "none: %s has no such component",
			           snp_product_name(product));
	}
}

static void check_firmware(struct tee_verdict *v, const struct snp_policy *policy,
                           const struct snp_firmware *f)
{
	const unsigned least = (unsigned)(policy->firmware_major.value << 16 |
	                                  policy->firmware_minor.value << 8 | policy->firmware_build.value);
	const unsigned found = (unsigned)f->major << 16 | (unsigned)f->minor << 8 | f->build;
	if (policy->firmware_major.is_set || policy->firmware_minor.is_set || policy->firmware_build.is_set)
		tee_demand(v, "minimum.firmware", found >= least,
		           tee_text(v, "%u.%u.%u or more, committed", least >> 16, least >> 8 & 0xff,
		                    least & 0xff),
		           "%u.%u.%u", f->major, f->minor, f->build);
}

static void check_mitigations(struct tee_verdict *v, const char *name, const struct policy_number *bits,
                              const struct snp_report *r, uint64_t found)
{
	if (!bits->is_set)
		return;
	const char *wanted = tee_text(v, "the bits 0x%llx", (unsigned long long)bits->value);
	if (r->version < 5)
		tee_check(v, name, TEE_FAILED, wanted, "a report of version %u does not say", r->version);
	else
		tee_demand(v, name, (found & bits->value) == bits->value, wanted, "0x%llx",
		           (unsigned long long)found);
}

static void check_numbers(struct tee_verdict *v, const struct snp_policy *policy, const struct snp_report *r)
{
	if (policy->guest_svn.is_set)
		tee_demand(v, "minimum.guest_svn", r->guest_svn >= policy->guest_svn.value,
		           tee_text(v, "%u or more", (unsigned)policy->guest_svn.value), "%u", r->guest_svn);
	if (policy->vmpl.is_set)
		tee_demand(v, "maximum.vmpl", r->vmpl <= policy->vmpl.value,
		           tee_text(v, "%u or less", (unsigned)policy->vmpl.value), "%u", r->vmpl);
	check_firmware(v, policy, &r->committed_firmware);
	check_mitigations(v, "mitigations.launch", &policy->launch_mitigations, r, r->launch_mitigations);
	check_mitigations(v, "mitigations.current", &policy->current_mitigations, r, r->current_mitigations);
}

void snp_policy_check(struct tee_verdict *v, const struct snp_policy *policy, const struct snp_report *r,
                      enum snp_product product, const char *csp_id)
{
	check_bits(v, "policy", snp_policy_bits, SNP_POLICY_BITS, policy->guest, r->policy);
	check_bits(v, "platform", snp_platform_bits, SNP_PLATFORM_BITS, policy->platform, r->platform_info);
	const bool provisional = !crypto_equal(&r->current, &r->committed, sizeof(r->current));
	check_fact(v, "firmware.provisional", policy->provisional, provisional,
	           provisional ? "the firmware that runs is not committed: the platform can go back behind it"
	                       : "the firmware that runs is committed");
	check_values(v, "measurement", &policy->measurement, r->measurement, sizeof(r->measurement));
	check_values(v, "host_data", &policy->host_data, r->host_data, sizeof(r->host_data));
	check_values(v, "id_key_digest", &policy->id_key_digest, r->id_key_digest, sizeof(r->id_key_digest));
	check_values(v, "author_key_digest", &policy->author_key_digest, r->author_key_digest,
	             sizeof(r->author_key_digest));
	check_values(v, "report_id", &policy->report_id, r->report_id, sizeof(r->report_id));
	check_values(v, "chip_id", &policy->chip_id, r->chip_id, sizeof(r->chip_id));
	check_values(v, "family_id", &policy->family_id, r->family_id, sizeof(r->family_id));
	check_values(v, "image_id", &policy->image_id, r->image_id, sizeof(r->image_id));
	check_numbers(v, policy, r);
	check_minimum(v, "reported", &policy->reported, &r->reported, product);
	check_minimum(v, "launch", &policy->launch, &r->launch, product);
	check_minimum(v, "committed", &policy->committed, &r->committed, product);
	check_texts(v, "product", &policy->product, snp_product_name(product));
	check_texts(v, "csp_id", &policy->csp_id, csp_id);
	if (policy->signing_key != SNP_KEY_ANY) {
		const unsigned wanted = policy->signing_key == SNP_KEY_VCEK ? SNP_VCEK : SNP_VLEK;
		tee_demand(v, "signing_key", r->signing_key == wanted, snp_signing_key_name(wanted), "%s",
		           snp_signing_key_name(r->signing_key));
	}
}
