/* Does the decoder take what is valid and refuse the rest with section, function and offset? Is the
 * same module translated alike each time? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "base/buf.h"
#include "wasm/opcodes.h"
#include "wasm/wasm.h"
#include "wasm/wasm_format.h"
#include "wasm_sample.h"

#define HEADER "\0asm\1\0\0\0"
/* One type without parameters and results, one function of it, and a code section of `size` bytes. */
#define FUNCTION(section, size, body) HEADER "\1\4\1\x60\0\0\3\2\1\0" section "\x0a" size "\1" body

#define VECTORS_9 "\x7b\x7b\x7b\x7b\x7b\x7b\x7b\x7b\x7b"

struct module_case {
	const char *name;
	const char *bytes;
	size_t size;
	int code;
	const char *words[3]; /* in the error */
};
#define CASE(name, bytes, code, ...)                  \
	{                                             \
		name, bytes, sizeof(bytes) - 1, code, \
		{                                     \
			__VA_ARGS__                   \
		}                                     \
	}

static int decode(const void *bytes, size_t size, struct wasm_module **ret_module, struct error *err)
{
	/* In storage of exactly that size, so that the sanitizer sees a byte too many. */
	uint8_t *copy = malloc(size + !size);
	assert_non_null(copy);
	memcpy(copy, bytes, size);
	int rc = wasm_decode(copy, size, ret_module, err);
	if (rc < 0)
		free(copy);
	return rc;
}

static void a_module_of_everything_is_taken(void **state)
{
	(void)state;
	struct error err = {0};
	struct wasm_module *module = NULL;
	assert_int_equal(wasm_decode(sample, sizeof(sample), &module, &err), 0);
	assert_true(wasm_imports(module, "host", "now"));
	assert_true(wasm_imports(module, "host", NULL));
	assert_false(wasm_imports(module, "host", "no"));
	assert_false(wasm_imports(module, "hos", NULL));
	assert_false(wasm_imports(module, "hosts", NULL));
	wasm_module_free(module);
	wasm_module_free(NULL);
}

static void data_segments_are_laid_out_as_a_bundle_has_them(void **state)
{
	(void)state;
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_buf struct buf data = {0};
	assert_int_equal(wasm_decode(sample, sizeof(sample), &module, &err), 0);
	assert_int_equal(wasm_data_segments(module, &data, &err), 0);
	struct reader r = reader_of(data.data, data.size);
	assert_int_equal(reader_u32(&r), 2);
	assert_int_equal(reader_u64(&r), 5);
	assert_memory_equal(reader_bytes(&r, 5), "hello", 5);
	assert_int_equal(reader_u64(&r), 7);
	assert_memory_equal(reader_bytes(&r, 7), "passive", 7);
	assert_true(reader_finished(&r));
	wasm_module_free(module);
}

static bool contains(const struct buf *text, const char *what)
{
	return text->size && memmem(text->data, text->size, what, strlen(what));
}

static void translation_is_whole_and_the_same_each_time(void **state)
{
	(void)state;
	static const char *const parts[] = {
		"#define CELL_ABI_VERSION", "DIVIDE(i32", "i8x16_shuffle", "/* main */", "struct state {",
		"cella_image = {",          "F2",         "goto L",
	};
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_buf struct buf first = {0}, second = {0};
	assert_int_equal(wasm_decode(sample, sizeof(sample), &module, &err), 0);
	assert_int_equal(wasm_translate(module, &first, &err), 0);
	assert_int_equal(wasm_translate(module, &second, &err), 0);
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	for (size_t i = 0; i < array_count(parts); i++)
		if (!contains(&first, parts[i]))
			fail_msg("the translation has no %s", parts[i]);
	wasm_module_free(module);
}

static size_t count_of(const struct buf *text, const char *what)
{
	size_t count = 0;
	const uint8_t *end = text->data + text->size;
	for (const uint8_t *at = text->data; (at = memmem(at, (size_t)(end - at), what, strlen(what))); at++)
		count++;
	return count;
}

static void check_divided(const struct wasm_units *units)
{
	size_t functions = 0, leaves = 0, copies = 0, borders = 0, calls = 0;
	for (uint32_t i = 0; i < units->count; i++) {
		functions += count_of(&units->c[i], "\nFUNCTION ");
		leaves += count_of(&units->c[i], "\nLEAF ");
		copies += count_of(&units->c[i], "\nCOPY ");
		borders += count_of(&units->c[i], "cella_image = {");
		calls += count_of(&units->c[i], "\nextern SHARED const struct cell_code functions[];");
		assert_true(contains(&units->c[i], "#define UNIT "));
	}
	assert_int_equal(functions, 8);
	assert_int_equal(leaves, 1);
	assert_int_equal(copies, units->count - 1);
	assert_int_equal(borders, 1);
	assert_int_equal(calls, units->count - 1);
}

/* Eight functions that call, and a leaf. */
static void a_module_is_divided_by_its_own_size_alone(void **state)
{
	(void)state;
	static const char bytes[] = HEADER
		"\1\4\1\x60\0\0\3\x0a\x09\0\0\0\0\0\0\0\0\0"
		"\x0a\x2c\x09\2\0\x0b\4\0\x10\0\x0b\4\0\x10\1\x0b\4\0\x10\0\x0b\4\0\x10\3\x0b"
		"\4\0\x10\0\x0b\4\0\x10\5\x0b\4\0\x10\0\x0b\4\0\x10\7\x0b";
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_units struct wasm_units first = {0}, second = {0}, whole = {0};
	cleanup_buf struct buf text = {0};
	if (wasm_decode(bytes, sizeof(bytes) - 1, &module, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(wasm_translate_units(module, 200, &first, &err), 0);
	assert_int_equal(wasm_translate_units(module, 200, &second, &err), 0);
	assert_int_equal(wasm_translate_units(module, SIZE_MAX, &whole, &err), 0);
	assert_int_equal(wasm_translate(module, &text, &err), 0);
	wasm_module_free(module);
	assert_in_range(first.count, 2, 8);
	check_divided(&first);
	for (uint32_t i = 0; i < first.count; i++) {
		assert_int_equal(first.c[i].size, second.c[i].size);
		assert_memory_equal(first.c[i].data, second.c[i].data, first.c[i].size);
	}
	assert_int_equal(whole.count, 1);
	assert_int_equal(whole.c[0].size, text.size);
	assert_false(contains(&text, "#define UNIT "));
}

static void vectors_come_with_their_prelude_only_if_used(void **state)
{
	(void)state;
	static const char plain[] = FUNCTION("", "\4", "\2\0\x0b");
	static const char vector[] = FUNCTION("", "\x18",
	                                      "\x16\0\xfd\x0c\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x1a\x01\x0b");
	struct error err = {0};
	for (size_t i = 0; i < 2; i++) {
		struct wasm_module *module = NULL;
		cleanup_buf struct buf text = {0};
		int rc = i == 0 ? wasm_decode(plain, sizeof(plain) - 1, &module, &err)
		                : wasm_decode(vector, sizeof(vector) - 1, &module, &err);
		if (rc < 0)
			fail_msg("%s", err.text);
		assert_int_equal(wasm_translate(module, &text, &err), 0);
		assert_int_equal(contains(&text, "i8x16_swizzle"), i);
		wasm_module_free(module);
	}
}

/*
 * F0 throws, F1 does not; F2 calls F0, F3 calls F1, F4 calls F2. F5 calls F0 where all is caught, F7 in a
 * clause, F9 in a try that delegates past the one that catches all; F6, F8, F10 call these.
 */
static void only_calls_that_may_throw_are_followed_by_a_check(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {
		0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x08, 0x02, 0x60, 0x01, 0x7f,
		0x00, 0x60, 0x00, 0x00, 0x03, 0x0c, 0x0b, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
		0x01, 0x01, 0x01, 0x01, 0x0d, 0x03, 0x01, 0x00, 0x00, 0x0a, 0x55, 0x0b, 0x06, 0x00,
		0x41, 0x01, 0x08, 0x00, 0x0b, 0x02, 0x00, 0x0b, 0x05, 0x00, 0x10, 0x00, 0x01, 0x0b,
		0x05, 0x00, 0x10, 0x01, 0x01, 0x0b, 0x05, 0x00, 0x10, 0x02, 0x01, 0x0b, 0x0a, 0x00,
		0x06, 0x40, 0x10, 0x00, 0x10, 0x01, 0x19, 0x0b, 0x0b, 0x05, 0x00, 0x10, 0x05, 0x01,
		0x0b, 0x0d, 0x00, 0x06, 0x40, 0x10, 0x01, 0x07, 0x00, 0x1a, 0x10, 0x00, 0x19, 0x0b,
		0x0b, 0x05, 0x00, 0x10, 0x07, 0x01, 0x0b, 0x0c, 0x00, 0x06, 0x40, 0x06, 0x40, 0x10,
		0x00, 0x18, 0x01, 0x19, 0x0b, 0x0b, 0x05, 0x00, 0x10, 0x09, 0x01, 0x0b,
	};
	static const struct {
		unsigned callee;
		bool throws;
	} calls[] = {{0, true}, {1, false}, {2, true}, {5, false}, {7, true}, {9, true}};
	struct error err = {0};
	struct wasm_module *module = NULL;
	cleanup_buf struct buf text = {0}, plain = {0};
	if (wasm_decode(bytes, sizeof(bytes), &module, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(wasm_translate(module, &text, &err), 0);
	for (size_t i = 0; i < array_count(calls); i++) {
		char call[64], checked[128];
		snprintf(call, sizeof(call), "\tF%u(instance);\n", calls[i].callee);
		snprintf(checked, sizeof(checked), "%s\tif (UNLIKELY(state->thrown.tag))", call);
		assert_true(contains(&text, call));
		if (contains(&text, checked) != calls[i].throws)
			fail_msg("F%u", calls[i].callee);
	}
	wasm_module_free(module);
	assert_int_equal(wasm_decode(sample, sizeof(sample), &module, &err), 0);
	assert_int_equal(wasm_translate(module, &plain, &err), 0);
	assert_false(contains(&plain, "thrown.tag"));
	wasm_module_free(module);
}

static void a_module_asks_for_canonical_nans(void **state)
{
	(void)state;
	for (int marked = 0; marked < 2; marked++) {
		struct error err = {0};
		struct wasm_module *module = NULL;
		cleanup_buf struct buf bytes = {0}, text = {0};
		buf_put(&bytes, sample, sizeof(sample));
		if (marked)
			wasm_put_canonical_nans(&bytes);
		assert_int_equal(wasm_decode(bytes.data, bytes.size, &module, &err), 0);
		assert_int_equal(wasm_translate(module, &text, &err), 0);
		assert_int_equal(contains(&text, "#define CANONICAL_NANS"), marked);
		wasm_module_free(module);
	}
}

static void the_table_holds_all_instructions_of_the_specification(void **state)
{
	(void)state;
	unsigned counts[4] = {0};
	for (uint32_t i = 0; i < OP_COUNT; i++)
		counts[i >> 8] += wasm_ops[i].name != NULL;
	assert_int_equal(counts[0], 191);
	assert_int_equal(counts[1], 18);
	assert_int_equal(counts[2], 236);
	assert_int_equal(counts[3], 67);
}

/* The end of any prefix is no crash and, but for a prefix that is a module of its own, an error. */
static void truncation_at_any_byte_is_an_error(void **state)
{
	(void)state;
	unsigned taken = 0;
	for (size_t size = 0; size < sizeof(sample); size++) {
		struct error err = {0};
		struct wasm_module *module = NULL;
		uint8_t *copy = malloc(size + !size);
		assert_non_null(copy);
		memcpy(copy, sample, size);
		int rc = wasm_decode(copy, size, &module, &err);
		if (rc == 0)
			taken++;
		else
			assert_non_null(strstr(err.text, "offset 0x"));
		wasm_module_free(module);
		free(copy);
	}
	/* After the header, and after the type and import sections: nothing is missing yet. */
	assert_in_range(taken, 1, 4);
}

static void a_changed_byte_is_no_crash(void **state)
{
	(void)state;
	static const uint8_t changes[] = {0x01, 0x7f, 0x80, 0xff};
	for (size_t at = 8; at < sizeof(sample); at++)
		for (size_t k = 0; k < array_count(changes); k++) {
			uint8_t copy[sizeof(sample)];
			struct error err = {0};
			struct wasm_module *module = NULL;
			cleanup_buf struct buf text = {0};
			memcpy(copy, sample, sizeof(sample));
			copy[at] ^= changes[k];
			int rc = wasm_decode(copy, sizeof(copy), &module, &err);
			if (rc == 0)
				rc = wasm_translate(module, &text, &err);
			assert_true(rc == 0 || (rc == err.code && err.text[0]));
			wasm_module_free(module);
		}
}

static const struct module_case refused[] = {
	CASE("nothing", "", CELLA_EFORMAT, "offset 0x0", "header"),
	CASE("magic", "\0asn\1\0\0\0", CELLA_EFORMAT, "no WebAssembly module"),
	CASE("version", "\0asm\2\0\0\0", CELLA_EFORMAT, "offset 0x4", "version"),
	CASE("component", "\0asm\x0d\0\1\0", CELLA_EFORMAT, "version"),
	CASE("section id", HEADER "\x0e\0", CELLA_EFORMAT, "section id 14", "offset 0x8"),
	CASE("section beyond the end", HEADER "\1\5\1", CELLA_EFORMAT, "beyond the module's end"),
	CASE("section with a byte too many", HEADER "\1\2\0\0", CELLA_EFORMAT, "type section",
             "1 bytes too many"),
	CASE("section twice", HEADER "\1\1\0\1\1\0", CELLA_EFORMAT, "type section", "out of order"),
	CASE("count beyond the section", HEADER "\1\2\x7f\x60", CELLA_EFORMAT, "127 types", "type section"),
	CASE("integer of six bytes", HEADER "\1\7\x80\x80\x80\x80\x80\1\0", CELLA_EFORMAT,
             "longer than 32 bits"),
	CASE("integer with bits too many", HEADER "\1\5\xff\xff\xff\xff\x1f", CELLA_EFORMAT,
             "longer than 32 bits"),
	CASE("type form", HEADER "\1\3\1\x5f\0", CELLA_EFORMAT, "type form 0x5f", "offset 0xb"),
	CASE("value type", HEADER "\1\5\1\x60\1\x6e\0", CELLA_EFORMAT, "0x6e is no value type"),
	CASE("name that is no UTF-8", HEADER "\2\6\1\2\xc0\x80\0\0", CELLA_EFORMAT, "import section",
             "not UTF-8"),
	CASE("surrogate in a name", HEADER "\2\7\1\3\xed\xa0\x80\0\0", CELLA_EFORMAT, "not UTF-8"),
	CASE("import kind", HEADER "\2\5\1\0\0\5\0", CELLA_EFORMAT, "import kind 0x05"),
	CASE("unknown type", HEADER "\3\2\1\0", CELLA_EFORMAT, "function section", "unknown type 0"),
	CASE("function without a body", HEADER "\1\4\1\x60\0\0\3\2\1\0", CELLA_EFORMAT, "no code section"),
	CASE("body without a function", HEADER "\x0a\4\1\2\0\x0b", CELLA_EFORMAT, "1 bodies for 0 functions"),
	CASE("shared memory without end", HEADER "\5\3\1\2\1", CELLA_EFORMAT, "memory section",
             "a shared memory must have a greatest size"),
	CASE("shared table", HEADER "\4\5\1\x70\3\1\1", CELLA_EFORMAT, "only a memory can be shared"),
	CASE("64-bit table", HEADER "\4\4\1\x70\4\1", CELLA_EFORMAT, "64-bit tables"),
	CASE("64-bit memory of too many pages", HEADER "\5\x09\1\4\x81\x80\x80\x80\x80\x80\x40",
             CELLA_EFORMAT, "at most 281474976710656"),
	CASE("shared 64-bit memory without end", HEADER "\5\3\1\6\1", CELLA_EFORMAT, "greatest size"),
	CASE("32-bit address of a 64-bit memory",
             FUNCTION("\5\3\1\4\1", "\x0a", "\x08\0\x41\0\x28\2\0\x1a\x0b"), CELLA_EFORMAT,
             "i32.load: an operand is i32; i64 was expected"),
	CASE("two memories", HEADER "\5\5\2\0\1\0\1", CELLA_EFORMAT, "multiple memories"),
	CASE("memory of too many pages", HEADER "\5\5\1\0\x81\x80\4", CELLA_EFORMAT, "at most 65536"),
	CASE("memory above its greatest", HEADER "\5\4\1\1\2\1", CELLA_EFORMAT, "least size 2", "greatest 1"),
	CASE("global of another type", HEADER "\6\6\1\x7f\0\x42\0\x0b", CELLA_EFORMAT, "is i64",
             "i32 was expected"),
	CASE("global that calls", HEADER "\6\6\1\x7f\0\x10\0\x0b", CELLA_EFORMAT, "opcode 0x10",
             "constant expression"),
	CASE("global of two values", HEADER "\6\x08\1\x7f\0\x41\0\x41\0\x0b", CELLA_EFORMAT,
             "gives 2 values"),
	CASE("global of a sum without operands", HEADER "\6\7\1\x7f\0\x41\0\x6a\x0b", CELLA_EFORMAT,
             "misses an operand", "global section"),
	CASE("global of a sum of another type", HEADER "\6\x09\1\x7f\0\x41\0\x41\0\x7c\x0b", CELLA_EFORMAT,
             "is i32; i64 was expected"),
	CASE("global that names one that is not imported", HEADER "\6\x0b\2\x7f\0\x41\0\x0b\x7f\0\x23\0\x0b",
             CELLA_EFORMAT, "unknown imported global 0"),
	CASE("mutability", HEADER "\6\6\1\x7f\2\x41\0\x0b", CELLA_EFORMAT, "mutability 0x02"),
	CASE("export of nothing", HEADER "\7\5\1\1a\0\0", CELLA_EFORMAT, "export section",
             "unknown function 0"),
	CASE("two exports of one name", HEADER "\5\3\1\0\1\7\x09\2\1a\2\0\1a\2\0", CELLA_EFORMAT, "\"a\""),
	CASE("start of nothing", HEADER "\x08\1\0", CELLA_EFORMAT, "start section", "unknown function 0"),
	CASE("elements of no table", HEADER "\x09\6\1\0\x41\0\x0b\0", CELLA_EFORMAT, "element section",
             "unknown table 0"),
	CASE("data of no memory", HEADER "\x0b\6\1\0\x41\0\x0b\0", CELLA_EFORMAT, "data section",
             "unknown memory 0"),
	CASE("data count", HEADER "\x0c\1\1", CELLA_EFORMAT, "data count section says 1"),
	CASE("unknown atomic", FUNCTION("", "\6", "\4\0\xfe\4\x0b"), CELLA_EFORMAT,
             "code section, function 0", "offset 0x17: opcode 0xfe 0x04 is not supported"),
	CASE("opcode beyond all tables", FUNCTION("", "\7", "\5\0\xfe\x80\1\x0b"), CELLA_EFORMAT,
             "opcode 0xfe 0x80 is not supported"),
	CASE("fence of another kind", FUNCTION("", "\7", "\5\0\xfe\3\1\x0b"), CELLA_EFORMAT, "zero byte"),
	CASE("atomic alignment below the natural one",
             FUNCTION("\5\3\1\0\1", "\x0b", "\x09\0\x41\0\xfe\x10\1\0\x1a\x0b"), CELLA_EFORMAT,
             "i32.atomic.load: alignment 2^1 is not the natural 2^2"),
	CASE("tail call of another result",
             HEADER "\1\x08\2\x60\0\0\x60\0\1\x7f\3\3\2\0\1\x0a\x0b\2\4\0\x12\1\x0b\4\0\x41\0\x0b",
             CELLA_EFORMAT, "return_call: the callee gives (i), the function that it ends ()"),
	CASE("code of garbage collection", FUNCTION("", "\6", "\4\0\xfb\0\x0b"), CELLA_EFORMAT,
             "garbage collection"),
	CASE("code of exception references", FUNCTION("", "\5", "\3\0\x0a\x0b"), CELLA_EFORMAT, "opcode 0x0a",
             "exception references"),
	CASE("tag of another kind", HEADER "\1\4\1\x60\0\0\x0d\3\1\1\0", CELLA_EFORMAT, "tag section",
             "kind 0x01"),
	CASE("tag of no type", HEADER "\x0d\3\1\0\0", CELLA_EFORMAT, "tag section", "unknown type 0"),
	CASE("tag with results", HEADER "\1\5\1\x60\0\1\x7f\x0d\3\1\0\0", CELLA_EFORMAT, "offset 0x13",
             "has results"),
	CASE("tag of many values", HEADER "\1\x0d\1\x60\x09" VECTORS_9 "\0\x0d\3\1\0\0", CELLA_ELIMIT,
             "18 words", "at most 16"),
	CASE("tag after the globals", HEADER "\1\4\1\x60\0\0\6\1\0\x0d\3\1\0\0", CELLA_EFORMAT, "tag section",
             "out of order"),
	CASE("import of a tag of no type", HEADER "\2\6\1\0\0\4\0\0", CELLA_EFORMAT, "import section",
             "unknown type 0"),
	CASE("export of no tag", HEADER "\7\5\1\1a\4\0", CELLA_EFORMAT, "unknown tag 0"),
	CASE("throw of no tag", FUNCTION("", "\6", "\4\0\x08\0\x0b"), CELLA_EFORMAT, "unknown tag 0"),
	CASE("catch without try", FUNCTION("\x0d\3\1\0\0", "\6", "\4\0\x07\0\x0b"), CELLA_EFORMAT,
             "catch: there is no try"),
	CASE("clause behind the last", FUNCTION("", "\x09", "\7\0\x06\x40\x19\x19\x0b\x0b"), CELLA_EFORMAT,
             "catch_all: there is no try"),
	CASE("delegate of a clause", FUNCTION("", "\x09", "\7\0\x06\x40\x19\x18\0\x0b"), CELLA_EFORMAT,
             "delegate: there is no try"),
	CASE("delegate of a body", FUNCTION("", "\6", "\4\0\x18\0\x0b"), CELLA_EFORMAT,
             "delegate: there is no try"),
	CASE("delegate beyond the blocks", FUNCTION("", "\x08", "\6\0\x06\x40\x18\1\x0b"), CELLA_EFORMAT,
             "delegate: unknown label 1; there are 1"),
	CASE("rethrow of what is not caught", FUNCTION("", "\x09", "\7\0\x06\x40\x09\0\x0b\x0b"),
             CELLA_EFORMAT, "rethrow: label 0 is no catch"),
	CASE("code of relaxed SIMD", FUNCTION("", "\7", "\5\0\xfd\x80\2\x0b"), CELLA_EFORMAT, "relaxed SIMD"),
	CASE("code of no one", FUNCTION("", "\5", "\3\0\x27\x0b"), CELLA_EFORMAT,
             "opcode 0x27 is not supported"),
	CASE("operand missing", FUNCTION("", "\5", "\3\0\x1a\x0b"), CELLA_EFORMAT, "drop: an operand",
             "missing"),
	CASE("operand left", FUNCTION("", "\6", "\4\0\x41\0\x0b"), CELLA_EFORMAT, "end: 1 operands too many"),
	CASE("operand of another type", FUNCTION("", "\x0a", "\x08\0\x41\0\x42\0\x6a\x1a\x0b"), CELLA_EFORMAT,
             "i32.add: an operand is i64; i32 was expected"),
	CASE("label beyond the blocks", FUNCTION("", "\6", "\4\0\x0c\1\x0b"), CELLA_EFORMAT,
             "unknown label 1"),
	CASE("else without if", FUNCTION("", "\5", "\3\0\5\x0b"), CELLA_EFORMAT, "there is no if"),
	CASE("body without end", FUNCTION("", "\4", "\2\0\1"), CELLA_EFORMAT, "beyond the end"),
	CASE("body that goes on", FUNCTION("", "\5", "\3\0\x0b\x0b"), CELLA_EFORMAT, "1 bytes follow"),
	CASE("too many locals", FUNCTION("", "\7", "\5\1\xff\xff\3\x7f"), CELLA_ELIMIT, "65535 locals"),
	CASE("memory that is not there", FUNCTION("", "\x09", "\7\0\x41\0\x28\2\0\x1a"), CELLA_EFORMAT,
             "unknown memory"),
	CASE("alignment above the natural one",
             FUNCTION("\5\3\1\0\1", "\x0a", "\x08\0\x41\0\x28\3\0\x1a\x0b"), CELLA_EFORMAT,
             "i32.load: alignment 2^3"),
	CASE("function that no one may refer to", FUNCTION("", "\7", "\5\0\xd2\0\x1a\x0b"), CELLA_EFORMAT,
             "ref.func"),
};

static void what_is_not_valid_is_refused_by_section_function_and_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(refused); i++) {
		const struct module_case *c = &refused[i];
		struct error err = {0};
		struct wasm_module *module = NULL;
		int rc = decode(c->bytes, c->size, &module, &err);
		if (rc != c->code)
			fail_msg("%s: %d instead of %d: %s", c->name, rc, c->code, err.text);
		assert_null(module);
		for (size_t k = 0; k < array_count(c->words) && c->words[k]; k++)
			if (!strstr(err.text, c->words[k]))
				fail_msg("%s: \"%s\" does not say \"%s\"", c->name, err.text, c->words[k]);
	}
}

static void an_error_names_the_function_as_the_name_section_does(void **state)
{
	(void)state;
	static const char bytes[] = FUNCTION("", "\5", "\3\0\x1a\x0b") "\0\x0e\4name\1\7\1\0\4main";
	struct error err = {0};
	struct wasm_module *module = NULL;
	assert_int_equal(decode(bytes, sizeof(bytes) - 1, &module, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "code section, function 0 ($main), offset 0x17: drop: "));
}

static void a_name_cannot_steer_a_terminal(void **state)
{
	(void)state;
	static const char bytes[] = FUNCTION("", "\5", "\3\0\x1a\x0b") "\0\x0e\4name\1\7\1\0\4\x1b[*/";
	struct error err = {0};
	struct wasm_module *module = NULL;
	assert_int_equal(decode(bytes, sizeof(bytes) - 1, &module, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "function 0 ($_[_/), "));
}

static void a_wrong_name_section_is_no_error(void **state)
{
	(void)state;
	static const char bytes[] = FUNCTION("", "\4", "\2\0\x0b") "\0\x0a\4name\1\x7f\1\0\4";
	struct error err = {0};
	struct wasm_module *module = NULL;
	assert_int_equal(wasm_decode(bytes, sizeof(bytes) - 1, &module, &err), 0);
	wasm_module_free(module);
}

static const struct module_case no_cells[] = {
	CASE("memory import", HEADER "\2\x08\1\1m\1n\2\0\1", CELLA_EUNSUPPORTED, "import section",
             "memory (\"m\".\"n\")"),
	CASE("table import", HEADER "\2\x09\1\1m\1n\1\x70\0\1", CELLA_EUNSUPPORTED, "table", "offset 0xb"),
	CASE("global import", HEADER "\2\x08\1\1m\1n\3\x7f\0", CELLA_EUNSUPPORTED, "global"),
	CASE("tag import", HEADER "\1\4\1\x60\0\0\2\x08\1\1m\1n\4\0\0", CELLA_EUNSUPPORTED, "import section",
             "tag (\"m\".\"n\")"),
	CASE("zero byte in a name", HEADER "\5\3\1\0\1\7\6\1\2a\0\2\0", CELLA_EUNSUPPORTED, "zero byte"),
	CASE("64-bit memory of very many pages", HEADER "\5\7\1\4\x81\x80\x80\x80\4", CELLA_ELIMIT,
             "1073741825 pages"),
	CASE("table of very many", HEADER "\4\x08\1\x70\0\x80\x80\x80\x80\1", CELLA_ELIMIT,
             "268435456 elements"),
};

static void what_is_valid_and_no_cell_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_count(no_cells); i++) {
		const struct module_case *c = &no_cells[i];
		struct error err = {0};
		struct wasm_module *module = NULL;
		cleanup_buf struct buf text = {0};
		int rc = wasm_decode(c->bytes, c->size, &module, &err);
		if (rc < 0)
			fail_msg("%s: %s", c->name, err.text);
		rc = wasm_check_cell(module, &err);
		if (rc == 0)
			rc = wasm_translate(module, &text, &err);
		if (rc != c->code)
			fail_msg("%s: %d instead of %d: %s", c->name, rc, c->code, err.text);
		for (size_t k = 0; k < array_count(c->words) && c->words[k]; k++)
			if (!strstr(err.text, c->words[k]))
				fail_msg("%s: \"%s\" does not say \"%s\"", c->name, err.text, c->words[k]);
		wasm_module_free(module);
	}
}

static void put_leb(struct buf *to, uint32_t v)
{
	for (; v > 0x7f; v >>= 7)
		buf_put_u8(to, (uint8_t)(v | 0x80));
	buf_put_u8(to, (uint8_t)v);
}

/* A hundred thousand imports, a few bytes each, of a function that takes a thousand parameters */
static void a_small_module_cannot_become_endless_c(void **state)
{
	(void)state;
	enum { IMPORTS = 100000, PARAMETERS = 1000 };
	cleanup_buf struct buf bytes = {0}, text = {0};
	struct error err = {0};
	struct wasm_module *module = NULL;
	buf_put(&bytes, HEADER "\1", 9);
	put_leb(&bytes, PARAMETERS + 5);
	buf_put(&bytes, "\1\x60", 2);
	put_leb(&bytes, PARAMETERS);
	memset(buf_reserve(&bytes, PARAMETERS), 0x7e, PARAMETERS);
	buf_put(&bytes, "\0\2", 2);
	put_leb(&bytes, 3 + 4 * IMPORTS);
	put_leb(&bytes, IMPORTS);
	buf_reserve(&bytes, 4 * IMPORTS);
	if (wasm_decode(bytes.data, bytes.size, &module, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(wasm_translate(module, &text, &err), CELLA_ELIMIT);
	assert_non_null(strstr(err.text, "100000000 parameters and results"));
	wasm_module_free(module);
}

static void put_long_constant(struct buf *bytes, uint32_t operands)
{
	uint32_t size = 3 + 2 * operands + (operands - 1) + 1;
	buf_put(bytes, HEADER "\6", 9);
	put_leb(bytes, size);
	buf_put(bytes, "\1\x7f\0", 3);
	for (uint32_t i = 0; i < operands; i++)
		buf_put(bytes, "\x41\1", 2);
	for (uint32_t i = 1; i < operands; i++)
		buf_put_u8(bytes, 0x6a);
	buf_put_u8(bytes, 0x0b);
}

/* As many operands as a constant expression may need at a time, and one more. */
static void a_constant_expression_may_be_long(void **state)
{
	(void)state;
	static const struct {
		uint32_t operands;
		int rc;
	} cases[] = {{2, 0}, {WASM_CONSTANT_DEPTH_MAX, 0}, {WASM_CONSTANT_DEPTH_MAX + 1, CELLA_ELIMIT}};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf bytes = {0}, text = {0};
		struct error err = {0};
		struct wasm_module *module = NULL;
		put_long_constant(&bytes, cases[i].operands);
		int rc = wasm_decode(bytes.data, bytes.size, &module, &err);
		if (rc == 0)
			rc = wasm_translate(module, &text, &err);
		if (rc != cases[i].rc)
			fail_msg("%u operands: %d %s", cases[i].operands, rc, err.text);
		assert_int_equal(contains(&text, "c[0] += c[1];"), rc == 0);
		wasm_module_free(module);
	}
}

/* A table of functions that is the module's own: references are constants, calls stay inside. */
static void only_modules_that_share_pay_for_it(void **state)
{
	(void)state;
	static const char *const words[] = {"target = callee_anywhere(", "fill_elements(instance, STATE"};
#define TABLE_MODULE(exports) \
	FUNCTION("\4\4\1\x70\0\1" exports "\x09\7\1\0\x41\0\x0b\1\0", "\x09", "\7\0\x41\0\x11\0\0\x0b")
	/* (table 1 funcref) (func (call_indirect (i32.const 0))) (elem (i32.const 0) 0) */
	static const char plain[] = TABLE_MODULE("");
	static const char shared[] = TABLE_MODULE("\7\5\1\1a\1\0");
	for (size_t i = 0; i < 2; i++) {
		cleanup_buf struct buf text = {0};
		struct error err = {0};
		struct wasm_module *module = NULL;
		int rc = i == 0 ? wasm_decode(plain, sizeof(plain) - 1, &module, &err)
		                : wasm_decode(shared, sizeof(shared) - 1, &module, &err);
		if (rc == 0)
			rc = wasm_check_cell(module, &err);
		if (rc == 0)
			rc = wasm_translate(module, &text, &err);
		if (rc < 0)
			fail_msg("%s", err.text);
		for (size_t k = 0; k < array_count(words); k++)
			assert_int_equal(contains(&text, words[k]), i);
		wasm_module_free(module);
	}
}

static void put_nested_blocks(struct buf *bytes, uint32_t depth)
{
	uint32_t body = 1 + 2 * depth + depth + 1;
	buf_put(bytes, HEADER "\1\4\1\x60\0\0\3\2\1\0\x0a", 19);
	put_leb(bytes, body + 4);
	put_leb(bytes, 1);
	put_leb(bytes, body);
	buf_put_u8(bytes, 0);
	for (uint32_t i = 0; i < depth; i++)
		buf_put(bytes, "\x02\x40", 2);
	for (uint32_t i = 0; i <= depth; i++)
		buf_put_u8(bytes, 0x0b);
}

/* Blocks nested deeper than any compiler of C would take braces. The body is a block, too. */
static void deep_nesting_is_neither_a_crash_nor_nested_c(void **state)
{
	(void)state;
	static const struct {
		uint32_t depth;
		int rc;
	} cases[] = {{WASM_DEPTH_MAX - 1, 0}, {WASM_DEPTH_MAX, CELLA_ELIMIT}};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf bytes = {0}, text = {0};
		struct error err = {0};
		struct wasm_module *module = NULL;
		put_nested_blocks(&bytes, cases[i].depth);
		int rc = wasm_decode(bytes.data, bytes.size, &module, &err);
		if (rc == 0)
			rc = wasm_translate(module, &text, &err);
		if (rc != cases[i].rc)
			fail_msg("%u deep: %d %s", cases[i].depth, rc, err.text);
		wasm_module_free(module);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_of_everything_is_taken),
		cmocka_unit_test(data_segments_are_laid_out_as_a_bundle_has_them),
		cmocka_unit_test(translation_is_whole_and_the_same_each_time),
		cmocka_unit_test(a_module_is_divided_by_its_own_size_alone),
		cmocka_unit_test(vectors_come_with_their_prelude_only_if_used),
		cmocka_unit_test(only_calls_that_may_throw_are_followed_by_a_check),
		cmocka_unit_test(a_module_asks_for_canonical_nans),
		cmocka_unit_test(the_table_holds_all_instructions_of_the_specification),
		cmocka_unit_test(a_constant_expression_may_be_long),
		cmocka_unit_test(only_modules_that_share_pay_for_it),
		cmocka_unit_test(deep_nesting_is_neither_a_crash_nor_nested_c),
		cmocka_unit_test(a_wrong_name_section_is_no_error),
		cmocka_unit_test(truncation_at_any_byte_is_an_error),
		cmocka_unit_test(a_changed_byte_is_no_crash),
		cmocka_unit_test(what_is_not_valid_is_refused_by_section_function_and_offset),
		cmocka_unit_test(an_error_names_the_function_as_the_name_section_does),
		cmocka_unit_test(a_name_cannot_steer_a_terminal),
		cmocka_unit_test(a_small_module_cannot_become_endless_c),
		cmocka_unit_test(what_is_valid_and_no_cell_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
