/* durbin: the Yule-Walker equations solved by Durbin's recursion. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(2000, 40) };

static void init(double r[N])
{
	for (int i = 0; i < N; i++)
		r[i] = N + 1 - i;
}

static void compute(double r[N], double y[N], double z[N])
{
	double alpha = -r[0], beta = 1;
	y[0] = -r[0];
	for (int k = 1; k < N; k++) {
		double sum = 0;
		beta = (1 - alpha * alpha) * beta;
		for (int i = 0; i < k; i++)
			sum += r[k - i - 1] * y[i];
		alpha = -(r[k] + sum) / beta;
		for (int i = 0; i < k; i++)
			z[i] = y[i] + alpha * y[k - i - 1];
		for (int i = 0; i < k; i++)
			y[i] = z[i];
		y[k] = alpha;
	}
}

void kernel_durbin(struct trial *t)
{
	double *r = trial_array(t, sizeof(double[N]));
	double *y = trial_array(t, sizeof(double[N]));
	double *z = trial_array(t, sizeof(double[N]));
	init(r);
	trial_begin(t);
	compute(r, y, z);
	trial_end(t);
	trial_result(t, y, sizeof(double[N]));
}
