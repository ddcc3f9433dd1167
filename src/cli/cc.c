/* cella cc, cella c++: a compiler driver like gcc's and clang's, whose programs are cells. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "cli/cell_build.h"
#include "cli/response.h"
#include "cli/verbs.h"
#include "crypto/crypto.h"

enum { CC_OUTPUT_MAX = 1024, CC_STACK = 1 << 20, CC_STACK_LEAST = 1 << 14, CC_STACK_MOST = 1 << 28 };

struct cc_options {
	struct cell_build build;
	const char *targets;
	bool native;
};

static int take_word(void *values, const char *word, const char *next, bool *ret_took_next, struct error *err)
{
	struct cc_options *o = values;
	return driver_take(&o->build.driver, word, next, ret_took_next, err);
}

/* Those of the kind OPTION_PASS are for the help: driver.c reads them, and clang what is not here. */
#define cc_word(name, value, help) {name, NULL, OPTION_PASS, value, help, 0}
static const struct option cc_table[] = {
	{"--output", "-o", OPTION_TEXT, "FILE",
         "what to write; default: the first file's name with .cell, or .o",
         option_field(cc_options, build.output)},
	cc_word("-c", NULL, "compile only: a WebAssembly object for each source"),
	cc_word("-S", NULL, "assembly, -E what the preprocessor makes"),
	cc_word("-I", "DIR", "a directory of headers"),
	cc_word("-D", "NAME[=VALUE]", "define a macro"),
	cc_word("-U", "NAME", "undefine a macro"),
	cc_word("-O", "LEVEL", "level of optimisation: 0, 1, 2, 3, s, z; default 3"),
	cc_word("-g", NULL, "keep debug information: when compiling, and when linking"),
	cc_word("-L", "DIR", "a directory of libraries"),
	cc_word("-l", "NAME", "a library"),
	cc_word("-Wl,", "OPTION", "an option for the linker (wasm-ld)"),
	cc_word("-MD", NULL, "write dependencies for make, with -MF, -MT and their like"),
	cc_word("@", "FILE", "words from a file"),
	{"--native", NULL, OPTION_FLAG, NULL,
         "make an ordinary sequential program of the same source, for debugging and comparison",
         option_field(cc_options, native)},
	{"--name", NULL, OPTION_TEXT, "NAME", "the cell's name in its manifest; default: the first file's",
         option_field(cc_options, build.name)},
	{"--stack", NULL, OPTION_SIZE, "SIZE", "the program's stack; default 1M",
         option_field(cc_options, build.stack)},
	{"--targets", NULL, OPTION_TEXT, "LIST",
         "machine code for these targets, such as x86-64-v3,aarch64, or all; default: the best that this "
         "machine runs",
         option_field(cc_options, targets)},
	{"--canonical-nans", NULL, OPTION_FLAG, NULL,
         "computed NaNs have the same bits on every processor; costs time where floating point is stored",
         option_field(cc_options, build.canonical_nans)},
	{"--keep", NULL, OPTION_TEXT, "DIR", "keep the intermediate files there",
         option_field(cc_options, build.keep)},
	{"--verbose", "-v", OPTION_FLAG, NULL, "print the commands that are run",
         option_field(cc_options, build.verbose)},
};

#define CC_DESCRIPTION                                                                                     \
	"Compiles with clang to WebAssembly and links that to a program, translates it to machine code,\n" \
	"and signs both with your builder's key (~/.config/cella/builder.key, made on first use;\n"        \
	"CELLA_BUILDER_KEY names another). The same source gives the same bytes, wherever it lies.\n"      \
	"The options are those of clang and gcc; the ones below are the most used, and Cella's own.\n"

const struct verb cc_verb = {
	.name = "cc",
	.operands = "FILE...",
	.summary = "compile C, and link it into a cell",
	.description = CC_DESCRIPTION
	"As CC=\"cella cc\" it builds other people's programs, with AR=llvm-ar-19 and\n"
	"RANLIB=llvm-ranlib-19; for CMake there is share/cella/cella-toolchain.cmake.\n"
	"CELLA_CLANG, CELLA_CC and CELLA_SYSROOT name other compilers and another C library.\n"
	"Exit status: 0; 1 if something failed; 2 for a mistake in the options.",
	.example = "cella cc hello.c -o hello.cell && cella run hello.cell",
	.table = {cc_table, array_count(cc_table), false, take_word},
	.operands_min = 0,
	.operands_max = 0,
	.enter = verb_cc,
};

const struct verb cxx_verb = {
	.name = "c++",
	.operands = "FILE...",
	.summary = "compile C++, and link it into a cell",
	.description = CC_DESCRIPTION
	"Like cella cc, with the standard library of C++.\n"
	"Exit status: 0; 1 if something failed; 2 for a mistake in the options.",
	.example = "cella c++ hello.cc -o hello.cell && cella run hello.cell",
	.table = {cc_table, array_count(cc_table), false, take_word},
	.operands_min = 0,
	.operands_max = 0,
	.enter = verb_cc,
};

static bool ends_with(const char *text, const char *end)
{
	size_t size = strlen(text), end_size = strlen(end);
	return size >= end_size && strcmp(text + size - end_size, end) == 0;
}

/* clang would say so of each, but after it has compiled the others. */
static int check_inputs(const struct driver *d, struct error *err)
{
	for (const struct driver_word *w = d->words; w < d->words + d->count; w++)
		if ((w->use == DRIVER_SOURCE || w->use == DRIVER_OBJECT) && strcmp(w->text, "-") != 0 &&
		    access(w->text, R_OK) < 0)
			return error_errno(err, CELLA_ENOENT, "cannot read %s", w->text);
	return 0;
}

static int check(struct cc_options *o, struct error *err)
{
	struct cell_build *b = &o->build;
	if (!driver_first_input(&b->driver))
		return error_set(err, CELLA_EINVAL,
		                 "something is missing on the command line: it wants FILE...");
	if (b->output && (ends_with(b->output, ".c") || !*b->output))
		return error_set(err, CELLA_EINVAL, "%s is no place for the result",
		                 *b->output ? b->output : "\"\"");
	if (b->stack < CC_STACK_LEAST || b->stack > CC_STACK_MOST || b->stack % 16)
		return error_set(err, CELLA_EINVAL, "--stack wants 16K to 256M, in multiples of 16");
	int rc = cell_targets_parse(o->targets, &b->targets, err);
	return rc < 0 ? rc : check_inputs(&b->driver, err);
}

/* A path's last part without its ending. */
static int base_name(const char *path, char name[CC_OUTPUT_MAX], struct error *err)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	int length = dot && dot > base ? (int)(dot - base) : (int)strlen(base);
	if (snprintf(name, CC_OUTPUT_MAX, "%.*s", length, base) >= CC_OUTPUT_MAX - (int)sizeof(".cell"))
		return error_set(err, CELLA_EINVAL, "the name %.60s... is too long", base);
	return 0;
}

/* The name and the output, where they are not given: from the first source's name; a cell of objects alone
 * has the name of its output. */
static int fill_in(struct cc_options *o, char name[CC_OUTPUT_MAX], char output[CC_OUTPUT_MAX],
                   struct error *err)
{
	struct cell_build *b = &o->build;
	const struct driver_word *first = driver_first_input(&b->driver);
	const char *named = first->use == DRIVER_OBJECT && b->output ? b->output : first->text;
	int rc = base_name(first->text, output, err);
	if (rc == 0)
		rc = base_name(strcmp(named, "-") == 0 ? "stdin" : named, name, err);
	if (rc < 0)
		return rc;
	if (!o->native)
		snprintf(output + strlen(output), sizeof(".cell"), ".cell");
	b->name = b->name ? b->name : name;
	b->output = b->output ? b->output : output;
	return 0;
}

static int build_program(struct cc_options *o, struct error *err)
{
	cleanup_buf struct buf bundle = {0};
	int rc = o->native ? cell_build_native(&o->build, err) : crypto_init(NULL, err);
	if (rc == 0 && !o->native)
		rc = cell_build_bundle(&o->build, &bundle, err);
	if (rc == 0 && !o->native)
		rc = io_write_file(o->build.output, bundle.data, bundle.size, 0644, err);
	return rc;
}

static int build_objects(struct cc_options *o, struct error *err)
{
	return o->native ? cell_build_native(&o->build, err) : cell_build_objects(&o->build, err);
}

/* Gives the exit status. */
static int build(struct cc_options *o, struct error *err)
{
	struct driver *d = &o->build.driver;
	char name[CC_OUTPUT_MAX], output[CC_OUTPUT_MAX];
	bool took, asks = o->build.verbose && !driver_first_input(d); /* -v alone: which compiler is this? */
	int rc = asks ? driver_take(d, "-v", NULL, &took, err) : 0;
	if (rc == 0 && (asks || !d->links))
		return build_objects(o, err) < 0 ? VERB_FAILED : VERB_DONE;
	rc = check(o, err);
	if (rc == 0)
		rc = fill_in(o, name, output, err);
	if (rc < 0)
		return rc == CELLA_ENOENT ? VERB_FAILED : VERB_USAGE;
	return build_program(o, err) < 0 ? VERB_FAILED : VERB_DONE;
}

int verb_cc(int argc, char **argv)
{
	const struct verb *verb = strcmp(argv[0], cxx_verb.name) == 0 ? &cxx_verb : &cc_verb;
	struct cc_options o = {.build = {.stack = CC_STACK, .cxx = verb == &cxx_verb}};
	cleanup_arguments struct arguments line = {0};
	struct error err = {0};
	int status = VERB_USAGE, count;
	driver_init(&o.build.driver);
	if (response_expand(argc, argv, &line, &err) < 0)
		verb_fail(verb, &err);
	else if (verb_begin(verb, (int)line.count, line.items, &o, &count, &status)) {
		status = build(&o, &err);
		if (status != VERB_DONE)
			verb_fail(verb, &err);
	}
	driver_done(&o.build.driver);
	return status;
}
