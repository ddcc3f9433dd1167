/*
 * A hostile program: calls every host function with every bad argument, and attacks the executor's memory,
 * stack, time and disk from tasks, while honest tasks beside them must go on undisturbed.
 *
 *     hostile sweep SECRET            the program itself calls; its directories are /rw and /ro
 *     hostile race PATH COUNT SECRET  opens a path again and again that somebody changes meanwhile
 *     hostile tasks ATTACK COUNT      COUNT tasks that attack, among honest ones
 *
 * SECRET is what lies outside, each character less one, so that this memory holds it only if it was read.
 * The status is 0 if all honest work came out right and nothing of the secret came in.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cella/task.h>

struct call {
	const char *name;
	const char *parameters;
	uint32_t (*enter)(const uint64_t *arguments);
};

#ifdef __wasm__
#include "hostile_calls.h"
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

enum {
	ARGUMENTS_MAX = 9,
	EXHAUSTIVE = 4000,
	RANDOM = 3000,
	PATH_SIZE = 24,
	SIZE_MAX_HERE = 1024,
	WRITTEN_MAX = 1 << 16,
	LOW = 4096,
	KEPT = 4
};

/* What paths, vectors and structures are read from, and room for what good pointers get written: each
 * string is PATH_SIZE long. */
static struct {
	uint32_t vector[4]; /* two pieces of `bytes` */
	char paths[8][PATH_SIZE];
	char bytes[WRITTEN_MAX];
} area = {.paths = {"././././../../out/secret", "/./././../out/../out/sec", "link-out/././././/secret",
                    "/etc/../etc/././././host", "sub/../sub/../../out/sec", "././././././././././made",
                    "inside//////////////////", "../ro/../ro/../ro//fixed"}};

static const uint64_t wide[] = {0, 1, 63, 1 << 20, UINT32_MAX, INT64_MAX, 1ull << 63, UINT64_MAX};

/* Descriptors, pointers, sizes and flags: good and bad ones of each. */
static size_t narrow(uint64_t to[32])
{
	uint64_t end = (uint64_t)__builtin_wasm_memory_size(0) << 16;
	const uint64_t values[] = {
		0,
		1,
		2,
		3,
		4,
		5,
		6,
		16,
		PATH_SIZE,
		1023,
		SIZE_MAX_HERE,
		(uintptr_t)&area,
		(uintptr_t)area.paths[0],
		(uintptr_t)area.paths[1],
		(uintptr_t)area.paths[2],
		(uintptr_t)area.paths[4],
		(uintptr_t)area.paths[5],
		(uintptr_t)area.bytes,
		end - 8,
		end - 1,
		end,
		end + 1,
		INT32_MAX,
		1u << 31,
		0xfffffff0u,
		UINT32_MAX,
	};
	memcpy(to, values, sizeof(values));
	return sizeof(values) / sizeof(values[0]);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 8;
}

/* Nothing bad, but the end of this program: to have most of its own memory overwritten, to lose its streams
 * and directories, to leave before. */
static int spared(const struct call *call, const uint64_t *a)
{
	uint64_t end = (uint64_t)__builtin_wasm_memory_size(0) << 16;
	for (size_t i = 1; i < ARGUMENTS_MAX; i++)
		if (a[i] > WRITTEN_MAX && a[i - 1] + a[i] <= end)
			return 1;
	if (strcmp(call->name, "fd_close") == 0 || strcmp(call->name, "fd_fdstat_set_rights") == 0)
		return a[0] <= KEPT;
	if (strcmp(call->name, "fd_renumber") == 0)
		return a[0] <= KEPT || a[1] <= KEPT;
	return strcmp(call->name, "proc_exit") == 0;
}

/* Low addresses are the far end of the stack, which this program does not reach. Bytes that the calls before
 * have left could ask poll_oneoff for a long sleep. */
static void renew_area(const struct call *call)
{
	if (strcmp(call->name, "poll_oneoff") == 0)
		memset(area.bytes, 0, sizeof(area.bytes));
	static const uintptr_t low = 16;
	memset((void *)*(volatile const uintptr_t *)&low, 0, LOW);
	area.vector[0] = area.vector[2] = (uint32_t)(uintptr_t)area.bytes;
	area.vector[1] = area.vector[3] = 16;
}

static int is_path(uint64_t address)
{
	uint64_t at = address - (uintptr_t)area.paths;
	return at < sizeof(area.paths) && at % PATH_SIZE == 0;
}

/* A random argument; often a directory first, and a path's size behind a path, or most calls would fail
 * early. */
static uint64_t choose_random(const uint64_t *from, size_t count, uint64_t *random, const uint64_t *a,
                              size_t i)
{
	uint64_t luck = next_random(random) % 4;
	if (i == 0 && luck < 2)
		return 3 + luck;
	if (i > 0 && is_path(a[i - 1]) && luck < 3)
		return PATH_SIZE;
	return from[next_random(random) % count];
}

/* Combination `number` of the arguments: all of them, or, of too many, random ones. */
static void choose(const struct call *call, uint64_t number, uint64_t *random, uint64_t *a)
{
	uint64_t values[32];
	size_t count = narrow(values);
	for (size_t i = 0; call->parameters[i]; i++) {
		const uint64_t *from = call->parameters[i] == 'l' ? wide : values;
		size_t most = call->parameters[i] == 'l' ? sizeof(wide) / sizeof(wide[0]) : count;
		a[i] = random ? choose_random(from, most, random, a, i) : from[number % most];
		number /= most;
	}
}

static uint64_t combinations(const struct call *call)
{
	uint64_t values[32], all = 1;
	for (const char *p = call->parameters; *p; p++)
		all *= *p == 'l' ? sizeof(wide) / sizeof(wide[0]) : narrow(values);
	return all;
}

/* Calls made, or those that were refused if `refused`. */
static unsigned sweep_one(const struct call *call, unsigned *refused)
{
	uint64_t random = 0x9e3779b97f4a7c15u, all = combinations(call), a[ARGUMENTS_MAX] = {0};
	unsigned made = 0;
	for (uint64_t i = 0; i < (all <= EXHAUSTIVE ? all : RANDOM); i++) {
		choose(call, i, all <= EXHAUSTIVE ? NULL : &random, a);
		if (spared(call, a))
			continue;
		renew_area(call);
		*refused += call->enter(a) != 0;
		made++;
	}
	return made;
}

static int knows_secret(const char *secret)
{
	size_t size = strlen(secret), end = __builtin_wasm_memory_size(0) << 16;
	for (const char *p = (const char *)1024; p + size <= (const char *)end; p++) {
		size_t i = 0;
		while (i < size && p[i] == secret[i] + 1)
			i++;
		if (i == size)
			return 1;
	}
	return 0;
}

static int is_task_call(const struct call *call)
{
	return strncmp(call->name, "task_", 5) == 0;
}

static int sweep(const char *secret)
{
	unsigned made = 0, refused = 0, functions = 0;
	for (size_t i = 0; i < CALLS; i++) {
		if (is_task_call(&calls[i])) /* which end the program; tasks try them */
			continue;
		made += sweep_one(&calls[i], &refused);
		functions++;
		if (knows_secret(secret)) {
			fprintf(stderr, "%s brought the secret in\n", calls[i].name);
			return 1;
		}
	}
	fprintf(stderr, "swept %u functions in %u calls, %u refused\n", functions, made, refused);
	return 0;
}
#else
static int sweep(const char *secret)
{
	(void)secret;
	return 2;
}
#endif

static int race(const char *path, unsigned count, const char *secret)
{
	unsigned inside = 0, outside = 0;
	for (unsigned i = 0; i < count; i++) {
		char text[64] = "";
		int fd = open(path, O_RDONLY);
		if (fd < 0)
			continue;
		ssize_t size = read(fd, text, sizeof(text) - 1);
		close(fd);
		for (ssize_t k = 0; k < size && text[k] >= ' '; k++)
			text[k]--;
		outside += size > 0 && strncmp(text, secret, strlen(secret)) == 0;
		inside += size > 0 && strncmp(text, secret, strlen(secret)) != 0;
	}
	printf("inside %u outside %u\n", inside, outside);
	return outside != 0;
}

/* Attacks from tasks. Each ends by a refusal, a trap or its time-out. */

static void burn(volatile unsigned *x)
{
	for (;;)
		++*x;
}

static __attribute__((noinline)) unsigned recurse(unsigned n)
{
	volatile char frame[3000];
	frame[n % sizeof(frame)] = (char)n;
	return recurse(n + 1) + (unsigned)frame[0];
}

static void sleep_on(void)
{
	struct timespec for_long = {.tv_sec = 1000};
	for (;;)
		nanosleep(&for_long, NULL);
}

static void call_on(void)
{
	char bytes[16];
	for (;;)
		lseek(1000, 0, SEEK_SET), getentropy(bytes, sizeof(bytes));
}

/* All memory that it can get, each page touched, until there is none; then on without looking. */
static void grab(void)
{
	for (size_t size = 64 << 20; size >= 1 << 16; size /= 2)
		for (char *p; (p = malloc(size));)
			memset(p, 1, size);
	memset(malloc(1 << 30), 1, 1 << 30);
	abort();
}

static void fill_memory(void)
{
	static char block[1 << 16];
	for (;;) {
		memset(block, 2, sizeof(block));
		memmove(block + 1, block, sizeof(block) - 1);
	}
}

static void talk(void)
{
	static char line[1 << 12];
	memset(line, 'x', sizeof(line) - 1);
	for (int i = 0; i < 500; i++)
		fprintf(stderr, "%.100s\n", line);
	abort();
}

CELLA_TASK(honest, CELLA_IN(const uint32_t, x, n), CELLA_OUT(uint32_t, sum, 1), CELLA_VALUE(size_t, n))
{
	uint32_t s = 0;
	for (size_t i = 0; i < n; i++)
		s = s * 31 + x[i];
	*sum = s;
}

CELLA_TASK_WITH(nest, (.timeout_ms = 2000), CELLA_VALUE(unsigned, depth), CELLA_OUT(uint32_t, out, 1))
{
	uint32_t inner[2];
	nest(depth + 1, &inner[0]);
	nest(depth + 1, &inner[1]);
	cella_wait_on(&inner[0]);
	*out = inner[0];
}

#define ATTACK (.on_failure = CELLA_ON_FAILURE_IGNORE, .timeout_ms = 300)

CELLA_TASK_WITH(attack, ATTACK, CELLA_VALUE(int, kind), CELLA_VALUE(unsigned, number),
                CELLA_OUT(uint32_t, x, 1))
{
	switch (kind) {
	case 'b': burn(x); break;
	case 'r': *x = recurse(number); break;
	case 's': sleep_on(); break;
	case 'c': call_on(); break;
	case 'g': grab(); break;
	case 'f': fill_memory(); break;
	case 't': talk(); break;
	case 'n':
		nest(0, x);
		cella_wait_on(x);
		break;
	case 'w': *x = *(volatile uint32_t *)(uintptr_t)(0xfffffff0u - number * 4096); break;
#ifdef __wasm__
	case 'h': { /* a task function of the host with bad arguments: which, and which ones, by the number */
		uint64_t a[ARGUMENTS_MAX] = {0}, random = number * 0x9e3779b97f4a7c15u + 1;
		const struct call *call = &calls[number % CALLS];
		choose(call, 0, &random, a);
		renew_area(call);
		call->enter(a);
		break;
	}
#endif
	default: abort();
	}
}

static int among_honest(int kind, unsigned count)
{
	enum { SIZE = 1000 };
	static uint32_t x[SIZE];
	uint32_t *sums = calloc(count, sizeof(*sums)), *taken = calloc(count, sizeof(*taken)), expected = 0;
	for (size_t i = 0; i < SIZE; i++)
		expected = expected * 31 + (x[i] = (uint32_t)i * 2654435761u);
	unsigned wrong = 0;
	for (unsigned i = 0; i < count; i++) {
		honest(x, &sums[i], SIZE);
		attack(kind, i, &taken[i]);
	}
	for (unsigned i = 0; i < count; i++) {
		cella_wait_on(&sums[i]);
		wrong += sums[i] != expected;
	}
	cella_barrier();
	printf("honest %u wrong %u\n", count, wrong);
	return wrong != 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "sweep") == 0)
		return sweep(argv[2]);
	if (argc == 5 && strcmp(argv[1], "race") == 0)
		return race(argv[2], (unsigned)atoi(argv[3]), argv[4]);
	if (argc == 4 && strcmp(argv[1], "tasks") == 0)
		return among_honest(argv[2][0], (unsigned)atoi(argv[3]));
	return 2;
}
