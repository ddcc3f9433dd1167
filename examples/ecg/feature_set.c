#include "feature_set.h"

#include <inttypes.h>
#include <stdio.h>

#include "compact.h"
#include "ecg_limits.h"
#include "spectrogram.h"

struct extractor {
	enum feature_kind kind;
	struct compact *compact;
	struct spectrogram *spectrogram;
};

const char *feature_kind_name(enum feature_kind kind)
{
	return kind == FEATURES_COMPACT ? "compact" : "spectrogram";
}

uint32_t feature_columns(enum feature_kind kind)
{
	return kind == FEATURES_COMPACT ? COMPACT_COLUMNS : SPECTROGRAM_COLUMNS;
}

enum feature_kind feature_kind_of_columns(uint32_t columns)
{
	int kind = FEATURES_COMPACT;
	while (kind < FEATURE_KINDS && feature_columns((enum feature_kind)kind) != columns)
		kind++;
	return (enum feature_kind)kind;
}

void feature_name(enum feature_kind kind, uint32_t column, char ret_name[FEATURE_NAME_SIZE])
{
	if (kind == FEATURES_COMPACT)
		snprintf(ret_name, FEATURE_NAME_SIZE, "%s", compact_names[column]);
	else
		snprintf(ret_name, FEATURE_NAME_SIZE, "s%" PRIu32, column);
}

int extractor_new(enum feature_kind kind, struct extractor **ret, struct failure *why)
{
	struct extractor *e = calloc(1, sizeof(*e));
	if (!e)
		return failed_memory(why, "feature extraction");
	e->kind = kind;
	int rc = kind == FEATURES_COMPACT ? compact_new(&e->compact, why)
	                                  : spectrogram_new(&e->spectrogram, why);
	if (rc < 0) {
		extractor_free(e);
		return -1;
	}
	*ret = e;
	return 0;
}

void extractor_free(struct extractor *e)
{
	if (!e)
		return;
	compact_free(e->compact);
	spectrogram_free(e->spectrogram);
	free(e);
}

int extractor_run(struct extractor *e, const struct recording *recording, const char *name, float *ret_row,
                  struct failure *why)
{
	if (e->kind == FEATURES_SPECTROGRAM) {
		spectrogram_row(e->spectrogram, recording, ret_row);
		return 0;
	}
	if (recording->count < COMPACT_SAMPLES_MIN)
		return failed(why, "%s: %" PRIu32 " samples are too few for compact features, which need %d",
		              name, recording->count, COMPACT_SAMPLES_MIN);
	compact_row(e->compact, recording, ret_row);
	return 0;
}
