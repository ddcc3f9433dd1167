/* Looking at a job's processes while it runs: what they hold of memory. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/bench.h"

enum { WATCH_TIMEOUT_MS = 120000, WATCH_DEPTH_MAX = 6 };

struct watched {
	pid_t pid;
	int input;  /* kept open: the program waits for its end */
	int output;
};

static int watch_start(char *const *arguments, struct watched *ret, struct error *err)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1};
	posix_spawn_file_actions_t actions;
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make pipes");
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(&ret->pid, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	ret->input = in[1];
	ret->output = out[0];
	errno = rc;
	return rc ? error_errno(err, CELLA_EIO, "cannot start %s", arguments[0]) : 0;
}

/* Wait until the program has printed a whole line. */
static int watch_line(const struct watched *w, struct error *err)
{
	uint64_t end = clock_ns() + WATCH_TIMEOUT_MS * 1000000ull;
	for (char byte = 0; byte != '\n';) {
		struct pollfd ready = {.fd = w->output, .events = POLLIN};
		if (clock_ns() > end || poll(&ready, 1, WATCH_TIMEOUT_MS) <= 0)
			return error_set(err, CELLA_ETIMEOUT, "a measured program said nothing in time");
		if (read(w->output, &byte, 1) <= 0)
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

int bench_watch(const char *const *words, size_t count, const char *process, uint64_t *ret_bytes, struct error *err)
{
	char *arguments[32] = {NULL};
	char self[BENCH_PATH_MAX];
	ssize_t size = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (size <= 0 || count > array_count(arguments) - 2)
		return error_set(err, CELLA_EBUG, "cannot watch cella with %zu words", count);
	self[size] = '\0';
	arguments[0] = self;
	for (size_t i = 0; i < count; i++)
		arguments[i + 1] = (char *)(uintptr_t)words[i];
	struct watched w = {.pid = -1, .input = -1, .output = -1};
	int rc = watch_start(arguments, &w, err);
	if (rc < 0)
		return rc;
	rc = watch_line(&w, err);
	if (rc == 0)
		*ret_bytes = tree_bytes(w.pid, process, 0);
	kill(w.pid, SIGTERM);
	close(w.input);
	close(w.output);
	while (waitpid(w.pid, NULL, 0) < 0 && errno == EINTR)
		;
	return rc;
}
