/* lu: A = L U without pivoting, in place. Data set MEDIUM. */
#include "definite.h"
#include "kernel.h"

enum { N = SIZE(400, 40) };

static void compute(double a[N][N])
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < i; j++) {
			for (int k = 0; k < j; k++)
				a[i][j] -= a[i][k] * a[k][j];
			a[i][j] /= a[j][j];
		}
		for (int j = i; j < N; j++)
			for (int k = 0; k < i; k++)
				a[i][j] -= a[i][k] * a[k][j];
	}
}

void kernel_lu(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double(*b)[N] = trial_array(t, sizeof(double[N][N]));
	definite(N, a, b);
	trial_begin(t);
	compute(a);
	trial_end(t);
	trial_result(t, a, sizeof(double[N][N]));
}
