/*
 * Prints the bits of what floating-point operations make of special values: what two processors would
 * do differently if they were let (halves, zeros, values out of range; with the argument "nans" also signs
 * and payloads of NaNs).
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const double values[] = {0.0,       -0.0,   1.0,    -1.0,      0.5,        -0.5,
                                1.5,       2.5,    -2.5,   1e308,     -1e308,     5e-324,
                                1e-310,    1e-45,  3.4e38, 3.5e38,    1e-39,      0x1p31,
                                -0x1p31,   0x1p32, 0x1p63, -0x1p63,   0x1p64,     INFINITY,
                                -INFINITY, NAN,    0.1,    1.0 / 3.0, 16777217.0, 9007199254740993.0};
enum { COUNT = sizeof(values) / sizeof(values[0]) };

/* The compiler is not to compute any of it. */
static double hidden(double x)
{
	volatile double v = x;
	return v;
}

static float hidden_float(float x)
{
	volatile float v = x;
	return v;
}

/* Without it a NaN is a NaN, whichever. */
static bool nan_bits;

static void show(const char *name, double x)
{
	uint64_t bits;
	if (isnan(x) && !nan_bits) {
		printf(" %s nan", name);
		return;
	}
	memcpy(&bits, &x, sizeof(bits));
	printf(" %s %016llx", name, (unsigned long long)bits);
}

static void show_float(const char *name, float x)
{
	uint32_t bits;
	if (isnan(x) && !nan_bits) {
		printf(" %s nan", name);
		return;
	}
	memcpy(&bits, &x, sizeof(bits));
	printf(" %s %08x", name, (unsigned)bits);
}

static void one(double x)
{
	float f = hidden_float((float)x);
	show("sqrt", sqrt(x));
	show("ceil", ceil(x));
	show("floor", floor(x));
	show("trunc", trunc(x));
	show("rint", rint(x));
	show("neg", -x);
	show("abs", fabs(x));
	show("widened", (double)f);
	show_float("narrowed", (float)x);
	show_float("sqrtf", __builtin_sqrtf(f));
	show_float("rintf", __builtin_rintf(f));
	printf(" %d %u %lld %llu\n", (int)x, (unsigned)x, (long long)x, (unsigned long long)x);
}

static void two(double x, double y)
{
	float f = hidden_float((float)x), g = hidden_float((float)y);
	show("+", x + y);
	show("-", x - y);
	show("*", x * y);
	show("/", x / y);
	show("min", __builtin_wasm_min_f64(x, y));
	show("max", __builtin_wasm_max_f64(x, y));
	show("copysign", copysign(x, y));
	show_float("+", f + g);
	show_float("-", f - g);
	show_float("*", f * g);
	show_float("/", f / g);
	show_float("min", __builtin_wasm_min_f32(f, g));
	show_float("max", __builtin_wasm_max_f32(f, g));
	printf(" %d%d%d\n", x < y, x == y, x >= y);
}

/* Payloads travel, or not, by rules of their own. */
static void payloads(void)
{
	static const uint64_t nans[] = {0x7ff8000000000001, 0xfff8000000000002, 0x7ff0000000000003,
	                                0xfff4000000000004};
	for (size_t i = 0; i < sizeof(nans) / sizeof(nans[0]); i++)
		for (size_t k = 0; k < sizeof(nans) / sizeof(nans[0]); k++) {
			double x, y;
			memcpy(&x, &nans[i], sizeof(x));
			memcpy(&y, &nans[k], sizeof(y));
			two(hidden(x), hidden(y));
			two(hidden(x), hidden(1));
			one(hidden(x));
		}
}

int main(int argc, char **argv)
{
	nan_bits = argc > 1 && strcmp(argv[1], "nans") == 0;
	for (int i = 0; i < COUNT; i++) {
		one(hidden(values[i]));
		for (int k = 0; k < COUNT; k++)
			two(hidden(values[i]), hidden(values[k]));
	}
	payloads();
	return 0;
}
