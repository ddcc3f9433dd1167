/*
 * The ECG example's features. Are they what an independent computation gives (scripts/ecg_golden.py for
 * synthetic recordings, scikit-learn's references for the real ones)? Are they finite for recordings without
 * any heart in them?
 */
#include "ecg_support.h"

#include <math.h>
#include <stdlib.h>

#include "ecg_limits.h"
#include "ecg_random.h"
#include "exact.h"
#include "feature_set.h"
#include "fft.h"
#include "forest.h"
#include "predict.h"
#include "synth.h"
#include "tables.h"

enum { PATH_SIZE = 512, SPECTROGRAM_STEP = 97 };

static float *row_of_samples(enum feature_kind kind, int16_t *samples, uint32_t count)
{
	struct failure why;
	struct extractor *extractor;
	must_work(extractor_new(kind, &extractor, &why), why);
	float *row = calloc(feature_columns(kind), sizeof(*row));
	assert_non_null(row);
	const struct recording recording = {.samples = samples, .count = count};
	must_work(extractor_run(extractor, &recording, "samples", row, &why), why);
	extractor_free(extractor);
	return row;
}

/* |value - expected| / |expected|, with the smallest float that is no rounding error in place of 0. */
static double relative_error(double value, double expected)
{
	return fabs(value - expected) / fmax(fabs(expected), 1e-12);
}

/* ---- building blocks ---- */

static void test_logarithm(void **state)
{
	(void)state;
	for (int i = -2000; i <= 2000; i++) {
		double far = exp(i / 2.9);
		double near = 1 + i / 20011.0;
		assert_true(relative_error(exact_ln(far), log(far)) < 1e-15);
		assert_true(relative_error(exact_ln(near), log(near)) < 2e-15);
	}
	assert_true(exact_ln(1) == 0);
}

static void test_cosine(void **state)
{
	(void)state;
	for (uint32_t k = 0; k < 512; k++) {
		assert_true(fabs(exact_cos_turn(k, 512) - cos(2 * acos(-1) * k / 512)) < 1e-15);
		assert_true(fabs(exact_sin_turn(k, 512) - sin(2 * acos(-1) * k / 512)) < 1e-15);
	}
	assert_true(exact_cos_turn(0, 512) == 1);
	assert_true(exact_cos_turn(256, 512) == -1);
	assert_true(exact_cos_turn(128, 512) == 0);
}

/* Each frame's spectrum is the sum of its definition, whatever frames are transformed beside it. */
static void test_transform(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {8, 64, 512};
	double samples[FFT_FRAMES][FFT_SIZE_MAX];
	double window[FFT_SIZE_MAX];
	static double power[(FFT_SIZE_MAX / 2 + 1) * FFT_FRAMES];
	const double *frames[FFT_FRAMES];
	struct random random = random_stream(7, 1);
	for (uint32_t n = 0; n < FFT_SIZE_MAX; n++)
		window[n] = 0.5 + random_below(&random, 1000) / 2000.0;
	for (uint32_t i = 0; i < FFT_FRAMES; i++) {
		frames[i] = samples[i];
		for (uint32_t n = 0; n < FFT_SIZE_MAX; n++)
			samples[i][n] = random_below(&random, 2001) - 1000.0;
	}
	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		uint32_t size = sizes[s];
		struct failure why;
		struct fft *fft;
		must_work(fft_new(size, window, &fft, &why), why);
		fft_power(fft, frames, FFT_FRAMES - 1, power);
		for (uint32_t i = 0; i < FFT_FRAMES; i++) {
			for (uint32_t k = 0; k <= size / 2; k++) {
				double real = 0;
				double imaginary = 0;
				for (uint32_t n = 0; n < size; n++) {
					double x = i < FFT_FRAMES - 1 ? samples[i][n] * window[n] : 0;
					real += x * exact_cos_turn(k * n % size, size);
					imaginary -= x * exact_sin_turn(k * n % size, size);
				}
				double expected = real * real + imaginary * imaginary;
				assert_true(fabs(power[k * FFT_FRAMES + i] - expected) < 1e-4);
			}
		}
		fft_free(fft);
	}
}

/* ---- golden values of synthetic recordings ---- */

static void test_golden_recordings(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct failure why;
	struct text t;
	must_work(text_open(golden_path("ecg_golden_recordings.csv", path, sizeof(path)), &t, &why), why);
	struct synth *made = malloc(sizeof(*made));
	char *line;
	must_work(text_next(&t, &line, &why), why);
	uint32_t number = 0;
	for (;;) {
		must_work(text_next(&t, &line, &why), why);
		if (!line)
			break;
		synth_make(1, ++number, made);
		int64_t sum = 0;
		int64_t weighted = 0;
		for (uint32_t n = 0; n < made->count; n++) {
			sum += made->samples[n];
			weighted += (int64_t)made->samples[n] * (n % 251);
		}
		char expected[128];
		snprintf(expected, sizeof(expected), "%s,%c,%s,%u,%lld,%lld", made->label.record,
		         CLASS_LETTERS[made->label.class],
		         made->label.split == SPLIT_TRAIN ? "train" : "test", made->count, (long long)sum,
		         (long long)weighted);
		assert_string_equal(line, expected);
	}
	assert_int_equal(number, 20);
	free(made);
	text_close(&t);
}

static void test_golden_compact(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct failure why;
	struct table golden;
	must_work(table_read(golden_path("ecg_golden_compact.csv", path, sizeof(path)), &golden, &why), why);
	assert_int_equal(golden.kind, FEATURES_COMPACT);
	assert_int_equal(golden.count, 20);
	struct synth *made = malloc(sizeof(*made));
	for (uint32_t i = 0; i < golden.count; i++) {
		synth_make(1, i + 1, made);
		assert_string_equal(made->label.record, golden.records[i]);
		float *row = row_of_samples(FEATURES_COMPACT, made->samples, made->count);
		for (uint32_t k = 0; k < golden.columns; k++) {
			char name[FEATURE_NAME_SIZE];
			double expected = golden.values[(size_t)i * golden.columns + k];
			feature_name(FEATURES_COMPACT, k, name);
			if (relative_error(row[k], expected) > 1e-5)
				fail_msg("%s of %s is %.9g, expected %.9g", name, golden.records[i], row[k],
				         expected);
		}
		free(row);
	}
	free(made);
	table_done(&golden);
}

static void test_golden_spectrogram(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct failure why;
	struct text t;
	char *line;
	must_work(text_open(golden_path("ecg_golden_spectrogram.csv", path, sizeof(path)), &t, &why), why);
	must_work(text_next(&t, &line, &why), why);
	struct synth *made = malloc(sizeof(*made));
	for (uint32_t number = 1; number <= 20; number++) {
		must_work(text_next(&t, &line, &why), why);
		assert_non_null(line);
		synth_make(1, number, made);
		float *row = row_of_samples(FEATURES_SPECTROGRAM, made->samples, made->count);
		assert_string_equal(text_field(&line, ','), made->label.record);
		for (uint32_t k = 0; k < SPECTROGRAM_COLUMNS; k += SPECTROGRAM_STEP) {
			double expected;
			assert_true(text_double(text_field(&line, ','), &expected));
			if (fabs(row[k] - expected) > 1e-6)
				fail_msg("s%u of %s is %.9g, expected %.9g", k, made->label.record, row[k],
				         expected);
		}
		assert_null(line);
		free(row);
	}
	free(made);
	text_close(&t);
}

/* ---- recordings without a heart ---- */

enum shape { SILENCE, CONSTANT, SQUARE, IMPULSE, RAMP, NOISE };

static void fill(int16_t *samples, uint32_t count, enum shape shape)
{
	struct random random = random_stream(3, (uint64_t)shape);
	for (uint32_t n = 0; n < count; n++) {
		switch (shape) {
		case SILENCE: samples[n] = 0; break;
		case CONSTANT: samples[n] = 32767; break;
		case SQUARE: samples[n] = n / 60 % 2 ? 32767 : -32768; break;
		case IMPULSE: samples[n] = n == count / 2 ? -32768 : 0; break;
		case RAMP: samples[n] = (int16_t)(n % 65536 - 32768); break;
		case NOISE: samples[n] = (int16_t)(random_below(&random, 65536) - 32768); break;
		}
	}
}

static void test_features_are_finite(void **state)
{
	(void)state;
	static const uint32_t counts[] = {1, 511, 512, 513, 900, 2714, 8999, 9000, 9001, 18300, 18301, 40000};
	int16_t *samples = calloc(40000, sizeof(*samples));
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		for (int shape = SILENCE; shape <= NOISE; shape++) {
			fill(samples, counts[i], (enum shape)shape);
			for (int kind = 0; kind < FEATURE_KINDS; kind++) {
				if (kind == FEATURES_COMPACT && counts[i] < COMPACT_SAMPLES_MIN)
					continue;
				float *row = row_of_samples((enum feature_kind)kind, samples, counts[i]);
				for (uint32_t k = 0; k < feature_columns((enum feature_kind)kind); k++)
					assert_true(isfinite(row[k]));
				free(row);
			}
		}
	}
	free(samples);
}

static void test_too_short_for_compact(void **state)
{
	(void)state;
	struct failure why;
	struct extractor *extractor;
	static int16_t samples[COMPACT_SAMPLES_MIN];
	float row[COMPACT_COLUMNS];
	must_work(extractor_new(FEATURES_COMPACT, &extractor, &why), why);
	const struct recording recording = {.samples = samples, .count = COMPACT_SAMPLES_MIN - 1};
	int rc = extractor_run(extractor, &recording, "short.mat", row, &why);
	assert_failed(rc, &why, "short", "short.mat: 511 samples are too few");
	extractor_free(extractor);
}

/* ---- the real recordings ---- */

static struct recording real_recording(const char *record)
{
	char path[PATH_SIZE];
	char name[64];
	struct failure why;
	struct recording recording;
	snprintf(name, sizeof(name), "training2017/%s.mat", record);
	must_work(mat_read(real_path(name, path, sizeof(path)), &recording, &why), why);
	return recording;
}

/* A NaN is the worst of all. */
static double worst_error(const float *row, const float *expected, uint32_t count)
{
	double worst = 0;
	for (uint32_t k = 0; k < count; k++) {
		double error = relative_error(row[k], expected[k]);
		if (!(error <= worst))
			worst = isnan(error) ? INFINITY : error;
	}
	return worst;
}

static void test_real_compact(void **state)
{
	(void)state;
	char path[PATH_SIZE];
	struct failure why;
	struct table expected;
	struct labels labels;
	must_work(table_read(real_path("features_compact.csv", path, sizeof(path)), &expected, &why), why);
	must_work(labels_read(real_path("labels.csv", path, sizeof(path)), &labels, &why), why);
	uint32_t compared = 0;
	double worst = 0;
	for (uint32_t i = 0; i < expected.count; i++) {
		if (!labels_find(&labels, expected.records[i]))
			continue;
		struct recording recording = real_recording(expected.records[i]);
		float *row = row_of_samples(FEATURES_COMPACT, recording.samples, recording.count);
		worst = fmax(worst, worst_error(row, expected.values + (size_t)i * expected.columns,
		                                expected.columns));
		free(row);
		recording_done(&recording);
		compared++;
	}
	print_message("%u recordings, relative deviation at most %.3g\n", compared, worst);
	assert_int_equal(compared, labels.count);
	assert_true(worst <= 1e-5);
	labels_done(&labels);
	table_done(&expected);
}

/* The probabilities of a reference forest for the recordings that `file` lists, from samples to votes. */
static void check_real_forest(enum feature_kind kind, const char *forest_file, const char *file)
{
	char path[PATH_SIZE];
	struct failure why;
	struct forest forest;
	struct predictor predictor;
	struct requests requests;
	struct text t;
	char *line;
	must_work(forest_read(real_path(forest_file, path, sizeof(path)), &forest, &why), why);
	assert_int_equal(feature_kind_of_columns(forest.columns), kind);
	must_work(predictor_init(&forest, &predictor, &why), why);
	forest_done(&forest);
	must_work(requests_init(&predictor, 1, 1, &requests, &why), why);
	must_work(text_open(real_path(file, path, sizeof(path)), &t, &why), why);
	must_work(text_next(&t, &line, &why), why);
	uint32_t compared = 0;
	double worst = 0;
	for (;; compared++) {
		must_work(text_next(&t, &line, &why), why);
		if (!line)
			break;
		struct recording recording = real_recording(text_field(&line, ','));
		text_field(&line, ',');
		float *row = row_of_samples(kind, recording.samples, recording.count);
		request_submit(&predictor, &requests.each[0], row, 1);
		must_work(request_wait(&requests.each[0], &why), why);
		for (int k = 0; k < CLASS_COUNT; k++) {
			double expected;
			assert_true(text_double(text_field(&line, ','), &expected));
			worst = fmax(worst, fabs(requests.each[0].votes[0][k] - expected));
		}
		free(row);
		recording_done(&recording);
	}
	print_message("%u recordings, deviation at most %.3g\n", compared, worst);
	assert_int_equal(compared, 200);
	assert_true(worst <= 1e-12);
	text_close(&t);
	requests_done(&requests);
	predictor_done(&predictor);
}

static void test_real_compact_forest(void **state)
{
	(void)state;
	check_real_forest(FEATURES_COMPACT, "forest_compact.txt", "expected_proba_compact.csv");
}

static void test_real_spectrogram_forest(void **state)
{
	(void)state;
	check_real_forest(FEATURES_SPECTROGRAM, "forest_spectrogram.txt", "expected_proba_spectrogram.csv");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_logarithm),
		cmocka_unit_test(test_cosine),
		cmocka_unit_test(test_transform),
		cmocka_unit_test(test_golden_recordings),
		cmocka_unit_test(test_golden_compact),
		cmocka_unit_test(test_golden_spectrogram),
		cmocka_unit_test(test_features_are_finite),
		cmocka_unit_test(test_real_compact),
		cmocka_unit_test(test_real_compact_forest),
		cmocka_unit_test(test_real_spectrogram_forest),
		cmocka_unit_test(test_too_short_for_compact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
