/*
 * For tests of HTTPS: keys and certificates of everybody, a server in a thread of its own with routes that
 * show what they were asked, connections whose bytes the test chooses, and servers that answer with given
 * bytes.
 */
#ifndef HTTPS_SUPPORT_H
#define HTTPS_SUPPORT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "net/https_client.h"
#include "net/https_link.h"
#include "net/https_server.h"

enum { TEST_HOUR = 3600, TEST_MS = 120000 };

/* A key with its certificate, and the CA's behind it where there is one. */
struct holder {
	struct cert_key *key;
	const struct cert *chain[2];
	size_t count;
	char hash[CERT_KEY_HASH_SIZE];
};

struct people {
	struct mem_pool *pool;
	struct holder ca, other_ca;
	struct holder server, server2; /* 127.0.0.1, localhost, cella://test/cas/server; by the CA */
	struct holder node;   /* a client, cella://test/cas/node; by the CA */
	struct holder owner;  /* a client, signed by itself */
	struct holder foreign; /* a client, by the other CA */
};
extern struct people people;
/* The time that everybody's clock shows. */
extern atomic_llong test_now;
int64_t test_clock(void *arg);

/* For cmocka_run_group_tests: make everybody and start cryptography; SIGPIPE kills, as it does by default. */
int people_set_up(void **state);
int people_tear_down(void **state);

/* Limits that no test meets. */
extern const struct https_limits wide;

/* GET /block waits here, on a worker. */
struct gate {
	atomic_uint entered;
	sem_t open;
};
extern struct gate gate;

struct served {
	struct event_base *base;
	struct https_server *server;
	struct tls_context *tls;
	struct metrics *metrics;
	pthread_t thread;
	int stop_fd;
	struct event *stop;
	unsigned stop_ms;
	_Atomic(struct tls_context *) renewed; /* for the loop to take */
	char url[64], port[8];
};
/* The routes: GET /, GET /echo/{a}/{b}, POST /echo, POST /work (on a worker), GET /later (answered by another
 * thread), GET /never (not before the server's end), GET /block, GET /own (needs a certificate), POST /tiny
 * (100 bytes), GET /metrics, GET /health. */
void served_start(struct served *s, const struct https_limits *limits, enum tls_clients clients);
void served_stop(struct served *s);
/* As served_start makes it, for another holder or with a check. */
struct tls_context *server_context(const struct holder *who, enum tls_clients clients,
                                   int (*check)(void *arg, const struct tls_peer *peer, struct error *err),
                                   void *check_arg);
/* Give the server another one, which it takes over; it has it when this returns. */
void served_renew(struct served *s, struct tls_context *tls);
/* How often something was refused: "slow", "tls", ... */
unsigned served_refused(const struct served *s, const char *reason);

/* A client of the server, which is known by its key; `who` may be NULL. */
struct https_client *client_of(const struct served *s, const struct holder *who);
/* Asks; fails the test when there is no answer. */
void ask(struct https_client *client, const char *method, const char *target, const void *body, size_t size,
         struct https_reply *ret_reply);
unsigned status_of(struct https_client *client, const char *method, const char *target, const void *body,
                   size_t size);
json_t *json_of(const struct https_reply *reply);
/* `value` NULL: it has no such member. */
void assert_member(json_t *json, const char *name, const char *value);
/* What a client of the server with these options gets: 0, or the error, which says so. */
void assert_ask(struct https_client_options options, const struct served *s, int code, const char *says);

/* Without TLS. */
int connect_plain(const struct served *s);
/* Reads to the end; how many bytes. Ends the test when the end does not come. */
size_t read_to_end(int fd);

/* A connection that the test writes itself. */
void link_to(const struct served *s, const struct holder *who, struct https_link *ret_link);
void link_say(struct https_link *link, const char *text);
/* All until the end, or until it has come `times`; NUL-terminated. */
size_t link_hear(struct https_link *link, char *to, size_t room, const char *until, unsigned times);

#endif
