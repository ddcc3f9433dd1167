/* gramschmidt: A = Q R by the modified Gram-Schmidt process. Data set LARGE. */
#include <math.h>

#include "kernel.h"

enum { M = SIZE(1000, 20), N = SIZE(1200, 30) };

static void init(double a[M][N])
{
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = (double)(i * j % M) / M * 100 + 10;
}

static void compute(double a[M][N], double r[N][N], double q[M][N])
{
	for (int k = 0; k < N; k++) {
		double norm = 0;
		for (int i = 0; i < M; i++)
			norm += a[i][k] * a[i][k];
		r[k][k] = sqrt(norm);
		for (int i = 0; i < M; i++)
			q[i][k] = a[i][k] / r[k][k];
		for (int j = k + 1; j < N; j++) {
			r[k][j] = 0;
			for (int i = 0; i < M; i++)
				r[k][j] += q[i][k] * a[i][j];
			for (int i = 0; i < M; i++)
				a[i][j] = a[i][j] - q[i][k] * r[k][j];
		}
	}
}

void kernel_gramschmidt(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[M][N]));
	double(*r)[N] = trial_array(t, sizeof(double[N][N]));
	double(*q)[N] = trial_array(t, sizeof(double[M][N]));
	init(a);
	trial_begin(t);
	compute(a, r, q);
	trial_end(t);
	trial_result(t, r, sizeof(double[N][N]));
	trial_result(t, q, sizeof(double[M][N]));
}
