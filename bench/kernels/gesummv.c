/* gesummv: y := alpha A x + beta B x. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(1300, 30) };

static void init(double a[N][N], double b[N][N], double x[N])
{
	for (int i = 0; i < N; i++) {
		x[i] = (double)(i % N) / N;
		for (int j = 0; j < N; j++) {
			a[i][j] = (double)((i * j + 1) % N) / N;
			b[i][j] = (double)((i * j + 2) % N) / N;
		}
	}
}

static void compute(double alpha, double beta, double a[N][N], double b[N][N], double ax[N], double x[N],
                    double y[N])
{
	for (int i = 0; i < N; i++) {
		ax[i] = y[i] = 0;
		for (int j = 0; j < N; j++) {
			ax[i] = a[i][j] * x[j] + ax[i];
			y[i] = b[i][j] * x[j] + y[i];
		}
		y[i] = alpha * ax[i] + beta * y[i];
	}
}

void kernel_gesummv(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double(*b)[N] = trial_array(t, sizeof(double[N][N]));
	double *ax = trial_array(t, sizeof(double[N]));
	double *x = trial_array(t, sizeof(double[N]));
	double *y = trial_array(t, sizeof(double[N]));
	init(a, b, x);
	trial_begin(t);
	compute(1.5, 1.2, a, b, ax, x, y);
	trial_end(t);
	trial_result(t, y, sizeof(double[N]));
}
