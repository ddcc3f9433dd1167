#include "shape.h"

#include <math.h>
#include <string.h>

enum {
	ONSET_SIZE = 57, /* the part of a beat before the QRS complex */
	POINT_SIZE = 7,  /* samples of one point of the mean beat's outline */
	POINT_COUNT = SHAPE_SIZE / POINT_SIZE,
};

static uint32_t collect_beats(const struct signal *s, struct shape *shape)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < s->beat_count; i++) {
		if (!shape_is_whole(s, s->beats[i]))
			continue;
		const double *y = s->y + s->beats[i] - SHAPE_BEFORE;
		for (uint32_t k = 0; k < SHAPE_SIZE; k++)
			shape->beats[count][k] = s->polarity * y[k];
		count++;
	}
	return count;
}

static void mean_beat(struct shape *shape, uint32_t count)
{
	memset(shape->mean, 0, sizeof(shape->mean));
	if (count < 2)
		return;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < SHAPE_SIZE; k++)
			shape->mean[k] += shape->beats[i][k];
	}
	for (uint32_t k = 0; k < SHAPE_SIZE; k++)
		shape->mean[k] /= count;
}

static double mean_of(const double *values, uint32_t count)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	return sum / count;
}

static double deviation_of(const double *values, uint32_t count, double mean)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += (values[i] - mean) * (values[i] - mean);
	return sqrt(sum / count);
}

static double pearson(const double *a, const double *b, uint32_t count)
{
	double a_mean = mean_of(a, count);
	double b_mean = mean_of(b, count);
	double ab = 0;
	double aa = 0;
	double bb = 0;
	for (uint32_t i = 0; i < count; i++) {
		ab += (a[i] - a_mean) * (b[i] - b_mean);
		aa += (a[i] - a_mean) * (a[i] - a_mean);
		bb += (b[i] - b_mean) * (b[i] - b_mean);
	}
	return ab / (sqrt(aa * bb) + 1e-12);
}

/* Mean, deviation, minimum of the likeness to the mean beat, fraction above 0.9; mean, deviation of the
 * onset's. */
static void likeness(const struct shape *shape, uint32_t count, double *ret)
{
	double whole[BEATS_MAX];
	double onset[BEATS_MAX];
	double least = 1;
	uint32_t alike = 0;
	for (uint32_t i = 0; i < count; i++) {
		whole[i] = pearson(shape->beats[i], shape->mean, SHAPE_SIZE);
		onset[i] = pearson(shape->beats[i], shape->mean, ONSET_SIZE);
		least = whole[i] < least ? whole[i] : least;
		alike += whole[i] > 0.9;
	}
	ret[0] = mean_of(whole, count);
	ret[1] = deviation_of(whole, count, ret[0]);
	ret[2] = least;
	ret[3] = (double)alike / count;
	ret[4] = mean_of(onset, count);
	ret[5] = deviation_of(onset, count, ret[4]);
}

void shape_features(const struct signal *s, struct shape *shape, double *ret)
{
	memset(ret, 0, SHAPE_COLUMNS * sizeof(*ret));
	uint32_t count = collect_beats(s, shape);
	mean_beat(shape, count);
	if (count < 2)
		return;
	likeness(shape, count, ret);

	double heights[BEATS_MAX];
	for (uint32_t i = 0; i < count; i++)
		heights[i] = shape->beats[i][SHAPE_BEFORE];
	double height = mean_of(heights, count);
	ret[6] = height;
	ret[7] = deviation_of(heights, count, height) / (fabs(height) + 1e-6);
	double unit = fabs(shape->mean[SHAPE_BEFORE]) + 1e-6;
	for (uint32_t i = 0; i < POINT_COUNT; i++)
		ret[8 + i] = mean_of(shape->mean + i * POINT_SIZE, POINT_SIZE) / unit;
}
