/*
 * A question to a grant's CAS to certify an executor's key (struct owner_identity_request), and its answer.
 * Both cross the way as questions to a root keeper do (cell/keeper_question.h): sealed by the grant's data
 * key, and numbered.
 *
 * Answer (little-endian): u32 version, u64 time at the CAS in ns since 1970, u32 seconds that the
 * certificate is valid from then on, the certificate and the CA's, each u32 size and PEM.
 */
#ifndef CELL_IDENTITY_QUESTION_H
#define CELL_IDENTITY_QUESTION_H

#include "base/buf.h"
#include "base/error.h"
#include "cell/owner/format.h"

enum {
	IDENTITY_VERSION = 1,
	IDENTITY_PEM_MAX = 4096, /* of each certificate */
	IDENTITY_ANSWER_MAX = 4 + 8 + 4 + 2 * (4 + IDENTITY_PEM_MAX),
	IDENTITY_FILES = 3,
};
/* What the cell finds in its identity's directory: key, certificate, and the CA's. */
extern const char *const identity_file_names[IDENTITY_FILES];

struct identity_answer {
	uint64_t time_ns;
	uint32_t life_s;
	const char *certificate, *ca; /* not terminated */
	size_t certificate_size, ca_size;
};

/* Is what came such a question, whole or not? */
bool identity_question_is(const void *bytes, size_t size);
/* CELLA_EFORMAT. */
int identity_question_read(const void *bytes, size_t size, struct owner_identity_request *ret_question,
                           struct error *err) must_check;
void identity_answer_write(const struct identity_answer *answer, struct buf *to);
/* Points into the bytes. CELLA_EFORMAT. */
int identity_answer_read(const void *bytes, size_t size, struct identity_answer *ret_answer,
                         struct error *err) must_check;

#endif
