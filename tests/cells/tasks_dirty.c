/*
 * Does a task find what the header promises, whatever lay there before? OUT data start as zeros, what is
 * passed by value is the task's own. argv[1]: a directory. The same natively.
 */
#include <cella/task.h>

#include <stdio.h>
#include <string.h>

enum { BINS = 8, ROWS = 3 };

/* Counts into its result without clearing it first. */
CELLA_TASK(histogram, CELLA_IN(const unsigned char, bytes, n), CELLA_VALUE(size_t, n),
           CELLA_OUT(int, bins, BINS))
{
	for (size_t i = 0; i < n; i++)
		bins[bytes[i] % BINS]++;
}

CELLA_TASK(count_rows, CELLA_OUT_EACH(int, rows, ROWS, cella_i + 1), CELLA_VALUE(int, add))
{
	for (int i = 0; i < ROWS; i++)
		rows[i][i] += add;
}

CELLA_TASK(count_blocks, CELLA_OUT_EACH2(int, blocks, 2, ROWS, 1))
{
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < ROWS; j++)
			*blocks[i][j] += 10 * i + j;
}

CELLA_TASK(reverse, CELLA_COPY(char, text, strlen(text) + 1), CELLA_OUT(char, to, 16),
           CELLA_VALUE(int, steps))
{
	for (size_t i = 0, j = strlen(text) - 1; i < j; i++, j--) {
		char c = text[i];
		text[i] = text[j];
		text[j] = c;
	}
	steps++;
	snprintf(to, 16, "%s %d", text, steps);
}

CELLA_TASK(nothing, CELLA_OUT(int, none, n), CELLA_COPY(int, empty, n), CELLA_VALUE(int, n),
           CELLA_OUT(int, done, 1))
{
	(void)none;
	(void)empty;
	(void)n;
	done[0]++;
}

CELLA_TASK(log_to, CELLA_FILE_OUT(path))
{
	FILE *f = fopen(path, "a");
	if (!f)
		cella_fail("cannot open %s", path);
	fputs("one line\n", f);
	fclose(f);
}

static void buffers(void)
{
	int bins[BINS], storage[ROWS][ROWS], blocks[2][ROWS], *rows[ROWS], *row_blocks[2][ROWS], **nested[2];
	memset(bins, 0x55, sizeof(bins));
	memset(storage, 0x55, sizeof(storage));
	memset(blocks, 0x55, sizeof(blocks));
	for (int i = 0; i < ROWS; i++)
		rows[i] = storage[i];
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < ROWS; j++)
			row_blocks[i][j] = &blocks[i][j];
		nested[i] = row_blocks[i];
	}
	histogram((const unsigned char *)"abcabcaaz", 9, bins);
	count_rows(rows, 7);
	count_blocks(nested);
	cella_wait_on(bins);
	for (int i = 0; i < BINS; i++)
		printf("%d ", bins[i]);
	for (int i = 0; i < ROWS; i++) {
		cella_wait_on(rows[i]);
		for (int j = 0; j <= i; j++)
			printf("%d ", storage[i][j]);
	}
	/* What is no task's stays as it was. */
	printf("%x ", (unsigned)storage[0][1]);
	for (int i = 0; i < 2 * ROWS; i++) {
		cella_wait_on(row_blocks[i / ROWS][i % ROWS]);
		printf("%d ", blocks[i / ROWS][i % ROWS]);
	}
	printf("\n");
}

int main(int argc, char **argv)
{
	char text[] = "drawer", to[16], path[200];
	int done = 99, steps = 4;
	if (argc < 2)
		return 2;
	buffers();
	memset(to, '!', sizeof(to));
	reverse(text, to, steps);
	nothing(NULL, NULL, 0, &done);
	cella_wait_on(to);
	cella_wait_on(&done);
	printf("%s, then %s %d; %d\n", to, text, steps, done);
	snprintf(path, sizeof(path), "%s/out.txt", argv[1]);
	FILE *f = fopen(path, "w");
	if (!f)
		return 3;
	fputs("an older line\n", f);
	fclose(f);
	log_to(path);
	cella_wait_on_file(path);
	char line[64] = "";
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("%s", line);
	return 0;
}
