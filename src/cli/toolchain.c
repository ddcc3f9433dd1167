#include "cli/toolchain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/process.h"
#include "cli/resources.h"
#include "wasm/target.h"

static int find_program(const char *variable, const char *const *names, const char *what, const char *package,
                        char to[TOOLCHAIN_PATH_MAX], struct error *err)
{
	const char *given = getenv(variable);
	if (given && *given) {
		int rc = process_find(given, to, TOOLCHAIN_PATH_MAX, err);
		return rc < 0 ? error_prefix(err, rc, "%s: ", variable) : 0;
	}
	for (size_t i = 0; names[i]; i++)
		if (process_find(names[i], to, TOOLCHAIN_PATH_MAX, NULL) == 0)
			return 0;
	return error_set(err, CELLA_ENOENT, "%s is missing: apt install %s (or set %s to it)", what, package,
	                 variable);
}

int toolchain_find_clang(struct toolchain *t, struct error *err)
{
	static const char *const names[] = {"clang-19", "clang", NULL};
	return find_program("CELLA_CLANG", names, "clang for WebAssembly (clang-19)",
	                    "clang-19 lld-19 libclang-rt-19-dev-wasm32", t->clang, err);
}

int toolchain_find_sysroot(struct toolchain *t, struct error *err)
{
	static const char *const files[] = {"include/wasm32-wasi/stdio.h", "lib/wasm32-wasi/libc.a",
	                                    "lib/wasm32-wasi/cella-start.o"};
	const char *given = getenv("CELLA_SYSROOT");
	char sysroot[TOOLCHAIN_PATH_MAX];
	int size = given && *given ? snprintf(sysroot, sizeof(sysroot), "%s", given)
	                           : snprintf(sysroot, sizeof(sysroot), "%s/sysroot", t->resources);
	for (size_t i = 0; i < array_count(files); i++) {
		char path[TOOLCHAIN_PATH_MAX + 64];
		snprintf(path, sizeof(path), "%s/%s", sysroot, files[i]);
		if (size >= TOOLCHAIN_PATH_MAX || access(path, R_OK) < 0)
			return error_set(
				err, CELLA_ENOENT,
				"the C library of cells is missing (%s): build or install Cella again "
				"(or set CELLA_SYSROOT)",
				path);
	}
	memcpy(t->sysroot, sysroot, sizeof(t->sysroot));
	return 0;
}

int toolchain_find_cxx(const struct toolchain *t, struct error *err)
{
	char path[TOOLCHAIN_PATH_MAX + 64];
	snprintf(path, sizeof(path), "%s/lib/wasm32-wasi/libc++.a", t->sysroot);
	if (access(path, R_OK) < 0)
		return error_set(
			err, CELLA_ENOENT,
			"the standard library of C++ for cells is missing (%s): build Cella again where "
			"files.pythonhosted.org, which has its source, can be reached",
			path);
	return 0;
}

/* The path that clang gives for a part, or the bare name when it has none. */
static int ask_clang(const struct toolchain *t, const char *question, char to[TOOLCHAIN_PATH_MAX],
                     struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	cleanup_buf struct buf output = {0};
	arguments_add(&command, t->clang);
	arguments_add(&command, "--target=wasm32-wasi");
	arguments_add(&command, question);
	int rc = process_read(&command, &output, err);
	if (rc < 0)
		return rc;
	buf_put_u8(&output, '\0');
	if (output.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for clang's answer");
	snprintf(to, TOOLCHAIN_PATH_MAX, "%.*s", (int)strcspn((char *)output.data, "\n"),
	         (char *)output.data);
	return 0;
}

int toolchain_find_linker(const struct toolchain *t, struct error *err)
{
	static const struct {
		const char *question, *package;
	} parts[] = {
		{"-print-prog-name=wasm-ld", "lld-19"},
		{"-print-libgcc-file-name", "libclang-rt-19-dev-wasm32"},
	};
	char path[TOOLCHAIN_PATH_MAX];
	for (size_t i = 0; i < array_count(parts); i++) {
		int rc = ask_clang(t, parts[i].question, path, err);
		if (rc < 0)
			return rc;
		if (access(path, R_OK) < 0)
			return error_set(err, CELLA_ENOENT, "%s has no %s: apt install %s", t->clang, path,
			                 parts[i].package);
	}
	return 0;
}

/* The first line of what the compiler answers. */
static int ask_compiler(const struct toolchain *t, const char *question, char *to, size_t capacity,
                        struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	cleanup_buf struct buf answer = {0};
	arguments_add(&command, t->compiler);
	arguments_add(&command, question);
	int rc = process_read(&command, &answer, err);
	if (rc < 0)
		return rc;
	buf_put_u8(&answer, '\0');
	if (answer.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the compiler's answer");
	snprintf(to, capacity, "%.*s", (int)strcspn((char *)answer.data, "\n"), (char *)answer.data);
	return 0;
}

static int name_compiler(struct toolchain *t, struct error *err)
{
	char name[256], version[48];
	int rc = ask_compiler(t, "--version", name, sizeof(name), err);
	if (rc < 0)
		return rc;
	t->compiler_is_clang = strstr(name, "clang");
	rc = ask_compiler(t, t->compiler_is_clang ? "-dumpversion" : "-dumpfullversion", version,
	                  sizeof(version), err);
	if (rc == 0)
		rc = ask_compiler(t, "-dumpmachine", t->compiler_machine, sizeof(t->compiler_machine), err);
	if (rc == 0)
		snprintf(t->compiler_name, sizeof(t->compiler_name), "%s %s",
		         t->compiler_is_clang ? "clang" : "gcc", version);
	return rc;
}

int toolchain_check_target(const struct toolchain *t, const char *target, struct error *err)
{
	const char *family = target_family(target);
	if (!family)
		return error_set(err, CELLA_EINVAL, "there is no target %.63s", target);
	if (t->compiler_is_clang || strncmp(t->compiler_machine, family, strlen(family)) == 0)
		return 0;
	return error_set(
		err, CELLA_EUNSUPPORTED,
		"%s compiles for %s, not for %s: set CELLA_CC to clang-19 or to a gcc for that machine",
		t->compiler, t->compiler_machine, target);
}

int toolchain_find_compiler(struct toolchain *t, struct error *err)
{
	static const char *const names[] = {"clang-19", "clang", "gcc", NULL};
	int rc = find_program("CELLA_CC", names, "a C compiler for this machine", "clang-19", t->compiler,
	                      err);
	return rc < 0 ? rc : name_compiler(t, err);
}

int toolchain_find_resources(struct toolchain *t, struct error *err)
{
	return resources_directory(t->resources, sizeof(t->resources), err);
}
