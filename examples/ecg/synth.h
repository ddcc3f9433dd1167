/*
 * Synthetic recordings, for machines without the real ones: beats with the waves of the four classes,
 * computed in whole numbers from a seed, so that every program that follows these rules makes the same
 * samples.
 *
 * Each recording draws its properties in the order of the code from splitmix64, stream = its number from 1.
 * bump(c, w, a) adds a (w^2 - t^2)^2 / w^4 at c + t for |t| < w. wave(phase) is a period of 65536 made of two
 * parabolas, of height 32768. All divisions are of positive numbers, the sign is put on afterwards.
 */
#ifndef ECG_SYNTH_H
#define ECG_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "ecg_limits.h"
#include "tables.h"

enum { SYNTH_SAMPLES_MAX = 18286, SYNTH_SAMPLES_MIN = 2714 };

struct synth {
	struct label label; /* record S00001 on, class, split */
	uint32_t count;
	int16_t samples[SYNTH_SAMPLES_MAX];
};

/* Recording `number`, from 1 to SYNTH_RECORDINGS_MAX, of the set that the seed names. */
void synth_make(uint64_t seed, uint32_t number, struct synth *ret);

#endif
