#include "attest/chain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that grows; what does not fit is cut. */
struct sentence {
	char text[600];
	size_t size;
};

static void printf_like(2, 3) say(struct sentence *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	if (s->size > 0 && s->size < sizeof(s->text) - 1)
		s->size += (size_t)snprintf(s->text + s->size, sizeof(s->text) - s->size, "; ");
	if (s->size < sizeof(s->text) - 1)
		s->size += (size_t)vsnprintf(s->text + s->size, sizeof(s->text) - s->size, format, args);
	va_end(args);
}

static const char *cert_name(const struct vendor_cert *cert)
{
	const struct vendor_cert_facts *facts = vendor_cert_facts(cert);
	return *facts->common_name ? facts->common_name : facts->subject;
}

static const char *check_name(struct tee_verdict *verdict, const struct chain_rule *rule, const char *what)
{
	return tee_text(verdict, "%s.%s", rule->name, what);
}

static bool check_root(struct tee_verdict *verdict, const struct vendor_chain *chain,
                       const struct chain_rule *rule)
{
	const struct vendor_link *last = &chain->links[chain->count - 1];
	const char *name = check_name(verdict, rule, "root");
	const char *wanted = "a root that is pinned here by the hash of its key";
	if (chain->root)
		tee_check(verdict, name, TEE_PASSED, wanted, "%s, %s", chain->root->name,
		          chain->root->key_hash);
	else if (last->flaws & VENDOR_NO_ISSUER)
		tee_check(verdict, name, TEE_FAILED, wanted,
		          "none: the certificate of %s is missing (--certs)",
		          vendor_cert_facts(last->cert)->issuer);
	else
		tee_check(verdict, name, TEE_FAILED, wanted, "%s, %s", cert_name(last->cert),
		          vendor_cert_facts(last->cert)->key_hash);
	return chain->root != NULL;
}

static const struct {
	enum vendor_flaw flaw;
	const char *text;
} flaw_texts[] = {
	{VENDOR_NO_ISSUER, "the certificate of its issuer is missing"},
	{VENDOR_BAD_SIGNATURE, "its issuer's key did not sign it"},
	{VENDOR_BAD_ALGORITHM, "it is signed with an algorithm, or parameters, that the maker does not use"},
	{VENDOR_NO_CA, "it may not sign certificates"},
	{VENDOR_TOO_LONG, "its path length does not allow the certificates below it"},
	{VENDOR_UNKNOWN_CRITICAL, "it has a critical extension that is not understood, or a malformed one"},
};

static bool check_signatures(struct tee_verdict *verdict, const struct vendor_chain *chain,
                             const struct chain_rule *rule)
{
	struct sentence s = {0};
	for (size_t i = 0; i < chain->count; i++)
		for (size_t j = 0; j < array_count(flaw_texts); j++)
			if (chain->links[i].flaws & flaw_texts[j].flaw)
				say(&s, "%.64s: %s", cert_name(chain->links[i].cert), flaw_texts[j].text);
	const bool holds = s.size == 0;
	for (size_t i = 0; holds && i < chain->count; i++)
		say(&s, "%.64s", cert_name(chain->links[i].cert));
	tee_demand(verdict, check_name(verdict, rule, "chain"), holds,
	           tee_text(verdict, "each certificate from the %s to the root signed by the next",
	                    rule->title),
	           "%s", s.text);
	return holds;
}

static bool check_validity(struct tee_verdict *verdict, const struct vendor_chain *chain,
                           const struct chain_rule *rule)
{
	struct sentence s = {0};
	int64_t until = INT64_MAX;
	for (size_t i = 0; i < chain->count; i++) {
		const struct vendor_cert_facts *facts = vendor_cert_facts(chain->links[i].cert);
		until = min_of(until, facts->not_after);
		if (rule->time < facts->not_before)
			say(&s, "%.64s is valid from %s on", cert_name(chain->links[i].cert),
			    tee_time_text(verdict, facts->not_before));
		if (rule->time > facts->not_after)
			say(&s, "%.64s has expired at %s", cert_name(chain->links[i].cert),
			    tee_time_text(verdict, facts->not_after));
	}
	const bool holds = s.size == 0;
	if (holds)
		say(&s, "valid until %s", tee_time_text(verdict, until));
	tee_demand(verdict, check_name(verdict, rule, "validity"), holds,
	           tee_text(verdict, "certificates that are valid at %s", tee_time_text(verdict, rule->time)),
	           "%s", s.text);
	return holds;
}

/* What a certificate's CRLs say of it; worsens *status. */
static void judge_crl(struct tee_verdict *verdict, const struct vendor_chain *chain, size_t place,
                      const struct chain_rule *rule, struct sentence *s, enum tee_status *status)
{
	const struct vendor_link *link = &chain->links[place];
	const char *name = cert_name(link->cert);
	const size_t before = s->size;
	if (link->flaws & VENDOR_REVOKED)
		say(s, "%.64s is revoked", name);
	if (link->flaws & VENDOR_BAD_CRL)
		say(s, "a CRL for %.64s is not signed by its issuer, or not understood", name);
	if (!link->crl && rule->crl_required & 1u << place)
		say(s, "there is no CRL for %.64s (--collateral)", name);
	if (s->size > before)
		*status = TEE_FAILED;
	if (!link->crl)
		return;
	const struct vendor_crl_facts *facts = vendor_crl_facts(link->crl);
	if (rule->time < facts->this_update) {
		say(s, "the CRL for %.64s is of %s", name, tee_time_text(verdict, facts->this_update));
		*status = TEE_FAILED;
	} else if (rule->time > facts->next_update) {
		say(s, "the CRL for %.64s was to be renewed at %s", name,
		    tee_time_text(verdict, facts->next_update));
		*status = max_of(*status, rule->crl_expired);
	}
}

static bool check_crls(struct tee_verdict *verdict, const struct vendor_chain *chain,
                       const struct chain_rule *rule)
{
	struct sentence s = {0};
	enum tee_status status = TEE_PASSED;
	size_t given = 0;
	for (size_t i = 0; i + 1 < chain->count; i++) {
		judge_crl(verdict, chain, i, rule, &s, &status);
		given += chain->links[i].crl != NULL;
	}
	if (given == 0 && status == TEE_PASSED) {
		say(&s, "no CRL was given (--collateral), so none was asked");
		status = TEE_WARNED;
	} else if (s.size == 0) {
		say(&s, "none of %zu CRLs has one", given);
	}
	tee_check(verdict, check_name(verdict, rule, "crl"), status,
	          tee_text(verdict, "no certificate revoked at %s", tee_time_text(verdict, rule->time)), "%s",
	          s.text);
	return status != TEE_FAILED;
}

bool chain_check(struct tee_verdict *verdict, const struct vendor_chain *chain, const struct chain_rule *rule)
{
	bool holds = check_root(verdict, chain, rule);
	holds &= check_signatures(verdict, chain, rule);
	holds &= check_validity(verdict, chain, rule);
	return holds & check_crls(verdict, chain, rule);
}

void chain_claim_cert(struct tee_verdict *verdict, const char *name, const struct vendor_cert *cert)
{
	const struct vendor_cert_facts *facts = vendor_cert_facts(cert);
	char from[CERT_TIME_TEXT_SIZE], to[CERT_TIME_TEXT_SIZE];
	cert_time_text(facts->not_before, from);
	cert_time_text(facts->not_after, to);
	tee_claim(verdict, tee_text(verdict, "%s.subject", name), "", "%s", facts->subject);
	tee_claim(verdict, tee_text(verdict, "%s.issuer", name), "", "%s", facts->issuer);
	tee_claim(verdict, tee_text(verdict, "%s.serial", name), "", "%s", facts->serial);
	tee_claim(verdict, tee_text(verdict, "%s.not_before", name), "", "%s", from);
	tee_claim(verdict, tee_text(verdict, "%s.not_after", name), "", "%s", to);
	tee_claim(verdict, tee_text(verdict, "%s.key_hash", name), "SHA-256 of its public key", "%s",
	          facts->key_hash);
}

int chain_read(const struct tee_blob *blobs, size_t count, struct vendor_certs *set, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int rc = vendor_certs_add(set, blobs[i].data, blobs[i].size, err);
		if (rc < 0)
			return error_prefix(err, rc, "%s: ", blobs[i].name ? blobs[i].name : "certificates");
	}
	return 0;
}
