/* Do collections, nested ones too, arrive as the arrays of pointers that they are? The same natively. */
#include <cella/task.h>

#include <inttypes.h>
#include <stdio.h>

enum { BLOCKS = 4, SIDE = 8 };

CELLA_TASK(fill, CELLA_OUT_EACH(int, rows, n, cella_i + 1), CELLA_VALUE(int, n), CELLA_VALUE(int, start))
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
			rows[i][j] = start + 10 * i + j;
}

CELLA_TASK(gather, CELLA_IN_EACH(const int, rows, n, cella_i + 1), CELLA_VALUE(int, n),
           CELLA_OUT(uint64_t, sum, 1))
{
	*sum = 0;
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
			*sum = *sum * 31 + (uint64_t)rows[i][j];
}

CELLA_TASK(bump, CELLA_INOUT_EACH(int, rows, n, cella_i + 1), CELLA_VALUE(int, n))
{
	for (int i = 0; i < n; i++)
		rows[i][i]++;
}

typedef double block[SIDE][SIDE];

CELLA_TASK(start, CELLA_OUT(double, x, SIDE *SIDE), CELLA_VALUE(int, i), CELLA_VALUE(int, j))
{
	for (int k = 0; k < SIDE * SIDE; k++)
		x[k] = (i + 1) * 0.5 + (j + 1) * 0.25 + k % 5;
}

/* A row of blocks times a column of blocks. */
CELLA_TASK(dot, CELLA_IN_EACH(const double, a, BLOCKS, SIDE *SIDE),
           CELLA_IN_EACH(const double, b, BLOCKS, SIDE *SIDE), CELLA_OUT(double, c, SIDE *SIDE))
{
	for (int k = 0; k < SIDE * SIDE; k++)
		c[k] = 0;
	for (int block = 0; block < BLOCKS; block++)
		for (int i = 0; i < SIDE; i++)
			for (int j = 0; j < SIDE; j++)
				for (int k = 0; k < SIDE; k++)
					c[i * SIDE + j] += a[block][i * SIDE + k] * b[block][k * SIDE + j];
}

CELLA_TASK(trace, CELLA_IN_EACH2(const double, m, BLOCKS, BLOCKS, SIDE *SIDE), CELLA_OUT(double, sum, 1))
{
	*sum = 0;
	for (int i = 0; i < BLOCKS; i++)
		for (int k = 0; k < SIDE; k++)
			*sum += m[i][i][k * SIDE + k];
}

CELLA_TASK(mirror, CELLA_INOUT_EACH2(double, m, BLOCKS, BLOCKS, SIDE *SIDE))
{
	for (int i = 0; i < BLOCKS; i++)
		for (int j = 0; j < i; j++)
			for (int k = 0; k < SIDE * SIDE; k++) {
				double t = m[i][j][k];
				m[i][j][k] = m[j][i][k];
				m[j][i][k] = t;
			}
}

static void triangle(void)
{
	static int storage[10][10];
	int *rows[10];
	uint64_t sum, more;
	for (int i = 0; i < 10; i++)
		rows[i] = storage[i];
	fill(rows, 10, 3);
	gather((const int **)rows, 10, &sum);
	bump(rows, 7);
	gather((const int **)rows, 10, &more);
	cella_wait_on(&sum);
	cella_wait_on(&more);
	cella_wait_on(rows[6]);
	printf("triangle: %" PRIu64 " %" PRIu64 " %d\n", sum, more, storage[6][6]);
	cella_barrier();
	for (int i = 0; i < 10; i++)
		cella_forget(rows[i]);
}

static void matrices(void)
{
	static double a[BLOCKS][BLOCKS][SIDE * SIDE], b[BLOCKS][BLOCKS][SIDE * SIDE],
		c[BLOCKS][BLOCKS][SIDE * SIDE];
	double *rows[BLOCKS][BLOCKS], **nested[BLOCKS], sum;
	for (int i = 0; i < BLOCKS; i++)
		for (int j = 0; j < BLOCKS; j++) {
			start(a[i][j], i, j);
			start(b[i][j], j, i + 2);
			rows[i][j] = c[i][j];
		}
	for (int i = 0; i < BLOCKS; i++) {
		nested[i] = rows[i];
		for (int j = 0; j < BLOCKS; j++) {
			const double *row[BLOCKS], *column[BLOCKS];
			for (int k = 0; k < BLOCKS; k++) {
				row[k] = a[i][k];
				column[k] = b[k][j];
			}
			dot(row, column, c[i][j]);
		}
	}
	mirror(nested);
	trace((const double ***)nested, &sum);
	cella_wait_on(&sum);
	cella_wait_on(c[0][BLOCKS - 1]);
	printf("matrices: %.6f %.6f\n", sum, c[0][BLOCKS - 1][5]);
}

int main(void)
{
	triangle();
	matrices();
	cella_barrier();
	return 0;
}
