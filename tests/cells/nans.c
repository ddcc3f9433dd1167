/* Prints the bits of NaNs that are computed from its arguments: a 0, a -1, and the greatest double. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print(const char *what, double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof(bits));
	printf("%s %016llx %g\n", what, (unsigned long long)bits, x);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	double zero = strtod(argv[1], NULL), minus = strtod(argv[2], NULL), huge = strtod(argv[3], NULL);
	float small = (float)zero;
	print("0/0", zero / zero);
	print("sqrt -1", sqrt(minus));
	print("inf - inf", huge * 2 - huge * 2);
	print("0 * inf", zero * (huge * 2));
	print("of a float", small / small);
	print("NaN + number", zero / zero + 1);
	return 0;
}
