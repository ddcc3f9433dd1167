/* syrk: C := alpha A A^T + beta C, the lower triangle. Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1000, 20), N = SIZE(1200, 30) };

static void init(double c[N][N], double a[N][M])
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < M; j++)
			a[i][j] = (double)((i * j + 1) % N) / N;
		for (int j = 0; j < N; j++)
			c[i][j] = (double)((i * j + 2) % M) / M;
	}
}

static void compute(double alpha, double beta, double c[N][N], double a[N][M])
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j <= i; j++)
			c[i][j] *= beta;
		for (int k = 0; k < M; k++)
			for (int j = 0; j <= i; j++)
				c[i][j] += alpha * a[i][k] * a[j][k];
	}
}

void kernel_syrk(struct trial *t)
{
	double(*c)[N] = trial_array(t, sizeof(double[N][N]));
	double(*a)[M] = trial_array(t, sizeof(double[N][M]));
	init(c, a);
	trial_begin(t);
	compute(1.5, 1.2, c, a);
	trial_end(t);
	trial_result(t, c, sizeof(double[N][N]));
}
