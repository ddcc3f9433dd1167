/*
 * JSON objects to and from structures of C, both by one table: which members there are, of what kind, and
 * where in the structure each lies.
 *
 * What is read is not trusted. Reading is strict (RFC 8259, RFC 7493): every member that is not optional
 * is there, none is there twice and no other is; each has its kind and its size; texts are printable
 * ASCII; numbers are integers of at most 2^53. Whatever is not so is refused by the name of the member.
 *
 * JSON itself is read by jansson. Objects nest only as deep as CLAIMS_DEPTH_MAX, which is looked at
 * before, for jansson takes stack for each level.
 */
#ifndef ATTEST_CLAIMS_H
#define ATTEST_CLAIMS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { CLAIMS_DEPTH_MAX = 8, CLAIMS_BYTES_MAX = 64 };
static const uint64_t CLAIMS_NUMBER_MAX = (uint64_t)1 << 53;

enum claims_kind {
	CLAIMS_CONSTANT,  /* this text and no other */
	CLAIMS_TEXT,      /* char[size], terminated; optional: "" if it is not there */
	CLAIMS_HEX,       /* uint8_t[size], lower-case hexadecimal */
	CLAIMS_BASE64URL, /* uint8_t[size] */
	CLAIMS_U32,       /* uint32_t */
	CLAIMS_U64,       /* uint64_t, at most CLAIMS_NUMBER_MAX */
	CLAIMS_LEVEL,     /* uint32_t: enum mem_level, by its name */
	CLAIMS_NAMES,     /* uint32_t: bits, an array of the names of those that are set */
	CLAIMS_OBJECT,    /* another object, whose members lie in the same structure */
};

struct claims_names {
	const char *const *names; /* the n-th is of bit n */
	uint32_t count;
};

struct claims_member {
	const char *name;
	enum claims_kind kind;
	bool optional; /* of a text */
	size_t at;     /* in the structure */
	size_t size;
	const char *constant;
	const struct claims_names *names;
	const struct claims_object *object;
};

struct claims_object {
	const struct claims_member *members;
	size_t count;
};

/* Members of the table: where a field of a structure belongs. */
#define CLAIMS_FIELD(structure, field) \
	.at = offsetof(structure, field), .size = sizeof(((structure *)0)->field)

/* A string of lower-case hexadecimal digits; CLAIMS_BYTES_MAX bytes at most. NULL where memory ran out. */
json_t *claims_hex(const void *from, size_t size);
/* A string in base64url (RFC 4648, section 5), without padding; of what may be known. NULL where memory ran
 * out. */
json_t *claims_base64url(const void *from, size_t size);

/* Appends the object, without white space, its members in the table's order. What is not printable in a text
 * becomes '?'. CELLA_EBUG for what claims_read would not read. */
int claims_write(const struct claims_object *object, const void *from, struct buf *ret,
                 struct error *err) must_check;

/* JSON as it is read here (no member twice, nested at most CLAIMS_DEPTH_MAX deep), for who reads it without a
 * table. The caller's. CELLA_EFORMAT. */
int claims_load(const void *json, size_t size, json_t **ret_root, struct error *err) must_check;

/* CELLA_EFORMAT, with the member's place in the text; *to is undefined then. */
int claims_read(const struct claims_object *object, const void *json, size_t size, void *to,
                struct error *err) must_check;

#endif
