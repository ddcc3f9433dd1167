/*
 * setjmp and longjmp for cells. The compiler makes them of WebAssembly's exceptions (-mllvm
 * -wasm-enable-sjlj); its run-time is setjmp.c. A longjmp to a function that has returned ends the cell
 * with the trap "uncaught exception". There are no signals, so sigsetjmp has no mask to keep.
 */
#ifndef _SETJMP_H
#define _SETJMP_H

#include <features.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct __jmp_buf_tag {
	void *__frame;    /* which call of the function that called setjmp */
	unsigned __label; /* which setjmp in it */
	struct {
		void *__buffer;
		int __value;
	} __jump; /* what longjmp throws the address of; the compiler knows its shape */
	unsigned __reserved[4];
} jmp_buf[1];

int setjmp(jmp_buf) __attribute__((__returns_twice__));
_Noreturn void longjmp(jmp_buf, int);
#define setjmp setjmp

#if defined(_POSIX_SOURCE) || defined(_POSIX_C_SOURCE) || defined(_XOPEN_SOURCE) || defined(_GNU_SOURCE) || \
	defined(_BSD_SOURCE)
typedef jmp_buf sigjmp_buf;
#define _setjmp(buffer) setjmp(buffer)
#define _longjmp(buffer, value) longjmp(buffer, value)
#define sigsetjmp(buffer, save) ((void)(save), setjmp(buffer))
#define siglongjmp(buffer, value) longjmp(buffer, value)
#endif

#ifdef __cplusplus
}
#endif

#endif
