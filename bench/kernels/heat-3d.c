/* heat-3d: the heat equation in three dimensions. Data set LARGE. */
#include "kernel.h"

enum { STEPS = SIZE(500, 20), N = SIZE(120, 10) };

static void init(double a[N][N][N], double b[N][N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			for (int k = 0; k < N; k++)
				a[i][j][k] = b[i][j][k] = (double)(i + j + (N - k)) * 10 / N;
}

static void step(double from[N][N][N], double to[N][N][N])
{
	for (int i = 1; i < N - 1; i++)
		for (int j = 1; j < N - 1; j++)
			for (int k = 1; k < N - 1; k++)
				to[i][j][k] =
					0.125 * (from[i + 1][j][k] - 2 * from[i][j][k] + from[i - 1][j][k]) +
					0.125 * (from[i][j + 1][k] - 2 * from[i][j][k] + from[i][j - 1][k]) +
					0.125 * (from[i][j][k + 1] - 2 * from[i][j][k] + from[i][j][k - 1]) +
					from[i][j][k];
}

void kernel_heat_3d(struct trial *t)
{
	double(*a)[N][N] = trial_array(t, sizeof(double[N][N][N]));
	double(*b)[N][N] = trial_array(t, sizeof(double[N][N][N]));
	init(a, b);
	trial_begin(t);
	for (int i = 0; i < STEPS; i++) {
		step(a, b);
		step(b, a);
	}
	trial_end(t);
	trial_result(t, a, sizeof(double[N][N][N]));
}
