/*
 * HTTP/1.1 messages (RFC 9112) without the connection that they cross: heads read in place, bodies in chunks
 * read as they come, routes matched.
 *
 * Read strictly, as a peer may be an attacker and there is no old software among our own. A request: lines
 * end with CRLF; a target is a path in origin form; Host once; a body has one Content-Length and no
 * Transfer-Encoding, so that there are no two ways to tell where it ends (RFC 9112, section 11.2). An answer
 * may come in chunks, from servers that are not ours.
 *
 * A head is changed where it lies: what the structures point to are strings in it.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum {
	HTTP_HEAD_MAX = 16384, /* bytes, with the empty line */
	HTTP_FIELDS_MAX = 64,
	HTTP_SEGMENTS_MAX = 16, /* of a path */
	HTTP_QUERY_MAX = 16,    /* parameters */
	HTTP_CHUNK_LINE_MAX = 256,
	HTTP_TRAILER_MAX = 4096,
};

struct http_field {
	const char *name;  /* of a header, in lower case */
	const char *value; /* without white space around it */
};

struct http_request {
	const char *method;
	size_t segment_count; /* 0: the path is "/" */
	const char *segments[HTTP_SEGMENTS_MAX];
	size_t query_count;
	struct http_field query[HTTP_QUERY_MAX];
	size_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
	uint64_t body_size;
	bool close;          /* the connection is to end after the answer */
	bool wants_continue; /* Expect: 100-continue */
};

enum http_body { HTTP_BODY_NONE, HTTP_BODY_SIZED, HTTP_BODY_CHUNKED, HTTP_BODY_TO_END };

struct http_response {
	unsigned status;
	size_t field_count;
	struct http_field fields[HTTP_FIELDS_MAX];
	enum http_body body;
	uint64_t body_size; /* of HTTP_BODY_SIZED */
	bool close;
};

/* Why a request is refused: the status to answer with, and a sentence. */
struct http_refusal {
	unsigned status;
	const char *text;
};

/* The size of the head at the front of `size` bytes, with its empty line; 0 while it has not come whole.
 * *scanned, 0 at first, remembers what was looked at. */
size_t http_head_size(const char *bytes, size_t size, size_t *scanned);

/* A whole head of `size` bytes. CELLA_EFORMAT; *why is filled then. Segments and parameters are decoded
 * (RFC 3986; in a parameter, `+` is a space) and are UTF-8 without control characters; "." and ".." are
 * refused. */
int http_request_read(char *head, size_t size, struct http_request *ret_request,
                      struct http_refusal *why) must_check;
/* `method`: of the request that it answers. CELLA_EFORMAT, CELLA_EUNSUPPORTED. */
int http_response_read(char *head, size_t size, const char *method, struct http_response *ret_response,
                       struct error *err) must_check;

/* The value of the field, or NULL; `name` in lower case. A list in several fields gives the first. */
const char *http_field(const struct http_field *fields, size_t count, const char *name);

/* A body in chunks (RFC 9112, section 7.1), zeroed at first. Each call takes some bytes: *ret_used, and of
 * them at *ret_data *ret_size are the body's (in `bytes`, perhaps none). Done: `ended`. CELLA_EFORMAT. */
struct http_chunks {
	int state;
	bool digits;   /* a size has begun */
	bool ended;
	uint64_t left; /* of a chunk */
	size_t line;   /* bytes of a line, or of all trailers */
};
int http_chunks_read(struct http_chunks *chunks, const char *bytes, size_t size, size_t *ret_used,
                     const char **ret_data, size_t *ret_size, struct error *err) must_check;

/* Patterns of paths: "/v1/sessions/{namespace}/{name}"; a segment in braces matches any one segment. */
int http_pattern_check(const char *pattern, struct error *err) must_check;
bool http_pattern_matches(const char *pattern, const struct http_request *request);
/* The segment that {name} matched; NULL when the pattern has none of that name. */
const char *http_pattern_segment(const char *pattern, const struct http_request *request, const char *name);

/* Append text as one segment or as a parameter's value: all but RFC 3986's unreserved characters encoded. */
void http_encode(struct buf *to, const char *text);

/* "Not Found" and its kin (RFC 9110, section 15); "Status" for what is not known. */
const char *http_status_name(unsigned status);

#endif
