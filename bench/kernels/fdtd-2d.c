/* fdtd-2d: Maxwell's equations in two dimensions by finite differences in the time domain. Data set LARGE. */
#include "kernel.h"

enum { STEPS = SIZE(500, 20), NX = SIZE(1000, 20), NY = SIZE(1200, 30) };

static void init(double ex[NX][NY], double ey[NX][NY], double hz[NX][NY], double edge[STEPS])
{
	for (int i = 0; i < STEPS; i++)
		edge[i] = i;
	for (int i = 0; i < NX; i++)
		for (int j = 0; j < NY; j++) {
			ex[i][j] = (double)i * (j + 1) / NX;
			ey[i][j] = (double)i * (j + 2) / NY;
			hz[i][j] = (double)i * (j + 3) / NX;
		}
}

static void compute(double ex[NX][NY], double ey[NX][NY], double hz[NX][NY], double edge[STEPS])
{
	for (int step = 0; step < STEPS; step++) {
		for (int j = 0; j < NY; j++)
			ey[0][j] = edge[step];
		for (int i = 1; i < NX; i++)
			for (int j = 0; j < NY; j++)
				ey[i][j] -= 0.5 * (hz[i][j] - hz[i - 1][j]);
		for (int i = 0; i < NX; i++)
			for (int j = 1; j < NY; j++)
				ex[i][j] -= 0.5 * (hz[i][j] - hz[i][j - 1]);
		for (int i = 0; i < NX - 1; i++)
			for (int j = 0; j < NY - 1; j++)
				hz[i][j] -= 0.7 * (ex[i][j + 1] - ex[i][j] + ey[i + 1][j] - ey[i][j]);
	}
}

void kernel_fdtd_2d(struct trial *t)
{
	double(*ex)[NY] = trial_array(t, sizeof(double[NX][NY]));
	double(*ey)[NY] = trial_array(t, sizeof(double[NX][NY]));
	double(*hz)[NY] = trial_array(t, sizeof(double[NX][NY]));
	double *edge = trial_array(t, sizeof(double[STEPS]));
	init(ex, ey, hz, edge);
	trial_begin(t);
	compute(ex, ey, hz, edge);
	trial_end(t);
	trial_result(t, ex, sizeof(double[NX][NY]));
	trial_result(t, ey, sizeof(double[NX][NY]));
	trial_result(t, hz, sizeof(double[NX][NY]));
}
