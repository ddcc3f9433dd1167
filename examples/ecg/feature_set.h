/*
 * The two feature sets of a recording.
 *
 * compact: 111 values, the ones that make a useful classifier: the rhythm of the beats, their shape, the
 * spectrum of the signal and of what remains without its beats, and the distribution of its values.
 * spectrogram: the logarithms of 570 windowed spectra of 33 bins, standardised: the published workflow's
 * workload.
 */
#ifndef ECG_FEATURE_SET_H
#define ECG_FEATURE_SET_H

#include <stdint.h>

#include "failure.h"
#include "mat.h"

enum feature_kind { FEATURES_COMPACT, FEATURES_SPECTROGRAM, FEATURE_KINDS };

enum { FEATURE_NAME_SIZE = 16 };

const char *feature_kind_name(enum feature_kind kind);
uint32_t feature_columns(enum feature_kind kind);
/* The kind that has so many columns, FEATURE_KINDS if none has. */
enum feature_kind feature_kind_of_columns(uint32_t columns);
/* The name of a column; column < feature_columns(kind). */
void feature_name(enum feature_kind kind, uint32_t column, char ret_name[FEATURE_NAME_SIZE]);

/* What turns recordings into rows of one kind: its tables and its scratch memory. */
struct extractor;

int extractor_new(enum feature_kind kind, struct extractor **ret, struct failure *why) must_check;
void extractor_free(struct extractor *e);
/* Fill ret_row[feature_columns(kind)]; `name` stands in the failure's text. */
int extractor_run(struct extractor *e, const struct recording *recording, const char *name, float *ret_row,
                  struct failure *why) must_check;

#endif
