/*
 * An outermost object of JSON cut into its members where they stand in the text, for signatures that are over
 * the bytes of one. Nothing but the outermost level is understood: each value is to be read by jansson, which
 * refuses what is no JSON. What this promises is that the pieces do not overlap, lie in the text, and that
 * objects and arrays in them nest at most as deep as is allowed (jansson takes stack for each level).
 */
#ifndef ATTEST_JSON_CUT_H
#define ATTEST_JSON_CUT_H

#include <stdbool.h>
#include <stddef.h>

struct json_piece {
	const char *name; /* between its quotes, as it stands: with escapes */
	size_t name_size;
	const char *value;
	size_t size;
};

/* False: no object, malformed, too deep, or too many members. */
bool json_cut(const char *text, size_t size, size_t depth, struct json_piece *pieces, size_t capacity,
              size_t *ret_count);
bool json_piece_is(const struct json_piece *piece, const char *name);

#endif
