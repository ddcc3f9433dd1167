/* cella cc: compile C into a cell. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cell_build.h"
#include "cli/verbs.h"
#include "crypto/crypto.h"

enum {
	CC_OUTPUT_MAX = 1024,
	CC_LEVEL = 3,
	CC_STACK = 1 << 20,
	CC_STACK_LEAST = 1 << 14,
	CC_STACK_MOST = 1 << 28
};

struct cc_options {
	struct cell_build build;
	const char *output;
	bool native;
};

static const struct option cc_table[] = {
	{"--output", "-o", OPTION_TEXT, "FILE", "what to write; default: the first file's name with .cell",
         option_field(cc_options, output)},
	{"--native", NULL, OPTION_FLAG, NULL,
         "make an ordinary sequential program of the same source, for debugging and comparison",
         option_field(cc_options, native)},
	{"--name", NULL, OPTION_TEXT, "NAME", "the cell's name in its manifest; default: the first file's",
         option_field(cc_options, build.name)},
	{"--stack", NULL, OPTION_SIZE, "SIZE", "the program's stack; default 1M",
         option_field(cc_options, build.stack)},
	{"-I", NULL, OPTION_PASS, "DIR", "a directory of headers", option_field(cc_options, build.compile)},
	{"-D", NULL, OPTION_PASS, "NAME[=VALUE]", "define a macro", option_field(cc_options, build.compile)},
	{"-U", NULL, OPTION_PASS, "NAME", "undefine a macro", option_field(cc_options, build.compile)},
	{"-std=", NULL, OPTION_PASS, "STANDARD", "the C standard, such as c11",
         option_field(cc_options, build.compile)},
	{"-W", NULL, OPTION_PASS, "WARNING", "a warning option, such as -Wall",
         option_field(cc_options, build.compile)},
	{"-f", NULL, OPTION_PASS, "OPTION", "a code option, such as -fno-strict-aliasing",
         option_field(cc_options, build.compile)},
	{"-O", NULL, OPTION_CHOICE, CELL_BUILD_LEVELS, "level of optimisation; default 3",
         option_field(cc_options, build.optimize)},
	{"-g", NULL, OPTION_FLAG, NULL, "keep debug information in the WebAssembly module",
         option_field(cc_options, build.debug)},
	{"-L", NULL, OPTION_PASS, "DIR", "a directory of libraries", option_field(cc_options, build.link)},
	{"-l", NULL, OPTION_PASS, "NAME", "a library", option_field(cc_options, build.link)},
	{"--keep", NULL, OPTION_TEXT, "DIR", "keep the intermediate files there",
         option_field(cc_options, build.keep)},
	{"--verbose", "-v", OPTION_FLAG, NULL, "print the commands that are run",
         option_field(cc_options, build.verbose)},
};

const struct verb cc_verb = {
	.name = "cc",
	.operands = "FILE.c...",
	.summary = "compile C into a cell",
	.description =
		"Compiles a program with clang to WebAssembly, translates that to machine code, and signs\n"
		"both with your builder's key (~/.config/cella/builder.key, made on first use;\n"
		"CELLA_BUILDER_KEY names another). The same source gives the same bytes, wherever it lies.\n"
		"CELLA_CLANG, CELLA_CC and CELLA_SYSROOT name other compilers and another C library.\n"
		"Exit status: 0; 1 if something failed; 2 for a mistake in the options.",
	.example = "cella cc hello.c -o hello.cell && cella run hello.cell",
	.table = {cc_table, array_count(cc_table), false},
	.operands_min = 1,
	.operands_max = VERB_ANY,
	.enter = verb_cc,
};

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

static int check_source(const char *path, struct error *err)
{
	static const char *const other[] = {".cpp", ".cc", ".cxx", ".C", ".c++"};
	for (size_t i = 0; i < array_count(other); i++)
		if (ends_with(path, other[i]))
			return error_set(err, CELLA_EUNSUPPORTED, "%s is C++; cella cc compiles C only",
			                 path);
	if (!ends_with(path, ".c"))
		return error_set(err, CELLA_EINVAL, "%s is no C source: its name does not end in .c", path);
	if (access(path, R_OK) < 0)
		return error_errno(err, CELLA_ENOENT, "cannot read %s", path);
	return 0;
}

static int check(struct cc_options *o, struct error *err)
{
	for (size_t i = 0; i < o->build.source_count; i++) {
		int rc = check_source(o->build.sources[i], err);
		if (rc < 0)
			return rc;
	}
	if (o->output && (ends_with(o->output, ".c") || !*o->output))
		return error_set(err, CELLA_EINVAL, "%s is no place for the result",
		                 *o->output ? o->output : "\"\"");
	if (o->build.stack < CC_STACK_LEAST || o->build.stack > CC_STACK_MOST || o->build.stack % 16)
		return error_set(err, CELLA_EINVAL, "--stack wants 16K to 256M, in multiples of 16");
	return 0;
}

/* The name and the output, where they are not given: from the first source's name. */
static int fill_in(struct cc_options *o, char name[CC_OUTPUT_MAX], char output[CC_OUTPUT_MAX],
                   struct error *err)
{
	const char *slash = strrchr(o->build.sources[0], '/'),
		   *base = slash ? slash + 1 : o->build.sources[0];
	int size = snprintf(name, CC_OUTPUT_MAX, "%.*s", (int)strlen(base) - 2, base);
	int output_size = snprintf(output, CC_OUTPUT_MAX, "%s%s", name, o->native ? "" : ".cell");
	if (size >= CC_OUTPUT_MAX || output_size >= CC_OUTPUT_MAX)
		return error_set(err, CELLA_EINVAL, "the name %.60s... is too long", base);
	o->build.name = o->build.name ? o->build.name : name;
	o->output = o->output ? o->output : output;
	return 0;
}

static int build(const struct cc_options *o, struct error *err)
{
	cleanup_buf struct buf bundle = {0};
	if (o->native)
		return cell_build_native(&o->build, o->output, err);
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = cell_build_bundle(&o->build, &bundle, err);
	return rc < 0 ? rc : io_write_file(o->output, bundle.data, bundle.size, 0644, err);
}

int verb_cc(int argc, char **argv)
{
	struct cc_options o = {.build = {.optimize = CC_LEVEL, .stack = CC_STACK}};
	char name[CC_OUTPUT_MAX], output[CC_OUTPUT_MAX];
	struct error err;
	int status, count;
	if (!verb_begin(&cc_verb, argc, argv, &o, &count, &status))
		return status;
	o.build.sources = (const char *const *)argv + 1;
	o.build.source_count = (size_t)count;
	int rc = check(&o, &err);
	if (rc == 0)
		rc = fill_in(&o, name, output, &err);
	status = rc == 0 ? VERB_DONE : rc == CELLA_ENOENT ? VERB_FAILED : VERB_USAGE;
	if (rc == 0 && build(&o, &err) < 0)
		status = VERB_FAILED;
	if (status != VERB_DONE)
		verb_fail(&cc_verb, &err);
	option_list_done(&o.build.compile);
	option_list_done(&o.build.link);
	return status;
}
