/* The loader of native images: is a small one mapped as it says, and is everything refused that could be
 * written outside of it, executed without being code, or looked for elsewhere? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "cell/code.h"

#if defined(__x86_64__)
enum { MACHINE = EM_X86_64, OTHER_MACHINE = EM_AARCH64, RELATIVE = R_X86_64_RELATIVE };
#else
enum { MACHINE = EM_AARCH64, OTHER_MACHINE = EM_X86_64, RELATIVE = R_AARCH64_RELATIVE };
#endif

enum { PAGE = 4096, SEGMENTS = 12, CODE_SIZE = 16 };

/* All of it is one segment of data; a segment of code, of zeros, follows in the next page. */
struct image {
	Elf64_Ehdr head;
	Elf64_Phdr segments[SEGMENTS];
	Elf64_Dyn dynamic[3];
	Elf64_Rela relocation;
	uint8_t callers[16];
	struct cell_image cell;
};
_Static_assert(sizeof(struct image) < PAGE, "the code begins in the next page");

static const struct image good = {
	.head = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                 .e_type = ET_DYN,
                 .e_machine = MACHINE,
                 .e_entry = offsetof(struct image, cell),
                 .e_phoff = offsetof(struct image, segments),
                 .e_phentsize = sizeof(Elf64_Phdr),
                 .e_phnum = 4},
	.segments = {{.p_type = PT_LOAD,
                      .p_flags = PF_R,
                      .p_filesz = sizeof(struct image),
                      .p_memsz = sizeof(struct image)},
                     {.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = PAGE, .p_memsz = CODE_SIZE},
                     {.p_type = PT_DYNAMIC,
                      .p_vaddr = offsetof(struct image, dynamic),
                      .p_memsz = sizeof(((struct image *)0)->dynamic)},
                     {.p_type = PT_GNU_EH_FRAME,
                      .p_vaddr = offsetof(struct image, callers),
                      .p_memsz = sizeof(((struct image *)0)->callers)}},
	.dynamic = {{.d_tag = DT_RELA, .d_un = {.d_ptr = offsetof(struct image, relocation)}},
                    {.d_tag = DT_RELASZ, .d_un = {.d_val = sizeof(Elf64_Rela)}}},
	.relocation = {.r_offset = offsetof(struct image, cell.initialize),
                       .r_info = ELF64_R_INFO(0, RELATIVE),
                       .r_addend = PAGE},
	.cell = {.abi_version = CELL_ABI_VERSION,
                 .memory_pages = 1,
                 .memory_pages_max = 2,
                 .memory_address_bits = 32},
};

static int map(const struct image *image, size_t size, struct code **ret_code, struct error *err)
{
	const struct bundle_artifact artifact = {.image = (const uint8_t *)image, .image_size = size};
	return code_map(&artifact, ret_code, err);
}

static void test_good_image(void **state)
{
	(void)state;
	struct code *code = NULL;
	struct error err = {0};
	if (map(&good, sizeof(good), &code, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(code->size, 2 * PAGE);
	assert_ptr_equal(code->image, code->base + offsetof(struct image, cell));
	assert_int_equal(code->image->memory_pages_max, 2);
	assert_int_equal((uintptr_t)code->image->initialize, (uintptr_t)code->base + PAGE);
	assert_true(code_contains(code, (uintptr_t)code->base + 2 * PAGE - 1));
	assert_false(code_contains(code, (uintptr_t)code->base + 2 * PAGE));
	assert_null(code_symbol_at(code, (uintptr_t)code->base + PAGE));
#if defined(__x86_64__)
	assert_ptr_equal(code->unwind.bytes, code->base);
	assert_int_equal(code->unwind.size, sizeof(good));
	assert_int_equal(code->unwind.header, offsetof(struct image, callers));
#else
	assert_null(code->unwind.bytes);
#endif
	code_free(code);
}

static void expect_refused(const struct image *image, size_t size, const char *text, size_t number)
{
	struct code *code = NULL;
	struct error err = {0};
	int rc = map(image, size, &code, &err);
	if (rc != CELLA_EFORMAT || err.code != rc || !strstr(err.text, text) || code)
		fail_msg("case %zu: %d %s; expected: %s", number, rc, err.text, text);
}

#define FIELD(member) offsetof(struct image, member), sizeof(((struct image *)0)->member)
#define BEYOND ((uint64_t)1 << 40)

static void test_refused_images(void **state)
{
	(void)state;
	static const struct {
		size_t at, size;
		uint64_t value;
		const char *text;
	} cases[] = {
		{FIELD(head.e_ident[EI_MAG0]), 'e', "not a 64-bit shared object"},
		{FIELD(head.e_ident[EI_CLASS]), ELFCLASS32, "not a 64-bit shared object"},
		{FIELD(head.e_ident[EI_DATA]), ELFDATA2MSB, "not a 64-bit shared object"},
		{FIELD(head.e_type), ET_EXEC, "not a 64-bit shared object"},
		{FIELD(head.e_machine), OTHER_MACHINE, "another processor"},
		{FIELD(head.e_phentsize), 55, "bad program header"},
		{FIELD(head.e_phnum), 33, "bad program header"},
		{FIELD(head.e_phoff), sizeof(struct image) - 4 * sizeof(Elf64_Phdr) + 1,
	         "bad program header"},
		{FIELD(head.e_phoff), UINT64_MAX, "bad program header"},
		{FIELD(head.e_phnum), 0, "holds no cell"},
		{FIELD(head.e_entry), offsetof(struct image, cell) + 1, "holds no cell"},
		{FIELD(head.e_entry), offsetof(struct image, cell) + 8, "holds no cell"},
		{FIELD(head.e_entry), PAGE, "holds no cell"},
		{FIELD(head.e_entry), UINT64_MAX - 7, "holds no cell"},
		{FIELD(segments[1].p_type), PT_INTERP, "dynamic linker"},
		{FIELD(segments[1].p_type), PT_TLS, "dynamic linker"},
		{FIELD(segments[0].p_filesz), sizeof(struct image) + 1, "out of bounds"},
		{FIELD(segments[0].p_memsz), sizeof(struct image) - 1, "out of bounds"},
		{FIELD(segments[0].p_offset), PAGE, "out of bounds"},
		{FIELD(segments[0].p_offset), 1, "out of bounds"},
		{FIELD(segments[0].p_offset), UINT64_MAX, "out of bounds"},
		{FIELD(segments[1].p_memsz), BEYOND, "out of bounds"},
		{FIELD(segments[1].p_vaddr), BEYOND, "out of bounds"},
		{FIELD(segments[1].p_vaddr), PAGE + 1, "out of bounds"},
		{FIELD(segments[1].p_vaddr), 0, "overlap"},
		{FIELD(segments[1].p_flags), PF_R | PF_W | PF_X, "can be written"},
		{FIELD(segments[2].p_vaddr), PAGE, "bad dynamic section"},
		{FIELD(segments[2].p_vaddr), BEYOND, "bad dynamic section"},
		{FIELD(segments[2].p_memsz), PAGE, "bad dynamic section"},
#if defined(__x86_64__)
		{FIELD(segments[3].p_vaddr), PAGE, "bad table of callers"},
		{FIELD(segments[3].p_vaddr), BEYOND, "bad table of callers"},
		{FIELD(segments[3].p_memsz), PAGE, "bad table of callers"},
#endif
		{FIELD(dynamic[2].d_tag), DT_INIT_ARRAY, "constructors, imports"},
		{FIELD(dynamic[2].d_tag), DT_INIT, "constructors, imports"},
		{FIELD(dynamic[2].d_tag), DT_NEEDED, "constructors, imports"},
		{FIELD(dynamic[2].d_tag), DT_PLTRELSZ, "constructors, imports"},
		{FIELD(dynamic[2].d_tag), DT_RELR, "constructors, imports"},
		{FIELD(dynamic[0].d_un.d_ptr), PAGE, "bad relocation table"},
		{FIELD(dynamic[0].d_un.d_ptr), UINT64_MAX - 7, "bad relocation table"},
		{FIELD(dynamic[1].d_un.d_val), PAGE, "bad relocation table"},
		{FIELD(relocation.r_info), ELF64_R_INFO(1, 1), "not relative"},
		{FIELD(relocation.r_offset), PAGE, "not relative"},
		{FIELD(relocation.r_offset), sizeof(struct image) - 7, "not relative"},
		{FIELD(relocation.r_offset), UINT64_MAX, "not relative"},
		{FIELD(relocation.r_addend), 2 * PAGE + 1, "not relative"},
		{FIELD(relocation.r_addend), UINT64_MAX, "not relative"},
		{FIELD(cell.abi_version), CELL_ABI_VERSION + 1, "another version"},
		{FIELD(cell.state_size), BEYOND, "impossible memory"},
		{FIELD(cell.memory_pages), 3, "impossible memory"},
		{FIELD(cell.memory_pages_max), CELL_MEMORY32_PAGES_MAX + 1, "impossible memory"},
		{FIELD(cell.memory_address_bits), 33, "impossible memory"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct image bad = good;
		memcpy((uint8_t *)&bad + cases[i].at, &cases[i].value, cases[i].size);
		expect_refused(&bad, sizeof(bad), cases[i].text, i);
	}
}

static void test_too_many_segments(void **state)
{
	(void)state;
	struct image bad = good;
	bad.head.e_phnum = SEGMENTS;
	for (uint32_t i = 4; i < SEGMENTS; i++)
		bad.segments[i] =
			(Elf64_Phdr){.p_type = PT_LOAD, .p_flags = PF_R, .p_vaddr = i * PAGE, .p_memsz = 1};
	expect_refused(&bad, sizeof(bad), "too many segments", 0);
}

/* Cut at every byte, with memory behind the end that nobody may touch. */
static void test_cut_images(void **state)
{
	(void)state;
	for (size_t size = 0; size < sizeof(good); size++) {
		struct image *cut = malloc(size + 1);
		assert_non_null(cut);
		memcpy(cut, &good, size);
		expect_refused(cut, size, "build the cell again", size);
		free(cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_image),
		cmocka_unit_test(test_refused_images),
		cmocka_unit_test(test_too_many_segments),
		cmocka_unit_test(test_cut_images),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
