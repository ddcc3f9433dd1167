/* Features of the beats' shape: how much each resembles the mean beat, and that mean itself. */
#ifndef ECG_SHAPE_H
#define ECG_SHAPE_H

#include <stdbool.h>

#include "beats.h"

enum {
	SHAPE_COLUMNS = 38,
	SHAPE_BEFORE = 75, /* samples of a beat before its place */
	SHAPE_SIZE = 210,
};

struct shape {
	double mean[SHAPE_SIZE]; /* the mean beat; zeros if fewer than 2 beats are whole */
	double beats[BEATS_MAX][SHAPE_SIZE];
};

/* Whether the beat at this place lies inside the signal from its first sample to its last. */
static inline bool shape_is_whole(const struct signal *s, uint32_t beat)
{
	return beat >= SHAPE_BEFORE && beat - SHAPE_BEFORE + SHAPE_SIZE <= s->count;
}

/* Fills the shape too; ret[SHAPE_COLUMNS], zeros if fewer than 2 beats are whole. */
void shape_features(const struct signal *s, struct shape *shape, double *ret);

#endif
