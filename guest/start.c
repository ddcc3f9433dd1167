/*
 * Where a cell's program starts. It names the constructors itself, so that the linker does not
 * wrap every exported function with calls of constructors and destructors: the functions behind
 * cella/task.h are entered many times (the convention of tool-conventions, BasicABI.md, start-up).
 */
void __wasm_call_ctors(void);
void __wasm_call_dtors(void);
int __main_void(void);
_Noreturn void __wasi_proc_exit(unsigned status);
void _start(void);

/* In a program that throws (guest/libcxx/throw.cc): calls, and ends the program with a word about what
 * nobody catches. */
__attribute__((weak)) void __cella_guard(void (*function)(void *), void *argument);

static void run(void *status)
{
	__wasm_call_ctors();
	*(int *)status = __main_void();
	__wasm_call_dtors();
}

__attribute__((export_name("_start"))) void _start(void)
{
	int status;
	if (__cella_guard)
		__cella_guard(run, &status);
	else
		run(&status);
	if (status != 0)
		__wasi_proc_exit((unsigned)status);
}
