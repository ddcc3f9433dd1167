/*
 * Rings. Does what is put come out, in order and whole? Does a sleeper always wake? Can a peer that
 * writes anything at all into the shared memory make us leave it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/ring.h"
#include "net/spin.h"

enum { CAPACITY = 4 * RING_RECORD_MAX };

struct fixture {
	void *memory;
	struct ring_writer w;
	struct ring_reader r;
	int reader_bell, writer_bell;
	uint8_t body[RING_RECORD_MAX];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	f->memory = mmap(NULL, ring_memory_size(CAPACITY), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
	                 -1, 0);
	f->reader_bell = eventfd(0, EFD_NONBLOCK);
	f->writer_bell = eventfd(0, EFD_NONBLOCK);
	ring_writer_init(&f->w, f->memory, CAPACITY, f->reader_bell);
	ring_reader_init(&f->r, f->memory, CAPACITY, f->reader_bell, f->writer_bell);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	munmap(f->memory, ring_memory_size(CAPACITY));
	close(f->reader_bell);
	close(f->writer_bell);
	free(f);
	return 0;
}

/* A body that says which record it is. */
static void fill(uint8_t *body, size_t size, uint32_t number)
{
	for (size_t i = 0; i < size; i++)
		body[i] = (uint8_t)(number * 31 + i * 7);
}

static bool filled(const uint8_t *body, size_t size, uint32_t number)
{
	for (size_t i = 0; i < size; i++)
		if (body[i] != (uint8_t)(number * 31 + i * 7))
			return false;
	return true;
}

static int put(struct ring_writer *w, uint32_t number, size_t size)
{
	uint8_t body[RING_RECORD_MAX];
	fill(body, size, number);
	struct ring_part parts[] = {{body, size / 3}, {body + size / 3, size - size / 3}};
	return ring_put(w, number, parts, 2);
}

static bool rung(int bell)
{
	eventfd_t count;
	return eventfd_read(bell, &count) == 0;
}

static void test_records(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 100, 4095, 65535, RING_RECORD_MAX};
	struct fixture *f = *state;
	uint32_t type, number = 0;
	size_t size;
	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < array_count(sizes); i++) {
			assert_int_equal(put(&f->w, ++number, sizes[i]), 0);
			assert_int_equal(ring_get(&f->r, &type, f->body, &size), 0);
			assert_int_equal(type, 0); /* not published yet */
			ring_flush(&f->w);
			assert_int_equal(ring_get(&f->r, &type, f->body, &size), 0);
			assert_int_equal(type, number);
			assert_int_equal(size, sizes[i]);
			assert_true(filled(f->body, size, number));
		}
	}
}

static void test_full(void **state)
{
	struct fixture *f = *state;
	uint32_t type, first = 0, next = 0;
	size_t size;
	for (int round = 0; round < 20; round++) {
		int rc;
		while ((rc = put(&f->w, next + 1, 1000 + next % 4000)) == 0)
			next++;
		assert_int_equal(rc, CELLA_EAGAIN);
		ring_flush(&f->w);
		for (uint32_t i = 0; i < 30; i++) {
			assert_int_equal(ring_get(&f->r, &type, f->body, &size), 0);
			assert_int_equal(type, ++first);
			assert_int_equal(size, 1000 + (first - 1) % 4000);
			assert_true(filled(f->body, size, first));
		}
	}
	struct ring_part large = {f->body, RING_RECORD_MAX}, one = {f->body, 1};
	struct ring_part both[] = {large, one};
	assert_int_equal(ring_put(&f->w, 1, both, 2), CELLA_ELIMIT);
}

static void test_bells(void **state)
{
	struct fixture *f = *state;
	uint32_t type;
	size_t size;
	assert_int_equal(put(&f->w, 1, 10), 0);
	ring_flush(&f->w);
	assert_false(rung(f->reader_bell)); /* nobody sleeps */
	assert_false(ring_prepare_sleep(&f->r));
	assert_int_equal(ring_get(&f->r, &type, f->body, &size), 0);
	assert_true(ring_prepare_sleep(&f->r));
	assert_int_equal(put(&f->w, 2, 10), 0);
	assert_false(rung(f->reader_bell)); /* nothing is published */
	ring_flush(&f->w);
	assert_true(rung(f->reader_bell));
	assert_int_equal(put(&f->w, 3, 10), 0);
	ring_flush(&f->w);
	assert_false(rung(f->reader_bell)); /* once is enough */
	ring_awake(&f->r);
	while (put(&f->w, 4, 10000) == 0)
		;
	ring_flush(&f->w);
	assert_true(ring_writer_prepare_sleep(&f->w));
	do
		assert_int_equal(ring_get(&f->r, &type, f->body, &size), 0);
	while (type);
	assert_true(rung(f->writer_bell));
	assert_false(ring_writer_prepare_sleep(&f->w));
	assert_int_equal(put(&f->w, 5, 10), 0);
}

static void sleep_on(int bell)
{
	struct pollfd fd = {.fd = bell, .events = POLLIN};
	poll(&fd, 1, -1);
}

enum { STREAM_RECORDS = 200000, STREAM_END = 1 << 20 };

static size_t stream_size(uint32_t number)
{
	return number % 1000 == 0 ? 40000 : number * 37 % 300;
}

/* Sends all records, at times in batches, and sleeps when there is no room. */
static void *stream(void *arg)
{
	struct fixture *f = arg;
	for (uint32_t number = 1; number <= STREAM_RECORDS; number++) {
		while (put(&f->w, number, stream_size(number)) == CELLA_EAGAIN) {
			ring_flush(&f->w);
			if (ring_writer_prepare_sleep(&f->w)) {
				sleep_on(f->writer_bell);
				ring_writer_awake(&f->w);
			}
		}
		if (number % (1 + number / 1000 % 50) == 0)
			ring_flush(&f->w);
	}
	ring_flush(&f->w);
	return NULL;
}

static bool receive_stream(struct fixture *f)
{
	struct spin spin = {0};
	for (uint32_t number = 1; number <= STREAM_RECORDS;) {
		uint32_t type;
		size_t size;
		if (ring_get(&f->r, &type, f->body, &size) < 0)
			return false;
		if (type) {
			if (type != number || size != stream_size(number) || !filled(f->body, size, number))
				return false;
			number++;
			spin_reset(&spin);
		} else if (!spin_again(&spin, SPIN_NS) && ring_prepare_sleep(&f->r)) {
			sleep_on(f->reader_bell);
			ring_awake(&f->r);
		}
	}
	return true;
}

/* Under ThreadSanitizer this also says whether the order of memory accesses is right. */
static void test_threads(void **state)
{
	struct fixture *f = *state;
	pthread_t writer;
	assert_int_equal(pthread_create(&writer, NULL, stream, f), 0);
	assert_true(receive_stream(f));
	pthread_join(writer, NULL);
}

static void test_processes(void **state)
{
	struct fixture *f = *state;
	pid_t pid = fork();
	if (pid == 0) {
		stream(f);
		_exit(0);
	}
	assert_true(receive_stream(f));
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static uint64_t random_state = 88172645463325252u;
static uint64_t random_next(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

/* A word that may pass for a position, a size, a type. */
static uint64_t hostile_word(void)
{
	switch (random_next() % 6) {
	case 0: return random_next();
	case 1: return random_next() % (2 * CAPACITY);
	case 2: return random_next() % (2 * CAPACITY) & ~(uint64_t)7;
	case 3: return random_next() % 70000;
	case 4: return (random_next() % 3) << 32 | random_next() % 70000;
	default: return 0;
	}
}

/* The memory ends at an inaccessible page and is overwritten at random: sanitizers and the page say
 * whether anything outside was touched; a broken ring is an error, nothing else. */
static void test_hostile(void **state)
{
	(void)state;
	size_t page = 4096, size = align_up(ring_memory_size(CAPACITY), page), broken = 0;
	uint8_t *area = mmap(NULL, size + page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mprotect(area + size, page, PROT_NONE);
	uint8_t *memory = area + size - ring_memory_size(CAPACITY);
	memory -= (uintptr_t)memory % 64;
	static uint8_t body[RING_RECORD_MAX];
	for (int round = 0; round < 2000; round++) {
		struct ring_writer w;
		struct ring_reader r;
		memset(memory, 0, 256);
		ring_writer_init(&w, memory, CAPACITY, -1);
		ring_reader_init(&r, memory, CAPACITY, -1, -1);
		for (int step = 0; step < 200; step++) {
			uint64_t word = hostile_word();
			size_t at = step % 2 ? random_next() % 24 * 8 : random_next() % (CAPACITY / 8) * 8;
			memcpy(memory + at, &word, sizeof(word));
			uint32_t type;
			size_t got = 0;
			struct ring_part part = {body, random_next() % 5000};
			if (ring_put(&w, 1, &part, 1) == CELLA_EFORMAT ||
			    ring_get(&r, &type, body, &got) < 0) {
				broken++;
				break;
			}
			assert_true(got <= RING_RECORD_MAX);
			ring_flush(&w);
			ring_prepare_sleep(&r);
			ring_writer_prepare_sleep(&w);
		}
	}
	assert_true(broken > 1000);
	munmap(area, size + page);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bells, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
