/*
 * A program that holds secrets and waits: reads the file named by its argument, prints "parked",
 * and stays until its standard input ends. For tests that look for the secrets meanwhile.
 */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	char *held = malloc(1 << 20);
	if (!f || !held) {
		fprintf(stderr, "usage: park FILE\n");
		return 2;
	}
	size_t size = fread(held, 1, 1 << 20, f);
	fclose(f);
	unsigned sum = 0;
	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + (unsigned char)held[i];
	printf("parked with %zu bytes, sum %u\n", size, sum);
	fflush(stdout);
	while (getchar() != EOF)
		continue;
	printf("first byte %d\n", held[0]);
	return 0;
}
