/* jacobi-2d: a stencil of five points in two dimensions. Data set LARGE. */
#include "kernel.h"

enum { STEPS = SIZE(500, 20), N = SIZE(1300, 30) };

static void init(double a[N][N], double b[N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a[i][j] = ((double)i * (j + 2) + 2) / N;
			b[i][j] = ((double)i * (j + 3) + 3) / N;
		}
}

static void step(double from[N][N], double to[N][N])
{
	for (int i = 1; i < N - 1; i++)
		for (int j = 1; j < N - 1; j++)
			to[i][j] = 0.2 * (from[i][j] + from[i][j - 1] + from[i][j + 1] + from[i + 1][j] +
			                  from[i - 1][j]);
}

void kernel_jacobi_2d(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double(*b)[N] = trial_array(t, sizeof(double[N][N]));
	init(a, b);
	trial_begin(t);
	for (int i = 0; i < STEPS; i++) {
		step(a, b);
		step(b, a);
	}
	trial_end(t);
	trial_result(t, a, sizeof(double[N][N]));
}
