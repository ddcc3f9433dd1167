/*
 * The decoder of the frames that an executor sends to its owner (cell/owner/format.h): whole ones, one
 * after another, whose sizes are possible for their type. What lies in them is sealed, or has a decoder
 * of its own (cell/owner/paths.h).
 */
#ifndef CELL_OWNER_FRAME_H
#define CELL_OWNER_FRAME_H

#include "base/buf.h"
#include "base/error.h"
#include "cell/owner/format.h"

/* Points into the bytes that it was made from. */
struct owner_frame_view {
	uint32_t type; /* enum owner_type; 0: no whole frame is there yet */
	const uint8_t *body;
	size_t size;
};

/* The next frame, which the reader goes past. CELLA_EFORMAT as soon as its head is impossible. */
int owner_frame_next(struct reader *r, struct owner_frame_view *ret_frame, struct error *err) must_check;

#endif
