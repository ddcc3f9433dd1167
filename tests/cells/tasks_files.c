/* Are files data of tasks as buffers are? argv[1]: a directory with `in.txt`. The same natively. */
#include <cella/task.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *must_open(const char *path, const char *mode)
{
	FILE *f = fopen(path, mode);
	if (!f)
		cella_fail("cannot open %s", path);
	return f;
}

CELLA_TASK(shout, CELLA_FILE_IN(from), CELLA_FILE_OUT(to))
{
	FILE *in = must_open(from, "r"), *out = must_open(to, "w");
	for (int c; (c = fgetc(in)) != EOF;)
		fputc(toupper(c), out);
	fclose(in);
	fclose(out);
}

CELLA_TASK(append, CELLA_FILE_INOUT(path), CELLA_COPY(const char, text, strlen(text) + 1))
{
	FILE *f = must_open(path, "a");
	fputs(text, f);
	fclose(f);
}

CELLA_TASK(count, CELLA_FILE_IN(path), CELLA_OUT(long, size, 1))
{
	FILE *f = must_open(path, "r");
	*size = 0;
	while (fgetc(f) != EOF)
		++*size;
	fclose(f);
}

/* A nested task under the same name has a file of its own; what it makes comes back. */
CELLA_TASK(frame_it, CELLA_FILE_INOUT(path))
{
	append(path, "]\n");
	cella_wait_on_file(path);
	append(path, "(framed)\n");
}

static void show(const char *path)
{
	char line[200];
	FILE *f = must_open(path, "r");
	while (fgets(line, sizeof(line), f))
		printf("%s: %s", strrchr(path, '/') + 1, line);
	fclose(f);
}

int main(int argc, char **argv)
{
	char in[200], out[200], other[200];
	long sizes[2];
	if (argc < 2)
		return 2;
	snprintf(in, sizeof(in), "%s/in.txt", argv[1]);
	snprintf(out, sizeof(out), "%s/out.txt", argv[1]);
	snprintf(other, sizeof(other), "%s/other.txt", argv[1]);
	shout(in, out);
	count(out, &sizes[0]);
	append(out, "one\n");
	append(out, "two\n");
	count(out, &sizes[1]);
	shout(out, other);
	frame_it(other);
	cella_wait_on_file(out);
	cella_wait_on_file(other);
	cella_wait_on(&sizes[0]);
	cella_wait_on(&sizes[1]);
	show(out);
	show(other);
	printf("sizes: %ld %ld\n", sizes[0], sizes[1]);
	return 0;
}
