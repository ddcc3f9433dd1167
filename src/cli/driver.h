/*
 * The command line of a compiler, as gcc and clang have it: which words are for compiling, which for
 * linking, which are files, and whether there is anything to link at all.
 *
 * clang understands every word itself, and what it does not know it refuses in its own way. A command
 * that links nothing (-c, -S, -E, -M, --version and the like) is clang's as it stands. One that links
 * is divided: each source is compiled by itself, then all is linked, in the order of the command line.
 */
#ifndef CLI_DRIVER_H
#define CLI_DRIVER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

enum driver_use {
	DRIVER_DROP,    /* has no meaning for a cell, such as -fPIC */
	DRIVER_COMPILE, /* also what nobody knows: clang says so */
	DRIVER_LINK,
	DRIVER_BOTH,
	DRIVER_SOURCE,
	DRIVER_OBJECT, /* or an archive, or whatever the linker makes of it */
};

struct driver_word {
	const char *text;
	const char *value; /* the next word, if that belongs to it; else NULL */
	const char *language; /* of a source, from -x; else NULL */
	enum driver_use use;
};

struct driver {
	struct driver_word *words; /* strings point into the command line */
	size_t count;
	size_t source_count;
	size_t object_count;
	const char *language;        /* in force, from -x */
	const char *dependencies;    /* -MD or -MMD, if given */
	bool names_dependencies;     /* -MF */
	bool names_target;           /* -MT or -MQ */
	bool links;                  /* driver_init says so; a word such as -c says no */
	bool joins_objects;          /* -r: into one object */
	bool optimizes, debugs;      /* -O, -g */
};

void driver_init(struct driver *d);
void driver_done(struct driver *d);

/* One more word of the command line; `next` (or NULL) follows it, and belongs to it if *ret_took_next.
 * CELLA_EUNSUPPORTED for what no cell can be. */
int driver_take(struct driver *d, const char *word, const char *next, bool *ret_took_next,
                struct error *err) must_check;

/* The first source or object; NULL if there is none. */
const struct driver_word *driver_first_input(const struct driver *d);

#endif
