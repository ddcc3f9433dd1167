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
#include "cli/bench.h"
#include "cli/process.h"

enum { WATCH_TIMEOUT_MS = 120000, WATCH_DEPTH_MAX = 6 };

/* Wait until the program has printed a whole line. */
static int watch_line(int output, struct error *err)
{
	uint64_t end = clock_ns() + WATCH_TIMEOUT_MS * 1000000ull;
	for (char byte = 0; byte != '\n';) {
		struct pollfd ready = {.fd = output, .events = POLLIN};
		if (clock_ns() > end || poll(&ready, 1, WATCH_TIMEOUT_MS) <= 0)
			return error_set(err, CELLA_ETIMEOUT, "a measured program said nothing in time");
		if (read(output, &byte, 1) <= 0)
			return error_set(err, CELLA_ELOST, "a measured program ended before it was measured");
	}
	return 0;
}

/* A number behind `key` in a file of /proc; 0 if there is none. */
static uint64_t proc_number(pid_t pid, const char *file, const char *key)
{
	char path[64], line[256];
	uint64_t value = 0;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	cleanup_fclose FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoull(line + strlen(key), NULL, 10);
	return value;
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

/* Proportional set sizes of the process and all below it, of those with this name (NULL: of all). */
static uint64_t tree_bytes(pid_t pid, const char *name, int depth)
{
	char path[64];
	uint64_t sum = !name || is_named(pid, name) ? proc_number(pid, "smaps_rollup", "Pss:") * 1024 : 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	cleanup_fclose FILE *f = fopen(path, "r");
	int child;
	while (f && depth < WATCH_DEPTH_MAX && fscanf(f, "%d", &child) == 1)
		sum += tree_bytes(child, name, depth + 1);
	return sum;
}

int bench_watch(const char *const *words, size_t count, const char *process, uint64_t *ret_bytes,
                struct error *err)
{
	struct bench_command command;
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	pid_t pid;
	int rc = bench_command(words, count, &command, err);
	if (rc == 0 && (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0))
		rc = error_errno(err, CELLA_EIO, "cannot make pipes");
	/* Our end of its input is kept open: the program waits for that to close. */
	cleanup_close int its_input = in[0], input = in[1], output = out[0], its_output = out[1];
	const struct process_streams streams = {.input = its_input,
	                                        .output = its_output,
	                                        .errors = STDERR_FILENO};
	if (rc == 0)
		rc = process_start(command.words, &streams, &pid, err);
	if (rc < 0)
		return rc;
	close(take_fd(&its_input));
	close(take_fd(&its_output));
	rc = watch_line(output, err);
	if (rc == 0)
		*ret_bytes = tree_bytes(pid, process, 0);
	kill(pid, SIGTERM);
	close(take_fd(&input));
	close(take_fd(&output));
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}
