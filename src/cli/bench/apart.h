/*
 * A measurement in a process of its own: one that the kernel kills for memory costs its row alone, and what
 * it installs is gone with it.
 */
#ifndef CLI_BENCH_APART_H
#define CLI_BENCH_APART_H

#include <stddef.h>

#include "base/error.h"

/* Runs measure(data, result) in a child; *ret_result (`size` bytes, less than a pipe holds) gets what it left
 * there. CELLA_ELOST: it was killed; CELLA_ECANCELED: an interrupt; or its own error. */
int bench_apart(int (*measure)(void *data, void *result, struct error *err), void *data, void *ret_result,
                size_t size, struct error *err) must_check;

#endif
