/*
 * The translation unit of a module: cell_abi.h, the prelude, then types, state, prototypes, the
 * table of functions, bodies, and the border to the host. The order is the module's own
 * throughout, so that the same module gives the same text.
 *
 * A large module is divided, to be compiled by several processors: neighbours stay together, and the
 * first unit has the tables and the border. How many there are is told by the module alone. Leaves are in
 * all units, so that they are inlined as ever; other functions are never inlined anyway.
 */
#include <stdlib.h>
#include <string.h>

#include "wasm/throws.h"
#include "wasm/translate.h"
#include "wasm/wasm.h"

static int refuse_import(const struct wasm_import *import, struct error *err)
{
	static const char *const kinds[KIND_COUNT] = {"function", "table", "memory", "global", "tag"};
	return error_set(
		err, CELLA_EUNSUPPORTED,
		"import section, offset 0x%zx: a cell cannot import a %s (\"%s\".\"%s\"), only functions",
		import->offset, kinds[import->kind], wasm_show(import->module).text,
		wasm_show(import->name).text);
}

static bool has_nul(const struct wasm_text *name)
{
	return name->size && memchr(name->bytes, 0, name->size);
}

int wasm_check_cell(const struct wasm_module *m, struct error *err)
{
	for (uint32_t i = 0; i < m->import_count; i++) {
		const struct wasm_import *import = &m->imports[i];
		if (import->kind != KIND_FUNCTION)
			return refuse_import(import, err);
		if (has_nul(&import->module) || has_nul(&import->name))
			return error_set(err, CELLA_EUNSUPPORTED,
			                 "import section, offset 0x%zx: a name holds a zero byte",
			                 import->offset);
	}
	for (uint32_t i = 0; i < m->export_count; i++)
		if (has_nul(&m->exports[i].name))
			return error_set(err, CELLA_EUNSUPPORTED,
			                 "export section, export %u: its name holds a zero byte", i);
	return 0;
}

static int check_tags(const struct wasm_module *m, struct error *err)
{
	for (uint32_t i = 0; i < m->import_count; i++)
		if (m->imports[i].kind == KIND_TAG)
			return error_set(
				err, CELLA_EUNSUPPORTED,
				"import section, import %u: a tag of another module is not supported: "
				"no exception leaves the module that throws it",
				i);
	return 0;
}

/* What would become too much C. */
static int check_size(const struct wasm_module *m, struct error *err)
{
	if (m->memory.minimum > CELL_MEMORY64_PAGES_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "memory section: %llu pages at once; at most %llu are supported",
		                 (unsigned long long)m->memory.minimum, CELL_MEMORY64_PAGES_MAX);
	uint64_t elements = 0, values = 0;
	for (uint32_t i = m->table_import_count; i < m->table_count; i++)
		elements += wasm_table_room(&m->tables[i]);
	if (elements > WASM_TABLE_ELEMENTS_MAX)
		return error_set(err, CELLA_ELIMIT, "table section: %llu elements; at most %u are supported",
		                 (unsigned long long)elements, WASM_TABLE_ELEMENTS_MAX);
	for (uint32_t i = 0; i < m->function_count; i++)
		values += m->functions[i].type->param_count + m->functions[i].type->result_count;
	if (values > WASM_SIGNATURES_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "functions have %llu parameters and results; at most %u are supported",
		                 (unsigned long long)values, WASM_SIGNATURES_MAX);
	return 0;
}

static bool types_use_vectors(const struct wasm_module *m)
{
	for (uint32_t i = 0; i < m->type_count; i++)
		if (strchr(m->types[i].signature, TYPE_V128))
			return true;
	for (uint32_t i = 0; i < m->global_count; i++)
		if (m->globals[i].type == TYPE_V128)
			return true;
	return false;
}

static void put_type(const struct wasm_type *type, struct buf *out)
{
	if (type->result_count > 1) {
		buf_printf(out, "struct result%u {", type->canonical);
		for (uint32_t i = 0; i < type->result_count; i++)
			buf_printf(out, " %s r%u;", wasm_c_type(type->results[i]), i);
		wasm_put(out, " };\n");
	}
	wasm_put(out, "typedef ");
	wasm_put_result_type(type, out);
	buf_printf(out, " type%u(struct cell_instance *", type->canonical);
	for (uint32_t i = 0; i < type->param_count; i++)
		buf_printf(out, ", %s", wasm_c_type(type->params[i]));
	wasm_put(out, ");\n");
}

static void put_types(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out, "\n/* The module */\n\n");
	for (uint32_t i = 0; i < m->type_count; i++)
		if (m->types[i].canonical == i)
			put_type(&m->types[i], out);
}

static uint64_t type_size(char type)
{
	return type == TYPE_V128 ? 16 : type == TYPE_I64 || type == TYPE_F64 ? 8 : 4;
}

/* The members of a cell's state as they are put. Snapshots hold the state as its bytes, so every compiler has
 * to lay it out alike: what it must come to is put behind. */
struct layout {
	struct buf *members;
	struct buf asserted;
	uint64_t at, align;
};

/* A member of `size` bytes, or an array of `count` such if that is not 0. */
static void put_member(struct layout *l, const char *type, uint64_t size, const char *name, uint32_t index,
                       uint64_t count)
{
	l->at = align_up(l->at, size);
	l->align = max_of(l->align, size);
	buf_printf(&l->asserted, "LAYOUT(%s%u, %llu);\n", name, index, (unsigned long long)l->at);
	buf_printf(l->members, "\t%s %s%u", type, name, index);
	if (count > 0)
		buf_printf(l->members, "[%llu]", (unsigned long long)count);
	wasm_put(l->members, ";\n");
	l->at += size * max_of(count, (uint64_t)1);
}

/* The exception under way; only of modules that have such. */
static void put_thrown(const struct wasm_module *m, struct layout *l)
{
	uint32_t words = 1;
	for (uint32_t i = 0; i < m->tag_count; i++)
		words = max_of(words, wasm_thrown_words(m->tags[i].type));
	buf_printf(l->members, "\tstruct exception {\n\t\tu32 tag;\n\t\tu64 values[%u];\n\t} thrown;\n",
	           words);
	l->at = (1 + (uint64_t)words) * sizeof(uint64_t);
	l->align = sizeof(uint64_t);
}

static void put_state(const struct wasm_module *m, struct buf *out)
{
	struct layout l = {.members = out, .align = 1};
	wasm_put(out, "\nstruct state {\n");
	if (m->tag_count > 0)
		put_thrown(m, &l);
	for (uint32_t i = m->global_import_count; i < m->global_count; i++)
		put_member(&l, wasm_c_type(m->globals[i].type), type_size(m->globals[i].type), "g", i, 0);
	for (uint32_t i = m->table_import_count; i < m->table_count; i++)
		put_member(&l, "u32", sizeof(uint32_t), "t", i, 1 + (uint64_t)wasm_table_room(&m->tables[i]));
	for (uint32_t i = 0; i < m->element_count; i++)
		if (wasm_elements_vary(m, i))
			put_member(&l, "u32", sizeof(uint32_t), "e", i, max_of(m->elements[i].count, 1u));
	uint32_t data = max_of(m->data_count, 1u), elements = max_of(m->element_count, 1u);
	buf_printf(out, "\tu8 data_dropped[%u];\n\tu8 elements_dropped[%u];\n};\n", data, elements);
	buf_put(out, l.asserted.data, l.asserted.size);
	out->failed |= l.asserted.failed;
	buf_done(&l.asserted);
	buf_printf(out, "_Static_assert(sizeof(struct state) == %llu, \"layout of the state\");\n",
	           (unsigned long long)align_up(l.at + data + elements, l.align));
	wasm_put(out, "#define STATE(instance) ((struct state *)(instance)->state)\n"
	              "#define TABLE(t) ((struct table *)(t))\n");
}

/* What is known of it now: a global's value is put in its place when the module is initialized. */
static uint32_t fixed_element(const struct wasm_constant *element)
{
	return element->kind == CONSTANT_FUNCTION ? element->index : CELL_NO_FUNCTION;
}

static void put_elements(const struct wasm_module *m, bool first, struct buf *out)
{
	for (uint32_t i = 0; i < m->element_count; i++) {
		const struct wasm_element_segment *segment = &m->elements[i];
		if (!first) {
			buf_printf(out, "extern SHARED const u32 e%u[%u];\n", i, max_of(segment->count, 1u));
			continue;
		}
		buf_printf(out, "SHARED const u32 e%u[%u] = {", i, max_of(segment->count, 1u));
		for (uint32_t k = 0; k < segment->count; k++) {
			wasm_put(out, k == 0 ? "\n\t" : k % 16 == 0 ? ",\n\t" : ", ");
			wasm_put_number(out, fixed_element(&segment->elements[k]));
			wasm_put(out, "u");
		}
		wasm_put(out, "};\n");
	}
}

static void put_prototypes(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out, "\n");
	for (uint32_t i = 0; i < m->function_count; i++) {
		wasm_put(out, "SHARED ");
		wasm_put_heading(m, i, out);
		wasm_put(out, ";\n");
		if (m->functions[i].tails) {
			wasm_put(out, "SHARED ");
			wasm_put_tail_heading(i, out);
			wasm_put(out, ";\n");
		}
	}
	buf_printf(out, "\n#define FUNCTION_COUNT %uu\n", m->function_count);
}

static void put_functions(const struct wasm_module *m, bool first, struct buf *out)
{
	if (!first) {
		wasm_put(out, "extern SHARED const struct cell_code functions[];\n");
		return;
	}
	wasm_put(out, "SHARED const struct cell_code functions[] = {\n");
	for (uint32_t i = 0; i < m->function_count; i++)
		buf_printf(out, "\t{F%u, %u},\n", i, m->functions[i].type->canonical);
	wasm_put(out, "\t{0},\n};\n");
}

/* By type, for references from other modules. */
static void put_signatures(const struct wasm_module *m, struct buf *out)
{
	if (!m->shares_references)
		return;
	wasm_put(out, "static const char *const signatures[] = {\n");
	for (uint32_t i = 0; i < m->type_count; i++)
		buf_printf(out, "\t\"%s\",\n", m->types[i].signature);
	wasm_put(out, "\t0,\n};\n");
}

/* The functions of one of `count` units, which begin and end where that many equal parts of the text do. */
static void put_bodies(const struct wasm_translation *t, uint32_t unit, uint32_t count, struct buf *out)
{
	const struct wasm_module *m = t->m;
	for (uint32_t i = m->function_import_count; i < m->function_count; i++) {
		const struct wasm_piece *piece = &t->pieces[i];
		bool own = (uint64_t)piece->start * count / t->bodies.size == unit;
		if (!own && !piece->leaf)
			continue;
		wasm_put(out, "\n/* ");
		wasm_put_function_name(m, i, out);
		wasm_put(out, " */\n");
		wasm_put(out, !own ? "COPY " : piece->leaf ? "LEAF " : "FUNCTION ");
		buf_put(out, t->bodies.data + piece->start, piece[1].start - piece->start);
	}
}

static void put_own_lines(const struct wasm_module *m, struct buf *out)
{
	if (m->tells_lines)
		wasm_put(out, "\n#line 1 \"" WASM_LINES_OURS "\"\n");
}

static void put_unit(const struct wasm_translation *t, uint32_t unit, uint32_t count, struct buf *out)
{
	const struct wasm_module *m = t->m;
	bool first = unit == 0;
	put_own_lines(m, out);
	if (count > 1)
		buf_printf(out, "#define UNIT %u\n", unit);
	if (m->memory64)
		wasm_put(out, "#define MEMORY64 1\n");
	if (m->canonical_nans)
		wasm_put(out, "#define CANONICAL_NANS 1\n");
	wasm_put(out, wasm_text_cell_abi);
	wasm_put(out, wasm_text_prelude);
	if (t->uses_vectors)
		wasm_put(out, wasm_text_prelude_simd);
	if (t->uses_atomics)
		wasm_put(out, wasm_text_prelude_atomic);
	put_types(m, out);
	put_state(m, out);
	put_elements(m, first, out);
	put_prototypes(m, out);
	put_functions(m, first, out);
	wasm_put_tails(m, first, out);
	if (first) {
		put_signatures(m, out);
		wasm_put_import_stubs(m, out);
	}
	put_bodies(t, unit, count, out);
	put_own_lines(m, out);
	if (first)
		wasm_put_border(m, out);
}

static int put_units(struct wasm_translation *t, size_t text_max, struct wasm_units *ret_units,
                     struct error *err)
{
	bool failed = false;
	uint32_t count = 1;
	while (count < WASM_UNITS_MAX && t->bodies.size / count > text_max)
		count *= 2;
	t->pieces[t->m->function_count].start = t->bodies.size;
	for (uint32_t i = 0; i < count; i++) {
		put_unit(t, i, count, &ret_units->c[i]);
		failed |= ret_units->c[i].failed;
	}
	ret_units->count = count;
	return failed ? error_set(err, CELLA_ENOMEM, "no memory for the translated module") : 0;
}

void wasm_units_done(struct wasm_units *units)
{
	for (uint32_t i = 0; i < WASM_UNITS_MAX; i++)
		buf_done(&units->c[i]);
	units->count = 0;
}

int wasm_translate(const struct wasm_module *m, struct buf *ret_c, struct error *err)
{
	cleanup_units struct wasm_units units = {0};
	int rc = wasm_translate_units(m, SIZE_MAX, &units, err);
	if (rc < 0)
		return rc;
	buf_put(ret_c, units.c[0].data, units.c[0].size);
	return ret_c->failed ? error_set(err, CELLA_ENOMEM, "no memory for the translated module") : 0;
}

int wasm_translate_units(const struct wasm_module *m, size_t text_max, struct wasm_units *ret_units,
                         struct error *err)
{
	int rc = check_tags(m, err);
	if (rc == 0)
		rc = check_size(m, err);
	if (rc < 0)
		return rc;
	cleanup_buf struct buf throws = {0};
	rc = wasm_find_throws(m, &throws, err);
	if (rc < 0)
		return rc;
	/* Validation only sets what it has set before, when the module was decoded. */
	struct wasm_translation t = {.m = (struct wasm_module *)m,
	                             .throws = throws.data,
	                             .pieces = calloc((size_t)m->function_count + 1, sizeof(*t.pieces)),
	                             .uses_vectors = types_use_vectors(m)};
	t.m->shares_references = wasm_shares_references(m);
	rc = t.pieces ? wasm_validate(t.m, &wasm_body_visitor, &t, err)
	              : error_set(err, CELLA_ENOMEM, "no memory for the translated module");
	if (rc == 0)
		rc = put_units(&t, text_max, ret_units, err);
	free(t.pieces);
	buf_done(&t.bodies);
	buf_done(&t.body);
	buf_done(&t.slots);
	buf_done(&t.read);
	buf_done(&t.nans);
	return rc;
}
