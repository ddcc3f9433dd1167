/* What a caller remembers between verifications, by the hash of the bytes that it was made of. */
#include <stdlib.h>
#include <string.h>

#include "attest/tee.h"
#include "base/cleanup.h"
#include "crypto/crypto.h"

enum { CHAINS_MAX = 4096 };

struct remembered {
	uint8_t key[TEE_KEY_SIZE];
	void *value; /* NULL: free */
	void (*free_value)(void *value);
	uint64_t used; /* when it was last asked for, by the count of such times */
};

struct tee_chains {
	size_t capacity;
	uint64_t uses;
	struct remembered rows[];
};

int tee_chains_new(size_t capacity, struct tee_chains **ret_chains, struct error *err)
{
	if (capacity == 0 || capacity > CHAINS_MAX)
		return error_set(err, CELLA_EINVAL, "from 1 to %d chains can be remembered, not %zu",
		                 CHAINS_MAX, capacity);
	struct tee_chains *chains = calloc(1, sizeof(*chains) + capacity * sizeof(chains->rows[0]));
	if (!chains)
		return error_set(err, CELLA_ENOMEM, "no memory for %zu chains", capacity);
	chains->capacity = capacity;
	*ret_chains = chains;
	return 0;
}

static void forget(struct remembered *row)
{
	if (row->value)
		row->free_value(row->value);
	row->value = NULL;
}

void tee_chains_free(struct tee_chains *chains)
{
	if (!chains)
		return;
	for (size_t i = 0; i < chains->capacity; i++)
		forget(&chains->rows[i]);
	free(chains);
}

int tee_chains_key(const char *label, const struct tee_blob *blobs, size_t count,
                   uint8_t ret_key[TEE_KEY_SIZE], struct error *err)
{
	struct crypto_part parts[1 + TEE_BLOBS_MAX + TEE_BLOBS_MAX];
	if (count >= array_count(parts))
		return error_set(err, CELLA_ELIMIT, "%zu files are too many", count);
	parts[0] = (struct crypto_part){label, strlen(label)};
	for (size_t i = 0; i < count; i++)
		parts[1 + i] = (struct crypto_part){blobs[i].data, blobs[i].size};
	return crypto_sha384_parts(parts, 1 + count, ret_key, err);
}

void *tee_chains_get(struct tee_chains *chains, const uint8_t key[TEE_KEY_SIZE])
{
	for (size_t i = 0; chains && i < chains->capacity; i++) {
		struct remembered *row = &chains->rows[i];
		if (row->value && crypto_equal(row->key, key, TEE_KEY_SIZE)) {
			row->used = ++chains->uses;
			return row->value;
		}
	}
	return NULL;
}

int tee_chains_put(struct tee_chains *chains, const uint8_t key[TEE_KEY_SIZE], void *value,
                   void (*free_value)(void *value), struct error *err)
{
	struct remembered *row = &chains->rows[0];
	if (tee_chains_get(chains, key))
		return error_set(err, CELLA_EEXIST, "this chain is remembered already");
	for (size_t i = 0; i < chains->capacity && row->value; i++)
		if (!chains->rows[i].value || chains->rows[i].used < row->used)
			row = &chains->rows[i];
	forget(row);
	memcpy(row->key, key, TEE_KEY_SIZE);
	row->value = value;
	row->free_value = free_value;
	row->used = ++chains->uses;
	return 0;
}
