/* nussinov: the most base pairs that a strand of RNA can form with itself. Data set LARGE. */
#include "kernel.h"

enum { N = SIZE(2500, 60) };

static void init(char bases[N])
{
	for (int i = 0; i < N; i++)
		bases[i] = (char)((i + 1) % 4);
}

static int more(int a, int b)
{
	return a >= b ? a : b;
}

static void compute(char bases[N], int pairs[N][N])
{
	for (int i = N - 1; i >= 0; i--)
		for (int j = i + 1; j < N; j++) {
			pairs[i][j] = more(pairs[i][j], pairs[i][j - 1]);
			if (i + 1 < N) {
				int match = i < j - 1 && bases[i] + bases[j] == 3;
				pairs[i][j] = more(pairs[i][j], pairs[i + 1][j]);
				pairs[i][j] = more(pairs[i][j], pairs[i + 1][j - 1] + match);
			}
			for (int k = i + 1; k < j; k++)
				pairs[i][j] = more(pairs[i][j], pairs[i][k] + pairs[k + 1][j]);
		}
}

void kernel_nussinov(struct trial *t)
{
	char *bases = trial_array(t, N);
	int(*pairs)[N] = trial_array(t, sizeof(int[N][N]));
	init(bases);
	trial_begin(t);
	compute(bases, pairs);
	trial_end(t);
	trial_result(t, pairs, sizeof(int[N][N]));
}
