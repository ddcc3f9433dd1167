/*
 * The launcher's signing key: made at its start, or read from a file, by which others know it; in secret
 * memory where there is any, and used on a stack of the same memory that is wiped after each use. Children
 * map neither.
 *
 * Without secret memory the key lies where every administrator can read it. Then it signs no
 * evidence that says of an executor's memory that it is secret: whoever read the key could say the
 * same of anything.
 */
#ifndef LAS_SIGNING_H
#define LAS_SIGNING_H

#include "attest/evidence.h"

struct signing;

/* Starts the process's cryptography. Raises its own limit of locked memory as far as it may. `key_file`: as
 * crypto/key_file.h; NULL: a new key. */
int signing_new(const char *key_file, struct signing **ret_signing, struct error *err) must_check;
/* Ends the process's cryptography. NULL is fine. */
void signing_free(struct signing *s);

/* Anything else that is done with the key, on that stack. */
typedef int signing_fn(void *data, const struct crypto_signer *signer, struct error *err);
int signing_use(struct signing *s, signing_fn *fn, void *data, struct error *err) must_check;
/* Of the memory that it lies in. */
enum mem_level signing_level(const struct signing *s);

const uint8_t *signing_public_key(const struct signing *s);
/* As evidence_sign. CELLA_EPERM for secret memory where the key has none. */
int signing_sign(struct signing *s, const struct evidence *e, struct buf *ret, struct error *err) must_check;

#endif
