#include "attest/snp/report.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

const struct snp_bit snp_policy_bits[SNP_POLICY_BITS] = {
	{"smt", 16, "the guest may run where threads share a core", "only where SMT is off"},
	{"migration_agent", 18, "a migration agent may move it: whoever holds that agent has its memory",
         "no migration agent"},
	{"debug", 19, "THE HOST MAY READ AND WRITE ITS MEMORY (debugging)", "no debugging by the host"},
	{"single_socket", 20, "only on one socket", "on any sockets"},
	{"cxl", 21, "CXL devices and memory are allowed", "no CXL"},
	{"aes_256_xts", 22, "only with AES-256-XTS memory encryption", "any memory encryption"},
	{"rapl_disabled", 23, "only where power metering (RAPL) is off", "also where RAPL is on"},
	{"ciphertext_hiding", 24, "only where the host cannot read DRAM's ciphertext",
         "also where the host can read DRAM's ciphertext"},
	{"page_swap_disabled", 25, "the host may not move or swap its pages", "the host may move its pages"},
};

const struct snp_bit snp_platform_bits[SNP_PLATFORM_BITS] = {
	{"smt", 0, "SMT is on", "SMT is off"},
	{"tsme", 1, "transparent memory encryption is on", "transparent memory encryption is off"},
	{"ecc", 2, "memory has ECC", "memory has no ECC, or it is not known"},
	{"rapl_disabled", 3, "power metering (RAPL) is off", "power metering (RAPL) is on"},
	{"ciphertext_hiding", 4, "the host cannot read DRAM's ciphertext",
         "the host can read DRAM's ciphertext"},
	{"alias_check", 5, "no aliased addresses were found in memory since the last reset",
         "aliased addresses in memory were not looked for (BadRAM)"},
	{"tio", 7, "trusted I/O (SEV-TIO) is on", "trusted I/O is off"},
};

static const char *const product_names[] = {
	[SNP_UNKNOWN] = "",
	[SNP_MILAN] = "Milan",
	[SNP_GENOA] = "Genoa",
	[SNP_TURIN] = "Turin",
};

const char *snp_product_name(enum snp_product product)
{
	return product_names[product];
}

enum snp_product snp_product_parse(const char *name)
{
	const size_t size = strcspn(name, "-");
	for (size_t i = SNP_MILAN; i < array_count(product_names); i++)
		if (strlen(product_names[i]) == size && strncmp(product_names[i], name, size) == 0)
			return (enum snp_product)i;
	return SNP_UNKNOWN;
}

const char *snp_signing_key_name(unsigned key)
{
	switch (key) {
	case SNP_VCEK: return "VCEK";
	case SNP_VLEK: return "VLEK";
	case SNP_NO_KEY: return "none";
	default: return "reserved";
	}
}

/* ---- TCB versions ---- */

const char *snp_component_name(enum snp_component component)
{
	static const char *const names[] = {
		[SNP_FMC] = "fmc",      [SNP_BOOTLOADER] = "bootloader", [SNP_TEE] = "tee",
		[SNP_FIRMWARE] = "snp", [SNP_MICROCODE] = "microcode",
	};
	return names[component];
}

/* 56860, table "TCB_VERSION"; -1: there is none. */
static int component_at(enum snp_product product, enum snp_component component)
{
	static const int8_t milan[SNP_COMPONENTS] = {-1, 0, 1, 6, 7}, turin[SNP_COMPONENTS] = {0, 1, 2, 3, 7};
	return product == SNP_TURIN ? turin[component] : milan[component];
}

bool snp_tcb_level(const struct snp_tcb *tcb, enum snp_product product, enum snp_component component,
                   uint8_t *ret_level)
{
	const int at = component_at(product, component);
	if (at >= 0)
		*ret_level = tcb->bytes[at];
	return at >= 0;
}

bool snp_tcb_is_plain(const struct snp_tcb *tcb, enum snp_product product)
{
	struct snp_tcb rest = *tcb;
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++)
		if (component_at(product, c) >= 0)
			rest.bytes[component_at(product, c)] = 0;
	return bytes_are_zero(rest.bytes, sizeof(rest.bytes));
}

bool snp_tcb_at_most(const struct snp_tcb *a, const struct snp_tcb *b, enum snp_product product)
{
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++) {
		const int at = component_at(product, c);
		if (at >= 0 && a->bytes[at] > b->bytes[at])
			return false;
	}
	return true;
}

const char *snp_tcb_text(struct tee_verdict *verdict, const struct snp_tcb *tcb, enum snp_product product)
{
	char text[100];
	size_t at = 0;
	uint8_t level;
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++)
		if (snp_tcb_level(tcb, product, c, &level))
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %u", at ? ", " : "",
			                       snp_component_name(c), level);
	return tee_text(verdict, "%s", text);
}

/* ---- the report ---- */

static struct snp_tcb read_tcb(struct reader *r)
{
	struct snp_tcb tcb;
	reader_copy(r, tcb.bytes, sizeof(tcb.bytes));
	return tcb;
}

static struct snp_firmware read_firmware(struct reader *r)
{
	struct snp_firmware f;
	f.build = reader_u8(r);
	f.minor = reader_u8(r);
	f.major = reader_u8(r);
	(void)reader_u8(r);
	return f;
}

static void read_number(struct reader *r, uint8_t to[SNP_SIGNATURE_NUMBER])
{
	const uint8_t *from = reader_bytes(r, SNP_SIGNATURE_FIELD);
	for (size_t i = 0; from && i < SNP_SIGNATURE_NUMBER; i++)
		to[i] = from[SNP_SIGNATURE_NUMBER - 1 - i];
}

static void read_first_half(struct reader *r, struct snp_report *to)
{
	to->version = reader_u32(r);
	to->guest_svn = reader_u32(r);
	to->policy = reader_u64(r);
	reader_copy(r, to->family_id, sizeof(to->family_id));
	reader_copy(r, to->image_id, sizeof(to->image_id));
	to->vmpl = reader_u32(r);
	to->signature_algorithm = reader_u32(r);
	to->current = read_tcb(r);
	to->platform_info = reader_u64(r);
	to->key_info = reader_u32(r);
	to->signing_key = to->key_info >> 2 & 7;
	to->mask_chip_key = to->key_info >> 1 & 1;
	to->author_key_en = to->key_info & 1;
	(void)reader_u32(r);
	reader_copy(r, to->report_data, sizeof(to->report_data));
	reader_copy(r, to->measurement, sizeof(to->measurement));
	reader_copy(r, to->host_data, sizeof(to->host_data));
	reader_copy(r, to->id_key_digest, sizeof(to->id_key_digest));
	reader_copy(r, to->author_key_digest, sizeof(to->author_key_digest));
	reader_copy(r, to->report_id, sizeof(to->report_id));
	reader_copy(r, to->report_id_ma, sizeof(to->report_id_ma));
}

static void read_second_half(struct reader *r, struct snp_report *to)
{
	to->reported = read_tcb(r);
	to->family = reader_u8(r);
	to->model = reader_u8(r);
	to->stepping = reader_u8(r);
	(void)reader_bytes(r, SNP_AT_CHIP_ID - SNP_AT_RESERVED_2);
	reader_copy(r, to->chip_id, sizeof(to->chip_id));
	to->committed = read_tcb(r);
	to->current_firmware = read_firmware(r);
	to->committed_firmware = read_firmware(r);
	to->launch = read_tcb(r);
	to->launch_mitigations = reader_u64(r);
	to->current_mitigations = reader_u64(r);
	(void)reader_bytes(r, SNP_AT_SIGNATURE - SNP_AT_RESERVED_5);
	read_number(r, to->signature);
	read_number(r, to->signature + SNP_SIGNATURE_NUMBER);
	if (to->version < 3)
		to->family = to->model = to->stepping = 0;
	if (to->version < 5)
		to->launch_mitigations = to->current_mitigations = 0;
}

int snp_report_parse(const void *bytes, size_t size, struct snp_report *ret_report, struct error *err)
{
	struct reader r = reader_of(bytes, size);
	struct snp_report report = {.bytes = bytes};
	if (size != SNP_REPORT_SIZE)
		return error_set(err, CELLA_EFORMAT, "a report of SEV-SNP has %d bytes, and here are %zu",
		                 SNP_REPORT_SIZE, size);
	read_first_half(&r, &report);
	if (report.version != 2 && report.version != 3 && report.version != 5)
		return error_set(err, CELLA_EFORMAT,
		                 "version %u of SEV-SNP's report is not understood: 2, 3 and 5 are",
		                 report.version);
	read_second_half(&r, &report);
	*ret_report = report;
	return 0;
}

enum snp_product snp_report_product(const struct snp_report *report)
{
	const unsigned model = report->model >> 4;
	if (report->family == 0x19 && model == 0x0)
		return SNP_MILAN;
	if (report->family == 0x19 && (model == 0x1 || model == 0xa))
		return SNP_GENOA; /* with Bergamo and Siena */
	if (report->family == 0x1a && (model == 0x0 || model == 0x1))
		return SNP_TURIN;
	return SNP_UNKNOWN;
}

/* ---- what is reserved ---- */

static uint64_t known_bits(const struct snp_bit *bits, size_t count)
{
	uint64_t known = 0;
	for (size_t i = 0; i < count; i++)
		known |= (uint64_t)1 << bits[i].bit;
	return known;
}

static const char *reserved_bits(struct tee_verdict *verdict, const struct snp_report *r)
{
	const uint64_t one = (uint64_t)1 << SNP_POLICY_ONE;
	const uint64_t policy = r->policy & ~(known_bits(snp_policy_bits, SNP_POLICY_BITS) | one | 0xffff);
	const uint64_t platform = r->platform_info & ~known_bits(snp_platform_bits, SNP_PLATFORM_BITS);
	if (!(r->policy & one))
		return "bit 17 of the guest policy is not one";
	if (policy)
		return tee_text(verdict, "unknown bits 0x%llx of the guest policy are set",
		                (unsigned long long)policy);
	if (platform)
		return tee_text(verdict, "unknown bits 0x%llx of the platform's information are set",
		                (unsigned long long)platform);
	if (r->key_info >> 5)
		return tee_text(verdict, "unknown bits 0x%x of the key's information are set",
		                r->key_info & ~0x1fu);
	if (!r->author_key_en && !bytes_are_zero(r->author_key_digest, sizeof(r->author_key_digest)))
		return "there is an author key's digest, and no author key";
	return NULL;
}

const char *snp_report_reserved(struct tee_verdict *verdict, const struct snp_report *r,
                                enum snp_product product)
{
	const struct {
		size_t from, to;
	} zeros[] = {
		{SNP_AT_RESERVED_1, SNP_AT_REPORT_DATA},
		{r->version < 3 ? SNP_AT_CPUID : SNP_AT_RESERVED_2, SNP_AT_CHIP_ID},
		{SNP_AT_RESERVED_3, SNP_AT_COMMITTED_FIRMWARE},
		{SNP_AT_RESERVED_4, SNP_AT_LAUNCH_TCB},
		{r->version < 5 ? SNP_AT_LAUNCH_MITIGATIONS : SNP_AT_RESERVED_5, SNP_AT_SIGNATURE},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_NUMBER, SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD + SNP_SIGNATURE_NUMBER,
	         SNP_AT_SIGNATURE + 2 * SNP_SIGNATURE_FIELD},
		{SNP_AT_SIGNATURE + 2 * SNP_SIGNATURE_FIELD, SNP_REPORT_SIZE},
	};
	const struct snp_tcb *const tcbs[] = {&r->current, &r->reported, &r->committed, &r->launch};
	for (size_t i = 0; i < array_count(zeros); i++)
		if (!bytes_are_zero(r->bytes + zeros[i].from, zeros[i].to - zeros[i].from))
			return tee_text(verdict, "bytes 0x%zx to 0x%zx, which are reserved, are not zero",
			                zeros[i].from, zeros[i].to - 1);
	for (size_t i = 0; i < array_count(tcbs); i++)
		if (!snp_tcb_is_plain(tcbs[i], product))
			return tee_text(verdict, "a TCB version has reserved bytes that are not zero: %s",
			                tee_hex(verdict, tcbs[i]->bytes, SNP_TCB_SIZE));
	return reserved_bits(verdict, r);
}
