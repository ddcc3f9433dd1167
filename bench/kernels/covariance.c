/* covariance: of the columns of a matrix. Data set LARGE. */
#include "kernel.h"

enum { M = SIZE(1200, 28), N = SIZE(1400, 32) };

static void init(double data[N][M])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < M; j++)
			data[i][j] = (double)i * j / M;
}

static void compute(double data[N][M], double mean[M], double cov[M][M])
{
	for (int j = 0; j < M; j++) {
		mean[j] = 0;
		for (int i = 0; i < N; i++)
			mean[j] += data[i][j];
		mean[j] /= N;
	}
	for (int i = 0; i < N; i++)
		for (int j = 0; j < M; j++)
			data[i][j] -= mean[j];
	for (int i = 0; i < M; i++)
		for (int j = i; j < M; j++) {
			cov[i][j] = 0;
			for (int k = 0; k < N; k++)
				cov[i][j] += data[k][i] * data[k][j];
			cov[i][j] /= N - 1.0;
			cov[j][i] = cov[i][j];
		}
}

void kernel_covariance(struct trial *t)
{
	double(*data)[M] = trial_array(t, sizeof(double[N][M]));
	double *mean = trial_array(t, sizeof(double[M]));
	double(*cov)[M] = trial_array(t, sizeof(double[M][M]));
	init(data);
	trial_begin(t);
	compute(data, mean, cov);
	trial_end(t);
	trial_result(t, cov, sizeof(double[M][M]));
}
