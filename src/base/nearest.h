/* The name that somebody who mistyped another one may have meant. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include <stddef.h>

enum { NEAREST_NAME_MAX = 40 }; /* longer ones resemble nothing */

/* Of `count` names the one that takes the fewest edits to get from `word` to; NULL when none resembles it.
 * `name_of` gets `data`. */
const char *nearest_name(const char *word, const char *(*name_of)(const void *data, size_t index),
                         const void *data, size_t count);

#endif
