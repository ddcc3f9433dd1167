/*
 * Text files, one bounded line at a time, and the numbers in them.
 *
 * Lines end with LF or CR LF; a line may not hold a zero byte or more than LINE_SIZE_MAX bytes.
 */
#ifndef ECG_TEXT_H
#define ECG_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "failure.h"

struct text {
	FILE *file;
	const char *name; /* stands in failures; lives as long as the text */
	uint64_t line;    /* the number of the line read last, from 1 */
	char *data;
	size_t capacity;
	size_t start; /* data[start .. end) has been read from the file but not yet as lines */
	size_t end;
};

int text_open(const char *path, struct text *ret, struct failure *why) must_check;
/* A text over an open file, which it closes. */
struct text text_of_file(FILE *file, const char *name);
void text_close(struct text *t);
#define cleanup_text __attribute__((cleanup(text_close)))

/* The next line without its end, NULL behind the last. It is the caller's to cut up until the next call. */
int text_next(struct text *t, char **ret_line, struct failure *why) must_check;
/* A failure on the line read last: "NAME: line N: ...". */
void text_failure_set(const struct text *t, struct failure *why, const char *format, ...) printf_like(3, 4);
#define text_failed(...) (text_failure_set(__VA_ARGS__), -1)

/* Cut the next field off *rest; NULL behind the last. */
char *text_field(char **rest, char separator);
/* Whole-field numbers; false if it is none. Numbers in the text are finite and decimal. */
bool text_u32(const char *field, uint32_t *ret);
bool text_float(const char *field, float *ret);
bool text_double(const char *field, double *ret);
/* How many fields the line has. */
size_t text_count_fields(const char *line, char separator);

#endif
