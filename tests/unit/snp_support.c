#include "snp_support.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "attest/snp/format.h"

/* A test that cannot make what it needs stops. */
#define must(x)                  \
	do {                     \
		if (!(x))        \
			abort(); \
	} while (0)

static EVP_PKEY *root_key, *ca_key, *leaf_key, *p256_key, *other_rsa, *other_p384;

int maker_start(void)
{
	EVP_add_digest(EVP_sha256());
	EVP_add_digest(EVP_sha384());
	root_key = EVP_RSA_gen(2048);
	ca_key = EVP_RSA_gen(2048);
	other_rsa = EVP_RSA_gen(2048);
	leaf_key = EVP_EC_gen("P-384");
	other_p384 = EVP_EC_gen("P-384");
	p256_key = EVP_EC_gen("P-256");
	return root_key && ca_key && other_rsa && leaf_key && other_p384 && p256_key ? 0 : -1;
}

void maker_stop(void)
{
	EVP_PKEY *const keys[] = {root_key, ca_key, leaf_key, p256_key, other_rsa, other_p384};
	for (size_t i = 0; i < array_count(keys); i++)
		EVP_PKEY_free(keys[i]);
}

struct maker_shape maker_shape(enum snp_product product, uint32_t version, bool vlek)
{
	static const char *const names[] = {"", "Milan-B0", "Genoa-B1", "Turin-B0"};
	struct maker_shape shape = {
		.product = product,
		.version = version,
		.product_name = vlek ? snp_product_name(product) : names[product],
		.vlek = vlek,
		.levels = {product == SNP_TURIN ? 9 : -1, 4, 1, 24, 217},
		.reserved_level = 0,
		.hwid_size = vlek                   ? 0
	                     : product == SNP_TURIN ? SNP_TURIN_HWID_SIZE
	                                            : SNP_CHIP_ID_SIZE,
		.csp_id = vlek ? "CN=cloud.example" : NULL,
		.not_before = MAKER_TIME - MAKER_YEAR,
		.not_after = MAKER_TIME + MAKER_YEAR,
		.ca_salt = 48,
	};
	for (size_t i = 0; i < shape.hwid_size; i++)
		shape.hwid[i] = (uint8_t)(i + 1);
	return shape;
}

/* ---- certificates ---- */

static void set_name(X509_NAME *name, const char *common_name)
{
	static const char *const rows[][2] = {{"OU", "Engineering"}, {"C", "US"}, {"O", "A Maker"}};
	for (size_t i = 0; i < array_count(rows); i++)
		must(X509_NAME_add_entry_by_txt(name, rows[i][0], MBSTRING_ASC, (const uint8_t *)rows[i][1],
		                                -1, -1, 0));
	must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1, -1, 0));
}

static void add_raw(X509 *x509, const char *oid, bool critical, const void *bytes, size_t size)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	must(object && value && ASN1_OCTET_STRING_set(value, bytes, (int)size));
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, critical, value);
	must(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

static void add_known(X509 *x509, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	must(e && X509_add_ext(x509, e, -1));
	X509_EXTENSION_free(e);
}

static void add_level(X509 *x509, const char *oid, int level)
{
	const uint8_t small[] = {2, 1, (uint8_t)level}, big[] = {2, 2, 0, (uint8_t)level};
	if (level >= 0)
		add_raw(x509, oid, false, level < 128 ? small : big,
		        level < 128 ? sizeof(small) : sizeof(big));
}

static void add_text(X509 *x509, const char *oid, const char *text)
{
	const size_t size = strnlen(text, 128);
	uint8_t bytes[130] = {0x16, (uint8_t)size};
	must(size < 128);
	for (size_t i = 0; i < size; i++)
		bytes[2 + i] = (uint8_t)text[i];
	add_raw(x509, oid, false, bytes, 2 + size);
}

/* With RSA-PSS as given. */
static EVP_MD_CTX *signing(EVP_PKEY *key, const EVP_MD *digest, int salt)
{
	EVP_PKEY_CTX *context;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	must(md && EVP_DigestSignInit(md, &context, digest, NULL, key) > 0 &&
	     EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) > 0 &&
	     EVP_PKEY_CTX_set_rsa_pss_saltlen(context, salt) > 0 &&
	     EVP_PKEY_CTX_set_rsa_mgf1_md(context, digest) > 0);
	return md;
}

static void to_der(X509 *x509, struct buf *to)
{
	unsigned char *der = NULL;
	int size = i2d_X509(x509, &der);
	must(size > 0);
	buf_done(to);
	*to = (struct buf){0};
	buf_put(to, der, (size_t)size);
	OPENSSL_free(der);
}

static X509 *begin_cert(const char *subject, const char *issuer, long serial, EVP_PKEY *key, int64_t from,
                        int64_t to)
{
	X509 *x509 = X509_new();
	must(x509 && X509_set_version(x509, X509_VERSION_3));
	must(ASN1_INTEGER_set(X509_get_serialNumber(x509), serial));
	set_name(X509_get_subject_name(x509), subject);
	set_name(X509_get_issuer_name(x509), issuer);
	must(ASN1_TIME_set(X509_getm_notBefore(x509), from) && ASN1_TIME_set(X509_getm_notAfter(x509), to));
	must(X509_set_pubkey(x509, key));
	return x509;
}

static void end_cert(X509 *x509, EVP_PKEY *issuer, const EVP_MD *digest, int salt, struct buf *to)
{
	EVP_MD_CTX *md = signing(issuer, digest, salt);
	must(X509_sign_ctx(x509, md) > 0);
	EVP_MD_CTX_free(md);
	to_der(x509, to);
	X509_free(x509);
}

static const char *root_name(const struct maker_shape *shape)
{
	static const char *const names[] = {"", "ARK-Milan", "ARK-Genoa", "ARK-Turin"};
	return names[shape->product];
}

static const char *ca_name(const struct maker_shape *shape)
{
	static const char *const names[][2] = {{"", ""},
	                                       {"SEV-Milan", "SEV-VLEK-Milan"},
	                                       {"SEV-Genoa", "SEV-VLEK-Genoa"},
	                                       {"SEV-Turin", "SEV-VLEK-Turin"}};
	return shape->ca_name ? shape->ca_name : names[shape->product][shape->vlek];
}

static void make_root(const struct maker_shape *shape, struct buf *to)
{
	X509 *x509 = begin_cert(root_name(shape), root_name(shape), 65536, root_key,
	                        MAKER_TIME - 5 * MAKER_YEAR, MAKER_TIME + 20LL * MAKER_YEAR);
	add_known(x509, NID_basic_constraints,
	          shape->root_path_length ? "critical,CA:TRUE,pathlen:0" : "critical,CA:TRUE");
	add_known(x509, NID_key_usage, "critical,keyCertSign,cRLSign");
	end_cert(x509, shape->root_by_another ? other_rsa : root_key, EVP_sha384(), 48, to);
}

static void make_ca(const struct maker_shape *shape, struct buf *to)
{
	X509 *x509 = begin_cert(ca_name(shape), root_name(shape), 65537, ca_key, MAKER_TIME - 5 * MAKER_YEAR,
	                        MAKER_TIME + 20LL * MAKER_YEAR);
	add_known(x509, NID_basic_constraints,
	          shape->ca_is_none ? "critical,CA:FALSE" : "critical,CA:TRUE,pathlen:0");
	add_known(x509, NID_key_usage, shape->ca_without_usage ? "critical,cRLSign" : "critical,keyCertSign");
	end_cert(x509, shape->ca_by_another ? other_rsa : root_key,
	         shape->ca_sha256 ? EVP_sha256() : EVP_sha384(), shape->ca_salt, to);
}

#define OID "1.3.6.1.4.1.3704.1."

static void add_makers(X509 *x509, const struct maker_shape *shape)
{
	static const char *const oids[] = {OID "3.9", OID "3.1", OID "3.2", OID "3.3", OID "3.8"};
	uint8_t wrapped[2 + SNP_CHIP_ID_SIZE] = {4, (uint8_t)shape->hwid_size};
	add_level(x509, OID "1", shape->product == SNP_TURIN);
	add_text(x509, OID "2", shape->product_name);
	for (size_t i = 0; i < array_count(oids); i++)
		if (i == SNP_TEE && shape->level_malformed)
			add_raw(x509, oids[i], false, "\x02\x01", 2);
		else
			add_level(x509, oids[i], shape->levels[i]);
	if (shape->level_twice)
		add_level(x509, oids[SNP_BOOTLOADER], shape->levels[SNP_BOOTLOADER]);
	add_level(x509, OID "3.4", shape->reserved_level);
	memcpy(wrapped + 2, shape->hwid, shape->hwid_size);
	if (shape->hwid_size > 0 && shape->hwid_wrapped)
		add_raw(x509, OID "4", false, wrapped, 2 + shape->hwid_size);
	else if (shape->hwid_size > 0)
		add_raw(x509, OID "4", false, shape->hwid, shape->hwid_size);
	if (shape->csp_id)
		add_text(x509, OID "5", shape->csp_id);
	if (shape->leaf_critical)
		add_raw(x509, "1.2.3.4", true, "\x05\x00", 2);
}

static void make_leaf(const struct maker_shape *shape, struct buf *to)
{
	const char *name = shape->leaf_name ? shape->leaf_name : shape->vlek ? "SEV-VLEK" : "SEV-VCEK";
	X509 *x509 = begin_cert(name, ca_name(shape), 0, shape->leaf_p256 ? p256_key : leaf_key,
	                        shape->not_before, shape->not_after);
	add_makers(x509, shape);
	end_cert(x509, shape->leaf_by_another ? other_rsa : ca_key, EVP_sha384(), 48, to);
}

/* ---- the report ---- */

static void put_tcb(uint8_t *to, const struct maker_shape *shape)
{
	static const int milan[] = {-1, 0, 1, 6, 7}, turin[] = {0, 1, 2, 3, 7};
	for (size_t i = 0; i < SNP_COMPONENTS; i++) {
		const int at = shape->product == SNP_TURIN ? turin[i] : milan[i];
		if (at >= 0)
			to[at] = (uint8_t)shape->levels[i];
	}
}

static void make_report(const struct maker_shape *shape, struct buf *to)
{
	static const uint8_t cpus[][3] = {{0}, {0x19, 0x01, 1}, {0x19, 0x11, 1}, {0x1a, 0x02, 1}};
	static const uint8_t firmware[] = {0x1d, 0x37, 0x01}; /* 1.55.29 */
	uint8_t r[SNP_REPORT_SIZE] = {0};
	r[SNP_AT_VERSION] = (uint8_t)shape->version;
	r[SNP_AT_GUEST_SVN] = 7;
	r[SNP_AT_POLICY] = 31;
	r[SNP_AT_POLICY + 2] = 0x03;
	r[SNP_AT_SIGNATURE_ALGORITHM] = 1;
	r[SNP_AT_PLATFORM_INFO] = 0x25;
	r[SNP_AT_KEY_INFO] = shape->vlek ? 1 << 2 : 0;
	for (uint8_t i = 0; i < 64; i++) {
		r[SNP_AT_REPORT_DATA + i] = (uint8_t)(0x40 + i);
		r[SNP_AT_MEASUREMENT + i % 48] = (uint8_t)(0x80 + i);
	}
	memset(r + SNP_AT_HOST_DATA, 0xb0, SNP_HOST_DATA_SIZE);
	memset(r + SNP_AT_ID_KEY_DIGEST, 0xb1, SNP_DIGEST_SIZE);
	memset(r + SNP_AT_REPORT_ID, 0xb2, SNP_REPORT_ID_SIZE);
	memset(r + SNP_AT_REPORT_ID_MA, 0xff, SNP_REPORT_ID_SIZE);
	memset(r + SNP_AT_FAMILY_ID, 0xb3, SNP_ID_SIZE);
	memset(r + SNP_AT_IMAGE_ID, 0xb4, SNP_ID_SIZE);
	put_tcb(r + SNP_AT_CURRENT_TCB, shape);
	put_tcb(r + SNP_AT_REPORTED_TCB, shape);
	put_tcb(r + SNP_AT_COMMITTED_TCB, shape);
	put_tcb(r + SNP_AT_LAUNCH_TCB, shape);
	if (shape->version >= 3)
		memcpy(r + SNP_AT_CPUID, cpus[shape->product], 3);
	memcpy(r + SNP_AT_CHIP_ID, shape->hwid, shape->hwid_size);
	memcpy(r + SNP_AT_CURRENT_FIRMWARE, firmware, sizeof(firmware));
	memcpy(r + SNP_AT_COMMITTED_FIRMWARE, firmware, sizeof(firmware));
	if (shape->version >= 5) {
		r[SNP_AT_LAUNCH_MITIGATIONS] = 0x3;
		r[SNP_AT_CURRENT_MITIGATIONS] = 0x7;
	}
	buf_put(to, r, sizeof(r));
}

static void put_number(uint8_t *to, const BIGNUM *number)
{
	must(BN_bn2lebinpad(number, to, SNP_SIGNATURE_NUMBER) == SNP_SIGNATURE_NUMBER);
}

void maker_sign(struct maker_files *files)
{
	uint8_t *r = files->report.data;
	uint8_t der[128];
	size_t size = sizeof(der);
	const BIGNUM *a, *b;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	must(md && EVP_DigestSignInit(md, NULL, EVP_sha384(), NULL, leaf_key) > 0 &&
	     EVP_DigestSign(md, der, &size, r, SNP_SIGNED_SIZE) > 0);
	EVP_MD_CTX_free(md);
	const unsigned char *at = der;
	ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &at, (long)size);
	must(signature);
	ECDSA_SIG_get0(signature, &a, &b);
	put_number(r + SNP_AT_SIGNATURE, a);
	put_number(r + SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD, b);
	ECDSA_SIG_free(signature);
}

void maker_make(const struct maker_shape *shape, struct maker_files *files)
{
	struct vendor_cert *root;
	memset(files, 0, sizeof(*files));
	make_root(shape, &files->root);
	make_ca(shape, &files->ca);
	make_leaf(shape, &files->leaf);
	make_report(shape, &files->report);
	maker_sign(files);
	must(vendor_cert_read_der(files->root.data, files->root.size, &root, NULL) == 0);
	memcpy(files->pin_hash, vendor_cert_facts(root)->key_hash, sizeof(files->pin_hash));
	vendor_cert_free(root);
	files->pin = (struct vendor_root){.name = root_name(shape), .key_hash = files->pin_hash};
}

void maker_done(struct maker_files *files)
{
	buf_done(&files->leaf);
	buf_done(&files->ca);
	buf_done(&files->root);
	buf_done(&files->report);
}

/* ---- CRLs, and other forms ---- */

static void revoke(X509_CRL *crl, long serial)
{
	X509_REVOKED *entry = X509_REVOKED_new();
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	ASN1_TIME *when = ASN1_TIME_set(NULL, MAKER_TIME - 3600);
	must(entry && number && when && ASN1_INTEGER_set(number, serial));
	must(X509_REVOKED_set_serialNumber(entry, number) && X509_REVOKED_set_revocationDate(entry, when));
	must(X509_CRL_add0_revoked(crl, entry));
	ASN1_INTEGER_free(number);
	ASN1_TIME_free(when);
}

static void set_updates(X509_CRL *crl, const struct maker_crl *shape)
{
	ASN1_TIME *when = ASN1_TIME_set(NULL, shape->this_update);
	must(when && X509_CRL_set1_lastUpdate(crl, when));
	ASN1_TIME_free(when);
	if (shape->next_update == 0)
		return;
	when = ASN1_TIME_set(NULL, shape->next_update);
	must(when && X509_CRL_set1_nextUpdate(crl, when));
	ASN1_TIME_free(when);
}

static void add_to_crl(X509_CRL *crl, const char *oid, const void *bytes, size_t size)
{
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	must(object && value && ASN1_OCTET_STRING_set(value, bytes, (int)size));
	X509_EXTENSION *e = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	must(e && X509_CRL_add_ext(crl, e, -1));
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(value);
	ASN1_OBJECT_free(object);
}

void maker_make_crl(const struct maker_shape *shape, const struct maker_crl *of, struct buf *der)
{
	X509_CRL *crl = X509_CRL_new();
	X509_NAME *issuer = X509_NAME_new();
	unsigned char *bytes = NULL;
	must(crl && issuer && X509_CRL_set_version(crl, X509_CRL_VERSION_2));
	set_name(issuer, root_name(shape));
	must(X509_CRL_set_issuer_name(crl, issuer));
	set_updates(crl, of);
	if (of->revokes_ca)
		revoke(crl, 65537);
	if (of->revokes_another)
		revoke(crl, 4711);
	if (of->critical)
		add_to_crl(crl, "1.2.3.4", "\x05\x00", 2);
	if (of->is_indirect)
		add_to_crl(crl, "2.5.29.28", "\x30\x03\x84\x01\xff", 5);
	EVP_MD_CTX *md = signing(of->by_another ? other_rsa : root_key, EVP_sha384(), 48);
	must(X509_CRL_sign_ctx(crl, md) > 0);
	EVP_MD_CTX_free(md);
	const int size = i2d_X509_CRL(crl, &bytes);
	must(size > 0);
	buf_put(der, bytes, (size_t)size);
	OPENSSL_free(bytes);
	X509_NAME_free(issuer);
	X509_CRL_free(crl);
}

void maker_table(const struct maker_files *files, bool efi, struct buf *table)
{
	static const uint8_t guids[3][16] = {{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5,
	                                      0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
	                                     {0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f,
	                                      0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82},
	                                     {0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43,
	                                      0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae}};
	static const size_t order[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	const struct buf *const blobs[3] = {&files->leaf, &files->ca, &files->root};
	static const uint8_t end[24];
	uint32_t at = 4 * 24;
	for (size_t i = 0; i < 3; i++) {
		for (size_t j = 0; j < 16; j++)
			buf_put_u8(table, guids[i][efi ? order[j] : j]);
		buf_put_u32(table, at);
		buf_put_u32(table, (uint32_t)blobs[i]->size);
		at += (uint32_t)blobs[i]->size;
	}
	buf_put(table, end, sizeof(end));
	for (size_t i = 0; i < 3; i++)
		buf_put(table, blobs[i]->data, blobs[i]->size);
}

void maker_pem(const struct buf *der, const char *name, struct buf *pem)
{
	char *text;
	BIO *bio = BIO_new(BIO_s_mem());
	must(bio && PEM_write_bio(bio, name, "", der->data, (long)der->size) > 0);
	const long size = BIO_get_mem_data(bio, &text);
	buf_put(pem, text, (size_t)size);
	BIO_free(bio);
}

void maker_ask(const struct maker_files *files, struct maker_question *q)
{
	memset(q, 0, sizeof(*q));
	q->certs[0] = (struct tee_blob){files->leaf.data, files->leaf.size, "leaf"};
	q->certs[1] = (struct tee_blob){files->ca.data, files->ca.size, "ca"};
	q->certs[2] = (struct tee_blob){files->root.data, files->root.size, "root"};
	q->input = (struct tee_input){
		.kind = TEE_SNP,
		.evidence = {files->report.data, files->report.size, "report"},
		.certs = q->certs,
		.cert_count = MAKER_CERTS,
		.time = MAKER_TIME,
		.test_roots = &files->pin,
		.test_root_count = 1,
	};
}
