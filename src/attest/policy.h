/*
 * Policies: a JSON object to a structure of C, by a table. Every member is optional, and what is not there
 * stays as it is, so that the structure holds the defaults before.
 *
 * Strict (RFC 8259, RFC 7493): no member twice, none that the table does not have (the nearest name is
 * given), each of its kind and within its bounds.
 */
#ifndef ATTEST_POLICY_H
#define ATTEST_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { POLICY_VALUES_MAX = 16, POLICY_VALUE_SIZE = 64, POLICY_TEXT_SIZE = 128, POLICY_TEXTS_MAX = 16 };

/* Values of which one must hold; count 0: anything does. */
struct policy_values {
	size_t count;
	uint8_t values[POLICY_VALUES_MAX][POLICY_VALUE_SIZE]; /* each `size` of its member long */
};
struct policy_texts {
	size_t count;
	char texts[POLICY_TEXTS_MAX][POLICY_TEXT_SIZE];
};
/* A number that may be absent. */
struct policy_number {
	bool is_set;
	uint64_t value;
};

enum policy_kind {
	POLICY_BOOL,   /* bool: true, false */
	POLICY_NUMBER, /* struct policy_number: 0 to `most` */
	POLICY_VALUES, /* struct policy_values: `size` bytes as hexadecimal, or an array of such */
	POLICY_TEXTS, /* struct policy_texts: a string, or an array of them */
	POLICY_CHOICE, /* int: the index into `choices`, a list that ends with NULL */
	POLICY_OBJECT, /* another object; its members count their places from `at` */
};

struct policy_member {
	const char *name;
	enum policy_kind kind;
	size_t at; /* in the structure: offsetof */
	uint64_t most;
	size_t size;
	const char *const *choices;
	const struct policy_object *object;
};
struct policy_object {
	const struct policy_member *members;
	size_t count;
};

/* CELLA_EFORMAT with the member's place; *to is undefined then. */
int policy_read(const struct policy_object *object, const void *json, size_t size, void *to,
                struct error *err) must_check;

/* Is `value` one of them? Also true where there are none. */
bool policy_allows(const struct policy_values *values, const void *value, size_t size);

#endif
