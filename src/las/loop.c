#include "las/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/cleanup.h"
#include "las/bounds.h"

struct loop {
	int epoll;
	struct epoll_event events[LAS_EVENTS_MAX];
	int count; /* of this turn */
};

int loop_new(struct loop **ret_loop, struct error *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return error_set(err, CELLA_ENOMEM, "no memory for an event loop");
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return error_errno(err, CELLA_EIO, "cannot make an event loop");
	}
	*ret_loop = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	close(loop->epoll);
	free(loop);
}

int loop_add(struct loop *loop, struct watch *watch, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = watch};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, watch->fd, &event) < 0)
		return error_errno(err, CELLA_EIO, "cannot wait on descriptor %d", watch->fd);
	return 0;
}

void loop_remove(struct loop *loop, struct watch *watch)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
	for (int i = 0; i < loop->count; i++)
		if (loop->events[i].data.ptr == watch)
			loop->events[i].data.ptr = NULL;
}

int loop_turn(struct loop *loop, int timeout_ms, struct error *err)
{
	loop->count = epoll_wait(loop->epoll, loop->events, LAS_EVENTS_MAX, timeout_ms);
	if (loop->count < 0 && errno != EINTR)
		return error_errno(err, CELLA_EIO, "cannot wait for events");
	for (int i = 0; i < loop->count; i++) {
		struct watch *watch = loop->events[i].data.ptr;
		if (watch)
			watch->ready(watch->data);
	}
	loop->count = 0;
	return 0;
}
