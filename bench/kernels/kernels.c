/*
 * Run one kernel again and again, each time on fresh data:
 *
 *     kernels NAME MILLISECONDS   one line per trial: NAME seconds digest
 *     kernels list                the names
 *
 * The digest tells every bit of what the kernel computed. Trials end when they have taken so long
 * together, or when there are TRIALS_MAX.
 */
#include "kernel.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIALS_MAX = 100, ARRAYS_MAX = 16, ARRAY_ALIGNMENT = 4096 };

struct trial {
	void *arrays[ARRAYS_MAX];
	int array_count;
	double start, seconds;
	uint64_t digest;
};

static const struct kernel {
	const char *name;
	void (*run)(struct trial *t);
} kernels[] = {
	{"2mm", kernel_2mm},
	{"3mm", kernel_3mm},
	{"adi", kernel_adi},
	{"atax", kernel_atax},
	{"bicg", kernel_bicg},
	{"cholesky", kernel_cholesky},
	{"correlation", kernel_correlation},
	{"covariance", kernel_covariance},
	{"deriche", kernel_deriche},
	{"doitgen", kernel_doitgen},
	{"durbin", kernel_durbin},
	{"fdtd-2d", kernel_fdtd_2d},
	{"floyd-warshall", kernel_floyd_warshall},
	{"gemm", kernel_gemm},
	{"gemver", kernel_gemver},
	{"gesummv", kernel_gesummv},
	{"gramschmidt", kernel_gramschmidt},
	{"heat-3d", kernel_heat_3d},
	{"jacobi-1d", kernel_jacobi_1d},
	{"jacobi-2d", kernel_jacobi_2d},
	{"lu", kernel_lu},
	{"ludcmp", kernel_ludcmp},
	{"mvt", kernel_mvt},
	{"nussinov", kernel_nussinov},
	{"seidel-2d", kernel_seidel_2d},
	{"symm", kernel_symm},
	{"syr2k", kernel_syr2k},
	{"syrk", kernel_syrk},
	{"trisolv", kernel_trisolv},
	{"trmm", kernel_trmm},
};
enum { KERNEL_COUNT = sizeof(kernels) / sizeof(kernels[0]) };

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void *trial_array(struct trial *t, size_t size)
{
	size_t whole = (size + ARRAY_ALIGNMENT - 1) / ARRAY_ALIGNMENT * ARRAY_ALIGNMENT;
	void *array = t->array_count < ARRAYS_MAX ? aligned_alloc(ARRAY_ALIGNMENT, whole) : NULL;
	if (!array) {
		fprintf(stderr, "kernels: no memory for an array of %zu bytes\n", size);
		exit(1);
	}
	t->arrays[t->array_count++] = array;
	return memset(array, 0, size);
}

void trial_begin(struct trial *t)
{
	t->start = seconds();
}

void trial_end(struct trial *t)
{
	t->seconds = seconds() - t->start;
}

/* The words' hash of Fowler, Noll and Vo (FNV-1a), 64 bits. */
void trial_result(struct trial *t, const void *values, size_t size)
{
	const uint8_t *at = values;
	for (uint32_t word; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		t->digest = (t->digest ^ word) * 0x100000001b3;
	}
}

/* Gives the seconds that it took. */
static double run(const struct kernel *k)
{
	struct trial t = {.digest = 0xcbf29ce484222325};
	k->run(&t);
	for (int i = 0; i < t.array_count; i++)
		free(t.arrays[i]);
	printf("%s %.9f %016llx\n", k->name, t.seconds, (unsigned long long)t.digest);
	fflush(stdout);
	return t.seconds;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (int i = 0; i < KERNEL_COUNT; i++)
			puts(kernels[i].name);
		return 0;
	}
	for (int i = 0; argc == 3 && i < KERNEL_COUNT; i++) {
		if (strcmp(argv[1], kernels[i].name) != 0)
			continue;
		double left = strtod(argv[2], NULL) / 1000;
		for (int trials = 0; trials == 0 || (left > 0 && trials < TRIALS_MAX); trials++)
			left -= run(&kernels[i]);
		return 0;
	}
	fprintf(stderr, "usage: kernels NAME MILLISECONDS | kernels list\n");
	return 2;
}
