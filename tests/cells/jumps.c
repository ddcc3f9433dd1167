/* setjmp and longjmp (integration/exceptions): each line says where control came out. With an argument, at
 * the end a jump to a function that has returned. */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

static jmp_buf outer, inner;

static void dive(int depth, jmp_buf to, int value)
{
	volatile char frame[64] = {(char)depth};
	if (depth == 0)
		longjmp(to, value);
	dive(depth - 1, to, value);
	frame[1] = frame[0];
}

static int returned_value(int value)
{
	int got = setjmp(outer);
	if (got == 0)
		dive(10, outer, value);
	return got;
}

static void volatile_local(void)
{
	volatile int kept = 1;
	int round = setjmp(inner);
	if (round < 3) {
		kept += 10;
		longjmp(inner, round + 1);
	}
	printf("round %d, kept %d\n", round, kept);
}

static void nested(void)
{
	if (setjmp(outer) == 0) {
		if (setjmp(inner) == 0)
			dive(3, inner, 1);
		puts("inner");
		dive(3, outer, 2);
		puts("never");
	}
	puts("outer");
}

static int compare(const void *a, const void *b)
{
	(void)a;
	(void)b;
	longjmp(outer, 77);
}

static void through_the_library(void)
{
	int values[] = {3, 2, 1};
	int got = setjmp(outer);
	if (got == 0)
		qsort(values, 3, sizeof(values[0]), compare);
	printf("from qsort %d, values %d %d %d\n", got, values[0], values[1], values[2]);
}

static void in_a_loop(void)
{
	for (volatile int i = 0; i < 3; i++) {
		jmp_buf here;
		switch (setjmp(here)) {
		case 0: longjmp(here, i + 1);
		case 1: printf("one "); break;
		case 2: printf("two "); break;
		default: printf("more\n");
		}
	}
}

static __attribute__((noinline)) void set_and_return(void)
{
	if (setjmp(inner) == 0)
		puts("set");
}

int main(int argc, char **argv)
{
	(void)argv;
	printf("value %d, zero becomes %d\n", returned_value(5), returned_value(0));
	volatile_local();
	nested();
	through_the_library();
	in_a_loop();
	if (argc > 1) {
		set_and_return();
		fflush(stdout);
		longjmp(inner, 1);
	}
	return 0;
}
