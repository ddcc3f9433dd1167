/*
 * Floods of refusals and denials, by a clock of the test's own: how many entries of the log do they make, by
 * one address, by many, by IPv6 networks; is the rest counted; and does whoever floods use up nobody else's?
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cas/audit/format.h"
#include "cas/parties.h"
#include "cas/refusals.h"
#include "cas_place.h"

static const uint64_t SECOND = 1000000000;
enum { DAY = 24 * 3600 };

static uint64_t log_size(struct place *p)
{
	uint64_t number = records_head(cas_records_lock(p->cas))->number;
	cas_records_unlock(p->cas);
	return number;
}

enum { CROWD = 8 };

/* Refusals by one of a crowd, from an address, or each from another. */
struct flood {
	struct place *p;
	unsigned count;
	const char *address;
	int number; /* of the first, if they differ; else -1 */
	unsigned member;
};

static void *refuse_them(void *arg)
{
	const struct flood *f = arg;
	char what[64] = "{\"refused\":\"it\"}", address[32];
	for (unsigned i = 0; i < f->count; i++) {
		struct error err;
		snprintf(address, sizeof(address), "10.%u.%u.%u", f->member, i / 250, i % 250);
		if (f->number >= 0)
			snprintf(what, sizeof(what), "{\"refused\":\"number %u\"}", (unsigned)f->number + i);
		const struct refusal refusal = {.kind = AUDIT_REFUSED,
		                                .who = "",
		                                .address = f->address ? f->address : address,
		                                .what = what,
		                                .words = what,
		                                .of = {"a", "s"}};
		must(cas_refuse(f->p->cas, &refusal, &err), &err);
	}
	return NULL;
}

/* How many entries so many refusals make; a multiple of CROWD is sent by that many at once. */
static uint64_t flood(struct place *p, unsigned count, const char *address, int number)
{
	const uint64_t before = log_size(p);
	struct flood floods[CROWD];
	pthread_t threads[CROWD];
	const unsigned crowd = count % CROWD ? 1 : CROWD, each = count / crowd;
	for (unsigned i = 0; i < crowd; i++) {
		floods[i] = (struct flood){p, each, address, number < 0 ? -1 : number + (int)(i * each), i};
		assert_int_equal(pthread_create(&threads[i], NULL, refuse_them, &floods[i]), 0);
	}
	for (unsigned i = 0; i < crowd; i++)
		pthread_join(threads[i], NULL);
	return log_size(p) - before;
}

static void test_flood_of_one(void **state)
{
	struct place p;
	(void)state;
	place_begin(&p);
	assert_int_equal(flood(&p, 1000, "192.0.2.7", -1), REFUSALS_BURST);
	assert_int_equal(flood(&p, 1, "192.0.2.8", -1), 1); /* another address, the same words */
	p.now += (REFUSALS_COUNTED_S - 1) * SECOND;
	assert_int_equal(flood(&p, 6, "192.0.2.7", -1), (REFUSALS_COUNTED_S - 1) / REFUSALS_INTERVAL_S);
	assert_int_equal(place_in_log(&p, "again"), 0);
	/* A minute later the next one brings the count. */
	p.now += SECOND;
	assert_int_equal(flood(&p, 1, "192.0.2.9", -1), 2);
	assert_int_equal(place_in_log(&p, "{\"refused\":\"it\",\"again\":745}"), 1);
	/* What is counted when the CAS ends is written then. */
	assert_int_equal(flood(&p, 8, "192.0.2.7", -1), 1);
	place_again(&p);
	assert_int_equal(place_in_log(&p, "{\"refused\":\"it\",\"again\":7}"), 1);
	/* A clock that goes back a day locks nobody out. */
	assert_int_equal(flood(&p, 304, "192.0.2.7", -1), REFUSALS_BURST);
	p.now -= DAY * SECOND;
	assert_int_equal(flood(&p, 1, "192.0.2.7", -1), 2);
	assert_int_equal(place_in_log(&p, "{\"refused\":\"it\",\"again\":48}"), 1);
	place_end(&p);
}

static void test_flood_of_different_ones(void **state)
{
	struct place p;
	(void)state;
	place_begin(&p);
	assert_int_equal(flood(&p, 1000, "2001:db8::1", 0), REFUSALS_BURST);
	assert_int_equal(flood(&p, 10, "2001:db8::2", 1000), 0); /* the same network */
	assert_int_equal(flood(&p, 1, "2001:db8:0:1::2", 0), 1);
	p.now += REFUSALS_COUNTED_S * SECOND;
	assert_int_equal(flood(&p, 1, "2001:db8:0:1::2", 1), REFUSALS_PLACES + 2);
	assert_int_equal(place_in_log(&p, "\"again\":1}"), REFUSALS_PLACES);
	assert_int_equal(place_in_log(&p, "too many to be told apart\",\"again\":690}"), 1);
	place_end(&p);
}

/* A CAS that listens on :: sees IPv4 as IPv6. */
static void test_flood_of_ipv4_seen_as_ipv6(void **state)
{
	struct place p;
	(void)state;
	place_begin(&p);
	assert_int_equal(flood(&p, 1000, "::ffff:192.0.2.7", -1), REFUSALS_BURST);
	assert_int_equal(flood(&p, 1, "192.0.2.7", 1), 0); /* the same one */
	assert_int_equal(flood(&p, 1, "::ffff:192.0.2.8", -1), 1);
	place_end(&p);
}

/* However many addresses they come from. */
static void test_flood_of_many(void **state)
{
	struct place p;
	(void)state;
	place_begin(&p);
	assert_int_equal(flood(&p, 4000, NULL, 0), REFUSALS_ALL_BURST);
	p.now += 10 * SECOND;
	assert_int_equal(flood(&p, 16, "10.9.0.1", 10000), 10 / REFUSALS_ALL_INTERVAL_S);
	place_end(&p);
}

/* Whoever floods uses up nobody else's allowance, and others do not give him a new one. */
static void test_flood_beside_others(void **state)
{
	struct place p;
	(void)state;
	place_begin(&p);
	assert_int_equal(flood(&p, 300, "192.0.2.7", -1), REFUSALS_BURST);
	assert_int_equal(flood(&p, 1696, NULL, -1), 1696);
	assert_int_equal(flood(&p, 1, "192.0.2.7", -1), 0);
	place_end(&p);
}

/* Refused evidence and denied requests go that way, and the owner sees those that are written. */
static void test_floods_by_requests(void **state)
{
	struct place p;
	struct executor x;
	struct error err;
	const struct cas_requester nobody = {.known = true, .key = {9}, .address = "192.0.2.30"};
	(void)state;
	place_begin(&p);
	place_put(&p, HEAD("a") SERVICE(CELL44));
	place_start(&p, &x);
	x.says.cell[0] = 0;
	assert_int_equal(flood(&p, REFUSALS_BURST - 8, "192.0.2.7", -1), REFUSALS_BURST - 8);
	assert_int_equal(flood(&p, REFUSALS_BURST - 8, "192.0.2.30", -1), REFUSALS_BURST - 8);
	const uint64_t before = log_size(&p);
	for (unsigned i = 0; i < 8 + 20; i++)
		place_assert_refused(&p, &x, "a", "cell: wanted 4444");
	assert_int_equal(log_size(&p), before + 8);
	for (unsigned i = 0; i < 8 + 30; i++)
		assert_int_equal(cas_party_add(p.cas, &nobody, RECORDS_OWNER, nobody.key, "me", &err),
		                 CELLA_EPERM);
	assert_int_equal(log_size(&p), before + 16);
	place_again(&p);
	assert_int_equal(place_in_log(&p, "\"again\":20}"), 1);
	assert_int_equal(place_in_log(&p, "\"again\":30}"), 1);
	place_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood_of_one),
		cmocka_unit_test(test_flood_of_different_ones),
		cmocka_unit_test(test_flood_of_ipv4_seen_as_ipv6),
		cmocka_unit_test(test_flood_of_many),
		cmocka_unit_test(test_flood_beside_others),
		cmocka_unit_test(test_floods_by_requests),
	};
	return cmocka_run_group_tests(tests, cas_start_ordinary, NULL);
}
