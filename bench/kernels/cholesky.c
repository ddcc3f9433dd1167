/* cholesky: the lower triangle L of a positive definite A = L L^T, in place. Data set MEDIUM. */
#include <math.h>

#include "definite.h"
#include "kernel.h"

enum { N = SIZE(400, 40) };

static void compute(double a[N][N])
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < i; j++) {
			for (int k = 0; k < j; k++)
				a[i][j] -= a[i][k] * a[j][k];
			a[i][j] /= a[j][j];
		}
		for (int k = 0; k < i; k++)
			a[i][i] -= a[i][k] * a[i][k];
		a[i][i] = sqrt(a[i][i]);
	}
}

void kernel_cholesky(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double(*b)[N] = trial_array(t, sizeof(double[N][N]));
	definite(N, a, b);
	trial_begin(t);
	compute(a);
	trial_end(t);
	for (int i = 0; i < N; i++)
		trial_result(t, a[i], sizeof(double) * (size_t)(i + 1));
}
