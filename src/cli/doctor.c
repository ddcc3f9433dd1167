/* cella doctor: what this machine can protect, what not, why, and the remedy. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "attest/host.h"
#include "cli/toolchain.h"
#include "cli/verbs.h"
#include "mem/mem.h"
#include "page/page.h"

enum {
	DOCTOR_FACTS_MAX = 16,
	DOCTOR_NAME_WIDTH = 16,
	DOCTOR_LEAST_MEMORY = 4 << 20, /* a level works if an executor gets this much of it */
};

struct doctor_options {
	bool json;
};

static const struct option doctor_table[] = {
	{"--json", NULL, OPTION_FLAG, NULL, "print JSON", option_field(doctor_options, json)},
};

const struct verb doctor_verb = {
	.name = "doctor",
	.operands = "",
	.summary = "show what this machine can protect, and the remedy for what it cannot",
	.description =
		"Looks at kernel, memory, isolation, host claims, processor and compilers, by trying what\n"
		"can be tried without harm, as the user who asks. Another user may get other answers.\n"
		"Exit status: 0 if cells run at the default memory level; 1 if not; 2 for a mistake in\n"
		"the options.",
	.example = "cella doctor",
	.table = {doctor_table, array_count(doctor_table), false},
	.operands_min = 0,
	.operands_max = 0,
	.enter = verb_doctor,
};

/* The machine's facts, and before and behind them those of the command line. */
struct report {
	struct host_fact levels[DOCTOR_FACTS_MAX], tools[DOCTOR_FACTS_MAX];
	size_t level_count, tool_count;
	struct host_facts host;
	bool works;
};

static struct host_fact fact_of(const char *group, const char *name, enum host_verdict verdict,
                                const char *value)
{
	struct host_fact f = {.group = group, .name = name, .verdict = verdict};
	snprintf(f.value, sizeof(f.value), "%.*s", (int)sizeof(f.value) - 1, value);
	return f;
}

/* What is wrong, and behind the first ": " what to do about it. */
static void explain(struct host_fact *f, const char *text)
{
	const char *remedy = strstr(text, ": ");
	int size = remedy ? (int)(remedy - text) : (int)strlen(text);
	snprintf(f->reason, sizeof(f->reason), "%.*s", min_of(size, (int)sizeof(f->reason) - 1), text);
	snprintf(f->remedy, sizeof(f->remedy), "%.*s", (int)sizeof(f->remedy) - 1, remedy ? remedy + 2 : "");
}

static void look_at_levels(struct report *r)
{
	struct error err;
	struct host_fact *f = r->levels;
	f[0] = fact_of("memory levels", "secret", HOST_GOOD, "works; the default");
	if (mem_level_check(MEM_SECRET, DOCTOR_LEAST_MEMORY, &err) < 0) {
		f[0] = fact_of("memory levels", "secret", HOST_MISSING, "does not work; the default");
		explain(&f[0], err.text);
	}
	f[1] = fact_of("memory levels", "insecure-none", HOST_INFO,
	               "works; protects nothing from root, so it must be asked for");
	f[2] = fact_of("memory levels", "paged", HOST_GOOD, "works; for more data than may be locked");
	if (mem_level_check(MEM_PAGED, DOCTOR_LEAST_MEMORY + PAGE_WINDOW_MORE + PAGE_WINDOW_LEAST, &err) <
	    0) {
		f[2] = fact_of("memory levels", "paged", HOST_MISSING, "does not work");
		explain(&f[2], err.text);
	}
	r->level_count = 3;
}

static void add_tool(struct report *r, const char *name, const char *value, int rc, const struct error *err)
{
	struct host_fact *f = &r->tools[r->tool_count++];
	*f = fact_of("cella cc", name, rc < 0 ? HOST_MISSING : HOST_GOOD, rc < 0 ? "missing" : value);
	if (rc < 0)
		explain(f, err->text);
}

static void look_at_tools(struct report *r)
{
	struct toolchain t = {0};
	struct error err;
	int rc = toolchain_find_clang(&t, &err);
	add_tool(r, "clang", t.clang, rc, &err);
	if (rc == 0) {
		rc = toolchain_find_linker(&t, &err);
		add_tool(r, "linker", "with the run-time library for WebAssembly", rc, &err);
	}
	rc = toolchain_find_compiler(&t, &err);
	add_tool(r, "compiler", t.compiler_name, rc, &err);
	rc = toolchain_find_resources(&t, &err);
	add_tool(r, "headers", t.resources, rc, &err);
	if (rc == 0) {
		rc = toolchain_find_sysroot(&t, &err);
		add_tool(r, "C library", t.sysroot, rc, &err);
	}
}

static bool has(const struct report *r, const char *name)
{
	for (size_t i = 0; i < r->host.count; i++)
		if (strcmp(r->host.facts[i].name, name) == 0)
			return r->host.facts[i].verdict != HOST_MISSING;
	return true;
}

static int look(struct report *r, struct error *err)
{
	look_at_levels(r);
	if (host_facts(&r->host) < 0)
		return error_set(err, CELLA_EIO, "cannot look at this machine");
	look_at_tools(r);
	r->works = r->levels[0].verdict == HOST_GOOD && has(r, "seccomp") && has(r, "processor");
	return 0;
}

static void print_fact(const struct host_fact *f, const char **group)
{
	static const char *const marks[] =
		{[HOST_GOOD] = "yes", [HOST_LIMITED] = "part", [HOST_MISSING] = "no", [HOST_INFO] = "-"};
	if (!*group || strcmp(*group, f->group) != 0)
		printf("%s%s\n", *group ? "\n" : "", f->group);
	*group = f->group;
	printf("  %-4s  %-*s %s\n", marks[f->verdict], DOCTOR_NAME_WIDTH, f->name, f->value);
	if (f->reason[0])
		printf("  %*s %s\n", DOCTOR_NAME_WIDTH + 6, "", f->reason);
	if (f->remedy[0])
		printf("  %*s remedy: %s\n", DOCTOR_NAME_WIDTH + 6, "", f->remedy);
}

static void print_report(const struct report *r)
{
	const char *group = NULL;
	for (size_t i = 0; i < r->level_count; i++)
		print_fact(&r->levels[i], &group);
	for (size_t i = 0; i < r->host.count; i++)
		print_fact(&r->host.facts[i], &group);
	for (size_t i = 0; i < r->tool_count; i++)
		print_fact(&r->tools[i], &group);
	printf("\n%s\n", r->works ? "Cells run here at the default memory level."
	                          : "Cells do not run here at the default memory level: see the remedies.");
}

static void add_json(json_t *list, const struct host_fact *facts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct host_fact *f = &facts[i];
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "group", f->group, "name",
		                                f->name, "verdict", host_verdict_name(f->verdict), "value",
		                                f->value, "reason", f->reason, "remedy", f->remedy));
	}
}

static int print_json(const struct report *r, struct error *err)
{
	json_t *list = json_array();
	add_json(list, r->levels, r->level_count);
	add_json(list, r->host.facts, r->host.count);
	add_json(list, r->tools, r->tool_count);
	json_t *whole = json_pack("{s:b, s:o}", "works", (int)r->works, "facts", list);
	int rc = whole ? json_dumpf(whole, stdout, JSON_INDENT(2)) : -1;
	json_decref(whole);
	if (rc < 0)
		return error_set(err, CELLA_ENOMEM, "cannot print the report as JSON");
	putchar('\n');
	return 0;
}

int verb_doctor(int argc, char **argv)
{
	struct doctor_options o = {0};
	struct report r = {0};
	struct error err;
	int status, count;
	if (!verb_begin(&doctor_verb, argc, argv, &o, &count, &status))
		return status;
	int rc = look(&r, &err);
	if (rc == 0 && o.json)
		rc = print_json(&r, &err);
	else if (rc == 0)
		print_report(&r);
	if (rc < 0)
		return verb_fail(&doctor_verb, &err);
	return r.works ? VERB_DONE : VERB_FAILED;
}
