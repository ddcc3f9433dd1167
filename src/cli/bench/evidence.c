/*
 * cella bench evidence: how many verifications of recorded evidence one core does in a second when the chains
 * are remembered, against the bare signatures that it cannot do without.
 *
 * Batches of both take turns, in a process of their own; the evidence is what lies in CELLA_EVIDENCE_DATA or
 * ../shared/data/attestation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/chain.h"
#include "attest/dcap/quote_format.h"
#include "attest/snp/report.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/bench/apart.h"
#include "cli/bench/bench.h"
#include "cli/resources.h"
#include "crypto/crypto.h"

enum { FILES_MAX = 4, BATCHES = 8, BATCH_MS = 100, QUICK_BATCH_MS = 10, FILE_MAX = 1 << 20 };

/* One row of the table, as it is measured. */
struct evidence_bench {
	const struct bench *bench;
	const struct evidence_case *its;
	char data[BENCH_PATH_MAX];
	struct buf evidence, files[FILES_MAX], published;
	struct tee_blob blobs[FILES_MAX], collateral;
	struct tee_input input;
	/* Of the signature alone. */
	struct vendor_certs certs;
	const struct vendor_key *key;
	struct vendor_key *attestation_key;
	struct snp_report snp;
	struct quote quote;
};

static int snp_prepare(struct evidence_bench *e, struct error *err);
static int snp_signature(struct evidence_bench *e, struct error *err);
static int quote_prepare(struct evidence_bench *e, struct error *err);
static int quote_signature(struct evidence_bench *e, struct error *err);

static const struct evidence_case {
	const char *name;
	enum tee_kind kind;
	const char *evidence, *certs[FILES_MAX], *collateral;
	int64_t time;
	const char *signature; /* what is compared with */
	int (*prepare)(struct evidence_bench *e, struct error *err);
	int (*verify_signature)(struct evidence_bench *e, struct error *err);
} cases[] = {
	{"SEV-SNP, VCEK",
         TEE_SNP,
         "snp/milan_b.report.hex",
         {"snp/milan_b.vcek.der", "snp/milan.ask_ark.pem"},
         NULL,
         1795910400,
         "P-384",
         snp_prepare,
         snp_signature},
	{"SEV-SNP, VLEK",
         TEE_SNP,
         "snp/milan_vlek_v3.report.bin",
         {"snp/milan_vlek_v3.vlek-expired-2025-12-10.der", "snp/milan_vlek.asvk_ark.pem"},
         NULL,
         1748736000,
         "P-384",
         snp_prepare,
         snp_signature},
	{"TDX, with collateral",
         TEE_TDX,
         "tdx/v4_b.quote.bin",
         {NULL},
         "tdx/v4_b.collateral-2025-06-19.json",
         1751328000,
         "P-256",
         quote_prepare,
         quote_signature},
	{"SGX, with collateral",
         TEE_SGX,
         "sgx/v3_a.quote.bin",
         {NULL},
         "sgx/v3_a.collateral-2025-06-19.json",
         1751328000,
         "P-256",
         quote_prepare,
         quote_signature},
};

struct evidence_rates {
	struct bench_samples verified, signature, ratio;
};

static int snp_prepare(struct evidence_bench *e, struct error *err)
{
	int rc = chain_read(e->input.certs, e->input.cert_count, &e->certs, err);
	if (rc == 0)
		rc = snp_report_parse(e->evidence.data, e->evidence.size, &e->snp, err);
	for (size_t i = 0; rc == 0 && i < e->certs.count; i++)
		if (!vendor_cert_facts(e->certs.certs[i])->is_ca)
			e->key = vendor_cert_key(e->certs.certs[i]);
	return rc < 0 || e->key ? rc : error_set(err, CELLA_ENOENT, "no certificate is a VCEK's or VLEK's");
}

static int snp_signature(struct evidence_bench *e, struct error *err)
{
	return vendor_key_verify(e->key, VENDOR_ECDSA_SHA384, e->snp.bytes, SNP_SIGNED_SIZE, e->snp.signature,
	                         sizeof(e->snp.signature), err);
}

static int quote_prepare(struct evidence_bench *e, struct error *err)
{
	int rc = quote_parse(e->evidence.data, e->evidence.size, &e->quote, err);
	return rc < 0 ? rc
	              : vendor_key_from_point(VENDOR_P256, e->quote.attestation_key, QUOTE_POINT_SIZE,
	                                      &e->attestation_key, err);
}

static int quote_signature(struct evidence_bench *e, struct error *err)
{
	return vendor_key_verify(e->attestation_key, VENDOR_ECDSA_SHA256, e->quote.signed_bytes,
	                         e->quote.signed_size, e->quote.signature, QUOTE_POINT_SIZE, err);
}

static int verify_whole(struct evidence_bench *e, struct error *err)
{
	struct tee_verdict verdict = {0};
	int rc = tee_verify(&e->input, &verdict, err);
	if (rc == 0 && !tee_accepted(&verdict))
		rc = error_set(err, CELLA_EAUTH, "%s is refused", e->its->evidence);
	tee_verdict_done(&verdict);
	return rc;
}

static int read_data(const struct evidence_bench *e, const char *name, struct buf *to, struct error *err)
{
	char path[BENCH_PATH_MAX + 64];
	cleanup_buf struct buf file = {0};
	snprintf(path, sizeof(path), "%s/%s", e->data, name);
	int rc = io_read_file(path, FILE_MAX, &file, err);
	return rc < 0 ? rc : tee_file_bytes(file.data, file.size, to, err);
}

static int read_case(struct evidence_bench *e, struct error *err)
{
	int rc = read_data(e, e->its->evidence, &e->evidence, err);
	size_t count = 0;
	for (; rc == 0 && count < FILES_MAX && e->its->certs[count]; count++) {
		rc = read_data(e, e->its->certs[count], &e->files[count], err);
		e->blobs[count] = (struct tee_blob){e->files[count].data, e->files[count].size,
		                                    e->its->certs[count]};
	}
	if (rc == 0 && e->its->collateral)
		rc = read_data(e, e->its->collateral, &e->published, err);
	e->collateral = (struct tee_blob){e->published.data, e->published.size, e->its->collateral};
	e->input = (struct tee_input){
		.kind = e->its->kind,
		.evidence = {e->evidence.data, e->evidence.size, e->its->evidence},
		.certs = e->blobs,
		.cert_count = count,
		.collateral = &e->collateral,
		.collateral_count = e->its->collateral != NULL,
		.time = e->its->time,
	};
	return rc == 0 ? e->its->prepare(e, err) : rc;
}

/* A second's worth of `once`, by a batch of so many milliseconds. */
static int measure_batch(struct evidence_bench *e, int (*once)(struct evidence_bench *e, struct error *err),
                         double *ret_per_s, struct error *err)
{
	const uint64_t start = clock_ns();
	const uint64_t end = start + (e->bench->quick ? QUICK_BATCH_MS : BATCH_MS) * 1000000ull;
	uint64_t now = start;
	size_t count = 0;
	for (; now < end; now = clock_ns(), count++) {
		int rc = once(e, err);
		if (rc < 0)
			return rc;
	}
	*ret_per_s = (double)count / ((double)(now - start) * 1e-9);
	return 0;
}

static int measure(void *data, void *result, struct error *err)
{
	struct evidence_bench *e = data;
	struct evidence_rates *rates = result;
	int rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = read_case(e, err);
	if (rc == 0)
		rc = tee_chains_new(1, &e->input.chains, err);
	if (rc == 0)
		rc = verify_whole(e, err); /* the chain is remembered from here on */
	for (size_t i = 0; rc == 0 && i < min_of(e->bench->runs * BATCHES, (size_t)BENCH_SAMPLES_MAX); i++) {
		double whole, bare;
		rc = measure_batch(e, verify_whole, &whole, err);
		if (rc == 0)
			rc = measure_batch(e, e->its->verify_signature, &bare, err);
		if (rc < 0)
			break;
		bench_sample(&rates->verified, whole);
		bench_sample(&rates->signature, bare);
		bench_sample(&rates->ratio, whole / bare);
	}
	return rc;
}

static int report(struct bench *b, const struct evidence_case *its, const struct evidence_rates *rates,
                  struct error *err)
{
	char name[BENCH_NAME_MAX];
	snprintf(name, sizeof(name), "%s alone", its->signature);
	int rc = bench_report(b, its->name, "verified", "1/s", &rates->verified, err);
	if (rc == 0)
		rc = bench_report(b, its->name, name, "1/s", &rates->signature, err);
	return rc == 0 ? bench_report(b, its->name, "verified to signatures", "", &rates->ratio, err) : rc;
}

/* *ret is "" if there is none. */
static int find_data(char ret[BENCH_PATH_MAX], struct error *err)
{
	const char *named = getenv("CELLA_EVIDENCE_DATA");
	char resources[BENCH_PATH_MAX - 64];
	if (named && *named) {
		snprintf(ret, BENCH_PATH_MAX, "%s", named);
		return 0;
	}
	int rc = resources_directory(resources, sizeof(resources), err);
	if (rc < 0)
		return rc;
	snprintf(ret, BENCH_PATH_MAX, "%s/../shared/data/attestation", resources);
	if (access(ret, R_OK) < 0)
		*ret = '\0';
	return 0;
}

int bench_evidence(struct bench *b, struct error *err)
{
	char data[BENCH_PATH_MAX];
	int rc = find_data(data, err);
	for (size_t i = 0; rc == 0 && i < array_count(cases); i++) {
		struct evidence_bench e = {.bench = b, .its = &cases[i]};
		struct evidence_rates rates = {0};
		struct error why;
		if (!*data) {
			rc = bench_cannot(b, cases[i].name, "verified",
			                  "there is no recorded evidence (CELLA_EVIDENCE_DATA)", err);
			continue;
		}
		memcpy(e.data, data, sizeof(e.data));
		const int failed = bench_apart(measure, &e, &rates, sizeof(rates), &why);
		rc = failed < 0 ? bench_failed(b, cases[i].name, "verified", failed, &why, err)
		                : report(b, &cases[i], &rates, err);
	}
	return rc;
}
