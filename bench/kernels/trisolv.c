/* trisolv: L x = b by forward substitution. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(2000, 40) };

static void init(double l[N][N], double x[N], double b[N])
{
	for (int i = 0; i < N; i++) {
		x[i] = -999;
		b[i] = i;
		for (int j = 0; j <= i; j++)
			l[i][j] = (double)(i + N - j + 1) * 2 / N;
	}
}

static void compute(double l[N][N], double x[N], double b[N])
{
	for (int i = 0; i < N; i++) {
		x[i] = b[i];
		for (int j = 0; j < i; j++)
			x[i] -= l[i][j] * x[j];
		x[i] = x[i] / l[i][i];
	}
}

void kernel_trisolv(struct trial *t)
{
	double(*l)[N] = trial_array(t, sizeof(double[N][N]));
	double *x = trial_array(t, sizeof(double[N]));
	double *b = trial_array(t, sizeof(double[N]));
	init(l, x, b);
	trial_begin(t);
	compute(l, x, b);
	trial_end(t);
	trial_result(t, x, sizeof(double[N]));
}
