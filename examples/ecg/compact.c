#include "compact.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "beats.h"
#include "rhythm.h"
#include "shape.h"
#include "spectrum.h"

enum { DISTRIBUTION_COLUMNS = 8 };

static_assert(RHYTHM_COLUMNS + SHAPE_COLUMNS + SPECTRUM_COLUMNS + REMAINDER_COLUMNS + DISTRIBUTION_COLUMNS ==
                      COMPACT_COLUMNS,
              "the layout of the compact features");

const char *const compact_names[COMPACT_COLUMNS] = {
	/* A */
	"dur_s",
	"n_beats",
	"beats_per_s",
	"polarity",
	"rr_mean",
	"rr_sd",
	"rr_cv",
	"rr_min",
	"rr_max",
	"rr_p10",
	"rr_p25",
	"rr_med",
	"rr_p75",
	"rr_p90",
	"rr_iqr_rel",
	"d_rmssd",
	"d_rmssd_rel",
	"d_mad_rel",
	"d_pnn50",
	"d_pnn10pct",
	"d_pnn20pct",
	"rr_ac1",
	"d_ac1",
	"rr_ent",
	"d_ent",
	"turn",
	"sd1",
	"sd2",
	"sd1_sd2",
	"rr_irr",
	/* B */
	"tc_mean",
	"tc_sd",
	"tc_min",
	"tc_gt90",
	"pc_mean",
	"pc_sd",
	"ramp_mean",
	"ramp_cv",
	"t00",
	"t01",
	"t02",
	"t03",
	"t04",
	"t05",
	"t06",
	"t07",
	"t08",
	"t09",
	"t10",
	"t11",
	"t12",
	"t13",
	"t14",
	"t15",
	"t16",
	"t17",
	"t18",
	"t19",
	"t20",
	"t21",
	"t22",
	"t23",
	"t24",
	"t25",
	"t26",
	"t27",
	"t28",
	"t29",
	/* C */
	"lg_tot",
	"sp_0.5",
	"sp_1",
	"sp_2",
	"sp_3",
	"sp_4",
	"sp_5",
	"sp_6",
	"sp_7",
	"sp_8",
	"sp_9",
	"sp_10",
	"sp_12",
	"sp_14",
	"sp_16",
	"sp_18",
	"sp_20",
	"sp_25",
	"sp_30",
	"sp_35",
	"sp_40",
	"sp_50",
	"sp_60",
	"sp_80",
	"sp_100",
	"sp_entropy",
	"sp_centroid",
	"fr_lg_sd",
	"fr_cent_sd",
	"fr_cent_max",
	/* D */
	"res_rel",
	"res_3_5",
	"res_5_7",
	"res_7_9",
	"res_9_12",
	/* E */
	"sd",
	"skew",
	"kurt",
	"max",
	"min",
	"mad_dx",
	"flat",
	"zcr",
};

struct compact {
	struct spectrum *spectrum;
	struct signal signal;
	struct shape shape;
	double remainder[COMPACT_SAMPLES_MAX];
	double values[COMPACT_COLUMNS];
};

int compact_new(struct compact **ret, struct failure *why)
{
	struct compact *c = malloc(sizeof(*c));
	if (!c)
		return failed_memory(why, "compact features");
	if (spectrum_new(&c->spectrum, why) < 0) {
		free(c);
		return -1;
	}
	*ret = c;
	return 0;
}

void compact_free(struct compact *c)
{
	if (!c)
		return;
	spectrum_free(c->spectrum);
	free(c);
}

/* Standard deviation, skewness, kurtosis, greatest and least value of polarity * y. */
static void distribution_of_values(const struct signal *s, double *ret)
{
	double sum = 0;
	for (uint32_t n = 0; n < s->count; n++)
		sum += s->y[n];
	double mean = sum / s->count;
	double squares = 0;
	for (uint32_t n = 0; n < s->count; n++)
		squares += (s->y[n] - mean) * (s->y[n] - mean);
	double deviation = sqrt(squares / s->count) + 1e-9;

	double cubes = 0;
	double fourths = 0;
	double greatest = s->polarity * s->y[0];
	double least = greatest;
	for (uint32_t n = 0; n < s->count; n++) {
		double z = (s->y[n] - mean) / deviation;
		cubes += z * z * z;
		fourths += z * z * z * z;
		double value = s->polarity * s->y[n];
		greatest = value > greatest ? value : greatest;
		least = value < least ? value : least;
	}
	ret[0] = deviation;
	ret[1] = s->polarity * cubes / s->count;
	ret[2] = fourths / s->count;
	ret[3] = greatest;
	ret[4] = least;
}

/* Mean step in mV, fraction of steps of at most 1 unit, fraction of sign changes. */
static void distribution_of_steps(const struct signal *s, double *ret)
{
	int64_t steps = 0;
	uint32_t flat = 0;
	uint32_t changes = 0;
	for (uint32_t n = 1; n < s->count; n++) {
		int32_t step = s->x[n] - s->x[n - 1];
		step = step < 0 ? -step : step;
		steps += step;
		flat += step <= 1;
		changes += (s->h[n] >= 0) != (s->h[n - 1] >= 0);
	}
	double count = s->count - 1;
	ret[0] = (double)steps / count / 1000;
	ret[1] = flat / count;
	ret[2] = changes / count;
}

/* polarity * y without the mean beat wherever a whole beat lies. */
static void remove_beats(const struct signal *s, const struct shape *shape, double *ret)
{
	for (uint32_t n = 0; n < s->count; n++)
		ret[n] = s->polarity * s->y[n];
	for (uint32_t i = 0; i < s->beat_count; i++) {
		if (!shape_is_whole(s, s->beats[i]))
			continue;
		double *beat = ret + s->beats[i] - SHAPE_BEFORE;
		for (uint32_t k = 0; k < SHAPE_SIZE; k++)
			beat[k] -= shape->mean[k];
	}
}

void compact_row(struct compact *c, const struct recording *recording, float *ret_row)
{
	struct signal *s = &c->signal;
	double *at = c->values;
	signal_analyse(s, recording->samples, recording->count);
	rhythm_features(s, at);
	at += RHYTHM_COLUMNS;
	shape_features(s, &c->shape, at);
	at += SHAPE_COLUMNS;
	spectrum_features(c->spectrum, s->y, s->count, at);
	at += SPECTRUM_COLUMNS;
	remove_beats(s, &c->shape, c->remainder);
	spectrum_remainder_features(c->spectrum, c->remainder, s->count, at);
	at += REMAINDER_COLUMNS;
	distribution_of_values(s, at);
	distribution_of_steps(s, at + 5);
	for (uint32_t i = 0; i < COMPACT_COLUMNS; i++)
		ret_row[i] = (float)c->values[i];
}
