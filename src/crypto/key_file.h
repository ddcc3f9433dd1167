/*
 * A signing key in a file: one line of 64 hexadecimal digits, its private key, mode 0600. One that others may
 * read, or that is anything else, is refused.
 */
#ifndef CRYPTO_KEY_FILE_H
#define CRYPTO_KEY_FILE_H

#include "crypto/crypto.h"

/* `what` names it in errors: "the builder's key". CELLA_ENOENT; CELLA_EPERM: open to others; CELLA_EFORMAT.
 * */
int crypto_key_file_read(const char *path, const char *what, struct crypto_signer *ret_signer,
                         struct error *err) must_check;
/* The same, and a new one is made where there is none, with the directories on the way to it. Of two
 * processes that do so at once, both have the same key. */
int crypto_key_file_load(const char *path, const char *what, struct crypto_signer *ret_signer,
                         struct error *err) must_check;

/* The directories on the way to a file, as far as they are missing, mode 0700. */
int crypto_key_file_parents(const char *path, struct error *err) must_check;

/* FILE in the user's configuration: $`variable`, else $XDG_CONFIG_HOME/cella/`name`, else
 * ~/.config/cella/`name`. CELLA_ENOENT: there is no such place. */
enum { CRYPTO_KEY_PATH_MAX = 4096 };
int crypto_key_file_place(const char *variable, const char *name, const char *what,
                          char to[CRYPTO_KEY_PATH_MAX], struct error *err) must_check;

#endif
