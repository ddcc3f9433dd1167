/*
 * A task that its time-out ends. argv[1]: calls, it is anywhere in a chain of calls that is gone down and up
 * for ever; loop, in one function; text, in the C library, where a function that reads numbers realigns its
 * stack by gcc.
 */
#include <cella/task.h>

#include <stdlib.h>

static int words[64];
static volatile int sum;

/* Each may trap, and none is so small that it disappears in its caller. */
#define LINK(name, below)                                          \
	static __attribute__((noinline)) int name(int *at, int n)  \
	{                                                          \
		int before = *(volatile int *)(at + (n & 31));     \
		int after = below;                                 \
		*(volatile int *)(at + (after & 31)) = before + n; \
		return after + before;                             \
	}
LINK(fourth, n * 3 + 1)
LINK(third, fourth(at + 1, n + 1))
LINK(second, third(at + 1, n + 2))
LINK(first, second(at + 1, n + 3))

static __attribute__((noinline)) void calls(int *at)
{
	for (int n = 0;; n = first(at, n) & 7)
		sum++;
}

static __attribute__((noinline)) void loop(int *at)
{
	for (int n = 0;; n = *(volatile int *)(at + (n & 31)) + 1)
		sum++;
}

static __attribute__((noinline)) void text(int *at)
{
	char number[] = "0.12345678901234567890123456789012345678901";
	for (double value = 0;; value += strtod(number, NULL))
		number[3] = (char)('0' + ((int)value + *(volatile int *)at) % 10);
}

static __attribute__((noinline)) void outer(int how)
{
	if (how == 'c')
		calls(words);
	else if (how == 'l')
		loop(words);
	else
		text(words);
	sum++;
}

CELLA_TASK_WITH(endless, (.timeout_ms = 250, .on_failure = CELLA_ON_FAILURE_FAIL), CELLA_IN(int, how, 1))
{
	outer(*how);
}

int main(int argc, char **argv)
{
	int how = argc > 1 ? argv[1][0] : 0;
	endless(&how);
	cella_barrier();
	return 0;
}
