/* The kinds of evidence, and what is the same for all of them. */
#include "attest/tee.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "attest/azure/azure.h"
#include "attest/dcap/dcap.h"
#include "attest/policy.h"
#include "attest/snp/snp.h"
#include "attest/tpm/tpm.h"
#include "base/io.h"
#include "base/nearest.h"

struct tee_policy {
	enum tee_kind kind;
	alignas(max_align_t) uint8_t body[];
};

static const char *const kind_names[] = {
	[TEE_SNP] = "snp", [TEE_TDX] = "tdx", [TEE_SGX] = "sgx", [TEE_TPM] = "tpm", [TEE_AZURE] = "azure",
};

static const struct tee_kind_row *const tee_kinds[TEE_KINDS] = {
	[TEE_SNP] = &snp_kind, [TEE_TDX] = &dcap_tdx_kind, [TEE_SGX] = &dcap_sgx_kind,
	[TEE_TPM] = &tpm_kind, [TEE_AZURE] = &azure_kind,
};

const struct tee_kind_row *tee_kind_of(enum tee_kind kind)
{
	return kind >= 0 && kind < TEE_KINDS ? tee_kinds[kind] : NULL;
}

static const char *kind_name(const void *data, size_t index)
{
	return ((const char *const *)data)[index];
}

int tee_kind_parse(const char *name, enum tee_kind *ret_kind, struct error *err)
{
	for (size_t i = 0; i < TEE_KINDS; i++)
		if (strcmp(kind_names[i], name) == 0) {
			*ret_kind = (enum tee_kind)i;
			return 0;
		}
	const char *nearest = nearest_name(name, kind_name, kind_names, TEE_KINDS);
	return error_set(err, CELLA_EINVAL, "there is no kind of evidence %.40s%s%s%s", name,
	                 nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int check_blobs(const struct tee_blob *blobs, size_t count, const char *what, struct error *err)
{
	if (count > TEE_BLOBS_MAX)
		return error_set(err, CELLA_ELIMIT, "%zu files of %s are too many, the most is %d", count,
		                 what, TEE_BLOBS_MAX);
	for (size_t i = 0; i < count; i++)
		if (blobs[i].size > TEE_BLOB_MAX)
			return error_set(err, CELLA_ELIMIT,
			                 "%s: %zu bytes of %s are too many, the most is %d",
			                 blobs[i].name ? blobs[i].name : "a file", blobs[i].size, what,
			                 TEE_BLOB_MAX);
	return 0;
}

static int check_input(const struct tee_input *input, struct error *err)
{
	const struct tee_kind_row *row = tee_kind_of(input->kind);
	if (!row)
		return error_set(err, CELLA_EUNSUPPORTED, "evidence of the kind %s is not verified here",
		                 input->kind >= 0 && input->kind < TEE_KINDS ? kind_names[input->kind]
		                                                             : "(unknown)");
	if (input->policy && input->policy->kind != input->kind)
		return error_set(err, CELLA_EINVAL, "a policy for %s does not judge evidence of %s",
		                 kind_names[input->policy->kind], row->name);
	if (input->evidence.size > TEE_EVIDENCE_MAX)
		return error_set(err, CELLA_EFORMAT, "%zu bytes of evidence are too many, the most is %d",
		                 input->evidence.size, TEE_EVIDENCE_MAX);
	if (input->report_data && input->report_data_size > TEE_REPORT_DATA_MAX)
		return error_set(err, CELLA_EINVAL, "report data has %d bytes at most, not %zu",
		                 TEE_REPORT_DATA_MAX, input->report_data_size);
	int rc = check_blobs(input->certs, input->cert_count, "certificates", err);
	if (rc == 0)
		rc = check_blobs(input->collateral, input->collateral_count, "collateral", err);
	return rc < 0 ? rc : check_blobs(input->event_logs, input->event_log_count, "event log", err);
}

static int ask(const struct tee_input *input,
               int (*question)(const struct tee_input *input, struct tee_verdict *verdict, struct error *err),
               struct tee_verdict *ret_verdict, struct error *err)
{
	int rc = question(input, ret_verdict, err);
	if (rc == 0 && ret_verdict->no_memory)
		rc = error_set(err, CELLA_ENOMEM, "no memory for a verdict");
	if (rc < 0)
		tee_verdict_done(ret_verdict);
	return rc;
}

int tee_verify(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err)
{
	int rc = check_input(input, err);
	return rc < 0 ? rc : ask(input, tee_kind_of(input->kind)->verify, ret_verdict, err);
}

int tee_show(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err)
{
	int rc = check_input(input, err);
	return rc < 0 ? rc : ask(input, tee_kind_of(input->kind)->show, ret_verdict, err);
}

int tee_sources(const struct tee_input *input, struct tee_verdict *ret_verdict, struct error *err)
{
	int rc = check_input(input, err);
	const struct tee_kind_row *row = tee_kind_of(input->kind);
	if (rc == 0 && !row->sources)
		return error_set(err, CELLA_EUNSUPPORTED, "nobody publishes collateral for evidence of %s",
		                 row->title);
	return rc < 0 ? rc : ask(input, row->sources, ret_verdict, err);
}

/* ---- policies ---- */

int tee_policy_read(enum tee_kind kind, const void *json, size_t size, struct tee_policy **ret_policy,
                    struct error *err)
{
	const struct tee_kind_row *row = tee_kind_of(kind);
	if (!row)
		return error_set(err, CELLA_EUNSUPPORTED, "there are no policies for this kind of evidence");
	if (size > TEE_POLICY_MAX)
		return error_set(err, CELLA_EFORMAT, "a policy has %d bytes at most, not %zu", TEE_POLICY_MAX,
		                 size);
	struct tee_policy *policy = calloc(1, sizeof(*policy) + row->policy_size);
	if (!policy)
		return error_set(err, CELLA_ENOMEM, "no memory for a policy");
	policy->kind = kind;
	row->policy_init(policy->body);
	int rc = policy_read(row->policy, json, size, policy->body, err);
	if (rc < 0) {
		free(policy);
		return rc;
	}
	*ret_policy = policy;
	return 0;
}

int tee_policy_add(struct tee_policy *policy, const void *json, size_t size, struct error *err)
{
	return policy_read(tee_kind_of(policy->kind)->policy, json, size, policy->body, err);
}

const char *tee_policy_open(const struct tee_policy *policy)
{
	const struct tee_kind_row *row = tee_kind_of(policy->kind);
	return row->policy_open ? row->policy_open(policy->body) : "what runs there";
}

int tee_policy_copy(enum tee_kind kind, const void *body, struct tee_policy **ret_policy, struct error *err)
{
	const size_t size = tee_kind_of(kind)->policy_size;
	struct tee_policy *policy = calloc(1, sizeof(*policy) + size);
	if (!policy)
		return error_set(err, CELLA_ENOMEM, "no memory for a policy");
	policy->kind = kind;
	memcpy(policy->body, body, size);
	*ret_policy = policy;
	return 0;
}

void tee_policy_free(struct tee_policy *policy)
{
	free(policy);
}

const void *tee_policy_of(const struct tee_policy *policy, enum tee_kind kind, void *defaults)
{
	if (policy)
		return policy->body;
	tee_kind_of(kind)->policy_init(defaults);
	return defaults;
}

/* ---- files ---- */

int tee_file_bytes(const void *file, size_t size, struct buf *ret, struct error *err)
{
	const size_t before = ret->size;
	if (!io_unhex_text(file, size, ret) && !ret->failed) {
		ret->size = before;
		buf_put(ret, file, size);
	}
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for %zu bytes of a file", size) : 0;
}
