/* The manifest of a .cell bundle: JSON, sorted and compact, so that the same cell has the same identity. */
#ifndef CLI_MANIFEST_H
#define CLI_MANIFEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wasm/bundle.h"

enum { MANIFEST_VERSION = 1, MANIFEST_NAME_MAX = 127 };

struct manifest {
	char name[MANIFEST_NAME_MAX + 1];
	uint64_t stack; /* bytes of the linear memory that are its stack */
	bool tasks;     /* the program submits tasks */
};

/* The text, which the caller frees. */
int manifest_write(const struct manifest *m, char **ret_text, struct error *err) must_check;
int manifest_parse(const char *text, size_t size, struct manifest *ret, struct error *err) must_check;

/* False if the manifest is malformed, too. */
bool bundle_uses_tasks(const struct bundle *bundle);

#endif
