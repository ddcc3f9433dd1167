/* The verification of Azure's confidential virtual machines. */
#include "attest/azure/azure.h"

#include <string.h>
#include <strings.h>

#include "attest/azure/format.h"
#include "attest/dcap/collateral_format.h"
#include "attest/snp/format.h"
#include "attest/tpm/ima_list.h"
#include "crypto/crypto.h"

#define AT(field) .at = offsetof(struct azure_policy, field)

static const char *const isolations[] = {"any", "snp", "tdx", NULL};

static const struct policy_member members[] = {
	{"isolation", POLICY_CHOICE, AT(isolation), .choices = isolations},
	{"snp", POLICY_OBJECT, AT(snp), .object = &snp_policy_object},
	{"tdx", POLICY_OBJECT, AT(tdx), .object = &dcap_tdx_policy},
	{"tpm", POLICY_OBJECT, AT(tpm), .object = &tpm_policy_boot_object},
	{"vm_id", POLICY_TEXTS, AT(vm_id)},
};
static const struct policy_object policy_object = {members, array_count(members)};

static void policy_init(void *to)
{
	struct azure_policy *policy = to;
	memset(policy, 0, sizeof(*policy));
	snp_policy_init(&policy->snp);
	/* What the paravisor boots can ask the processor, too, at a lower privilege. */
	policy->snp.vmpl = (struct policy_number){.is_set = true, .value = 0};
	dcap_policy_init(&policy->tdx);
	tpm_policy_init(&policy->tpm);
}

/* The processor measures the paravisor, and the paravisor's TPM what it boots. Machines of which the policy
 * says nothing else are of either isolation. */
static const char *policy_open(const void *of)
{
	const struct azure_policy *p = of;
	const char *open = p->isolation == AZURE_TDX_ALONE ? NULL : snp_policy_open(&p->snp);
	if (open)
		return open;
	if (p->isolation != AZURE_TDX_ALONE && p->snp.vmpl.value > 0)
		return "whose TPM it is: snp.maximum_vmpl lets the system speak for the paravisor";
	if (p->isolation != AZURE_SNP_ALONE) {
		if (!p->tdx.mr_td.count)
			return "which paravisor runs in a TD: tdx does not pin mr_td, and isolation lets TDs in";
		if (p->tdx.allow_debug || p->tdx.allow_migration)
			return "who reads a TD's memory: allow_debug or allow_migration is set";
	}
	return tpm_policy_boot_open(&p->tpm);
}

/* What a verification knows. */
struct judging {
	const struct tee_input *input;
	struct tee_verdict *verdict;
	const struct azure_policy *policy;
	struct azure_evidence evidence;
	struct azure_report report;
	struct tpm_judging tpm;
};

/* ---- claims ---- */

static const char *flag_text(int flag)
{
	return flag < 0 ? "not said" : flag ? "yes" : "no";
}

static void claim_report(struct tee_verdict *v, const struct azure_report *r)
{
	tee_claim(v, "hcl.version", "of the paravisor's report, and of its runtime data", "%u, %u",
	          r->version, r->claims_version);
	tee_claim(v, "hcl.type", "what protects the machine", "%s", azure_type_name(r->type));
	tee_claim(v, "hcl.ak_key_hash", "SHA-256 of the TPM's attestation key", "%s", r->ak_key_hash);
	tee_claim(v, "hcl.vm_id", "which machine of Azure's it is, as the host says", "%s", r->vm_id);
	tee_claim(v, "hcl.secure_boot", "as the host set it up", "%s", flag_text(r->secure_boot));
	tee_claim(v, "hcl.console", "a serial console, which its host reads", "%s", flag_text(r->console));
	if (r->has_user_data)
		tee_claim_hex(v, "hcl.user_data", "what the machine asked the paravisor to bind",
		              r->user_data, sizeof(r->user_data));
}

/* ---- the processor's report ---- */

static enum tee_kind inner_kind(const struct judging *j)
{
	return j->report.type == AZURE_TDX ? TEE_TDX : TEE_SNP;
}

static bool has_hardware(const struct judging *j)
{
	return (j->report.type == AZURE_SNP || (j->report.type == AZURE_TDX && j->evidence.quote.size > 0)) &&
	       j->report.hash >= 0;
}

/* Claims and checks, with the kind before their names. */
static void hand_on(const struct tee_verdict *from, const char *kind, struct tee_verdict *to)
{
	for (size_t i = 0; i < from->claim_count; i++)
		tee_claim(to, tee_text(to, "%s.%s", kind, from->claims[i].name),
		          tee_text(to, "%s", from->claims[i].meaning), "%s", from->claims[i].value);
	for (size_t i = 0; i < from->check_count; i++)
		tee_check(to, tee_text(to, "%s.%s", kind, from->checks[i].name), from->checks[i].status,
		          tee_text(to, "%s", from->checks[i].wanted), "%s", from->checks[i].found);
}

static int inner_input(struct judging *j, struct tee_blob *collateral, uint8_t wanted[TEE_REPORT_DATA_MAX],
                       struct tee_input *to, struct error *err)
{
	const struct crypto_part runtime = {j->report.runtime.data, j->report.runtime.size};
	uint8_t digest[CRYPTO_HASH_MAX];
	*to = *j->input;
	to->kind = inner_kind(j);
	to->policy = NULL;
	to->evidence = (struct tee_blob){j->report.hardware, SNP_REPORT_SIZE, "the processor's report"};
	if (to->kind == TEE_TDX)
		to->evidence = (struct tee_blob){j->evidence.quote.data, j->evidence.quote.size,
		                                 "the TD's quote"};
	to->event_logs = NULL;
	to->event_log_count = 0;
	to->collateral = collateral;
	to->collateral_count = 0;
	for (size_t i = 0; i < j->input->collateral_count; i++) {
		/* A set may be for both kinds of processors; AMD publishes nothing in JSON. */
		const struct tee_blob *blob = &j->input->collateral[i];
		const bool fits = to->kind != TEE_SNP || !collateral_is_json(blob->data, blob->size);
		if (fits && !ima_list_is(blob->data, blob->size))
			collateral[to->collateral_count++] = *blob;
	}
	int rc = crypto_hash((enum crypto_hash)j->report.hash, &runtime, 1, digest, err);
	memset(wanted, 0, TEE_REPORT_DATA_MAX);
	if (rc == 0)
		memcpy(wanted, digest, crypto_hash_size((enum crypto_hash)j->report.hash));
	to->report_data = wanted;
	to->report_data_size = TEE_REPORT_DATA_MAX;
	return rc;
}

typedef int question(const struct tee_input *input, struct tee_verdict *verdict, struct error *err);

static int ask_inner(struct judging *j, bool verify, struct error *err)
{
	struct tee_blob collateral[TEE_BLOBS_MAX];
	uint8_t wanted[TEE_REPORT_DATA_MAX];
	struct tee_input input;
	struct tee_policy *policy = NULL;
	struct tee_verdict verdict = {0};
	int rc = inner_input(j, collateral, wanted, &input, err);
	const struct tee_kind_row *row = tee_kind_of(input.kind);
	if (rc == 0)
		rc = tee_policy_copy(input.kind,
		                     input.kind == TEE_TDX ? (const void *)&j->policy->tdx
		                                           : (const void *)&j->policy->snp,
		                     &policy, err);
	input.policy = policy;
	question *asked = verify ? row->verify : row->show;
	if (rc == 0)
		rc = asked(&input, &verdict, err);
	if (rc == 0)
		hand_on(&verdict, row->name, j->verdict);
	j->verdict->no_memory |= verdict.no_memory;
	tee_verdict_done(&verdict);
	tee_policy_free(policy);
	return rc;
}

/* ---- checks ---- */

static void check_isolation(struct judging *j)
{
	struct tee_verdict *v = j->verdict;
	const uint32_t type = j->report.type;
	const bool is_wanted = j->policy->isolation == AZURE_ANY ||
	                       (j->policy->isolation == AZURE_SNP_ALONE && type == AZURE_SNP) ||
	                       (j->policy->isolation == AZURE_TDX_ALONE && type == AZURE_TDX);
	const bool is_confidential = type == AZURE_SNP || type == AZURE_TDX;
	tee_demand(v, "hcl.type", is_confidential && is_wanted,
	           j->policy->isolation == AZURE_ANY ? "a machine that SEV-SNP or TDX protects"
	                                             : isolations[j->policy->isolation],
	           "%s%s", azure_type_name(type), is_confidential ? "" : ": no processor vouches for it");
	tee_demand(v, "hcl.hash", j->report.hash >= 0, "runtime data by SHA-256, SHA-384 or SHA-512", "%s",
	           j->report.hash >= 0 ? "so" : "by an unknown algorithm");
	if (type == AZURE_TDX && j->evidence.quote.size == 0)
		tee_check(
			v, "tdx", TEE_FAILED, "a quote of the TD",
			"the evidence has none: Azure's quoting service makes it of the paravisor's report");
}

static int check_key(struct judging *j, struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	int rc = vendor_key_hash(j->tpm.ak_key, hash, err);
	if (rc == 0)
		tee_demand(j->verdict, "ak.binding", strcmp(hash, j->report.ak_key_hash) == 0,
		           tee_text(j->verdict, "the key HCLAkPub of the runtime data, %s",
		                    j->report.ak_key_hash),
		           "%s", hash);
	return rc;
}

/* The processor's report may be older than the quote; the quote alone is bound to what was asked. */
static void check_user_data(struct judging *j)
{
	uint8_t wanted[AZURE_USER_DATA_SIZE] = {0};
	if (!j->input->report_data)
		return;
	memcpy(wanted, j->input->report_data, j->input->report_data_size);
	const bool same = j->report.has_user_data &&
	                  crypto_equal(wanted, j->report.user_data, sizeof(wanted));
	tee_check(j->verdict, "hcl.user_data", same ? TEE_PASSED : TEE_WARNED,
	          "the report data in the processor's report, too", "%s",
	          same ? "so"
	               : "they are not: it may be of an earlier time since the boot; the quote is not");
}

static void check_machine_id(struct judging *j)
{
	const struct policy_texts *ids = &j->policy->vm_id;
	bool holds = false;
	if (ids->count == 0)
		return;
	for (size_t i = 0; i < ids->count; i++)
		holds |= strcasecmp(ids->texts[i], j->report.vm_id) == 0;
	tee_demand(j->verdict, "hcl.vm_id", holds,
	           tee_text(j->verdict, "one of %zu of the policy", ids->count), "%s",
	           *j->report.vm_id ? j->report.vm_id : "none");
}

/* ---- the questions ---- */

static int read_evidence(struct judging *j, struct error *err)
{
	const struct tee_blob *evidence = &j->input->evidence;
	int rc = azure_evidence_read(evidence->data, evidence->size, &j->evidence, err);
	if (rc == 0)
		rc = azure_report_read(j->evidence.report.data, j->evidence.report.size, &j->report, err);
	return rc < 0 && evidence->name ? error_prefix(err, rc, "%s: ", evidence->name) : rc;
}

static int begin(struct judging *j, struct error *err)
{
	j->tpm = (struct tpm_judging){.input = j->input, .verdict = j->verdict, .policy = &j->policy->tpm};
	int rc = read_evidence(j, err);
	if (rc < 0)
		return rc;
	claim_report(j->verdict, &j->report);
	return tpm_begin(&j->tpm, j->evidence.tpm.data, j->evidence.tpm.size, err);
}

static int azure_show(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct azure_policy defaults;
	struct judging j = {.input = input, .verdict = verdict};
	j.policy = tee_policy_of(input->policy, TEE_AZURE, &defaults);
	int rc = begin(&j, err);
	if (rc == 0 && has_hardware(&j))
		rc = ask_inner(&j, false, err);
	tpm_end(&j.tpm);
	return rc;
}

/* The processor's maker publishes it, for the report as for any other. */
static int azure_sources(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct tee_blob collateral[TEE_BLOBS_MAX];
	uint8_t wanted[TEE_REPORT_DATA_MAX];
	struct tee_input inner;
	struct azure_policy defaults;
	struct judging j = {.input = input, .verdict = verdict};
	j.policy = tee_policy_of(input->policy, TEE_AZURE, &defaults);
	int rc = read_evidence(&j, err);
	if (rc == 0 && !has_hardware(&j))
		rc = error_set(err, CELLA_EUNSUPPORTED,
		               "no processor's maker vouches for this machine (%s), or its quote is missing",
		               azure_type_name(j.report.type));
	if (rc == 0)
		rc = inner_input(&j, collateral, wanted, &inner, err);
	return rc < 0 ? rc : tee_kind_of(inner.kind)->sources(&inner, verdict, err);
}

static int azure_verify(const struct tee_input *input, struct tee_verdict *verdict, struct error *err)
{
	struct azure_policy defaults;
	struct judging j = {.input = input, .verdict = verdict};
	j.policy = tee_policy_of(input->policy, TEE_AZURE, &defaults);
	int rc = begin(&j, err);
	if (rc == 0) {
		check_isolation(&j);
		check_machine_id(&j);
		check_user_data(&j);
	}
	if (rc == 0 && has_hardware(&j))
		rc = ask_inner(&j, true, err);
	if (rc == 0)
		rc = check_key(&j, err);
	if (rc == 0)
		rc = tpm_check_machine(&j.tpm, err);
	tpm_end(&j.tpm);
	return rc;
}

const struct tee_kind_row azure_kind = {
	.name = "azure",
	.title = "a confidential machine of Azure's",
	.verify = azure_verify,
	.show = azure_show,
	.sources = azure_sources,
	.policy_size = sizeof(struct azure_policy),
	.policy_init = policy_init,
	.policy = &policy_object,
	.policy_open = policy_open,
};
