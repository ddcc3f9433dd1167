#include "las/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "base/map.h"
#include "las/bounds.h"
#include "las/launch.h"
#include "las/lease.h"
#include "las/messages.h"

struct server {
	const struct server_config *config;
	struct loop *loop;
	struct map launches; /* by id */
	struct watch owner, agent, signal, digest;
	struct launch_hooks hooks;
	bool over;
	int rc; /* how it ends */
	struct error why;
};

static void finish(struct server *s, int rc, const struct error *why)
{
	if (s->over)
		return;
	s->over = true;
	s->rc = rc;
	if (why)
		s->why = *why;
}

static void finish_without_agent(struct server *s)
{
	log_info("the agent is gone");
	finish(s, 0, NULL);
}

static void send_to_agent(struct server *s, const void *message, size_t size, const int *fds, size_t fd_count)
{
	if (!s->over && io_send_message(s->config->agent, message, size, fds, fd_count, NULL) < 0)
		finish_without_agent(s);
}

static void on_replied(void *data, const struct launch_reply *reply, const int *fds, size_t fd_count)
{
	if (reply->error)
		log_info("executor %" PRIu32 ": %s", reply->id, reply->text);
	send_to_agent(data, reply, sizeof(*reply), fds, fd_count);
}

static void on_exited(void *data, const struct launch_exited *exited)
{
	send_to_agent(data, exited, sizeof(*exited), NULL, 0);
}

static void on_gone(void *data, struct launch *launch)
{
	struct server *s = data;
	map_take(&s->launches, launch_id(launch));
	launch_free(launch);
}

static int start(struct server *s, const struct launch_request *request, const int *fds, size_t fd_count,
                 struct error *err)
{
	struct launch *launch = NULL;
	int rc = message_check_request(request, fd_count, err);
	if (rc == 0 && s->launches.count >= LAS_EXECUTORS_MAX)
		rc = error_set(err, CELLA_ELIMIT, "%d executors run already", LAS_EXECUTORS_MAX);
	if (rc == 0 && map_get(&s->launches, request->id))
		rc = error_set(err, CELLA_EEXIST, "executor %" PRIu32 " runs already", request->id);
	if (rc == 0)
		rc = launch_new(s->config->launcher, s->loop, &s->hooks, request, fds[0], fds[1],
		                fd_count > 2 ? fds[2] : -1, &launch, err);
	if (rc < 0)
		return rc;
	if (map_put(&s->launches, request->id, launch) < 0) {
		launch_free(launch);
		return error_set(err, CELLA_ENOMEM, "no memory for a launch");
	}
	return 0;
}

static void on_request(struct server *s, const struct launch_request *request, const int *fds,
                       size_t fd_count)
{
	struct error err = {0};
	if (start(s, request, fds, fd_count, &err) == 0)
		return;
	struct launch_reply reply = {.type = LAUNCH_REPLY, .id = request->id, .error = err.code};
	snprintf(reply.text, sizeof(reply.text), "%.*s", LAUNCH_TEXT_MAX - 1, err.text);
	on_replied(s, &reply, NULL, 0);
}

static void on_kill(struct server *s, uint32_t id)
{
	struct launch *launch = map_get(&s->launches, id);
	if (launch)
		launch_kill(launch);
}

static void agent_ready(void *data)
{
	struct server *s = data;
	uint8_t bytes[sizeof(struct launch_request) + 1];
	int fds[IO_FDS_MAX];
	size_t size, fd_count;
	struct agent_message message;
	struct error err = {0};
	int rc = io_receive_message(s->config->agent, bytes, sizeof(bytes), &size, fds, array_count(fds),
	                            &fd_count, &err);
	if (rc < 0)
		return finish(s, rc, &err);
	if (size == 0)
		return finish_without_agent(s);
	rc = message_decode_agent(bytes, size, &message, &err);
	if (rc < 0)
		finish(s, rc, &err);
	else if (message.type == LAUNCH_REQUEST)
		on_request(s, &message.request, fds, fd_count);
	else
		on_kill(s, message.id);
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* What it has no room or no right for is told; the launcher goes on. */
static void on_lease(struct server *s, const struct launch_lease *lease, int file)
{
	struct launch_granted granted = {.type = LAUNCH_GRANTED};
	cleanup_buf struct buf grant = {0};
	cleanup_close int fd = -1;
	struct error err = {0};
	int rc = lease_open(s->config->launcher, lease->evidence, lease->evidence_size, file, &grant, &err);
	if (rc == 0)
		rc = io_sealed_memfd("cella-grant", grant.data, grant.size, false, &fd, &err);
	granted.error = rc;
	if (rc < 0)
		snprintf(granted.text, sizeof(granted.text), "%.*s", LAUNCH_TEXT_MAX - 1, err.text);
	if (io_send_message(s->config->owner, &granted, sizeof(granted), &fd, rc == 0, NULL) < 0)
		finish(s, 0, NULL);
}

/* The owner has leases to open, or is gone. */
static void owner_ready(void *data)
{
	struct server *s = data;
	_Alignas(8) uint8_t bytes[sizeof(struct launch_lease) + 1];
	const struct launch_lease *lease = (const struct launch_lease *)bytes;
	int fds[IO_FDS_MAX];
	size_t size, fd_count = 0;
	struct error err = {0};
	int rc = io_receive_message(s->config->owner, bytes, sizeof(bytes), &size, fds, array_count(fds),
	                            &fd_count, &err);
	if (rc < 0 || size == 0) {
		log_info("the owner is gone");
		finish(s, 0, NULL);
	} else if (size != sizeof(*lease) || lease->type != LAUNCH_LEASE || fd_count != 1 ||
	           lease->evidence_size > sizeof(lease->evidence)) {
		error_set(&err, CELLA_EFORMAT, "the owner sent what is no message");
		finish(s, CELLA_EFORMAT, &err);
	} else {
		on_lease(s, lease, fds[0]);
	}
	for (size_t i = 0; i < fd_count; i++)
		close(fds[i]);
}

static void signal_ready(void *data)
{
	log_info("told to end");
	finish(data, 0, NULL);
}

/* The launcher can introduce itself, now that it knows whom it starts, and vouch for them. */
static void digest_ready(void *data)
{
	struct server *s = data;
	struct map_slot *slot;
	struct launch_identity identity;
	struct error err = {0};
	loop_remove(s->loop, &s->digest);
	int rc = launcher_identity(s->config->launcher, &identity, &err);
	if (rc == 0)
		rc = io_send_message(s->config->owner, &identity, sizeof(identity), NULL, 0, &err);
	if (rc < 0)
		return finish(s, rc, &err);
	for (size_t i = 0; (slot = map_next(&s->launches, &i));)
		launch_vouch(slot->value);
}

/* The shortest patience of all launches, those that are out of it given up. */
static int patience(struct server *s)
{
	int shortest = -1;
	struct map_slot *slot;
	for (size_t i = 0; (slot = map_next(&s->launches, &i));) {
		int left = launch_patience(slot->value);
		if (left == 0)
			launch_expire(slot->value);
		else if (left > 0)
			shortest = shortest < 0 ? left : min_of(shortest, left);
	}
	return shortest;
}

static int serve(struct server *s, struct error *err)
{
	struct watch *const watches[] = {&s->owner, &s->agent, &s->signal, &s->digest};
	const struct timeval send_limit = {.tv_sec = LAS_SEND_S};
	int rc = 0;
	setsockopt(s->config->agent, SOL_SOCKET, SO_SNDTIMEO, &send_limit, sizeof(send_limit));
	for (size_t i = 0; rc == 0 && i < array_count(watches); i++)
		rc = loop_add(s->loop, watches[i], err);
	while (rc == 0 && !s->over)
		rc = loop_turn(s->loop, patience(s), err);
	return rc;
}

/* Kill all first, then wait for each: they end side by side. */
static void end_executors(struct server *s)
{
	struct map_slot *slot;
	s->over = true;
	for (size_t i = 0; (slot = map_next(&s->launches, &i));)
		launch_kill(slot->value);
	for (size_t i = 0; (slot = map_next(&s->launches, &i));)
		launch_free(slot->value);
	map_done(&s->launches);
}

int server_run(const struct server_config *config, struct error *err)
{
	struct server s = {.config = config};
	s.owner = (struct watch){config->owner, owner_ready, &s};
	s.agent = (struct watch){config->agent, agent_ready, &s};
	s.signal = (struct watch){config->signal, signal_ready, &s};
	s.digest = (struct watch){config->launcher->executor.digest_pipe, digest_ready, &s};
	s.hooks = (struct launch_hooks){&s, on_replied, on_exited, on_gone};
	int rc = loop_new(&s.loop, err);
	if (rc < 0)
		return rc;
	rc = serve(&s, err);
	end_executors(&s);
	loop_free(s.loop);
	if (rc < 0 || s.rc == 0)
		return rc;
	return error_set(err, s.rc, "%s", s.why.text);
}
