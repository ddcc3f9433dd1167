/*
 * The sandbox that an executor puts itself into: what protects the host from a cell's native
 * code, which is untrusted on this side of the door.
 *
 *   sandbox_early   first thing in main: no other process may attach, no core file
 *   sandbox_enter   once the launcher's start message is there and code is mapped, before any
 *                   cell runs: no new privileges, Landlock, seccomp; for good
 *
 * Landlock denies every path, TCP port, abstract socket and signal that the running kernel's
 * version knows. Open descriptors, and those that the owner passes later, are not affected: they
 * are capabilities.
 *
 * seccomp allows what an executor needs on memory and descriptors that it has (the table in
 * sandbox.c). The rest falls in two classes. Calls that a C library makes as harmless probes
 * (open a file, stat a path, ask for a limit, ioctl a terminal) fail with EPERM (ioctl: ENOTTY, as on a
 * file), so that libraries take their fallbacks. Everything else kills the process with SIGSYS,
 * and the job's record shows it: an executor that calls socket, execve or clone is not one.
 * Other architectures' calls (i386, x32) kill, too.
 *
 * What seccomp cannot see is behind pointers, so no call that takes a path is allowed, not even with
 * AT_EMPTY_PATH: newfstatat, which glibc calls fstat, could follow "../.." from a directory that the owner
 * passed. Executors use the call fstat itself (wasi_fstat).
 */
#ifndef CELL_SANDBOX_H
#define CELL_SANDBOX_H

#include <stdint.h>

#include "base/error.h"

enum sandbox_measure {
	SANDBOX_NO_NEW_PRIVS = 1 << 0,
	SANDBOX_SECCOMP = 1 << 1,
	SANDBOX_LANDLOCK_FILES = 1 << 2,
	SANDBOX_LANDLOCK_NET = 1 << 3,   /* from Landlock ABI 4, Linux 6.7 */
	SANDBOX_LANDLOCK_SCOPE = 1 << 4, /* signals and abstract sockets; from ABI 6, Linux 6.12 */
};

int sandbox_early(struct error *err) must_check;

/* *ret_measures gets what stands. A kernel without Landlock lacks those bits only; without
 * seccomp, or no_new_privs, it is an error. After an error some of it may stand: do not go on. */
int sandbox_enter(uint32_t *ret_measures, struct error *err) must_check;

/* The two halves of sandbox_enter after no_new_privs; each adds what it put up to *measures. */
int sandbox_enter_landlock(uint32_t *measures, struct error *err) must_check;
int sandbox_enter_seccomp(uint32_t *measures, struct error *err) must_check;

/* The highest Landlock ABI of this kernel; 0: none. */
int sandbox_landlock_abi(void);

#endif
