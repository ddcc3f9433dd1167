#include "attest/policy.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "attest/claims.h"
#include "base/io.h"
#include "base/nearest.h"
#include "base/printable.h"
#include "crypto/crypto.h"

enum { PLACE_SIZE = 160, SHOWN = 60 };

struct reading {
	uint8_t *to;
	char place[PLACE_SIZE];
	struct error *err;
};

static int printf_like(2, 3) refuse(const struct reading *r, const char *format, ...)
{
	char why[400];
	va_list args;
	va_start(args, format);
	vsnprintf(why, sizeof(why), format, args);
	va_end(args);
	printable(why, strlen(why), false);
	return error_set(r->err, CELLA_EFORMAT, "%s%s%s", r->place, *r->place ? ": " : "", why);
}

static int read_number(const struct reading *r, const struct policy_member *m, const json_t *json)
{
	const json_int_t value = json_integer_value(json);
	if (!json_is_integer(json))
		return refuse(r, "no integer");
	if (value < 0 || (uint64_t)value > m->most)
		return refuse(r, "%" JSON_INTEGER_FORMAT " is not between 0 and %llu", value,
		              (unsigned long long)m->most);
	struct policy_number *to = (struct policy_number *)(void *)(r->to + m->at);
	*to = (struct policy_number){.is_set = true, .value = (uint64_t)value};
	return 0;
}

static int add_value(const struct reading *r, const struct policy_member *m, const json_t *json)
{
	struct policy_values *to = (struct policy_values *)(void *)(r->to + m->at);
	const char *text = json_string_value(json);
	if (!text)
		return refuse(r, "no string of hexadecimal digits");
	if (json_string_length(json) != 2 * m->size || strspn(text, "0123456789abcdefABCDEF") != 2 * m->size)
		return refuse(r, "\"%.*s\" is not %zu hexadecimal digits", SHOWN, text, 2 * m->size);
	if (to->count == POLICY_VALUES_MAX)
		return refuse(r, "more than %d values", POLICY_VALUES_MAX);
	if (!io_unhex(text, m->size, to->values[to->count]))
		return refuse(r, "\"%.*s\" is not hexadecimal", SHOWN, text);
	to->count++;
	return 0;
}

static int add_text(const struct reading *r, const struct policy_member *m, const json_t *json)
{
	struct policy_texts *to = (struct policy_texts *)(void *)(r->to + m->at);
	const char *text = json_string_value(json);
	const size_t size = json_string_length(json);
	if (!text)
		return refuse(r, "no string");
	if (size == 0 || size >= POLICY_TEXT_SIZE || strlen(text) != size)
		return refuse(r, "a string of %zu bytes; it has 1 to %d", size, POLICY_TEXT_SIZE - 1);
	if (to->count == POLICY_TEXTS_MAX)
		return refuse(r, "more than %d strings", POLICY_TEXTS_MAX);
	memcpy(to->texts[to->count++], text, size + 1);
	return 0;
}

/* One, or an array of at least one. */
static int read_list(const struct reading *r, const struct policy_member *m, const json_t *json)
{
	int (*add)(const struct reading *r, const struct policy_member *m,
	           const json_t *json) = m->kind == POLICY_VALUES ? add_value : add_text;
	memset(r->to + m->at, 0, sizeof(size_t)); /* their count */
	if (!json_is_array(json))
		return add(r, m, json);
	if (json_array_size(json) == 0)
		return refuse(r, "an empty array allows nothing; leave it out to allow anything");
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < json_array_size(json); i++)
		rc = add(r, m, json_array_get(json, i));
	return rc;
}

static const char *choice_name(const void *data, size_t index)
{
	return ((const char *const *)data)[index];
}

static int read_choice(const struct reading *r, const struct policy_member *m, const json_t *json)
{
	const char *text = json_string_value(json);
	char all[200] = "";
	size_t count = 0;
	for (; text && m->choices[count]; count++)
		if (strcmp(m->choices[count], text) == 0) {
			memcpy(r->to + m->at, &(int){(int)count}, sizeof(int));
			return 0;
		}
	count = 0;
	for (size_t at = 0; m->choices[count] && at < sizeof(all); count++)
		at += (size_t)snprintf(all + at, sizeof(all) - at, "%s\"%s\"", count ? ", " : "",
		                       m->choices[count]);
	const char *nearest = text ? nearest_name(text, choice_name, m->choices, count) : NULL;
	return refuse(r, "\"%.*s\" is none of %s%s%s%s", SHOWN, text ? text : "(no string)", all,
	              nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

static int read_object(struct reading *r, const struct policy_object *object, const json_t *json);

static int read_member(struct reading *r, const struct policy_member *m, const json_t *json)
{
	switch (m->kind) {
	case POLICY_BOOL:
		if (!json_is_boolean(json))
			return refuse(r, "neither true nor false");
		memcpy(r->to + m->at, &(bool){json_is_true(json)}, sizeof(bool));
		return 0;
	case POLICY_NUMBER: return read_number(r, m, json);
	case POLICY_VALUES:
	case POLICY_TEXTS: return read_list(r, m, json);
	case POLICY_CHOICE: return read_choice(r, m, json);
	case POLICY_OBJECT: {
		uint8_t *const outer = r->to;
		r->to += m->at;
		const int rc = read_object(r, m->object, json);
		r->to = outer;
		return rc;
	}
	}
	return CELLA_EBUG;
}

static const char *member_name(const void *data, size_t index)
{
	return ((const struct policy_member *)data)[index].name;
}

static const struct policy_member *member_named(const struct policy_object *object, const char *name)
{
	for (size_t i = 0; i < object->count; i++)
		if (strcmp(object->members[i].name, name) == 0)
			return &object->members[i];
	return NULL;
}

static int no_such_member(const struct reading *r, const struct policy_object *object, const char *name)
{
	const char *nearest = nearest_name(name, member_name, object->members, object->count);
	return refuse(r, "there is no member \"%.*s\"%s%s%s", SHOWN, name, nearest ? "; did you mean " : "",
	              nearest ? nearest : "", nearest ? "?" : "");
}

static int read_object(struct reading *r, const struct policy_object *object, const json_t *json)
{
	const size_t used = strlen(r->place);
	int rc = json_is_object(json) ? 0 : refuse(r, "no object");
	for (void *i = json_object_iter((json_t *)(uintptr_t)json); rc == 0 && i;
	     i = json_object_iter_next((json_t *)(uintptr_t)json, i)) {
		const char *name = json_object_iter_key(i);
		const struct policy_member *m = member_named(object, name);
		if (!m)
			return no_such_member(r, object, name);
		snprintf(r->place + used, sizeof(r->place) - used, "%s%s", used ? "." : "", m->name);
		rc = read_member(r, m, json_object_iter_value(i));
		r->place[used] = '\0';
	}
	return rc;
}

int policy_read(const struct policy_object *object, const void *json, size_t size, void *to,
                struct error *err)
{
	struct reading r = {.to = to, .err = err};
	json_t *root;
	int rc = claims_load(json, size, &root, err);
	if (rc == 0) {
		rc = read_object(&r, object, root);
		json_decref(root);
	}
	return rc < 0 ? error_prefix(err, rc, "the policy: ") : 0;
}

bool policy_allows(const struct policy_values *values, const void *value, size_t size)
{
	for (size_t i = 0; i < values->count; i++)
		if (crypto_equal(values->values[i], value, size))
			return true;
	return values->count == 0;
}
