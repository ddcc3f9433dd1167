#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

#include "base/attributes.h"

/* Edits that turn one word into the other (Levenshtein; Wagner and Fischer 1974). */
static size_t word_distance(const char *a, const char *b)
{
	size_t m = strlen(a), n = strlen(b), row[NEAREST_NAME_MAX + 1];
	if (m > NEAREST_NAME_MAX || n > NEAREST_NAME_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = min_of(change, min_of(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

const char *nearest_name(const char *word, const char *(*name_of)(const void *data, size_t index),
                         const void *data, size_t count)
{
	const char *nearest = NULL;
	size_t least = strlen(word) / 3 + 1;
	for (size_t i = 0; i < count; i++) {
		size_t distance = word_distance(word, name_of(data, i));
		if (distance < least) {
			least = distance;
			nearest = name_of(data, i);
		}
	}
	return nearest;
}
