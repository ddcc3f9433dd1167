#include "cli/bench/apart.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/process.h"

struct apart_end {
	int rc;
	struct error why;
};

struct apart {
	int (*measure)(void *data, void *result, struct error *err);
	void *data, *result;
	size_t size;
};

_Noreturn static void in_child(const struct apart *a, int to)
{
	struct apart_end end = {.rc = 0};
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	end.rc = a->measure(a->data, a->result, &end.why);
	_exit(io_write_full(to, &end, sizeof(end), NULL) < 0 ||
	      io_write_full(to, a->result, a->size, NULL) < 0);
}

int bench_apart(int (*measure)(void *data, void *result, struct error *err), void *data, void *ret_result,
                size_t size, struct error *err)
{
	const struct apart a = {measure, data, ret_result, size};
	int ends[2], status;
	struct apart_end end;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe");
	cleanup_close int from = ends[0], to = ends[1];
	pid_t pid = fork();
	if (pid < 0)
		return error_errno(err, CELLA_EIO, "cannot start a process that measures");
	if (pid == 0)
		in_child(&a, to);
	close(take_fd(&to));
	int rc = process_wait(pid, &status, err);
	if (rc < 0)
		return rc;
	if (WIFSIGNALED(status))
		return error_set(err, CELLA_ELOST,
		                 "the process that measures was killed by signal %d: too little memory?",
		                 WTERMSIG(status));
	rc = io_read_full(from, &end, sizeof(end), err);
	if (rc == 0 && end.rc < 0)
		return error_set(err, end.rc, "%s", end.why.text);
	return rc < 0 ? rc : io_read_full(from, ret_result, size, err);
}
