/* cella bench kernels: PolyBench's kernels as a cell, against gcc and other engines of WebAssembly. */
#include "cli/bench/peers.h"
#include "cli/bench/suite.h"

static const char *const cell_flags[] = {NULL};
static const char *const exact_flags[] = {"-O3", "-march=x86-64-v3", "-ffp-contract=off", NULL};
static const char *const native_flags[] = {"-O3", "-march=native", NULL};

/* A peer that is not to be had is a row. */
static int add_peers(struct bench *b, struct suite *s, struct error *err)
{
	struct error why;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < bench_peer_count; i++) {
		cleanup_arguments struct arguments command = {0};
		rc = bench_peers[i].prepare(b, s, &command, &why);
		if (rc < 0) {
			rc = bench_failed(b, "all", bench_peers[i].name, rc, &why, err);
			continue;
		}
		comparison_add(&s->comparison, bench_peers[i].name)->command = command;
		command = (struct arguments){0};
	}
	return rc;
}

static int add_all(struct bench *b, struct suite *s, struct error *err)
{
	struct comparison *c = &s->comparison;
	int rc = suite_sources(s, "bench/trial", err);
	if (rc == 0)
		rc = suite_sources(s, "bench/kernels", err);
	if (b->quick)
		arguments_add(&s->words, "-DQUICK");
	if (rc == 0)
		rc = suite_cell(b, s, cell_flags, err);
	if (rc == 0)
		rc = suite_native(b, s, "gcc", exact_flags, err);
	if (rc == 0)
		rc = suite_native(b, s, "gcc-native", native_flags, err);
	if (rc < 0)
		return rc;
	c->contestants[c->count - 1].rounds_otherwise = true; /* it contracts */
	return b->peers ? add_peers(b, s, err) : 0;
}

int bench_kernels(struct bench *b, struct error *err)
{
	cleanup_suite struct suite s = {.name = "kernels"};
	int rc = add_all(b, &s, err);
	return rc < 0 ? rc : suite_run(b, &s, err);
}
