/* The certificates of a TPM's keys: which is whose, by the keys that are in the evidence. */
#include <stdlib.h>
#include <string.h>

#include "attest/tpm/ima_list.h"
#include "attest/tpm/tpm.h"
#include "base/io.h"
#include "crypto/crypto.h"

enum {
	ALGORITHMS = VENDOR_ECDSA_SHA256 | VENDOR_ECDSA_SHA384 | VENDOR_RSA_SHA256 | VENDOR_RSA_SHA384 |
	             VENDOR_RSA_PSS_SHA256 | VENDOR_RSA_PSS_SHA384,
	KEY_BLOBS_MAX = 2 * TEE_BLOBS_MAX + 6,
	DER_SEQUENCE = 0x30,
	DER_OID = 0x06,
};

/* TCG Credential Profile for TPM 2.0: 2.23.133.8.1 and .3, tcg-kp-EKCertificate and tcg-kp-AIKCertificate. */
static const uint8_t ek_usage[] = {0x67, 0x81, 0x05, 0x08, 0x01};
static const uint8_t ak_usage[] = {0x67, 0x81, 0x05, 0x08, 0x03};

/* Does the certificate's extended key usage, a sequence of OIDs, name this one? */
static bool has_usage(const struct vendor_cert *cert, const uint8_t usage[5])
{
	const uint8_t *value;
	size_t size;
	if (vendor_cert_extension(cert, "2.5.29.37", &value, &size, NULL) < 0)
		return false;
	struct reader r = reader_of(value, size);
	if (reader_u8(&r) != DER_SEQUENCE || reader_u8(&r) != reader_left(&r))
		return false;
	while (reader_left(&r) > 0 && !r.failed) {
		const uint8_t tag = reader_u8(&r), length = reader_u8(&r);
		const uint8_t *oid = reader_bytes(&r, length);
		if (oid && tag == DER_OID && length == 5 && crypto_equal(oid, usage, 5))
			return true;
	}
	return false;
}

static void set_roots(const struct policy_values *values, struct tpm_roots *to)
{
	to->count = values->count;
	for (size_t i = 0; i < values->count; i++) {
		io_hex(values->values[i], CRYPTO_SHA256_SIZE, to->hashes[i]);
		to->roots[i] = (struct vendor_root){.name = "of the policy", .key_hash = to->hashes[i]};
	}
}

static int take(struct tpm_certs *certs, const struct vendor_cert *cert, const struct tpm_roots *roots,
                const uint8_t usage[5], struct tpm_leaf *leaf, struct error *err)
{
	leaf->cert = cert;
	leaf->has_usage = has_usage(cert, usage);
	return vendor_chain_make(&certs->set, cert, roots->roots, roots->count, ALGORITHMS, &leaf->chain,
	                         err);
}

/* Did the certificate's key certify the AK? */
static int did_certify(const struct tpm_evidence *e, const struct vendor_cert *cert, bool *ret_did,
                       struct error *err)
{
	struct tpm_signature signature;
	const struct tpm_evidence_parts *p = &e->parts;
	const struct vendor_key *key = vendor_cert_key(cert);
	*ret_did = false;
	if (!e->has_certification ||
	    tpm_signature_read(p->certification_signature.data, p->certification_signature.size,
	                       vendor_key_kind(key), &signature, NULL) < 0 ||
	    signature.algorithm == 0)
		return 0;
	int rc = vendor_key_verify(key, signature.algorithm, p->certification.data, p->certification.size,
	                           signature.bytes, signature.size, err);
	*ret_did = rc == 0;
	return rc == CELLA_EAUTH ? 0 : rc;
}

static int sort_in(struct tpm_judging *j, struct tpm_certs *certs, const struct vendor_cert *cert,
                   const char *ak_hash, const char *ek_hash, struct error *err)
{
	const struct vendor_cert_facts *facts = vendor_cert_facts(cert);
	bool certified;
	if (facts->is_ca)
		return 0;
	if (!certs->ak.cert && strcmp(facts->key_hash, ak_hash) == 0)
		return take(certs, cert, &certs->ak_roots, ak_usage, &certs->ak, err);
	if (!certs->ek.cert && strcmp(facts->key_hash, ek_hash) == 0)
		return take(certs, cert, &certs->ek_roots, ek_usage, &certs->ek, err);
	int rc = did_certify(&j->evidence, cert, &certified, err);
	if (rc == 0 && certified && !certs->certifier.cert)
		rc = take(certs, cert, &certs->ak_roots, ak_usage, &certs->certifier, err);
	return rc;
}

static int ek_key_hash(const struct tpm_evidence *e, char ret_hash[CERT_KEY_HASH_SIZE], struct error *err)
{
	struct vendor_key *key;
	ret_hash[0] = '\0';
	if (!e->has_ek)
		return 0;
	int rc = tpm_public_key(&e->ek, &key, err);
	if (rc < 0)
		return error_prefix(err, rc, "the endorsement key: ");
	rc = vendor_key_hash(key, ret_hash, err);
	vendor_key_free(key);
	return rc;
}

/* Collateral: CRLs and certificates, and lists of files, which are not looked at here. */
static int read_collateral(struct tpm_judging *j, struct vendor_certs *set, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < j->input->collateral_count; i++) {
		const struct tee_blob *blob = &j->input->collateral[i];
		if (!ima_list_is(blob->data, blob->size))
			rc = chain_read(blob, 1, set, err);
	}
	return rc;
}

static int fill(struct tpm_judging *j, struct tpm_certs *certs, struct error *err)
{
	char ak_hash[CERT_KEY_HASH_SIZE], ek_hash[CERT_KEY_HASH_SIZE];
	set_roots(&j->policy->ak_roots, &certs->ak_roots);
	set_roots(&j->policy->ek_roots, &certs->ek_roots);
	int rc = chain_read(j->input->certs, j->input->cert_count, &certs->set, err);
	if (rc == 0)
		rc = read_collateral(j, &certs->set, err);
	if (rc == 0)
		rc = vendor_key_hash(j->ak_key, ak_hash, err);
	if (rc == 0)
		rc = ek_key_hash(&j->evidence, ek_hash, err);
	for (size_t i = 0; rc == 0 && i < certs->set.count; i++)
		rc = sort_in(j, certs, certs->set.certs[i], ak_hash, ek_hash, err);
	return rc;
}

static void certs_free(void *p)
{
	struct tpm_certs *certs = p;
	if (!certs)
		return;
	vendor_certs_done(&certs->set);
	free(certs);
}

/* What the certificates' verdict depends on. */
static int certs_key(const struct tpm_judging *j, uint8_t ret_key[TEE_KEY_SIZE], struct error *err)
{
	struct tee_blob blobs[KEY_BLOBS_MAX];
	size_t count = 0;
	const struct tpm_evidence_parts *p = &j->evidence.parts;
	const struct tpm_bytes parts[] = {p->ak_public, p->ek_public, p->certification,
	                                  p->certification_signature};
	for (size_t i = 0; i < array_count(parts); i++)
		blobs[count++] = (struct tee_blob){.data = parts[i].data, .size = parts[i].size};
	blobs[count++] = (struct tee_blob){.data = &j->policy->ak_roots, .size = sizeof(j->policy->ak_roots)};
	blobs[count++] = (struct tee_blob){.data = &j->policy->ek_roots, .size = sizeof(j->policy->ek_roots)};
	for (size_t i = 0; i < j->input->cert_count; i++)
		blobs[count++] = j->input->certs[i];
	for (size_t i = 0; i < j->input->collateral_count; i++)
		if (!ima_list_is(j->input->collateral[i].data, j->input->collateral[i].size))
			blobs[count++] = j->input->collateral[i];
	return tee_chains_key("tpm", blobs, count, ret_key, err);
}

int tpm_certs_find(struct tpm_judging *j, struct error *err)
{
	uint8_t key[TEE_KEY_SIZE];
	struct tee_chains *chains = j->input->chains;
	int rc = chains ? certs_key(j, key, err) : 0;
	if (rc == 0 && chains)
		j->certs = tee_chains_get(chains, key);
	if (rc < 0 || j->certs)
		return rc;
	struct tpm_certs *certs = calloc(1, sizeof(*certs));
	if (!certs)
		return error_set(err, CELLA_ENOMEM, "no memory for certificates");
	rc = fill(j, certs, err);
	if (rc < 0) {
		certs_free(certs);
		return rc;
	}
	j->certs = certs;
	j->owns_certs = !chains || tee_chains_put(chains, key, certs, certs_free, NULL) < 0;
	return 0;
}

void tpm_end(struct tpm_judging *j)
{
	vendor_key_free(j->ak_key);
	if (j->owns_certs)
		certs_free(j->certs);
}

void tpm_check_certificate(struct tpm_judging *j, const struct tpm_leaf *leaf, const char *name,
                           const char *title)
{
	struct tee_verdict *v = j->verdict;
	const struct chain_rule rule = {
		.name = name,
		.title = title,
		.time = j->input->time,
		.crl_required = j->policy->crl == TPM_REQUIRED ? (1u << (leaf->chain.count - 1)) - 1 : 0,
		.crl_expired = j->policy->expired_crl ? TEE_WARNED : TEE_FAILED,
	};
	const bool is_ek = leaf == &j->certs->ek;
	chain_check(v, &leaf->chain, &rule);
	tee_demand(v, tee_text(v, "%s.usage", name), leaf->has_usage,
	           is_ek ? "a certificate of an endorsement key: extended key usage 2.23.133.8.1"
	                 : "a certificate of an attestation key: extended key usage 2.23.133.8.3",
	           "%s", leaf->has_usage ? "so" : "it does not say so");
}
