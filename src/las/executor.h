/*
 * The executor's binary, as the launcher holds it: a memory file that nobody can write any more,
 * and its digest, taken from that file after it was sealed.
 *
 * The digest takes longer than all else at start, so a process of its own takes it, and executors
 * start meanwhile; evidence waits for it.
 *
 * The file's mode lets it be executed and not read. So the kernel makes every process that executes it
 * undumpable before its first instruction (Linux: would_dump), and no debugger of the same user
 * can attach in between.
 */
#ifndef LAS_EXECUTOR_H
#define LAS_EXECUTOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "crypto/crypto.h"

struct executor {
	int fd;
	int digest_pipe; /* readable once the digest is there */
	pid_t helper;    /* that takes the digest; 0: reaped */
	bool has_digest;
	uint8_t digest[CRYPTO_SHA384_SIZE];
};

/* From the file at `path`; NULL: cella-cell beside this program's own binary. Before crypto_init:
 * the helper starts its own. */
int executor_load(const char *path, struct executor *ret_executor, struct error *err) must_check;
void executor_done(struct executor *executor);

/* The digest. Waits for it unless has_digest, or digest_pipe is readable. */
int executor_digest(struct executor *executor, uint8_t ret_digest[CRYPTO_SHA384_SIZE],
                    struct error *err) must_check;

#endif
