#include "spectrogram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "ecg_limits.h"
#include "exact.h"
#include "fft.h"

enum {
	FRAME_SIZE = 64,
	FRAME_HOP = 32,
	FRAME_COUNT = 570,
	BIN_COUNT = FRAME_SIZE / 2 + 1,
	TAPER_SIZE = 8, /* a quarter of the window, half at each end */
};

static_assert(FRAME_COUNT * BIN_COUNT == SPECTROGRAM_COLUMNS, "the layout of the spectrogram");
static_assert((FRAME_COUNT + 1) * FRAME_HOP <= SPECTROGRAM_SAMPLES, "the frames lie inside the samples");

struct spectrogram {
	struct fft *fft;
	double scale; /* 1 / (300 sum w^2) */
	double frames[FFT_FRAMES][FRAME_SIZE];
	double power[BIN_COUNT * FFT_FRAMES];
	double logs[SPECTROGRAM_COLUMNS];
};

int spectrogram_new(struct spectrogram **ret, struct failure *why)
{
	double window[FRAME_SIZE];
	double squares = 0;
	for (uint32_t n = 0; n < FRAME_SIZE; n++) {
		uint32_t edge = n < FRAME_SIZE / 2 ? n : FRAME_SIZE - n;
		window[n] = edge < TAPER_SIZE ? 0.5 * (1 - exact_cos_turn(edge, 2 * TAPER_SIZE)) : 1;
		squares += window[n] * window[n];
	}
	struct spectrogram *s = malloc(sizeof(*s));
	if (!s)
		return failed_memory(why, "a spectrogram");
	s->scale = 1 / ((double)SAMPLES_PER_SECOND * squares);
	if (fft_new(FRAME_SIZE, window, &s->fft, why) < 0) {
		free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

void spectrogram_free(struct spectrogram *s)
{
	if (!s)
		return;
	fft_free(s->fft);
	free(s);
}

/* The frame's samples without their mean; those behind the recording's end are 0. */
static void load_frame(double frame[FRAME_SIZE], const struct recording *recording, uint32_t index)
{
	int32_t sum = 0;
	for (uint32_t i = 0; i < FRAME_SIZE; i++) {
		uint32_t at = index * FRAME_HOP + i;
		int32_t x = at < recording->count ? recording->samples[at] : 0;
		sum += x;
		frame[i] = x;
	}
	double mean = sum / (double)FRAME_SIZE;
	for (uint32_t i = 0; i < FRAME_SIZE; i++)
		frame[i] -= mean;
}

static void store_logs(struct spectrogram *s, uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		double *logs = s->logs + (size_t)(first + i) * BIN_COUNT;
		for (uint32_t bin = 0; bin < BIN_COUNT; bin++) {
			bool inner = bin > 0 && bin < BIN_COUNT - 1;
			double density = s->power[bin * FFT_FRAMES + i] * s->scale * (inner ? 2 : 1);
			logs[bin] = density > 1e-20 ? exact_ln(density) : 0;
		}
	}
}

static void standardise(const double *values, float *ret_row)
{
	double sum = 0;
	for (uint32_t i = 0; i < SPECTROGRAM_COLUMNS; i++)
		sum += values[i];
	double mean = sum / (double)SPECTROGRAM_COLUMNS;
	double squares = 0;
	for (uint32_t i = 0; i < SPECTROGRAM_COLUMNS; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	double deviation = sqrt(squares / (double)SPECTROGRAM_COLUMNS);
	for (uint32_t i = 0; i < SPECTROGRAM_COLUMNS; i++)
		ret_row[i] = deviation > 0 ? (float)((values[i] - mean) / deviation) : 0;
}

void spectrogram_row(struct spectrogram *s, const struct recording *recording, float *ret_row)
{
	const double *frames[FFT_FRAMES];
	for (uint32_t i = 0; i < FFT_FRAMES; i++)
		frames[i] = s->frames[i];
	for (uint32_t first = 0; first < FRAME_COUNT; first += FFT_FRAMES) {
		uint32_t left = FRAME_COUNT - first;
		uint32_t count = left < FFT_FRAMES ? left : FFT_FRAMES;
		if (first * FRAME_HOP >= recording->count) { /* silence from here on */
			memset(s->logs + (size_t)first * BIN_COUNT, 0,
			       (size_t)left * BIN_COUNT * sizeof(s->logs[0]));
			break;
		}
		for (uint32_t i = 0; i < count; i++)
			load_frame(s->frames[i], recording, first + i);
		fft_power(s->fft, frames, count, s->power);
		store_logs(s, first, count);
	}
	standardise(s->logs, ret_row);
}
