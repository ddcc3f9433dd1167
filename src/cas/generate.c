#include "cas/generate.h"

#include <string.h>

#include "base/cleanup.h"
#include "crypto/x509.h"

enum { SERVICE_DAYS = 365, DAY_S = 86400, BEFORE_S = 300 };

struct generator {
	struct records *r;
	const char *name;
	const struct session *session;
	uint64_t now_ns;
};

static int keep(const struct generator *g, const struct session_secret *s, const void *data, size_t size,
                struct error *err)
{
	uint64_t version;
	return records_secret_put(g->r, g->name, s->name, s->kind, data, size, g->now_ns, &version, err);
}

/* ---- bytes and characters */

/* Each character is as likely as any other: bytes beyond a multiple of their number are drawn anew. */
static int draw_characters(char *to, size_t size, struct error *err)
{
	static const char characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	enum { COUNT = sizeof(characters) - 1 };
	static_assert(256 % COUNT == 0, "no byte is drawn anew");
	int rc = crypto_random(to, size, err);
	for (size_t i = 0; i < size; i++)
		to[i] = characters[(uint8_t)to[i] % COUNT];
	return rc;
}

static int generate_bytes(const struct generator *g, const struct session_secret *s, struct error *err)
{
	uint8_t bytes[SESSION_GENERATED_MAX];
	size_t size = (size_t)s->size;
	int rc = s->kind == SESSION_ASCII ? draw_characters((char *)bytes, size, err)
	                                  : crypto_random(bytes, size, err);
	if (rc == 0)
		rc = keep(g, s, bytes, size, err);
	mem_wipe(bytes, sizeof(bytes));
	return rc;
}

/* ---- keys */

static int generate_private_key(const struct generator *g, const struct session_secret *s, struct error *err)
{
	struct cert_key *key = NULL;
	char pem[CERT_KEY_PEM_MAX];
	size_t size;
	int rc = cert_key_generate(&key, err);
	if (rc == 0)
		rc = cert_key_write(key, pem, &size, err);
	if (rc == 0)
		rc = keep(g, s, pem, size, err);
	mem_wipe(pem, sizeof(pem));
	cert_key_free(key);
	return rc;
}

/* A secret of this session that is given or was generated before: what it holds, until records_secret_done.
 * */
static int find(const struct generator *g, const char *name, struct records_secret *ret_secret,
                struct error *err)
{
	const struct session_secret *s = session_secret(g->session, name);
	*ret_secret = (struct records_secret){0};
	if (s && s->origin == SESSION_GIVEN) {
		ret_secret->data = s->value;
		ret_secret->size = s->value_size;
		return 0;
	}
	if (!s || s->origin == SESSION_IMPORTED)
		return error_set(err, CELLA_EINVAL,
		                 "what is generated cannot be made from %s, which is imported", name);
	return records_secret_get(g->r, g->name, name, 0, ret_secret, err);
}

static int find_key(const struct generator *g, const char *name, struct cert_key **ret_key, struct error *err)
{
	struct records_secret secret;
	int rc = find(g, name, &secret, err);
	if (rc == 0)
		rc = cert_key_read(secret.data, secret.size, ret_key, err);
	records_secret_done(&secret);
	return rc < 0 ? error_prefix(err, rc == CELLA_EFORMAT ? CELLA_EINVAL : rc, "the secret %s: ", name)
	              : 0;
}

static int generate_public_key(const struct generator *g, const struct session_secret *s, struct error *err)
{
	struct cert_key *key = NULL;
	cleanup_buf struct buf pem = {0};
	int rc = find_key(g, s->private_key, &key, err);
	if (rc == 0)
		rc = cert_key_write_public(key, &pem, err);
	if (rc == 0)
		rc = keep(g, s, pem.data, pem.size, err);
	cert_key_free(key);
	return rc;
}

/* ---- certificates */

static struct cert_shape shape_of(const struct generator *g, const struct session_secret *s,
                                  struct cert_name names[CERT_NAMES_MAX])
{
	int64_t now = (int64_t)(g->now_ns / 1000000000u);
	size_t count = min_of(s->dns.count, (size_t)CERT_NAMES_MAX);
	for (size_t i = 0; i < count; i++)
		names[i] = (struct cert_name){CERT_DNS, s->dns.items[i]};
	return (struct cert_shape){
		.common_name = s->common_name ? s->common_name : s->name,
		.names = names,
		.name_count = count,
		.use = (s->use & SESSION_FOR_SERVER ? CERT_FOR_SERVER : 0) |
	               (s->use & SESSION_FOR_CLIENT ? CERT_FOR_CLIENT : 0),
		.not_before = now - BEFORE_S,
		.not_after = now + (int64_t)(s->valid_s ? s->valid_s : (uint64_t)SERVICE_DAYS * DAY_S),
	};
}

/* What a session says of the holder goes into a certificate under the issuer's key. */
static int issue(const struct generator *g, const struct session_secret *s, const struct cert_key *key,
                 struct cert **ret_cert, struct error *err)
{
	const struct session_secret *issuer = session_secret(g->session, s->issuer);
	struct cert_name names[CERT_NAMES_MAX];
	struct cert_shape shape = shape_of(g, s, names);
	struct records_secret stored;
	struct cert *chain[CERT_CHAIN_MAX] = {NULL};
	struct cert_key *ca_key = NULL;
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t count = 0, size;
	int rc = cert_key_public(key, public_key, &size, err);
	if (rc == 0)
		rc = find_key(g, issuer->private_key, &ca_key, err);
	if (rc == 0)
		rc = find(g, s->issuer, &stored, err);
	if (rc == 0) {
		rc = cert_read_pem(stored.data, stored.size, chain, &count, err);
		records_secret_done(&stored);
	}
	if (rc == 0)
		rc = cert_issue(ca_key, chain[0], public_key, size, &shape, ret_cert, err);
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
	cert_key_free(ca_key);
	return rc;
}

static int generate_certificate(const struct generator *g, const struct session_secret *s, struct error *err)
{
	struct cert_name names[CERT_NAMES_MAX];
	struct cert_shape shape = shape_of(g, s, names);
	struct cert_key *key = NULL;
	struct cert *cert = NULL;
	cleanup_buf struct buf pem = {0};
	int rc = find_key(g, s->private_key, &key, err);
	if (rc == 0 && s->kind == SESSION_X509_CA)
		rc = cert_make_ca(key, &shape, &cert, err);
	else if (rc == 0 && s->issuer)
		rc = issue(g, s, key, &cert, err);
	else if (rc == 0)
		rc = cert_make_self_signed(key, &shape, &cert, err);
	if (rc == 0)
		rc = cert_write_pem(cert, &pem, err);
	if (rc == 0)
		rc = keep(g, s, pem.data, pem.size, err);
	cert_free(cert);
	cert_key_free(key);
	return rc;
}

/* Each kind needs those before it. */
static const struct {
	enum session_kind kind;
	int (*generate)(const struct generator *g, const struct session_secret *s, struct error *err);
} makers[] = {
	{SESSION_ASCII, generate_bytes},
	{SESSION_BINARY, generate_bytes},
	{SESSION_PRIVATE_KEY, generate_private_key},
	{SESSION_PUBLIC_KEY, generate_public_key},
	{SESSION_X509_CA, generate_certificate},
	{SESSION_X509, generate_certificate},
};

static int generate_missing(const struct generator *g, const struct session_secret *s,
                            int (*generate)(const struct generator *, const struct session_secret *,
                                            struct error *),
                            struct error *err)
{
	struct records_secret there;
	int rc = records_secret_get(g->r, g->name, s->name, 0, &there, err);
	if (rc == 0) {
		bool same = there.kind == (uint32_t)s->kind;
		records_secret_done(&there);
		if (same)
			return 0;
	} else if (rc != CELLA_ENOENT) {
		return rc;
	}
	rc = generate(g, s, err);
	return rc < 0 ? error_prefix(err, rc, "generating the secret %s: ", s->name) : 0;
}

int secrets_generate(struct records *r, const char *name, const struct session *session, uint64_t now_ns,
                     struct error *err)
{
	const struct generator g = {r, name, session, now_ns};
	int rc = 0;
	for (size_t k = 0; k < array_count(makers); k++)
		for (size_t i = 0; rc == 0 && i < session->secret_count; i++) {
			const struct session_secret *s = &session->secrets[i];
			if (s->origin == SESSION_GENERATED && s->kind == makers[k].kind)
				rc = generate_missing(&g, s, makers[k].generate, err);
		}
	return rc;
}
