/*
 * Features of mean power spectra: frames of 512 samples, hop 256, Hann window, bins of 300/512 Hz.
 */
#ifndef ECG_SPECTRUM_H
#define ECG_SPECTRUM_H

#include <stdint.h>

#include "failure.h"

enum {
	SPECTRUM_COLUMNS = 30,
	REMAINDER_COLUMNS = 5,
};

/* Tables and scratch, and the mean spectrum of the signal analysed last. */
struct spectrum;

int spectrum_new(struct spectrum **ret, struct failure *why) must_check;
void spectrum_free(struct spectrum *p);

/* Of a signal of at least one frame; ret[SPECTRUM_COLUMNS]. */
void spectrum_features(struct spectrum *p, const double *y, uint32_t count, double *ret);
/* Of what remains of that signal without its beats; ret[REMAINDER_COLUMNS]. */
void spectrum_remainder_features(struct spectrum *p, const double *remainder, uint32_t count, double *ret);

#endif
