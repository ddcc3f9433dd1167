/*
 * A vault's file and sealed records from an attacker. A header that decodes is the one encoding of what it
 * says; a record never opens under keys that it was not sealed by.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cas/records/vault_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* Two files that are gone as soon as it is there. */
static struct vault *make_vault(void)
{
	char place[] = "/tmp/fuzz-vault.XXXXXX", key[64], file[64];
	struct vault *v = NULL;
	demand(crypto_init(NULL, NULL) == 0 && mkdtemp(place) != NULL);
	snprintf(key, sizeof(key), "%s/key", place);
	snprintf(file, sizeof(file), "%s/vault", place);
	const struct vault_sealing sealing = {.kind = VAULT_KEY_FILE,
	                                      .key_file = key,
	                                      .insecure_key_inside = true};
	demand(vault_key_file_create(key, NULL) == 0 && vault_create(file, &sealing, NULL, &v, NULL) == 0);
	unlink(key);
	unlink(file);
	rmdir(place);
	return v;
}

static void check_header(const uint8_t *data, size_t size)
{
	struct vault_header header;
	uint8_t again[VAULT_AT_CIPHERTEXT];
	if (vault_header_decode(data, size, &header, NULL) < 0)
		return;
	demand(header.master_count >= 1 && header.master_count <= VAULT_MASTERS_MAX);
	demand(crypto_scrypt_size(&header.cost) <= 1u << 30);
	vault_header_encode(&header, again);
	demand(memcmp(again, data, sizeof(again)) == 0);
}

static void check_record(struct vault *v, const uint8_t *data, size_t size)
{
	struct vault_record record;
	struct vault_bytes plain;
	if (vault_record_decode(data, size, &record, NULL) < 0)
		return;
	const struct vault_id id = {record.kind, record.revision, "id", 2};
	demand(vault_unseal(v, &id, data, size, &plain, NULL) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vault *vault;
	if (!vault)
		vault = make_vault();
	check_header(data, size);
	check_record(vault, data, size);
	return 0;
}
