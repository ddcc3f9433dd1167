/*
 * Our standard streams while a job runs: what its program prints, and the live line between.
 *
 * The live line stands on the terminal's last row and gives way to whatever is printed. Where the
 * program has left a line unfinished, the live line begins below it.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct output {
	int interrupt; /* readable: stop waiting for a reader; -1: none. Borrowed */
	bool is_terminal[3];
	bool is_shown, is_unfinished;
	uint64_t shown_ns, shown_done; /* of the last line, for the rate */
};

/* What the live line counts. */
struct output_counts {
	uint64_t done, running, waiting, failed;
};

void output_init(struct output *o, int interrupt);

/* All of it, however slowly it is read. CELLA_ECANCELED when `interrupt` became readable first. */
int output_write(struct output *o, int stream, const void *bytes, size_t size, struct error *err) must_check;

/* To standard error, which is a terminal. */
void output_show(struct output *o, const struct output_counts *counts);
/* Before anything else is written there. */
void output_hide(struct output *o);

#endif
