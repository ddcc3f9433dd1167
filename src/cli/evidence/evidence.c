/* cella evidence: is evidence of real hardware genuine, and what does it say? docs/how-to/evidence.md */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/tee.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/evidence/verb.h"
#include "cli/verbs.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"

#define OPTION(name, kind, value, field, help) \
	{name, NULL, kind, value, help, option_field(evidence_options, field)}
#define TEXT(name, value, field, help) OPTION(name, OPTION_TEXT, value, field, help)
#define FILES(name, field, help) OPTION(name, OPTION_LIST, "FILE...", field, help)

static const struct option evidence_table[] = {
	TEXT("--tee", "KIND", tee, "what hardware the evidence is of: snp, tdx, sgx, tpm, azure"),
	TEXT("--evidence", "FILE", evidence, "the evidence: binary, or hexadecimal text"),
	FILES("--certs", certs, "certificates, in DER, PEM or hexadecimal"),
	FILES("--collateral", collateral, "CRLs, and what else its maker publishes about it"),
	FILES("--event-log", event_logs, "logs whose events the evidence has hashed"),
	TEXT("--report-data", "HEX", report_data,
             "what the evidence must be bound to (a nonce, the hash of a key); zeros may be left out at the end"),
	TEXT("--at", "TIME", at,
             "judge as at that time: 2025-06-01, 2025-06-01T12:00:00Z, or seconds since 1970; default: now"),
	TEXT("--policy", "FILE", policy, "what is demanded beyond that it is genuine, in JSON"),
	TEXT("--out", "DIR", out, "get, collateral fetch: where the files go; challenge: the file"),
	TEXT("--from", "URL", from,
             "collateral fetch: a mirror with the makers' paths, to ask instead of them"),
	TEXT("--product", "NAME", product,
             "collateral fetch, of a report that does not tell: Milan, Genoa or Turin"),
	TEXT("--firmware", "FILE", firmware, "reference: the firmware (OVMF) that the machine starts with"),
	TEXT("--kernel", "FILE", kernel, "reference: the kernel that the host hands to the firmware"),
	TEXT("--initrd", "FILE", initrd, "reference: the initrd, with --kernel"),
	TEXT("--append", "TEXT", append, "reference: the kernel's command line, with --kernel"),
	OPTION("--cpus", OPTION_NUMBER, "N", cpus, "reference: virtual processors; default 1"),
	TEXT("--cpu", "MODEL", cpu,
             "reference: QEMU's name of it, such as EPYC-Milan, or its signature, such as 0xa00f11"),
	TEXT("--guest-features", "HEX", guest_features, "reference: SEV_FEATURES; default 0x1"),
	OPTION("--json", OPTION_FLAG, NULL, json, "print JSON"),
};

const struct verb evidence_verb = {
	.name = "evidence",
	.operands = "COMMAND",
	.summary = "get and verify evidence of real hardware: SEV-SNP, TDX, SGX, TPM 2.0, Azure",
	.description =
		"verify  check evidence with its certificates and collateral: signatures up to the maker's root,\n"
		"        dates, revocation, and what --policy and --report-data demand; print every check\n"
		"show    print every field of it with its meaning; it may be anybody's\n"
		"get     ask this machine for evidence of itself, and write it to --out; prints the command that\n"
		"        verifies it. Without --tee: of the hardware that is there; without --report-data: over\n"
		"        64 random bytes. It wants root\n"
		"collateral fetch  fetch what the maker publishes that a verification of this evidence needs\n"
		"        (certificates, CRLs, TCB info) into --out, with curl; it is signed by the maker\n"
		"reference  compute the launch measurement that a guest will have from the files that QEMU\n"
		"        launches it from, for the policy's \"measurement\" (snp) or \"mr_td\" (tdx: --firmware alone)\n"
		"challenge  for --tee tpm: check evidence as verify does, but by the certificate of the TPM's\n"
		"        endorsement key, and write to the file --out what only that TPM can answer, if it holds\n"
		"        the attestation key, too; prints the answer to expect, and the key's name for a policy\n"
		"answer  ask this machine's TPM for the answer to the challenge in the file --evidence\n"
		"Nothing else is fetched, and no clock is asked if --at is given. --certs, --collateral and\n"
		"--event-log take several files, and may be repeated. Without a policy, all that is signed and\n"
		"dated must hold, and what may be dangerous (debugging, migration) is warned of or refused.\n"
		"Exit status: 0 if the evidence is accepted; 1 if it is refused, or cannot be had; 2 if it, another\n"
		"file or the options are not understood.",
	.example =
		"cella evidence verify --tee snp --evidence report.bin --certs vcek.der ask_ark.pem\n"
		"cella evidence verify --tee tdx --evidence quote.bin --collateral tcb.json qe.json *.crl\n"
		"cella evidence verify --tee tpm --evidence quote.bin --policy tpm.json --event-log boot.bin\n"
		"cella evidence show --tee snp --evidence report.bin\n"
		"cella evidence get --out ./evidence --report-data 5f0c...\n"
		"cella evidence collateral fetch --tee tdx --evidence quote.bin --out ./collateral\n"
		"cella evidence reference --tee snp --firmware OVMF.fd --cpus 4 --cpu EPYC-Milan",
	.table = {evidence_table, array_count(evidence_table), false},
	.operands_min = 1,
	.operands_max = 2,
	.enter = verb_evidence,
};

/* Files of a list, read. */
struct blob_list {
	struct tee_blob blobs[TEE_BLOBS_MAX];
	struct buf bytes[TEE_BLOBS_MAX];
	size_t count;
};

/* What was read for one question; `input` points into it. */
struct evidence_files {
	struct tee_input input;
	struct buf evidence;
	struct blob_list certs, collateral, event_logs;
	uint8_t report_data[TEE_REPORT_DATA_MAX];
	struct tee_policy *policy;
};

static void blob_list_done(struct blob_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		buf_done(&list->bytes[i]);
}

static void files_done(struct evidence_files *f)
{
	buf_done(&f->evidence);
	blob_list_done(&f->certs);
	blob_list_done(&f->collateral);
	blob_list_done(&f->event_logs);
	tee_policy_free(f->policy);
}

static int read_list(const struct option_list *paths, const char *what, struct blob_list *list,
                     struct error *err)
{
	if (paths->count > TEE_BLOBS_MAX)
		return error_set(err, CELLA_ELIMIT, "%zu files of %s are too many, the most is %d",
		                 paths->count, what, TEE_BLOBS_MAX);
	for (size_t i = 0; i < paths->count; i++) {
		struct buf *bytes = &list->bytes[list->count++];
		int rc = io_read_file(paths->items[i], TEE_BLOB_MAX, bytes, err);
		if (rc < 0)
			return rc;
		list->blobs[i] = (struct tee_blob){bytes->data, bytes->size, paths->items[i]};
	}
	return 0;
}

static int read_evidence(const char *path, struct evidence_files *f, struct error *err)
{
	cleanup_buf struct buf file = {0};
	int rc = io_read_file(path, TEE_BLOB_MAX, &file, err);
	if (rc == 0)
		rc = tee_file_bytes(file.data, file.size, &f->evidence, err);
	if (rc == 0)
		f->input.evidence = (struct tee_blob){f->evidence.data, f->evidence.size, path};
	return rc;
}

static int read_policy(const char *path, struct evidence_files *f, struct error *err)
{
	cleanup_buf struct buf file = {0};
	int rc = io_read_file(path, TEE_POLICY_MAX, &file, err);
	if (rc == 0)
		rc = tee_policy_read(f->input.kind, file.data, file.size, &f->policy, err);
	f->input.policy = f->policy;
	return rc < 0 ? error_prefix(err, rc, "%s: ", path) : 0;
}

int evidence_report_data(const char *hex, uint8_t ret[TEE_REPORT_DATA_MAX], size_t *ret_size,
                         struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	if (!io_unhex_text(hex, strlen(hex), &bytes) || bytes.size > TEE_REPORT_DATA_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "--report-data takes 1 to %d bytes as pairs of hexadecimal digits",
		                 TEE_REPORT_DATA_MAX);
	memcpy(ret, bytes.data, bytes.size);
	*ret_size = bytes.size;
	return 0;
}

static int read_time(const char *text, int64_t *ret_time, struct error *err)
{
	int rc = option_time(text, ret_time, err);
	return rc < 0 ? error_prefix(err, rc, "--at: ") : 0;
}

static int read_files(const struct evidence_options *o, struct evidence_files *f, struct error *err)
{
	struct tee_input *input = &f->input;
	if (!o->tee || !o->evidence)
		return error_set(err, CELLA_EINVAL, "%s is missing", o->tee ? "--evidence" : "--tee");
	int rc = tee_kind_parse(o->tee, &input->kind, err);
	if (rc == 0)
		rc = read_evidence(o->evidence, f, err);
	if (rc == 0)
		rc = read_list(&o->certs, "certificates", &f->certs, err);
	if (rc == 0)
		rc = read_list(&o->collateral, "collateral", &f->collateral, err);
	if (rc == 0)
		rc = read_list(&o->event_logs, "event log", &f->event_logs, err);
	if (rc == 0 && o->report_data)
		rc = evidence_report_data(o->report_data, f->report_data, &input->report_data_size, err);
	input->report_data = o->report_data ? f->report_data : NULL;
	if (rc == 0 && o->policy)
		rc = read_policy(o->policy, f, err);
	input->certs = f->certs.blobs;
	input->cert_count = f->certs.count;
	input->collateral = f->collateral.blobs;
	input->collateral_count = f->collateral.count;
	input->event_logs = f->event_logs.blobs;
	input->event_log_count = f->event_logs.count;
	input->time = time(NULL);
	return rc == 0 && o->at ? read_time(o->at, &input->time, err) : rc;
}

/* ---- answers ---- */

static json_t *claims_json(const struct tee_verdict *v)
{
	json_t *list = json_array();
	for (size_t i = 0; i < v->claim_count; i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "name", v->claims[i].name, "value",
		                                      v->claims[i].value, "meaning", v->claims[i].meaning));
	return list;
}

static json_t *checks_json(const struct tee_verdict *v)
{
	json_t *list = json_array();
	for (size_t i = 0; i < v->check_count; i++)
		json_array_append_new(list,
		                      json_pack("{s:s, s:s, s:s, s:s}", "name", v->checks[i].name, "status",
		                                tee_status_name(v->checks[i].status), "wanted",
		                                v->checks[i].wanted, "found", v->checks[i].found));
	return list;
}

static void print_claims(const struct tee_verdict *v)
{
	for (size_t i = 0; i < v->claim_count; i++) {
		const struct tee_claim *c = &v->claims[i];
		printf("%-28s %s%s%s%s\n", c->name, c->value, *c->meaning ? "  (" : "", c->meaning,
		       *c->meaning ? ")" : "");
	}
}

static void print_checks(const struct tee_verdict *v)
{
	for (size_t i = 0; i < v->check_count; i++) {
		const struct tee_check *c = &v->checks[i];
		printf("%s  %-24s %s\n", tee_status_name(c->status), c->name, c->found);
		if (c->status != TEE_PASSED)
			printf("        %-24s wanted: %s\n", "", c->wanted);
	}
}

void evidence_print_verdict(const struct tee_input *input, const struct tee_verdict *v)
{
	char time[CERT_TIME_TEXT_SIZE];
	cert_time_text(input->time, time);
	print_checks(v);
	printf("%s: evidence of %s at %s, %zu checks, %zu failed, %zu warnings\n",
	       tee_accepted(v) ? "accepted" : "refused", tee_kind_of(input->kind)->title, time,
	       v->check_count, v->failed_count, v->warned_count);
}

static int verify(const struct evidence_options *o, const struct tee_input *input, struct tee_verdict *v,
                  struct error *err)
{
	char time[CERT_TIME_TEXT_SIZE];
	int rc = tee_verify(input, v, err);
	if (rc < 0)
		return rc;
	cert_time_text(input->time, time);
	if (o->json)
		rc = verb_print_json(json_pack("{s:s, s:b, s:s, s:o, s:o}", "tee",
		                               tee_kind_of(input->kind)->name, "accepted",
		                               (int)tee_accepted(v), "at", time, "checks", checks_json(v),
		                               "claims", claims_json(v)),
		                     err);
	else
		evidence_print_verdict(input, v);
	return rc;
}

static int show(const struct evidence_options *o, const struct tee_input *input, struct tee_verdict *v,
                struct error *err)
{
	int rc = tee_show(input, v, err);
	if (rc < 0)
		return rc;
	if (o->json)
		return verb_print_json(json_pack("{s:s, s:o}", "tee", tee_kind_of(input->kind)->name,
		                                 "claims", claims_json(v)),
		                       err);
	print_claims(v);
	return 0;
}

static int collateral(const struct evidence_options *o, const struct tee_input *input, struct tee_verdict *v,
                      struct error *err)
{
	(void)v; /* nothing is judged */
	return evidence_collateral(o, input, err);
}

static const struct command_row {
	const char *name;
	const char *second; /* word of its name, or NULL */
	bool judges;        /* and may refuse */
	bool asks;          /* somebody else, who may fail */
	int (*run)(const struct evidence_options *o, const struct tee_input *input, struct tee_verdict *v,
	           struct error *err);
	int (*run_without)(const struct evidence_options *o, struct error *err); /* evidence */
} commands[] = {
	{"verify", NULL, true, false, verify, NULL},
	{"show", NULL, false, false, show, NULL},
	{"get", NULL, false, true, NULL, evidence_get},
	{"collateral", "fetch", false, true, collateral, NULL},
	{"reference", NULL, false, false, NULL, evidence_reference},
	{"challenge", NULL, true, false, evidence_challenge, NULL},
	{"answer", NULL, false, true, NULL, evidence_answer},
};

static int find_command(char **words, int count, const struct command_row **ret_row, struct error *err)
{
	size_t index;
	int rc = verb_find_command(words[0], commands, sizeof(commands[0]), array_count(commands), &index,
	                           err);
	if (rc < 0)
		return rc;
	*ret_row = &commands[index];
	const char *second = (*ret_row)->second;
	if (second ? count == 2 && strcmp(words[1], second) == 0 : count == 1)
		return 0;
	return second ? error_set(err, CELLA_EINVAL, "%s has one command: %s %s", words[0], words[0], second)
	              : error_set(err, CELLA_EINVAL, "%s takes no operand, but %.60s was given", words[0],
	                          words[1]);
}

/* The exit status. */
static int run(const struct command_row *row, const struct evidence_options *o)
{
	struct evidence_files f = {0};
	struct tee_verdict v = {0};
	struct error err;
	int rc = crypto_init(NULL, &err);
	if (rc == 0 && row->run_without)
		rc = row->run_without(o, &err);
	else if (rc == 0 && (rc = read_files(o, &f, &err)) == 0)
		rc = row->run(o, &f.input, &v, &err);
	const bool accepted = !row->judges || tee_accepted(&v);
	tee_verdict_done(&v);
	files_done(&f);
	if (rc == 0)
		return accepted ? VERB_DONE : VERB_FAILED;
	(void)verb_fail(&evidence_verb, &err);
	return row->asks && rc != CELLA_EINVAL && rc != CELLA_EFORMAT ? VERB_FAILED : VERB_USAGE;
}

/* The option of `word` that takes several files; *ret_has_value: one of them is in it, behind a '='. */
static const char *list_of(const char *word, bool *ret_has_value)
{
	for (size_t i = 0; i < array_count(evidence_table); i++) {
		const char *name = evidence_table[i].name;
		const size_t size = strlen(name);
		if (evidence_table[i].kind == OPTION_LIST && strncmp(word, name, size) == 0 &&
		    (word[size] == '\0' || word[size] == '=')) {
			*ret_has_value = word[size] == '=';
			return name;
		}
	}
	return NULL;
}

/* Words behind an option that takes several: the option again before each. */
static int expand_lists(int argc, char **argv, struct option_list *words, struct error *err)
{
	const char *list = NULL;
	bool has_value = false;
	int rc = 0;
	for (int i = 0; rc == 0 && i < argc; i++) {
		if (argv[i][0] == '-')
			list = list_of(argv[i], &has_value);
		else if (list && has_value)
			rc = option_list_add(words, list, err);
		else
			has_value = true;
		if (rc == 0)
			rc = option_list_add(words, argv[i], err);
	}
	return rc == 0 ? option_list_add(words, NULL, err) : rc; /* the place for the end of argv */
}

int verb_evidence(int argc, char **argv)
{
	struct evidence_options o = {.cpus = 1};
	struct option_list words = {0};
	struct error err;
	const struct command_row *row;
	int status = VERB_USAGE, count;
	if (expand_lists(argc, argv, &words, &err) < 0)
		return verb_fail(&evidence_verb, &err);
	char **given = (char **)(uintptr_t)words.items;
	if (verb_begin(&evidence_verb, (int)words.count - 1, given, &o, &count, &status))
		status = find_command(given + 1, count, &row, &err) < 0 ? verb_misuse(&evidence_verb, &err)
		                                                        : run(row, &o);
	option_list_done(&o.certs);
	option_list_done(&o.collateral);
	option_list_done(&o.event_logs);
	option_list_done(&words);
	return status;
}
