#include "cas/own_keys.h"

#include <string.h>

#include "base/cleanup.h"
#include "cas/service_state.h"

struct own_key {
	const char *name, *what; /* in the records, and for the audit log */
	enum session_kind kind;
	const void *bytes;
	size_t size;
};

static int keep_key(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct own_key *key = arg;
	uint64_t version;
	event->kind = AUDIT_SECRET_SET;
	event->what = key->what;
	return records_secret_put(r, CAS_OWN_SESSION, key->name, key->kind, key->bytes, key->size, 0,
	                          &version, err);
}

/* ---- the key that clients pin */

static void make_tls_key(struct cas_desk *desk, void *arg)
{
	struct cas_change *change = arg;
	struct cas *cas = desk->cas;
	char pem[CERT_KEY_PEM_MAX];
	struct own_key key = {.name = OWN_TLS_KEY,
	                      .what = "{\"secret\": \"the key of the CAS's certificate\"}",
	                      .kind = SESSION_PRIVATE_KEY,
	                      .bytes = pem};
	change->rc = cert_key_generate(&cas->tls_key, change->err);
	if (change->rc == 0)
		change->rc = cert_key_write(cas->tls_key, pem, &key.size, change->err);
	if (change->rc < 0)
		return;
	struct cas_change keep = {.make = keep_key, .arg = &key};
	change->rc = cas_commit(cas, &keep, change->err);
}

static int load_tls_key(struct cas *cas, struct error *err)
{
	struct records_secret secret;
	int rc = records_secret_get(cas->records, CAS_OWN_SESSION, OWN_TLS_KEY, 0, &secret, err);
	if (rc == CELLA_ENOENT) {
		struct cas_change made = {.err = err};
		cas_at_desk(cas, make_tls_key, &made);
		rc = made.rc;
	} else if (rc == 0) {
		rc = cert_key_read(secret.data, secret.size, &cas->tls_key, err);
		records_secret_done(&secret);
	}
	return rc == 0 ? cert_key_hash(cas->tls_key, cas->key_hash, err) : rc;
}

/* ---- what grants' data keys come from */

static int make_grant_key(struct cas *cas, struct error *err)
{
	struct own_key key = {.name = OWN_GRANT_KEY,
	                      .what = "{\"secret\": \"the key that data keys of grants come from\"}",
	                      .kind = SESSION_BINARY,
	                      .bytes = cas->grant_key,
	                      .size = CRYPTO_KEY_SIZE};
	struct cas_change keep = {.make = keep_key, .arg = &key};
	int rc = crypto_random(cas->grant_key, CRYPTO_KEY_SIZE, err);
	return rc == 0 ? cas_commit(cas, &keep, err) : rc;
}

static int load_grant_key(struct cas *cas, struct error *err)
{
	struct records_secret secret;
	cas->grant_key = mem_alloc(cas->records_pool, CRYPTO_KEY_SIZE);
	if (!cas->grant_key)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the CAS's keys");
	int rc = records_secret_get(cas->records, CAS_OWN_SESSION, OWN_GRANT_KEY, 0, &secret, err);
	if (rc == CELLA_ENOENT)
		return make_grant_key(cas, err);
	if (rc < 0)
		return rc;
	if (secret.size == CRYPTO_KEY_SIZE)
		memcpy(cas->grant_key, secret.data, CRYPTO_KEY_SIZE);
	else
		rc = error_set(err, CELLA_EFORMAT, "the CAS's grant key has %zu bytes", secret.size);
	records_secret_done(&secret);
	return rc;
}

/* ---- the CA of cells' identities: its private key, then its certificate, as PEM in one secret */

enum { CA_BEFORE_S = 30 * 86400, CA_DAYS = 3653, CA_PEM_MAX = 4096 };

static int make_ca(struct cas *cas, struct error *err)
{
	const int64_t now = (int64_t)(cas_now_ns(cas) / 1000000000u);
	const struct cert_shape shape = {.common_name = "Cella identity CA",
	                                 .not_before = now - CA_BEFORE_S,
	                                 .not_after = now + (int64_t)CA_DAYS * 86400};
	int rc = cert_key_generate(&cas->identity_key, err);
	return rc == 0 ? cert_make_ca(cas->identity_key, &shape, &cas->identity_ca, err) : rc;
}

/* On the desk's stack. */
static void make_identity(struct cas_desk *desk, void *arg)
{
	struct cas_change *change = arg;
	struct cas *cas = desk->cas;
	cleanup_buf struct buf certificate = {0};
	char pem[CERT_KEY_PEM_MAX + CA_PEM_MAX];
	struct own_key key = {.name = OWN_IDENTITY,
	                      .what = "{\"secret\": \"the CA of cells' identities\"}",
	                      .kind = SESSION_X509_CA,
	                      .bytes = pem};
	change->rc = make_ca(cas, change->err);
	if (change->rc == 0)
		change->rc = cert_key_write(cas->identity_key, pem, &key.size, change->err);
	if (change->rc == 0)
		change->rc = cert_write_pem(cas->identity_ca, &certificate, change->err);
	if (change->rc < 0)
		return;
	if (!certificate.data || certificate.size > CA_PEM_MAX) {
		change->rc = error_set(change->err, CELLA_EBUG, "a CA's certificate takes %zu bytes",
		                       certificate.size);
		return;
	}
	memcpy(pem + key.size, certificate.data, certificate.size);
	key.size += certificate.size;
	struct cas_change keep = {.make = keep_key, .arg = &key};
	change->rc = cas_commit(cas, &keep, change->err);
}

static int read_identity(struct cas *cas, const void *pem, size_t size, struct error *err)
{
	struct cert *chain[CERT_CHAIN_MAX];
	size_t count = 0;
	int rc = cert_key_read(pem, size, &cas->identity_key, err);
	if (rc == 0)
		rc = cert_read_pem(pem, size, chain, &count, err);
	if (rc < 0)
		return error_prefix(err, rc, "the CA of cells' identities: ");
	cas->identity_ca = chain[0];
	for (size_t i = 1; i < count; i++)
		cert_free(chain[i]);
	return 0;
}

static int load_identity(struct cas *cas, struct error *err)
{
	struct records_secret secret;
	int rc = records_secret_get(cas->records, CAS_OWN_SESSION, OWN_IDENTITY, 0, &secret, err);
	if (rc == CELLA_ENOENT) {
		struct cas_change made = {.err = err};
		cas_at_desk(cas, make_identity, &made);
		return made.rc;
	}
	if (rc < 0)
		return rc;
	rc = read_identity(cas, secret.data, secret.size, err);
	records_secret_done(&secret);
	return rc;
}

/* ---- all of them */

int own_keys_load(struct cas *cas, struct error *err)
{
	int rc = load_tls_key(cas, err);
	if (rc == 0)
		rc = load_grant_key(cas, err);
	return rc == 0 ? load_identity(cas, err) : rc;
}
