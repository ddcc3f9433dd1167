/*
 * A warm-up that takes the secret in /data/secret, copies of it all over 8 MiB, and tasks that begin so:
 *
 *   tasks_secret          tasks look at the copies in cells that are made from what the warm-up left; prints
 *                         "parked", and stays until its standard input ends
 *   tasks_secret FILE     the same again and again, a line each, until there is that file
 *
 * The program itself never sees the secret. The warm-up also draws a number: were it run twice, two cells
 * would not have the same.
 */
#include <cella/task.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET = 4096, COPIES = (8 << 20) / SECRET };

static unsigned char *copies;
static size_t secret_size;
static uint64_t drawn;

CELLA_WARM_UP(take_secret)
{
	FILE *f = fopen("/data/secret", "rb");
	copies = malloc((size_t)COPIES * SECRET);
	if (!f || !copies || getentropy(&drawn, sizeof(drawn)) < 0)
		__builtin_trap();
	secret_size = fread(copies, 1, SECRET, f);
	fclose(f);
	for (size_t i = 1; i < COPIES; i++)
		memcpy(copies + i * SECRET, copies, secret_size);
}

/* Ends its cell: the next task gets a new one. */
CELLA_TASK(look, CELLA_OUT(uint64_t, number, 1), CELLA_OUT(uint32_t, good, 1))
{
	*number = drawn;
	for (size_t i = 0; i < COPIES; i++)
		*good += secret_size && memcmp(copies, copies + i * SECRET, secret_size) == 0;
	copies[SECRET - 1]++;
	exit(0);
}

/* Its cell remains. */
CELLA_TASK(stay, CELLA_OUT(uint64_t, number, 1), CELLA_OUT(uint32_t, good, 1))
{
	*number = drawn;
	for (size_t i = 0; i < COPIES; i++)
		*good += secret_size && memcmp(copies, copies + i * SECRET, secret_size) == 0;
	*good += copies[SECRET - 1] == 0;
}

static int fail(uint32_t good, uint32_t stayed)
{
	printf("%u and %u of %u copies, or the warm-up ran twice\n", good, stayed, (unsigned)COPIES);
	return 1;
}

int main(int argc, char **argv)
{
	for (unsigned round = 0; argc < 2 || access(argv[1], F_OK) != 0; round++) {
		uint64_t number[2] = {0};
		uint32_t good[2] = {0};
		look(&number[0], &good[0]);
		cella_wait_on(&good[0]);
		cella_wait_on(&number[0]);
		stay(&number[1], &good[1]);
		cella_wait_on(&good[1]);
		cella_wait_on(&number[1]);
		if (number[0] != number[1] || good[0] != COPIES || good[1] != COPIES + 1)
			return fail(good[0], good[1]);
		printf(argc < 2 ? "parked after %u rounds\n" : "round %u\n", round);
		fflush(stdout);
		if (argc < 2)
			break;
	}
	while (argc < 2 && getchar() != EOF)
		continue;
	return 0;
}
