/*
 * The audit log, on a storage in memory. Does its format have the bytes that audit/format.h says; does
 * verifying find each change, removal, insertion and exchange of entries, one cut off, another history, an
 * older one; does it say who consented where a restore forgot something?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cas/audit/format.h"
#include "cas_support.h"

enum { ENTRIES_MAX = 64 };

static struct cas_test t;
static struct vault *vault;
static struct audit *audit;

static struct memory_log {
	struct {
		uint64_t number;
		size_t size;
		uint8_t bytes[512];
	} entries[ENTRIES_MAX];
	size_t count;
} the_log;

static int log_append(void *data, uint64_t number, const void *entry, size_t size, struct error *err)
{
	struct memory_log *l = data;
	(void)err;
	assert_true(l->count < ENTRIES_MAX && size <= sizeof(l->entries[0].bytes));
	l->entries[l->count].number = number;
	l->entries[l->count].size = size;
	memcpy(l->entries[l->count++].bytes, entry, size);
	return 0;
}

static int log_each(void *data, uint64_t from, cas_log_fn *fn, void *arg, struct error *err)
{
	struct memory_log *l = data;
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < l->count; i++)
		if (l->entries[i].number >= from)
			rc = fn(arg, l->entries[i].number, l->entries[i].bytes, l->entries[i].size, err);
	return rc;
}

static int log_last(void *data, uint64_t *ret_number, struct error *err)
{
	struct memory_log *l = data;
	(void)err;
	*ret_number = l->count ? l->entries[l->count - 1].number : 0;
	return 0;
}

static const struct cas_storage storage = {.data = &the_log,
                                           .log_append = log_append,
                                           .log_each = log_each,
                                           .log_last = log_last};

static void commit(void)
{
	static const uint8_t digest[CRYPTO_KEY_SIZE] = {0xdd, 0xee};
	assert_int_equal(audit_close(audit, vault, &storage, digest, 1, NULL), 0);
	audit_advance(audit);
}

static void add(enum audit_kind kind, const char *who, const char *what)
{
	const struct audit_event event = {.kind = kind, .who = who, .what = what};
	assert_int_equal(audit_add(audit, &event, 1000 + audit_count(audit), NULL), 0);
}

/* Numbers 1; 2, 3, 4; 5. */
static void make(void)
{
	const struct audit_head none = {0};
	audit_free(audit);
	the_log.count = 0;
	assert_int_equal(audit_new(&none, &audit, NULL), 0);
	add(AUDIT_CREATED, "", "{}");
	commit();
	add(AUDIT_SECRET_SET, "owner 1", "{\"n\":1}");
	add(AUDIT_SECRET_SET, "owner 2", "{\"n\":2}");
	add(AUDIT_REFUSED, "", "{\"n\":3}");
	commit();
	add(AUDIT_PROVISIONED, "cell", "{\"n\":4}");
	commit();
}

static int verify(const struct audit_head *remembered, struct error *err)
{
	struct audit_summary summary;
	return audit_verify(&storage, vault_cas(vault), vault_public_key(vault), remembered, &summary, err);
}

static void assert_found(const char *text)
{
	struct error err = {0};
	int rc = verify(NULL, &err);
	if (rc == 0 || !strstr(err.text, text))
		fail_msg("%d %s, not %s", rc, err.text, text);
}

static void test_layout(void **state)
{
	(void)state;
	static const uint8_t first[] = {'C', 'A', 'L', '1', 1,    0, 10, 0, 0, 0, 0, 0, 0, 0,
	                                0,   0,   1,   0,   0,    0, 0,  0, 0, 0, 2, 0, 0, 0,
	                                0,   0,   0,   0,   0xe8, 3, 0,  0, 0, 0, 0, 0};
	static const uint8_t texts[] = "\7\0\0\0owner 1\7\0\0\0{\"n\":1}";
	struct audit_entry e;
	make();
	assert_memory_equal(the_log.entries[1].bytes, first, sizeof(first));
	assert_int_equal(the_log.entries[1].size, AUDIT_FIXED_SIZE + 22);
	assert_memory_equal(the_log.entries[1].bytes + AUDIT_FIXED_SIZE, texts, 22);
	assert_int_equal(the_log.entries[4].size, AUDIT_FIXED_SIZE + 4 + 4 + 4 + 7 + AUDIT_STATE_SIZE + 64);
	assert_int_equal(the_log.entries[4].bytes[8], AUDIT_CLOSES);
	assert_int_equal(audit_entry_decode(the_log.entries[4].bytes, the_log.entries[4].size, &e, NULL), 0);
	assert_true(e.closes);
	assert_int_equal(e.generation, 1);
	assert_int_equal(e.state[0], 0xdd);
	assert_int_equal(e.number, 5);
	assert_int_equal(e.kind, AUDIT_PROVISIONED);
	assert_memory_equal(e.what, "{\"n\":4}", 7);
	for (unsigned kind = 1; kind < AUDIT_KINDS; kind++)
		assert_non_null(audit_kind_name(kind));
	assert_null(audit_kind_name(0));
	assert_null(audit_kind_name(AUDIT_KINDS));
}

static void test_whole(void **state)
{
	(void)state;
	struct audit_summary summary;
	struct audit_end end;
	make();
	assert_int_equal(audit_verify(&storage, vault_cas(vault), vault_public_key(vault), NULL, &summary,
	                              NULL),
	                 0);
	assert_int_equal(summary.entries, 5);
	assert_int_equal(summary.commits, 3);
	assert_int_equal(summary.restores, 0);
	assert_int_equal(summary.head.number, 5);
	assert_memory_equal(summary.head.hash, audit_head(audit)->hash, CRYPTO_SHA384_SIZE);
	assert_int_equal(audit_read_end(&storage, vault_cas(vault), vault_public_key(vault), &end, NULL), 0);
	assert_memory_equal(&end.head, &summary.head, sizeof(end.head));
	assert_int_equal(end.state[1], 0xee);
}

static void test_every_bit(void **state)
{
	(void)state;
	make();
	for (size_t i = 0; i < the_log.count; i++)
		for (size_t bit = 0; bit < 8 * the_log.entries[i].size; bit++) {
			the_log.entries[i].bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
			assert_true(verify(NULL, NULL) < 0);
			the_log.entries[i].bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		}
	assert_int_equal(verify(NULL, NULL), 0);
}

static void drop(size_t at)
{
	memmove(&the_log.entries[at], &the_log.entries[at + 1],
	        (the_log.count - at - 1) * sizeof(the_log.entries[0]));
	the_log.count--;
}

static void test_removed(void **state)
{
	(void)state;
	struct error err;
	for (size_t i = 0; i < 4; i++) {
		make();
		drop(i);
		assert_found("were removed");
		for (size_t k = i; k < the_log.count; k++)
			the_log.entries[k].number--; /* by somebody more careful */
		assert_found("stands in the place");
	}
	/* Cut within a commit, and behind one. */
	for (size_t left = 0; left < 5; left++) {
		make();
		const struct audit_head head = *audit_head(audit);
		the_log.count = left;
		const bool closed = left == 1 || left == 4;
		assert_int_equal(verify(NULL, &err), closed ? 0 : CELLA_EAUTH);
		if (!closed)
			assert_non_null(strstr(err.text, "is not signed"));
		assert_int_equal(verify(&head, &err), CELLA_EAUTH);
	}
}

static void test_exchanged(void **state)
{
	(void)state;
	struct memory_log *other = malloc(sizeof(*other));
	make();
	*other = the_log;
	the_log.entries[1] = other->entries[2];
	the_log.entries[2] = other->entries[1];
	the_log.entries[1].number = 2;
	the_log.entries[2].number = 3;
	assert_found("stands in the place");
	/* The same events again: no entry fits into the other history. */
	make();
	*other = the_log;
	const struct audit_head head = *audit_head(audit);
	const struct audit_head none = {0};
	audit_free(audit);
	the_log.count = 0;
	assert_int_equal(audit_new(&none, &audit, NULL), 0);
	add(AUDIT_CREATED, "", "{ }");
	commit();
	while (the_log.count < 5) {
		add(AUDIT_SECRET_SET, "owner 1", "{\"n\":1}");
		commit();
	}
	assert_int_equal(verify(NULL, NULL), 0);
	struct error err;
	assert_int_equal(verify(&head, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "two histories"));
	the_log.entries[3] = other->entries[3];
	assert_found("another history");
	free(other);
}

static void restore(uint64_t epoch)
{
	const struct audit_event event = {.kind = AUDIT_RESTORED,
	                                  .who = "the owner",
	                                  .what = "{}",
	                                  .epoch = epoch};
	assert_int_equal(audit_add(audit, &event, 2000, NULL), 0);
	commit();
}

/* Goes on from a copy of the log's first `count` entries, in another epoch. */
static void go_on_from(size_t count, const struct audit_head *head, uint64_t epoch)
{
	the_log.count = count;
	audit_free(audit);
	assert_int_equal(audit_new(head, &audit, NULL), 0);
	restore(epoch);
}

static void test_restored(void **state)
{
	(void)state;
	struct error err;
	struct audit_end end;
	make();
	const struct audit_head last = *audit_head(audit);
	the_log.count = 4;
	assert_int_equal(audit_read_end(&storage, vault_cas(vault), vault_public_key(vault), &end, NULL), 0);
	go_on_from(4, &end.head, 2);
	const struct audit_head second = *audit_head(audit);
	assert_int_equal(second.epoch, 2);
	assert_int_equal(verify(NULL, NULL), 0);
	assert_int_equal(verify(&end.head, NULL), 0);
	assert_int_equal(verify(&second, NULL), 0);
	assert_int_equal(verify(&last, &err), CELLA_ELOST);
	assert_non_null(strstr(err.text, "consent: the owner"));
	/* From the same backup again: whoever saw the second epoch finds out, whichever the new one is. */
	go_on_from(4, &end.head, 2);
	add(AUDIT_REFUSED, "", "{}");
	commit();
	assert_int_equal(verify(NULL, NULL), 0);
	struct audit_head other = second;
	other.hash[0] ^= 1;
	assert_int_equal(verify(&other, &err), CELLA_EAUTH);
	go_on_from(4, &end.head, 7);
	assert_int_equal(verify(NULL, NULL), 0);
	assert_int_equal(verify(&second, &err), CELLA_ELOST);
	/* An epoch that was not raised by a restore, and a restore that raises none. */
	const struct audit_event wrong[] = {
		{.kind = AUDIT_RESTORED, .who = "", .what = "", .epoch = 7},
		{.kind = AUDIT_OPENED, .who = "", .what = "", .epoch = 8},
	};
	for (size_t i = 0; i < array_count(wrong); i++)
		assert_int_equal(audit_add(audit, &wrong[i], 1, NULL), CELLA_EBUG);
}

static void test_heads(void **state)
{
	(void)state;
	uint8_t bytes[AUDIT_HEAD_SIZE];
	struct audit_head head;
	make();
	audit_head_encode(audit_head(audit), bytes);
	assert_int_equal(audit_head_decode(bytes, sizeof(bytes), vault_public_key(vault), &head, NULL), 0);
	assert_memory_equal(&head, audit_head(audit), sizeof(head));
	for (size_t bit = 0; bit < 8 * sizeof(bytes); bit++) {
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		assert_true(audit_head_decode(bytes, sizeof(bytes), vault_public_key(vault), &head, NULL) <
		            0);
		bytes[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	assert_int_equal(audit_head_decode(bytes, sizeof(bytes) - 1, vault_public_key(vault), &head, NULL),
	                 CELLA_EFORMAT);
	struct audit_head foreign = *audit_head(audit);
	foreign.cas[0] ^= 1;
	struct error err;
	assert_int_equal(verify(&foreign, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "another CAS"));
}

static void test_batch(void **state)
{
	(void)state;
	make();
	const struct audit_event event = {.kind = AUDIT_REFUSED, .who = "", .what = ""};
	static char large[AUDIT_WHAT_MAX + 2];
	memset(large, 'x', AUDIT_WHAT_MAX + 1);
	const struct audit_event too_large = {.kind = AUDIT_REFUSED, .who = "", .what = large};
	assert_int_equal(audit_add(audit, &too_large, 1, NULL), CELLA_ELIMIT);
	for (size_t i = 0; i < AUDIT_BATCH_MAX; i++)
		assert_int_equal(audit_add(audit, &event, 1, NULL), 0);
	assert_int_equal(audit_add(audit, &event, 1, NULL), CELLA_ELIMIT);
	audit_cut(audit, 2);
	assert_int_equal(audit_count(audit), 2);
	audit_forget(audit);
	assert_int_equal(audit_count(audit), 0);
	commit(); /* of nothing */
	assert_int_equal(the_log.count, 5);
	assert_int_equal(audit_head(audit)->number, 5);
}

static int start(void **state)
{
	char path[CAS_PATH_MAX];
	if (cas_start(state) < 0)
		return -1;
	cas_test_begin(&t);
	cas_test_close(&t);
	return vault_open(cas_path(&t, "cas/vault", path), &t.config.sealing, t.config.pool, &vault, NULL);
}

static int finish(void **state)
{
	(void)state;
	audit_free(audit);
	vault_free(vault);
	cas_test_end(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),    cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_bit), cmocka_unit_test(test_exchanged),
		cmocka_unit_test(test_heads),     cmocka_unit_test(test_removed),
		cmocka_unit_test(test_restored),  cmocka_unit_test(test_batch),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
