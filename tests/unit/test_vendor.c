/*
 * Makers' keys, certificates and CRLs. Do keys verify what they signed and nothing else, is every form of
 * file read and every other refused, within the limits, and does a chain name each thing that is wrong with
 * it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "base/io.h"
#include "crypto/crypto.h"
#include "snp_support.h"

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || maker_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	maker_stop();
	return 0;
}

/* ---- keys ---- */

/* A new key's point, and its signature over `data`, as r || s. */
static void sign(const char *group, size_t field, const EVP_MD *md, const char *data, uint8_t point[96],
                 uint8_t signature[96])
{
	EVP_PKEY *key = EVP_EC_gen(group);
	uint8_t octets[97], der[128];
	size_t size = 0, der_size = sizeof(der);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	assert_true(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, octets, sizeof(octets),
	                                            &size) > 0);
	assert_int_equal(size, 1 + 2 * field);
	memcpy(point, octets + 1, 2 * field);
	assert_true(EVP_DigestSignInit(context, NULL, md, NULL, key) > 0);
	assert_true(EVP_DigestSign(context, der, &der_size, (const uint8_t *)data, strlen(data)) > 0);
	const unsigned char *at = der;
	ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)der_size);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, (int)field) > 0);
	assert_true(BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + field, (int)field) > 0);
	ECDSA_SIG_free(pair);
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
}

static void test_keys(void **state)
{
	(void)state;
	static const struct {
		enum vendor_key_kind kind;
		const char *group;
		size_t field;
		enum vendor_algorithm algorithm, other;
	} rows[] = {
		{VENDOR_P256, "P-256", 32, VENDOR_ECDSA_SHA256, VENDOR_ECDSA_SHA384},
		{VENDOR_P384, "P-384", 48, VENDOR_ECDSA_SHA384, VENDOR_ECDSA_SHA256},
	};
	for (size_t i = 0; i < array_count(rows); i++)
		for (int round = 0; round < 40; round++) { /* so that numbers with leading zeros come, too */
			uint8_t point[96], signature[96];
			struct vendor_key *key;
			const size_t size = 2 * rows[i].field;
			sign(rows[i].group, rows[i].field, i ? EVP_sha384() : EVP_sha256(), "what is signed",
			     point, signature);
			assert_int_equal(vendor_key_from_point(rows[i].kind, point, size, &key, NULL), 0);
			assert_int_equal(vendor_key_kind(key), rows[i].kind);
			assert_int_equal(vendor_key_verify(key, rows[i].algorithm, "what is signed", 14,
			                                   signature, size, NULL),
			                 0);
			assert_int_equal(vendor_key_verify(key, rows[i].algorithm, "what is signeD", 14,
			                                   signature, size, NULL),
			                 CELLA_EAUTH);
			assert_int_equal(vendor_key_verify(key, rows[i].other, "what is signed", 14,
			                                   signature, size, NULL),
			                 CELLA_EAUTH);
			assert_int_equal(vendor_key_verify(key, rows[i].algorithm, "what is signed", 14,
			                                   signature, size - 1, NULL),
			                 CELLA_EAUTH);
			assert_int_equal(vendor_key_verify(key, VENDOR_RSA_PSS_SHA384, "what is signed", 14,
			                                   signature, size, NULL),
			                 CELLA_EAUTH);
			memset(signature, 0, size);
			assert_int_equal(vendor_key_verify(key, rows[i].algorithm, "what is signed", 14,
			                                   signature, size, NULL),
			                 CELLA_EAUTH);
			memset(signature, 0xff, size);
			assert_int_equal(vendor_key_verify(key, rows[i].algorithm, "what is signed", 14,
			                                   signature, size, NULL),
			                 CELLA_EAUTH);
			vendor_key_free(key);
		}
}

static void test_points_that_are_none(void **state)
{
	(void)state;
	uint8_t point[96] = {0}, signature[96];
	struct vendor_key *key;
	assert_int_equal(vendor_key_from_point(VENDOR_P256, point, 64, &key, NULL), CELLA_EFORMAT);
	sign("P-256", 32, EVP_sha256(), "x", point, signature);
	assert_int_equal(vendor_key_from_point(VENDOR_P256, point, 63, &key, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_key_from_point(VENDOR_P384, point, 64, &key, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_key_from_point(VENDOR_P384, point, 96, &key, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_key_from_point(VENDOR_RSA, point, 64, &key, NULL), CELLA_EFORMAT);
	point[63] ^= 1;
	assert_int_equal(vendor_key_from_point(VENDOR_P256, point, 64, &key, NULL), CELLA_EFORMAT);
	vendor_key_free(NULL);
}

/* ---- certificates ---- */

static void test_facts(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct vendor_cert *root, *ca, *leaf;
	const uint8_t *value;
	size_t size;
	maker_make(&shape, &files);
	assert_int_equal(vendor_cert_read_der(files.root.data, files.root.size, &root, NULL), 0);
	assert_int_equal(vendor_cert_read_der(files.ca.data, files.ca.size, &ca, NULL), 0);
	assert_int_equal(vendor_cert_read_der(files.leaf.data, files.leaf.size, &leaf, NULL), 0);
	const struct vendor_cert_facts *facts = vendor_cert_facts(root);
	assert_string_equal(facts->common_name, "ARK-Milan");
	assert_string_equal(facts->serial, "010000");
	assert_true(facts->self_issued && facts->is_ca && facts->signs_certs && facts->signs_crls);
	assert_int_equal(facts->path_length, -1);
	assert_int_equal(facts->key_kind, VENDOR_RSA);
	assert_int_equal(facts->key_bits, 2048);
	assert_int_equal(facts->signed_with, VENDOR_RSA_PSS_SHA384);
	facts = vendor_cert_facts(ca);
	assert_string_equal(facts->issuer, "CN=ARK-Milan,O=A Maker,C=US,OU=Engineering");
	assert_true(!facts->self_issued && facts->is_ca && facts->signs_certs && !facts->signs_crls);
	assert_int_equal(facts->path_length, 0);
	facts = vendor_cert_facts(leaf);
	assert_int_equal(facts->key_kind, VENDOR_P384);
	assert_int_equal(facts->not_before, MAKER_TIME - MAKER_YEAR);
	assert_int_equal(facts->not_after, MAKER_TIME + MAKER_YEAR);
	assert_true(!facts->is_ca && !facts->signs_certs && !facts->has_unknown_critical);
	assert_int_equal(vendor_cert_extension(leaf, "1.3.6.1.4.1.3704.1.3.3", &value, &size, NULL), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(value, "\x02\x01\x18", 3);
	assert_int_equal(vendor_cert_extension(leaf, "1.3.6.1.4.1.3704.1.9", &value, &size, NULL),
	                 CELLA_ENOENT);
	vendor_cert_free(root);
	vendor_cert_free(ca);
	vendor_cert_free(leaf);
	maker_done(&files);
}

/* ---- sets ---- */

static void test_sets(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	const struct maker_crl of = {.this_update = MAKER_TIME};
	struct maker_files files;
	struct buf crl = {0}, pem = {0}, cut = {0}, key = {0};
	struct vendor_certs set = {0};
	maker_make(&shape, &files);
	maker_make_crl(&shape, &of, &crl);
	maker_pem(&files.leaf, "CERTIFICATE", &pem);
	maker_pem(&crl, "X509 CRL", &pem);
	maker_pem(&files.ca, "X509 CERTIFICATE", &pem);
	assert_int_equal(vendor_certs_add(&set, pem.data, pem.size, NULL), 0);
	assert_int_equal(set.count, 2);
	assert_int_equal(set.crl_count, 1);
	assert_string_equal(vendor_crl_facts(set.crls[0])->issuer,
	                    "CN=ARK-Milan,O=A Maker,C=US,OU=Engineering");
	assert_int_equal(vendor_crl_facts(set.crls[0])->next_update, INT64_MAX);
	vendor_certs_done(&set);
	/* Not a certificate: keys, a cut block, noise, nothing, bytes behind it. */
	maker_pem(&files.leaf, "PRIVATE KEY", &key);
	assert_int_equal(vendor_certs_add(&set, key.data, key.size, NULL), CELLA_EFORMAT);
	buf_put(&cut, pem.data, pem.size - 40);
	assert_int_equal(vendor_certs_add(&set, cut.data, cut.size, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_certs_add(&set, "30 82", 5, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_certs_add(&set, "-----BEGIN ", 11, NULL), CELLA_EFORMAT);
	assert_int_equal(vendor_certs_add(&set, "", 0, NULL), CELLA_EFORMAT);
	buf_put_u8(&files.leaf, 0);
	assert_int_equal(vendor_certs_add(&set, files.leaf.data, files.leaf.size, NULL), CELLA_EFORMAT);
	vendor_certs_done(&set);
	/* Limits. What is there already does not count. */
	for (size_t i = 0; i <= VENDOR_CERTS_MAX; i++) {
		struct maker_files more;
		maker_make(&shape, &more); /* the salt of its signature makes it another one */
		assert_int_equal(vendor_certs_add(&set, more.ca.data, more.ca.size, NULL),
		                 i < VENDOR_CERTS_MAX ? 0 : CELLA_ELIMIT);
		if (i < VENDOR_CERTS_MAX)
			assert_int_equal(vendor_certs_add(&set, more.ca.data, more.ca.size, NULL), 0);
		assert_int_equal(set.count, min_of(i + 1, (size_t)VENDOR_CERTS_MAX));
		maker_done(&more);
	}
	for (size_t i = 0; i < VENDOR_CRLS_MAX; i++)
		assert_int_equal(vendor_certs_add(&set, crl.data, crl.size, NULL), 0);
	struct error err;
	assert_int_equal(vendor_certs_add(&set, crl.data, crl.size, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "CRLs"));
	vendor_certs_done(&set);
	assert_int_equal(set.count, 0);
	buf_done(&crl);
	buf_done(&pem);
	buf_done(&cut);
	buf_done(&key);
	maker_done(&files);
}

/* ---- chains ---- */

static void wrong_ca(struct maker_shape *s)
{
	s->ca_is_none = true;
}
static void wrong_usage(struct maker_shape *s)
{
	s->ca_without_usage = true;
}
static void wrong_leaf(struct maker_shape *s)
{
	s->leaf_by_another = true;
}
static void wrong_link(struct maker_shape *s)
{
	s->ca_by_another = true;
}
static void wrong_root(struct maker_shape *s)
{
	s->root_by_another = true;
}
static void wrong_salt(struct maker_shape *s)
{
	s->ca_salt = 20;
}
static void wrong_length(struct maker_shape *s)
{
	s->root_path_length = true;
}
static void wrong_critical(struct maker_shape *s)
{
	s->leaf_critical = true;
}
static void wrong_nothing(struct maker_shape *s)
{
	s->ca_salt = 48;
}

static void test_flaws(void **state)
{
	(void)state;
	static const struct {
		void (*spoil)(struct maker_shape *shape);
		unsigned flaws[3]; /* of leaf, CA, root */
	} rows[] = {
		{wrong_nothing, {0, 0, 0}},
		{wrong_ca, {0, VENDOR_NO_CA, 0}},
		{wrong_usage, {0, VENDOR_NO_CA, 0}},
		{wrong_leaf, {VENDOR_BAD_SIGNATURE, 0, 0}},
		{wrong_link, {0, VENDOR_BAD_SIGNATURE, 0}},
		{wrong_root, {0, 0, VENDOR_BAD_SIGNATURE}},
		{wrong_salt, {0, VENDOR_BAD_ALGORITHM | VENDOR_BAD_SIGNATURE, 0}},
		{wrong_length, {0, 0, VENDOR_TOO_LONG}},
		{wrong_critical, {VENDOR_UNKNOWN_CRITICAL, 0, 0}},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_shape shape = maker_shape(SNP_GENOA, 3, false);
		struct maker_files files;
		struct vendor_certs set = {0};
		struct vendor_chain chain;
		rows[i].spoil(&shape);
		maker_make(&shape, &files);
		assert_int_equal(vendor_certs_add(&set, files.root.data, files.root.size, NULL), 0);
		assert_int_equal(vendor_certs_add(&set, files.leaf.data, files.leaf.size, NULL), 0);
		assert_int_equal(vendor_certs_add(&set, files.ca.data, files.ca.size, NULL), 0);
		assert_int_equal(vendor_chain_make(&set, set.certs[1], &files.pin, 1, VENDOR_RSA_PSS_SHA384,
		                                   &chain, NULL),
		                 0);
		assert_int_equal(chain.count, 3);
		assert_ptr_equal(chain.root, &files.pin);
		for (size_t j = 0; j < 3; j++)
			if (chain.links[j].flaws != rows[i].flaws[j])
				fail_msg("row %zu, certificate %zu: flaws 0x%x", i, j, chain.links[j].flaws);
		/* An algorithm that this caller does not allow. */
		assert_int_equal(vendor_chain_make(&set, set.certs[1], &files.pin, 1, VENDOR_RSA_SHA256,
		                                   &chain, NULL),
		                 0);
		for (size_t j = 0; j < 3; j++)
			assert_int_not_equal(chain.links[j].flaws & VENDOR_BAD_ALGORITHM, 0);
		vendor_certs_done(&set);
		maker_done(&files);
	}
}

/* A false root and a false CA of the right names do not hide the true ones, in whatever order. */
static void test_decoys(void **state)
{
	(void)state;
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false), false_shape = shape;
	struct maker_files files, decoys;
	false_shape.ca_by_another = true;
	false_shape.root_by_another = true;
	maker_make(&shape, &files);
	maker_make(&false_shape, &decoys);
	const struct buf *const all[] = {&decoys.ca, &files.leaf, &decoys.root, &files.root, &files.ca};
	struct vendor_certs set = {0};
	struct vendor_chain chain;
	for (size_t i = 0; i < array_count(all); i++)
		assert_int_equal(vendor_certs_add(&set, all[i]->data, all[i]->size, NULL), 0);
	assert_int_equal(vendor_chain_make(&set, set.certs[1], &files.pin, 1, VENDOR_RSA_PSS_SHA384, &chain,
	                                   NULL),
	                 0);
	assert_int_equal(chain.count, 3);
	assert_ptr_equal(chain.root, &files.pin);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(chain.links[i].flaws, 0);
	vendor_certs_done(&set);
	maker_done(&files);
	maker_done(&decoys);
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(vendor_algorithm_name(VENDOR_RSA_PSS_SHA384), "RSA-PSS with SHA-384");
	assert_string_equal(vendor_algorithm_name(0), "an unknown algorithm");
	assert_string_equal(vendor_key_kind_name(VENDOR_P384), "P-384");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_facts),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_flaws),
		cmocka_unit_test(test_decoys),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_points_that_are_none),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
