#include "attest/claims.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "mem/mem.h"

enum { TEXT_SHOWN = 60, PATH_MAX_SIZE = 160 };

static void json_cleanup(json_t **json)
{
	json_decref(*json);
}
#define cleanup_json __attribute__((cleanup(json_cleanup)))

static uint32_t get_u32(const void *from)
{
	uint32_t value;
	memcpy(&value, from, sizeof(value));
	return value;
}

/* ---- to JSON: NULL for what must not be written, or where memory ran out ---- */

static json_t *write_object(const struct claims_object *object, const uint8_t *from);

static json_t *write_text(const char *from, size_t size)
{
	char text[256];
	size_t length = strnlen(from, size - 1);
	if (length >= sizeof(text))
		return NULL;
	for (size_t i = 0; i < length; i++)
		text[i] = (char)(from[i] < ' ' || from[i] > '~' ? '?' : from[i]);
	return json_stringn(text, length);
}

json_t *claims_hex(const void *from, size_t size)
{
	char hex[2 * CLAIMS_BYTES_MAX + 1];
	if (size > CLAIMS_BYTES_MAX)
		return NULL;
	io_hex(from, size, hex);
	json_t *json = json_string(hex);
	mem_wipe(hex, sizeof(hex)); /* it may be a key on its way to whom it is for */
	return json;
}

json_t *claims_base64url(const void *from, size_t size)
{
	cleanup_free char *text = malloc(base64url_size(size) + 1);
	if (!text)
		return NULL;
	base64url_encode(from, size, text);
	return json_stringn(text, base64url_size(size));
}

static json_t *write_number(uint64_t value)
{
	return value <= CLAIMS_NUMBER_MAX ? json_integer((json_int_t)value) : NULL;
}

static json_t *write_level(uint32_t level)
{
	return level < MEM_LEVELS ? json_string(mem_level_name((enum mem_level)level)) : NULL;
}

static json_t *write_names(const struct claims_names *names, uint32_t bits)
{
	json_t *array = bits >> names->count ? NULL : json_array();
	for (uint32_t i = 0; array && i < names->count; i++)
		if (bits & 1u << i && json_array_append_new(array, json_string(names->names[i])) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *write_member(const struct claims_member *m, const uint8_t *from)
{
	uint64_t number;
	switch (m->kind) {
	case CLAIMS_CONSTANT: return json_string(m->constant);
	case CLAIMS_TEXT: return write_text((const char *)from + m->at, m->size);
	case CLAIMS_HEX: return claims_hex(from + m->at, m->size);
	case CLAIMS_BASE64URL: return claims_base64url(from + m->at, m->size);
	case CLAIMS_U32: return write_number(get_u32(from + m->at));
	case CLAIMS_U64: memcpy(&number, from + m->at, sizeof(number)); return write_number(number);
	case CLAIMS_LEVEL: return write_level(get_u32(from + m->at));
	case CLAIMS_NAMES: return write_names(m->names, get_u32(from + m->at));
	case CLAIMS_OBJECT: return write_object(m->object, from);
	}
	return NULL;
}

static json_t *write_object(const struct claims_object *object, const uint8_t *from)
{
	json_t *json = json_object();
	for (size_t i = 0; json && i < object->count; i++) {
		const struct claims_member *m = &object->members[i];
		if (m->optional && from[m->at] == '\0')
			continue;
		if (json_object_set_new(json, m->name, write_member(m, from)) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

int claims_write(const struct claims_object *object, const void *from, struct buf *ret, struct error *err)
{
	cleanup_json json_t *json = write_object(object, from);
	if (!json)
		return error_set(err, CELLA_EBUG, "claims with a value that their format does not have");
	cleanup_free char *text = json_dumps(json, JSON_COMPACT);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no memory for claims");
	buf_put(ret, text, strlen(text));
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for claims") : 0;
}

/* ---- from JSON ---- */

/* Where it reads, and to where. */
struct reading {
	uint8_t *to;
	char path[PATH_MAX_SIZE]; /* of the member, for texts */
	struct error *err;
};

static int printf_like(2, 3) refuse(const struct reading *r, const char *format, ...)
{
	char why[256];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	printable(why, strlen(why), false);
	return error_set(r->err, CELLA_EFORMAT, "%s%s%s", r->path, *r->path ? ": " : "", why);
}

static int read_object(struct reading *r, const struct claims_object *object, const json_t *json);

/* NULL: it is none, or not of printable ASCII; the error says so. */
static const char *text_of(const struct reading *r, const json_t *json, size_t *ret_size)
{
	const char *text = json_string_value(json);
	*ret_size = json_string_length(json);
	if (!text)
		(void)refuse(r, "no text");
	for (size_t i = 0; text && i < *ret_size; i++)
		if (text[i] < ' ' || text[i] > '~') {
			(void)refuse(r, "a text with other characters than printable ASCII");
			return NULL;
		}
	return text;
}

static int read_constant(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	size_t size;
	const char *text = text_of(r, json, &size);
	if (!text)
		return CELLA_EFORMAT;
	return strcmp(text, m->constant) == 0
	               ? 0
	               : refuse(r, "\"%.*s\", and \"%s\" is expected", TEXT_SHOWN, text, m->constant);
}

static int read_text(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	size_t size;
	const char *text = text_of(r, json, &size);
	if (!text)
		return CELLA_EFORMAT;
	if (size >= m->size || (m->optional && size == 0))
		return refuse(r, "a text of %zu characters, %d to %zu are expected", size, m->optional,
		              m->size - 1);
	memset(r->to + m->at, 0, m->size);
	memcpy(r->to + m->at, text, size);
	return 0;
}

static int read_hex(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	size_t size;
	const char *text = text_of(r, json, &size);
	if (!text)
		return CELLA_EFORMAT;
	if (size != 2 * m->size)
		return refuse(r, "%zu characters, %zu hexadecimal digits are expected", size, 2 * m->size);
	if (strspn(text, "0123456789abcdef") != size || !io_unhex(text, m->size, r->to + m->at))
		return refuse(r, "other characters than lower-case hexadecimal digits");
	return 0;
}

static int read_base64url(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	size_t size;
	const char *text = text_of(r, json, &size);
	if (!text)
		return CELLA_EFORMAT;
	if (size != base64url_size(m->size))
		return refuse(r, "%zu characters, %zu of base64url are expected", size,
		              base64url_size(m->size));
	return base64url_decode(text, size, r->to + m->at) ? 0 : refuse(r, "no base64url");
}

static int read_number(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	const uint64_t most = m->kind == CLAIMS_U32 ? UINT32_MAX : CLAIMS_NUMBER_MAX;
	if (!json_is_integer(json))
		return refuse(r, "no integer");
	json_int_t value = json_integer_value(json);
	if (value < 0 || (uint64_t)value > most)
		return refuse(r, "%" JSON_INTEGER_FORMAT " is not between 0 and %" PRIu64, value, most);
	if (m->kind == CLAIMS_U32)
		memcpy(r->to + m->at, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
	else
		memcpy(r->to + m->at, &(uint64_t){(uint64_t)value}, sizeof(uint64_t));
	return 0;
}

static int read_level(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	size_t size;
	const char *text = text_of(r, json, &size);
	enum mem_level level;
	if (!text)
		return CELLA_EFORMAT;
	if (mem_level_parse(text, &level, NULL) < 0)
		return refuse(r, "\"%.*s\" is no memory level", TEXT_SHOWN, text);
	memcpy(r->to + m->at, &(uint32_t){level}, sizeof(uint32_t));
	return 0;
}

static int read_names(const struct reading *r, const struct claims_member *m, const json_t *json)
{
	uint32_t bits = 0;
	if (!json_is_array(json))
		return refuse(r, "no array");
	for (size_t i = 0; i < json_array_size(json); i++) {
		size_t size;
		uint32_t bit = 0;
		const char *text = text_of(r, json_array_get(json, i), &size);
		if (!text)
			return CELLA_EFORMAT;
		while (bit < m->names->count && strcmp(text, m->names->names[bit]) != 0)
			bit++;
		if (bit == m->names->count)
			return refuse(r, "\"%.*s\" is unknown", TEXT_SHOWN, text);
		if (bits & 1u << bit)
			return refuse(r, "\"%s\" is there twice", text);
		bits |= 1u << bit;
	}
	memcpy(r->to + m->at, &bits, sizeof(bits));
	return 0;
}

static int read_member(struct reading *r, const struct claims_member *m, const json_t *json)
{
	switch (m->kind) {
	case CLAIMS_CONSTANT: return read_constant(r, m, json);
	case CLAIMS_TEXT: return read_text(r, m, json);
	case CLAIMS_HEX: return read_hex(r, m, json);
	case CLAIMS_BASE64URL: return read_base64url(r, m, json);
	case CLAIMS_U32:
	case CLAIMS_U64: return read_number(r, m, json);
	case CLAIMS_LEVEL: return read_level(r, m, json);
	case CLAIMS_NAMES: return read_names(r, m, json);
	case CLAIMS_OBJECT: return read_object(r, m->object, json);
	}
	return CELLA_EFORMAT;
}

static const struct claims_member *member_named(const struct claims_object *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->members[i].name, name) == 0)
			return &object->members[i];
	return NULL;
}

/* CELLA_EFORMAT for the first member that the table has not. */
static int check_known(const struct reading *r, const struct claims_object *object, const json_t *json)
{
	const char *name;
	json_t *value;
	json_object_foreach((json_t *)(uintptr_t)json, name,
	                    value) if (!member_named(object, name)) return refuse(r, "\"%.*s\" is unknown",
	                                                                          TEXT_SHOWN, name);
	return 0;
}

static int read_object(struct reading *r, const struct claims_object *object, const json_t *json)
{
	const size_t used = strlen(r->path);
	if (!json_is_object(json))
		return refuse(r, "no object");
	int rc = check_known(r, object, json);
	for (size_t i = 0; rc == 0 && i < object->count; i++) {
		const struct claims_member *m = &object->members[i];
		const json_t *value = json_object_get(json, m->name);
		if (!value && m->optional) {
			memset(r->to + m->at, 0, m->size);
			continue;
		}
		snprintf(r->path + used, sizeof(r->path) - used, "%s%s", used ? "." : "", m->name);
		rc = value ? read_member(r, m, value) : refuse(r, "it is missing");
		r->path[used] = '\0';
	}
	return rc;
}

/* How deep arrays and objects nest, were it JSON. */
static size_t depth_of(const char *json, size_t size)
{
	size_t depth = 0, most = 0;
	bool in_string = false;
	for (size_t i = 0; i < size; i++) {
		if (in_string && json[i] == '\\')
			i++;
		else if (json[i] == '"')
			in_string = !in_string;
		else if (!in_string && (json[i] == '{' || json[i] == '['))
			depth++;
		else if (!in_string && depth && (json[i] == '}' || json[i] == ']'))
			depth--;
		most = max_of(most, depth);
	}
	return most;
}

int claims_load(const void *json, size_t size, json_t **ret_root, struct error *err)
{
	const struct reading r = {.err = err};
	json_error_t why;
	if (depth_of(json, size) > CLAIMS_DEPTH_MAX)
		return refuse(&r, "JSON that is nested more than %d deep", CLAIMS_DEPTH_MAX);
	json_t *root = json_loadb(json, size, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		return refuse(&r, "no JSON: %s at byte %d", why.text, why.position);
	*ret_root = root;
	return 0;
}

int claims_read(const struct claims_object *object, const void *json, size_t size, void *to,
                struct error *err)
{
	struct reading r = {.to = to, .err = err};
	cleanup_json json_t *root = NULL;
	int rc = claims_load(json, size, &root, err);
	return rc < 0 ? rc : read_object(&r, object, root);
}
