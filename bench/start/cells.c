/*
 * What a new cell costs in an executor that runs: a task that exits spends its instance, and the
 * executor makes another one. Prints, as medians of many rounds, what such a task and the next one take
 * together, and what two tasks take that spend nothing: the difference holds the end of the old cell, the
 * report of its failure, and the new cell.
 */
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 200 };

CELLA_TASK_WITH(spend, (.on_failure = CELLA_ON_FAILURE_IGNORE), CELLA_OUT(uint32_t, done, 1))
{
	*done = 1;
	exit(1);
}

CELLA_TASK(answer, CELLA_OUT(uint32_t, done, 1))
{
	*done = 1;
}

static double microseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return 1e6 * (double)now.tv_sec + 1e-3 * (double)now.tv_nsec;
}

static double timed_pair(int spending)
{
	uint32_t done = 0;
	double start = microseconds();
	if (spending)
		spend(&done);
	else
		answer(&done);
	cella_wait_on(&done);
	answer(&done);
	cella_wait_on(&done);
	return microseconds() - start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(void)
{
	static double fresh[ROUNDS], warm[ROUNDS];
	for (int i = 0; i < ROUNDS; i++) {
		fresh[i] = timed_pair(1);
		warm[i] = timed_pair(0);
	}
	qsort(fresh, ROUNDS, sizeof(fresh[0]), by_value);
	qsort(warm, ROUNDS, sizeof(warm[0]), by_value);
	printf("fresh %.2f us\nwarm %.2f us\n", fresh[ROUNDS / 2], warm[ROUNDS / 2]);
	return 0;
}
