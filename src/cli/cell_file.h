/* A .cell file opened by its owner for a look, not to be run. */
#ifndef CLI_CELL_FILE_H
#define CLI_CELL_FILE_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/manifest.h"
#include "wasm/bundle.h"

struct cell_file {
	struct buf data;
	struct bundle bundle;
	struct manifest manifest;
	char identity[2 * CRYPTO_SHA384_SIZE + 1];
};

/* Reads and parses; verifies nothing. Errors begin with the path. */
int cell_file_open(const char *path, struct cell_file *ret, struct error *err) must_check;
void cell_file_done(struct cell_file *f);
#define cleanup_cell_file __attribute__((cleanup(cell_file_done)))

/* Every artifact's signature, by the builder that it names. CELLA_EAUTH names the artifact. */
int cell_file_verify(const struct cell_file *f, struct error *err) must_check;

#endif
