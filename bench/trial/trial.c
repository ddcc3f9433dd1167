/* The program around a table of cases. */
#include "trial.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TRIALS_LEAST = 3, TRIALS_MAX = 100, ARRAYS_MAX = 16, ARRAY_ALIGNMENT = 4096 };

struct trial {
	void *arrays[ARRAYS_MAX];
	int array_count;
	const char *name;
	double start, seconds;
	uint64_t digest;
};

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void *trial_array(struct trial *t, size_t size)
{
	size_t whole = (size + ARRAY_ALIGNMENT - 1) / ARRAY_ALIGNMENT * ARRAY_ALIGNMENT;
	void *array = t->array_count < ARRAYS_MAX ? aligned_alloc(ARRAY_ALIGNMENT, whole) : NULL;
	if (!array) {
		fprintf(stderr, "no memory for an array of %zu bytes\n", size);
		exit(1);
	}
	t->arrays[t->array_count++] = array;
	return memset(array, 0, size);
}

const char *trial_name(const struct trial *t)
{
	return t->name;
}

void trial_begin(struct trial *t)
{
	t->start = seconds();
}

void trial_end(struct trial *t)
{
	t->seconds = seconds() - t->start;
}

/* The words' hash of Fowler, Noll and Vo (FNV-1a), 64 bits. */
void trial_result(struct trial *t, const void *values, size_t size)
{
	const uint8_t *at = values;
	for (uint32_t word; size >= sizeof(word); at += sizeof(word), size -= sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		t->digest = (t->digest ^ word) * 0x100000001b3;
	}
}

/* Gives the seconds that it took. */
static double run(const struct trial_case *c)
{
	struct trial t = {.name = c->name, .digest = 0xcbf29ce484222325};
	c->run(&t);
	for (int i = 0; i < t.array_count; i++)
		free(t.arrays[i]);
	printf("%s %.9f %016llx\n", c->name, t.seconds, (unsigned long long)t.digest);
	fflush(stdout);
	return t.seconds;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "list") == 0) {
		for (int i = 0; i < trial_case_count; i++)
			puts(trial_cases[i].name);
		return 0;
	}
	for (int i = 0; argc == 3 && i < trial_case_count; i++) {
		if (strcmp(argv[1], trial_cases[i].name) != 0)
			continue;
		double left = strtod(argv[2], NULL) / 1000;
		int least = left > 0 ? TRIALS_LEAST : 1;
		for (int trials = 0; trials < least || (left > 0 && trials < TRIALS_MAX); trials++)
			left -= run(&trial_cases[i]);
		return 0;
	}
	fprintf(stderr, "usage: %s NAME MILLISECONDS | list\n", argv[0]);
	return 2;
}
