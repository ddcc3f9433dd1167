/* Cella's own programs, started by the command line with sockets to talk over. */
#ifndef CLI_SPAWN_H
#define CLI_SPAWN_H

#include <sys/types.h>

#include "base/error.h"
#include "crypto/crypto.h"

/* The directory of the running program, so that its siblings are found in a build tree and when
 * installed. */
int spawn_directory(char *ret_path, size_t capacity, struct error *err) must_check;

/* Start `name` (a sibling) with `--owner-fd 3 <second_option> 4`, where 3 and 4 are the given descriptors,
 * and `--key-file FILE` unless that is NULL, with our standard streams and nothing else open, in a process
 * group of its own. */
struct spawn {
	const char *name, *second_option, *key_file;
	int owner_fd, second_fd;
};
int spawn_daemon(const struct spawn *spawn, pid_t *ret_pid, struct error *err) must_check;

/* CELLA_EAUTH unless the sibling `name` is the program with this digest. It may be called while that
 * runs already. Who can write where Cella's programs lie could replace the caller as well: this is
 * for a launcher alone that is not ours. */
int spawn_verify(const char *name, const uint8_t digest[CRYPTO_SHA384_SIZE], struct error *err) must_check;

/* Wait for the child to end, at most `timeout_ms`, then kill it. */
void spawn_reap(pid_t pid, int timeout_ms);

#endif
