/*
 * Sealed objects. Does what was sealed open again, and only as what it is, with the key it was
 * sealed with, unchanged in every bit?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/cleanup.h"
#include "seal/seal.h"
#include "seal/seal_format.h"

static struct seal_session *session;

static const struct seal_id some_id = {.kind = SEAL_KIND_DATA,
                                       .object = 0x1122334455667788,
                                       .version = 7,
                                       .attempt = 3,
                                       .extra = 0x99};

static bool all_zero(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

static void test_round_trip(void **state)
{
	(void)state;
	static const size_t sizes[] = {0, 1, 15, 16, 200, 4096, 32767, 32768, 32769, 100000, 10 << 20};
	for (size_t i = 0; i < array_count(sizes); i++) {
		size_t size = sizes[i], plain_size = 1;
		cleanup_free uint8_t *in = malloc(size + 1);
		cleanup_free uint8_t *sealed = malloc(seal_size(size));
		cleanup_free uint8_t *out = malloc(size + 1);
		for (size_t k = 0; k < size; k++)
			in[k] = (uint8_t)(k * 131 >> 3);
		struct seal_id id;
		assert_int_equal(seal_object(session, &some_id, "aad", 3, in, size, sealed, NULL), 0);
		assert_int_equal(seal_peek(sealed, seal_size(size), &id, &plain_size, NULL), 0);
		assert_memory_equal(&id, &some_id, sizeof(id));
		assert_int_equal(plain_size, size);
		assert_int_equal(seal_open(session, &some_id, "aad", 3, sealed, seal_size(size), out, size,
		                           NULL),
		                 0);
		assert_memory_equal(in, out, size);
	}
}

/* The same bytes sealed twice share neither ciphertext nor tag. */
static void test_fresh_keys(void **state)
{
	(void)state;
	uint8_t in[64] = {0}, one[64 + SEAL_OVERHEAD], two[64 + SEAL_OVERHEAD];
	assert_int_equal(seal_object(session, &some_id, NULL, 0, in, sizeof(in), one, NULL), 0);
	assert_int_equal(seal_object(session, &some_id, NULL, 0, in, sizeof(in), two, NULL), 0);
	assert_memory_equal(one, two, SEAL_AT_SALT);
	assert_memory_not_equal(one + SEAL_AT_SALT, two + SEAL_AT_SALT, CRYPTO_SALT_SIZE);
	assert_memory_not_equal(one + SEAL_HEADER_SIZE, two + SEAL_HEADER_SIZE, sizeof(in));
}

/* The header's bytes, as seal_format.h lays them out. */
static void test_layout(void **state)
{
	(void)state;
	uint8_t sealed[SEAL_OVERHEAD];
	static const uint8_t start[] = {'C', 'S', 'O', '1', 1, 0, 1, 0};
	static const uint8_t rest[] = {0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 7, 0, 0,    0, 0, 0,
	                               0,    0,    3,    0,    0,    0,    0,    0,    0, 0, 0x99, 0, 0, 0,
	                               0,    0,    0,    0,    0,    0,    0,    0,    0, 0, 0,    0};
	assert_int_equal(seal_object(session, &some_id, NULL, 0, NULL, 0, sealed, NULL), 0);
	assert_memory_equal(sealed, start, sizeof(start));
	assert_memory_equal(sealed + SEAL_AT_KEY_ID + SEAL_KEY_ID_SIZE, rest, sizeof(rest));
}

static void test_every_bit(void **state)
{
	(void)state;
	uint8_t in[50], sealed[50 + SEAL_OVERHEAD], out[50];
	memset(in, 0x6b, sizeof(in));
	assert_int_equal(seal_object(session, &some_id, "aad", 3, in, sizeof(in), sealed, NULL), 0);
	for (size_t bit = 0; bit < sizeof(sealed) * 8; bit++) {
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		memset(out, 0xff, sizeof(out));
		int rc = seal_open(session, &some_id, "aad", 3, sealed, sizeof(sealed), out, sizeof(out),
		                   NULL);
		assert_true(rc == CELLA_EAUTH || rc == CELLA_EFORMAT);
		assert_true(all_zero(out, sizeof(out)));
		sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(seal_open(session, &some_id, "aad", 3, sealed, sizeof(sealed), out, sizeof(out),
	                           NULL),
	                 0);
}

static void test_identity(void **state)
{
	(void)state;
	struct seal_id wrong[5] = {some_id, some_id, some_id, some_id, some_id};
	wrong[0].kind = SEAL_KIND_INVOCATION;
	wrong[1].object++;
	wrong[2].version++;
	wrong[3].attempt++;
	wrong[4].extra++;
	uint8_t in[20] = {1}, sealed[20 + SEAL_OVERHEAD], out[21];
	assert_int_equal(seal_object(session, &some_id, "aad", 3, in, 20, sealed, NULL), 0);
	for (size_t i = 0; i < array_count(wrong); i++) {
		struct error err;
		memset(out, 0xff, sizeof(out));
		assert_int_equal(seal_open(session, &wrong[i], "aad", 3, sealed, sizeof(sealed), out, 20,
		                           &err),
		                 CELLA_EAUTH);
		assert_true(all_zero(out, 20));
		assert_int_equal(out[20], 0xff);
	}
	assert_int_equal(seal_open(session, &some_id, "aae", 3, sealed, sizeof(sealed), out, 20, NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(session, &some_id, "aad", 2, sealed, sizeof(sealed), out, 20, NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(session, &some_id, NULL, 0, sealed, sizeof(sealed), out, 20, NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(session, &some_id, "aad", 3, sealed, sizeof(sealed), out, 19, NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(session, &some_id, "aad", 3, sealed, sizeof(sealed), out, 21, NULL),
	                 CELLA_EAUTH);
	assert_int_equal(seal_open(session, &some_id, "aad", 3, sealed, sizeof(sealed), out, 20, NULL), 0);
}

static void test_other_session(void **state)
{
	(void)state;
	uint8_t key[CRYPTO_KEY_SIZE] = {2}, sealed[20 + SEAL_OVERHEAD], out[20];
	struct seal_session *other;
	struct error err;
	assert_int_equal(seal_session_new(key, &other, NULL), 0);
	assert_int_equal(seal_object(other, &some_id, NULL, 0, "twenty bytes of text", 20, sealed, NULL), 0);
	assert_int_equal(seal_open(session, &some_id, NULL, 0, sealed, sizeof(sealed), out, 20, &err),
	                 CELLA_EAUTH);
	assert_non_null(strstr(err.text, "another session"));
	assert_int_equal(seal_open(other, &some_id, NULL, 0, sealed, sizeof(sealed), out, 20, NULL), 0);
	seal_session_free(other);
	seal_session_free(NULL);
	/* The same key makes the same session. */
	assert_int_equal(seal_session_new(key, &other, NULL), 0);
	assert_int_equal(seal_open(other, &some_id, NULL, 0, sealed, sizeof(sealed), out, 20, NULL), 0);
	assert_memory_equal(out, "twenty bytes of text", 20);
	seal_session_free(other);
}

static void test_truncated(void **state)
{
	(void)state;
	uint8_t sealed[30 + SEAL_OVERHEAD], out[30], in[30] = {0};
	struct seal_id id;
	size_t plain_size;
	assert_int_equal(seal_object(session, &some_id, NULL, 0, in, 30, sealed, NULL), 0);
	for (size_t size = 0; size < sizeof(sealed); size++) {
		/* In memory of exactly that size, so that a sanitizer sees a read beyond. */
		cleanup_free uint8_t *exact = malloc(size + !size);
		memcpy(exact, sealed, size);
		assert_int_equal(seal_peek(exact, size, &id, &plain_size, NULL), CELLA_EFORMAT);
		assert_int_equal(seal_open(session, &some_id, NULL, 0, exact, size, out, 30, NULL),
		                 CELLA_EFORMAT);
	}
}

/* Another thread keeps changing the ciphertext while it is sealed and opened. Whatever opens must
 * be what was sealed: a tag over other bytes, or bytes that no tag covers, would be a forgery. */
enum { RACE_SIZE = 200000 };

struct race {
	uint8_t *shared;
	atomic_bool stop;
};

static void *disturb(void *arg)
{
	struct race *race = arg;
	volatile uint8_t *at = race->shared + SEAL_HEADER_SIZE;
	for (size_t i = 0; !atomic_load_explicit(&race->stop, memory_order_relaxed);
	     i = (i + 64) % RACE_SIZE) {
		at[i] ^= 1;
		for (volatile int held = 0; held < 500; held++)
			;
		at[i] ^= 1;
	}
	return NULL;
}

static void test_shared_memory(void **state)
{
	(void)state;
	cleanup_free uint8_t *in = calloc(1, RACE_SIZE);
	cleanup_free uint8_t *shared = calloc(1, seal_size(RACE_SIZE));
	cleanup_free uint8_t *out = malloc(RACE_SIZE);
	struct race race = {.shared = shared};
	pthread_t thread;
	size_t opened = 0;
	for (size_t i = 0; i < RACE_SIZE; i++)
		in[i] = (uint8_t)(i / 7);
	assert_int_equal(pthread_create(&thread, NULL, disturb, &race), 0);
	for (int round = 0; round < 200; round++) {
		assert_int_equal(seal_object(session, &some_id, NULL, 0, in, RACE_SIZE, shared, NULL), 0);
		if (seal_open(session, &some_id, NULL, 0, shared, seal_size(RACE_SIZE), out, RACE_SIZE,
		              NULL) == 0) {
			assert_memory_equal(in, out, RACE_SIZE);
			opened++;
		} else {
			assert_true(all_zero(out, RACE_SIZE));
		}
	}
	atomic_store(&race.stop, true);
	pthread_join(thread, NULL);
	print_message("%zu of 200 opened under disturbance\n", opened);
}

static void test_receipts(void **state)
{
	(void)state;
	struct seal_receipt a, b, again, sum = {.low = UINT64_MAX, .high = 4};
	assert_int_equal(seal_receipt_make(session, 1, 0, &a, NULL), 0);
	assert_int_equal(seal_receipt_make(session, 1, 0, &again, NULL), 0);
	assert_memory_equal(&a, &again, sizeof(a));
	assert_int_equal(seal_receipt_make(session, 2, 0, &b, NULL), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
	assert_int_equal(seal_receipt_make(session, 1, 1, &b, NULL), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
	seal_receipt_add(&sum, &(struct seal_receipt){.low = 1, .high = 2});
	assert_int_equal(sum.low, 0);
	assert_int_equal(sum.high, 7);
}

static int start(void **state)
{
	(void)state;
	static const uint8_t key[CRYPTO_KEY_SIZE] = {1};
	struct mem_pool *pool = NULL;
	struct error err;
	if (mem_level_check(MEM_SECRET, 4 << 20, &err) == 0 &&
	    mem_pool_new(MEM_SECRET, 64 << 20, &pool, &err) < 0)
		return -1;
	mem_set_process_pool(pool);
	return crypto_init(pool, &err) < 0 || seal_session_new(key, &session, &err) < 0 ? -1 : 0;
}

static int finish(void **state)
{
	(void)state;
	seal_session_free(session);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_fresh_keys),
		cmocka_unit_test(test_layout),     cmocka_unit_test(test_receipts),
		cmocka_unit_test(test_identity),   cmocka_unit_test(test_other_session),
		cmocka_unit_test(test_every_bit),  cmocka_unit_test(test_shared_memory),
		cmocka_unit_test(test_truncated),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
