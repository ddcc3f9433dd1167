#include "cli/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/interrupt.h"

enum { PROCESSES_MAX = 16, OUTPUT_MAX = 1 << 20, END_TIMEOUT_MS = 10000 };

static void arguments_take(struct arguments *a, char *word)
{
	char **items = word ? realloc(a->items, (a->count + 2) * sizeof(*items)) : NULL;
	if (!items) {
		free(word);
		a->failed = true;
		return;
	}
	a->items = items;
	items[a->count++] = word;
	items[a->count] = NULL;
}

void arguments_add(struct arguments *a, const char *word)
{
	arguments_take(a, strdup(word));
}

void arguments_print(struct arguments *a, const char *format, ...)
{
	char *word = NULL;
	va_list list;
	va_start(list, format);
	if (vasprintf(&word, format, list) < 0)
		word = NULL;
	va_end(list);
	arguments_take(a, word);
}

void arguments_done(struct arguments *a)
{
	for (size_t i = 0; i < a->count; i++)
		free(a->items[i]);
	free(a->items);
	*a = (struct arguments){0};
}

int process_find(const char *name, char *ret_path, size_t capacity, struct error *err)
{
	const char *path = getenv("PATH");
	if (strchr(name, '/')) {
		if (access(name, X_OK) == 0 && snprintf(ret_path, capacity, "%s", name) < (int)capacity)
			return 0;
		return error_set(err, CELLA_ENOENT, "there is no program %s", name);
	}
	for (path = path ? path : "/usr/local/bin:/usr/bin:/bin"; *path; path += *path == ':') {
		int size = (int)strcspn(path, ":");
		if (snprintf(ret_path, capacity, "%.*s/%s", size, path, name) < (int)capacity &&
		    access(ret_path, X_OK) == 0)
			return 0;
		path += size;
	}
	return error_set(err, CELLA_ENOENT, "there is no program %s", name);
}

/* `actions` NULL: with our own streams. */
static int start(char *const *words, const posix_spawn_file_actions_t *actions, pid_t *ret_pid,
                 struct error *err)
{
	posix_spawnattr_t attributes;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	int number = posix_spawnattr_init(&attributes);
	if (number == 0) {
		posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
		posix_spawnattr_setsigmask(&attributes, &none);
		posix_spawnattr_setsigdefault(&attributes, &all);
		number = posix_spawnp(ret_pid, words[0], actions, &attributes, words, environ);
		posix_spawnattr_destroy(&attributes);
	}
	errno = number;
	if (number)
		return error_errno(err, number == ENOENT ? CELLA_ENOENT : CELLA_EIO, "cannot start %s",
		                   words[0]);
	return 0;
}

/* 0 or an errno. */
static int redirect(posix_spawn_file_actions_t *actions, int fd, int stream)
{
	if (fd >= 0)
		return posix_spawn_file_actions_adddup2(actions, fd, stream);
	int flags = stream == STDIN_FILENO ? O_RDONLY : O_WRONLY;
	return posix_spawn_file_actions_addopen(actions, stream, "/dev/null", flags, 0);
}

int process_start(char *const *words, const struct process_streams *streams, pid_t *ret_pid,
                  struct error *err)
{
	posix_spawn_file_actions_t actions;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0)
		rc = redirect(&actions, streams->input, STDIN_FILENO);
	if (rc == 0)
		rc = redirect(&actions, streams->output, STDOUT_FILENO);
	if (rc == 0)
		rc = redirect(&actions, streams->errors, STDERR_FILENO);
	rc = rc ? error_set(err, CELLA_ENOMEM, "no memory to start %s", words[0])
	        : start(words, &actions, ret_pid, err);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static void reap(pid_t pid, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) < 0 && errno == EINTR)
		;
}

int process_wait(pid_t pid, int *ret_status, struct error *err)
{
	cleanup_close int interrupt = -1;
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int rc = interrupt_open(&interrupt, err);
	struct pollfd ready[] = {{.fd = pidfd, .events = POLLIN}, {.fd = interrupt, .events = POLLIN}};
	while (rc == 0 && pidfd >= 0 && poll(ready, 2, -1) < 0 && errno == EINTR)
		;
	if (ready[1].revents || rc < 0)
		kill(pid, SIGTERM);
	if (ready[1].revents && poll(ready, 1, END_TIMEOUT_MS) == 0)
		kill(pid, SIGKILL);
	reap(pid, ret_status);
	return rc == 0 && interrupt_pending() ? error_set(err, CELLA_ECANCELED, "interrupted") : rc;
}

static void print_command(const struct arguments *command)
{
	for (size_t i = 0; i < command->count; i++)
		fprintf(stderr, "%s%s", i ? " " : "", command->items[i]);
	fputc('\n', stderr);
}

static int judge(const struct arguments *command, int status, struct error *err)
{
	if (WIFSIGNALED(status))
		return error_set(err, CELLA_EINVAL, "%s was ended by signal %d (%s)", command->items[0],
		                 WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return error_set(err, CELLA_EINVAL, "%s failed with status %d", command->items[0],
		                 WEXITSTATUS(status));
	return 0;
}

/* Commands under way. */
struct batch {
	const struct arguments *commands;
	size_t count, parallel;
	bool verbose;
	const char *shown; /* what they do, for a terminal; or NULL */
	pid_t pids[PROCESSES_MAX]; /* 0: free */
	size_t of[PROCESSES_MAX];  /* the command */
	size_t running;
};

static void batch_kill(const struct batch *b)
{
	for (size_t i = 0; i < PROCESSES_MAX; i++)
		if (b->pids[i])
			kill(b->pids[i], SIGTERM);
}

static int batch_start(struct batch *b, size_t command, struct error *err)
{
	size_t slot = 0;
	while (b->pids[slot])
		slot++;
	const struct arguments *a = &b->commands[command];
	int rc = a->failed ? error_set(err, CELLA_ENOMEM, "no memory for a command line")
	                   : start(a->items, NULL, &b->pids[slot], err);
	if (rc < 0) {
		b->pids[slot] = 0;
		return rc;
	}
	b->of[slot] = command;
	b->running++;
	return 0;
}

/* Reap what has ended. */
static int batch_reap(struct batch *b, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; i < PROCESSES_MAX; i++) {
		int status;
		if (!b->pids[i] || waitpid(b->pids[i], &status, WNOHANG) != b->pids[i])
			continue;
		b->pids[i] = 0;
		b->running--;
		if (rc == 0)
			rc = judge(&b->commands[b->of[i]], status, err);
	}
	return rc;
}

/* How many have ended; at the end the line vanishes. */
static void batch_show(const struct batch *b, size_t ended)
{
	if (!b->shown || b->count < 2)
		return;
	if (ended < b->count)
		fprintf(stderr, "\r%s %zu/%zu", b->shown, ended, b->count);
	else
		fputs("\r\033[K", stderr);
}

static int batch_run(struct batch *b, const sigset_t *waited, struct error *err)
{
	int rc = 0, interrupt = 0;
	for (size_t next = 0; b->running || (rc == 0 && next < b->count);) {
		batch_show(b, next - b->running);
		if (rc == 0 && next < b->count && b->running < b->parallel) {
			if (b->verbose)
				print_command(&b->commands[next]);
			rc = batch_start(b, next++, err);
			continue;
		}
		int number = sigwaitinfo(waited, NULL);
		if (number > 0 && number != SIGCHLD) {
			interrupt = number;
			batch_kill(b);
		}
		int ended = batch_reap(b, rc == 0 ? err : NULL);
		rc = rc == 0 ? ended : rc;
	}
	batch_show(b, b->count);
	if (!interrupt)
		return rc;
	raise(interrupt);
	return error_set(err, CELLA_ECANCELED, "interrupted");
}

static int run(struct batch *b, struct error *err)
{
	sigset_t waited, before;
	sigemptyset(&waited);
	sigaddset(&waited, SIGCHLD);
	sigaddset(&waited, SIGINT);
	sigaddset(&waited, SIGTERM);
	sigaddset(&waited, SIGHUP);
	sigprocmask(SIG_BLOCK, &waited, &before);
	b->parallel = min_of(max_of(b->parallel, (size_t)1), (size_t)PROCESSES_MAX);
	int rc = batch_run(b, &waited, err);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

size_t process_parallel(void)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	return min_of((size_t)max_of(processors, 1L), (size_t)PROCESSES_MAX);
}

int process_run(const struct arguments *commands, size_t count, size_t parallel, bool verbose,
                struct error *err)
{
	struct batch b = {.commands = commands, .count = count, .parallel = parallel, .verbose = verbose};
	return run(&b, err);
}

int process_run_shown(const struct arguments *commands, size_t count, size_t parallel, const char *what,
                      struct error *err)
{
	struct batch b = {.commands = commands, .count = count, .parallel = parallel};
	b.shown = isatty(STDERR_FILENO) ? what : NULL;
	return run(&b, err);
}

static int read_all(int fd, struct buf *ret_output, struct error *err)
{
	for (;;) {
		uint8_t piece[4096];
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, CELLA_EIO, "cannot read a program's output");
		if (n == 0)
			return 0;
		if (ret_output->size + (size_t)n > OUTPUT_MAX)
			return error_set(err, CELLA_ELIMIT, "a program's output is too long");
		buf_put(ret_output, piece, (size_t)n);
	}
}

int process_read(const struct arguments *command, struct buf *ret_output, struct error *err)
{
	pid_t pid;
	int ends[2], status;
	if (command->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a command line");
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe");
	cleanup_close int from = ends[0], to = ends[1];
	const struct process_streams streams = {.input = STDIN_FILENO, .output = to, .errors = -1};
	int rc = process_start(command->items, &streams, &pid, err);
	if (rc < 0)
		return rc;
	close(take_fd(&to));
	rc = read_all(from, ret_output, err);
	close(take_fd(&from));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return rc == 0 ? judge(command, status, err) : rc;
}
