/* mvt: x1 := x1 + A y1 and x2 := x2 + A^T y2. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(2000, 40) };

static void init(double x1[N], double x2[N], double y1[N], double y2[N], double a[N][N])
{
	for (int i = 0; i < N; i++) {
		x1[i] = (double)(i % N) / N;
		x2[i] = (double)((i + 1) % N) / N;
		y1[i] = (double)((i + 3) % N) / N;
		y2[i] = (double)((i + 4) % N) / N;
		for (int j = 0; j < N; j++)
			a[i][j] = (double)(i * j % N) / N;
	}
}

static void compute(double x1[N], double x2[N], double y1[N], double y2[N], double a[N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			x1[i] = x1[i] + a[i][j] * y1[j];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			x2[i] = x2[i] + a[j][i] * y2[j];
}

void kernel_mvt(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	double *x1 = trial_array(t, sizeof(double[N]));
	double *x2 = trial_array(t, sizeof(double[N]));
	double *y1 = trial_array(t, sizeof(double[N]));
	double *y2 = trial_array(t, sizeof(double[N]));
	init(x1, x2, y1, y2, a);
	trial_begin(t);
	compute(x1, x2, y1, y2, a);
	trial_end(t);
	trial_result(t, x1, sizeof(double[N]));
	trial_result(t, x2, sizeof(double[N]));
}
