#include "cas/records/index.h"

#include <stdlib.h>
#include <string.h>

void cas_index_done(struct cas_index *ix)
{
	for (size_t i = 0; i < ix->count; i++)
		free(ix->entries[i]);
	free(ix->entries);
	*ix = (struct cas_index){0};
}

int cas_index_entry_new(uint16_t kind, const void *id, size_t id_size, const struct vault_record *record,
                        struct cas_index_entry **ret_entry, struct error *err)
{
	struct cas_index_entry *e = malloc(sizeof(*e) + id_size);
	if (!e)
		return error_set(err, CELLA_ENOMEM, "no memory to keep account of a record");
	e->kind = kind;
	e->revision = record->revision;
	memcpy(e->mark, record->mark, sizeof(e->mark));
	e->id_size = id_size;
	memcpy(e->id, id, id_size);
	*ret_entry = e;
	return 0;
}

/* As the storage sorts: by kind, then bytewise, the shorter one of two with the same beginning first. */
static int compare(const struct cas_index_entry *e, uint16_t kind, const void *id, size_t id_size)
{
	if (e->kind != kind)
		return e->kind < kind ? -1 : 1;
	const size_t common = min_of(e->id_size, id_size);
	int order = common ? memcmp(e->id, id, common) : 0;
	if (order != 0 || e->id_size == id_size)
		return order;
	return e->id_size < id_size ? -1 : 1;
}

size_t cas_index_place(const struct cas_index *ix, uint16_t kind, const void *id, size_t id_size)
{
	size_t low = 0, high = ix->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (compare(ix->entries[middle], kind, id, id_size) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct cas_index_entry *cas_index_find(const struct cas_index *ix, uint16_t kind, const void *id,
                                       size_t id_size)
{
	size_t at = cas_index_place(ix, kind, id, id_size);
	return at < ix->count && compare(ix->entries[at], kind, id, id_size) == 0 ? ix->entries[at] : NULL;
}

int cas_index_reserve(struct cas_index *ix, size_t count, struct error *err)
{
	if (ix->count + count <= ix->capacity)
		return 0;
	size_t capacity = max_of(2 * ix->capacity, ix->count + count);
	struct cas_index_entry **entries = reallocarray(ix->entries, capacity, sizeof(*entries));
	if (!entries)
		return error_set(err, CELLA_ENOMEM, "no memory to keep account of %zu records", capacity);
	ix->entries = entries;
	ix->capacity = capacity;
	return 0;
}

struct cas_index_entry *cas_index_put(struct cas_index *ix, struct cas_index_entry *entry)
{
	size_t at = cas_index_place(ix, entry->kind, entry->id, entry->id_size);
	if (at < ix->count && compare(ix->entries[at], entry->kind, entry->id, entry->id_size) == 0) {
		struct cas_index_entry *before = ix->entries[at];
		ix->entries[at] = entry;
		return before;
	}
	memmove(ix->entries + at + 1, ix->entries + at, (ix->count - at) * sizeof(*ix->entries));
	ix->entries[at] = entry;
	ix->count++;
	return NULL;
}

struct cas_index_entry *cas_index_take(struct cas_index *ix, uint16_t kind, const void *id, size_t id_size)
{
	size_t at = cas_index_place(ix, kind, id, id_size);
	if (at == ix->count || compare(ix->entries[at], kind, id, id_size) != 0)
		return NULL;
	struct cas_index_entry *entry = ix->entries[at];
	ix->count--;
	memmove(ix->entries + at, ix->entries + at + 1, (ix->count - at) * sizeof(*ix->entries));
	return entry;
}
