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

__attribute__((export_name("_start"))) void _start(void)
{
	__wasm_call_ctors();
	int status = __main_void();
	__wasm_call_dtors();
	if (status != 0)
		__wasi_proc_exit((unsigned)status);
}
