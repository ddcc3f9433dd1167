/*
 * Power spectra of real frames, several at a time.
 *
 * FFT_LANES complex transforms run side by side, so that each step is one loop over lanes that compilers turn
 * into vector instructions; each carries two real frames, one in its real and one in its imaginary part. The
 * transform is the plain radix-2 one, decimation in time.
 */
#ifndef ECG_FFT_H
#define ECG_FFT_H

#include <stdint.h>

#include "failure.h"

enum {
	FFT_SIZE_MAX = 512,
	FFT_LANES = 4,
	FFT_FRAMES = 2 * FFT_LANES,
};

struct fft;

/* For frames of `size` samples, a power of two from 8 to FFT_SIZE_MAX, multiplied by `window[size]`,
 * which is copied. */
int fft_new(uint32_t size, const double *window, struct fft **ret, struct failure *why) must_check;
void fft_free(struct fft *f);

/* Transform the frames that `frames` points to, `count` of them, 1 to FFT_FRAMES.
 * ret_power[bin * FFT_FRAMES + frame] is |DFT|^2 for the size/2 + 1 bins. */
void fft_power(struct fft *f, const double *const *frames, uint32_t count, double *ret_power);

#endif
