#include "spectrum.h"

#include <math.h>
#include <string.h>

#include "ecg_limits.h"
#include "exact.h"
#include "fft.h"

enum {
	FRAME_SIZE = 512,
	FRAME_HOP = 256,
	FRAMES_MAX = (COMPACT_SAMPLES_MAX - FRAME_SIZE) / FRAME_HOP + 1,
	BIN_COUNT = FRAME_SIZE / 2 + 1,
	FIRST_BIN = 1, /* the first at or above 0.5 Hz */
	END_BIN = 256, /* the first at or above 150 Hz */
	BAND_COUNT = 24,
};

static const double band_edges[BAND_COUNT + 1] = {0.5, 1,  2,  3,  4,  5,  6,  7,  8,  9,  10,  12, 14,
                                                  16,  18, 20, 25, 30, 35, 40, 50, 60, 80, 100, 150};

struct spectrum {
	struct fft *fft;
	double power[BIN_COUNT * FFT_FRAMES];
	double mean[BIN_COUNT];      /* of the signal */
	double remainder[BIN_COUNT]; /* of the remainder */
	/* By frame, between FIRST_BIN and END_BIN: */
	uint32_t frame_count;
	double total[FRAMES_MAX];
	double centroid[FRAMES_MAX];
};

static double frequency(uint32_t bin)
{
	return bin * (double)SAMPLES_PER_SECOND / (double)FRAME_SIZE;
}

int spectrum_new(struct spectrum **ret, struct failure *why)
{
	double window[FRAME_SIZE];
	for (uint32_t n = 0; n < FRAME_SIZE; n++)
		window[n] = 0.5 - 0.5 * exact_cos_turn(n, FRAME_SIZE);
	struct spectrum *p = malloc(sizeof(*p));
	if (!p)
		return failed_memory(why, "a spectrum");
	if (fft_new(FRAME_SIZE, window, &p->fft, why) < 0) {
		free(p);
		return -1;
	}
	*ret = p;
	return 0;
}

void spectrum_free(struct spectrum *p)
{
	if (!p)
		return;
	fft_free(p->fft);
	free(p);
}

/* Add p->power's frames to the mean, and keep their totals and centroids from `first` on. */
static void add_frames(struct spectrum *p, uint32_t first, uint32_t count, double *mean)
{
	for (uint32_t i = 0; i < count; i++) {
		double total = 0;
		double moment = 0;
		for (uint32_t bin = 0; bin < BIN_COUNT; bin++) {
			double power = p->power[bin * FFT_FRAMES + i];
			mean[bin] += power;
			if (bin >= FIRST_BIN && bin < END_BIN) {
				total += power;
				moment += power * frequency(bin);
			}
		}
		p->total[first + i] = total + 1e-12;
		p->centroid[first + i] = moment / p->total[first + i];
	}
}

static void mean_spectrum(struct spectrum *p, const double *signal, uint32_t count, double *ret_mean)
{
	memset(ret_mean, 0, BIN_COUNT * sizeof(*ret_mean));
	p->frame_count = (count - FRAME_SIZE) / FRAME_HOP + 1;
	for (uint32_t first = 0; first < p->frame_count; first += FFT_FRAMES) {
		uint32_t left = p->frame_count - first;
		uint32_t some = left < FFT_FRAMES ? left : FFT_FRAMES;
		const double *frames[FFT_FRAMES];
		for (uint32_t i = 0; i < some; i++)
			frames[i] = signal + (size_t)(first + i) * FRAME_HOP;
		fft_power(p->fft, frames, some, p->power);
		add_frames(p, first, some, ret_mean);
	}
	for (uint32_t bin = 0; bin < BIN_COUNT; bin++)
		ret_mean[bin] /= p->frame_count;
}

/* The power at low <= f < high Hz. */
static double band(const double *mean, double low, double high)
{
	double sum = 0;
	for (uint32_t bin = 0; bin < BIN_COUNT; bin++) {
		if (frequency(bin) >= low && frequency(bin) < high)
			sum += mean[bin];
	}
	return sum + 1e-12;
}

static double deviation_of(const double *values, uint32_t count)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	double mean = sum / count;
	double squares = 0;
	for (uint32_t i = 0; i < count; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	return sqrt(squares / count);
}

/* Deviation of the frames' levels, deviation and maximum of their centroids. */
static void frame_features(const struct spectrum *p, double *ret)
{
	double level[FRAMES_MAX];
	double greatest = p->centroid[0];
	for (uint32_t i = 0; i < p->frame_count; i++) {
		level[i] = exact_ln(p->total[i]);
		greatest = p->centroid[i] > greatest ? p->centroid[i] : greatest;
	}
	ret[0] = deviation_of(level, p->frame_count);
	ret[1] = deviation_of(p->centroid, p->frame_count);
	ret[2] = greatest;
}

void spectrum_features(struct spectrum *p, const double *y, uint32_t count, double *ret)
{
	mean_spectrum(p, y, count, p->mean);
	double total = band(p->mean, band_edges[0], band_edges[BAND_COUNT]);
	ret[0] = exact_ln(total);
	for (uint32_t i = 0; i < BAND_COUNT; i++)
		ret[1 + i] = exact_ln(band(p->mean, band_edges[i], band_edges[i + 1]) / total);
	double entropy = 0;
	double centroid = 0;
	for (uint32_t bin = FIRST_BIN; bin < END_BIN; bin++) {
		double part = p->mean[bin] / total;
		entropy -= part * exact_ln(part + 1e-15);
		centroid += part * frequency(bin);
	}
	ret[1 + BAND_COUNT] = entropy;
	ret[2 + BAND_COUNT] = centroid;
	frame_features(p, ret + 3 + BAND_COUNT);
}

void spectrum_remainder_features(struct spectrum *p, const double *remainder, uint32_t count, double *ret)
{
	static const double edges[REMAINDER_COLUMNS] = {3, 5, 7, 9, 12};
	mean_spectrum(p, remainder, count, p->remainder);
	double total = band(p->remainder, 1, 30);
	ret[0] = exact_ln(total / band(p->mean, 1, 30));
	for (uint32_t i = 0; i + 1 < REMAINDER_COLUMNS; i++)
		ret[1 + i] = exact_ln(band(p->remainder, edges[i], edges[i + 1]) / total);
}
