/* Looking at a job's processes while it runs: what they hold of memory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/bench/bench.h"
#include "cli/interrupt.h"
#include "cli/process.h"

enum { WATCH_TIMEOUT_MS = 120000, WATCH_DEPTH_MAX = 6 };

/* Wait until the program has printed a whole line. */
static int watch_line(int output, int interrupt, struct error *err)
{
	uint64_t end = clock_ns() + WATCH_TIMEOUT_MS * 1000000ull;
	for (char byte = 0; byte != '\n';) {
		struct pollfd ready[] = {{.fd = output, .events = POLLIN},
		                         {.fd = interrupt, .events = POLLIN}};
		if (clock_ns() > end || poll(ready, array_count(ready), WATCH_TIMEOUT_MS) <= 0)
			return error_set(err, CELLA_ETIMEOUT, "a measured program said nothing in time");
		if (ready[1].revents)
			return error_set(err, CELLA_ECANCELED, "interrupted");
		if (read(output, &byte, 1) <= 0)
			return error_set(err, CELLA_ELOST, "a measured program ended before it was measured");
	}
	return 0;
}

/* Its proportional set size; none if it has ended. False if that may not be read. */
static bool process_bytes(pid_t pid, uint64_t *ret_bytes)
{
	static const char key[] = "Pss:";
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	errno = 0;
	cleanup_fclose FILE *f = fopen(path, "r");
	*ret_bytes = 0;
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, strlen(key)) != 0)
			continue;
		*ret_bytes = strtoull(line + strlen(key), NULL, 10) * 1024;
		return true;
	}
	return errno == ESRCH || errno == ENOENT;
}

static bool is_named(pid_t pid, const char *name)
{
	char path[64], line[64] = "";
	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f))
		return false;
	line[strcspn(line, "\n")] = '\0';
	return strcmp(line, name) == 0;
}

/* The sum for the process and all below it, of those with this name (NULL: of all). */
static int tree_bytes(pid_t pid, const char *name, int depth, uint64_t *sum, struct error *err)
{
	char path[64];
	uint64_t bytes = 0;
	if (!name || is_named(pid, name)) {
		if (!process_bytes(pid, &bytes))
			return error_set(err, CELLA_EPERM,
			                 "the memory of process %d of a job may not be looked at: run the "
			                 "benchmark as root",
			                 pid);
		*sum += bytes;
	}
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	int child, rc = 0;
	while (rc == 0 && f && depth < WATCH_DEPTH_MAX && fscanf(f, "%d", &child) == 1)
		rc = tree_bytes(child, name, depth + 1, sum, err);
	return rc;
}

int bench_watch(const char *const *words, size_t count, const char *process, uint64_t *ret_bytes,
                struct error *err)
{
	struct bench_command command;
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	pid_t pid;
	int status;
	uint64_t sum = 0;
	cleanup_close int interrupt = -1;
	int rc = bench_command(words, count, &command, err);
	if (rc == 0 && (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0))
		rc = error_errno(err, CELLA_EIO, "cannot make pipes");
	/* Our end of its input is kept open: the program waits for that to close. */
	cleanup_close int its_input = in[0], input = in[1], output = out[0], its_output = out[1];
	const struct process_streams streams = {.input = its_input, .output = its_output, .errors = -1};
	if (rc == 0)
		rc = interrupt_open(&interrupt, err);
	if (rc == 0)
		rc = process_start(command.words, &streams, &pid, err);
	if (rc < 0)
		return rc;
	close(take_fd(&its_input));
	close(take_fd(&its_output));
	rc = watch_line(output, interrupt, err);
	if (rc == 0)
		rc = tree_bytes(pid, process, 0, &sum, err);
	kill(pid, SIGTERM);
	close(take_fd(&input));
	close(take_fd(&output));
	int waited = process_wait(pid, &status, rc == 0 ? err : NULL);
	if (rc == 0 && waited == 0)
		*ret_bytes = sum;
	return rc < 0 ? rc : waited;
}
