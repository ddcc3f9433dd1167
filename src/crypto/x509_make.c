/* Certificates made: version 3, a random serial number, only the extensions that are needed, SHA-256. */
#include <arpa/inet.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "crypto/crypto.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

struct making {
	const struct cert_shape *shape;
	EVP_PKEY *subject; /* its public key */
	EVP_PKEY *signer;
	const X509 *issuer; /* NULL: the certificate itself */
	bool ca;
};

static bool is_printable(const char *text, size_t max)
{
	size_t size = strlen(text);
	if (size == 0 || size > max)
		return false;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

/* Labels of letters, digits and, inside, hyphens (RFC 1123, section 2.1); underscores, which are in use. */
static bool is_dns_name(const char *text)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	enum { LABEL_MAX = 63 };
	for (;; text++) {
		size_t size = strspn(text, allowed);
		if (size == 0 || size > LABEL_MAX || text[0] == '-' || text[size - 1] == '-')
			return false;
		text += size;
		if (*text != '.')
			return *text == '\0';
	}
}

static bool is_uri(const char *text)
{
	const char *colon = strchr(text, ':');
	return colon && colon != text && !strpbrk(text, " <>\"\\^`{|}");
}

int cert_name_check(const struct cert_name *name, struct error *err)
{
	uint8_t address[sizeof(struct in6_addr)];
	bool ok = is_printable(name->text, CERT_NAME_SIZE - 1);
	if (name->kind == CERT_DNS)
		ok = ok && is_dns_name(name->text);
	else if (name->kind == CERT_URI)
		ok = ok && is_uri(name->text);
	else
		ok = ok && (inet_pton(AF_INET, name->text, address) == 1 ||
		            inet_pton(AF_INET6, name->text, address) == 1);
	return ok ? 0
	          : error_set(err, CELLA_EINVAL, "cannot make a certificate: \"%.80s\" is no %s", name->text,
	                      cert_name_kind_name(name->kind));
}

static int check_shape(const struct cert_shape *shape, struct error *err)
{
	if (!is_printable(shape->common_name, CERT_COMMON_NAME_MAX))
		return error_set(err, CELLA_EINVAL,
		                 "cannot make a certificate: its common name is to have 1 to %d printable "
		                 "characters",
		                 CERT_COMMON_NAME_MAX);
	if (shape->name_count > CERT_NAMES_MAX)
		return error_set(err, CELLA_ELIMIT, "cannot make a certificate with %zu names: %d at most",
		                 shape->name_count, CERT_NAMES_MAX);
	if (shape->not_before >= shape->not_after)
		return error_set(err, CELLA_EINVAL, "cannot make a certificate that ends before it begins");
	for (size_t i = 0; i < shape->name_count; i++) {
		int rc = cert_name_check(&shape->names[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool put_text(GENERAL_NAME *to, int type, const char *text)
{
	ASN1_IA5STRING *string = ASN1_IA5STRING_new();
	if (!string || !ASN1_STRING_set(string, text, -1)) {
		ASN1_IA5STRING_free(string);
		return false;
	}
	GENERAL_NAME_set0_value(to, type, string);
	return true;
}

static bool put_address(GENERAL_NAME *to, const char *text)
{
	uint8_t address[sizeof(struct in6_addr)];
	int size = inet_pton(AF_INET, text, address) == 1 ? 4 : 16;
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	if ((size == 16 && inet_pton(AF_INET6, text, address) != 1) || !string ||
	    !ASN1_OCTET_STRING_set(string, address, size)) {
		ASN1_OCTET_STRING_free(string);
		return false;
	}
	GENERAL_NAME_set0_value(to, GEN_IPADD, string);
	return true;
}

static bool push_name(GENERAL_NAMES *names, const struct cert_name *name)
{
	GENERAL_NAME *one = GENERAL_NAME_new();
	bool ok = one && (name->kind == CERT_IP
	                          ? put_address(one, name->text)
	                          : put_text(one, name->kind == CERT_DNS ? GEN_DNS : GEN_URI, name->text));
	if (!ok || sk_GENERAL_NAME_push(names, one) <= 0) {
		GENERAL_NAME_free(one);
		return false;
	}
	return true;
}

static bool put_names(X509 *x509, const struct cert_shape *shape)
{
	if (shape->name_count == 0)
		return true;
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	bool ok = names;
	for (size_t i = 0; ok && i < shape->name_count; i++)
		ok = push_name(names, &shape->names[i]);
	ok = ok && X509_add1_ext_i2d(x509, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) > 0;
	GENERAL_NAMES_free(names);
	return ok;
}

static bool put_extension(X509 *x509, X509V3_CTX *context, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, context, nid, value);
	bool ok = extension && X509_add_ext(x509, extension, -1) > 0;
	X509_EXTENSION_free(extension);
	return ok;
}

static bool put_extensions(X509 *x509, const struct making *m)
{
	static const char *const uses[] = {NULL, "serverAuth", "clientAuth", "serverAuth,clientAuth"};
	const char *use = m->ca ? NULL : uses[m->shape->use & 3];
	X509V3_CTX context;
	X509V3_set_ctx(&context, (X509 *)(m->issuer ? m->issuer : x509), x509, NULL, NULL, 0);
	return put_extension(x509, &context, NID_basic_constraints,
	                     m->ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
	       put_extension(x509, &context, NID_key_usage,
	                     m->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
	       (!use || put_extension(x509, &context, NID_ext_key_usage, use)) &&
	       put_extension(x509, &context, NID_subject_key_identifier, "hash") &&
	       put_extension(x509, &context, NID_authority_key_identifier, "keyid:always") &&
	       put_names(x509, m->shape);
}

/* Positive, of 126 random bits: no two are the same. */
static int put_serial(X509 *x509, struct error *err)
{
	uint8_t bytes[CERT_SERIAL_SIZE];
	int rc = crypto_random(bytes, sizeof(bytes), err);
	if (rc < 0)
		return rc;
	bytes[0] = (uint8_t)((bytes[0] & 0x3f) | 0x40);
	BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
	BN_free(number);
	return ok ? 0 : crypto_failed("making a serial number", err);
}

static bool put_subject(X509 *x509, const struct making *m)
{
	X509_NAME *subject = X509_get_subject_name(x509);
	return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
	                                  (const unsigned char *)m->shape->common_name, -1, -1, 0) > 0 &&
	       X509_set_issuer_name(x509, m->issuer ? X509_get_subject_name(m->issuer) : subject) > 0;
}

static int make(const struct making *m, struct cert **ret_cert, struct error *err)
{
	int rc = check_shape(m->shape, err);
	if (rc < 0)
		return rc;
	cert_start();
	cleanup_x509 X509 *x509 = X509_new();
	if (!x509)
		return crypto_failed("making a certificate", err);
	rc = put_serial(x509, err);
	if (rc < 0)
		return rc;
	if (X509_set_version(x509, X509_VERSION_3) <= 0 || X509_set_pubkey(x509, m->subject) <= 0 ||
	    !ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)m->shape->not_before) ||
	    !ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)m->shape->not_after) || !put_subject(x509, m) ||
	    !put_extensions(x509, m) || X509_sign(x509, m->signer, EVP_sha256()) <= 0)
		return crypto_failed("making a certificate", err);
	return cert_wrap(take_ptr(&x509), ret_cert, err);
}

int cert_make_ca(const struct cert_key *key, const struct cert_shape *shape, struct cert **ret_cert,
                 struct error *err)
{
	struct making m = {.shape = shape, .subject = key->pkey, .signer = key->pkey, .ca = true};
	return make(&m, ret_cert, err);
}

int cert_make_self_signed(const struct cert_key *key, const struct cert_shape *shape, struct cert **ret_cert,
                          struct error *err)
{
	struct making m = {.shape = shape, .subject = key->pkey, .signer = key->pkey};
	return make(&m, ret_cert, err);
}

static int check_issuer(const struct cert_key *ca_key, const struct cert *ca, const struct cert_shape *shape,
                        struct error *err)
{
	char key_hash[CERT_KEY_HASH_SIZE], end[CERT_TIME_TEXT_SIZE], ca_end[CERT_TIME_TEXT_SIZE];
	struct cert_facts facts;
	int rc = cert_key_hash(ca_key, key_hash, err);
	if (rc == 0)
		rc = cert_describe(ca, &facts, err);
	if (rc < 0)
		return rc;
	if (strcmp(key_hash, facts.key_hash) != 0)
		return error_set(err, CELLA_EINVAL,
		                 "cannot issue a certificate: the CA's certificate is for the key %s, its "
		                 "key is %s",
		                 facts.key_hash, key_hash);
	if (!facts.ca)
		return error_set(err, CELLA_EINVAL, "cannot issue a certificate: \"%s\" is no CA",
		                 facts.common_name);
	if (shape->not_before < facts.not_before || shape->not_after > facts.not_after) {
		cert_time_text(shape->not_after, end);
		cert_time_text(facts.not_after, ca_end);
		return error_set(
			err, CELLA_EINVAL,
			"cannot issue a certificate that ends at %s: it is to lie within the time of "
			"its CA, which ends at %s",
			end, ca_end);
	}
	return 0;
}

int cert_issue(const struct cert_key *ca_key, const struct cert *ca, const void *public_key, size_t size,
               const struct cert_shape *shape, struct cert **ret_cert, struct error *err)
{
	const unsigned char *at = public_key;
	int rc = check_issuer(ca_key, ca, shape, err);
	if (rc < 0)
		return rc;
	cleanup_pkey EVP_PKEY *subject = size <= CERT_PUBLIC_MAX ? d2i_PUBKEY(NULL, &at, (long)size) : NULL;
	ERR_clear_error();
	if (!subject || at != (const unsigned char *)public_key + size)
		return error_set(err, CELLA_EFORMAT,
		                 "cannot issue a certificate: its key is no SubjectPublicKeyInfo in DER");
	if (!cert_key_is_p256(subject))
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "cannot issue a certificate: its key is of another kind than P-256");
	struct making m = {.shape = shape, .subject = subject, .signer = ca_key->pkey, .issuer = ca->x509};
	return make(&m, ret_cert, err);
}
