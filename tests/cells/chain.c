/*
 * chain COUNT STEPS [GATE]: COUNT tasks that each compute for a while from their number and a shared seed,
 * and a task that joins all results; prints "begun" when the first result is there and the joined result at
 * the end. The same numbers give the same result, wherever and however often tasks run. With GATE all but the
 * first go on computing until there is a file /gate/open.
 */
#include <cella/task.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT_MAX = 4096, SEED_WORDS = 1024 };

CELLA_TASK_WITH(link_up, (.retries = 20), CELLA_VALUE(uint64_t, number), CELLA_VALUE(uint64_t, steps),
                CELLA_VALUE(uint32_t, waits), CELLA_IN(const uint64_t, seed, SEED_WORDS),
                CELLA_OUT(uint64_t, result, 1))
{
	do {
		uint64_t x = number;
		for (uint64_t i = 0; i < steps; i++)
			x = (x ^ seed[x % SEED_WORDS]) * 0x9e3779b97f4a7c15u + i;
		*result = x;
	} while (waits && access("/gate/open", F_OK) != 0);
}

CELLA_TASK(join, CELLA_VALUE(uint32_t, count), CELLA_IN_EACH(uint64_t, results, count, 1),
           CELLA_OUT(uint64_t, all, 1))
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum = sum * 31 + *results[i];
	*all = sum;
}

int main(int argc, char **argv)
{
	static uint64_t seed[SEED_WORDS], values[COUNT_MAX], all;
	static uint64_t *results[COUNT_MAX];
	uint32_t count = argc >= 3 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	if (count == 0 || count > COUNT_MAX)
		return 2;
	for (uint64_t i = 0; i < SEED_WORDS; i++)
		seed[i] = (i + 1) * 0xd1342543de82ef95u;
	for (uint32_t i = 0; i < count; i++) {
		results[i] = &values[i];
		link_up(i, strtoull(argv[2], NULL, 10), argc > 3 && i > 0, seed, results[i]);
	}
	join(count, results, &all);
	cella_wait_on_unchanged(results[0]);
	printf("begun\n");
	fflush(stdout);
	cella_wait_on(&all);
	printf("result %" PRIx64 "\n", all);
	return 0;
}
