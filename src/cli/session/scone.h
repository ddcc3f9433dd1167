/*
 * From a session of SCONE's CAS (its language 0.3) to one of ours: what cella session import-scone does.
 *
 * Nothing is guessed in silence. Every field that does not come over as it stands has a remark with its
 * place, and whatever says who gets the secrets never becomes weaker: what cannot be translated (the
 * measurement of an enclave, the hash of a key or session) is a placeholder, "<...>", which cella session
 * check refuses and names. What comes out has been parsed as our own sessions are, with something in each
 * placeholder's stead.
 *
 * The text is an attacker's as a session's is, and is read by the same tree (cas/session/tree.h). Secrets in
 * it lie in memory that is wiped; no remark quotes one.
 */
#ifndef CLI_SESSION_SCONE_H
#define CLI_SESSION_SCONE_H

#include "cas/session/session.h"
#include "cas/session/tree.h"

enum scone_kind {
	SCONE_TRANSLATED,  /* the same under another name */
	SCONE_CHANGED,     /* it has another meaning here */
	SCONE_ADDED,       /* it does not stand in the source */
	SCONE_LEFT_OUT,    /* it has no counterpart */
	SCONE_PLACEHOLDER, /* to be filled in */
	SCONE_UNKNOWN,     /* no field of SCONE's that is known here; left out */
	SCONE_KINDS
};
const char *scone_kind_name(enum scone_kind kind);

struct scone_remark {
	struct tree_place place; /* in the source */
	enum scone_kind kind;
	char text[400];
};
struct scone_result {
	struct session_text session; /* YAML */
	struct scone_remark *remarks; /* by place */
	size_t remark_count;
	size_t placeholder_count; /* 0: cella session check accepts it */
};

/* CELLA_EFORMAT: it is not YAML, or says what no session of ours can; all of it in *ret_mistakes, with places
 * in the source. `file` is for the text alone. crypto_init must have been called. */
int scone_convert(const char *file, const void *text, size_t size, struct session_mistakes *ret_mistakes,
                  struct scone_result *ret_result, struct error *err) must_check;
void scone_result_done(struct scone_result *r);

#endif
