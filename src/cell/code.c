/*
 * The loader of translated images: ELF64 shared objects with relative relocations only, as
 * `cella cc` makes them. Nothing else is accepted: no interpreter, no imports, no thread-local
 * storage, no constructors.
 *
 * The image is copied into a memory file that is sealed against writing, and mapped from it:
 * code read and execute, the rest read-only once its relocations are applied. The entry point
 * of the image is the address of its struct cell_image.
 */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cell/code.h"

enum {
	CODE_SEGMENTS_MAX = 8,
	CODE_SIZE_MAX = 1 << 30,
	CODE_HEADERS_MAX = 32,
};

#if defined(__x86_64__)
#define CODE_MACHINE EM_X86_64
#define CODE_RELATIVE R_X86_64_RELATIVE
#elif defined(__aarch64__)
#define CODE_MACHINE EM_AARCH64
#define CODE_RELATIVE R_AARCH64_RELATIVE
#else
#error "Cella's executor runs on x86-64 and aarch64"
#endif

struct code_layout {
	Elf64_Phdr segments[CODE_SEGMENTS_MAX];
	size_t segment_count;
	Elf64_Phdr dynamic, unwind;
	uint64_t entry;
	uint64_t page; /* of this machine: its linker left room for the largest that the processor may have */
	uint64_t span; /* bytes of address space, whole pages */
};

static int code_bad(struct error *err, const char *why)
{
	return error_set(err, CELLA_EFORMAT, "the cell's native image %s; build the cell again with cella cc",
	                 why);
}

/* Where the first page of a segment begins, and where its last one ends. */
static uint64_t first_page(const struct code_layout *layout, const Elf64_Phdr *p)
{
	return p->p_vaddr & ~(layout->page - 1);
}

static uint64_t last_page_end(const struct code_layout *layout, const Elf64_Phdr *p)
{
	return align_up(p->p_vaddr + p->p_memsz, layout->page);
}

/* The segment with data of its own that a range of the image lies in, NULL if in none. */
static const Elf64_Phdr *code_data_at(const struct code_layout *layout, uint64_t address, uint64_t size)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		const Elf64_Phdr *p = &layout->segments[i];
		if (!(p->p_flags & PF_X) && address >= p->p_vaddr && size <= p->p_memsz &&
		    address - p->p_vaddr <= p->p_memsz - size)
			return p;
	}
	return NULL;
}

static int code_read_segment(const struct bundle_artifact *a, const Elf64_Phdr *p, struct code_layout *layout,
                             struct error *err)
{
	if (p->p_type == PT_INTERP || p->p_type == PT_TLS)
		return code_bad(err, "asks for a dynamic linker");
	if (p->p_type == PT_DYNAMIC)
		layout->dynamic = *p;
	if (p->p_type == PT_GNU_EH_FRAME && CODE_MACHINE == EM_X86_64)
		layout->unwind = *p;
	if (p->p_type != PT_LOAD || p->p_memsz == 0)
		return 0;
	if (layout->segment_count == CODE_SEGMENTS_MAX)
		return code_bad(err, "has too many segments");
	if (p->p_filesz > p->p_memsz || p->p_offset > a->image_size ||
	    p->p_filesz > a->image_size - p->p_offset || p->p_vaddr > CODE_SIZE_MAX ||
	    p->p_memsz > CODE_SIZE_MAX || p->p_vaddr % layout->page != p->p_offset % layout->page)
		return code_bad(err, "has a segment out of bounds");
	if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
		return code_bad(err, "has code that can be written");
	if (first_page(layout, p) < layout->span)
		return code_bad(err, "has segments that overlap or are out of order");
	layout->segments[layout->segment_count++] = *p;
	layout->span = last_page_end(layout, p);
	return 0;
}

static int code_read_layout(const struct bundle_artifact *a, struct code_layout *layout, struct error *err)
{
	Elf64_Ehdr head;
	if (a->image_size < sizeof(head))
		return code_bad(err, "is cut short");
	memcpy(&head, a->image, sizeof(head));
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_type != ET_DYN)
		return code_bad(err, "is not a 64-bit shared object");
	if (head.e_machine != CODE_MACHINE)
		return code_bad(err, "is for another processor");
	if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum > CODE_HEADERS_MAX ||
	    head.e_phoff > a->image_size || head.e_phnum * sizeof(Elf64_Phdr) > a->image_size - head.e_phoff)
		return code_bad(err, "has a bad program header");
	*layout = (struct code_layout){.entry = head.e_entry, .page = (uint64_t)sysconf(_SC_PAGESIZE)};
	for (size_t i = 0; i < head.e_phnum; i++) {
		Elf64_Phdr p;
		memcpy(&p, a->image + head.e_phoff + i * sizeof(p), sizeof(p));
		int rc = code_read_segment(a, &p, layout, err);
		if (rc < 0)
			return rc;
	}
	if (layout->entry % _Alignof(struct cell_image) ||
	    !code_data_at(layout, layout->entry, sizeof(struct cell_image)))
		return code_bad(err, "holds no cell");
	return 0;
}

static int code_map_segment(uint8_t *base, const struct code_layout *layout, int fd, const Elf64_Phdr *p,
                            struct error *err)
{
	uint64_t start = first_page(layout, p);
	uint64_t file_end = p->p_vaddr + p->p_filesz;
	uint64_t end = last_page_end(layout, p);
	int protection = p->p_flags & PF_X ? PROT_READ | PROT_EXEC : PROT_READ | PROT_WRITE;
	uint64_t mapped_end = align_up(file_end, layout->page);
	if (p->p_filesz && mmap(base + start, mapped_end - start, protection, MAP_PRIVATE | MAP_FIXED, fd,
	                        (off_t)(p->p_offset - (p->p_vaddr - start))) == MAP_FAILED)
		return error_errno(err, CELLA_EIO, "cannot map the cell's native image");
	uint64_t zero_start = p->p_filesz ? mapped_end : start;
	if (end > zero_start && mmap(base + zero_start, end - zero_start, protection,
	                             MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
		return error_errno(err, CELLA_ENOMEM, "cannot map the cell's native image");
	if ((p->p_flags & PF_W) && mapped_end > file_end && p->p_filesz)
		memset(base + file_end, 0, mapped_end - file_end);
	return 0;
}

static int code_relocate(uint8_t *base, const struct code_layout *layout, struct error *err)
{
	uint64_t rela = 0, rela_size = 0;
	if (layout->dynamic.p_type == PT_DYNAMIC &&
	    !code_data_at(layout, layout->dynamic.p_vaddr, layout->dynamic.p_memsz))
		return code_bad(err, "has a bad dynamic section");
	for (uint64_t at = 0; at + sizeof(Elf64_Dyn) <= layout->dynamic.p_memsz; at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn d;
		memcpy(&d, base + layout->dynamic.p_vaddr + at, sizeof(d));
		if (d.d_tag == DT_NULL)
			break;
		if (d.d_tag == DT_RELA)
			rela = d.d_un.d_ptr;
		if (d.d_tag == DT_RELASZ)
			rela_size = d.d_un.d_val;
		if (d.d_tag == DT_INIT || d.d_tag == DT_INIT_ARRAY || d.d_tag == DT_PLTRELSZ ||
		    d.d_tag == DT_NEEDED || d.d_tag == DT_REL || d.d_tag == DT_RELR)
			return code_bad(err, "has constructors, imports or relocations of another kind");
	}
	if (rela_size && !code_data_at(layout, rela, rela_size))
		return code_bad(err, "has a bad relocation table");
	for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= rela_size; at += sizeof(Elf64_Rela)) {
		Elf64_Rela r;
		memcpy(&r, base + rela + at, sizeof(r));
		if (ELF64_R_TYPE(r.r_info) != CODE_RELATIVE || !code_data_at(layout, r.r_offset, 8) ||
		    r.r_addend < 0 || (uint64_t)r.r_addend > layout->span)
			return code_bad(err, "has a relocation that is not relative");
		uint64_t value = (uint64_t)(uintptr_t)base + (uint64_t)r.r_addend;
		memcpy(base + r.r_offset, &value, sizeof(value));
	}
	return 0;
}

static int code_protect(uint8_t *base, const struct code_layout *layout, struct error *err)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		const Elf64_Phdr *p = &layout->segments[i];
		if (p->p_flags & PF_X)
			continue;
		uint64_t start = first_page(layout, p);
		uint64_t end = last_page_end(layout, p);
		if (mprotect(base + start, end - start, PROT_READ) < 0)
			return error_errno(err, CELLA_EIO, "cannot protect the cell's native image");
	}
	return 0;
}

/* What the executor computes sizes from. */
static int code_check_image(const struct cell_image *image, struct error *err)
{
	if (image->abi_version != CELL_ABI_VERSION)
		return code_bad(err, "was made by another version of cella cc");
	bool wide = image->memory_address_bits == 64;
	uint64_t most = wide ? CELL_MEMORY64_PAGES_MAX : CELL_MEMORY32_PAGES_MAX;
	if (image->state_size > CODE_SIZE_MAX || (!wide && image->memory_address_bits != 32) ||
	    image->memory_pages > image->memory_pages_max || image->memory_pages_max > most)
		return code_bad(err, "asks for an impossible memory");
	return 0;
}

static int symbol_order(const void *a, const void *b)
{
	uintptr_t x = ((const struct code_symbol *)a)->address, y = ((const struct code_symbol *)b)->address;
	return (x > y) - (x < y);
}

static bool code_has_text(const struct code *code, const struct code_layout *layout, uintptr_t text)
{
	uint64_t at = text - (uintptr_t)code->base;
	const Elf64_Phdr *p = code_data_at(layout, at, 1);
	return p && memchr(code->base + at, 0, p->p_vaddr + p->p_memsz - at);
}

/* Sorted, and made now: a trap may have too little stack left for the C library's allocator. */
static int code_read_symbols(struct code *code, const struct code_layout *layout, struct error *err)
{
	const struct cell_image *image = code->image;
	size_t size = image->symbol_count * sizeof(*image->symbols);
	if (size == 0)
		return 0;
	if (size > code->size || (uintptr_t)image->symbols - (uintptr_t)code->base > code->size - size)
		return code_bad(err, "has a bad table of symbols");
	code->symbols = calloc(image->symbol_count, sizeof(*code->symbols));
	if (!code->symbols)
		return error_set(err, CELLA_ENOMEM, "no memory for the symbols of the cell's native image");
	for (uint32_t i = 0; i < image->symbol_count; i++) {
		const struct cell_symbol *s = &image->symbols[i];
		if (!code_has_text(code, layout, (uintptr_t)image->names + s->name))
			return code_bad(err, "has a bad table of symbols");
		code->symbols[i].address = (uintptr_t)&s->offset + (uintptr_t)(intptr_t)s->offset;
		code->symbols[i].name = image->names + s->name;
	}
	qsort(code->symbols, image->symbol_count, sizeof(*code->symbols), symbol_order);
	return 0;
}

/* The tables by which a trap finds callers; an image for another processor than x86-64 has none. */
static int code_find_unwind(struct code *code, const struct code_layout *layout, struct error *err)
{
	const Elf64_Phdr *table = &layout->unwind;
	if (table->p_type != PT_GNU_EH_FRAME)
		return 0;
	const Elf64_Phdr *p = code_data_at(layout, table->p_vaddr, table->p_memsz);
	if (!p)
		return code_bad(err, "has a bad table of callers");
	code->unwind = (struct unwind_table){code->base + p->p_vaddr, p->p_memsz,
	                                     table->p_vaddr - p->p_vaddr};
	return 0;
}

static int code_fill(struct code *code, const struct code_layout *layout, int fd, struct error *err)
{
	for (size_t i = 0; i < layout->segment_count; i++) {
		int rc = code_map_segment(code->base, layout, fd, &layout->segments[i], err);
		if (rc < 0)
			return rc;
	}
	int rc = code_relocate(code->base, layout, err);
	if (rc == 0)
		rc = code_protect(code->base, layout, err);
	if (rc < 0)
		return rc;
	code->image = (const struct cell_image *)(void *)(code->base + layout->entry);
	rc = code_check_image(code->image, err);
	if (rc == 0)
		rc = code_find_unwind(code, layout, err);
	return rc < 0 ? rc : code_read_symbols(code, layout, err);
}

int code_map(const struct bundle_artifact *a, struct code **ret_code, struct error *err)
{
	struct code_layout layout = {0};
	int rc = code_read_layout(a, &layout, err);
	if (rc < 0)
		return rc;
	cleanup_close int fd = -1;
	rc = io_sealed_memfd("cella-image", a->image, a->image_size, true, &fd, err);
	if (rc < 0)
		return rc;
	struct code *code = calloc(1, sizeof(*code));
	if (!code)
		return error_set(err, CELLA_ENOMEM, "no memory for the cell's native image");
	code->size = layout.span;
	code->base = mmap(NULL, layout.span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (code->base == MAP_FAILED) {
		free(code);
		return error_errno(err, CELLA_ENOMEM, "cannot map the cell's native image");
	}
	code->data = a->data;
	code->data_size = a->data_size;
	rc = code_fill(code, &layout, fd, err);
	if (rc < 0) {
		code_free(code);
		return rc;
	}
	*ret_code = code;
	return 0;
}

void code_free(struct code *code)
{
	if (!code)
		return;
	munmap(code->base, code->size);
	free(code->symbols);
	free(code);
}

const char *code_symbol_at(const struct code *code, uintptr_t address)
{
	if (!code_contains(code, address) || !code->symbols)
		return NULL;
	const char *name = NULL;
	for (size_t low = 0, high = code->image->symbol_count; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (code->symbols[middle].address <= address) {
			name = code->symbols[middle].name;
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return name && *name ? name : NULL;
}
