/*
 * chatty COUNT STEPS FILE: COUNT tasks (at most 256) that each compute for a while; says as each one ends
 * which it was, every fourth time with a line's end, and looks at FILE before each.
 */
#include <cella/task.h>
#include <stdio.h>
#include <stdlib.h>

CELLA_TASK(compute, CELLA_VALUE(uint64_t, steps), CELLA_INOUT(uint64_t, value, 1))
{
	for (uint64_t i = 0; i < steps; i++)
		*value = (*value ^ i) * 0x9e3779b97f4a7c15u;
}

int main(int argc, char **argv)
{
	static uint64_t values[256];
	int count = argc == 4 ? atoi(argv[1]) : 0;
	if (count < 1 || count > 256)
		return 2;
	for (int i = 0; i < count; i++)
		compute(strtoull(argv[2], NULL, 10), &values[i]);
	for (int i = 1; i <= count; i++) {
		FILE *f = fopen(argv[3], "r");
		if (!f)
			return 3;
		fclose(f);
		cella_wait_on(&values[i - 1]);
		printf("step-%d%s", i, i % 4 ? " " : "\n");
		fflush(stdout);
	}
	return 0;
}
