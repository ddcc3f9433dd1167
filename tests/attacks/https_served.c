/*
 * An HTTPS server to attack.
 *
 *     https_served DIRECTORY LEVEL HANDSHAKE_MS REQUEST_MS
 *
 * Writes ca.pem, server.pem, client.pem and client.key (the client's by the CA), and expired.pem with
 * expired.key into the directory, and then the port and the hash of its key on one line. OpenSSL's memory and
 * the server's are pools of the level. Ends in order at SIGTERM.
 *
 * Routes: GET / (200), POST /echo (1 MiB), POST /hold (is answered when GET /release comes), GET /own (needs
 * a certificate), GET /metrics. A time of 0 is the server's own.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/io.h"
#include "crypto/crypto.h"
#include "net/https_server.h"

enum { HOUR = 3600, POOL = 64 << 20, HELD_MAX = 16 };

static struct error err;
static struct event_base *base;
static struct https_server *server;
static struct metrics *metrics;
static struct mem_pool *pools[2]; /* OpenSSL's, the server's */
static struct https_request *held[HELD_MAX];
static size_t held_count;

static void must(int rc)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "https_served: %s\n", err.text);
	exit(1);
}

static int64_t now(void *arg not_used)
{
	return time(NULL);
}

static void on_root(void *arg not_used, struct https_request *r)
{
	https_answer(r, 200, "text/plain", "hello", 5);
}

static void on_body(void *arg not_used, struct https_request *r)
{
	size_t size;
	const void *body = https_body(r, &size);
	https_answer(r, 200, "application/octet-stream", body, size);
}

static void on_hold(void *arg not_used, struct https_request *r)
{
	if (held_count < HELD_MAX)
		held[held_count++] = r;
	else
		on_body(NULL, r);
}

static void on_release(void *arg not_used, struct https_request *r)
{
	for (size_t i = 0; i < held_count; i++)
		on_body(NULL, held[i]);
	held_count = 0;
	on_root(NULL, r);
}

static void on_metrics(void *arg not_used, struct https_request *r)
{
	https_answer_metrics(r, metrics);
}

static const struct https_route routes[] = {
	{.method = "GET", .pattern = "/", .handle = on_root},
	{.method = "POST", .pattern = "/echo", .body_max = 1 << 20, .on_worker = true, .handle = on_body},
	{.method = "POST", .pattern = "/hold", .body_max = 1 << 20, .handle = on_hold},
	{.method = "GET", .pattern = "/release", .handle = on_release},
	{.method = "GET", .pattern = "/own", .needs_certificate = true, .handle = on_root},
	{.method = "GET", .pattern = "/metrics", .handle = on_metrics},
};

static void write_cert(const char *directory, const char *name, const struct cert *cert)
{
	struct buf text = {0};
	char path[512];
	snprintf(path, sizeof(path), "%s/%s.pem", directory, name);
	must(cert_write_pem(cert, &text, &err));
	must(io_write_file(path, text.data, text.size, 0600, &err));
	buf_done(&text);
}

static void write_key(const char *directory, const char *name, const struct cert_key *key)
{
	char path[512], *text = mem_alloc(pools[1], CERT_KEY_PEM_MAX);
	size_t size = 0;
	snprintf(path, sizeof(path), "%s/%s.key", directory, name);
	must(text ? cert_key_write(key, text, &size, &err) : CELLA_ENOMEM);
	must(io_write_file(path, text, size, 0600, &err));
	mem_free(pools[1], text);
}

/* By the CA, or the CA itself. */
static struct cert *make(const struct cert_key *ca_key, const struct cert *ca, const struct cert_key *key,
                         unsigned use, int64_t from, int64_t to)
{
	static const struct cert_name names[] = {{CERT_IP, "127.0.0.1"},
	                                         {CERT_URI, "cella://test/attacked/server"}};
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	struct cert *cert;
	const struct cert_shape shape = {.common_name = ca ? "holder" : "test CA",
	                                 .names = names,
	                                 .name_count = ca ? array_count(names) : 0,
	                                 .use = use,
	                                 .not_before = now(NULL) + from,
	                                 .not_after = now(NULL) + to};
	must(cert_key_public(key, public_key, &size, &err));
	must(ca ? cert_issue(ca_key, ca, public_key, size, &shape, &cert, &err)
	        : cert_make_ca(key, &shape, &cert, &err));
	return cert;
}

static struct tls_context *make_people(const char *directory, char ret_hash[CERT_KEY_HASH_SIZE])
{
	struct cert_key *ca_key, *key, *client_key;
	struct tls_context *tls;
	must(cert_key_generate(&ca_key, &err));
	must(cert_key_generate(&key, &err));
	must(cert_key_generate(&client_key, &err));
	must(cert_key_hash(key, ret_hash, &err));
	struct cert *ca = make(ca_key, NULL, ca_key, 0, -2 * HOUR, 2 * HOUR);
	struct cert *cert = make(ca_key, ca, key, CERT_FOR_SERVER, -60, HOUR);
	struct cert *client = make(ca_key, ca, client_key, CERT_FOR_CLIENT, -60, HOUR);
	struct cert *expired = make(ca_key, ca, client_key, CERT_FOR_CLIENT, -HOUR, -60);
	write_cert(directory, "ca", ca);
	write_cert(directory, "server", cert);
	write_cert(directory, "client", client);
	write_cert(directory, "expired", expired);
	write_key(directory, "client", client_key);
	write_key(directory, "expired", client_key);
	const struct cert *chain[] = {cert, ca}, *cas[] = {ca};
	const struct tls_options options = {.key = key,
	                                    .chain = chain,
	                                    .chain_count = 2,
	                                    .now = now,
	                                    .protocol = "http/1.1",
	                                    .cas = cas,
	                                    .ca_count = 1,
	                                    .clients = TLS_CLIENTS_MAY_HAVE};
	must(tls_server_context(&options, &tls, &err));
	struct cert *certs[] = {ca, cert, client, expired};
	struct cert_key *keys[] = {ca_key, key, client_key};
	for (size_t i = 0; i < array_count(certs); i++)
		cert_free(certs[i]);
	for (size_t i = 0; i < array_count(keys); i++)
		cert_key_free(keys[i]);
	return tls;
}

static void on_stopped(void *arg not_used)
{
	event_base_loopbreak(base);
}

static void on_signal(int number not_used, short what not_used, void *arg not_used)
{
	https_server_stop(server, 120000, on_stopped, NULL);
}

int main(int argc, char **argv)
{
	enum mem_level level;
	char hash[CERT_KEY_HASH_SIZE];
	if (argc != 5)
		return 2;
	must(mem_level_parse(argv[2], &level, &err));
	must(mem_pool_new(level, POOL, &pools[0], &err));
	must(mem_pool_new(level, POOL, &pools[1], &err));
	must(crypto_init(pools[0], &err));
	must(metrics_new(&metrics, &err));
	base = event_base_new();
	struct tls_context *tls = make_people(argv[1], hash);
	const struct https_server_options options = {
		.base = base,
		.tls = tls,
		.address = "127.0.0.1",
		.routes = routes,
		.route_count = array_count(routes),
		.limits = {.connections = 64,
	                   .handshakes_per_s = 100000,
	                   .requests_per_s = 100000,
	                   .handshake_ms = (unsigned)strtoul(argv[3], NULL, 10),
	                   .request_ms = (unsigned)strtoul(argv[4], NULL, 10)},
		.pool = pools[1],
		.metrics = metrics,
		.now = now,
	};
	must(https_server_new(&options, &server, &err));
	struct event *end = evsignal_new(base, SIGTERM, on_signal, NULL);
	if (!end || event_add(end, NULL) < 0)
		return 1;
	printf("%u %s\n", https_server_port(server), hash);
	fflush(stdout);
	event_base_dispatch(base);
	https_server_free(server);
	event_free(end);
	event_base_free(base);
	tls_context_unref(tls);
	metrics_free(metrics);
	return 0;
}
