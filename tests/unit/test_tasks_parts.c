/*
 * Do the parts of the task side keep what their headers promise: invocations and agents' messages
 * (and malformed ones), ledgers, the memory of attempts, the cache of data?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cell/attempts.h"
#include "cell/cache.h"
#include "cell/down.h"
#include "cell/invocation.h"
#include "cell/ledger.h"
#include "cella/task_abi.h"

/* Invocations. */

static const uint64_t parts_of_merge[] = {7, 8};
static const struct version_source plain = {.base = {.id = 5}};
static const struct version_source merged = {.base = {.id = 6}, .parts = parts_of_merge, .part_count = 2};
static const struct version_source state = {.base = {.id = 9, .members = 3, .sum = {11, 12}}};

static size_t write_example(uint8_t *data, size_t capacity, struct error *err)
{
	struct invocation_writer w;
	invocation_begin(&w, data, capacity);
	invocation_value(&w, "abc", 3);
	invocation_buffer(&w, VERSION_INOUT, 100, &merged);
	invocation_collection(&w, 2, 2);
	for (int i = 0; i < 4; i++)
		invocation_buffer(&w, i < 3 ? VERSION_IN : VERSION_OUT, 8, i < 3 ? &plain : NULL);
	invocation_file(&w, VERSION_IN, "/x", 2, &plain);
	invocation_buffer(&w, VERSION_COMMUTATIVE, 40, &state);
	invocation_buffer(&w, VERSION_IN, 0, NULL);
	return invocation_end(&w, err) < 0 ? 0 : w.size;
}

static const struct task_submit example = {.input_count = 7, .output_count = 2, .commutative_count = 1};

static void an_invocation_is_walked_as_it_was_written(void **unused)
{
	(void)unused;
	static const struct {
		enum invocation_kind kind;
		enum version_access access;
		uint32_t size;
		size_t input, part_count, output, commutative, parameter;
		uint64_t offset;
	} expected[] = {
		{INVOCATION_VALUE, VERSION_IN, 3, 0, 0, 0, 0, 0, 32},
		{INVOCATION_BUFFER, VERSION_INOUT, 100, 0, 2, 0, 0, 1, 48},
		{INVOCATION_COLLECTION, VERSION_IN, 2, 0, 0, 0, 0, 2, 160},
		{INVOCATION_BUFFER, VERSION_IN, 8, 3, 0, 1, 0, 2, 192},
		{INVOCATION_BUFFER, VERSION_IN, 8, 4, 0, 1, 0, 2, 208},
		{INVOCATION_BUFFER, VERSION_IN, 8, 5, 0, 1, 0, 2, 224},
		{INVOCATION_BUFFER, VERSION_OUT, 8, 6, 0, 1, 0, 2, 240},
		{INVOCATION_FILE, VERSION_IN, 0, 6, 0, 2, 0, 3, 256},
		{INVOCATION_BUFFER, VERSION_COMMUTATIVE, 40, 7, 0, 2, 0, 4, 272},
		{INVOCATION_BUFFER, VERSION_IN, 0, 0, 0, 0, 0, 5, 320},
	};
	uint8_t data[512];
	size_t size = write_example(data, sizeof(data), NULL);
	struct invocation_walk w;
	struct invocation_part_view p;
	invocation_walk(&w, data, size, &example);
	for (size_t i = 0; i < array_count(expected); i++) {
		assert_true(invocation_next(&w, &p));
		assert_int_equal(p.kind, expected[i].kind);
		assert_int_equal(p.access, expected[i].access);
		assert_int_equal(p.size, expected[i].size);
		assert_int_equal(p.input, expected[i].input);
		assert_int_equal(p.part_count, expected[i].part_count);
		assert_int_equal(p.output, expected[i].output);
		assert_int_equal(p.commutative, expected[i].commutative);
		assert_int_equal(p.parameter, expected[i].parameter);
		assert_int_equal(p.offset, expected[i].offset);
		assert_int_equal(p.state.members, i == 8 ? 3 : 0);
		assert_int_equal(p.is_parameter, i < 3 || i > 6);
	}
	assert_false(invocation_next(&w, &p));
	assert_int_equal(invocation_walked(&w, NULL), 0);
	assert_int_equal(w.frame_size, 320);
}

static int walk(const uint8_t *data, size_t size, const struct task_submit *submit)
{
	struct invocation_walk w;
	struct invocation_part_view p;
	invocation_walk(&w, data, size, submit);
	while (invocation_next(&w, &p))
		;
	return invocation_walked(&w, NULL);
}

static void an_invocation_that_is_cut_or_does_not_add_up_is_refused(void **unused)
{
	(void)unused;
	uint8_t data[512];
	size_t size = write_example(data, sizeof(data), NULL);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *exact = malloc(cut + 1);
		memcpy(exact, data, cut);
		assert_int_equal(walk(exact, cut, &example), CELLA_EFORMAT);
		free(exact);
	}
	assert_int_equal(walk(data, size + 1, &example), CELLA_EFORMAT);
	for (int field = 0; field < 6; field++) {
		struct task_submit other = example;
		uint16_t *counts[] = {&other.input_count, &other.output_count, &other.commutative_count};
		*counts[field / 2] = (uint16_t)(*counts[field / 2] + (field % 2 ? 1 : -1));
		assert_int_equal(walk(data, size, &other), CELLA_EFORMAT);
	}
}

static void malformed_parts_are_refused(void **unused)
{
	(void)unused;
	enum { PART = sizeof(struct invocation_head) };
	static const struct {
		const char *what;
		struct invocation_part part;
		const char *rest;
		size_t rest_size;
	} wrong[] = {
		{"unknown kind", {.kind = 9}, "", 0},
		{"unknown access", {.kind = INVOCATION_BUFFER, .access = 7, .size = 8}, "", 0},
		{"parts of an output",
	         {.kind = INVOCATION_BUFFER, .access = VERSION_OUT, .parts = 1, .size = 8},
	         "",
	         0},
		{"a file with a size", {.kind = INVOCATION_FILE, .size = 1}, "\1\0\0\0x", 5},
		{"an empty path", {.kind = INVOCATION_FILE}, "\0\0\0\0", 4},
		{"a zero in a path", {.kind = INVOCATION_FILE}, "\2\0\0\0x\0", 6},
		{"a commutative file",
	         {.kind = INVOCATION_FILE, .access = VERSION_COMMUTATIVE},
	         "\1\0\0\0x",
	         5},
		{"a vast collection", {.kind = INVOCATION_COLLECTION, .size = 1000000}, "\1\0\0\0", 4},
		{"a vast product", {.kind = INVOCATION_COLLECTION, .size = 900}, "\0\0\0\x80", 4},
		{"a value past the end", {.kind = INVOCATION_VALUE, .size = UINT32_MAX}, "x", 1},
		{"a state of nobody",
	         {.kind = INVOCATION_BUFFER, .flags = INVOCATION_STATE, .size = 8},
	         "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	         24},
	};
	static const struct task_submit all = {.input_count = 2, .output_count = 1, .commutative_count = 1};
	for (size_t i = 0; i < array_count(wrong); i++) {
		uint8_t data[64];
		struct invocation_head head = {.version = INVOCATION_VERSION, .parameter_count = 1};
		memcpy(data, &head, sizeof(head));
		memcpy(data + PART, &wrong[i].part, sizeof(wrong[i].part));
		memcpy(data + PART + sizeof(wrong[i].part), wrong[i].rest, wrong[i].rest_size);
		struct invocation_walk w;
		struct invocation_part_view p;
		invocation_walk(&w, data, PART + sizeof(wrong[i].part) + wrong[i].rest_size, &all);
		if (invocation_next(&w, &p))
			fail_msg("%s was taken", wrong[i].what);
	}
}

static void an_invocation_that_does_not_fit_says_so(void **unused)
{
	(void)unused;
	uint8_t data[512];
	struct invocation_writer w;
	struct error err;
	size_t size = write_example(data, sizeof(data), NULL);
	for (size_t capacity = 4; capacity < size; capacity++)
		assert_int_equal(write_example(data, capacity, NULL), 0);
	invocation_begin(&w, data, sizeof(data));
	invocation_collection(&w, 1000, 2);
	assert_int_equal(invocation_end(&w, &err), CELLA_ELIMIT);
	invocation_begin(&w, data, sizeof(data));
	invocation_collection(&w, 2, 2);
	assert_int_equal(invocation_end(&w, &err), CELLA_EINVAL);
	assert_string_equal(err.text, "a collection lacks 4 of its buffers");
}

/* Messages of the agent. */

static size_t write_run(uint64_t *body, uint16_t inputs, uint16_t outputs, uint16_t turns, uint32_t sealed)
{
	struct task_run run = {.task = 1, .attempt = 1, .location_count = (uint32_t)inputs + turns};
	struct task_submit submit = {.task = 1,
	                             .input_count = inputs,
	                             .output_count = outputs,
	                             .commutative_count = turns,
	                             .sealed_size = sealed};
	size_t at = sizeof(run) + run.location_count * sizeof(struct task_location);
	memcpy(body, &run, sizeof(run));
	memcpy((uint8_t *)body + at, &submit, sizeof(submit));
	return at + sizeof(submit) + (inputs + outputs) * sizeof(uint64_t) +
	       turns * sizeof(struct task_commutative) + sealed;
}

static void runs_are_read_within_their_bounds(void **unused)
{
	(void)unused;
	static uint64_t body[65536 / 8];
	struct down_run d;
	size_t size = write_run(body, 3, 2, 1, 100);
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), 0);
	assert_ptr_equal(d.states, d.inputs + 3);
	assert_ptr_equal((const uint8_t *)d.sealed + 100, (uint8_t *)body + size);
	assert_int_equal(d.aad_size, sizeof(struct task_submit) + 5 * 8 + 16);
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(down_read_run((uint8_t *)body, cut, &d, NULL), CELLA_EFORMAT);
	assert_int_equal(down_read_run((uint8_t *)body, size + 1, &d, NULL), CELLA_EFORMAT);
	((struct task_run *)body)->attempt = 0;
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), CELLA_EFORMAT);
	((struct task_run *)body)->attempt = TASK_ATTEMPTS_MAX + 1;
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), CELLA_EFORMAT);
	size = write_run(body, 1, 0, 0, TASK_INVOCATION_MAX + 1);
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), CELLA_EFORMAT);
	size = write_run(body, 500, 501, 0, 100);
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), CELLA_EFORMAT);
	((struct task_run *)body)->location_count = UINT32_MAX;
	assert_int_equal(down_read_run((uint8_t *)body, size, &d, NULL), CELLA_EFORMAT);
}

static void answers_are_read_within_their_bounds(void **unused)
{
	(void)unused;
	uint64_t body[64] = {0};
	struct down_ready ready;
	struct down_outcome outcome;
	struct task_extent extent;
	((struct task_ready *)body)->location_count = 2;
	size_t size = sizeof(struct task_ready) + 2 * sizeof(struct task_location);
	assert_int_equal(down_read_ready((uint8_t *)body, size, &ready, NULL), 0);
	assert_int_equal(down_read_ready((uint8_t *)body, size - 1, &ready, NULL), CELLA_EFORMAT);
	((struct task_ready *)body)->location_count = UINT32_MAX;
	assert_int_equal(down_read_ready((uint8_t *)body, size, &ready, NULL), CELLA_EFORMAT);
	memset(body, 0, sizeof(body));
	((struct task_outcome *)body)->failure_size = 10;
	size = sizeof(struct task_outcome) + 10;
	assert_int_equal(down_read_outcome((uint8_t *)body, size, &outcome, NULL), 0);
	assert_int_equal(down_read_outcome((uint8_t *)body, size + 1, &outcome, NULL), CELLA_EFORMAT);
	assert_int_equal(down_read_extent((uint8_t *)body, 16, &extent, NULL), 0);
	assert_int_equal(down_read_extent((uint8_t *)body, 15, &extent, NULL), CELLA_EFORMAT);
}

/* Ledgers. */

static void a_ledger_is_proved_by_every_receipt_and_no_other_sum(void **unused)
{
	(void)unused;
	struct ledger l = {0};
	struct seal_receipt receipts[4] = {{UINT64_MAX, 1},
	                                   {UINT64_MAX, UINT64_MAX},
	                                   {5, 7},
	                                   {UINT64_MAX - 3, 100}};
	struct seal_receipt ignored = {1000, 2000};
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(ledger_add(&l, 10 + i + (i > 1), &receipts[i]), 0);
	struct seal_receipt sum = {0};
	for (size_t i = 0; i < 4; i++)
		seal_receipt_add(&sum, &receipts[i]);
	assert_true(ledger_proved(&l, 4, sum.low, sum.high));
	assert_false(ledger_proved(&l, 3, sum.low, sum.high));
	assert_false(ledger_proved(&l, 4, sum.low + 1, sum.high));
	assert_false(ledger_proved(&l, 4, sum.low, sum.high + 1));
	ledger_amend(&l, &receipts[1], NULL);
	ledger_amend(&l, &receipts[3], &ignored);
	sum = (struct seal_receipt){0};
	seal_receipt_add(&sum, &receipts[0]);
	seal_receipt_add(&sum, &receipts[2]);
	seal_receipt_add(&sum, &ignored);
	assert_true(ledger_proved(&l, 3, sum.low, sum.high));
	ledger_done(&l);
}

static void a_ledger_knows_its_tasks(void **unused)
{
	(void)unused;
	struct ledger l = {0};
	struct seal_receipt receipt = {1, 1};
	assert_false(ledger_has(&l, 0));
	for (uint64_t i = 0; i < 3000; i++)
		if (i % 7 < 4)
			assert_int_equal(ledger_add(&l, i, &receipt), 0);
	for (uint64_t i = 0; i < 3010; i++)
		assert_int_equal(ledger_has(&l, i), i < 3000 && i % 7 < 4);
	assert_int_equal(l.range_count, (3000 + 6) / 7);
	ledger_done(&l);
}

/* Attempts. */

static void an_attempt_begins_once(void **unused)
{
	(void)unused;
	static struct attempts a;
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(attempts_begin(&a, i * 37, 1), 0);
	for (uint64_t i = 0; i < 10000; i++) {
		assert_int_equal(attempts_begin(&a, i * 37, 1), CELLA_EAUTH);
		assert_int_equal(attempts_begin(&a, i * 37, 2), 0);
		assert_int_equal(attempts_begin(&a, i * 37 + 1, 1), 0);
	}
	assert_int_equal(attempts_begin(&a, 37, 2), CELLA_EAUTH);
	attempts_done(&a);
}

static void the_oldest_attempts_are_forgotten(void **unused)
{
	(void)unused;
	static struct attempts a;
	for (uint64_t i = 0; i <= ATTEMPTS_PAGES_MAX; i++)
		assert_int_equal(attempts_begin(&a, i * 4096, 1), 0);
	assert_int_equal(attempts_begin(&a, 4096, 1), CELLA_EAUTH);
	assert_int_equal(attempts_begin(&a, 0, 1), 0);
	assert_int_equal(attempts_begin(&a, 0, 1), CELLA_EAUTH);
	assert_int_equal(a.pages.count, ATTEMPTS_PAGES_MAX);
	attempts_done(&a);
}

/* By the names that the linker's --wrap gives them. */
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *wrap_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
static bool no_memory;

void *wrap_calloc(size_t count, size_t size)
{
	return no_memory ? NULL : real_calloc(count, size);
}

/* That memory ran out is not taken for an attempt that is repeated. */
static void an_attempt_that_cannot_be_noted_does_not_begin(void **unused)
{
	(void)unused;
	static struct attempts a;
	assert_int_equal(attempts_begin(&a, 7, 1), 0);
	no_memory = true;
	int rc = attempts_begin(&a, 7, 2);
	no_memory = false;
	assert_int_equal(rc, CELLA_ENOMEM);
	assert_int_equal(attempts_begin(&a, 7, 1), CELLA_EAUTH);
	assert_int_equal(attempts_begin(&a, 7, 2), 0);
	attempts_done(&a);
}

/* The cache. */

static void fill(struct cache *c, uint64_t datum, size_t size)
{
	struct cached *entry = cache_make(c, datum, size, 0);
	assert_non_null(entry);
	memset(entry->data, (int)datum, size);
	cache_keep(c, entry);
}

static void the_least_recently_used_goes_first(void **unused)
{
	(void)unused;
	struct mem_pool *pool;
	struct cache *c;
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 64 << 20, &pool, NULL), 0);
	assert_int_equal(cache_new(pool, 10000, &c, NULL), 0);
	assert_true(cache_fits(c, 2500));
	assert_false(cache_fits(c, 2501));
	for (uint64_t datum = 1; datum <= 4; datum++)
		fill(c, datum, 2000);
	assert_non_null(cache_find(c, 1));
	fill(c, 5, 2000);
	assert_null(cache_find(c, 2));
	assert_non_null(cache_find(c, 1));
	fill(c, 1, 100); /* in the place of the older entry */
	assert_int_equal(cache_find(c, 1)->size, 100);
	assert_int_equal(cache_find(c, 1)->data[99], 1);
	struct cached *dropped = cache_make(c, 9, 10, 0);
	cache_discard(c, dropped);
	cache_discard(c, NULL);
	assert_null(cache_find(c, 9));
	cache_drop(c, 1);
	cache_drop(c, 77); /* which is not there */
	assert_null(cache_find(c, 1));
	assert_non_null(cache_find(c, 5));
	cache_free(c);
	cache_free(NULL);
	mem_pool_free(pool);
}

static void the_cache_gives_way_when_protected_memory_ends(void **unused)
{
	(void)unused;
	struct mem_pool *pool;
	struct cache *c;
	assert_int_equal(mem_pool_new(MEM_INSECURE_NONE, 8 << 20, &pool, NULL), 0);
	assert_int_equal(cache_new(pool, SIZE_MAX / 2, &c, NULL), 0);
	for (uint64_t datum = 1; datum <= 100; datum++)
		fill(c, datum, 1 << 20);
	assert_null(cache_find(c, 1));
	assert_non_null(cache_find(c, 100));
	assert_null(cache_make(c, 101, 16 << 20, 0));
	cache_free(c);
	mem_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invocation_is_walked_as_it_was_written),
		cmocka_unit_test(an_invocation_that_is_cut_or_does_not_add_up_is_refused),
		cmocka_unit_test(malformed_parts_are_refused),
		cmocka_unit_test(an_invocation_that_does_not_fit_says_so),
		cmocka_unit_test(runs_are_read_within_their_bounds),
		cmocka_unit_test(answers_are_read_within_their_bounds),
		cmocka_unit_test(a_ledger_is_proved_by_every_receipt_and_no_other_sum),
		cmocka_unit_test(a_ledger_knows_its_tasks),
		cmocka_unit_test(an_attempt_begins_once),
		cmocka_unit_test(an_attempt_that_cannot_be_noted_does_not_begin),
		cmocka_unit_test(the_oldest_attempts_are_forgotten),
		cmocka_unit_test(the_least_recently_used_goes_first),
		cmocka_unit_test(the_cache_gives_way_when_protected_memory_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
