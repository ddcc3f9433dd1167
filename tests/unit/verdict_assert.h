/* For tests of evidence: which checks of a verdict must have failed. */
#ifndef VERDICT_ASSERT_H
#define VERDICT_ASSERT_H

#include "attest/tee.h"

void verdict_print(const struct tee_verdict *v);
/* The checks of that status are those of `names`, separated by spaces, and no others. */
void assert_names(const struct tee_verdict *v, enum tee_status status, const char *names, const char *what);
/* Of those that failed; it is accepted if there are none. */
void assert_fails(const struct tee_verdict *v, const char *names);
/* Of what is verified here. */
void assert_judged(const struct tee_input *input, const char *names);

#endif
