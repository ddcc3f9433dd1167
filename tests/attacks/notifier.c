/*
 * An agent that starts executors by itself fakes their world.
 *
 *     notifier LAUNCHER EXECUTOR CELL
 *
 * 1. It works: a parent that need not be root puts a seccomp notifier on itself, executes the
 *    genuine binary, answers its memfd_secret with an ordinary memory file, and finds the
 *    executor's private key in it.
 * 2. It is worth nothing: what the parent signs about that executor is refused by an owner who
 *    knows the launcher.
 * 3. Executors of the launcher have no such filter, and the evidence says so.
 * 4. A launcher that was itself started under the notifier does not say so.
 *
 * Exits with 0 if all four hold; says which one does not.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attest/evidence.h"
#include "attest/process.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cell/launch_format.h"
#include "notify.h"
#include "wasm/bundle.h"

enum { HEAP = 64 << 20, KEY_STEP = 16, PATIENCE_MS = 120000 };

static void printf_like(1, 2) __attribute__((noreturn)) give_up(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fputs("failed: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void check(bool holds, const char *what)
{
	if (!holds)
		give_up("%s", what);
	printf("holds: %s\n", what);
	fflush(stdout);
}

static void must(int rc, const struct error *err)
{
	if (rc < 0)
		give_up("%s", err->text);
}

/* Answers until something comes on `socket`. */
static void answer_until(int listener, int socket, struct loot *loot)
{
	struct pollfd wait[] = {{.fd = socket, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
	for (;;) {
		if (poll(wait, array_count(wait), PATIENCE_MS) <= 0)
			give_up("the victim says nothing");
		if (wait[1].revents & POLLIN) {
			if (notify_answer(listener, loot) < 0)
				give_up("cannot answer memfd_secret: %s", strerror(errno));
		} else if (wait[0].revents)
			return;
		else if (wait[1].revents & POLLHUP)
			wait[1].fd = -1;
	}
}

/* ---- processes ---- */

struct victim {
	pid_t pid;
	int listener; /* -1: no notifier */
};

static void run_child(int control, const int *fds, size_t fd_count, bool notify, char *const *argv)
{
	char *const environment[] = {NULL};
	for (size_t i = 0; i < fd_count; i++) /* off the numbers that are to be filled */
		if (fds[i] >= 0 && fcntl(fds[i], F_DUPFD, 100 + (int)i) != 100 + (int)i)
			_exit(100);
	int listener = notify ? notify_install() : -1;
	if (notify && (listener < 0 || io_send_message(control, "", 1, &listener, 1, NULL) < 0))
		_exit(101);
	close(listener);
	for (size_t i = 0; i < fd_count; i++)
		if (fds[i] >= 0 && dup2(100 + (int)i, (int)i) < 0)
			_exit(102);
	execve(argv[0], argv, environment);
	_exit(103);
}

/* Executes argv with fds[i] as descriptor i (-1: leave), under a notifier if asked to. */
static struct victim start(const int *fds, size_t fd_count, bool notify, char *const *argv)
{
	struct victim v = {.listener = -1};
	struct error err = {0};
	int control[2];
	char byte;
	size_t size, count = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) < 0)
		give_up("no socket");
	v.pid = fork();
	if (v.pid < 0)
		give_up("no process");
	if (v.pid == 0)
		run_child(control[1], fds, fd_count, notify, argv);
	close(control[1]);
	if (notify) {
		must(io_receive_message(control[0], &byte, 1, &size, &v.listener, 1, &count, &err), &err);
		if (count != 1)
			give_up("the kernel gives no notifier here");
	}
	close(control[0]);
	return v;
}

static void stop(struct victim *v)
{
	kill(v->pid, SIGKILL);
	waitpid(v->pid, NULL, 0);
	if (v->listener >= 0)
		close(v->listener);
}

/* What all executors here hold. */
static struct buf bundle_bytes;
static struct bundle bundle;

static void read_bundle(const char *path)
{
	struct error err = {0};
	must(io_read_file(path, 1 << 24, &bundle_bytes, &err), &err);
	must(bundle_parse(bundle_bytes.data, bundle_bytes.size, &bundle, &err), &err);
}

static int bundle_file(void)
{
	struct error err = {0};
	int fd;
	must(io_sealed_memfd("bundle", bundle_bytes.data, bundle_bytes.size, false, &fd, &err), &err);
	return fd;
}

/* ---- 1: an own launcher ---- */

/* Does this private key open what is sealed to the executor's public key? */
static bool opens(const uint8_t *candidate, const uint8_t public_key[CRYPTO_X25519_SIZE],
                  const uint8_t *sealed)
{
	struct crypto_key_pair pair;
	uint8_t opened[5];
	memcpy(pair.private_key, candidate, sizeof(pair.private_key));
	memcpy(pair.public_key, public_key, sizeof(pair.public_key));
	return crypto_hpke_open(&pair, "", 0, "", 0, sealed, 5 + CRYPTO_HPKE_OVERHEAD, opened, NULL) == 0;
}

/* Keys look random: most of their bytes differ. */
static bool looks_random(const uint8_t *bytes)
{
	bool seen[256] = {false};
	int distinct = 0;
	for (int i = 0; i < CRYPTO_X25519_SIZE; i++) {
		distinct += !seen[bytes[i]];
		seen[bytes[i]] = true;
	}
	return distinct >= 22;
}

static bool find_key(const struct loot *loot, const uint8_t public_key[CRYPTO_X25519_SIZE])
{
	uint8_t sealed[5 + CRYPTO_HPKE_OVERHEAD];
	static uint8_t page[4096];
	if (crypto_hpke_seal(public_key, "", 0, "", 0, "probe", 5, sealed, NULL) < 0)
		give_up("cannot seal to the executor");
	for (size_t i = 0; i < loot->count; i++)
		for (off_t at = 0; (at = lseek(loot->files[i], at, SEEK_DATA)) >= 0;
		     at += (off_t)sizeof(page)) {
			if (pread(loot->files[i], page, sizeof(page), at) != sizeof(page))
				break;
			for (size_t j = 0; j + CRYPTO_X25519_SIZE <= sizeof(page); j += KEY_STEP)
				if (looks_random(page + j) && opens(page + j, public_key, sealed))
					return true;
		}
	return false;
}

/* Launches the genuine executor the wrong way; the public key that it states. */
static void attack_executor(char *executor, uint8_t ret_public_key[CRYPTO_X25519_SIZE])
{
	int launch[2], owner[2], agent[2], null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct launch_start begin = {.type = LAUNCH_START,
	                             .version = LAUNCH_VERSION,
	                             .memory_level = MEM_SECRET,
	                             .heap = HEAP};
	struct launch_hello hello = {0};
	struct loot loot = {.count = 0};
	struct error err = {0};
	size_t size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, launch) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, owner) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0)
		give_up("no sockets");
	const int fds[LAUNCH_FD_COUNT] = {null,     null,     STDERR_FILENO, launch[1],
	                                  owner[1], agent[1], bundle_file()};
	char *const argv[] = {executor, NULL};
	struct victim v = start(fds, LAUNCH_FD_COUNT, true, argv);
	must(io_send_message(launch[0], &begin, sizeof(begin), NULL, 0, &err), &err);
	close(launch[1]);
	answer_until(v.listener, launch[0], &loot);
	must(io_receive_message(launch[0], &hello, sizeof(hello), &size, NULL, 0, NULL, &err), &err);
	if (size != sizeof(hello) || hello.error)
		give_up("the executor does not start: %s", size ? hello.text : "it ended");
	check(hello.memory_level == MEM_SECRET,
	      "under a notifier, the executor believes that its memory is secret");
	check(loot.count > 0 && find_key(&loot, hello.public_key),
	      "its parent reads the private key (positive control)");
	memcpy(ret_public_key, hello.public_key, CRYPTO_X25519_SIZE);
	stop(&v);
}

/* ---- 3, 4: the launcher ---- */

struct las {
	struct victim process;
	int owner;
	int agent;
	struct launch_identity identity;
};

static struct las start_launcher(char *launcher, char *executor, bool notify, struct loot *loot)
{
	struct las las;
	struct error err = {0};
	int owner[2], agent[2];
	size_t size;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, owner) < 0 ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0)
		give_up("no sockets");
	const int fds[] = {-1, -1, -1, owner[1], agent[1]};
	char owner_option[] = "--owner-fd=3", agent_option[] = "--agent-fd=4",
	     executor_option[] = "--executor";
	char *const argv[] = {launcher, owner_option, agent_option, executor_option, executor, NULL};
	las.process = start(fds, array_count(fds), notify, argv);
	close(owner[1]);
	close(agent[1]);
	las.owner = owner[0];
	las.agent = agent[0];
	if (notify)
		answer_until(las.process.listener, las.owner, loot);
	must(io_receive_message(las.owner, &las.identity, sizeof(las.identity), &size, NULL, 0, NULL, &err),
	     &err);
	if (size != sizeof(las.identity))
		give_up("the launcher does not start");
	return las;
}

static struct launch_reply launch_one(struct las *las, struct loot *loot)
{
	struct launch_request request = {.type = LAUNCH_REQUEST,
	                                 .version = LAUNCH_VERSION,
	                                 .id = 1,
	                                 .memory_level = MEM_SECRET,
	                                 .heap = HEAP};
	struct launch_reply reply;
	struct error err = {0};
	int agent[2], fds[2];
	size_t size, count;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, agent) < 0)
		give_up("no sockets");
	const int sent[] = {agent[1], bundle_file()};
	must(io_send_message(las->agent, &request, sizeof(request), sent, 2, &err), &err);
	if (las->process.listener >= 0)
		answer_until(las->process.listener, las->agent, loot);
	must(io_receive_message(las->agent, &reply, sizeof(reply), &size, fds, 2, &count, &err), &err);
	if (size != sizeof(reply) || reply.error)
		give_up("the launcher starts no executor: %s", size ? reply.text : "it ended");
	return reply;
}

static struct evidence_policy policy_for(const struct las *las)
{
	struct evidence_policy policy = {.memory_level = MEM_SECRET,
	                                 .isolation = EVIDENCE_NO_INHERITED_FILTER};
	memcpy(policy.launcher, las->identity.public_key, sizeof(policy.launcher));
	memcpy(policy.executor, las->identity.executor, sizeof(policy.executor));
	memcpy(policy.cell, bundle.identity, sizeof(policy.cell));
	memcpy(policy.builder, bundle.artifacts[0].builder, sizeof(policy.builder));
	return policy;
}

static void check_launched(struct las *las, const struct evidence_policy *policy)
{
	struct launch_reply reply = launch_one(las, NULL);
	struct process_status status;
	struct evidence e;
	struct error err = {0};
	must(process_status_read(reply.pid, &status, &err), &err);
	check(status.filter_mode == 0, "an executor of the launcher is under no filter but its own");
	must(evidence_verify(reply.evidence, reply.evidence_size, policy, &e, &err), &err);
	check(e.isolation & EVIDENCE_NO_INHERITED_FILTER, "the evidence says so");
}

/* ---- 2: forged evidence ---- */

/* The best that the parent can state: the truth about the binary, a lie about the rest, its own signature. */
static void check_forgery(const struct evidence_policy *policy, const uint8_t public_key[CRYPTO_X25519_SIZE])
{
	struct crypto_signer forger;
	struct evidence e = {.memory_level = MEM_SECRET, .isolation = policy->isolation, .machine = "soft"};
	cleanup_buf struct buf bytes = {0};
	struct evidence got;
	struct error err = {0};
	memcpy(e.executor, policy->executor, sizeof(e.executor));
	memcpy(e.public_key, public_key, sizeof(e.public_key));
	must(crypto_signer_generate(&forger, &err), &err);
	must(evidence_sign(&e, &forger, &bytes, &err), &err);
	int rc = evidence_verify(bytes.data, bytes.size, policy, &got, &err);
	check(rc == CELLA_EAUTH && strstr(err.text, "launcher is"),
	      "evidence that its parent signs is refused");
	memcpy(forger.public_key, policy->launcher, sizeof(forger.public_key));
	bytes.size = 0;
	must(evidence_sign(&e, &forger, &bytes, &err), &err);
	rc = evidence_verify(bytes.data, bytes.size, policy, &got, &err);
	check(rc == CELLA_EAUTH && strstr(err.text, "signature"), "under the launcher's name, too");
}

static void check_watched_launcher(char *launcher, char *executor)
{
	struct loot loot = {.count = 0};
	struct las las = start_launcher(launcher, executor, true, &loot);
	struct launch_reply reply = launch_one(&las, &loot);
	struct evidence_policy policy = policy_for(&las);
	struct evidence got;
	struct error err = {0};
	int rc = evidence_verify(reply.evidence, reply.evidence_size, &policy, &got, &err);
	check(rc == CELLA_EAUTH && strstr(err.text, "no-inherited-filter"),
	      "a launcher under a notifier does not vouch that there is none");
	stop(&las.process);
}

int main(int argc, char **argv)
{
	uint8_t public_key[CRYPTO_X25519_SIZE];
	struct error err = {0};
	if (argc != 4)
		give_up("notifier LAUNCHER EXECUTOR CELL");
	must(crypto_init(NULL, &err), &err);
	read_bundle(argv[3]);
	attack_executor(argv[2], public_key);
	struct las las = start_launcher(argv[1], argv[2], false, NULL);
	struct evidence_policy policy = policy_for(&las);
	check_forgery(&policy, public_key);
	check_launched(&las, &policy);
	stop(&las.process);
	check_watched_launcher(argv[1], argv[2]);
	return 0;
}
