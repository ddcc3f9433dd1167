#include "cas/records/state.h"

#include <string.h>

#include "cas/records/vault_format.h"

enum { WORDS = CRYPTO_KEY_SIZE / 4, LABEL_SIZE = sizeof(VAULT_LABEL_STATE) - 1 };

struct sum {
	uint64_t records;
	uint32_t words[WORDS]; /* the lowest first */
};

/* In protected memory. */
struct cas_state {
	struct vault_bytes self;
	struct vault *vault;
	uint32_t generation;
	struct sum sum, saved[CAS_STATE_SLOTS];
};

int cas_state_new(struct vault *v, uint32_t generation, struct cas_state **ret_state, struct error *err)
{
	struct vault_bytes self;
	int rc = vault_bytes_new(vault_pool(v), sizeof(struct cas_state), &self, err);
	if (rc < 0)
		return rc;
	struct cas_state *s = (void *)self.data;
	*s = (struct cas_state){.self = self, .vault = v, .generation = generation};
	*ret_state = s;
	return 0;
}

void cas_state_free(struct cas_state *s)
{
	if (!s)
		return;
	struct vault_bytes self = s->self;
	vault_bytes_done(&self);
}

uint32_t cas_state_generation(const struct cas_state *s)
{
	return s->generation;
}

static int term(struct cas_state *s, const struct cas_index_entry *e, uint8_t ret_term[CRYPTO_KEY_SIZE],
                struct error *err)
{
	cleanup_buf struct buf info = {0};
	buf_put(&info, VAULT_LABEL_ROW, strlen(VAULT_LABEL_ROW));
	buf_put_u16(&info, e->kind);
	buf_put_u64(&info, e->revision);
	buf_put(&info, e->mark, sizeof(e->mark));
	buf_put(&info, e->id, e->id_size);
	if (info.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to keep account of a record");
	return vault_derive(s->vault, s->generation, info.data, info.size, ret_term, err);
}

int cas_state_add(struct cas_state *s, const struct cas_index_entry *e, struct error *err)
{
	cleanup_wipe uint8_t bytes[CRYPTO_KEY_SIZE];
	int rc = term(s, e, bytes, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint64_t carry = 0;
	for (size_t i = 0; i < WORDS; i++, carry >>= 32) {
		carry += (uint64_t)s->sum.words[i] + reader_u32(&r);
		s->sum.words[i] = (uint32_t)carry;
	}
	s->sum.records++;
	return 0;
}

int cas_state_subtract(struct cas_state *s, const struct cas_index_entry *e, struct error *err)
{
	cleanup_wipe uint8_t bytes[CRYPTO_KEY_SIZE];
	int rc = term(s, e, bytes, err);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(bytes, sizeof(bytes));
	uint64_t borrow = 0;
	for (size_t i = 0; i < WORDS; i++) {
		uint64_t less = (uint64_t)reader_u32(&r) + borrow;
		borrow = s->sum.words[i] < less;
		s->sum.words[i] = (uint32_t)(s->sum.words[i] - less);
	}
	s->sum.records--;
	return 0;
}

int cas_state_digest(struct cas_state *s, uint64_t epoch, uint64_t number,
                     uint8_t ret_digest[CRYPTO_KEY_SIZE], struct error *err)
{
	const uint64_t numbers[] = {epoch, number, s->sum.records};
	cleanup_vault_bytes struct vault_bytes info = {0};
	int rc = vault_bytes_new(s->self.pool, LABEL_SIZE + sizeof(numbers) + sizeof(s->sum.words), &info,
	                         err);
	if (rc < 0)
		return rc;
	uint8_t *at = info.data;
	memcpy(at, VAULT_LABEL_STATE, LABEL_SIZE);
	at += LABEL_SIZE;
	for (size_t i = 0; i < array_count(numbers); i++)
		for (unsigned k = 0; k < 8; k++)
			*at++ = (uint8_t)(numbers[i] >> (8 * k));
	for (size_t i = 0; i < WORDS; i++)
		for (unsigned k = 0; k < 4; k++)
			*at++ = (uint8_t)(s->sum.words[i] >> (8 * k));
	return vault_derive(s->vault, s->generation, info.data, info.size, ret_digest, err);
}

void cas_state_save(struct cas_state *s, enum cas_state_slot slot)
{
	s->saved[slot] = s->sum;
}

void cas_state_return(struct cas_state *s, enum cas_state_slot slot)
{
	s->sum = s->saved[slot];
}
