/* Recordings: whatever mat_parse accepts has the samples that it says, and finite features. */
#include <math.h>
#include <stdlib.h>

#include "ecg_limits.h"
#include "feature_set.h"
#include "mat.h"

enum { SAMPLES_TO_ANALYSE = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_features(enum feature_kind kind, const struct recording *recording)
{
	struct failure why;
	struct extractor *extractor;
	float *row = calloc(feature_columns(kind), sizeof(*row));
	if (!row || extractor_new(kind, &extractor, &why) < 0)
		abort();
	if (extractor_run(extractor, recording, "fuzz", row, &why) == 0) {
		for (uint32_t i = 0; i < feature_columns(kind); i++) {
			if (!isfinite(row[i]))
				abort();
		}
	}
	extractor_free(extractor);
	free(row);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure why;
	struct recording recording;
	if (mat_parse(data, size, "fuzz", &recording, &why) < 0)
		return 0;
	if (size != 24 + 2 * (size_t)recording.count)
		abort();
	if (recording.count <= SAMPLES_TO_ANALYSE) {
		check_features(FEATURES_COMPACT, &recording);
		check_features(FEATURES_SPECTROGRAM, &recording);
	}
	recording_done(&recording);
	return 0;
}
