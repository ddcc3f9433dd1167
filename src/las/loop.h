/* The launcher's event loop: descriptors that are waited on until they are readable or hung up. */
#ifndef LAS_LOOP_H
#define LAS_LOOP_H

#include "base/error.h"

struct loop;

/* Lives in its user; while it is added, the loop borrows it. */
struct watch {
	int fd;
	void (*ready)(void *data);
	void *data;
};

int loop_new(struct loop **ret_loop, struct error *err) must_check;
void loop_free(struct loop *loop);
int loop_add(struct loop *loop, struct watch *watch, struct error *err) must_check;
/* At any time, from a ready function too: it is not called any more. */
void loop_remove(struct loop *loop, struct watch *watch);
/* Waits up to timeout_ms (-1: for ever) and calls what is ready. */
int loop_turn(struct loop *loop, int timeout_ms, struct error *err) must_check;

#endif
