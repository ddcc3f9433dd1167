/* Makers' certificates and CRLs read, and what they say. */
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/openssl.h"
#include "crypto/vendor_openssl.h"
#include "crypto/x509_openssl.h"

enum { SERIAL_BYTES_MAX = (VENDOR_SERIAL_SIZE - 2) / 2 };

int vendor_name_text(const X509_NAME *name, char ret_text[VENDOR_NAME_SIZE], struct error *err)
{
	char *text;
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) < 0)
		return crypto_failed("reading a name", err);
	size_t size = min_of((size_t)BIO_get_mem_data(bio, &text), (size_t)VENDOR_NAME_SIZE - 1);
	memcpy(ret_text, text, size);
	ret_text[size] = '\0';
	for (size_t i = 0; i < size; i++)
		if (ret_text[i] < ' ' || ret_text[i] > '~')
			ret_text[i] = '?';
	return 0;
}

static void read_common_name(const X509_NAME *subject, char to[CERT_COMMON_NAME_MAX + 1])
{
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *text = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	size_t size = text ? (size_t)ASN1_STRING_length(text) : 0;
	to[0] = '\0';
	if (size == 0 || size > CERT_COMMON_NAME_MAX)
		return;
	for (size_t i = 0; i < size; i++)
		if (ASN1_STRING_get0_data(text)[i] < ' ' || ASN1_STRING_get0_data(text)[i] > '~')
			return;
	memcpy(to, ASN1_STRING_get0_data(text), size);
	to[size] = '\0';
}

static int read_serial(const ASN1_INTEGER *serial, char to[VENDOR_SERIAL_SIZE], struct error *err)
{
	const int size = ASN1_STRING_length(serial);
	if (size > SERIAL_BYTES_MAX || ASN1_STRING_type(serial) != V_ASN1_INTEGER)
		return error_set(err, CELLA_EFORMAT,
		                 "a certificate's serial number is negative or longer than %d bytes",
		                 SERIAL_BYTES_MAX);
	io_hex(ASN1_STRING_get0_data(serial), (size_t)size, to);
	return 0;
}

/* OpenSSL knows them, but checks them in a verification of its own, which is not made here. */
static bool has_constraints(const X509 *x509)
{
	static const int nids[] = {NID_name_constraints, NID_policy_constraints, NID_inhibit_any_policy};
	for (size_t i = 0; i < array_count(nids); i++) {
		const int at = X509_get_ext_by_NID(x509, nids[i], -1);
		if (at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(x509, at)))
			return true;
	}
	return false;
}

static void read_powers(X509 *x509, struct vendor_cert_facts *to)
{
	const uint32_t flags = X509_get_extension_flags(x509);
	const uint32_t usage = flags & EXFLAG_KUSAGE ? X509_get_key_usage(x509) : 0;
	to->is_ca = X509_check_ca(x509) == 1;
	to->signs_certs = (usage & KU_KEY_CERT_SIGN) != 0;
	to->signs_crls = (usage & KU_CRL_SIGN) != 0;
	to->path_length = (int)X509_get_pathlen(x509);
	to->has_unknown_critical = (flags & (EXFLAG_CRITICAL | EXFLAG_INVALID)) != 0 || has_constraints(x509);
	to->self_issued = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
}

static int read_facts(struct vendor_cert *cert, struct error *err)
{
	X509 *x509 = cert->x509;
	struct vendor_cert_facts *facts = &cert->facts;
	const X509_ALGOR *algorithm;
	int rc = vendor_name_text(X509_get_subject_name(x509), facts->subject, err);
	if (rc == 0)
		rc = vendor_name_text(X509_get_issuer_name(x509), facts->issuer, err);
	if (rc == 0)
		rc = read_serial(X509_get0_serialNumber(x509), facts->serial, err);
	if (rc == 0)
		rc = cert_hash_of(x509, facts->key_hash, err);
	if (rc == 0)
		rc = cert_time_of(X509_get0_notBefore(x509), &facts->not_before, err);
	if (rc == 0)
		rc = cert_time_of(X509_get0_notAfter(x509), &facts->not_after, err);
	if (rc < 0)
		return rc;
	read_common_name(X509_get_subject_name(x509), facts->common_name);
	read_powers(x509, facts);
	X509_get0_signature(NULL, &algorithm, x509);
	facts->signed_with = vendor_algorithm_of(algorithm);
	facts->key_kind = cert->key.kind;
	facts->key_bits = (unsigned)EVP_PKEY_get_bits(cert->key.pkey);
	ERR_clear_error();
	return 0;
}

int vendor_cert_read_der(const void *der, size_t size, struct vendor_cert **ret_cert, struct error *err)
{
	cert_start();
	const unsigned char *at = der;
	cleanup_x509 X509 *x509 = size <= CERT_TEXT_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
	EVP_PKEY *pkey = x509 ? X509_get0_pubkey(x509) : NULL;
	ERR_clear_error();
	if (!x509 || at != (const unsigned char *)der + size)
		return error_set(err, CELLA_EFORMAT, "this is no certificate in DER");
	if (!pkey)
		return error_set(err, CELLA_EFORMAT, "a certificate's public key is malformed");
	struct vendor_cert *cert = OPENSSL_zalloc(sizeof(*cert));
	if (!cert)
		return error_set(err, CELLA_ENOMEM, "no memory for a certificate");
	cert->x509 = take_ptr(&x509);
	cert->key = (struct vendor_key){.pkey = pkey, .kind = vendor_kind_of(pkey)};
	int rc = read_facts(cert, err);
	if (rc < 0) {
		vendor_cert_free(cert);
		return rc;
	}
	*ret_cert = cert;
	return 0;
}

void vendor_cert_free(struct vendor_cert *cert)
{
	if (!cert)
		return;
	X509_free(cert->x509);
	OPENSSL_free(cert);
}

const struct vendor_cert_facts *vendor_cert_facts(const struct vendor_cert *cert)
{
	return &cert->facts;
}

const struct vendor_key *vendor_cert_key(const struct vendor_cert *cert)
{
	return &cert->key;
}

int vendor_cert_extension(const struct vendor_cert *cert, const char *oid, const uint8_t **ret_value,
                          size_t *ret_size, struct error *err)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	if (!object)
		return crypto_failed("reading the name of an extension", err);
	int at = X509_get_ext_by_OBJ(cert->x509, object, -1);
	int again = at < 0 ? -1 : X509_get_ext_by_OBJ(cert->x509, object, at);
	ASN1_OBJECT_free(object);
	if (at < 0)
		return error_set(err, CELLA_ENOENT, "the certificate has no extension %s", oid);
	if (again >= 0)
		return error_set(err, CELLA_EFORMAT, "the certificate has the extension %s twice", oid);
	const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(X509_get_ext(cert->x509, at));
	*ret_value = ASN1_STRING_get0_data(value);
	*ret_size = (size_t)ASN1_STRING_length(value);
	return 0;
}

/* ---- CRLs ---- */

/* Sets what the list is about; false if it is not understood. */
static bool read_scope(struct vendor_crl *crl)
{
	int critical;
	ISSUING_DIST_POINT *scope = X509_CRL_get_ext_d2i(crl->crl, NID_issuing_distribution_point, &critical,
	                                                 NULL);
	if (!scope)
		return critical == -1; /* there is none */
	crl->only_cas = scope->onlyCA > 0;
	crl->only_others = scope->onlyuser > 0;
	const bool understood = scope->indirectCRL <= 0 && scope->onlyattr <= 0 && !scope->onlysomereasons &&
	                        !(crl->only_cas && crl->only_others);
	ISSUING_DIST_POINT_free(scope);
	return understood;
}

static bool is_known_of_crl(int nid)
{
	return nid == NID_issuing_distribution_point || nid == NID_crl_number ||
	       nid == NID_authority_key_identifier;
}

static bool is_known_of_entry(int nid)
{
	return nid == NID_crl_reason || nid == NID_invalidity_date;
}

static bool has_unknown(const STACK_OF(X509_EXTENSION) * extensions, bool (*is_known)(int nid))
{
	for (int i = 0; i < sk_X509_EXTENSION_num(extensions); i++) {
		X509_EXTENSION *e = sk_X509_EXTENSION_value(extensions, i);
		if (X509_EXTENSION_get_critical(e) && !is_known(OBJ_obj2nid(X509_EXTENSION_get_object(e))))
			return true;
	}
	return false;
}

static void read_crl_extensions(struct vendor_crl *crl)
{
	STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl->crl);
	bool unknown = !read_scope(crl) || has_unknown(X509_CRL_get0_extensions(crl->crl), is_known_of_crl);
	for (int i = 0; !unknown && i < sk_X509_REVOKED_num(revoked); i++)
		unknown = has_unknown(X509_REVOKED_get0_extensions(sk_X509_REVOKED_value(revoked, i)),
		                      is_known_of_entry);
	crl->facts.has_unknown_critical = unknown;
	crl->facts.revoked_count = revoked ? (size_t)sk_X509_REVOKED_num(revoked) : 0;
}

static int read_crl_facts(struct vendor_crl *crl, struct error *err)
{
	const X509_ALGOR *algorithm;
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl->crl);
	int rc = vendor_name_text(X509_CRL_get_issuer(crl->crl), crl->facts.issuer, err);
	crl->facts.next_update = INT64_MAX;
	if (rc == 0)
		rc = cert_time_of(X509_CRL_get0_lastUpdate(crl->crl), &crl->facts.this_update, err);
	if (rc == 0 && next)
		rc = cert_time_of(next, &crl->facts.next_update, err);
	if (rc < 0)
		return rc;
	X509_CRL_get0_signature(crl->crl, NULL, &algorithm);
	crl->facts.signed_with = vendor_algorithm_of(algorithm);
	read_crl_extensions(crl);
	ERR_clear_error();
	return 0;
}

int vendor_crl_read_der(const void *der, size_t size, struct vendor_crl **ret_crl, struct error *err)
{
	cert_start();
	const unsigned char *at = der;
	X509_CRL *x509 = size <= VENDOR_BLOB_MAX ? d2i_X509_CRL(NULL, &at, (long)size) : NULL;
	ERR_clear_error();
	if (!x509 || at != (const unsigned char *)der + size) {
		X509_CRL_free(x509);
		return error_set(err, CELLA_EFORMAT, "this is no CRL in DER");
	}
	struct vendor_crl *crl = OPENSSL_zalloc(sizeof(*crl));
	if (!crl) {
		X509_CRL_free(x509);
		return error_set(err, CELLA_ENOMEM, "no memory for a CRL");
	}
	crl->crl = x509;
	int rc = read_crl_facts(crl, err);
	if (rc < 0) {
		vendor_crl_free(crl);
		return rc;
	}
	*ret_crl = crl;
	return 0;
}

void vendor_crl_free(struct vendor_crl *crl)
{
	if (!crl)
		return;
	X509_CRL_free(crl->crl);
	OPENSSL_free(crl);
}

const struct vendor_crl_facts *vendor_crl_facts(const struct vendor_crl *crl)
{
	return &crl->facts;
}
