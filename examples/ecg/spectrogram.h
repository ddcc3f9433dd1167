/*
 * Spectrogram features: the first 18,300 samples, padded with zeros, in 570 frames of 64, hop 32. Each frame
 * without its mean, times a periodic Tukey window of a quarter; |DFT|^2 / (300 sum w^2), inner bins doubled;
 * its logarithm where it exceeds 1e-20, 0 elsewhere. The whole record is then standardised; a constant record
 * gives zeros.
 */
#ifndef ECG_SPECTROGRAM_H
#define ECG_SPECTROGRAM_H

#include "failure.h"
#include "mat.h"

struct spectrogram;

int spectrogram_new(struct spectrogram **ret, struct failure *why) must_check;
void spectrogram_free(struct spectrogram *s);
/* ret_row[SPECTROGRAM_COLUMNS] */
void spectrogram_row(struct spectrogram *s, const struct recording *recording, float *ret_row);

#endif
