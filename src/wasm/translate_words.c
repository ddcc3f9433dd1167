/* The words that lines of a function body are made of. */
#include <string.h>

#include "wasm/translate_body.h"

const char body_letters[] = "ilfdvrx";

void body_put_slot(struct wasm_translation *t, uint32_t height, char type)
{
	char text[16];
	size_t at = sizeof(text);
	text[--at] = type;
	do
		text[--at] = (char)('0' + height % 10);
	while (height /= 10);
	text[--at] = 's';
	buf_put(&t->body, text + at, sizeof(text) - at);
}

void body_put_result(struct wasm_translation *t, uint32_t height, char type)
{
	if (height >= t->slots.size && !buf_reserve(&t->slots, height + 1 - t->slots.size))
		t->slots.failed = true;
	else
		t->slots.data[height] |= (uint8_t)(1u << (strchr(body_letters, type) - body_letters));
	body_put_slot(t, height, type);
}

void body_put(struct wasm_translation *t, const char *text)
{
	wasm_put(&t->body, text);
}

void body_put_number(struct wasm_translation *t, uint32_t n)
{
	wasm_put_number(&t->body, n);
}

void body_put_label(struct wasm_translation *t, char kind, uint32_t id)
{
	buf_put_u8(&t->body, (uint8_t)kind);
	body_put_number(t, id);
}

void body_put_assignment(struct wasm_translation *t, uint32_t height, char type)
{
	body_put(t, "\t");
	body_put_result(t, height, type);
	body_put(t, " = ");
}

void body_put_state(struct wasm_translation *t, char member, uint32_t index)
{
	t->uses_state = true;
	body_put(t, "state->");
	body_put_label(t, member, index);
}

void body_put_table(struct wasm_translation *t, uint32_t index)
{
	if (index < t->m->table_import_count) {
		wasm_put_table(t->m, index, &t->body);
		return;
	}
	body_put(t, "TABLE(");
	body_put_state(t, 't', index);
	body_put(t, ")");
}

void body_put_global(struct wasm_translation *t, uint32_t index)
{
	if (index < t->m->global_import_count)
		wasm_put_global(t->m, index, &t->body);
	else
		body_put_state(t, 'g', index);
}

void body_put_name(struct wasm_translation *t, const char *name)
{
	for (; *name; name++)
		buf_put_u8(&t->body, *name == '.' ? '_' : (uint8_t)*name);
}

void body_put_keep(struct wasm_translation *t, uint32_t height, char type)
{
	body_put(t, type == TYPE_F32 || type == TYPE_F64 || type == TYPE_V128 ? "KEEP_VECTOR(" : "KEEP(");
	body_put_slot(t, height, type);
	body_put(t, "); ");
}
