/* The verification of a report of SEV-SNP. */
#include "attest/snp/snp.h"

#include <stdio.h>
#include <string.h>

#include "attest/chain.h"
#include "attest/snp/certs.h"
#include "attest/snp/policy.h"
#include "base/buf.h"
#include "crypto/crypto.h"

/* What a verification knows. */
struct judging {
	const struct tee_input *input;
	struct tee_verdict *verdict;
	struct snp_report report;
	const struct snp_policy *policy;
	struct snp_certs *certs;
	bool owns_certs;
	const struct snp_leaf *leaf; /* NULL: there is none */
	bool signature_holds;
	enum snp_product product; /* of the certificate, else of the report */
};

/* What the certificates' verdict depends on. */
static int certs_key(const struct tee_input *input, uint8_t ret_key[TEE_KEY_SIZE], struct error *err)
{
	struct tee_blob blobs[2 * TEE_BLOBS_MAX + SNP_ROOTS_MAX];
	size_t count = 0;
	for (size_t i = 0; i < input->cert_count; i++)
		blobs[count++] = input->certs[i];
	for (size_t i = 0; i < input->collateral_count; i++)
		blobs[count++] = input->collateral[i];
	for (size_t i = 0; i < min_of(input->test_root_count, (size_t)SNP_ROOTS_MAX); i++)
		blobs[count++] = (struct tee_blob){.data = input->test_roots[i].key_hash,
		                                   .size = strlen(input->test_roots[i].key_hash)};
	return tee_chains_key("snp", blobs, count, ret_key, err);
}

static int find_certs(struct judging *j, struct error *err)
{
	const struct tee_input *input = j->input;
	uint8_t key[TEE_KEY_SIZE];
	int rc = input->chains ? certs_key(input, key, err) : 0;
	if (rc == 0 && input->chains)
		j->certs = tee_chains_get(input->chains, key);
	if (rc < 0 || j->certs)
		return rc;
	rc = snp_certs_make(input, &j->certs, err);
	if (rc < 0)
		return rc;
	j->owns_certs = !input->chains ||
	                tee_chains_put(input->chains, key, j->certs, snp_certs_free, NULL) < 0;
	return 0;
}

static int signature_holds(const struct judging *j, const struct snp_leaf *leaf, bool *ret_holds,
                           struct error *err)
{
	const struct snp_report *r = &j->report;
	*ret_holds = false;
	if (r->signature_algorithm != SNP_ECDSA_P384_SHA384 ||
	    vendor_key_kind(vendor_cert_key(leaf->cert)) != VENDOR_P384)
		return 0;
	int rc = vendor_key_verify(vendor_cert_key(leaf->cert), VENDOR_ECDSA_SHA384, r->bytes,
	                           SNP_SIGNED_SIZE, r->signature, sizeof(r->signature), err);
	*ret_holds = rc == 0;
	return rc == CELLA_EAUTH ? 0 : rc;
}

/* The one whose key signed the report; else the first of the kind that the report names; else the first. */
static int find_leaf(struct judging *j, struct error *err)
{
	for (size_t i = 0; i < j->certs->count && !j->signature_holds; i++) {
		const struct snp_leaf *leaf = &j->certs->leaves[i];
		int rc = signature_holds(j, leaf, &j->signature_holds, err);
		if (rc < 0)
			return rc;
		if (j->signature_holds || !j->leaf ||
		    (j->leaf->kind != j->report.signing_key && leaf->kind == j->report.signing_key))
			j->leaf = leaf;
	}
	if (j->leaf && j->leaf->product != SNP_UNKNOWN)
		j->product = j->leaf->product;
	return 0;
}

/* ---- checks ---- */

static void check_format(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_report *r = &j->report;
	const char *reserved = snp_report_reserved(v, r, j->product);
	enum tee_status status = j->policy->reserved ? TEE_WARNED : TEE_FAILED;
	tee_check(v, "reserved", reserved ? status : TEE_PASSED, "what is reserved as the format has it",
	          "%s", reserved ? reserved : "so");
	tee_demand(v, "signature.algorithm", r->signature_algorithm == SNP_ECDSA_P384_SHA384,
	           "1: ECDSA P-384 with SHA-384", "%u", r->signature_algorithm);
	tee_demand(v, "vmpl", r->vmpl <= SNP_VMPL_MAX, "0 to 3: asked for from in the guest", "%u%s", r->vmpl,
	           r->vmpl > SNP_VMPL_MAX ? ": the host may have asked, and chosen the report data" : "");
}

static void say_what_is_missing(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const char *nowhere = snp_certs_why_nowhere(&j->report);
	const char *where = nowhere ? nowhere : snp_certs_where(v, &j->report, j->product);
	const char *because = "there is no certificate";
	const unsigned key = j->report.signing_key;
	tee_check(v, "certificate", TEE_FAILED,
	          tee_text(v, "the certificate of the key that signed, a %s (--certs)",
	                   key == SNP_VLEK ? "VLEK" : "VCEK"),
	          "none was given%s%s", *where ? "; " : "", where);
	tee_unchecked(v, "certificate.chain", "a chain to a root of AMD's", because);
	tee_unchecked(v, "certificate.kind", snp_signing_key_name(key), because);
	tee_unchecked(v, "certificate.product", "the product that the report is of", because);
	tee_unchecked(v, "certificate.tcb", snp_tcb_text(v, &j->report.reported, j->product), because);
	tee_unchecked(v, "certificate.chip", "the chip that the report is of", because);
	tee_unchecked(v, "signature", "of the report, by the key of that certificate", because);
}

static void check_kind(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_leaf *leaf = j->leaf;
	const unsigned key = j->report.signing_key;
	const bool holds = key == (unsigned)leaf->kind && key != SNP_NO_KEY && !leaf->fault &&
	                   !(key == SNP_VCEK && j->report.mask_chip_key);
	const char *found = leaf->kind == SNP_NO_KEY
	                            ? "a certificate that is neither (its name, extensions and CA differ)"
	                            : snp_signing_key_name(leaf->kind);
	if (leaf->fault)
		found = leaf->fault;
	else if (key == SNP_VCEK && j->report.mask_chip_key)
		found = "the report says that the chip's key is not used";
	tee_demand(v, "certificate.kind", holds,
	           key == SNP_VCEK || key == SNP_VLEK
	                   ? tee_text(v, "a well-formed %s, as the report says", snp_signing_key_name(key))
	                   : "a VCEK or VLEK, and the report says that it is not signed",
	           "%s", found);
}

/* Of the certificate, its root, and (from version 3 on) the processor that the report names. */
static void check_product(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const enum snp_product product = j->leaf->product, said = snp_report_product(&j->report);
	const struct vendor_root *root = j->leaf->chain.root;
	char root_name[32];
	snprintf(root_name, sizeof(root_name), "ARK-%s", snp_product_name(product));
	const bool is_of_root = root && strcmp(root->name, root_name) == 0;
	const char *cpu = j->report.version < 3 ? "not said" : said ? snp_product_name(said) : "unknown";
	tee_demand(v, "certificate.product",
	           product != SNP_UNKNOWN && is_of_root && (j->report.version < 3 || said == product),
	           "one product of certificate, root and report", "%s; %s; %s",
	           *j->leaf->product_name ? j->leaf->product_name : "none", root ? root->name : "no root",
	           cpu);
}

static void check_tcb(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_leaf *leaf = j->leaf;
	bool holds = true;
	char found[160];
	size_t at = 0;
	for (enum snp_component c = 0; c < SNP_COMPONENTS; c++) {
		uint8_t level;
		if (!snp_tcb_level(&j->report.reported, leaf->product, c, &level))
			continue;
		holds &= leaf->levels[c] == level;
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s %d", at ? ", " : "",
		                       snp_component_name(c), leaf->levels[c]);
	}
	for (size_t i = 0; i < SNP_RESERVED_LEVELS; i++)
		holds &= leaf->reserved_levels[i] <= 0;
	tee_demand(v, "certificate.tcb", holds,
	           tee_text(v, "the reported TCB: %s", snp_tcb_text(v, &j->report.reported, leaf->product)),
	           "%s", found);
}

static void check_chip(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_leaf *leaf = j->leaf;
	const uint8_t *chip = j->report.chip_id;
	const size_t size = leaf->product == SNP_TURIN ? SNP_TURIN_HWID_SIZE : SNP_CHIP_ID_SIZE;
	if (leaf->kind == SNP_VLEK)
		return; /* it stands for many */
	const char *wanted = tee_text(v, "the report's chip id, %s", tee_hex(v, chip, size));
	if (bytes_are_zero(chip, SNP_CHIP_ID_SIZE))
		tee_check(v, "certificate.chip", TEE_WARNED, "the chip that the report is of",
		          "the host masks the report's chip id; the certificate's is %s",
		          tee_hex(v, leaf->hwid, leaf->hwid_size));
	else
		tee_demand(v, "certificate.chip",
		           leaf->hwid_size == size && crypto_equal(leaf->hwid, chip, size) &&
		                   bytes_are_zero(chip + size, SNP_CHIP_ID_SIZE - size),
		           wanted, "%s", tee_hex(v, leaf->hwid, leaf->hwid_size));
}

static void check_certificate(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_leaf *leaf = j->leaf;
	const struct chain_rule rule = {
		.name = "certificate",
		.title = leaf->kind == SNP_VLEK ? "VLEK" : "VCEK",
		.time = j->input->time,
		/* AMD's CRLs are of the root, about its CAs: VCEKs have no numbers to be revoked by. */
		.crl_required = j->policy->crl ? 1u << 1 : 0,
		.crl_expired = j->policy->expired_crl ? TEE_WARNED : TEE_FAILED,
	};
	chain_check(v, &leaf->chain, &rule);
	check_kind(j);
	check_product(j);
	check_tcb(j);
	check_chip(j);
	tee_demand(v, "signature", j->signature_holds, "of the report, by the key of that certificate", "%s",
	           j->signature_holds ? "it holds" : "it does not hold");
}

static void check_platform(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct snp_report *r = &j->report;
	const unsigned abi = r->policy & 0xffff;
	const unsigned current = (unsigned)r->current_firmware.major << 8 | r->current_firmware.minor;
	tee_demand(v, "tcb.order",
	           snp_tcb_at_most(&r->reported, &r->current, j->product) &&
	                   snp_tcb_at_most(&r->committed, &r->current, j->product),
	           tee_text(v, "reported and committed TCB at most the current: %s",
	                    snp_tcb_text(v, &r->current, j->product)),
	           "%s; %s", snp_tcb_text(v, &r->reported, j->product),
	           snp_tcb_text(v, &r->committed, j->product));
	tee_demand(v, "policy.abi", current >= abi,
	           tee_text(v, "firmware of %u.%u or more, as the guest's policy asks", abi >> 8, abi & 0xff),
	           "%u.%u", current >> 8, current & 0xff);
}

static void check_report_data(struct judging *j)
{
	uint8_t wanted[SNP_REPORT_DATA_SIZE] = {0};
	const struct tee_input *input = j->input;
	struct tee_verdict *v = j->verdict;
	if (!input->report_data)
		return;
	memcpy(wanted, input->report_data, input->report_data_size);
	tee_demand(v, "report_data", crypto_equal(wanted, j->report.report_data, sizeof(wanted)),
	           tee_hex(v, wanted, sizeof(wanted)), "%s",
	           tee_hex(v, j->report.report_data, sizeof(j->report.report_data)));
}

/* ---- the two questions ---- */

/* Reads all that is given, and makes the claims. */
static int begin(struct judging *j, struct error *err)
{
	const struct tee_blob *evidence = &j->input->evidence;
	if (j->input->event_log_count > 0)
		return error_set(err, CELLA_EINVAL, "evidence of SEV-SNP has no event log");
	int rc = snp_report_parse(evidence->data, evidence->size, &j->report, err);
	if (rc < 0)
		return evidence->name ? error_prefix(err, rc, "%s: ", evidence->name) : rc;
	j->product = snp_report_product(&j->report);
	rc = find_certs(j, err);
	if (rc == 0)
		rc = find_leaf(j, err);
	if (rc < 0)
		return rc;
	snp_report_claims(j->verdict, &j->report, j->product);
	if (j->leaf)
		snp_leaf_claims(j->verdict, j->leaf);
	return 0;
}

static int end(struct judging *j, int rc)
{
	if (j->owns_certs)
		snp_certs_free(j->certs);
	return rc;
}

static int snp_show(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct judging j = {.input = input, .verdict = verdict};
	return end(&j, begin(&j, err));
}

static int snp_verify(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct judging j = {.input = input, .verdict = verdict};
	struct snp_policy defaults;
	j.policy = tee_policy_of(input->policy, TEE_SNP, &defaults);
	int rc = begin(&j, err);
	if (rc < 0)
		return end(&j, rc);
	check_format(&j);
	if (j.leaf)
		check_certificate(&j);
	else
		say_what_is_missing(&j);
	check_platform(&j);
	check_report_data(&j);
	snp_policy_check(verdict, j.policy, &j.report, j.product, j.leaf ? j.leaf->csp_id : "");
	return end(&j, 0);
}

static int choose_product(struct judging *j, const char *given, struct error *err)
{
	const enum snp_product product = given ? snp_product_parse(given) : j->product;
	if (product == SNP_UNKNOWN)
		return error_set(
			err, CELLA_EINVAL,
			given ? "there is no product %.40s: it is Milan, Genoa or Turin"
			      : "the report does not tell the processor's product, on which the addresses "
				"depend: say Milan, Genoa or Turin%s",
			given ? given : " (--product)");
	if (j->product != SNP_UNKNOWN && j->product != product)
		return error_set(err, CELLA_EINVAL, "the evidence is of a %s, not of a %s",
		                 snp_product_name(j->product), snp_product_name(product));
	j->product = product;
	return 0;
}

static void say_sources(struct tee_verdict *v, const struct judging *j)
{
	const char *name = snp_product_name(j->product);
	const char *key = j->report.signing_key == SNP_VLEK ? "vlek" : "vcek";
	const char *where = snp_certs_where(v, &j->report, j->product);
	const char *nowhere = snp_certs_why_nowhere(&j->report);
	if (*where)
		tee_claim(v, "vcek.der", "the certificate of the processor's key at this TCB", "%s", where);
	if (nowhere && !j->leaf)
		tee_check(v, tee_text(v, "%s.der", key), TEE_WARNED,
		          "the certificate of the key that signed the report", "%s", nowhere);
	tee_claim(v, "ask_ark.pem", "the two certificates above it", SNP_KEY_SERVER "%s/v1/%s/cert_chain",
	          key, name);
	tee_claim(v, "crl.der", "what AMD has revoked", SNP_KEY_SERVER "%s/v1/%s/crl", key, name);
}

static int snp_sources(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct tee_verdict claims = {0}; /* nobody asked for them */
	struct judging j = {.input = input, .verdict = &claims};
	int rc = begin(&j, err);
	if (rc == 0)
		rc = choose_product(&j, input->product, err);
	if (rc == 0)
		say_sources(verdict, &j);
	tee_verdict_done(&claims);
	return end(&j, rc);
}

const struct tee_kind_row snp_kind = {
	.name = "snp",
	.title = "AMD SEV-SNP",
	.verify = snp_verify,
	.show = snp_show,
	.sources = snp_sources,
	.policy_size = sizeof(struct snp_policy),
	.policy_init = snp_policy_init,
	.policy = &snp_policy_object,
	.policy_open = snp_policy_open,
};
