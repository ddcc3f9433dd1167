/* References to secrets in texts, $$CELLA::name:format$$: found and judged; session.h replaces them. */
#ifndef CAS_SESSION_REFERENCE_H
#define CAS_SESSION_REFERENCE_H

#include "cas/session/session.h"

enum reference_format { REFERENCE_PLAIN, REFERENCE_HEX, REFERENCE_BASE64, REFERENCE_PEM, REFERENCE_FORMATS };

struct reference {
	size_t begin, end; /* in the text */
	char name[SESSION_NAME_MAX + 1];
	enum reference_format format;
	const char *problem; /* what is wrong with its form; NULL: nothing */
};
/* The first at or behind `from`; false if there is none. */
bool reference_next(const char *text, size_t from, struct reference *ret);
/* Why a secret of that kind cannot stand there like that; NULL: it can. */
const char *reference_refused(enum session_kind kind, enum reference_format format, enum session_place place);

#endif
