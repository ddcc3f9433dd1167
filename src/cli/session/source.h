/* A session's text in a file, and its mistakes, which are told all at once. */
#ifndef CLI_SESSION_SOURCE_H
#define CLI_SESSION_SOURCE_H

#include <stdbool.h>

#include "cas/session/session.h"
#include "cas/session/text.h"

/* What a command returns that has told what is wrong itself. */
enum { SESSION_TOLD = 1 };

struct session_source {
	struct session_text text;
	struct session *session;
	uint8_t hash[CRYPTO_SHA384_SIZE];
};
/* A whole file, appended to memory that is wiped; "-" is standard input. Of one that has more than
 * `most` bytes a few more than these are read. */
int session_source_read(const char *file, size_t most, struct session_text *ret,
                        struct error *err) must_check;

/* "-" is standard input. SESSION_TOLD: there are mistakes in it, which are on standard error now, or as JSON
 * on standard output. crypto_init has been called. Zeroed before, and done also after a failure. */
int session_source_open(const char *file, bool json, struct session_source *ret,
                        struct error *err) must_check;
void session_source_done(struct session_source *source);
#define cleanup_session_source __attribute__((cleanup(session_source_done)))

/* The same of mistakes that somebody else has found. */
int session_mistakes_tell(const char *file, const struct session_mistakes *mistakes, bool json,
                          struct error *err) must_check;

#endif
