/*
 * The ECG workflow on a volume of its recordings and forest, whose keys lie beside it or come from a session,
 * against the same files in a plain directory: the request, and a forest judged by all recordings that there
 * are.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/bench/cas.h"
#include "cli/bench/ecg.h"

enum place { PLAIN, SEALED, GIVEN, PLACES }; /* a volume whose keys the owner, or a session gives */
enum figure { FIRST, NEXT, JUDGE, FIGURES };

struct sealed_bench {
	const struct ecg_files *files;
	char volume[BENCH_PATH_MAX];
	enum place places; /* that are measured: without GIVEN where no CAS starts */
	struct bench_samples ms[FIGURES][PLACES], ratios[FIGURES][PLACES]; /* to PLAIN */
};

static int seal_data(struct sealed_bench *s, struct error *err)
{
	const char *create[] = {"volume", "create", "-q", s->volume};
	const char *recordings[] = {"volume", "import", "-q", s->volume, s->files->data, "/"};
	static const char forest_path[] = "/" ECG_FOREST;
	const char *forest[] = {"volume", "import", "-q", s->volume, s->files->forest, forest_path};
	int rc = bench_cella(create, array_count(create), NULL, NULL, err);
	if (rc == 0)
		rc = bench_cella(recordings, array_count(recordings), NULL, NULL, err);
	return rc < 0 ? rc : bench_cella(forest, array_count(forest), NULL, NULL, err);
}

static int measure_place(const struct sealed_bench *s, enum place place, double ms[FIGURES],
                         struct error *err)
{
	const struct ecg_setting setting = {"secret", 2, "2G", place == PLAIN ? NULL : s->volume,
	                                    place == GIVEN ? "ecg/any" : NULL};
	const char *judge[] = {"evaluate",
	                       "--forest",
	                       place == PLAIN ? s->files->guest_forest : "/data/" ECG_FOREST,
	                       "--labels",
	                       "/data/labels.csv",
	                       "--dir",
	                       s->files->guest_records,
	                       "--split",
	                       "all"};
	struct bench_run run;
	int rc = ecg_request(s->files, &setting, &ms[FIRST], &ms[NEXT], err);
	if (rc == 0)
		rc = ecg_run_cell(s->files, &setting, judge, array_count(judge), &run, err);
	if (rc == 0)
		ms[JUDGE] = run.seconds * 1e3;
	return rc;
}

static int measure_turn(struct sealed_bench *s, struct error *err)
{
	double ms[PLACES][FIGURES];
	for (enum place p = 0; p < s->places; p++) {
		int rc = measure_place(s, p, ms[p], err);
		if (rc < 0)
			return rc;
	}
	for (enum figure f = 0; f < FIGURES; f++) {
		for (enum place p = 0; p < s->places; p++) {
			bench_sample(&s->ms[f][p], ms[p][f]);
			bench_sample(&s->ratios[f][p], ms[p][f] / ms[PLAIN][f]);
		}
	}
	return 0;
}

static int report(struct bench *b, const struct sealed_bench *s, struct error *err)
{
	static const char *const names[FIGURES] = {"first request", "next requests", "all recordings judged"};
	static const char *const places[PLACES] = {"plain directory", "volume", "volume and session"};
	static const char *const ratios[PLACES] =
		{[SEALED] = "volume/plain directory", [GIVEN] = "volume and session/plain directory"};
	int rc = 0;
	for (enum figure f = 0; rc == 0 && f < FIGURES; f++) {
		for (enum place p = 0; rc == 0 && p < s->places; p++)
			rc = bench_report(b, names[f], places[p], "ms", &s->ms[f][p], err);
		for (enum place p = SEALED; rc == 0 && p < s->places; p++)
			rc = bench_report(b, names[f], ratios[p], "ratio", &s->ratios[f][p], err);
	}
	return rc;
}

static const char session_text[] = "name: ecg\n"
				   "version: \"0.1\"\n"
				   "volumes:\n"
				   "  - {name: data, path: /data}\n"
				   "services:\n"
				   "  - name: any\n"
				   "    attestation: [{memory_level: insecure-none}]\n"
				   "access_policy:\n"
				   "  read: CREATOR\n"
				   "  update: CREATOR\n";

static int give_to_session(struct bench *b, const struct sealed_bench *s, struct error *err)
{
	const char *hand[] = {"session", "volume", "ecg", "data", s->volume};
	int rc = bench_cas_session(b, session_text, err);
	return rc == 0 ? bench_cella(hand, array_count(hand), NULL, NULL, err) : rc;
}

int bench_ecg_sealed(struct bench *b, const struct ecg_files *f, struct error *err)
{
	cleanup_free struct sealed_bench *s = calloc(1, sizeof(*s));
	struct error why;
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for the ECG benchmark");
	s->files = f;
	snprintf(s->volume, sizeof(s->volume), "%.400s/ecg.vol", f->out);
	printf("\nRecordings and forest in a volume, against a plain directory; 2 executors, heap 2G.\n");
	struct bench_cas_server cas;
	int rc = bench_cas_start(b, &cas, &why);
	s->places = rc == 0 ? PLACES : GIVEN;
	if (rc < 0)
		rc = bench_failed(b, "a session's keys", "", rc, &why, err);
	if (rc == 0)
		rc = seal_data(s, &why);
	if (rc == 0 && s->places == PLACES)
		rc = give_to_session(b, s, &why);
	for (size_t run = 0; rc == 0 && run < b->runs; run++)
		rc = measure_turn(s, &why);
	bench_cas_stop(&cas);
	return rc < 0 ? bench_failed(b, "sealed recordings and forest", "", rc, &why, err)
	              : report(b, s, err);
}
