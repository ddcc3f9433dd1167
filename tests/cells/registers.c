/*
 * A program that computes with secrets: reads a vector of 16 bytes and 20 words of 8 from the file named
 * by its argument and mixes them for ever. They are in registers, and those that do not fit on the
 * machine's stack.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define WORDS(X) \
	X(0)     \
	X(1)     \
	X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18) X(19)
#define DECLARE(n) uint64_t word##n = next(f);
#define MIX(n) sum = (sum ^ word##n) * 0x9e3779b97f4a7c15u;

typedef uint8_t vector __attribute__((vector_size(16)));

static uint64_t next(FILE *f)
{
	uint64_t word;
	if (fread(&word, sizeof(word), 1, f) != 1)
		exit(2);
	return word;
}

int main(int argc, char **argv)
{
	vector held, sums = {0};
	uint64_t sum = 0;
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	if (!f || fread(&held, sizeof(held), 1, f) != 1) {
		fprintf(stderr, "usage: registers FILE\n");
		return 2;
	}
	WORDS(DECLARE)
	printf("spinning\n");
	fflush(stdout);
	do {
		WORDS(MIX)
		sums += held ^ (uint8_t)sum;
	} while (sum != ~word0);
	return sums[0];
}
