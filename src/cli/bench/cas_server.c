#include "cli/bench/cas.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cli/bench/relay.h"

static int read_start(FILE *output, struct bench_cas_server *c, struct error *err)
{
	unsigned port = 0;
	if (fscanf(output, "listening on port %u\npin %64s\n", &port, c->pin) != 2)
		return error_set(err, CELLA_ELOST, "the CAS did not start");
	c->port = (uint16_t)port;
	return 0;
}

static int start(struct bench *b, struct bench_cas_server *c, struct error *err)
{
	const char *words[] = {"cas", "--dir", c->directory, "--listen", "127.0.0.1:0", "--rate", "100000"};
	struct bench_command command;
	posix_spawn_file_actions_t actions;
	int ends[2];
	snprintf(c->directory, sizeof(c->directory), "%.400s/cas", b->directory);
	int rc = bench_command(words, array_count(words), &command, err);
	if (rc < 0)
		return rc;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(err, CELLA_EIO, "cannot make a pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	errno = posix_spawn(&c->pid, "/proc/self/exe", &actions, NULL, command.words, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	cleanup_fclose FILE *output = fdopen(ends[0], "r");
	if (errno || !output)
		return error_errno(err, CELLA_EIO, "cannot start a CAS");
	return read_start(output, c, err);
}

static void end(pid_t *pid)
{
	if (*pid > 0) {
		kill(*pid, SIGTERM);
		waitpid(*pid, NULL, 0);
	}
	*pid = -1;
}

void bench_cas_stop(struct bench_cas_server *c)
{
	end(&c->relay);
	end(&c->pid);
}

int bench_cas_reach(struct bench_cas_server *c, unsigned delay_ms, struct error *err)
{
	char owner[BENCH_PATH_MAX + 16], url[64];
	uint16_t port = c->port;
	end(&c->relay);
	int rc = delay_ms ? bench_relay_start(c->port, delay_ms, &port, &c->relay, err) : 0;
	snprintf(owner, sizeof(owner), "%s.owner.pem", c->directory);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u", port);
	const char *attest[] = {"cas",          "attest", url,      "--pin", c->pin,
	                        "--credential", owner,    "--name", "bench"};
	return rc == 0 ? bench_cella(attest, array_count(attest), NULL, NULL, err) : rc;
}

int bench_cas_session(struct bench *b, const char *text, struct error *err)
{
	char path[BENCH_PATH_MAX + 16];
	snprintf(path, sizeof(path), "%s/session.yml", b->directory);
	const char *create[] = {"session", "create", path};
	int rc = io_write_file(path, text, strlen(text), 0600, err);
	return rc == 0 ? bench_cella(create, array_count(create), NULL, NULL, err) : rc;
}

int bench_cas_start(struct bench *b, struct bench_cas_server *c, struct error *err)
{
	char path[BENCH_PATH_MAX + 16];
	const char *enrol[] = {"las", "enrol"};
	*c = (struct bench_cas_server){.pid = -1, .relay = -1};
	snprintf(path, sizeof(path), "%s/contexts.json", b->directory);
	setenv("CELLA_CONTEXTS", path, 1);
	snprintf(path, sizeof(path), "%s/las.key", b->directory);
	setenv("CELLA_LAS_KEY", path, 1);
	int rc = start(b, c, err);
	if (rc == 0)
		rc = bench_cas_reach(c, 0, err);
	return rc == 0 ? bench_cella(enrol, array_count(enrol), NULL, NULL, err) : rc;
}
