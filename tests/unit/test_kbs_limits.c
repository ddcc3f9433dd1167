/*
 * Confidential guests at a CAS without its wire: who makes room when there are too many guests, tickets and
 * refusals, what of many from one address; and is no more kept of what a guest sends than is counted?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <malloc.h>

#include "kbs_guest.h"

static const uint64_t SECOND = 1000000000;

static void add(struct clinic *p, uint64_t number, const char *address, size_t size)
{
	struct kbs_guest *g = guest_fake(number, address, size, p->place.now);
	struct error err;
	must(kbs_guest_add(p->kbs, g, &err), &err);
	kbs_guest_put_back(p->kbs, g);
}

static bool is_there(struct clinic *p, uint64_t number)
{
	uint8_t id[KBS_ID_SIZE] = {0};
	struct kbs_guest *g;
	memcpy(id, &number, sizeof(number));
	int rc = kbs_guest_find(p->kbs, id, NULL, &g, NULL);
	if (rc == 0)
		kbs_guest_put_back(p->kbs, g);
	return rc == 0;
}

/* Whoever comes from one address alone makes room for itself. */
static void test_too_many_of_an_address(void **state)
{
	(void)state;
	struct clinic p;
	clinic_begin(&p);
	add(&p, 1, "192.0.2.1", 1);
	for (uint64_t i = 0; i < KBS_ADDRESS_GUESTS_MAX; i++)
		add(&p, 1000 + i, "192.0.2.2", 1);
	assert_true(is_there(&p, 1000));
	add(&p, 2, "192.0.2.2", 1);
	assert_false(is_there(&p, 1000));
	assert_true(is_there(&p, 1001));
	assert_true(is_there(&p, 1));
	assert_int_equal(p.kbs->guest_count, KBS_ADDRESS_GUESTS_MAX + 1);
	clinic_end(&p);
}

/* Of IPv6 whoever has one address has all of its /64. */
static void test_too_many_of_a_network(void **state)
{
	(void)state;
	struct clinic p;
	char address[40];
	clinic_begin(&p);
	add(&p, 1, "2001:db8:0:1::1", 1);
	add(&p, 2, "::ffff:192.0.2.1", 1); /* IPv4, at a CAS that listens on :: */
	for (uint64_t i = 0; i < KBS_GUESTS_MAX; i++) {
		snprintf(address, sizeof(address), "2001:db8::%x", (unsigned)i);
		add(&p, 1000 + i, address, 1);
	}
	for (uint64_t i = 0; i < KBS_ADDRESS_GUESTS_MAX; i++)
		add(&p, 9000 + i, "::ffff:192.0.2.2", 1);
	assert_true(is_there(&p, 1));
	assert_true(is_there(&p, 2));
	assert_int_equal(p.kbs->guest_count, 2 * KBS_ADDRESS_GUESTS_MAX + 2);
	clinic_end(&p);
}

static void test_too_many(void **state)
{
	(void)state;
	struct clinic p;
	char address[32];
	clinic_begin(&p);
	for (uint64_t i = 0; i < KBS_GUESTS_MAX; i++) {
		snprintf(address, sizeof(address), "192.0.2.%u", (unsigned)(i % 8));
		add(&p, i + 1, address, 1);
	}
	add(&p, 9999, "198.51.100.1", 1);
	assert_false(is_there(&p, 1));
	assert_true(is_there(&p, 2));
	assert_int_equal(p.kbs->guest_count, KBS_GUESTS_MAX);
	p.place.now += KBS_GUEST_S * SECOND;
	assert_false(is_there(&p, 9999));
	assert_int_equal(p.kbs->guest_count, 0);
	assert_int_equal(p.kbs->evidence_size, 0);
	clinic_end(&p);
}

/* One that is in use when it has to go stays for who uses it. */
static void test_too_many_bytes(void **state)
{
	(void)state;
	struct clinic p;
	struct kbs_guest *held, *much;
	clinic_begin(&p);
	add(&p, 1, "192.0.2.1", KBS_EVIDENCE_MAX / 2);
	add(&p, 2, "192.0.2.2", KBS_EVIDENCE_MAX / 2);
	assert_int_equal(kbs_guest_find(p.kbs, NULL, "00000000000000000000000000000001", &held, NULL), 0);
	add(&p, 3, "192.0.2.3", 1);
	assert_false(is_there(&p, 1));
	assert_true(is_there(&p, 2) && is_there(&p, 3));
	assert_string_equal(held->address, "192.0.2.1");
	kbs_guest_put_back(p.kbs, held);
	much = guest_fake(4, "192.0.2.4", (size_t)KBS_EVIDENCE_MAX + 1, p.place.now);
	assert_int_equal(kbs_guest_add(p.kbs, much, NULL), CELLA_ELIMIT);
	kbs_guest_free(much);
	clinic_end(&p);
}

/* Memory that JSON holds. */
static size_t json_held;

static void *json_take(size_t size)
{
	void *taken = malloc(size);
	json_held += taken ? malloc_usable_size(taken) : 0;
	return taken;
}

static void json_give(void *taken)
{
	json_held -= taken ? malloc_usable_size(taken) : 0;
	free(taken);
}

/* A body with numbers that nobody asked for, which take ten times the memory that they are sent in. */
static char *padded(const struct guest *g, size_t size)
{
	struct buf body = {0};
	char *text = guest_attestation(g);
	buf_printf(&body, "{\"more\":[0");
	while (body.size + 2 + strlen(text) < size)
		buf_printf(&body, ",0");
	buf_printf(&body, "],%s", text + 1);
	buf_put(&body, "", 1);
	free(text);
	assert_false(body.failed);
	return (char *)body.data;
}

/* What a guest sends it can fill with anything: does it take more memory than it is counted for? */
static void test_no_more_is_kept_than_is_counted(void **state)
{
	(void)state;
	struct clinic p;
	json_malloc_t take;
	json_free_t give;
	struct error err;
	clinic_begin(&p);
	struct guest g = guest_new(&p, "192.0.2.7");
	guest_auth(&g);
	char *body = padded(&g, KBS_ATTESTATION_MAX);
	const struct kbs_caller who = guest_caller(&g);
	json_get_alloc_funcs(&take, &give);
	json_set_alloc_funcs(json_take, json_give);
	must(kbs_attest(p.kbs, &who, body, strlen(body), &g.token, &err), &err);
	const size_t held = json_held;
	json_set_alloc_funcs(take, give);
	assert_int_equal(p.kbs->guest_count, 1);
	assert_in_range(held, 1, p.kbs->evidence_size);
	assert_int_equal(guest_get(&g, "made"), 0);
	free(body);
	guest_done(&g);
	clinic_end(&p);
}

/* Of a time, with a number. */
static struct kbs_ticket numbered(uint64_t number, uint64_t ms)
{
	struct kbs_ticket t = {.ms = ms};
	memcpy(t.id, &number, sizeof(number));
	return t;
}

/* Whoever uses up all places does not get a ticket that was used before used again. */
static void test_many_tickets(void **state)
{
	(void)state;
	const uint64_t ms = CLINIC_START / 1000000;
	struct clinic p;
	clinic_begin(&p);
	const struct kbs_ticket first = numbered(1, ms - 1), late = numbered(2, ms);
	assert_int_equal(kbs_ticket_use(p.kbs, &first, NULL), 0);
	for (uint64_t i = 0; i < KBS_USED_MAX; i++) {
		const struct kbs_ticket t = numbered(1000 + i, ms);
		assert_int_equal(kbs_ticket_use(p.kbs, &t, NULL), 0);
		assert_int_equal(kbs_ticket_use(p.kbs, &t, NULL), CELLA_EAUTH);
	}
	assert_int_equal(p.kbs->used.count, KBS_USED_MAX);
	assert_int_equal(kbs_ticket_use(p.kbs, &first, NULL), CELLA_EAUTH); /* which is noted no more */
	assert_int_equal(kbs_ticket_use(p.kbs, &late, NULL), 0);
	/* The place of a ticket of this moment went to it: those as old are not good any more. */
	const struct kbs_ticket same = numbered(3, ms), next = numbered(4, ms + 1);
	assert_int_equal(kbs_ticket_use(p.kbs, &same, NULL), CELLA_EAUTH);
	assert_int_equal(kbs_ticket_use(p.kbs, &next, NULL), 0);
	clinic_end(&p);
}

static void test_last_refusals(void **state)
{
	(void)state;
	struct clinic p;
	const struct kbs_caller who = {.address = "192.0.2.9"}, honest = {.address = "192.0.2.10"};
	const struct cas_requester stranger = {.known = true, .address = "192.0.2.9"};
	cleanup_buf struct buf token = {0};
	char text[KBS_REASON_MAX] = "";
	clinic_begin(&p);
	for (unsigned i = 0; i < KBS_REFUSALS_MAX; i++)
		assert_int_equal(kbs_attest(p.kbs, &honest, "{}", 2, &token, NULL), CELLA_EAUTH);
	assert_int_equal(p.kbs->refusal_count, KBS_ADDRESS_REFUSALS_MAX);
	for (unsigned i = 0; i < KBS_REFUSALS_MAX; i++)
		assert_int_equal(kbs_attest(p.kbs, &who, "{}", 2, &token, NULL), CELLA_EAUTH);
	assert_int_equal(p.kbs->refusal_count, 2 * KBS_ADDRESS_REFUSALS_MAX);
	assert_string_equal(p.kbs->refusals[0].address, honest.address);
	for (unsigned i = 0; i < 2 * KBS_REFUSALS_MAX; i++) {
		char address[16];
		snprintf(address, sizeof(address), "192.0.2.%u", 20 + i % 8);
		const struct kbs_caller many = {.address = address};
		assert_int_equal(kbs_attest(p.kbs, &many, "{}", 2, &token, NULL), CELLA_EAUTH);
	}
	assert_int_equal(p.kbs->refusal_count, KBS_REFUSALS_MAX);
	assert_string_equal(p.kbs->refusals[KBS_REFUSALS_MAX - 1].address, "192.0.2.27");
	clinic_check_reason(&p, "not there once");
	assert_int_equal(kbs_refusals(p.kbs, &stranger, clinic_take_reasons, text, NULL), CELLA_EPERM);
	assert_string_equal(text, "");
	clinic_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_too_many_of_an_address),
		cmocka_unit_test(test_too_many_of_a_network),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_many_bytes),
		cmocka_unit_test(test_no_more_is_kept_than_is_counted),
		cmocka_unit_test(test_many_tickets),
		cmocka_unit_test(test_last_refusals),
	};
	return cmocka_run_group_tests(tests, clinic_start, clinic_stop);
}
