/*
 * A digest of all records that changes with each of them in constant time: a keyed hash of multisets
 * (MSet-Add-Hash: Clarke, Devadas, van Dijk, Gassend, Suh 2003). The sum of
 * HKDF-Expand(master key, "cella cas row" || u16 kind || u64 revision || mark || id) over all records modulo
 * 2^256 stays in protected memory; what is stored is
 * HKDF-Expand(master key, "cella cas state" || u64 epoch || u64 number || u64 records || sum).
 *
 * So who sees all that is stored learns neither a record's term nor a sum: he has nothing to search another
 * set of old records with an equal sum with (Wagner 2002), and has to guess.
 */
#ifndef CAS_STATE_H
#define CAS_STATE_H

#include "cas/records/index.h"

struct cas_state;
int cas_state_new(struct vault *v, uint32_t generation, struct cas_state **ret_state,
                  struct error *err) must_check;
void cas_state_free(struct cas_state *s);
uint32_t cas_state_generation(const struct cas_state *s);

int cas_state_add(struct cas_state *s, const struct cas_index_entry *e, struct error *err) must_check;
int cas_state_subtract(struct cas_state *s, const struct cas_index_entry *e, struct error *err) must_check;
int cas_state_digest(struct cas_state *s, uint64_t epoch, uint64_t number,
                     uint8_t ret_digest[CRYPTO_KEY_SIZE], struct error *err) must_check;
/* The sum as it is, to come back to it. */
enum cas_state_slot { CAS_STATE_BATCH, CAS_STATE_STEP, CAS_STATE_SLOTS };
void cas_state_save(struct cas_state *s, enum cas_state_slot slot);
void cas_state_return(struct cas_state *s, enum cas_state_slot slot);

#endif
