/* The server as a whole: its options, its socket, who may connect, and its end. */
#include "net/https_server.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/listener.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/https_state.h"

enum { BACKLOG = 1024, DESCRIPTORS_BESIDE = 64 };

static const struct https_limits defaults = {
	.connections = 1024,
	.address_connections = 256,
	.handshakes_per_s = 200,
	.requests_per_s = 200,
	.handshake_ms = 10000,
	.request_ms = 30000,
	.handler_ms = 60000,
	.answer_ms = 30000,
	.idle_ms = 60000,
	.yield_ms = 5000,
	.workers = 2,
	.queue = 256,
	.bodies = 64 << 20,
};

/* 0 is the default. */
static void fill_in(struct https_limits *l)
{
	static const size_t numbers[] = {
		offsetof(struct https_limits, connections),
		offsetof(struct https_limits, address_connections),
		offsetof(struct https_limits, handshakes_per_s),
		offsetof(struct https_limits, requests_per_s),
		offsetof(struct https_limits, handshake_ms),
		offsetof(struct https_limits, request_ms),
		offsetof(struct https_limits, handler_ms),
		offsetof(struct https_limits, answer_ms),
		offsetof(struct https_limits, idle_ms),
		offsetof(struct https_limits, yield_ms),
		offsetof(struct https_limits, workers),
		offsetof(struct https_limits, queue),
	};
	for (size_t i = 0; i < array_count(numbers); i++) {
		unsigned *to = (unsigned *)(void *)((char *)l + numbers[i]);
		if (*to == 0)
			*to = *(const unsigned *)(const void *)((const char *)&defaults + numbers[i]);
	}
	l->bodies = l->bodies ? l->bodies : defaults.bodies;
}

static int check_options(const struct https_server_options *o, const struct https_limits *l,
                         struct error *err)
{
	struct rlimit files;
	for (size_t i = 0; i < o->route_count; i++) {
		int rc = http_pattern_check(o->routes[i].pattern, err);
		if (rc < 0)
			return rc;
		if (o->routes[i].body_max > l->bodies)
			return error_set(
				err, CELLA_EINVAL,
				"the route %s takes a body of %zu bytes, and all bodies together have %zu",
				o->routes[i].pattern, o->routes[i].body_max, l->bodies);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < l->connections + DESCRIPTORS_BESIDE)
		return error_set(
			err, CELLA_ELIMIT,
			"%u connections need %u descriptors, and this process may have %llu: raise the "
			"limit (ulimit -n), or lower that of connections",
			l->connections, l->connections + DESCRIPTORS_BESIDE,
			(unsigned long long)files.rlim_cur);
	return 0;
}

/* Metrics. */

static int make_counter(struct metrics *m, const char *name, const char *help, const char *label,
                        const char *value, struct metric **ret_metric, struct error *err)
{
	const struct metric_shape shape = {name, help, {{label, value}}};
	return metrics_counter(m, &shape, ret_metric, err);
}

static int make_metrics(struct https_server *s, struct error *err)
{
	static const char *const reasons[] = {
		[HTTPS_REFUSED_CONNECTIONS] = "connections", [HTTPS_REFUSED_ADDRESS] = "address",
		[HTTPS_REFUSED_HANDSHAKES] = "handshakes",   [HTTPS_REFUSED_TLS] = "tls",
		[HTTPS_REFUSED_REQUESTS] = "requests",       [HTTPS_REFUSED_SLOW] = "slow",
	};
	static const char *const classes[] = {NULL, "1xx", "2xx", "3xx", "4xx", "5xx"};
	static const uint64_t bounds[] = {100,   250,   500,   1000,   2500,   5000,
	                                  10000, 25000, 50000, 100000, 250000, 1000000};
	static const struct metric_shape open = {"cella_https_connections",
	                                         "Connections that are open",
	                                         {{0}}};
	static const struct metric_shape seconds = {"cella_https_request_seconds",
	                                            "From the first byte of a request to its answer",
	                                            {{0}}};
	struct metrics *m = s->options.metrics;
	if (!m)
		return 0;
	int rc = metrics_gauge(m, &open, &s->metrics.open, err);
	if (rc == 0)
		rc = make_counter(m, "cella_https_accepted_total", "Connections accepted", NULL, NULL,
		                  &s->metrics.accepted, err);
	for (size_t i = 0; rc == 0 && i < array_count(reasons); i++)
		rc = make_counter(m, "cella_https_refused_total", "What was refused, and for which limit",
		                  "reason", reasons[i], &s->metrics.refused[i], err);
	for (size_t i = 1; rc == 0 && i < array_count(classes); i++)
		rc = make_counter(m, "cella_https_answers_total", "Answers, by class of status", "status",
		                  classes[i], &s->metrics.answers[i], err);
	return rc < 0 ? rc
	              : metrics_histogram(m, &seconds, bounds, array_count(bounds), &s->metrics.seconds, err);
}

/* Connections. */

/* NULL, or why it may not connect. */
static struct metric **refusal(struct https_server *s, uint64_t key)
{
	if (s->connection_count >= s->limits.connections && !https_connections_yield(s))
		return &s->metrics.refused[HTTPS_REFUSED_CONNECTIONS];
	if (!https_buckets_take(s->handshakes, key, clock_ns()))
		return &s->metrics.refused[HTTPS_REFUSED_HANDSHAKES];
	if (!https_counts_take(s->addresses, key, s->limits.address_connections))
		return &s->metrics.refused[HTTPS_REFUSED_ADDRESS];
	return NULL;
}

static void on_connection(struct evconnlistener *listener not_used, int fd, struct sockaddr *address,
                          int size, void *arg)
{
	struct https_server *s = arg;
	int on = 1;
	char text[INET6_ADDRSTRLEN] = "?";
	uint64_t key = https_peer_of_address(address);
	if (!pthread_equal(s->loop, pthread_self()))
		s->loop = pthread_self();
	struct metric **why = refusal(s, key);
	if (why) {
		metric_add(*why, 1);
		close(fd);
		return;
	}
	(void)!getnameinfo(address, (socklen_t)size, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
	(void)!setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->connection_count++;
	metric_add(s->metrics.accepted, 1);
	metric_change(s->metrics.open, 1);
	if (!https_connection_start(s, fd, key, text)) {
		close(fd);
		https_connection_gone(s, key);
	}
}

/* When the last one has gone, the end is the loop's next event: nobody is below us on the stack then. */
static void end_if_over(struct https_server *s)
{
	if (s->stopping && s->connection_count == 0 && s->outstanding == 0)
		event_active(s->stop_timer, EV_READ, 0);
}

void https_connection_gone(struct https_server *s, uint64_t key)
{
	s->connection_count--;
	metric_change(s->metrics.open, -1);
	https_counts_give(s->addresses, key);
	end_if_over(s);
}

/* No descriptor is left, most likely: take the connection that waits with the spare one and end it, lest it
 * stay at the front, and leave the rest alone for a moment. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct https_server *s = arg;
	struct timeval pause = {0, HTTPS_ACCEPT_PAUSE_MS * 1000};
	bool none_left = errno == EMFILE || errno == ENFILE;
	log_error("https: cannot accept a connection: %m");
	metric_add(s->metrics.refused[HTTPS_REFUSED_CONNECTIONS], 1);
	if (none_left && s->spare >= 0) {
		close(s->spare);
		int fd = accept4(evconnlistener_get_fd(listener), NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	}
	evconnlistener_disable(listener);
	event_add(s->resume, &pause);
}

static void on_resume(int fd not_used, short what not_used, void *arg)
{
	struct https_server *s = arg;
	if (s->listener)
		evconnlistener_enable(s->listener);
}

static void on_wake(int fd, short what not_used, void *arg)
{
	struct https_server *s = arg;
	uint64_t count;
	(void)!read(fd, &count, sizeof(count));
	https_take_answers(s);
	end_if_over(s);
}

static void on_work(struct https_request *r)
{
	r->route->handle(r->route->arg, r);
}

/* The start. */

static int listen_at(struct https_server *s, struct error *err)
{
	const struct https_server_options *o = &s->options;
	struct addrinfo *found, hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE,
	                                 .ai_socktype = SOCK_STREAM};
	struct sockaddr_storage bound;
	socklen_t size = sizeof(bound);
	char port[HTTPS_PORT_TEXT];
	snprintf(port, sizeof(port), "%u", o->port);
	int rc = getaddrinfo(o->address, port, &hints, &found);
	if (rc != 0)
		return error_set(err, CELLA_EINVAL, "cannot listen at %s: it is no address (%s)", o->address,
		                 gai_strerror(rc));
	s->listener = evconnlistener_new_bind(o->base, on_connection, s,
	                                      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
	                                              LEV_OPT_REUSEABLE,
	                                      BACKLOG, found->ai_addr, (int)found->ai_addrlen);
	freeaddrinfo(found);
	if (!s->listener)
		return error_errno(err, CELLA_EIO, "cannot listen at %s, port %u", o->address, o->port);
	evconnlistener_set_error_cb(s->listener, on_accept_error);
	if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&bound, &size) < 0)
		return error_errno(err, CELLA_EIO, "cannot tell the port");
	s->port = ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&bound)->sin_port
	                                           : ((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
	return 0;
}

static void on_stop(int fd, short what, void *arg);

static int make_events(struct https_server *s, struct error *err)
{
	struct event_base *base = s->options.base;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (s->wake_fd < 0 || s->spare < 0)
		return error_errno(err, CELLA_EIO, "cannot start the HTTPS server");
	s->wake = event_new(base, s->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
	s->resume = event_new(base, -1, 0, on_resume, s);
	s->stop_timer = event_new(base, -1, 0, on_stop, s);
	if (!s->wake || !s->resume || !s->stop_timer || event_add(s->wake, NULL) < 0)
		return error_set(err, CELLA_ENOMEM, "no memory for the HTTPS server");
	return 0;
}

static int start(struct https_server *s, struct error *err)
{
	const struct https_limits *l = &s->limits;
	int rc = make_metrics(s, err);
	if (rc == 0)
		rc = make_events(s, err);
	if (rc == 0)
		rc = https_counts_new(&s->addresses, err);
	if (rc == 0)
		rc = https_buckets_new(l->handshakes_per_s, &s->handshakes, err);
	if (rc == 0)
		rc = https_buckets_new(l->requests_per_s, &s->requests, err);
	if (rc == 0)
		rc = https_workers_new(l->workers, l->queue, on_work, &s->workers, err);
	return rc < 0 ? rc : listen_at(s, err);
}

int https_server_new(const struct https_server_options *options, struct https_server **ret_server,
                     struct error *err)
{
	struct https_limits limits = options->limits;
	fill_in(&limits);
	int rc = check_options(options, &limits, err);
	if (rc < 0)
		return rc;
	struct https_server *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for the HTTPS server");
	s->options = *options;
	s->limits = limits;
	s->memory.pool = options->pool;
	s->tls = tls_context_ref(options->tls);
	s->wake_fd = s->spare = -1;
	s->loop = pthread_self();
	pthread_mutex_init(&s->memory.lock, NULL);
	pthread_mutex_init(&s->lock, NULL);
	LIST_INIT(&s->connections);
	STAILQ_INIT(&s->answers);
	rc = start(s, err);
	if (rc < 0)
		https_server_free(s);
	else
		*ret_server = s;
	return rc;
}

uint16_t https_server_port(const struct https_server *s)
{
	return s->port;
}

void https_server_set_tls(struct https_server *s, struct tls_context *tls)
{
	struct tls_context *before = s->tls;
	s->tls = tls_context_ref(tls);
	tls_context_unref(before);
}

/* The end. */

static void end_listening(struct https_server *s)
{
	if (s->listener)
		evconnlistener_free(s->listener);
	s->listener = NULL;
}

/* By the time-out, or because everybody has gone. */
static void on_stop(int fd not_used, short what, void *arg)
{
	struct https_server *s = arg;
	void (*stopped)(void *) = s->stopped;
	if (what & EV_TIMEOUT)
		https_connections_end(s, true);
	event_del(s->stop_timer);
	s->stopped = NULL;
	if (stopped)
		stopped(s->stopped_arg);
}

void https_server_stop(struct https_server *s, unsigned timeout_ms, void (*stopped)(void *arg), void *arg)
{
	struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	s->stopping = true;
	s->stopped = stopped;
	s->stopped_arg = arg;
	end_listening(s);
	event_add(s->stop_timer, &timeout);
	https_connections_end(s, false);
	end_if_over(s);
}

static void free_all(struct https_requests *requests)
{
	for (struct https_request *r; (r = STAILQ_FIRST(requests));) {
		STAILQ_REMOVE_HEAD(requests, link);
		https_request_free(r);
	}
}

static void event_done(struct event *event)
{
	if (event)
		event_free(event);
}

void https_server_free(struct https_server *s)
{
	struct https_requests left;
	if (!s)
		return;
	s->stopping = false;
	end_listening(s);
	https_connections_end(s, true);
	https_workers_free(s->workers, &left);
	free_all(&left);
	free_all(&s->answers);
	event_done(s->wake);
	event_done(s->resume);
	event_done(s->stop_timer);
	https_counts_free(s->addresses);
	https_buckets_free(s->handshakes);
	https_buckets_free(s->requests);
	tls_context_unref(s->tls);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	if (s->spare >= 0)
		close(s->spare);
	pthread_mutex_destroy(&s->memory.lock);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
