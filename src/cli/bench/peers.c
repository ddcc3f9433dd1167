#include "cli/bench/peers.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/resources.h"
#include "cli/toolchain.h"
#include "wasm/wasm.h"

static int prepare_wasmtime(const struct bench *b, const struct suite *s not_used, struct arguments *ret,
                            struct error *err)
{
	char script[BENCH_PATH_MAX], module[BENCH_PATH_MAX], compiled[BENCH_PATH_MAX];
	int rc = resources_find("bench/peers/wasmtime.py", script, sizeof(script), err);
	snprintf(module, sizeof(module), "%s/cell.wasm", b->directory);
	snprintf(compiled, sizeof(compiled), "%s/peer.cwasm", b->directory);
	if (rc < 0)
		return rc;
	char *compile[] = {"python3", script, "compile", module, compiled, NULL};
	rc = bench_execute(compile, NULL, NULL, err);
	const char *const words[] = {"python3", script, "run", compiled};
	for (size_t i = 0; rc == 0 && i < array_count(words); i++)
		arguments_add(ret, words[i]);
	return rc;
}

static void add_all(struct arguments *command, const char *const *words)
{
	for (; *words; words++)
		arguments_add(command, *words);
}

static int execute(const struct arguments *command, struct error *err)
{
	if (command->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the words of %s", command->items[0]);
	return bench_execute(command->items, NULL, NULL, err);
}

/* The suite to "peer.wasm", by `cella cc`'s flags for C that do not ask for what wasm2c lacks. */
static int compile_plain(const struct bench *b, const struct suite *s, struct error *err)
{
	static const char library[] = "/usr/lib/wasm32-wasi/libc.a";
	static const char *const flags[] = {"--target=wasm32-wasi", "--sysroot=/usr",    "-O3",
	                                    "-fno-math-errno",      "-ffp-contract=off", NULL};
	static const char *const features[] = {"-mbulk-memory", "-msign-ext", "-mnontrapping-fptoint", NULL};
	cleanup_arguments struct arguments command = {0};
	struct toolchain tools;
	int rc = toolchain_find_clang(&tools, err);
	if (rc < 0)
		return rc;
	if (access(library, R_OK) < 0)
		return error_set(err, CELLA_ENOENT,
		                 "the C library without threads is missing (%s): apt install wasi-libc",
		                 library);
	arguments_add(&command, tools.clang);
	add_all(&command, flags);
	add_all(&command, features);
	add_all(&command, wasm_flags_guest);
	for (size_t i = 0; i < s->words.count; i++)
		arguments_add(&command, s->words.items[i]);
	arguments_add(&command, "-o");
	arguments_print(&command, "%s/peer.wasm", b->directory);
	return execute(&command, err);
}

static int translate_plain(const struct bench *b, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	static const char *const words[] = {"wasm2c", "-n", "peer", "-o", NULL};
	add_all(&command, words);
	arguments_print(&command, "%s/peer.c", b->directory);
	arguments_print(&command, "%s/peer.wasm", b->directory);
	return execute(&command, err);
}

static int compile_translated(const struct bench *b, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	static const char *const words[] = {"gcc", "-O3", "-march=x86-64-v3", "-ffp-contract=off", "-w",
	                                    "-o",  NULL};
	char host[BENCH_PATH_MAX];
	int rc = resources_find("bench/peers/wasm2c.c", host, sizeof(host), err);
	if (rc < 0)
		return rc;
	add_all(&command, words);
	arguments_print(&command, "%s/peer", b->directory);
	arguments_add(&command, host);
	arguments_print(&command, "%s/peer.c", b->directory);
	arguments_print(&command, "-I%s", b->directory);
	arguments_add(&command, "-lwasm-rt-impl");
	arguments_add(&command, "-lm");
	return execute(&command, err);
}

static int prepare_wasm2c(const struct bench *b, const struct suite *s, struct arguments *ret,
                          struct error *err)
{
	int rc = compile_plain(b, s, err);
	if (rc == 0)
		rc = translate_plain(b, err);
	if (rc == 0)
		rc = compile_translated(b, err);
	if (rc == 0)
		arguments_print(ret, "%s/peer", b->directory);
	return rc;
}

const struct bench_peer bench_peers[] = {{"wasmtime", prepare_wasmtime}, {"wasm2c", prepare_wasm2c}};
const size_t bench_peer_count = array_count(bench_peers);
