#include "attest/dcap/pck_format.h"

#include <string.h>

#include "base/buf.h"
#include "crypto/crypto.h"

enum {
	TAG_BOOLEAN = 0x01,
	TAG_INTEGER = 0x02,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_ENUM = 0x0A,
	TAG_SEQUENCE = 0x30
};
enum { MEMBERS_MAX = 32, FIRST_PCE_SVN = 17, FIRST_CPU_SVN = 18 };

/* 1.2.840.113741.1.13.1, which every member's number begins with. */
static const uint8_t prefix[] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 0x01, 0x0D, 0x01};

/* ---- DER ---- */

static struct reader der_value(struct reader *r, uint8_t *ret_tag)
{
	*ret_tag = reader_u8(r);
	size_t size = reader_u8(r);
	if (size == 0x81) {
		size = reader_u8(r);
		r->failed |= size < 0x80;
	} else if (size == 0x82) {
		size = (size_t)reader_u8(r) << 8;
		size |= reader_u8(r);
		r->failed |= size < 0x100;
	} else {
		r->failed |= size >= 0x80;
	}
	const uint8_t *bytes = r->failed ? NULL : reader_bytes(r, size);
	return bytes ? reader_of(bytes, size) : (struct reader){.failed = true};
}

static struct reader der_tagged(struct reader *r, uint8_t wanted)
{
	uint8_t tag;
	struct reader value = der_value(r, &tag);
	r->failed |= tag != wanted;
	value.failed |= r->failed;
	return value;
}

static uint32_t der_number(struct reader *r, uint8_t tag, uint32_t most)
{
	struct reader value = der_tagged(r, tag);
	const uint8_t first = reader_u8(&value);
	uint64_t number = first;
	r->failed |= value.failed || value.size > sizeof(uint32_t) || (first & 0x80) != 0 ||
	             (first == 0 && value.size > 1 && (value.data[1] & 0x80) == 0);
	while (!r->failed && reader_left(&value) > 0)
		number = number << 8 | reader_u8(&value);
	r->failed |= number > most;
	return r->failed ? 0 : (uint32_t)number;
}

static bool der_boolean(struct reader *r)
{
	struct reader value = der_tagged(r, TAG_BOOLEAN);
	const uint8_t byte = reader_u8(&value);
	r->failed |= !reader_finished(&value) || (byte != 0 && byte != 0xFF);
	return byte != 0;
}

static void der_octets(struct reader *r, void *to, size_t size)
{
	struct reader value = der_tagged(r, TAG_OCTETS);
	reader_copy(&value, to, size);
	r->failed |= !reader_finished(&value);
}

/* ---- members: a SEQUENCE of their number and their value ---- */

/* The number's last part; 0 (and failed) if it is not below `parent`, which is 0 for the extension itself. */
static uint8_t member_number(struct reader *member, uint8_t parent)
{
	struct reader oid = der_tagged(member, TAG_OID);
	const uint8_t *start = reader_bytes(&oid, sizeof(prefix));
	const uint8_t above = parent > 0 ? reader_u8(&oid) : 0;
	const uint8_t number = reader_u8(&oid);
	member->failed |= !reader_finished(&oid) || !start || !crypto_equal(start, prefix, sizeof(prefix)) ||
	                  above != parent || number == 0 || number >= MEMBERS_MAX;
	return member->failed ? 0 : number;
}

typedef void read_member(struct reader *member, uint8_t number, struct pck_platform *to);

/* Bits: the numbers that were there. */
static uint32_t read_members(struct reader *r, uint8_t parent, read_member *read, struct pck_platform *to)
{
	struct reader list = der_tagged(r, TAG_SEQUENCE);
	uint32_t seen = 0;
	while (!list.failed && reader_left(&list) > 0) {
		struct reader member = der_tagged(&list, TAG_SEQUENCE);
		const uint8_t number = member_number(&member, parent);
		if (!member.failed)
			read(&member, number, to);
		list.failed |= !reader_finished(&member) || (seen & 1u << number) != 0;
		seen |= 1u << number;
	}
	r->failed |= list.failed;
	return seen;
}

static void read_tcb(struct reader *member, uint8_t number, struct pck_platform *to)
{
	if (number < FIRST_PCE_SVN)
		to->components[number - 1] = (uint8_t)der_number(member, TAG_INTEGER, UINT8_MAX);
	else if (number == FIRST_PCE_SVN)
		to->pce_svn = (uint16_t)der_number(member, TAG_INTEGER, UINT16_MAX);
	else if (number == FIRST_CPU_SVN)
		der_octets(member, to->cpu_svn, sizeof(to->cpu_svn));
	else
		member->failed = true;
}

static void read_configuration(struct reader *member, uint8_t number, struct pck_platform *to)
{
	const bool value = der_boolean(member);
	switch (number) {
	case 1: to->dynamic_platform = value; break;
	case 2: to->cached_keys = value; break;
	case 3: to->smt_enabled = value; break;
	default: break;
	}
}

static void read_platform(struct reader *member, uint8_t number, struct pck_platform *to)
{
	uint8_t tag;
	switch (number) {
	case 1: der_octets(member, to->ppid, sizeof(to->ppid)); break;
	case 2:
		if (read_members(member, number, read_tcb, to) != (1u << (FIRST_CPU_SVN + 1)) - 2)
			member->failed = true;
		break;
	case 3: der_octets(member, to->pce_id, sizeof(to->pce_id)); break;
	case 4: der_octets(member, to->fmspc, sizeof(to->fmspc)); break;
	case 5: to->sgx_type = (uint8_t)der_number(member, TAG_ENUM, UINT8_MAX); break;
	case 6:
		to->has_instance = true;
		der_octets(member, to->instance_id, sizeof(to->instance_id));
		break;
	case 7:
		to->has_configuration = true;
		(void)read_members(member, number, read_configuration, to);
		break;
	default: (void)der_value(member, &tag); break;
	}
}

int pck_read(const void *der, size_t size, struct pck_platform *ret_platform, struct error *err)
{
	enum { NEEDED = 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 };
	struct pck_platform platform = {0};
	struct reader r = reader_of(der, size);
	r.failed = size > PCK_EXTENSION_MAX;
	const uint32_t seen = read_members(&r, 0, read_platform, &platform);
	if (!reader_finished(&r) || (seen & NEEDED) != NEEDED)
		return error_set(err, CELLA_EFORMAT, "the SGX extension of the PCK certificate is malformed");
	*ret_platform = platform;
	return 0;
}
