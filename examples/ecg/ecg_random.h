/* Seeded random numbers, the same on every machine: splitmix64. */
#ifndef ECG_RANDOM_H
#define ECG_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	r->state += 0x9e3779b97f4a7c15;
	uint64_t z = r->state;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* The stream number `stream` of a seed. */
static inline struct random random_stream(uint64_t seed, uint64_t stream)
{
	struct random r = {seed};
	r.state = random_next(&r) + stream * 0xd1342543de82ef95;
	return r;
}

/* 0 <= result < n, for n up to 2^32 - 1; the bias is below n / 2^32. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
	return (uint32_t)((random_next(r) >> 32) * n >> 32);
}

#endif
