/*
 * Shows what a program is given: echo given ARGUMENT... prints arguments and environment as length and
 * bytes, echo copy copies standard input to standard output, echo both N writes N lines to each of
 * standard output and error, echo exit N ends with N, echo fill FILE writes 1 MiB into a file.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void give(const char *what, const char *text)
{
	printf("%s %zu ", what, strlen(text));
	fwrite(text, 1, strlen(text), stdout);
	putchar('\n');
}

static int copy(void)
{
	static char bytes[50000];
	for (ssize_t n; (n = read(STDIN_FILENO, bytes, sizeof(bytes))) > 0;)
		for (ssize_t done = 0, more; done < n; done += more)
			if ((more = write(STDOUT_FILENO, bytes + done, (size_t)(n - done))) < 0)
				return 1;
	return 0;
}

static int fill(const char *path)
{
	static char bytes[1 << 20];
	FILE *f = fopen(path, "wb");
	if (f && fwrite(bytes, 1, sizeof(bytes), f) == sizeof(bytes) && fclose(f) == 0)
		return 0;
	printf("fill: %s\n", strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "copy") == 0)
		return copy();
	if (strcmp(what, "exit") == 0 && argc > 2)
		return (int)strtol(argv[2], NULL, 10);
	if (strcmp(what, "fill") == 0 && argc > 2)
		return fill(argv[2]);
	if (strcmp(what, "both") == 0 && argc > 2)
		for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
			printf("output %ld\n", i);
			fprintf(stderr, "error %ld\n", i);
		}
	if (strcmp(what, "given") != 0)
		return 0;
	for (int i = 0; i < argc; i++)
		give("argument", argv[i]);
	for (char **e = environ; *e; e++)
		give("variable", *e);
	return 0;
}
