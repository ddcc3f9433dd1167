/*
 * Who asks the CAS for something, and what they did, in the audit log.
 *
 * A requester is the key that the connection has proven (RFC 8446), with those that have signed what it asks
 * for; without any it has no rights. An *owner* is
 * a key that the CAS knows and that was not revoked. What is denied is in the log.
 *
 * Who shows the certificate of a cell (cas/identity.h) is that cell, whatever else its key may be.
 */
#ifndef CAS_REQUESTER_H
#define CAS_REQUESTER_H

#include <jansson.h>

#include "cas/service.h"

struct cas_requester {
	bool known; /* it has shown a key */
	uint8_t key[RECORDS_KEY_SIZE];
	const char *address;
	/* Of the cell that it is: its certificate's name, serial number, and end; NULL: it is none. */
	const char *identity, *serial;
	int64_t not_after;
	const char *signatures; /* of others, under what it asks for (cas/session/signature.h); NULL: none */
};

bool cas_is_owner(struct cas *cas, const struct cas_requester *who);
/* As an owner's: of any key, also one that is no owner's. */
bool cas_key_is_revoked(struct cas *cas, const uint8_t key[RECORDS_KEY_SIZE]);
/* The key in hexadecimal, or that there is none. */
void cas_who_text(const struct cas_requester *who, char to[CAS_KEY_HEX_SIZE]);

/* Says no, with the reason that is given, and notes it, by the session that it was about (NULL: none). */
int cas_deny(struct cas *cas, const struct cas_requester *who, const char *session, const struct error *why,
             struct error *err) must_check;
/* CELLA_EPERM unless the requester is an owner, `what` continues "may not ". */
int cas_demand_owner(struct cas *cas, const struct cas_requester *who, const char *what,
                     struct error *err) must_check;

/* A change with its entry in the log. */
struct cas_act {
	enum audit_kind kind;
	char who[CAS_KEY_HEX_SIZE];
	char *what; /* JSON */
	int (*make)(const struct cas_act *act, struct records *r, struct error *err);
	void *arg;
};
/* Returns once it is durable. `make` may be NULL: then there is the entry alone. Takes `what`. */
int cas_do_act(struct cas *cas, const struct cas_requester *who, enum audit_kind kind, json_t *what,
               int (*make)(const struct cas_act *act, struct records *r, struct error *err), void *arg,
               struct error *err) must_check;

#endif
