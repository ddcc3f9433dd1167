/*
 * cella bench cas: what a session adds to the start of a job, how many attestations a CAS answers, and what a
 * commit of a volume costs whose root it keeps (cas_commits.c).
 *
 * Both at a CAS of its own on 127.0.0.1, in the scratch directory. A whole attestation is a TLS handshake,
 * a request with evidence, its verification, a grant under HPKE, an entry in the audit log made durable,
 * and the answer. Clients and CAS share the machine's cores.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "attest/evidence.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/bench/apart.h"
#include "cli/bench/cas.h"
#include "cli/cas_client.h"
#include "crypto/key_file.h"

enum {
	CLIENTS = 32,
	LOAD_MS = 4000,
	QUICK_LOAD_MS = 500,
	LATENCIES_MAX = 1 << 16,
	MEMORY = 64 << 20,
};

/* Any cell may have what the service gets: what is measured is the way to it. */
static const char session_text[] = "name: bench\n"
				   "version: \"0.1\"\n"
				   "secrets:\n"
				   "  - name: token\n"
				   "    kind: ascii\n"
				   "    size: 32\n"
				   "services:\n"
				   "  - name: any\n"
				   "    environment:\n"
				   "      TOKEN: $$CELLA::token$$\n"
				   "    attestation:\n"
				   "      - memory_level: insecure-none\n"
				   "access_policy:\n"
				   "  read: CREATOR\n"
				   "  update: CREATOR\n";

/* ---- what it adds to a start */

static int measure_start(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	struct bench_samples plain = {.count = 0}, with = {.count = 0}, added = {.count = 0};
	int rc = bench_build(b, "bench/start/empty.c", false, cell, err);
	const char *plain_words[] = {"run", "-q", cell};
	const char *with_words[] = {"run", "-q", "--session", "bench/any", cell};
	for (size_t i = 0; rc == 0 && i < b->runs * 4; i++) {
		struct bench_run first, second;
		rc = bench_cella(plain_words, array_count(plain_words), NULL, &first, err);
		if (rc == 0)
			rc = bench_cella(with_words, array_count(with_words), NULL, &second, err);
		if (rc < 0)
			return rc;
		bench_sample(&plain, first.seconds * 1e3);
		bench_sample(&with, second.seconds * 1e3);
		bench_sample(&added, (second.seconds - first.seconds) * 1e3);
	}
	if (rc == 0)
		rc = bench_report(b, "empty program", "cella run", "ms", &plain, err);
	if (rc == 0)
		rc = bench_report(b, "empty program", "cella run --session", "ms", &with, err);
	return rc == 0 ? bench_report(b, "empty program", "added by the session", "ms", &added, err) : rc;
}

/* ---- whole attestations, many at a time */

struct load {
	struct context context;
	struct crypto_signer launcher;
	uint8_t nonce[32];
	uint64_t end_ns;
	atomic_size_t done, failed;
	float *latencies; /* ms, LATENCIES_MAX */
};

struct load_result {
	double per_s, p50_ms, p99_ms;
	size_t failed;
};

/* What a launcher would say of an executor that has just come. */
static int make_evidence(struct load *l, struct buf *ret, struct error *err)
{
	struct evidence e = {.machine = "soft", .kernel = "bench", .memory_level = MEM_SECRET};
	struct crypto_key_pair pair;
	memcpy(e.nonce, l->nonce, sizeof(e.nonce));
	int rc = crypto_x25519_generate(&pair, err);
	memcpy(e.public_key, pair.public_key, sizeof(e.public_key));
	return rc == 0 ? evidence_sign(&e, &l->launcher, ret, err) : rc;
}

static int attest_once(struct load *l, struct error *err)
{
	cleanup_buf struct buf evidence = {0};
	struct cas_client *client;
	json_t *answer = NULL;
	int rc = make_evidence(l, &evidence, err);
	if (rc < 0)
		return rc;
	uint64_t start = clock_ns();
	rc = cas_client_open(&l->context, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_json(client, "POST", "/v1/attest",
	                     json_pack("{s:s, s:s, s:s%}", "session", "bench", "service", "any", "evidence",
	                               evidence.data, evidence.size),
	                     &answer, err);
	cas_client_free(client);
	json_decref(answer);
	if (rc < 0)
		return rc;
	size_t place = atomic_fetch_add(&l->done, 1);
	if (place < LATENCIES_MAX)
		l->latencies[place] = (float)((double)(clock_ns() - start) * 1e-6);
	return 0;
}

static void *run_client(void *arg)
{
	struct load *l = arg;
	struct error err;
	while (clock_ns() < l->end_ns)
		if (attest_once(l, &err) < 0 && atomic_fetch_add(&l->failed, 1) == 0)
			fprintf(stderr, "cella bench: %s\n", err.text);
	return NULL;
}

static int order(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return x < y ? -1 : x > y;
}

static int prepare_load(struct load *l, struct error *err)
{
	struct mem_pool *pool;
	struct cas_client *client;
	json_t *answer;
	int rc = mem_pool_new(MEM_INSECURE_NONE, MEMORY, &pool, err);
	if (rc == 0)
		rc = crypto_init(NULL, err);
	if (rc == 0)
		rc = crypto_key_file_read(getenv("CELLA_LAS_KEY"), "the launcher's key", &l->launcher, err);
	if (rc == 0)
		rc = context_load(NULL, &l->context, err);
	if (rc == 0)
		rc = cas_client_open(&l->context, NULL, &client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_json(client, "POST", "/v1/nonce", NULL, &answer, err);
	cas_client_free(client);
	if (rc < 0)
		return rc;
	const char *hex = json_string_value(json_object_get(answer, "nonce"));
	if (!hex || strlen(hex) != 2 * sizeof(l->nonce) || !io_unhex(hex, sizeof(l->nonce), l->nonce))
		rc = error_set(err, CELLA_EFORMAT, "the CAS gave no nonce");
	json_decref(answer);
	*l->context.credential = '\0'; /* a client of this kind has none */
	return rc;
}

static int run_load(void *data, void *result, struct error *err)
{
	const struct bench *b = data;
	struct load_result *r = result;
	static struct load l;
	pthread_t threads[CLIENTS];
	unsigned ms = b->quick ? QUICK_LOAD_MS : LOAD_MS;
	l.latencies = malloc(LATENCIES_MAX * sizeof(*l.latencies));
	int rc = l.latencies ? prepare_load(&l, err)
	                     : error_set(err, CELLA_ENOMEM, "no memory for latencies");
	if (rc < 0)
		return rc;
	uint64_t start = clock_ns();
	l.end_ns = start + ms * 1000000ull;
	size_t count = 0;
	while (count < CLIENTS && pthread_create(&threads[count], NULL, run_client, &l) == 0)
		count++;
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	size_t done = l.done, kept = min_of(done, (size_t)LATENCIES_MAX);
	if (done == 0)
		return error_set(err, CELLA_ELOST, "the CAS answered none of %zu requests", (size_t)l.failed);
	qsort(l.latencies, kept, sizeof(*l.latencies), order);
	*r = (struct load_result){.per_s = (double)done / ((double)(clock_ns() - start) * 1e-9),
	                          .p50_ms = (double)l.latencies[kept / 2],
	                          .p99_ms = (double)l.latencies[kept - 1 - kept / 100],
	                          .failed = l.failed};
	return 0;
}

static int measure_load(struct bench *b, struct error *err)
{
	struct bench_samples rate = {.count = 0}, half = {.count = 0}, most = {.count = 0};
	for (size_t i = 0; i < b->runs; i++) {
		struct load_result r;
		int rc = bench_apart(run_load, b, &r, sizeof(r), err);
		if (rc == 0 && r.failed)
			rc = error_set(err, CELLA_EIO, "%zu attestations failed", r.failed);
		if (rc < 0)
			return rc;
		bench_sample(&rate, r.per_s);
		bench_sample(&half, r.p50_ms);
		bench_sample(&most, r.p99_ms);
	}
	int rc = bench_report(b, "whole attestations, 32 clients", "answered", "1/s", &rate, err);
	if (rc == 0)
		rc = bench_report(b, "whole attestations, 32 clients", "median", "ms", &half, err);
	return rc == 0 ? bench_report(b, "whole attestations, 32 clients", "99 %", "ms", &most, err) : rc;
}

int bench_cas(struct bench *b, struct error *err)
{
	struct bench_cas_server c;
	struct error why;
	int rc = bench_cas_start(b, &c, &why);
	if (rc == 0)
		rc = bench_cas_session(b, session_text, &why);
	if (rc == 0)
		rc = measure_start(b, &why);
	if (rc == 0)
		rc = measure_load(b, &why);
	if (rc == 0)
		rc = bench_cas_commits(b, &c, &why);
	bench_cas_stop(&c);
	return rc < 0 ? bench_failed(b, "sessions", "", rc, &why, err) : 0;
}
