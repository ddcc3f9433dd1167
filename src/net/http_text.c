#include "net/http_text.h"

#include <string.h>
#include <strings.h>

#include "base/io.h"
#include "base/printable.h"

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(const char *text)
{
	size_t i = 0;
	while (is_token_char(text[i]))
		i++;
	return i > 0 && text[i] == '\0';
}

/* What RFC 9110 allows in a field's value, and more than it allows in a first line. */
static bool is_text(const char *from, const char *to)
{
	for (; from < to; from++) {
		if (((unsigned char)*from < ' ' && *from != '\t') || *from == 0x7f)
			return false;
	}
	return true;
}

char *http_next_line(struct http_lines *lines, bool *bad)
{
	char *line = lines->at;
	if (line == lines->end)
		return NULL;
	char *feed = memchr(line, '\n', (size_t)(lines->end - line));
	if (!feed || feed == line || feed[-1] != '\r' || !is_text(line, feed - 1)) {
		*bad = true;
		return NULL;
	}
	feed[-1] = '\0';
	lines->at = feed + 1;
	return line;
}

static bool split_field(char *line, struct http_field *ret_field)
{
	char *colon = strchr(line, ':');
	if (!colon)
		return false;
	*colon = '\0';
	if (!http_is_token(line)) /* a folded line, or a space before the colon, ends here, too */
		return false;
	for (char *c = line; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	}
	char *value = colon + 1, *end = value + strlen(value);
	value += strspn(value, " \t");
	while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	*ret_field = (struct http_field){line, value};
	return true;
}

int http_fields_read(struct http_lines *lines, struct http_field fields[HTTP_FIELDS_MAX], size_t *ret_count)
{
	bool bad = false;
	size_t count = 0;
	for (char *line; (line = http_next_line(lines, &bad)); count++) {
		if (count == HTTP_FIELDS_MAX)
			return CELLA_ELIMIT;
		if (!split_field(line, &fields[count]))
			return CELLA_EFORMAT;
	}
	if (bad)
		return CELLA_EFORMAT;
	*ret_count = count;
	return 0;
}

const char *http_field(const struct http_field *fields, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return fields[i].value;
	}
	return NULL;
}

size_t http_field_count(const struct http_field *fields, size_t count, const char *name)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += strcmp(fields[i].name, name) == 0;
	return found;
}

static bool lists(const char *list, const char *token)
{
	size_t size = strlen(token);
	while (*list) {
		list += strspn(list, " \t,");
		size_t word = strcspn(list, " \t,;");
		if (word == size && strncasecmp(list, token, size) == 0)
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

bool http_field_lists(const struct http_field *fields, size_t count, const char *name, const char *token)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0 && lists(fields[i].value, token))
			return true;
	}
	return false;
}

bool http_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return false;
	for (size_t i = 0; i < digits; i++)
		number = 10 * number + (uint64_t)(text[i] - '0');
	*ret_number = number;
	return true;
}

static size_t count_of(const char *text, char c)
{
	size_t count = 0;
	for (; *text; text++)
		count += *text == c;
	return count;
}

bool http_decode(char *text, bool plus)
{
	char *to = text;
	for (const char *from = text; *from; to++) {
		if (*from == '%') {
			int high = io_hex_digit(from[1]), low = high < 0 ? -1 : io_hex_digit(from[2]);
			if (low < 0 || (high == 0 && low == 0))
				return false;
			*to = (char)(high << 4 | low);
			from += 3;
		} else {
			*to = plus && *from == '+' ? ' ' : *from;
			from++;
		}
	}
	*to = '\0';
	size_t marks = count_of(text, '?');
	printable(text, strlen(text), false);
	return count_of(text, '?') == marks;
}

void http_encode(struct buf *to, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		    strchr("-._~", c))
			buf_put_u8(to, c);
		else
			buf_printf(to, "%%%02X", c);
	}
}

const char *http_status_name(unsigned status)
{
	static const struct {
		unsigned status;
		const char *name;
	} names[] = {
		{100, "Continue"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{401, "Unauthorized"},
		{403, "Forbidden"},
		{404, "Not Found"},
		{405, "Method Not Allowed"},
		{406, "Not Acceptable"},
		{408, "Request Timeout"},
		{409, "Conflict"},
		{410, "Gone"},
		{411, "Length Required"},
		{412, "Precondition Failed"},
		{413, "Content Too Large"},
		{414, "URI Too Long"},
		{415, "Unsupported Media Type"},
		{417, "Expectation Failed"},
		{422, "Unprocessable Content"},
		{428, "Precondition Required"},
		{429, "Too Many Requests"},
		{431, "Request Header Fields Too Large"},
		{500, "Internal Server Error"},
		{501, "Not Implemented"},
		{502, "Bad Gateway"},
		{503, "Service Unavailable"},
		{504, "Gateway Timeout"},
		{505, "HTTP Version Not Supported"},
		{507, "Insufficient Storage"},
	};
	for (size_t i = 0; i < array_count(names); i++) {
		if (names[i].status == status)
			return names[i].name;
	}
	return "Status";
}
