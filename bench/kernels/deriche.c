/*
 * deriche: an image smoothed by Deriche's recursive filter of the second order, forwards and backwards along
 * each direction, in single precision. Data set LARGE.
 */
#include <math.h>

#include "kernel.h"

enum { W = SIZE(4096, 64), H = SIZE(2160, 64) };

static void init(float in[W][H])
{
	for (int i = 0; i < W; i++)
		for (int j = 0; j < H; j++)
			in[i][j] = (float)((313 * i + 991 * j) % 65536) / 65535.0f;
}

/* Weights of this value and the one before, forwards; of the next two, backwards; of the last two results. */
struct filter {
	float present, previous, next, next_but_one, once, twice;
};

static struct filter filter_of(float alpha)
{
	float decay = expf(-alpha), decay2 = expf(-2 * alpha);
	float k = (1 - decay) * (1 - decay) / (1 + 2 * alpha * decay - expf(2 * alpha));
	return (struct filter){k,           k * decay * (alpha - 1), k * decay * (alpha + 1),
	                       -k * decay2, powf(2, -alpha),         -decay2};
}

static void along_rows(const struct filter *f, float in[W][H], float forwards[W][H], float backwards[W][H])
{
	for (int i = 0; i < W; i++) {
		float x1 = 0, y1 = 0, y2 = 0;
		for (int j = 0; j < H; j++) {
			forwards[i][j] = f->present * in[i][j] + f->previous * x1 + f->once * y1 +
			                 f->twice * y2;
			x1 = in[i][j];
			y2 = y1;
			y1 = forwards[i][j];
		}
	}
	for (int i = 0; i < W; i++) {
		float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
		for (int j = H - 1; j >= 0; j--) {
			backwards[i][j] = f->next * x1 + f->next_but_one * x2 + f->once * y1 + f->twice * y2;
			x2 = x1;
			x1 = in[i][j];
			y2 = y1;
			y1 = backwards[i][j];
		}
	}
}

static void along_columns(const struct filter *f, float in[W][H], float forwards[W][H], float backwards[W][H])
{
	for (int j = 0; j < H; j++) {
		float x1 = 0, y1 = 0, y2 = 0;
		for (int i = 0; i < W; i++) {
			forwards[i][j] = f->present * in[i][j] + f->previous * x1 + f->once * y1 +
			                 f->twice * y2;
			x1 = in[i][j];
			y2 = y1;
			y1 = forwards[i][j];
		}
	}
	for (int j = 0; j < H; j++) {
		float x1 = 0, x2 = 0, y1 = 0, y2 = 0;
		for (int i = W - 1; i >= 0; i--) {
			backwards[i][j] = f->next * x1 + f->next_but_one * x2 + f->once * y1 + f->twice * y2;
			x2 = x1;
			x1 = in[i][j];
			y2 = y1;
			y1 = backwards[i][j];
		}
	}
}

static void add(float forwards[W][H], float backwards[W][H], float out[W][H])
{
	for (int i = 0; i < W; i++)
		for (int j = 0; j < H; j++)
			out[i][j] = forwards[i][j] + backwards[i][j];
}

static void compute(float alpha, float in[W][H], float out[W][H], float forwards[W][H], float backwards[W][H])
{
	const struct filter f = filter_of(alpha);
	along_rows(&f, in, forwards, backwards);
	add(forwards, backwards, out);
	along_columns(&f, out, forwards, backwards);
	add(forwards, backwards, out);
}

void kernel_deriche(struct trial *t)
{
	float(*in)[H] = trial_array(t, sizeof(float[W][H]));
	float(*out)[H] = trial_array(t, sizeof(float[W][H]));
	float(*forwards)[H] = trial_array(t, sizeof(float[W][H]));
	float(*backwards)[H] = trial_array(t, sizeof(float[W][H]));
	init(in);
	trial_begin(t);
	compute(0.25f, in, out, forwards, backwards);
	trial_end(t);
	trial_result(t, out, sizeof(float[W][H]));
}
