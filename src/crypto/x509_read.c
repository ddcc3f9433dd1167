/* Certificates read and written, and what they say. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/openssl.h"
#include "crypto/x509_openssl.h"

const char *cert_name_kind_name(enum cert_name_kind kind)
{
	static const char *const names[] = {
		[CERT_DNS] = "DNS name",
		[CERT_IP] = "IP address",
		[CERT_URI] = "URI",
	};
	return names[kind];
}

int cert_wrap(X509 *x509, struct cert **ret_cert, struct error *err)
{
	struct cert *cert = OPENSSL_zalloc(sizeof(*cert));
	if (!cert) {
		X509_free(x509);
		return error_set(err, CELLA_ENOMEM, "no memory for a certificate");
	}
	cert->x509 = x509;
	*ret_cert = cert;
	return 0;
}

void cert_free(struct cert *cert)
{
	if (!cert)
		return;
	X509_free(cert->x509);
	OPENSSL_free(cert);
}

int cert_read_der(const void *der, size_t size, struct cert **ret_cert, struct error *err)
{
	const unsigned char *at = der;
	cleanup_x509 X509 *x509 = size <= CERT_TEXT_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
	ERR_clear_error();
	if (!x509 || at != (const unsigned char *)der + size)
		return error_set(err, CELLA_EFORMAT, "this is no certificate in DER");
	return cert_wrap(take_ptr(&x509), ret_cert, err);
}

static void free_chain(struct cert *chain[CERT_CHAIN_MAX], size_t count)
{
	for (size_t i = 0; i < count; i++)
		cert_free(chain[i]);
}

/* The certificates of `bio` into `chain`; *count of them are there also when it fails. */
static int read_chain(BIO *bio, struct cert *chain[CERT_CHAIN_MAX], size_t *count, struct error *err)
{
	int rc = 0;
	while (rc == 0) {
		X509 *x509 = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (!x509)
			break;
		if (*count == CERT_CHAIN_MAX) {
			X509_free(x509);
			return error_set(err, CELLA_ELIMIT, "a chain has %d certificates at most",
			                 CERT_CHAIN_MAX);
		}
		rc = cert_wrap(x509, &chain[*count], err);
		*count += rc == 0;
	}
	if (rc < 0)
		return rc;
	bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	return at_end && *count > 0 ? 0
	                            : error_set(err, CELLA_EFORMAT, "%s is no certificate in PEM",
	                                        *count > 0 ? "what follows the first" : "this");
}

int cert_read_pem(const void *pem, size_t size, struct cert *ret_chain[CERT_CHAIN_MAX], size_t *ret_count,
                  struct error *err)
{
	struct cert *chain[CERT_CHAIN_MAX];
	size_t count = 0;
	if (size > CERT_TEXT_MAX)
		return error_set(err, CELLA_ELIMIT, "a chain in PEM has %d bytes at most, not %zu",
		                 CERT_TEXT_MAX, size);
	cleanup_bio BIO *bio = BIO_new_mem_buf(pem, (int)size);
	if (!bio)
		return crypto_failed("reading certificates", err);
	int rc = read_chain(bio, chain, &count, err);
	if (rc < 0) {
		free_chain(chain, count);
		return rc;
	}
	memcpy(ret_chain, chain, count * sizeof(struct cert *));
	*ret_count = count;
	return 0;
}

int cert_write_der(const struct cert *cert, struct buf *to, struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_X509(cert->x509, &der);
	if (size <= 0)
		return crypto_failed("writing a certificate", err);
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for a certificate") : 0;
}

int cert_write_pem(const struct cert *cert, struct buf *to, struct error *err)
{
	char *text;
	cleanup_bio BIO *bio = BIO_new(BIO_s_mem());
	if (!bio || PEM_write_bio_X509(bio, cert->x509) <= 0)
		return crypto_failed("writing a certificate", err);
	long size = BIO_get_mem_data(bio, &text);
	buf_put(to, text, (size_t)size);
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for a certificate") : 0;
}

static bool is_printable(const void *bytes, size_t size)
{
	const char *text = bytes;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return true;
}

/* Into `to`; false if the name is not to be had whole. */
static bool read_text(const ASN1_STRING *string, char to[CERT_NAME_SIZE])
{
	size_t size = (size_t)ASN1_STRING_length(string);
	const unsigned char *bytes = ASN1_STRING_get0_data(string);
	if (size == 0 || size >= CERT_NAME_SIZE || !is_printable(bytes, size))
		return false;
	memcpy(to, bytes, size);
	to[size] = '\0';
	return true;
}

static bool read_address(const ASN1_OCTET_STRING *string, char to[CERT_NAME_SIZE])
{
	int size = ASN1_STRING_length(string);
	return (size == 4 || size == 16) &&
	       inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(string), to, CERT_NAME_SIZE);
}

static bool read_name(const GENERAL_NAME *from, struct cert_name_text *to)
{
	to->kind = from->type == GEN_DNS ? CERT_DNS : from->type == GEN_URI ? CERT_URI : CERT_IP;
	return from->type == GEN_IPADD ? read_address(from->d.iPAddress, to->text)
	                               : read_text(from->d.ia5, to->text);
}

static int read_names(const GENERAL_NAMES *from, struct cert_names *to, struct error *err)
{
	for (int i = 0; i < sk_GENERAL_NAME_num(from); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(from, i);
		if (name->type != GEN_DNS && name->type != GEN_URI && name->type != GEN_IPADD)
			continue;
		if (to->count == CERT_NAMES_MAX)
			return error_set(err, CELLA_EFORMAT, "a certificate has more than %d names",
			                 CERT_NAMES_MAX);
		if (!read_name(name, &to->names[to->count]))
			return error_set(err, CELLA_EFORMAT,
			                 "name %d of a certificate is empty, longer than %d bytes, or not "
			                 "printable",
			                 i + 1, CERT_NAME_SIZE - 1);
		to->count++;
	}
	return 0;
}

int cert_names_of(const X509 *x509, struct cert_names *ret_names, struct error *err)
{
	struct cert_names found = {0};
	int critical;
	GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, &critical, NULL);
	ERR_clear_error();
	if (!names && critical != -1) /* -1: there is none */
		return error_set(err, CELLA_EFORMAT, "the names of a certificate are malformed");
	int rc = read_names(names, &found, err);
	GENERAL_NAMES_free(names);
	if (rc == 0)
		*ret_names = found;
	return rc;
}

bool cert_names_have(const struct cert_names *names, const struct cert_name *name)
{
	char address[CERT_NAME_SIZE];
	uint8_t bytes[sizeof(struct in6_addr)];
	const char *wanted = name->text;
	if (name->kind == CERT_IP) { /* as inet_ntop writes it */
		int family = strchr(wanted, ':') ? AF_INET6 : AF_INET;
		if (inet_pton(family, wanted, bytes) != 1 ||
		    !inet_ntop(family, bytes, address, sizeof(address)))
			return false;
		wanted = address;
	}
	for (size_t i = 0; i < names->count; i++) {
		const struct cert_name_text *n = &names->names[i];
		if (n->kind == name->kind &&
		    (name->kind == CERT_DNS ? strcasecmp(n->text, wanted) : strcmp(n->text, wanted)) == 0)
			return true;
	}
	return false;
}

const char *cert_names_first(const struct cert_names *names, enum cert_name_kind kind)
{
	for (size_t i = 0; i < names->count; i++) {
		if (names->names[i].kind == kind)
			return names->names[i].text;
	}
	return NULL;
}

int cert_time_of(const ASN1_TIME *time, int64_t *ret_time, struct error *err)
{
	struct tm tm;
	if (!time || ASN1_TIME_to_tm(time, &tm) <= 0) {
		ERR_clear_error();
		return error_set(err, CELLA_EFORMAT, "a time of a certificate is malformed");
	}
	*ret_time = timegm(&tm);
	return 0;
}

void cert_time_text(int64_t time, char ret_text[CERT_TIME_TEXT_SIZE])
{
	struct tm tm;
	time_t t = (time_t)time;
	if (!gmtime_r(&t, &tm) || strftime(ret_text, CERT_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(ret_text, "beyond the calendar", sizeof("beyond the calendar"));
}

static void read_common_name(const X509 *x509, char to[CERT_COMMON_NAME_MAX + 1])
{
	const X509_NAME *subject = X509_get_subject_name(x509);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	const ASN1_STRING *text = at < 0 ? NULL : X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
	size_t size = text ? (size_t)ASN1_STRING_length(text) : 0;
	to[0] = '\0';
	if (size == 0 || size > CERT_COMMON_NAME_MAX || !is_printable(ASN1_STRING_get0_data(text), size))
		return;
	memcpy(to, ASN1_STRING_get0_data(text), size);
	to[size] = '\0';
}

/* Of a positive one. */
static void read_serial(const X509 *x509, char to[2 * CERT_SERIAL_MAX + 1])
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x509);
	const int size = ASN1_STRING_length(serial);
	to[0] = '\0';
	if (ASN1_STRING_type(serial) == V_ASN1_INTEGER && size > 0 && size <= CERT_SERIAL_MAX)
		io_hex(ASN1_STRING_get0_data(serial), (size_t)size, to);
}

int cert_describe(const struct cert *cert, struct cert_facts *ret_facts, struct error *err)
{
	struct cert_facts facts = {0};
	X509 *x509 = cert->x509;
	int rc = cert_hash_of(x509, facts.key_hash, err);
	if (rc == 0)
		rc = cert_names_of(x509, &facts.names, err);
	if (rc == 0)
		rc = cert_time_of(X509_get0_notBefore(x509), &facts.not_before, err);
	if (rc == 0)
		rc = cert_time_of(X509_get0_notAfter(x509), &facts.not_after, err);
	if (rc < 0)
		return rc;
	read_common_name(x509, facts.common_name);
	read_serial(x509, facts.serial);
	facts.ca = X509_check_ca(x509) == 1;
	facts.self_issued = X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)) == 0;
	ERR_clear_error();
	*ret_facts = facts;
	return 0;
}
