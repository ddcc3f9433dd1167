/*
 * The builder: whose key signs what `cella cc` makes, and whose artifacts a user lets run.
 *
 * The key lies in ~/.config/cella/builder.key ($XDG_CONFIG_HOME, $CELLA_BUILDER_KEY), 64
 * hexadecimal digits, readable by its owner alone.
 */
#ifndef CLI_BUILDER_H
#define CLI_BUILDER_H

#include <stddef.h>

#include "base/error.h"
#include "crypto/crypto.h"
#include "wasm/bundle.h"

/* The user's key; made when there is none. The caller wipes it. */
int builder_load(struct crypto_signer *ret_signer, struct error *err) must_check;

/* CELLA_EAUTH unless `builder` is the user's own or one of the `accepted` (hexadecimal). */
int builder_check(const uint8_t builder[CRYPTO_ED25519_SIZE], const char *const *accepted, size_t count,
                  struct error *err) must_check;

/* The artifact that this machine runs (bundle_choose), of a builder whom builder_check accepts. */
int builder_choose(const struct bundle *bundle, const char *const *accepted, size_t count,
                   const struct bundle_artifact **ret_artifact, struct error *err) must_check;

/* 32 bytes from 64 hexadecimal digits. */
int builder_parse(const char *hex, uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err) must_check;

#endif
