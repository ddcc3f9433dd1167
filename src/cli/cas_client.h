/* Requests to a context's CAS, over one connection. */
#ifndef CLI_CAS_CLIENT_H
#define CLI_CAS_CLIENT_H

#include <jansson.h>

#include "cli/context.h"
#include "net/https_client.h"

struct cas_client;

/* CELLA_EPERM: others may read the credential. Connects with the first request. crypto_init has been
 * called. */
int cas_client_open(const struct context *context, struct mem_pool *pool, struct cas_client **ret_client,
                    struct error *err) must_check;
void cas_client_free(struct cas_client *client);
/* As https_client_wait_by. */
void cas_client_wait_by(struct cas_client *client, https_wait_fn *wait, void *arg);

/* Any answer but 2xx is an error. */
int cas_client_ask(struct cas_client *client, const struct https_message *message,
                   struct https_reply *ret_reply, struct error *err) must_check;
/* With JSON there (NULL: no body; taken) and back (NULL: none is expected). */
int cas_client_json(struct cas_client *client, const char *method, const char *target, json_t *body,
                    json_t **ret_json, struct error *err) must_check;

/* The same in two halves (https_client_send): a POST is sent, and its answer received later. The body is
 * taken. */
int cas_client_send(struct cas_client *client, const char *target, json_t *body,
                    struct error *err) must_check;
int cas_client_receive(struct cas_client *client, json_t **ret_json, struct error *err) must_check;
/* To wait for answers with. */
struct https_client *cas_client_https(struct cas_client *client);

/* POST /v1/nonce. */
enum { CAS_CLIENT_NONCE_SIZE = 32 };
int cas_client_nonce(struct cas_client *client, uint8_t ret_nonce[CAS_CLIENT_NONCE_SIZE],
                     struct error *err) must_check;

/* As cas_client_json, with one field more in the request's head; NULL: none. */
int cas_client_json_with(struct cas_client *client, const char *method, const char *target,
                         const char *header, json_t *body, json_t **ret_json, struct error *err) must_check;

/* GET /v1/status: refused if the audit log is shorter than the context remembers, which is noted anew else.
 * */
int cas_client_check(struct cas_client *client, struct context *context, json_t **ret_status,
                     struct error *err) must_check;

/* "/v1/sessions/NAME" and what follows, in `to`. */
void cas_client_target(struct buf *to, const char *session, const char *rest, const char *last);

#endif
