#include "cli/cell_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/cell_native.h"
#include "cli/process.h"
#include "cli/scratch.h"
#include "cli/toolchain.h"
#include "wasm/wasm.h"

enum { BUILD_MODULE_MAX = 1 << 30 };

/* A build under way. */
struct work {
	const struct cell_build *b;
	struct toolchain tools;
	struct scratch scratch;
};

static void work_done(struct work *w)
{
	scratch_remove(&w->scratch);
}
#define cleanup_work __attribute__((cleanup(work_done)))

static int find_clang(struct work *w, struct error *err)
{
	int rc = toolchain_find_resources(&w->tools, err);
	if (rc == 0)
		rc = toolchain_find_clang(&w->tools, err);
	if (rc == 0)
		rc = toolchain_find_sysroot(&w->tools, err);
	return rc == 0 && w->b->cxx ? toolchain_find_cxx(&w->tools, err) : rc;
}

/* Names of files as they appear in the result (__FILE__, debug information) do not say where they lay. */
static void hide_directory(struct arguments *command, const char *path, bool is_directory)
{
	const char *slash = strrchr(path, '/');
	if (is_directory)
		arguments_print(command, "-ffile-prefix-map=%s/=", path);
	else if (slash)
		arguments_print(command, "-ffile-prefix-map=%.*s=", (int)(slash + 1 - path), path);
}

/* The last that fits counts, and include directories may lie beneath a source's. */
static void hide_directories(struct arguments *command, const struct driver *d,
                             const struct driver_word *source)
{
	for (const struct driver_word *w = d->words; w < d->words + d->count; w++)
		if (w->use == DRIVER_SOURCE && (!source || w == source))
			hide_directory(command, w->text, false);
	for (const struct driver_word *w = d->words; w < d->words + d->count; w++)
		if (strncmp(w->text, "-I", 2) == 0)
			hide_directory(command, w->value ? w->value : w->text + 2, true);
}

static void add_word(struct arguments *command, const struct driver_word *word)
{
	arguments_add(command, word->text);
	if (word->value)
		arguments_add(command, word->value);
}

/* What every compilation begins with; the user's words come behind it, and so have the last say. */
static void add_defaults(struct arguments *command, const struct work *w)
{
	char here[TOOLCHAIN_PATH_MAX];
	if (!w->b->driver.optimizes)
		arguments_add(command, "-O3");
	arguments_add(command, "-fno-math-errno");
	arguments_add(command, "-ffp-contract=off");
	if (getcwd(here, sizeof(here)))
		hide_directory(command, here, true);
	arguments_print(command, "-ffile-prefix-map=%s/=", w->tools.resources);
}

static void add_clang(struct arguments *command, const struct work *w)
{
	arguments_add(command, w->tools.clang);
	if (w->b->cxx)
		arguments_add(command, "--driver-mode=g++");
	arguments_add(command, "--target=wasm32-wasi");
	arguments_print(command, "--sysroot=%s", w->tools.sysroot);
}

static void add_wasm_defaults(struct arguments *command, const struct work *w)
{
	arguments_add(command, "--start-no-unused-arguments");
	for (const char *const *flag = wasm_flags_machine; *flag; flag++)
		arguments_add(command, *flag);
	/* The emulations are all of the C standard's, and what programs want of POSIX beside it. */
	arguments_add(command, "-D_WASI_EMULATED_SIGNAL");
	arguments_add(command, "-D_WASI_EMULATED_PROCESS_CLOCKS");
	arguments_add(command, "-D_WASI_EMULATED_GETPID");
	arguments_add(command, "-fdebug-compilation-dir=.");
	add_defaults(command, w);
}

static void end_wasm_defaults(struct arguments *command, const struct work *w)
{
	arguments_print(command, "-I%s/include", w->tools.resources);
	/* Behind -O, which would turn them on again. */
	for (const char *const *flag = wasm_flags_guest; *flag; flag++)
		arguments_add(command, *flag);
	arguments_add(command, "--end-no-unused-arguments");
}

int cell_build_objects(const struct cell_build *b, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	const struct driver *d = &b->driver;
	struct work w = {.b = b};
	int rc = find_clang(&w, err);
	if (rc < 0)
		return rc;
	add_clang(&command, &w);
	add_wasm_defaults(&command, &w);
	hide_directories(&command, d, NULL);
	arguments_add(&command, "--end-no-unused-arguments");
	for (const struct driver_word *word = d->words; word < d->words + d->count; word++)
		if (word->use != DRIVER_DROP)
			add_word(&command, word);
	if (d->joins_objects)
		arguments_add(&command, "-nostdlib");
	arguments_add(&command, "--start-no-unused-arguments");
	end_wasm_defaults(&command, &w);
	if (b->output) {
		arguments_add(&command, "-o");
		arguments_add(&command, b->output);
	}
	return process_run(&command, 1, 1, b->verbose, err);
}

/* Where the dependencies of a source go that is compiled and linked in one command: as with gcc, beside
 * the result if there is one source, else into this directory. */
static void add_dependencies(struct arguments *command, const struct work *w, const char *source)
{
	const struct cell_build *b = w->b;
	const char *slash = strrchr(source, '/'), *base = slash ? slash + 1 : source;
	const char *of = b->driver.source_count == 1 && b->output ? b->output : base;
	const char *dot = strrchr(of, '.'), *of_slash = strrchr(of, '/');
	int size = dot && (!of_slash || dot > of_slash) ? (int)(dot - of) : (int)strlen(of);
	if (!b->driver.names_dependencies)
		arguments_print(command, "-MF%.*s.d", size, of);
	if (!b->driver.names_target) {
		arguments_add(command, "-MT");
		arguments_print(command, "%.*s.o", (int)strcspn(base, "."), base);
	}
}

static void compile_command(struct arguments *command, const struct work *w, const struct driver_word *source,
                            size_t number)
{
	const struct driver *d = &w->b->driver;
	add_clang(command, w);
	add_wasm_defaults(command, w);
	hide_directories(command, d, source);
	arguments_add(command, "--end-no-unused-arguments");
	for (const struct driver_word *word = d->words; word < d->words + d->count; word++)
		if ((word->use == DRIVER_COMPILE && strncmp(word->text, "-x", 2) != 0) ||
		    word->use == DRIVER_BOTH)
			add_word(command, word);
	arguments_add(command, "--start-no-unused-arguments");
	end_wasm_defaults(command, w);
	if (d->dependencies)
		add_dependencies(command, w, source->text);
	arguments_add(command, "-c");
	if (source->language) {
		arguments_add(command, "-x");
		arguments_add(command, source->language);
	}
	arguments_add(command, source->text);
	arguments_add(command, "-o");
	arguments_print(command, "%s/%zu.o", w->scratch.path, number);
}

static int compile(const struct work *w, struct error *err)
{
	const struct driver *d = &w->b->driver;
	struct arguments *commands = calloc(max_of(d->source_count, (size_t)1), sizeof(*commands));
	size_t count = 0;
	if (!commands)
		return error_set(err, CELLA_ENOMEM, "no memory for the compiler's command lines");
	for (const struct driver_word *word = d->words; word < d->words + d->count; word++)
		if (word->use == DRIVER_SOURCE) {
			compile_command(&commands[count], w, word, count);
			count++;
		}
	int rc = process_run(commands, count, process_parallel(), w->b->verbose, err);
	for (size_t i = 0; i < count; i++)
		arguments_done(&commands[i]);
	free(commands);
	return rc;
}

/* Cella's own parts come first and last: the program's start, and the task library, which the linker takes
 * only if the program uses it. */
static int link_wasm(const struct work *w, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	const struct driver *d = &w->b->driver;
	size_t number = 0;
	add_clang(&command, w);
	arguments_add(&command, "--start-no-unused-arguments");
	arguments_add(&command, "-nostartfiles");
	arguments_print(&command, "%s/lib/wasm32-wasi/cella-start.o", w->tools.sysroot);
	arguments_add(&command, "-Wl,--stack-first");
	arguments_print(&command, "-Wl,-z,stack-size=%llu", (unsigned long long)w->b->stack);
	if (!d->debugs)
		arguments_add(&command, "-Wl,--strip-debug");
	for (const struct driver_word *word = d->words; word < d->words + d->count; word++)
		if (word->use == DRIVER_SOURCE)
			arguments_print(&command, "%s/%zu.o", w->scratch.path, number++);
		else if (word->use == DRIVER_LINK || word->use == DRIVER_BOTH || word->use == DRIVER_OBJECT)
			add_word(&command, word);
	arguments_add(&command, "-lcella");
	arguments_add(&command, "-o");
	arguments_print(&command, "%s/cell.wasm", w->scratch.path);
	return process_run(&command, 1, 1, w->b->verbose, err);
}

static int mark_canonical_nans(const struct work *w, struct error *err)
{
	cleanup_buf struct buf module = {0};
	char path[SCRATCH_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/cell.wasm", w->scratch.path);
	int rc = io_read_file(path, BUILD_MODULE_MAX, &module, err);
	if (rc < 0)
		return rc;
	wasm_put_canonical_nans(&module);
	if (module.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the linked module");
	return io_write_file(path, module.data, module.size, 0644, err);
}

int cell_build_bundle(const struct cell_build *b, struct buf *ret_bundle, struct error *err)
{
	cleanup_work struct work w = {.b = b};
	int rc = find_clang(&w, err);
	if (rc == 0)
		rc = toolchain_find_compiler(&w.tools, err);
	if (rc == 0)
		rc = scratch_make(b->keep, &w.scratch, err);
	if (rc == 0)
		rc = compile(&w, err);
	if (rc < 0)
		return rc;
	rc = link_wasm(&w, err);
	if (rc == 0 && b->canonical_nans)
		rc = mark_canonical_nans(&w, err);
	if (rc < 0)
		return error_prefix(err, rc, "linking: ");
	struct cell_native native = {
		.tools = &w.tools,
		.scratch = w.scratch.path,
		.targets = b->targets,
		.name = b->name,
		.stack = b->stack,
		.verbose = b->verbose,
	};
	return cell_native_bundle(&native, ret_bundle, err);
}

static void add_native_parts(struct arguments *command, const struct work *w)
{
	arguments_add(command, w->b->cxx ? "-xc++" : "-xnone");
	arguments_print(command, "%s/guest/native.c", w->tools.resources);
	arguments_add(command, "-lm");
	if (w->b->cxx && !w->tools.compiler_is_clang)
		arguments_add(command, "-lstdc++");
}

int cell_build_native(const struct cell_build *b, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	const struct driver *d = &b->driver;
	struct work w = {.b = b};
	int rc = toolchain_find_resources(&w.tools, err);
	if (rc == 0)
		rc = toolchain_find_compiler(&w.tools, err);
	if (rc < 0)
		return rc;
	arguments_add(&command, w.tools.compiler);
	if (b->cxx && w.tools.compiler_is_clang)
		arguments_add(&command, "--driver-mode=g++");
	arguments_add(&command, "-march=" CELL_NATIVE_MARCH);
	add_defaults(&command, &w);
	hide_directories(&command, d, NULL);
	for (const struct driver_word *word = d->words; word < d->words + d->count; word++)
		add_word(&command, word);
	arguments_print(&command, "-I%s/include", w.tools.resources);
	if (d->links)
		add_native_parts(&command, &w);
	if (b->output) {
		arguments_add(&command, "-o");
		arguments_add(&command, b->output);
	}
	return process_run(&command, 1, 1, b->verbose, err);
}
