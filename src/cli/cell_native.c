#include "cli/cell_native.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/builder.h"
#include "cli/manifest.h"
#include "cli/process.h"
#include "cli/scratch.h"
#include "wasm/wasm.h"

enum { NATIVE_FILE_MAX = 1 << 30, NATIVE_PATH_MAX = SCRATCH_PATH_MAX + 32 };

static int scratch_file(const struct cell_native *n, const char *name, char to[NATIVE_PATH_MAX])
{
	return snprintf(to, NATIVE_PATH_MAX, "%s/%s", n->scratch, name);
}

/* cell.wasm to cell.c; its data segments for the bundle; whether it is a program with tasks. */
static int translate(const struct cell_native *n, const struct buf *wasm, struct buf *ret_data,
                     bool *ret_tasks, struct error *err)
{
	cleanup_buf struct buf c = {0};
	struct wasm_module *module;
	char path[NATIVE_PATH_MAX];
	int rc = wasm_decode(wasm->data, wasm->size, &module, err);
	if (rc < 0)
		return rc;
	*ret_tasks = wasm_imports(module, "cella", NULL);
	rc = wasm_translate(module, &c, err);
	if (rc == 0)
		rc = wasm_data_segments(module, ret_data, err);
	wasm_module_free(module);
	if (rc < 0)
		return rc;
	scratch_file(n, "cell.c", path);
	return io_write_file(path, c.data, c.size, 0644, err);
}

static int compile_native(const struct cell_native *n, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	const char *const *flags = n->tools->compiler_is_clang ? wasm_flags_clang : wasm_flags_gcc;
	arguments_add(&command, n->tools->compiler);
	for (; *flags; flags++)
		arguments_add(&command, *flags);
	arguments_add(&command, "-o");
	arguments_print(&command, "%s/cell.so", n->scratch);
	arguments_print(&command, "%s/cell.c", n->scratch);
	return process_run(&command, 1, 1, n->verbose, err);
}

static int read_scratch(const struct cell_native *n, const char *name, struct buf *ret, struct error *err)
{
	char path[NATIVE_PATH_MAX];
	scratch_file(n, name, path);
	return io_read_file(path, NATIVE_FILE_MAX, ret, err);
}

static int write_bundle(const struct cell_native *n, const struct buf *wasm, const struct buf *data,
                        bool tasks, struct buf *ret_bundle, struct error *err)
{
	cleanup_buf struct buf image = {0};
	cleanup_free char *text = NULL;
	struct manifest manifest = {.stack = n->stack, .tasks = tasks};
	struct crypto_signer builder;
	if (snprintf(manifest.name, sizeof(manifest.name), "%s", n->name) > MANIFEST_NAME_MAX)
		return error_set(err, CELLA_EINVAL, "the cell's name is longer than %d bytes",
		                 MANIFEST_NAME_MAX);
	int rc = manifest_write(&manifest, &text, err);
	if (rc == 0)
		rc = read_scratch(n, "cell.so", &image, err);
	if (rc == 0)
		rc = builder_load(&builder, err);
	if (rc < 0)
		return rc;
	struct bundle_artifact artifact = {
		.target = CELL_NATIVE_TARGET,
		.translator = WASM_TRANSLATOR,
		.compiler = n->tools->compiler_name,
		.image = image.data,
		.image_size = image.size,
		.data = data->data,
		.data_size = data->size,
	};
	rc = bundle_write(wasm->data, wasm->size, text, &artifact, &builder, ret_bundle, err);
	mem_wipe(&builder, sizeof(builder));
	return rc;
}

int cell_native_bundle(const struct cell_native *n, struct buf *ret_bundle, struct error *err)
{
	cleanup_buf struct buf wasm = {0}, data = {0};
	bool tasks = false;
	int rc = read_scratch(n, "cell.wasm", &wasm, err);
	if (rc == 0)
		rc = translate(n, &wasm, &data, &tasks, err);
	if (rc < 0)
		return error_prefix(err, rc, "translation: ");
	rc = compile_native(n, err);
	if (rc < 0)
		return error_prefix(err, rc, "machine code: ");
	return write_bundle(n, &wasm, &data, tasks, ret_bundle, err);
}
