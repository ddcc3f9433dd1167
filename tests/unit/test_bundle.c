/*
 * The .cell bundle. Does what was written parse again, to the same identity; is everything that
 * was not written so refused; does a signature cover all that it should; is the right artifact chosen?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "wasm/bundle.h"
#include "wasm/bundle_format.h"
#include "wasm/target.h"

static struct crypto_signer builder, other_builder;

static const char manifest[] = "{\"name\": \"t\", \"version\": 1}";
static const uint8_t wasm[] = "\0asm\1\0\0\0 and the module";
static const uint8_t image[] = "the image's bytes";
static const uint8_t data[] = {0, 0, 0, 0};

static const struct bundle_artifact some_artifact = {
	.target = "x86-64-v3",
	.translator = "cella-1",
	.compiler = "gcc 12.2.0",
	.image = image,
	.image_size = sizeof(image),
};

enum {
	ENTRY_0 = BUNDLE_HEADER_SIZE, /* the table's first entry */
	SECTIONS_0 = BUNDLE_HEADER_SIZE + 5 * BUNDLE_ENTRY_SIZE,
};

/* With `size` bytes of the module, and one artifact. */
static void write_bundle(struct buf *b, size_t size, const struct bundle_artifact *artifact)
{
	struct error err;
	struct bundle bundle = {.wasm = wasm,
	                        .wasm_size = size,
	                        .manifest = manifest,
	                        .manifest_size = strlen(manifest),
	                        .data = data,
	                        .data_size = sizeof(data)};
	if (bundle_identify(&bundle, &err) < 0 || bundle_add(&bundle, artifact, &builder, &err) < 0 ||
	    bundle_write(&bundle, b, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_some(struct buf *b)
{
	write_bundle(b, sizeof(wasm), &some_artifact);
}

static void put_u32(uint8_t *at, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

static void put_u64(uint8_t *at, uint64_t v)
{
	put_u32(at, (uint32_t)v);
	put_u32(at + 4, (uint32_t)(v >> 32));
}

static void test_round_trip(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct bundle bundle, copy;
	uint8_t identity[CRYPTO_SHA384_SIZE];
	write_some(&b);
	assert_int_equal(bundle_parse(b.data, b.size, &bundle, NULL), 0);
	assert_int_equal(bundle.wasm_size, sizeof(wasm));
	assert_memory_equal(bundle.wasm, wasm, sizeof(wasm));
	assert_int_equal(bundle.manifest_size, strlen(manifest));
	assert_memory_equal(bundle.manifest, manifest, strlen(manifest));
	assert_int_equal(bundle.data_size, sizeof(data));
	assert_memory_equal(bundle.data, data, sizeof(data));
	const struct crypto_part parts[] = {{wasm, sizeof(wasm)}, {manifest, strlen(manifest)}};
	assert_int_equal(crypto_sha384_parts(parts, 2, identity, NULL), 0);
	assert_memory_equal(bundle.identity, identity, sizeof(identity));
	assert_int_equal(bundle.artifact_count, 1);
	/* Names stand in the bundle itself, not in the parser's frame. */
	assert_true(bundle.artifacts[0].target >= bundle.strings &&
	            bundle.artifacts[0].target < bundle.strings + sizeof(bundle.strings));
	assert_int_equal(bundle_parse(b.data, b.size, &copy, NULL), 0);
	const struct bundle_artifact *a = bundle.artifacts;
	assert_int_equal(bundle_verify(&bundle, a, NULL), 0);
	assert_string_equal(a->target, "x86-64-v3");
	assert_string_equal(a->translator, "cella-1");
	assert_string_equal(a->compiler, "gcc 12.2.0");
	assert_memory_equal(a->builder, builder.public_key, CRYPTO_ED25519_SIZE);
	assert_int_equal(a->image_size, sizeof(image));
	assert_memory_equal(a->image, image, sizeof(image));
	assert_int_equal(a->data_size, sizeof(data));
	assert_memory_equal(a->data, data, sizeof(data));
}

static void test_same_bytes(void **state)
{
	(void)state;
	cleanup_buf struct buf one = {0}, two = {0};
	write_some(&one);
	write_some(&two);
	assert_int_equal(one.size, two.size);
	assert_memory_equal(one.data, two.data, one.size);
}

/* The identity depends on wasm and manifest alone, and on where one ends and the other begins. */
static void test_identity(void **state)
{
	(void)state;
	struct bundle_artifact other_artifact = some_artifact;
	other_artifact.compiler = "clang 19.1.7";
	cleanup_buf struct buf b = {0}, other = {0}, moved = {0};
	struct bundle x, y, z;
	write_some(&b);
	write_bundle(&other, sizeof(wasm), &other_artifact);
	write_bundle(&moved, sizeof(wasm) - 1, &some_artifact);
	assert_int_equal(bundle_parse(b.data, b.size, &x, NULL), 0);
	assert_int_equal(bundle_parse(other.data, other.size, &y, NULL), 0);
	assert_int_equal(bundle_parse(moved.data, moved.size, &z, NULL), 0);
	assert_memory_equal(x.identity, y.identity, sizeof(x.identity));
	assert_memory_not_equal(x.identity, z.identity, sizeof(x.identity));
}

/* Any changed bit is either malformed, or another identity or builder, or a signature that fails. */
static void test_every_bit(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct bundle bundle;
	write_some(&b);
	for (size_t bit = 0; bit < b.size * 8; bit++) {
		b.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		int rc = bundle_parse(b.data, b.size, &bundle, NULL);
		if (rc == 0)
			assert_true(bundle_verify_all(&bundle, NULL) < 0);
		else
			assert_int_equal(rc, CELLA_EFORMAT);
		b.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
}

static void test_truncated(void **state)
{
	(void)state;
	cleanup_buf struct buf b = {0};
	struct bundle bundle;
	write_some(&b);
	for (size_t size = 0; size < b.size; size++) {
		cleanup_free uint8_t *exact = malloc(size + !size);
		memcpy(exact, b.data, size);
		assert_int_equal(bundle_parse(exact, size, &bundle, NULL), CELLA_EFORMAT);
		/* The same with a header that admits it. */
		if (size >= 16)
			put_u64(exact + 8, size);
		assert_int_equal(bundle_parse(exact, size, &bundle, NULL), CELLA_EFORMAT);
	}
	buf_put_u8(&b, 0);
	assert_int_equal(bundle_parse(b.data, b.size, &bundle, NULL), CELLA_EFORMAT);
	put_u64(b.data + 8, b.size);
	assert_int_equal(bundle_parse(b.data, b.size, &bundle, NULL), CELLA_EFORMAT);
}

static void set_version(uint8_t *b)
{
	b[BUNDLE_MAGIC_SIZE] = 1;
}
static void set_no_sections(uint8_t *b)
{
	put_u32(b + 16, 0);
}
static void set_four_sections(uint8_t *b)
{
	put_u32(b + 16, 4);
}
static void set_many_sections(uint8_t *b)
{
	put_u32(b + 16, BUNDLE_FIXED_SECTIONS + (BUNDLE_ARTIFACT_MAX + 1) * BUNDLE_ARTIFACT_SECTIONS);
}
static void set_most_sections(uint8_t *b)
{
	put_u32(b + 16, 0xffffffff);
}
static void set_duplicate(uint8_t *b)
{
	put_u32(b + ENTRY_0 + BUNDLE_ENTRY_SIZE, BUNDLE_WASM);
}
static void set_unknown(uint8_t *b)
{
	put_u32(b + ENTRY_0, 99);
}
static void set_owner(uint8_t *b)
{
	put_u32(b + ENTRY_0 + 4, 1);
}
static void set_overlap(uint8_t *b)
{
	put_u64(b + ENTRY_0 + BUNDLE_ENTRY_SIZE + 8, SECTIONS_0);
}
static void set_gap(uint8_t *b)
{
	put_u64(b + ENTRY_0 + 8, SECTIONS_0 + 1);
}
static void set_huge(uint8_t *b)
{
	put_u64(b + ENTRY_0 + 16, UINT64_MAX);
}
static void set_wrapping(uint8_t *b)
{
	put_u64(b + ENTRY_0 + 16, UINT64_MAX - SECTIONS_0 + 1);
}

static void test_malformed(void **state)
{
	(void)state;
	static const struct {
		void (*set)(uint8_t *b);
		const char *says;
	} cases[] = {
		{set_version, "version 1"},
		{set_no_sections, "byte 16"},
		{set_four_sections, "byte 16"},
		{set_many_sections, "byte 16"},
		{set_most_sections, "byte 16"},
		{set_duplicate, "where manifest"},
		{set_unknown, "where wasm"},
		{set_owner, "where wasm"},
		{set_overlap, "begin where"},
		{set_gap, "begin where"},
		{set_huge, "larger than what is left"},
		{set_wrapping, "larger than what is left"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0};
		struct bundle bundle;
		struct error err = {0};
		write_some(&b);
		cases[i].set(b.data);
		assert_int_equal(bundle_parse(b.data, b.size, &bundle, &err), CELLA_EFORMAT);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu: \"%s\" does not say \"%s\"", i, err.text, cases[i].says);
	}
}

static void entry(struct buf *b, uint32_t kind, uint32_t artifact, size_t *offset, size_t size)
{
	buf_put_u32(b, kind);
	buf_put_u32(b, artifact);
	buf_put_u64(b, *offset);
	buf_put_u64(b, size);
	*offset += size;
}

enum { TARGETS = BUNDLE_ARTIFACT_MAX + 1 };

/* A bundle of the given targets, each by `builder` or, behind a '+', by `other_builder`, with empty
 * images and signatures of zeros. */
static void write_targets(struct buf *b, const char *const *targets, uint32_t count)
{
	struct buf names[TARGETS] = {{0}};
	size_t offset = BUNDLE_HEADER_SIZE + (3 + 2 * count) * (size_t)BUNDLE_ENTRY_SIZE;
	buf_put(b, BUNDLE_MAGIC, BUNDLE_MAGIC_SIZE);
	buf_put_u16(b, BUNDLE_VERSION);
	buf_put_u64(b, 0);
	buf_put_u32(b, 3 + 2 * count);
	buf_put_u32(b, 0);
	entry(b, BUNDLE_WASM, 0, &offset, 0);
	entry(b, BUNDLE_MANIFEST, 0, &offset, 0);
	entry(b, BUNDLE_DATA, 0, &offset, 0);
	for (uint32_t i = 0; i < count; i++) {
		bool second = targets[i][0] == '+';
		buf_put_string(&names[i], targets[i] + second);
		buf_put_string(&names[i], "t");
		buf_put_string(&names[i], "c");
		buf_put(&names[i], (second ? &other_builder : &builder)->public_key, CRYPTO_ED25519_SIZE);
		buf_reserve(&names[i], CRYPTO_SIGNATURE_SIZE);
		entry(b, BUNDLE_NAMES, i, &offset, names[i].size);
		entry(b, BUNDLE_IMAGE, i, &offset, 0);
	}
	for (uint32_t i = 0; i < count; i++) {
		buf_put(b, names[i].data, names[i].size);
		buf_done(&names[i]);
	}
	put_u64(b->data + 8, b->size);
}

static void test_several_artifacts(void **state)
{
	(void)state;
	static const char longest[] = "123456789012345678901234567890123456789012345678901234567890123";
	static const struct {
		const char *targets[TARGETS];
		uint32_t count;
		int rc;
	} cases[] = {
		{{"a"}, 0, 0},
		{{"a", "b", "c", "d", "e", "f", "g", longest}, 8, 0},
		{{"a", "b", "c", "d", "e", "f", "g", "h", "i"}, 9, CELLA_EFORMAT},
		{{"a", "+a", "b"}, 3, 0},
		{{"a", "b", "a"}, 3, CELLA_EFORMAT},
		{{"+a", "b", "+a"}, 3, CELLA_EFORMAT},
		{{"a", ""}, 2, CELLA_EFORMAT},
		{{"a\n"}, 1, CELLA_EFORMAT},
		{{"\xc3\xa4"}, 1, CELLA_EFORMAT},
		{{"1234567890123456789012345678901234567890123456789012345678901234"}, 1, CELLA_EFORMAT},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		cleanup_buf struct buf b = {0}, again = {0};
		struct bundle bundle;
		write_targets(&b, cases[i].targets, cases[i].count);
		assert_int_equal(bundle_parse(b.data, b.size, &bundle, NULL), cases[i].rc);
		if (cases[i].rc < 0)
			continue;
		assert_int_equal(bundle.artifact_count, cases[i].count);
		for (uint32_t k = 0; k < cases[i].count; k++) {
			const struct bundle_artifact *a = &bundle.artifacts[k];
			assert_string_equal(a->target, cases[i].targets[k] + (cases[i].targets[k][0] == '+'));
			assert_int_equal(bundle_verify(&bundle, a, NULL), CELLA_EAUTH);
		}
		assert_int_equal(bundle_write(&bundle, &again, NULL), 0);
		assert_int_equal(again.size, b.size);
		assert_memory_equal(again.data, b.data, b.size);
	}
}

static void add(struct bundle *bundle, const char *target, const char *compiler,
                const struct crypto_signer *by)
{
	struct error err;
	struct bundle_artifact a = some_artifact;
	a.target = target;
	a.compiler = compiler;
	if (bundle_add(bundle, &a, by, &err) < 0)
		fail_msg("%s", err.text);
}

static void make_some(struct bundle *bundle)
{
	*bundle = (struct bundle){.wasm = wasm,
	                          .wasm_size = sizeof(wasm),
	                          .data = data,
	                          .data_size = sizeof(data)};
	assert_int_equal(bundle_identify(bundle, NULL), 0);
}

static bool accepts(const uint8_t key[CRYPTO_ED25519_SIZE], void *context)
{
	const struct crypto_signer *const *accepted = context;
	for (; *accepted; accepted++)
		if (memcmp((*accepted)->public_key, key, CRYPTO_ED25519_SIZE) == 0)
			return true;
	return false;
}

/* What a builder made before is replaced, what another made is not, and all of it holds. */
static void test_add(void **state)
{
	(void)state;
	struct bundle bundle;
	make_some(&bundle);
	add(&bundle, "a", "first", &builder);
	add(&bundle, "a", "other", &other_builder);
	add(&bundle, "b", "first", &builder);
	add(&bundle, "a", "second", &builder);
	assert_int_equal(bundle.artifact_count, 3);
	assert_string_equal(bundle.artifacts[0].compiler, "second");
	assert_string_equal(bundle.artifacts[1].compiler, "other");
	assert_int_equal(bundle_verify_all(&bundle, NULL), 0);
	/* One builder's signature is no other's. */
	memcpy(bundle.artifacts[1].builder, builder.public_key, CRYPTO_ED25519_SIZE);
	assert_int_equal(bundle_verify_all(&bundle, NULL), CELLA_EAUTH);
}

/* The best that this machine runs is taken, of accepted builders only, and nothing else instead. */
static void test_choice(void **state)
{
	(void)state;
	const struct crypto_signer *both[] = {&builder, &other_builder, NULL}, *own[] = {&builder, NULL},
				   *nobody[] = {NULL};
	const char *here = target_here();
	const struct bundle_artifact *a;
	struct bundle bundle;
	struct error err;
	make_some(&bundle);
	assert_int_equal(bundle_choose(&bundle, accepts, both, &a, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "machine code for no machine"));
	for (size_t i = 0; target_at(i); i++)
		if (!target_runs_here(target_at(i)))
			add(&bundle, target_at(i), "x", &builder);
	add(&bundle, "pdp-11", "x", &builder);
	assert_int_equal(bundle_choose(&bundle, accepts, both, &a, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "pdp-11"));
	if (!here) {
		print_message("skipped: test_choice: this processor runs no target\n");
		skip();
	}
	assert_non_null(strstr(err.text, here));
	assert_non_null(strstr(err.text, "cella build FILE.cell --targets "));
	size_t at = bundle.artifact_count;
	for (size_t i = 0; target_at(i); i++) /* the best comes last */
		if (target_runs_here(target_at(i)) && strcmp(target_at(i), here) != 0)
			add(&bundle, target_at(i), "x", &builder);
	add(&bundle, here, "x", &other_builder);
	assert_int_equal(bundle_choose(&bundle, accepts, nobody, &a, &err), CELLA_EAUTH);
	assert_int_equal(bundle_choose(&bundle, accepts, both, &a, &err), 0);
	assert_ptr_equal(a, &bundle.artifacts[bundle.artifact_count - 1]);
	bool second = bundle.artifact_count > at + 1;
	assert_int_equal(bundle_choose(&bundle, accepts, own, &a, &err), second ? 0 : CELLA_EAUTH);
	if (second)
		assert_ptr_equal(a, &bundle.artifacts[at]);
	bundle.artifacts[bundle.artifact_count - 1].signature[0] ^= 1;
	assert_int_equal(bundle_choose(&bundle, accepts, both, &a, &err), CELLA_EAUTH);
}

static void test_add_refuses(void **state)
{
	(void)state;
	struct bundle bundle;
	struct bundle_artifact a = some_artifact;
	char target[8];
	make_some(&bundle);
	a.compiler = "";
	assert_int_equal(bundle_add(&bundle, &a, &builder, NULL), CELLA_EINVAL);
	a.compiler = "two\nlines";
	assert_int_equal(bundle_add(&bundle, &a, &builder, NULL), CELLA_EINVAL);
	a.compiler = "c";
	a.target = target;
	assert_int_equal(bundle.artifact_count, 0);
	for (int i = 0; i <= BUNDLE_ARTIFACT_MAX; i++) {
		bundle.artifacts[max_of(i, 1) - 1].target = "earlier";
		snprintf(target, sizeof(target), "%d", i);
		assert_int_equal(bundle_add(&bundle, &a, &builder, NULL),
		                 i < BUNDLE_ARTIFACT_MAX ? 0 : CELLA_ELIMIT);
	}
}

static int start(void **state)
{
	(void)state;
	static const uint8_t key[CRYPTO_ED25519_SIZE] = {5};
	static const uint8_t other_key[CRYPTO_ED25519_SIZE] = {6};
	if (crypto_init(NULL, NULL) < 0 || crypto_signer_load(key, &builder, NULL) < 0 ||
	    crypto_signer_load(other_key, &other_builder, NULL) < 0)
		return -1;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_same_bytes),
		cmocka_unit_test(test_identity),   cmocka_unit_test(test_several_artifacts),
		cmocka_unit_test(test_malformed),  cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_every_bit),  cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_add),        cmocka_unit_test(test_choice),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
