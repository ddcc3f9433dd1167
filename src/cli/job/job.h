/*
 * A job: one program and its tasks, from start to exit status, as its owner's command line sees it.
 *
 * The command line starts a launcher and an agent, verifies the evidence of every executor that
 * they bring, and provisions those that pass with the session's key. It runs no cell itself: it
 * opens what the program prints, serves the preopened directories, and reports.
 */
#ifndef CLI_JOB_H
#define CLI_JOB_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cell/owner/paths.h"
#include "cell/provision.h"
#include "cli/job/volume.h"
#include "crypto/crypto.h"
#include "mem/mem.h"
#include "wasm/bundle.h"

/*
 * Sessions that the job's cell is to have keys of: each gives a grant (cell/provision.h) for an executor
 * whose evidence holds. CELLA_EAUTH: refused; the text says what is known of it here.
 */
struct job_grants {
	void *data;
	uint32_t count;
	uint8_t nonce[32]; /* for all evidence of the job */
	/* What vouches for this machine, in the words of all that have given something: "soft" where these
	 * differ. */
	const char *machine;
	const char *las_key; /* file of the key by which they know this node's launcher */
	bool offline; /* nobody is reached: what is taken are offline leases, which the launcher opens */
	/* `keep`: the launcher's statement, LAUNCH_KEEP_SIZE bytes. */
	int (*take)(void *data, uint32_t number, const void *evidence, size_t evidence_size, const void *keep,
	            struct buf *ret_sealed, struct error *err);
	/* Whoever gave it keeps the roots of its volumes, too: a sealed question of the executor with this
	 * evidence is sent. Several are under way at once; the sealed answers are taken in order. */
	int (*ask)(void *data, uint32_t number, const void *evidence, size_t evidence_size,
	           const void *question, size_t size, struct error *err);
	int (*answer)(void *data, uint32_t number, struct buf *ret_answer, struct error *err);
	/* One that was refused (CELLA_EAUTH), while none is under way: the same again, with its answer, if
	 * something can be done about the reason; else CELLA_EAUTH, and *err as it is. */
	int (*ask_again)(void *data, uint32_t number, const void *evidence, size_t evidence_size,
	                 const void *question, size_t size, struct buf *ret_answer, struct error *err);
	/* To wait by for the next answer, as https_client_socket and https_client_has_answer. */
	int (*socket)(void *data, uint64_t *ret_deadline_ns);
	bool (*has_answer)(void *data);
	/* The leases that this executor has of them last on. To be called every JOB_RENEW_S. */
	int (*renew)(void *data, uint32_t number, const void *evidence, size_t evidence_size,
	             struct error *err);
	/* What they wait for answers by (net/https_client.h); NULL: they block. */
	void (*wait_by)(void *data,
	                int (*wait)(void *arg, struct pollfd *socket, int timeout_ms, struct error *err),
	                void *arg);
};
enum { JOB_RENEW_S = 50 }; /* before the CAS ends a connection that is idle (https_limits.idle_ms) */

struct job_config {
	struct mem_pool *pool; /* for the session's keys and what the program prints; borrowed */
	const struct bundle *bundle;
	const struct bundle_artifact
		*artifact; /* of it: what this machine runs, by a builder who is accepted */
	int bundle_fd; /* sealed memory file with the same bytes; borrowed */
	bool uses_tasks;
	const char *memory; /* the level as it was asked for */
	enum mem_level memory_level;
	uint64_t heap;
	uint64_t window;             /* of paged memory; else 0 */
	const char *page_directory;  /* for page files; NULL: none */
	uint32_t executors;
	uint64_t store_limit;
	const char *const *arguments;
	uint32_t argument_count;
	const char *const *environment;
	uint32_t environment_count;
	const struct wasi_preopen *preopens;
	uint32_t preopen_count;
	const struct job_volumes *volumes; /* NULL: none */
	const struct job_grants *grants; /* NULL: none */
	const struct owner_paths *paths;
	bool progress;       /* a live line on standard error */
	bool events;         /* keep the event log */
};

/* How it ended. */
struct job_result {
	int status;       /* the exit status for the shell */
	bool refused;     /* Cella or the executor refused: error says why */
	int signal;       /* that ended it, and is pending still (cli/interrupt.h); 0: none */
	int event_log;    /* memory file, -1: none; the caller closes it */
	char trap[200];   /* "": none; without what the program itself said */
	uint64_t tasks_done, tasks_failed, tasks_retried;
	/* What was verified. Digests are zero where it did not come to that. */
	uint8_t launcher[CRYPTO_SHA384_SIZE], executor[CRYPTO_SHA384_SIZE];
	char kernel[64];
	uint32_t isolation, host; /* what every executor had: enum evidence_isolation, evidence_host */
	uint32_t executors_started;
};

enum job_status {
	JOB_STATUS_FAILED = 125,
	JOB_STATUS_REFUSED = 126,
	JOB_STATUS_SIGNAL = 128, /* and the number of the signal that ended the job */
};

/* 0 when the program ran to an end (result->status is its own); a CELLA_E* and the error when Cella
 * failed or refused, or a signal ended it. Whatever is told in *ret_result holds then, too; nothing is left
 * running. SIGINT, SIGTERM and SIGHUP are blocked from here on. Handles keys: call it on a protected stack,
 * of JOB_STACK bytes at least. */
enum { JOB_STACK = 512 * 1024 };
int job_run(const struct job_config *config, struct job_result *ret_result, struct error *err) must_check;

#endif
