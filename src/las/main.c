/*
 * cella-las: starts executors and vouches for them. One per node; for now the owner's command line
 * starts it and gives it its two sockets.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "las/server.h"

enum { EXIT_FAILED = 125, EXIT_USAGE = 2 };

static const char usage[] =
	"Usage: cella-las --owner-fd N --agent-fd M [--executor PATH] [--key-file FILE]\n"
	"\n"
	"The launcher: starts executors for an agent, in isolation, and signs evidence about them.\n"
	"cella run starts it; nobody calls it by hand.\n"
	"\n"
	"  --owner-fd N      a SOCK_SEQPACKET socket to the owner's command line\n"
	"  --agent-fd M      a SOCK_SEQPACKET socket to the agent\n"
	"  --executor PATH   the executor's binary (default: cella-cell beside this program)\n"
	"  --key-file FILE   the key that evidence is signed with (default: a new one)\n"
	"  --help, --version\n"
	"\n"
	"CELLA_LOG=error|warn|info|debug sets what it writes to standard error (default: warn).\n"
	"\n"
	"Example: cella-las --owner-fd 3 --agent-fd 4\n";

struct options {
	int owner;
	int agent;
	const char *executor, *key_file;
};

static int parse_descriptor(const char *text, int *ret_fd)
{
	char *end;
	errno = 0;
	long fd = strtol(text, &end, 10);
	if (errno || end == text || *end || fd <= STDERR_FILENO || fd > INT_MAX)
		return CELLA_EINVAL;
	if (fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
		return CELLA_EINVAL;
	*ret_fd = (int)fd;
	return 0;
}

static int parse_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{"owner-fd", required_argument, NULL, 'o'},
		{"agent-fd", required_argument, NULL, 'a'},
		{"executor", required_argument, NULL, 'e'},
		{"key-file", required_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{0},
	};
	for (int option; (option = getopt_long(argc, argv, "", known, NULL)) >= 0;) {
		int rc = 0;
		switch (option) {
		case 'o': rc = parse_descriptor(optarg, &options->owner); break;
		case 'a': rc = parse_descriptor(optarg, &options->agent); break;
		case 'e': options->executor = optarg; break;
		case 'k': options->key_file = optarg; break;
		case 'h': fputs(usage, stdout); exit(0);
		case 'v': puts("cella-las " CELLA_VERSION); exit(0);
		default: rc = CELLA_EINVAL;
		}
		if (rc < 0)
			return rc;
	}
	return optind == argc && options->owner >= 0 && options->agent >= 0 ? 0 : CELLA_EINVAL;
}

/* Descriptors that the one who started it left open by mistake would keep others' sockets alive. */
static void close_others(int owner, int agent)
{
	unsigned low = (unsigned)min_of(owner, agent), high = (unsigned)max_of(owner, agent);
	if (low > STDERR_FILENO + 1)
		syscall(SYS_close_range, STDERR_FILENO + 1, low - 1, 0);
	if (high > low + 1)
		syscall(SYS_close_range, low + 1, high - 1, 0);
	syscall(SYS_close_range, high + 1, ~0u, 0);
}

/* Standard descriptors that are closed would be taken by the next file that is opened. */
static int open_standard(struct error *err)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return error_errno(err, CELLA_EIO, "cannot open /dev/null");
	return 0;
}

/* Interrupts from the terminal are the owner's business: the launcher ends when the owner does. That
 * nobody reads the log any more is no reason to end. */
static int take_signals(int *ret_fd, struct error *err)
{
	sigset_t ends, ignored;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGTERM);
	sigaddset(&ignored, SIGINT);
	sigaddset(&ignored, SIGQUIT);
	sigaddset(&ignored, SIGHUP);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_SETMASK, &ignored, NULL) < 0)
		return error_errno(err, CELLA_EIO, "cannot block signals");
	*ret_fd = signalfd(-1, &ends, SFD_CLOEXEC);
	return *ret_fd < 0 ? error_errno(err, CELLA_EIO, "cannot wait for signals") : 0;
}

static int serve(const struct options *options, struct error *err)
{
	struct launcher *launcher = NULL;
	cleanup_close int signals = -1;
	int rc = open_standard(err);
	if (rc < 0)
		return rc;
	close_others(options->owner, options->agent);
	rc = take_signals(&signals, err);
	if (rc == 0)
		rc = launcher_new(options->executor, options->key_file, &launcher, err);
	if (rc < 0)
		return rc;
	const struct server_config config = {launcher, options->owner, options->agent, signals};
	rc = server_run(&config, err);
	launcher_free(launcher);
	return rc;
}

int main(int argc, char **argv)
{
	struct options options = {.owner = -1, .agent = -1};
	struct error err = {0};
	log_from_environment("cella-las");
	umask(077);
	if (parse_options(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (serve(&options, &err) == 0)
		return 0;
	log_error("%s", err.text);
	return EXIT_FAILED;
}
