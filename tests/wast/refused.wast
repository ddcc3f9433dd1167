;; What the decoder and the validator refuse.

(assert_malformed (module binary "") "unexpected end")
(assert_malformed (module binary "\00asn\01\00\00\00") "magic header not detected")
(assert_malformed (module binary "\00asm\02\00\00\00") "unknown binary version")
(assert_malformed (module binary "\00asm\01\00\00\00\0e\00") "malformed section id")
(assert_malformed (module binary "\00asm\01\00\00\00\01\05\01") "unexpected end")
(assert_malformed (module binary "\00asm\01\00\00\00\03\01\00\01\01\00") "out of order")
(assert_malformed (module binary "\00asm\01\00\00\00\01\01\00\01\01\00") "repeated")
(assert_malformed (module binary "\00asm\01\00\00\00\01\02\00\00") "section size mismatch")
(assert_malformed (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00") "function without code")
(assert_malformed (module binary "\00asm\01\00\00\00\01\86\80\80\80\80\00\01\60\00\00") "integer too long")
(assert_malformed (module binary "\00asm\01\00\00\00\00\02\01\ff") "malformed UTF-8")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\05\01\03\00\fe\0b") "unexpected end")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\06\01\04\00\fe\03\0b") "illegal opcode")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\05\01\03\00\0b\0b") "end of function")
(assert_malformed
  (module binary "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\0a\04\01\02\00\01") "no end")

(assert_invalid (module (func (result i32))) "type mismatch")
(assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
(assert_invalid (module (func (i32.const 0))) "type mismatch")
(assert_invalid (module (func (drop))) "type mismatch")
(assert_invalid (module (func (result i32) (i32.add (i32.const 1) (f32.const 1)))) "type mismatch")
(assert_invalid (module (func (result i32) (if (result i32) (i32.const 1) (then (i32.const 1))))) "type mismatch")
(assert_invalid (module (func (block (result i32) (br 0)) (drop))) "type mismatch")
(assert_invalid (module (func (br 1))) "unknown label")
(assert_invalid (module (func (call 1))) "unknown function")
(assert_invalid (module (func (drop (local.get 0)))) "unknown local")
(assert_invalid (module (func (drop (global.get 0)))) "unknown global")
(assert_invalid (module (global i32 (i32.const 0)) (func (global.set 0 (i32.const 1)))) "global is immutable")
(assert_invalid (module (func (drop (i32.load (i32.const 0))))) "unknown memory")
(assert_invalid (module (memory 1) (func (drop (i32.load align=8 (i32.const 0))))) "alignment")
(assert_invalid (module (memory 2 1)) "size minimum must not be greater than maximum")
(assert_invalid (module (memory 65537)) "memory size")
(assert_invalid (module (memory 1) (memory 1)) "multiple memories")
(assert_invalid (module (table 1 externref) (func (call_indirect (i32.const 0)))) "type mismatch")
(assert_invalid (module (table 1 funcref) (table 1 externref) (func (table.copy 0 1 (i32.const 0) (i32.const 0) (i32.const 0)))) "type mismatch")
(assert_invalid (module (func $f) (func (drop (ref.func $f)))) "undeclared function reference")
(assert_invalid (module (func (param externref) (drop (select (local.get 0) (local.get 0) (i32.const 1))))) "type mismatch")
(assert_invalid (module (func (export "a")) (func (export "a"))) "duplicate export name")
(assert_invalid (module (func (param i32)) (start 0)) "start function")
(assert_invalid (module (global i32 (i64.const 0))) "type mismatch")
;; A constant expression names imported globals only, until the garbage collection proposal
(assert_invalid (module (global i32 (i32.const 0)) (global i32 (global.get 0))) "unknown global")
(assert_invalid (module (memory 1) (global i32 (i32.const 0)) (data (global.get 0) "a")) "unknown global")
(assert_invalid (module (table 1 funcref) (global i32 (i32.const 0)) (elem (global.get 0) func)) "unknown global")
(assert_invalid
  (module (table 1 funcref) (global funcref (ref.null func)) (elem (i32.const 0) funcref (global.get 0)))
  "unknown global")
(assert_invalid (module (func (drop (i8x16.extract_lane_s 16 (v128.const i32x4 0 0 0 0))))) "invalid lane index")
(assert_invalid
  (module (func (block (block (br_table 0 1 2 (i32.const 0)) (drop)) (drop)) (br_table 3 (i32.const 0))))
  "unknown label")
(assert_invalid
  (module (func (result i32) (block (result i32) (br_table 0 1 (i64.const 1) (i32.const 0))))) "type mismatch")
