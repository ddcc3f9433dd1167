/* Is the platform one of Intel's, and up to date? Chains, signed documents, the quoting enclave, the TCB. */
#include <stdio.h>
#include <string.h>

#include "attest/dcap/dcap.h"
#include "attest/dcap/intel.h"
#include "crypto/crypto.h"

struct context {
	struct tee_verdict *verdict;
	const struct tee_input *input;
	const struct quote *quote;
	const struct dcap_endorsements *e;
	const struct dcap_policy *policy;
	bool is_tdx;
};

static enum tee_status status_of(int judgement)
{
	static const enum tee_status statuses[] = {
		[DCAP_ACCEPT] = TEE_PASSED,
		[DCAP_WARN] = TEE_WARNED,
		[DCAP_REFUSE] = TEE_FAILED,
	};
	return statuses[judgement];
}

/* Of something that is not there: what a policy makes of it. */
static enum tee_status missing(int need)
{
	return need == DCAP_REQUIRED ? TEE_FAILED : TEE_WARNED;
}

/* ---- the PCK ---- */

static bool is_by_pck_ca(const struct vendor_chain *chain)
{
	if (chain->count != 3)
		return false;
	const char *issuer = vendor_cert_facts(chain->links[1].cert)->common_name;
	return strcmp(issuer, DCAP_PLATFORM_CA_NAME) == 0 || strcmp(issuer, DCAP_PROCESSOR_CA_NAME) == 0;
}

static void check_pck_certificate(const struct context *c)
{
	static const char name[] = "pck.certificate";
	static const char wanted[] = "an \"" DCAP_PCK_NAME "\" of a PCK CA below Intel's root";
	if (!c->e->pck) {
		tee_check(c->verdict, name, TEE_FAILED, wanted,
		          "none: the quote's certification data are of type %u and bring no chain; give the "
		          "PCK's certificate and its CAs' with --certs",
		          c->quote->certification);
		return;
	}
	const struct vendor_cert_facts *facts = vendor_cert_facts(c->e->pck);
	const bool holds = strcmp(facts->common_name, DCAP_PCK_NAME) == 0 && facts->key_kind == VENDOR_P256 &&
	                   is_by_pck_ca(&c->e->pck_chain);
	tee_demand(c->verdict, name, holds, wanted, "%s, of %s", facts->common_name, facts->issuer);
}

static void check_pck_chain(const struct context *c)
{
	static const char *const names[] = {"pck.root", "pck.chain", "pck.validity", "pck.crl"};
	const struct chain_rule rule = {
		.name = "pck",
		.title = "PCK",
		.time = c->input->time,
		.crl_required = c->policy->crl == DCAP_REQUIRED ? 1u << 0 | 1u << 1 : 0,
		.crl_expired = status_of(c->policy->expired),
	};
	if (c->e->pck) {
		(void)chain_check(c->verdict, &c->e->pck_chain, &rule);
		return;
	}
	for (size_t i = 0; i < array_count(names); i++)
		tee_unchecked(c->verdict, names[i], "a chain of the PCK to Intel's root",
		              "there is no PCK certificate");
}

static void check_value(const struct context *c, const char *name, const struct policy_values *allowed,
                        const void *value, size_t size)
{
	if (allowed->count > 0)
		tee_demand(c->verdict, name, policy_allows(allowed, value, size),
		           allowed->count == 1
		                   ? tee_hex(c->verdict, allowed->values[0], size)
		                   : tee_text(c->verdict, "one of %zu values of the policy", allowed->count),
		           "%s", tee_hex(c->verdict, value, size));
}

static void check_flag(const struct context *c, const char *name, bool allowed, bool is_on)
{
	const bool known = c->e->platform.has_configuration;
	if (!allowed)
		tee_demand(c->verdict, name, known && !is_on, "off", "%s",
		           !known  ? "not said by the PCK's certificate"
		           : is_on ? "on"
		                   : "off");
}

static void check_platform_policy(const struct context *c)
{
	const struct pck_platform *p = &c->e->platform;
	const struct dcap_policy *policy = c->policy;
	check_value(c, "platform.fmspc", &policy->fmspc, p->fmspc, sizeof(p->fmspc));
	check_value(c, "platform.ppid", &policy->ppid, p->ppid, sizeof(p->ppid));
	check_value(c, "platform.instance_id", &policy->instance_id, p->instance_id, sizeof(p->instance_id));
	check_flag(c, "platform.smt", policy->allow_smt, p->smt_enabled);
	check_flag(c, "platform.cached_keys", policy->allow_cached_keys, p->cached_keys);
	check_flag(c, "platform.dynamic", policy->allow_dynamic_platform, p->dynamic_platform);
}

/* ---- signed documents ---- */

/* A document of a verdict, without its content. */
struct document {
	const char *name; /* "tcb_info" */
	const char *title;
	bool is_there;
	const char *url;  /* where to get it */
	const struct dcap_signers *signers;
	int64_t issued, next_update;
	uint32_t evaluation_number;
};

static const char *part(const struct context *c, const struct document *d, const char *what)
{
	return tee_text(c->verdict, "%s.%s", d->name, what);
}

/* The chain of the signer that is valid at this time, or else the first. */
static const struct vendor_chain *signer_at(const struct dcap_signers *signers, int64_t time)
{
	for (size_t i = 0; i < signers->count; i++) {
		const struct vendor_cert_facts *facts = vendor_cert_facts(signers->chains[i].links[0].cert);
		if (time >= facts->not_before && time <= facts->not_after)
			return &signers->chains[i];
	}
	return &signers->chains[0];
}

/* Whatever the time. What has merely ended is judged further, so that nothing hides behind a date. */
static bool is_genuine(const struct vendor_chain *chain)
{
	unsigned flaws = 0;
	for (size_t i = 0; i < chain->count; i++)
		flaws |= chain->links[i].flaws;
	return chain->root && chain->count == 2 && flaws == 0;
}

static bool check_signer(const struct context *c, const struct document *d)
{
	const struct vendor_chain *chain = signer_at(d->signers, c->input->time);
	const struct chain_rule rule = {
		.name = d->name,
		.title = "\"" DCAP_SIGNING_NAME "\"",
		.time = c->input->time,
		.crl_required = c->policy->crl == DCAP_REQUIRED ? 1u << 0 : 0,
		.crl_expired = status_of(c->policy->expired),
	};
	(void)chain_check(c->verdict, chain, &rule);
	tee_demand(c->verdict, part(c, d, "signer"), chain->count == 2,
	           "a certificate directly below Intel's root", "%zu certificates with the root",
	           chain->count);
	return is_genuine(chain);
}

static void check_dates(const struct context *c, const struct document *d)
{
	const int64_t time = c->input->time;
	const enum tee_status status = time < d->issued         ? TEE_FAILED
	                               : time <= d->next_update ? TEE_PASSED
	                                                        : status_of(c->policy->expired);
	tee_check(c->verdict, part(c, d, "dates"), status,
	          tee_text(c->verdict, "%s that holds at %s", d->title, tee_time_text(c->verdict, time)),
	          "issued %s, next update %s", tee_time_text(c->verdict, d->issued),
	          tee_time_text(c->verdict, d->next_update));
}

static void check_evaluation(const struct context *c, const struct document *d)
{
	const struct policy_number *least = &c->policy->min_evaluation_number;
	if (least->is_set)
		tee_demand(c->verdict, part(c, d, "evaluation_number"), d->evaluation_number >= least->value,
		           tee_text(c->verdict, "%llu or later", (unsigned long long)least->value), "%u",
		           d->evaluation_number);
}

/* Is it there, and signed by who may? Its dates are a matter of their own. */
static bool check_document(const struct context *c, const struct document *d)
{
	const char *wanted = tee_text(c->verdict, "%s, signed by Intel", d->title);
	const char *name = part(c, d, "signature");
	if (!d->is_there) {
		tee_check(c->verdict, name, missing(c->policy->collateral), wanted,
		          "none: give it with --collateral (Intel serves it at %s)", d->url);
		return false;
	}
	check_dates(c, d);
	check_evaluation(c, d);
	if (d->signers->count == 0) {
		tee_check(c->verdict, name, TEE_FAILED, wanted,
		          "no certificate \"" DCAP_SIGNING_NAME "\" here signed it: it was changed, or its "
		          "issuer chain is missing (--certs)");
		return false;
	}
	tee_check(c->verdict, name, TEE_PASSED, wanted, "signed by %s",
	          vendor_cert_facts(d->signers->chains[0].links[0].cert)->common_name);
	return check_signer(c, d);
}

static bool check_tcb_info(const struct context *c)
{
	const struct tcb_info *info = &c->e->tcb_info;
	const struct document d = {
		.name = "tcb_info",
		.title = c->is_tdx ? "TCB info of TDX" : "TCB info of SGX",
		.is_there = c->e->has_tcb_info,
		.url = dcap_url_of_tcb_info(c->verdict, c->is_tdx, &c->e->platform),
		.signers = &c->e->tcb_signers,
		.issued = info->issued,
		.next_update = info->next_update,
		.evaluation_number = info->evaluation_number,
	};
	bool holds = check_document(c, &d);
	if (!d.is_there)
		return false;
	const bool is_ours = info->is_tdx == c->is_tdx && c->e->has_platform &&
	                     crypto_equal(info->fmspc, c->e->platform.fmspc, TCB_FMSPC_SIZE) &&
	                     crypto_equal(info->pce_id, c->e->platform.pce_id, TCB_PCE_ID_SIZE);
	tee_demand(c->verdict, "tcb_info.platform", is_ours,
	           tee_text(c->verdict, "%s, FMSPC %s, PCE-ID %s", c->is_tdx ? "TDX" : "SGX",
	                    tee_hex(c->verdict, c->e->platform.fmspc, TCB_FMSPC_SIZE),
	                    tee_hex(c->verdict, c->e->platform.pce_id, TCB_PCE_ID_SIZE)),
	           "%s, FMSPC %s, PCE-ID %s", info->is_tdx ? "TDX" : "SGX",
	           tee_hex(c->verdict, info->fmspc, TCB_FMSPC_SIZE),
	           tee_hex(c->verdict, info->pce_id, TCB_PCE_ID_SIZE));
	return holds && is_ours;
}

/* ---- the quoting enclave ---- */

static void put_u32(uint32_t value, uint8_t to[4])
{
	for (size_t i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (8 * i));
}

static void check_qe(const struct context *c)
{
	const struct qe_identity *id = &c->e->qe_identity;
	const struct quote_sgx_body *qe = &c->quote->qe;
	uint8_t misc[4];
	put_u32(qe->misc_select, misc);
	const char *flaw = NULL;
	if (id->is_tdx != c->is_tdx)
		flaw = "the identity is of the other kind of quoting enclave";
	else if (!crypto_equal(qe->mr_signer, id->mr_signer, sizeof(id->mr_signer)))
		flaw = "another MRSIGNER";
	else if (qe->isv_prod_id != id->isv_prod_id)
		flaw = "another product id";
	else if (!tcb_masked_equal(misc, id->misc_select_mask, id->misc_select, sizeof(misc)))
		flaw = "another MISCSELECT";
	else if (!tcb_masked_equal(qe->attributes, id->attributes_mask, id->attributes,
	                           sizeof(id->attributes)))
		flaw = "other ATTRIBUTES";
	tee_demand(c->verdict, "qe.identity", !flaw,
	           tee_text(c->verdict, "MRSIGNER %s, product id %u, attributes %s",
	                    tee_hex(c->verdict, id->mr_signer, sizeof(id->mr_signer)), id->isv_prod_id,
	                    tee_hex(c->verdict, id->attributes, sizeof(id->attributes))),
	           "%s%sMRSIGNER %s, product id %u, attributes %s", flaw ? flaw : "", flaw ? ": " : "",
	           tee_hex(c->verdict, qe->mr_signer, sizeof(id->mr_signer)), qe->isv_prod_id,
	           tee_hex(c->verdict, qe->attributes, sizeof(id->attributes)));
}

static bool check_qe_identity(const struct context *c)
{
	const struct qe_identity *id = &c->e->qe_identity;
	const struct document d = {
		.name = "qe_identity",
		.title = "the QE identity",
		.is_there = c->e->has_qe_identity,
		.url = dcap_url_of_qe_identity(c->is_tdx),
		.signers = &c->e->qe_signers,
		.issued = id->issued,
		.next_update = id->next_update,
		.evaluation_number = id->evaluation_number,
	};
	const bool holds = check_document(c, &d);
	if (d.is_there && holds)
		check_qe(c);
	else if (d.is_there)
		tee_unchecked(c->verdict, "qe.identity", "the quoting enclave that Intel names",
		              "the QE identity is not to be believed");
	return holds;
}

/* ---- the TDX module ---- */

static void check_module(const struct context *c, const struct tcb_verdict *tcb)
{
	const struct quote_td_body *td = &c->quote->td;
	const struct tdx_module *m = tcb->identity;
	static const char name[] = "tdx_module.identity";
	if (!m) {
		tee_check(c->verdict, name, TEE_FAILED, "a TDX module that the TCB info knows",
		          "no module %s in it", tcb->module_id);
		return;
	}
	const bool holds = crypto_equal(td->mr_signer_seam, m->mr_signer, sizeof(m->mr_signer)) &&
	                   tcb_masked_equal(td->seam_attributes, m->attributes_mask, m->attributes,
	                                    sizeof(m->attributes));
	tee_demand(c->verdict, name, holds,
	           tee_text(c->verdict, "MRSIGNERSEAM %s, attributes %s",
	                    tee_hex(c->verdict, m->mr_signer, sizeof(m->mr_signer)),
	                    tee_hex(c->verdict, m->attributes, sizeof(m->attributes))),
	           "%s: MRSIGNERSEAM %s, attributes %s",
	           tcb->has_module ? tcb->module_id : "a module of TDX 1.0",
	           tee_hex(c->verdict, td->mr_signer_seam, QUOTE_MEASUREMENT_SIZE),
	           tee_hex(c->verdict, td->seam_attributes, sizeof(m->attributes)));
}

/* ---- the TCB ---- */

static const char *level_text(const struct context *c, const struct tcb_level *level)
{
	return level ? tee_text(c->verdict, "%s of %.10s", tcb_status_name(level->status),
	                        tee_time_text(c->verdict, level->date))
	             : "below every level";
}

static void add_advisories(const struct tcb_level *level, struct buf *to)
{
	for (size_t i = 0; level && i < json_array_size(level->advisories); i++) {
		const char *text = json_string_value(json_array_get(level->advisories, i));
		/* Each once; all that are known here are as long. */
		if (to->size > 0 && memmem(to->data, to->size, text, strlen(text)))
			continue;
		buf_printf(to, "%s%s", to->size > 0 ? ", " : "", text);
	}
}

static void claim_tcb(const struct context *c, const struct tcb_verdict *tcb)
{
	cleanup_buf struct buf advisories = {0};
	tee_claim(c->verdict, "tcb.status", "the platform, its TDX module and its quoting enclave together",
	          "%s", tcb_status_name(tcb->status));
	tee_claim(c->verdict, "tcb.platform", "by its TCB components", "%s", level_text(c, tcb->platform));
	if (tcb->has_module)
		tee_claim(c->verdict, "tcb.tdx_module", "", "%s: %s", tcb->module_id,
		          level_text(c, tcb->module));
	tee_claim(c->verdict, "tcb.qe", "the quoting enclave", "%s", level_text(c, tcb->qe));
	add_advisories(tcb->platform, &advisories);
	add_advisories(tcb->module, &advisories);
	add_advisories(tcb->qe, &advisories);
	c->verdict->no_memory |= advisories.failed;
	if (advisories.size > 0)
		tee_claim(c->verdict, "tcb.advisories", "what Intel has published about levels as these",
		          "%.*s", (int)advisories.size, (const char *)advisories.data);
}

static const char *statuses_with(const struct context *c, enum dcap_judgement judgement)
{
	const char *text = "";
	for (int i = 0; i < TCB_STATUSES; i++) {
		if (c->policy->tcb_status[i] == (int)judgement)
			text = tee_text(c->verdict, "%s%s%s", text, *text ? ", " : "",
			                tcb_status_name((enum tcb_status)i));
	}
	return text;
}

static const char *accepted_statuses(const struct context *c)
{
	const char *accepted = statuses_with(c, DCAP_ACCEPT), *warned = statuses_with(c, DCAP_WARN);
	return tee_text(c->verdict, "%s%s%s", *accepted ? accepted : "no status without a warning",
	                *warned ? "; with a warning: " : "", warned);
}

static void check_status(const struct context *c, const struct tcb_verdict *tcb)
{
	static const char name[] = "tcb.status";
	tee_check(c->verdict, name, status_of(c->policy->tcb_status[tcb->status]), accepted_statuses(c),
	          "%s (the platform: %s; %s%s%sthe quoting enclave: %s)", tcb_status_name(tcb->status),
	          level_text(c, tcb->platform), tcb->has_module ? "the TDX module: " : "",
	          tcb->has_module ? level_text(c, tcb->module) : "", tcb->has_module ? "; " : "",
	          level_text(c, tcb->qe));
}

static void check_tcb(const struct context *c, bool documents_hold)
{
	struct tcb_verdict tcb;
	if (!c->e->has_tcb_info || !c->e->has_qe_identity) {
		tee_check(c->verdict, "tcb.status", missing(c->policy->collateral), accepted_statuses(c),
		          "unknown, for there is no %s", c->e->has_tcb_info ? "QE identity" : "TCB info");
		return;
	}
	if (!documents_hold) {
		if (c->is_tdx)
			tee_unchecked(c->verdict, "tdx_module.identity", "the TDX module that Intel names",
			              "the collateral is not to be believed");
		tee_unchecked(c->verdict, "tcb.status", accepted_statuses(c),
		              "the collateral is not to be believed");
		return;
	}
	tcb_judge(c->quote, &c->e->platform, &c->e->tcb_info, &c->e->qe_identity, &tcb);
	claim_tcb(c, &tcb);
	if (c->is_tdx)
		check_module(c, &tcb);
	check_status(c, &tcb);
}

void dcap_check_platform(const struct tee_input *input, const struct quote *quote,
                         const struct dcap_endorsements *endorsements, const struct dcap_policy *policy,
                         struct tee_verdict *verdict)
{
	const struct context c = {
		.verdict = verdict,
		.input = input,
		.quote = quote,
		.e = endorsements,
		.policy = policy,
		.is_tdx = quote->tee == QUOTE_TDX,
	};
	check_pck_certificate(&c);
	check_pck_chain(&c);
	check_platform_policy(&c);
	bool hold = check_tcb_info(&c);
	hold &= check_qe_identity(&c);
	check_tcb(&c, hold);
}
