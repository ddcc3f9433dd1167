/* This node's launcher's key, endorsed at a CAS by this machine's hardware. */
#ifndef CLI_LAS_ENDORSE_H
#define CLI_LAS_ENDORSE_H

#include "attest/driver/driver.h"
#include "cli/cas_client.h"
#include "cli/options.h"
#include "crypto/crypto.h"

/* The key's public half; `make`: a key is made where there is none. CELLA_ENOENT. */
int las_public_key(bool make, uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err) must_check;

struct las_endorsing {
	enum tee_kind kind;
	const char *session, *service; /* for which it is wanted; "": none is named */
	const struct option_list *certs; /* files beside those that the driver finds; NULL: none */
};
/* With the launcher's key, which must be there: asks the CAS for a nonce, the hardware for evidence over
 * both, and the CAS to take that. CELLA_EAUTH: refused. */
int las_endorse(struct cas_client *client, const struct driver_io *io, const struct las_endorsing *endorsing,
                struct error *err) must_check;

#endif
