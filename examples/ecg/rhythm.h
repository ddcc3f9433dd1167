/* Features of the intervals between beats (RR): their size, spread and order. */
#ifndef ECG_RHYTHM_H
#define ECG_RHYTHM_H

#include "beats.h"

enum { RHYTHM_COLUMNS = 30 };

/* ret[RHYTHM_COLUMNS]; those of the intervals are 0 if there are fewer than 4. */
void rhythm_features(const struct signal *s, double *ret);

#endif
