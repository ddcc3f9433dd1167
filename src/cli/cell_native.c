#include "cli/cell_native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/builder.h"
#include "cli/lines.h"
#include "cli/manifest.h"
#include "cli/process.h"
#include "cli/scratch.h"
#include "wasm/target.h"
#include "wasm/wasm.h"

enum {
	NATIVE_FILE_MAX = 1 << 30,
	NATIVE_PATH_MAX = SCRATCH_PATH_MAX + 80,
	NATIVE_NAME_MAX = 16,
};

static const char *known_target(const char *name, size_t size)
{
	for (size_t i = 0; target_at(i); i++)
		if (strlen(target_at(i)) == size && strncmp(target_at(i), name, size) == 0)
			return target_at(i);
	return NULL;
}

static int no_target(const char *name, size_t size, struct error *err)
{
	char known[256] = "";
	for (size_t i = 0; target_at(i); i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "",
		         target_at(i));
	return error_set(err, CELLA_EINVAL, "there is no target \"%.*s\": the targets are %s, or all",
	                 (int)min_of(size, (size_t)60), name, known);
}

static bool has_target(const struct cell_targets *targets, const char *name)
{
	for (size_t i = 0; i < targets->count; i++)
		if (targets->names[i] == name)
			return true;
	return false;
}

int cell_targets_parse(const char *list, struct cell_targets *ret_targets, struct error *err)
{
	struct cell_targets targets = {0};
	if (!list)
		list = target_here() ? target_here() : target_at(0);
	if (strcmp(list, "all") == 0)
		for (list = ""; target_at(targets.count); targets.count++)
			targets.names[targets.count] = target_at(targets.count);
	for (const char *at = list, *end; *at || !targets.count; at = *end ? end + 1 : end) {
		end = at + strcspn(at, ",");
		const char *name = known_target(at, (size_t)(end - at));
		if (!name)
			return no_target(at, (size_t)(end - at), err);
		if (!has_target(&targets, name))
			targets.names[targets.count++] = name;
	}
	*ret_targets = targets;
	return 0;
}

/* What a build makes, on its way into a bundle. */
struct work {
	const struct cell_native *n;
	struct lines lines;
	bool debugs;     /* the module has lines: so have the images */
	struct buf data; /* segments */
	uint32_t units;  /* of C */
	struct buf images[BUNDLE_ARTIFACT_MAX];
};

static void work_done(struct work *w)
{
	lines_done(&w->lines);
	buf_done(&w->data);
	for (size_t i = 0; i < BUNDLE_ARTIFACT_MAX; i++)
		buf_done(&w->images[i]);
}
#define cleanup_work __attribute__((cleanup(work_done)))

static void scratch_file(const struct cell_native *n, const char *name, const char *suffix,
                         char to[NATIVE_PATH_MAX])
{
	snprintf(to, NATIVE_PATH_MAX, "%s/%s%s", n->scratch, name, suffix);
}

static int read_scratch(const struct cell_native *n, const char *name, const char *suffix, struct buf *ret,
                        struct error *err)
{
	char path[NATIVE_PATH_MAX];
	scratch_file(n, name, suffix, path);
	return io_read_file(path, NATIVE_FILE_MAX, ret, err);
}

/* "cell" is the first unit, the others are "cell-1", … */
static void unit_name(uint32_t unit, char to[NATIVE_NAME_MAX])
{
	snprintf(to, NATIVE_NAME_MAX, unit ? "cell-%u" : "cell", unit);
}

/* The module to cell.c, cell-1.c, …, and its data segments. */
static int translate(struct work *w, struct wasm_module *module, struct error *err)
{
	cleanup_units struct wasm_units units = {0};
	char path[NATIVE_PATH_MAX], name[NATIVE_NAME_MAX];
	int rc = wasm_check_cell(module, err);
	if (rc == 0 && w->debugs)
		rc = lines_read(w->n->scratch, &w->lines, err);
	if (rc == 0 && w->debugs)
		wasm_set_lines(module, w->lines.entries, w->lines.count);
	if (rc == 0)
		rc = wasm_translate_units(module, WASM_UNIT_TEXT, &units, err);
	if (rc == 0)
		rc = wasm_data_segments(module, &w->data, err);
	for (uint32_t i = 0; rc == 0 && i < units.count; i++) {
		unit_name(i, name);
		scratch_file(w->n, name, ".c", path);
		rc = io_write_file(path, units.c[i].data, units.c[i].size, 0644, err);
	}
	w->units = units.count;
	return rc;
}

static void add_flags(struct arguments *command, const char *const *flags, bool debugs)
{
	for (; *flags; flags++)
		if (!debugs || strcmp(*flags, WASM_FLAG_STRIP) != 0)
			arguments_add(command, *flags);
}

/* Nothing in the image says where it was made. */
static void add_debug_flags(struct arguments *command, const struct cell_native *n)
{
	char here[NATIVE_PATH_MAX];
	arguments_add(command, "-g");
	if (getcwd(here, sizeof(here)))
		arguments_print(command, "-ffile-prefix-map=%s=.", here);
	arguments_print(command, "-ffile-prefix-map=%s/=", n->scratch);
}

static void begin_command(struct arguments *command, const struct work *w, const char *target)
{
	const struct cell_native *n = w->n;
	bool clang = n->tools->compiler_is_clang;
	arguments_add(command, n->tools->compiler);
	add_flags(command, clang ? wasm_flags_clang : wasm_flags_gcc, w->debugs);
	add_flags(command, wasm_flags_target(target, clang), w->debugs);
	if (w->debugs)
		add_debug_flags(command, n);
	arguments_add(command, "-o");
}

/* One unit to its object. */
static void unit_command(struct arguments *command, const struct work *w, const char *target, uint32_t unit)
{
	char name[NATIVE_NAME_MAX];
	unit_name(unit, name);
	begin_command(command, w, target);
	arguments_print(command, "%s/%s-%u.o", w->n->scratch, target, unit);
	arguments_add(command, "-c");
	arguments_print(command, "%s/%s.c", w->n->scratch, name);
}

/* Objects, or the only unit, to an image. */
static void image_command(struct arguments *command, const struct work *w, const char *target)
{
	begin_command(command, w, target);
	arguments_print(command, "%s/%s.so", w->n->scratch, target);
	if (w->units == 1)
		arguments_print(command, "%s/cell.c", w->n->scratch);
	for (uint32_t i = 0; w->units > 1 && i < w->units; i++)
		arguments_print(command, "%s/%s-%u.o", w->n->scratch, target, i);
}

/* As many at once as there are processors. */
static int run_all(const struct work *w, const struct arguments *commands, size_t count, struct error *err)
{
	if (w->n->verbose)
		return process_run(commands, count, process_parallel(), true, err);
	return process_run_shown(commands, count, process_parallel(), "compiling", err);
}

static void done_all(struct arguments *commands, size_t count)
{
	for (size_t i = 0; i < count; i++)
		arguments_done(&commands[i]);
}

/* Every unit for every target, if there are several, and then each target's image. */
static int compile(struct work *w, struct error *err)
{
	const struct cell_targets *targets = &w->n->targets;
	struct arguments units[BUNDLE_ARTIFACT_MAX * WASM_UNITS_MAX] = {0}, images[BUNDLE_ARTIFACT_MAX] = {0};
	size_t count = 0;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < targets->count; i++)
		rc = toolchain_check_target(w->n->tools, targets->names[i], err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < targets->count; i++) {
		for (uint32_t k = 0; w->units > 1 && k < w->units; k++)
			unit_command(&units[count++], w, targets->names[i], k);
		image_command(&images[i], w, targets->names[i]);
	}
	rc = run_all(w, units, count, err);
	if (rc == 0)
		rc = run_all(w, images, targets->count, err);
	done_all(units, count);
	done_all(images, targets->count);
	for (size_t i = 0; rc == 0 && i < targets->count; i++)
		rc = read_scratch(w->n, targets->names[i], ".so", &w->images[i], err);
	return rc;
}

static int sign(const struct work *w, struct bundle *bundle, struct error *err)
{
	struct crypto_signer builder;
	int rc = builder_load(&builder, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < w->n->targets.count; i++) {
		const struct bundle_artifact artifact = {
			.target = w->n->targets.names[i],
			.translator = WASM_TRANSLATOR,
			.compiler = w->n->tools->compiler_name,
			.image = w->images[i].data,
			.image_size = w->images[i].size,
		};
		rc = bundle_add(bundle, &artifact, &builder, err);
	}
	mem_wipe(&builder, sizeof(builder));
	return rc;
}

static int build(const struct cell_native *n, struct wasm_module *module, struct bundle *bundle,
                 struct buf *ret_bundle, struct error *err)
{
	cleanup_work struct work w = {.n = n, .debugs = wasm_has_lines(module)};
	int rc = translate(&w, module, err);
	if (rc < 0)
		return error_prefix(err, rc, "translation: ");
	if (bundle->data &&
	    (bundle->data_size != w.data.size || !crypto_equal(bundle->data, w.data.data, w.data.size)))
		return error_set(err, CELLA_EFORMAT,
		                 "its data segments are not those of its module: nothing can be added to it");
	bundle->data = w.data.data;
	bundle->data_size = w.data.size;
	rc = compile(&w, err);
	if (rc < 0)
		return error_prefix(err, rc, "machine code: ");
	rc = sign(&w, bundle, err);
	return rc < 0 ? rc : bundle_write(bundle, ret_bundle, err);
}

static int build_new(const struct cell_native *n, const struct buf *wasm, struct wasm_module *module,
                     struct buf *ret_bundle, struct error *err)
{
	cleanup_free char *text = NULL;
	struct manifest manifest = {.stack = n->stack, .tasks = wasm_imports(module, "cella", NULL)};
	if (snprintf(manifest.name, sizeof(manifest.name), "%s", n->name) > MANIFEST_NAME_MAX)
		return error_set(err, CELLA_EINVAL, "the cell's name is longer than %d bytes",
		                 MANIFEST_NAME_MAX);
	int rc = manifest_write(&manifest, &text, err);
	if (rc < 0)
		return rc;
	struct bundle bundle = {
		.wasm = wasm->data,
		.wasm_size = wasm->size,
		.manifest = text,
		.manifest_size = strlen(text),
	};
	rc = bundle_identify(&bundle, err);
	return rc < 0 ? rc : build(n, module, &bundle, ret_bundle, err);
}

int cell_native_bundle(const struct cell_native *n, struct buf *ret_bundle, struct error *err)
{
	cleanup_buf struct buf wasm = {0};
	struct wasm_module *module;
	int rc = read_scratch(n, "cell", ".wasm", &wasm, err);
	if (rc == 0)
		rc = wasm_decode(wasm.data, wasm.size, &module, err);
	if (rc < 0)
		return error_prefix(err, rc, "translation: ");
	rc = build_new(n, &wasm, module, ret_bundle, err);
	wasm_module_free(module);
	return rc;
}

int cell_native_add(const struct cell_native *n, const struct bundle *bundle, struct buf *ret_bundle,
                    struct error *err)
{
	struct bundle more = *bundle;
	struct wasm_module *module;
	char path[NATIVE_PATH_MAX];
	scratch_file(n, "cell", ".wasm", path);
	int rc = io_write_file(path, bundle->wasm, bundle->wasm_size, 0644, err);
	if (rc == 0)
		rc = wasm_decode(bundle->wasm, bundle->wasm_size, &module, err);
	if (rc < 0)
		return error_prefix(err, rc, "translation: ");
	rc = build(n, module, &more, ret_bundle, err);
	wasm_module_free(module);
	return rc;
}
