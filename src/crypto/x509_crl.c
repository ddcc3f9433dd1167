/* Lists of revoked certificates, version 2 (RFC 5280, section 5). */
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

static void crl_cleanup(X509_CRL **crl)
{
	X509_CRL_free(*crl);
}
#define cleanup_crl __attribute__((cleanup(crl_cleanup)))

static int check_key(const struct cert_key *ca_key, const struct cert *ca, struct error *err)
{
	char key_hash[CERT_KEY_HASH_SIZE], ca_hash[CERT_KEY_HASH_SIZE];
	int rc = cert_key_hash(ca_key, key_hash, err);
	if (rc == 0)
		rc = cert_hash_of(ca->x509, ca_hash, err);
	return rc < 0 || strcmp(key_hash, ca_hash) == 0
	               ? rc
	               : error_set(err, CELLA_EINVAL,
	                           "cannot make a list of revoked certificates: the CA's certificate is for "
	                           "the key %s, its key is %s",
	                           ca_hash, key_hash);
}

static bool put_revoked(X509_CRL *crl, const struct cert_revoked *revoked)
{
	X509_REVOKED *one = X509_REVOKED_new();
	BIGNUM *number = BN_bin2bn(revoked->serial, sizeof(revoked->serial), NULL);
	ASN1_INTEGER *serial = number ? BN_to_ASN1_INTEGER(number, NULL) : NULL;
	ASN1_TIME *since = ASN1_TIME_set(NULL, (time_t)revoked->since);
	bool ok = one && serial && since && X509_REVOKED_set_serialNumber(one, serial) > 0 &&
	          X509_REVOKED_set_revocationDate(one, since) > 0 && X509_CRL_add0_revoked(crl, one) > 0;
	if (!ok)
		X509_REVOKED_free(one);
	ASN1_TIME_free(since);
	ASN1_INTEGER_free(serial);
	BN_free(number);
	return ok;
}

static bool put_times(X509_CRL *crl, const struct cert_crl_shape *shape)
{
	ASN1_TIME *last = ASN1_TIME_set(NULL, (time_t)shape->this_update),
		  *next = ASN1_TIME_set(NULL, (time_t)shape->next_update);
	bool ok = last && next && X509_CRL_set1_lastUpdate(crl, last) > 0 &&
	          X509_CRL_set1_nextUpdate(crl, next) > 0;
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	return ok;
}

static bool put_number(X509_CRL *crl, uint64_t number)
{
	ASN1_INTEGER *value = ASN1_INTEGER_new();
	bool ok = value && ASN1_INTEGER_set_uint64(value, number) > 0 &&
	          X509_CRL_add1_ext_i2d(crl, NID_crl_number, value, 0, X509V3_ADD_DEFAULT) > 0;
	ASN1_INTEGER_free(value);
	return ok;
}

/* Whose key has signed it. */
static bool put_issuer(X509_CRL *crl, X509 *ca)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, ca, NULL, NULL, crl, 0);
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, &context, NID_authority_key_identifier,
	                                                 "keyid:always");
	bool ok = extension && X509_CRL_add_ext(crl, extension, -1) > 0 &&
	          X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca)) > 0;
	X509_EXTENSION_free(extension);
	return ok;
}

int cert_make_crl(const struct cert_key *ca_key, const struct cert *ca, const struct cert_crl_shape *shape,
                  struct buf *to, struct error *err)
{
	int rc = check_key(ca_key, ca, err);
	if (rc < 0)
		return rc;
	cert_start();
	cleanup_crl X509_CRL *crl = X509_CRL_new();
	bool ok = crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) > 0 && put_times(crl, shape);
	for (size_t i = 0; ok && i < shape->count; i++)
		ok = put_revoked(crl, &shape->revoked[i]);
	if (!ok || !put_issuer(crl, ca->x509) || !put_number(crl, shape->number) || X509_CRL_sort(crl) <= 0 ||
	    X509_CRL_sign(crl, ca_key->pkey, EVP_sha256()) <= 0)
		return crypto_failed("making a list of revoked certificates", err);
	unsigned char *der = NULL;
	int size = i2d_X509_CRL(crl, &der);
	if (size <= 0)
		return crypto_failed("writing a list of revoked certificates", err);
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for a list of revoked certificates") : 0;
}
