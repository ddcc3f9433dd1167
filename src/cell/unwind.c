#include "cell/unwind.h"

#include <string.h>

#include "base/buf.h"

/* DWARF's numbers of registers. */
enum { RBP = 6, RSP = 7, R11 = 11, RETURN_ADDRESS = 16 };

/* How pointers are written: 32 bits, relative to their own place or to the header's. */
enum { RELATIVE_TO_PLACE = 0x1b, RELATIVE_TO_HEADER = 0x3b, COUNT_OF_32_BITS = 0x03 };
enum { HEADER_SIZE = 12, ENTRY_SIZE = 8, REMEMBERED_MAX = 8, RECORD_MAX = 1 << 20 };
/* A version, and how what follows is written. */
static const uint8_t header_kind[] = {1, RELATIVE_TO_PLACE, COUNT_OF_32_BITS, RELATIVE_TO_HEADER};
static const uint8_t cie_kind[] = {1, 'z', 'R', 0};

enum {
	/* the upper two bits; the others are an operand */
	CFA_ADVANCE = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	/* the lower six */
	CFA_NOP = 0x00,
	CFA_ADVANCE_1 = 0x02,
	CFA_ADVANCE_2 = 0x03,
	CFA_ADVANCE_4 = 0x04,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEFINE = 0x0c,
	CFA_DEFINE_REGISTER = 0x0d,
	CFA_DEFINE_OFFSET = 0x0e,
	CFA_ARGUMENTS_SIZE = 0x2e,
};

/* At an instruction: what the stack pointer of the caller comes from, and where rbp is saved below that. */
struct rule {
	uint64_t base;
	uint64_t offset;
	uint64_t pointer_at; /* as a distance; 0: rbp is the caller's still */
};

struct program {
	struct reader instructions;
	uintptr_t at; /* the instruction that the rule holds for */
	uint64_t code_step;
	int64_t data_step;
	struct rule rule, initial, remembered[REMEMBERED_MAX];
	size_t remembered_count;
};

static uint64_t read_uleb(struct reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 63; shift += 7) {
		uint8_t byte = reader_u8(r);
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return value;
	}
	r->failed = true;
	return 0;
}

static int64_t read_sleb(struct reader *r)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 63;) {
		uint8_t byte = reader_u8(r);
		value |= (uint64_t)(byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80))
			return (int64_t)(byte & 0x40 ? value | UINT64_MAX << shift : value);
	}
	r->failed = true;
	return 0;
}

static struct reader read_from(const struct unwind_table *t, size_t at)
{
	bool in = at <= t->size;
	return (struct reader){.data = t->bytes, .size = t->size, .at = in ? at : t->size, .failed = !in};
}

/* A record of .eh_frame: what follows its length, and nothing else. */
static struct reader read_record(const struct unwind_table *t, size_t at)
{
	struct reader r = read_from(t, at);
	uint32_t size = reader_u32(&r);
	if (size > RECORD_MAX || size > reader_left(&r))
		r.failed = true;
	else
		r.size = r.at + size;
	return r;
}

static uintptr_t read_pointer(struct reader *r)
{
	uintptr_t place = (uintptr_t)r->data + r->at;
	return place + (uintptr_t)(intptr_t)(int32_t)reader_u32(r);
}

/* Where the register's caller's value is saved. Of other registers than these two nobody asks, and the return
 * address is always next to the caller's stack. */
static void save(struct program *p, uint64_t reg, uint64_t offset)
{
	if (reg == RBP)
		p->rule.pointer_at = 0 - offset * (uint64_t)p->data_step;
	else if (reg == RETURN_ADDRESS && offset * (uint64_t)p->data_step != 0 - (uint64_t)8)
		p->instructions.failed = true;
}

static void remember_state(struct program *p)
{
	if (p->remembered_count < REMEMBERED_MAX)
		p->remembered[p->remembered_count++] = p->rule;
	else
		p->instructions.failed = true;
}

static void restore_state(struct program *p)
{
	if (p->remembered_count)
		p->rule = p->remembered[--p->remembered_count];
	else
		p->instructions.failed = true;
}

static void execute_long(struct program *p, uint8_t instruction)
{
	struct reader *r = &p->instructions;
	switch (instruction) {
	case CFA_NOP: break;
	case CFA_ADVANCE_1: p->at += reader_u8(r) * p->code_step; break;
	case CFA_ADVANCE_2: p->at += reader_u16(r) * p->code_step; break;
	case CFA_ADVANCE_4: p->at += reader_u32(r) * p->code_step; break;
	case CFA_REMEMBER_STATE: remember_state(p); break;
	case CFA_RESTORE_STATE: restore_state(p); break;
	case CFA_DEFINE:
		p->rule.base = read_uleb(r);
		p->rule.offset = read_uleb(r);
		break;
	case CFA_DEFINE_REGISTER: p->rule.base = read_uleb(r); break;
	case CFA_DEFINE_OFFSET: p->rule.offset = read_uleb(r); break;
	case CFA_ARGUMENTS_SIZE: read_uleb(r); break;
	default: r->failed = true;
	}
}

/* Up to the rule for this instruction; false if the program is none that is understood. */
static bool execute(struct program *p, uintptr_t instruction)
{
	struct reader *r = &p->instructions;
	while (!r->failed && reader_left(r)) {
		uint8_t byte = reader_u8(r), operand = byte & 0x3f;
		switch (byte & 0xc0) {
		case CFA_ADVANCE: p->at += operand * p->code_step; break;
		case CFA_OFFSET: save(p, operand, read_uleb(r)); break;
		case CFA_RESTORE:
			if (operand == RBP)
				p->rule.pointer_at = p->initial.pointer_at;
			break;
		default: execute_long(p, byte);
		}
		if (p->at > instruction)
			return true;
	}
	return !r->failed;
}

/* What functions have in common: sets out the program, and runs the instructions that are before each. */
static bool begin(const struct unwind_table *t, size_t cie, struct program *p)
{
	struct reader r = read_record(t, cie);
	uint32_t back = reader_u32(&r); /* of a function, to this */
	const uint8_t *kind = reader_bytes(&r, sizeof(cie_kind));
	p->code_step = read_uleb(&r);
	p->data_step = read_sleb(&r);
	uint8_t return_register = reader_u8(&r);
	uint64_t augmentation_size = read_uleb(&r);
	uint8_t pointers = reader_u8(&r);
	p->instructions = r;
	if (back || !kind || memcmp(kind, cie_kind, sizeof(cie_kind)) != 0 ||
	    return_register != RETURN_ADDRESS || augmentation_size != 1 || pointers != RELATIVE_TO_PLACE ||
	    !execute(p, UINTPTR_MAX))
		return false;
	p->initial = p->rule;
	return true;
}

static uintptr_t word_of(const uint8_t *at)
{
	int32_t word;
	memcpy(&word, at, sizeof(word));
	return (uintptr_t)(intptr_t)word;
}

/* The record of the last function that begins at or before the instruction; the table is sorted. */
static bool find_record(const struct unwind_table *t, uintptr_t instruction, size_t *ret_at)
{
	struct reader r = read_from(t, t->header);
	const uint8_t *kind = reader_bytes(&r, sizeof(header_kind));
	if (!kind || memcmp(kind, header_kind, sizeof(header_kind)) != 0)
		return false;
	reader_u32(&r);
	size_t low = 0, high = reader_u32(&r);
	uintptr_t header = (uintptr_t)t->bytes + t->header;
	if (r.failed || high > reader_left(&r) / ENTRY_SIZE)
		return false;
	const uint8_t *entries = t->bytes + t->header + HEADER_SIZE;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (header + word_of(entries + middle * ENTRY_SIZE) <= instruction)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return false;
	*ret_at = t->header + word_of(entries + (low - 1) * ENTRY_SIZE + sizeof(int32_t));
	return true;
}

static bool find_rule(const struct unwind_table *t, uintptr_t instruction, struct rule *ret_rule)
{
	size_t at;
	if (!t->bytes || !find_record(t, instruction, &at))
		return false;
	struct reader r = read_record(t, at);
	size_t place = r.at;
	uint32_t back = reader_u32(&r);
	uintptr_t start = read_pointer(&r), size = reader_u32(&r);
	struct program p = {0};
	if (r.failed || back == 0 || instruction - start >= size || !begin(t, place - back, &p))
		return false;
	reader_bytes(&r, read_uleb(&r));
	p.instructions = r;
	p.at = start;
	if (!execute(&p, instruction))
		return false;
	*ret_rule = p.rule;
	return true;
}

static bool load(const struct unwind_stack *s, uintptr_t at, uintptr_t *ret_value)
{
	if (at % sizeof(*ret_value) || at < s->low || at >= s->high)
		return false;
	memcpy(ret_value, (const void *)at, sizeof(*ret_value));
	return true;
}

static bool go_up(const struct unwind_stack *s, uintptr_t to, uintptr_t pointer_at, struct unwind_frame *f)
{
	uintptr_t back, pointer = f->pointer;
	if (to <= f->stack || !load(s, to - sizeof(back), &back) ||
	    (pointer_at && !load(s, to - pointer_at, &pointer)))
		return false;
	*f = (struct unwind_frame){.instruction = back - 1, .stack = to, .pointer = pointer};
	return true;
}

bool unwind_step(const struct unwind_table *table, const struct unwind_stack *stack,
                 struct unwind_frame *frame)
{
	struct rule rule;
	if (!find_rule(table, frame->instruction, &rule))
		return false;
	switch (rule.base) {
	case RSP: return go_up(stack, frame->stack + rule.offset, rule.pointer_at, frame);
	case RBP: return go_up(stack, frame->pointer + rule.offset, rule.pointer_at, frame);
	case R11: return go_up(stack, frame->probe + rule.offset, rule.pointer_at, frame);
	default: return false;
	}
}

bool unwind_step_by_pointer(const struct unwind_stack *stack, struct unwind_frame *frame)
{
	/* The frame pointer is where it is saved, below the return address. */
	return go_up(stack, frame->pointer + 2 * sizeof(uintptr_t), 2 * sizeof(uintptr_t), frame);
}
