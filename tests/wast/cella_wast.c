/*
 * Runs the commands of a WebAssembly test script as wast2json (of wabt) writes them, each module
 * translated by src/wasm and compiled as cells are:
 *
 *     cella-wast [-O0 | -O1 | -O3] [--compiler gcc | clang-19] [--target NAME] [--split]
 *                [--keep DIRECTORY] FILE.json…
 *
 * prints what failed and, at the end, "N passed, N failed". Modules that are malformed as text are
 * asked of wat2wasm, which comes with wast2json: Cella reads no text. If it is not there they are
 * skipped, and counted behind that.
 */
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "guest.h"
#include "spectest.h"
#include "values.h"

enum { VALUES_MAX = 1000 };

#if defined(__x86_64__)
#define THIS_TARGET "x86-64-v3"
#else
#define THIS_TARGET "aarch64"
#endif

enum verdict { PASSED, FAILED, SKIPPED };

struct named {
	const char *name; /* any bytes */
	size_t size;
	struct guest *guest;
	bool registered; /* may be imported from */
};

struct script {
	struct image_tools tools;
	const char *path;
	char directory[4096];
	json_t *commands;
	struct image *images; /* by command; path NULL: it has no module that is to be run */
	struct guest *current;
	struct named *names;
	size_t name_count;
	char why[1200]; /* of the last verdict */
	unsigned counts[3];
};

static enum verdict say(struct script *s, enum verdict verdict, const char *format, ...) printf_like(3, 4);
static enum verdict say(struct script *s, enum verdict verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(s->why, sizeof(s->why), format, args);
	va_end(args);
	return verdict;
}

static const char *text_of(const json_t *command, const char *key)
{
	const char *text = json_string_value(json_object_get(command, key));
	return text ? text : "";
}

static bool is_type(const json_t *command, const char *type)
{
	return strcmp(text_of(command, "type"), type) == 0;
}

static void give_name(struct script *s, const json_t *name, struct guest *guest, bool registered)
{
	if (json_string_value(name))
		s->names[s->name_count++] = (struct named){.name = json_string_value(name),
		                                           .size = json_string_length(name),
		                                           .guest = guest,
		                                           .registered = registered};
}

static struct guest *find_guest(const struct script *s, const char *name, size_t size, bool registered)
{
	for (size_t i = s->name_count; i > 0; i--) {
		const struct named *named = &s->names[i - 1];
		if (named->registered == registered && named->size == size &&
		    memcmp(named->name, name, size) == 0)
			return named->guest;
	}
	return NULL;
}

/* The module that a command means: by its name, or the last one. */
static struct guest *find_meant(const struct script *s, const json_t *name)
{
	if (!json_string_value(name))
		return s->current;
	return find_guest(s, json_string_value(name), json_string_length(name), false);
}

static bool find_export(void *context, const char *module, size_t module_size, const char *name,
                        size_t name_size, struct external *ret)
{
	static const char spectest[] = "spectest";
	const struct guest *guest = find_guest(context, module, module_size, true);
	if (guest)
		return guest_export(guest, name, name_size, ret);
	return module_size == sizeof(spectest) - 1 && memcmp(module, spectest, module_size) == 0 &&
	       spectest_export(name, name_size, ret);
}

static int instantiate(struct script *s, struct image *image, struct guest **ret_guest, uint32_t *ret_trap,
                       struct error *err)
{
	if (image->rc < 0)
		return error_set(err, image->rc, "%s", image->err.text);
	int rc = guest_new(image, find_export, s, ret_guest, err);
	return rc < 0 ? rc : guest_start(*ret_guest, ret_trap);
}

static enum verdict run_module(struct script *s, const json_t *command, struct image *image)
{
	struct error err = {0};
	struct guest *guest = NULL;
	uint32_t trap = 0;
	int rc = instantiate(s, image, &guest, &trap, &err);
	s->current = rc == 0 ? guest : NULL;
	give_name(s, json_object_get(command, "name"), s->current, false);
	if (rc == CELLA_ETRAP)
		return say(s, FAILED, "trap %u at its start", trap);
	return say(s, rc < 0 ? FAILED : PASSED, "%s", err.text);
}

static enum verdict run_register(struct script *s, const json_t *command, struct image *image)
{
	struct guest *guest = find_meant(s, json_object_get(command, "name"));
	(void)image;
	give_name(s, json_object_get(command, "as"), guest, true);
	return guest ? PASSED : say(s, FAILED, "there is no such module");
}

static const char *trap_text(uint32_t trap)
{
	static const char *const texts[] = {
		[CELL_TRAP_UNREACHABLE] = "unreachable",
		[CELL_TRAP_MEMORY] = "out of bounds memory access",
		[CELL_TRAP_TABLE] = "out of bounds table access",
		[CELL_TRAP_NULL_FUNCTION] = "uninitialized element",
		[CELL_TRAP_SIGNATURE] = "indirect call type mismatch",
		[CELL_TRAP_DIVIDE_BY_ZERO] = "integer divide by zero",
		[CELL_TRAP_INTEGER_OVERFLOW] = "integer overflow",
		[CELL_TRAP_CONVERSION] = "invalid conversion to integer",
		[CELL_TRAP_STACK] = "call stack exhausted",
		[CELL_TRAP_UNALIGNED] = "unaligned atomic",
		[CELL_TRAP_EXCEPTION] = "uncaught exception",
	};
	return trap < array_count(texts) && texts[trap] ? texts[trap] : "another trap";
}

/* One begins with the other: "uninitialized element 2", "out of bounds". */
static bool trap_matches(uint32_t trap, const char *expected)
{
	const char *text = trap_text(trap);
	if (trap == CELL_TRAP_TABLE && strcmp(expected, "undefined element") == 0)
		return true;
	return trap && *expected && strncmp(text, expected, min_of(strlen(text), strlen(expected))) == 0;
}

static bool parse_arguments(struct script *s, const json_t *arguments, union cell_value *v)
{
	for (size_t i = 0; i < json_array_size(arguments); i++)
		if (i == VALUES_MAX || !value_parse(json_array_get(arguments, i), &v[i])) {
			say(s, FAILED, "argument %zu is not understood", i);
			return false;
		}
	return true;
}

/* Does what an action names; false, and why, when it cannot. */
static bool act(struct script *s, const json_t *action, union cell_value *v, uint32_t *ret_trap)
{
	const json_t *field = json_object_get(action, "field");
	const struct guest *guest = find_meant(s, json_object_get(action, "module"));
	struct external external;
	*ret_trap = 0;
	if (!guest || !json_string_value(field) ||
	    !guest_export(guest, json_string_value(field), json_string_length(field), &external)) {
		say(s, FAILED, "no export %s", text_of(action, "field"));
		return false;
	}
	if (external.type.kind == CELL_GLOBAL && is_type(action, "get")) {
		external_get(&external, v);
		return true;
	}
	if (external.type.kind != CELL_FUNCTION || !is_type(action, "invoke")) {
		say(s, FAILED, "export %s is nothing for %s", text_of(action, "field"),
		    text_of(action, "type"));
		return false;
	}
	if (!parse_arguments(s, json_object_get(action, "args"), v))
		return false;
	return external_call(&external, v, ret_trap) == CELLA_ETRAP || *ret_trap == 0;
}

static enum verdict compare_results(struct script *s, const json_t *expected, const union cell_value *v)
{
	for (size_t i = 0; i < json_array_size(expected); i++) {
		if (i < VALUES_MAX && value_matches(json_array_get(expected, i), &v[i]))
			continue;
		cleanup_free char *wanted = json_dumps(json_array_get(expected, i), JSON_COMPACT);
		return say(s, FAILED, "result %zu is 0x%016llx%016llx instead of %s", i,
		           (unsigned long long)v[i].lanes[1], (unsigned long long)v[i].lanes[0], wanted);
	}
	return PASSED;
}

static enum verdict run_action(struct script *s, const json_t *command, struct image *image)
{
	static union cell_value v[VALUES_MAX];
	uint32_t trap;
	(void)image;
	if (!act(s, json_object_get(command, "action"), v, &trap))
		return FAILED;
	bool throws = is_type(command, "assert_exception");
	const char *text = throws ? "uncaught exception" : text_of(command, "text");
	if (throws || is_type(command, "assert_trap") || is_type(command, "assert_exhaustion"))
		return trap_matches(trap, text)
		               ? PASSED
		               : say(s, FAILED, "%s instead of %s", trap ? trap_text(trap) : "no trap", text);
	if (trap)
		return say(s, FAILED, "it trapped: %s", trap_text(trap));
	if (is_type(command, "action"))
		return PASSED;
	return compare_results(s, json_object_get(command, "expected"), v);
}

static void module_path(const struct script *s, const json_t *command, char *to, size_t size)
{
	snprintf(to, size, "%s/%s", s->directory, text_of(command, "filename"));
}

/* A module that is malformed as text: wat2wasm reads it. */
static enum verdict run_malformed_text(struct script *s, char *path)
{
	enum { NOT_THERE = 127 };
	char *const arguments[] = {"wat2wasm",
	                           "--enable-exceptions",
	                           "--enable-extended-const",
	                           "--enable-memory64",
	                           "--enable-tail-call",
	                           "--enable-threads",
	                           path,
	                           "-o",
	                           "/dev/null",
	                           NULL};
	int status;
	if (access(path, R_OK) < 0)
		return say(s, FAILED, "cannot read %s", path);
	pid_t child = fork();
	if (child == 0) {
		int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
		dup2(nothing, STDOUT_FILENO);
		dup2(nothing, STDERR_FILENO);
		execvp(arguments[0], arguments);
		_exit(NOT_THERE);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return say(s, FAILED, "cannot run wat2wasm");
	switch (WEXITSTATUS(status)) {
	case NOT_THERE: return say(s, SKIPPED, "malformed text, and no wat2wasm");
	case 0: return say(s, FAILED, "wat2wasm takes it");
	default: return PASSED;
	}
}

/* A module that must be refused when it is decoded. */
static enum verdict run_refused(struct script *s, const json_t *command, struct image *image)
{
	cleanup_buf struct buf bytes = {0};
	struct wasm_module *module = NULL;
	struct error err = {0};
	char path[8192];
	(void)image;
	module_path(s, command, path, sizeof(path));
	if (strcmp(text_of(command, "module_type"), "text") == 0)
		return run_malformed_text(s, path);
	if (io_read_file(path, 64 << 20, &bytes, &err) < 0)
		return say(s, FAILED, "%s", err.text);
	int rc = wasm_decode(bytes.data, bytes.size, &module, &err);
	wasm_module_free(module);
	return rc < 0 && err.text[0] ? PASSED
	                             : say(s, FAILED, "accepted, should be: %s", text_of(command, "text"));
}

/* A module that is valid, but cannot be linked. */
static enum verdict run_unlinkable(struct script *s, const json_t *command, struct image *image)
{
	const char *expected = text_of(command, "text");
	struct error err = {0};
	struct guest *guest = NULL;
	uint32_t trap = 0;
	int rc = instantiate(s, image, &guest, &trap, &err);
	if (rc != CELLA_ENOENT)
		return say(s, FAILED, "%s, should be: %s", rc == 0 ? "linked" : err.text, expected);
	return *expected && strncmp(err.text, expected, strlen(expected)) == 0
	               ? PASSED
	               : say(s, FAILED, "%s instead of %s", err.text, expected);
}

/* A module that traps when it starts. */
static enum verdict run_uninstantiable(struct script *s, const json_t *command, struct image *image)
{
	const char *expected = text_of(command, "text");
	struct error err = {0};
	struct guest *guest = NULL;
	uint32_t trap = 0;
	int rc = instantiate(s, image, &guest, &trap, &err);
	if (rc != CELLA_ETRAP)
		return say(s, FAILED, "%s, should be: %s", rc == 0 ? "started" : err.text, expected);
	return trap_matches(trap, expected) ? PASSED
	                                    : say(s, FAILED, "%s instead of %s", trap_text(trap), expected);
}

static const struct {
	const char *type;
	enum verdict (*run)(struct script *s, const json_t *command, struct image *image);
	bool runs_module; /* its own, which is to be compiled */
} commands[] = {
	{"module", run_module, true},
	{"register", run_register, false},
	{"action", run_action, false},
	{"assert_return", run_action, false},
	{"assert_trap", run_action, false},
	{"assert_exhaustion", run_action, false},
	{"assert_exception", run_action, false},
	{"assert_malformed", run_refused, false},
	{"assert_invalid", run_refused, false},
	{"assert_unlinkable", run_unlinkable, true},
	{"assert_uninstantiable", run_uninstantiable, true},
};

static size_t command_row(const json_t *command)
{
	size_t row = 0;
	while (row < array_count(commands) && !is_type(command, commands[row].type))
		row++;
	return row;
}

static enum verdict run_command(struct script *s, const json_t *command, struct image *image)
{
	size_t row = command_row(command);
	s->why[0] = 0;
	return row < array_count(commands) ? commands[row].run(s, command, image)
	                                   : say(s, FAILED, "this command is not known");
}

/* Compiles the modules that commands run: `made` in order, then each beside its command. */
static void make_images(struct script *s, size_t count)
{
	struct image *made = calloc(count, sizeof(*made));
	size_t made_count = 0;
	for (size_t i = 0; made && i < count; i++) {
		const json_t *command = json_array_get(s->commands, i);
		size_t row = command_row(command);
		char path[8192];
		if (row == array_count(commands) || !commands[row].runs_module)
			continue;
		module_path(s, command, path, sizeof(path));
		made[made_count++].path = strdup(path);
	}
	images_make(&s->tools, made, made_count);
	for (size_t i = 0, next = 0; made && i < count; i++) {
		size_t row = command_row(json_array_get(s->commands, i));
		if (row < array_count(commands) && commands[row].runs_module)
			s->images[i] = made[next++];
	}
	free(made);
}

static void run_commands(struct script *s)
{
	static const char *const words[] = {"passed", "FAILED", "skipped"};
	size_t count = json_array_size(s->commands);
	for (size_t i = 0; i < count; i++) {
		const json_t *command = json_array_get(s->commands, i);
		enum verdict verdict = run_command(s, command, &s->images[i]);
		s->counts[verdict]++;
		if (verdict == FAILED || getenv("CELLA_WAST_VERBOSE"))
			printf("%s: %s:%lld: %s: %s\n", words[verdict], s->path,
			       json_integer_value(json_object_get(command, "line")), text_of(command, "type"),
			       s->why);
	}
}

static void run_script(void *p)
{
	struct script *s = p;
	struct error err = {0};
	json_error_t json_err;
	json_t *root = json_load_file(s->path, JSON_ALLOW_NUL, &json_err);
	s->commands = json_object_get(root, "commands");
	size_t count = json_array_size(s->commands);
	s->images = calloc(count + 1, sizeof(*s->images));
	s->names = calloc(count + 1, sizeof(*s->names));
	guests_forget();
	if (count == 0 || !s->images || !s->names || spectest_reset(&err) < 0) {
		fprintf(stderr, "%s: no commands: %s%s\n", s->path, json_err.text, err.text);
		s->counts[FAILED]++;
	} else {
		make_images(s, count);
		run_commands(s);
	}
	images_done(s->images, count);
	free(s->names);
	json_decref(root);
}

static bool read_option(struct image_tools *tools, const char **target, char **argv, int *at)
{
	if (argv[*at][0] != '-')
		return false;
	if (strcmp(argv[*at], "--compiler") == 0 && argv[*at + 1]) {
		tools->compiler = argv[++*at];
	} else if (strcmp(argv[*at], "--target") == 0 && argv[*at + 1]) {
		*target = argv[++*at];
	} else if (strcmp(argv[*at], "--split") == 0) {
		tools->split = true;
	} else if (strcmp(argv[*at], "--keep") == 0 && argv[*at + 1]) {
		tools->directory = argv[++*at];
		tools->keep = true;
	} else {
		tools->level = argv[*at];
	}
	return true;
}

int main(int argc, char **argv)
{
	char work[] = "/tmp/cella-wast-XXXXXX";
	struct image_tools tools = {.directory = mkdtemp(work), .compiler = "clang-19"};
	const char *target = THIS_TARGET;
	unsigned totals[3] = {0};
	tools.jobs = (unsigned)max_of(sysconf(_SC_NPROCESSORS_ONLN), 1L);
	if (!tools.directory) {
		perror("mkdtemp");
		return 2;
	}
	for (int i = 1; i < argc; i++) {
		static struct script s;
		if (read_option(&tools, &target, argv, &i))
			continue;
		bool clang = strncmp(tools.compiler, "clang", 5) == 0;
		tools.flags = clang ? wasm_flags_clang : wasm_flags_gcc;
		tools.target_flags = wasm_flags_target(target, clang);
		if (!tools.target_flags) {
			fprintf(stderr, "there is no target %s\n", target);
			return 2;
		}
		s = (struct script){.tools = tools, .path = argv[i]};
		cleanup_free char *copy = strdup(argv[i]);
		snprintf(s.directory, sizeof(s.directory), "%s", dirname(copy));
		guest_run(run_script, &s);
		for (size_t k = 0; k < 3; k++)
			totals[k] += s.counts[k];
	}
	rmdir(work);
	printf("%u passed, %u failed", totals[PASSED], totals[FAILED]);
	if (totals[SKIPPED])
		printf(", %u skipped: malformed text, which wat2wasm (wabt) would read", totals[SKIPPED]);
	printf("\n");
	return totals[FAILED] || totals[PASSED] == 0;
}
