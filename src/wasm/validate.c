/* Types and control of function bodies: the algorithm of the specification's appendix 7.3. */
#include "wasm/validate.h"

#include <stdlib.h>
#include <string.h>

#include "wasm/validator.h"

static struct wasm_frame *innermost(struct wasm_validator *v)
{
	return &v->frames[v->depth - 1];
}

static void push(struct wasm_validator *v, char type)
{
	if (v->height == v->operand_capacity) {
		uint32_t capacity = max_of(256u, v->operand_capacity * 2);
		char *operands = realloc(v->operands, capacity);
		if (!operands) {
			wasm_fail(&v->d, CELLA_ENOMEM, "no memory for %u operands", capacity);
			return;
		}
		v->operands = operands;
		v->operand_capacity = capacity;
	}
	v->operands[v->height++] = type;
}

/* Pops an operand of type `expected`, or of any if that is TYPE_ANY; returns what it was. */
static char pop(struct wasm_validator *v, const struct wasm_step *step, char expected)
{
	const struct wasm_frame *frame = innermost(v);
	if (v->height == frame->height) {
		if (!frame->polymorphic)
			wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
			             "%s: an operand of type %s is missing", step->op->name,
			             wasm_type_name(expected));
		return expected;
	}
	char found = v->operands[--v->height];
	if (found != expected && found != TYPE_ANY && expected != TYPE_ANY)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "%s: an operand is %s; %s was expected",
		             step->op->name, wasm_type_name(found), wasm_type_name(expected));
	return found == TYPE_ANY ? expected : found;
}

static void push_list(struct wasm_validator *v, const char *types, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		push(v, types[i]);
}

static void pop_list(struct wasm_validator *v, const struct wasm_step *step, const char *types,
                     uint32_t count)
{
	for (uint32_t i = count; i > 0; i--)
		pop(v, step, types[i - 1]);
}

static void open_frame(struct wasm_validator *v, uint16_t opcode, const struct wasm_type *type)
{
	if (v->depth >= WASM_DEPTH_MAX) {
		wasm_fail(&v->d, CELLA_ELIMIT, "blocks are nested more than %d deep", WASM_DEPTH_MAX);
		return;
	}
	if (v->depth == v->frame_capacity) {
		uint32_t capacity = max_of(32u, v->frame_capacity * 2);
		struct wasm_frame *frames = realloc(v->frames, capacity * sizeof(*frames));
		if (!frames) {
			wasm_fail(&v->d, CELLA_ENOMEM, "no memory for blocks that are nested %u deep",
			          v->depth);
			return;
		}
		v->frames = frames;
		v->frame_capacity = capacity;
	}
	uint32_t handler = WASM_NO_INDEX;
	if (v->depth > 0)
		handler = innermost(v)->opcode == OP_TRY ? v->depth - 1 : innermost(v)->handler;
	v->frames[v->depth++] = (struct wasm_frame){.id = v->frame_ids++,
	                                            .opcode = opcode,
	                                            .type = type,
	                                            .height = v->height,
	                                            .handler = handler,
	                                            .entered = v->live};
}

/* The rest of the block is never reached: its operand stack holds whatever is asked of it. */
static void set_unreachable(struct wasm_validator *v)
{
	struct wasm_frame *frame = innermost(v);
	v->height = frame->height;
	frame->polymorphic = true;
	v->live = false;
}

static void check_block(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_type *type = v->block_type;
	if (step->opcode == OP_IF)
		pop(v, step, TYPE_I32);
	pop_list(v, step, type->params, type->param_count);
	step->base = v->height;
	open_frame(v, (uint16_t)step->opcode, type);
	if (v->d.rc < 0)
		return;
	push_list(v, type->params, type->param_count);
	step->frame = innermost(v);
}

/* What `else` and `end` ask of the block that they end. */
static void check_block_end(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_frame *frame = innermost(v);
	pop_list(v, step, frame->type->results, frame->type->result_count);
	if (v->d.rc == 0 && v->height != frame->height)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "%s: %u operands too many", step->op->name,
		             v->height - frame->height);
	step->base = frame->height;
	step->fell = v->live;
}

static void check_else(struct wasm_validator *v, struct wasm_step *step)
{
	check_block_end(v, step);
	struct wasm_frame *frame = innermost(v);
	if (v->d.rc == 0 && frame->opcode != OP_IF)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "else: there is no if");
	frame->opcode = OP_ELSE;
	frame->polymorphic = false;
	frame->targeted |= v->live;
	v->live = frame->entered;
	push_list(v, frame->type->params, frame->type->param_count);
	step->frame = frame;
}

/* Turns a try to its next clause, which begins with what an exception of `type` carries. */
static void check_clause(struct wasm_validator *v, struct wasm_step *step, const struct wasm_type *type)
{
	check_block_end(v, step);
	struct wasm_frame *frame = innermost(v);
	if (v->d.rc == 0 && frame->opcode != OP_TRY && frame->opcode != OP_CATCH)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "%s: there is no try", step->op->name);
	frame->opcode = (uint16_t)step->opcode;
	frame->polymorphic = false;
	frame->targeted |= v->live;
	frame->clauses++;
	v->live = frame->entered;
	if (type)
		push_list(v, type->params, type->param_count);
	step->callee = type;
	step->frame = frame;
}

/* The frame that `end` and `delegate` leave. */
static void close_frame(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_frame *frame = innermost(v);
	if (frame->opcode == OP_TRY || frame->opcode == OP_CATCH)
		frame->targeted |= v->live;
	v->closed = *frame;
	v->depth--;
	step->frame = &v->closed;
}

static void check_end(struct wasm_validator *v, struct wasm_step *step)
{
	check_block_end(v, step);
	close_frame(v, step);
	const struct wasm_frame *frame = step->frame;
	if (v->d.rc == 0 && frame->opcode == OP_IF &&
	    (frame->type->param_count != frame->type->result_count ||
	     memcmp(frame->type->params, frame->type->results, frame->type->param_count) != 0))
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "end: an if without else must give what it takes");
	v->live |= (frame->targeted && frame->opcode != OP_LOOP) ||
	           (frame->entered && frame->opcode == OP_IF);
	push_list(v, frame->type->results, frame->type->result_count);
}

/* Ends a try without clauses: what it throws looks for a handler where the label is. */
static void check_delegate(struct wasm_validator *v, struct wasm_step *step)
{
	check_block_end(v, step);
	if (v->d.rc == 0 && innermost(v)->opcode != OP_TRY)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "delegate: there is no try");
	close_frame(v, step);
	if (v->d.rc == 0 && v->labels[0] >= v->depth)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "delegate: unknown label %u; there are %u",
		             v->labels[0], v->depth);
	v->live |= step->frame->targeted;
	step->handlers = v->depth - v->labels[0];
	push_list(v, step->frame->type->results, step->frame->type->result_count);
}

static struct wasm_frame *label_frame(struct wasm_validator *v, uint32_t label)
{
	return &v->frames[v->depth - 1 - label];
}

static void target(struct wasm_validator *v, struct wasm_step *step, uint32_t label)
{
	struct wasm_frame *frame = label_frame(v, label);
	frame->targeted |= v->live;
	step->frame = frame;
	step->base = v->height;
}

static void check_br(struct wasm_validator *v, struct wasm_step *step, uint32_t label)
{
	const struct wasm_frame *frame = label_frame(v, label);
	pop_list(v, step, wasm_label_types(frame), wasm_label_arity(frame));
	target(v, step, label);
	set_unreachable(v);
}

static void check_br_if(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_frame *frame = label_frame(v, v->labels[0]);
	pop(v, step, TYPE_I32);
	pop_list(v, step, wasm_label_types(frame), wasm_label_arity(frame));
	target(v, step, v->labels[0]);
	push_list(v, wasm_label_types(frame), wasm_label_arity(frame));
}

/* Each target pops the operands that it wants, and they are put back as they were found. */
static void check_br_table_target(struct wasm_validator *v, struct wasm_step *step, uint32_t label)
{
	const struct wasm_frame *frame = label_frame(v, label);
	uint32_t arity = wasm_label_arity(frame);
	const char *types = wasm_label_types(frame);
	const struct wasm_frame *inner = innermost(v);
	for (uint32_t i = 0; i < arity && v->d.rc == 0; i++) {
		uint32_t room = v->height - inner->height;
		char found = i < room ? v->operands[v->height - 1 - i] : TYPE_ANY;
		char expected = types[arity - 1 - i];
		if (i >= room && !inner->polymorphic)
			wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
			             "br_table: an operand of type %s is missing", wasm_type_name(expected));
		else if (found != TYPE_ANY && found != expected)
			wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
			             "br_table: an operand is %s; %s was expected", wasm_type_name(found),
			             wasm_type_name(expected));
	}
}

static void check_br_table(struct wasm_validator *v, struct wasm_step *step)
{
	uint32_t last = v->labels[v->label_count - 1];
	uint32_t arity = wasm_label_arity(label_frame(v, last));
	pop(v, step, TYPE_I32);
	for (uint32_t i = 0; i < v->label_count && v->d.rc == 0; i++) {
		struct wasm_frame *frame = label_frame(v, v->labels[i]);
		if (wasm_label_arity(frame) != arity)
			wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
			             "br_table: targets take %u and %u operands", wasm_label_arity(frame),
			             arity);
		check_br_table_target(v, step, v->labels[i]);
		frame->targeted |= v->live;
		v->targets[i] = frame;
	}
	step->targets = v->targets;
	step->target_count = v->label_count;
	check_br(v, step, last);
}

static void check_throw(struct wasm_validator *v, struct wasm_step *step, const struct wasm_type *type)
{
	pop_list(v, step, type->params, type->param_count);
	step->base = v->height;
	step->callee = type;
	set_unreachable(v);
}

static void check_rethrow(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_frame *frame = label_frame(v, v->labels[0]);
	if (frame->opcode != OP_CATCH && frame->opcode != OP_CATCH_ALL)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "rethrow: label %u is no catch",
		             v->labels[0]);
	step->frame = frame;
	set_unreachable(v);
}

static void check_call(struct wasm_validator *v, struct wasm_step *step, const struct wasm_type *type)
{
	pop_list(v, step, type->params, type->param_count);
	step->base = v->height;
	step->callee = type;
	push_list(v, type->results, type->result_count);
}

static void check_call_indirect(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_module *m = v->d.m;
	if (m->tables[step->other].type != TYPE_FUNCREF)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "call_indirect: table %u holds no functions",
		             step->other);
	pop(v, step, TYPE_I32);
	check_call(v, step, &m->types[step->index]);
}

static void note_values(struct wasm_module *m, const struct wasm_type *type)
{
	m->tail_values = max_of(m->tail_values, max_of(type->param_count, type->result_count));
}

static void check_tail_call(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_module *m = v->d.m;
	struct wasm_function *self = &m->functions[v->body.index];
	const char *own = v->frames[0].type->results;
	bool indirect = step->opcode == OP_RETURN_CALL_INDIRECT;
	if (indirect)
		check_call_indirect(v, step);
	else
		check_call(v, step, m->functions[step->index].type);
	if (v->d.rc == 0 && strcmp(step->callee->results, own) != 0)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "%s: the callee gives (%s), the function that it ends (%s)", step->op->name,
		             step->callee->results, own);
	m->tails_indirectly |= indirect;
	self->tails |= indirect || (step->index >= m->function_import_count && step->index != v->body.index);
	note_values(m, self->type);
	note_values(m, step->callee);
	step->frame = &v->frames[0];
	set_unreachable(v);
}

static void check_select(struct wasm_validator *v, struct wasm_step *step)
{
	bool typed = step->opcode == OP_SELECT_T;
	pop(v, step, TYPE_I32);
	char second = pop(v, step, typed ? v->selected : TYPE_ANY);
	step->type = pop(v, step, second);
	if (!typed && (step->type == TYPE_FUNCREF || step->type == TYPE_EXTERNREF))
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "select: a reference needs a select that names its type");
	step->base = v->height;
	push(v, typed ? v->selected : step->type);
}

static void check_ref_is_null(struct wasm_validator *v, struct wasm_step *step)
{
	step->type = pop(v, step, TYPE_ANY);
	if (step->type != TYPE_FUNCREF && step->type != TYPE_EXTERNREF && step->type != TYPE_ANY)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "ref.is_null: an operand is %s; a reference was expected",
		             wasm_type_name(step->type));
	step->base = v->height;
	push(v, TYPE_I32);
}

/* Pops and pushes by a signature of at most one result. */
static void apply(struct wasm_validator *v, struct wasm_step *step, const char *signature)
{
	const char *colon = strchr(signature, ':');
	pop_list(v, step, signature, (uint32_t)(colon - signature));
	step->base = v->height;
	step->type = colon[1];
	if (step->type)
		push(v, step->type);
}

/* The same, with `type` for each '*'. */
static void apply_typed(struct wasm_validator *v, struct wasm_step *step, const char *pattern, char type)
{
	char signature[8] = {0};
	for (size_t i = 0; pattern[i] && i < sizeof(signature) - 1; i++)
		signature[i] = pattern[i] == '*' ? type : pattern[i];
	apply(v, step, signature);
	step->type = type;
}

/* By its row, where i stands for an address of a 32-bit memory. */
static void apply_row(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_op *op = step->op;
	size_t addresses = 0;
	switch ((enum wasm_immediate)op->immediate) {
	case IMMEDIATE_ADDRESS:
	case IMMEDIATE_ADDRESS_LANE:
	case IMMEDIATE_ATOMIC:
	case IMMEDIATE_DATA_MEMORY: addresses = 1; break;
	case IMMEDIATE_MEMORY: addresses = step->opcode == OP_MEMORY_FILL ? 0x5 : 0x7; break;
	case IMMEDIATE_MEMORY_MEMORY: addresses = 0x7; break;
	default: break;
	}
	strncpy(v->signature, op->signature, sizeof(v->signature) - 1);
	for (size_t i = 0; v->d.m->memory64 && v->signature[i]; i++)
		if (addresses >> i & 1 && v->signature[i] == TYPE_I32)
			v->signature[i] = TYPE_I64;
	step->signature = v->signature;
	apply(v, step, v->signature);
}

static void check_global_set(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_global *global = &v->d.m->globals[step->index];
	if (!global->changes)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "global.set: global %u is immutable",
		             step->index);
	apply_typed(v, step, "*:", global->type);
}

static void check_ref_func(struct wasm_validator *v, struct wasm_step *step)
{
	if (!v->d.m->functions[step->index].referenced)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "ref.func: function %u is in no element segment, export or global", step->index);
	apply(v, step, step->op->signature);
}

static void check_table_copy(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_table *tables = v->d.m->tables;
	if (tables[step->index].type != tables[step->other].type)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT,
		             "table.copy: from a table of %s to one of %s",
		             wasm_type_name(tables[step->other].type),
		             wasm_type_name(tables[step->index].type));
	apply(v, step, step->op->signature);
}

static void check_table_init(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_module *m = v->d.m;
	if (m->elements[step->index].type != m->tables[step->other].type)
		wasm_fail_at(&v->d, step->offset, CELLA_EFORMAT, "table.init: %s elements for a table of %s",
		             wasm_type_name(m->elements[step->index].type),
		             wasm_type_name(m->tables[step->other].type));
	apply(v, step, step->op->signature);
}

static void check_variable(struct wasm_validator *v, struct wasm_step *step)
{
	struct wasm_module *m = v->d.m;
	switch (step->opcode) {
	case OP_LOCAL_GET: apply_typed(v, step, ":*", v->locals[step->index]); break;
	case OP_LOCAL_SET: apply_typed(v, step, "*:", v->locals[step->index]); break;
	case OP_LOCAL_TEE: apply_typed(v, step, "*:*", v->locals[step->index]); break;
	case OP_GLOBAL_GET: apply_typed(v, step, ":*", m->globals[step->index].type); break;
	case OP_GLOBAL_SET: check_global_set(v, step); break;
	case OP_TABLE_GET: apply_typed(v, step, "i:*", m->tables[step->index].type); break;
	case OP_TABLE_SET: apply_typed(v, step, "i*:", m->tables[step->index].type); break;
	case OP_TABLE_GROW:
		m->tables[step->index].grows = true;
		apply_typed(v, step, "*i:i", m->tables[step->index].type);
		break;
	case OP_TABLE_FILL: apply_typed(v, step, "i*i:", m->tables[step->index].type); break;
	default: apply_row(v, step);
	}
}

static void check_instruction(struct wasm_validator *v, struct wasm_step *step)
{
	const struct wasm_module *m = v->d.m;
	switch (step->opcode) {
	case OP_UNREACHABLE: set_unreachable(v); break;
	case OP_NOP: break;
	case OP_BLOCK:
	case OP_LOOP:
	case OP_IF:
	case OP_TRY: check_block(v, step); break;
	case OP_CATCH: check_clause(v, step, m->tags[step->index].type); break;
	case OP_CATCH_ALL: check_clause(v, step, NULL); break;
	case OP_DELEGATE: check_delegate(v, step); break;
	case OP_THROW: check_throw(v, step, m->tags[step->index].type); break;
	case OP_RETHROW: check_rethrow(v, step); break;
	case OP_ELSE: check_else(v, step); break;
	case OP_END: check_end(v, step); break;
	case OP_BR: check_br(v, step, v->labels[0]); break;
	case OP_BR_IF: check_br_if(v, step); break;
	case OP_BR_TABLE: check_br_table(v, step); break;
	case OP_RETURN: check_br(v, step, v->depth - 1); break;
	case OP_CALL: check_call(v, step, m->functions[step->index].type); break;
	case OP_CALL_INDIRECT: check_call_indirect(v, step); break;
	case OP_RETURN_CALL:
	case OP_RETURN_CALL_INDIRECT: check_tail_call(v, step); break;
	case OP_DROP:
		step->type = pop(v, step, TYPE_ANY);
		step->base = v->height;
		break;
	case OP_SELECT:
	case OP_SELECT_T: check_select(v, step); break;
	case OP_REF_NULL: apply_typed(v, step, ":*", step->type); break;
	case OP_REF_IS_NULL: check_ref_is_null(v, step); break;
	case OP_REF_FUNC: check_ref_func(v, step); break;
	case OP_TABLE_COPY: check_table_copy(v, step); break;
	case OP_TABLE_INIT: check_table_init(v, step); break;
	default: check_variable(v, step);
	}
}

/* Parameters, then the runs of locals that the body begins with. */
static void read_locals(struct wasm_validator *v, struct buf *locals)
{
	struct wasm_decoder *d = &v->d;
	const struct wasm_type *type = v->body.function->type;
	buf_put(locals, type->params, type->param_count);
	uint32_t runs = wasm_read_count(d, WASM_BODY_SIZE_MAX, "runs of locals");
	uint64_t total = 0;
	for (uint32_t i = 0; i < runs && d->rc == 0; i++) {
		size_t start = d->r.at;
		uint32_t count = wasm_read_u32(d);
		char letter = wasm_read_value_type(d);
		total += count;
		if (d->rc == 0 && total > WASM_LOCALS_MAX)
			wasm_fail_at(d, start, total > UINT32_MAX ? CELLA_EFORMAT : CELLA_ELIMIT,
			             "%llu locals; at most %u are supported", (unsigned long long)total,
			             WASM_LOCALS_MAX);
		uint8_t *at = d->rc == 0 ? buf_reserve(locals, count) : NULL;
		if (at)
			memset(at, letter, count);
	}
	if (locals->failed)
		wasm_fail(d, CELLA_ENOMEM, "no memory for %llu locals", (unsigned long long)total);
	v->locals = (char *)locals->data;
	v->body.locals = v->locals;
	v->body.local_count = (uint32_t)locals->size;
}

static void take(struct wasm_validator *v, int rc)
{
	if (v->d.rc == 0)
		v->d.rc = rc;
}

static void validate_step(struct wasm_validator *v)
{
	struct wasm_step step = {.live = v->live, .base = v->height};
	wasm_read_opcode(v, &step);
	if (v->d.rc == 0)
		wasm_read_immediates(v, &step);
	if (v->d.rc == 0)
		check_instruction(v, &step);
	step.operands = v->operands;
	step.frames = v->frames;
	if (step.opcode != OP_DELEGATE)
		step.handlers = v->depth;
	if (v->d.rc == 0 && v->visitor)
		take(v, v->visitor->step(v->context, &step, v->d.err));
}

static void validate_body(struct wasm_validator *v)
{
	cleanup_buf struct buf locals = {0};
	v->live = true;
	v->height = v->depth = v->frame_ids = 0;
	read_locals(v, &locals);
	struct wasm_type body_type = *v->body.function->type;
	body_type.params = "";
	body_type.param_count = 0;
	open_frame(v, OP_BLOCK, &body_type);
	if (v->d.rc == 0 && v->visitor)
		take(v, v->visitor->begin(v->context, &v->body, v->d.err));
	while (v->d.rc == 0 && v->depth > 0)
		validate_step(v);
	if (v->d.rc == 0 && reader_left(&v->d.r) > 0)
		wasm_fail(&v->d, CELLA_EFORMAT, "%zu bytes follow the function's end", reader_left(&v->d.r));
	if (v->d.rc == 0 && v->visitor)
		take(v, v->visitor->end(v->context, &v->body, v->d.err));
}

int wasm_validate(struct wasm_module *m, const struct wasm_visitor *visitor, void *context, struct error *err)
{
	struct wasm_validator v = {.visitor = visitor, .context = context};
	v.d = (struct wasm_decoder){.m = m, .section = "code", .err = err};
	for (uint32_t i = m->function_import_count; i < m->function_count && v.d.rc == 0; i++) {
		const struct wasm_function *f = &m->functions[i];
		v.d.function = i;
		v.d.r = reader_of(m->bytes, f->body + f->body_size);
		v.d.r.at = f->body;
		v.body = (struct wasm_body){.index = i, .function = f};
		validate_body(&v);
	}
	free(v.operands);
	free(v.frames);
	free(v.labels);
	free(v.targets);
	return v.d.rc;
}
