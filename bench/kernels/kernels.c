/*
 * Ten numerical kernels of the kind that PolyBench collects, written here from their textbook
 * definitions: the same source is built natively and as a cell, so that their times compare the
 * two ways of building and nothing else.
 *
 *     kernels NAME REPEAT     one line per repetition: NAME seconds checksum
 *     kernels list            the names
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	N = 400,      /* matrices of dense kernels */
	GRID = 600,   /* side of two-dimensional stencils */
	STEPS = 40,   /* of time in stencils */
	LINE = 60000, /* one-dimensional stencil */
	VECTOR = 1600,
};

static double a[VECTOR][VECTOR], b[VECTOR][VECTOR], c[N][N], d[N][N], e[N][N];
static double x[LINE], y[LINE];
static int distance[N][N];

static double sum_rows(const double *m, size_t rows, size_t columns, size_t stride)
{
	double sum = 0;
	for (size_t i = 0; i < rows; i++)
		for (size_t j = 0; j < columns; j++)
			sum += m[i * stride + j];
	return sum;
}

static void fill(void)
{
	for (int i = 0; i < VECTOR; i++)
		for (int j = 0; j < VECTOR; j++) {
			a[i][j] = (double)((i * j + 1) % 1013) / 1013;
			b[i][j] = (double)((i * (j + 2) + 3) % 997) / 997;
		}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			c[i][j] = (double)((i + 3 * j) % 911) / 911;
			d[i][j] = e[i][j] = 0;
			distance[i][j] = (i * 7 + j * 13) % 101 + 1;
		}
	for (int i = 0; i < LINE; i++) {
		x[i] = (double)(i % 743) / 743;
		y[i] = 0;
	}
}

static double gemm(void)
{
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				c[i][j] += 1.5 * a[i][k] * b[k][j];
	return sum_rows(&c[0][0], N, N, N);
}

static double two_mm(void)
{
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				d[i][j] += a[i][k] * b[k][j];
	for (int i = 0; i < N; i++)
		for (int k = 0; k < N; k++)
			for (int j = 0; j < N; j++)
				e[i][j] += d[i][k] * c[k][j];
	return sum_rows(&e[0][0], N, N, N);
}

static double atax(void)
{
	for (int i = 0; i < VECTOR; i++) {
		double dot = 0;
		for (int j = 0; j < VECTOR; j++)
			dot += a[i][j] * x[j];
		for (int j = 0; j < VECTOR; j++)
			y[j] += a[i][j] * dot;
	}
	return sum_rows(y, 1, VECTOR, VECTOR);
}

static double jacobi_1d(void)
{
	for (int t = 0; t < STEPS * 8; t++) {
		for (int i = 1; i < LINE - 1; i++)
			y[i] = (x[i - 1] + x[i] + x[i + 1]) / 3;
		for (int i = 1; i < LINE - 1; i++)
			x[i] = (y[i - 1] + y[i] + y[i + 1]) / 3;
	}
	return sum_rows(x, 1, LINE, LINE);
}

static double jacobi_2d(void)
{
	for (int t = 0; t < STEPS; t++) {
		for (int i = 1; i < GRID - 1; i++)
			for (int j = 1; j < GRID - 1; j++)
				b[i][j] = 0.2 *
				          (a[i][j] + a[i][j - 1] + a[i][j + 1] + a[i - 1][j] + a[i + 1][j]);
		for (int i = 1; i < GRID - 1; i++)
			for (int j = 1; j < GRID - 1; j++)
				a[i][j] = 0.2 *
				          (b[i][j] + b[i][j - 1] + b[i][j + 1] + b[i - 1][j] + b[i + 1][j]);
	}
	return sum_rows(&a[0][0], GRID, GRID, VECTOR);
}

static double seidel_2d(void)
{
	for (int t = 0; t < STEPS / 4; t++)
		for (int i = 1; i < GRID - 1; i++)
			for (int j = 1; j < GRID - 1; j++)
				a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] +
				           a[i][j] + a[i][j + 1] + a[i + 1][j - 1] + a[i + 1][j] +
				           a[i + 1][j + 1]) /
				          9;
	return sum_rows(&a[0][0], GRID, GRID, VECTOR);
}

static double lu(void)
{
	for (int i = 0; i < N; i++)
		a[i][i] += N;
	for (int k = 0; k < N; k++)
		for (int i = k + 1; i < N; i++) {
			a[i][k] /= a[k][k];
			for (int j = k + 1; j < N; j++)
				a[i][j] -= a[i][k] * a[k][j];
		}
	return sum_rows(&a[0][0], N, N, VECTOR);
}

static double cholesky(void)
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j <= i; j++)
			d[i][j] = (i == j ? N : 0) + 1.0 / (1 + i + j);
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < i; j++) {
			for (int k = 0; k < j; k++)
				d[i][j] -= d[i][k] * d[j][k];
			d[i][j] /= d[j][j];
		}
		for (int k = 0; k < i; k++)
			d[i][i] -= d[i][k] * d[i][k];
		d[i][i] = sqrt(d[i][i]);
	}
	return sum_rows(&d[0][0], N, N, N);
}

static double floyd_warshall(void)
{
	double sum = 0;
	for (int k = 0; k < N; k++)
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++) {
				int through = distance[i][k] + distance[k][j];
				distance[i][j] = distance[i][j] < through ? distance[i][j] : through;
			}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			sum += distance[i][j];
	return sum;
}

static double correlation(void)
{
	static double mean[N], deviation[N];
	for (int j = 0; j < N; j++) {
		mean[j] = deviation[j] = 0;
		for (int i = 0; i < N; i++)
			mean[j] += a[i][j] / N;
		for (int i = 0; i < N; i++)
			deviation[j] += (a[i][j] - mean[j]) * (a[i][j] - mean[j]) / N;
		deviation[j] = deviation[j] <= 1e-9 ? 1 : sqrt(deviation[j]);
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			b[i][j] = (a[i][j] - mean[j]) / (sqrt((double)N) * deviation[j]);
	for (int i = 0; i < N; i++)
		for (int j = i; j < N; j++) {
			double dot = 0;
			for (int k = 0; k < N; k++)
				dot += b[k][i] * b[k][j];
			d[i][j] = d[j][i] = dot;
		}
	return sum_rows(&d[0][0], N, N, N);
}

static const struct kernel {
	const char *name;
	double (*run)(void);
} kernels[] = {
	{"gemm", gemm},
	{"2mm", two_mm},
	{"atax", atax},
	{"jacobi-1d", jacobi_1d},
	{"jacobi-2d", jacobi_2d},
	{"seidel-2d", seidel_2d},
	{"lu", lu},
	{"cholesky", cholesky},
	{"floyd-warshall", floyd_warshall},
	{"correlation", correlation},
};
enum { KERNEL_COUNT = sizeof(kernels) / sizeof(kernels[0]) };

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
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
		for (int r = atoi(argv[2]); r > 0; r--) {
			fill();
			double start = seconds();
			double sum = kernels[i].run();
			printf("%s %.9f %.17g\n", kernels[i].name, seconds() - start, sum);
			fflush(stdout);
		}
		return 0;
	}
	fprintf(stderr, "usage: kernels NAME REPEAT | kernels list\n");
	return 2;
}
