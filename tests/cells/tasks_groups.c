/* Are groups waited for and cancelled, inner ones with outer ones? */
#include <cella/error.h>
#include <cella/task.h>

#include <stdio.h>
#include <time.h>

CELLA_TASK(step, CELLA_INOUT(int, x, 1))
{
	++*x;
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Long enough that what comes after it is still waiting when the group is cancelled. */
CELLA_TASK(work, CELLA_INOUT(unsigned, x, 1))
{
	for (double end = now() + 0.02; now() < end;)
		++*x;
}

static void wait_for_groups(void)
{
	int a = 0, b = 0, c = 0;
	cella_group_begin("outer");
	step(&a);
	cella_group_begin("inner");
	for (int i = 0; i < 100; i++)
		step(&b);
	cella_group_end();
	step(&a);
	cella_group_end();
	step(&c);
	int inner = cella_group_wait("inner"), outer = cella_group_wait("outer");
	printf("inner %d, outer %d, nobody %d\n", inner, outer, cella_group_wait("nobody") == CELLA_ENOENT);
	cella_group_begin("inner");
	step(&b);
	cella_group_end();
	printf("inner again %d\n", cella_group_wait("inner"));
	cella_wait_on(&a);
	cella_wait_on(&b);
	cella_wait_on(&c);
	printf("%d %d %d\n", a, b, c);
}

static void cancel_a_group(void)
{
	unsigned x = 1;
	int y = 1;
	cella_group_begin("kept");
	step(&y);
	cella_group_end();
	cella_group_begin("dropped");
	for (int i = 0; i < 50; i++)
		work(&x);
	cella_group_end();
	int cancelled = cella_group_cancel("dropped");
	int dropped = cella_group_wait("dropped"), kept = cella_group_wait("kept");
	printf("cancelled some %d, dropped %d, kept %d\n", cancelled > 10, dropped == CELLA_ECANCELED, kept);
	int x_status = cella_wait_on(&x), y_status = cella_wait_on(&y);
	printf("%d %u, %d %d\n", x_status == CELLA_ECANCELED, x, y_status, y);
	printf("nobody %d\n", cella_group_cancel("nobody") == CELLA_ENOENT);
}

int main(void)
{
	wait_for_groups();
	cancel_a_group();
	cella_barrier();
	return 0;
}
