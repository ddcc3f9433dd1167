/*
 * The program's own lines in the translation. All C that is made of one line of the source lies in one line,
 * so that a #line is needed only where the source's changes. Where that is not known, each instruction that
 * may trap or call says its offset instead, in "lines" of the module.
 */
#include <string.h>

#include "wasm/translate_body.h"
#include "wasm/wasm.h"

bool wasm_has_lines(const struct wasm_module *m)
{
	return m->has_lines;
}

void wasm_set_lines(struct wasm_module *m, const struct wasm_line *lines, size_t count)
{
	m->tells_lines = true;
	m->lines = lines;
	m->line_count = count;
}

/* The entry of the instruction at this offset in the module; NULL: its line is not known. */
static const struct wasm_line *find(const struct wasm_module *m, size_t offset)
{
	const struct wasm_line *found = NULL;
	for (size_t low = 0, high = m->line_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (m->code + m->lines[middle].offset <= offset) {
			found = &m->lines[middle];
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return found && found->file ? found : NULL;
}

static void put_directive(struct buf *out, const struct wasm_line *line, size_t offset)
{
	const char *file = line ? line->file : WASM_LINES_OFFSETS;
	buf_printf(out, "\n#line %zu ", line ? (size_t)line->line : offset);
	wasm_put_literal(out, (const uint8_t *)file, strlen(file));
	wasm_put(out, "\n");
}

/* Does nothing but compute? */
static bool is_plain(const struct wasm_step *step)
{
	switch ((enum wasm_immediate)step->op->immediate) {
	case IMMEDIATE_NONE: return step->op->signature && !step->op->traps;
	case IMMEDIATE_LOCAL:
	case IMMEDIATE_GLOBAL:
	case IMMEDIATE_I32:
	case IMMEDIATE_I64:
	case IMMEDIATE_F32:
	case IMMEDIATE_F64:
	case IMMEDIATE_V128: return true;
	default: return false;
	}
}

static bool is_same(const struct wasm_line *a, const struct wasm_line *b)
{
	return a && a->line == b->line && strcmp(a->file, b->file) == 0;
}

void body_put_line(struct wasm_translation *t, const struct wasm_step *step)
{
	if (t->step_count == 1)
		t->first_step = step->offset;
	if (!t->m->tells_lines || !step->live)
		return;
	const struct wasm_line *line = find(t->m, step->offset);
	if (line ? !is_same(t->line, line) : !is_plain(step)) {
		put_directive(&t->body, line, step->offset);
		t->line = line;
	}
}

void body_put_first_line(struct wasm_translation *t)
{
	if (t->m->tells_lines)
		put_directive(&t->bodies, find(t->m, t->first_step), t->first_step);
}

void body_join_lines(const struct wasm_translation *t, struct buf *text, size_t from)
{
	for (size_t i = from; t->m->tells_lines && i < text->size; i++)
		if (text->data[i] == '\n')
			text->data[i] = ' ';
}
