# The base of thread-local storage: what code adds to the address of a thread-local variable.
#
# Where the memory is not marked as shared, wasm-ld gives thread-local variables absolute addresses and
# yet lets __tls_base point to them, so that they would count twice (LLVM 19). This definition comes
# first: 0 for the program's own thread, whose variables lie where the linker put them. It is mutable, so
# an instance that runs another thread can point it to a copy. With --shared-memory the linker's own
# __tls_base is used, and this file is not linked.

	.globaltype	__tls_base, i32
	.globl		__tls_base
__tls_base:
