#include "exact.h"

static const double two_pi = 0x1.921fb54442d18p+2;

/* Taylor's series, for angles in [0, pi/4]: the first term left out is below 1e-19. */
static double cos_series(double angle)
{
	double square = angle * angle;
	double sum = 1;
	for (int i = 18; i > 0; i -= 2)
		sum = 1 - sum * square / (i * (i - 1));
	return sum;
}

static double sin_series(double angle)
{
	double square = angle * angle;
	double sum = 1;
	for (int i = 18; i > 0; i -= 2)
		sum = 1 - sum * square / (i * (i + 1));
	return angle * sum;
}

double exact_cos_turn(uint32_t k, uint32_t n)
{
	if (2 * k > n)
		k = n - k;
	if (4 * k > n)
		return -exact_cos_turn(n / 2 - k, n);
	if (8 * k > n) {
		uint32_t rest = n / 4 - k;
		return sin_series(two_pi * rest / n);
	}
	return cos_series(two_pi * k / n);
}

double exact_sin_turn(uint32_t k, uint32_t n)
{
	return exact_cos_turn((k + n - n / 4) % n, n);
}
