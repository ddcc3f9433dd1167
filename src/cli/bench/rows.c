/* Samples, rows, and running what is measured. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "cli/bench/bench.h"
#include "cli/process.h"

void bench_sample(struct bench_samples *s, double value)
{
	if (s->count < BENCH_SAMPLES_MAX)
		s->values[s->count++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

/* The value at a rank (from 0) that may lie between two samples. */
static double at_rank(const struct bench_samples *sorted, double rank)
{
	double clamped = fmin(fmax(rank, 0), (double)sorted->count - 1);
	size_t low = (size_t)clamped;
	size_t high = min_of(low + 1, sorted->count - 1);
	return sorted->values[low] + (clamped - (double)low) * (sorted->values[high] - sorted->values[low]);
}

static struct bench_samples sorted(const struct bench_samples *s)
{
	struct bench_samples copy = *s;
	qsort(copy.values, copy.count, sizeof(copy.values[0]), by_value);
	return copy;
}

double bench_median(const struct bench_samples *s)
{
	struct bench_samples ordered = sorted(s);
	return ordered.count ? at_rank(&ordered, ((double)ordered.count - 1) / 2) : 0;
}

double bench_geometric_mean(const struct bench_samples *s)
{
	double sum = 0;
	for (size_t i = 0; i < s->count; i++)
		sum += log(s->values[i]);
	return s->count ? exp(sum / (double)s->count) : 0;
}

static int add_row(struct bench *b, const struct bench_row *row, struct error *err)
{
	if (b->row_count == b->row_capacity) {
		size_t capacity = max_of(b->row_capacity * 2, (size_t)64);
		struct bench_row *rows = realloc(b->rows, capacity * sizeof(*rows));
		if (!rows)
			return error_set(err, CELLA_ENOMEM, "no memory for benchmark rows");
		b->rows = rows;
		b->row_capacity = capacity;
	}
	b->rows[b->row_count++] = *row;
	if (row->n >= BENCH_INTERVAL_LEAST)
		printf("%-8s %-34s %-22s %12.5g %-8s [%.5g, %.5g] n=%zu\n", row->bench, row->name,
		       row->metric, row->value, row->unit, row->low, row->high, row->n);
	else if (row->n)
		printf("%-8s %-34s %-22s %12.5g %-8s n=%zu\n", row->bench, row->name, row->metric, row->value,
		       row->unit, row->n);
	else
		printf("%-8s %-34s %-22s not measured: %s\n", row->bench, row->name, row->metric,
		       row->reason);
	fflush(stdout);
	return 0;
}

static struct bench_row row_named(const struct bench *b, const char *name, const char *metric)
{
	struct bench_row row = {0};
	snprintf(row.bench, sizeof(row.bench), "%s", b->name);
	snprintf(row.name, sizeof(row.name), "%s", name);
	snprintf(row.metric, sizeof(row.metric), "%s", metric);
	return row;
}

/* The interval's ranks: n/2 -+ 0.98 sqrt(n), the normal approximation of the binomial at 95 %
 * (Conover, Practical Nonparametric Statistics, 3.2). */
int bench_report(struct bench *b, const char *name, const char *metric, const char *unit,
                 const struct bench_samples *samples, struct error *err)
{
	if (samples->count == 0)
		return bench_cannot(b, name, metric, "no samples", err);
	struct bench_row row = row_named(b, name, metric);
	struct bench_samples ordered = sorted(samples);
	double n = (double)ordered.count, spread = 0.98 * sqrt(n);
	snprintf(row.unit, sizeof(row.unit), "%s", unit);
	row.n = ordered.count;
	row.value = bench_median(samples);
	bool interval = row.n >= BENCH_INTERVAL_LEAST;
	row.low = interval ? at_rank(&ordered, n / 2 - spread - 0.5) : row.value;
	row.high = interval ? at_rank(&ordered, n / 2 + spread - 0.5) : row.value;
	return add_row(b, &row, err);
}

int bench_cannot(struct bench *b, const char *name, const char *metric, const char *reason, struct error *err)
{
	struct bench_row row = row_named(b, name, metric);
	snprintf(row.reason, sizeof(row.reason), "%s", reason);
	for (char *c = row.reason; *c; c++)
		*c = (char)(*c == '\n' ? ' ' : *c);
	return add_row(b, &row, err);
}

int bench_failed(struct bench *b, const char *name, const char *metric, int rc, const struct error *why,
                 struct error *err)
{
	if (rc == CELLA_ECANCELED || rc == CELLA_ENOMEM)
		return error_set(err, rc, "%s", why->text);
	b->failed = true;
	return bench_cannot(b, name, metric, why->text, err);
}

/* What a failed program said last. */
static int program_failed(const char *name, int status, int errors, struct error *err)
{
	char text[400] = "";
	off_t size = lseek(errors, 0, SEEK_END);
	ssize_t n = pread(errors, text, sizeof(text) - 1, max_of(size - (off_t)sizeof(text) + 1, (off_t)0));
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	return error_set(err, CELLA_EIO, "%s ended with status %d: %s", name,
	                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), text);
}

int bench_execute(char *const *arguments, struct buf *ret_output, struct bench_run *ret_run,
                  struct error *err)
{
	cleanup_close int out = memfd_create("output", MFD_CLOEXEC);
	cleanup_close int errors = memfd_create("errors", MFD_CLOEXEC);
	if (out < 0 || errors < 0)
		return error_errno(err, CELLA_EIO, "cannot keep a program's output");
	pid_t pid;
	int status;
	const struct process_streams streams = {.input = -1, .output = out, .errors = errors};
	uint64_t start = clock_ns();
	int rc = process_start(arguments, &streams, &pid, err);
	if (rc < 0)
		return rc;
	rc = process_wait(pid, &status, err);
	if (rc < 0)
		return rc;
	if (ret_run)
		ret_run->seconds = (double)(clock_ns() - start) * 1e-9;
	if (status != 0)
		return program_failed(arguments[0], status, errors, err);
	if (!ret_output)
		return 0;
	ret_output->size = 0;
	lseek(out, 0, SEEK_SET);
	return io_read_fd(out, "a program's output", 64 << 20, ret_output, err);
}

int bench_command(const char *const *words, size_t count, struct bench_command *ret, struct error *err)
{
	ssize_t size = readlink("/proc/self/exe", ret->self, sizeof(ret->self));
	if (size <= 0 || size == sizeof(ret->self) || count > array_count(ret->words) - 2)
		return error_set(err, CELLA_EBUG, "cannot run cella with %zu words", count);
	ret->self[size] = '\0';
	ret->words[0] = ret->self;
	for (size_t i = 0; i < count; i++)
		ret->words[i + 1] = (char *)(uintptr_t)words[i];
	ret->words[count + 1] = NULL;
	return 0;
}

int bench_cella(const char *const *words, size_t count, struct buf *ret_output, struct bench_run *ret_run,
                struct error *err)
{
	struct bench_command command;
	int rc = bench_command(words, count, &command, err);
	return rc < 0 ? rc : bench_execute(command.words, ret_output, ret_run, err);
}

int bench_find(const struct buf *output, const char *name, double *ret_value, struct error *err)
{
	size_t name_size = strlen(name);
	for (size_t at = 0; at < output->size;) {
		const char *line = (const char *)output->data + at;
		const char *end = memchr(line, '\n', output->size - at);
		size_t size = end ? (size_t)(end - line) : output->size - at;
		if (size > name_size && memcmp(line, name, name_size) == 0 && line[name_size] == ' ') {
			char number[64];
			snprintf(number, sizeof(number), "%.*s",
			         (int)min_of(size - name_size - 1, sizeof(number) - 1), line + name_size + 1);
			*ret_value = strtod(number, NULL);
			return 0;
		}
		at += size + 1;
	}
	return error_set(err, CELLA_EFORMAT, "a measured program printed no line \"%s ...\"", name);
}
