#include "dcap_support.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "attest/dcap/quote_format.h"
#include "base/io.h"

/* A test that cannot make what it needs stops. */
#define must(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

enum { KEY_ROOT, KEY_CA, KEY_PCK, KEY_SIGNER, KEY_ATTESTATION, KEY_OTHER, KEYS };
enum { SERIAL_ROOT = 1, SERIAL_CA, SERIAL_PCK, SERIAL_SIGNER };

static EVP_PKEY *keys[KEYS];

int dcap_start(void)
{
	for (size_t i = 0; i < KEYS; i++) {
		keys[i] = EVP_EC_gen("P-256");
		if (!keys[i])
			return -1;
	}
	return 0;
}

void dcap_stop(void)
{
	for (size_t i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
}

struct dcap_shape dcap_shape(bool is_tdx, uint16_t version)
{
	return (struct dcap_shape){
		.is_tdx = is_tdx,
		.version = version,
		.component = 5,
		.pce_svn = 11,
		.module = 5,
		.module_version = 1,
		.module_now = 5,
		.module_version_now = 1,
		.qe_svn = 8,
		.td_attributes = UINT64_C(1) << 28,
		.xfam = 0x602e7,
		.sgx_flags = QUOTE_SGX_INIT | QUOTE_SGX_MODE64BIT,
	};
}

/* ---- signatures ---- */

/* r || s. */
static void sign(EVP_PKEY *key, const void *data, size_t size, uint8_t to[QUOTE_POINT_SIZE])
{
	uint8_t der[128];
	size_t der_size = sizeof(der);
	const BIGNUM *r, *s;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	must(md && EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, key) > 0 &&
	     EVP_DigestSign(md, der, &der_size, data, size) > 0);
	EVP_MD_CTX_free(md);
	const unsigned char *at = der;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
	must(signature);
	ECDSA_SIG_get0(signature, &r, &s);
	must(BN_bn2binpad(r, to, 32) == 32 && BN_bn2binpad(s, to + 32, 32) == 32);
	ECDSA_SIG_free(signature);
}

static void point_of(EVP_PKEY *key, uint8_t to[QUOTE_POINT_SIZE])
{
	uint8_t octets[1 + QUOTE_POINT_SIZE];
	size_t size;
	must(EVP_PKEY_get_octet_string_param(key, "pub", octets, sizeof(octets), &size) > 0 &&
	     size == sizeof(octets));
	memcpy(to, octets + 1, QUOTE_POINT_SIZE);
}

/* ---- the PCK's extension, in DER ---- */

static void put_der(struct buf *to, uint8_t tag, const void *value, size_t size)
{
	buf_put_u8(to, tag);
	if (size >= 0x80)
		buf_put_u8(to, 0x82), buf_put_u8(to, (uint8_t)(size >> 8));
	buf_put_u8(to, (uint8_t)size);
	buf_put(to, value, size);
}

/* A SEQUENCE of 1.2.840.113741.1.13.1.above.number (above 0: without it) and a value. */
static void put_member(struct buf *to, uint8_t above, uint8_t number, uint8_t tag, const void *value,
                       size_t size)
{
	const uint8_t oid[] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 0x0D, 1, above, number};
	const uint8_t short_oid[] = {0x2A, 0x86, 0x48, 0x86, 0xF8, 0x4D, 1, 0x0D, 1, number};
	struct buf inner = {0};
	if (above > 0)
		put_der(&inner, 0x06, oid, sizeof(oid));
	else
		put_der(&inner, 0x06, short_oid, sizeof(short_oid));
	put_der(&inner, tag, value, size);
	put_der(to, 0x30, inner.data, inner.size);
	buf_done(&inner);
}

static void make_extension(const struct dcap_shape *shape, struct buf *to)
{
	static const uint8_t fmspc[6] = {0, 0x90, 0x6E, 0xD5}, sixteen[16] = {1}, zeros[2];
	struct buf list = {0}, tcb = {0};
	put_member(&list, 0, 1, 0x04, sixteen, sizeof(sixteen));
	for (uint8_t i = 1; i <= 16; i++)
		put_member(&tcb, 2, i, 0x02, &shape->component, 1);
	put_member(&tcb, 2, 17, 0x02, &shape->pce_svn, 1);
	put_member(&tcb, 2, 18, 0x04, sixteen, sizeof(sixteen));
	put_member(&list, 0, 2, 0x30, tcb.data, tcb.size);
	put_member(&list, 0, 3, 0x04, zeros, sizeof(zeros));
	put_member(&list, 0, 4, 0x04, fmspc, sizeof(fmspc));
	put_member(&list, 0, 5, 0x0A, zeros, 1);
	put_der(to, 0x30, list.data, list.size);
	buf_done(&tcb);
	buf_done(&list);
}

/* ---- certificates ---- */

struct cert_shape_of {
	const char *name, *issuer;
	long serial;
	int key, issuer_key;
	bool is_ca;
	int64_t not_after;
	const struct buf *extension;
};

static void set_name(X509_NAME *name, const char *common_name)
{
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1, -1, 0));
	must(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"A Maker", -1, -1, 0));
}

static void add_known(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	must(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
}

static void add_raw(X509 *x509, const char *oid, const struct buf *bytes)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	must(object && value && ASN1_OCTET_STRING_set(value, bytes->data, (int)bytes->size));
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, 0, value);
	must(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static void make_cert(const struct cert_shape_of *shape, struct buf *to)
{
	unsigned char *der = NULL;
	X509 *x509 = X509_new();
	must(x509 && X509_set_version(x509, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x509), shape->serial));
	set_name(X509_get_subject_name(x509), shape->name);
	set_name(X509_get_issuer_name(x509), shape->issuer);
	must(ASN1_TIME_set(X509_getm_notBefore(x509), DCAP_TIME - DCAP_YEAR) &&
	     ASN1_TIME_set(X509_getm_notAfter(x509), shape->not_after));
	must(X509_set_pubkey(x509, keys[shape->key]));
	add_known(x509, NID_basic_constraints, shape->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	add_known(x509, NID_key_usage,
	          shape->is_ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
	if (shape->extension)
		add_raw(x509, "1.2.840.113741.1.13.1", shape->extension);
	must(X509_sign(x509, keys[shape->issuer_key], EVP_sha256()) > 0);
	const int size = i2d_X509(x509, &der);
	must(size > 0);
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
	X509_free(x509);
}

#define ROOT_NAME "Intel SGX Root CA"
#define CA_NAME "Intel SGX PCK Platform CA"
#define SIGNER_NAME "Intel SGX TCB Signing"

static void make_certs(const struct dcap_shape *shape, struct dcap_files *files)
{
	const enum dcap_flaw flaw = shape->flaw;
	const int64_t late = DCAP_TIME + DCAP_YEAR;
	const char *ca = flaw == DCAP_CA_OTHER_NAME ? "Another CA" : CA_NAME;
	struct buf extension = {0};
	make_extension(shape, &extension);
	make_cert(&(struct cert_shape_of){ROOT_NAME, ROOT_NAME, SERIAL_ROOT, KEY_ROOT, KEY_ROOT, true, late,
	                                  NULL},
	          &files->root);
	make_cert(&(struct cert_shape_of){ca, ROOT_NAME, SERIAL_CA, KEY_CA, KEY_ROOT, true, late, NULL},
	          &files->ca);
	make_cert(&(struct cert_shape_of){flaw == DCAP_PCK_NAME ? "Something else"
	                                                        : "Intel SGX PCK Certificate",
	                                  flaw == DCAP_PCK_OF_ROOT ? ROOT_NAME : ca, SERIAL_PCK, KEY_PCK,
	                                  flaw == DCAP_PCK_BY_ANOTHER ? KEY_OTHER
	                                  : flaw == DCAP_PCK_OF_ROOT  ? KEY_ROOT
	                                                              : KEY_CA,
	                                  false, flaw == DCAP_PCK_EXPIRED ? DCAP_TIME - 1 : late, &extension},
	          &files->pck);
	const bool by_ca = flaw == DCAP_TCB_SIGNER_OF_CA;
	make_cert(&(struct cert_shape_of){SIGNER_NAME, by_ca ? ca : ROOT_NAME, SERIAL_SIGNER, KEY_SIGNER,
	                                  by_ca ? KEY_CA : KEY_ROOT, false, late, NULL},
	          &files->signer);
	buf_done(&extension);
}

static void pin(struct dcap_files *files, enum dcap_flaw flaw)
{
	struct vendor_cert *root;
	must(vendor_cert_read_der(files->root.data, files->root.size, &root, NULL) == 0);
	memcpy(files->pin_hash, vendor_cert_facts(root)->key_hash, sizeof(files->pin_hash));
	vendor_cert_free(root);
	if (flaw == DCAP_ANOTHER_ROOT)
		files->pin_hash[0] = files->pin_hash[0] == '0' ? '1' : '0';
	files->pin = (struct vendor_root){.name = ROOT_NAME, .key_hash = files->pin_hash};
}

/* ---- CRLs ---- */

static void make_crl(const char *issuer, int key, long revoked, int64_t next_update, struct buf *to)
{
	X509_CRL *crl = X509_CRL_new();
	X509_NAME *name = X509_NAME_new();
	unsigned char *der = NULL;
	must(crl && name && X509_CRL_set_version(crl, X509_CRL_VERSION_2));
	set_name(name, issuer);
	ASN1_TIME *from = ASN1_TIME_set(NULL, DCAP_TIME - DCAP_DAY),
		  *until = ASN1_TIME_set(NULL, next_update);
	must(X509_CRL_set_issuer_name(crl, name) && from && until && X509_CRL_set1_lastUpdate(crl, from) &&
	     X509_CRL_set1_nextUpdate(crl, until));
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	must(entry && number && ASN1_INTEGER_set(number, revoked) &&
	     X509_REVOKED_set_serialNumber(entry, number) && X509_REVOKED_set_revocationDate(entry, from) &&
	     X509_CRL_add0_revoked(crl, entry));
	must(X509_CRL_sign(crl, keys[key], EVP_sha256()) > 0);
	const int size = i2d_X509_CRL(crl, &der);
	must(size > 0);
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	X509_NAME_free(name);
	X509_CRL_free(crl);
}

static void make_crls(enum dcap_flaw flaw, struct dcap_files *files)
{
	const int64_t next = flaw == DCAP_CRL_EXPIRED ? DCAP_TIME - 1 : DCAP_TIME + DCAP_DAY;
	make_crl(ROOT_NAME, KEY_ROOT,
	         flaw == DCAP_CA_REVOKED       ? SERIAL_CA
	         : flaw == DCAP_SIGNER_REVOKED ? SERIAL_SIGNER
	                                       : 99,
	         DCAP_TIME + DCAP_DAY, &files->root_crl);
	make_crl(flaw == DCAP_CA_OTHER_NAME ? "Another CA" : CA_NAME,
	         flaw == DCAP_CRL_BY_ANOTHER ? KEY_OTHER : KEY_CA, flaw == DCAP_PCK_REVOKED ? SERIAL_PCK : 99,
	         next, &files->pck_crl);
}

/* ---- documents ---- */

static void put_components(struct buf *to, const char *name, int value, bool is_tdx)
{
	buf_printf(to, "\"%s\":[", name);
	for (int i = 0; i < 16; i++)
		buf_printf(to, "%s{\"svn\":%d}", i > 0 ? "," : "", is_tdx && i != 0 && i != 2 ? 0 : value);
	buf_printf(to, "]");
}

static void put_level(struct buf *to, const struct dcap_shape *shape, bool is_tdx, int value,
                      const char *status)
{
	buf_printf(to, "{\"tcb\":{");
	if (shape->old_format) {
		for (int i = 1; i <= 16; i++)
			buf_printf(to, "\"sgxtcbcomp%02dsvn\":%d,", i, value);
	} else {
		put_components(to, "sgxtcbcomponents", value, false);
		buf_printf(to, ",");
	}
	if (is_tdx) {
		put_components(to, "tdxtcbcomponents", value, true);
		buf_printf(to, ",");
	}
	buf_printf(to,
	           "\"pcesvn\":10},\"tcbDate\":\"2025-01-0%dT00:00:00Z\",\"tcbStatus\":\"%s\","
	           "\"advisoryIDs\":[\"INTEL-SA-0000%d\"]}%s",
	           value + 1, status, value, value > 0 ? "," : "");
}

static void put_isv_levels(struct buf *to, const int *svns, size_t count)
{
	static const char *const statuses[] = {"UpToDate", "OutOfDate", "Revoked"};
	buf_printf(to, "\"tcbLevels\":[");
	for (size_t i = 0; i < count; i++)
		buf_printf(
			to,
			"%s{\"tcb\":{\"isvsvn\":%d},\"tcbDate\":\"2025-01-01T00:00:00Z\",\"tcbStatus\":\"%s\"}",
			i > 0 ? "," : "", svns[i], statuses[i]);
	buf_printf(to, "]");
}

#define ZEROS_48                                                                           \
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"0000000000000000"
#define MODULE                                                               \
	"\"mrsigner\":\"" ZEROS_48 "\",\"attributes\":\"0000000000000000\"," \
	"\"attributesMask\":\"FFFFFFFFFFFFFFFF\""

static void put_modules(struct buf *to)
{
	buf_printf(to, "\"tdxModule\":{" MODULE "},\"tdxModuleIdentities\":[{\"id\":\"TDX_03\"," MODULE ",");
	put_isv_levels(to, (const int[]){2}, 1);
	buf_printf(to, "},{\"id\":\"TDX_01\"," MODULE ",");
	put_isv_levels(to, (const int[]){5, 3, 1}, 3);
	buf_printf(to, "}],");
}

static void make_tcb_info(const struct dcap_shape *shape, struct buf *to)
{
	static const char *const statuses[] = {"Revoked",
	                                       "OutOfDate",
	                                       "OutOfDateConfigurationNeeded",
	                                       "ConfigurationNeeded",
	                                       "SWHardeningNeeded",
	                                       "UpToDate"};
	const bool is_tdx = shape->is_tdx != (shape->flaw == DCAP_TCB_OTHER_TEE);
	buf_printf(to, "{");
	if (!shape->old_format)
		buf_printf(to, "\"id\":\"%s\",", is_tdx ? "TDX" : "SGX");
	buf_printf(
		to,
		"\"version\":%d,\"issueDate\":\"%s\",\"nextUpdate\":\"%s\",\"fmspc\":\"%s\",\"pceId\":\"%s\","
		"\"tcbType\":0,\"tcbEvaluationDataNumber\":17,",
		shape->old_format ? 2 : 3,
		shape->flaw == DCAP_TCB_EARLY ? "2025-06-15T15:06:41Z" : "2025-06-15T15:06:40Z",
		shape->flaw == DCAP_TCB_EXPIRED ? "2025-06-15T15:06:39Z" : "2025-06-15T15:06:40Z",
		shape->flaw == DCAP_TCB_OTHER_FMSPC ? "00906ED60000" : "00906ED50000",
		shape->flaw == DCAP_TCB_OTHER_PCE ? "0001" : "0000");
	if (is_tdx)
		put_modules(to);
	buf_printf(to, "\"tcbLevels\":[");
	for (int i = 5; i >= 0; i--)
		put_level(to, shape, is_tdx, i, statuses[i]);
	buf_printf(to, "]}");
}

static void make_qe_identity(const struct dcap_shape *shape, struct buf *to)
{
	const bool is_tdx = shape->is_tdx != (shape->flaw == DCAP_QE_ID_OTHER_TEE);
	buf_printf(
		to,
		"{\"id\":\"%s\",\"version\":2,\"issueDate\":\"2025-06-01T00:00:00Z\",\"nextUpdate\":\"%s\","
		"\"tcbEvaluationDataNumber\":17,\"miscselect\":\"00000000\",\"miscselectMask\":\"FFFFFFFF\","
		"\"attributes\":\"11000000000000000000000000000000\","
		"\"attributesMask\":\"FBFFFFFFFFFFFFFF0000000000000000\","
		"\"mrsigner\":\"AA00000000000000000000000000000000000000000000000000000000000000\","
		"\"isvprodid\":2,",
		is_tdx ? "TD_QE" : "QE",
		shape->flaw == DCAP_QE_ID_EXPIRED ? "2025-06-02T00:00:00Z" : "2025-07-01T00:00:00Z");
	put_isv_levels(to, (const int[]){8, 6, 5}, 3);
	buf_printf(to, "}");
}

static void serve(const char *name, const struct buf *document, int key, bool changed, struct buf *to)
{
	uint8_t signature[QUOTE_POINT_SIZE];
	char hex[2 * QUOTE_POINT_SIZE + 1];
	sign(keys[key], document->data, document->size, signature);
	io_hex(signature, sizeof(signature), hex);
	if (changed) { /* the date of a level, whose meaning nobody asks */
		char *date = memmem(document->data, document->size, "2025-01-01", 10);
		must(date);
		date[9] = '2';
	}
	buf_printf(to, "{\"%s\":%.*s,\"signature\":\"%s\"}", name, (int)document->size,
	           (const char *)document->data, hex);
}

static void make_documents(const struct dcap_shape *shape, struct dcap_files *files)
{
	struct buf tcb_info = {0}, qe_identity = {0};
	make_tcb_info(shape, &tcb_info);
	make_qe_identity(shape, &qe_identity);
	serve("tcbInfo", &tcb_info,
	      shape->flaw == DCAP_TCB_BY_PCK       ? KEY_PCK
	      : shape->flaw == DCAP_TCB_BY_ANOTHER ? KEY_OTHER
	                                           : KEY_SIGNER,
	      shape->flaw == DCAP_TCB_CHANGED, &files->tcb_info);
	serve("enclaveIdentity", &qe_identity, KEY_SIGNER, shape->flaw == DCAP_QE_ID_CHANGED,
	      &files->qe_identity);
	buf_done(&tcb_info);
	buf_done(&qe_identity);
}

/* ---- the quote ---- */

static void put_zeros(struct buf *to, size_t size)
{
	uint8_t *zeros = buf_reserve(to, size);
	must(zeros);
	memset(zeros, 0, size);
}

static void put_filled(struct buf *to, uint8_t with, size_t size)
{
	uint8_t *bytes = buf_reserve(to, size);
	must(bytes);
	memset(bytes, with, size);
}

static void put_td_body(struct buf *to, const struct dcap_shape *shape)
{
	const uint8_t svn[16] = {shape->module, shape->module_version, shape->component};
	const uint8_t now[16] = {shape->module_now, shape->module_version_now, shape->component};
	buf_put(to, svn, sizeof(svn));
	put_filled(to, 0x10, 48);
	put_filled(to, shape->mr_signer_seam, 48);
	put_filled(to, shape->seam_attributes, 8);
	buf_put_u64(to, shape->td_attributes);
	buf_put_u64(to, shape->xfam);
	for (uint8_t i = 0; i < 8; i++)
		put_filled(to, (uint8_t)(0x20 + i), 48); /* MRTD, MRCONFIGID, MROWNER, MROWNERCONFIG, RTMRs */
	if (shape->report_data)
		buf_put(to, shape->report_data, 64);
	else
		put_filled(to, 0x30, 64);
	if (shape->is_15) {
		buf_put(to, now, sizeof(now));
		put_filled(to, 0x31, 48);
	}
}

static void put_sgx_body(struct buf *to, uint8_t flags, uint32_t misc, uint8_t mr_signer, uint16_t prod_id,
                         uint16_t svn, const uint8_t report_data[64])
{
	put_filled(to, 1, 16);
	buf_put_u32(to, misc);
	put_zeros(to, 12 + 16);
	buf_put_u8(to, flags);
	put_zeros(to, 7);
	put_filled(to, 0xE7, 8);
	put_filled(to, 0x40, 32);
	put_zeros(to, 32);
	buf_put_u8(to, mr_signer);
	put_zeros(to, 31 + 32 + 64);
	buf_put_u16(to, prod_id);
	buf_put_u16(to, svn);
	put_zeros(to, 2 + 42 + 16);
	buf_put(to, report_data, 64);
}

static void put_body(struct buf *to, const struct dcap_shape *shape)
{
	static const uint8_t vendor[16] = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
	                                   0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};
	static const uint8_t own[64] = {0x50, 0x51};
	const uint8_t *report_data = shape->report_data ? shape->report_data : own;
	buf_put_u16(to, shape->version);
	buf_put_u16(to, 2);
	buf_put_u32(to, shape->is_tdx ? QUOTE_TDX : QUOTE_SGX);
	buf_put_u32(to, 0);
	if (shape->flaw == DCAP_NOT_VENDOR)
		put_zeros(to, sizeof(vendor));
	else
		buf_put(to, vendor, sizeof(vendor));
	put_zeros(to, 20);
	if (shape->version == 5) {
		buf_put_u16(to, shape->is_tdx ? 2 + shape->is_15 : 1);
		buf_put_u32(to, shape->is_tdx ? 584u + 64u * shape->is_15 : 384);
	}
	if (shape->is_tdx)
		put_td_body(to, shape);
	else
		put_sgx_body(to, shape->sgx_flags, 0, 0xBB, 7, 3, report_data);
}

static const uint8_t auth[32] = {1, 2, 3};

static void put_qe_report(struct buf *to, const struct dcap_shape *shape)
{
	uint8_t point[QUOTE_POINT_SIZE + sizeof(auth)], report_data[64] = {0};
	const enum dcap_flaw flaw = shape->flaw;
	point_of(keys[flaw == DCAP_KEY_UNREPORTED ? KEY_OTHER : KEY_ATTESTATION], point);
	memcpy(point + QUOTE_POINT_SIZE, auth, sizeof(auth));
	must(EVP_Digest(point, sizeof(point), report_data, NULL, EVP_sha256(), NULL) > 0);
	put_sgx_body(to, flaw == DCAP_QE_DEBUG ? 0x17 : 0x15, flaw == DCAP_QE_MISC_SELECT,
	             flaw == DCAP_QE_MR_SIGNER ? 0xAB : 0xAA, flaw == DCAP_QE_PROD_ID ? 3 : 2, shape->qe_svn,
	             report_data);
}

static void put_pem(struct buf *to, const struct buf *der)
{
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());
	must(bio && PEM_write_bio(bio, "CERTIFICATE", "", der->data, (long)der->size) > 0);
	const long size = BIO_get_mem_data(bio, &text);
	buf_put(to, text, (size_t)size);
	BIO_free(bio);
}

/* The QE's report, its signature, its authentication data, and the certificates. */
static void put_certification(struct buf *to, const struct dcap_shape *shape, const struct dcap_files *files)
{
	uint8_t signature[QUOTE_POINT_SIZE];
	struct buf pem = {0};
	const size_t start = to->size;
	put_qe_report(to, shape);
	sign(keys[shape->flaw == DCAP_QE_BY_ANOTHER ? KEY_OTHER : KEY_PCK], to->data + start, 384, signature);
	buf_put(to, signature, sizeof(signature));
	buf_put_u16(to, sizeof(auth));
	buf_put(to, auth, sizeof(auth));
	if (shape->flaw == DCAP_AUTH_CHANGED)
		to->data[to->size - 1] ^= 1;
	put_pem(&pem, &files->pck);
	put_pem(&pem, &files->ca);
	put_pem(&pem, &files->root);
	buf_put_u8(&pem, 0);
	buf_put_u16(to, shape->flaw == DCAP_NO_CHAIN ? 1 : 5);
	buf_put_blob(to, pem.data, pem.size);
	buf_done(&pem);
}

static void make_quote(const struct dcap_shape *shape, struct dcap_files *files)
{
	uint8_t signature[QUOTE_POINT_SIZE], point[QUOTE_POINT_SIZE];
	struct buf inner = {0}, data = {0};
	put_body(&files->quote, shape);
	sign(keys[shape->flaw == DCAP_QUOTE_BY_ANOTHER ? KEY_OTHER : KEY_ATTESTATION], files->quote.data,
	     files->quote.size, signature);
	point_of(keys[KEY_ATTESTATION], point);
	buf_put(&data, signature, sizeof(signature));
	buf_put(&data, point, sizeof(point));
	put_certification(&inner, shape, files);
	if (shape->version >= 4) {
		buf_put_u16(&data, 6);
		buf_put_blob(&data, inner.data, inner.size);
	} else {
		buf_put(&data, inner.data, inner.size);
	}
	buf_put_blob(&files->quote, data.data, data.size);
	buf_done(&inner);
	buf_done(&data);
}

/* ---- everything ---- */

static void give(struct dcap_files *files, const struct buf *bytes, const char *name)
{
	files->collateral[files->input.collateral_count++] = (struct tee_blob){bytes->data, bytes->size,
	                                                                       name};
}

static void ask(const struct dcap_shape *shape, struct dcap_files *files)
{
	const enum dcap_flaw flaw = shape->flaw;
	files->certs[0] = (struct tee_blob){files->signer.data, files->signer.size, "signer"};
	files->certs[1] = (struct tee_blob){files->root.data, files->root.size, "root"};
	files->input = (struct tee_input){
		.kind = shape->is_tdx ? TEE_TDX : TEE_SGX,
		.evidence = {files->quote.data, files->quote.size, "quote"},
		.certs = files->certs,
		.cert_count = 2,
		.collateral = files->collateral,
		.time = DCAP_TIME,
		.test_roots = &files->pin,
		.test_root_count = 1,
	};
	if (flaw != DCAP_NO_TCB_INFO)
		give(files, &files->tcb_info, "tcb.json");
	if (flaw != DCAP_NO_QE_IDENTITY)
		give(files, &files->qe_identity, "qe.json");
	if (flaw != DCAP_NO_PCK_CRL)
		give(files, &files->pck_crl, "pck.crl");
	if (flaw != DCAP_NO_ROOT_CRL)
		give(files, &files->root_crl, "root.crl");
}

void dcap_make(const struct dcap_shape *shape, struct dcap_files *files)
{
	memset(files, 0, sizeof(*files));
	make_certs(shape, files);
	make_crls(shape->flaw, files);
	make_documents(shape, files);
	make_quote(shape, files);
	pin(files, shape->flaw);
	ask(shape, files);
}

void dcap_quote_again(const struct dcap_shape *shape, struct dcap_files *files)
{
	buf_done(&files->quote);
	make_quote(shape, files);
	files->input.evidence = (struct tee_blob){files->quote.data, files->quote.size, "quote"};
}

void dcap_done(struct dcap_files *files)
{
	struct buf *const all[] = {&files->root,     &files->ca,          &files->pck,
	                           &files->signer,   &files->root_crl,    &files->pck_crl,
	                           &files->tcb_info, &files->qe_identity, &files->quote};
	for (size_t i = 0; i < array_count(all); i++)
		buf_done(all[i]);
}
