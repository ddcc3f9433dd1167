/*
 * Messages between the owner's command line and the agent, over a SOCK_SEQPACKET socket: one
 * structure each, with text or evidence behind it, descriptors beside it.
 *
 *   owner -> agent   agent_start     fd: the bundle (sealed memory file); first message
 *                    agent_stop      end the job: stop the executors, report, close
 *   agent -> owner   agent_executor  fd: the owner's end of the executor's channel; evidence behind
 *                                    it. The n-th such message is about executor number n
 *                    agent_lost      an executor has ended, or is ended in the middle of a task as the job
 *                                    ends: what it printed last may not arrive
 *                    agent_progress  at most every 100 ms, if asked for and changed
 *                    agent_failed    the job cannot go on; text behind it
 *                    agent_finished  the last message; fd: the event log (memory file, agent/report.h
 *                                    reads it), if it was asked for
 *
 * The agent ends when the owner closes the socket.
 */
#ifndef AGENT_FORMAT_H
#define AGENT_FORMAT_H

#include <assert.h>
#include <stdint.h>

enum { AGENT_VERSION = 3, AGENT_MESSAGE_MAX = 8192 };

enum agent_type {
	AGENT_START = 1,
	AGENT_STOP,
	AGENT_EXECUTOR,
	AGENT_LOST,
	AGENT_PROGRESS,
	AGENT_FAILED,
	AGENT_FINISHED,
};

enum agent_role { AGENT_DRIVER = 1, AGENT_TASKS = 2 }; /* as enum provision_role */

enum agent_start_flag {
	AGENT_START_TASKS = 1,    /* the cell uses tasks: start all executors at once */
	AGENT_START_EVENTS = 2,   /* keep the event log for graph, trace and record */
	AGENT_START_PROGRESS = 4, /* send agent_progress */
};

struct agent_start {
	uint32_t type;
	uint32_t version;      /* AGENT_VERSION; the agent refuses another */
	uint32_t executors;    /* that run tasks, beside the driver */
	uint32_t memory_level; /* enum mem_level */
	uint32_t flags;        /* enum agent_start_flag */
	uint32_t reserved;
	uint64_t heap;         /* of each executor */
	uint64_t window;       /* the same, of paged memory; else 0 */
	uint64_t store_limit; /* bytes of sealed objects in memory; 0: half of the machine's */
	uint64_t tasks_max; /* waiting, before the program is held back; 0: 1,048,576 */
	uint8_t nonce[32];     /* for the evidence */
	uint8_t builder[32];   /* as in launch_request */
	char spill_directory[256];
	char page_directory[256]; /* for page files; "": encrypted pages lie in ordinary memory */
};

struct agent_stop {
	uint32_t type;
	uint32_t reserved;
};

struct agent_executor {
	uint32_t type;
	uint32_t index; /* its number, from 1 */
	uint32_t role;  /* enum agent_role */
	int32_t pid;
	uint32_t evidence_size;
};

struct agent_lost {
	uint32_t type;
	uint32_t index;
	int32_t status; /* as waitpid's */
	uint32_t replaced; /* a new one is on its way */
};

struct agent_progress {
	uint32_t type;
	uint32_t reserved;
	uint64_t done, running, waiting, failed;
};

struct agent_failed {
	uint32_t type;
	int32_t error; /* a CELLA_E* */
};

struct agent_finished {
	uint32_t type;
	uint32_t reserved;
	uint64_t done, failed, retried;
};

static_assert(sizeof(struct agent_start) == 632, "no padding");
static_assert(sizeof(struct agent_stop) == 8 && sizeof(struct agent_executor) == 20, "no padding");
static_assert(sizeof(struct agent_lost) == 16 && sizeof(struct agent_progress) == 40, "no padding");
static_assert(sizeof(struct agent_failed) == 8 && sizeof(struct agent_finished) == 32, "no padding");

#endif
