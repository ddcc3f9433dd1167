# The higher half of the product of two 64-bit integers, by halves, for quad.c and wide.c.
#
# WebAssembly has no instruction for it, processors have. The translator knows this body, byte by byte, and
# makes it that instruction (src/wasm/translate_idiom.c): who changes one changes the other. In assembly, so
# that no compiler changes it.

	.globl		__cella_mul_high
	.type		__cella_mul_high,@function
__cella_mul_high:
	.functype	__cella_mul_high (i64, i64) -> (i64)
	.local		i64, i64
	# local 2: the lower half of x times the higher of y, and what the product of the lower halves carries
	local.get	0
	i64.const	4294967295
	i64.and
	local.tee	2
	local.get	1
	i64.const	32
	i64.shr_u
	i64.mul
	local.get	2
	local.get	1
	i64.const	4294967295
	i64.and
	local.tee	3
	i64.mul
	i64.const	32
	i64.shr_u
	i64.add
	local.set	2
	# local 3: the higher half of x times the lower of y, and the lower half of local 2
	local.get	0
	i64.const	32
	i64.shr_u
	local.tee	0
	local.get	3
	i64.mul
	local.get	2
	i64.const	4294967295
	i64.and
	i64.add
	local.set	3
	# the product of the higher halves, and the higher halves of both
	local.get	0
	local.get	1
	i64.const	32
	i64.shr_u
	i64.mul
	local.get	2
	i64.const	32
	i64.shr_u
	i64.add
	local.get	3
	i64.const	32
	i64.shr_u
	i64.add
	end_function
