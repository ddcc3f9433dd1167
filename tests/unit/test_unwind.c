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
	memset(p->table + at + 16, 0, whole - 12);
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
	                                   (uintptr_t)(p->words + frame), (uintptr_t)(p->words + 5)};
	return unwind_step(&table, &words, ret_frame);
}

/* The caller's stack begins at word `to`; its rbp is word `saved`, or (-1) what it was. */
static void assert_caller(const struct place *p, uintptr_t instruction, size_t stack, size_t to, int saved)
{
	struct unwind_frame frame;
	assert_true(step(p, instruction, stack, 4, &frame));
	assert_int_equal(frame.stack, p->words + to);
	assert_int_equal(frame.instruction, p->words[to - 1] - 1);
	assert_int_equal(frame.pointer, saved < 0 ? (uintptr_t)(p->words + 4) : p->words[saved]);
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

/* One function of these instructions: where its caller's stack begins, 0 if it has no caller. */
static void test_instructions(void **state)
{
	(void)state;
	static const struct {
		uint8_t instructions[20];
		uint8_t size;
		size_t to;
	} cases[] = {
		{{0}, 0, 3},                           /* as all begin: rsp + 8 */
		{{0x0e, 24}, 2, 5},                    /* other offset */
		{{0x0d, 6}, 2, 5},                     /* rbp + 8 */
		{{0x0d, 11}, 2, 6},                    /* r11 + 8 */
		{{0x0d, 0}, 2, 0},                     /* rax + 8 */
		{{0x0d, 16}, 2, 0},                    /* of no register */
		{{0x0c, 7, 0x88, 0}, 4, 3},            /* a longer way to write 8 */
		{{0x2e, 64, 0x0e, 16}, 4, 4},          /* the size of arguments changes nothing */
		{{0x02, 0, 0x0e, 16}, 4, 4},           /* at once */
		{{0x02, 1, 0x0e, 16}, 4, 3},           /* later */
		{{0x03, 1, 0, 0x0e, 16}, 5, 3},        /* written in two bytes */
		{{0x04, 1, 0, 0, 0, 0x0e, 16}, 7, 3},  /* and in four */
		{{0x83, 2, 0x0e, 16}, 4, 4},           /* rbx is saved: nobody asks */
		{{0xc6, 0x0e, 16}, 3, 4},              /* rbp is restored, which was not saved */
		{{0x90, 1}, 2, 3},                     /* the return address where it always is */
		{{0x90, 2}, 2, 0},                     /* elsewhere */
		{{0x0e, 24, 0x0a, 0x0e, 16, 0x0b}, 6, 5},
		{{0x0b}, 1, 0},                        /* back to nothing */
		{{0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a}, 8, 3},
		{{0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a}, 9, 0},
		{{0x0f, 2, 0x77, 8}, 4, 0},            /* an expression */
		{{0x0e, 12}, 2, 0},                    /* no address of a word */
		{{0x0e, 0x80, 8}, 3, 0},               /* beyond the stack */
		{{0x86, 2}, 2, 0},                     /* rbp below the stack */
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct place p;
		struct unwind_frame frame;
		make(&p);
		put_function(&p, sizeof(cie), 0, cases[i].instructions, cases[i].size);
		bool found = step(&p, code_of(&p, 0), i + 1 == array_count(cases) ? 0 : 2, 4, &frame);
		if (found != (cases[i].to > 0) ||
		    (found && frame.stack != (uintptr_t)(p.words + cases[i].to)))
			fail_msg("case %zu: %d, %zu words", i, found, (frame.stack - (uintptr_t)p.words) / 8);
	}
}

static void test_by_pointer(void **state)
{
	(void)state;
	struct place p;
	make(&p);
	p.words[3] = (uintptr_t)(p.words + 7);
	const struct unwind_stack words = {(uintptr_t)p.words, (uintptr_t)(p.words + WORDS)};
	struct unwind_frame frame = {.pointer = (uintptr_t)(p.words + 3)};
	assert_true(unwind_step_by_pointer(&words, &frame));
	assert_int_equal(frame.instruction, 1004 - 1);
	assert_int_equal(frame.stack, p.words + 5);
	assert_int_equal(frame.pointer, p.words + 7);
	assert_true(unwind_step_by_pointer(&words, &frame));
	assert_false(unwind_step_by_pointer(&words, &frame)); /* 1007 is no frame */
	frame.pointer = (uintptr_t)(p.words + WORDS - 1);
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
	const ElfW(Phdr) *header = NULL;
	for (size_t i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_GNU_EH_FRAME)
			header = &info->dlpi_phdr[i];
	for (size_t i = 0; header && i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type == PT_LOAD && header->p_vaddr - p->p_vaddr < p->p_memsz)
			*table = (struct unwind_table){(const uint8_t *)(info->dlpi_addr + p->p_vaddr),
			                               p->p_memsz, header->p_vaddr - p->p_vaddr};
	}
	return 1; /* the program is the first one */
}

enum { DEPTH = 6 };
static uintptr_t returns[DEPTH];

static __attribute__((noinline)) size_t walk(const struct unwind_stack *stack, uintptr_t *found)
{
	struct unwind_table table = {0};
	dl_iterate_phdr(find_table, &table);
	struct unwind_frame frame = {0};
	__asm__ volatile("lea 0(%%rip), %0\n\tmov %%rsp, %1\n\tmov %%rbp, %2"
	                 : "=a"(frame.instruction), "=c"(frame.stack), "=d"(frame.pointer));
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
		cmocka_unit_test(test_each_instruction), cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_no_caller),        cmocka_unit_test(test_by_pointer),
		cmocka_unit_test(test_broken_tables),
#if defined(__x86_64__)
		cmocka_unit_test(test_this_program),
#endif
	};
	return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
