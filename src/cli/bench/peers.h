/*
 * Other ways to run a program of cases as WebAssembly, on this machine:
 *
 *     wasmtime   the cell's own module, by its wheel for Python, fetched once into the cache
 *                (bench/peers/wasmtime.py)
 *     wasm2c     Debian's, to C, by gcc -O3 with a small host (bench/peers/wasm2c.c). It knows neither
 *                atomics, which the C library of cells has, nor vectors: so it is given a module of the
 *                same sources, compiled as the cell's but without these, with Debian's C library.
 */
#ifndef CLI_BENCH_PEERS_H
#define CLI_BENCH_PEERS_H

#include "cli/bench/suite.h"

struct bench_peer {
	const char *name;
	/* Compile the suite, whose cell has been built, and give the command that runs it, to which the
	 * program's words are added. */
	int (*prepare)(const struct bench *b, const struct suite *s, struct arguments *ret,
	               struct error *err);
};
extern const struct bench_peer bench_peers[];
extern const size_t bench_peer_count;

#endif
