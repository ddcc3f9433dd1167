/* cella bench kernels: numerical kernels as a cell against gcc -O3 with the same flags. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench.h"

enum { KERNEL_REPEATS = 3, KERNELS_MAX = 64 };

/* The least of a few repetitions in one process: what disturbs only ever adds. */
static int least_seconds(const struct buf *output, const char *kernel, double *ret_seconds, struct error *err)
{
	double least = 0;
	size_t name_size = strlen(kernel);
	const char *at = (const char *)output->data, *end = at + output->size;
	while (at < end) {
		double seconds = 0;
		if ((size_t)(end - at) > name_size && memcmp(at, kernel, name_size) == 0)
			seconds = strtod(at + name_size, NULL);
		if (seconds > 0 && (least == 0 || seconds < least))
			least = seconds;
		const char *next = memchr(at, '\n', (size_t)(end - at));
		at = next ? next + 1 : end;
	}
	if (least == 0)
		return error_set(err, CELLA_EFORMAT, "kernel %s printed no time", kernel);
	*ret_seconds = least;
	return 0;
}

/* The checksum behind the time must be the same both ways. */
static bool same_checksum(const struct buf *a, const struct buf *b)
{
	const char *x = memrchr(a->data, ' ', a->size), *y = memrchr(b->data, ' ', b->size);
	return x && y && strcmp(x, y) == 0;
}

static int run_kernel(struct bench *b, const char *cell, const char *native, const char *kernel,
                      struct bench_samples *ratios, struct error *err)
{
	char repeats[16];
	snprintf(repeats, sizeof(repeats), "%d", KERNEL_REPEATS);
	const char *cell_words[] = {"run", "-q", cell, kernel, repeats};
	char *native_words[] = {(char *)(uintptr_t)native, (char *)(uintptr_t)kernel, repeats, NULL};
	struct bench_samples cell_times = {.count = 0}, native_times = {.count = 0}, ratio = {.count = 0};
	cleanup_buf struct buf cell_output = {0}, native_output = {0};
	for (size_t i = 0; i < b->runs; i++) {
		double cell_s, native_s;
		int rc = bench_execute(native_words, &native_output, NULL, err);
		if (rc == 0)
			rc = bench_cella(cell_words, array_count(cell_words), &cell_output, NULL, err);
		buf_put_u8(&cell_output, 0);
		buf_put_u8(&native_output, 0);
		if (rc == 0 && (cell_output.failed || native_output.failed))
			rc = error_set(err, CELLA_ENOMEM, "no memory for what kernel %s printed", kernel);
		if (rc == 0)
			rc = least_seconds(&cell_output, kernel, &cell_s, err);
		if (rc == 0)
			rc = least_seconds(&native_output, kernel, &native_s, err);
		if (rc == 0 && !same_checksum(&cell_output, &native_output))
			rc = error_set(err, CELLA_EBUG, "kernel %s gives another result as a cell", kernel);
		if (rc < 0)
			return rc;
		bench_sample(&cell_times, cell_s * 1e3);
		bench_sample(&native_times, native_s * 1e3);
		bench_sample(&ratio, cell_s / native_s);
	}
	bench_sample(ratios, bench_median(&ratio));
	int rc = bench_report(b, kernel, "native", "ms", &native_times, err);
	if (rc == 0)
		rc = bench_report(b, kernel, "cell", "ms", &cell_times, err);
	return rc < 0 ? rc : bench_report(b, kernel, "cell/native", "ratio", &ratio, err);
}

int bench_kernels(struct bench *b, struct error *err)
{
	char cell[BENCH_PATH_MAX], native[BENCH_PATH_MAX];
	struct bench_samples ratios = {.count = 0}, mean = {.count = 0};
	size_t missing = 0;
	cleanup_buf struct buf names = {0};
	int rc = bench_build(b, "bench/kernels/kernels.c", false, cell, err);
	if (rc == 0)
		rc = bench_build(b, "bench/kernels/kernels.c", true, native, err);
	char *list[] = {native, "list", NULL};
	if (rc == 0)
		rc = bench_execute(list, &names, NULL, err);
	buf_put_u8(&names, 0);
	if (rc < 0 || names.failed)
		return rc < 0 ? rc : error_set(err, CELLA_ENOMEM, "no memory for the kernels' names");
	char *rest = (char *)names.data;
	for (char *kernel; rc == 0 && (kernel = strsep(&rest, "\n"));) {
		struct error why;
		int failed = *kernel ? run_kernel(b, cell, native, kernel, &ratios, &why) : 0;
		if (failed < 0)
			rc = bench_failed(b, kernel, "cell/native", failed, &why, err);
		missing += failed < 0;
	}
	if (rc == 0 && missing)
		return bench_cannot(b, "geometric mean", "cell/native", "not all kernels ran", err);
	bench_sample(&mean, bench_geometric_mean(&ratios));
	return rc < 0 ? rc : bench_report(b, "geometric mean", "cell/native", "ratio", &mean, err);
}
