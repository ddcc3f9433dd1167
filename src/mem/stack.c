#include <stdlib.h>

#include "mem/mapping.h"
#include "mem/pool.h"

#if defined(__SANITIZE_ADDRESS__)
#define STACK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STACK_ASAN 1
#endif
#endif
#ifdef STACK_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

enum { STACK_GUARD = 1 << 20, STACK_MAX = 1 << 30 };

int mem_stack_new(struct mem_pool *pool, size_t size, struct mem_stack **ret_stack, struct error *err)
{
	if (size == 0 || size > STACK_MAX)
		return error_set(err, CELLA_EINVAL, "a stack of %zu bytes makes no sense", size);
	size_t whole = align_up(size, mapping_page_size());
	struct region_shape shape = {.guard = STACK_GUARD, .reserve = whole, .maximum = whole, .size = whole};
	struct stack *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a stack");
	int rc = region_new(pool, &shape, &s->region, err);
	if (rc < 0) {
		free(s);
		return rc;
	}
	s->public.low = s->region->public.base;
	s->public.high = s->public.low + whole;
	*ret_stack = &s->public;
	return 0;
}

void mem_stack_free(struct mem_stack *stack)
{
	if (!stack)
		return;
	struct stack *s = container_of(stack, struct stack, public);
	ASAN_UNPOISON_MEMORY_REGION(stack->low, (size_t)(stack->high - stack->low));
	region_free(s->region);
	free(s);
}

void mem_stack_wipe(struct mem_stack *stack)
{
	struct stack *s = container_of(stack, struct stack, public);
	size_t size = (size_t)(stack->high - stack->low);
	ASAN_UNPOISON_MEMORY_REGION(stack->low, size);
	mapping_wipe(s->region->pool->level, stack->low, size);
}

/*
 * stack_switch(fn, arg, top): call fn(arg) with the stack pointer at `top`. The old stack pointer
 * waits in the frame pointer, which fn preserves and by which a debugger finds its way back.
 */
void stack_switch(void (*fn)(void *), void *arg, void *top);

#if defined(__x86_64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl stack_switch\n"
        ".hidden stack_switch\n"
        ".type stack_switch, @function\n"
        "stack_switch:\n"
        "	.cfi_startproc\n"
        "	endbr64\n"
        "	pushq %rbp\n"
        "	.cfi_def_cfa_offset 16\n"
        "	.cfi_offset %rbp, -16\n"
        "	movq %rsp, %rbp\n"
        "	.cfi_def_cfa_register %rbp\n"
        "	movq %rdx, %rsp\n"
        "	movq %rdi, %rax\n"
        "	movq %rsi, %rdi\n"
        "	callq *%rax\n"
        "	movq %rbp, %rsp\n"
        "	popq %rbp\n"
        "	.cfi_def_cfa %rsp, 8\n"
        "	retq\n"
        "	.cfi_endproc\n"
        ".size stack_switch, .-stack_switch\n");
#elif defined(__aarch64__)
__asm__(".text\n"
        ".p2align 4\n"
        ".globl stack_switch\n"
        ".hidden stack_switch\n"
        ".type stack_switch, %function\n"
        "stack_switch:\n"
        "	.cfi_startproc\n"
        "	hint #34\n" /* bti c */
        "	stp x29, x30, [sp, #-16]!\n"
        "	.cfi_def_cfa_offset 16\n"
        "	.cfi_offset x29, -16\n"
        "	.cfi_offset x30, -8\n"
        "	mov x29, sp\n"
        "	.cfi_def_cfa_register x29\n"
        "	mov sp, x2\n"
        "	mov x9, x0\n"
        "	mov x0, x1\n"
        "	blr x9\n"
        "	mov sp, x29\n"
        "	.cfi_def_cfa_register sp\n"
        "	ldp x29, x30, [sp], #16\n"
        "	.cfi_def_cfa_offset 0\n"
        "	ret\n"
        "	.cfi_endproc\n"
        ".size stack_switch, .-stack_switch\n");
#else
#error "stack_switch knows x86-64 and aarch64"
#endif

void mem_stack_call(struct mem_stack *stack, void (*fn)(void *), void *arg)
{
	ASAN_UNPOISON_MEMORY_REGION(stack->low, (size_t)(stack->high - stack->low));
	stack_switch(fn, arg, stack->high);
}
