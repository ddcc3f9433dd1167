/*
 * Are a task's options kept? argv[1]: time-out, nested-time-out, priority (with one executor),
 * impossible, units.
 */
#include <cella/task.h>

#include <stdio.h>
#include <string.h>

enum { TASKS = 12 };

CELLA_TASK_WITH(spin, (.timeout_ms = 50, .retries = 1), CELLA_INOUT(unsigned, x, 1))
{
	while (*(volatile unsigned *)x != 1)
		continue;
}

CELLA_TASK(never, CELLA_INOUT(unsigned, x, 1))
{
	for (unsigned i = 0; i < 4000000000u; i++)
		*(volatile unsigned *)x = i;
}

CELLA_TASK_WITH(wait_long, (.timeout_ms = 50, .on_failure = CELLA_ON_FAILURE_FAIL),
                CELLA_INOUT(unsigned, x, 1))
{
	never(x);
	cella_wait_on(x);
}

CELLA_TASK(block, CELLA_OUT(unsigned, x, 1))
{
	for (int i = 0; i < 100000000; i++)
		*x = *x * 1664525u + 1013904223u;
}

static void note(int *order, int who)
{
	order[++order[0]] = who;
}

CELLA_TASK(low, CELLA_COMMUTATIVE(int, order, TASKS + 1), CELLA_VALUE(int, who))
{
	note(order, who);
}

CELLA_TASK_WITH(high, (.priority = 10), CELLA_COMMUTATIVE(int, order, TASKS + 1), CELLA_VALUE(int, who))
{
	note(order, who);
}

CELLA_TASK_WITH(vast, (.memory = (uint64_t)1 << 50), CELLA_OUT(int, x, 1))
{
	*x = 1;
}

CELLA_TASK_WITH(wide, (.computing_units = 2), CELLA_OUT(int, x, 1))
{
	*x = 2;
}

/* While one task keeps the executor busy, others gather; then those with priority come first. */
static int priority(void)
{
	int order[TASKS + 1] = {0};
	unsigned busy;
	block(&busy);
	for (int i = 0; i < TASKS; i++)
		(i % 2 ? high : low)(order, i);
	cella_wait_on(order);
	for (int i = 1; i <= TASKS; i++)
		printf("%d ", order[i]);
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
