/*
 * Is a chain of certificates what a rule asks for, at a given time?
 *
 * OpenSSL walks the path and checks the signatures (X509_verify_cert, strict); what this file adds is the
 * caller's time, pins in place of a store of the system's, exact names, and errors that name both values.
 */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

static int check_time(const X509 *x509, const char *whose, int64_t now, struct error *err)
{
	int64_t from, to;
	char from_text[CERT_TIME_TEXT_SIZE], to_text[CERT_TIME_TEXT_SIZE], now_text[CERT_TIME_TEXT_SIZE];
	int rc = cert_time_of(X509_get0_notBefore(x509), &from, err);
	if (rc == 0)
		rc = cert_time_of(X509_get0_notAfter(x509), &to, err);
	if (rc < 0 || (now >= from && now <= to))
		return rc;
	cert_time_text(from, from_text);
	cert_time_text(to, to_text);
	cert_time_text(now, now_text);
	return error_set(err, CELLA_EAUTH,
	                 "%s certificate %s: it is valid from %s to %s, and here it is %s; renew it, or "
	                 "compare the clocks",
	                 whose, now < from ? "is not valid yet" : "has expired", from_text, to_text,
	                 now_text);
}

static int check_key(const X509 *x509, struct error *err)
{
	const EVP_PKEY *key = X509_get0_pubkey(x509);
	if (key && cert_key_accepted(key))
		return 0;
	ERR_clear_error();
	return error_set(err, CELLA_EAUTH,
	                 "a certificate's key is of another kind than P-256, P-384 and Ed25519");
}

static const char *use_name(enum cert_use use)
{
	return use == CERT_FOR_SERVER ? "a server" : "a client";
}

/* Of a certificate that nobody vouches for. */
static int check_use(X509 *x509, enum cert_use use, struct error *err)
{
	uint32_t wanted = use == CERT_FOR_SERVER ? XKU_SSL_SERVER : XKU_SSL_CLIENT;
	uint32_t uses = X509_get_extended_key_usage(x509); /* UINT32_MAX when it names none */
	if ((uses & wanted) != 0 && (X509_get_key_usage(x509) & KU_DIGITAL_SIGNATURE) != 0)
		return 0;
	return error_set(err, CELLA_EAUTH, "the certificate is not for %s", use_name(use));
}

static int check_pin(X509 *leaf, const struct cert_rule *rule, struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	int rc = cert_hash_of(leaf, hash, err);
	if (rc < 0)
		return rc;
	if (strcmp(hash, rule->key_hash) != 0)
		return error_set(err, CELLA_EAUTH,
		                 "the key of the certificate is %s, and the pinned key is %s: somebody is in "
		                 "between, or the key was changed; ask for the new pin on another way",
		                 hash, rule->key_hash);
	rc = check_time(leaf, "the", rule->now, err);
	return rc < 0 ? rc : check_use(leaf, rule->use, err);
}

static int check_name(const X509 *leaf, const struct cert_name *name, struct error *err)
{
	struct cert_names names;
	char found[400] = "no name at all";
	if (!name)
		return 0;
	int rc = cert_names_of(leaf, &names, err);
	if (rc < 0)
		return error_prefix(err, CELLA_EAUTH, "the certificate is refused: ");
	if (cert_names_have(&names, name))
		return 0;
	for (size_t i = 0, at = 0; i < names.count && at < sizeof(found); i++)
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s", i > 0 ? ", " : "",
		                       names.names[i].text);
	return error_set(err, CELLA_EAUTH, "the certificate is to bear the %s %.255s, and it bears %s",
	                 cert_name_kind_name(name->kind), name->text, found);
}

/* The CA's certificate in the chain that has the pinned key; borrowed. */
static int find_pinned(const struct cert *const *chain, size_t count, const char *ca_key_hash, X509 **ret_ca,
                       struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	const char *last = "none";
	for (size_t i = 1; i < count; i++) {
		int rc = cert_hash_of(chain[i]->x509, hash, err);
		if (rc < 0)
			return rc;
		if (strcmp(hash, ca_key_hash) == 0) {
			*ret_ca = chain[i]->x509;
			return 0;
		}
		last = hash;
	}
	return error_set(err, CELLA_EAUTH,
	                 "no CA in the chain has the pinned key %s (the last one's is %s): somebody is in "
	                 "between, or the CA's key was changed; ask for the new pin on another way",
	                 ca_key_hash, last);
}

static X509_STORE *store_of(const struct cert *const *chain, size_t count, const struct cert_rule *rule,
                            struct error *err)
{
	X509 *pinned = NULL;
	if (rule->ca_key_hash && find_pinned(chain, count, rule->ca_key_hash, &pinned, err) < 0)
		return NULL;
	X509_STORE *store = X509_STORE_new();
	bool ok = store && (!pinned || X509_STORE_add_cert(store, pinned) > 0);
	for (size_t i = 0; ok && !pinned && i < rule->ca_count; i++)
		ok = X509_STORE_add_cert(store, rule->cas[i]->x509) > 0;
	if (ok)
		return store;
	X509_STORE_free(store);
	(void)crypto_failed("checking certificates", err);
	return NULL;
}

/* OpenSSL's verdict as a sentence. */
static int refused(X509_STORE_CTX *context, const struct cert_rule *rule, struct error *err)
{
	int code = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);
	const X509 *at = X509_STORE_CTX_get_current_cert(context);
	ERR_clear_error();
	if (at && (code == X509_V_ERR_CERT_NOT_YET_VALID || code == X509_V_ERR_CERT_HAS_EXPIRED)) {
		int rc = check_time(at, depth > 0 ? "the CA's" : "the", rule->now, err);
		if (rc < 0)
			return CELLA_EAUTH;
	}
	if (code == X509_V_ERR_INVALID_PURPOSE && depth == 0)
		return error_set(err, CELLA_EAUTH, "the certificate is not for %s", use_name(rule->use));
	if (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	    code == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE ||
	    code == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT || code == X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN)
		return error_set(err, CELLA_EAUTH, "the certificate is from no CA that is trusted here");
	return error_set(err, CELLA_EAUTH, "the certificate is refused: %s (certificate %d of its chain)",
	                 X509_verify_cert_error_string(code), depth + 1);
}

static int verify(X509_STORE *store, STACK_OF(X509) * others, X509 *leaf, const struct cert_rule *rule,
                  struct error *err)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	if (!context || X509_STORE_CTX_init(context, store, leaf, others) <= 0) {
		X509_STORE_CTX_free(context);
		return crypto_failed("checking certificates", err);
	}
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(param, (time_t)rule->now);
	X509_VERIFY_PARAM_set_depth(param, CERT_CHAIN_MAX);
	X509_VERIFY_PARAM_set_auth_level(param, 2); /* 112 bits */
	unsigned long flags = X509_V_FLAG_X509_STRICT;
	if (rule->ca_key_hash) /* the CA's certificate came from the peer, too: its text is the CA's own */
		flags |= X509_V_FLAG_CHECK_SS_SIGNATURE;
	bool set = X509_VERIFY_PARAM_set_flags(param, flags) > 0 &&
	           X509_VERIFY_PARAM_set_purpose(param, rule->use == CERT_FOR_SERVER
	                                                        ? X509_PURPOSE_SSL_SERVER
	                                                        : X509_PURPOSE_SSL_CLIENT) > 0;
	int rc = !set                             ? crypto_failed("checking certificates", err)
	         : X509_verify_cert(context) == 1 ? 0
	                                          : refused(context, rule, err);
	X509_STORE_CTX_free(context);
	return rc;
}

static int check_path(const struct cert *const *chain, size_t count, const struct cert_rule *rule,
                      struct error *err)
{
	X509_STORE *store = store_of(chain, count, rule, err);
	STACK_OF(X509) *others = sk_X509_new_null();
	bool ok = others;
	for (size_t i = 1; ok && i < count; i++)
		ok = sk_X509_push(others, chain[i]->x509) > 0;
	int rc = !store ? CELLA_EAUTH
	         : !ok  ? crypto_failed("checking certificates", err)
	                : verify(store, others, chain[0]->x509, rule, err);
	sk_X509_free(others);
	X509_STORE_free(store);
	return rc;
}

int cert_check(const struct cert *const *chain, size_t count, const struct cert_rule *rule, struct error *err)
{
	cert_start();
	if (count == 0 || count > CERT_CHAIN_MAX)
		return error_set(err, CELLA_EAUTH, "a chain of %zu certificates: there are to be 1 to %d",
		                 count, CERT_CHAIN_MAX);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = check_key(chain[i]->x509, err);
	if (rc < 0)
		return rc;
	if (rule->key_hash)
		return check_pin(chain[0]->x509, rule, err);
	if (!rule->ca_key_hash && rule->ca_count == 0)
		return error_set(err, CELLA_EAUTH,
		                 "nothing is trusted here: there is neither a pin nor a CA");
	rc = check_path(chain, count, rule, err);
	return rc < 0 ? rc : check_name(chain[0]->x509, rule->name, err);
}
