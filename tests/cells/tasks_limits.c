/*
 * Are a task's options kept? argv[1]: time-out, doze, sleep, notify, nested-time-out, priority (with one
 * executor, and an empty directory /gate), impossible, units.
 */
#include <cella/task.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TASKS = 12 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A loop that does nothing else is optimised away: volatile is unknown to WebAssembly. */
static void be_busy(double seconds)
{
	for (double end = now() + seconds; now() < end;)
		continue;
}

CELLA_TASK_WITH(spin, (.timeout_ms = 50, .retries = 1), CELLA_INOUT(unsigned, x, 1))
{
	be_busy(10);
	*x = 1;
}

/* The C library does not know that time is short. */
CELLA_TASK_WITH(doze, (.timeout_ms = 1000, .on_failure = CELLA_ON_FAILURE_FAIL), CELLA_INOUT(unsigned, x, 1))
{
	struct timespec rest = {.tv_nsec = 300 * 1000 * 1000};
	for (int i = 0; i < 100; i++)
		nanosleep(&rest, NULL);
	*x = 1;
}

CELLA_TASK_WITH(sleep_long, (.timeout_ms = 1000, .on_failure = CELLA_ON_FAILURE_FAIL),
                CELLA_INOUT(unsigned, x, 1))
{
	struct timespec rest = {.tv_sec = 10};
	nanosleep(&rest, NULL);
	*x = 1;
}

/* Nobody is there to notify it. */
__attribute__((target("atomics"))) static int wait_at(int *word)
{
	return __builtin_wasm_memory_atomic_wait32(word, 0, -1);
}

CELLA_TASK_WITH(wait_for_nobody, (.timeout_ms = 1000, .on_failure = CELLA_ON_FAILURE_FAIL),
                CELLA_INOUT(unsigned, x, 1))
{
	static int word;
	*x = (unsigned)wait_at(&word);
}

CELLA_TASK(slow, CELLA_INOUT(unsigned, x, 1))
{
	be_busy(0.3);
	*x = 1;
}

CELLA_TASK_WITH(wait_long, (.timeout_ms = 50, .on_failure = CELLA_ON_FAILURE_FAIL),
                CELLA_INOUT(unsigned, x, 1))
{
	slow(x);
	cella_wait_on(x);
}

CELLA_TASK(block, CELLA_OUT(unsigned, x, 1))
{
	while (access("/gate/open", F_OK) != 0)
		continue;
	*x = 1;
}

CELLA_TASK(low, CELLA_OUT(double, when, 1))
{
	*when = now();
}

CELLA_TASK_WITH(high, (.priority = 10), CELLA_OUT(double, when, 1))
{
	*when = now();
}

CELLA_TASK_WITH(vast, (.memory = (uint64_t)1 << 50), CELLA_OUT(int, x, 1))
{
	*x = 1;
}

CELLA_TASK_WITH(wide, (.computing_units = 2), CELLA_OUT(int, x, 1))
{
	*x = 2;
}

/* While one task keeps the executor busy, others gather: when a later one is known to be cancelled they all
 * have. Then those with priority come first. */
static int priority(void)
{
	double when[TASKS], never;
	int place[TASKS] = {0};
	unsigned busy;
	block(&busy);
	for (int i = 0; i < TASKS; i++)
		(i % 2 ? high : low)(&when[i]);
	cella_group_begin("last");
	low(&never);
	cella_group_end();
	if (cella_group_cancel("last") != 1)
		return 1;
	FILE *gate = fopen("/gate/open", "w");
	if (!gate || fclose(gate) != 0)
		return 1;
	for (int i = 0; i < TASKS; i++)
		cella_wait_on(&when[i]);
	for (int i = 0; i < TASKS; i++)
		for (int j = 0; j < TASKS; j++)
			place[i] += when[j] < when[i];
	for (int i = 0; i < TASKS; i++)
		printf("%d ", place[i]);
	printf("\n");
	return 0;
}

int main(int argc, char **argv)
{
	unsigned x = 0;
	int y = 0;
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "priority") == 0)
		return priority();
	if (strcmp(what, "time-out") == 0)
		spin(&x);
	else if (strcmp(what, "nested-time-out") == 0)
		wait_long(&x);
	else if (strcmp(what, "doze") == 0)
		doze(&x);
	else if (strcmp(what, "sleep") == 0)
		sleep_long(&x);
	else if (strcmp(what, "notify") == 0)
		wait_for_nobody(&x);
	else if (strcmp(what, "impossible") == 0)
		vast(&y);
	else if (strcmp(what, "units") == 0)
		wide(&y);
	else
		return 2;
	cella_wait_on(&y);
	cella_barrier();
	printf("%d\n", y);
	return 0;
}
