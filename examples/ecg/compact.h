/*
 * Compact features: 111 values from the first 9,000 samples, computed in double.
 *
 *     A  30  rhythm        rhythm.h
 *     B  38  shape         shape.h
 *     C  30  spectrum      spectrum.h
 *     D   5  remainder     spectrum.h, of the signal without its mean beats
 *     E   8  distribution
 */
#ifndef ECG_COMPACT_H
#define ECG_COMPACT_H

#include "ecg_limits.h"
#include "failure.h"
#include "mat.h"

extern const char *const compact_names[COMPACT_COLUMNS];

struct compact;

int compact_new(struct compact **ret, struct failure *why) must_check;
void compact_free(struct compact *c);
/* ret_row[COMPACT_COLUMNS]; the recording has at least COMPACT_SAMPLES_MIN samples. */
void compact_row(struct compact *c, const struct recording *recording, float *ret_row);

#endif
