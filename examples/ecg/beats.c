#include "beats.h"

#include <stdlib.h>
#include <string.h>

enum {
	BASELINE_REACH = 90,
	BASELINE_WIDTH = 2 * BASELINE_REACH + 1,
	SLOPE_REACH = 6,
	ENERGY_REACH = 18,
	BLOCK_SIZE = 450,
	BLOCKS_MAX = COMPACT_SAMPLES_MAX / BLOCK_SIZE,
	BEAT_REACH = 18,
};

static void remove_baseline(struct signal *s)
{
	int32_t last = (int32_t)s->count - 1;
	int32_t sum = s->x[0] * (BASELINE_REACH + 1);
	for (int32_t n = 1; n <= BASELINE_REACH; n++)
		sum += s->x[n];
	for (int32_t n = 0; n <= last; n++) {
		s->h[n] = BASELINE_WIDTH * s->x[n] - sum;
		s->y[n] = s->h[n] / (1000.0 * (double)BASELINE_WIDTH);
		int32_t enters = n + BASELINE_REACH + 1;
		int32_t leaves = n - BASELINE_REACH;
		sum += s->x[enters < last ? enters : last] - s->x[leaves > 0 ? leaves : 0];
	}
}

/* d[n]^2, where d is the sum of the SLOPE_REACH samples from n on minus that of those before n. */
static void square_slopes(struct signal *s)
{
	memset(s->squares, 0, sizeof(s->squares));
	int32_t slope = 0;
	for (uint32_t i = 0; i < SLOPE_REACH; i++)
		slope += s->x[SLOPE_REACH + i] - s->x[i];
	for (uint32_t n = SLOPE_REACH; n + SLOPE_REACH <= s->count; n++) {
		s->squares[n] = (int64_t)slope * slope;
		if (n + SLOPE_REACH < s->count)
			slope += s->x[n - SLOPE_REACH] - 2 * s->x[n] + s->x[n + SLOPE_REACH];
	}
}

static void sum_energy(struct signal *s)
{
	int64_t sum = 0;
	for (uint32_t n = 0; n < ENERGY_REACH; n++)
		sum += s->squares[n];
	for (uint32_t n = 0; n < s->count; n++) {
		if (n + ENERGY_REACH < s->count)
			sum += s->squares[n + ENERGY_REACH];
		if (n > ENERGY_REACH)
			sum -= s->squares[n - ENERGY_REACH - 1];
		s->energy[n] = sum;
	}
}

static int compare_i64(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;
	return (left > right) - (left < right);
}

/* The lower median of the energy's maxima in whole blocks of 1.5 s. */
static int64_t typical_energy(const struct signal *s)
{
	int64_t maxima[BLOCKS_MAX];
	uint32_t blocks = s->count / BLOCK_SIZE;
	for (uint32_t j = 0; j < blocks; j++) {
		maxima[j] = 0;
		for (uint32_t n = j * BLOCK_SIZE; n < (j + 1) * BLOCK_SIZE; n++) {
			if (s->energy[n] > maxima[j])
				maxima[j] = s->energy[n];
		}
	}
	qsort(maxima, blocks, sizeof(maxima[0]), compare_i64);
	return maxima[(blocks - 1) / 2];
}

/* Take the peak, or choose between it and the last one when they are too near to be two beats. */
static void add_peak(struct signal *s, uint32_t peak)
{
	if (s->beat_count > 0) {
		uint32_t *last = &s->beats[s->beat_count - 1];
		if (peak - *last < BEAT_DISTANCE_MIN) {
			if (s->energy[peak] > s->energy[*last])
				*last = peak;
			return;
		}
	}
	s->beats[s->beat_count++] = peak;
}

/* The first place of the greatest energy in each run above the threshold. */
static void find_peaks(struct signal *s)
{
	int64_t typical = typical_energy(s);
	s->beat_count = 0;
	for (uint32_t n = 0; n < s->count;) {
		if (4 * s->energy[n] <= typical) {
			n++;
			continue;
		}
		uint32_t peak = n;
		for (; n < s->count && 4 * s->energy[n] > typical; n++) {
			if (s->energy[n] > s->energy[peak])
				peak = n;
		}
		add_peak(s, peak);
	}
}

struct extremes {
	uint32_t highest, lowest; /* the first places of the greatest and of the least h */
};

static struct extremes extremes_near(const struct signal *s, uint32_t peak)
{
	uint32_t start = peak > BEAT_REACH ? peak - BEAT_REACH : 0;
	uint32_t end = peak + BEAT_REACH < s->count ? peak + BEAT_REACH + 1 : s->count;
	struct extremes found = {start, start};
	for (uint32_t n = start + 1; n < end; n++) {
		if (s->h[n] > s->h[found.highest])
			found.highest = n;
		if (s->h[n] < s->h[found.lowest])
			found.lowest = n;
	}
	return found;
}

static void place_beats(struct signal *s)
{
	int64_t above = 0;
	int64_t below = 0;
	for (uint32_t i = 0; i < s->beat_count; i++) {
		struct extremes found = extremes_near(s, s->beats[i]);
		above += s->h[found.highest];
		below -= s->h[found.lowest];
	}
	s->polarity = above >= below ? 1 : -1;

	uint32_t kept = 0;
	for (uint32_t i = 0; i < s->beat_count; i++) {
		struct extremes found = extremes_near(s, s->beats[i]);
		uint32_t beat = s->polarity > 0 ? found.highest : found.lowest;
		if (kept == 0 || beat > s->beats[kept - 1])
			s->beats[kept++] = beat;
	}
	s->beat_count = kept;
}

void signal_analyse(struct signal *s, const int16_t *samples, uint32_t count)
{
	s->count = count < COMPACT_SAMPLES_MAX ? count : COMPACT_SAMPLES_MAX;
	memcpy(s->x, samples, s->count * sizeof(s->x[0]));
	remove_baseline(s);
	square_slopes(s);
	sum_energy(s);
	find_peaks(s);
	place_beats(s);
}
