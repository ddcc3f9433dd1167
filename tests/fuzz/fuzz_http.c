/* Does reading any request, answer or body in chunks stay inside it, and is what it gives sound? The first
 * byte chooses. */
#include <stdlib.h>
#include <string.h>

#include "net/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t measure(const struct http_field *fields, size_t count)
{
	size_t size = 0;
	for (size_t i = 0; i < count; i++)
		size += strlen(fields[i].name) + strlen(fields[i].value);
	return size;
}

/* All strings together are no longer than what they came from. */
static void read_request(char *head, size_t size)
{
	struct http_request r;
	struct http_refusal why;
	if (http_request_read(head, size, &r, &why) < 0) {
		if (why.status < 400 || !why.text)
			abort();
		return;
	}
	size_t all = strlen(r.method) + measure(r.fields, r.field_count) + measure(r.query, r.query_count);
	for (size_t i = 0; i < r.segment_count; i++) {
		all += strlen(r.segments[i]);
		if (strcmp(r.segments[i], "..") == 0 || *r.segments[i] == '\0')
			abort();
	}
	static const char pattern[] = "/v1/{a}/{b}";
	if (all > size || (http_pattern_matches(pattern, &r) && !http_pattern_segment(pattern, &r, "b")))
		abort();
}

static void read_response(char *head, size_t size, const char *method)
{
	struct http_response r;
	struct error err;
	if (http_response_read(head, size, method, &r, &err) == 0 &&
	    (r.status < 100 || r.status > 999 || measure(r.fields, r.field_count) > size))
		abort();
}

/* In steps of `step` bytes it comes to the same end. */
static size_t read_chunks(const char *bytes, size_t size, size_t step, bool *ret_ended)
{
	struct http_chunks chunks = {0};
	const char *part;
	size_t body = 0, used, part_size;
	for (size_t at = 0; at < size && !chunks.ended; at += used) {
		if (http_chunks_read(&chunks, bytes + at, min_of(step, size - at), &used, &part, &part_size,
		                     NULL) < 0)
			break;
		if (used == 0 || part + part_size > bytes + at + used)
			abort();
		body += part_size;
	}
	*ret_ended = chunks.ended;
	return body;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t scanned = 0;
	if (size < 1)
		return -1;
	char *text = malloc(size);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	size_t head = http_head_size(text, size - 1, &scanned);
	bool one, other;
	if (data[0] == 'c') {
		size_t whole = read_chunks(text, size - 1, size, &one),
		       steps = read_chunks(text, size - 1, 1, &other);
		if (one != other || (one && whole != steps))
			abort();
	} else if (head > 0 && data[0] == 'r') {
		read_request(text, head);
	} else if (head > 0) {
		read_response(text, head, data[0] == 'h' ? "HEAD" : "GET");
	}
	free(text);
	return 0;
}
