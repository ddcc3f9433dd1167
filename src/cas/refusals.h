/*
 * Refusals in the audit log, which anybody can cause: without a bound who has no right fills the disk.
 *
 * Each refusal is an entry of its own as long as its address, and all addresses together, keep to an
 * allowance: a burst, and then one in so many seconds (the generic cell rate algorithm, ITU-T I.371). What
 * goes beyond is counted: by its words, as far as there are places for them, and a minute later, with the
 * next refusal, one entry says how often it came. What is counted is in memory until then; it is written when
 * the CAS ends in order.
 */
#ifndef CAS_REFUSALS_H
#define CAS_REFUSALS_H

#include "cas/service.h"

enum {
	REFUSALS_BURST = 256, /* of an IPv4 address, an IPv6 /64 */
	REFUSALS_INTERVAL_S = 10, /* then one in */
	REFUSALS_ALL_BURST = 2048,
	REFUSALS_ALL_INTERVAL_S = 1,
	REFUSALS_PLACES = 64, /* different ones that are counted apart at a time */
	REFUSALS_COUNTED_S = 60,
};

struct refusals;
int refusals_new(struct refusals **ret_refusals, struct error *err) must_check;
void refusals_free(struct refusals *r);

struct refusal {
	enum audit_kind kind; /* AUDIT_REFUSED, AUDIT_DENIED */
	const char *who, *address;
	const char *what; /* JSON, an object */
	const char *words; /* why: what makes two the same, with who, address, and `of` */
	const char *of[2]; /* session, service; "" */
	int (*keep)(void *arg, struct records *r,
	            struct error *err); /* what else, of an entry of its own; or NULL */
	void *arg;
};
/* 0 once it is durable, or counted. */
int cas_refuse(struct cas *cas, const struct refusal *refusal, struct error *err) must_check;
/* Writes what was counted, as far as that succeeds. Before the records are closed. */
void cas_refusals_end(struct cas *cas);

#endif
