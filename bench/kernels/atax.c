/* atax: y := A^T (A x). Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1900, 38), N = SIZE(2100, 42) };

static void init(double a[M][N], double x[N])
{
	for (int j = 0; j < N; j++)
		x[j] = 1 + j / (double)N;
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = (double)((i + j) % N) / (5 * M);
}

static void compute(double a[M][N], double x[N], double y[N], double ax[M])
{
	for (int j = 0; j < N; j++)
		y[j] = 0;
	for (int i = 0; i < M; i++) {
		ax[i] = 0;
		for (int j = 0; j < N; j++)
			ax[i] += a[i][j] * x[j];
		for (int j = 0; j < N; j++)
			y[j] += a[i][j] * ax[i];
	}
}

void kernel_atax(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[M][N]));
	double *x = trial_array(t, sizeof(double[N]));
	double *y = trial_array(t, sizeof(double[N]));
	double *ax = trial_array(t, sizeof(double[M]));
	init(a, x);
	trial_begin(t);
	compute(a, x, y, ax);
	trial_end(t);
	trial_result(t, y, sizeof(double[N]));
}
