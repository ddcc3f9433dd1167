/* seidel-2d: a stencil of nine points in two dimensions, in place. Data set MEDIUM. */
#include "kernel.h"

enum { STEPS = SIZE(100, 20), N = SIZE(400, 40) };

static void init(double a[N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = ((double)i * (j + 2) + 2) / N;
}

static void compute(double a[N][N])
{
	for (int step = 0; step < STEPS; step++)
		for (int i = 1; i < N - 1; i++)
			for (int j = 1; j < N - 1; j++)
				a[i][j] = (a[i - 1][j - 1] + a[i - 1][j] + a[i - 1][j + 1] + a[i][j - 1] +
				           a[i][j] + a[i][j + 1] + a[i + 1][j - 1] + a[i + 1][j] +
				           a[i + 1][j + 1]) /
				          9;
}

void kernel_seidel_2d(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	init(a);
	trial_begin(t);
	compute(a);
	trial_end(t);
	trial_result(t, a, sizeof(double[N][N]));
}
