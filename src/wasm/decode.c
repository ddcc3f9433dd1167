/*
 * Sections of a module, in order (core specification 5.5), each checked while it is read
 * (3.4). Bodies are only located here; validate.c reads them when everything around is known.
 */
#include <stdlib.h>
#include <string.h>

#include "wasm/module.h"
#include "wasm/validate.h"
#include "wasm/wasm.h"

struct wasm_arena {
	struct wasm_arena *next;
	uint8_t bytes[] __attribute__((aligned(16)));
};

void *wasm_array(struct wasm_decoder *d, size_t count, size_t size)
{
	struct wasm_arena *chunk = NULL;
	size_t bytes;
	if (!__builtin_mul_overflow(count, size, &bytes) && bytes <= SIZE_MAX / 2)
		chunk = calloc(1, sizeof(*chunk) + max_of(bytes, (size_t)1));
	if (!chunk) {
		wasm_fail(d, CELLA_ENOMEM, "no memory for %zu entries", count);
		return NULL;
	}
	chunk->next = d->m->arena;
	d->m->arena = chunk;
	return chunk->bytes;
}

void wasm_module_free(struct wasm_module *m)
{
	if (!m)
		return;
	for (struct wasm_arena *chunk = m->arena, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(m);
}

static uint32_t read_type_list(struct wasm_decoder *d, uint32_t most, const char *what, struct buf *to)
{
	uint32_t count = wasm_read_count(d, most, what);
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		buf_put_u8(to, (uint8_t)wasm_read_value_type(d));
	return count;
}

static void decode_type(struct wasm_decoder *d, struct wasm_type *type)
{
	cleanup_buf struct buf text = {0};
	size_t start = d->r.at;
	uint8_t form = wasm_read_u8(d);
	if (d->rc == 0 && form != TYPE_BYTE_FUNCTION)
		wasm_fail_at(d, start, CELLA_EFORMAT, "type form 0x%02x is not supported; only functions are",
		             form);
	type->param_count = read_type_list(d, WASM_PARAMETERS_MAX, "parameters", &text);
	buf_put_u8(&text, ':');
	type->result_count = read_type_list(d, WASM_RESULTS_MAX, "results", &text);
	buf_put_u8(&text, 0);
	if (d->rc < 0)
		return;
	char *signature = wasm_array(d, text.size, 1);
	if (!signature || text.failed)
		return;
	memcpy(signature, text.data, text.size);
	type->signature = signature;
	type->params = signature;
	type->results = signature + type->param_count + 1;
}

static int by_signature(const void *a, const void *b)
{
	const struct wasm_type *x = *(const struct wasm_type *const *)a;
	const struct wasm_type *y = *(const struct wasm_type *const *)b;
	int order = strcmp(x->signature, y->signature);
	return order ? order : (x > y) - (x < y);
}

static void find_canonical_types(struct wasm_decoder *d, struct wasm_type *types, uint32_t count)
{
	struct wasm_type **sorted = calloc(max_of(count, 1u), sizeof(struct wasm_type *));
	if (!sorted) {
		wasm_fail(d, CELLA_ENOMEM, "no memory for %u types", count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &types[i];
	qsort(sorted, count, sizeof(struct wasm_type *), by_signature);
	for (uint32_t i = 0; i < count; i++) {
		bool same = i > 0 && strcmp(sorted[i]->signature, sorted[i - 1]->signature) == 0;
		sorted[i]->canonical = same ? sorted[i - 1]->canonical : (uint32_t)(sorted[i] - types);
	}
	free(sorted);
}

static void decode_type_section(struct wasm_decoder *d)
{
	uint32_t count = wasm_read_count(d, WASM_TYPES_MAX, "types");
	struct wasm_type *types = wasm_array(d, count, sizeof(*types));
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		decode_type(d, &types[i]);
	if (d->rc < 0)
		return;
	find_canonical_types(d, types, count);
	d->m->types = types;
	d->m->type_count = count;
}

/* `known` are the flags that this kind of thing may have; returns those that it has. */
static uint8_t read_limits_flags(struct wasm_decoder *d, uint8_t known, const char *what)
{
	size_t start = d->r.at;
	uint8_t flags = wasm_read_u8(d);
	if (flags & ~known) {
		const char *why = flags <= 3   ? "only a memory can be shared"
		                  : flags <= 7 ? "64-bit tables (memory64) are not supported"
		                               : "these limits are not supported";
		wasm_fail_at(d, start, CELLA_EFORMAT, "%s of kind 0x%02x: %s", what, flags, why);
	}
	if ((flags & (LIMITS_SHARED | LIMITS_MAXIMUM)) == LIMITS_SHARED)
		wasm_fail_at(d, start, CELLA_EFORMAT, "a shared memory must have a greatest size");
	return flags;
}

static void decode_limits(struct wasm_decoder *d, uint8_t flags, uint64_t most, const char *what,
                          struct wasm_limits *ret)
{
	size_t start = d->r.at;
	bool wide = flags & LIMITS_64;
	ret->minimum = wide ? wasm_read_u64(d) : wasm_read_u32(d);
	ret->bounded = flags & LIMITS_MAXIMUM;
	ret->shared = flags & LIMITS_SHARED;
	ret->maximum = most;
	if (ret->bounded)
		ret->maximum = wide ? wasm_read_u64(d) : wasm_read_u32(d);
	if (d->rc == 0 && (ret->minimum > most || ret->maximum > most))
		wasm_fail_at(d, start, CELLA_EFORMAT, "a %s has at most %llu units", what,
		             (unsigned long long)most);
	if (d->rc == 0 && ret->minimum > ret->maximum)
		wasm_fail_at(d, start, CELLA_EFORMAT, "the %s's least size %llu is above its greatest %llu",
		             what, (unsigned long long)ret->minimum, (unsigned long long)ret->maximum);
}

static void decode_table_type(struct wasm_decoder *d, struct wasm_table *table)
{
	table->type = wasm_read_reference_type(d);
	uint8_t flags = read_limits_flags(d, LIMITS_MAXIMUM, "table");
	decode_limits(d, flags, UINT32_MAX, "table", &table->limits);
}

static void decode_memory_type(struct wasm_decoder *d)
{
	if (d->m->memory_count > 0) {
		wasm_fail(d, CELLA_EFORMAT, "a second memory is not supported (multiple memories)");
		return;
	}
	/* Shared or not, a memory is the same to all instructions. */
	uint8_t flags = read_limits_flags(d, LIMITS_MAXIMUM | LIMITS_SHARED | LIMITS_64, "memory");
	d->m->memory64 = flags & LIMITS_64;
	decode_limits(d, flags, d->m->memory64 ? WASM_MEMORY64_PAGES_MAX : WASM_MEMORY_PAGES_MAX, "memory",
	              &d->m->memory);
	d->m->memory_count = 1;
}

static void decode_global_type(struct wasm_decoder *d, struct wasm_global *global)
{
	global->type = wasm_read_value_type(d);
	size_t start = d->r.at;
	uint8_t changes = wasm_read_u8(d);
	if (changes > 1)
		wasm_fail_at(d, start, CELLA_EFORMAT, "mutability 0x%02x is neither 0 nor 1", changes);
	global->changes = changes == 1;
}

/* A type that the function section, a tag or an import names. */
static const struct wasm_type *read_type_index(struct wasm_decoder *d)
{
	uint32_t index = wasm_read_index(d, d->m->type_count, "type");
	return d->rc < 0 ? NULL : &d->m->types[index];
}

static void decode_tag_type(struct wasm_decoder *d, struct wasm_tag *tag)
{
	size_t start = d->r.at;
	uint8_t attribute = wasm_read_u8(d);
	if (attribute != 0)
		wasm_fail_at(d, start, CELLA_EFORMAT, "a tag of kind 0x%02x is not supported; exceptions are",
		             attribute);
	start = d->r.at;
	tag->type = read_type_index(d);
	if (d->rc == 0 && tag->type->result_count > 0)
		wasm_fail_at(d, start, CELLA_EFORMAT, "a tag's type has results");
	else if (d->rc == 0 && wasm_thrown_words(tag->type) > WASM_THROWN_MAX)
		wasm_fail_at(d, start, CELLA_ELIMIT, "a tag carries %u words; at most %d are supported",
		             wasm_thrown_words(tag->type), WASM_THROWN_MAX);
}

/* Index spaces hold imports first, but the sections that complete them come later: the arrays
 * grow by `more` when those are read. */
static bool grow_space(struct wasm_decoder *d, void **array, uint32_t count, uint32_t more, size_t size,
                       uint32_t most, const char *what)
{
	if (more > most - min_of(count, most)) {
		wasm_fail(d, CELLA_ELIMIT, "more than %u %s", most, what);
		return false;
	}
	void *grown = wasm_array(d, (size_t)count + more, size);
	if (!grown)
		return false;
	if (count)
		memcpy(grown, *array, count * size);
	*array = grown;
	return true;
}

static void decode_import(struct wasm_decoder *d, struct wasm_import *import)
{
	struct wasm_module *m = d->m;
	import->offset = d->r.at;
	import->module = wasm_read_name(d);
	import->name = wasm_read_name(d);
	size_t start = d->r.at;
	uint8_t kind = wasm_read_u8(d);
	if (d->rc < 0)
		return;
	import->kind = kind;
	switch (kind) {
	case KIND_FUNCTION:
		import->index = m->function_count;
		m->functions[m->function_count++].type = read_type_index(d);
		break;
	case KIND_TABLE:
		import->index = m->table_count;
		m->tables[m->table_count].import = m->import_count;
		decode_table_type(d, &m->tables[m->table_count++]);
		break;
	case KIND_MEMORY: decode_memory_type(d); break;
	case KIND_GLOBAL:
		import->index = m->global_count;
		m->globals[m->global_count].import = m->import_count;
		decode_global_type(d, &m->globals[m->global_count++]);
		break;
	case KIND_TAG:
		import->index = m->tag_count;
		decode_tag_type(d, &m->tags[m->tag_count++]);
		break;
	default: wasm_fail_at(d, start, CELLA_EFORMAT, "import kind 0x%02x is not supported", kind);
	}
}

static void decode_import_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_IMPORTS_MAX, "imports");
	m->imports = wasm_array(d, count, sizeof(*m->imports));
	m->functions = wasm_array(d, count, sizeof(*m->functions));
	m->tables = wasm_array(d, count, sizeof(*m->tables));
	m->globals = wasm_array(d, count, sizeof(*m->globals));
	m->tags = wasm_array(d, count, sizeof(*m->tags));
	for (; m->import_count < count && d->rc == 0; m->import_count++)
		decode_import(d, &m->imports[m->import_count]);
	m->function_import_count = m->function_count;
	m->table_import_count = m->table_count;
	m->memory_import_count = m->memory_count;
	m->global_import_count = m->global_count;
	m->tag_import_count = m->tag_count;
}

static void decode_function_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_FUNCTIONS_MAX, "functions");
	if (!grow_space(d, (void **)&m->functions, m->function_count, count, sizeof(*m->functions),
	                WASM_FUNCTIONS_MAX, "functions"))
		return;
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		m->functions[m->function_count++].type = read_type_index(d);
}

static void decode_table_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_TABLES_MAX, "tables");
	if (!grow_space(d, (void **)&m->tables, m->table_count, count, sizeof(*m->tables), WASM_TABLES_MAX,
	                "tables"))
		return;
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		decode_table_type(d, &m->tables[m->table_count++]);
}

static void decode_memory_section(struct wasm_decoder *d)
{
	uint32_t count = wasm_read_count(d, UINT32_MAX, "memories");
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		decode_memory_type(d);
}

static void decode_tag_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_TAGS_MAX, "tags");
	if (!grow_space(d, (void **)&m->tags, m->tag_count, count, sizeof(*m->tags), WASM_TAGS_MAX, "tags"))
		return;
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		decode_tag_type(d, &m->tags[m->tag_count++]);
}

static void decode_global_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	uint32_t count = wasm_read_count(d, WASM_GLOBALS_MAX, "globals");
	if (!grow_space(d, (void **)&m->globals, m->global_count, count, sizeof(*m->globals),
	                WASM_GLOBALS_MAX, "globals"))
		return;
	for (uint32_t i = 0; i < count && d->rc == 0; i++) {
		struct wasm_global *global = &m->globals[m->global_count];
		decode_global_type(d, global);
		wasm_read_constant(d, global->type, &global->value);
		m->global_count++;
	}
}

static int by_name(const void *a, const void *b)
{
	const struct wasm_text *x = &(*(const struct wasm_export *const *)a)->name;
	const struct wasm_text *y = &(*(const struct wasm_export *const *)b)->name;
	int order = memcmp(x->bytes, y->bytes, min_of(x->size, y->size));
	return order ? order : (x->size > y->size) - (x->size < y->size);
}

static void check_export_names(struct wasm_decoder *d, const struct wasm_export *exports, uint32_t count)
{
	const struct wasm_export **sorted = calloc(max_of(count, 1u), sizeof(*sorted));
	if (!sorted) {
		wasm_fail(d, CELLA_ENOMEM, "no memory for %u exports", count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = &exports[i];
	qsort(sorted, count, sizeof(*sorted), by_name);
	for (uint32_t i = 1; i < count && d->rc == 0; i++)
		if (by_name(&sorted[i - 1], &sorted[i]) == 0)
			wasm_fail(d, CELLA_EFORMAT, "two exports have the name \"%s\"",
			          wasm_show(sorted[i]->name).text);
	free(sorted);
}

static void decode_export(struct wasm_decoder *d, struct wasm_export *export)
{
	const struct wasm_module *m = d->m;
	static const char *const kinds[KIND_COUNT] = {"function", "table", "memory", "global", "tag"};
	const uint32_t counts[KIND_COUNT] = {m->function_count, m->table_count, m->memory_count,
	                                     m->global_count, m->tag_count};
	export->name = wasm_read_name(d);
	size_t start = d->r.at;
	uint8_t kind = wasm_read_u8(d);
	if (kind >= KIND_COUNT) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "export kind 0x%02x is not supported", kind);
		return;
	}
	export->kind = kind;
	export->index = wasm_read_index(d, counts[kind], kinds[kind]);
	if (d->rc < 0)
		return;
	if (kind == KIND_FUNCTION)
		m->functions[export->index].referenced = true;
	if (kind == KIND_TABLE)
		m->tables[export->index].grows = true;
}

static void decode_export_section(struct wasm_decoder *d)
{
	uint32_t count = wasm_read_count(d, WASM_EXPORTS_MAX, "exports");
	struct wasm_export *exports = wasm_array(d, count, sizeof(*exports));
	for (uint32_t i = 0; i < count && d->rc == 0; i++)
		decode_export(d, &exports[i]);
	if (d->rc < 0)
		return;
	check_export_names(d, exports, count);
	d->m->exports = exports;
	d->m->export_count = count;
}

static void decode_start_section(struct wasm_decoder *d)
{
	size_t start = d->r.at;
	d->m->start = wasm_read_index(d, d->m->function_count, "function");
	if (d->rc == 0 && strcmp(d->m->functions[d->m->start].type->signature, ":") != 0)
		wasm_fail_at(d, start, CELLA_EFORMAT, "the start function has parameters or results");
}

static void decode_data_count_section(struct wasm_decoder *d)
{
	d->m->declared_data_count = wasm_read_u32(d);
}

static void decode_code_section(struct wasm_decoder *d)
{
	struct wasm_module *m = d->m;
	size_t start = m->code = d->r.at;
	uint32_t count = wasm_read_count(d, WASM_FUNCTIONS_MAX, "bodies");
	uint32_t expected = m->function_count - m->function_import_count;
	if (d->rc == 0 && count != expected)
		wasm_fail_at(d, start, CELLA_EFORMAT, "%u bodies for %u functions", count, expected);
	for (uint32_t i = 0; i < count && d->rc == 0; i++) {
		struct wasm_function *f = &m->functions[m->function_import_count + i];
		start = d->r.at;
		f->body_size = wasm_read_u32(d);
		f->body = d->r.at;
		if (f->body_size > WASM_BODY_SIZE_MAX)
			wasm_fail_at(d, start, CELLA_ELIMIT, "a body of %u bytes; at most %u are supported",
			             f->body_size, WASM_BODY_SIZE_MAX);
		wasm_read_bytes(d, f->body_size, "a body");
	}
}

/* In the order that the binary format wants; custom sections may stand anywhere. */
static const struct section {
	const char *name;
	uint8_t id;
	void (*decode)(struct wasm_decoder *d);
} sections[] = {
	{"type", SECTION_TYPE, decode_type_section},
	{"import", SECTION_IMPORT, decode_import_section},
	{"function", SECTION_FUNCTION, decode_function_section},
	{"table", SECTION_TABLE, decode_table_section},
	{"memory", SECTION_MEMORY, decode_memory_section},
	{"tag", SECTION_TAG, decode_tag_section},
	{"global", SECTION_GLOBAL, decode_global_section},
	{"export", SECTION_EXPORT, decode_export_section},
	{"start", SECTION_START, decode_start_section},
	{"element", SECTION_ELEMENT, wasm_decode_element_section},
	{"data count", SECTION_DATA_COUNT, decode_data_count_section},
	{"code", SECTION_CODE, decode_code_section},
	{"data", SECTION_DATA, wasm_decode_data_section},
};

static bool is_named(struct wasm_text name, const char *text)
{
	return name.size == strlen(text) && memcmp(name.bytes, text, name.size) == 0;
}

static void decode_custom_section(struct wasm_decoder *d)
{
	d->section = "custom";
	struct wasm_text name = wasm_read_name(d);
	if (d->rc < 0)
		return;
	if (is_named(name, WASM_SECTION_NAMES))
		wasm_decode_names(d);
	d->m->canonical_nans |= is_named(name, WASM_SECTION_CANONICAL_NANS);
	d->m->has_lines |= is_named(name, WASM_SECTION_LINES);
	d->r.at = d->r.size;
}

/* Which row of `sections` has this id; array_count(sections) if none. */
static size_t section_row(uint8_t id)
{
	size_t row = 0;
	while (row < array_count(sections) && sections[row].id != id)
		row++;
	return row;
}

static void decode_known_section(struct wasm_decoder *d, size_t start, uint8_t id, size_t *next_row)
{
	size_t row = section_row(id);
	if (row == array_count(sections)) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "section id %u is not supported", id);
		return;
	}
	d->section = sections[row].name;
	if (row < *next_row) {
		wasm_fail_at(d, start, CELLA_EFORMAT, "it is repeated or out of order");
		return;
	}
	*next_row = row + 1;
	sections[row].decode(d);
	if (d->rc == 0 && reader_left(&d->r) > 0)
		wasm_fail(d, CELLA_EFORMAT, "%zu bytes too many", reader_left(&d->r));
}

static void decode_section(struct wasm_decoder *d, size_t *next_row)
{
	size_t start = d->r.at;
	size_t module_size = d->r.size;
	d->section = NULL;
	uint8_t id = wasm_read_u8(d);
	uint32_t size = wasm_read_u32(d);
	if (d->rc == 0 && size > reader_left(&d->r))
		wasm_fail_at(d, start, CELLA_EFORMAT, "a section of %u bytes ends beyond the module's end",
		             size);
	if (d->rc < 0)
		return;
	d->r.size = d->r.at + size;
	if (id == SECTION_CUSTOM)
		decode_custom_section(d);
	else
		decode_known_section(d, start, id, next_row);
	d->r.size = module_size;
}

static void check_counts(struct wasm_decoder *d)
{
	const struct wasm_module *m = d->m;
	d->section = NULL;
	if (m->function_count > m->function_import_count && !m->functions[m->function_count - 1].body)
		wasm_fail(d, CELLA_EFORMAT, "functions are declared, but there is no code section");
	if (m->declared_data_count != WASM_NO_INDEX && m->declared_data_count != m->data_count)
		wasm_fail(d, CELLA_EFORMAT, "%u data segments, but the data count section says %u",
		          m->data_count, m->declared_data_count);
}

static void decode_module(struct wasm_decoder *d)
{
	if (reader_left(&d->r) >= 4 && reader_u32(&d->r) != WASM_MAGIC) {
		wasm_fail_at(d, 0, CELLA_EFORMAT, "this is no WebAssembly module");
		return;
	}
	const uint8_t *version = wasm_read_bytes(d, d->r.at ? 4 : 8, "the header");
	if (version && memcmp(version, "\1\0\0\0", 4) != 0) {
		wasm_fail_at(d, 4, CELLA_EFORMAT, "this version of the binary format is not supported; 1 is");
		return;
	}
	size_t next_row = 0;
	while (d->rc == 0 && reader_left(&d->r) > 0)
		decode_section(d, &next_row);
	check_counts(d);
}

int wasm_decode(const void *data, size_t size, struct wasm_module **ret_module, struct error *err)
{
	if (size > WASM_MODULE_SIZE_MAX)
		return error_set(err, CELLA_ELIMIT, "a module of %zu bytes; at most %d are supported", size,
		                 WASM_MODULE_SIZE_MAX);
	struct wasm_module *m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(err, CELLA_ENOMEM, "no memory to decode a module");
	m->bytes = data;
	m->size = size;
	m->start = WASM_NO_INDEX;
	m->declared_data_count = WASM_NO_INDEX;
	struct wasm_decoder d = {.r = reader_of(data, size), .m = m, .function = WASM_NO_INDEX, .err = err};
	decode_module(&d);
	if (d.rc == 0)
		d.rc = wasm_validate(m, NULL, NULL, err);
	if (d.rc < 0) {
		wasm_module_free(m);
		return d.rc;
	}
	*ret_module = m;
	return 0;
}

bool wasm_imports(const struct wasm_module *m, const char *module, const char *name)
{
	for (uint32_t i = 0; i < m->import_count; i++) {
		const struct wasm_import *import = &m->imports[i];
		if (import->module.size != strlen(module) ||
		    memcmp(import->module.bytes, module, import->module.size) != 0)
			continue;
		if (!name || (import->name.size == strlen(name) &&
		              memcmp(import->name.bytes, name, import->name.size) == 0))
			return true;
	}
	return false;
}
