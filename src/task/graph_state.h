/*
 * What the files of the graph and the scheduler share: the objects and their invariants.
 *
 * Objects refer to each other by handles (task/slab.h). Lists run through `next`.
 *
 * Counts. A datum's `uses` counts tasks that have not ended and waits that were not taken that name
 * it, and memberships that still begin with it; `pins` those of them whose executor has been told
 * where it lies. It is dropped when it is released, settled and not used. A task's `missing` counts
 * its edges in the consumer lists of data that are not settled; it keeps its slot, even ended,
 * until these are gone. `unsent` counts those of the missing inputs whose producer has not been
 * sent to an executor.
 */
#ifndef TASK_GRAPH_STATE_H
#define TASK_GRAPH_STATE_H

#include "base/map.h"
#include "task/graph.h"
#include "task/slab.h"

enum task_state {
	TASK_FREE,
	TASK_WAITING,  /* for inputs */
	TASK_BOUND,    /* the missing inputs come from tasks in one executor's queue */
	TASK_TURNLESS, /* for a turn on a commutative datum */
	TASK_READY,
	TASK_SENT,
	TASK_DELAYED, /* until its back-off is over */
	TASK_ENDED,
	TASK_STATES,
};

enum task_event {
	TASK_EVENT_BIND,
	TASK_EVENT_UNBIND,
	TASK_EVENT_NO_TURN,
	TASK_EVENT_READY,
	TASK_EVENT_SEND,
	TASK_EVENT_RETURN, /* from an executor, not as an attempt: an input was missing */
	TASK_EVENT_DELAY,
	TASK_EVENT_END,
	TASK_EVENTS,
};

enum task_flag {
	TASK_FLAG_FALLBACK = 1, /* the next run makes what IGNORE promises */
	TASK_FLAG_CHAINED = 2,  /* sent before its inputs were there */
	TASK_FLAG_DOOMED = 4,   /* an input will never be there: if it comes back, it is cancelled */
	TASK_FLAG_TURNS = 8,    /* holds its turns */
	TASK_FLAG_QUEUED = 16,  /* stands in an executor's queue */
	TASK_FLAG_WAITED = 32,  /* is one of its executor's waiters */
	TASK_FLAG_FUTILE = 64,  /* a task of this attempt failed for good: it is not tried again */
	TASK_FLAG_ORPHANED = 128, /* who submitted it has ended: no further attempt, no tasks of its own */
};

struct graph_task {
	struct slab_item item; /* next: in the list of those to be settled */
	uint64_t id;
	uint64_t order; /* of submission */
	uint64_t due_ns; /* DELAYED */
	uint8_t *block; /* the handles of its data, then the submitted bytes */
	uint32_t block_size;
	uint32_t body_at;
	uint32_t stamp; /* of its entry in a heap */
	uint32_t missing;
	uint32_t unsent;
	uint32_t group, group_next, group_before;
	uint32_t children; /* the group of what it submitted, 0: nothing yet */
	uint32_t line_next, line_before; /* in an executor's queue or a turn's line */
	uint32_t turn;        /* TURNLESS: in whose line it stands */
	uint32_t estimate_ns; /* as it was counted into its executor's queue */
	uint16_t executor;    /* BOUND, SENT */
	uint16_t attempt;
	uint8_t state; /* enum task_state */
	uint8_t flags;
	uint8_t depth;
	uint8_t end_status; /* ENDED: enum task_status */
};

enum datum_state { DATUM_PENDING, DATUM_AVAILABLE, DATUM_FAILED };

struct graph_datum {
	struct slab_item item;
	uint64_t id;
	uint64_t version; /* commutative: of the state that lies at `offset`, 0: none yet */
	uint64_t offset, size; /* size 0: it lies nowhere */
	uint64_t holders;   /* executors that have it in the clear, by number modulo 64 */
	uint32_t producer;  /* PENDING: the task that makes it, 0: a membership */
	uint32_t consumers, last_consumer; /* PENDING: list of edges */
	uint32_t uses;
	uint32_t pins;
	uint32_t turn; /* the membership that makes it, 0: none */
	uint8_t state; /* enum datum_state */
	bool producer_sent;
	bool released;
	bool spilled;
};

/* One consumer of a datum that is not settled. */
struct graph_edge {
	struct slab_item item;
	uint32_t consumer; /* handle of a task, or of a wait */
	bool is_wait;
};

/* A line of handles through graph_task.line_next. */
struct line {
	uint32_t first, last;
};

/* The membership of a commutative datum. */
struct graph_turn {
	struct slab_item item;
	uint64_t base_id;     /* 0: zeros */
	uint32_t base, final;
	uint32_t members;     /* that have not ended */
	uint32_t holder;      /* the task that has the turn */
	struct line line;     /* tasks that wait for it */
	bool closed;
	bool failed;
	bool uses_base; /* counted in base's uses: until state 1 exists */
};

struct graph_group {
	struct slab_item item; /* next: of the same outer group */
	uint64_t key; /* executor << 32 | name; 0: the root of what one task submits, or disbanded */
	uint32_t outer;
	uint32_t inner; /* list */
	uint32_t before; /* in the list of `outer` */
	uint32_t parent; /* the task that submits into it; 0: the main program */
	uint32_t executor; /* its number */
	uint32_t depth; /* 0: a root */
	uint32_t tasks, last_task; /* list of those that lie in it directly */
	uint32_t live; /* tasks not ended, inner groups' included */
	uint32_t waits; /* list */
	uint64_t ok_count, receipt_low, receipt_high;
	bool canceled; /* one was, or failed */
	bool orphaned; /* the parent has ended: freed with its last task */
	bool disbanded; /* will not be named again: freed with its last task and inner group */
};

struct graph_wait {
	struct slab_item item; /* next: of the same group */
	uint64_t id;
	uint32_t executor;
	uint32_t parent; /* the task that waits */
	uint32_t group; /* that it waits for, or 0 */
	uint32_t others; /* list of the executor's waits */
	uint32_t missing; /* data not settled */
	uint32_t *data; /* handles; 0: failed at once */
	uint32_t data_count;
	bool canceled;
	bool answered;
};

/* A task that has waited and has not ended. */
struct graph_waiter {
	uint64_t wait; /* its last one */
	uint32_t task;
	bool answered;
};

/*
 * Waiting. Cells nest on one thread: only the task that began last goes on, and the others lie
 * beneath it even when their waits are answered. A task that waits is the one on top at that time,
 * so tasks are ordered by their last wait: all up to the last one in `waiters` whose wait is not
 * answered are blocked; one behind it goes on.
 */
struct graph_executor {
	bool known, alive, driver;
	struct line queue; /* tasks sent, in order */
	uint32_t queued;
	uint32_t queued_wide; /* of these, with more than one computing unit */
	uint32_t waits; /* list */
	uint32_t wait_count; /* in it */
	uint32_t blocked; /* tasks: the first of `waiters` */
	uint32_t waiter_count;
	struct graph_waiter waiters[TASK_DEPTH_MAX + 1];
	uint64_t queued_ns; /* estimates, summed */
	struct heap bound;
};

struct graph {
	struct graph_config config;
	struct slab tasks, data, edges, turns, groups, waits;
	struct blocks blocks;
	struct map tasks_by_id, data_by_id, groups_by_key;
	struct graph_executor executors[GRAPH_EXECUTORS_MAX];
	uint32_t executors_end; /* numbers are less */
	uint16_t workers[GRAPH_EXECUTORS_MAX]; /* numbers of those that live and run tasks */
	uint32_t worker_count;
	struct heap ready[TASK_DEPTH_MAX]; /* by depth */
	uint64_t ready_depths; /* bit d: ready[d] may hold something */
	struct heap delayed;
	struct graph_function **functions;
	uint32_t function_count;
	struct graph_counts counts;
	uint32_t main_group;
	uint32_t ended, last_ended; /* list: tasks to be settled */
	uint64_t order;
	uint32_t stamp;
	uint32_t spill_hand; /* the datum that was looked at last */
	int broken; /* CELLA_ENOMEM, CELLA_EBUG...: the session cannot go on */
	struct task_location locations[TASK_DATA_MAX];
};

static inline struct graph_task *task_at(const struct graph *g, uint32_t handle)
{
	return slab_at(&g->tasks, handle);
}
static inline struct graph_datum *datum_at(const struct graph *g, uint32_t handle)
{
	return slab_at(&g->data, handle);
}
static inline struct graph_group *group_at(const struct graph *g, uint32_t handle)
{
	return slab_at(&g->groups, handle);
}
static inline struct graph_turn *turn_at(const struct graph *g, uint32_t handle)
{
	return slab_at(&g->turns, handle);
}
static inline struct graph_wait *wait_at(const struct graph *g, uint32_t handle)
{
	return slab_at(&g->waits, handle);
}

static inline const struct task_submit *task_submitted(const struct graph_task *t)
{
	return (const struct task_submit *)(const void *)(t->block + t->body_at);
}
/* Inputs, outputs, finals of its commutatives. */
static inline uint32_t *task_data(const struct graph_task *t)
{
	return (uint32_t *)(void *)t->block;
}
static inline uint32_t task_data_count(const struct task_submit *s)
{
	return (uint32_t)s->input_count + s->output_count + s->commutative_count;
}
static inline uint32_t id_executor(uint64_t id)
{
	return (uint32_t)(id >> TASK_COUNTER_BITS);
}

/* graph_task.c */
int parent_find(const struct graph *g, uint32_t executor, uint64_t id, struct graph_task **ret_parent,
                struct error *err) must_check;
void task_move(struct graph *g, struct graph_task *t, enum task_event event);
void task_look(struct graph *g, struct graph_task *t); /* WAITING or BOUND: is it ready, can it be bound? */
void task_take_turns(struct graph *g, struct graph_task *t); /* inputs are there: READY or TURNLESS */
void task_end(struct graph *g, struct graph_task *t, enum task_status status);
void task_cancel(struct graph *g, struct graph_task *t);
void task_send(struct graph *g, struct graph_task *t, uint32_t executor, uint32_t estimate_ns);
void task_leave_queue(struct graph *g, struct graph_task *t);
struct graph_datum *task_read_datum(const struct graph *g, const struct graph_task *t, uint32_t i);
void turns_release(struct graph *g, struct graph_task *t);
bool entry_valid(const struct graph *g, const struct heap_entry *entry, enum task_state state);

/* graph_end.c */
int settle(struct graph *g, struct error *err) must_check; /* all that the ends of tasks bring about */

/* graph_data.c */
struct graph_datum *datum_new(struct graph *g, uint64_t id);
bool datum_consume(struct graph *g, struct graph_datum *d, uint32_t consumer, bool is_wait);
void datum_producer_sent(struct graph *g, struct graph_datum *d, bool sent);
void datum_settle(struct graph *g, struct graph_datum *d, enum datum_state state);
void datum_unuse(struct graph *g, struct graph_datum *d);
void datum_release(struct graph *g, struct graph_datum *d);
void datum_place(struct graph *g, struct graph_datum *d, const struct task_location *location,
                 uint32_t executor);
void turn_close(struct graph *g, struct graph_datum *final); /* of another datum: nothing */
void turn_advance(struct graph *g, struct graph_datum *final, const struct task_location *state,
                  uint32_t executor);
void turn_leave(struct graph *g, struct graph_datum *final, bool failed); /* a member has ended */
int datum_locate(struct graph *g, struct graph_datum *d, struct task_location *ret_location) must_check;
void line_add(struct graph *g, struct line *line, struct graph_task *t);
void line_remove(struct graph *g, struct line *line, struct graph_task *t);

/* graph_group.c */
int group_find(struct graph *g, uint32_t executor, struct graph_task *parent, uint32_t name,
               struct graph_group **ret_group, struct error *err) must_check;
void group_add(struct graph *g, struct graph_group *group, struct graph_task *t);
/* Was it submitted by the attempt of its parent that runs now? */
bool group_belongs(const struct graph *g, const struct graph_task *t, const struct graph_task *parent);
void group_count_receipt(struct graph *g, const struct graph_task *t, const struct task_done *d);
void group_task_ended(struct graph *g, struct graph_task *t);
void group_orphan(struct graph *g, struct graph_task *parent); /* what `parent` submitted is cancelled */
void wait_datum_settled(struct graph *g, struct graph_wait *w, bool failed);
void waiter_remove(struct graph *g, uint32_t executor, const struct graph_task *t);
/* Tasks that lie less deep do not begin on top of those that wait in the executor. */
uint32_t executor_least_depth(const struct graph *g, const struct graph_executor *e);
void waits_abandon(struct graph *g, uint32_t executor,
                   uint32_t parent); /* parent 0: all of the executor; else those not answered */

#endif
