/*
 * Certificates. Is what is made accepted where it should be, by OpenSSL's own tool's reading too, and is
 * every departure refused with both values in the error: time, pin, CA, use, name, kind of key, malformed
 * bytes?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509_vfy.h>

#include "base/attributes.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"
#include "crypto/x509_openssl.h"

enum { HOUR = 3600, DAY = 24 * HOUR };
static const int64_t now = 1795921200; /* 2026-11-29T03:00:00Z */

static struct world {
	struct mem_pool *pool;
	struct cert_key *ca_key, *key, *other_key;
	struct cert *ca, *other_ca; /* the second has the same subject and another key */
} w;

static int64_t at(int64_t offset)
{
	return now + offset;
}

static struct cert *issue(const struct cert_key *ca_key, const struct cert *ca, const struct cert_key *key,
                          const struct cert_shape *shape)
{
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	struct error err = {0};
	struct cert *cert = NULL;
	assert_int_equal(cert_key_public(key, public_key, &size, NULL), 0);
	if (cert_issue(ca_key, ca, public_key, size, shape, &cert, &err) < 0)
		fail_msg("%s", err.text);
	return cert;
}

static int set_up(void **state not_used)
{
	const struct cert_shape ca = {.common_name = "test CA", .not_before = at(-DAY), .not_after = at(DAY)};
	if (mem_pool_new(MEM_SECRET, 8 << 20, &w.pool, NULL) < 0 &&
	    mem_pool_new(MEM_INSECURE_NONE, 8 << 20, &w.pool, NULL) < 0)
		return -1;
	assert_int_equal(crypto_init(w.pool, NULL), 0);
	assert_int_equal(cert_key_generate(&w.ca_key, NULL), 0);
	assert_int_equal(cert_key_generate(&w.key, NULL), 0);
	assert_int_equal(cert_key_generate(&w.other_key, NULL), 0);
	assert_int_equal(cert_make_ca(w.ca_key, &ca, &w.ca, NULL), 0);
	return cert_make_ca(w.other_key, &ca, &w.other_ca, NULL);
}

static int tear_down(void **state not_used)
{
	cert_free(w.ca);
	cert_free(w.other_ca);
	cert_key_free(w.ca_key);
	cert_key_free(w.key);
	cert_key_free(w.other_key);
	OPENSSL_cleanup(); /* a search for leaks does not look into protected memory */
	return 0;
}

static const struct cert_name names[] = {
	{CERT_DNS, "cas.example"},
	{CERT_IP, "192.0.2.7"},
	{CERT_IP, "2001:db8::7"},
	{CERT_URI, "cella://hospital/classify/server"},
};

static struct cert_shape leaf_shape(void)
{
	return (struct cert_shape){.common_name = "leaf",
	                           .names = names,
	                           .name_count = array_count(names),
	                           .use = CERT_FOR_SERVER | CERT_FOR_CLIENT,
	                           .not_before = at(-60),
	                           .not_after = at(HOUR)};
}

static void test_key_text(void **state not_used)
{
	char pem[CERT_KEY_PEM_MAX], hash[CERT_KEY_HASH_SIZE], same[CERT_KEY_HASH_SIZE];
	size_t size;
	struct cert_key *read;
	assert_int_equal(cert_key_hash(w.key, hash, NULL), 0);
	assert_int_equal(cert_key_write(w.key, pem, &size, NULL), 0);
	assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----\n", 28);
	assert_int_equal(cert_key_read(pem, size, &read, NULL), 0);
	assert_int_equal(cert_key_hash(read, same, NULL), 0);
	assert_string_equal(hash, same);
	cert_key_free(read);
	for (size_t cut = 0; cut < size - 3; cut++)
		assert_int_equal(cert_key_read(pem, cut, &read, NULL), CELLA_EFORMAT);
	mem_wipe(pem, sizeof(pem));
}

/* A vector: the key of the certificate below, its hash by
 * openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum. */
static void test_hash_vector(void **state not_used)
{
	static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
				  "MIIBoTCCAUegAwIBAgIUOJTnhCsm57lDScxudNE6y/nL6oswCgYIKoZIzj0EAwIw\n"
				  "ETEPMA0GA1UEAwwGdmVjdG9yMB4XDTI2MTEyOTAzNDEzOFoXDTM2MTEyNjAzNDEz\n"
				  "OFowETEPMA0GA1UEAwwGdmVjdG9yMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
				  "P5nypRhlmd3mfLo6w2o/WqgqDtGzQUqJ6GniYYNRg0olcFD4pvJxyJ0f59MRfP7m\n"
				  "J27gbwCm7AFLByX58wXq3qN9MHswHQYDVR0OBBYEFLL5fm9a7YqYnnZWicilgqff\n"
				  "KxRGMB8GA1UdIwQYMBaAFLL5fm9a7YqYnnZWicilgqffKxRGMA8GA1UdEwEB/wQF\n"
				  "MAMBAf8wKAYDVR0RBCEwH4IOdmVjdG9yLmV4YW1wbGWGDWNlbGxhOi8vYS9iL2Mw\n"
				  "CgYIKoZIzj0EAwIDSAAwRQIgA3WyPMDI5Ul4b9Ew2sUueVSU5adaaPwCxnGP2u0o\n"
				  "xVECIQC/XhNTcF0AZPyrO2Omg9MbZJ0nflXuS49YA+oBlCwQTA==\n"
				  "-----END CERTIFICATE-----\n";
	struct cert *chain[CERT_CHAIN_MAX];
	struct cert_facts facts;
	size_t count;
	assert_int_equal(cert_read_pem(pem, strlen(pem), chain, &count, NULL), 0);
	assert_int_equal(count, 1);
	assert_int_equal(cert_describe(chain[0], &facts, NULL), 0);
	assert_string_equal(facts.key_hash,
	                    "d2b4f74e5bc5315fe0fe6cadcac50426ffc3fde5f6254117b03b61cab79e7e17");
	assert_string_equal(facts.common_name, "vector");
	assert_int_equal(facts.not_before, 1795923698);
	assert_int_equal(facts.not_after, 2111283698);
	assert_int_equal(facts.names.count, 2);
	assert_string_equal(cert_names_first(&facts.names, CERT_URI), "cella://a/b/c");
	assert_string_equal(cert_names_first(&facts.names, CERT_DNS), "vector.example");
	assert_null(cert_names_first(&facts.names, CERT_IP));
	cert_free(chain[0]);
}

static void test_describe(void **state not_used)
{
	const struct cert_shape shape = leaf_shape();
	struct cert *cert = issue(w.ca_key, w.ca, w.key, &shape);
	struct cert_facts facts, ca;
	char hash[CERT_KEY_HASH_SIZE];
	assert_int_equal(cert_describe(cert, &facts, NULL), 0);
	assert_int_equal(cert_key_hash(w.key, hash, NULL), 0);
	assert_string_equal(facts.key_hash, hash);
	assert_string_equal(facts.common_name, "leaf");
	assert_false(facts.ca);
	assert_false(facts.self_issued);
	assert_int_equal(facts.not_before, shape.not_before);
	assert_int_equal(facts.not_after, shape.not_after);
	assert_int_equal(facts.names.count, array_count(names));
	for (size_t i = 0; i < array_count(names); i++) {
		assert_int_equal(facts.names.names[i].kind, names[i].kind);
		assert_string_equal(facts.names.names[i].text, names[i].text);
		assert_true(cert_names_have(&facts.names, &names[i]));
	}
	assert_true(cert_names_have(&facts.names, &(struct cert_name){CERT_DNS, "CAS.example"}));
	assert_true(cert_names_have(&facts.names, &(struct cert_name){CERT_IP, "2001:DB8:0::7"}));
	assert_false(cert_names_have(&facts.names, &(struct cert_name){CERT_URI, "cas.example"}));
	assert_false(cert_names_have(&facts.names, &(struct cert_name){CERT_DNS, "192.0.2.7"}));
	assert_false(cert_names_have(&facts.names, &(struct cert_name){CERT_IP, "no address"}));
	assert_int_equal(cert_describe(w.ca, &ca, NULL), 0);
	assert_true(ca.ca);
	assert_true(ca.self_issued);
	cert_free(cert);
}

static int verify_with_crl(const struct cert *leaf, const struct buf *crl, int64_t when)
{
	const unsigned char *der = crl->data;
	X509_CRL *list = d2i_X509_CRL(NULL, &der, (long)crl->size);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	assert_non_null(list);
	assert_true(X509_STORE_add_cert(store, w.ca->x509) > 0 && X509_STORE_add_crl(store, list) > 0);
	assert_true(X509_STORE_CTX_init(context, store, leaf->x509, NULL) > 0);
	X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(param, (time_t)when);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_X509_STRICT);
	int verdict = X509_verify_cert(context) == 1 ? 0 : X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	X509_CRL_free(list);
	return verdict;
}

static void serial_of(const struct cert *cert, uint8_t ret_serial[CERT_SERIAL_SIZE])
{
	struct cert_facts facts;
	assert_int_equal(cert_describe(cert, &facts, NULL), 0);
	assert_int_equal(strlen(facts.serial), 2 * CERT_SERIAL_SIZE);
	assert_true(io_unhex(facts.serial, CERT_SERIAL_SIZE, ret_serial));
}

/* Does a verifier of RFC 5280, which OpenSSL is, refuse what the list names, and nothing else? */
static void test_crl(void **state not_used)
{
	const struct cert_shape shape = leaf_shape();
	struct cert *good = issue(w.ca_key, w.ca, w.key, &shape), *bad = issue(w.ca_key, w.ca, w.key, &shape);
	struct cert_revoked revoked[2] = {{.since = at(-5)}, {.since = at(-9)}};
	struct cert_crl_shape list = {.revoked = revoked,
	                              .number = 1795921200000,
	                              .this_update = now,
	                              .next_update = at(HOUR / 2)};
	cleanup_buf struct buf none = {0}, two = {0};
	struct error err;
	serial_of(bad, revoked[0].serial);
	memset(revoked[1].serial, 0x41, sizeof(revoked[1].serial));
	assert_int_equal(cert_make_crl(w.ca_key, w.ca, &list, &none, &err), 0);
	list.count = 2;
	assert_int_equal(cert_make_crl(w.ca_key, w.ca, &list, &two, &err), 0);
	assert_int_equal(verify_with_crl(bad, &none, now), 0); /* the control */
	assert_int_equal(verify_with_crl(bad, &two, now), X509_V_ERR_CERT_REVOKED);
	assert_int_equal(verify_with_crl(good, &two, now), 0);
	assert_int_equal(verify_with_crl(good, &two, at(HOUR / 2) - 1), 0);
	assert_int_equal(verify_with_crl(good, &two, at(HOUR / 2) + 1), X509_V_ERR_CRL_HAS_EXPIRED);
	assert_int_equal(verify_with_crl(good, &none, at(-1)), X509_V_ERR_CRL_NOT_YET_VALID);
	two.data[two.size - 1] ^= 1;
	assert_int_equal(verify_with_crl(good, &two, now), X509_V_ERR_CRL_SIGNATURE_FAILURE);
	assert_int_equal(cert_make_crl(w.other_key, w.ca, &list, &two, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "the CA's certificate is for the key"));
	cert_free(good);
	cert_free(bad);
}

/* DER and PEM, cut and changed: an error, never a crash, and nothing changed is accepted. */
static void test_text(void **state not_used)
{
	const struct cert_shape shape = leaf_shape();
	struct cert *cert = issue(w.ca_key, w.ca, w.key, &shape), *read, *chain[CERT_CHAIN_MAX];
	cleanup_buf struct buf der = {0}, pem = {0};
	size_t count;
	assert_int_equal(cert_write_der(cert, &der, NULL), 0);
	assert_int_equal(cert_write_pem(cert, &pem, NULL), 0);
	assert_int_equal(cert_write_pem(w.ca, &pem, NULL), 0);
	assert_int_equal(cert_read_pem(pem.data, pem.size, chain, &count, NULL), 0);
	assert_int_equal(count, 2);
	cert_free(chain[0]);
	cert_free(chain[1]);
	for (size_t cut = 0; cut < der.size; cut++)
		assert_int_equal(cert_read_der(der.data, cut, &read, NULL), CELLA_EFORMAT);
	const struct cert *cas[] = {w.ca};
	const struct cert_rule rule = {.now = now,
	                               .use = CERT_FOR_SERVER,
	                               .cas = cas,
	                               .ca_count = 1,
	                               .name = &names[0]};
	unsigned passed = 0;
	for (size_t i = 0; i < der.size; i++) {
		der.data[i] ^= 1;
		if (cert_read_der(der.data, der.size, &read, NULL) == 0) {
			const struct cert *one[] = {read};
			passed += cert_check(one, 1, &rule, NULL) == 0;
			cert_free(read);
		}
		der.data[i] ^= 1;
	}
	assert_int_equal(passed, 0);
	const struct cert *one[] = {cert};
	assert_int_equal(cert_check(one, 1, &rule, NULL), 0); /* the control */
	for (int i = 0; i < 4; i++)
		assert_int_equal(cert_write_pem(w.ca, &pem, NULL), 0);
	assert_int_equal(cert_read_pem(pem.data, pem.size, chain, &count, NULL), CELLA_ELIMIT);
	buf_done(&pem);
	buf_put(&pem, "no certificate", 14);
	assert_int_equal(cert_read_pem(pem.data, pem.size, chain, &count, NULL), CELLA_EFORMAT);
	cert_free(cert);
}

static void assert_refused(const struct cert *const *chain, size_t count, const struct cert_rule *rule,
                           const char *says)
{
	struct error err = {0};
	assert_int_equal(cert_check(chain, count, rule, &err), CELLA_EAUTH);
	if (!strstr(err.text, says))
		fail_msg("it says \"%s\", not \"%s\"", err.text, says);
}

static void test_pin(void **state not_used)
{
	struct cert_shape shape = leaf_shape();
	char hash[CERT_KEY_HASH_SIZE], other[CERT_KEY_HASH_SIZE];
	struct cert *cert;
	assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, NULL), 0);
	assert_int_equal(cert_key_hash(w.key, hash, NULL), 0);
	assert_int_equal(cert_key_hash(w.other_key, other, NULL), 0);
	const struct cert *chain[] = {cert};
	struct cert_rule rule = {.now = now, .use = CERT_FOR_SERVER, .key_hash = hash};
	assert_int_equal(cert_check(chain, 1, &rule, NULL), 0);
	rule.key_hash = other;
	assert_refused(chain, 1, &rule, hash);
	assert_refused(chain, 1, &rule, other);
	rule.key_hash = hash;
	rule.now = shape.not_after + 1;
	assert_refused(chain, 1, &rule,
	               "has expired: it is valid from 2026-11-29T02:59:00Z to "
	               "2026-11-29T04:00:00Z, and here it is 2026-11-29T04:00:01Z");
	rule.now = shape.not_before - 1;
	assert_refused(chain, 1, &rule, "not valid yet");
	rule.now = shape.not_before;
	assert_int_equal(cert_check(chain, 1, &rule, NULL), 0);
	rule.now = shape.not_after;
	assert_int_equal(cert_check(chain, 1, &rule, NULL), 0);
	cert_free(cert);
	shape.use = CERT_FOR_CLIENT;
	assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, NULL), 0);
	chain[0] = cert;
	assert_refused(chain, 1, &rule, "is not for a server");
	assert_refused(chain, 0, &rule, "0 certificates");
	cert_free(cert);
}

static void test_ca(void **state not_used)
{
	struct cert_shape shape = leaf_shape();
	char pin[CERT_KEY_HASH_SIZE], other_pin[CERT_KEY_HASH_SIZE];
	struct cert *leaf = issue(w.ca_key, w.ca, w.key, &shape), *client;
	const struct cert *chain[] = {leaf, w.ca}, *wrong[] = {leaf, w.other_ca};
	const struct cert *cas[] = {w.other_ca, w.ca}, *others[] = {w.other_ca};
	assert_int_equal(cert_key_hash(w.ca_key, pin, NULL), 0);
	assert_int_equal(cert_key_hash(w.other_key, other_pin, NULL), 0);
	struct cert_rule by_pin = {.now = now, .use = CERT_FOR_SERVER, .ca_key_hash = pin, .name = &names[0]};
	struct cert_rule by_ca = {.now = now, .use = CERT_FOR_CLIENT, .cas = cas, .ca_count = 2};
	assert_int_equal(cert_check(chain, 2, &by_pin, NULL), 0);
	assert_int_equal(cert_check(chain, 1, &by_ca, NULL), 0);
	assert_int_equal(cert_check(chain, 2, &by_ca, NULL), 0);
	for (size_t i = 0; i < array_count(names); i++) {
		by_pin.name = &names[i];
		assert_int_equal(cert_check(chain, 2, &by_pin, NULL), 0);
	}
	by_pin.name = &(struct cert_name){CERT_URI, "cella://hospital/classify/other"};
	assert_refused(chain, 2, &by_pin,
	               "is to bear the URI cella://hospital/classify/other, and it bears "
	               "cas.example, 192.0.2.7, 2001:db8::7, "
	               "cella://hospital/classify/server");
	by_pin.name = &names[0];
	assert_refused(chain, 1, &by_pin, pin);
	assert_refused(wrong, 2, &by_pin, other_pin);
	by_pin.ca_key_hash = other_pin; /* a CA that calls itself the same and has not signed it */
	assert_refused(wrong, 2, &by_pin, "");
	by_ca.cas = others;
	by_ca.ca_count = 1;
	assert_refused(chain, 2, &by_ca, "");
	by_ca.cas = cas;
	by_ca.ca_count = 2;
	by_ca.now = shape.not_after + 1;
	assert_refused(chain, 1, &by_ca, "the certificate has expired");
	by_ca.now = at(2 * DAY);
	assert_refused(chain, 2, &by_ca, "has expired");
	by_ca.now = now;
	shape.use = CERT_FOR_SERVER;
	client = issue(w.ca_key, w.ca, w.key, &shape);
	chain[0] = client;
	assert_refused(chain, 2, &by_ca, "is not for a client");
	by_ca.ca_count = 0;
	assert_refused(chain, 2, &by_ca, "neither a pin nor a CA");
	cert_free(client);
	cert_free(leaf);
}

/* Who has a certificate of the CA is no CA, and who is an intermediate neither: the path has one step. */
static void test_no_deeper(void **state not_used)
{
	struct cert_shape shape = leaf_shape();
	char pin[CERT_KEY_HASH_SIZE];
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	struct error err;
	struct cert *leaf = issue(w.ca_key, w.ca, w.key, &shape), *below = NULL;
	assert_int_equal(cert_key_public(w.other_key, public_key, &size, NULL), 0);
	assert_int_equal(cert_issue(w.key, leaf, public_key, size, &shape, &below, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "is no CA"));
	/* Forged all the same, with OpenSSL alone. */
	X509 *forged = X509_dup(leaf->x509);
	assert_non_null(forged);
	X509_set_issuer_name(forged, X509_get_subject_name(leaf->x509));
	X509_set_pubkey(forged, w.other_key->pkey);
	assert_true(X509_sign(forged, w.key->pkey, EVP_sha256()) > 0);
	assert_int_equal(cert_wrap(forged, &below, NULL), 0);
	assert_int_equal(cert_key_hash(w.ca_key, pin, NULL), 0);
	const struct cert *chain[] = {below, leaf, w.ca};
	struct cert_rule rule = {.now = now, .use = CERT_FOR_SERVER, .ca_key_hash = pin, .name = &names[0]};
	assert_refused(chain, 3, &rule, "");
	cert_free(below);
	cert_free(leaf);
}

/* A certificate of the CA's key that the CA has not written: the key alone is pinned, so anybody may try. */
static void test_forged_ca(void **state not_used)
{
	struct cert_shape shape = leaf_shape();
	char pin[CERT_KEY_HASH_SIZE];
	struct cert *leaf = issue(w.ca_key, w.ca, w.key, &shape), *ca;
	X509 *forged = X509_dup(w.ca->x509);
	assert_non_null(forged);
	ASN1_TIME_set(X509_getm_notAfter(forged), (time_t)at(1000 * DAY));
	assert_true(X509_sign(forged, w.other_key->pkey, EVP_sha256()) > 0);
	assert_int_equal(cert_wrap(forged, &ca, NULL), 0);
	assert_int_equal(cert_key_hash(w.ca_key, pin, NULL), 0);
	const struct cert *chain[] = {leaf, ca}, *good[] = {leaf, w.ca};
	struct cert_rule rule = {.now = now, .use = CERT_FOR_SERVER, .ca_key_hash = pin, .name = &names[0]};
	assert_refused(chain, 2, &rule, "");
	assert_int_equal(cert_check(good, 2, &rule, NULL), 0);
	cert_free(ca);
	cert_free(leaf);
}

static void test_other_keys(void **state not_used)
{
	struct cert_shape shape = leaf_shape();
	char hash[CERT_KEY_HASH_SIZE];
	struct cert *cert;
	struct cert_key rsa = {EVP_RSA_gen(2048)}, ed25519 = {EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	assert_non_null(rsa.pkey);
	assert_non_null(ed25519.pkey);
	assert_int_equal(cert_make_self_signed(&rsa, &shape, &cert, NULL), 0);
	assert_int_equal(cert_hash_of(cert->x509, hash, NULL), 0);
	const struct cert *chain[] = {cert};
	struct cert_rule rule = {.now = now, .use = CERT_FOR_SERVER, .key_hash = hash};
	assert_refused(chain, 1, &rule, "of another kind than P-256");
	cert_free(cert);
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	struct cert_key *read;
	assert_true(PEM_write_bio_PKCS8PrivateKey(bio, rsa.pkey, NULL, NULL, 0, NULL, NULL) > 0);
	size_t size = (size_t)BIO_get_mem_data(bio, &text);
	assert_int_equal(cert_key_read(text, size, &read, NULL), CELLA_EUNSUPPORTED);
	BIO_free(bio);
	EVP_PKEY_free(rsa.pkey);
	EVP_PKEY_free(ed25519.pkey);
}

static void test_shapes(void **state not_used)
{
	static const struct {
		struct cert_name name;
		const char *says;
	} wrong[] = {
		{{CERT_DNS, "no name"}, "is no DNS name"},
		{{CERT_DNS, ".dot"}, "is no DNS name"},
		{{CERT_DNS, "dot."}, "is no DNS name"},
		{{CERT_DNS, "-a.example"}, "is no DNS name"},
		{{CERT_DNS, "a-.example"}, "is no DNS name"},
		{{CERT_DNS, "a..example"}, "is no DNS name"},
		{{CERT_DNS, "a123456789012345678901234567890123456789012345678901234567890123.example"},
	         "is no DNS name"},
		{{CERT_DNS, ""}, "is no DNS name"},
		{{CERT_DNS, "*.example"}, "is no DNS name"},
		{{CERT_IP, "1.2.3"}, "is no IP address"},
		{{CERT_IP, "cas.example"}, "is no IP address"},
		{{CERT_URI, "nothing"}, "is no URI"},
		{{CERT_URI, ":x"}, "is no URI"},
		{{CERT_URI, "a:b c"}, "is no URI"},
		{{CERT_URI, "a:\tb"}, "is no URI"},
	};
	struct error err;
	struct cert *cert;
	struct cert_shape shape = leaf_shape();
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	for (size_t i = 0; i < array_count(wrong); i++) {
		shape.names = &wrong[i].name;
		shape.name_count = 1;
		assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, &err), CELLA_EINVAL);
		if (!strstr(err.text, wrong[i].says))
			fail_msg("%s", err.text);
	}
	shape = leaf_shape();
	shape.not_after = shape.not_before;
	assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, NULL), CELLA_EINVAL);
	shape = leaf_shape();
	shape.common_name = "";
	assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, NULL), CELLA_EINVAL);
	shape = leaf_shape();
	shape.name_count = CERT_NAMES_MAX + 1;
	assert_int_equal(cert_make_self_signed(w.key, &shape, &cert, NULL), CELLA_ELIMIT);
	shape = leaf_shape();
	shape.not_after = at(2 * DAY);
	assert_int_equal(cert_key_public(w.key, public_key, &size, NULL), 0);
	assert_int_equal(cert_issue(w.ca_key, w.ca, public_key, size, &shape, &cert, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "within the time of its CA"));
	shape = leaf_shape();
	assert_int_equal(cert_issue(w.other_key, w.ca, public_key, size, &shape, &cert, &err), CELLA_EINVAL);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(cert_issue(w.ca_key, w.ca, public_key, cut, &shape, &cert, NULL),
		                 CELLA_EFORMAT);
}

static void test_hash_parse(void **state not_used)
{
	char hash[CERT_KEY_HASH_SIZE], upper[CERT_KEY_HASH_SIZE], parsed[CERT_KEY_HASH_SIZE];
	struct error err;
	assert_int_equal(cert_key_hash(w.key, hash, NULL), 0);
	for (size_t i = 0; i < sizeof(hash); i++)
		upper[i] = hash[i] >= 'a' && hash[i] <= 'f' ? (char)(hash[i] - 'a' + 'A') : hash[i];
	assert_int_equal(cert_key_hash_parse(upper, "--pin", parsed, NULL), 0);
	assert_string_equal(parsed, hash);
	assert_int_equal(cert_key_hash_parse(hash + 1, "--pin", parsed, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "--pin"));
	hash[3] = 'g';
	assert_int_equal(cert_key_hash_parse(hash, "--pin", parsed, NULL), CELLA_EINVAL);
}

/* Where does OpenSSL keep a private key? In the pool, and nothing is left there when it is freed. */
static void test_protected(void **state not_used)
{
	struct mem_stats before, during;
	struct cert_key *keys[256];
	mem_pool_stats(w.pool, &before);
	for (size_t i = 0; i < array_count(keys); i++)
		assert_int_equal(cert_key_generate(&keys[i], NULL), 0);
	assert_true(mem_owns(w.pool, keys[0]->pkey));
	const BIGNUM *number = NULL;
	assert_true(EVP_PKEY_get_bn_param(keys[0]->pkey, "priv", (BIGNUM **)&number) > 0);
	assert_true(mem_owns(w.pool, number));
	BN_clear_free((BIGNUM *)number);
	for (size_t i = 0; i < array_count(keys); i++)
		cert_key_free(keys[i]);
	mem_pool_stats(w.pool, &during);
	assert_true(during.committed - during.idle <= before.committed - before.idle + (1 << 20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key_text),   cmocka_unit_test(test_hash_vector),
		cmocka_unit_test(test_describe),   cmocka_unit_test(test_text),
		cmocka_unit_test(test_pin),        cmocka_unit_test(test_ca),
		cmocka_unit_test(test_no_deeper),  cmocka_unit_test(test_forged_ca),
		cmocka_unit_test(test_other_keys), cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_hash_parse), cmocka_unit_test(test_protected),
		cmocka_unit_test(test_crl),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
