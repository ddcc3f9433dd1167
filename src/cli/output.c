#include "cli/output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"

enum { LIVE_LINE_MAX = 200 };
#define RATE_WHOLE 10.0 /* a second: from here on without decimals */

void output_init(struct output *o, int interrupt)
{
	*o = (struct output){.interrupt = interrupt, .shown_ns = clock_ns()};
	for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++)
		o->is_terminal[stream] = isatty(stream);
}

/* A pipe that can be written to takes PIPE_BUF bytes without waiting. */
int output_write(struct output *o, int stream, const void *bytes, size_t size, struct error *err)
{
	struct pollfd ready[] = {{.fd = stream, .events = POLLOUT}, {.fd = o->interrupt, .events = POLLIN}};
	const char *at = bytes, *end = at + size;
	if (o->is_terminal[stream] && size) {
		output_hide(o);
		o->is_unfinished = end[-1] != '\n';
	}
	while (at < end) {
		if (poll(ready, array_count(ready), -1) < 0 && errno != EINTR)
			return error_errno(err, CELLA_EIO, "cannot wait to write");
		if (ready[1].revents)
			return error_set(err, CELLA_ECANCELED, "interrupted");
		ssize_t n = write(stream, at, min_of((size_t)(end - at), (size_t)PIPE_BUF));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return error_errno(err, CELLA_EIO, "cannot write");
		at += max_of(n, (ssize_t)0);
	}
	return 0;
}

/* It must not fill a row: what is wrapped could not be erased. */
static int columns(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2)
		return LIVE_LINE_MAX;
	return size.ws_col - 1;
}

void output_show(struct output *o, const struct output_counts *c)
{
	char line[LIVE_LINE_MAX];
	uint64_t now = clock_ns();
	double seconds = (double)(now - o->shown_ns) * 1e-9;
	double rate = seconds > 0 && c->done > o->shown_done ? (double)(c->done - o->shown_done) / seconds
	                                                     : 0;
	o->shown_ns = now;
	o->shown_done = c->done;
	snprintf(line, sizeof(line),
	         "tasks: %llu done, %llu running, %llu waiting, %llu failed, %.*f a second",
	         (unsigned long long)c->done, (unsigned long long)c->running, (unsigned long long)c->waiting,
	         (unsigned long long)c->failed, rate < RATE_WHOLE ? 1 : 0, rate);
	fprintf(stderr, "%s%.*s", o->is_unfinished ? "\n" : "\r\033[K", columns(), line);
	fflush(stderr);
	o->is_unfinished = false;
	o->is_shown = true;
}

void output_hide(struct output *o)
{
	if (o->is_shown)
		fputs("\r\033[K", stderr);
	o->is_shown = false;
}
