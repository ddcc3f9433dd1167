/*
 * The identity of a cell, as its executor keeps it: is the key that is certified the one in key.pem; is the
 * certificate renewed at half of its life, counted from before the question by the monotonic clock, and only
 * when one of its files is opened; does an old one stay where no answer comes; is a malformed answer refused?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cell/identity.h"
#include "cell/identity_question.h"
#include "crypto/crypto.h"
#include "crypto/x509.h"

static const uint64_t SECOND = 1000000000;
static struct mem_pool *pool;
static uint64_t now_ns; /* of the monotonic clock */

static uint64_t fake_now(void)
{
	return now_ns;
}

/* A CAS: how often it was asked, for which key, and what it does. */
static struct fake {
	unsigned asked;
	struct owner_identity_request last;
	uint64_t takes_ns; /* until it answers */
	int fails;
	const void *raw; /* an answer as it is; NULL: one that holds */
	size_t raw_size;
} fake;

static int fake_ask(void *data, const struct owner_identity_request *question, uint8_t *answer,
                    size_t *ret_size, struct error *err)
{
	cleanup_buf struct buf to = {0};
	char text[32];
	assert_ptr_equal(data, &fake);
	fake.asked++;
	fake.last = *question;
	now_ns += fake.takes_ns;
	if (fake.fails)
		return error_set(err, fake.fails, "the CAS is away");
	snprintf(text, sizeof(text), "certificate %u\n", fake.asked);
	const struct identity_answer a = {.time_ns = 1,
	                                  .life_s = 3600,
	                                  .certificate = text,
	                                  .certificate_size = strlen(text),
	                                  .ca = "the CA\n",
	                                  .ca_size = 7};
	if (!fake.raw)
		identity_answer_write(&a, &to);
	else
		buf_put(&to, fake.raw, fake.raw_size);
	assert_true(to.size <= IDENTITY_ANSWER_MAX);
	if (to.size)
		memcpy(answer, to.data, to.size);
	*ret_size = to.size;
	return 0;
}

static struct identity_config config_of(const char *path)
{
	return (struct identity_config){.pool = pool,
	                                .path = path,
	                                .ask = fake_ask,
	                                .data = &fake,
	                                .now = fake_now};
}

static struct identity *begin(void)
{
	const struct identity_config config = config_of("/run/id");
	struct identity *i = NULL;
	struct error err;
	fake = (struct fake){0};
	now_ns = 7 * SECOND;
	if (identity_new(&config, &i, &err) < 0)
		fail_msg("%s", err.text);
	return i;
}

static void assert_file(const struct identity *i, const char *path, const char *text)
{
	const struct wasi_file *files = identity_files(i);
	for (size_t f = 0; f < IDENTITY_FILES; f++)
		if (strcmp(files[f].path, path) == 0) {
			assert_int_equal(files[f].size, strlen(text));
			assert_memory_equal(files[f].data, text, files[f].size);
			return;
		}
	fail_msg("there is no file %s", path);
}

static void test_key(void **state)
{
	struct identity *i = begin();
	const struct wasi_file *key = identity_files(i);
	struct cert_key *read;
	uint8_t public_key[CERT_PUBLIC_MAX];
	size_t size;
	struct error err;
	(void)state;
	assert_string_equal(key->path, "/run/id/key.pem");
	assert_int_equal(cert_key_read(key->data, key->size, &read, &err), 0);
	assert_int_equal(cert_key_public(read, public_key, &size, &err), 0);
	cert_key_free(read);
	assert_int_equal(fake.last.operation, OWNER_IDENTITY_CERTIFY);
	assert_int_equal(fake.last.public_size, size);
	assert_memory_equal(fake.last.public_key, public_key, size);
	assert_true(mem_owns(pool, i)); /* with the key in it */
	assert_file(i, "/run/id/cert.pem", "certificate 1\n");
	assert_file(i, "/run/id/ca.pem", "the CA\n");
	struct identity *other = begin();
	assert_memory_not_equal(fake.last.public_key, public_key, size);
	identity_free(other);
	identity_free(i);
}

static void test_renewal(void **state)
{
	static const struct {
		const char *what, *path;
		uint64_t at_s; /* since the first question */
		unsigned asked; /* then */
	} steps[] = {
		{"at once", "/run/id/cert.pem", 0, 1},
		{"before its half", "/run/id/cert.pem", 1799, 1},
		{"another file at its half", "/run/id/other", 1800, 1},
		{"a file beside it", "/run/id", 1800, 1},
		{"at its half", "/run/id/key.pem", 1800, 2},
		{"at once again", "/run/id/cert.pem", 1800, 2},
		{"before the next half", "/run/id/ca.pem", 3599, 2},
		{"at the next half", "/run/id/ca.pem", 3600, 3},
		{"long behind its end", "/run/id/cert.pem", 90000, 4},
	};
	struct identity *i = begin();
	const uint8_t *key = identity_files(i)->data;
	const size_t size = identity_files(i)->size;
	char before[CERT_KEY_PEM_MAX], text[32];
	(void)state;
	memcpy(before, key, size);
	for (size_t s = 0; s < array_count(steps); s++) {
		unsigned asked = fake.asked;
		now_ns = (7 + steps[s].at_s) * SECOND;
		bool newer = identity_opened(i, steps[s].path);
		if (fake.asked != steps[s].asked || newer != (fake.asked > asked))
			fail_msg("%s: it was asked %u times", steps[s].what, fake.asked);
		snprintf(text, sizeof(text), "certificate %u\n", fake.asked);
		assert_file(i, "/run/id/cert.pem", text);
	}
	assert_int_equal(identity_files(i)->size, size);
	assert_memory_equal(identity_files(i)->data, before, size);
	identity_free(i);
}

/* An answer that was held back makes nothing live longer. */
static void test_delayed(void **state)
{
	struct identity *i;
	const struct identity_config config = config_of("/run/id");
	(void)state;
	fake = (struct fake){.takes_ns = 1000 * SECOND};
	now_ns = 0;
	assert_int_equal(identity_new(&config, &i, NULL), 0);
	fake.takes_ns = 0;
	now_ns = 1799 * SECOND;
	assert_false(identity_opened(i, "/run/id/cert.pem"));
	now_ns = 1800 * SECOND;
	assert_true(identity_opened(i, "/run/id/cert.pem"));
	identity_free(i);
}

static void test_no_answer(void **state)
{
	struct identity *i = begin();
	(void)state;
	fake.fails = CELLA_EIO;
	now_ns += 1800 * SECOND;
	assert_false(identity_opened(i, "/run/id/cert.pem"));
	assert_int_equal(fake.asked, 2);
	assert_file(i, "/run/id/cert.pem", "certificate 1\n");
	now_ns += (IDENTITY_RETRY_S - 1) * SECOND;
	fake.fails = 0;
	assert_false(identity_opened(i, "/run/id/cert.pem"));
	assert_int_equal(fake.asked, 2);
	now_ns += SECOND;
	assert_true(identity_opened(i, "/run/id/cert.pem"));
	assert_file(i, "/run/id/cert.pem", "certificate 3\n");
	identity_free(i);
}

static void test_malformed(void **state)
{
	cleanup_buf struct buf good = {0};
	const struct identity_answer a = {.time_ns = 1,
	                                  .life_s = 3600,
	                                  .certificate = "C",
	                                  .certificate_size = 1,
	                                  .ca = "A",
	                                  .ca_size = 1};
	const struct identity_config config = config_of("/run/id");
	struct identity *i;
	struct error err;
	(void)state;
	identity_answer_write(&a, &good);
	fake = (struct fake){.raw = good.data, .raw_size = good.size};
	assert_int_equal(identity_new(&config, &i, &err), 0); /* the control */
	identity_free(i);
	for (fake.raw_size = 0; fake.raw_size < good.size; fake.raw_size++) {
		assert_int_equal(identity_new(&config, &i, &err), CELLA_EFORMAT);
		assert_non_null(strstr(err.text, "the cell's certificate: "));
	}
	static const struct {
		size_t at;
		uint8_t value;
	} bad[] = {{0, 2}, {20, 0}, {25, 0}, {21, 2}, {16, 0}};
	for (size_t b = 0; b < array_count(bad); b++) {
		uint8_t before = good.data[bad[b].at];
		good.data[bad[b].at] = bad[b].value;
		assert_int_equal(identity_new(&config, &i, &err), CELLA_EFORMAT);
		good.data[bad[b].at] = before;
	}
	memset(good.data + 12, 0, 4); /* it lives for no time */
	assert_int_equal(identity_new(&config, &i, &err), CELLA_EFORMAT);
}

static void test_long_path(void **state)
{
	char path[IDENTITY_PATH_MAX];
	const struct identity_config config = config_of(path);
	struct identity *i;
	struct error err;
	(void)state;
	fake = (struct fake){0};
	memset(path, 'p', sizeof(path));
	path[0] = '/';
	path[IDENTITY_PATH_MAX - 10] = '\0'; /* behind it are "/cert.pem" and a zero */
	assert_int_equal(identity_new(&config, &i, &err), 0);
	identity_free(i);
	path[IDENTITY_PATH_MAX - 10] = 'p';
	path[IDENTITY_PATH_MAX - 9] = '\0';
	assert_int_equal(identity_new(&config, &i, &err), CELLA_ELIMIT);
}

static void test_questions(void **state)
{
	struct owner_identity_request q = {.operation = OWNER_IDENTITY_CERTIFY, .public_size = 91}, read;
	struct owner_keeper_request other = {.operation = OWNER_KEEPER_GET};
	(void)state;
	memset(q.public_key, 7, 91);
	assert_true(identity_question_is(&q, sizeof(q)));
	assert_false(identity_question_is(&other, sizeof(other)));
	assert_int_equal(identity_question_read(&q, sizeof(q), &read, NULL), 0);
	assert_memory_equal(&q, &read, sizeof(q));
	for (size_t cut = 0; cut < sizeof(q); cut++)
		assert_int_equal(identity_question_read(&q, cut, &read, NULL), CELLA_EFORMAT);
	q.public_key[91] = 1; /* what is behind the key is nothing */
	assert_int_equal(identity_question_read(&q, sizeof(q), &read, NULL), CELLA_EFORMAT);
	q.public_size = OWNER_IDENTITY_PUBLIC_MAX + 1;
	assert_int_equal(identity_question_read(&q, sizeof(q), &read, NULL), CELLA_EFORMAT);
	q.public_size = 0;
	assert_int_equal(identity_question_read(&q, sizeof(q), &read, NULL), CELLA_EFORMAT);
	assert_int_equal(identity_question_read(&other, sizeof(other), &read, NULL), CELLA_EFORMAT);
}

/* OpenSSL's memory is the ordinary heap: a pool's is not looked into by who looks for leaks. */
static int set_up(void **state)
{
	(void)state;
	return mem_pool_new(MEM_INSECURE_NONE, 16 << 20, &pool, NULL) < 0 || crypto_init(NULL, NULL) < 0 ? -1
	                                                                                                 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	mem_pool_free(pool);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),       cmocka_unit_test(test_renewal),
		cmocka_unit_test(test_delayed),   cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_long_path),
		cmocka_unit_test(test_questions),
	};
	return cmocka_run_group_tests_name("identity", tests, set_up, tear_down);
}
