/* doitgen: A[r][q][p] := sum over s of A[r][q][s] C[s][p], of multi-resolution analysis. Data set LARGE. */
#include "kernel.h"

enum { NQ = SIZE(140, 8), NR = SIZE(150, 10), NP = SIZE(160, 12) };

static void init(double a[NR][NQ][NP], double c[NP][NP])
{
	for (int r = 0; r < NR; r++)
		for (int q = 0; q < NQ; q++)
			for (int p = 0; p < NP; p++)
				a[r][q][p] = (double)((r * q + p) % NP) / NP;
	for (int s = 0; s < NP; s++)
		for (int p = 0; p < NP; p++)
			c[s][p] = (double)(s * p % NP) / NP;
}

static void compute(double a[NR][NQ][NP], double c[NP][NP], double sum[NP])
{
	for (int r = 0; r < NR; r++)
		for (int q = 0; q < NQ; q++) {
			for (int p = 0; p < NP; p++) {
				sum[p] = 0;
				for (int s = 0; s < NP; s++)
					sum[p] += a[r][q][s] * c[s][p];
			}
			for (int p = 0; p < NP; p++)
				a[r][q][p] = sum[p];
		}
}

void kernel_doitgen(struct trial *t)
{
	double(*a)[NQ][NP] = trial_array(t, sizeof(double[NR][NQ][NP]));
	double(*c)[NP] = trial_array(t, sizeof(double[NP][NP]));
	double *sum = trial_array(t, sizeof(double[NP]));
	init(a, c);
	trial_begin(t);
	compute(a, c, sum);
	trial_end(t);
	trial_result(t, a, sizeof(double[NR][NQ][NP]));
}
