/* Which task goes to which executor, and when: one table for each rule. See graph_script.h for the
 * language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "graph_script.h"
#include "task/scheduler.h"

static const struct graph_case order[] = {
	{"by submission", 1, "A: >; B: >; C: >; sent A; ok A; sent B; ok B; sent C"},
	{"by priority before that", 1,
         "A: >; B: >; C[prio=1]: >; D[prio=-1]: >; E[prio=1]: >; ok A; ok C; ok E; ok B; sent A C E B D"},
	{"priority counts among ready tasks only", 1,
         "put x; A: > a; B[prio=9]: a >; C: >; ok A; ok B; sent A B C"},
	{"submission counts, not when it became ready", 1, "A: > a; B: a >; C: >; ok A; sent A B"},
};

static const struct graph_case spreading[] = {
	{"to those that have nothing to do", 3, "A: >; B: >; C: >; D: >; sent A@2 B@3 C@4"},
	{"to the one with less work", 2,
         "runs l 100; runs s 10; A[fn=l]: >; B[fn=s]: >; C[fn=s]: >; D[fn=s]: >; sent A@2 B@3 C@3 D@3"},
};

/* 3 bytes cost a nanosecond to open, an object 2000. */
static const struct graph_case locality[] = {
	{"to where the input was made", 2, "A: > a; B: > b; ok B 9000; ok A 9000; C: b >; sent A@2 B@3 C@3"},
	{"to where most of the input is", 2,
         "A: > a; B: > b; ok A 9000; ok B 90000; C: a b >; sent A@2 B@3 C@3"},
	{"to where it was read before", 2,
         "put x 90000; A: x >; ok A; B: >; sent A@2 B@2; ok B; C: x >; sent C@2"},
	{"but not behind more work than it saves", 2,
         "runs s 50; put x 3000; A[fn=s]: x >; B[fn=s]: x >; sent A@2 B@3"},
	{"behind little work it does", 2, "runs s 5; put x 300000; A[fn=s]: x >; B[fn=s]: x >; sent A@2 B@2"},
};

static const struct graph_case ahead[] = {
	{"none behind one of unknown length", 1, "A: >; B: >; sent A"},
	{"one behind a long one", 1,
         "runs l 5000; A[fn=l]: >; B[fn=l]: >; C[fn=l]: >; sent A B; ok A; sent C"},
	{"none behind a very long one", 1, "runs l 11000; A[fn=l]: >; B[fn=l]: >; sent A"},
	{"not a very long one", 1, "runs s 100; runs l 11000; A[fn=s]: >; B[fn=l]: >; sent A; ok A; sent B"},
	{"short ones up to 200 us", 1,
         "runs s 37; A[fn=s]: >; B[fn=s]: >; C[fn=s]: >; D[fn=s]: >; E[fn=s]: >; F[fn=s]: >; sent A B C D E; ok A; sent F"},
	{"none behind one that nests", 1, "runs s 5; nests s; A[fn=s]: >; B[fn=s]: >; sent A"},
};

static const struct graph_case chains[] = {
	{"a successor follows in the same queue", 2,
         "runs s 5; A[fn=s]: > a; B[fn=s]: a > b; C[fn=s]: b > c; sent A@2 B@2 C@2"},
	{"two inputs from one queue", 1, "runs s 5; A[fn=s]: > a; B[fn=s]: > b; C[fn=s]: a b >; sent A B C"},
	{"not from two queues", 2,
         "runs s 5; A[fn=s]: > a; B[fn=s]: > b; C[fn=s]: a b >; sent A@2 B@3; ok A; sent C@3"},
	{"not past the room there is", 1,
         "runs s 150; A[fn=s]: > a; B[fn=s]: a > b; C[fn=s]: b > c; sent A B; ok A; sent C"},
	{"not behind one that nests", 1,
         "runs s 5; nests s; A[fn=s]: > a; B[fn=s]: a >; sent A; ok A; sent B"},
	{"in their place by priority", 1,
         "runs s 60; A[fn=s]: > a; B[fn=s]: >; C[fn=s]: >; D[fn=s,prio=1]: a >; sent A B C; ok A; sent D"},
	{"the producer fails: the successor comes back and follows again", 1,
         "runs s 5; A[fn=s]: > a; B[fn=s]: a >; sent A B; fail A; sent A; missing B; sent B; ok A; ok B; counts 2 0 0 1"},
	{"the producer fails for good: the successor comes back and is cancelled", 1,
         "runs s 5; A[fn=s,on=cancel]: > a; B[fn=s]: a > b; C[fn=s]: b >; sent A B C; fail A; told A failed; missing B;"
         " told B canceled; missing C; told C canceled; counts 0 1 2 0"},
	{"the cache has lost it: the successor comes back and is sent with a location", 1,
         "runs s 5; A[fn=s]: > a; B[fn=s]: a >; sent A B; ok A; missing B; sent B; ok B; counts 2 0 0 0"},
	{"a successor that was sent may not end before its producer", 1,
         "runs s 5; A[fn=s]: > a; B[fn=s]: a >; !ok B; sent A B"},
	{"the executor is lost: both go elsewhere", 2,
         "runs s 5; A[fn=s]: > a; B[fn=s]: a >; sent A@2 B@2; lose 2; sent A@3 B@3; ok A; ok B; counts 2 0 0 1"},
	{"a producer that fails in another queue leaves the successor unbound", 2,
         "runs s 5; A[fn=s,back=9]: > a; B[fn=s]: a > b; fail A; missing B; C[fn=s]: b >; sent A B; at 9; sent A B C"},
	{"branches side by side, their merges in one chain", 2,
         "runs s 40; runs m 1; put m0; A[fn=s]: > a; X[fn=m]: m0 a > m1; B[fn=s]: > b; Y[fn=m]: m1 b > m2; C[fn=s]: > c;"
         " Z[fn=m]: m2 c > m3; sent A@2 X@2 B@3 C@3; ok B; sent Y@2; ok C; sent Z@2; ok A; ok X; ok Y; ok Z"},
};

static const struct graph_case units[] = {
	{"a wide task takes its units", 3, "A[cu=3]: >; B[cu=2]: >; sent A; ok A; sent B"},
	{"it is not overtaken for ever", 4,
         "A[cu=2]: >; B[cu=4]: >; C: >; sent A; ok A; sent B; ok B; sent C"},
	{"what a waiting task takes is free", 2,
         "A[cu=4]: >; sent A; B[parent=A,cu=4]: >; sent; all w A; sent B; ok B; ready w ok 1; ok A"},
};

static void play(const struct graph_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *complaint = graph_play(&cases[i]);
		if (complaint)
			fail_msg("%s: %s", cases[i].rule, complaint);
	}
}

#define TABLE_TEST(table)                                        \
	static void test_##table(void **state)                   \
	{                                                        \
		(void)state;                                     \
		play(table, sizeof(table) / sizeof((table)[0])); \
	}
TABLE_TEST(order)
TABLE_TEST(spreading)
TABLE_TEST(locality)
TABLE_TEST(ahead)
TABLE_TEST(chains)
TABLE_TEST(units)

/* Never more than SCHEDULER_AHEAD_TASKS in a queue, however short they are. */
static void test_ahead_limit(void **state)
{
	(void)state;
	char script[4000] = "runs s 0.001; ";
	for (int i = 0; i < SCHEDULER_AHEAD_TASKS + 10; i++)
		snprintf(script + strlen(script), 40, "T%d[fn=s]: >; ", i);
	snprintf(script + strlen(script), 5, "sent");
	for (int i = 0; i < SCHEDULER_AHEAD_TASKS; i++)
		snprintf(script + strlen(script), 10, " T%d", i);
	snprintf(script + strlen(script), 40, "; ok T0; sent T%d", SCHEDULER_AHEAD_TASKS);
	struct graph_case c = {"64 at most", 1, script};
	const char *complaint = graph_play(&c);
	if (complaint)
		fail_msg("%s", complaint);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),       cmocka_unit_test(test_spreading),
		cmocka_unit_test(test_locality),    cmocka_unit_test(test_ahead),
		cmocka_unit_test(test_chains),      cmocka_unit_test(test_units),
		cmocka_unit_test(test_ahead_limit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
