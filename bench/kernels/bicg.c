/* bicg: s := A^T r and q := A p, the products of the stabilised bi-conjugate gradient. Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1900, 38), N = SIZE(2100, 42) };

static void init(double a[N][M], double r[N], double p[M])
{
	for (int j = 0; j < M; j++)
		p[j] = (double)(j % M) / M;
	for (int i = 0; i < N; i++) {
		r[i] = (double)(i % N) / N;
		for (int j = 0; j < M; j++)
			a[i][j] = (double)(i * (j + 1) % N) / N;
	}
}

static void compute(double a[N][M], double s[M], double q[N], double p[M], double r[N])
{
	for (int j = 0; j < M; j++)
		s[j] = 0;
	for (int i = 0; i < N; i++) {
		q[i] = 0;
		for (int j = 0; j < M; j++) {
			s[j] += r[i] * a[i][j];
			q[i] += a[i][j] * p[j];
		}
	}
}

void kernel_bicg(struct trial *t)
{
	double(*a)[M] = trial_array(t, sizeof(double[N][M]));
	double *s = trial_array(t, sizeof(double[M]));
	double *q = trial_array(t, sizeof(double[N]));
	double *p = trial_array(t, sizeof(double[M]));
	double *r = trial_array(t, sizeof(double[N]));
	init(a, r, p);
	trial_begin(t);
	compute(a, s, q, p, r);
	trial_end(t);
	trial_result(t, s, sizeof(double[M]));
	trial_result(t, q, sizeof(double[N]));
}
