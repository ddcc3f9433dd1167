/* floyd-warshall: the shortest paths between all vertices of a graph. Data set MEDIUM. */
#include "kernel.h"

enum { N = SIZE(500, 60) };

static void init(int path[N][N])
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			int far = (i + j) % 13 == 0 || (i + j) % 7 == 0 || (i + j) % 11 == 0;
			path[i][j] = far ? 999 : i * j % 7 + 1;
		}
}

static void compute(int path[N][N])
{
	for (int k = 0; k < N; k++)
		for (int i = 0; i < N; i++)
			for (int j = 0; j < N; j++)
				path[i][j] = path[i][j] < path[i][k] + path[k][j] ? path[i][j]
				                                                  : path[i][k] + path[k][j];
}

void kernel_floyd_warshall(struct trial *t)
{
	int(*path)[N] = trial_array(t, sizeof(int[N][N]));
	init(path);
	trial_begin(t);
	compute(path);
	trial_end(t);
	trial_result(t, path, sizeof(int[N][N]));
}
