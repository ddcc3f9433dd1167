/* Values as wast2json writes them: {"type": "i32", "value": "4294967295"}. */
#ifndef TESTS_WAST_VALUES_H
#define TESTS_WAST_VALUES_H

#include <jansson.h>
#include <stdbool.h>

#include "wasm/cell_abi.h"

/* False for a form that is not known. */
bool value_parse(const json_t *value, union cell_value *ret);
/* Does `found` satisfy what is expected, a NaN pattern or a null reference perhaps? */
bool value_matches(const json_t *expected, const union cell_value *found);
/* The letter of its type in a signature of cell_abi.h. */
char value_letter(const json_t *value);

#endif
