/*
 * A recording's signal and its heart beats, in exact integers.
 *
 * Baseline: h[n] = 181 x[n] - (the sum of x over the 181 samples around n, edges replicated); y = h / 181000
 * in mV. Beats: the energy e of a smoothed slope in a window of 37 samples; where it exceeds a quarter of its
 * typical maximum in 1.5 s there is a beat. Its polarity is the recording's, its place the extremum of h
 * nearby.
 */
#ifndef ECG_BEATS_H
#define ECG_BEATS_H

#include <stdint.h>

#include "ecg_limits.h"

enum {
	BEAT_DISTANCE_MIN = 75,
	BEATS_MAX = COMPACT_SAMPLES_MAX / BEAT_DISTANCE_MIN + 1,
};

struct signal {
	uint32_t count;
	int32_t polarity; /* 1 or -1 */
	uint32_t beat_count;
	uint32_t beats[BEATS_MAX]; /* ascending */
	int16_t x[COMPACT_SAMPLES_MAX];
	int32_t h[COMPACT_SAMPLES_MAX];
	double y[COMPACT_SAMPLES_MAX];
	int64_t energy[COMPACT_SAMPLES_MAX];
	int64_t squares[COMPACT_SAMPLES_MAX];
};

/* Fill the signal from the first COMPACT_SAMPLES_MAX of `count` samples; count is at least
 * COMPACT_SAMPLES_MIN. */
void signal_analyse(struct signal *s, const int16_t *samples, uint32_t count);

#endif
