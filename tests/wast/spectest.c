#include "spectest.h"

#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

enum { TABLE_SIZE = 10, TABLE_MAX = 20, PAGES = 1, PAGES_MAX = 2 };

static uint32_t table[1 + TABLE_MAX];
static struct memory *memory, *shared_memory;
static uint32_t global_i32 = 666;
static uint64_t global_i64 = 666;
static float global_f32 = 666.6f;
static double global_f64 = 666.6;

/* Nobody asks what they print. */
static void print(struct cell_instance *instance, union cell_value *v)
{
	(void)instance;
	(void)v;
}

#define FUNCTION(name, text)                                                                    \
	{                                                                                       \
		name,                                                                           \
		{                                                                               \
			.type = {.kind = CELL_FUNCTION}, .signature = (text), .function = print \
		}                                                                               \
	}
#define GLOBAL(letter, at)                                                                \
	{                                                                                 \
		#at,                                                                      \
		{                                                                         \
			.type = {.kind = CELL_GLOBAL, .value = (letter)}, .global = &(at) \
		}                                                                         \
	}

static const struct {
	const char *name;
	struct external external;
} exports[] = {
	FUNCTION("print", ":"),
	FUNCTION("print_i32", "i:"),
	FUNCTION("print_i64", "l:"),
	FUNCTION("print_f32", "f:"),
	FUNCTION("print_f64", "d:"),
	FUNCTION("print_i32_f32", "if:"),
	FUNCTION("print_f64_f64", "dd:"),
	GLOBAL('i', global_i32),
	GLOBAL('l', global_i64),
	GLOBAL('f', global_f32),
	GLOBAL('d', global_f64),
	{"table",
         {.type = {.kind = CELL_TABLE, .value = 'r', .bounded = 1, .maximum = TABLE_MAX},
          .table = {.elements = table, .room = TABLE_MAX}}},
	{"memory", {.type = {.kind = CELL_MEMORY, .value = 'i', .bounded = 1, .maximum = PAGES_MAX}}},
	{"shared_memory",
         {.type = {.kind = CELL_MEMORY, .value = 'i', .changes = 1, .bounded = 1, .maximum = PAGES_MAX}}},
};

int spectest_reset(struct error *err)
{
	memset(table, 0xff, sizeof(table));
	table[0] = TABLE_SIZE;
	memory = memory_new(PAGES, PAGES_MAX);
	shared_memory = memory_new(PAGES, PAGES_MAX);
	return memory && shared_memory ? 0
	                               : error_errno(err, CELLA_ENOMEM, "no memory for the module spectest");
}

bool spectest_export(const char *name, size_t size, struct external *ret)
{
	for (size_t i = 0; i < array_count(exports); i++) {
		if (strlen(exports[i].name) != size || memcmp(exports[i].name, name, size) != 0)
			continue;
		*ret = exports[i].external;
		if (ret->type.kind == CELL_MEMORY) {
			ret->memory = ret->type.changes ? shared_memory : memory;
			ret->type.minimum = memory_pages(ret->memory);
		}
		if (ret->type.kind == CELL_TABLE)
			ret->type.minimum = table[0];
		return true;
	}
	return false;
}
