/*
 * Questions of a job's executors to the CASes of its grants, sealed so that nobody here can read them: to
 * root keepers, whose leases are renewed as long as the job runs, and for certificates.
 *
 * The program's executor leaves a question for each lease that it takes: to give it up. It is asked where the
 * executor ends without its word (leave.c).
 */
#ifndef CLI_JOB_QUESTIONS_H
#define CLI_JOB_QUESTIONS_H

#include <sys/queue.h>

#include "cell/provision.h"
#include "cli/job/job.h"
#include "net/https_client.h"

enum {
	JOB_EXECUTORS_MAX = 256, /* over the job's life, replacements included */
	/* Under way at once; the last ones find room beside them. */
	JOB_QUESTIONS_MAX = HTTPS_SENT_MAX - PROVISION_VOLUMES_MAX,
};

/* One that was asked, or that could not be. */
struct job_question {
	STAILQ_ENTRY(job_question) link;
	uint32_t executor, grant; /* both from 1 */
	struct buf question;
	bool answered, again; /* `again`: it was refused, and that is the last word or has been mended */
	int rc; /* then: 0, and the answer, or why there is none */
	struct buf answer;
	struct error why;
};
STAILQ_HEAD(job_question_list, job_question);

struct job_questions {
	const struct job_grants *grants; /* NULL: none */
	struct buf evidence[JOB_EXECUTORS_MAX]; /* of each executor, from 1 on */
	uint32_t driver; /* which executor runs the program, and writes; 0 before it is there */
	bool asked[PROVISION_GRANTS_MAX]; /* CASes that the driver has asked, perhaps for a lease */
	bool asking; /* a CAS is asked just now, and waited for, for whatever */
	struct job_question_list list; /* in the order of asking, which is that of the answers */
	unsigned count;
	struct job_question_list last; /* that the driver has left, none of them asked yet */
	unsigned last_count;
	uint64_t renew_ns; /* when its leases there are to be renewed; 0: it has none */
};

/* Before the executor asks. */
void job_questions_note(struct job_questions *q, uint32_t executor, bool driver, const void *evidence,
                        size_t size);
void job_questions_init(struct job_questions *q, const struct job_grants *grants);
/* As owner_server_config has it; `data` is a struct job_questions. */
int job_questions_ask(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                      struct error *err) must_check;
bool job_questions_may_ask(void *data);
/* The next one whose answer is there, the caller's to free; NULL: none is. */
struct job_question *job_questions_take(struct job_questions *q);
void job_question_free(struct job_question *question);
/* Readable when there may be one, as long as none is there; -1: none is under way. */
int job_questions_socket(const struct job_questions *q);
/* Until job_questions_renew or job_questions_take has something to do; -1: for ever. */
int job_questions_wait_ms(const struct job_questions *q);
void job_questions_renew(struct job_questions *q);
/* What the driver leaves, as owner_server_config has it. */
int job_questions_keep_last(void *data, uint32_t executor, uint32_t grant, const void *question, size_t size,
                            struct error *err) must_check;
/* Once the executor has ended: behind what is under way, about whose refusal nothing is done any more. */
void job_questions_ask_last(struct job_questions *q);
void job_questions_done(struct job_questions *q);

#endif
