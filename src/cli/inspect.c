/* cella inspect: what a cell is made of. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cli/cell_file.h"
#include "cli/verbs.h"
#include "wasm/listing.h"
#include "wasm/target.h"

struct inspect_options {
	bool json;
};

static const struct option inspect_table[] = {
	{"--json", NULL, OPTION_FLAG, NULL, "print JSON", option_field(inspect_options, json)},
};

const struct verb inspect_verb = {
	.name = "inspect",
	.operands = "FILE.cell",
	.summary = "show what a cell is made of",
	.description =
		"Prints a cell's identity, manifest, imports, exports, and its artifacts: the machine code\n"
		"for each target, its builder, and whether the signatures hold. `cella verify` also\n"
		"checks who the builders are.\n"
		"Exit status: 0; 1 if the file is no cell; 2 for a mistake in the options.",
	.example = "cella inspect hello.cell",
	.table = {inspect_table, array_count(inspect_table), false},
	.operands_min = 1,
	.operands_max = 1,
	.enter = verb_inspect,
};

static json_t *text_of(const char *bytes, size_t size)
{
	json_t *text = json_stringn(bytes, size);
	return text ? text : json_string("(not UTF-8)");
}

static json_t *describe_border(const struct wasm_module *m, bool imports)
{
	json_t *list = json_array();
	for (size_t i = 0; i < wasm_listed_count(m); i++) {
		struct wasm_listed l = wasm_listed_at(m, i);
		if (l.import != imports)
			continue;
		json_t *entry = json_pack("{s:s, s:o}", "kind", l.kind, "name", text_of(l.name, l.name_size));
		if (l.import)
			json_object_set_new(entry, "module", text_of(l.module, l.module_size));
		if (l.signature)
			json_object_set_new(entry, "signature", json_string(l.signature));
		json_array_append_new(list, entry);
	}
	return list;
}

static json_t *describe_artifact(const struct bundle *bundle, const struct bundle_artifact *a)
{
	char builder[2 * CRYPTO_ED25519_SIZE + 1];
	struct error why;
	bool holds = bundle_verify(bundle, a, &why) == 0;
	io_hex(a->builder, sizeof(a->builder), builder);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I}", "target", a->target, "translator",
	                 a->translator, "compiler", a->compiler, "builder", builder, "signature",
	                 holds ? "holds" : why.text, "runs_here", (int)target_runs_here(a->target),
	                 "image_bytes", (json_int_t)a->image_size, "data_bytes", (json_int_t)a->data_size);
}

static json_t *describe_artifacts(const struct bundle *bundle)
{
	json_t *list = json_array();
	for (size_t i = 0; i < bundle->artifact_count; i++)
		json_array_append_new(list, describe_artifact(bundle, &bundle->artifacts[i]));
	return list;
}

static json_t *describe(const struct cell_file *f, const struct wasm_module *m)
{
	struct error why;
	bool holds = cell_file_verify(f, &why) == 0;
	return json_pack("{s:s, s:{s:s, s:I, s:b}, s:s, s:I, s:I, s:o, s:o, s:o}", "identity", f->identity,
	                 "manifest", "name", f->manifest.name, "stack", (json_int_t)f->manifest.stack,
	                 "tasks", (int)f->manifest.tasks, "signatures", holds ? "hold" : why.text,
	                 "wasm_bytes", (json_int_t)f->bundle.wasm_size, "data_bytes",
	                 (json_int_t)f->bundle.data_size, "imports", describe_border(m, true), "exports",
	                 describe_border(m, false), "artifacts", describe_artifacts(&f->bundle));
}

/* Names come from a stranger's file: a terminal sees no control characters of theirs. */
static void print_field(const json_t *object, const char *before, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	cleanup_free char *text = strdup(value ? value : "");
	if (text)
		printable(text, strlen(text), false);
	printf("%s%s", before, text ? text : "?");
}

static void print_border(const char *title, const json_t *list)
{
	size_t i;
	json_t *entry;
	json_array_foreach(list, i, entry)
	{
		printf("%-12s", i ? "" : title);
		if (json_object_get(entry, "module")) {
			print_field(entry, "", "module");
			putchar('.');
		}
		print_field(entry, "", "name");
		print_field(entry, "  ", "signature");
		print_field(entry, json_object_get(entry, "signature") ? "  " : "", "kind");
		putchar('\n');
	}
}

static void print_human(const json_t *cell)
{
	const json_t *manifest = json_object_get(cell, "manifest"),
		     *artifacts = json_object_get(cell, "artifacts");
	size_t i;
	json_t *a;
	print_field(manifest, "name        ", "name");
	print_field(cell, "\nidentity    ", "identity");
	print_field(cell, "\nsignatures  ", "signatures");
	printf("\ntasks       %s\n", json_is_true(json_object_get(manifest, "tasks")) ? "yes" : "no");
	printf("stack       %" JSON_INTEGER_FORMAT " bytes\n",
	       json_integer_value(json_object_get(manifest, "stack")));
	printf("wasm        %" JSON_INTEGER_FORMAT " bytes\n",
	       json_integer_value(json_object_get(cell, "wasm_bytes")));
	json_array_foreach(artifacts, i, a)
	{
		print_field(a, "machine     ", "target");
		print_field(a, ", translator ", "translator");
		print_field(a, ", ", "compiler");
		printf(", %" JSON_INTEGER_FORMAT " bytes%s\n",
		       json_integer_value(json_object_get(a, "image_bytes")),
		       json_is_true(json_object_get(a, "runs_here")) ? "" : " (not for this machine)");
		print_field(a, "builder     ", "builder");
		putchar('\n');
	}
	print_border("imports", json_object_get(cell, "imports"));
	print_border("exports", json_object_get(cell, "exports"));
}

static int inspect(const char *path, bool as_json, struct error *err)
{
	cleanup_cell_file struct cell_file f = {0};
	struct wasm_module *m;
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = cell_file_open(path, &f, err);
	if (rc < 0)
		return rc;
	rc = wasm_decode(f.bundle.wasm, f.bundle.wasm_size, &m, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", path);
	json_t *cell = describe(&f, m);
	wasm_module_free(m);
	if (!cell)
		return error_set(err, CELLA_ENOMEM, "no memory to describe %s", path);
	if (as_json && json_dumpf(cell, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENSURE_ASCII) == 0)
		putchar('\n');
	else if (!as_json)
		print_human(cell);
	json_decref(cell);
	return 0;
}

int verb_inspect(int argc, char **argv)
{
	struct inspect_options o = {0};
	struct error err;
	int status, count;
	if (!verb_begin(&inspect_verb, argc, argv, &o, &count, &status))
		return status;
	return inspect(argv[1], o.json, &err) < 0 ? verb_fail(&inspect_verb, &err) : VERB_DONE;
}
