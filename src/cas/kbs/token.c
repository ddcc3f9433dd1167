/*
 * Tokens: what a guest has proven, signed by the CAS, for the guest to show to others, and to this CAS
 * instead of its cookie. JWT (RFC 7519), with the claims that the protocol's document names.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/kbs/state.h"
#include "cas/own_keys.h"

enum {
	CLAIM_MAX = 256,      /* characters of a claim; longer ones are left out */
	CLAIMS_TOKEN_MAX = 6144, /* bytes of all of them */
	TOKEN_MAX = 15000,    /* characters: a header that has it must be one of ours */
};

/* ---- keys */

static const char *const key_names[TOKEN_ALGORITHMS] = {
	[TOKEN_ES384] = OWN_TOKEN_ES384,
	[TOKEN_RS256] = OWN_TOKEN_RS256,
};

struct keeping {
	const char *name, *what;
	const void *pem;
	size_t size;
};

static int keep(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct keeping *k = arg;
	uint64_t version;
	event->kind = AUDIT_SECRET_SET;
	event->what = k->what;
	return records_secret_put(r, CAS_OWN_SESSION, k->name, SESSION_PRIVATE_KEY, k->pem, k->size, 0,
	                          &version, err);
}

static int make_key(struct cas *cas, enum token_algorithm algorithm, struct token_key **ret_key,
                    struct error *err)
{
	char pem[TOKEN_KEY_PEM_MAX], what[80];
	struct keeping k = {.name = key_names[algorithm], .what = what, .pem = pem};
	struct cas_change change = {.make = keep, .arg = &k};
	struct token_key *key = NULL;
	snprintf(what, sizeof(what), "{\"secret\": \"the key of tokens of %s\"}",
	         token_algorithm_name(algorithm));
	int rc = token_key_generate(algorithm, &key, err);
	if (rc == 0)
		rc = token_key_write(key, pem, &k.size, err);
	if (rc == 0)
		rc = cas_commit(cas, &change, err);
	mem_wipe(pem, sizeof(pem));
	if (rc < 0)
		token_key_free(key);
	else
		*ret_key = key;
	return rc;
}

static int load_key(struct cas *cas, enum token_algorithm algorithm, struct token_key **ret_key,
                    struct error *err)
{
	struct records_secret secret;
	int rc = records_secret_get(cas_records_lock(cas), CAS_OWN_SESSION, key_names[algorithm], 0, &secret,
	                            err);
	if (rc == 0) {
		rc = token_key_read(algorithm, secret.data, secret.size, ret_key, err);
		records_secret_done(&secret);
		rc = rc == CELLA_ENOENT ? CELLA_EFORMAT : rc;
	}
	cas_records_unlock(cas);
	return rc == CELLA_ENOENT ? make_key(cas, algorithm, ret_key, err) : rc;
}

int kbs_token_key(struct kbs *kbs, enum token_algorithm algorithm, const struct token_key **ret_key,
                  struct error *err)
{
	pthread_mutex_lock(&kbs->key_lock);
	int rc = kbs->token_keys[algorithm] ? 0
	                                    : load_key(kbs->cas, algorithm, &kbs->token_keys[algorithm], err);
	pthread_mutex_unlock(&kbs->key_lock);
	if (rc == 0)
		*ret_key = kbs->token_keys[algorithm];
	return rc;
}

/* ---- claims */

/* What the evidence says, as far as there is room: of what is left out the evidence itself has more. */
static json_t *tcb_status(const struct tee_verdict *verdict)
{
	json_t *all = json_object();
	size_t used = 0;
	for (size_t i = 0; i < verdict->claim_count; i++) {
		const struct tee_claim *claim = &verdict->claims[i];
		const size_t size = strlen(claim->name) + strlen(claim->value);
		if (strlen(claim->value) > CLAIM_MAX || used + size > CLAIMS_TOKEN_MAX)
			continue;
		used += size;
		json_object_set_new(all, claim->name, json_string(claim->value));
	}
	return all;
}

/* The checks that were made; none has failed. */
static json_t *evaluation_report(const struct tee_verdict *verdict)
{
	json_t *all = json_object();
	for (size_t i = 0; i < verdict->check_count; i++)
		json_object_set_new(all, verdict->checks[i].name,
		                    json_string(tee_status_name(verdict->checks[i].status)));
	return all;
}

static json_t *claims_of(struct kbs *kbs, const struct kbs_guest *guest, const struct tee_verdict *verdict)
{
	char issuer[sizeof("urn:cella:cas:") + 2 * VAULT_CAS_SIZE] = "urn:cella:cas:";
	const json_int_t now = (json_int_t)(guest->since_ns / 1000000000u);
	json_t *key = json_deep_copy(guest->attestation.key_json);
	io_hex(records_cas(cas_records_lock(kbs->cas)), VAULT_CAS_SIZE, issuer + strlen(issuer));
	cas_records_unlock(kbs->cas);
	return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:O, s:o, s:o, s:{s:{s:o}}}", "iss", issuer, "iat",
	                 now, "nbf", now, "exp", (json_int_t)(guest->until_ns / 1000000000u), "jti",
	                 guest->token_id, "tee", tee_kind_of(guest->tee)->name, "tee-pubkey", key,
	                 "tcb-status", tcb_status(verdict), "evaluation-report", evaluation_report(verdict),
	                 "customized_claims", "runtime_data", "tee-pubkey", key);
}

/* ---- writing */

static int put_json(json_t *json, struct buf *to)
{
	char *text = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	if (!text)
		return CELLA_ENOMEM;
	const size_t size = strlen(text);
	char *at = (char *)buf_reserve(to, base64url_size(size));
	if (at)
		base64url_encode(text, size, at);
	free(text);
	return at ? 0 : CELLA_ENOMEM;
}

static int sign(const struct token_key *key, struct buf *token, struct error *err)
{
	uint8_t signature[TOKEN_SIGNATURE_MAX];
	size_t size = 0;
	int rc = token_key_sign(key, token->data, token->size, signature, &size, err);
	if (rc < 0)
		return rc;
	buf_put_u8(token, '.');
	char *at = (char *)buf_reserve(token, base64url_size(size));
	if (at)
		base64url_encode(signature, size, at);
	return 0;
}

int kbs_token_make(struct kbs *kbs, const struct kbs_guest *guest, const struct tee_verdict *verdict,
                   enum token_algorithm algorithm, struct buf *ret, struct error *err)
{
	const struct token_key *key;
	cleanup_buf struct buf token = {0};
	int rc = kbs_token_key(kbs, algorithm, &key, err);
	if (rc < 0)
		return rc;
	json_t *jwk = json_loads(token_key_jwk(key), 0, NULL);
	json_t *header = json_pack("{s:s, s:s, s:s, s:O}", "typ", "JWT", "alg",
	                           token_algorithm_name(algorithm), "kid", token_key_id(key), "jwk", jwk);
	json_t *claims = claims_of(kbs, guest, verdict);
	json_object_set(claims, "jwk", jwk);
	rc = put_json(header, &token);
	buf_put_u8(&token, '.');
	if (rc == 0)
		rc = put_json(claims, &token);
	json_decref(header);
	json_decref(claims);
	json_decref(jwk);
	if (rc == 0 && !token.failed)
		rc = sign(key, &token, err);
	if (rc == CELLA_ENOMEM || token.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a token");
	if (rc == 0 && token.size > TOKEN_MAX)
		return error_set(err, CELLA_EBUG, "a token of %zu characters", token.size);
	if (rc == 0)
		buf_put(ret, token.data, token.size);
	return rc;
}

/* ---- reading one back */

/* Where its parts end, and its claims. */
struct parts {
	const char *text;
	size_t signed_size, payload_at;
	uint8_t signature[TOKEN_SIGNATURE_MAX];
	size_t signature_size;
};

static bool split(const char *token, struct parts *ret)
{
	const char *first = strchr(token, '.'), *second = first ? strchr(first + 1, '.') : NULL;
	if (!second || strlen(token) > TOKEN_MAX)
		return false;
	const size_t size = strlen(second + 1);
	*ret = (struct parts){.text = token,
	                      .signed_size = (size_t)(second - token),
	                      .payload_at = (size_t)(first + 1 - token),
	                      .signature_size = base64url_bytes(size)};
	return ret->signature_size <= sizeof(ret->signature) &&
	       base64url_decode(second + 1, size, ret->signature);
}

/* Its header is not asked: it can be by one of these keys alone. */
static bool is_signed(struct kbs *kbs, const struct parts *p)
{
	bool holds = false;
	pthread_mutex_lock(&kbs->key_lock);
	for (size_t i = 0; i < TOKEN_ALGORITHMS && !holds; i++)
		holds = kbs->token_keys[i] && token_key_verify(kbs->token_keys[i], p->text, p->signed_size,
		                                               p->signature, p->signature_size, NULL) == 0;
	pthread_mutex_unlock(&kbs->key_lock);
	return holds;
}

/* After its signature: what it says is what was written. */
static bool read_claims(const struct parts *p, uint64_t now_s, char ret_id[KBS_TOKEN_ID_SIZE])
{
	const size_t size = p->signed_size - p->payload_at;
	cleanup_free uint8_t *json = malloc(base64url_bytes(size) + 1);
	json_t *root = NULL;
	if (json && base64url_decode(p->text + p->payload_at, size, json))
		root = json_loadb((const char *)json, base64url_bytes(size), JSON_REJECT_DUPLICATES, NULL);
	const char *id = json_string_value(json_object_get(root, "jti"));
	const json_int_t until = json_integer_value(json_object_get(root, "exp"));
	const bool good = id && strlen(id) == KBS_TOKEN_ID_SIZE - 1 && until > 0 && now_s < (uint64_t)until;
	if (good)
		memcpy(ret_id, id, KBS_TOKEN_ID_SIZE);
	json_decref(root);
	return good;
}

int kbs_token_read(struct kbs *kbs, const char *authorization, char ret_id[KBS_TOKEN_ID_SIZE],
                   struct error *err)
{
	struct parts parts;
	const size_t scheme = strlen("Bearer ");
	if (strncasecmp(authorization, "Bearer ", scheme) == 0 && split(authorization + scheme, &parts) &&
	    is_signed(kbs, &parts) && read_claims(&parts, cas_now_ns(kbs->cas) / 1000000000u, ret_id))
		return 0;
	return error_set(err, CELLA_ENOENT, "the token is none of this CAS, or its time is over");
}

struct listing {
	struct kbs *kbs;
	json_t *keys;
	struct error *err;
	int rc;
};

/* A key that there is not yet is made. */
static void list_keys(struct cas_desk *desk, void *arg)
{
	struct listing *l = arg;
	(void)desk;
	for (size_t i = 0; l->rc == 0 && i < TOKEN_ALGORITHMS; i++) {
		const struct token_key *key;
		l->rc = kbs_token_key(l->kbs, (enum token_algorithm)i, &key, l->err);
		if (l->rc == 0)
			json_array_append_new(l->keys, json_loads(token_key_jwk(key), 0, NULL));
	}
}

int kbs_keys(struct kbs *kbs, json_t **ret_keys, struct error *err)
{
	struct error why;
	struct listing l = {.kbs = kbs, .keys = json_array(), .err = err ? err : &why};
	cas_at_desk(kbs->cas, list_keys, &l);
	json_t *keys = json_pack("{s:o}", "keys", l.keys);
	if (l.rc < 0)
		json_decref(keys);
	else
		*ret_keys = keys;
	return l.rc;
}
