/* Are the changes of concurrent tasks merged, and those of commutative ones all made? The same natively. */
#include <cella/task.h>

#include <stdio.h>

enum { BINS = 4096, WRITERS = 200 };

CELLA_TASK(write_bin, CELLA_CONCURRENT(int, bins, BINS), CELLA_VALUE(int, at))
{
	bins[at * 17 % BINS] = at + 1;
}

CELLA_TASK(merge_in, CELLA_COMMUTATIVE(long, totals, 3), CELLA_VALUE(int, value))
{
	totals[0] += value;
	totals[1]++;
	totals[2] ^= (long)value * value;
}

CELLA_TASK(two_turns, CELLA_COMMUTATIVE(long, a, 3), CELLA_COMMUTATIVE(long, b, 3))
{
	a[0]++;
	b[0]++;
}

CELLA_TASK(check, CELLA_IN(const int, bins, BINS), CELLA_OUT(int, filled, 1))
{
	*filled = 0;
	for (int i = 0; i < BINS; i++)
		*filled += bins[i] != 0;
}

CELLA_TASK(clear_first, CELLA_INOUT(int, bins, BINS))
{
	bins[0] = 0;
}

static int bins[BINS], filled[3];
static long totals[3], others[3];

int main(void)
{
	for (int i = 0; i < WRITERS; i++)
		write_bin(bins, i);
	check(bins, &filled[0]);
	for (int i = 0; i < WRITERS; i++)
		write_bin(bins, WRITERS + i);
	check(bins, &filled[1]);
	clear_first(bins);
	check(bins, &filled[2]);
	for (int i = 0; i < WRITERS; i++) {
		merge_in(totals, i);
		if (i % 10 == 0)
			two_turns(others, totals);
	}
	for (int i = 0; i < 3; i++)
		cella_wait_on(&filled[i]);
	cella_wait_on(bins);
	cella_wait_on_unchanged(totals);
	cella_wait_on(others);
	printf("concurrent: %d %d %d, %d %d\n", filled[0], filled[1], filled[2], bins[17], bins[16]);
	printf("commutative: %ld %ld %ld, %ld\n", totals[0], totals[1], totals[2], others[0]);
	merge_in(totals, 1000);
	cella_wait_on(totals);
	printf("again: %ld %ld\n", totals[0], totals[1]);
	cella_barrier();
	return 0;
}
