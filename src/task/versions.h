/*
 * Versions of data: what one access of a task to a piece of data reads, makes and lets go.
 *
 * A piece is a buffer of the submitter, known by its address, or a file, known by its path. From
 * the first task that names it until versions_return or versions_forget its content belongs to
 * the tasks. Every write makes a new datum (renaming), so only true dependencies order tasks:
 *
 *   access        reads                      makes
 *   IN            the content                -
 *   OUT           -                          the new content
 *   INOUT         the content                the new content
 *   CONCURRENT    the common base            a part; the content is then base with each part's
 *                                            changes over it, in the order of submission
 *   COMMUTATIVE   the state, at its turn     the next state; the content is `final` once every
 *                                            member has had its turn
 *
 * The first access of another kind closes a row of CONCURRENT accesses or a membership of
 * COMMUTATIVE ones. Where a content made of parts must serve as one datum, or its parts become
 * too many, the access says which merge to submit first.
 *
 * One `struct versions` serves one submitter: the main program, or one attempt of a task. Pure: no
 * I/O, no clock; the caller seals, submits and releases what this says.
 */
#ifndef TASK_VERSIONS_H
#define TASK_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum { VERSIONS_PARTS_MAX = 64 }; /* parts that one content is made of */

enum version_access {
	VERSION_IN,
	VERSION_OUT,
	VERSION_INOUT,
	VERSION_CONCURRENT,
	VERSION_COMMUTATIVE,
};

/* A buffer: bytes [address, address + size), size > 0. A file: `path` is not NULL, the rest 0. */
struct version_name {
	uint64_t address;
	uint64_t size;
	const char *path;
};

/* Numbers modulo 2^128: each task has one, which the agent cannot know (seal/seal.h, receipts). */
struct version_sum {
	uint64_t low, high;
};

static inline void version_sum_add(struct version_sum *to, const struct version_sum *number)
{
	to->low += number->low;
	to->high += number->high + (to->low < number->low);
}

struct version_datum {
	uint64_t id;            /* 0: none */
	uint64_t members;       /* how many COMMUTATIVE tasks made it; 0: it is no such datum */
	struct version_sum sum; /* of their numbers */
};

/* A content: the base, with each part's changes over it in order. */
struct version_source {
	struct version_datum base;
	const uint64_t *parts; /* valid until the next call */
	size_t part_count;
};

/* In the order in which the caller acts: put, merge, then the task itself. */
struct version_effect {
	uint64_t put; /* seal the submitter's content as this datum; 0: nothing to do */
	struct version_source merge_source; /* submit a task that makes `merge` of this */
	uint64_t merge; /* 0: no merge */
	struct version_source source; /* what the task reads; base.id 0: nothing */
	uint64_t output; /* what it makes; 0: nothing */
	uint64_t final; /* the membership that it joins; 0: none */
};

struct versions;

/* Where paths are kept, which are plaintext as arguments are. `alloc` returns NULL when there is no more. */
struct version_memory {
	void *data;
	void *(*alloc)(void *data, size_t size);
	void (*free)(void *data, void *p);
};

/* `next_datum` is the counter that ids are taken from; it may serve several submitters. */
int versions_new(uint64_t *next_datum, const struct version_memory *memory, struct versions **ret_versions,
                 struct error *err) must_check;
void versions_free(struct versions *v); /* says nothing about releases; NULL is fine */

/* The accesses that follow belong to one more task, which has this number. */
void versions_begin(struct versions *v, struct version_sum number);
/* CELLA_EINVAL: it overlaps another piece, or has another size than before, or the task names it
 * twice and writes it. */
int versions_access(struct versions *v, const struct version_name *name, enum version_access access,
                    struct version_effect *ret_effect, struct error *err) must_check;

/* The current content. *ret_resident: the submitter's own copy is that content already.
 * A buffer is found by its address alone. CELLA_ENOENT if tasks have no such piece. */
int versions_current(struct versions *v, const struct version_name *name, struct version_source *ret_source,
                     uint64_t *ret_size, bool *ret_resident) must_check;
/* A piece that overlaps this buffer, or is this file. */
bool versions_find(struct versions *v, const struct version_name *name, struct version_name *ret_name);
/* The submitter has the content. `shared`: and will not change it, so the datum stays; otherwise
 * the piece is the submitter's own again. */
void versions_return(struct versions *v, const struct version_name *name, bool shared);
/* The submitter gives the piece up. */
void versions_forget(struct versions *v, const struct version_name *name);
/* Every piece, at a submitter's end. */
void versions_forget_all(struct versions *v);

/* Data that the submitter will not name again, since the last call; valid until the next call
 * that changes v. They may be released once the tasks that accesses described are submitted. */
size_t versions_take_releases(struct versions *v, const uint64_t **ret_data);

#endif
