/* Ends in the way that its argument names. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile int zero;
static volatile int least = INT32_MIN;
static void *volatile pointer = (void *)puts;

static __attribute__((noinline)) int innermost(const char *how)
{
	volatile char *wild = (volatile char *)(uintptr_t)0xfffffff0u;
	volatile float huge = 1e30f;
	if (strcmp(how, "memory") == 0)
		return *wild;
	if (strcmp(how, "unreachable") == 0)
		__builtin_trap();
	if (strcmp(how, "divide") == 0)
		return (least + 7) / zero;
	if (strcmp(how, "overflow") == 0)
		return least / (zero - 1);
	if (strcmp(how, "pointer") == 0)
		return ((int (*)(void))(uintptr_t)(999 + zero))();
	if (strcmp(how, "signature") == 0)
		return ((int (*)(double, double))(uintptr_t)pointer)(huge, 1);
	return 0;
}

static __attribute__((noinline)) int middle(const char *how)
{
	return innermost(how) + 1;
}

/* Of those that call nothing gcc keeps a frame pointer in some only. */
static __attribute__((noinline)) int leaf(int n)
{
	volatile char *wild = (volatile char *)(uintptr_t)0xfffffff0u;
	return *wild + n;
}

static __attribute__((noinline)) int above(int n)
{
	return leaf(n) + 1;
}

/* Of the processor's stack, with nothing in the linear memory. */
static __attribute__((noinline)) int deep(int n)
{
	static volatile int one = 1;
	int below = deep(n + one);
	return below + one;
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	printf("before\n");
	fflush(stdout);
	if (strcmp(how, "exit") == 0)
		exit(42);
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "stack") == 0)
		return deep(0);
	if (strcmp(how, "leaf") == 0)
		return above(argc);
	int value = middle(how);
	printf("after %d\n", value);
	return 7;
}
