#include "base/printable.h"

#include <stdint.h>

/* Bytes of the character at the beginning, 0 if it is none or has no business on a terminal. */
static size_t character_size(const uint8_t *at, size_t left)
{
	static const uint32_t least[] = {[2] = 0xa0, [3] = 0x800, [4] = 0x10000}; /* C1 is before it */
	if (at[0] < 0x80)
		return at[0] >= ' ' && at[0] != 0x7f;
	size_t size = at[0] >> 5 == 0x06 ? 2 : at[0] >> 4 == 0x0e ? 3 : at[0] >> 3 == 0x1e ? 4 : 0;
	if (size == 0 || size > left)
		return 0;
	uint32_t point = at[0] & (0x7fu >> size);
	for (size_t i = 1; i < size; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (at[i] & 0x3f);
	}
	bool surrogate = point >= 0xd800 && point <= 0xdfff;
	return point >= least[size] && point <= 0x10ffff && !surrogate ? size : 0;
}

void printable(char *text, size_t size, bool lines)
{
	for (size_t i = 0; i < size;) {
		size_t kept = character_size((const uint8_t *)text + i, size - i);
		if (kept == 0 && !(lines && text[i] == '\n'))
			text[i] = '?';
		i += kept ? kept : 1;
	}
}
