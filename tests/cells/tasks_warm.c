/*
 * A warm-up in /data/mode's way, and tasks that need it. Each run of it leaves a dot in /data/runs. Prints
 * what the tasks found: the table's sum, how often warm-ups and constructors ran in the task's cell, and what
 * earlier tasks left there.
 */
#include <cella/task.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef TABLE
#define TABLE 99999
#endif
enum { ROUNDS = 10 };

static int table[TABLE];
static char *words; /* on the heap */
static int constructed, warmed, spent;
static volatile int rounds;
static char mode[20];

CELLA_TASK(nothing, CELLA_OUT(int, done, 1))
{
	*done = 1;
}

__attribute__((constructor)) static void construct(void)
{
	constructed++;
}

static void append_dot(void)
{
	FILE *f = fopen("/data/runs", "a");
	if (f) {
		fputc('.', f);
		fclose(f);
	}
}

CELLA_WARM_UP(fill_table)
{
	FILE *f = fopen("/data/mode", "r");
	if (!f || !fgets(mode, sizeof(mode), f))
		__builtin_trap();
	if (strcmp(mode, "open") != 0)
		fclose(f);
	append_dot();
	for (int i = 0; i < TABLE; i++)
		table[i] = i;
	if (strcmp(mode, "trap") == 0)
		__builtin_trap();
	if (strcmp(mode, "exit") == 0)
		exit(3);
	while (strcmp(mode, "hang") == 0)
		rounds++;
	int done = 0;
	if (strcmp(mode, "task") == 0)
		nothing(&done);
}

CELLA_WARM_UP(keep_words)
{
	words = strdup("kept on the heap");
	warmed++;
}

CELLA_TASK_WITH(look, (.timeout_ms = 2000, .on_failure = CELLA_ON_FAILURE_FAIL), CELLA_OUT(int, found, 4),
                CELLA_OUT(char, text, 20))
{
	for (int i = 0; i < TABLE; i++)
		found[0] = (found[0] + table[i]) % 1000;
	found[1] = warmed;
	found[2] = constructed;
	found[3] = spent;
	snprintf(text, 20, "%s", words);
}

/* Leaves what no later task may find, in a cell that ends. */
CELLA_TASK(spend, CELLA_OUT(int, done, 1))
{
	spent = 1;
	warmed = 7;
	memset(table, 1, sizeof(table));
	memset(words, '-', strlen(words));
	*done = 1;
	exit(0);
}

int main(void)
{
	int found[4], done;
	char text[20];
	for (int i = 0; i < ROUNDS; i++) {
		look(found, text);
		cella_wait_on(found);
		cella_wait_on(text);
		printf("%d %d %d %d %s\n", found[0], found[1], found[2], found[3], text);
		spend(&done);
		cella_wait_on(&done);
	}
	return 0;
}
