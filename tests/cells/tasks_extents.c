/* Tasks whose outputs do not end where an extent of the store does. */
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 10, FIRST = 150000, SECOND = 200000 };

CELLA_TASK(fill, CELLA_OUT(unsigned char, first, FIRST), CELLA_OUT(unsigned char, second, SECOND),
           CELLA_VALUE(int, number))
{
	memset(first, number, FIRST);
	memset(second, number + 1, SECOND);
}

static long count(const unsigned char *bytes, long size, unsigned char value)
{
	long n = 0;
	for (long i = 0; i < size; i++)
		n += bytes[i] == value;
	return n;
}

int main(void)
{
	static unsigned char first[TASKS][FIRST], second[TASKS][SECOND];
	long right = 0;
	for (int i = 0; i < TASKS; i++)
		fill(first[i], second[i], i);
	for (int i = 0; i < TASKS; i++) {
		if (cella_wait_on(first[i]) != 0 || cella_wait_on(second[i]) != 0)
			return EXIT_FAILURE;
		right += count(first[i], FIRST, (unsigned char)i);
		right += count(second[i], SECOND, (unsigned char)(i + 1));
	}
	printf("%d tasks, %ld bytes\n", TASKS, right);
	return 0;
}
