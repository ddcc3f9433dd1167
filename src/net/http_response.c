/* The head of an answer, and a body in chunks. */
#include <string.h>
#include <strings.h>

#include "base/io.h"
#include "net/http_text.h"

static bool read_status(const char *line, unsigned *ret_status)
{
	if (strncmp(line, "HTTP/1.1 ", 9) != 0 || strspn(line + 9, "0123456789") != 3 ||
	    (line[12] != ' ' && line[12] != '\0') || line[9] == '0')
		return false;
	*ret_status = (unsigned)(100 * (line[9] - '0') + 10 * (line[10] - '0') + (line[11] - '0'));
	return true;
}

static int read_framing(struct http_response *r, const char *method, struct error *err)
{
	const struct http_field *f = r->fields;
	size_t n = r->field_count, lengths = http_field_count(f, n, "content-length");
	const char *encoding = http_field(f, n, "transfer-encoding");
	r->close = http_field_lists(f, n, "connection", "close");
	if (lengths > 1 ||
	    (lengths == 1 && (encoding || !http_number(http_field(f, n, "content-length"), &r->body_size))))
		return error_set(err, CELLA_EFORMAT, "it leaves open how long its body is");
	if (strcmp(method, "HEAD") == 0 || r->status / 100 == 1 || r->status == 204 || r->status == 304) {
		r->body = HTTP_BODY_NONE;
	} else if (encoding) {
		if (http_field_count(f, n, "transfer-encoding") != 1 || strcasecmp(encoding, "chunked") != 0)
			return error_set(err, CELLA_EUNSUPPORTED,
			                 "its body is in an encoding that is not understood here");
		r->body = HTTP_BODY_CHUNKED;
	} else {
		r->body = lengths == 1 ? HTTP_BODY_SIZED : HTTP_BODY_TO_END;
	}
	r->close = r->close || r->body == HTTP_BODY_TO_END;
	return 0;
}

int http_response_read(char *head, size_t size, const char *method, struct http_response *ret_response,
                       struct error *err)
{
	struct http_response r = {0};
	struct http_lines lines = {head, head + size - 2};
	bool bad = false;
	char *line = http_next_line(&lines, &bad);
	if (!line || !read_status(line, &r.status))
		return error_set(err, CELLA_EFORMAT, "it is not HTTP/1.1");
	if (http_fields_read(&lines, r.fields, &r.field_count) < 0)
		return error_set(err, CELLA_EFORMAT, "its header fields are malformed, or more than %d",
		                 HTTP_FIELDS_MAX);
	int rc = read_framing(&r, method, err);
	if (rc == 0)
		*ret_response = r;
	return rc;
}

enum {
	SIZE,
	EXTENSION,
	SIZE_FEED,
	DATA,
	DATA_RETURN,
	DATA_FEED,
	TRAILER,
	TRAILER_TEXT,
	TRAILER_FEED,
	LAST_FEED
};

static bool take_size(struct http_chunks *c, char byte)
{
	int digit = io_hex_digit(byte);
	if (digit >= 0) {
		c->digits = true;
		c->left = c->left << 4 | (unsigned)digit;
		return c->left >> 56 == 0;
	}
	c->state = byte == '\r' ? SIZE_FEED : EXTENSION;
	return c->digits && (byte == '\r' || byte == ';' || byte == ' ' || byte == '\t');
}

/* One byte that is none of the body's; false: it may not stand there. */
static bool take(struct http_chunks *c, char byte)
{
	bool feed = byte == '\n';
	size_t most = c->state >= TRAILER ? HTTP_TRAILER_MAX : HTTP_CHUNK_LINE_MAX;
	if (++c->line > most)
		return false;
	switch (c->state) {
	case SIZE: return take_size(c, byte);
	case EXTENSION: c->state = byte == '\r' ? SIZE_FEED : EXTENSION; return !feed;
	case SIZE_FEED:
		c->state = c->left > 0 ? DATA : TRAILER;
		c->line = 0;
		return feed;
	case DATA_RETURN: c->state = DATA_FEED; return byte == '\r';
	case DATA_FEED: *c = (struct http_chunks){0}; return feed;
	case TRAILER: c->state = byte == '\r' ? LAST_FEED : TRAILER_TEXT; return !feed;
	case TRAILER_TEXT: c->state = byte == '\r' ? TRAILER_FEED : TRAILER_TEXT; return !feed;
	case TRAILER_FEED: c->state = TRAILER; return feed;
	default: c->ended = true; return feed; /* LAST_FEED */
	}
}

int http_chunks_read(struct http_chunks *c, const char *bytes, size_t size, size_t *ret_used,
                     const char **ret_data, size_t *ret_size, struct error *err)
{
	size_t used = 0, data = 0;
	while (used < size && !c->ended && c->state != DATA) {
		if (!take(c, bytes[used++]))
			return error_set(err, CELLA_EFORMAT, "its body's chunks are malformed");
	}
	*ret_data = bytes + used;
	if (c->state == DATA && !c->ended) {
		data = (size_t)min_of(c->left, (uint64_t)(size - used));
		c->left -= data;
		if (c->left == 0) {
			c->state = DATA_RETURN;
			c->line = 0;
		}
	}
	*ret_used = used + data;
	*ret_size = data;
	return 0;
}
