#include "attest/snp/reference.h"

#include <string.h>

#include "attest/firmware_table.h"
#include "base/buf.h"
#include "base/nearest.h"
#include "crypto/crypto.h"

enum {
	PAGE = 4096,
	GUID = FIRMWARE_GUID_SIZE,
	/* Page types, table "PAGE_TYPE" of 56860. */
	PAGE_NORMAL = 1,
	PAGE_VMSA = 2,
	PAGE_ZERO = 3,
	PAGE_SECRETS = 5,
	PAGE_CPUID = 6,
	PAGE_INFO_SIZE = 0x70,
	METADATA_MAX = 64, /* sections of OVMF's */
	SECTION_MEMORY = 1,
	SECTION_SECRETS = 2,
	SECTION_CPUID = 3,
	SECTION_CAA = 4,
	SECTION_HASHES = 0x10,
	SECTION_PAGES_MAX = 4096,
	SHA256 = 32,
	HASHES_SIZE = 176, /* 18 bytes, three rows of 50, padded to 16 */
};
static const uint64_t VMSA_ADDRESS = 0xfffffffff000; /* where QEMU says that save areas lie */
static const uint32_t RESET_ADDRESS = 0xfffffff0;

/* GUIDs as EFI writes them: the first three numbers little-endian. */
static const uint8_t hashes_guid[GUID] = {0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b,
                                          0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54};
static const uint8_t reset_guid[GUID] = {0xde, 0x71, 0xf7, 0x00, 0x7e, 0x1a, 0xcb, 0x4f,
                                         0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e};
static const uint8_t metadata_guid[GUID] = {0x66, 0x65, 0x88, 0xdc, 0x4a, 0x98, 0x98, 0x47,
                                            0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc};
static const uint8_t row_table_guid[GUID] = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
                                             0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
static const uint8_t row_guids[3][GUID] = {
	/* command line, initrd, kernel */
	{0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a},
	{0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d},
	{0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b},
};

/* ---- the launch digest ---- */

struct launch {
	uint8_t digest[SNP_MEASUREMENT_SIZE];
	uint8_t info[PAGE_INFO_SIZE];
	struct error *err;
};

/* One page, whose contents are NULL where they are not measured. */
static int extend(struct launch *l, uint8_t type, uint64_t address, const uint8_t *page)
{
	memset(l->info, 0, sizeof(l->info));
	memcpy(l->info, l->digest, sizeof(l->digest));
	int rc = page ? crypto_sha384(page, PAGE, l->info + SNP_MEASUREMENT_SIZE, l->err) : 0;
	if (rc < 0)
		return rc;
	l->info[96] =
		PAGE_INFO_SIZE; /* its length, 16 bits; what follows the type is permissions, all zero */
	l->info[98] = type;
	for (size_t i = 0; i < sizeof(address); i++)
		l->info[104 + i] = (uint8_t)(address >> (8 * i));
	return crypto_sha384(l->info, sizeof(l->info), l->digest, l->err);
}

static int extend_pages(struct launch *l, uint8_t type, uint64_t address, uint32_t count)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < count; i++)
		rc = extend(l, type, address + (uint64_t)i * PAGE, NULL);
	return rc;
}

static int extend_firmware(struct launch *l, const struct tee_blob *firmware)
{
	const uint64_t address = ((uint64_t)1 << 32) - firmware->size;
	int rc = 0;
	for (size_t at = 0; rc == 0 && at < firmware->size; at += PAGE)
		rc = extend(l, PAGE_NORMAL, address + at, (const uint8_t *)firmware->data + at);
	return rc;
}

/* ---- what the firmware says ---- */

struct section {
	uint32_t address, size, type;
};

struct firmware {
	const uint8_t *bytes;
	size_t size;
	uint32_t hashes;      /* the address of the table of hashes; 0: it says none */
	uint32_t reset;       /* where processors but the first begin; 0 */
	struct section sections[METADATA_MAX];
	size_t count;
};

static int read_section(struct reader *r, struct firmware *f, struct error *err)
{
	struct section *s = &f->sections[f->count];
	s->address = reader_u32(r);
	s->size = reader_u32(r);
	s->type = reader_u32(r);
	if (s->address % PAGE || s->size % PAGE || s->size / PAGE > SECTION_PAGES_MAX)
		return error_set(
			err, CELLA_EFORMAT,
			"section %zu of the firmware's SEV metadata (0x%x bytes at 0x%x) is not made of "
			"pages, or of too many",
			f->count, s->size, s->address);
	f->count++;
	return 0;
}

static int read_metadata(struct firmware *f, struct error *err)
{
	const uint8_t *entry = firmware_entry(f->bytes, f->size, metadata_guid, sizeof(uint32_t));
	if (!entry)
		return error_set(
			err, CELLA_EFORMAT,
			"the firmware has no SEV metadata: it is no OVMF that can be launched under SEV-SNP");
	struct reader r = reader_of(entry, sizeof(uint32_t));
	const size_t back = reader_u32(&r);
	r = reader_of(f->bytes + f->size - min_of(back, f->size), min_of(back, f->size));
	const uint8_t *signature = reader_bytes(&r, 4);
	(void)reader_u32(&r); /* its size */
	const uint32_t version = reader_u32(&r), count = reader_u32(&r);
	if (!signature || !crypto_equal(signature, "ASEV", 4) || version != 1 || count > METADATA_MAX ||
	    back > f->size)
		return error_set(err, CELLA_EFORMAT,
		                 "the firmware's SEV metadata is malformed, or of a version "
		                 "that is not known");
	int rc = 0;
	while (rc == 0 && f->count < count)
		rc = read_section(&r, f, err);
	if (rc == 0 && r.failed)
		rc = error_set(err, CELLA_EFORMAT, "the firmware's SEV metadata is cut");
	return rc;
}

static int read_firmware(const struct tee_blob *blob, struct firmware *f, struct error *err)
{
	if (blob->size < PAGE || blob->size % PAGE || blob->size > REFERENCE_FIRMWARE_MAX)
		return error_set(
			err, CELLA_EFORMAT,
			"a firmware has whole pages of %d bytes, and %d MiB at most; here are %zu bytes",
			PAGE, REFERENCE_FIRMWARE_MAX >> 20, blob->size);
	*f = (struct firmware){.bytes = blob->data, .size = blob->size};
	int rc = read_metadata(f, err);
	const uint8_t *hashes = firmware_entry(f->bytes, f->size, hashes_guid, sizeof(uint32_t));
	const uint8_t *reset = firmware_entry(f->bytes, f->size, reset_guid, sizeof(uint32_t));
	struct reader r = reader_of(hashes, hashes ? sizeof(uint32_t) : 0);
	f->hashes = reader_u32(&r);
	r = reader_of(reset, reset ? sizeof(uint32_t) : 0);
	f->reset = reader_u32(&r);
	return rc;
}

/* ---- the page of hashes ---- */

static int put_hash(struct buf *to, const uint8_t guid[GUID], const void *data, size_t size,
                    struct error *err)
{
	uint8_t digest[CRYPTO_HASH_MAX];
	const struct crypto_part part = {data ? data : "", size};
	int rc = crypto_hash(CRYPTO_SHA256, &part, 1, digest, err);
	buf_put(to, guid, GUID);
	buf_put_u16(to, GUID + sizeof(uint16_t) + SHA256);
	buf_put(to, digest, SHA256);
	return rc;
}

static int make_hashes(const struct reference_snp *r, const struct firmware *f, uint8_t page[PAGE],
                       struct error *err)
{
	cleanup_buf struct buf table = {0};
	const char *line = r->command_line ? r->command_line : "";
	const size_t at = f->hashes % PAGE;
	buf_put(&table, row_table_guid, GUID);
	buf_put_u16(&table, 2 + GUID + 3 * (GUID + 2 + SHA256));
	int rc = put_hash(&table, row_guids[0], line, strnlen(line, REFERENCE_COMMAND_LINE_MAX) + 1, err);
	if (rc == 0)
		rc = put_hash(&table, row_guids[1], r->initrd.data, r->initrd.size, err);
	if (rc == 0)
		rc = put_hash(&table, row_guids[2], r->kernel.data, r->kernel.size, err);
	if (rc == 0 && table.failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for hashes");
	if (rc == 0 && at + HASHES_SIZE > PAGE)
		rc = error_set(err, CELLA_EFORMAT, "the firmware's table of hashes crosses a page");
	if (rc < 0)
		return rc;
	memset(page, 0, PAGE);
	memcpy(page + at, table.data, table.size);
	return 0;
}

static int extend_hashes(struct launch *l, const struct reference_snp *r, const struct firmware *f,
                         const struct section *s)
{
	uint8_t page[PAGE];
	if (!r->kernel.data)
		return extend_pages(l, PAGE_ZERO, s->address, s->size / PAGE);
	int rc = make_hashes(r, f, page, l->err);
	return rc == 0 ? extend(l, PAGE_NORMAL, s->address, page) : rc;
}

static int extend_sections(struct launch *l, const struct reference_snp *r, const struct firmware *f)
{
	bool has_hashes = false;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < f->count; i++) {
		const struct section *s = &f->sections[i];
		has_hashes |= s->type == SECTION_HASHES;
		switch (s->type) {
		case SECTION_MEMORY:
		case SECTION_CAA: rc = extend_pages(l, PAGE_ZERO, s->address, s->size / PAGE); break;
		case SECTION_SECRETS: rc = extend_pages(l, PAGE_SECRETS, s->address, s->size / PAGE); break;
		case SECTION_CPUID: rc = extend_pages(l, PAGE_CPUID, s->address, s->size / PAGE); break;
		case SECTION_HASHES: rc = extend_hashes(l, r, f, s); break;
		default:
			rc = error_set(l->err, CELLA_EFORMAT,
			               "the firmware's SEV metadata has a section of the "
			               "kind %u, which is not known",
			               s->type);
		}
	}
	if (rc == 0 && r->kernel.data && (!has_hashes || f->hashes == 0))
		rc = error_set(
			l->err, CELLA_EFORMAT,
			"the firmware does not check kernels by their hashes (it has no place for them): the "
			"measurement would not cover the kernel");
	return rc;
}

/* ---- the processors' save areas: AMD 24593, table B-4, with the state in which QEMU starts them ---- */

static void put_number(uint8_t *page, size_t at, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		page[at + i] = (uint8_t)(value >> (8 * i));
}

static void put_segment(uint8_t *page, size_t at, unsigned selector, unsigned attributes, uint64_t base)
{
	put_number(page, at, selector, 2);
	put_number(page, at + 2, attributes, 2);
	put_number(page, at + 4, 0xffff, 4);
	put_number(page, at + 8, base, 8);
}

static void make_save_area(const struct reference_snp *r, uint32_t begin, uint8_t page[PAGE])
{
	static const struct {
		size_t at;
		unsigned attributes;
	} segments[] = {
		{0x00, 0x93}, {0x20, 0x93}, {0x30, 0x93}, {0x40, 0x93}, {0x50, 0x93}, /* ES SS DS FS GS */
		{0x60, 0},    {0x70, 0x82}, {0x80, 0},    {0x90, 0x8b}, /* GDTR LDTR IDTR TR */
	};
	static const struct {
		size_t at, size;
		uint64_t value;
	} registers[] = {
		{0x0d0, 8, 0x1000}, /* EFER: SVME */
		{0x148, 8, 0x40}, /* CR4: MCE */
		{0x158, 8, 0x10}, /* CR0: ET */
		{0x160, 8, 0x400}, /* DR7 */
		{0x168, 8, 0xffff0ff0}, /* DR6 */
		{0x170, 8, 0x2}, /* RFLAGS */
		{0x268, 8, 0x0007040600070406}, /* PAT */
		{0x3e8, 8, 0x1}, /* XCR0 */
		{0x408, 4, 0x1f80}, /* MXCSR */
		{0x410, 2, 0x37f}, /* the FPU's control word */
	};
	memset(page, 0, PAGE);
	for (size_t i = 0; i < array_count(segments); i++)
		put_segment(page, segments[i].at, 0, segments[i].attributes, 0);
	put_segment(page, 0x10, 0xf000, 0x9b, begin & 0xffff0000); /* CS */
	for (size_t i = 0; i < array_count(registers); i++)
		put_number(page, registers[i].at, registers[i].value, registers[i].size);
	put_number(page, 0x178, begin & 0xffff, 8); /* RIP */
	put_number(page, 0x310, r->cpu_signature, 8); /* RDX */
	put_number(page, 0x3b0, r->guest_features | 1, 8); /* SEV_FEATURES */
}

static int extend_cpus(struct launch *l, const struct reference_snp *r, const struct firmware *f)
{
	uint8_t page[PAGE];
	int rc = 0;
	if (r->cpus > 1 && f->reset == 0)
		return error_set(l->err, CELLA_EFORMAT,
		                 "the firmware does not say where further processors begin");
	for (uint32_t i = 0; rc == 0 && i < r->cpus; i++) {
		if (i < 2)
			make_save_area(r, i == 0 ? RESET_ADDRESS : f->reset, page);
		rc = extend(l, PAGE_VMSA, VMSA_ADDRESS, page);
	}
	return rc;
}

int reference_snp(const struct reference_snp *r, uint8_t ret_measurement[SNP_MEASUREMENT_SIZE],
                  struct error *err)
{
	struct launch l = {.err = err};
	struct firmware f;
	if (r->cpus < 1 || r->cpus > REFERENCE_CPUS_MAX)
		return error_set(err, CELLA_EINVAL, "%u virtual processors: from 1 to %d", r->cpus,
		                 REFERENCE_CPUS_MAX);
	if (!r->kernel.data && (r->initrd.data || r->command_line))
		return error_set(err, CELLA_EINVAL,
		                 "an initrd or command line is measured with a kernel only");
	if (r->command_line &&
	    strnlen(r->command_line, REFERENCE_COMMAND_LINE_MAX) == REFERENCE_COMMAND_LINE_MAX)
		return error_set(err, CELLA_EINVAL, "a kernel's command line is shorter than %d bytes",
		                 REFERENCE_COMMAND_LINE_MAX);
	int rc = read_firmware(&r->firmware, &f, err);
	if (rc == 0)
		rc = extend_firmware(&l, &r->firmware);
	if (rc == 0)
		rc = extend_sections(&l, r, &f);
	if (rc == 0)
		rc = extend_cpus(&l, r, &f);
	if (rc == 0)
		memcpy(ret_measurement, l.digest, sizeof(l.digest));
	return rc;
}

/* ---- QEMU's processors ---- */

static const struct cpu {
	const char *name;
	unsigned family, model, stepping;
} cpus[] = {
	{"EPYC", 23, 1, 2},        {"EPYC-Rome", 23, 49, 0}, {"EPYC-Milan", 25, 1, 1},
	{"EPYC-Genoa", 25, 17, 0}, {"EPYC-Turin", 26, 0, 0},
};

static const char *cpu_name(const void *data, size_t index)
{
	return ((const struct cpu *)data)[index].name;
}

/* CPUID 1, EAX (AMD 24594): families from 15 on are written in two parts, models in two. */
static uint32_t signature_of(const struct cpu *c)
{
	return (c->family - 15) << 20 | (c->model >> 4) << 16 | 15u << 8 | (c->model & 15) << 4 | c->stepping;
}

int reference_snp_cpu(const char *name, uint32_t *ret_signature, struct error *err)
{
	/* A version of a model, such as EPYC-Milan-v2, has its signature. */
	const char *version = strstr(name, "-v");
	const size_t size = version ? (size_t)(version - name) : strnlen(name, NEAREST_NAME_MAX);
	for (size_t i = 0; i < array_count(cpus); i++)
		if (strlen(cpus[i].name) == size && strncmp(cpus[i].name, name, size) == 0) {
			*ret_signature = signature_of(&cpus[i]);
			return 0;
		}
	const char *nearest = nearest_name(name, cpu_name, cpus, array_count(cpus));
	return error_set(err, CELLA_EINVAL, "there is no processor %.40s%s%s%s; its signature can be given",
	                 name, nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}
