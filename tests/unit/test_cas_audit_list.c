/*
 * The audit log over the network: does a log that is longer than a page come whole, in order and in bounded
 * pages, for who may see it; and for who may not, nothing of it?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cas/audit/list.h"
#include "cas_support.h"

enum { SMALL = 5000, LARGE = 300, LARGE_SIZE = 8000, STEP = 2500 };

static void must(int rc, const struct error *err)
{
	if (rc < 0)
		fail_msg("%s", err->text);
}

static int add_owner(struct records *r, void *arg, struct error *err)
{
	const struct records_party party = {.label = "an owner"};
	return records_party_add(r, RECORDS_OWNER, arg, &party, err);
}

static void add_events(struct records *r, size_t count, const char *what)
{
	static struct audit_event events[STEP];
	struct error err;
	for (size_t i = 0; i < count; i++)
		events[i] = (struct audit_event){.kind = AUDIT_SECRET_SET, .who = "somebody", .what = what};
	must(records_begin(r, &err), &err);
	must(records_step(r, &err), &err);
	must(records_keep(r, events, count, 7000000000u, &err), &err);
	must(records_commit(r, NULL, &err), &err);
}

/* A CAS whose log has many entries of no session. */
static struct cas *begin(struct cas_test *t, struct cas_requester *ret_owner)
{
	const struct audit_event event = {.kind = AUDIT_OWNER_ADDED, .who = "", .what = "{}"};
	struct cas_config config;
	struct cas *cas;
	struct error err;
	char large[LARGE_SIZE + 16];
	cas_test_begin(t);
	*ret_owner = (struct cas_requester){.known = true, .key = {7}, .address = "192.0.2.1"};
	must(records_change(t->r, add_owner, ret_owner->key, &event, 1, &err), &err);
	for (size_t i = 0; i < SMALL / STEP; i++)
		add_events(t->r, STEP, "{\"label\":\"small\"}");
	snprintf(large, sizeof(large), "{\"label\":\"%0*d\"}", LARGE_SIZE, 0);
	add_events(t->r, LARGE, large);
	cas_test_close(t);
	config = (struct cas_config){.directory = t->directory,
	                             .sealing = t->config.sealing,
	                             .memory = MEM_INSECURE_NONE};
	must(cas_open(&config, &cas, &err), &err);
	return cas;
}

static size_t read_pages(struct cas *cas, const struct cas_requester *who, json_int_t *ret_last)
{
	size_t pages = 0;
	for (uint64_t from = 1, next; from; from = next, pages++) {
		const struct cas_audit_query query = {.from = from};
		json_t *list = json_array(), *entry;
		struct error err;
		size_t i, bytes = 0;
		must(cas_audit_list(cas, who, &query, list, &next, &err), &err);
		assert_true(json_array_size(list) <= AUDIT_PAGE_ENTRIES);
		assert_true(next == 0 || next > from);
		json_array_foreach(list, i, entry)
		{
			assert_int_equal(json_integer_value(json_object_get(entry, "number")), *ret_last + 1);
			++*ret_last;
			bytes += json_string_length(json_object_get(json_object_get(entry, "what"), "label"));
		}
		assert_true(bytes <= AUDIT_PAGE_BYTES);
		json_decref(list);
	}
	return pages;
}

static void test_pages(void **state)
{
	struct cas_test t;
	struct cas_requester owner, stranger = {.known = true, .key = {9}, .address = "192.0.2.2"};
	struct cas *cas = begin(&t, &owner);
	json_int_t last = 0;
	(void)state;
	assert_true(read_pages(cas, &owner, &last) > 3);
	assert_true(last > SMALL + LARGE);
	json_int_t seen = 0;
	read_pages(cas, &stranger, &seen);
	assert_int_equal(seen, 0);
	cas_close(cas);
	cas_test_open(&t);
	assert_int_equal(last, records_head(t.r)->number);
	cas_test_end(&t);
}

/* What is asked from behind the end, or since a time that has not come, is an empty page. */
static void test_ends(void **state)
{
	static const struct cas_audit_query queries[] = {{.from = 1 << 30},
	                                                 {.from = 1, .since_ns = UINT64_MAX}};
	struct cas_test t;
	struct cas_requester owner;
	struct cas *cas = begin(&t, &owner);
	(void)state;
	for (size_t i = 0; i < array_count(queries); i++) {
		json_t *list = json_array();
		struct error err;
		uint64_t next = 77;
		must(cas_audit_list(cas, &owner, &queries[i], list, &next, &err), &err);
		assert_int_equal(json_array_size(list), 0);
		assert_true(i ? next > 1 : next == 0);
		json_decref(list);
	}
	cas_close(cas);
	cas_test_open(&t);
	cas_test_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pages), cmocka_unit_test(test_ends)};
	return cmocka_run_group_tests(tests, cas_start_ordinary, NULL);
}
