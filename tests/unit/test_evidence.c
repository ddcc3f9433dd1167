/*
 * Evidence. Does a verifier get back what the launcher signed, is every change of it noticed, and
 * does a refusal name each demand that is not met, with what was found and what was wanted?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "attest/evidence_format.h"
#include "crypto/crypto.h"

static struct crypto_signer launcher;
static struct evidence facts;
static struct evidence_policy policy;

static int make_facts(void **state)
{
	(void)state;
	uint8_t key[CRYPTO_ED25519_SIZE];
	memset(key, 7, sizeof(key));
	if (crypto_init(NULL, NULL) < 0 || crypto_signer_load(key, &launcher, NULL) < 0)
		return -1;
	facts = (struct evidence){
		.memory_level = MEM_SECRET,
		.isolation = EVIDENCE_OWN_UID | EVIDENCE_PID_NAMESPACE | EVIDENCE_NO_NEW_PRIVS,
		.host = EVIDENCE_KEXEC_DISABLED,
		.uid = 0x43000001,
		.heap = (uint64_t)8 << 30,
		.time_s = 1700000000,
		.kernel = "6.1.0-13-amd64",
		.machine = "soft",
	};
	memcpy(facts.launcher, launcher.public_key, sizeof(facts.launcher));
	memset(facts.executor, 0x11, sizeof(facts.executor));
	memset(facts.public_key, 0x22, sizeof(facts.public_key));
	memset(facts.nonce, 0x33, sizeof(facts.nonce));
	policy = (struct evidence_policy){
		.memory_level = MEM_SECRET,
		.isolation = EVIDENCE_OWN_UID | EVIDENCE_PID_NAMESPACE,
		.host = EVIDENCE_KEXEC_DISABLED,
	};
	memcpy(policy.launcher, launcher.public_key, sizeof(policy.launcher));
	memcpy(policy.executor, facts.executor, sizeof(policy.executor));
	memcpy(policy.nonce, facts.nonce, sizeof(policy.nonce));
	return 0;
}

static void sign(const struct evidence *e, struct buf *ret)
{
	struct error err = {0};
	if (evidence_sign(e, &launcher, ret, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(ret->size, EVIDENCE_SIZE);
}

static void test_round_trip(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got;
	struct error err = {0};
	sign(&facts, &b);
	if (evidence_verify(b.data, b.size, &policy, &got, &err) < 0)
		fail_msg("%s", err.text);
	assert_memory_equal(got.launcher, launcher.public_key, sizeof(got.launcher));
	assert_memory_equal(got.executor, facts.executor, sizeof(got.executor));
	assert_memory_equal(got.public_key, facts.public_key, sizeof(got.public_key));
	assert_memory_equal(got.nonce, facts.nonce, sizeof(got.nonce));
	assert_int_equal(got.memory_level, facts.memory_level);
	assert_int_equal(got.isolation, facts.isolation);
	assert_int_equal(got.host, facts.host);
	assert_int_equal(got.uid, facts.uid);
	assert_int_equal(got.heap, facts.heap);
	assert_int_equal(got.time_s, facts.time_s);
	assert_string_equal(got.kernel, facts.kernel);
	assert_string_equal(got.machine, facts.machine);
}

/* The bytes are those of the table in evidence_format.h. */
static void test_layout(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	sign(&facts, &b);
	assert_memory_equal(b.data, "CELLAEVD\1\0\0\0", 12);
	assert_memory_equal(b.data + 12, launcher.public_key, 32);
	assert_int_equal(b.data[44], 0x11);
	assert_int_equal(b.data[92], 0x22);
	assert_int_equal(b.data[124], 0x33);
	assert_memory_equal(b.data + 156, "\1\0\0\0", 4);
	assert_memory_equal(b.data + 168, "\1\0\0\x43", 4);
	assert_memory_equal(b.data + 172, "\0\0\0\0\2\0\0\0", 8);
	assert_string_equal((char *)b.data + 188, "6.1.0-13-amd64");
	assert_string_equal((char *)b.data + 252, "soft");
}

static void test_append(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got;
	buf_put_u32(&b, 1);
	assert_int_equal(evidence_sign(&facts, &launcher, &b, NULL), 0);
	assert_int_equal(b.size, 4 + EVIDENCE_SIZE);
	assert_int_equal(evidence_verify(b.data + 4, b.size - 4, &policy, &got, NULL), 0);
}

/* A name too long for its field is cut, and still ends inside. */
static void test_long_kernel(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence e = facts, got;
	memset(e.kernel, 'k', sizeof(e.kernel));
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, NULL), 0);
	assert_int_equal(strlen(got.kernel), sizeof(got.kernel) - 1);
}

static void test_every_bit_counts(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got, untouched;
	memset(&got, 0x5a, sizeof(got));
	memset(&untouched, 0x5a, sizeof(untouched));
	sign(&facts, &b);
	for (size_t bit = 0; bit < b.size * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		int rc = evidence_verify(b.data, b.size, &policy, &got, NULL);
		if (rc != CELLA_EAUTH && rc != CELLA_EFORMAT)
			fail_msg("bit %zu of byte %zu: %d", bit % 8, bit / 8, rc);
		b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	assert_memory_equal(&got, &untouched, sizeof(got));
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, NULL), 0);
}

static void test_every_length(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got;
	sign(&facts, &b);
	for (size_t size = 0; size < b.size; size++)
		assert_int_equal(evidence_verify(b.data, size, &policy, &got, NULL), CELLA_EFORMAT);
	buf_put_u8(&b, 0);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, NULL), CELLA_EFORMAT);
}

/* What is malformed stays so under a valid signature. */
static void test_signed_but_malformed(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *text;
	} cases[] = {
		{0, 'X', "no evidence"},        {8, 2, "version 2"},
		{160 + 2, 1, "unknown bits"},   {164 + 3, 1, "unknown bits"},
		{251, 'x', "malformed string"}, {267, 'x', "malformed string"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0};
		struct evidence got;
		struct error err = {0};
		sign(&facts, &b);
		b.data[cases[i].at] = cases[i].value;
		assert_int_equal(crypto_sign(&launcher, b.data, EVIDENCE_BODY_SIZE,
		                             b.data + EVIDENCE_BODY_SIZE, NULL),
		                 0);
		assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, &err), CELLA_EFORMAT);
		assert_non_null(strstr(err.text, cases[i].text));
	}
}

/* One demand at a time that the evidence does not meet. */
static void test_each_demand(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		size_t at; /* in struct evidence_policy */
		uint32_t flip;
		const char *text;
	} cases[] = {
		{"launcher", offsetof(struct evidence_policy, launcher), 1, "launcher is ea"},
		{"executor", offsetof(struct evidence_policy, executor), 1,
	         "executor is 1111111111111111..., demanded 1011"},
		{"executor's end", offsetof(struct evidence_policy, executor) + 44, 1,
	         "executor is 1111111111111111"},
		{"nonce", offsetof(struct evidence_policy, nonce), 1,
	         "nonce is 3333333333333333..., demanded 3233"},
		{"level", offsetof(struct evidence_policy, memory_level), 6,
	         "memory level is secret, demanded an unknown one"},
		{"isolation", offsetof(struct evidence_policy, isolation),
	         EVIDENCE_NET_NAMESPACE | EVIDENCE_CGROUP,
	         "isolation lacks net-namespace cgroup, has own-uid pid-namespace no-new-privs"},
		{"host", offsetof(struct evidence_policy, host), EVIDENCE_YAMA_SCOPE_3,
	         "host lacks yama-scope-3, has kexec-disabled"},
	};
	cleanup_buf struct buf b = {0};
	sign(&facts, &b);
	for (size_t i = 0; i < array_count(cases); i++) {
		struct evidence_policy p = policy;
		struct evidence got;
		struct error err = {0};
		uint32_t word;
		memcpy(&word, (uint8_t *)&p + cases[i].at, sizeof(word));
		word ^= cases[i].flip;
		memcpy((uint8_t *)&p + cases[i].at, &word, sizeof(word));
		int rc = evidence_verify(b.data, b.size, &p, &got, &err);
		if (rc != CELLA_EAUTH || !strstr(err.text, cases[i].text))
			fail_msg("%s: %d, %s", cases[i].name, rc, err.text);
		assert_null(strstr(err.text, "; "));
	}
}

static void test_weaker_memory(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence e = facts, got;
	struct evidence_policy p = policy;
	struct error err = {0};
	e.memory_level = MEM_INSECURE_NONE;
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "memory level is insecure-none, demanded secret"));
	p.memory_level = MEM_INSECURE_NONE;
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, NULL), 0);
	/* Paged memory tells more than secret memory does, and protects more than none. */
	e.memory_level = MEM_PAGED;
	b.size = 0;
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, NULL), 0);
	p.memory_level = MEM_PAGED;
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, NULL), 0);
	p.memory_level = MEM_SECRET;
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "memory level is paged, demanded secret"));
	e.memory_level = MEM_SECRET;
	p.memory_level = MEM_PAGED;
	b.size = 0;
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, NULL), 0);
	e.memory_level = 99;
	b.size = 0;
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, NULL), CELLA_EAUTH);
}

/* The whole list at once, and it fits in an error's text. */
static void test_all_demands(void **state)
{
	(void)state;
	static const char *const parts[] = {
		"signature",    "launcher is",     "executor is",         "nonce is",
		"memory level", "isolation lacks", "no-inherited-filter", "host lacks",
	};
	cleanup_buf struct buf b = {0};
	struct evidence e = facts, got;
	struct evidence_policy p = {.memory_level = MEM_SECRET,
	                            .isolation = EVIDENCE_ISOLATION_ALL,
	                            .host = EVIDENCE_HOST_ALL};
	struct error err = {0};
	e.memory_level = MEM_INSECURE_NONE;
	e.isolation = EVIDENCE_OWN_UID;
	e.host = 0;
	sign(&e, &b);
	b.data[b.size - 1] ^= 1;
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, &err), CELLA_EAUTH);
	for (size_t i = 0; i < array_count(parts); i++)
		if (!strstr(err.text, parts[i]))
			fail_msg("%s is not in: %s", parts[i], err.text);
	assert_true(strlen(err.text) < sizeof(err.text) - 1);
}

/* Somebody else's key, though the evidence names the right launcher. */
static void test_other_signer(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct crypto_signer other;
	struct evidence got;
	struct error err = {0};
	sign(&facts, &b);
	assert_int_equal(crypto_signer_generate(&other, NULL), 0);
	assert_int_equal(crypto_sign(&other, b.data, EVIDENCE_BODY_SIZE, b.data + EVIDENCE_BODY_SIZE, NULL),
	                 0);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "its signature does not verify"));
	b.size = 0;
	assert_int_equal(evidence_sign(&facts, &other, &b, NULL), 0);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "launcher is"));
}

static void test_unknown_bits_are_not_signed(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence e = facts;
	e.isolation |= 1u << 31;
	assert_int_equal(evidence_sign(&e, &launcher, &b, NULL), CELLA_EBUG);
	assert_int_equal(b.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_long_kernel),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_signed_but_malformed),
		cmocka_unit_test(test_each_demand),
		cmocka_unit_test(test_weaker_memory),
		cmocka_unit_test(test_all_demands),
		cmocka_unit_test(test_other_signer),
		cmocka_unit_test(test_unknown_bits_are_not_signed),
	};
	return cmocka_run_group_tests(tests, make_facts, NULL);
}
