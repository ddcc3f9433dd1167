#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "ecg_limits.h"

enum { TEXT_CHUNK = 1 << 16 };

int text_open(const char *path, struct text *ret, struct failure *why)
{
	FILE *file = fopen(path, "rb");
	if (!file)
		return failed_errno(why, "%s: cannot open the file", path);
	*ret = text_of_file(file, path);
	return 0;
}

struct text text_of_file(FILE *file, const char *name)
{
	return (struct text){.file = file, .name = name};
}

void text_close(struct text *t)
{
	if (t->file)
		fclose(t->file);
	free(t->data);
	*t = (struct text){0};
}

/* Read on, behind what is there; *ret_some is false at the file's end. */
static int text_fill(struct text *t, bool *ret_some, struct failure *why)
{
	if (t->start > 0) {
		memmove(t->data, t->data + t->start, t->end - t->start);
		t->end -= t->start;
		t->start = 0;
	}
	if (t->end > LINE_SIZE_MAX)
		return failed(why, "%s: line %" PRIu64 ": the line has more than %d bytes", t->name,
		              t->line + 1, LINE_SIZE_MAX);
	if (t->capacity - t->end < TEXT_CHUNK) {
		size_t capacity = t->end + 2 * TEXT_CHUNK;
		char *data = realloc(t->data, capacity);
		if (!data)
			return failed_memory(why, "a line of text");
		t->data = data;
		t->capacity = capacity;
	}
	/* One byte stays free for the end of a last line without LF. */
	size_t size = fread(t->data + t->end, 1, TEXT_CHUNK - 1, t->file);
	if (size == 0 && ferror(t->file))
		return failed_errno(why, "%s: cannot read the file", t->name);
	t->end += size;
	*ret_some = size > 0;
	return 0;
}

static int text_take_line(struct text *t, size_t size, size_t with_end, char **ret_line, struct failure *why)
{
	char *line = t->data + t->start;
	t->start += with_end;
	t->line++;
	if (size > LINE_SIZE_MAX)
		return text_failed(t, why, "the line has more than %d bytes", LINE_SIZE_MAX);
	if (size > 0 && line[size - 1] == '\r')
		size--;
	line[size] = 0;
	const char *zero = memchr(line, 0, size);
	if (zero)
		return text_failed(t, why, "byte %zu is a zero byte; this is no text file",
		                   (size_t)(zero - line) + 1);
	*ret_line = line;
	return 0;
}

int text_next(struct text *t, char **ret_line, struct failure *why)
{
	size_t seen = 0;
	for (;;) {
		size_t size = t->end - t->start;
		const char *found = size > seen ? memchr(t->data + t->start + seen, '\n', size - seen) : NULL;
		if (found) {
			size_t line_size = (size_t)(found - (t->data + t->start));
			return text_take_line(t, line_size, line_size + 1, ret_line, why);
		}
		seen = size;
		bool some = false;
		if (text_fill(t, &some, why) < 0)
			return -1;
		if (some)
			continue;
		if (size > 0)
			return text_take_line(t, size, size, ret_line, why);
		*ret_line = NULL;
		return 0;
	}
}

void text_failure_set(const struct text *t, struct failure *why, const char *format, ...)
{
	struct failure detail;
	va_list args;
	va_start(args, format);
	vsnprintf(detail.text, sizeof(detail.text), format, args);
	va_end(args);
	failure_set(why, "%s: line %" PRIu64 ": %s", t->name, t->line, detail.text);
}

char *text_field(char **rest, char separator)
{
	char *field = *rest;
	if (!field)
		return NULL;
	char *end = strchr(field, separator);
	if (end)
		*end++ = 0;
	*rest = end;
	return field;
}

bool text_u32(const char *field, uint32_t *ret)
{
	uint64_t value = 0;
	const char *at = field;
	for (; *at >= '0' && *at <= '9' && value <= UINT32_MAX; at++)
		value = 10 * value + (uint64_t)(*at - '0');
	if (at == field || *at || value > UINT32_MAX)
		return false;
	*ret = (uint32_t)value;
	return true;
}

/* Decimal digits, sign, point and exponent only: no blanks, hexadecimal, infinities or NaN. */
static bool is_decimal(const char *field)
{
	return *field && field[strspn(field, "0123456789+-.eE")] == 0;
}

bool text_float(const char *field, float *ret)
{
	char *end;
	if (!is_decimal(field))
		return false;
	float value = strtof(field, &end);
	if (*end || !isfinite(value))
		return false;
	*ret = value;
	return true;
}

bool text_double(const char *field, double *ret)
{
	char *end;
	if (!is_decimal(field))
		return false;
	double value = strtod(field, &end);
	if (*end || !isfinite(value))
		return false;
	*ret = value;
	return true;
}

size_t text_count_fields(const char *line, char separator)
{
	size_t count = 1;
	for (const char *at = line; (at = strchr(at, separator)); at++)
		count++;
	return count;
}
