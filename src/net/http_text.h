/* What requests and responses share: lines, fields, lengths, characters. */
#ifndef NET_HTTP_TEXT_H
#define NET_HTTP_TEXT_H

#include "net/http.h"

/* A head that is taken apart from its front. */
struct http_lines {
	char *at;
	char *end; /* behind the last line's CRLF; the empty line is not counted */
};
/* The next line, ended with a NUL in place of its CRLF; NULL at the end, or with `*bad` when a line feed
 * stands alone, a NUL or another control character is in it. */
char *http_next_line(struct http_lines *lines, bool *bad);

/* Fields up to the end. 0, CELLA_EFORMAT or CELLA_ELIMIT (more than HTTP_FIELDS_MAX). */
int http_fields_read(struct http_lines *lines, struct http_field fields[HTTP_FIELDS_MAX], size_t *ret_count);
/* How often the field is there. */
size_t http_field_count(const struct http_field *fields, size_t count, const char *name);
/* Does the list of tokens in any field of that name have `token`? */
bool http_field_lists(const struct http_field *fields, size_t count, const char *name, const char *token);
/* Decimal digits alone; false for anything else and for what is more than INT64_MAX. */
bool http_number(const char *text, uint64_t *ret_number);
bool http_is_token(const char *text);
/* In place: %41 becomes A, and with `plus` + a space. False for a broken escape, for a control character, and
 * for what is not UTF-8. */
bool http_decode(char *text, bool plus);

#endif
