/*
 * The inside of the HTTPS server.
 *
 * Who touches what: connections belong to the loop's thread. A request belongs to the loop until it is given
 * to its handler, then to whoever answers it, and again to the loop when it is in the queue of answers; the
 * queues' locks order that. request->connection alone stays the loop's throughout: it is NULL when the
 * connection has gone or has given up on the request.
 */
#ifndef NET_HTTPS_STATE_H
#define NET_HTTPS_STATE_H

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/queue.h>

#include "net/http.h"
#include "net/https_limits.h"
#include "net/https_server.h"

enum {
	HTTPS_PORT_TEXT = 8,
	HTTPS_LINGER_MS = 2000,       /* to let a peer read why it was refused */
	HTTPS_LINGER_MAX = 1 << 20,   /* bytes that are thrown away meanwhile */
	HTTPS_ACCEPT_PAUSE_MS = 100,  /* when there is no descriptor left */
	HTTPS_EXTRA_MAX = 4096,       /* bytes of added header fields */
};

/* Memory for heads, bodies and answers. */
struct https_memory {
	pthread_mutex_t lock;
	struct mem_pool *pool; /* NULL: malloc */
};
struct https_block {
	uint8_t *data;
	size_t size, capacity;
};
bool https_block_new(struct https_memory *memory, size_t capacity, struct https_block *ret_block);
void https_block_free(struct https_memory *memory, struct https_block *block);

STAILQ_HEAD(https_requests, https_request);

struct https_request {
	STAILQ_ENTRY(https_request) link; /* in a queue */
	struct https_server *server;
	struct https_connection *connection;
	const struct https_route *route;
	struct https_block head, body;
	struct http_request http;
	struct tls_peer peer;
	char address[INET6_ADDRSTRLEN];
	uint64_t began_ns;
	/* The answer. */
	unsigned status;
	struct buf extra; /* fields */
	struct https_block answer;
	bool close;    /* the connection is to end behind it */
	bool answered; /* under the server's lock */
};

struct https_workers;
/* `run` is called on a worker. */
int https_workers_new(unsigned threads, unsigned queue, void (*run)(struct https_request *request),
                      struct https_workers **ret_workers, struct error *err) must_check;
/* False when the queue is full. */
bool https_workers_take(struct https_workers *workers, struct https_request *request);
/* Waits for the threads; *ret_left is what they have not begun. */
void https_workers_free(struct https_workers *workers, struct https_requests *ret_left);

enum https_refused {
	HTTPS_REFUSED_CONNECTIONS,
	HTTPS_REFUSED_ADDRESS,
	HTTPS_REFUSED_HANDSHAKES,
	HTTPS_REFUSED_TLS,
	HTTPS_REFUSED_REQUESTS,
	HTTPS_REFUSED_SLOW,
	HTTPS_REFUSED_REASONS,
};

LIST_HEAD(https_connections, https_connection);

struct https_server {
	struct https_server_options options;
	struct https_limits limits;
	struct tls_context *tls;
	struct https_memory memory;
	struct evconnlistener *listener;
	struct event *resume; /* accepts again after a pause */
	uint16_t port;
	int spare; /* a descriptor to have when there are none left */
	pthread_t loop;
	struct https_connections connections;
	unsigned connection_count;
	unsigned outstanding; /* requests that have gone to handlers */
	struct https_request *dispatched; /* its handler runs on the loop just now */
	size_t bodies;
	struct https_counts *addresses;
	struct https_buckets *handshakes, *requests;
	struct https_workers *workers;
	/* Answers on their way to the loop. */
	pthread_mutex_t lock;
	struct https_requests answers;
	int wake_fd;
	struct event *wake;
	/* The end. */
	bool stopping;
	struct event *stop_timer;
	void (*stopped)(void *arg);
	void *stopped_arg;
	struct {
		struct metric *open, *accepted, *refused[HTTPS_REFUSED_REASONS], *answers[6], *seconds;
	} metrics;
};

/* https_connection.c */
/* False when there is no memory: the caller closes the socket then. */
bool https_connection_start(struct https_server *server, int fd, uint64_t address_key, const char *address);
void https_connection_free(struct https_connection *connection);
/* Whoever is idle goes; the others end behind their answer. `all`: everybody goes. */
void https_connections_end(struct https_server *server, bool all);
/* End the connection that has been idle the longest, if it has been for yield_ms. False: none has. */
bool https_connections_yield(struct https_server *server);
/* Send the answers that have come. */
void https_take_answers(struct https_server *server);

/* https_server.c */
void https_connection_gone(struct https_server *server, uint64_t address_key);

/* https_request.c */
struct https_request *https_request_new(struct https_server *server);
void https_request_free(struct https_request *request);
/* Fills the answer of a request that no handler has, from the loop. */
void https_problem_answer(struct https_request *request, unsigned status, const char *detail);

#endif
