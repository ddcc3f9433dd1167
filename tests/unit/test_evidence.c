/*
 * Evidence. Does a verifier get back what the launcher signed, is every change of it noticed, is every
 * form of it refused but the one, by the member's name, and does a refusal name each demand that is not
 * met, with what was found and what was wanted?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "attest/evidence_format.h"
#include "attest/jws.h"
#include "base/base64url.h"
#include "base/io.h"
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
	memset(facts.cell, 0x44, sizeof(facts.cell));
	memset(facts.builder, 0x55, sizeof(facts.builder));
	policy = (struct evidence_policy){
		.memory_level = MEM_SECRET,
		.isolation = EVIDENCE_OWN_UID | EVIDENCE_PID_NAMESPACE,
		.host = EVIDENCE_KEXEC_DISABLED,
	};
	memcpy(policy.launcher, launcher.public_key, sizeof(policy.launcher));
	memcpy(policy.executor, facts.executor, sizeof(policy.executor));
	memcpy(policy.nonce, facts.nonce, sizeof(policy.nonce));
	memcpy(policy.cell, facts.cell, sizeof(policy.cell));
	memcpy(policy.builder, facts.builder, sizeof(policy.builder));
	return 0;
}

static void sign(const struct evidence *e, struct buf *ret)
{
	struct error err = {0};
	if (evidence_sign(e, &launcher, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void expect_equal(const struct evidence *got, const struct evidence *wanted)
{
	assert_memory_equal(got->launcher, launcher.public_key, sizeof(got->launcher));
	assert_string_equal(got->machine, wanted->machine);
	assert_string_equal(got->kernel, wanted->kernel);
	assert_int_equal(got->host, wanted->host);
	assert_int_equal(got->time_s, wanted->time_s);
	assert_memory_equal(got->executor, wanted->executor, sizeof(got->executor));
	assert_int_equal(got->isolation, wanted->isolation);
	assert_int_equal(got->uid, wanted->uid);
	assert_int_equal(got->heap, wanted->heap);
	assert_memory_equal(got->public_key, wanted->public_key, sizeof(got->public_key));
	assert_int_equal(got->memory_level, wanted->memory_level);
	assert_memory_equal(got->cell, wanted->cell, sizeof(got->cell));
	assert_memory_equal(got->builder, wanted->builder, sizeof(got->builder));
	assert_memory_equal(got->nonce, wanted->nonce, sizeof(got->nonce));
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
	expect_equal(&got, &facts);
}

/* The largest of everything fits, and comes back. */
static void test_extremes(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got, e = {
				     .memory_level = MEM_INSECURE_NONE,
				     .isolation = EVIDENCE_ISOLATION_ALL,
				     .host = EVIDENCE_HOST_ALL,
				     .uid = UINT32_MAX,
				     .heap = CLAIMS_NUMBER_MAX,
				     .time_s = CLAIMS_NUMBER_MAX,
			     };
	memset(e.kernel, '"', sizeof(e.kernel) - 1);
	memset(e.machine, '\\', sizeof(e.machine) - 1);
	sign(&e, &b);
	assert_true(b.size <= EVIDENCE_SIZE_MAX);
	assert_int_equal(evidence_parse(b.data, b.size, &got, NULL), 0);
	expect_equal(&got, &e);
	e = (struct evidence){.kernel = ""};
	b.size = 0;
	sign(&e, &b);
	assert_int_equal(evidence_parse(b.data, b.size, &got, NULL), 0);
	expect_equal(&got, &e);
}

/* The manual's block of code in this language, without its line feeds. */
static void read_block(const char *language, struct buf *ret)
{
	cleanup_buf struct buf text = {0};
	char fence[64];
	assert_int_equal(io_read_file(EVIDENCE_DOCUMENT, 1 << 20, &text, NULL), 0);
	buf_put_u8(&text, 0);
	snprintf(fence, sizeof(fence), "\n```%s\n", language);
	const char *from = strstr((const char *)text.data, fence);
	assert_non_null(from);
	from += strlen(fence);
	const char *to = strstr(from, "\n```\n");
	assert_non_null(to);
	for (; from < to; from++)
		if (*from != '\n')
			buf_put_u8(ret, (uint8_t)*from);
}

/* The example in the manual is what the launcher writes, and the claims beside it are what it says. */
static void test_example_in_manual(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0}, token = {0}, shown = {0}, payload = {0};
	struct evidence got;
	struct jws jws;
	sign(&facts, &b);
	read_block("jwt", &token);
	if (token.size != b.size || memcmp(token.data, b.data, b.size) != 0)
		fail_msg("the manual's example should be %.*s", (int)b.size, (char *)b.data);
	assert_int_equal(evidence_verify(token.data, token.size, &policy, &got, NULL), 0);
	read_block("json", &shown);
	assert_int_equal(jws_parse(b.data, b.size, &jws, NULL), 0);
	assert_int_equal(jws_verify(&jws, launcher.public_key, &payload, NULL), 0);
	json_t *wanted = json_loadb((char *)payload.data, payload.size, 0, NULL);
	json_t *found = json_loadb((char *)shown.data, shown.size, JSON_REJECT_DUPLICATES, NULL);
	if (!json_equal(wanted, found))
		fail_msg("the manual's claims should be %.*s", (int)payload.size, (char *)payload.data);
	json_decref(wanted);
	json_decref(found);
}

static void test_append(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got;
	buf_put_u32(&b, 1);
	assert_int_equal(evidence_sign(&facts, &launcher, &b, NULL), 0);
	assert_int_equal(evidence_verify(b.data + 4, b.size - 4, &policy, &got, NULL), 0);
}

/* A name too long for its field is cut, what no terminal should see is replaced. */
static void test_strange_kernel(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence e = facts, got;
	memset(e.kernel, 'k', sizeof(e.kernel));
	e.kernel[1] = '\033';
	e.kernel[2] = (char)0xe9;
	sign(&e, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, NULL), 0);
	assert_int_equal(strlen(got.kernel), sizeof(got.kernel) - 1);
	assert_memory_equal(got.kernel, "k??k", 4);
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

/* The claims of `facts`. */
static char *claims_text(void)
{
	static struct buf b;
	b.size = 0;
	assert_int_equal(claims_write(&evidence_claims, &facts, &b, NULL), 0);
	buf_put_u8(&b, 0);
	return (char *)b.data;
}

static void sign_claims(const char *claims, const char *type, const char *kid, struct buf *ret)
{
	struct jws_header header = {.type = ""};
	snprintf(header.type, sizeof(header.type), "%s", type);
	base64url_encode(launcher.public_key, sizeof(launcher.public_key), header.key_id);
	if (kid)
		snprintf(header.key_id, sizeof(header.key_id), "%s", kid);
	assert_int_equal(jws_sign(&header, claims, strlen(claims), &launcher, ret, NULL), 0);
}

static void expect_malformed(const struct buf *b, const char *says)
{
	struct evidence got, untouched;
	struct error err = {0};
	memset(&got, 0x5a, sizeof(got));
	memset(&untouched, 0x5a, sizeof(untouched));
	int rc = evidence_parse(b->data, b->size, &got, &err);
	if (rc != CELLA_EFORMAT || strncmp(err.text, "evidence: ", 10) != 0 || !strstr(err.text, says))
		fail_msg("%s expected: %d, %s", says, rc, err.text);
	assert_memory_equal(&got, &untouched, sizeof(got));
}

/* What is malformed stays so under a valid signature, and is named. */
static void test_signed_but_malformed(void **state)
{
	(void)state;
	static const char cell[] = "submods.executor.cell: ", builder[] = "submods.executor.builder: ",
			  level[] = "submods.executor.memory_level: ",
			  measured[] = "submods.launcher.measured.";
	static const struct {
		const char *from, *to, *where, *says;
	} cases[] = {
		/* what is missing */
		{"\"iat\":1700000000,", "", "iat: ", "it is missing"},
		{"\"eat_profile\":\"cella:evidence:1\",", "", "eat_profile: ", "it is missing"},
		{"\"uid\":1124073473", "\"uie\":1", "submods.launcher.measured: ", "\"uie\" is unknown"},
		{",\"uid\":1124073473", "", measured, "uid: it is missing"},
		{"\"machine\":\"soft\",", "", "submods.launcher.machine: ", "it is missing"},
		{"\"cnf\":", "\"cnd\":", "submods.executor: ", "\"cnd\" is unknown"},
		/* what is there and should not be */
		{"{\"eat_nonce\"", "{\"exp\":1,\"eat_nonce\"", "", "\"exp\" is unknown"},
		{"\"launcher\":{", "\"cell\":{},\"launcher\":{", "submods: ", "\"cell\" is unknown"},
		{"\"kty\"", "\"d\":\"\",\"kty\"", "submods.executor.cnf.jwk: ", "\"d\" is unknown"},
		{"\"iat\"", "\"iat\":1,\"iat\"", "", "no JSON: duplicate object key near '\"iat\"'"},
		{"\"uid\"", "\"uid\":0,\"uid\"", "", "no JSON: duplicate object key near '\"uid\"'"},
		{"\"uid\"", "\"\\u0075id\":0,\"uid\"", "", "no JSON: duplicate object key"},
		{"\"own-uid\",", "\"own-uid\",\"own-uid\",", measured,
	         "isolation: \"own-uid\" is there twice"},
		{"\"own-uid\"", "\"own-uie\"", measured, "isolation: \"own-uie\" is unknown"},
		{"\"kexec-disabled\"", "\"secure-boot\"",
	         "submods.launcher.host: ", "\"secure-boot\" is unknown"},
		/* another kind */
		{"1700000000", "\"1700000000\"", "iat: ", "no integer"},
		{"1700000000", "1700000000.5", "iat: ", "no integer"},
		{"1700000000", "1.7e9", "iat: ", "no integer"},
		{"1700000000", "true", "iat: ", "no integer"},
		{"1700000000", "null", "iat: ", "no integer"},
		{"[\"kexec-disabled\"]", "\"kexec-disabled\"", "submods.launcher.host: ", "no array"},
		{"[\"kexec-disabled\"]", "[1]", "submods.launcher.host: ", "no text"},
		{"\"soft\"", "1", "submods.launcher.machine: ", "no text"},
		{"\"secret\"", "1", level, "no text"},
		{"\"secret\"", "\"Secret\"", level, "\"Secret\" is no memory level"},
		{"{\"jwk\":{\"crv\":\"X25519\",\"kty\":\"OKP\",",
	         "{\"jwk\":[{\"crv\":\"X25519\",\"kty\":\"OKP\",", "", "no JSON"},
		{"\"X25519\"", "\"Ed25519\"",
	         "submods.executor.cnf.jwk.crv: ", "\"Ed25519\", and \"X25519\" is expected"},
		{"cella:evidence:1", "cella:evidence:2",
	         "eat_profile: ", "\"cella:evidence:2\", and \"cella:evidence:1\""},
		/* another size or range */
		{"1700000000", "-1", "iat: ", "-1 is not between 0 and 9007199254740992"},
		{"1700000000", "9007199254740993", "iat: ", "9007199254740993 is not between"},
		{"1700000000", "99999999999999999999", "", "no JSON: too big integer"},
		{"1124073473", "4294967296", measured, "uid: 4294967296 is not between 0 and 4294967295"},
		{"MzMzMzMz", "MzMzMzM", "eat_nonce: ", "42 characters, 43 of base64url are expected"},
		{"MzMzMzMz", "MzMz+zMz", "eat_nonce: ", "no base64url"},
		{"zMzMzM\"", "zMzMzN\"", "eat_nonce: ", "no base64url"},
		{"555555\"", "5555\"", builder, "62 characters, 64 hexadecimal digits are expected"},
		{"44444444\"", "4444444g\"", cell, "other characters than lower-case"},
		{"44444444\"", "4444444A\"", cell, "other characters than lower-case"},
		{"\"soft\"", "\"0123456789abcdef\"",
	         "submods.launcher.machine: ", "a text of 16 characters, 0 to 15"},
		{"\"soft\"", "\"so\\tft\"", "submods.launcher.machine: ", "a text with other characters"},
		{"\"soft\"", "\"so\\u0000ft\"", "", "no JSON"},
		{"\"soft\"", "\"so\xff\x74\"", "", "no JSON"},
		/* no such JSON */
		{"{\"eat_nonce\"", "[{\"eat_nonce\"", "", "no JSON"},
		{"{\"eat_nonce\"", "{}{\"eat_nonce\"", "", "no JSON"},
		{"{\"eat_nonce\"", "{eat_nonce", "", "no JSON"},
		{"1700000000", "[[[[[[[[1]]]]]]]]", "", "JSON that is nested more than 8 deep"},
		{"1700000000", "[[[[[[[1]]]]]]]", "iat: ", "no integer"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0}, claims = {0};
		char says[200];
		const char *text = claims_text(), *at = strstr(text, cases[i].from);
		if (!at)
			fail_msg("%s is not in %s", cases[i].from, text);
		buf_put(&claims, text, (size_t)(at - text));
		buf_printf(&claims, "%s%s", cases[i].to, at + strlen(cases[i].from));
		buf_put_u8(&claims, 0);
		snprintf(says, sizeof(says), "evidence: %s%s", cases[i].where, cases[i].says);
		sign_claims((char *)claims.data, EVIDENCE_TYPE, NULL, &b);
		expect_malformed(&b, says);
	}
}

/* The order of members and the white space between them have no meaning. */
static void test_other_layout(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence got;
	json_t *json = json_loads(claims_text(), 0, NULL);
	char *text = json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS);
	sign_claims(text, EVIDENCE_TYPE, NULL, &b);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, NULL), 0);
	expect_equal(&got, &facts);
	free(text);
	json_decref(json);
}

/* Other tokens that the same key may sign are no evidence, and a key is named in one way. */
static void test_other_headers(void **state)
{
	(void)state;
	static const struct {
		const char *type, *kid, *says;
	} cases[] = {
		{"", NULL, "header: typ: \"\", and \"eat+jwt\" is expected"},
		{"JWT", NULL, "header: typ: \"JWT\""},
		{"application/eat+jwt", NULL, "header: typ: \"application/eat+jwt\""},
		{EVIDENCE_TYPE, "", "header: kid: \"\" is no Ed25519 key"},
		{EVIDENCE_TYPE, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4", "is no Ed25519 key"},
		{EVIDENCE_TYPE, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4l", "is no Ed25519 key"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0};
		sign_claims(claims_text(), cases[i].type, cases[i].kid, &b);
		expect_malformed(&b, cases[i].says);
	}
}

/* No more is read than evidence can have. */
static void test_too_long(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	char spaces[1500];
	memset(spaces, ' ', sizeof(spaces));
	spaces[sizeof(spaces) - 1] = '\0';
	sign_claims(spaces, EVIDENCE_TYPE, NULL, &b);
	expect_malformed(&b, "2198 characters, at most 2048 are allowed");
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
		{"cell", offsetof(struct evidence_policy, cell), 1,
	         "cell is 4444444444444444..., demanded 4544"},
		{"cell's end", offsetof(struct evidence_policy, cell) + 44, 1, "cell is 4444444444444444"},
		{"builder", offsetof(struct evidence_policy, builder), 1,
	         "builder is 5555555555555555..., demanded 5455"},
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
	e.memory_level = MEM_LEVELS; /* as no evidence says it */
	assert_int_equal(evidence_check(&e, &p, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "memory level 3 is unknown, demanded 2"));
}

/* The whole list at once, and it fits in an error's text. */
static void test_all_demands(void **state)
{
	(void)state;
	static const char *const parts[] = {
		"launcher is", "executor is",  "cell is",         "builder is",
		"nonce is",    "memory level", "isolation lacks", "no-inherited-filter",
		"host lacks",
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
	assert_int_equal(evidence_verify(b.data, b.size, &p, &got, &err), CELLA_EAUTH);
	for (size_t i = 0; i < array_count(parts); i++)
		if (!strstr(err.text, parts[i]))
			fail_msg("%s is not in: %s", parts[i], err.text);
	assert_true(strlen(err.text) < sizeof(err.text) - 1);
}

/* Somebody else's key, under its own name and under the right launcher's. */
static void test_other_signer(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct crypto_signer other;
	struct evidence got;
	struct error err = {0};
	assert_int_equal(crypto_signer_generate(&other, NULL), 0);
	assert_int_equal(evidence_sign(&facts, &other, &b, NULL), 0);
	assert_int_equal(evidence_parse(b.data, b.size, &got, &err), 0);
	assert_memory_equal(got.launcher, other.public_key, sizeof(got.launcher));
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "launcher is"));
	memcpy(other.public_key, launcher.public_key, sizeof(other.public_key));
	b.size = 0;
	assert_int_equal(evidence_sign(&facts, &other, &b, NULL), 0);
	assert_int_equal(evidence_verify(b.data, b.size, &policy, &got, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "its signature does not hold"));
}

static void test_what_is_not_signed(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct evidence wrong[] = {facts, facts, facts, facts, facts};
	wrong[0].isolation |= 1u << 31;
	wrong[1].host = EVIDENCE_HOST_ALL + 1;
	wrong[2].memory_level = MEM_LEVELS;
	wrong[3].heap = CLAIMS_NUMBER_MAX + 1;
	wrong[4].time_s = UINT64_MAX;
	for (size_t i = 0; i < array_count(wrong); i++) {
		assert_int_equal(evidence_sign(&wrong[i], &launcher, &b, NULL), CELLA_EBUG);
		assert_int_equal(b.size, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),        cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_example_in_manual), cmocka_unit_test(test_append),
		cmocka_unit_test(test_strange_kernel),    cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_every_length),      cmocka_unit_test(test_signed_but_malformed),
		cmocka_unit_test(test_other_layout),      cmocka_unit_test(test_other_headers),
		cmocka_unit_test(test_too_long),          cmocka_unit_test(test_each_demand),
		cmocka_unit_test(test_weaker_memory),     cmocka_unit_test(test_all_demands),
		cmocka_unit_test(test_other_signer),      cmocka_unit_test(test_what_is_not_signed),
	};
	return cmocka_run_group_tests(tests, make_facts, NULL);
}
