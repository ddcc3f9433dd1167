/* correlation: Pearson's coefficients of the columns of a matrix. Data set LARGE. */
#include <math.h>

#include "kernel.h"

enum { M = SIZE(1200, 28), N = SIZE(1400, 32) };

static void init(double data[N][M])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < M; j++)
			data[i][j] = (double)(i * j) / M + i;
}

static void standardise(double data[N][M], double mean[M], double deviation[M])
{
	for (int j = 0; j < M; j++) {
		mean[j] = 0;
		for (int i = 0; i < N; i++)
			mean[j] += data[i][j];
		mean[j] /= N;
	}
	for (int j = 0; j < M; j++) {
		deviation[j] = 0;
		for (int i = 0; i < N; i++)
			deviation[j] += (data[i][j] - mean[j]) * (data[i][j] - mean[j]);
		deviation[j] = sqrt(deviation[j] / N);
		deviation[j] = deviation[j] <= 0.1 ? 1 : deviation[j];
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < M; j++) {
			data[i][j] -= mean[j];
			data[i][j] /= sqrt((double)N) * deviation[j];
		}
}

static void compute(double data[N][M], double mean[M], double deviation[M], double corr[M][M])
{
	standardise(data, mean, deviation);
	for (int i = 0; i < M - 1; i++) {
		corr[i][i] = 1;
		for (int j = i + 1; j < M; j++) {
			corr[i][j] = 0;
			for (int k = 0; k < N; k++)
				corr[i][j] += data[k][i] * data[k][j];
			corr[j][i] = corr[i][j];
		}
	}
	corr[M - 1][M - 1] = 1;
}

void kernel_correlation(struct trial *t)
{
	double(*data)[M] = trial_array(t, sizeof(double[N][M]));
	double *mean = trial_array(t, sizeof(double[M]));
	double *deviation = trial_array(t, sizeof(double[M]));
	double(*corr)[M] = trial_array(t, sizeof(double[M][M]));
	init(data);
	trial_begin(t);
	compute(data, mean, deviation, corr);
	trial_end(t);
	trial_result(t, corr, sizeof(double[M][M]));
}
