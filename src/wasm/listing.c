#include "wasm/listing.h"

#include "wasm/module.h"

static const char *kind_name(enum wasm_kind kind)
{
	switch (kind) {
	case KIND_FUNCTION: return "function";
	case KIND_TABLE: return "table";
	case KIND_MEMORY: return "memory";
	case KIND_TAG: return "tag";
	default: return "global";
	}
}

size_t wasm_listed_count(const struct wasm_module *m)
{
	return (size_t)m->import_count + m->export_count;
}

static struct wasm_listed listed(const struct wasm_module *m, enum wasm_kind kind, uint32_t index,
                                 struct wasm_text name)
{
	return (struct wasm_listed){
		.kind = kind_name(kind),
		.signature = kind == KIND_FUNCTION ? m->functions[index].type->signature : NULL,
		.name = (const char *)name.bytes,
		.name_size = name.size,
	};
}

struct wasm_listed wasm_listed_at(const struct wasm_module *m, size_t index)
{
	if (index >= m->import_count) {
		const struct wasm_export *e = &m->exports[index - m->import_count];
		return listed(m, e->kind, e->index, e->name);
	}
	const struct wasm_import *i = &m->imports[index];
	struct wasm_listed l = listed(m, i->kind, i->index, i->name);
	l.import = true;
	l.module = (const char *)i->module.bytes;
	l.module_size = i->module.size;
	return l;
}
