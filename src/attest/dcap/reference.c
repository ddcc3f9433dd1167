#include "attest/dcap/reference.h"

#include <string.h>

#include "attest/firmware_table.h"
#include "base/buf.h"
#include "crypto/crypto.h"

enum {
	PAGE = 4096,
	PIECE = 256, /* that one TDH.MR.EXTEND measures */
	BLOCK = 128,
	BLOCK_ADDRESS = 16,
	SECTIONS_MAX = 64,
	PAGES_MAX = 1 << 16, /* of all sections */
	ENTRY_SIZE = 32,
	METADATA_HEADER = 16,
	SECTION_HOB = 2, /* from here on contents that the image does not have */
	SECTION_TEMPORARY = 3,
	ATTRIBUTE_EXTEND = 1,
};

static const uint8_t metadata_guid[FIRMWARE_GUID_SIZE] = {0x35, 0x65, 0x7a, 0xe4, 0x4a, 0x98, 0x98, 0x47,
                                                          0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2};

struct section {
	uint32_t offset, raw_size; /* in the image */
	uint64_t address, size;
	uint32_t type, attributes;
};

struct launch {
	const uint8_t *image;
	size_t size;
	uint64_t pages;      /* so far */
	struct buf measured; /* what is hashed */
};

static void put_block(struct buf *to, const char *name, uint64_t address)
{
	uint8_t *block = buf_reserve(to, BLOCK);
	if (!block)
		return;
	memcpy(block, name, strnlen(name, BLOCK_ADDRESS));
	for (size_t i = 0; i < sizeof(address); i++)
		block[BLOCK_ADDRESS + i] = (uint8_t)(address >> (8 * i));
}

static void put_page(struct buf *to, uint64_t address, const uint8_t *contents)
{
	put_block(to, "MEM.PAGE.ADD", address);
	for (size_t at = 0; contents && at < PAGE; at += PIECE) {
		put_block(to, "MR.EXTEND", address + at);
		buf_put(to, contents + at, PIECE);
	}
}

static int put_section(struct launch *l, const struct section *s, size_t number, struct error *err)
{
	const bool measured = s->attributes & ATTRIBUTE_EXTEND;
	l->pages += s->size / PAGE;
	if (s->address % PAGE || s->size % PAGE || l->pages > PAGES_MAX)
		return error_set(
			err, CELLA_EFORMAT,
			"section %zu of the firmware's TDX metadata (0x%llx bytes at 0x%llx) is not made of "
			"pages, or of too many",
			number, (unsigned long long)s->size, (unsigned long long)s->address);
	if (s->type > SECTION_TEMPORARY || (s->raw_size == 0) != (s->type >= SECTION_HOB))
		return error_set(
			err, CELLA_EFORMAT,
			"section %zu of the firmware's TDX metadata is of the kind %u, with %u bytes in the "
			"image: QEMU launches no such firmware",
			number, s->type, s->raw_size);
	if (measured && (s->type >= SECTION_HOB || s->raw_size != s->size || s->offset > l->size ||
	                 s->raw_size > l->size - s->offset))
		return error_set(err, CELLA_EFORMAT,
		                 "section %zu of the firmware's TDX metadata is measured, but is not in the "
		                 "image: give all of it (OVMF.fd), not the code alone",
		                 number);
	for (uint64_t at = 0; at < s->size; at += PAGE)
		put_page(&l->measured, s->address + at, measured ? l->image + s->offset + at : NULL);
	return 0;
}

static int put_sections(struct launch *l, struct reader *r, uint32_t count, struct error *err)
{
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		struct section s = {.offset = reader_u32(r), .raw_size = reader_u32(r)};
		s.address = reader_u64(r);
		s.size = reader_u64(r);
		s.type = reader_u32(r);
		s.attributes = reader_u32(r);
		rc = put_section(l, &s, i, err);
	}
	return rc;
}

static int read_metadata(struct launch *l, struct error *err)
{
	const uint8_t *entry = firmware_entry(l->image, l->size, metadata_guid, sizeof(uint32_t));
	if (!entry)
		return error_set(
			err, CELLA_EFORMAT,
			"the firmware has no TDX metadata: it is no TDVF that can be launched as a TD");
	struct reader r = reader_of(entry, sizeof(uint32_t));
	const size_t back = reader_u32(&r);
	r = reader_of(l->image + l->size - min_of(back, l->size), min_of(back, l->size));
	const uint8_t *signature = reader_bytes(&r, 4);
	const uint32_t size = reader_u32(&r), version = reader_u32(&r), count = reader_u32(&r);
	if (!signature || !crypto_equal(signature, "TDVF", 4) || version != 1 || count > SECTIONS_MAX ||
	    back > l->size || size != METADATA_HEADER + count * ENTRY_SIZE ||
	    reader_left(&r) < count * ENTRY_SIZE)
		return error_set(
			err, CELLA_EFORMAT,
			"the firmware's TDX metadata is malformed, or of a version that is not known");
	return put_sections(l, &r, count, err);
}

int reference_tdx(const struct tee_blob *firmware, uint8_t ret_mr_td[REFERENCE_TDX_SIZE], struct error *err)
{
	struct launch l = {.image = firmware->data, .size = firmware->size};
	if (l.size < PAGE || l.size % PAGE || l.size > REFERENCE_TDX_FIRMWARE_MAX)
		return error_set(
			err, CELLA_EFORMAT,
			"a firmware has whole pages of %d bytes, and %d MiB at most; here are %zu bytes",
			PAGE, REFERENCE_TDX_FIRMWARE_MAX >> 20, l.size);
	int rc = read_metadata(&l, err);
	if (rc == 0 && l.measured.failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory to measure the firmware");
	if (rc == 0)
		rc = crypto_sha384(l.measured.data, l.measured.size, ret_mr_td, err);
	buf_done(&l.measured);
	return rc;
}
