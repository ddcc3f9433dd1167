/*
 * For tests of the launcher. It runs in a process of its own; the test is owner and agent. The executor is
 * fake_executor.c.
 */
#ifndef LAS_SUPPORT_H
#define LAS_SUPPORT_H

#include <sys/types.h>

#include "attest/evidence.h"
#include "cell/launch_format.h"

enum { HEAP = 1 << 20, PATIENCE_MS = 120000 };

/* A launcher and the test's ends of its sockets. */
struct las {
	pid_t pid;
	int owner;
	int agent;
	struct launch_identity identity;
};

/* What a test does to the launcher's process before it starts. */
typedef void prepare_fn(void);

/* What launchers execute that are started from now on; FAKE_EXECUTOR where no test says otherwise. */
extern const char *executor_path;
/* Where they are to wait for the executor's digest; -1: as ever. */
extern int late_digest;

/* A launcher; `prepare` may be NULL. */
struct las start_las(prepare_fn *prepare);
/* The two halves of start_las: without hearing who it is, and that. */
struct las fork_las(prepare_fn *prepare);
void meet(struct las *las);
/* Its status, once it has ended. */
int wait_las(struct las *las);
/* Ends it, which must succeed. */
void las_done(struct las *las);
#define cleanup_las __attribute__((cleanup(las_done)))

/* Receive, or fail after PATIENCE_MS. 0 bytes: the peer has closed. */
size_t receive(int fd, void *to, size_t size, int *fds, size_t *ret_fd_count);

/* The agent's side of a launch; `link` is the test's end of the executor's agent socket. */
struct running {
	struct launch_reply reply;
	int owner;
	int pidfd;
	int link;
};
void running_done(struct running *r);
#define cleanup_running __attribute__((cleanup(running_done)))

/* A request that is right. */
struct launch_request request_of(uint32_t id);
/* Sends a request for an executor that does what `mode` says; the test's end of its agent socket. */
int send_request(const struct las *las, const struct launch_request *request, const char *mode);
struct running receive_reply(const struct las *las, int link);
/* The three at once. */
struct running launch(const struct las *las, uint32_t id, const char *mode);
void expect_running(const struct running *r);

/* The evidence in the reply, which is right. Verified in a process of its own: OpenSSL starts once in a
 * process, and here launchers are forked that start it. */
void verify(const struct las *las, const struct running *r, struct evidence *ret);

bool am_root(void);

#endif
