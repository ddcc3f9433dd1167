/*
 * What the files of the task side share: the state of an executor's tasks, and the functions
 * between them.
 *
 *   tasks.c          life: start, serve, end
 *   message.c  sending; receiving: what each message of the agent does
 *   data.c     objects in the store: sealing, opening, merging; room to write
 *   submit.c   a call becomes a submission
 *   run.c      a submission becomes a call
 *   files.c    a task's file parameters
 *   wait.c     waits, outcomes, ends of submitters
 *   groups.c   groups
 *   guest.c    the functions that cells import
 *
 * Levels. Task runs nest: while a cell waits, another task may run on top of it. levels[0] belongs
 * to the main program (or to nobody, in an executor for tasks), levels[depth] to the cell that
 * runs. Each level is a submitter too, with its own versions, groups and ledger.
 *
 * Ids. A task's counter (task/task_format.h) is its sequence number << 12 | its function's index,
 * so that what an outcome means is known without keeping anything per task.
 */
#ifndef CELL_TASKS_STATE_H
#define CELL_TASKS_STATE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "cell/agent_link.h"
#include "cell/attempts.h"
#include "cell/cache.h"
#include "cell/down.h"
#include "cell/invocation.h"
#include "cell/ledger.h"
#include "cell/tasks/tasks.h"
#include "cella/task.h"
#include "cella/task_abi.h"
#include "net/spin.h"
#include "task/versions.h"

enum {
	TASK_FUNCTION_BITS = 12,
	TASK_MERGE = TASK_FUNCTIONS_MAX - 1, /* function index of merges, which executors do themselves */
	TASKS_PLAIN_MAX = TASK_INVOCATION_MAX - SEAL_OVERHEAD,
	TASKS_READY_MS = 10000, /* for initialisers while no task is there that waits for them */
	TASKS_OPEN_GROUPS_MAX = 64,
	TASKS_ENDED_GROUPS_MAX = 256, /* remembered, for those who wait once more */
	TASKS_COMMUTATIVE_NUMBER = 0x100, /* beside enum task_status: the number of a COMMUTATIVE member */
};
static_assert(1 << TASK_FUNCTION_BITS == TASK_FUNCTIONS_MAX, "an index fits");
static_assert((int)TASK_MERGE == (int)CELLA_ABI_FUNCTIONS_MAX, "no cell's function has this index");

struct tasks_group {
	LIST_ENTRY(tasks_group) link;
	struct tasks_group *outer;
	char *name; /* protected */
	uint32_t id;
	bool closed; /* waited for or cancelled: its name may be used for another */
	bool disbanded; /* waited for, and the agent does not know it any more */
	bool canceled;  /* disbanded: how it ended */
	struct ledger ledger;
};

/* One wait of a submitter at a time. */
struct tasks_waiting {
	uint64_t id; /* 0: none */
	bool ready;
	struct task_ready answer;
	struct task_location *locations; /* answer.location_count */
};

/* Whoever submits tasks: the main program, or a task that runs. */
struct tasks_submitter {
	uint64_t task;             /* 0: the main program */
	struct versions *versions; /* NULL until it submits */
	struct ledger ledger;
	LIST_HEAD(, tasks_group) groups;
	struct tasks_group *open[TASKS_OPEN_GROUPS_MAX];
	size_t open_count;
	struct tasks_waiting waiting;
	uint64_t deadline_ns; /* 0: none */
	char *failure;        /* protected; why it must end. NULL: it need not */
	bool torn;            /* a submission ended half way: the agent does not know all of its data */
	bool canceled;        /* the agent has said so of a task where nothing was cancelled */
};

struct tasks_level {
	struct tasks_submitter submitter;
	struct instance *instance; /* of task runs; NULL: none yet, or it trapped */
	uint32_t frame;            /* its frame's address and size; 0: none */
	uint32_t frame_size;
	uint8_t *invocation; /* protected, TASKS_PLAIN_MAX */
	size_t invocation_size;
	struct down_run run;
	struct version_datum *turns; /* protected; the states that its turns go on from */
	LIST_HEAD(, tasks_file) files;
	char *reason; /* protected; of cella_fail */
	struct trap_report report;
};

/* A file parameter of a task that runs. */
struct tasks_file {
	LIST_ENTRY(tasks_file) link;
	struct tasks_level *owner; /* the task below that has one at this path too; NULL: none */
	uint8_t *covered;          /* that one's content */
	size_t covered_size;
	char path[];
};

/* A RUN that waits for its turn. */
struct tasks_queued {
	TAILQ_ENTRY(tasks_queued) link;
	size_t size;
	uint64_t body[]; /* aligned for the views into it */
};

struct tasks_function {
	char name[TASK_NAME_MAX + 1];
	bool announced; /* to the agent */
	uint32_t on_failure;
};

struct tasks {
	struct tasks_config config;
	struct agent_link link;
	struct cache *cache;
	struct tasks_level *levels[TASK_DEPTH_MAX + 1];
	size_t depth;
	TAILQ_HEAD(tasks_queue, tasks_queued) queue;
	struct attempts attempts;
	struct tasks_function *functions;
	size_t function_count;
	uint64_t next_sequence; /* with the executor's number above, but without the function */
	uint64_t next_datum;
	uint64_t next_wait;
	uint32_t next_group;
	bool serves;        /* runs tasks, not a main program */
	bool stopping;      /* the agent wants us to end when idle */
	bool extent_wanted; /* asked for and not yet answered */
	bool cancels;       /* something was submitted or done here that cancels tasks */
	struct task_extent left[TASK_DATA_MAX]; /* that are full; closed once what lies in them is told */
	size_t left_count;
	struct error lost;  /* code not 0: why nothing works any more */

	/* Scratch of a call that submits or of the end of a run; neither is interrupted by another. */
	uint8_t *plain; /* protected, TASKS_PLAIN_MAX */
	uint8_t sealed[TASK_INVOCATION_MAX];
	uint8_t submission[sizeof(struct task_submit) + TASK_DATA_MAX * sizeof(struct task_commutative)];
	uint64_t inputs[TASK_DATA_MAX];
	uint64_t outputs[TASK_DATA_MAX];
	uint64_t copies[TASK_DATA_MAX]; /* inputs that nobody else reads */
	struct task_commutative turns[TASK_DATA_MAX];
	struct task_location locations[TASK_DATA_MAX];
	uint64_t record[RING_RECORD_MAX / sizeof(uint64_t)];  /* the last one received */
	uint64_t serving[RING_RECORD_MAX / sizeof(uint64_t)]; /* the run at level 1, straight from the ring */
};

static inline struct tasks_level *tasks_top(struct tasks *t)
{
	return t->levels[t->depth];
}

/* tasks.c */
int tasks_level_at(struct tasks *t, size_t depth, struct tasks_level **ret_level,
                   struct error *err) must_check;
/* The agent or owner is gone or broke the protocol: nothing works any more. Returns rc. */
int tasks_lose(struct tasks *t, int rc, const struct error *err) must_check;

/* message.c */
/* A name as the agent may see it: printable and not empty. Its size. */
size_t tasks_public_name(const char *name, char to[TASK_NAME_MAX + 1]);
/* One record; waits for room in the ring, receiving meanwhile. Not published before a flush. */
int tasks_send(struct tasks *t, enum task_up type, const struct ring_part *parts, size_t count,
               struct error *err) must_check;
void tasks_flush(struct tasks *t);
/* Receive all that is there: runs go to the queue, the rest takes effect. *ret_any: there was something. */
int tasks_receive(struct tasks *t, bool *ret_any, struct error *err) must_check;
/* Receive one record: a run stays in t->serving (*ret_size its size, else 0), the rest takes effect. */
int tasks_receive_run(struct tasks *t, bool *ret_any, size_t *ret_size, struct error *err) must_check;
/* Nothing to do: look again for a short while, then sleep until the agent rings or the deadline (0: none). */
int tasks_idle(struct tasks *t, struct spin *spin, uint64_t deadline_ns, struct error *err) must_check;

/* data.c */
/* After a record that tells where data lie. */
int tasks_close_extents(struct tasks *t, struct error *err) must_check;
/* Opens the content (base, parts over it) whose locations are given in that order, into protected
 * memory `to`. CELLA_EAGAIN: not at hand (location of size 0, not in the cache); CELLA_EAUTH,
 * CELLA_EFORMAT: it does not verify. */
int tasks_read(struct tasks *t, const struct version_source *source, const struct task_location *locations,
               void *to, uint64_t size, struct error *err) must_check;
/* A file's content, of any size; mem_free it. */
int tasks_read_file(struct tasks *t, const struct version_source *source,
                    const struct task_location *locations, uint8_t **ret_data, uint64_t *ret_size,
                    struct error *err) must_check;
/* A commutative datum's current state, which anybody's turn may have made; zeros where turn->base is 0. */
int tasks_read_state(struct tasks *t, const struct task_commutative *turn, const struct version_datum *base,
                     const struct task_location *location, void *to, uint64_t size,
                     struct version_datum *ret_state, struct error *err) must_check;
/* Seals a datum into the store. `attempt` 0: the submitter's own. `keep`: in the cache too. */
int tasks_write(struct tasks *t, uint64_t datum, uint32_t attempt, const void *from, uint64_t size, bool keep,
                struct task_location *ret_location, struct error *err) must_check;
int tasks_write_state(struct tasks *t, const struct version_datum *state, uint32_t attempt, const void *from,
                      uint64_t size, struct task_location *ret_location, struct error *err) must_check;
/* The number of a COMMUTATIVE member. */
int tasks_member_number(struct tasks *t, uint64_t task, struct version_sum *ret_number,
                        struct error *err) must_check;

/* submit.c */
struct tasks_call {
	uint32_t function;
	const char *name;
	struct cella_abi_options options;
	const struct cella_abi_item *items; /* in the cell's memory: read once */
	uint32_t item_count;
};
int tasks_submit(struct tasks *t, struct cell_instance *cell, const struct tasks_call *call,
                 struct error *err) must_check;
/* Say which data the submitter has let go. */
int tasks_release(struct tasks *t, struct tasks_submitter *s, struct error *err) must_check;

/* run.c */
/* Run what a RUN record says, on top of what runs. An error ends the executor. */
int tasks_run(struct tasks *t, const uint8_t *body, size_t size, struct error *err) must_check;

/* queue.c */
int tasks_enqueue(struct tasks *t, const uint8_t *body, size_t size, struct error *err) must_check;
/* Run the first task of the queue that can run now, on top of what runs. *ret_any: there was one. */
int tasks_run_queued(struct tasks *t, bool *ret_any, struct error *err) must_check;
void tasks_clear_queue(struct tasks *t);

/* files.c: file parameters are memory files of WASI while their task runs. */
int tasks_place_file(struct tasks *t, struct tasks_level *level, const struct invocation_part_view *part,
                     const char *path, struct error *err) must_check;
/* The file as the task left it (`ran`), or as it was sent, becomes the task's output. */
int tasks_collect_file(struct tasks *t, struct tasks_level *level, const struct invocation_part_view *part,
                       bool ran, struct task_location *ret_location, struct error *err) must_check;
void tasks_drop_files(struct tasks *t, struct tasks_level *level);
/* Is this path a file parameter of the task that runs? Then its file lies in memory. */
bool tasks_owns_file(struct tasks *t, const char *path);

/* wait.c */
/* Wait for the submitter's tasks and check their receipts. CELLA_ETRAP if one failed for good. */
int tasks_barrier(struct tasks *t, struct tasks_submitter *s, struct error *err) must_check;
/* Bring the current content of the buffer or file to the cell; CELLA_ECANCELED. */
int tasks_wait_buffer(struct tasks *t, struct instance *instance, uint64_t address, bool unchanged,
                      struct error *err) must_check;
int tasks_wait_file(struct tasks *t, const char *path, struct error *err) must_check;
/* Free what a submitter holds, and leave it empty. */
void tasks_submitter_done(struct tasks *t, struct tasks_submitter *s);
/* It must end, and says this. */
void tasks_fail_submitter(struct tasks *t, struct tasks_submitter *s, const char *text);
/* What a TASK_DOWN_OUTCOME, a TASK_DOWN_READY means for the submitters here. */
int tasks_outcome(struct tasks *t, const struct down_outcome *outcome, struct error *err) must_check;
int tasks_ready(struct tasks *t, const struct down_ready *ready, struct error *err) must_check;
/* Sends a wait (or a cancel, which is answered alike) of the latest number, and helps until the
 * answer is in s->waiting. */
int tasks_ask(struct tasks *t, struct tasks_submitter *s, enum task_up type, const struct ring_part *parts,
              size_t count, struct error *err) must_check;
/* Forget the answer; the agent is told that the data which it located are not needed any more. */
int tasks_waiting_done(struct tasks *t, struct tasks_waiting *w, struct error *err) must_check;
/* CELLA_EAUTH unless the answer proves that every task of the ledger ended. */
int tasks_check_proof(const struct tasks_submitter *s, const struct ledger *ledger,
                      struct error *err) must_check;

/* groups.c */
void tasks_group_free(struct tasks *t, struct tasks_group *group);
int tasks_group_begin(struct tasks *t, const char *name, struct error *err) must_check;
int tasks_group_end(struct tasks *t, struct error *err) must_check;
int tasks_group_wait(struct tasks *t, const char *name, struct error *err) must_check;
int tasks_group_cancel(struct tasks *t, const char *name, uint64_t *ret_count, struct error *err) must_check;

#endif
