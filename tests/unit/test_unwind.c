/*
 * Callers by unwind tables. Is a function's caller found at each of its instructions, by tables made here and
 * by those that the compiler has written for this program; and is nothing outside of them read, whatever they
 * hold?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cell/unwind.h"

enum { TABLE_SIZE = 160, HEADER_AT = 116, WORDS = 16, CODE_AT = 0x1000, CODE_SIZE = 0x20 };

/* Two functions, far from their tables. The first one pushes rbp and takes 24 bytes more, has an end in its
 * middle, and from its 0x18th byte on a frame pointer; the second one changes nothing. */
static const uint8_t cie[] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                              1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0};
static const uint8_t first[] = {
	0x41, 0x0e, 16,   0x86, 2, /* 1: pushed */
	0x44, 0x0e, 40,            /* 5 */
	0x4b, 0x0a, 0x0e, 8,    0xc6, /* 0x10: popped, about to return */
	0x41, 0x0b,                /* 0x11: as before */
	0x02, 7,    0x0c, 6,    16,   /* 0x18 */
};

struct place {
	_Alignas(8) uint8_t table[TABLE_SIZE];
	_Alignas(8) uintptr_t words[WORDS]; /* of a stack */
};

static void put(uint8_t *at, uint32_t v)
{
	memcpy(at, &v, sizeof(v));
}

static uintptr_t code_of(const struct place *p, int which)
{
	return (uintptr_t)p->table + CODE_AT * (uintptr_t)(which + 1);
}

/* Returns where the next one goes. */
static size_t put_function(struct place *p, size_t at, int which, const uint8_t *instructions, size_t size)
{
	size_t whole = align_up(13 + size, 4);
	put(p->table + at, (uint32_t)whole);
	put(p->table + at + 4, (uint32_t)(at + 4));
	put(p->table + at + 8, (uint32_t)(code_of(p, which) - (uintptr_t)p->table - at - 8));
	put(p->table + at + 12, CODE_SIZE);
	p->table[at + 16] = 0;
	memcpy(p->table + at + 17, instructions, size);
	uint8_t *entry = p->table + HEADER_AT + 12 + 8 * which;
	put(entry, (uint32_t)(code_of(p, which) - (uintptr_t)p->table - HEADER_AT));
	put(entry + 4, (uint32_t)at - HEADER_AT);
	return at + 4 + whole;
}

static void make(struct place *p)
{
	static const uint8_t header[] = {1, 0x1b, 0x03, 0x3b};
	memset(p, 0, sizeof(*p));
	memcpy(p->table, cie, sizeof(cie));
	size_t at = put_function(p, sizeof(cie), 0, first, sizeof(first));
	at = put_function(p, at, 1, first, 0);
	assert_true(at <= HEADER_AT);
	memcpy(p->table + HEADER_AT, header, sizeof(header));
	put(p->table + HEADER_AT + 4, 0u - HEADER_AT - 4);
	put(p->table + HEADER_AT + 8, 2);
	for (size_t i = 0; i < WORDS; i++)
		p->words[i] = 1000 + i;
}

static bool step(const struct place *p, uintptr_t instruction, size_t stack, size_t frame,
                 struct unwind_frame *ret_frame)
{
	const struct unwind_table table = {p->table, sizeof(p->table), HEADER_AT};
	const struct unwind_stack words = {(uintptr_t)p->words, (uintptr_t)(p->words + WORDS)};
	*ret_frame = (struct unwind_frame){instruction, (uintptr_t)(p->words + stack),
	                                   (uintptr_t)(p->words + frame)};
	return unwind_step(&table, &words, ret_frame);
}

/* The caller's stack begins at word `to`; its rbp is word `saved`, or (-1) what it was. */
static void assert_caller(const struct place *p, uintptr_t instruction, size_t stack, size_t to, int saved)
{
	struct unwind_frame frame;
	assert_true(step(p, instruction, stack, 4, &frame));
	assert_int_equal(frame.stack, p->words + to);
	assert_int_equal(frame.instruction, p->words[to - 1] - 1);
	assert_int_equal(frame.frame, saved < 0 ? (uintptr_t)(p->words + 4) : p->words[saved]);
}

static void test_each_instruction(void **state)
{
	(void)state;
	struct place p;
	make(&p);
	uintptr_t code = code_of(&p, 0);
	assert_caller(&p, code, 2, 3, -1);
	assert_caller(&p, code + 1, 2, 4, 2);
	assert_caller(&p, code + 4, 2, 4, 2);
	assert_caller(&p, code + 5, 2, 7, 5);
	assert_caller(&p, code + 0xf, 2, 7, 5);
	assert_caller(&p, code + 0x10, 2, 3, -1);
	assert_caller(&p, code + 0x11, 2, 7, 5);
	assert_caller(&p, code + 0x17, 2, 7, 5);
	assert_caller(&p, code + 0x18, 2, 6, 4); /* by rbp, whatever the stack */
	assert_caller(&p, code + CODE_SIZE - 1, 3, 6, 4);
	assert_caller(&p, code_of(&p, 1) + 5, 9, 10, -1);
}

static void test_no_caller(void **state)
{
	(void)state;
	struct place p;
	struct unwind_frame frame;
	make(&p);
	uintptr_t code = code_of(&p, 0);
	assert_false(step(&p, code - 1, 2, 4, &frame));
	assert_false(step(&p, code + CODE_SIZE, 2, 4, &frame));
	assert_false(step(&p, 0, 2, 4, &frame));
	assert_false(step(&p, UINTPTR_MAX, 2, 4, &frame));
	/* The stack ends, or does not go up. */
	assert_false(step(&p, code + 5, WORDS - 4, 4, &frame));
	assert_false(step(&p, code + 0x18, 6, 4, &frame));
	assert_int_equal(frame.instruction, code + 0x18);
	const struct unwind_table none = {0};
	const struct unwind_stack words = {(uintptr_t)p.words, (uintptr_t)(p.words + WORDS)};
	assert_false(unwind_step(&none, &words, &frame));
}

static void test_by_pointer(void **state)
{
	(void)state;
	struct place p;
	make(&p);
	p.words[3] = (uintptr_t)(p.words + 7);
	const struct unwind_stack words = {(uintptr_t)p.words, (uintptr_t)(p.words + WORDS)};
	struct unwind_frame frame = {.frame = (uintptr_t)(p.words + 3)};
	assert_true(unwind_step_by_pointer(&words, &frame));
	assert_int_equal(frame.instruction, 1004 - 1);
	assert_int_equal(frame.stack, p.words + 5);
	assert_int_equal(frame.frame, p.words + 7);
	assert_true(unwind_step_by_pointer(&words, &frame));
	assert_false(unwind_step_by_pointer(&words, &frame)); /* 1007 is no frame */
	frame.frame = (uintptr_t)(p.words + WORDS - 1);
	assert_false(unwind_step_by_pointer(&words, &frame));
}

/* In memory of its own, so that the address sanitizer sees what is read beside it. */
static void assert_bounded(const struct place *p, size_t size)
{
	uint8_t *bytes = malloc(size ? size : 1);
	assert_non_null(bytes);
	memcpy(bytes, p->table, size);
	const struct unwind_table table = {bytes, size, min_of(size, (size_t)HEADER_AT)};
	const struct unwind_stack words = {(uintptr_t)p->words, (uintptr_t)(p->words + WORDS)};
	for (uintptr_t at = 0; at <= CODE_SIZE; at++) {
		struct unwind_frame frame = {(uintptr_t)bytes + CODE_AT + at, (uintptr_t)p->words,
		                             (uintptr_t)(p->words + 2)};
		while (unwind_step(&table, &words, &frame))
			assert_in_range(frame.stack, (uintptr_t)p->words, (uintptr_t)(p->words + WORDS));
	}
	free(bytes);
}

static void test_broken_tables(void **state)
{
	(void)state;
	struct place p;
	make(&p);
	for (size_t size = 0; size <= TABLE_SIZE; size++)
		assert_bounded(&p, size);
	for (size_t i = 0; i < TABLE_SIZE * 8; i++) {
		p.table[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_bounded(&p, TABLE_SIZE);
		p.table[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

#if defined(__x86_64__)
static int find_table(struct dl_phdr_info *info, size_t size, void *data)
{
	struct unwind_table *table = data;
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = NULL, *p = &info->dlpi_phdr[i];
		for (size_t k = 0; k < info->dlpi_phnum; k++)
			if (info->dlpi_phdr[k].p_type == PT_GNU_EH_FRAME)
				header = &info->dlpi_phdr[k];
		if (header && p->p_type == PT_LOAD && header->p_vaddr - p->p_vaddr < p->p_memsz) {
			table->bytes = (const uint8_t *)(info->dlpi_addr + p->p_vaddr);
			table->size = p->p_memsz;
			table->header = header->p_vaddr - p->p_vaddr;
		}
	}
	return 1; /* the program is the first one */
}

enum { DEPTH = 6 };
static uintptr_t returns[DEPTH];

static __attribute__((noinline)) size_t walk(const struct unwind_stack *stack, uintptr_t *found)
{
	struct unwind_table table = {0};
	dl_iterate_phdr(find_table, &table);
	struct unwind_frame frame;
	__asm__ volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
	                 : "=r"(frame.instruction), "=r"(frame.stack), "=r"(frame.frame));
	size_t count = 0;
	while (count < DEPTH && unwind_step(&table, stack, &frame))
		found[count++] = frame.instruction + 1;
	return count;
}

static __attribute__((noinline)) size_t descend(int depth, const struct unwind_stack *stack, uintptr_t *found)
{
	returns[DEPTH - 1 - depth] = (uintptr_t)__builtin_return_address(0);
	size_t count = depth + 1 < DEPTH - 1 ? descend(depth + 1, stack, found) : walk(stack, found);
	__asm__ volatile("" : "+r"(count)); /* no tail call */
	return count;
}

/* The compiler's own tables. */
static void test_this_program(void **state)
{
	(void)state;
	uintptr_t found[DEPTH] = {0};
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const struct unwind_stack stack = {(here & ~(uintptr_t)7) - (64 << 10),
	                                   (here & ~(uintptr_t)7) + 4096};
	assert_int_equal(descend(0, &stack, found), DEPTH);
	/* found[0] is in the innermost `descend`, which nobody has written down. */
	for (size_t i = 1; i < DEPTH; i++)
		assert_int_equal(found[i], returns[i]);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_instruction), cmocka_unit_test(test_no_caller),
		cmocka_unit_test(test_by_pointer),       cmocka_unit_test(test_broken_tables),
#if defined(__x86_64__)
		cmocka_unit_test(test_this_program),
#endif
	};
	return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
