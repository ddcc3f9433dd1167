/* trmm: B := alpha A^T B with a lower triangular A of ones on its diagonal. Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1000, 20), N = SIZE(1200, 30) };

static void init(double a[M][M], double b[M][N])
{
	for (int i = 0; i < M; i++) {
		for (int j = 0; j < i; j++)
			a[i][j] = (double)((i + j) % M) / M;
		a[i][i] = 1;
		for (int j = 0; j < N; j++)
			b[i][j] = (double)((N + i - j) % N) / N;
	}
}

static void compute(double alpha, double a[M][M], double b[M][N])
{
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++) {
			for (int k = i + 1; k < M; k++)
				b[i][j] += a[k][i] * b[k][j];
			b[i][j] = alpha * b[i][j];
		}
}

void kernel_trmm(struct trial *t)
{
	double(*a)[M] = trial_array(t, sizeof(double[M][M]));
	double(*b)[N] = trial_array(t, sizeof(double[M][N]));
	init(a, b);
	trial_begin(t);
	compute(1.5, a, b);
	trial_end(t);
	trial_result(t, b, sizeof(double[M][N]));
}
