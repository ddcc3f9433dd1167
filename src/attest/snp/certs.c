#include "attest/snp/certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/chain.h"
#include "base/buf.h"

/*
 * AMD's roots, by SHA-256 of their SubjectPublicKeyInfo: those of
 * https://kdsintf.amd.com/vcek/v1/Milan/cert_chain (likewise Genoa, Turin), as recorded in
 * ../shared/data/attestation/snp. One root signs the CAs of VCEKs and of VLEKs.
 */
static const struct vendor_root amd_roots[SNP_ROOTS_MAX] = {
	{"ARK-Milan", "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"},
	{"ARK-Genoa", "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"},
	{"ARK-Turin", "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"},
};

#define AMD_OID "1.3.6.1.4.1.3704.1."

static const char *const level_oids[SNP_COMPONENTS] = {
	[SNP_FMC] = AMD_OID "3.9",      [SNP_BOOTLOADER] = AMD_OID "3.1", [SNP_TEE] = AMD_OID "3.2",
	[SNP_FIRMWARE] = AMD_OID "3.3", [SNP_MICROCODE] = AMD_OID "3.8",
};
static const char *const reserved_oids[SNP_RESERVED_LEVELS] = {AMD_OID "3.4", AMD_OID "3.5", AMD_OID "3.6",
                                                               AMD_OID "3.7"};
#define PRODUCT_OID AMD_OID "2"
#define HWID_OID AMD_OID "4"
#define CSP_OID AMD_OID "5"

enum { DER_INTEGER = 0x02, DER_OCTETS = 0x04, DER_IA5 = 0x16 };

/* ---- extensions ---- */

/* An INTEGER of 0 to 255. -1: there is none; -2: it is malformed. */
static int read_level(const struct vendor_cert *cert, const char *oid)
{
	const uint8_t *value;
	size_t size;
	int rc = vendor_cert_extension(cert, oid, &value, &size, NULL);
	if (rc < 0)
		return rc == CELLA_ENOENT ? -1 : -2;
	if (size == 3 && value[0] == DER_INTEGER && value[1] == 1 && value[2] < 0x80)
		return value[2];
	if (size == 4 && value[0] == DER_INTEGER && value[1] == 2 && value[2] == 0 && value[3] >= 0x80)
		return value[3];
	return -2;
}

/* An IA5String, printable; false if it is malformed. Not there: "". */
static bool read_text(const struct vendor_cert *cert, const char *oid, char to[SNP_TEXT_SIZE])
{
	const uint8_t *value;
	size_t size;
	int rc = vendor_cert_extension(cert, oid, &value, &size, NULL);
	to[0] = '\0';
	if (rc < 0)
		return rc == CELLA_ENOENT;
	if (size < 3 || size > 2 + SNP_TEXT_SIZE - 1 || size - 2 > 127 || value[0] != DER_IA5 ||
	    value[1] != size - 2)
		return false;
	for (size_t i = 2; i < size; i++)
		if (value[i] < ' ' || value[i] > '~')
			return false;
	memcpy(to, value + 2, size - 2);
	to[size - 2] = '\0';
	return true;
}

/* The bytes as they are, or in an OCTET STRING; false if they are malformed. */
static bool read_hwid(struct snp_leaf *leaf)
{
	const uint8_t *value;
	size_t size;
	int rc = vendor_cert_extension(leaf->cert, HWID_OID, &value, &size, NULL);
	if (rc < 0)
		return rc == CELLA_ENOENT;
	if ((size == 2 + SNP_CHIP_ID_SIZE || size == 2 + SNP_TURIN_HWID_SIZE) && value[0] == DER_OCTETS &&
	    value[1] == size - 2)
		value += 2, size -= 2;
	if (size != SNP_CHIP_ID_SIZE && size != SNP_TURIN_HWID_SIZE)
		return false;
	memcpy(leaf->hwid, value, size);
	leaf->hwid_size = size;
	return true;
}

static void read_extensions(struct snp_leaf *leaf)
{
	if (!read_text(leaf->cert, PRODUCT_OID, leaf->product_name))
		leaf->fault = "its product name is malformed";
	if (!read_text(leaf->cert, CSP_OID, leaf->csp_id))
		leaf->fault = "its CSP id is malformed";
	if (!read_hwid(leaf))
		leaf->fault = "its hardware id is malformed";
	leaf->product = snp_product_parse(leaf->product_name);
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++) {
		const bool demanded = c != SNP_FMC || leaf->product == SNP_TURIN;
		leaf->levels[c] = read_level(leaf->cert, level_oids[c]);
		if (leaf->levels[c] == -2 || (demanded && leaf->levels[c] < 0))
			leaf->fault = "a security patch level is missing or malformed";
	}
	for (size_t i = 0; i < SNP_RESERVED_LEVELS; i++) {
		leaf->reserved_levels[i] = read_level(leaf->cert, reserved_oids[i]);
		if (leaf->reserved_levels[i] == -2)
			leaf->fault = "a security patch level is malformed";
	}
}

/* ---- which kind of key it is ---- */

/* Names, extensions and the CA's name must all say the same. */
static enum snp_signing_key kind_of(const struct snp_leaf *leaf)
{
	const struct vendor_cert_facts *facts = vendor_cert_facts(leaf->cert);
	const struct vendor_cert *issuer = leaf->chain.count > 1 ? leaf->chain.links[1].cert : NULL;
	const char *ca = issuer ? vendor_cert_facts(issuer)->common_name : "";
	char wanted[64];
	if (strcmp(facts->common_name, "SEV-VCEK") == 0 && leaf->hwid_size > 0 && !*leaf->csp_id) {
		snprintf(wanted, sizeof(wanted), "SEV-%s", snp_product_name(leaf->product));
		return !issuer || strcmp(ca, wanted) == 0 ? SNP_VCEK : SNP_NO_KEY;
	}
	if (strcmp(facts->common_name, "SEV-VLEK") == 0 && leaf->hwid_size == 0 && *leaf->csp_id) {
		snprintf(wanted, sizeof(wanted), "SEV-VLEK-%s", snp_product_name(leaf->product));
		return !issuer || strcmp(ca, wanted) == 0 ? SNP_VLEK : SNP_NO_KEY;
	}
	return SNP_NO_KEY;
}

static int add_leaf(struct snp_certs *certs, const struct vendor_cert *cert, const struct tee_input *input,
                    struct error *err)
{
	const struct vendor_root *roots = input->test_roots ? input->test_roots : amd_roots;
	const size_t count = input->test_roots ? min_of(input->test_root_count, (size_t)SNP_ROOTS_MAX)
	                                       : SNP_ROOTS_MAX;
	if (certs->count == SNP_LEAVES_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "there are more than %d certificates of keys that sign reports",
		                 SNP_LEAVES_MAX);
	struct snp_leaf *leaf = &certs->leaves[certs->count++];
	leaf->cert = cert;
	int rc = vendor_chain_make(&certs->set, cert, roots, count, VENDOR_RSA_PSS_SHA384, &leaf->chain, err);
	if (rc < 0)
		return rc;
	read_extensions(leaf);
	leaf->kind = kind_of(leaf);
	return 0;
}

/* ---- the host's table of certificates (GHCB 2.03, section 4.1.8.1) ---- */

enum { TABLE_ROW = 24, GUID_SIZE = 16, TABLE_ROWS_MAX = 32 };

/* 63da758d-e664-4564-adc5-f4b93be8accd and so on: VCEK, VLEK, ASK, ARK, and the CRL. */
static const uint8_t table_guids[][GUID_SIZE] = {
	{0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
	{0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa, 0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1},
	{0x4a, 0xb7, 0xb3, 0x79, 0xbb, 0xac, 0x4f, 0xe4, 0xa0, 0x2f, 0x05, 0xae, 0xf3, 0x27, 0xc7, 0x82},
	{0xc0, 0xb4, 0x06, 0xa4, 0xa8, 0x03, 0x49, 0x52, 0x97, 0x43, 0x3f, 0xb6, 0x01, 0x4c, 0xd0, 0xae},
	{0x92, 0xf8, 0x1b, 0xc3, 0x58, 0x11, 0x4d, 0x3d, 0x97, 0xff, 0xd1, 0x9f, 0x88, 0xdc, 0x67, 0xea},
};

/* As written, or with its first three numbers little-endian, as EFI has them. */
static bool is_guid(const uint8_t *bytes, const uint8_t guid[GUID_SIZE])
{
	static const uint8_t efi[GUID_SIZE] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
	bool plain = true, mixed = true;
	for (size_t i = 0; i < GUID_SIZE; i++) {
		plain &= bytes[i] == guid[i];
		mixed &= bytes[i] == guid[efi[i]];
	}
	return plain || mixed;
}

static bool is_known(const uint8_t *bytes)
{
	for (size_t i = 0; i < array_count(table_guids); i++)
		if (is_guid(bytes, table_guids[i]))
			return true;
	return false;
}

static int read_table(struct snp_certs *certs, const struct tee_blob *blob, struct error *err)
{
	struct reader r = reader_of(blob->data, blob->size);
	for (size_t i = 0; i < TABLE_ROWS_MAX; i++) {
		const uint8_t *guid = reader_bytes(&r, GUID_SIZE);
		const size_t at = reader_u32(&r), size = reader_u32(&r);
		if (!guid)
			return error_set(err, CELLA_EFORMAT, "a table of certificates has no end");
		if (bytes_are_zero(guid, GUID_SIZE))
			return 0;
		if (at > blob->size || size > blob->size - at)
			return error_set(err, CELLA_EFORMAT,
			                 "row %zu of a table of certificates leads out of it", i);
		int rc = is_known(guid) && size > 0
		                 ? vendor_certs_add(&certs->set, (const uint8_t *)blob->data + at, size, err)
		                 : 0;
		if (rc < 0)
			return error_prefix(err, rc, "row %zu of a table of certificates: ", i);
	}
	return error_set(err, CELLA_EFORMAT, "a table of certificates has more than %d rows", TABLE_ROWS_MAX);
}

static int read_blobs(struct snp_certs *certs, const struct tee_blob *blobs, size_t count, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (blobs[i].size < TABLE_ROW || !is_known(blobs[i].data))
			rc = chain_read(&blobs[i], 1, &certs->set, err);
		else if (read_table(certs, &blobs[i], err) < 0)
			rc = error_prefix(err, CELLA_EFORMAT,
			                  "%s: ", blobs[i].name ? blobs[i].name : "certificates");
	}
	return rc;
}

int snp_certs_make(const struct tee_input *input, struct snp_certs **ret_certs, struct error *err)
{
	struct snp_certs *certs = calloc(1, sizeof(*certs));
	if (!certs)
		return error_set(err, CELLA_ENOMEM, "no memory for certificates");
	int rc = read_blobs(certs, input->certs, input->cert_count, err);
	if (rc == 0)
		rc = read_blobs(certs, input->collateral, input->collateral_count, err);
	for (size_t i = 0; rc == 0 && i < certs->set.count; i++)
		if (!vendor_cert_facts(certs->set.certs[i])->is_ca)
			rc = add_leaf(certs, certs->set.certs[i], input, err);
	if (rc < 0) {
		snp_certs_free(certs);
		return rc;
	}
	*ret_certs = certs;
	return 0;
}

void snp_certs_free(void *p)
{
	struct snp_certs *certs = p;
	if (!certs)
		return;
	vendor_certs_done(&certs->set);
	free(certs);
}

/* ---- for people ---- */

void snp_leaf_claims(struct tee_verdict *v, const struct snp_leaf *leaf)
{
	tee_claim(v, "certificate.product", "", "%s", leaf->product_name);
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++)
		if (leaf->levels[c] >= 0)
			tee_claim(v, tee_text(v, "certificate.tcb.%s", snp_component_name(c)),
			          "security patch level that it stands for", "%d", leaf->levels[c]);
	if (leaf->hwid_size > 0)
		tee_claim_hex(v, "certificate.hwid", "of the processor", leaf->hwid, leaf->hwid_size);
	if (*leaf->csp_id)
		tee_claim(v, "certificate.csp_id", "the cloud's operator", "%s", leaf->csp_id);
	chain_claim_cert(v, "certificate", leaf->cert);
}

const char *snp_certs_why_nowhere(const struct snp_report *r)
{
	if (r->signing_key == SNP_VLEK)
		return "AMD gives VLEKs to the cloud's operator alone; the guest gets it from the host, with its "
		       "report (certs.bin of cella evidence get)";
	if (r->signing_key == SNP_VCEK && bytes_are_zero(r->chip_id, sizeof(r->chip_id)))
		return "the host masks the chip's id in the report, by which AMD's server would be asked: the host "
		       "may hand it out with the report (certs.bin of cella evidence get), its operator may fetch "
		       "it, or unmask the id (mask_chip_id of SNP_CONFIG)";
	return NULL;
}

const char *snp_certs_where(struct tee_verdict *v, const struct snp_report *r, enum snp_product product)
{
	char query[120];
	size_t at = 0;
	static const char *const names[SNP_COMPONENTS] = {"fmcSPL", "blSPL", "teeSPL", "snpSPL", "ucodeSPL"};
	if (r->signing_key != SNP_VCEK || snp_certs_why_nowhere(r))
		return "";
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++) {
		uint8_t level;
		if (snp_tcb_level(&r->reported, product, c, &level))
			at += (size_t)snprintf(query + at, sizeof(query) - at, "%s%s=%u", at ? "&" : "",
			                       names[c], level);
	}
	return tee_text(v, SNP_KEY_SERVER "vcek/v1/%s/%s?%s", product ? snp_product_name(product) : "PRODUCT",
	                tee_hex(v, r->chip_id, product == SNP_TURIN ? SNP_TURIN_HWID_SIZE : SNP_CHIP_ID_SIZE),
	                query);
}
