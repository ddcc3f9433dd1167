/* The rules of the task graph, one table for each. See graph_script.h for the language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "graph_script.h"

static const struct graph_case readiness[] = {
	{"a task without inputs runs at once", 1, "A: > x; sent A"},
	{"a reader of data that are put runs at once", 1, "put x; A: x > y; sent A"},
	{"a reader waits for the writer", 2, "A: > x; sent A; B: x > y; sent; ok A; sent B"},
	{"a reader waits for all that it reads", 2,
         "A: > x; B: > y; sent A B; C: x y > z; ok A; sent; ok B; sent C"},
	{"readers of one datum run side by side", 2, "put x; A: x >; B: x >; sent A B"},
	{"one datum may be read twice by one task", 2,
         "A: > x; B: x x > y; ok A; sent A B; ok B; counts 2 0 0 0"},
	{"a chain runs in order", 2,
         "A: > x; B: x > y; C: y > z; ok A; ok B; ok C; sent A B C; counts 3 0 0 0"},
	{"a diamond joins", 2,
         "A: > a; B: a > b; C: a > c; D: b c > d; ok A; sent A B C; ok C; sent; ok B; sent D"},
	{"a datum that is not there cannot be read", 1, "!A: x > y"},
	{"an id cannot be used twice", 1, "A: > x; !A: > y; !B: > x; put y; !C: > y; !put x; sent A"},
	{"an output cannot be named twice", 1, "!A: > x x"},
};

/* Every write makes a new datum, so only readers of the new one wait. */
static const struct graph_case renaming[] = {
	{"a writer does not wait for readers of the old version", 3,
         "put x1; A: x1 >; B: x1 > x2; C: x2 >; sent A B; ok B; sent C"},
	{"two writers of new versions run side by side", 2, "A: > x1; B: > x2; sent A B"},
	{"an old version is dropped when its last reader has ended", 2,
         "put x1; A: x1 >; B: x1 > x2; release x1; dropped; ok B; dropped; ok A; dropped x1"},
	{"a version that nobody reads is dropped when it is released", 1, "put x; release x; dropped x"},
	{"a version that is not made yet is dropped when it comes", 1,
         "A: > x; release x; dropped; ok A; dropped x; sent A"},
	{"a wait keeps its datum until it was taken", 1,
         "put x; wait w x; ready w ok; release x; dropped; took w; dropped x"},
	{"nothing is released twice, or read after", 1,
         "put x; put y; release x; !release x; release y; !A: y >"},
	{"what a task still reads can be read by its children", 1,
         "put x; A: x > y; release x; B[parent=A]: x >; all w A; sent A B; ok B; ready w ok 1; ok A; dropped x"},
};

/* CONCURRENT accesses: each writes changes of its own; the reader lists them as inputs. */
static const struct graph_case concurrent[] = {
	{"members run side by side, the reader after all", 3,
         "put x; A: x > a; B: x > b; C: x > c; sent A B C; R: x a b c >; ok B; ok A; sent; ok C; sent R"},
};

static const struct graph_case commutative[] = {
	{"one at a time", 2, "put x; A: x~y; B: x~y; sent A; ok A; sent B; ok B; counts 2 0 0 0"},
	{"in the order in which they become ready", 2,
         "put x; S: > s; A: s x~y; B: x~y; sent S B; ok S; sent; ok B; sent A"},
	{"from zeros", 1, "A: ~y; B: ~y; sent A; ok A; sent B"},
	{"the reader waits for all members", 2,
         "put x; A: x~y; B: x~y; R: y >; sent A; ok A; sent B; ok B; sent R"},
	{"a reader closes the membership", 2, "put x; A: x~y; R: y >; !B: x~y; ok A; sent A R"},
	{"a wait closes the membership", 2, "put x; A: x~y; wait w y; !B: x~y; ok A; ready w ok; sent A"},
	{"a release closes the membership", 2, "put x; A: x~y; release y; !B: x~y; ok A; dropped y; sent A"},
	{"a member must name the same base", 2, "put x; put z; A: x~y; !B: z~y; !C: ~y; sent A"},
	{"memberships follow each other", 2, "put x; A: x~y; B: y~z; C: y~z; ok A; sent A B; ok B; sent C"},
	{"a task takes all its turns at once", 3,
         "put x; put y; A: x~p; B: y~q; C: x~p y~q; D: x~p; sent A B; ok A; sent D; ok B; sent; ok D; sent C"},
	{"states that were read are dropped", 1,
         "put x; A: x~y; B: x~y; release x; ok A; dropped x; R: y >; release y; ok B; ok R; sent A B R"},
	{"a member that is tried again gives up its turn meanwhile", 2,
         "put x; A[back=5]: x~y; B: x~y; sent A; fail A; sent B; at 5; sent; ok B; sent A; ok A; counts 2 0 0 1"},
	{"a member that fails for good fails the readers, not the other members", 2,
         "put x; A[on=cancel]: x~y; B: x~y; R: y >; fail A; told A failed cancel 1; sent A B; ok B; told R canceled"},
	{"the member's other inputs can fail", 2,
         "put x; F[on=cancel]: > f; A: f x~y; B: x~y; wait w y; fail F; told F failed; told A canceled; sent F B;"
         " ok B; ready w canceled"},
	{"a base that fails takes the members with it", 2,
         "F[on=cancel]: > x; A: x~y; B: x~y; wait w y; fail F; told F failed; told A canceled; told B canceled;"
         " ready w canceled; sent F"},
	{"a task cannot read what it joins", 1, "put x; !A: y x~y; A: x~y; !B: x~z z~z; sent A"},
	{"nor begin another turn with it", 1,
         "put x; A[on=cancel]: x~y; fail A; told A failed; !B: y~z x~y; !C: x~y y~z; sent A"},
	{"closing one membership drops nothing that a wait names beside it", 1,
         "put x; A[on=cancel]: x~y; release x; fail A; told A failed; wait w y x; ready w canceled; sent A; dropped;"
         " took w; dropped x"},
	{"nor what a task names", 2,
         "put x; A[on=cancel]: x~y; release x; P: >; sent A P; fail A; told A failed; C[parent=P]: y x >;"
         " told C canceled; dropped x; ok P"},
	{"nor where its other turn begins", 2,
         "put x; A[on=cancel]: x~y; release x; P: >; sent A P; fail A; told A failed; C[parent=P]: y~z x~v;"
         " told C canceled; dropped; ok P; lose 3; dropped x"},
};

static const struct graph_case failures[] = {
	{"RETRY: twice by default, then as FAIL", 1,
         "A: > x; B: x >; fail A; fail A; fail A; sent A A A; told A failed fail 3; told B canceled cancel 0; counts 0 1 1 2"},
	{"RETRY: as often as asked", 1, "A[retry=1]: > x; fail A; sent A A; fail A; told A failed fail 2"},
	{"RETRY: then well", 1, "A: > x; B: x >; fail A; timeout A; ok A; sent A A A B; counts 1 0 0 2"},
	{"RETRY: a pause that doubles", 1,
         "A[back=10]: > x; sent A; fail A; at 9; sent; at 10; sent A; fail A; at 29; sent; at 30; sent A; ok A"},
	{"FAIL: at once", 1,
         "A[on=fail]: > x; B: x > y; C: y >; fail A; told A failed fail 1; told B canceled; told C canceled; sent A"},
	{"FAIL: waits on it end", 1,
         "A[on=fail]: > x; wait w x; fail A; told A failed fail; ready w canceled; sent A"},
	{"IGNORE: a run that makes what was promised", 1,
         "A[on=ignore]: > x; B: x >; fail A; told A ignored ignore 1; sent A A; ignored A; sent B; counts 1 0 0 0"},
	{"IGNORE: the fallback cannot end as if it had run", 1,
         "A[on=ignore]: > x; fail A; told A ignored; !ok A; sent A A"},
	{"IGNORE: a fallback that fails fails for good", 1,
         "A[on=ignore]: > x; fail A; told A ignored; fail A; told A failed fail 2; sent A A"},
	{"IGNORE: a commutative state goes on", 1,
         "put x; A[on=ignore]: x~y; R: y >; fail A; told A ignored; ignored A; sent A A R"},
	{"CANCEL_SUCCESSORS: those that need it, the rest goes on", 2,
         "A[on=cancel]: > x; B: x > y; C: y >; D: >; fail A; told A failed cancel 1; told B canceled; told C canceled;"
         " sent A D; counts 0 1 2 0"},
	{"CANCEL_SUCCESSORS: also those submitted later", 2,
         "A[on=cancel]: > x; fail A; told A failed; B: x > y; told B canceled; C: y >; told C canceled; wait w y;"
         " ready w canceled; sent A"},
	{"the statuses that are failures", 1,
         "A[on=fail]: > x; refuse A; told A refused fail 1; B[on=fail]: > y; timeout B; told B timeout fail 1; sent A B"},
	{"MISSING without a reason is a failure", 1,
         "A[on=fail]: > x; missing A; told A missing fail 1; sent A"},
	{"what is not there when it ends well is no end", 1, "A: > x; sent A; !ignored A"},
	{"every task that does not end well is told of once", 2,
         "A[on=cancel]: > x; B: x >; C: x >; fail A; told A failed; told B canceled; told C canceled; sent A"},
};

static const struct graph_case waits[] = {
	{"for data that are there", 1, "put x; wait w x; ready w ok"},
	{"for data that come", 2, "A: > x; B: > y; wait w x y; ok A; ok B; ready w ok; sent A B"},
	{"for all: nothing was submitted", 1, "all w; ready w ok 0"},
	{"for all", 2, "A: >; B: >; all w; ok A; ok B; ready w ok 2; sent A B; all v; ready v ok 2"},
	{"for all of one task", 2,
         "P: > p; sent P; A[parent=P]: >; all w P; sent A; ok A; ready w ok 1; all v; ok P; ready v ok 1"},
	{"what is not there cannot be waited for or taken", 1,
         "!wait w x; !took w; put x; wait v x; ready v ok; took v; !took v"},
	{"answers to those that have ended are not given", 1,
         "P[on=fail]: >; A[parent=P]: >; all w P; sent P A; timeout P; told P timeout; ok A; counts 1 1 0 0"},
};

static const struct graph_case groups[] = {
	{"a group ends when its tasks have", 2,
         "group G; A[g=G]: >; B: >; gwait w G; ok A; ready w ok 1; sent A B; ok B"},
	{"inner groups belong to it", 2,
         "group G; group G H; A[g=G]: >; B[g=H]: >; gwait w G; gwait v H; ok B; ready v ok 1; ok A; ready w ok 2; sent A B"},
	{"an empty group has ended", 1, "group G; gwait w G; ready w ok 0"},
	{"a group that is not there", 1, "!gwait w G; !A[g=G]: >; group G; !group G"},
	{"cancel: those not begun and their successors", 1,
         "group G; A[g=G]: >; sent A; B[g=G]: > b; C: b >; D: >; cancel c G; told B canceled; told C canceled; ready c ok 2;"
         " gwait w G; ok A; ready w canceled 1; sent D; ok D; counts 2 0 2 0"},
	{"cancel: inner groups too", 1,
         "S: >; group G; group G H; A[g=G]: >; B[g=H]: >; cancel c G; told A canceled; told B canceled; ready c ok 2; sent S"},
	{"a disbanded group is freed when its tasks have ended", 1,
         "group G; A[g=G]: >; gwait w G; groups 2; disband G; groups 2; ok A; ready w ok 1; groups 1; sent A"},
	{"an empty one at once, and for good", 1,
         "group G; disband G; groups 1; !disband G; !gwait w G; !A[g=G]: >; !group G H"},
	{"the groups in it keep it", 1,
         "group G; group G H; group G I; disband G; A[g=I]: >; disband I; groups 4; disband H; groups 3; ok A; groups 1;"
         " sent A"},
	{"any order of them", 1,
         "group G; group G H; group G I; group G K; disband I; disband K; disband H; groups 2; disband G; groups 1"},
	{"its failures count where it lies", 1,
         "group G; group G H; A[g=H,on=cancel]: >; gwait w G; disband H; fail A; told A failed; ready w canceled; groups 2;"
         " sent A"},
	{"a group with a failed task", 1,
         "group G; A[g=G,on=cancel]: >; fail A; told A failed; gwait w G; ready w canceled 0; sent A"},
};

static const struct graph_case nested[] = {
	{"children run while the parent waits", 1,
         "P: > p; sent P; A[parent=P]: >; B[parent=P]: >; sent; all w P; sent A; ok A; sent B; ok B; ready w ok 2; ok P"},
	{"deeper tasks first, whatever was submitted before", 1,
         "P: >; Q: >; R: >; A[parent=P]: >; all w P; sent P A; ok A; ready w ok 1; ok P; sent Q"},
	{"a waiting executor takes only deeper tasks", 1,
         "P: >; Q: >; all w P; ready w ok 0; A[parent=P]: >; all v P; sent P A"},
	{"a parent that fails takes its children with it", 1,
         "P[on=fail]: >; A[parent=P]: > a; B[parent=P]: a >; sent P; fail P; told P failed; told A canceled; told B canceled"},
	{"a parent that is tried again: its children too", 2,
         "P: >; A[parent=P]: >; B[parent=P]: >; C[parent=P]: >; sent P A; fail P; told B canceled; told C canceled; sent P; ok A;"
         " counts 1 0 2 1"},
	{"one that is answered beneath one that waits does not go on", 2,
         "P: >; R: >; sent P@2 R@3; A[parent=P]: > a; B[parent=P]: > b; twait P w b; sent A@2; ok R; sent B@3; S: >; ok B;"
         " ready w ok; sent S@3; C[parent=A]: >; all v A; sent C@2; ok C; ready v ok 1; ok A; ok P"},
	{"one that is answered on top goes on", 2,
         "P: >; R: >; sent P@2 R@3; A[parent=P]: >; all w P; sent A@2; C[parent=A]: > c; twait A v c; sent C@2; ok C; ready v ok;"
         " D[parent=A]: >; sent; all u A; sent D@2"},
	{"a parent whose child failed for good is not tried again", 2,
         "P: >; A[parent=P,on=fail]: >; sent P A; fail A; told A failed fail 1; fail P; told P failed fail 1; sent"},
	{"what an attempt that failed has begun ends, and begins nothing more", 2,
         "P[on=fail]: >; A[parent=P]: >; sent P A; B[parent=A]: >; fail P; told P failed fail 1; told B canceled; C[parent=A]: >;"
         " told C canceled; sent; fail A; told A failed; sent; counts 0 2 2 0"},
	{"the same for what that began, however deep", 3,
         "P[on=fail]: >; A[parent=P]: >; B[parent=A]: >; sent P A B; fail P; told P failed fail 1; C[parent=B]: >; told C canceled;"
         " fail B; told B failed fail 1; sent; ok A; counts 1 2 1 0"},
	{"an orphan has no fallback", 2,
         "P[on=fail]: >; A[parent=P,on=ignore]: >; sent P A; fail P; told P failed fail 1; fail A; told A failed fail 1; sent"},
	{"a child of an attempt before does not count", 2,
         "P: >; A[parent=P,on=fail]: >; sent P A; fail P; sent P; fail A; told A failed fail 1; fail P; sent P; ok P"},
	{"only who runs a task may speak for it", 2, "P: >; ok P; sent P; !A[parent=P]: >"},
};

static const struct graph_case losses[] = {
	{"its task is tried elsewhere", 2, "A: > x; sent A@2; lose 2; sent A@3; ok A; counts 1 0 0 1"},
	{"its policy decides", 1, "A[on=fail]: > x; lose 2; told A lost fail 1; sent A"},
	{"what had not begun is no attempt", 1,
         "runs f 5; A[on=fail]: >; B[on=fail]: >; sent A B; lose 2; told A lost fail 1; add; sent B@3; fail B; told B failed fail 1"},
	{"data that it made stay", 2,
         "A: > x; B: > y; ok A; lose 2; lose 3; add; C: x >; sent A B B@4; ok B; sent C"},
	{"what it submitted is cancelled", 2,
         "P: >; sent P@2; A[parent=P]: > a; B[parent=P]: a >; sent A@3; lose 2; told B canceled; sent; ok A; sent P@3; ok P;"
         " counts 2 0 1 1"},
	{"those that wait in it have begun", 1,
         "P[on=fail]: >; Q[on=fail,parent=P]: >; all w P; sent P Q; lose 2; told P lost; told Q lost; counts 0 2 0 0"},
	{"a fallback is tried again", 2,
         "A[on=ignore]: >; fail A; told A ignored; sent A A; lose 2; sent A; ignored A"},
};

static const struct graph_case constraints[] = {
	{"more units than there are", 1, "A[cu=5]: > x; told A impossible fail 0; B: x >; told B canceled"},
	{"more memory than an executor has", 1,
         "A[mem=1001]: >; told A impossible fail 0; B[mem=1000]: >; sent B"},
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
TABLE_TEST(readiness)
TABLE_TEST(renaming)
TABLE_TEST(concurrent)
TABLE_TEST(commutative)
TABLE_TEST(failures)
TABLE_TEST(waits)
TABLE_TEST(groups)
TABLE_TEST(nested)
TABLE_TEST(losses)
TABLE_TEST(constraints)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readiness),  cmocka_unit_test(test_renaming),
		cmocka_unit_test(test_concurrent), cmocka_unit_test(test_commutative),
		cmocka_unit_test(test_failures),   cmocka_unit_test(test_waits),
		cmocka_unit_test(test_groups),     cmocka_unit_test(test_nested),
		cmocka_unit_test(test_losses),     cmocka_unit_test(test_constraints),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
