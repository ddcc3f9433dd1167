#include "cli/bench/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGEST_MAX = 80 };

/* What a run printed: its least time and its first one, and the digest of all its trials. */
struct outcome {
	double least, first;
	char digest[DIGEST_MAX];
};

void comparison_done(struct comparison *c)
{
	for (size_t i = 0; i < c->count; i++)
		arguments_done(&c->contestants[i].command);
	c->count = 0;
}

struct contestant *comparison_add(struct comparison *c, const char *name)
{
	struct contestant *one = &c->contestants[c->count++];
	one->name = name;
	return one;
}

int comparison_add_cell(struct comparison *c, const char *cell, struct error *err)
{
	struct bench_command command;
	const char *words[] = {"run", "-q", cell};
	int rc = bench_command(words, array_count(words), &command, err);
	struct contestant *one = comparison_add(c, "cell");
	for (size_t i = 0; rc == 0 && command.words[i]; i++)
		arguments_add(&one->command, command.words[i]);
	return rc;
}

/* One line "CASE seconds digest" into the outcome; other lines are none of ours. */
static int read_line(const char *line, const char *name, struct outcome *o, struct error *err)
{
	char digest[DIGEST_MAX], *end;
	size_t size = strlen(name);
	if (strncmp(line, name, size) != 0 || line[size] != ' ')
		return 0;
	double seconds = strtod(line + size, &end);
	snprintf(digest, sizeof(digest), "%s", end + strspn(end, " "));
	if (seconds <= 0 || !*digest)
		return error_set(err, CELLA_EFORMAT, "%s printed no time and digest: %.80s", name, line);
	if (*o->digest && strcmp(o->digest, digest) != 0)
		return error_set(err, CELLA_EBUG, "%s gives %s, and %s the next time", name, o->digest,
		                 digest);
	snprintf(o->digest, sizeof(o->digest), "%s", digest);
	if (o->first == 0)
		o->first = o->least = seconds;
	o->least = min_of(o->least, seconds);
	return 0;
}

static int read_outcome(struct buf *output, const char *name, struct outcome *ret, struct error *err)
{
	*ret = (struct outcome){0};
	buf_put_u8(output, 0);
	if (output->failed)
		return error_set(err, CELLA_ENOMEM, "no memory for what %s printed", name);
	char *rest = (char *)output->data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		int rc = read_line(line, name, ret, err);
		if (rc < 0)
			return rc;
	}
	return ret->first > 0 ? 0 : error_set(err, CELLA_EFORMAT, "%s printed no time", name);
}

static int run_one(const struct contestant *one, const char *name, const char *const *words, size_t count,
                   struct outcome *ret, struct error *err)
{
	cleanup_arguments struct arguments command = {0};
	cleanup_buf struct buf output = {0};
	for (size_t i = 0; i < one->command.count; i++)
		arguments_add(&command, one->command.items[i]);
	for (size_t i = 0; i < count; i++)
		arguments_add(&command, words[i]);
	if (command.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for the words of %s", name);
	int rc = bench_execute(command.items, &output, NULL, err);
	return rc < 0 ? rc : read_outcome(&output, name, ret, err);
}

/* All contestants once. */
static int run_round(struct comparison *c, const char *name, const char *const *words, size_t count,
                     struct error *err)
{
	struct outcome cell;
	for (size_t i = 0; i < c->count; i++) {
		struct contestant *one = &c->contestants[i];
		struct outcome o;
		int rc = run_one(one, name, words, count, &o, err);
		if (rc < 0)
			return error_prefix(err, rc, "%s: ", one->name);
		if (i == 0)
			cell = o;
		if (!one->rounds_otherwise && strcmp(o.digest, cell.digest) != 0)
			return error_set(err, CELLA_EBUG,
			                 "%s gives another result as a cell (%s) than by %s (%s)", name,
			                 cell.digest, one->name, o.digest);
		bench_sample(&one->times, o.least * 1e3);
		bench_sample(&one->ratios[COMPARISON_LEAST].rounds, cell.least / o.least);
		bench_sample(&one->ratios[COMPARISON_FIRST].rounds, cell.first / o.first);
	}
	return 0;
}

/* The metric of a ratio. */
static const char *over(const struct contestant *one, size_t kind, char ret[BENCH_NAME_MAX])
{
	snprintf(ret, BENCH_NAME_MAX, "cell/%s%s", one->name,
	         kind == COMPARISON_FIRST ? ", first trial" : "");
	return ret;
}

static int report_case(struct bench *b, struct comparison *c, const char *name, struct error *err)
{
	char metric[BENCH_NAME_MAX];
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < c->count; i++)
		rc = bench_report(b, name, c->contestants[i].name, "ms", &c->contestants[i].times, err);
	for (size_t i = 1; rc == 0 && i < c->count; i++) {
		struct contestant *one = &c->contestants[i];
		for (size_t k = 0; rc == 0 && k < COMPARISON_RATIOS; k++)
			rc = bench_report(b, name, over(one, k, metric), "ratio", &one->ratios[k].rounds,
			                  err);
	}
	return rc;
}

static double greatest(const struct bench_samples *s)
{
	double most = 0;
	for (size_t i = 0; i < s->count; i++)
		most = max_of(most, s->values[i]);
	return most;
}

/* Take the case's median for the summary. */
static void take_case(struct comparison_ratios *ratios, const char *name)
{
	double ratio = bench_median(&ratios->rounds);
	if (ratio > greatest(&ratios->cases))
		snprintf(ratios->worst_case, sizeof(ratios->worst_case), "worst: %s", name);
	bench_sample(&ratios->cases, ratio);
}

int comparison_case(struct bench *b, struct comparison *c, const char *name, const char *const *words,
                    size_t count, struct error *err)
{
	struct error why;
	int rc = 0;
	for (size_t i = 0; i < c->count; i++) {
		struct contestant *one = &c->contestants[i];
		one->times.count = 0;
		for (size_t k = 0; k < COMPARISON_RATIOS; k++)
			one->ratios[k].rounds.count = 0;
	}
	for (size_t i = 0; rc == 0 && i < b->runs; i++)
		rc = run_round(c, name, words, count, &why);
	if (rc < 0) {
		c->missing++;
		return bench_failed(b, name, "", rc, &why, err);
	}
	for (size_t i = 1; i < c->count; i++)
		for (size_t k = 0; k < COMPARISON_RATIOS; k++)
			take_case(&c->contestants[i].ratios[k], name);
	return report_case(b, c, name, err);
}

static int report_summary(struct bench *b, const struct comparison_ratios *ratios, const char *metric,
                          struct error *err)
{
	struct bench_samples mean = {0}, worst = {0};
	bench_sample(&mean, bench_geometric_mean(&ratios->cases));
	bench_sample(&worst, greatest(&ratios->cases));
	int rc = bench_report(b, "geometric mean", metric, "ratio", &mean, err);
	return rc < 0 ? rc : bench_report(b, ratios->worst_case, metric, "ratio", &worst, err);
}

int comparison_end(struct bench *b, struct comparison *c, struct error *err)
{
	char metric[BENCH_NAME_MAX];
	int rc = 0;
	for (size_t i = 1; rc == 0 && i < c->count; i++)
		for (size_t k = 0; rc == 0 && k < COMPARISON_RATIOS; k++) {
			over(&c->contestants[i], k, metric);
			if (c->missing)
				rc = bench_cannot(b, "geometric mean", metric, "not all cases ran", err);
			else
				rc = report_summary(b, &c->contestants[i].ratios[k], metric, err);
		}
	return rc;
}
