/* Do tasks that call tasks end when these have, with what these made? The same natively. */
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>

CELLA_TASK(fibonacci, CELLA_VALUE(int, n), CELLA_OUT(long, result, 1))
{
	long a = 0, b = 0;
	*result = n;
	if (n < 2)
		return;
	fibonacci(n - 1, &a);
	fibonacci(n - 2, &b);
	cella_wait_on(&a);
	cella_wait_on(&b);
	*result = a + b;
}

/* Quick sort that hands its halves to tasks and waits for nothing: its result is what they leave. */
CELLA_TASK(sort, CELLA_INOUT(int, x, n), CELLA_VALUE(size_t, n))
{
	if (n < 2)
		return;
	int pivot = x[(n - 1) / 2];
	size_t low = 0, high = n - 1;
	for (;;) {
		while (x[low] < pivot)
			low++;
		while (x[high] > pivot)
			high--;
		if (low >= high)
			break;
		int t = x[low];
		x[low++] = x[high];
		x[high--] = t;
	}
	size_t half = high + 1;
	sort(x, half);
	sort(x + half, n - half);
}

CELLA_TASK(twice, CELLA_INOUT(double, x, 4))
{
	for (int i = 0; i < 4; i++)
		x[i] *= 2;
}

/* The child's version of the whole buffer comes back without a wait. */
CELLA_TASK(four_times, CELLA_INOUT(double, x, 4))
{
	twice(x);
	twice(x);
}

CELLA_TASK(add_up, CELLA_COMMUTATIVE(long, sum, 1), CELLA_VALUE(int, value))
{
	*sum += value;
}

CELLA_TASK(spread, CELLA_OUT(long, sum, 1), CELLA_VALUE(int, n))
{
	*sum = 0;
	for (int i = 1; i <= n; i++)
		add_up(sum, i);
}

/* As deep as tasks may nest, and none waits itself. */
CELLA_TASK(dig, CELLA_INOUT(long, depth, 1), CELLA_VALUE(int, left))
{
	if (left > 0)
		dig(depth, left - 1);
	else
		*depth = 64;
}

CELLA_TASK(count, CELLA_COMMUTATIVE(long, sum, 1))
{
	*sum += 1;
}

/* Looks like a task that calls none, until many of its like are on their way. */
CELLA_TASK(late, CELLA_COMMUTATIVE(long, sum, 1), CELLA_VALUE(int, i))
{
	long own = 0;
	if (i >= 20) {
		count(&own);
		cella_wait_on(&own);
	}
	*sum += 1 + own;
}

int main(void)
{
	static int numbers[100];
	long result = 0, sum = 0, depth = 0, lates = 0;
	double x[4] = {1, 2, 3, 4};
	unsigned seed = 1;
	fibonacci(9, &result);
	for (int i = 0; i < 100; i++) {
		seed = seed * 1103515245u + 12345u;
		numbers[i] = (int)(seed >> 16 & 0xfff);
	}
	sort(numbers, 100);
	four_times(x);
	spread(&sum, 50);
	cella_wait_on(&result);
	cella_wait_on(numbers);
	cella_wait_on(x);
	cella_wait_on(&sum);
	printf("fibonacci: %ld\n", result);
	int wrong = 0;
	for (int i = 1; i < 100; i++)
		wrong += numbers[i - 1] > numbers[i];
	printf("sort: %d wrong, first %d, last %d\n", wrong, numbers[0], numbers[99]);
	dig(&depth, 63);
	for (int i = 0; i < 300; i++)
		late(&lates, i);
	cella_wait_on(&depth);
	cella_wait_on(&lates);
	printf("depth: %ld, late: %ld\n", depth, lates);
	printf("four times: %g %g; spread: %ld\n", x[0], x[3], sum);
	return 0;
}
