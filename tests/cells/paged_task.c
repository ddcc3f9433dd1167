/*
 * Prints "parked" once MIB megabytes are filled, waits for a line of input, and gives all of it to a task,
 * whose sum it prints. It does not touch them itself meanwhile: what seals them is the host's code.
 */
#include <cella/task.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MIB = 1 << 20 };

CELLA_TASK(sum, CELLA_IN(const unsigned char, bytes, count), CELLA_VALUE(int, count),
           CELLA_OUT(uint64_t, total, 1))
{
	*total = 0;
	for (int i = 0; i < count; i++)
		*total += bytes[i];
}

int main(int argc, char **argv)
{
	char line[8];
	int count = argc == 2 ? atoi(argv[1]) * MIB : 0;
	unsigned char *bytes = count ? malloc((size_t)count) : NULL;
	uint64_t total = 0;
	if (!bytes)
		return 2;
	for (int i = 0; i < count; i++)
		bytes[i] = (unsigned char)(i * 7 + 1);
	printf("parked\n");
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 3;
	sum(bytes, count, &total);
	cella_wait_on(&total);
	printf("sum %llu\n", (unsigned long long)total);
	return 0;
}
