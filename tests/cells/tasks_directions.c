/* Do tasks see the data that a sequential program would, whatever runs when? The same natively. */
#include <cella/task.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { N = 1000, ROUNDS = 20 };

struct point {
	float x, y;
	int8_t tag;
};

CELLA_TASK(scale, CELLA_IN(const double, x, n), CELLA_OUT(double, y, n), CELLA_VALUE(size_t, n),
           CELLA_VALUE(double, k))
{
	for (size_t i = 0; i < n; i++)
		y[i] = k * x[i];
}

CELLA_TASK(add_to, CELLA_INOUT(double, x, n), CELLA_IN(const double, y, n), CELLA_VALUE(int, n))
{
	for (int i = 0; i < n; i++)
		x[i] += y[i];
}

CELLA_TASK(describe, CELLA_VALUE(struct point, p), CELLA_COPY(const char, name, strlen(name) + 1),
           CELLA_OUT(char, text, 64), CELLA_VALUE(int64_t, big), CELLA_VALUE(uint8_t, small))
{
	snprintf(text, 64, "%s %.2f %.2f %d %lld %u", name, (double)p.x, (double)p.y, p.tag, (long long)big,
	         small);
}

CELLA_TASK(total, CELLA_COPY(const double, x, n), CELLA_VALUE(size_t, n), CELLA_OUT(double, sum, 1))
{
	*sum = 0;
	for (size_t i = 0; i < n; i++)
		*sum += x[i];
}

static double a[N], b[N], c[N];

static double sum_of(const double *x)
{
	double sum = 0;
	for (int i = 0; i < N; i++)
		sum += x[i];
	return sum;
}

/* A reader of the old version and a writer of the new one, again and again. */
static void rename_versions(void)
{
	for (int i = 0; i < N; i++)
		a[i] = i % 7;
	for (int round = 0; round < ROUNDS; round++) {
		scale(a, b, N, 0.5);
		add_to(a, b, N);
		scale(a, c, N, round);
	}
	cella_wait_on(c);
	cella_wait_on(a);
	cella_wait_on(b);
	printf("renamed: %.6f %.6f %.6f\n", sum_of(a), sum_of(b), sum_of(c));
}

static void take_back(void)
{
	for (int i = 0; i < N; i++)
		a[i] = 1;
	scale(a, b, N, 2);
	cella_wait_on(a);
	for (int i = 0; i < N; i++)
		a[i] = 100;
	add_to(a, b, N);
	cella_wait_on_unchanged(a);
	cella_wait_on_unchanged(a);
	printf("taken back: %g", a[N - 1]);
	add_to(a, b, N);
	cella_wait_on(a);
	printf(" %g\n", a[0]);
}

static void pass_values(void)
{
	char text[3][64];
	struct point p = {1.25f, -2, 'x'};
	for (int i = 0; i < 3; i++) {
		char name[] = "point 0";
		name[6] = (char)('0' + i);
		describe(p, name, text[i], INT64_C(-5000000000) * i, (uint8_t)(250 + i));
		memset(name, '?', sizeof(name) - 1);
		p.x *= 2;
	}
	for (int i = 0; i < 3; i++) {
		cella_wait_on(text[i]);
		puts(text[i]);
	}
}

/* More than an invocation holds. */
static void pass_much(void)
{
	static double much[100000], sum;
	for (int i = 0; i < 100000; i++)
		much[i] = i;
	total(much, 100000, &sum);
	memset(much, 0, sizeof(much));
	cella_wait_on(&sum);
	printf("much: %.0f\n", sum);
}

int main(void)
{
	rename_versions();
	take_back();
	pass_values();
	pass_much();
	cella_barrier();
	return 0;
}
