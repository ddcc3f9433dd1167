#include "cli/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

enum { SPAWN_PATH_MAX = 4096, SPAWN_NAME_MAX = 64 };

int spawn_directory(char *ret_path, size_t capacity, struct error *err)
{
	ssize_t size = readlink("/proc/self/exe", ret_path, capacity);
	if (size <= 0)
		return error_errno(err, CELLA_EIO, "cannot find Cella's programs: /proc/self/exe");
	if ((size_t)size == capacity)
		return error_set(err, CELLA_ELIMIT,
		                 "Cella's programs lie in a directory whose path is too long");
	ret_path[size] = '\0';
	*strrchr(ret_path, '/') = '\0';
	return 0;
}

static int spawn_path(const char *name, char ret_path[SPAWN_PATH_MAX], struct error *err)
{
	char directory[SPAWN_PATH_MAX - SPAWN_NAME_MAX];
	int rc = spawn_directory(directory, sizeof(directory), err);
	if (rc == 0)
		snprintf(ret_path, SPAWN_PATH_MAX, "%s/%.*s", directory, SPAWN_NAME_MAX - 2, name);
	return rc;
}

/* In the child: 3 and 4 for the sockets, everything above closed. */
static int spawn_actions(posix_spawn_file_actions_t *actions, int owner_fd, int second_fd)
{
	int rc = posix_spawn_file_actions_init(actions);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, owner_fd, 3);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(actions, second_fd, 4);
	if (rc == 0)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, 5);
	return rc;
}

/* No signal is blocked and none of those that end a process ignored. A process group of its own: what a
 * terminal sends to the job is for the command line, which ends its daemons in order. SIGPIPE stays
 * ignored, so that a log that nobody reads does not end them. */
static int spawn_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;
	sigemptyset(&none);
	sigfillset(&defaults);
	sigdelset(&defaults, SIGPIPE);
	int rc = posix_spawnattr_init(attributes);
	if (rc == 0)
		rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
		                                                  POSIX_SPAWN_SETPGROUP);
	if (rc == 0)
		rc = posix_spawnattr_setpgroup(attributes, 0);
	if (rc == 0)
		rc = posix_spawnattr_setsigmask(attributes, &none);
	return rc ? rc : posix_spawnattr_setsigdefault(attributes, &defaults);
}

int spawn_daemon(const struct spawn *spawn, pid_t *ret_pid, struct error *err)
{
	const char *name = spawn->name;
	char path[SPAWN_PATH_MAX];
	int rc = spawn_path(name, path, err);
	if (rc < 0)
		return rc;
	/* The sources of dup2 must not be its targets. */
	cleanup_close int owner = fcntl(spawn->owner_fd, F_DUPFD_CLOEXEC, 10);
	cleanup_close int second = fcntl(spawn->second_fd, F_DUPFD_CLOEXEC, 10);
	if (owner < 0 || second < 0)
		return error_errno(err, CELLA_EIO, "cannot start %s", name);
	const char *arguments[] = {name, "--owner-fd", "3", spawn->second_option, "4", NULL, NULL, NULL};
	if (spawn->key_file) {
		arguments[5] = "--key-file";
		arguments[6] = spawn->key_file;
	}
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int error_number = spawn_actions(&actions, owner, second);
	if (error_number == 0)
		error_number = spawn_attributes(&attributes);
	if (error_number == 0)
		error_number = posix_spawn(ret_pid, path, &actions, &attributes,
		                           (char *const *)(uintptr_t)arguments, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	errno = error_number;
	if (error_number)
		return error_errno(err, CELLA_EIO, "cannot start %s", path);
	return 0;
}

static int digest_of(const char *path, uint8_t ret_digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	struct stat st;
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, CELLA_EIO, "cannot open %s", path);
	size_t size = (size_t)st.st_size;
	void *data = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (data == MAP_FAILED)
		return error_errno(err, CELLA_EIO, "cannot map %s", path);
	int rc = crypto_sha384(data, size, ret_digest, err);
	munmap(data, size);
	return rc;
}

int spawn_verify(const char *name, const uint8_t digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	char path[SPAWN_PATH_MAX];
	uint8_t found[CRYPTO_SHA384_SIZE];
	int rc = spawn_path(name, path, err);
	if (rc == 0)
		rc = digest_of(path, found, err);
	if (rc < 0)
		return rc;
	if (!crypto_equal(found, digest, sizeof(found)))
		return error_set(err, CELLA_EAUTH, "%s is not the one that this program was built with",
		                 path);
	return 0;
}

void spawn_reap(pid_t pid, int timeout_ms)
{
	if (pid <= 0)
		return;
	cleanup_close int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd ended = {.fd = pidfd, .events = POLLIN};
	if (pidfd >= 0 && poll(&ended, 1, timeout_ms) == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
