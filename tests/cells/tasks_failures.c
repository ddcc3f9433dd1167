/*
 * What happens when a task fails, by its policy? argv[1] names the case, argv[2] a directory that
 * tasks may write to (attempts are counted there).
 */
#include <cella/error.h>
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *directory;

/* How many times this was called with `name`, this one included. */
static int attempt_of(const char *where, const char *name)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/%s", where, name);
	FILE *f = fopen(path, "a+");
	if (!f)
		return -1;
	fputc('.', f);
	long size = ftell(f);
	fclose(f);
	return (int)size;
}

CELLA_TASK_WITH(flaky, (.retries = 3, .backoff_ms = 1), CELLA_COPY(const char, where, strlen(where) + 1),
                CELLA_OUT(int, attempt, 1))
{
	*attempt = attempt_of(where, "flaky");
	if (*attempt < 4)
		cella_fail("attempt %d is not enough", *attempt);
}

CELLA_TASK_WITH(hopeless, (.retries = 1), CELLA_COPY(const char, where, strlen(where) + 1),
                CELLA_INOUT(int, x, 1))
{
	attempt_of(where, "hopeless");
	*x = 13;
	cella_fail("no hope for %s", "this one");
}

CELLA_TASK_WITH(trapping, (.on_failure = CELLA_ON_FAILURE_FAIL), CELLA_INOUT(int, x, 1))
{
	volatile int zero = *x;
	*x = 1000 / zero;
}

CELLA_TASK_WITH(leaving, (.on_failure = CELLA_ON_FAILURE_FAIL), CELLA_VALUE(int, status))
{
	exit(status);
}

CELLA_TASK_WITH(ignored, (.on_failure = CELLA_ON_FAILURE_IGNORE), CELLA_INOUT(int, kept, 1),
                CELLA_OUT(int, zeroed, 2), CELLA_CONCURRENT(int, part, 2), CELLA_COMMUTATIVE(int, turn, 2))
{
	kept[0] = zeroed[0] = part[0] = turn[0] = 99;
	abort();
}

CELLA_TASK_WITH(doomed, (.on_failure = CELLA_ON_FAILURE_CANCEL_SUCCESSORS), CELLA_OUT(int, x, 1))
{
	*x = 1;
	cella_fail("doomed");
}

CELLA_TASK(next, CELLA_INOUT(int, x, 1))
{
	++*x;
}

CELLA_TASK(copy, CELLA_IN(const int, x, 1), CELLA_OUT(int, y, 1))
{
	*y = *x;
}

CELLA_TASK_WITH(parent, (.on_failure = CELLA_ON_FAILURE_FAIL),
                CELLA_COPY(const char, where, strlen(where) + 1))
{
	int x = 1;
	hopeless(where, &x);
}

CELLA_TASK(write_line, CELLA_FILE_OUT(path))
{
	FILE *f = fopen(path, "w");
	fputs("line\n", f);
	fclose(f);
}

static int retry(void)
{
	int attempt = 0;
	flaky(directory, &attempt);
	cella_wait_on(&attempt);
	printf("succeeded on attempt %d\n", attempt);
	return 0;
}

static int give_up(void)
{
	int x = 5;
	hopeless(directory, &x);
	cella_wait_on(&x);
	printf("not reached\n");
	return 0;
}

static int trap(void)
{
	int x = 0;
	trapping(&x);
	cella_barrier();
	printf("not reached\n");
	return 0;
}

static int leave(void)
{
	leaving(0);
	cella_barrier();
	printf("left\n");
	leaving(7);
	return 0;
}

static int ignore(void)
{
	int kept = 3, zeroed[2] = {3, 4}, part[2] = {3, 4}, turn[2] = {3, 4};
	ignored(&kept, zeroed, part, turn);
	next(&kept);
	cella_wait_on(&kept);
	cella_wait_on(zeroed);
	cella_wait_on(part);
	cella_wait_on(turn);
	printf("%d, %d %d, %d %d, %d %d\n", kept, zeroed[0], zeroed[1], part[0], part[1], turn[0], turn[1]);
	return 0;
}

static int cancel(void)
{
	int x = 7, y = 8, z = 9;
	doomed(&x);
	next(&x);
	copy(&x, &y);
	next(&z);
	int x_status = cella_wait_on(&x), y_status = cella_wait_on(&y), z_status = cella_wait_on(&z);
	printf("%d %d, %d %d, %d %d\n", x_status == CELLA_ECANCELED, x, y_status == CELLA_ECANCELED, y,
	       z_status, z);
	next(&x);
	cella_wait_on(&x);
	printf("%d\n", x);
	cella_barrier();
	return 0;
}

static int nested(void)
{
	parent(directory);
	cella_barrier();
	printf("not reached\n");
	return 0;
}

static int unwaited(void)
{
	int x = 5;
	hopeless(directory, &x);
	return 0;
}

static int nowhere(void)
{
	char path[256];
	snprintf(path, sizeof(path), "%s/missing/file", directory);
	write_line(path);
	cella_wait_on_file(path);
	printf("not reached\n");
	return 0;
}

static int in_main(void)
{
	cella_fail("main gives up: %d", 4);
}

static const struct {
	const char *name;
	int (*run)(void);
} cases[] = {
	{"retry", retry},   {"give-up", give_up}, {"trap", trap},     {"leave", leave},
	{"ignore", ignore}, {"cancel", cancel},   {"nested", nested}, {"unwaited", unwaited},
	{"main", in_main},  {"nowhere", nowhere},
};

int main(int argc, char **argv)
{
	directory = argc > 2 ? argv[2] : "";
	for (size_t i = 0; argc > 1 && i < sizeof(cases) / sizeof(cases[0]); i++)
		if (strcmp(cases[i].name, argv[1]) == 0)
			return cases[i].run();
	return 2;
}
