/* ludcmp: A x = b by A = L U, then both triangles' substitutions. Data set MEDIUM. */
#include "definite.h"
#include "kernel.h"

enum { N = SIZE(400, 40) };

static void factor(double a[N][N])
{
	for (int i = 0; i < N; i++) {
		for (int j = 0; j < i; j++) {
			double w = a[i][j];
			for (int k = 0; k < j; k++)
				w -= a[i][k] * a[k][j];
			a[i][j] = w / a[j][j];
		}
		for (int j = i; j < N; j++) {
			double w = a[i][j];
			for (int k = 0; k < i; k++)
				w -= a[i][k] * a[k][j];
			a[i][j] = w;
		}
	}
}

static void substitute(double a[N][N], double b[N], double x[N], double y[N])
{
	for (int i = 0; i < N; i++) {
		double w = b[i];
		for (int j = 0; j < i; j++)
			w -= a[i][j] * y[j];
		y[i] = w;
	}
	for (int i = N - 1; i >= 0; i--) {
		double w = y[i];
		for (int j = i + 1; j < N; j++)
			w -= a[i][j] * x[j];
		x[i] = w / a[i][i];
	}
}

void kernel_ludcmp(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double(*scratch)[N] = trial_array(t, sizeof(double[N][N]));
	double *b = trial_array(t, sizeof(double[N]));
	double *x = trial_array(t, sizeof(double[N]));
	double *y = trial_array(t, sizeof(double[N]));
	definite(N, a, scratch);
	for (int i = 0; i < N; i++)
		b[i] = (i + 1) / (double)N / 2 + 4;
	trial_begin(t);
	factor(a);
	substitute(a, b, x, y);
	trial_end(t);
	trial_result(t, x, sizeof(double[N]));
}
