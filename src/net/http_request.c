/* The head of a request, and the routes that it may take. */
#include <string.h>
#include <strings.h>

#include "net/http_text.h"

static int refuse(struct http_refusal *why, unsigned status, const char *text)
{
	*why = (struct http_refusal){status, text};
	return CELLA_EFORMAT;
}

size_t http_head_size(const char *bytes, size_t size, size_t *scanned)
{
	size_t from = *scanned > 3 ? *scanned - 3 : 0;
	const char *end = memmem(bytes + from, size - from, "\r\n\r\n", 4);
	*scanned = size;
	return end ? (size_t)(end - bytes) + 4 : 0;
}

static int read_path(char *path, struct http_request *r, struct http_refusal *why)
{
	if (strcmp(path, "/") == 0)
		return 0;
	for (char *segment = path + 1, *next; segment; segment = next) {
		next = strchr(segment, '/');
		if (next)
			*next++ = '\0';
		if (r->segment_count == HTTP_SEGMENTS_MAX)
			return refuse(why, 414, "the path has more than 16 segments");
		if (!http_decode(segment, false))
			return refuse(why, 400, "the path has a broken escape, or one that is no UTF-8");
		if (*segment == '\0' || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
			return refuse(why, 400, "the path has an empty segment, \".\" or \"..\"");
		r->segments[r->segment_count++] = segment;
	}
	return 0;
}

static int read_query(char *text, struct http_request *r, struct http_refusal *why)
{
	for (char *next; text; text = next) {
		next = strchr(text, '&');
		if (next)
			*next++ = '\0';
		char *value = strchr(text, '=');
		if (r->query_count == HTTP_QUERY_MAX)
			return refuse(why, 414, "the query has more than 16 parameters");
		if (!value || value == text)
			return refuse(why, 400, "the query is to be name=value, joined by &");
		*value++ = '\0';
		if (!http_decode(text, true) || !http_decode(value, true))
			return refuse(why, 400, "the query has a broken escape, or one that is no UTF-8");
		if (http_field(r->query, r->query_count, text))
			return refuse(why, 400, "the query names a parameter twice");
		r->query[r->query_count++] = (struct http_field){text, value};
	}
	return 0;
}

static int read_target(char *target, struct http_request *r, struct http_refusal *why)
{
	if (*target != '/')
		return refuse(why, 400, "the target is to be a path that begins with /");
	for (const char *c = target; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '#')
			return refuse(why, 400, "the target has a character that is to be escaped");
	}
	char *query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	int rc = read_path(target, r, why);
	return rc < 0 ? rc : read_query(query, r, why);
}

static int read_first_line(char *line, struct http_request *r, struct http_refusal *why)
{
	char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
	if (!version)
		return refuse(why, 400, "the first line is to be METHOD TARGET HTTP/1.1");
	*target++ = '\0';
	*version++ = '\0';
	if (strncmp(version, "HTTP/", 5) != 0 || !http_is_token(line))
		return refuse(why, 400, "the first line is to be METHOD TARGET HTTP/1.1");
	if (strcmp(version, "HTTP/1.1") != 0)
		return refuse(why, 505, "only HTTP/1.1 is spoken here");
	r->method = line;
	return read_target(target, r, why);
}

static int read_framing(struct http_request *r, struct http_refusal *why)
{
	const struct http_field *f = r->fields;
	size_t n = r->field_count, lengths = http_field_count(f, n, "content-length");
	if (http_field_count(f, n, "host") != 1)
		return refuse(why, 400, "a request is to have one Host");
	if (http_field_count(f, n, "transfer-encoding") > 0)
		return refuse(why, lengths > 0 ? 400 : 411,
		              "a body is to come with Content-Length, not in a transfer encoding");
	if (lengths > 1 || (lengths == 1 && !http_number(http_field(f, n, "content-length"), &r->body_size)))
		return refuse(why, 400, "Content-Length is to be one number");
	r->close = http_field_lists(f, n, "connection", "close");
	const char *expect = http_field(f, n, "expect");
	r->wants_continue = expect && strcasecmp(expect, "100-continue") == 0;
	if (expect && !r->wants_continue)
		return refuse(why, 417, "the only expectation that is met here is 100-continue");
	return 0;
}

int http_request_read(char *head, size_t size, struct http_request *ret_request, struct http_refusal *why)
{
	static const char no_text[] = "a line does not end with CRLF, or has a control character in it";
	struct http_request r = {0};
	struct http_lines lines = {head, head + size - 2};
	bool bad = false;
	char *line = http_next_line(&lines, &bad);
	if (!line)
		return refuse(why, 400, no_text);
	int rc = read_first_line(line, &r, why);
	if (rc < 0)
		return rc;
	rc = http_fields_read(&lines, r.fields, &r.field_count);
	if (rc == CELLA_ELIMIT)
		return refuse(why, 431, "there are more than 64 header fields");
	if (rc < 0)
		return refuse(why, 400,
		              "a header field is to be NAME: VALUE on one line that ends with CRLF");
	rc = read_framing(&r, why);
	if (rc == 0)
		*ret_request = r;
	return rc;
}

/* The segments of a pattern, one after another. */
struct segment {
	const char *at;
	size_t size;
};

static bool next_segment(const char **pattern, struct segment *ret_segment)
{
	if (**pattern != '/' || (*pattern)[1] == '\0')
		return false;
	*ret_segment = (struct segment){*pattern + 1, strcspn(*pattern + 1, "/")};
	*pattern = ret_segment->at + ret_segment->size;
	return true;
}

static bool is_named(const struct segment *s)
{
	return s->at[0] == '{';
}

int http_pattern_check(const char *pattern, struct error *err)
{
	struct segment s;
	size_t count = 0;
	const char *at = pattern;
	bool ok = *pattern == '/';
	while (ok && next_segment(&at, &s)) {
		const char *brace = memchr(s.at, '{', s.size), *end = memchr(s.at, '}', s.size);
		ok = s.size > 0 && ++count <= HTTP_SEGMENTS_MAX &&
		     ((!brace && !end) || (brace == s.at && end == s.at + s.size - 1 && s.size > 2));
	}
	return ok && (*at == '\0' || strcmp(pattern, "/") == 0)
	               ? 0
	               : error_set(
				 err, CELLA_EINVAL,
				 "the route \"%s\" is to be a path of at most %d segments, each a word or a "
				 "name in braces",
				 pattern, HTTP_SEGMENTS_MAX);
}

bool http_pattern_matches(const char *pattern, const struct http_request *r)
{
	struct segment s;
	size_t i = 0;
	for (; next_segment(&pattern, &s); i++) {
		if (i == r->segment_count)
			return false;
		if (!is_named(&s) &&
		    (strlen(r->segments[i]) != s.size || strncmp(r->segments[i], s.at, s.size) != 0))
			return false;
	}
	return i == r->segment_count;
}

const char *http_pattern_segment(const char *pattern, const struct http_request *r, const char *name)
{
	struct segment s;
	for (size_t i = 0; next_segment(&pattern, &s) && i < r->segment_count; i++) {
		if (is_named(&s) && s.size == strlen(name) + 2 && strncmp(s.at + 1, name, s.size - 2) == 0)
			return r->segments[i];
	}
	return NULL;
}
