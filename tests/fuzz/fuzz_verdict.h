/* What holds of every verdict, whatever was judged: for the fuzz targets of evidence. */
#ifndef FUZZ_VERDICT_H
#define FUZZ_VERDICT_H

#include <stdlib.h>

#include "attest/tee.h"

static inline void verdict_is_sound(const struct tee_verdict *v)
{
	size_t failed = 0;
	for (size_t i = 0; i < v->check_count; i++) {
		failed += v->checks[i].status == TEE_FAILED;
		if (!*v->checks[i].name || !v->checks[i].wanted || !v->checks[i].found)
			abort();
	}
	for (size_t i = 0; i < v->claim_count; i++)
		for (const char *c = v->claims[i].value; *c; c++)
			if (*c < ' ' || *c > '~')
				abort();
	if (failed != v->failed_count)
		abort();
}

#endif
