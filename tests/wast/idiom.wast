;; A body that the translator knows (guest/libc/mul_high.s), and one that differs from it in a constant.

(module
  (func $high (export "high half of a product") (param i64 i64) (result i64) (local i64 i64)
    local.get 0
    i64.const 4294967295
    i64.and
    local.tee 2
    local.get 1
    i64.const 32
    i64.shr_u
    i64.mul
    local.get 2
    local.get 1
    i64.const 4294967295
    i64.and
    local.tee 3
    i64.mul
    i64.const 32
    i64.shr_u
    i64.add
    local.set 2
    local.get 0
    i64.const 32
    i64.shr_u
    local.tee 0
    local.get 3
    i64.mul
    local.get 2
    i64.const 4294967295
    i64.and
    i64.add
    local.set 3
    local.get 0
    local.get 1
    i64.const 32
    i64.shr_u
    i64.mul
    local.get 2
    i64.const 32
    i64.shr_u
    i64.add
    local.get 3
    i64.const 32
    i64.shr_u
    i64.add)
  (func (export "another constant") (param i64 i64) (result i64) (local i64 i64)
    local.get 0
    i64.const 4294967295
    i64.and
    local.tee 2
    local.get 1
    i64.const 32
    i64.shr_u
    i64.mul
    local.get 2
    local.get 1
    i64.const 4294967295
    i64.and
    local.tee 3
    i64.mul
    i64.const 32
    i64.shr_u
    i64.add
    local.set 2
    local.get 0
    i64.const 32
    i64.shr_u
    local.tee 0
    local.get 3
    i64.mul
    local.get 2
    i64.const 4294967295
    i64.and
    i64.add
    local.set 3
    local.get 0
    local.get 1
    i64.const 32
    i64.shr_u
    i64.mul
    local.get 2
    i64.const 31
    i64.shr_u
    i64.add
    local.get 3
    i64.const 32
    i64.shr_u
    i64.add)
  ;; It is a leaf: a caller in any unit has it.
  (func (export "both halves, added") (param i64 i64) (result i64)
    (i64.add (i64.mul (local.get 0) (local.get 1)) (call $high (local.get 0) (local.get 1)))))
(assert_return (invoke "high half of a product" (i64.const 0x0) (i64.const 0x0)) (i64.const 0x0))
(assert_return (invoke "high half of a product" (i64.const 0xffffffffffffffff) (i64.const 0xffffffffffffffff)) (i64.const 0xfffffffffffffffe))
(assert_return (invoke "high half of a product" (i64.const 0x8000000000000000) (i64.const 0x2)) (i64.const 0x1))
(assert_return (invoke "high half of a product" (i64.const 0x123456789abcdef0) (i64.const 0xfedcba9876543210)) (i64.const 0x121fa00ad77d7422))
(assert_return (invoke "high half of a product" (i64.const 0x100000000) (i64.const 0x100000000)) (i64.const 0x1))
(assert_return (invoke "high half of a product" (i64.const 0xffffffff) (i64.const 0x100000001)) (i64.const 0x0))
(assert_return (invoke "high half of a product" (i64.const 0xffffffffffffffff) (i64.const 0x1)) (i64.const 0x0))
(assert_return (invoke "another constant" (i64.const 0xffffffffffffffff) (i64.const 0xffffffffffffffff)) (i64.const 0xfffffffd))
(assert_return (invoke "another constant" (i64.const 0x8000000000000000) (i64.const 0x2)) (i64.const 0x1))
(assert_return (invoke "another constant" (i64.const 0x123456789abcdef0) (i64.const 0xfedcba9876543210)) (i64.const 0x121fa00b718a446d))
(assert_return (invoke "both halves, added" (i64.const 0x123456789abcdef0) (i64.const 0xfedcba9876543210)) (i64.const 0x358d29092d964322))
