#include "cell/snapshot/block.h"

#include <string.h>

#include "base/buf.h"

enum { PAGE_WORDS = SNAPSHOT_PAGE_SIZE / SNAPSHOT_GRAIN, MASK_WORDS = PAGE_WORDS / 64 };

static const uint8_t zero_page[SNAPSHOT_PAGE_SIZE];

/* Counts while `out` is NULL. */
struct encoder {
	uint8_t *out;
	size_t size;
};

static void put(struct encoder *e, const void *bytes, size_t size)
{
	if (e->out)
		memcpy(e->out + e->size, bytes, size);
	e->size += size;
}

static void put_u16_pair(struct encoder *e, unsigned first, unsigned second)
{
	const uint8_t bytes[] = {(uint8_t)first, (uint8_t)(first >> 8), (uint8_t)second,
	                         (uint8_t)(second >> 8)};
	put(e, bytes, sizeof(bytes));
}

static void put_page(struct encoder *e, unsigned page, enum snapshot_page kind, unsigned count)
{
	put_u16_pair(e, page | (unsigned)kind << 8, count);
}

static uint64_t differing_words(const uint8_t *now, const uint8_t *then)
{
	uint64_t mask = 0;
	for (size_t i = 0; i < 64; i++) {
		uint64_t a, b;
		memcpy(&a, now + i * SNAPSHOT_GRAIN, sizeof(a));
		memcpy(&b, then + i * SNAPSHOT_GRAIN, sizeof(b));
		mask |= (uint64_t)(a != b) << i;
	}
	return mask;
}

/* Or-ed rather than compared: how long it takes tells nothing of what the page holds. */
static bool pages_equal(const uint8_t *a, const uint8_t *b)
{
	uint64_t difference = 0;
	for (size_t i = 0; i < SNAPSHOT_PAGE_SIZE; i += SNAPSHOT_GRAIN) {
		uint64_t x, y;
		memcpy(&x, a + i, sizeof(x));
		memcpy(&y, b + i, sizeof(y));
		difference |= x ^ y;
	}
	return difference == 0;
}

/* The first word at or after `from` whose bit is `set`, PAGE_WORDS if there is none. */
static size_t next_word(const uint64_t mask[MASK_WORDS], size_t from, bool set)
{
	while (from < PAGE_WORDS) {
		uint64_t left = (set ? mask[from / 64] : ~mask[from / 64]) >> (from % 64);
		if (left)
			return from + (size_t)__builtin_ctzll(left);
		from = (from / 64 + 1) * 64;
	}
	return PAGE_WORDS;
}

struct run {
	size_t from, to; /* words */
};

static bool next_run(const uint64_t mask[MASK_WORDS], struct run *run)
{
	run->from = next_word(mask, run->to, true);
	run->to = next_word(mask, run->from, false);
	return run->from < PAGE_WORDS;
}

static void encode_runs(struct encoder *e, unsigned page, const uint8_t *now, const uint8_t *then)
{
	uint64_t mask[MASK_WORDS];
	unsigned count = 0;
	size_t size = 0;
	for (size_t i = 0; i < MASK_WORDS; i++)
		mask[i] = differing_words(now + i * 64 * SNAPSHOT_GRAIN, then + i * 64 * SNAPSHOT_GRAIN);
	for (struct run run = {0}; next_run(mask, &run); count++)
		size += SNAPSHOT_RUN_HEADER_SIZE + (run.to - run.from) * SNAPSHOT_GRAIN;
	if (size >= SNAPSHOT_PAGE_SIZE) {
		put_page(e, page, SNAPSHOT_WHOLE, 0);
		put(e, now, SNAPSHOT_PAGE_SIZE);
		return;
	}
	put_page(e, page, SNAPSHOT_RUNS, count);
	for (struct run run = {0}; next_run(mask, &run);) {
		size_t bytes = (run.to - run.from) * SNAPSHOT_GRAIN;
		put_u16_pair(e, (unsigned)(run.from * SNAPSHOT_GRAIN), (unsigned)bytes);
		put(e, now + run.from * SNAPSHOT_GRAIN, bytes);
	}
}

size_t snapshot_encode_block(const uint8_t *now, uint64_t touched, const uint8_t *then, uint8_t *out)
{
	struct encoder e = {.out = out};
	for (unsigned page = 0; page < SNAPSHOT_BLOCK_PAGES; page++) {
		const uint8_t *a = now + (size_t)page * SNAPSHOT_PAGE_SIZE;
		const uint8_t *b = then ? then + (size_t)page * SNAPSHOT_PAGE_SIZE : zero_page;
		bool untouched = !(touched >> page & 1);
		if ((untouched && !then) || pages_equal(untouched ? zero_page : a, b))
			continue;
		if (untouched || (then && pages_equal(a, zero_page)))
			put_page(&e, page, SNAPSHOT_ZERO, 0);
		else
			encode_runs(&e, page, a, b);
	}
	return e.size;
}

static int malformed(size_t at, struct error *err)
{
	return error_set(err, CELLA_EFORMAT, "a block of the snapshot is malformed at byte %zu", at);
}

static bool decode_runs(struct reader *r, uint16_t count, uint8_t *page)
{
	size_t end = 0;
	for (uint16_t i = 0; i < count; i++) {
		size_t offset = reader_u16(r), size = reader_u16(r);
		if (size == 0 || (i && offset <= end) || offset + size > SNAPSHOT_PAGE_SIZE)
			return false;
		reader_copy(r, page + offset, size);
		end = offset + size;
	}
	return count != 0 && !r->failed;
}

static bool decode_page(struct reader *r, bool differs, unsigned kind, uint16_t count, uint8_t *page)
{
	switch (kind) {
	case SNAPSHOT_ZERO: memset(page, 0, SNAPSHOT_PAGE_SIZE); return differs && count == 0;
	case SNAPSHOT_WHOLE: reader_copy(r, page, SNAPSHOT_PAGE_SIZE); return count == 0 && !r->failed;
	case SNAPSHOT_RUNS: return decode_runs(r, count, page);
	default: return false;
	}
}

int snapshot_decode_block(const uint8_t *in, size_t size, bool differs, uint8_t *to, struct error *err)
{
	struct reader r = reader_of(in, size);
	unsigned next = 0;
	do {
		size_t at = r.at;
		unsigned page = reader_u8(&r), kind = reader_u8(&r);
		uint16_t count = reader_u16(&r);
		if (r.failed || page < next || page >= SNAPSHOT_BLOCK_PAGES ||
		    !decode_page(&r, differs, kind, count, to + (size_t)page * SNAPSHOT_PAGE_SIZE))
			return malformed(at, err);
		next = page + 1;
	} while (reader_left(&r));
	return 0;
}
