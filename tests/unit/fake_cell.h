/*
 * A cell without code, for testing host functions: a linear memory in an array, and a wasi whose
 * owner is in the same process, with real directories and remembered streams.
 */
#ifndef FAKE_CELL_H
#define FAKE_CELL_H

#include <stdint.h>

#include "base/buf.h"
#include "cell/owner/paths.h"
#include "cell/wasi/wasi.h"

enum { FAKE_MEMORY = 2 * CELL_PAGE_SIZE };

struct fake_cell {
	struct mem_pool *pool;
	struct wasi *wasi;
	struct owner_paths *paths;
	struct buf streams[3]; /* standard output and error as written; input as it will be read */
	size_t input_at;
	uint32_t path_calls;
	bool owner_gone;
	int32_t exit_status; /* of proc_exit; -1: not called */
	struct cell_instance *cell;
	uint8_t *memory;
};

/* A fake with these arguments, "A=1" and "B=" in its environment, these files from the start (borrowed), and
 * preopened: `writable` as /w and `read_only` as /r (NULL: neither). Aborts when it cannot. */
struct fake_cell *fake_cell_new(const char *const *arguments, size_t argument_count,
                                const struct wasi_file *files, size_t file_count, const char *writable,
                                const char *read_only);
void fake_cell_free(struct fake_cell *fake);

/* Calls the host function; its answer. */
uint32_t fake_call(struct fake_cell *fake, const char *name, const uint64_t *arguments, size_t count);
#define FAKE_CALL(fake, name, ...) \
	fake_call(fake, name, (const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

/* Access to the cell's memory. */
uint32_t fake_u32(const struct fake_cell *fake, uint32_t address);
uint64_t fake_u64(const struct fake_cell *fake, uint32_t address);
void fake_put_u32(struct fake_cell *fake, uint32_t address, uint32_t value);
/* Writes the string's bytes; returns its length. */
uint32_t fake_put(struct fake_cell *fake, uint32_t address, const char *text);

#endif
