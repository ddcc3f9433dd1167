#include "cas/kbs/message.h"

#include <stdio.h>
#include <string.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "crypto/jwe.h"

static const char *const hash_names[CRYPTO_HASHES] = {
	[CRYPTO_SHA1] = "sha1",
	[CRYPTO_SHA256] = "sha256",
	[CRYPTO_SHA384] = "sha384",
	[CRYPTO_SHA512] = "sha512",
};

const char *kbs_hash_name(enum crypto_hash hash)
{
	return hash_names[hash];
}

/* ---- the request */

static int read_version(const json_t *root, enum kbs_version *ret, struct error *err)
{
	static const char *const versions[KBS_VERSIONS] = {
		[KBS_0_1_1] = "0.1.1",
		[KBS_0_2_0] = "0.2.0",
		[KBS_0_3_0] = "0.3.0",
		[KBS_0_4_0] = "0.4.0",
	};
	const char *version = json_string_value(json_object_get(root, "version"));
	if (!version)
		return error_set(err, CELLA_EFORMAT, "\"version\" is no text");
	for (size_t i = 0; i < KBS_VERSIONS; i++)
		if (strcmp(versions[i], version) == 0) {
			*ret = (enum kbs_version)i;
			return 0;
		}
	if (strcmp(version, "0.1.0") == 0)
		return error_set(
			err, CELLA_EUNSUPPORTED,
			"KBS Client Protocol Version Mismatch: 0.1.0 hashes nonce, modulus and exponent "
			"without saying where one ends, so that its evidence fits other keys, too; the "
			"versions 0.1.1, 0.2.0, 0.3.0 and 0.4.0 are served");
	return error_set(err, CELLA_EUNSUPPORTED,
	                 "KBS Client Protocol Version Mismatch: %.20s; the versions 0.1.1, 0.2.0, 0.3.0 and "
	                 "0.4.0 are served",
	                 version);
}

static int read_tee(const json_t *root, enum tee_kind *ret, struct error *err)
{
	static const struct {
		const char *name;
		enum tee_kind kind;
	} served[] = {{"snp", TEE_SNP}, {"tdx", TEE_TDX}, {"sgx", TEE_SGX}};
	const char *name = json_string_value(json_object_get(root, "tee"));
	if (!name)
		return error_set(err, CELLA_EFORMAT, "\"tee\" is no text");
	for (size_t i = 0; i < array_count(served); i++)
		if (strcmp(served[i].name, name) == 0) {
			*ret = served[i].kind;
			return 0;
		}
	if (strncmp(name, "sample", strlen("sample")) == 0)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "evidence of the kind sample proves nothing: anybody can make it");
	return error_set(err, CELLA_EUNSUPPORTED,
	                 "evidence of the kind %.20s is not verified here; snp, tdx and sgx are", name);
}

static bool knows(const json_t *names, enum crypto_hash hash)
{
	for (size_t i = 0; i < json_array_size(names); i++) {
		const char *name = json_string_value(json_array_get(names, i));
		if (name && strcmp(name, hash_names[hash]) == 0)
			return true;
	}
	return false;
}

/* The one that guests take where nothing is said, or another one of those that they know. */
static int choose_hash(const json_t *root, struct kbs_request *ret, struct error *err)
{
	static const enum crypto_hash order[] = {CRYPTO_SHA384, CRYPTO_SHA512, CRYPTO_SHA256};
	const json_t *names = json_object_get(json_object_get(root, "extra-params"),
	                                      "supported-hash-algorithms");
	ret->negotiates = json_is_array(names);
	ret->hash = CRYPTO_SHA384;
	for (size_t i = 0; ret->negotiates && i < array_count(order); i++)
		if (knows(names, order[i])) {
			ret->hash = order[i];
			return 0;
		}
	return ret->negotiates
	               ? error_set(err, CELLA_EUNSUPPORTED,
	                           "of \"supported-hash-algorithms\" none is sha384, sha512 or sha256")
	               : 0;
}

static int load(const void *body, size_t size, json_t **ret_root, struct error *err)
{
	json_t *root;
	int rc = claims_load(body ? body : "", size, &root, err);
	if (rc < 0)
		return rc;
	if (!json_is_object(root)) {
		json_decref(root);
		return error_set(err, CELLA_EFORMAT, "the body is no JSON object");
	}
	*ret_root = root;
	return 0;
}

int kbs_request_read(const void *body, size_t size, struct kbs_request *ret, struct error *err)
{
	struct kbs_request request = {0};
	json_t *root;
	int rc = load(body, size, &root, err);
	if (rc < 0)
		return rc;
	rc = read_version(root, &request.version, err);
	if (rc == 0)
		rc = read_tee(root, &request.tee, err);
	if (rc == 0)
		rc = choose_hash(root, &request, err);
	json_decref(root);
	if (rc == 0)
		*ret = request;
	return rc;
}

/* ---- the guest's key */

enum { MEMBERS_MAX = 5, NUMBER_MAX = JWK_RSA_BITS_MAX / 8 + 1 };

/* In the order of the alphabet. */
static const char *const rsa_members[] = {"alg", "e", "kty", "n", NULL};
static const char *const ec_members[] = {"alg", "crv", "kty", "x", "y", NULL};

static const char *member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* Exactly these, all of them texts: what is hashed is all of the key. */
static int check_members(const json_t *key, const char *const *names, struct error *err)
{
	size_t count = 0;
	for (; names[count]; count++)
		if (!member(key, names[count]))
			return error_set(err, CELLA_EFORMAT, "\"tee-pubkey\": \"%s\" is no text",
			                 names[count]);
	return json_object_size(key) == count
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "\"tee-pubkey\" has %zu members, not %zu",
	                           json_object_size(key), count);
}

static int read_number(const json_t *key, const char *name, uint8_t *to, size_t most, size_t *ret_size,
                       struct error *err)
{
	const char *text = member(key, name);
	const size_t size = base64url_bytes(strlen(text));
	if (size > most || !base64url_decode(text, strlen(text), to))
		return error_set(err, CELLA_EFORMAT,
		                 "\"tee-pubkey\": \"%s\" is no base64url of %zu bytes at most", name, most);
	*ret_size = size;
	return 0;
}

static int read_rsa(const json_t *key, struct jwk **ret, struct error *err)
{
	uint8_t n[NUMBER_MAX], e[NUMBER_MAX];
	size_t n_size, e_size;
	int rc = read_number(key, "n", n, sizeof(n), &n_size, err);
	if (rc == 0)
		rc = read_number(key, "e", e, sizeof(e), &e_size, err);
	return rc == 0 ? jwk_from_rsa(n, n_size, e, e_size, ret, err) : rc;
}

static int read_curve(const json_t *key, struct jwk **ret, struct error *err)
{
	uint8_t x[JWK_FIELD_MAX], y[JWK_FIELD_MAX];
	size_t x_size, y_size;
	enum jwk_kind kind = JWK_P256;
	while (kind < JWK_KINDS && strcmp(jwk_kind_name(kind), member(key, "crv")) != 0)
		kind++;
	if (kind == JWK_KINDS)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "\"tee-pubkey\": the curve %.20s; P-256, P-384 and P-521 are served",
		                 member(key, "crv"));
	int rc = read_number(key, "x", x, sizeof(x), &x_size, err);
	if (rc == 0)
		rc = read_number(key, "y", y, sizeof(y), &y_size, err);
	if (rc == 0 && (x_size != jwk_field_size(kind) || y_size != jwk_field_size(kind)))
		rc = error_set(err, CELLA_EFORMAT, "\"tee-pubkey\": coordinates of %s have %zu bytes",
		               jwk_kind_name(kind), jwk_field_size(kind));
	return rc == 0 ? jwk_from_point(kind, x, y, ret, err) : rc;
}

static int read_key(const json_t *key, struct jwk **ret, struct error *err)
{
	const char *type = member(key, "kty");
	const bool rsa = type && strcmp(type, "RSA") == 0;
	if (!rsa && (!type || strcmp(type, "EC") != 0))
		return error_set(err, CELLA_EUNSUPPORTED, "\"tee-pubkey\" is no JWK of RSA or EC");
	int rc = check_members(key, rsa ? rsa_members : ec_members, err);
	if (rc < 0)
		return rc;
	const char *wanted = jwe_algorithm(rsa ? JWK_RSA : JWK_P256), *algorithm = member(key, "alg");
	if (strcmp(algorithm, wanted) != 0)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "\"tee-pubkey\": %.24s is not served for %s, %s is%s", algorithm, type,
		                 wanted,
		                 strcmp(algorithm, "RSA1_5") == 0 ? ": its padding lets others find out keys"
		                                                  : "");
	return rsa ? read_rsa(key, ret, err) : read_curve(key, ret, err);
}

/* ---- runtime data */

/* RFC 8785, section 3.2.2.2; the text is UTF-8, as jansson has seen to. */
static void put_text(struct buf *to, const char *text, size_t size)
{
	static const char short_forms[] = "btn?fr"; /* of 8 to 13 */
	buf_put_u8(to, '"');
	for (size_t i = 0; i < size; i++) {
		const uint8_t c = (uint8_t)text[i];
		if (c == '"' || c == '\\')
			buf_printf(to, "\\%c", c);
		else if (c >= 8 && c <= 13 && c != 11)
			buf_printf(to, "\\%c", short_forms[c - 8]);
		else if (c < ' ')
			buf_printf(to, "\\u%04x", c);
		else
			buf_put_u8(to, c);
	}
	buf_put_u8(to, '"');
}

static void put_member(struct buf *to, const char *before, const char *name, const char *text, size_t size)
{
	buf_printf(to, "%s\"%s\":", before, name);
	put_text(to, text, size);
}

static void put_key(struct buf *to, const json_t *key)
{
	const char *const *names = json_object_get(key, "crv") ? ec_members : rsa_members;
	for (size_t i = 0; names[i]; i++) {
		const json_t *text = json_object_get(key, names[i]);
		put_member(to, i ? "," : "{", names[i], json_string_value(text), json_string_length(text));
	}
	buf_put_u8(to, '}');
}

/* `additional`: from protocol 0.4.0 on, "" where there is none; NULL: before. */
static void put_runtime(struct buf *to, const json_t *additional, const char *nonce, const json_t *key)
{
	if (additional)
		put_member(to, "{", "additional-evidence", json_string_value(additional),
		           json_string_length(additional));
	put_member(to, additional ? "," : "{", "nonce", nonce, strlen(nonce));
	buf_printf(to, ",\"tee-pubkey\":");
	put_key(to, key);
	buf_put_u8(to, '}');
}

/* ---- the attestation */

void kbs_attestation_done(struct kbs_attestation *a)
{
	json_decref(a->key_json);
	jwk_free(a->key);
	buf_done(&a->runtime);
	kbs_evidence_done(&a->evidence);
	*a = (struct kbs_attestation){0};
}

static int read_nonce(const json_t *runtime, struct kbs_attestation *a, struct error *err)
{
	const char *nonce = member(runtime, "nonce");
	if (!nonce || strlen(nonce) > KBS_NONCE_MAX)
		return error_set(err, CELLA_EFORMAT,
		                 "\"runtime-data\": \"nonce\" is no text of %d characters at most",
		                 KBS_NONCE_MAX);
	a->has_nonce = true;
	memcpy(a->nonce, nonce, strlen(nonce) + 1);
	return 0;
}

static int find_key(const json_t *root, struct kbs_attestation *a, struct error *err)
{
	const json_t *runtime = json_object_get(root, "runtime-data");
	json_t *key = json_object_get(runtime ? runtime : root, "tee-pubkey");
	if (!json_is_object(key))
		return error_set(err, CELLA_EFORMAT, "there is no \"tee-pubkey\"");
	a->key_json = json_incref(key);
	int rc = runtime ? read_nonce(runtime, a, err) : 0;
	return rc == 0 ? read_key(key, &a->key, err) : rc;
}

/* What the processor says, and what its devices say, whose evidence is under the hash and is not judged. */
static int find_evidence(const json_t *root, const json_t **ret_primary, const json_t **ret_additional,
                         struct error *err)
{
	const json_t *evidence = json_object_get(root, "tee-evidence");
	const json_t *primary = json_object_get(evidence, "primary_evidence");
	const json_t *additional = json_object_get(evidence, "additional_evidence");
	if (!evidence)
		return error_set(err, CELLA_EFORMAT, "there is no \"tee-evidence\"");
	if (primary && !json_is_string(additional))
		return error_set(err, CELLA_EFORMAT, "\"additional_evidence\" is no text");
	*ret_primary = primary ? primary : evidence;
	*ret_additional = primary ? additional : NULL;
	return 0;
}

static int read_attestation(enum tee_kind tee, const char *nonce, const json_t *root,
                            struct kbs_attestation *ret, struct error *err)
{
	const json_t *primary = NULL, *additional = NULL;
	int rc = find_key(root, ret, err);
	if (rc == 0)
		rc = find_evidence(root, &primary, &additional, err);
	if (rc < 0)
		return rc;
	put_runtime(&ret->runtime, additional, nonce, ret->key_json);
	if (ret->runtime.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for runtime data");
	rc = kbs_evidence_read(tee, primary, &ret->evidence, err);
	return rc < 0 ? error_prefix(err, rc, "\"tee-evidence\": ") : 0;
}

int kbs_attestation_read(enum tee_kind tee, const char *nonce, const void *body, size_t size,
                         struct kbs_attestation *ret, struct error *err)
{
	json_t *root = NULL;
	*ret = (struct kbs_attestation){0};
	int rc = load(body, size, &root, err);
	if (rc == 0)
		rc = read_attestation(tee, nonce, root, ret, err);
	json_decref(root);
	return rc;
}
