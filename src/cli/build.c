/* cella build: add machine code for other targets to a cell. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cli/cell_file.h"
#include "cli/cell_native.h"
#include "cli/scratch.h"
#include "cli/verbs.h"

struct build_options {
	const char *targets, *output, *keep;
	bool verbose;
};

static const struct option build_table[] = {
	{"--targets", NULL, OPTION_TEXT, "LIST",
         "the targets, such as aarch64 or x86-64-v3,x86-64-v2, or all; default: the best that this machine runs",
         option_field(build_options, targets)},
	{"--output", "-o", OPTION_TEXT, "FILE", "write the cell there; default: in its place",
         option_field(build_options, output)},
	{"--keep", NULL, OPTION_TEXT, "DIR", "keep the intermediate files there",
         option_field(build_options, keep)},
	{"--verbose", "-v", OPTION_FLAG, NULL, "print the commands that are run",
         option_field(build_options, verbose)},
};

const struct verb build_verb = {
	.name = "build",
	.operands = "FILE.cell",
	.summary = "add machine code for other targets to a cell",
	.description =
		"Translates the WebAssembly module of a cell to machine code for each target, signs that with\n"
		"your builder's key, and adds it to the cell, whose identity stays what it is. What you built\n"
		"for these targets before is replaced; what others built stays beside it. Who runs the cell\n"
		"says which builders they accept. CELLA_CC names another compiler.\n"
		"Exit status: 0; 1 if something failed; 2 for a mistake in the options.",
	.example = "cella build hello.cell --targets aarch64 && cella inspect hello.cell",
	.table = {build_table, array_count(build_table), false},
	.operands_min = 1,
	.operands_max = 1,
	.enter = verb_build,
};

static int add(const struct build_options *o, const struct cell_targets *targets, const struct cell_file *f,
               struct buf *ret_bundle, struct error *err)
{
	struct toolchain tools = {0};
	cleanup_scratch struct scratch scratch = {0};
	int rc = toolchain_find_resources(&tools, err);
	if (rc == 0)
		rc = toolchain_find_compiler(&tools, err);
	if (rc == 0)
		rc = scratch_make(o->keep, &scratch, err);
	const struct cell_native native = {.tools = &tools,
	                                   .scratch = scratch.path,
	                                   .targets = *targets,
	                                   .verbose = o->verbose};
	return rc < 0 ? rc : cell_native_add(&native, &f->bundle, ret_bundle, err);
}

/* The signatures that are there are checked: a damaged cell is not passed on. */
static int build(const struct build_options *o, const char *path, const struct cell_targets *targets,
                 struct error *err)
{
	cleanup_cell_file struct cell_file f = {0};
	cleanup_buf struct buf bundle = {0};
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = cell_file_open(path, &f, err);
	if (rc < 0)
		return rc;
	rc = bundle_verify_all(&f.bundle, err);
	if (rc == 0)
		rc = add(o, targets, &f, &bundle, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", path);
	return io_write_file(o->output ? o->output : path, bundle.data, bundle.size, 0644, err);
}

int verb_build(int argc, char **argv)
{
	struct build_options o = {0};
	struct cell_targets targets;
	struct error err;
	int status, count;
	if (!verb_begin(&build_verb, argc, argv, &o, &count, &status))
		return status;
	if (cell_targets_parse(o.targets, &targets, &err) < 0) {
		verb_fail(&build_verb, &err);
		return VERB_USAGE;
	}
	return build(&o, argv[1], &targets, &err) < 0 ? verb_fail(&build_verb, &err) : VERB_DONE;
}
