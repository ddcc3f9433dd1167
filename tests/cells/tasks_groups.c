/* Are groups waited for and cancelled, inner ones with outer ones? An empty directory /gate is given. */
#include <cella/error.h>
#include <cella/task.h>

#include <stdio.h>
#include <unistd.h>

CELLA_TASK(step, CELLA_INOUT(int, x, 1))
{
	++*x;
}

/* What comes after it is still waiting when the group is cancelled. */
CELLA_TASK(work, CELLA_INOUT(unsigned, x, 1))
{
	while (access("/gate/open", F_OK) != 0)
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
	FILE *gate = fopen("/gate/open", "w");
	if (!gate || fclose(gate) != 0)
		return;
	int dropped = cella_group_wait("dropped"), kept = cella_group_wait("kept");
	printf("cancelled some %d, dropped %d, kept %d\n", cancelled >= 49, dropped == CELLA_ECANCELED, kept);
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
