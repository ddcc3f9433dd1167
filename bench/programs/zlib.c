/* zlib packs and unpacks a text of made-up words, of which few are frequent and most are rare. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "program.h"

enum { TEXT = SIZE(16 << 20, 64 << 10), WORDS = 5000, WORD_MAX = 12, LEVEL = 6 };

static uint32_t draw(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void write_text(char *text)
{
	static char words[WORDS][WORD_MAX];
	uint32_t state = 1;
	for (int i = 0; i < WORDS; i++)
		for (int k = 0, size = 2 + (int)(draw(&state) % (WORD_MAX - 2)); k < WORD_MAX; k++)
			words[i][k] = k < size ? (char)('a' + draw(&state) % 26) : '\0';
	for (size_t at = 0; at < TEXT;) {
		uint32_t range = 1 + draw(&state) %
		                             WORDS; /* the product of two draws: low numbers are frequent */
		const char *word = words[draw(&state) % range];
		for (; *word && at < TEXT; word++)
			text[at++] = *word;
		if (at < TEXT)
			text[at++] = draw(&state) % 12 ? ' ' : '\n';
	}
}

static uLongf pack(const char *text, Bytef *packed, uLongf capacity)
{
	if (compress2(packed, &capacity, (const Bytef *)text, TEXT, LEVEL) != Z_OK)
		abort();
	return capacity;
}

void program_deflate(struct trial *t)
{
	uLongf bound = compressBound(TEXT), size;
	char *text = trial_array(t, TEXT);
	Bytef *packed = trial_array(t, bound);
	write_text(text);
	trial_begin(t);
	size = pack(text, packed, bound);
	trial_end(t);
	trial_result(t, packed, (size + 3) / 4 * 4);
}

void program_inflate(struct trial *t)
{
	uLongf bound = compressBound(TEXT), size = TEXT;
	char *text = trial_array(t, TEXT), *again = trial_array(t, TEXT);
	Bytef *packed = trial_array(t, bound);
	write_text(text);
	uLongf packed_size = pack(text, packed, bound);
	trial_begin(t);
	int rc = uncompress((Bytef *)again, &size, packed, packed_size);
	trial_end(t);
	if (rc != Z_OK || size != TEXT || memcmp(text, again, TEXT) != 0)
		abort();
	trial_result(t, again, TEXT);
}
