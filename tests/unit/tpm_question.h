/* For tests of TPMs: a question about evidence of a TPM of our own, and what must fail of it. */
#ifndef TPM_QUESTION_H
#define TPM_QUESTION_H

#include "tpm_support.h"
#include "verdict_assert.h"

struct question {
	struct soft_files files;
	struct tee_blob certs[3], logs[2], list;
	struct tee_input input;
	struct tee_policy *policy;
};

/* With a policy that believes the maker. */
void ask(const struct soft_shape *shape, struct question *q);
void answered(struct question *q);
/* JSON with ' for ". */
void set_policy(struct question *q, const char *format, ...) printf_like(2, 3);

void assert_verdict(const struct question *q, const char *names);
/* CELLA_EFORMAT, with that in its text. */
void assert_error(const struct question *q, const char *why);

#endif
