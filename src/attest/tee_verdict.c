/* Verdicts: claims and checks in order, and the storage of their texts. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/tee.h"
#include "base/io.h"
#include "crypto/x509.h"

enum { CHUNK_SIZE = 8192 - 2 * sizeof(void *), FIRST_ROWS = 64 };

/* A chunk of strings, which stay where they are. */
struct tee_text {
	struct tee_text *next;
	size_t used, capacity;
	char bytes[];
};

void tee_verdict_done(struct tee_verdict *verdict)
{
	for (struct tee_text *chunk = verdict->texts, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(verdict->claims);
	free(verdict->checks);
	memset(verdict, 0, sizeof(*verdict));
}

const char *tee_status_name(enum tee_status status)
{
	static const char *const names[] = {
		[TEE_PASSED] = "passed",
		[TEE_WARNED] = "warned",
		[TEE_FAILED] = "failed",
	};
	return names[status];
}

const struct tee_claim *tee_claim_named(const struct tee_verdict *verdict, const char *name)
{
	for (size_t i = 0; i < verdict->claim_count; i++)
		if (strcmp(verdict->claims[i].name, name) == 0)
			return &verdict->claims[i];
	return NULL;
}

const struct tee_check *tee_check_named(const struct tee_verdict *verdict, const char *name)
{
	for (size_t i = 0; i < verdict->check_count; i++)
		if (strcmp(verdict->checks[i].name, name) == 0)
			return &verdict->checks[i];
	return NULL;
}

/* ---- texts ---- */

/* Room for `size` bytes at the end of the newest chunk; NULL when memory ran out. */
static char *reserve(struct tee_verdict *verdict, size_t size)
{
	struct tee_text *chunk = verdict->texts;
	if (!chunk || chunk->capacity - chunk->used < size) {
		const size_t capacity = max_of(size, (size_t)CHUNK_SIZE);
		chunk = malloc(sizeof(*chunk) + capacity);
		if (!chunk) {
			verdict->no_memory = true;
			return NULL;
		}
		*chunk = (struct tee_text){.next = verdict->texts, .capacity = capacity};
		verdict->texts = chunk;
	}
	return chunk->bytes + chunk->used;
}

static const char *keep(struct tee_verdict *verdict, char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (text[i] < ' ' || text[i] > '~')
			text[i] = '?';
	verdict->texts->used += size + 1;
	return text;
}

static const char *printf_like(2, 0) make_text(struct tee_verdict *verdict, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	size_t left = verdict->texts ? verdict->texts->capacity - verdict->texts->used : 0;
	char *to = left > 0 ? verdict->texts->bytes + verdict->texts->used : NULL;
	const int size = vsnprintf(to, left, format, args);
	if (size >= 0 && (size_t)size >= left) {
		to = reserve(verdict, (size_t)size + 1);
		if (to)
			vsnprintf(to, (size_t)size + 1, format, again);
	}
	va_end(again);
	return size < 0 || !to ? "" : keep(verdict, to, (size_t)size);
}

const char *tee_text(struct tee_verdict *verdict, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *text = make_text(verdict, format, args);
	va_end(args);
	return text;
}

const char *tee_hex(struct tee_verdict *verdict, const void *bytes, size_t size)
{
	char *to = reserve(verdict, 2 * size + 1);
	if (!to)
		return "";
	io_hex(bytes, size, to);
	return keep(verdict, to, 2 * size);
}

const char *tee_time_text(struct tee_verdict *verdict, int64_t time)
{
	char text[CERT_TIME_TEXT_SIZE];
	cert_time_text(time, text);
	return tee_text(verdict, "%s", text);
}

/* ---- rows ---- */

/* One more row of `row_size` bytes behind `count`; NULL when memory ran out. */
static void *add_row(struct tee_verdict *verdict, void **rows, size_t *count, size_t *capacity,
                     size_t row_size)
{
	if (*count == *capacity) {
		const size_t more = *capacity ? 2 * *capacity : FIRST_ROWS;
		void *grown = reallocarray(*rows, more, row_size);
		if (!grown) {
			verdict->no_memory = true;
			return NULL;
		}
		*rows = grown;
		*capacity = more;
	}
	return (char *)*rows + (*count)++ * row_size;
}

static void add_claim(struct tee_verdict *verdict, const char *name, const char *value, const char *meaning)
{
	void *rows = verdict->claims;
	struct tee_claim *claim = add_row(verdict, &rows, &verdict->claim_count, &verdict->claim_capacity,
	                                  sizeof(*claim));
	verdict->claims = rows;
	if (claim)
		*claim = (struct tee_claim){.name = name, .value = value, .meaning = meaning};
}

void tee_claim(struct tee_verdict *verdict, const char *name, const char *meaning, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *value = make_text(verdict, format, args);
	va_end(args);
	add_claim(verdict, name, value, meaning);
}

void tee_claim_hex(struct tee_verdict *verdict, const char *name, const char *meaning, const void *bytes,
                   size_t size)
{
	add_claim(verdict, name, tee_hex(verdict, bytes, size), meaning);
}

static void add_check(struct tee_verdict *verdict, const char *name, enum tee_status status,
                      const char *wanted, const char *found)
{
	void *rows = verdict->checks;
	struct tee_check *check = add_row(verdict, &rows, &verdict->check_count, &verdict->check_capacity,
	                                  sizeof(*check));
	verdict->checks = rows;
	if (check)
		*check = (struct tee_check){name, status, wanted, found};
	verdict->failed_count += status == TEE_FAILED;
	verdict->warned_count += status == TEE_WARNED;
}

void tee_check(struct tee_verdict *verdict, const char *name, enum tee_status status, const char *wanted,
               const char *format, ...)
{
	va_list args;
	va_start(args, format);
	const char *found = make_text(verdict, format, args);
	va_end(args);
	add_check(verdict, name, status, wanted, found);
}

void tee_unchecked(struct tee_verdict *verdict, const char *name, const char *wanted, const char *because)
{
	add_check(verdict, name, TEE_FAILED, wanted, tee_text(verdict, "not looked at: %s", because));
}
