/* gemm: C := alpha A B + beta C. Data set LARGE. */
#include "kernel.h"

enum { NI = SIZE(1000, 20), NJ = SIZE(1100, 25), NK = SIZE(1200, 30) };

static void init(double c[NI][NJ], double a[NI][NK], double b[NK][NJ])
{
	for (int i = 0; i < NI; i++)
		for (int j = 0; j < NJ; j++)
			c[i][j] = (double)((i * j + 1) % NI) / NI;
	for (int i = 0; i < NI; i++)
		for (int k = 0; k < NK; k++)
			a[i][k] = (double)(i * (k + 1) % NK) / NK;
	for (int k = 0; k < NK; k++)
		for (int j = 0; j < NJ; j++)
			b[k][j] = (double)(k * (j + 2) % NJ) / NJ;
}

static void compute(double alpha, double beta, double c[NI][NJ], double a[NI][NK], double b[NK][NJ])
{
	for (int i = 0; i < NI; i++) {
		for (int j = 0; j < NJ; j++)
			c[i][j] *= beta;
		for (int k = 0; k < NK; k++)
			for (int j = 0; j < NJ; j++)
				c[i][j] += alpha * a[i][k] * b[k][j];
	}
}

void kernel_gemm(struct trial *t)
{
	double(*c)[NJ] = trial_array(t, sizeof(double[NI][NJ]));
	double(*a)[NK] = trial_array(t, sizeof(double[NI][NK]));
	double(*b)[NJ] = trial_array(t, sizeof(double[NK][NJ]));
	init(c, a, b);
	trial_begin(t);
	compute(1.5, 1.2, c, a, b);
	trial_end(t);
	trial_result(t, c, sizeof(double[NI][NJ]));
}
