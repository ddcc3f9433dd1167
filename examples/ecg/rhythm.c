#include "rhythm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "exact.h"

enum {
	INTERVALS_MIN = 4,
	HISTOGRAM_BINS = 20,
};

struct intervals {
	uint32_t count;           /* of rr; there is one step less */
	double rr[BEATS_MAX];     /* in s */
	double step[BEATS_MAX];   /* rr[i + 1] - rr[i] */
	double sorted[BEATS_MAX]; /* rr in ascending order */
	double size[BEATS_MAX];   /* |step| in ascending order */
	double mean;
	double deviation;
	double median;
};

static int compare_double(const void *a, const void *b)
{
	double left = *(const double *)a;
	double right = *(const double *)b;
	return (left > right) - (left < right);
}

static double mean_of(const double *values, uint32_t count)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	return sum / count;
}

static double mean_square(const double *values, uint32_t count, double around)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += (values[i] - around) * (values[i] - around);
	return sum / count;
}

/* Linear interpolation between the neighbours, from the nearer one. */
static double quantile(const double *sorted, uint32_t count, double q)
{
	double place = q * (count - 1);
	uint32_t below = (uint32_t)place;
	double part = place - below;
	double low = sorted[below];
	double high = sorted[below + 1 < count ? below + 1 : below];
	return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

static double middle(const double *sorted, uint32_t count)
{
	return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2;
}

/* Correlation of neighbours. */
static double autocorrelation(const double *values, uint32_t count)
{
	double mean = mean_of(values, count);
	double products = 0;
	for (uint32_t i = 0; i + 1 < count; i++)
		products += (values[i] - mean) * (values[i + 1] - mean);
	return products / (mean_square(values, count, mean) * count + 1e-12);
}

/* Entropy of the histogram of floor((values / scale + shift) * HISTOGRAM_BINS). */
static double histogram_entropy(const double *values, uint32_t count, double scale, double shift)
{
	uint32_t bins[HISTOGRAM_BINS] = {0};
	for (uint32_t i = 0; i < count; i++) {
		double bin = floor((values[i] / scale + shift) * (double)HISTOGRAM_BINS);
		bins[bin < 0 ? 0 : bin > HISTOGRAM_BINS - 1 ? HISTOGRAM_BINS - 1 : (int)bin]++;
	}
	double entropy = 0;
	for (uint32_t i = 0; i < HISTOGRAM_BINS; i++) {
		double part = (double)bins[i] / count;
		if (bins[i] > 0)
			entropy -= part * exact_ln(part);
	}
	return entropy;
}

/* The fraction of steps larger than `limit`. */
static double fraction_above(const struct intervals *v, double limit)
{
	uint32_t above = 0;
	for (uint32_t i = 0; i + 1 < v->count; i++)
		above += v->size[i] > limit;
	return above / (double)(v->count - 1);
}

/* The fraction of steps larger than a tenth of the interval before them. */
static double fraction_irregular(const struct intervals *v)
{
	uint32_t irregular = 0;
	for (uint32_t i = 0; i + 1 < v->count; i++)
		irregular += fabs(v->step[i]) > 0.1 * v->rr[i];
	return irregular / (double)(v->count - 1);
}

/* The fraction of inner intervals that are longer or shorter than both neighbours. */
static double fraction_turning(const struct intervals *v)
{
	uint32_t turning = 0;
	for (uint32_t i = 1; i + 1 < v->count; i++) {
		double before = v->rr[i - 1];
		double at = v->rr[i];
		double after = v->rr[i + 1];
		turning += (at > before && at > after) || (at < before && at < after);
	}
	return turning / (double)(v->count - 2);
}

static void intervals_of(const struct signal *s, struct intervals *v)
{
	v->count = s->beat_count - 1;
	for (uint32_t i = 0; i < v->count; i++)
		v->rr[i] = (s->beats[i + 1] - s->beats[i]) / (double)SAMPLES_PER_SECOND;
	for (uint32_t i = 0; i + 1 < v->count; i++) {
		v->step[i] = v->rr[i + 1] - v->rr[i];
		v->size[i] = fabs(v->step[i]);
	}
	memcpy(v->sorted, v->rr, v->count * sizeof(v->rr[0]));
	qsort(v->sorted, v->count, sizeof(v->sorted[0]), compare_double);
	qsort(v->size, v->count - 1, sizeof(v->size[0]), compare_double);
	v->mean = mean_of(v->rr, v->count);
	v->deviation = sqrt(mean_square(v->rr, v->count, v->mean));
	v->median = quantile(v->sorted, v->count, 0.5);
}

static void interval_sizes(const struct intervals *v, double *ret)
{
	double low = quantile(v->sorted, v->count, 0.25);
	double high = quantile(v->sorted, v->count, 0.75);
	ret[0] = v->mean;
	ret[1] = v->deviation;
	ret[2] = v->deviation / v->mean;
	ret[3] = v->sorted[0];
	ret[4] = v->sorted[v->count - 1];
	ret[5] = quantile(v->sorted, v->count, 0.1);
	ret[6] = low;
	ret[7] = v->median;
	ret[8] = high;
	ret[9] = quantile(v->sorted, v->count, 0.9);
	ret[10] = (high - low) / v->median;
}

static void interval_steps(const struct intervals *v, double *ret)
{
	uint32_t steps = v->count - 1;
	double rmssd = sqrt(mean_square(v->step, steps, 0));
	double sd1 = rmssd / sqrt(2);
	double rest = 2 * v->deviation * v->deviation - rmssd * rmssd / 2;
	double sd2 = sqrt(rest > 0 ? rest : 0);
	ret[0] = rmssd;
	ret[1] = rmssd / v->mean;
	ret[2] = middle(v->size, steps) / v->median;
	ret[3] = fraction_above(v, 0.05);
	ret[4] = fraction_above(v, 0.1 * v->median);
	ret[5] = fraction_above(v, 0.2 * v->median);
	ret[6] = autocorrelation(v->rr, v->count);
	ret[7] = autocorrelation(v->step, steps);
	ret[8] = histogram_entropy(v->rr, v->count, v->median, -0.5);
	ret[9] = histogram_entropy(v->step, steps, v->median, 0.5);
	ret[10] = fraction_turning(v);
	ret[11] = sd1;
	ret[12] = sd2;
	ret[13] = sd1 / (sd2 + 1e-9);
	ret[14] = fraction_irregular(v);
}

void rhythm_features(const struct signal *s, double *ret)
{
	memset(ret, 0, RHYTHM_COLUMNS * sizeof(*ret));
	double duration = s->count / (double)SAMPLES_PER_SECOND;
	ret[0] = duration;
	ret[1] = s->beat_count;
	ret[2] = s->beat_count / duration;
	ret[3] = s->polarity;
	if (s->beat_count < INTERVALS_MIN + 1)
		return;
	struct intervals v;
	intervals_of(s, &v);
	interval_sizes(&v, ret + 4);
	interval_steps(&v, ret + 15);
}
