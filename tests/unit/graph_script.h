/*
 * Scripts for the task graph and its scheduler: statements separated by ';' that are played on a
 * fresh graph, the scheduler running after each. Names stand for ids.
 *
 *   put x [5000]          the main program makes datum x, of so many bytes
 *   A: x y > z            task A reads x and y and makes z; `b~c` joins the commutative datum c that
 *                         begins with b (`~c`: with zeros). Options in brackets behind the name,
 *                         comma between them: prio= retry= back= on=(retry|fail|ignore|cancel) cu=
 *                         mem= fn= (a function) g= (a group) parent= (a task that runs)
 *   sent A B@2            these were sent since the last `sent`, in this order, B to executor 2;
 *                         `sent` alone: none
 *   ok A [5000]           A ends well, its outputs have so many bytes; also fail, timeout, refuse,
 *                         missing, ignored (a fallback's end)
 *   release x             the main program releases it
 *   dropped x y           the bytes of these were dropped since the last `dropped`; alone: none
 *   group G; group G H    H lies in G
 *   wait w x y; all w; all w A (what A submitted); gwait w G; cancel w G
 *   disband G; groups 2   it will not be named again; so many groups are kept, the main program's root counts
 *   twait A w x           task A waits for x
 *   ready w ok 3          the next answer: w, ok or canceled, its count
 *   took w                what w located was opened
 *   told A failed fail 3  the next outcome: status, policy, attempt
 *   add; lose 2           one more executor; executor 2 is lost
 *   at 20                 it is 20 ms
 *   runs f 5; nests f     function f took 5 us so far (estimates); it submits tasks
 *   counts 3 1 0 2        done, failed, cancelled, retried
 *   !...                  the statement breaks a rule and is refused; nothing else changes
 *
 * Executor 1 is the main program's. At the end no answer and no outcome may be left.
 */
#ifndef TESTS_GRAPH_SCRIPT_H
#define TESTS_GRAPH_SCRIPT_H

struct graph_case {
	const char *rule; /* the question it answers */
	unsigned workers; /* executors 2, 3, ... */
	const char *script;
};

/* Plays it; NULL if all went as it says, else what did not (static storage). */
const char *graph_play(const struct graph_case *c);

#endif
