/*
 * Functions of our own where libraries differ in the last bit: a program gives the same bits
 * whichever C library and processor it runs on (built without fused multiply-add).
 */
#ifndef ECG_EXACT_H
#define ECG_EXACT_H

#include <stdint.h>
#include <string.h>

/* cos(2 pi k / n) for 0 <= k < n, where n is a multiple of 8. */
double exact_cos_turn(uint32_t k, uint32_t n);
/* sin(2 pi k / n), the same. */
double exact_sin_turn(uint32_t k, uint32_t n);

/*
 * The natural logarithm of a positive normal number, within 2 units in the last place.
 * x = 2^k m with m in [sqrt 1/2, sqrt 2), ln m = 2 atanh(s) with s = (m - 1) / (m + 1), by its series.
 */
static inline double exact_ln(double x)
{
	const uint64_t sqrt_half = 0x3fe6a09e667f3bcd;
	const double ln2_high = 0x1.62e42fee00000p-1; /* 21 zero bits at its end: k * ln2_high is exact */
	const double ln2_low = 0x1.a39ef35793c76p-33;
	uint64_t bits;
	memcpy(&bits, &x, sizeof(bits));
	int64_t exponent = (int64_t)(bits - sqrt_half) >> 52;
	bits -= (uint64_t)exponent << 52;
	double m;
	memcpy(&m, &bits, sizeof(m));

	double s = (m - 1) / (m + 1);
	double q = s * s;
	double series = 1.0 / 23;
	series = series * q + 1.0 / 21;
	series = series * q + 1.0 / 19;
	series = series * q + 1.0 / 17;
	series = series * q + 1.0 / 15;
	series = series * q + 1.0 / 13;
	series = series * q + 1.0 / 11;
	series = series * q + 1.0 / 9;
	series = series * q + 1.0 / 7;
	series = series * q + 1.0 / 5;
	series = series * q + 1.0 / 3;
	double k = (double)exponent;
	return k * ln2_high + (2 * s + (2 * s * q * series + k * ln2_low));
}

#endif
