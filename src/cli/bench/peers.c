#include "cli/bench/peers.h"

#include <stdio.h>

#include "cli/resources.h"

static int prepare_wasmtime(const struct bench *b, const char *module, struct arguments *ret,
                            struct error *err)
{
	char script[BENCH_PATH_MAX], compiled[BENCH_PATH_MAX];
	int rc = resources_find("bench/peers/wasmtime.py", script, sizeof(script), err);
	snprintf(compiled, sizeof(compiled), "%s/peer.cwasm", b->directory);
	if (rc < 0)
		return rc;
	char *compile[] = {"python3", script, "compile", (char *)(uintptr_t)module, compiled, NULL};
	rc = bench_execute(compile, NULL, NULL, err);
	const char *const words[] = {"python3", script, "run", compiled};
	for (size_t i = 0; rc == 0 && i < array_count(words); i++)
		arguments_add(ret, words[i]);
	return rc;
}

static int prepare_wasm2c(const struct bench *b, const char *module, struct arguments *ret, struct error *err)
{
	char host[BENCH_PATH_MAX], code[BENCH_PATH_MAX], program[BENCH_PATH_MAX], include[BENCH_PATH_MAX];
	int rc = resources_find("bench/peers/wasm2c.c", host, sizeof(host), err);
	if (rc < 0)
		return rc;
	snprintf(code, sizeof(code), "%s/peer.c", b->directory);
	snprintf(program, sizeof(program), "%s/peer", b->directory);
	snprintf(include, sizeof(include), "-I%s", b->directory);
	char *translate[] = {"wasm2c", "-n", "peer", "-o", code, (char *)(uintptr_t)module, NULL};
	char *compile[] = {"gcc",
	                   "-O3",
	                   "-march=x86-64-v3",
	                   "-ffp-contract=off",
	                   "-w",
	                   "-o",
	                   program,
	                   host,
	                   code,
	                   include,
	                   "-lwasm-rt-impl",
	                   "-lm",
	                   NULL};
	rc = bench_execute(translate, NULL, NULL, err);
	if (rc == 0)
		rc = bench_execute(compile, NULL, NULL, err);
	if (rc == 0)
		arguments_add(ret, program);
	return rc;
}

const struct bench_peer bench_peers[] = {{"wasmtime", prepare_wasmtime}, {"wasm2c", prepare_wasm2c}};
const size_t bench_peer_count = array_count(bench_peers);
