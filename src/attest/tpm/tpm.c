/* The verification of a TPM's quote. */
#include "attest/tpm/tpm.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "crypto/crypto.h"

static const uint32_t AK_NEEDED = TPM_RESTRICTED | TPM_SIGN | TPM_FIXED_TPM | TPM_FIXED_PARENT |
                                  TPM_SENSITIVE_DATA_ORIGIN;

static const struct {
	uint32_t bit;
	const char *name;
} attribute_names[] = {
	{TPM_FIXED_TPM, "fixedTPM"},
	{TPM_FIXED_PARENT, "fixedParent"},
	{TPM_SENSITIVE_DATA_ORIGIN, "sensitiveDataOrigin"},
	{TPM_RESTRICTED, "restricted"},
	{TPM_DECRYPT, "decrypt"},
	{TPM_SIGN, "sign"},
};

static const char *attributes_text(struct tee_verdict *v, uint32_t attributes)
{
	char text[120] = "";
	size_t at = 0;
	for (size_t i = 0; i < array_count(attribute_names); i++)
		if (attributes & attribute_names[i].bit)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", at ? " " : "",
			                       attribute_names[i].name);
	return tee_text(v, "%s", *text ? text : "none of them");
}

static const char *bytes_text(struct tee_verdict *v, struct tpm_bytes bytes)
{
	return bytes.size > 0 ? tee_hex(v, bytes.data, bytes.size) : "none";
}

/* ---- claims ---- */

static void claim_key(struct tee_verdict *v, const char *name, const struct tpm_public *key)
{
	tee_claim_hex(v, tee_text(v, "%s.name", name), "the hash of its public area, with what it may do",
	              key->name.bytes, key->name.size);
	if (key->type == TPM_ALG_RSA)
		tee_claim(v, tee_text(v, "%s.key", name), "", "RSA of %u bits", key->key_bits);
	else
		tee_claim(v, tee_text(v, "%s.key", name), "", "%s",
		          key->curve == TPM_CURVE_P384 ? "P-384" : "P-256");
	tee_claim(v, tee_text(v, "%s.attributes", name), attributes_text(v, key->attributes), "%08x",
	          key->attributes);
}

static void claim_quote(struct tee_verdict *v, const struct tpm_attest *q)
{
	tee_claim(v, "quote.signer", "qualified name: of the key and of those that it lies below", "%s",
	          bytes_text(v, q->signer));
	tee_claim(v, "quote.clock", q->safe ? "milliseconds" : "milliseconds, perhaps set back", "%llu",
	          (unsigned long long)q->clock);
	tee_claim(v, "quote.reset_count", "how often it started anew; changed by a number of the key's", "%u",
	          q->reset_count);
	tee_claim(v, "quote.restart_count", "how often it was resumed since", "%u", q->restart_count);
	tee_claim(v, "quote.firmware", "its version; changed by a number of the key's", "%016llx",
	          (unsigned long long)q->firmware);
	tee_claim(v, "quote.extra_data", "what the machine had signed: report data, or their SHA-256", "%s",
	          bytes_text(v, q->extra));
}

static void claim_pcrs(struct tee_verdict *v, const struct tpm_evidence *e)
{
	static const char *const banks[CRYPTO_HASHES] = {"sha1", "sha256", "sha384", "sha512"};
	const struct tpm_selection *s = &e->quote.selection;
	for (size_t i = 0; i < s->count; i++)
		for (unsigned index = 0; index < TPM_PCRS; index++) {
			const enum crypto_hash hash = (enum crypto_hash)s->banks[i].hash;
			const uint8_t *value = tpm_evidence_pcr(e, hash, index);
			if (value)
				tee_claim_hex(v, tee_text(v, "pcr.%s.%u", banks[hash], index), "", value,
				              crypto_hash_size(hash));
		}
}

/* ---- the AK ---- */

static void check_attributes(struct tpm_judging *j, const char *name, const struct tpm_public *key,
                             uint32_t needed, uint32_t refused)
{
	struct tee_verdict *v = j->verdict;
	tee_demand(v, name, (key->attributes & needed) == needed && (key->attributes & refused) == 0,
	           tee_text(v, "%s, and not %s", attributes_text(v, needed), attributes_text(v, refused)),
	           "%s", attributes_text(v, key->attributes));
}

static bool is_named(const struct policy_texts *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcasecmp(names->texts[i], name) == 0)
			return true;
	return false;
}

/* TPM2_Certify of the AK, by a key that has a certificate. */
static void check_certification(struct tpm_judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct tpm_evidence *e = &j->evidence;
	const struct tpm_attest *c = &e->certification;
	tee_demand(v, "certification.magic", c->magic == tpm_generated, "ff544347: made by a TPM", "%08x",
	           c->magic);
	tee_demand(v, "certification.name",
	           c->name.size == e->ak.name.size &&
	                   crypto_equal(c->name.data, e->ak.name.bytes, c->name.size),
	           tee_hex(v, e->ak.name.bytes, e->ak.name.size), "%s", bytes_text(v, c->name));
	tee_demand(v, "certification.signer",
	           c->qualified_name.size == e->quote.signer.size && c->qualified_name.size > 0 &&
	                   crypto_equal(c->qualified_name.data, e->quote.signer.data, c->qualified_name.size),
	           tee_text(v, "the quote's signer, %s", bytes_text(v, e->quote.signer)), "%s",
	           bytes_text(v, c->qualified_name));
}

static void say_unbound(struct tpm_judging *j)
{
	const struct tpm_policy *p = j->policy;
	tee_check(
		j->verdict, "ak.binding", TEE_FAILED,
		"an attestation key that the policy names, or of which a certificate leads to a root of it",
		"%s",
		p->ak_names.count == 0 && p->ak_roots.count == 0
			? "the policy names neither keys (ak_names) nor roots (ak_roots), so it may be anybody's"
		: j->evidence.has_certification ? "no certificate (--certs) is of a key that certified it"
						: "no certificate of it was given (--certs)");
}

/* By name, or by a certificate; by both where the policy has both. */
static void check_binding(struct tpm_judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct tpm_policy *p = j->policy;
	const char *name = tee_hex(v, j->evidence.ak.name.bytes, j->evidence.ak.name.size);
	if (p->ak_names.count > 0)
		tee_demand(v, "ak.binding", is_named(&p->ak_names, name),
		           tee_text(v, "one of %zu names of the policy", p->ak_names.count), "%s", name);
	if (p->ak_names.count > 0 && p->ak_roots.count == 0)
		return;
	if (j->certs->ak.cert && p->ak_roots.count > 0) {
		tpm_check_certificate(j, &j->certs->ak, "ak_certificate", "attestation key");
	} else if (j->certs->certifier.cert && p->ak_roots.count > 0) {
		tpm_check_certificate(j, &j->certs->certifier, "certifier", "key that certified it");
		check_certification(j);
	} else {
		say_unbound(j);
	}
}

static void check_ek(struct tpm_judging *j)
{
	struct tee_verdict *v = j->verdict;
	const struct tpm_evidence *e = &j->evidence;
	const char *wanted = "an endorsement key, and a certificate of it (--certs)";
	if (!e->has_ek || !j->certs->ek.cert) {
		tee_check(v, "ek.certificate", TEE_FAILED, wanted, "%s",
		          e->has_ek ? "no certificate is of the evidence's key"
		                    : "the evidence has no endorsement key");
		return;
	}
	check_attributes(j, "ek.attributes", &e->ek, TPM_RESTRICTED | TPM_DECRYPT | TPM_FIXED_TPM, TPM_SIGN);
	tpm_check_certificate(j, &j->certs->ek, "ek", "endorsement key");
}

/* ---- the quote ---- */

static int check_signature(struct tpm_judging *j, struct error *err)
{
	const struct tpm_evidence *e = &j->evidence;
	const struct tpm_bytes *quote = &e->parts.quote;
	const char *wanted = "of the quote, by the attestation key and with its scheme";
	struct tpm_signature s;
	int rc = tpm_signature_read(e->parts.signature.data, e->parts.signature.size,
	                            vendor_key_kind(j->ak_key), &s, err);
	if (rc < 0)
		return rc;
	if (s.algorithm == 0 || s.alg != e->ak.scheme || s.hash_alg != e->ak.scheme_hash) {
		tee_check(j->verdict, "quote.signature", TEE_FAILED, wanted,
		          "%s with %s, where the key signs by %s with %s", tpm_alg_name(s.alg),
		          tpm_alg_name(s.hash_alg), tpm_alg_name(e->ak.scheme),
		          tpm_alg_name(e->ak.scheme_hash));
		return 0;
	}
	rc = vendor_key_verify(j->ak_key, s.algorithm, quote->data, quote->size, s.bytes, s.size, err);
	if (rc < 0 && rc != CELLA_EAUTH)
		return rc;
	tee_demand(j->verdict, "quote.signature", rc == 0, wanted, "%s",
	           rc == 0 ? "it holds" : "it does not hold");
	return 0;
}

/* QN = H(QN of the parent || name), from a hierarchy's handle down (part 1, section 16.5). */
static int qualify(struct tpm_name *qualified, const uint8_t *name, size_t size, struct error *err)
{
	const int hash = size > 2 ? tpm_hash_of((uint16_t)(name[0] << 8 | name[1])) : -1;
	const struct crypto_part parts[] = {{qualified->bytes, qualified->size}, {name, size}};
	uint8_t digest[CRYPTO_HASH_MAX];
	if (hash < 0 || size != 2 + crypto_hash_size((enum crypto_hash)hash))
		return error_set(err, CELLA_EFORMAT,
		                 "the name of a key above the attestation key is malformed");
	int rc = crypto_hash((enum crypto_hash)hash, parts, array_count(parts), digest, err);
	if (rc < 0)
		return rc;
	memcpy(qualified->bytes, name, 2);
	memcpy(qualified->bytes + 2, digest, size - 2);
	qualified->size = size;
	return 0;
}

static int check_signer(struct tpm_judging *j, struct error *err)
{
	const struct tpm_evidence_parts *p = &j->evidence.parts;
	const struct tpm_name *ak = &j->evidence.ak.name;
	const struct tpm_bytes *signer = &j->evidence.quote.signer;
	struct tpm_name qualified = {.size = 4};
	if (p->hierarchy == 0)
		return 0;
	for (size_t i = 0; i < 4; i++)
		qualified.bytes[i] = (uint8_t)(p->hierarchy >> (24 - 8 * i));
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < p->parent_count; i++)
		rc = qualify(&qualified, p->parents[i].data, p->parents[i].size, err);
	if (rc == 0)
		rc = qualify(&qualified, ak->bytes, ak->size, err);
	if (rc < 0)
		return rc;
	tee_demand(j->verdict, "quote.signer",
	           signer->size == qualified.size &&
	                   crypto_equal(signer->data, qualified.bytes, qualified.size),
	           tee_text(j->verdict, "the attestation key where the evidence says that it lies, %s",
	                    tee_hex(j->verdict, qualified.bytes, qualified.size)),
	           "%s", bytes_text(j->verdict, *signer));
	return 0;
}

/* The quote's digest is made with the hash of its signature's scheme. */
static int check_digest(struct tpm_judging *j, struct error *err)
{
	struct tee_verdict *v = j->verdict;
	const struct tpm_evidence *e = &j->evidence;
	const struct crypto_part values = {e->parts.values.data, e->parts.values.size};
	const int hash = tpm_hash_of(e->ak.scheme_hash);
	uint8_t digest[CRYPTO_HASH_MAX];
	tee_demand(v, "quote.bank", j->has_bank, "PCRs of SHA-256, SHA-384 or SHA-512", "%s",
	           j->has_bank ? tpm_alg_name(j->bank_alg) : "none");
	if (hash < 0) {
		tee_unchecked(v, "quote.pcrs", "the digest of the PCRs", "the key's hash is not known here");
		return 0;
	}
	int rc = crypto_hash((enum crypto_hash)hash, &values, 1, digest, err);
	const size_t size = crypto_hash_size((enum crypto_hash)hash);
	if (rc < 0)
		return rc;
	tee_demand(v, "quote.pcrs",
	           e->quote.digest.size == size && crypto_equal(digest, e->quote.digest.data, size),
	           tee_text(v, "values of PCRs that hash to %s", bytes_text(v, e->quote.digest)), "%s",
	           tee_hex(v, digest, size));
	return 0;
}

/* As it is, or zeros behind it in either, or its SHA-256: a quote has no room for 64 bytes in some TPMs. */
static int check_report_data(struct tpm_judging *j, struct error *err)
{
	uint8_t wanted[TEE_REPORT_DATA_MAX] = {0}, digest[CRYPTO_HASH_MAX];
	const struct tee_input *input = j->input;
	const struct tpm_bytes *extra = &j->evidence.quote.extra;
	const struct crypto_part whole = {wanted, sizeof(wanted)};
	if (!input->report_data)
		return 0;
	memcpy(wanted, input->report_data, input->report_data_size);
	int rc = crypto_hash(CRYPTO_SHA256, &whole, 1, digest, err);
	if (rc < 0)
		return rc;
	const size_t size = min_of(extra->size, sizeof(wanted));
	const bool plain = size > 0 && crypto_equal(extra->data, wanted, size) &&
	                   bytes_are_zero(wanted + size, sizeof(wanted) - size) &&
	                   bytes_are_zero(extra->data + size, extra->size - size);
	const bool hashed = extra->size == CRYPTO_SHA256_SIZE &&
	                    crypto_equal(extra->data, digest, CRYPTO_SHA256_SIZE);
	tee_demand(j->verdict, "report_data", plain || hashed,
	           tee_text(j->verdict, "%s, or its SHA-256, %s", tee_hex(j->verdict, wanted, sizeof(wanted)),
	                    tee_hex(j->verdict, digest, CRYPTO_SHA256_SIZE)),
	           "%s", bytes_text(j->verdict, *extra));
	return 0;
}

static void check_pcr(struct tpm_judging *j, unsigned index, const struct policy_values *values,
                      enum crypto_hash hash)
{
	struct tee_verdict *v = j->verdict;
	const size_t size = crypto_hash_size(hash);
	const uint8_t *found = tpm_evidence_pcr(&j->evidence, hash, index);
	if (values->count == 0)
		return;
	const char *name = tee_text(v, "pcr.%s.%u", hash == CRYPTO_SHA384 ? "sha384" : "sha256", index);
	const char *wanted = tee_hex(v, values->values[0], size);
	if (values->count > 1)
		wanted = tee_text(v, "%s, or one of %zu others", wanted, values->count - 1);
	tee_demand(v, name, found && policy_allows(values, found, size), wanted, "%s",
	           found ? tee_hex(v, found, size) : "the quote does not have it");
}

int tpm_check_machine(struct tpm_judging *j, struct error *err)
{
	const struct tpm_attest *q = &j->evidence.quote;
	const uint16_t name_alg = j->evidence.ak.name_alg;
	tee_demand(j->verdict, "ak.name", tpm_hash_of(name_alg) != CRYPTO_SHA1,
	           "a key that is named by SHA-256, SHA-384 or SHA-512", "%s", tpm_alg_name(name_alg));
	check_attributes(j, "ak.attributes", &j->evidence.ak, AK_NEEDED, TPM_DECRYPT);
	tee_demand(j->verdict, "quote.magic", q->magic == tpm_generated, "ff544347: made by a TPM", "%08x",
	           q->magic);
	int rc = check_signature(j, err);
	if (rc == 0)
		rc = check_signer(j, err);
	if (rc == 0)
		rc = check_digest(j, err);
	if (rc == 0)
		rc = check_report_data(j, err);
	for (unsigned i = 0; rc == 0 && i < TPM_PCRS; i++) {
		check_pcr(j, i, &j->policy->pcrs[i], CRYPTO_SHA256);
		check_pcr(j, i, &j->policy->pcrs_sha384[i], CRYPTO_SHA384);
	}
	return rc < 0 ? rc : tpm_logs_check(j, err);
}

/* ---- the questions ---- */

static void find_bank(struct tpm_judging *j)
{
	static const enum crypto_hash wanted[] = {CRYPTO_SHA256, CRYPTO_SHA384, CRYPTO_SHA512};
	const struct tpm_selection *s = &j->evidence.quote.selection;
	for (size_t i = 0; i < array_count(wanted); i++)
		for (size_t k = 0; k < s->count && !j->has_bank; k++)
			if (s->banks[k].hash == (int)wanted[i] && s->banks[k].pcrs != 0) {
				j->has_bank = true;
				j->bank = wanted[i];
				j->bank_alg = s->banks[k].alg;
			}
}

int tpm_begin(struct tpm_judging *j, const void *evidence, size_t size, struct error *err)
{
	int rc = tpm_evidence_read(evidence, size, &j->evidence, err);
	if (rc == 0)
		rc = tpm_public_key(&j->evidence.ak, &j->ak_key, err);
	if (rc < 0)
		return rc;
	find_bank(j);
	claim_key(j->verdict, "ak", &j->evidence.ak);
	if (j->evidence.has_ek)
		claim_key(j->verdict, "ek", &j->evidence.ek);
	claim_quote(j->verdict, &j->evidence.quote);
	claim_pcrs(j->verdict, &j->evidence);
	return tpm_logs_claim(j, err);
}

static int begin(struct tpm_judging *j, struct error *err)
{
	const struct tee_blob *evidence = &j->input->evidence;
	int rc = tpm_begin(j, evidence->data, evidence->size, err);
	if (rc < 0 && evidence->name)
		rc = error_prefix(err, rc, "%s: ", evidence->name);
	if (rc == 0)
		rc = tpm_certs_find(j, err);
	if (rc < 0)
		return rc;
	if (j->certs->ak.cert)
		chain_claim_cert(j->verdict, "ak_certificate", j->certs->ak.cert);
	if (j->certs->certifier.cert)
		chain_claim_cert(j->verdict, "certifier", j->certs->certifier.cert);
	if (j->certs->ek.cert)
		chain_claim_cert(j->verdict, "ek", j->certs->ek.cert);
	return 0;
}

static int tpm_show(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct tpm_policy defaults;
	struct tpm_judging j = {.input = input, .verdict = verdict};
	j.policy = tee_policy_of(input->policy, TEE_TPM, &defaults);
	int rc = begin(&j, err);
	tpm_end(&j);
	return rc;
}

static int judge(const struct tee_input *input, void (*whose)(struct tpm_judging *j),
                 struct tee_verdict *verdict, struct error *err)
{
	struct tpm_policy defaults;
	struct tpm_judging j = {.input = input, .verdict = verdict};
	j.policy = tee_policy_of(input->policy, TEE_TPM, &defaults);
	int rc = begin(&j, err);
	if (rc == 0) {
		whose(&j);
		rc = tpm_check_machine(&j, err);
	}
	tpm_end(&j);
	return rc;
}

static int tpm_verify(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	return judge(input, check_binding, verdict, err);
}

int tpm_verify_enrolment(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err)
{
	int rc = judge(input, check_ek, ret_verdict, err);
	if (rc == 0 && ret_verdict->no_memory)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a verdict");
	if (rc < 0)
		tee_verdict_done(ret_verdict);
	return rc;
}

const struct tee_kind_row tpm_kind = {
	.name = "tpm",
	.title = "a TPM 2.0",
	.verify = tpm_verify,
	.show = tpm_show,
	.policy_size = sizeof(struct tpm_policy),
	.policy_init = tpm_policy_init,
	.policy = &tpm_policy_object,
	.policy_open = tpm_policy_open,
};
