/*
 * The owner's end of an executor's channel (cell/owner/format.h): provisions the executor, opens
 * its sealed streams, serves its operations on preopened directories, its questions to root keepers of
 * volumes and its standard input, and
 * learns how its program ended.
 *
 * Threats: the executor before it is provisioned, and everything between here and there. Frames
 * are bounded and parsed from a buffer; records must be in order and verify.
 */
#ifndef CLI_OWNER_SERVER_H
#define CLI_OWNER_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"
#include "cell/owner/format.h"
#include "cell/owner/paths.h"
#include "cell/provision.h"
#include "cli/job/owner_keeper.h"
#include "cli/output.h"
#include "seal/seal.h"

struct owner_server;

struct owner_end {
	struct owner_exit exit;
	char text[4096];
};

struct owner_server_config {
	int fd; /* taken over */
	uint32_t executor;
	struct mem_pool *pool;
	struct seal_session *session;    /* borrowed */
	const struct owner_paths *paths; /* borrowed */
	const struct owner_keepers *keepers; /* of volumes that it may write; NULL: none; borrowed */
	/* Passes a sealed question on to the CAS of a grant, from 1. In the order of the questions to it,
	 * owner_server_answer has what comes back. */
	int (*ask_cas)(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
	               struct error *err);
	/* May one be asked now? Else it, and what comes behind it, waits for owner_server_go_on. */
	bool (*may_ask)(void *data);
	/* Keeps such a question, to be asked if the executor ends without its word. */
	int (*keep_last)(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
	                 struct error *err);
	void *ask_data;
	struct output *output;           /* borrowed */
};

int owner_server_new(const struct owner_server_config *config, struct owner_server **ret_server,
                     struct error *err) must_check;
void owner_server_free(struct owner_server *server);
int owner_server_fd(const struct owner_server *server);

/* Send the provisioning under HPKE to the key that verified evidence vouches for. */
int owner_server_provision(struct owner_server *server, const uint8_t public_key[CRYPTO_X25519_SIZE],
                           const struct provision *provision, struct error *err) must_check;

/* Pass on a grant (cell/provision.h), sealed to the executor by the CAS that made it: after the
 * provisioning, which says how many there are. */
int owner_server_grant(struct owner_server *server, const void *sealed, size_t size,
                       struct error *err) must_check;

/* The channel is readable: handle what came. CELLA_ELOST when the executor has closed it;
 * CELLA_EAUTH when a record does not verify; CELLA_EPERM when the executor refused (the text says why);
 * CELLA_ECANCELED when a signal came while what it prints was not taken. */
int owner_server_readable(struct owner_server *server, struct error *err) must_check;
/* Passes on what a CAS said to the oldest question to it: sealed; or why it said nothing (rc < 0). */
int owner_server_answer(struct owner_server *server, uint32_t grant, int rc, const struct error *why,
                        const struct buf *answer, struct error *err) must_check;
/* A question waits to be asked: nothing is to be read. */
bool owner_server_is_held(const struct owner_server *server);
/* Handles what waited, with the same errors. */
int owner_server_go_on(struct owner_server *server, struct error *err) must_check;

/* Bytes of standard input that the executor waits for; 0: none. owner_server_input answers (size 0: end). */
size_t owner_server_wants_input(const struct owner_server *server);
int owner_server_input(struct owner_server *server, const void *bytes, size_t size,
                       struct error *err) must_check;

/* How the program, or this executor's service of tasks, ended; NULL before its word, which also proves
 * that all of its output came. */
const struct owner_end *owner_server_end(const struct owner_server *server);

#endif
