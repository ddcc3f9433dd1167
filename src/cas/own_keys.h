/*
 * Keys of the CAS's own, made when they are missing: of its TLS, of grants' data keys, of the CA of cells'
 * identities. They lie beside the sessions' secrets, under a name that no session has.
 */
#ifndef CAS_OWN_KEYS_H
#define CAS_OWN_KEYS_H

#include "cas/service.h"

#define OWN_TLS_KEY "tls-key"
#define OWN_GRANT_KEY "grant-key"
#define OWN_IDENTITY "identity"

/* Into `cas`, whose records are open. Before there are other threads. */
int own_keys_load(struct cas *cas, struct error *err) must_check;

#endif
