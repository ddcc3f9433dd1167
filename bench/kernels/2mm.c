/* 2mm: D := alpha A B C + beta D. Data set LARGE. */
#include "kernel.h"

enum { NI = SIZE(800, 16), NJ = SIZE(900, 18), NK = SIZE(1100, 22), NL = SIZE(1200, 24) };

static void init(double a[NI][NK], double b[NK][NJ], double c[NJ][NL], double d[NI][NL])
{
	for (int i = 0; i < NI; i++)
		for (int k = 0; k < NK; k++)
			a[i][k] = (double)((i * k + 1) % NI) / NI;
	for (int k = 0; k < NK; k++)
		for (int j = 0; j < NJ; j++)
			b[k][j] = (double)(k * (j + 1) % NJ) / NJ;
	for (int j = 0; j < NJ; j++)
		for (int l = 0; l < NL; l++)
			c[j][l] = (double)((j * (l + 3) + 1) % NL) / NL;
	for (int i = 0; i < NI; i++)
		for (int l = 0; l < NL; l++)
			d[i][l] = (double)(i * (l + 2) % NK) / NK;
}

static void compute(double alpha, double beta, double ab[NI][NJ], double a[NI][NK], double b[NK][NJ],
                    double c[NJ][NL], double d[NI][NL])
{
	for (int i = 0; i < NI; i++)
		for (int j = 0; j < NJ; j++) {
			ab[i][j] = 0;
			for (int k = 0; k < NK; k++)
				ab[i][j] += alpha * a[i][k] * b[k][j];
		}
	for (int i = 0; i < NI; i++)
		for (int l = 0; l < NL; l++) {
			d[i][l] *= beta;
			for (int j = 0; j < NJ; j++)
				d[i][l] += ab[i][j] * c[j][l];
		}
}

void kernel_2mm(struct trial *t)
{
	double(*ab)[NJ] = trial_array(t, sizeof(double[NI][NJ]));
	double(*a)[NK] = trial_array(t, sizeof(double[NI][NK]));
	double(*b)[NJ] = trial_array(t, sizeof(double[NK][NJ]));
	double(*c)[NL] = trial_array(t, sizeof(double[NJ][NL]));
	double(*d)[NL] = trial_array(t, sizeof(double[NI][NL]));
	init(a, b, c, d);
	trial_begin(t);
	compute(1.5, 1.2, ab, a, b, c, d);
	trial_end(t);
	trial_result(t, d, sizeof(double[NI][NL]));
}
