/*
 * The run-time of setjmp and longjmp, after LLVM's WebAssemblyLowerEmscriptenEHSjLj.cpp ("Wasm
 * setjmp/longjmp handling"). A function that calls setjmp catches __c_longjmp around its calls, asks here
 * whether the jump is to one of its own setjmps, and goes there or throws on. `frame` is the address of a
 * variable of that call.
 */
#include <setjmp.h>
#include <stdint.h>

enum { TAG_C_LONGJMP = 1 }; /* of __builtin_wasm_throw */

void __wasm_setjmp(void *buffer, uint32_t label, void *frame);
uint32_t __wasm_setjmp_test(void *buffer, void *frame);
_Noreturn void __wasm_longjmp(void *buffer, int value);

void __wasm_setjmp(void *buffer, uint32_t label, void *frame)
{
	struct __jmp_buf_tag *to = buffer;
	to->__frame = frame;
	to->__label = label;
}

/* The label of the setjmp that filled `buffer`, or 0 if it was in another call. */
uint32_t __wasm_setjmp_test(void *buffer, void *frame)
{
	const struct __jmp_buf_tag *to = buffer;
	return to->__frame == frame ? to->__label : 0;
}

void __wasm_longjmp(void *buffer, int value)
{
	struct __jmp_buf_tag *to = buffer;
	to->__jump.__buffer = buffer;
	to->__jump.__value = value ? value : 1;
	__builtin_wasm_throw(TAG_C_LONGJMP, &to->__jump);
}
