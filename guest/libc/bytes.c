/*
 * Looking through bytes, by 16 or 8 at once: musl's own functions go by one or four. Where a string ends is
 * not known beforehand, so it is read by whole aligned vectors, which never lie in two pages of memory.
 */
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef uint8_t bytes __attribute__((vector_size(16), may_alias));
typedef uint64_t word __attribute__((aligned(1), may_alias));

/* A bit for each byte that is 0 or one of these. */
INLINE uint32_t found(bytes v, uint8_t one, uint8_t other)
{
	return (uint32_t)__builtin_wasm_bitmask_i8x16((v == 0) | (v == one) | (v == other));
}

/* The bytes of a string before its end or one of these. */
INLINE size_t length_before(const char *s, uint8_t one, uint8_t other)
{
	const bytes *at = (const bytes *)((uintptr_t)s & ~(uintptr_t)15);
	uint32_t mask = found(*at, one, other) & (uint32_t)-1 << ((uintptr_t)s & 15);
	while (!mask)
		mask = found(*++at, one, other);
	return (size_t)((const char *)at - s) + (size_t)__builtin_ctz(mask);
}

size_t strlen(const char *s)
{
	return length_before(s, 0, 0);
}

char *__strchrnul(const char *s, int c)
{
	return (char *)s + length_before(s, (uint8_t)c, (uint8_t)c);
}
weak_alias(__strchrnul, strchrnul);

/* A stop set of three and more is a bit for each byte, of which 0 is one. */
static size_t length_before_any(const char *s, const char *stops)
{
	uint64_t set[4] = {1, 0, 0, 0};
	const uint8_t *at = (const uint8_t *)s;
	for (; *stops; stops++)
		set[(uint8_t)*stops >> 6] |= 1ull << (*stops & 63);
	while (!(set[*at >> 6] >> (*at & 63) & 1))
		at++;
	return (size_t)(at - (const uint8_t *)s);
}

size_t strcspn(const char *s, const char *stops)
{
	if (!stops[0] || !stops[1] || !stops[2])
		return length_before(s, (uint8_t)stops[0], (uint8_t)(stops[0] ? stops[1] : 0));
	return length_before_any(s, stops);
}

/* Of words that differ, the first bytes that do. */
INLINE int difference(uint64_t a, uint64_t b)
{
	uint32_t shift = (uint32_t)__builtin_ctzll(a ^ b) & ~7u;
	return (int)(a >> shift & 255) - (int)(b >> shift & 255);
}

INLINE int compare_words(const uint8_t *left, const uint8_t *right)
{
	uint64_t a = *(const word *)left, b = *(const word *)right;
	return a == b ? 0 : difference(a, b);
}

/* The last word may begin in the one before it. */
int memcmp(const void *left, const void *right, size_t size)
{
	const uint8_t *l = left, *r = right;
	if (size >= sizeof(word)) {
		const uint8_t *last = l + size - sizeof(word);
		for (; l < last; l += sizeof(word), r += sizeof(word)) {
			int order = compare_words(l, r);
			if (order)
				return order;
		}
		return compare_words(last, r - (l - last));
	}
	for (; size; size--, l++, r++)
		if (*l != *r)
			return *l - *r;
	return 0;
}
