/*
 * A launcher's key is endorsed by its machine's hardware: the node asks for a nonce, and sends evidence whose
 * report data are over the key and that nonce (attest/endorsement_format.h). Nobody has to prove who he is:
 * the evidence does.
 *
 * It is kept, one for each launcher and kind, if it is of use: of a launcher that is enrolled, if it is
 * accepted as it is or by a need of the service that is named; of another, only by a need of that service
 * that leaves nothing open. So who merely has such hardware fills no disk. What is accepted here is judged
 * again whenever it is to count (cas/machines.h).
 *
 * Where there is no room, one of a launcher that nobody has enrolled makes room, any: it is endorsed again
 * when it asks next. A launcher that is revoked loses its endorsements.
 *
 * It is as old as its nonce: one that is sent again makes nothing younger.
 */
#ifndef CAS_ENDORSE_H
#define CAS_ENDORSE_H

#include "attest/tee.h"
#include "cas/requester.h"

enum {
	ENDORSE_NONCE_LIFE_S = 600, /* between nonce and evidence */
	ENDORSE_LAUNCHERS_MAX = 4096, /* endorsements that are kept */
};

struct cas_endorsing {
	const char *session, *service; /* for which it is wanted; "": none is named */
	const void *endorsement;
	size_t size;
	const char *peer;
};
/* CELLA_EFORMAT: it is none; CELLA_EAUTH: refused. Why, the owner of the service sees, if one is named that
 * there is; else whoever asks is told, for nothing but the verifier's own defaults was demanded. */
int cas_endorse(struct cas *cas, const struct cas_endorsing *endorsing, struct error *err) must_check;

/* For owners: what is kept. */
struct cas_endorsed {
	uint8_t launcher[RECORDS_KEY_SIZE];
	enum tee_kind kind;
	uint64_t time_ns;
	bool enrolled;
};
typedef int cas_endorsed_fn(void *arg, const struct cas_endorsed *endorsed, struct error *err);
int cas_endorsed_list(struct cas *cas, const struct cas_requester *who, cas_endorsed_fn *fn, void *arg,
                      struct error *err) must_check;

#endif
