/*
 * The positive definite matrix that factorisations begin with: B B^T of a lower triangular B with ones on its
 * diagonal and 1 - j/n below. `b` is scratch. What is zero is left out of the sums, which changes no bit.
 */
#ifndef KERNELS_DEFINITE_H
#define KERNELS_DEFINITE_H

static inline void definite(int n, double a[n][n], double b[n][n])
{
	for (int i = 0; i < n; i++) {
		for (int j = 0; j < i; j++)
			b[i][j] = (double)(-j % n) / n + 1;
		b[i][i] = 1;
	}
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++) {
			double sum = 0;
			for (int k = 0; k <= j; k++)
				sum += b[i][k] * b[j][k];
			a[i][j] = a[j][i] = sum;
		}
}

#endif
