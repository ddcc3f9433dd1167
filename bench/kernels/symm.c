/* symm: C := alpha A B + beta C, A symmetric, of which the lower triangle is read. Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1000, 20), N = SIZE(1200, 30) };

static void init(double c[M][N], double a[M][M], double b[M][N])
{
	for (int i = 0; i < M; i++) {
		for (int j = 0; j < N; j++) {
			c[i][j] = (double)((i + j) % 100) / M;
			b[i][j] = (double)((N + i - j) % 100) / M;
		}
		for (int j = 0; j < M; j++)
			a[i][j] = j <= i ? (double)((i + j) % 100) / M : -999;
	}
}

static void compute(double alpha, double beta, double c[M][N], double a[M][M], double b[M][N])
{
	for (int i = 0; i < M; i++)
		for (int j = 0; j < N; j++) {
			double above = 0;
			for (int k = 0; k < i; k++) {
				c[k][j] += alpha * b[i][j] * a[i][k];
				above += b[k][j] * a[i][k];
			}
			c[i][j] = beta * c[i][j] + alpha * b[i][j] * a[i][i] + alpha * above;
		}
}

void kernel_symm(struct trial *t)
{
	double(*c)[N] = trial_array(t, sizeof(double[M][N]));
	double(*a)[M] = trial_array(t, sizeof(double[M][M]));
	double(*b)[N] = trial_array(t, sizeof(double[M][N]));
	init(c, a, b);
	trial_begin(t);
	compute(1.5, 1.2, c, a, b);
	trial_end(t);
	trial_result(t, c, sizeof(double[M][N]));
}
