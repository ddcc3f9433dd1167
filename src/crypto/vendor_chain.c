/* Sets of makers' certificates as they are given, and the chains that can be put together from them. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/openssl.h"
#include "crypto/vendor_openssl.h"
#include "crypto/x509_openssl.h"

/* ---- a set ---- */

/* Files repeat each other's certificates, sets of collateral above all. */
static bool has_cert(const struct vendor_certs *set, const struct vendor_cert *cert)
{
	for (size_t i = 0; i < set->count; i++) {
		if (X509_cmp(set->certs[i]->x509, cert->x509) == 0)
			return true;
	}
	return false;
}

static int add_cert(struct vendor_certs *set, const void *der, size_t size, struct error *err)
{
	struct vendor_cert *cert;
	int rc = vendor_cert_read_der(der, size, &cert, err);
	if (rc < 0)
		return rc;
	if (has_cert(set, cert)) {
		vendor_cert_free(cert);
		return 0;
	}
	if (set->count == VENDOR_CERTS_MAX) {
		vendor_cert_free(cert);
		return error_set(err, CELLA_ELIMIT, "there are more than %d certificates", VENDOR_CERTS_MAX);
	}
	set->certs[set->count++] = cert;
	return 0;
}

static int add_crl(struct vendor_certs *set, const void *der, size_t size, struct error *err)
{
	struct vendor_crl *crl;
	int rc = vendor_crl_read_der(der, size, &crl, err);
	if (rc < 0)
		return rc;
	if (set->crl_count == VENDOR_CRLS_MAX) {
		vendor_crl_free(crl);
		return error_set(err, CELLA_ELIMIT, "there are more than %d CRLs", VENDOR_CRLS_MAX);
	}
	set->crls[set->crl_count++] = crl;
	return 0;
}

static int add_der(struct vendor_certs *set, const void *der, size_t size, struct error *err)
{
	struct error why;
	int rc = add_cert(set, der, size, &why);
	const int as_crl = rc == CELLA_EFORMAT ? add_crl(set, der, size, err) : rc;
	if (as_crl != CELLA_EFORMAT && rc == CELLA_EFORMAT)
		return as_crl;
	if (rc < 0 && err)
		*err = why;
	return rc;
}

static int add_pem_block(struct vendor_certs *set, const char *name, const void *der, size_t size,
                         struct error *err)
{
	if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
		return add_cert(set, der, size, err);
	if (strcmp(name, PEM_STRING_X509_CRL) == 0)
		return add_crl(set, der, size, err);
	return error_set(err, CELLA_EFORMAT, "a block of PEM is a \"%.40s\", no certificate and no CRL",
	                 name);
}

static int add_pem(struct vendor_certs *set, const void *pem, size_t size, struct error *err)
{
	cleanup_bio BIO *bio = BIO_new_mem_buf(pem, (int)size);
	size_t count = 0;
	int rc = bio ? 0 : crypto_failed("reading certificates", err);
	while (rc == 0) {
		char *name = NULL, *header = NULL;
		unsigned char *der = NULL;
		long der_size = 0;
		if (PEM_read_bio(bio, &name, &header, &der, &der_size) <= 0)
			break;
		rc = add_pem_block(set, name, der, (size_t)der_size, err);
		count++;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_free(der);
	}
	if (rc < 0)
		return rc;
	const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	return at_end && count > 0 ? 0
	                           : error_set(err, CELLA_EFORMAT, "%s is no certificate in PEM",
	                                       count > 0 ? "what follows the first" : "this");
}

static bool has_pem(const void *blob, size_t size)
{
	static const char mark[] = "-----BEGIN ";
	return memmem(blob, size, mark, sizeof(mark) - 1) != NULL;
}

int vendor_certs_add(struct vendor_certs *set, const void *blob, size_t size, struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	if (size > VENDOR_BLOB_MAX)
		return error_set(err, CELLA_ELIMIT, "a file of certificates has %d bytes at most, not %zu",
		                 VENDOR_BLOB_MAX, size);
	if (size > 0 && *(const uint8_t *)blob == (V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED)) {
		int rc = add_der(set, blob, size, err);
		if (rc != CELLA_EFORMAT)
			return rc;
	}
	if (has_pem(blob, size))
		return add_pem(set, blob, size, err);
	if (io_unhex_text(blob, size, &bytes) && !bytes.failed)
		return add_der(set, bytes.data, bytes.size, err);
	if (bytes.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for certificates");
	return error_set(err, CELLA_EFORMAT,
	                 "this is no certificate and no CRL, neither in DER nor in PEM nor in hexadecimal");
}

void vendor_certs_done(struct vendor_certs *set)
{
	for (size_t i = 0; i < set->count; i++)
		vendor_cert_free(set->certs[i]);
	for (size_t i = 0; i < set->crl_count; i++)
		vendor_crl_free(set->crls[i]);
	memset(set, 0, sizeof(*set));
}

/* ---- a chain ---- */

static bool is_signed_by(const struct vendor_cert *cert, const struct vendor_cert *issuer)
{
	bool holds = vendor_key_suits(issuer->key.kind, cert->facts.signed_with) &&
	             X509_verify(cert->x509, issuer->key.pkey) == 1;
	ERR_clear_error();
	return holds;
}

static bool is_named_issuer(const struct vendor_cert *cert, const struct vendor_cert *other)
{
	return X509_NAME_cmp(X509_get_issuer_name(cert->x509), X509_get_subject_name(other->x509)) == 0;
}

/* Has somebody of the set signed it, or it itself? */
static bool is_vouched_for(const struct vendor_certs *set, const struct vendor_cert *cert)
{
	if (cert->facts.self_issued)
		return is_signed_by(cert, cert);
	for (size_t i = 0; i < set->count; i++)
		if (is_named_issuer(cert, set->certs[i]) && is_signed_by(cert, set->certs[i]))
			return true;
	return false;
}

/* The one of the set that signed it: one that somebody vouches for, and of these the one that is valid
 * longest. Else one with the issuer's name; else NULL. */
static const struct vendor_cert *issuer_of(const struct vendor_certs *set, const struct vendor_cert *cert)
{
	const struct vendor_cert *named = NULL, *signer = NULL;
	bool is_vouched = false;
	for (size_t i = 0; i < set->count; i++) {
		const struct vendor_cert *other = set->certs[i];
		if (!is_named_issuer(cert, other))
			continue;
		named = named ? named : other;
		if (!is_signed_by(cert, other))
			continue;
		const bool vouched = is_vouched_for(set, other);
		if (!signer || vouched > is_vouched ||
		    (vouched == is_vouched && other->facts.not_after > signer->facts.not_after)) {
			signer = other;
			is_vouched = vouched;
		}
	}
	return signer ? signer : named;
}

static const struct vendor_root *root_of(const struct vendor_cert *cert, const struct vendor_root *roots,
                                         size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(roots[i].key_hash, cert->facts.key_hash) == 0)
			return &roots[i];
	return NULL;
}

/* Of a certificate at `place`, that `issuer` is to have signed: what is wrong with either. */
static void check_link(struct vendor_chain *chain, size_t place, const struct vendor_cert *issuer,
                       unsigned algorithms)
{
	const struct vendor_cert *cert = chain->links[place].cert;
	unsigned *flaws = &chain->links[place].flaws;
	if ((cert->facts.signed_with & algorithms) == 0)
		*flaws |= VENDOR_BAD_ALGORITHM;
	if (!issuer)
		*flaws |= VENDOR_NO_ISSUER;
	else if (!is_signed_by(cert, issuer))
		*flaws |= VENDOR_BAD_SIGNATURE;
	if (cert->facts.has_unknown_critical)
		*flaws |= VENDOR_UNKNOWN_CRITICAL;
	if (place == 0)
		return;
	if (!cert->facts.is_ca || !cert->facts.signs_certs)
		*flaws |= VENDOR_NO_CA;
	if (cert->facts.path_length >= 0 && place - 1 > (size_t)cert->facts.path_length)
		*flaws |= VENDOR_TOO_LONG;
}

static bool crl_covers(const struct vendor_crl *crl, const struct vendor_cert *cert)
{
	return cert->facts.is_ca ? !crl->only_others : !crl->only_cas;
}

static bool crl_is_good(const struct vendor_crl *crl, const struct vendor_cert *issuer, unsigned algorithms)
{
	bool good = (crl->facts.signed_with & algorithms) != 0 && !crl->facts.has_unknown_critical &&
	            issuer->facts.signs_crls && vendor_key_suits(issuer->key.kind, crl->facts.signed_with) &&
	            X509_CRL_verify(crl->crl, issuer->key.pkey) == 1;
	ERR_clear_error();
	return good;
}

static void check_crls(const struct vendor_certs *set, struct vendor_link *link,
                       const struct vendor_cert *issuer, unsigned algorithms)
{
	for (size_t i = 0; i < set->crl_count; i++) {
		const struct vendor_crl *crl = set->crls[i];
		X509_REVOKED *entry = NULL;
		if (X509_NAME_cmp(X509_CRL_get_issuer(crl->crl), X509_get_subject_name(issuer->x509)) != 0 ||
		    !crl_covers(crl, link->cert))
			continue;
		if (!crl_is_good(crl, issuer, algorithms)) {
			link->flaws |= VENDOR_BAD_CRL;
			continue;
		}
		if (X509_CRL_get0_by_cert(crl->crl, &entry, link->cert->x509) == 1)
			link->flaws |= VENDOR_REVOKED;
		if (!link->crl || crl->facts.this_update > link->crl->facts.this_update)
			link->crl = crl;
	}
	ERR_clear_error();
}

int vendor_chain_make(const struct vendor_certs *set, const struct vendor_cert *leaf,
                      const struct vendor_root *roots, size_t root_count, unsigned algorithms,
                      struct vendor_chain *ret_chain, struct error *err not_used)
{
	struct vendor_chain chain = {0};
	const struct vendor_cert *cert = leaf;
	while (cert && chain.count < VENDOR_CHAIN_MAX) {
		const size_t place = chain.count++;
		chain.links[place].cert = cert;
		const struct vendor_cert *issuer = cert->facts.self_issued ? cert : issuer_of(set, cert);
		check_link(&chain, place, issuer, algorithms);
		if (issuer == cert) {
			chain.root = root_of(cert, roots, root_count);
			break;
		}
		if (issuer)
			check_crls(set, &chain.links[place], issuer, algorithms);
		cert = issuer;
	}
	*ret_chain = chain;
	return 0;
}
