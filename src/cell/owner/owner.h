/* The executor's end of the owner's channel (cell/owner/format.h). */
#ifndef CELL_OWNER_H
#define CELL_OWNER_H

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "cell/identity_question.h"
#include "cell/instance.h"
#include "cell/owner/format.h"
#include "cell/wasi/wasi.h"
#include "crypto/crypto.h"
#include "seal/seal.h"

struct owner;

/* Borrows fd and pool. */
int owner_new(int fd, struct mem_pool *pool, struct owner **ret_owner, struct error *err) must_check;
void owner_free(struct owner *owner);

/* Waits for a frame of type OWNER_PROVISION or OWNER_GRANT and opens it with the executor's key; the bytes,
 * in protected memory, are the caller's. */
int owner_receive_provision(struct owner *owner, enum owner_type type, const struct crypto_key_pair *pair,
                            uint8_t **ret_data, size_t *ret_size, struct error *err) must_check;
/* From here on records can be sealed. Borrows the session. */
void owner_set_session(struct owner *owner, struct seal_session *session, uint32_t executor);

/* What a wasi acts on. */
struct wasi_host owner_wasi_host(struct owner *owner);

/* Questions to the CAS of this grant, from 1, are sealed so. Borrows the session. */
void owner_set_grant(struct owner *owner, uint32_t grant, struct seal_session *session);
/* To the root keeper of one of the job's volumes, which is the owner (grant 0) or a grant's CAS; sealed, and
 * answered before it returns. The error is the keeper's own, too. */
int owner_ask_keeper(struct owner *owner, uint32_t grant, const struct owner_keeper_request *request,
                     struct owner_keeper_reply *ret_reply, struct error *err) must_check;

/* The same, and the answer, of which only the error counts, is taken later: answers to one asker, which is
 * whatever address it likes, are taken in the order of its questions. */
int owner_ask_later(struct owner *owner, uint32_t grant, const struct owner_keeper_request *request,
                    const void *asker, struct error *err) must_check;
bool owner_has_answer(struct owner *owner, const void *asker); /* it has come, or none will */
int owner_take_answer(struct owner *owner, const void *asker, struct error *err) must_check;

/* Left with the owner for that CAS, who asks it if this executor ends without its word. */
int owner_leave_last(struct owner *owner, uint32_t grant, const struct owner_keeper_request *request,
                     struct error *err) must_check;

/* To a grant's CAS: certify a key (cell/identity_question.h). The same way. */
int owner_ask_identity(struct owner *owner, uint32_t grant, const struct owner_identity_request *request,
                       uint8_t ret_answer[IDENTITY_ANSWER_MAX], size_t *ret_size,
                       struct error *err) must_check;

/* How the program ended: its status, or the trap, or Cella's own error. */
int owner_send_exit(struct owner *owner, const struct owner_exit *end, const char *text,
                    struct error *err) must_check;
/* Before the cell runs: why this executor gives up, in the clear. Best effort. */
void owner_send_refused(struct owner *owner, const struct error *why);

#endif
