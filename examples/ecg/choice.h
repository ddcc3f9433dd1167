/*
 * Which records a forest is trained on or judged by, and their classes.
 *
 * A split (train, test) takes the records that the labels assign to it; without a split, or if the labels
 * have none, all. A table of features may hold more records than the labels list: those count as train, with
 * the label that the table has.
 */
#ifndef ECG_CHOICE_H
#define ECG_CHOICE_H

#include <stdint.h>

#include "failure.h"
#include "tables.h"

struct choice {
	uint32_t count;
	uint8_t *classes;
	uint32_t *rows; /* of the table, if it was chosen from one */
	char **paths;   /* of the recordings, if it was chosen from labels */
};

int choose_recordings(const struct labels *labels, enum split split, const char *dir, struct choice *ret,
                      struct failure *why) must_check;
/* `labels` may be NULL if the table has labels. */
int choose_rows(const struct table *table, const struct labels *labels, enum split split, struct choice *ret,
                struct failure *why) must_check;
void choice_done(struct choice *c);

#endif
