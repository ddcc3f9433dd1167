/*
 * What crosses between a cell and its host: stubs for imported functions, entries for exported
 * ones and for tables' elements, initialization, and the image that names it all.
 */
#include <string.h>

#include "wasm/translate.h"

void wasm_put_value(struct buf *out, uint32_t index, char type)
{
	static const char *const members[] = {
		[TYPE_I32] = "i32", [TYPE_I64] = "i64",     [TYPE_F32] = "f32",
		[TYPE_F64] = "f64", [TYPE_FUNCREF] = "ref", [TYPE_EXTERNREF] = "ref",
	};
	if (type == TYPE_V128)
		buf_printf(out, "*(v128_at *)v[%u].v128", index);
	else
		buf_printf(out, "v[%u].%s", index, members[(unsigned char)type]);
}

void wasm_put_value_return(const struct wasm_type *type, struct buf *out)
{
	if (type->result_count == 0)
		return;
	wasm_put(out, "\treturn ");
	if (type->result_count > 1)
		buf_printf(out, "(struct result%u){", type->canonical);
	for (uint32_t i = 0; i < type->result_count; i++) {
		wasm_put(out, i ? ", " : "");
		wasm_put_value(out, i, type->results[i]);
	}
	wasm_put(out, type->result_count > 1 ? "};\n" : ";\n");
}

/* For the import with this number, a function. */
static void put_import_stub(const struct wasm_module *m, uint32_t number, struct buf *out)
{
	uint32_t index = m->imports[number].index;
	const struct wasm_type *type = m->functions[index].type;
	wasm_put(out, "\nSTUB ");
	wasm_put_heading(m, index, out);
	buf_printf(out, "\n{\n\tunion cell_value v[%u];\n",
	           max_of(max_of(type->param_count, type->result_count), 1u));
	for (uint32_t i = 0; i < type->param_count; i++) {
		wasm_put(out, "\t");
		wasm_put_value(out, i, type->params[i]);
		buf_printf(out, " = x%u;\n", i);
	}
	wasm_put(out, "\tif ((uintptr_t)__builtin_frame_address(0) < instance->stack_limit)\n"
	              "\t\tinstance->host->trap(instance, CELL_TRAP_STACK);\n");
	buf_printf(out, "\tinstance->imports[%u](instance, v);\n", number);
	wasm_put_value_return(type, out);
	wasm_put(out, "}\n");
}

void wasm_put_import_stubs(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->import_count; i++)
		if (m->imports[i].kind == KIND_FUNCTION)
			put_import_stub(m, i, out);
}

/* Whether this function is the first of its type: entries are made once a type. */
static bool first_of_type(const struct wasm_module *m, uint32_t index, uint8_t *seen)
{
	uint32_t type = m->functions[index].type->canonical;
	bool first = !seen[type];
	seen[type] = 1;
	return first;
}

/* "static void enter3(instance, code, v)": calls a function of type 3 with what v holds. */
static void put_enter(const struct wasm_module *m, const struct wasm_type *type, struct buf *out)
{
	buf_printf(out, "\nGLUE void enter%u(", type->canonical);
	wasm_put(out, "struct cell_instance *instance, const void *code, union cell_value *v)\n{\n\t");
	if (type->result_count > 1)
		buf_printf(out, "struct result%u r = ", type->canonical);
	else if (type->result_count == 1) {
		wasm_put_value(out, 0, type->results[0]);
		wasm_put(out, " = ");
	}
	buf_printf(out, "((type%u *)code)(instance", type->canonical);
	for (uint32_t i = 0; i < type->param_count; i++) {
		wasm_put(out, ", ");
		wasm_put_value(out, i, type->params[i]);
	}
	wasm_put(out, ");\n");
	for (uint32_t i = 0; type->result_count > 1 && i < type->result_count; i++) {
		wasm_put(out, "\t");
		wasm_put_value(out, i, type->results[i]);
		buf_printf(out, " = r.r%u;\n", i);
	}
	wasm_put(out, m->tag_count > 0 ? "\tcheck_thrown(instance);\n}\n" : "}\n");
}

static void put_enters(const struct wasm_module *m, struct buf *out)
{
	cleanup_buf struct buf seen = {0};
	uint8_t *flags = buf_reserve(&seen, (size_t)m->type_count + 1);
	out->failed |= !flags;
	for (uint32_t i = 0; flags && i < m->function_count; i++)
		if (first_of_type(m, i, flags))
			put_enter(m, m->functions[i].type, out);
}

static void put_call_table_cases(const struct wasm_module *m, struct buf *out)
{
	cleanup_buf struct buf seen = {0};
	uint8_t *flags = buf_reserve(&seen, (size_t)m->type_count + 1);
	out->failed |= !flags;
	for (uint32_t i = 0; flags && i < m->function_count; i++) {
		const struct wasm_type *type = m->functions[i].type;
		if (!first_of_type(m, i, flags))
			continue;
		buf_printf(out,
		           "\tcase %u:\n\t\tif (!same_text(signature, \"%s\"))\n"
		           "\t\t\ttrap(instance, CELL_TRAP_SIGNATURE);\n"
		           "\t\tenter%u(instance, functions[function].code, v);\n\t\tbreak;\n",
		           type->canonical, type->signature, type->canonical);
	}
}

static void put_call_table(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out,
	         "\nGLUE void call_table(struct cell_instance *instance, u32 element, const char *signature, "
	         "union cell_value *v)\n{\n");
	if (m->table_count == 0 || m->tables[0].type != TYPE_FUNCREF) {
		wasm_put(out, "\ttrap(instance, CELL_TRAP_TABLE);\n}\n");
		return;
	}
	wasm_put(out, "\tu32 function = table_get(instance, ");
	wasm_put_table(m, 0, out);
	wasm_put(out, m->shares_references ? ", element) - instance->first_reference;\n" : ", element);\n");
	wasm_put(out, "\tif (function >= FUNCTION_COUNT)\n\t\ttrap(instance, CELL_TRAP_NULL_FUNCTION);\n"
	              "\tswitch (functions[function].type) {\n");
	put_call_table_cases(m, out);
	wasm_put(out, "\t}\n}\n");
}

static void put_global_values(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = m->global_import_count; i < m->global_count; i++) {
		const struct wasm_global *global = &m->globals[i];
		wasm_begin_constant(m, &global->value, global->type, out);
		buf_printf(out, "STATE(instance)->g%u = ", i);
		wasm_put_constant_value(m, &global->value, global->type, out);
		wasm_end_constant(&global->value, out);
	}
}

/* Of a segment whose elements are not all known before. */
static void put_element_values(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_element_segment *segment = &m->elements[index];
	if (!wasm_elements_vary(m, index))
		return;
	wasm_put(out, "\tfill_elements(instance, ");
	wasm_put_elements(m, index, out);
	buf_printf(out, ", e%u, %uu);\n", index, segment->count);
	for (uint32_t i = 0; segment->varies && i < segment->count; i++) {
		if (segment->elements[i].kind != CONSTANT_GLOBAL)
			continue;
		wasm_put(out, "\t");
		wasm_put_elements(m, index, out);
		buf_printf(out, "[%u] = ", i);
		wasm_put_global(m, segment->elements[i].index, out);
		wasm_put(out, ";\n");
	}
}

static void put_active_elements(const struct wasm_module *m, uint32_t index, struct buf *out)
{
	const struct wasm_element_segment *segment = &m->elements[index];
	wasm_begin_constant(m, &segment->offset, TYPE_I32, out);
	wasm_put(out, "table_init(instance, ");
	wasm_put_table(m, segment->table, out);
	wasm_put(out, ", ");
	wasm_put_elements(m, index, out);
	buf_printf(out, ", %uu, ", segment->count);
	wasm_put_constant_value(m, &segment->offset, TYPE_I32, out);
	buf_printf(out, ", 0, %uu)", segment->count);
	wasm_end_constant(&segment->offset, out);
}

static void put_table_values(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = m->table_import_count; i < m->table_count; i++)
		buf_printf(out, "\ttable_grow(TABLE(STATE(instance)->t%u), %uu, CELL_NO_FUNCTION, %uu);\n", i,
		           wasm_table_room(&m->tables[i]), (uint32_t)m->tables[i].limits.minimum);
	for (uint32_t i = 0; i < m->element_count; i++)
		put_element_values(m, i, out);
	for (uint32_t i = 0; i < m->element_count; i++) {
		if (m->elements[i].mode == SEGMENT_ACTIVE)
			put_active_elements(m, i, out);
		if (m->elements[i].mode != SEGMENT_PASSIVE)
			buf_printf(out, "\tSTATE(instance)->elements_dropped[%u] = 1;\n", i);
	}
}

static void put_memory_values(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->data_count; i++) {
		const struct wasm_data_segment *segment = &m->data[i];
		if (segment->mode != SEGMENT_ACTIVE)
			continue;
		wasm_begin_constant(m, &segment->offset, wasm_address_type(m), out);
		buf_printf(out, "memory_init(instance, %u, 0, ", i);
		wasm_put_constant_value(m, &segment->offset, wasm_address_type(m), out);
		buf_printf(out, ", 0, %uu)", segment->size);
		wasm_end_constant(&segment->offset, out);
		buf_printf(out, "\tSTATE(instance)->data_dropped[%u] = 1;\n", i);
	}
}

static void put_initialize(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out, "\nGLUE void initialize(struct cell_instance *instance)\n{\n\t(void)instance;\n");
	put_global_values(m, out);
	put_table_values(m, out);
	put_memory_values(m, out);
	wasm_put(out, "}\n");
	if (m->start != WASM_NO_INDEX)
		buf_printf(out,
		           "\nGLUE void start(struct cell_instance *instance)\n{\n\tF%u(instance);\n%s}\n",
		           m->start, m->tag_count > 0 ? "\tcheck_thrown(instance);\n" : "");
}

/* Functions of exports: into the cell, or, for a global, what it holds. */
static void put_export_function(const struct wasm_module *m, uint32_t number, struct buf *out)
{
	const struct wasm_export *export = &m->exports[number];
	if (export->kind != KIND_FUNCTION && export->kind != KIND_GLOBAL)
		return;
	buf_printf(out, "\nGLUE void export%u(struct cell_instance *instance, union cell_value *v)\n{\n\t",
	           number);
	if (export->kind == KIND_FUNCTION) {
		buf_printf(out, "enter%u(instance, F%u, v);\n}\n",
		           m->functions[export->index].type->canonical, export->index);
		return;
	}
	wasm_put_value(out, 0, m->globals[export->index].type);
	wasm_put(out, " = ");
	wasm_put_global(m, export->index, out);
	wasm_put(out, ";\n}\n");
}

/* The braces of a struct cell_type. */
static void put_cell_type(const struct wasm_module *m, enum wasm_kind kind, uint32_t index, struct buf *out)
{
	const struct wasm_limits *limits = kind == KIND_TABLE ? &m->tables[index].limits : &m->memory;
	if (kind == KIND_FUNCTION)
		wasm_put(out, "{CELL_FUNCTION}");
	else if (kind == KIND_GLOBAL)
		buf_printf(out, "{CELL_GLOBAL, '%c', %d}", m->globals[index].type, m->globals[index].changes);
	else if (kind == KIND_TABLE)
		buf_printf(out, "{CELL_TABLE, '%c'", m->tables[index].type);
	else
		buf_printf(out, "{CELL_MEMORY, '%c'", wasm_address_type(m));
	if (kind == KIND_TABLE || kind == KIND_MEMORY)
		buf_printf(out, ", %d, %d, %lluu, %lluu}", limits->shared, limits->bounded,
		           (unsigned long long)limits->minimum, (unsigned long long)limits->maximum);
}

/* Where the host finds what the module has of its own, to give it to others. */
static void put_export_place(const struct wasm_module *m, const struct wasm_export *export, struct buf *out)
{
	if (export->kind == KIND_GLOBAL && export->index >= m->global_import_count)
		buf_printf(out, ", __builtin_offsetof(struct state, g%u)", export->index);
	if (export->kind == KIND_TABLE && export->index >= m->table_import_count)
		buf_printf(out, ", __builtin_offsetof(struct state, t%u), %uu", export->index,
		           wasm_table_room(&m->tables[export->index]));
}

static void put_exports(const struct wasm_module *m, struct buf *out)
{
	for (uint32_t i = 0; i < m->export_count; i++)
		put_export_function(m, i, out);
	wasm_put(out, "\nstatic const struct cell_export exports[] = {\n");
	for (uint32_t i = 0; i < m->export_count; i++) {
		const struct wasm_export *export = &m->exports[i];
		if (export->kind == KIND_TAG)
			continue;
		wasm_put(out, "\t{");
		wasm_put_literal(out, export->name.bytes, export->name.size);
		if (export->kind == KIND_FUNCTION)
			buf_printf(out, ", \"%s\", export%u, ", m->functions[export->index].type->signature,
			           i);
		else if (export->kind == KIND_GLOBAL)
			buf_printf(out, ", 0, export%u, ", i);
		else
			wasm_put(out, ", 0, 0, ");
		buf_printf(out, "%uu, %uu, ", export->name.size, export->index);
		put_cell_type(m, export->kind, export->index, out);
		put_export_place(m, export, out);
		wasm_put(out, "},\n");
	}
	wasm_put(out, "\t{0},\n};\n");
}

static void put_imports(const struct wasm_module *m, struct buf *out)
{
	wasm_put(out, "\nstatic const struct cell_import imports[] = {\n");
	for (uint32_t i = 0; i < m->import_count; i++) {
		const struct wasm_import *import = &m->imports[i];
		wasm_put(out, "\t{");
		wasm_put_literal(out, import->module.bytes, import->module.size);
		wasm_put(out, ", ");
		wasm_put_literal(out, import->name.bytes, import->name.size);
		if (import->kind == KIND_FUNCTION)
			buf_printf(out, ", \"%s\", ", m->functions[import->index].type->signature);
		else
			wasm_put(out, ", 0, ");
		buf_printf(out, "%uu, %uu, ", import->module.size, import->name.size);
		put_cell_type(m, import->kind, import->index, out);
		wasm_put(out, "},\n");
	}
	wasm_put(out, "\t{0},\n};\n");
}

static bool has_functions(const struct wasm_module *m)
{
	return m->function_count > m->function_import_count;
}

/* Symbols are told to the assembler: a distance between two addresses is no constant of C. Behind the last
 * function, wherever the linker has put which, begins what has no name. */
static void put_symbols(const struct wasm_module *m, struct buf *out)
{
	cleanup_buf struct buf names = {0};
	size_t size = 0;
	wasm_put(out, "\n__asm__(\".pushsection .rodata\\n\\t.balign 4\\nsymbols:\\n\"\n");
	for (uint32_t i = m->function_import_count; i < m->function_count; i++) {
		size_t start = names.size;
		buf_printf(out, "\t\"\\t.long %c%u - ., %zu\\n\"\n", m->functions[i].tails ? 'T' : 'F', i,
		           size);
		wasm_put(&names, "\t\"");
		wasm_put_function_name(m, i, &names);
		size += names.size - start - 1;
		wasm_put(&names, "\\0\"\n");
	}
	if (has_functions(m))
		buf_printf(out, "\t\"\\t.hidden __stop_wasm_text\\n\\t.long __stop_wasm_text - ., %zu\\n\"\n",
		           size);
	wasm_put(out, "\t\"\\t.popsection\\n\");\n"
	              "extern const struct cell_symbol symbols[] __attribute__((visibility(\"hidden\")));\n"
	              "static const char names[] =\n");
	buf_put(out, names.data, names.size);
	out->failed |= names.failed;
	wasm_put(out, "\t\"\";\n");
}

static uint32_t exported_count(const struct wasm_module *m)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < m->export_count; i++)
		count += m->exports[i].kind != KIND_TAG;
	return count;
}

static void put_image(const struct wasm_module *m, struct buf *out)
{
	bool memory = m->memory_count > m->memory_import_count;
	wasm_put(out, "\nPUBLIC const struct cell_image cella_image = {\n"
	              "\t.abi_version = CELL_ABI_VERSION,\n\t.translator_version = 2,\n"
	              "\t.state_size = sizeof(struct state),\n");
	uint64_t most = min_of(m->memory.maximum, (uint64_t)CELL_MEMORY64_PAGES_MAX);
	buf_printf(out, "\t.memory_pages = %lluu,\n\t.memory_pages_max = %lluu,\n",
	           (unsigned long long)(memory ? m->memory.minimum : 0),
	           (unsigned long long)(memory ? most : 0));
	buf_printf(out, "\t.memory_address_bits = %d,\n", m->memory64 ? 64 : 32);
	wasm_put(out,
	         "\t.imports = imports,\n\t.exports = exports,\n\t.symbols = symbols,\n\t.names = names,\n");
	buf_printf(out, "\t.import_count = %u,\n\t.export_count = %u,\n", m->import_count, exported_count(m));
	buf_printf(out, "\t.symbol_count = %u,\n\t.segment_count = %u,\n",
	           m->function_count - m->function_import_count + has_functions(m), m->data_count);
	buf_printf(out, "\t.function_count = %u,\n\t.tag_count = %u,\n", m->function_count, m->tag_count);
	if (m->shares_references)
		wasm_put(out, "\t.functions = functions,\n\t.signatures = signatures,\n");
	wasm_put(out, "\t.initialize = initialize,\n");
	if (m->start != WASM_NO_INDEX)
		wasm_put(out, "\t.start = start,\n");
	wasm_put(out, "\t.call_table = call_table,\n};\n");
}

/* No exception leaves the module. */
static void put_check_thrown(struct buf *out)
{
	wasm_put(out, "\nGLUE void check_thrown(struct cell_instance *instance)\n{\n"
	              "\tif (!STATE(instance)->thrown.tag)\n\t\treturn;\n"
	              "\tSTATE(instance)->thrown.tag = 0;\n\ttrap(instance, CELL_TRAP_EXCEPTION);\n}\n");
}

void wasm_put_border(const struct wasm_module *m, struct buf *out)
{
	if (m->tag_count > 0)
		put_check_thrown(out);
	put_enters(m, out);
	put_call_table(m, out);
	put_initialize(m, out);
	put_imports(m, out);
	put_exports(m, out);
	put_symbols(m, out);
	put_image(m, out);
}
