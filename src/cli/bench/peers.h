/*
 * Other ways to run a module ahead of time or just in time, on this machine:
 *
 *     wasmtime   by its wheel for Python, fetched once into the cache (bench/peers/wasmtime.py)
 *     wasm2c     Debian's, to C, by gcc -O3 with a small host (bench/peers/wasm2c.c)
 */
#ifndef CLI_BENCH_PEERS_H
#define CLI_BENCH_PEERS_H

#include "cli/bench/bench.h"
#include "cli/process.h"

struct bench_peer {
	const char *name;
	/* Compile the module, and give the command that runs it, to which the program's words are added. */
	int (*prepare)(const struct bench *b, const char *module, struct arguments *ret, struct error *err);
};
extern const struct bench_peer bench_peers[];
extern const size_t bench_peer_count;

#endif
