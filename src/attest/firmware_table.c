#include "attest/firmware_table.h"

#include "base/buf.h"
#include "crypto/crypto.h"

enum {
	GUID = FIRMWARE_GUID_SIZE,
	TABLE_END = 32,
	TABLE_ENTRY = 2 + GUID, /* size and GUID behind the data */
};

static const uint8_t table_guid[GUID] = {0xde, 0x82, 0xb5, 0x96, 0xb2, 0x1f, 0xf7, 0x45,
                                         0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d};

const uint8_t *firmware_entry(const uint8_t *image, size_t size, const uint8_t guid[FIRMWARE_GUID_SIZE],
                              size_t least)
{
	size_t end = size - TABLE_END;
	struct reader r = reader_of(image + end - TABLE_ENTRY, TABLE_ENTRY);
	size_t left = reader_u16(&r);
	if (!crypto_equal(reader_bytes(&r, GUID), table_guid, GUID) || left < TABLE_ENTRY || left > end)
		return NULL;
	left -= TABLE_ENTRY;
	end -= TABLE_ENTRY;
	while (left >= TABLE_ENTRY) {
		r = reader_of(image + end - TABLE_ENTRY, TABLE_ENTRY);
		const size_t whole = reader_u16(&r);
		if (whole < TABLE_ENTRY || whole > left)
			return NULL;
		if (crypto_equal(reader_bytes(&r, GUID), guid, GUID))
			return whole - TABLE_ENTRY >= least ? image + end - whole : NULL;
		left -= whole;
		end -= whole;
	}
	return NULL;
}
