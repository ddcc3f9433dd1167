/*
 * What memory costs that is larger than its window. Prints lines "name value".
 *
 *   paged inside MIB    ns of an access at random, to memory that was all touched before
 *   paged outside MIB   GB/s of reading and of writing it in order; microseconds of an access at random to
 *                       one of its pages, which at that moment lies in the window only by chance
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAGE = 4096, WORDS = PAGE / 8, ACCESSES = 50000000, FAULTS = 20000, PASSES = 2 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 3;
}

static void touch(uint64_t *memory, size_t count)
{
	for (size_t i = 0; i < count; i++)
		memory[i] = i * 0x9e3779b97f4a7c15u;
}

static uint64_t sum(const uint64_t *memory, size_t count)
{
	uint64_t s = 0;
	for (size_t i = 0; i < count; i++)
		s += memory[i];
	return s;
}

static void inside(uint64_t *memory, size_t count)
{
	uint32_t state = 1;
	double start = now();
	for (int i = 0; i < ACCESSES; i++)
		memory[next_random(&state) % count]++;
	printf("access %.4f\n", (now() - start) / ACCESSES * 1e9);
}

static uint64_t read_in_order(const uint64_t *memory, size_t count)
{
	uint64_t s = 0;
	double start = now();
	for (int i = 0; i < PASSES; i++)
		s += sum(memory, count);
	printf("read %.4f\n", PASSES * (double)count * sizeof(*memory) / (now() - start) * 1e-9);
	return s;
}

static void write_in_order(uint64_t *memory, size_t count)
{
	double start = now();
	for (int i = 0; i < PASSES; i++)
		touch(memory, count);
	printf("write %.4f\n", PASSES * (double)count * sizeof(*memory) / (now() - start) * 1e-9);
}

static uint64_t at_random(uint64_t *memory, size_t count, int written)
{
	uint32_t state = 7 + 1000 * (uint32_t)written;
	uint64_t s = 0;
	double start = now();
	for (int i = 0; i < FAULTS; i++) {
		uint64_t *at = &memory[next_random(&state) % (count / WORDS) * WORDS + (size_t)i % WORDS];
		s += *at;
		if (written)
			*at = s;
	}
	printf("%s %.4f\n", written ? "random-write" : "random-read", (now() - start) / FAULTS * 1e6);
	return s;
}

int main(int argc, char **argv)
{
	size_t size = argc == 3 ? (size_t)atoi(argv[2]) << 20 : 0, count = size / sizeof(uint64_t);
	uint64_t *memory = size ? malloc(size) : NULL;
	if (!memory || (strcmp(argv[1], "inside") && strcmp(argv[1], "outside"))) {
		fprintf(stderr, "usage: paged inside|outside MIB\n");
		return 2;
	}
	touch(memory, count);
	if (strcmp(argv[1], "inside") == 0) {
		inside(memory, count);
		return 0;
	}
	uint64_t s = read_in_order(memory, count);
	write_in_order(memory, count);
	s += at_random(memory, count, 0);
	s += at_random(memory, count, 1);
	fprintf(stderr, "%llx\n", (unsigned long long)s);
	return 0;
}
