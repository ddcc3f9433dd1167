/* What the files of the agent share. */
#ifndef AGENT_AGENT_STATE_H
#define AGENT_AGENT_STATE_H

#include "agent/agent.h"
#include "agent/agent_format.h"
#include "agent/event_log.h"
#include "agent/store.h"
#include "base/buf.h"
#include "cell/launch_format.h"
#include "net/ring.h"
#include "task/graph.h"

enum {
	AGENT_EXECUTORS_MAX = 256, /* over a job's life */
	AGENT_WORKERS_MAX = 128,   /* that the owner may ask for */
	AGENT_REPLACEMENTS_MAX = 10,
	AGENT_TASKS_DEFAULT = 1 << 20, /* that the main program may have waiting */
	AGENT_TASKS_MAX = 1 << 28,
	AGENT_RING_CAPACITY = 256 * 1024,
	AGENT_BATCH = 256,                /* records read of one ring before the others get their turn */
	AGENT_RESTORED_MAX = 4 << 20, /* bytes brought back from the spill file before others go there */
	AGENT_BACKLOG_MAX = 256 << 20, /* bytes for an executor that does not read */
	AGENT_FORGET_BATCH = 128,
	AGENT_PROGRESS_NS = 100 * 1000 * 1000,
	AGENT_GLANCE_NS = 1000 * 1000, /* how often a busy loop looks at its descriptors */
};

enum executor_state {
	EXECUTOR_LAUNCHING, /* asked for */
	EXECUTOR_RUNS,
	EXECUTOR_ENDING, /* told to stop, or killed: what it says does not count any more */
	EXECUTOR_GONE,
};

struct executor {
	uint32_t launch; /* its name towards the launcher */
	uint32_t number; /* its name towards owner and graph, 0 before it runs */
	enum executor_state state;
	bool driver;
	uint64_t requested_ns;
	int socket; /* our end; closing it tells the executor that we are gone */
	int bell; /* we sleep on it */
	int executor_bell;
	void *memory; /* both rings */
	struct ring_reader up;
	struct ring_writer down;
	struct error why; /* code not 0: the rule that it broke */
	struct buf backlog; /* records that the ring had no room for: u32 type, u32 size, body */
	size_t backlog_at;
	uint64_t forgotten[AGENT_FORGET_BATCH]; /* data that it need not keep, and has not been told of */
	uint32_t forgotten_count;
};

struct agent {
	int owner, las, epoll;
	int bundle;
	struct agent_start job;
	struct executor *executors[AGENT_EXECUTORS_MAX]; /* by launch */
	struct executor *numbered[AGENT_EXECUTORS_MAX + 1];
	uint32_t executor_count, number_count;
	uint32_t replaced;
	bool workers_wanted;
	bool stopping; /* the owner has asked for it, and has the last message */
	bool over; /* the owner has gone after that */
	struct graph *graph;
	struct store *store;
	uint64_t restored; /* bytes, since the store was made to fit its limit again */
	struct event_log *log; /* NULL: not wanted */
	struct agent_progress progress; /* as sent last */
	uint64_t progress_ns;
	uint64_t now_ns;
	_Alignas(8) uint8_t record[RING_RECORD_MAX];
};

/* executors.c */
int executor_launch(struct agent *a, bool driver, struct error *err) must_check;
int executors_want_workers(struct agent *a, struct error *err) must_check;
int executor_replied(struct agent *a, const struct launch_reply *reply, int *owner_fd,
                     struct error *err) must_check;
int executor_exited(struct agent *a, const struct launch_exited *exited, struct error *err) must_check;
/* It broke a rule: end it. Its loss is dealt with when the launcher says that it has ended. */
int executor_misbehaves(struct agent *a, struct executor *x, const struct error *why,
                        struct error *err) must_check;
/* Those with tasks are killed, the others told to end. */
int executors_stop(struct agent *a, struct error *err) must_check;
void executor_free(struct executor *x);

/* up.c */
/* What the executor has said; *ret_any if there was something. An error ends the job. */
int up_read(struct agent *a, struct executor *x, bool *ret_any, struct error *err) must_check;
/* Is it not read for now, because too many tasks wait? */
bool up_held_back(const struct agent *a, const struct executor *x);

/* down.c */
void down_send(struct agent *a, struct executor *x, uint32_t type, const struct ring_part *parts,
               size_t count);
void down_flush(struct agent *a, struct executor *x);
bool down_prepare_sleep(struct executor *x); /* false: there is room again for what is in the backlog */
void down_awake(struct executor *x);
struct graph_listener down_listener(struct agent *a);
int down_schedule(struct agent *a, struct error *err) must_check;
/* Until there is room for `size` bytes in the store, move objects that nobody reads to its spill
 * file, oldest first. What is in use stays: there may be too little room still. */
int spill_for(struct agent *a, uint64_t size, struct error *err) must_check;

/* owner.c */
int owner_receive_start(struct agent *a, struct error *err) must_check;
int owner_readable(struct agent *a, struct error *err) must_check;
int owner_send(struct agent *a, const void *head, size_t size, const void *rest, size_t rest_size, int fd,
               struct error *err) must_check;
void owner_progress(struct agent *a);
int owner_finished(struct agent *a, struct error *err) must_check;
void owner_failed(struct agent *a, const struct error *why);

#endif
