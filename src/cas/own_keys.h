/*
 * Keys of the CAS's own, made when they are missing: of its TLS, of grants' data keys, of the CA of cells'
 * identities, of guests' tokens. They lie beside the sessions' secrets, under a name that no session has.
 */
#ifndef CAS_OWN_KEYS_H
#define CAS_OWN_KEYS_H

#include "cas/service.h"

#define OWN_TLS_KEY "tls-key"
#define OWN_GRANT_KEY "grant-key"
#define OWN_IDENTITY "identity"
/* Of guests' tokens (cas/kbs/state.h), which makes them itself. */
#define OWN_TOKEN_ES384 "token-key-es384"
#define OWN_TOKEN_RS256 "token-key-rs256"

/* Into `cas`, whose records are open. Before there are other threads. */
int own_keys_load(struct cas *cas, struct error *err) must_check;

#endif
