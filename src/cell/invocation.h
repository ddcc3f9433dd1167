/*
 * Writing an invocation, and walking through one: the walk yields each part with its data and
 * its place in the frame. Layout (cell/invocation_format.h) and frame (cella/task_abi.h) are
 * functions of the invocation alone, so the executor walks it as often as it likes: to size the
 * frame, to fill it, to collect results.
 *
 * Threats: an invocation is opened under its task's id, so an executor of the session wrote it; the
 * walk still refuses whatever does not add up.
 */
#ifndef CELL_INVOCATION_H
#define CELL_INVOCATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "cell/invocation_format.h"
#include "task/task_format.h"
#include "task/versions.h"

/* Writes into protected memory of the caller's; past its end it fails and drops. */
struct invocation_writer {
	uint8_t *data;
	size_t capacity;
	size_t size;
	uint16_t parameter_count;
	uint32_t in_collection; /* buffers of the last collection that are still to come */
	bool failed;
};

void invocation_begin(struct invocation_writer *w, uint8_t *data, size_t capacity);
void invocation_value(struct invocation_writer *w, const void *bytes, uint32_t size);
/* `from`: what it reads, base.id 0 if nothing. */
void invocation_buffer(struct invocation_writer *w, enum version_access access, uint32_t size,
                       const struct version_source *from);
void invocation_collection(struct invocation_writer *w, uint32_t rows, uint32_t columns);
void invocation_file(struct invocation_writer *w, enum version_access access, const char *path, uint32_t size,
                     const struct version_source *from);
/* CELLA_ELIMIT if it did not fit, CELLA_EINVAL if a collection's buffers are missing. */
int invocation_end(struct invocation_writer *w, struct error *err) must_check;

/* What a part reads: the datum (id 0: nothing), proved by `members` and `sum` if members is not
 * 0, and `part_count` inputs after it. */
struct invocation_part_view {
	uint8_t kind;               /* enum invocation_kind */
	uint8_t access;             /* enum version_access */
	uint32_t size;              /* bytes; rows of a collection */
	uint32_t columns;           /* of a collection */
	const uint8_t *bytes;       /* of a value; a file's path */
	uint32_t bytes_size;        /* of these */
	struct version_datum state; /* members and sum only */
	bool reads, writes, takes_turn;
	size_t input, part_count;   /* index of the first input; more inputs after it */
	size_t output;
	size_t commutative;
	uint64_t offset;            /* of its bytes (pointers, path) in the frame; 0: not in the frame */
	bool is_parameter;          /* else an element of the last collection */
	size_t parameter, element;  /* index of either */
};

struct invocation_walk {
	struct reader reader;
	struct task_submit counts; /* of the submission: input_count and so on */
	size_t parameter_count;
	size_t parameter, element, elements; /* elements of the collection that we are in */
	size_t input, output, commutative;
	uint64_t frame_size; /* so far */
	bool failed;
};

void invocation_walk(struct invocation_walk *w, const uint8_t *data, size_t size,
                     const struct task_submit *submit);
/* The next part; false at the end or when it is malformed: then invocation_walked says which. */
bool invocation_next(struct invocation_walk *w, struct invocation_part_view *ret_part);
/* CELLA_EFORMAT unless the walk reached a proper end. */
int invocation_walked(const struct invocation_walk *w, struct error *err) must_check;

#endif
