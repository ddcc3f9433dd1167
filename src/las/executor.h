/*
 * The executor's binary, as the launcher holds it: a memory file that nobody can write any more,
 * and its digest, taken from that file after it was sealed.
 *
 * The file's mode lets it be executed and not read. So the kernel makes every process that executes it
 * undumpable before its first instruction (Linux: would_dump), and no debugger of the same user
 * can attach in between.
 */
#ifndef LAS_EXECUTOR_H
#define LAS_EXECUTOR_H

#include "base/error.h"
#include "crypto/crypto.h"

struct executor {
	int fd;
	uint8_t digest[CRYPTO_SHA384_SIZE];
};

/* From the file at `path`; NULL: cella-cell beside this program's own binary. */
int executor_load(const char *path, struct executor *ret_executor, struct error *err) must_check;
void executor_done(struct executor *executor);

#endif
