/*
 * How many TLS handshakes with a small request each does the server serve, against OpenSSL's handshakes
 * alone?
 *
 *     https-load [--anonymous] [SECONDS [CLIENTS]]     2 seconds a turn, 32 clients
 *     https-load --idle COUNT     bytes of OpenSSL's memory for each connection at rest
 *
 * Three things in turn, five times each, so that other work on the machine hits all alike; medians at the
 * end. "bare": as many threads as processors, each both ends of one handshake after another over a socket
 * pair, the client with a certificate, by the same module and settings: what the cryptography alone allows.
 * "served": clients in threads of this process, each a new connection with its certificate and one POST of
 * 200 bytes to a worker's route that answers as much. "kept": the same requests over kept connections. The
 * processor's time is that of both ends.
 */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "crypto/crypto.h"
#include "net/https_client.h"
#include "net/https_link.h"
#include "net/https_server.h"

enum { TURNS = 5, THREADS_MAX = 1024, BODY = 200, SAMPLES = 1 << 16, HOUR = 3600 };

static struct holder {
	struct cert_key *key;
	const struct cert *chain[2];
	size_t count;
	char hash[CERT_KEY_HASH_SIZE];
} ca, server, client;
static bool anonymous; /* clients have no certificate */

static struct https_server *https;
static struct event_base *base;
static char url[64], port[8];
static atomic_bool running;
static atomic_ullong finished;
static atomic_uint sample_count;
static uint32_t samples_us[SAMPLES];

static void must(int rc, const struct error *err)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "https-load: %s\n", err->text);
	exit(1);
}

static int64_t now(void *arg not_used)
{
	return time(NULL);
}

static void make(struct holder *h, const char *name, const struct cert_name *names, size_t count,
                 unsigned use)
{
	struct error err;
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	const struct cert_shape shape = {.common_name = name,
	                                 .names = names,
	                                 .name_count = count,
	                                 .use = use,
	                                 .not_before = now(NULL) - 60,
	                                 .not_after = now(NULL) + (h == &ca ? 2 : 1) * HOUR};
	struct cert *cert;
	must(cert_key_generate(&h->key, &err), &err);
	must(cert_key_hash(h->key, h->hash, &err), &err);
	must(cert_key_public(h->key, public_key, &size, &err), &err);
	if (h == &ca)
		must(cert_make_ca(h->key, &shape, &cert, &err), &err);
	else
		must(cert_issue(ca.key, ca.chain[0], public_key, size, &shape, &cert, &err), &err);
	h->chain[0] = cert;
	h->chain[1] = ca.chain[0];
	h->count = h == &server ? 2 : 1; /* the server has the CA that vouches for clients */
}

static struct tls_context *context_of(bool serves)
{
	struct error err;
	struct tls_context *context;
	const struct holder *h = serves ? &server : &client;
	struct tls_options o = {.now = now};
	if (serves || !anonymous)
		o = (struct tls_options){.key = h->key,
		                         .chain = h->chain,
		                         .chain_count = h->count,
		                         .now = now};
	if (serves) {
		o.cas = ca.chain;
		o.ca_count = 1;
		o.clients = anonymous ? TLS_CLIENTS_ANONYMOUS : TLS_CLIENTS_MUST_HAVE;
		must(tls_server_context(&o, &context, &err), &err);
	} else {
		o.key_hash = server.hash;
		must(tls_client_context(&o, &context, &err), &err);
	}
	return context;
}

/* Bare. */

static void shake_hands(struct tls_context *of_server, struct tls_context *of_client)
{
	int pair[2];
	struct error err;
	struct tls *ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	must(tls_new(of_client, pair[0], NULL, &ends[0], &err), &err);
	must(tls_new(of_server, pair[1], NULL, &ends[1], &err), &err);
	int rc[2] = {CELLA_EAGAIN, CELLA_EAGAIN};
	for (int i = 0; rc[0] == CELLA_EAGAIN || rc[1] == CELLA_EAGAIN; i = !i) {
		rc[i] = rc[i] == CELLA_EAGAIN ? tls_handshake(ends[i], &err) : rc[i];
		if (rc[i] < 0 && rc[i] != CELLA_EAGAIN)
			must(rc[i], &err);
	}
	for (int i = 0; i < 2; i++) {
		tls_free(ends[i]);
		close(pair[i]);
	}
}

static void *be_bare(void *arg not_used)
{
	struct tls_context *of_server = context_of(true), *of_client = context_of(false);
	while (atomic_load(&running)) {
		shake_hands(of_server, of_client);
		atomic_fetch_add(&finished, 1);
	}
	tls_context_unref(of_server);
	tls_context_unref(of_client);
	return NULL;
}

/* Served. */

static struct https_client *new_client(void)
{
	struct error err;
	struct https_client *c;
	const struct https_client_options o = {.url = url,
	                                       .key_hash = server.hash,
	                                       .key = client.key,
	                                       .chain = client.chain,
	                                       .chain_count = client.count,
	                                       .now = now};
	must(https_client_new(&o, &c, &err), &err);
	return c;
}

static void ask(struct https_client *c)
{
	struct error err;
	struct https_reply r;
	static const char body[BODY];
	const struct https_message m = {"POST", "/work", "application/octet-stream", body, sizeof(body)};
	uint64_t began = clock_ns();
	must(https_client_ask(c, &m, &r, &err), &err);
	if (r.status != 200 || r.size != sizeof(body))
		abort();
	https_reply_done(&r);
	unsigned at = atomic_fetch_add(&sample_count, 1);
	if (at < SAMPLES)
		samples_us[at] = (uint32_t)((clock_ns() - began) / 1000);
	atomic_fetch_add(&finished, 1);
}

/* A client object sets its TLS up, which a program does once: what is measured is the connection. */
static void *be_new(void *arg not_used)
{
	struct error err;
	struct tls_context *context = context_of(false);
	char answer[1024];
	static const char request[] = "POST /work HTTP/1.1\r\nHost: a\r\nContent-Length: 200\r\n\r\n";
	static const char body[BODY];
	while (atomic_load(&running)) {
		struct https_link link = {.fd = -1};
		uint64_t began = clock_ns(), deadline = began + 60000000000u;
		size_t got = 0, n = 1;
		must(https_link_open(&link, context, "127.0.0.1", port, deadline, &err), &err);
		must(https_link_write(&link, request, sizeof(request) - 1, deadline, &err), &err);
		must(https_link_write(&link, body, sizeof(body), deadline, &err), &err);
		while (!memmem(answer, got, "\r\n\r\n", 4) || got < BODY) {
			must(https_link_read(&link, answer + got, sizeof(answer) - got, &n, deadline, &err),
			     &err);
			got += n;
		}
		if (memcmp(answer, "HTTP/1.1 200", 12) != 0)
			abort();
		https_link_close(&link);
		unsigned at = atomic_fetch_add(&sample_count, 1);
		if (at < SAMPLES)
			samples_us[at] = (uint32_t)((clock_ns() - began) / 1000);
		atomic_fetch_add(&finished, 1);
	}
	tls_context_unref(context);
	return NULL;
}

static void *be_kept(void *arg not_used)
{
	struct https_client *c = new_client();
	while (atomic_load(&running))
		ask(c);
	https_client_free(c);
	return NULL;
}

static void on_work(void *arg not_used, struct https_request *r)
{
	size_t size;
	const void *body = https_body(r, &size);
	https_answer(r, 200, "application/octet-stream", body, size);
}

static void *serve(void *arg not_used)
{
	event_base_loop(base, EVLOOP_NO_EXIT_ON_EMPTY);
	return NULL;
}

static void start_server(void)
{
	static const struct https_route route = {.method = "POST",
	                                         .pattern = "/work",
	                                         .body_max = 4096,
	                                         .on_worker = true,
	                                         .handle = on_work};
	struct error err;
	pthread_t thread;
	base = event_base_new();
	const struct https_server_options o = {
		.base = base,
		.tls = context_of(true),
		.address = "127.0.0.1",
		.routes = &route,
		.route_count = 1,
		.limits = {.connections = 4096,
	                   .address_connections = 4096,
	                   .handshakes_per_s = 1000000,
	                   .requests_per_s = 1000000},
		.now = now,
	};
	must(https_server_new(&o, &https, &err), &err);
	snprintf(port, sizeof(port), "%u", https_server_port(https));
	snprintf(url, sizeof(url), "https://127.0.0.1:%s", port);
	if (pthread_create(&thread, NULL, serve, NULL) != 0)
		abort();
	pthread_detach(thread);
}

static int compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, TURNS, sizeof(*values), compare_double);
	return values[TURNS / 2];
}

struct figures {
	double rate, cpu_us, p50_ms, p99_ms;
};

/* Of all threads of this process. */
static double cpu_us(void)
{
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	return 1e6 * (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

static struct figures measure(void *(*work)(void *), unsigned threads, unsigned seconds)
{
	pthread_t all[THREADS_MAX];
	struct timespec pause = {.tv_sec = seconds};
	atomic_store(&finished, 0);
	atomic_store(&sample_count, 0);
	atomic_store(&running, true);
	uint64_t began = clock_ns();
	double used = cpu_us();
	for (unsigned i = 0; i < threads; i++) {
		if (pthread_create(&all[i], NULL, work, NULL) != 0)
			abort();
	}
	nanosleep(&pause, NULL);
	atomic_store(&running, false);
	for (unsigned i = 0; i < threads; i++)
		pthread_join(all[i], NULL);
	double rate = (double)atomic_load(&finished) * 1e9 / (double)(clock_ns() - began);
	unsigned count = min_of(atomic_load(&sample_count), (unsigned)SAMPLES);
	qsort(samples_us, count, sizeof(samples_us[0]), compare_u32);
	used = (cpu_us() - used) / (double)atomic_load(&finished);
	return (struct figures){rate, used, count ? samples_us[count / 2] / 1e3 : 0,
	                        count ? samples_us[count - 1 - count / 100] / 1e3 : 0};
}

static void measure_all(unsigned seconds, unsigned clients)
{
	static const struct {
		const char *name;
		void *(*work)(void *);
		bool crowd;
	} kinds[] = {{"bare", be_bare, false}, {"served", be_new, true}, {"kept", be_kept, true}};
	double rates[array_count(kinds)][TURNS], cpu[array_count(kinds)][TURNS],
		p50[array_count(kinds)][TURNS], p99[array_count(kinds)][TURNS];
	unsigned processors = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
	for (int turn = 0; turn < TURNS; turn++) {
		for (size_t i = 0; i < array_count(kinds); i++) {
			struct figures f = measure(kinds[i].work, kinds[i].crowd ? clients : processors,
			                           seconds);
			rates[i][turn] = f.rate;
			cpu[i][turn] = f.cpu_us;
			p50[i][turn] = f.p50_ms;
			p99[i][turn] = f.p99_ms;
			printf("%-8s %8.0f/s\n", kinds[i].name, f.rate);
		}
	}
	double bare = median(rates[0]);
	printf("medians of %d turns of %u s, %u clients, %u processors:\n", TURNS, seconds, clients,
	       processors);
	for (size_t i = 0; i < array_count(kinds); i++) {
		double rate = i == 0 ? bare : median(rates[i]);
		printf("%-8s %8.0f/s  %5.2f of bare  %6.0f us of processor each", kinds[i].name, rate,
		       rate / bare, median(cpu[i]));
		if (kinds[i].crowd)
			printf("  p50 %.1f ms  p99 %.1f ms", median(p50[i]), median(p99[i]));
		printf("\n");
	}
}

/* Both ends are in this process, so that half of it is the server's. */
static void measure_idle(struct mem_pool *pool, unsigned count)
{
	struct error err;
	struct mem_stats before, after;
	struct tls_context *context = context_of(false);
	struct https_link *links = calloc(count, sizeof(*links));
	if (!links)
		abort();
	mem_pool_stats(pool, &before);
	for (unsigned i = 0; i < count; i++)
		must(https_link_open(&links[i], context, "127.0.0.1", port, clock_ns() + 60000000000u, &err),
		     &err);
	mem_pool_stats(pool, &after);
	printf("%u connections at rest: %.1f KiB of OpenSSL's memory for each end\n", count,
	       ((double)after.committed - (double)before.committed) / count / 2 / 1024);
	for (unsigned i = 0; i < count; i++)
		https_link_close(&links[i]);
	free(links);
	tls_context_unref(context);
}

int main(int argc, char **argv)
{
	static const struct cert_name name = {CERT_IP, "127.0.0.1"};
	static const char usage[] =
		"usage: https-load [--anonymous] [SECONDS [CLIENTS]], or https-load --idle COUNT\n";
	struct error err;
	struct mem_pool *pool = NULL;
	bool idle = argc == 3 && strcmp(argv[1], "--idle") == 0;
	anonymous = argc > 1 && strcmp(argv[1], "--anonymous") == 0;
	argv += idle || anonymous;
	argc -= idle || anonymous;
	unsigned first = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2;
	unsigned clients = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 32;
	if (first == 0 || clients == 0 || clients > THREADS_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	if (idle)
		must(mem_pool_new(MEM_INSECURE_NONE, (size_t)2 << 30, &pool, &err), &err);
	must(crypto_init(pool, &err), &err);
	make(&ca, "CA", NULL, 0, 0);
	make(&server, "server", &name, 1, CERT_FOR_SERVER);
	make(&client, "client", NULL, 0, CERT_FOR_CLIENT);
	start_server();
	if (idle)
		measure_idle(pool, first);
	else
		measure_all(first, clients);
	return 0;
}
