/*
 * A hostile cell: any WASI calls with any arguments, over any memory. The input is a list of
 * records: a function's number and, for each parameter, a byte that says what it is (a small
 * number, a place in the memory, a place near its end, four bytes that follow); or POKE, a place, a
 * size and bytes for the memory.
 *
 * Nothing may be read or written but the cell's memory and its files, and the directory stays as it is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "cell/wasi/format.h"
#include "fake_cell.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { POKE = 0xff, POKE_STEP = 64, CALLS_MAX = 64, NUMBERS = 64, PLACES = 128, RAW = 192 };

static char directory[] = "/tmp/cella-fuzz-wasi-XXXXXX";

static void remove_directory(void)
{
	char path[sizeof(directory) + 8];
	snprintf(path, sizeof(path), "%s/fixed", directory);
	unlink(path);
	rmdir(directory);
}

static void start(void)
{
	char path[sizeof(directory) + 8];
	log_open("fuzz", -1, LOG_LEVEL_ERROR);
	if (!mkdtemp(directory))
		abort();
	snprintf(path, sizeof(path), "%s/fixed", directory);
	if (io_write_file(path, "fixed", 5, 0644, NULL) < 0)
		abort();
	atexit(remove_directory);
}

static void demand_unchanged(void)
{
	char path[sizeof(directory) + 8];
	struct stat st;
	snprintf(path, sizeof(path), "%s/fixed", directory);
	if (stat(path, &st) < 0 || st.st_size != 5 || st.st_nlink != 1)
		abort();
	if (stat(directory, &st) < 0 || st.st_nlink != 2)
		abort();
}

static uint64_t argument(struct reader *r)
{
	uint8_t kind = reader_u8(r);
	if (kind < NUMBERS)
		return kind;
	if (kind < PLACES)
		return (uint64_t)(kind - NUMBERS) * POKE_STEP;
	return kind < RAW ? (uint64_t)FAKE_MEMORY - (kind - PLACES) : reader_u32(r);
}

static void poke(struct fake_cell *fake, struct reader *r)
{
	uint8_t place = reader_u8(r), size = reader_u8(r);
	reader_copy(r, fake->memory + (size_t)place * POKE_STEP, size);
}

static void call(struct fake_cell *fake, struct reader *r, uint8_t number)
{
	const struct host_function *f = &wasi_functions[number % wasi_function_count];
	uint64_t arguments[16];
	size_t count = strcspn(f->signature, ":");
	for (size_t i = 0; i < count; i++)
		arguments[i] = argument(r);
	if (strcmp(f->name, "poll_oneoff") != 0) /* which may wait for years */
		fake_call(fake, f->name, arguments, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool started;
	static const char *const program[] = {"program", "argument"};
	if (!started)
		start();
	started = true;
	struct fake_cell *fake = fake_cell_new(program, 2, NULL, 0, NULL, directory);
	if (wasi_file_put(fake->wasi, "/m", "memory", 6, NULL) < 0 ||
	    wasi_file_put(fake->wasi, "/r/over", "over", 4, NULL) < 0)
		abort();
	struct reader r = reader_of(data, size);
	for (int i = 0; i < CALLS_MAX && !r.failed && reader_left(&r) > 0; i++) {
		uint8_t number = reader_u8(&r);
		if (number == POKE)
			poke(fake, &r);
		else
			call(fake, &r, number);
	}
	fake_cell_free(fake);
	demand_unchanged();
	return 0;
}
