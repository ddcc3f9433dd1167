/*
 * Contexts: which CAS the command line talks to, in ~/.config/cella/contexts.json ($CELLA_CONTEXTS names
 * another file), mode 0600. Each remembers the CAS's pin, the credential to show it, and how far its audit
 * log had come: one that has less is an older copy.
 */
#ifndef CLI_CONTEXT_H
#define CLI_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/x509.h"

enum { CONTEXT_TEXT_MAX = 512, CONTEXT_NAME_MAX = 64, CONTEXT_HASH_SIZE = 97 };

struct context {
	char name[CONTEXT_NAME_MAX];
	char url[CONTEXT_TEXT_MAX];
	char pin[CERT_KEY_HASH_SIZE];
	char credential[CONTEXT_TEXT_MAX]; /* a file: private key and certificate in PEM; "": none */
	uint64_t epoch, number; /* of the audit log's head; 0: not seen yet */
	char hash[CONTEXT_HASH_SIZE]; /* of that entry, hexadecimal; "": not known */
};

/* The one of that name; NULL: the current one. CELLA_ENOENT: there is none. */
int context_load(const char *name, struct context *ret_context, struct error *err) must_check;
/* Adds it, or replaces the one of its name; `current`: it is the current one from then on. */
int context_save(const struct context *context, bool current, struct error *err) must_check;
typedef int context_fn(void *arg, const struct context *context, bool current, struct error *err);
int context_each(context_fn *fn, void *arg, struct error *err) must_check;

#endif
