#include "fft.h"

#include <string.h>

#include "exact.h"

struct fft {
	uint32_t size;
	double window[FFT_SIZE_MAX];
	double cosine[FFT_SIZE_MAX / 2];
	double sine[FFT_SIZE_MAX / 2];
	uint16_t reversed[FFT_SIZE_MAX];
	double real[FFT_SIZE_MAX][FFT_LANES];
	double imaginary[FFT_SIZE_MAX][FFT_LANES];
};

int fft_new(uint32_t size, const double *window, struct fft **ret, struct failure *why)
{
	struct fft *f = malloc(sizeof(*f));
	if (!f)
		return failed_memory(why, "a Fourier transform");
	f->size = size;
	memcpy(f->window, window, size * sizeof(*window));
	for (uint32_t k = 0; k < size / 2; k++) {
		f->cosine[k] = exact_cos_turn(k, size);
		f->sine[k] = exact_sin_turn(k, size);
	}
	f->reversed[0] = 0;
	for (uint32_t half = 1; half < size; half *= 2) {
		for (uint32_t i = 0; i < half; i++)
			f->reversed[half + i] = (uint16_t)(f->reversed[i] + size / (2 * half));
	}
	*ret = f;
	return 0;
}

void fft_free(struct fft *f)
{
	free(f);
}

static void fft_load(struct fft *f, const double *const *frames, uint32_t count)
{
	static const double silence[FFT_SIZE_MAX];
	for (uint32_t lane = 0; lane < FFT_LANES; lane++) {
		const double *first = lane < count ? frames[lane] : silence;
		const double *second = lane + FFT_LANES < count ? frames[lane + FFT_LANES] : silence;
		for (uint32_t i = 0; i < f->size; i++) {
			uint32_t to = f->reversed[i];
			f->real[to][lane] = first[i] * f->window[i];
			f->imaginary[to][lane] = second[i] * f->window[i];
		}
	}
}

/* (a, b) becomes (a + w b, a - w b) in every lane, w = cosine - i sine. */
static inline void butterfly(struct fft *f, uint32_t a, uint32_t b, double cosine, double sine)
{
	for (uint32_t lane = 0; lane < FFT_LANES; lane++) {
		double real = cosine * f->real[b][lane] + sine * f->imaginary[b][lane];
		double imaginary = cosine * f->imaginary[b][lane] - sine * f->real[b][lane];
		f->real[b][lane] = f->real[a][lane] - real;
		f->imaginary[b][lane] = f->imaginary[a][lane] - imaginary;
		f->real[a][lane] += real;
		f->imaginary[a][lane] += imaginary;
	}
}

static void fft_transform(struct fft *f)
{
	for (uint32_t half = 1; half < f->size; half *= 2) {
		uint32_t step = f->size / (2 * half);
		for (uint32_t start = 0; start < f->size; start += 2 * half) {
			for (uint32_t k = 0; k < half; k++)
				butterfly(f, start + k, start + half + k, f->cosine[k * step],
				          f->sine[k * step]);
		}
	}
}

/* Two real frames a and b went in as a + i b: A[k] = (Z[k] + conj Z[-k]) / 2, B[k] = (Z[k] - conj Z[-k]) /
 * 2i. */
static void fft_store(const struct fft *f, double *ret_power)
{
	for (uint32_t k = 0; k <= f->size / 2; k++) {
		uint32_t mirror = (f->size - k) % f->size;
		double *power = ret_power + (size_t)k * FFT_FRAMES;
		for (uint32_t lane = 0; lane < FFT_LANES; lane++) {
			double a_real = f->real[k][lane] + f->real[mirror][lane];
			double a_imaginary = f->imaginary[k][lane] - f->imaginary[mirror][lane];
			double b_real = f->imaginary[k][lane] + f->imaginary[mirror][lane];
			double b_imaginary = f->real[mirror][lane] - f->real[k][lane];
			power[lane] = (a_real * a_real + a_imaginary * a_imaginary) / 4;
			power[lane + FFT_LANES] = (b_real * b_real + b_imaginary * b_imaginary) / 4;
		}
	}
}

void fft_power(struct fft *f, const double *const *frames, uint32_t count, double *ret_power)
{
	fft_load(f, frames, count);
	fft_transform(f);
	fft_store(f, ret_power);
}
