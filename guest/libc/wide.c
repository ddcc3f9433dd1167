/* The product of integers of 128 bits: it stands before the compiler's own, which multiplies by halves. */
#include <stdint.h>

#include "quad.h"

__int128 wide_multiply(__int128 x, __int128 y) CALLED("__multi3");

__int128 wide_multiply(__int128 x, __int128 y)
{
	uint64_t x_low = (uint64_t)x, y_low = (uint64_t)y;
	uint64_t high = mul_high(x_low, y_low) + x_low * (uint64_t)(y >> 64) + (uint64_t)(x >> 64) * y_low;
	return (__int128)((unsigned __int128)high << 64 | x_low * y_low);
}
