/* Reads 16 bytes from the file named by its argument and keeps them in a vector register while it spins. */
#include <stdint.h>
#include <stdio.h>

typedef uint8_t vector __attribute__((vector_size(16)));

int main(int argc, char **argv)
{
	vector held, sum = {0};
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	if (!f || fread(&held, 1, sizeof(held), f) != sizeof(held)) {
		fprintf(stderr, "usage: registers FILE\n");
		return 2;
	}
	printf("spinning\n");
	fflush(stdout);
	for (uint64_t i = 0; i < 200000000000ull; i++) {
		sum += held;
		__asm__ volatile("" : : : "memory");
	}
	printf("%d\n", sum[0]);
	return 0;
}
