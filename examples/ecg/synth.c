#include "synth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "classes.h"
#include "ecg_random.h"

/* Shape of a beat: waves relative to the R wave, in samples and in 1/1000 of its height. */
struct wave_shape {
	int32_t offset;
	int32_t width;
	int32_t height;
};

enum { WAVE_P, WAVE_Q, WAVE_R, WAVE_S, WAVE_T, WAVE_COUNT };

static const struct wave_shape normal_beat[WAVE_COUNT] = {{-48, 15, 130},
                                                          {-9, 6, -120},
                                                          {0, 10, 1000},
                                                          {10, 8, -260},
                                                          {78, 34, 260}};
static const struct wave_shape ectopic_beat[WAVE_COUNT] = {{-48, 15, 0},
                                                           {-26, 12, -150},
                                                           {0, 27, 1300},
                                                           {30, 20, -520},
                                                           {90, 40, -380}};

enum rhythm { RHYTHM_REGULAR, RHYTHM_FIBRILLATION, RHYTHM_ECTOPIC, RHYTHM_SLOW, RHYTHM_FAST, RHYTHM_WEAK };

struct maker {
	struct random random;
	enum rhythm rhythm;
	int32_t count;
	int32_t height; /* of the R wave, negative if the polarity is */
	int32_t signal[SYNTH_SAMPLES_MAX];
};

/* low <= result <= high */
static int32_t between(struct maker *m, int32_t low, int32_t high)
{
	return low + (int32_t)random_below(&m->random, (uint32_t)(high - low + 1));
}

static int32_t signed_part(int64_t value, int64_t of)
{
	return (int32_t)(value < 0 ? -(-value / of) : value / of);
}

static void add_bump(struct maker *m, int32_t centre, int32_t width, int32_t height)
{
	int64_t square = (int64_t)width * width;
	for (int32_t t = 1 - width; t < width; t++) {
		int64_t inside = square - (int64_t)t * t;
		if (centre + t >= 0 && centre + t < m->count)
			m->signal[centre + t] += signed_part(height * inside * inside, square * square);
	}
}

static void add_beat(struct maker *m, const struct wave_shape *shape, int32_t at)
{
	for (int i = 0; i < WAVE_COUNT; i++) {
		bool without = i == WAVE_P && m->rhythm == RHYTHM_FIBRILLATION;
		int32_t height = without ? 0 : signed_part((int64_t)m->height * shape[i].height, 1000);
		add_bump(m, at + shape[i].offset, shape[i].width, height);
	}
}

/* A wave whose step of phase and whose height are drawn from these ranges. */
static void add_wave(struct maker *m, int32_t step_least, int32_t step_most, int32_t least, int32_t most)
{
	int32_t step = between(m, step_least, step_most);
	int32_t height = between(m, least, most);
	int32_t phase = between(m, 0, 65535);
	for (int32_t n = 0; n < m->count; n++) {
		int64_t half = phase & 32767;
		int64_t value = 4 * half * (32768 - half) / 32768;
		m->signal[n] += signed_part((phase & 32768 ? -height : height) * value, 32768);
		phase = (phase + step) & 65535;
	}
}

/* Regular beats with breathing and a little chance; of the ectopic rhythm's, one in `rarity` comes early and
 * is followed by a pause. */
static void add_regular_beats(struct maker *m, int32_t shortest, int32_t longest, int32_t chance)
{
	int32_t interval = between(m, shortest, longest);
	int32_t depth = between(m, 0, 25);
	int32_t rarity = between(m, 4, 24);
	bool early = false;
	int32_t at = between(m, 20, interval);
	while (at < m->count) {
		add_beat(m, early ? ectopic_beat : normal_beat, at);
		int32_t breath = abs(at % 1200 - 600) * depth / 600;
		int32_t next = interval + breath + between(m, -chance, chance);
		bool after_early = early;
		early = m->rhythm == RHYTHM_ECTOPIC && between(m, 1, rarity) == 1;
		if (early)
			next = next * 7 / 10;
		if (after_early)
			next = next * 13 / 10;
		at += next;
	}
}

static void add_fibrillation(struct maker *m)
{
	int32_t shortest = between(m, 110, 190);
	int32_t spread = between(m, 20, 180);
	int32_t at = between(m, 20, 200);
	while (at < m->count) {
		add_beat(m, normal_beat, at);
		int32_t more = between(m, 0, spread);
		more = more * between(m, 0, 100) / 100;
		at += shortest + more + between(m, 0, 15);
	}
	add_wave(m, 1100, 1640, 5, 60);
}

/* A random walk that returns to the middle, and bursts of noise. */
static void add_disturbance(struct maker *m, int32_t step_least, int32_t step_most, int32_t least,
                            int32_t most)
{
	int32_t step = between(m, step_least, step_most);
	int32_t strength = between(m, least, most);
	int32_t walk = 0;
	int32_t burst = 0;
	for (int32_t n = 0; n < m->count; n++) {
		if (n % 300 == 0)
			burst = between(m, 0, 2) == 0 ? between(m, strength / 9, strength) : step / 4;
		walk += between(m, -step, step) - signed_part(walk, 64);
		m->signal[n] += walk + between(m, -burst, burst);
	}
}

static void add_beats(struct maker *m)
{
	switch (m->rhythm) {
	case RHYTHM_REGULAR:
	case RHYTHM_ECTOPIC: add_regular_beats(m, 190, 330, between(m, 2, 20)); break;
	case RHYTHM_SLOW: add_regular_beats(m, 300, 420, between(m, 2, 20)); break;
	case RHYTHM_FAST: add_regular_beats(m, 130, 210, between(m, 1, 8)); break;
	case RHYTHM_FIBRILLATION: add_fibrillation(m); break;
	case RHYTHM_WEAK:
		m->height = signed_part(m->height, between(m, 1, 6));
		add_regular_beats(m, 190, 330, 30);
		add_disturbance(m, 15, 70, 200, 900);
		return;
	}
	if (between(m, 0, 5) == 0)
		add_disturbance(m, 5, 25, 50, 300);
}

static int draw_class(struct maker *m)
{
	int32_t draw = between(m, 0, 99);
	if (draw < 50)
		return CLASS_NORMAL;
	if (draw < 68)
		return CLASS_FIBRILLATION;
	return draw < 90 ? CLASS_OTHER : CLASS_NOISE;
}

static enum rhythm draw_rhythm(struct maker *m, int class)
{
	static const enum rhythm others[] = {RHYTHM_ECTOPIC, RHYTHM_ECTOPIC, RHYTHM_SLOW, RHYTHM_FAST};
	switch (class) {
	case CLASS_NORMAL: return RHYTHM_REGULAR;
	case CLASS_FIBRILLATION: return RHYTHM_FIBRILLATION;
	case CLASS_OTHER: return others[between(m, 0, 3)];
	default: return RHYTHM_WEAK;
	}
}

static int32_t draw_count(struct maker *m)
{
	int32_t draw = between(m, 0, 7);
	if (draw == 0)
		return between(m, SYNTH_SAMPLES_MIN, 8999);
	return draw == 1 ? between(m, 9001, SYNTH_SAMPLES_MAX) : 9000;
}

/* The sensor's noise, and the range of its samples. */
static void store_samples(struct maker *m, struct synth *ret)
{
	int32_t noise = between(m, 2, 10);
	for (int32_t n = 0; n < m->count; n++) {
		int32_t value = m->signal[n] + between(m, -noise, noise);
		value += between(m, -noise, noise);
		value = value > 8191 ? 8191 : value < -8192 ? -8192 : value;
		ret->samples[n] = (int16_t)value;
	}
}

void synth_make(uint64_t seed, uint32_t number, struct synth *ret)
{
	static const char split_numbers[] = {SPLIT_TEST, SPLIT_TRAIN, SPLIT_TRAIN, SPLIT_TRAIN};
	struct maker *m = &(struct maker){.random = random_stream(seed, number)};
	memset(ret, 0, sizeof(*ret));
	snprintf(ret->label.record, sizeof(ret->label.record), "S%05" PRIu32, number);
	int class = draw_class(m);
	ret->label.class = (int8_t)class;
	ret->label.split = split_numbers[between(m, 0, 3)];
	m->rhythm = draw_rhythm(m, class);
	m->count = draw_count(m);
	m->height = between(m, 350, 1500);
	if (between(m, 0, 7) == 0)
		m->height = -m->height;
	add_beats(m);
	add_wave(m, 30, 90, 30, 250);
	store_samples(m, ret);
	ret->count = (uint32_t)m->count;
}
