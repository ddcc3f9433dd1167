/*
 * adi: two-dimensional heat diffusion by the alternating direction implicit method: each step solves the
 * tridiagonal systems of all columns, then of all rows, forwards for p and q and backwards for the values.
 * Data set MEDIUM.
 */
#include "kernel.h"

enum { STEPS = SIZE(100, 20), N = SIZE(200, 20) };

static void init(double u[N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++)
			u[i][j] = (double)(i + N - j) / N;
}

static void sweep_columns(double a, double b, double c, double d, double f, double u[N][N], double v[N][N],
                          double p[N][N], double q[N][N])
{
	for (int i = 1; i < N - 1; i++) {
		v[0][i] = 1;
		p[i][0] = 0;
		q[i][0] = v[0][i];
		for (int j = 1; j < N - 1; j++) {
			p[i][j] = -c / (a * p[i][j - 1] + b);
			q[i][j] = (-d * u[j][i - 1] + (1 + 2 * d) * u[j][i] - f * u[j][i + 1] -
			           a * q[i][j - 1]) /
			          (a * p[i][j - 1] + b);
		}
		v[N - 1][i] = 1;
		for (int j = N - 2; j >= 1; j--)
			v[j][i] = p[i][j] * v[j + 1][i] + q[i][j];
	}
}

static void sweep_rows(double a, double c, double d, double e, double f, double u[N][N], double v[N][N],
                       double p[N][N], double q[N][N])
{
	for (int i = 1; i < N - 1; i++) {
		u[i][0] = 1;
		p[i][0] = 0;
		q[i][0] = u[i][0];
		for (int j = 1; j < N - 1; j++) {
			p[i][j] = -f / (d * p[i][j - 1] + e);
			q[i][j] = (-a * v[i - 1][j] + (1 + 2 * a) * v[i][j] - c * v[i + 1][j] -
			           d * q[i][j - 1]) /
			          (d * p[i][j - 1] + e);
		}
		u[i][N - 1] = 1;
		for (int j = N - 2; j >= 1; j--)
			u[i][j] = p[i][j] * u[i][j + 1] + q[i][j];
	}
}

static void compute(double u[N][N], double v[N][N], double p[N][N], double q[N][N])
{
	double dx = 1.0 / N, dy = 1.0 / N, dt = 1.0 / STEPS;
	double along = 2 * dt / (dx * dx), across = dt / (dy * dy);
	double a = -along / 2, b = 1 + along, d = -across / 2, e = 1 + across;
	for (int step = 1; step <= STEPS; step++) {
		sweep_columns(a, b, a, d, d, u, v, p, q);
		sweep_rows(a, a, d, e, d, u, v, p, q);
	}
}

void kernel_adi(struct trial *t)
{
	double(*u)[N] = trial_array(t, sizeof(double[N][N]));
	double(*v)[N] = trial_array(t, sizeof(double[N][N]));
	double(*p)[N] = trial_array(t, sizeof(double[N][N]));
	double(*q)[N] = trial_array(t, sizeof(double[N][N]));
	init(u);
	trial_begin(t);
	compute(u, v, p, q);
	trial_end(t);
	trial_result(t, u, sizeof(double[N][N]));
}
