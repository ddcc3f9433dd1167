/*
 * Carries a secret through tasks for as long as FILE's directory has no file "stop":
 *     carry FILE SIZE COUNT
 * Each round makes COUNT buffers of SIZE bytes that begin with FILE's content, has tasks copy, change
 * and change them back, keeps all of them until the round's end, and checks them. Prints a line a round.
 */
#include <cella/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_MAX = 4096, BUFFERS_MAX = 1024 };

CELLA_TASK(spread, CELLA_VALUE(uint32_t, size), CELLA_VALUE(uint32_t, secret_size),
           CELLA_VALUE(uint32_t, mask), CELLA_IN(const unsigned char, secret, secret_size),
           CELLA_OUT(unsigned char, to, size))
{
	for (uint32_t i = 0; i < size; i++)
		to[i] = (unsigned char)(i < secret_size ? secret[i] ^ mask : i);
}

CELLA_TASK(flip, CELLA_VALUE(uint32_t, size), CELLA_VALUE(uint32_t, mask),
           CELLA_INOUT(unsigned char, bytes, size))
{
	for (uint32_t i = 0; i < size; i++)
		bytes[i] ^= (unsigned char)mask;
}

CELLA_TASK(compare, CELLA_VALUE(uint32_t, size), CELLA_VALUE(uint32_t, secret_size),
           CELLA_IN(const unsigned char, secret, secret_size), CELLA_IN(const unsigned char, bytes, size),
           CELLA_OUT(uint32_t, same, 1))
{
	*same = memcmp(secret, bytes, secret_size) == 0;
}

struct carrier {
	unsigned char *secret;
	uint32_t secret_size, size, count;
	unsigned char *buffers[BUFFERS_MAX];
	uint32_t same[BUFFERS_MAX];
};

static uint32_t carry(struct carrier *c, uint32_t round)
{
	uint32_t good = 0;
	for (uint32_t i = 0; i < c->count; i++) {
		spread(c->size, c->secret_size, round & 255, c->secret, c->buffers[i]);
		flip(c->size, 85, c->buffers[i]);
	}
	for (uint32_t i = 0; i < c->count; i++) {
		flip(c->size, 85 ^ (round & 255), c->buffers[i]);
		compare(c->size, c->secret_size, c->secret, c->buffers[i], &c->same[i]);
	}
	for (uint32_t i = 0; i < c->count; i++)
		if (cella_wait_on(&c->same[i]) == 0)
			good += c->same[i];
	for (uint32_t i = 0; i < c->count; i++)
		cella_forget(c->buffers[i]);
	return good;
}

int main(int argc, char **argv)
{
	static struct carrier c;
	char stop[512];
	FILE *f = argc == 4 ? fopen(argv[1], "rb") : NULL;
	if (!f)
		return 2;
	c.secret = malloc(SECRET_MAX);
	c.secret_size = (uint32_t)fread(c.secret, 1, SECRET_MAX, f);
	c.size = (uint32_t)strtoul(argv[2], NULL, 10);
	c.count = (uint32_t)strtoul(argv[3], NULL, 10);
	if (c.count > BUFFERS_MAX || c.size < c.secret_size)
		return 2;
	for (uint32_t i = 0; i < c.count; i++)
		if (!(c.buffers[i] = calloc(c.size, 1)))
			return 3;
	snprintf(stop, sizeof(stop), "%.*sstop", (int)(strrchr(argv[1], '/') + 1 - argv[1]), argv[1]);
	for (uint32_t round = 0; access(stop, F_OK) != 0; round++) {
		uint32_t good = carry(&c, round);
		printf("round %u: %u of %u\n", round, good, c.count);
		fflush(stdout);
		if (good != c.count)
			return 1;
	}
	return 0;
}
