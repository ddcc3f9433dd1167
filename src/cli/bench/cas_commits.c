/*
 * cella bench cas, commits: what one costs a job whose volume the CAS keeps the root of, against a root file
 * of the owner's, when the CAS is near, and when each message to it takes 10 ms: then no more commits than
 * the bound allows fit into 20 ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/bench/cas.h"

enum { WAYS = 4, COMMITS = 256, QUICK_COMMITS = 8, FAR_MS = 10 };

static const char commits_text[] =
	"name: commits\n"
	"version: \"0.1\"\n"
	"volumes:\n"
	"  - {name: strict, path: /v, access: rw}\n"
	"  - {name: bounded-64, path: /v, access: rw, update_policy: bounded 64}\n"
	"  - {name: bounded-128, path: /v, access: rw, update_policy: bounded 128}\n"
	"images:\n"
	"  - {name: strict, volumes: [strict]}\n"
	"  - {name: bounded-64, volumes: [bounded-64]}\n"
	"  - {name: bounded-128, volumes: [bounded-128]}\n"
	"services:\n"
	"  - name: strict\n"
	"    image_name: strict\n"
	"    attestation: [{memory_level: insecure-none}]\n"
	"  - name: bounded-64\n"
	"    image_name: bounded-64\n"
	"    attestation: [{memory_level: insecure-none}]\n"
	"  - name: bounded-128\n"
	"    image_name: bounded-128\n"
	"    attestation: [{memory_level: insecure-none}]\n"
	"access_policy:\n"
	"  read: CREATOR\n"
	"  update: CREATOR\n";

/* Ways to keep a root: the owner's file, then the services of the session. */
static const char *const ways[WAYS] = {"local", "strict", "bounded-64", "bounded-128"};

static void volume_of(const struct bench *b, size_t way, char to[BENCH_PATH_MAX])
{
	snprintf(to, BENCH_PATH_MAX, "%.400s/commits-%s", b->directory, ways[way]);
}

static int make_volumes(struct bench *b, struct error *err)
{
	int rc = bench_cas_session(b, commits_text, err);
	for (size_t w = 0; rc == 0 && w < WAYS; w++) {
		char volume[BENCH_PATH_MAX];
		volume_of(b, w, volume);
		const char *create[] = {"volume", "create", "-q", volume};
		const char *hand[] = {"session", "volume", "commits", ways[w], volume};
		rc = bench_cella(create, array_count(create), NULL, NULL, err);
		if (rc == 0 && w > 0)
			rc = bench_cella(hand, array_count(hand), NULL, NULL, err);
	}
	return rc;
}

static int run_commits(struct bench *b, const char *cell, size_t way, double *ret_us, struct error *err)
{
	cleanup_buf struct buf output = {0};
	char volume[BENCH_PATH_MAX], place[BENCH_PATH_MAX + 8], session[64], count[16];
	volume_of(b, way, volume);
	snprintf(place, sizeof(place), "%s:/v", volume);
	snprintf(session, sizeof(session), "commits/%s", ways[way]);
	snprintf(count, sizeof(count), "%d", b->quick ? QUICK_COMMITS : COMMITS);
	const char *plain[] = {"run", "-q", "--volume", place, cell, count};
	const char *with[] = {"run", "-q", "--session", session, "--volume", place, cell, count};
	int rc = way == 0 ? bench_cella(plain, array_count(plain), &output, NULL, err)
	                  : bench_cella(with, array_count(with), &output, NULL, err);
	buf_put(&output, "", 1);
	if (rc == 0 && (output.failed || sscanf((const char *)output.data, "%lf", ret_us) != 1))
		rc = error_set(err, CELLA_EIO, "the program that commits printed no time");
	return rc;
}

static int measure_at(struct bench *b, const char *cell, const char *name, struct error *err)
{
	struct bench_samples us[WAYS] = {{.count = 0}}, ratios[WAYS] = {{.count = 0}};
	int rc = 0;
	for (size_t i = 0; i < b->runs; i++) {
		double values[WAYS];
		for (size_t w = 0; rc == 0 && w < WAYS; w++)
			rc = run_commits(b, cell, w, &values[w], err);
		if (rc < 0)
			return rc;
		for (size_t w = 0; w < WAYS; w++) {
			bench_sample(&us[w], values[w]);
			bench_sample(&ratios[w], values[w] / values[0]);
		}
	}
	for (size_t w = 0; rc == 0 && w < WAYS; w++)
		rc = bench_report(b, name, ways[w], "us", &us[w], err);
	for (size_t w = 1; rc == 0 && w < WAYS; w++) {
		char metric[32];
		snprintf(metric, sizeof(metric), "%s/local", ways[w]);
		rc = bench_report(b, name, metric, "ratio", &ratios[w], err);
	}
	return rc;
}

int bench_cas_commits(struct bench *b, struct bench_cas_server *c, struct error *err)
{
	char cell[BENCH_PATH_MAX];
	int rc = bench_build(b, "bench/cas/commits.c", false, cell, err);
	if (rc == 0)
		rc = make_volumes(b, err);
	if (rc == 0)
		rc = measure_at(b, cell, "a commit, the CAS at 0 ms", err);
	if (rc == 0)
		rc = bench_cas_reach(c, FAR_MS, err);
	return rc == 0 ? measure_at(b, cell, "a commit, the CAS at 20 ms there and back", err) : rc;
}
