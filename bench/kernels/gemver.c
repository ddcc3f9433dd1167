/* gemver: A := A + u1 v1^T + u2 v2^T, x := beta A^T y + z, w := alpha A x. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(2000, 40) };

struct vectors {
	double *u1, *v1, *u2, *v2, *w, *x, *y, *z;
};

static void init(double a[N][N], const struct vectors *v)
{
	for (int i = 0; i < N; i++) {
		double part = (i + 1) / (double)N;
		v->u1[i] = i;
		v->u2[i] = part / 2;
		v->v1[i] = part / 4;
		v->v2[i] = part / 6;
		v->y[i] = part / 8;
		v->z[i] = part / 9;
		v->x[i] = v->w[i] = 0;
		for (int j = 0; j < N; j++)
			a[i][j] = (double)(i * j % N) / N;
	}
}

static void compute(double alpha, double beta, double a[N][N], double u1[N], double v1[N], double u2[N],
                    double v2[N], double w[N], double x[N], double y[N], double z[N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			a[i][j] = a[i][j] + u1[i] * v1[j] + u2[i] * v2[j];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			x[i] = x[i] + beta * a[j][i] * y[j];
	for (int i = 0; i < N; i++)
		x[i] = x[i] + z[i];
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			w[i] = w[i] + alpha * a[i][j] * x[j];
}

void kernel_gemver(struct trial *t)
{
	double(*a)[N] = trial_array(t, sizeof(double[N][N]));
	struct vectors v;
	double **const all[] = {&v.u1, &v.v1, &v.u2, &v.v2, &v.w, &v.x, &v.y, &v.z};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		*all[i] = trial_array(t, sizeof(double[N]));
	init(a, &v);
	trial_begin(t);
	compute(1.5, 1.2, a, v.u1, v.v1, v.u2, v.v2, v.w, v.x, v.y, v.z);
	trial_end(t);
	trial_result(t, v.w, sizeof(double[N]));
}
