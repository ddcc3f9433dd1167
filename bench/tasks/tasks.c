/*
 * What tasks cost, measured by a program that submits them.
 *
 *     tasks throughput COUNT    COUNT independent empty tasks, then a barrier
 *     tasks latency COUNT       COUNT times: submit one task, wait for its result
 *     tasks chain COUNT         COUNT tasks, each on the result of the one before it
 *     tasks waiting COUNT       COUNT tasks behind one that sleeps: what the agent holds
 *
 * Prints lines NAME value unit.
 */
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CELLA_TASK(empty, CELLA_VALUE(uint32_t, number))
{
	(void)number;
}

CELLA_TASK(answer, CELLA_VALUE(uint32_t, number), CELLA_OUT(uint32_t, result, 1))
{
	*result = number;
}

CELLA_TASK(step, CELLA_INOUT(uint64_t, count, 1))
{
	++*count;
}

CELLA_TASK(gate, CELLA_VALUE(uint32_t, milliseconds), CELLA_OUT(uint32_t, opened, 1))
{
	struct timespec rest = {.tv_sec = milliseconds / 1000,
	                        .tv_nsec = (long)(milliseconds % 1000) * 1000000};
	nanosleep(&rest, NULL);
	*opened = 1;
}

CELLA_TASK(behind, CELLA_IN(const uint32_t, opened, 1))
{
	(void)opened;
}

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void throughput(uint32_t count)
{
	double start = seconds();
	for (uint32_t i = 0; i < count; i++)
		empty(i);
	cella_barrier();
	printf("throughput %.1f tasks/s\n", count / (seconds() - start));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void latency(uint32_t count)
{
	double *times = malloc(count * sizeof(*times));
	for (uint32_t i = 0; times && i < count; i++) {
		uint32_t result = 0;
		double start = seconds();
		answer(i, &result);
		cella_wait_on(&result);
		times[i] = (seconds() - start) * 1e6;
		if (result != i)
			cella_fail("task %u answered %u", (unsigned)i, (unsigned)result);
	}
	if (!times)
		return;
	qsort(times, count, sizeof(*times), by_value);
	printf("latency %.2f us\nlatency-p95 %.2f us\n", times[count / 2], times[count * 95ull / 100]);
	free(times);
}

static void chain(uint32_t count)
{
	uint64_t sum = 0;
	double start = seconds();
	for (uint32_t i = 0; i < count; i++)
		step(&sum);
	cella_wait_on(&sum);
	if (sum != count)
		cella_fail("a chain of %u tasks counted to %llu", (unsigned)count, (unsigned long long)sum);
	printf("chain %.1f tasks/s\n", count / (seconds() - start));
}

static void waiting(uint32_t count)
{
	uint32_t opened = 0;
	gate(3000 + count / 25, &opened);
	double start = seconds();
	for (uint32_t i = 0; i < count; i++)
		behind(&opened);
	printf("submitted %.1f tasks/s\n", count / (seconds() - start));
	fflush(stdout);
	cella_barrier();
}

int main(int argc, char **argv)
{
	uint32_t count = argc == 3 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	if (count && strcmp(argv[1], "throughput") == 0)
		throughput(count);
	else if (count && strcmp(argv[1], "latency") == 0)
		latency(count);
	else if (count && strcmp(argv[1], "chain") == 0)
		chain(count);
	else if (count && strcmp(argv[1], "waiting") == 0)
		waiting(count);
	else {
		fprintf(stderr, "usage: tasks throughput|latency|chain|waiting COUNT\n");
		return 2;
	}
	return 0;
}
