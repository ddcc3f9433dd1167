/*
 * What a service of a session gets, as a grant for one executor (cell/provision.h): its variables and
 * arguments with secrets in their places, and its volumes with keys and roots. Everything lies in the desk's
 * pool and is wiped.
 */
#ifndef CAS_GRANT_MAKE_H
#define CAS_GRANT_MAKE_H

#include "attest/evidence.h"
#include "cas/service.h"
#include "volume/volume.h"

/* Appends the grant, sealed to the executor's key. CELLA_EINVAL: the session cannot give it: a secret that it
 * imports is not exported to it, a volume was not handed over; the text is for the session's owner. */
int grant_make(struct cas_desk *desk, const struct cas_session *session,
               const struct session_service *service, const struct evidence *evidence, struct buf *ret_sealed,
               struct error *err) must_check;

/* The keys of a volume that was handed to the CAS are a secret of its session: 16 bytes id, u32 count, count
 * keys of 32 bytes, the newest first. */
enum { VOLUME_HANDED_MAX = VOLUME_ID_SIZE + 4 + VOLUME_KEYS_MAX * CRYPTO_KEY_SIZE };
/* The name of that secret, RECORDS_NAME_MAX + 1 bytes. */
void volume_secret_name(const char *volume, char to[RECORDS_NAME_MAX + 1]);

#endif
