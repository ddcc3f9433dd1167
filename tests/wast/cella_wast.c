/*
 * Runs the commands of a WebAssembly test script as wast2json (of wabt) writes them, each module
 * translated by src/wasm and compiled as cells are:
 *
 *     cella-wast [-O0 | -O1 | -O3] [--compiler gcc | clang-19] [--target NAME] [--keep DIRECTORY] FILE.json…
 *
 * prints what failed and, at the end, "N passed, N failed, N skipped". Skipped are commands on
 * modules that no cell can be (imports of memories, tables or globals) and malformed text, which
 * is wast2json's affair.
 */
#include <jansson.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "guest.h"
#include "values.h"

enum { NAMES_MAX = 256, VALUES_MAX = 1000 };

#if defined(__x86_64__)
#define THIS_TARGET "x86-64-v3"
#else
#define THIS_TARGET "aarch64"
#endif

enum verdict { PASSED, FAILED, SKIPPED };

struct script {
	struct guest_tools tools;
	const char *path;
	char directory[4096];
	struct guest *current; /* NULL: the last module could not be a cell */
	struct {
		char *name;
		struct guest *guest; /* NULL likewise */
		bool registered;     /* may be imported from */
	} names[NAMES_MAX];
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

static void give_name(struct script *s, const char *name, struct guest *guest, bool registered)
{
	if (!*name || s->name_count == NAMES_MAX)
		return;
	s->names[s->name_count].name = strdup(name);
	s->names[s->name_count].registered = registered;
	s->names[s->name_count++].guest = guest;
}

static struct guest *find_registered(void *context, const char *module)
{
	struct script *s = context;
	for (size_t i = s->name_count; i > 0; i--)
		if (s->names[i - 1].registered && strcmp(s->names[i - 1].name, module) == 0)
			return s->names[i - 1].guest;
	return NULL;
}

/* The module that a command means: by its name, or the last one. */
static struct guest *find_named(struct script *s, const char *name)
{
	if (!*name)
		return s->current;
	for (size_t i = s->name_count; i > 0; i--)
		if (!s->names[i - 1].registered && strcmp(s->names[i - 1].name, name) == 0)
			return s->names[i - 1].guest;
	return NULL;
}

static int read_wasm(const struct script *s, const json_t *command, struct buf *ret, struct error *err)
{
	char path[8192];
	snprintf(path, sizeof(path), "%s/%s", s->directory, text_of(command, "filename"));
	return io_read_file(path, 64 << 20, ret, err);
}

static int load(const struct script *s, const json_t *command, struct guest **ret_guest, struct error *err)
{
	char path[8192];
	snprintf(path, sizeof(path), "%s/%s", s->directory, text_of(command, "filename"));
	return guest_load(&s->tools, path, ret_guest, err);
}

/* A module that no cell can be may share a table or a memory with those that it imports from, and would have
 * changed it: what is asked of those from now on is skipped too. */
static void mark_imported(struct script *s, const json_t *command)
{
	cleanup_buf struct buf bytes = {0};
	struct wasm_module *module = NULL;
	if (read_wasm(s, command, &bytes, NULL) < 0 || wasm_decode(bytes.data, bytes.size, &module, NULL) < 0)
		return;
	for (size_t i = 0; i < s->name_count; i++)
		if (s->names[i].registered && s->names[i].guest &&
		    wasm_imports(module, s->names[i].name, NULL))
			guest_mark_stale(s->names[i].guest);
	wasm_module_free(module);
}

static enum verdict run_module(struct script *s, const json_t *command)
{
	struct error err = {0};
	struct guest *guest = NULL;
	uint32_t trap = 0;
	s->current = NULL;
	int rc = load(s, command, &guest, &err);
	if (rc == 0)
		rc = guest_start(guest, find_registered, s, &trap, &err);
	s->current = rc == 0 ? guest : NULL;
	if (rc == CELLA_EUNSUPPORTED)
		mark_imported(s, command);
	give_name(s, text_of(command, "name"), s->current, false);
	if (rc == CELLA_EUNSUPPORTED || rc == CELLA_ENOENT)
		return say(s, SKIPPED, "%s", err.text);
	if (rc == CELLA_ETRAP)
		return say(s, FAILED, "trap %u at its start", trap);
	return say(s, rc < 0 ? FAILED : PASSED, "%s", err.text);
}

static enum verdict run_register(struct script *s, const json_t *command)
{
	struct guest *guest = find_named(s, text_of(command, "name"));
	give_name(s, text_of(command, "as"), guest, true);
	return guest ? PASSED : say(s, SKIPPED, "the module was skipped");
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

static bool trap_matches(uint32_t trap, const char *expected)
{
	if (trap == CELL_TRAP_TABLE && strcmp(expected, "undefined element") == 0)
		return true;
	return *expected && strncmp(trap_text(trap), expected, strlen(trap_text(trap))) == 0;
}

/* Calls what an action names; -1 and a verdict in *ret_verdict when it cannot. */
static int act(struct script *s, const json_t *command, union cell_value *v, uint32_t *ret_trap,
               enum verdict *ret_verdict)
{
	const json_t *action = json_object_get(command, "action");
	const json_t *arguments = json_object_get(action, "args");
	const json_t *field = json_object_get(action, "field");
	struct guest *guest = find_named(s, text_of(action, "module"));
	if (!guest || guest_is_stale(guest)) {
		*ret_verdict = say(s, SKIPPED, "the module, or one that shares with it, was skipped");
		return -1;
	}
	const struct cell_export *export = guest_export(guest, text_of(action, "field"));
	if (!export || strlen(text_of(action, "field")) != json_string_length(field)) {
		*ret_verdict = say(s, FAILED, "no export %s", text_of(action, "field"));
		return -1;
	}
	for (size_t i = 0; i < json_array_size(arguments); i++) {
		if (i < VALUES_MAX && value_parse(json_array_get(arguments, i), &v[i]))
			continue;
		*ret_verdict = say(s, FAILED, "argument %zu is not understood", i);
		return -1;
	}
	return guest_call(guest, export, v, ret_trap) == CELLA_ETRAP || *ret_trap == 0 ? 0 : -1;
}

static enum verdict run_action(struct script *s, const json_t *command)
{
	static union cell_value v[VALUES_MAX];
	const json_t *expected = json_object_get(command, "expected");
	bool throws = strcmp(text_of(command, "type"), "assert_exception") == 0;
	bool returns = strcmp(text_of(command, "type"), "assert_trap") != 0 &&
	               strcmp(text_of(command, "type"), "assert_exhaustion") != 0 && !throws;
	uint32_t trap;
	enum verdict verdict = PASSED;
	if (act(s, command, v, &trap, &verdict) < 0)
		return verdict;
	const char *trap_expected = throws ? "uncaught exception" : text_of(command, "text");
	if (!returns)
		return trap_matches(trap, trap_expected)
		               ? PASSED
		               : say(s, FAILED, "%s instead of %s", trap ? trap_text(trap) : "no trap",
		                     trap_expected);
	if (trap)
		return say(s, FAILED, "it trapped: %s", trap_text(trap));
	for (size_t i = 0; strcmp(text_of(command, "type"), "action") != 0 && i < json_array_size(expected);
	     i++)
		if (!value_matches(json_array_get(expected, i), &v[i])) {
			cleanup_free char *wanted = json_dumps(json_array_get(expected, i), JSON_COMPACT);
			return say(s, FAILED, "result %zu is 0x%016llx%016llx instead of %s", i,
			           (unsigned long long)v[i].lanes[1], (unsigned long long)v[i].lanes[0],
			           wanted);
		}
	return PASSED;
}

/* A module that must be refused when it is decoded. */
static enum verdict run_refused(struct script *s, const json_t *command)
{
	cleanup_buf struct buf bytes = {0};
	struct wasm_module *module = NULL;
	struct error err = {0};
	if (strcmp(text_of(command, "module_type"), "text") == 0)
		return say(s, SKIPPED, "malformed text");
	if (read_wasm(s, command, &bytes, &err) < 0)
		return say(s, FAILED, "%s", err.text);
	int rc = wasm_decode(bytes.data, bytes.size, &module, &err);
	wasm_module_free(module);
	return rc < 0 && err.text[0] ? PASSED
	                             : say(s, FAILED, "accepted, should be: %s", text_of(command, "text"));
}

/* A module that is valid, but cannot be linked (CELLA_ENOENT) or traps when it starts (CELLA_ETRAP). */
static enum verdict run_not_started(struct script *s, const json_t *command)
{
	bool links = strcmp(text_of(command, "type"), "assert_uninstantiable") == 0;
	struct error err = {0};
	struct guest *guest = NULL;
	uint32_t trap = 0;
	int rc = load(s, command, &guest, &err);
	if (rc == CELLA_EUNSUPPORTED) {
		mark_imported(s, command);
		return say(s, SKIPPED, "%s", err.text);
	}
	if (rc == 0)
		rc = guest_start(guest, find_registered, s, &trap, &err);
	if (rc == CELLA_ENOENT && links)
		return say(s, SKIPPED, "%s", err.text);
	if (rc != (links ? CELLA_ETRAP : CELLA_ENOENT))
		return say(s, FAILED, "it started, should be: %s", text_of(command, "text"));
	if (links && !trap_matches(trap, text_of(command, "text")))
		return say(s, FAILED, "%s instead of %s", trap_text(trap), text_of(command, "text"));
	return PASSED;
}

static const struct {
	const char *type;
	enum verdict (*run)(struct script *s, const json_t *command);
} commands[] = {
	{"module", run_module},
	{"register", run_register},
	{"action", run_action},
	{"assert_return", run_action},
	{"assert_trap", run_action},
	{"assert_exhaustion", run_action},
	{"assert_exception", run_action},
	{"assert_malformed", run_refused},
	{"assert_invalid", run_refused},
	{"assert_unlinkable", run_not_started},
	{"assert_uninstantiable", run_not_started},
};

static enum verdict run_command(struct script *s, const json_t *command)
{
	s->why[0] = 0;
	for (size_t i = 0; i < array_count(commands); i++)
		if (strcmp(commands[i].type, text_of(command, "type")) == 0)
			return commands[i].run(s, command);
	return say(s, FAILED, "this command is not known");
}

static void run_script(void *p)
{
	static const char *const words[] = {"passed", "FAILED", "skipped"};
	struct script *s = p;
	json_error_t json_err;
	json_t *root = json_load_file(s->path, JSON_ALLOW_NUL, &json_err);
	json_t *list = json_object_get(root, "commands");
	json_t *command;
	size_t i;
	if (!list) {
		fprintf(stderr, "%s: no commands: %s\n", s->path, json_err.text);
		s->counts[FAILED]++;
	}
	json_array_foreach(list, i, command)
	{
		enum verdict verdict = run_command(s, command);
		s->counts[verdict]++;
		if (verdict == FAILED || getenv("CELLA_WAST_VERBOSE"))
			printf("%s: %s:%lld: %s: %s\n", words[verdict], s->path,
			       json_integer_value(json_object_get(command, "line")), text_of(command, "type"),
			       s->why);
	}
	json_decref(root);
	for (size_t k = 0; k < s->name_count; k++)
		free(s->names[k].name);
}

static bool read_option(struct guest_tools *tools, const char **target, char **argv, int *at)
{
	if (argv[*at][0] != '-')
		return false;
	if (strcmp(argv[*at], "--compiler") == 0 && argv[*at + 1]) {
		tools->compiler = argv[++*at];
	} else if (strcmp(argv[*at], "--target") == 0 && argv[*at + 1]) {
		*target = argv[++*at];
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
	struct guest_tools tools = {.directory = mkdtemp(work), .level = "-O1", .compiler = "gcc"};
	const char *target = THIS_TARGET;
	unsigned totals[3] = {0};
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
	printf("%u passed, %u failed, %u skipped\n", totals[PASSED], totals[FAILED], totals[SKIPPED]);
	return totals[FAILED] || totals[PASSED] == 0;
}
