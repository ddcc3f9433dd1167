/* Every limit of the launcher, in one place. */
#ifndef LAS_BOUNDS_H
#define LAS_BOUNDS_H

#include <stdint.h>

enum {
	LAS_EXECUTORS_MAX = 256,        /* alive at once */
	LAS_UID_TRIES = 16,
	LAS_BINARY_MAX = 256 << 20,     /* bytes of the executor's binary */
	LAS_HELLO_MS = 10000,           /* from the request to the executor's hello */
	LAS_SEND_S = 5,                 /* an agent that does not read for so long is gone */
	LAS_EVENTS_MAX = 64,            /* of one turn of the loop */
	LAS_KEY_BUDGET = 2 << 20,       /* protected memory of the launcher itself */
	LAS_KEY_STACK = 128 << 10,      /* in it, for what OpenSSL does with the key */

	LAS_EXECUTOR_DESCRIPTORS = 4096, /* RLIMIT_NOFILE */
	LAS_EXECUTOR_PROCESSES = 1,      /* RLIMIT_NPROC, pids.max */
};

/* A user id of its own for every executor: one of these, at random, that no process has which the
 * launcher can see. Debian and systemd hand out none of them (systemd: "Users, Groups, UIDs and
 * GIDs"). */
static const uint32_t LAS_UID_FIRST = 0x43000000;
static const uint32_t LAS_UID_COUNT = 1u << 24;

/* Protected memory besides the heap: stacks, keys, OpenSSL (RLIMIT_MEMLOCK). */
static const uint64_t LAS_LOCKED_OVERHEAD = (uint64_t)64 << 20;
/* Ordinary memory besides it (memory.max): code, page tables, and the part of the agent's store that
 * the executor fills, which the kernel charges to it. */
static const uint64_t LAS_MEMORY_OVERHEAD = (uint64_t)4352 << 20;
/* Of a request: no machine has more. */
static const uint64_t LAS_HEAP_MAX = (uint64_t)1 << 46;

#endif
