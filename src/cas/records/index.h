/*
 * Which records there are, in memory, sorted by kind and id: of each its revision and its mark. So whoever
 * changes the storage under a running CAS neither hides a record, nor puts an older one back, nor adds one.
 *
 * Nothing in it is secret; it lies in ordinary memory, about 100 bytes and its id for each record.
 */
#ifndef CAS_INDEX_H
#define CAS_INDEX_H

#include "cas/records/vault.h"

struct cas_index_entry {
	uint16_t kind;
	uint64_t revision;
	uint8_t mark[VAULT_MARK_SIZE];
	size_t id_size;
	uint8_t id[];
};

/* A zeroed index is empty and valid. */
struct cas_index {
	struct cas_index_entry **entries; /* sorted */
	size_t count, capacity;
};
void cas_index_done(struct cas_index *ix);

int cas_index_entry_new(uint16_t kind, const void *id, size_t id_size, const struct vault_record *record,
                        struct cas_index_entry **ret_entry, struct error *err) must_check;
/* Where it stands, or would. */
size_t cas_index_place(const struct cas_index *ix, uint16_t kind, const void *id, size_t id_size);
struct cas_index_entry *cas_index_find(const struct cas_index *ix, uint16_t kind, const void *id,
                                       size_t id_size);
/* Room for `count` more, so that cas_index_put cannot fail. */
int cas_index_reserve(struct cas_index *ix, size_t count, struct error *err) must_check;
/* Takes the entry; gives back the one whose place it takes, or NULL. */
struct cas_index_entry *cas_index_put(struct cas_index *ix, struct cas_index_entry *entry);
/* Out of the index; the caller frees it. NULL if there is none. */
struct cas_index_entry *cas_index_take(struct cas_index *ix, uint16_t kind, const void *id, size_t id_size);

#endif
