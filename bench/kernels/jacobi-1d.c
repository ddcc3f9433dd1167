/* jacobi-1d: a stencil of three points in one dimension. Data set LARGE. */
#include "kernel.h"

enum { STEPS = SIZE(500, 20), N = SIZE(2000, 30) };

static void init(double a[N], double b[N])
{
	for (int i = 0; i < N; i++) {
		a[i] = (double)(i + 2) / N;
		b[i] = (double)(i + 3) / N;
	}
}

static void compute(double a[N], double b[N])
{
	for (int step = 0; step < STEPS; step++) {
		for (int i = 1; i < N - 1; i++)
			b[i] = 0.33333 * (a[i - 1] + a[i] + a[i + 1]);
		for (int i = 1; i < N - 1; i++)
			a[i] = 0.33333 * (b[i - 1] + b[i] + b[i + 1]);
	}
}

void kernel_jacobi_1d(struct trial *t)
{
	double *a = trial_array(t, sizeof(double[N]));
	double *b = trial_array(t, sizeof(double[N]));
	init(a, b);
	trial_begin(t);
	compute(a, b);
	trial_end(t);
	trial_result(t, a, sizeof(double[N]));
}
