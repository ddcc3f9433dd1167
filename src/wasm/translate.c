/*
 * The translation unit of a module: cell_abi.h, the prelude, then types, state, prototypes, the
 * table of functions, bodies, and the border to the host. The order is the module's own
 * throughout, so that the same module gives the same text.
 */
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

/* Returns where the member ends, which begins at `at` or behind. */
static uint64_t put_place(struct buf *out, const char *name, uint32_t index, uint64_t at, uint64_t align,
                          uint64_t size)
{
	at = align_up(at, align);
	buf_printf(out, "LAYOUT(%s%u, %llu);\n", name, index, (unsigned long long)at);
	return at + size;
}

/* Snapshots hold the state as its bytes, so every compiler has to lay it out alike. */
static void put_layout(const struct wasm_module *m, uint32_t exception_words, struct buf *out)
{
	uint64_t at = m->tag_count > 0 ? (1 + (uint64_t)exception_words) * sizeof(uint64_t) : 0;
	uint64_t align = m->tag_count > 0 ? sizeof(uint64_t) : 1;
	for (uint32_t i = 0; i < m->global_count; i++) {
		uint64_t size = type_size(m->globals[i].type);
		at = put_place(out, "g", i, at, size, size);
		align = max_of(align, size);
	}
	for (uint32_t i = 0; i < m->table_count; i++) {
		uint64_t size = (1 + (uint64_t)wasm_table_room(&m->tables[i])) * sizeof(uint32_t);
		at = put_place(out, "t", i, at, sizeof(uint32_t), size);
		align = max_of(align, (uint64_t)sizeof(uint32_t));
	}
	at += max_of(m->data_count, 1u) + max_of(m->element_count, 1u);
	buf_printf(out, "_Static_assert(sizeof(struct state) == %llu, \"layout of the state\");\n",
	           (unsigned long long)align_up(at, align));
}

static void put_state(const struct wasm_module *m, struct buf *out)
{
	uint32_t words = 1;
	for (uint32_t i = 0; i < m->tag_count; i++)
		words = max_of(words, wasm_thrown_words(m->tags[i].type));
	if (m->tag_count > 0)
		buf_printf(out, "\nstruct exception {\n\tu32 tag;\n\tu64 values[%u];\n};\n", words);
	wasm_put(out, "\nstruct state {\n");
	if (m->tag_count > 0)
		wasm_put(out, "\tstruct exception thrown;\n");
	for (uint32_t i = m->global_import_count; i < m->global_count; i++)
		buf_printf(out, "\t%s g%u;\n", wasm_c_type(m->globals[i].type), i);
	for (uint32_t i = m->table_import_count; i < m->table_count; i++)
		buf_printf(out, "\tu32 t%u[1 + %u];\n", i, wasm_table_room(&m->tables[i]));
	for (uint32_t i = 0; i < m->element_count; i++)
		if (wasm_elements_vary(m, i))
			buf_printf(out, "\tu32 e%u[%u];\n", i, max_of(m->elements[i].count, 1u));
	buf_printf(out, "\tu8 data_dropped[%u];\n\tu8 elements_dropped[%u];\n};\n", max_of(m->data_count, 1u),
	           max_of(m->element_count, 1u));
	put_layout(m, words, out);
	wasm_put(out, "#define STATE(instance) ((struct state *)(instance)->state)\n"
	              "#define TABLE(t) ((struct table *)(t))\n");
}

/* What is known of it now: a global's value is put in its place when the module is initialized. */
static uint32_t fixed_element(const struct wasm_constant *element)
{
	return element->kind == CONSTANT_FUNCTION ? element->index : CELL_NO_FUNCTION;
}

static void put_elements(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->element_count; i++) {
		const struct wasm_element_segment *segment = &m->elements[i];
		buf_printf(out, "static const u32 e%u[%u] = {", i, max_of(segment->count, 1u));
		for (uint32_t k = 0; k < segment->count; k++) {
			wasm_put(out, k == 0 ? "\n\t" : k % 16 == 0 ? ",\n\t" : ", ");
			wasm_put_number(out, fixed_element(&segment->elements[k]));
			wasm_put(out, "u");
		}
		wasm_put(out, "};\n");
	}
}

static void put_functions(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out, "\n");
	for (uint32_t i = 0; i < m->function_count; i++) {
		wasm_put(out, i < m->function_import_count ? "GLUE " : "static ");
		wasm_put_heading(m, i, out);
		wasm_put(out, ";\n");
		if (m->functions[i].tails) {
			wasm_put(out, "static ");
			wasm_put_tail_heading(i, out);
			wasm_put(out, ";\n");
		}
	}
	buf_printf(out, "\n#define FUNCTION_COUNT %uu\nstatic const struct cell_code functions[] = {\n",
	           m->function_count);
	for (uint32_t i = 0; i < m->function_count; i++)
		buf_printf(out, "\t{F%u, %u},\n", i, m->functions[i].type->canonical);
	wasm_put(out, "\t{0},\n};\n");
	wasm_put_tails(m, out);
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

static void put_unit(struct wasm_translation *t, struct buf *out)
{
	const struct wasm_module *m = t->m;
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
	put_elements(m, out);
	put_functions(m, out);
	put_signatures(m, out);
	wasm_put_import_stubs(m, out);
	buf_put(out, t->bodies.data, t->bodies.size);
	wasm_put_border(m, out);
}

int wasm_translate(const struct wasm_module *m, struct buf *ret_c, struct error *err)
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
	                             .uses_vectors = types_use_vectors(m)};
	t.m->shares_references = wasm_shares_references(m);
	rc = wasm_validate(t.m, &wasm_body_visitor, &t, err);
	if (rc == 0)
		put_unit(&t, ret_c);
	if (rc == 0 && ret_c->failed)
		rc = error_set(err, CELLA_ENOMEM, "no memory for the translated module");
	buf_done(&t.bodies);
	buf_done(&t.body);
	buf_done(&t.slots);
	buf_done(&t.read);
	buf_done(&t.nans);
	return rc;
}
