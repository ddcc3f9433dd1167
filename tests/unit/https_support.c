#include "https_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <arpa/inet.h>
#include <cmocka.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "crypto/crypto.h"

const struct https_limits wide = {.handshakes_per_s = 100000, .requests_per_s = 100000};
struct people people;
atomic_llong test_now = 1795921200; /* 2026-11-29T03:00:00Z */

int64_t test_clock(void *arg not_used)
{
	return atomic_load(&test_now);
}

static void must(int rc, const struct error *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static struct cert_shape shape_of(const char *name, const struct cert_name *names, size_t count, unsigned use)
{
	int64_t now = test_clock(NULL);
	return (struct cert_shape){.common_name = name,
	                           .names = names,
	                           .name_count = count,
	                           .use = use,
	                           .not_before = now - TEST_HOUR,
	                           .not_after = now + TEST_HOUR};
}

static void make_key(struct holder *h)
{
	struct error err;
	must(cert_key_generate(&h->key, &err), &err);
	must(cert_key_hash(h->key, h->hash, &err), &err);
}

static void make_ca(struct holder *h)
{
	struct error err;
	struct cert_shape shape = shape_of("test CA", NULL, 0, 0);
	make_key(h);
	must(cert_make_ca(h->key, &shape, (struct cert **)&h->chain[0], &err), &err);
	h->count = 1;
}

static void make_issued(struct holder *h, const struct holder *ca, const struct cert_shape *shape)
{
	struct error err;
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	make_key(h);
	must(cert_key_public(h->key, public_key, &size, &err), &err);
	must(cert_issue(ca->key, ca->chain[0], public_key, size, shape, (struct cert **)&h->chain[0], &err),
	     &err);
	h->chain[1] = ca->chain[0];
	h->count = 2;
}

static void people_init(void)
{
	static const struct cert_name server[] = {
		{CERT_IP, "127.0.0.1"},
		{CERT_DNS, "localhost"},
		{CERT_URI, "cella://test/cas/server"},
	};
	static const struct cert_name node[] = {{CERT_URI, "cella://test/cas/node"}};
	struct cert_shape shape = shape_of("server", server, array_count(server), CERT_FOR_SERVER);
	struct error err;
	must(mem_pool_new(MEM_INSECURE_NONE, 256 << 20, &people.pool, &err), &err);
	must(crypto_init(NULL, &err), &err);
	make_ca(&people.ca);
	make_ca(&people.other_ca);
	make_issued(&people.server, &people.ca, &shape);
	make_issued(&people.server2, &people.ca, &shape);
	shape = shape_of("node", node, 1, CERT_FOR_CLIENT);
	make_issued(&people.node, &people.ca, &shape);
	make_issued(&people.foreign, &people.other_ca, &shape);
	shape = shape_of("owner", NULL, 0, CERT_FOR_CLIENT);
	make_key(&people.owner);
	must(cert_make_self_signed(people.owner.key, &shape, (struct cert **)&people.owner.chain[0], &err),
	     &err);
	people.owner.count = 1;
}

static void people_done(void)
{
	struct holder *all[] = {&people.ca,   &people.other_ca, &people.server, &people.server2,
	                        &people.node, &people.owner,    &people.foreign};
	for (size_t i = 0; i < array_count(all); i++) {
		cert_key_free(all[i]->key);
		cert_free((struct cert *)all[i]->chain[0]);
	}
	mem_pool_free(people.pool);
}

int people_set_up(void **state not_used)
{
	signal(SIGPIPE, SIG_DFL); /* writing to who has gone must not need more */
	people_init();
	return 0;
}

int people_tear_down(void **state not_used)
{
	people_done();
	return 0;
}

/* Routes. */

static void on_root(void *arg not_used, struct https_request *r)
{
	https_answer(r, 200, "text/plain", "hello", 5);
}

static void on_segments(void *arg not_used, struct https_request *r)
{
	const char *q = https_parameter(r, "q"), *x = https_header(r, "x-test");
	json_t *json = json_pack("{s:s, s:s, s:s?, s:s?, s:s, s:s}", "a", https_segment(r, "a"), "b",
	                         https_segment(r, "b"), "q", q, "x", x, "address", https_address(r), "key",
	                         https_peer(r)->key_hash);
	assert_null(https_segment(r, "c"));
	https_add_header(r, "X-Answer", "yes");
	https_add_header(r, "X-Split", "no\r\nX-Injected: yes");
	https_answer_json(r, 200, json);
	json_decref(json);
}

static void on_body(void *arg not_used, struct https_request *r)
{
	size_t size;
	const void *body = https_body(r, &size);
	https_answer(r, 200, "application/octet-stream", body, size);
}

static void *answer_later(void *arg)
{
	https_answer((struct https_request *)arg, 200, "text/plain", "later", 5);
	return NULL;
}

static void on_later(void *arg not_used, struct https_request *r)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, answer_later, r) != 0)
		abort();
	pthread_detach(thread);
}

static _Atomic(struct https_request *) unanswered;

static void on_never(void *arg not_used, struct https_request *r)
{
	atomic_store(&unanswered, r);
}

struct gate gate;

static void on_block(void *arg not_used, struct https_request *r)
{
	atomic_fetch_add(&gate.entered, 1);
	sem_wait(&gate.open);
	https_answer(r, 200, "text/plain", "passed", 6);
}

static void on_own(void *arg not_used, struct https_request *r)
{
	const struct tls_peer *p = https_peer(r);
	const char *uri = cert_names_first(&p->names, CERT_URI);
	json_t *json = json_pack("{s:s, s:b, s:s?}", "key", p->key_hash, "by_ca", p->by_ca, "uri", uri);
	https_answer_json(r, 200, json);
	json_decref(json);
}

static void on_fails(void *arg not_used, struct https_request *r)
{
	struct error err = {0};
	const char *code = https_segment(r, "code");
	error_set(&err, -(int)strtol(code, NULL, 10), "the reason");
	https_answer_error(r, &err);
}

static void on_metrics(void *arg, struct https_request *r)
{
	https_answer_metrics(r, ((struct served *)arg)->metrics);
}

static void on_health(void *arg not_used, struct https_request *r)
{
	const char *ill = https_parameter(r, "ill");
	const struct https_check checks[] = {{"store", NULL}, {"log", ill}};
	https_answer_health(r, checks, array_count(checks));
}

static const struct https_route routes[] = {
	{.method = "GET", .pattern = "/", .handle = on_root},
	{.method = "GET", .pattern = "/echo/{a}/{b}", .handle = on_segments},
	{.method = "POST", .pattern = "/echo", .body_max = 1 << 20, .handle = on_body},
	{.method = "PUT", .pattern = "/echo", .body_max = 1 << 20, .handle = on_body},
	{.method = "POST", .pattern = "/work", .body_max = 1 << 20, .on_worker = true, .handle = on_body},
	{.method = "GET", .pattern = "/later", .handle = on_later},
	{.method = "GET", .pattern = "/never", .handle = on_never},
	{.method = "GET", .pattern = "/block", .on_worker = true, .handle = on_block},
	{.method = "GET", .pattern = "/own", .needs_certificate = true, .on_worker = true, .handle = on_own},
	{.method = "POST", .pattern = "/tiny", .body_max = 100, .handle = on_body},
	{.method = "GET", .pattern = "/fails/{code}", .handle = on_fails},
};

/* The server. */

static void on_stopped(void *arg)
{
	struct served *s = arg;
	event_base_loopbreak(s->base);
}

static void on_stop(int fd, short what not_used, void *arg)
{
	struct served *s = arg;
	uint64_t count;
	struct tls_context *renewed = atomic_load(&s->renewed);
	(void)!read(fd, &count, sizeof(count));
	if (renewed) {
		https_server_set_tls(s->server, renewed);
		atomic_store(&s->renewed, NULL);
	} else {
		https_server_stop(s->server, s->stop_ms, on_stopped, s);
	}
}

static void *serve(void *arg)
{
	struct served *s = arg;
	event_base_loop(s->base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static struct https_route *routes_of(struct served *s, size_t *ret_count)
{
	const struct https_route more[] = {
		{.method = "GET", .pattern = "/metrics", .handle = on_metrics, .arg = s},
		{.method = "GET", .pattern = "/health", .handle = on_health, .arg = s},
	};
	static struct https_route all[array_count(routes) + array_count(more)];
	memcpy(all, routes, sizeof(routes));
	memcpy(all + array_count(routes), more, sizeof(more));
	*ret_count = array_count(all);
	return all;
}

struct tls_context *server_context(const struct holder *who, enum tls_clients clients,
                                   int (*check)(void *arg, const struct tls_peer *peer, struct error *err),
                                   void *check_arg)
{
	struct error err;
	struct tls_context *context = NULL;
	const struct tls_options options = {
		.key = who->key,
		.chain = who->chain,
		.chain_count = who->count,
		.now = test_clock,
		.protocol = "http/1.1",
		.cas = people.ca.chain,
		.ca_count = 1,
		.clients = clients,
		.any_client_key = true,
		.check = check,
		.check_arg = check_arg,
	};
	must(tls_server_context(&options, &context, &err), &err);
	return context;
}

void served_renew(struct served *s, struct tls_context *tls)
{
	uint64_t one = 1;
	atomic_store(&s->renewed, tls);
	assert_int_equal(write(s->stop_fd, &one, sizeof(one)), sizeof(one));
	while (atomic_load(&s->renewed))
		sched_yield();
	tls_context_unref(tls);
}

void served_start(struct served *s, const struct https_limits *limits, enum tls_clients clients)
{
	struct error err;
	size_t count;
	*s = (struct served){.stop_ms = TEST_MS};
	s->tls = server_context(&people.server, clients, NULL, NULL);
	must(metrics_new(&s->metrics, &err), &err);
	s->base = event_base_new();
	assert_non_null(s->base);
	const struct https_server_options options = {
		.base = s->base,
		.tls = s->tls,
		.address = "127.0.0.1",
		.routes = routes_of(s, &count),
		.route_count = count,
		.limits = *limits,
		.pool = people.pool,
		.metrics = s->metrics,
		.now = test_clock,
	};
	must(https_server_new(&options, &s->server, &err), &err);
	snprintf(s->port, sizeof(s->port), "%u", https_server_port(s->server));
	snprintf(s->url, sizeof(s->url), "https://127.0.0.1:%s", s->port);
	s->stop_fd = eventfd(0, EFD_CLOEXEC);
	s->stop = event_new(s->base, s->stop_fd, EV_READ | EV_PERSIST, on_stop, s);
	assert_int_equal(event_add(s->stop, NULL), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void served_stop(struct served *s)
{
	uint64_t one = 1;
	struct https_request *left = atomic_exchange(&unanswered, NULL);
	if (left)
		https_answer(left, 200, "text/plain", "at last", 7);
	assert_int_equal(write(s->stop_fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(pthread_join(s->thread, NULL), 0);
	https_server_free(s->server);
	event_free(s->stop);
	close(s->stop_fd);
	event_base_free(s->base);
	tls_context_unref(s->tls);
	metrics_free(s->metrics);
}

unsigned served_refused(const struct served *s, const char *reason)
{
	cleanup_buf struct buf text = {0};
	char line[128];
	metrics_write(s->metrics, &text);
	buf_put_u8(&text, 0);
	int size = snprintf(line, sizeof(line), "cella_https_refused_total{reason=\"%s\"} ", reason);
	const char *at = strstr((char *)text.data, line);
	assert_non_null(at);
	return (unsigned)strtoul(at + size, NULL, 10);
}

struct https_client *client_of(const struct served *s, const struct holder *who)
{
	struct https_client *client;
	struct error err;
	const struct https_client_options options = {
		.url = s->url,
		.key_hash = people.server.hash,
		.key = who ? who->key : NULL,
		.chain = who ? who->chain : NULL,
		.chain_count = who ? who->count : 0,
		.now = test_clock,
		.pool = NULL,
	};
	must(https_client_new(&options, &client, &err), &err);
	return client;
}

void ask(struct https_client *client, const char *method, const char *target, const void *body, size_t size,
         struct https_reply *ret_reply)
{
	struct error err;
	const struct https_message m = {method, target, body ? "application/octet-stream" : NULL, body, size};
	must(https_client_ask(client, &m, ret_reply, &err), &err);
}

unsigned status_of(struct https_client *client, const char *method, const char *target, const void *body,
                   size_t size)
{
	struct https_reply reply;
	ask(client, method, target, body, size, &reply);
	unsigned status = reply.status;
	https_reply_done(&reply);
	return status;
}

json_t *json_of(const struct https_reply *r)
{
	json_t *json = json_loadb((const char *)r->body, r->size, 0, NULL);
	assert_non_null(json);
	return json;
}

void assert_member(json_t *json, const char *name, const char *value)
{
	const char *found = json_string_value(json_object_get(json, name));
	if (!found || !value)
		assert_true(found == value);
	else
		assert_string_equal(found, value);
}

void assert_ask(struct https_client_options o, const struct served *s, int code, const char *says)
{
	struct error err = {0};
	struct https_client *c;
	struct https_reply r;
	const struct https_message m = {.method = "GET", .target = "/"};
	o.url = o.url ? o.url : s->url;
	o.now = test_clock;
	int rc = https_client_new(&o, &c, &err);
	if (rc == 0) {
		rc = https_client_ask(c, &m, &r, &err);
		if (rc == 0)
			https_reply_done(&r);
		https_client_free(c);
	}
	if (rc != code || !strstr(err.text, says))
		fail_msg("%d (not %d): %s (not: %s)", rc, code, err.text, says);
}

int connect_plain(const struct served *s)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)strtoul(s->port, NULL, 10)),
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

size_t read_to_end(int fd)
{
	char bytes[4096];
	size_t size = 0;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	for (;;) {
		assert_int_equal(poll(&p, 1, TEST_MS), 1);
		ssize_t n = read(fd, bytes, sizeof(bytes));
		if (n <= 0)
			return size;
		size += (size_t)n;
	}
}

static uint64_t deadline(void)
{
	return clock_ns() + TEST_MS * 1000000ull;
}

void link_to(const struct served *s, const struct holder *who, struct https_link *ret_link)
{
	struct error err;
	struct tls_context *tls;
	const struct tls_options options = {
		.key_hash = people.server.hash,
		.key = who ? who->key : NULL,
		.chain = who ? who->chain : NULL,
		.chain_count = who ? who->count : 0,
		.now = test_clock,
		.protocol = "http/1.1",
	};
	must(tls_client_context(&options, &tls, &err), &err);
	*ret_link = (struct https_link){.fd = -1};
	must(https_link_open(ret_link, tls, "127.0.0.1", s->port, deadline(), &err), &err);
	tls_context_unref(tls);
}

void link_say(struct https_link *link, const char *text)
{
	struct error err;
	must(https_link_write(link, text, strlen(text), deadline(), &err), &err);
}

static unsigned count_of(const char *text, const char *part)
{
	unsigned count = 0;
	for (; (text = strstr(text, part)); text += strlen(part))
		count++;
	return count;
}

size_t link_hear(struct https_link *link, char *to, size_t room, const char *until, unsigned times)
{
	size_t at = 0, n = 1;
	struct error err = {0};
	to[0] = '\0';
	while (n > 0 && at < room - 1 && (!until || count_of(to, until) < times)) {
		int rc = https_link_read(link, to + at, room - 1 - at, &n, deadline(), &err);
		if (rc == CELLA_ETIMEOUT)
			fail_msg("nothing comes any more after: %s", to);
		if (rc < 0)
			break;
		at += n;
		to[at] = '\0';
	}
	return at;
}
