#include "cli/cell_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cell_native.h"
#include "cli/process.h"
#include "cli/scratch.h"
#include "cli/toolchain.h"
#include "wasm/wasm.h"

enum { BUILD_PARALLEL_MAX = 8 };

static const char levels[] = {'0', '1', '2', '3', 's', 'z'};

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

static int work_init(struct work *w, const struct cell_build *b, struct error *err)
{
	*w = (struct work){.b = b};
	int rc = toolchain_find_resources(&w->tools, err);
	if (rc == 0)
		rc = toolchain_find_compiler(&w->tools, err);
	return rc < 0 ? rc : scratch_make(b->keep, &w->scratch, err);
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

/* What the user passed on; the value of "-I" may be a word of its own. */
static void add_compile_options(struct arguments *command, const struct option_list *passed)
{
	for (size_t i = 0; i < passed->count; i++)
		arguments_add(command, passed->items[i]);
	for (size_t i = 0; i < passed->count; i++) {
		const char *word = passed->items[i];
		if (strcmp(word, "-I") == 0)
			hide_directory(command, passed->items[++i], true);
		else if (strncmp(word, "-I", 2) == 0)
			hide_directory(command, word + 2, true);
	}
}

static void add_common(struct arguments *command, const struct work *w, const char *source)
{
	char here[TOOLCHAIN_PATH_MAX];
	arguments_print(command, "-O%c", levels[w->b->optimize]);
	arguments_add(command, "-fno-math-errno");
	arguments_add(command, "-ffp-contract=off");
	if (w->b->debug)
		arguments_add(command, "-g");
	if (getcwd(here, sizeof(here)))
		hide_directory(command, here, true);
	hide_directory(command, source, false);
	arguments_print(command, "-ffile-prefix-map=%s/=", w->tools.resources);
	add_compile_options(command, &w->b->compile);
	arguments_print(command, "-I%s/include", w->tools.resources);
}

static void add_clang(struct arguments *command, const struct work *w)
{
	arguments_add(command, w->tools.clang);
	arguments_add(command, "--target=wasm32-wasi");
	arguments_print(command, "--sysroot=%s", w->tools.sysroot);
}

static void compile_command(struct arguments *command, const struct work *w, const char *source,
                            const char *object)
{
	add_clang(command, w);
	arguments_add(command, "-msimd128");
	arguments_add(command, "-mbulk-memory");
	arguments_add(command, "-msign-ext");
	arguments_add(command, "-mnontrapping-fptoint");
	arguments_add(command, "-fdebug-compilation-dir=.");
	add_common(command, w, source);
	/* Behind -O, which would turn them on again. */
	for (const char *const *flag = wasm_flags_guest; *flag; flag++)
		arguments_add(command, *flag);
	arguments_add(command, "-c");
	arguments_add(command, source);
	arguments_add(command, "-o");
	arguments_print(command, "%s/%s", w->scratch.path, object);
}

/* Our own sources come behind the program's: its start, and the task library, which the linker takes
 * only if the program uses it. */
static const char *const guest_sources[] = {"start", "task"};

static int compile(const struct work *w, struct error *err)
{
	size_t own = w->b->source_count, count = own + array_count(guest_sources);
	struct arguments *commands = calloc(count, sizeof(*commands));
	char library[TOOLCHAIN_PATH_MAX + 32], object[32];
	if (!commands)
		return error_set(err, CELLA_ENOMEM, "no memory for the compiler's command lines");
	for (size_t i = 0; i < own; i++) {
		snprintf(object, sizeof(object), "%zu.o", i);
		compile_command(&commands[i], w, w->b->sources[i], object);
	}
	for (size_t i = 0; i < array_count(guest_sources); i++) {
		snprintf(library, sizeof(library), "%s/guest/%s.c", w->tools.resources, guest_sources[i]);
		snprintf(object, sizeof(object), "%s.o", guest_sources[i]);
		compile_command(&commands[own + i], w, library, object);
	}
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t parallel = min_of((size_t)max_of(processors, 1L), (size_t)BUILD_PARALLEL_MAX);
	int rc = process_run(commands, count, parallel, w->b->verbose, err);
	for (size_t i = 0; i < count; i++)
		arguments_done(&commands[i]);
	free(commands);
	return rc;
}

static int link_wasm(const struct work *w, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	const char *scratch = w->scratch.path;
	add_clang(&command, w);
	for (size_t i = 0; i < w->b->source_count; i++)
		arguments_print(&command, "%s/%zu.o", scratch, i);
	arguments_add(&command, "-nostartfiles");
	arguments_print(&command, "%s/start.o", scratch);
	arguments_add(&command, "-Wl,--start-lib");
	arguments_print(&command, "%s/task.o", scratch);
	arguments_add(&command, "-Wl,--end-lib");
	arguments_add(&command, "-Wl,--stack-first");
	arguments_print(&command, "-Wl,-z,stack-size=%llu", (unsigned long long)w->b->stack);
	if (!w->b->debug)
		arguments_add(&command, "-Wl,--strip-debug");
	for (size_t i = 0; i < w->b->link.count; i++)
		arguments_add(&command, w->b->link.items[i]);
	arguments_add(&command, "-lc-printscan-long-double");
	arguments_add(&command, "-lm");
	arguments_add(&command, "-o");
	arguments_print(&command, "%s/cell.wasm", scratch);
	return process_run(&command, 1, 1, w->b->verbose, err);
}

int cell_build_bundle(const struct cell_build *b, struct buf *ret_bundle, struct error *err)
{
	cleanup_work struct work w = {0};
	int rc = work_init(&w, b, err);
	if (rc == 0)
		rc = toolchain_find_clang(&w.tools, err);
	if (rc == 0)
		rc = toolchain_find_sysroot(&w.tools, err);
	if (rc == 0)
		rc = compile(&w, err);
	if (rc < 0)
		return rc;
	rc = link_wasm(&w, err);
	if (rc < 0)
		return error_prefix(err, rc, "linking: ");
	struct cell_native native = {
		.tools = &w.tools,
		.scratch = w.scratch.path,
		.name = b->name,
		.stack = b->stack,
		.verbose = b->verbose,
	};
	return cell_native_bundle(&native, ret_bundle, err);
}

int cell_build_native(const struct cell_build *b, const char *output, struct error *err)
{
	cleanup_work struct work w = {0};
	cleanup_arguments struct arguments command = {0};
	int rc = work_init(&w, b, err);
	if (rc < 0)
		return rc;
	arguments_add(&command, w.tools.compiler);
	arguments_add(&command, "-march=" CELL_NATIVE_TARGET);
	add_common(&command, &w, b->sources[0]);
	for (size_t i = 0; i < b->source_count; i++)
		arguments_add(&command, b->sources[i]);
	arguments_print(&command, "%s/guest/native.c", w.tools.resources);
	for (size_t i = 0; i < b->link.count; i++)
		arguments_add(&command, b->link.items[i]);
	arguments_add(&command, "-lm");
	arguments_add(&command, "-o");
	arguments_add(&command, output);
	return process_run(&command, 1, 1, b->verbose, err);
}
