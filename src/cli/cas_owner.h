/* Commands of cella cas and cella las by which an owner changes whom the current CAS knows and trusts.
 * crypto_init has been called. */
#ifndef CLI_CAS_OWNER_H
#define CLI_CAS_OWNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct cas_owner_options {
	const char *label, *reason, *session;
	int64_t since; /* seconds since 1970 */
	bool json;
};

/* A new key with a certificate for it, PEM, in a new file (mode 0600); prints its hash. */
int cas_owner_credential(const struct cas_owner_options *o, const char *const *operands,
                         struct error *err) must_check;    /* FILE */
int cas_owner_list(const struct cas_owner_options *o, const char *const *operands,
                   struct error *err) must_check;
int cas_owner_add(const struct cas_owner_options *o, const char *const *operands,
                  struct error *err) must_check;     /* KEY-HASH, or a certificate's file */
int cas_owner_remove(const struct cas_owner_options *o, const char *const *operands,
                     struct error *err) must_check;  /* KEY-HASH */
int cas_owner_revoke(const struct cas_owner_options *o, const char *const *operands,
                     struct error *err) must_check;        /* KIND WHAT; of a cell also its file */
int cas_owner_revocations(const struct cas_owner_options *o, const char *const *operands,
                          struct error *err) must_check;
/* Of attestations of confidential guests, the newest first, by the number that the guest was told. */
int cas_owner_refusals(const struct cas_owner_options *o, const char *const *operands,
                       struct error *err) must_check;
/* The entries of the audit log that this owner may see, of one session or of all. */
int cas_owner_audit(const struct cas_owner_options *o, struct error *err) must_check;
int cas_owner_ca(const struct cas_owner_options *o, const char *const *operands,
                 struct error *err) must_check;
int cas_owner_crl(const struct cas_owner_options *o, const char *const *operands,
                  struct error *err) must_check;
int cas_owner_certificates(const struct cas_owner_options *o, const char *const *operands,
                           struct error *err) must_check;
int cas_owner_launchers(const struct cas_owner_options *o, const char *const *operands,
                        struct error *err) must_check;
int cas_owner_remove_launcher(const struct cas_owner_options *o, const char *const *operands,
                              struct error *err) must_check; /* KEY */

int cas_owner_endorsed(const struct cas_owner_options *o, const char *const *operands,
                       struct error *err) must_check;
int cas_owner_collateral(const struct cas_owner_options *o, const char *const *operands,
                         struct error *err) must_check; /* add KIND FILE..., list, remove KIND HASH */
/* On standard error, of what has ended or will soon, to owners. */
struct cas_client;
void cas_owner_collateral_warn(struct cas_client *client);

/* ---- for its own files */

/* One request to the current CAS. Takes `body`. */
int cas_owner_ask(const char *method, const char *target, json_t *body, json_t **ret_json,
                  struct error *err) must_check;
/* GET: the answer's member `name` as it came, or a line each by `print`. */
int cas_owner_show(const struct cas_owner_options *o, const char *target, const char *name,
                   void (*print)(const json_t *one), struct error *err) must_check;
void cas_owner_print_text(const json_t *one, const char *member);

#endif
