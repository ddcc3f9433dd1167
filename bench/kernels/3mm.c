/* 3mm: G := (A B) (C D). Data set LARGE. */
#include "kernel.h"

enum {
	NI = SIZE(800, 16),
	NJ = SIZE(900, 18),
	NK = SIZE(1000, 20),
	NL = SIZE(1100, 22),
	NM = SIZE(1200, 24),
};

static void init(double a[NI][NK], double b[NK][NJ], double c[NJ][NM], double d[NM][NL])
{
	for (int i = 0; i < NI; i++)
		for (int k = 0; k < NK; k++)
			a[i][k] = (double)((i * k + 1) % NI) / (5 * NI);
	for (int k = 0; k < NK; k++)
		for (int j = 0; j < NJ; j++)
			b[k][j] = (double)((k * (j + 1) + 2) % NJ) / (5 * NJ);
	for (int j = 0; j < NJ; j++)
		for (int m = 0; m < NM; m++)
			c[j][m] = (double)(j * (m + 3) % NL) / (5 * NL);
	for (int m = 0; m < NM; m++)
		for (int l = 0; l < NL; l++)
			d[m][l] = (double)((m * (l + 2) + 2) % NK) / (5 * NK);
}

static void compute(double ab[NI][NJ], double a[NI][NK], double b[NK][NJ], double cd[NJ][NL],
                    double c[NJ][NM], double d[NM][NL], double g[NI][NL])
{
	for (int i = 0; i < NI; i++)
		for (int j = 0; j < NJ; j++) {
			ab[i][j] = 0;
			for (int k = 0; k < NK; k++)
				ab[i][j] += a[i][k] * b[k][j];
		}
	for (int j = 0; j < NJ; j++)
		for (int l = 0; l < NL; l++) {
			cd[j][l] = 0;
			for (int m = 0; m < NM; m++)
				cd[j][l] += c[j][m] * d[m][l];
		}
	for (int i = 0; i < NI; i++)
		for (int l = 0; l < NL; l++) {
			g[i][l] = 0;
			for (int j = 0; j < NJ; j++)
				g[i][l] += ab[i][j] * cd[j][l];
		}
}

void kernel_3mm(struct trial *t)
{
	double(*ab)[NJ] = trial_array(t, sizeof(double[NI][NJ]));
	double(*a)[NK] = trial_array(t, sizeof(double[NI][NK]));
	double(*b)[NJ] = trial_array(t, sizeof(double[NK][NJ]));
	double(*cd)[NL] = trial_array(t, sizeof(double[NJ][NL]));
	double(*c)[NM] = trial_array(t, sizeof(double[NJ][NM]));
	double(*d)[NL] = trial_array(t, sizeof(double[NM][NL]));
	double(*g)[NL] = trial_array(t, sizeof(double[NI][NL]));
	init(a, b, c, d);
	trial_begin(t);
	compute(ab, a, b, cd, c, d, g);
	trial_end(t);
	trial_result(t, g, sizeof(double[NI][NL]));
}
