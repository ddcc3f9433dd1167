/*
 * The vault. Does it open by what it was sealed by, and by nothing else; does a record open only as what it
 * is; are key files that are open to others, or lie beside it, refused; do its formats have the bytes that
 * records/vault_format.h says?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "cas/records/vault_format.h"
#include "cas_support.h"

static struct cas_test t;
static struct vault *vault;
static char vault_path[CAS_PATH_MAX];

static const struct vault_id some_id = {.kind = 2, .revision = 7, .id = "name", .id_size = 4};
static const struct crypto_part parts[] = {{"head", 4}, {"", 0}, {" and secret", 11}};
static const char whole[] = "head and secret";

static void seal(struct buf *ret)
{
	assert_int_equal(vault_seal(vault, &some_id, parts, array_count(parts), ret, NULL), 0);
	assert_int_equal(ret->size, sizeof(whole) - 1 + VAULT_RECORD_OVERHEAD);
}

static void test_round_trip(void **state)
{
	(void)state;
	struct buf one = {0}, two = {0};
	struct vault_bytes plain;
	seal(&one);
	seal(&two);
	assert_int_equal(vault_unseal(vault, &some_id, one.data, one.size, &plain, NULL), 0);
	assert_int_equal(plain.size, sizeof(whole) - 1);
	assert_memory_equal(plain.data, whole, plain.size);
	vault_bytes_done(&plain);
	/* The same twice shares neither ciphertext nor tag. */
	assert_memory_equal(one.data, two.data, VAULT_RECORD_AT_SALT);
	assert_memory_not_equal(one.data + VAULT_RECORD_HEADER_SIZE, two.data + VAULT_RECORD_HEADER_SIZE, 15);
	buf_done(&one);
	buf_done(&two);
}

static void test_layout(void **state)
{
	(void)state;
	static const uint8_t start[] = {1, 0, 2, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0};
	struct buf sealed = {0};
	struct vault_record record;
	seal(&sealed);
	assert_memory_equal(sealed.data, start, sizeof(start));
	assert_int_equal(vault_record_decode(sealed.data, sealed.size, &record, NULL), 0);
	assert_int_equal(record.kind, 2);
	assert_int_equal(record.generation, 1);
	assert_int_equal(record.revision, 7);
	assert_memory_equal(record.mark, sealed.data + VAULT_RECORD_AT_SALT, CRYPTO_SALT_SIZE);
	assert_memory_equal(record.mark + CRYPTO_SALT_SIZE, sealed.data + sealed.size - CRYPTO_TAG_SIZE,
	                    CRYPTO_TAG_SIZE);
	buf_done(&sealed);
}

static void test_every_bit(void **state)
{
	(void)state;
	struct buf sealed = {0};
	struct vault_bytes plain;
	seal(&sealed);
	for (size_t bit = 0; bit < 8 * sealed.size; bit++) {
		sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		int rc = vault_unseal(vault, &some_id, sealed.data, sealed.size, &plain, NULL);
		assert_true(rc == CELLA_EAUTH || rc == CELLA_EFORMAT);
		sealed.data[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	for (size_t size = 0; size < sealed.size; size++) {
		uint8_t *exact = malloc(size + !size);
		memcpy(exact, sealed.data, size);
		int rc = vault_unseal(vault, &some_id, exact, size, &plain, NULL);
		assert_true(rc == CELLA_EAUTH || rc == CELLA_EFORMAT);
		free(exact);
	}
	assert_int_equal(vault_unseal(vault, &some_id, sealed.data, sealed.size, &plain, NULL), 0);
	vault_bytes_done(&plain);
	buf_done(&sealed);
}

static void test_moved(void **state)
{
	(void)state;
	const struct vault_id wrong[] = {
		{.kind = 3, .revision = 7, .id = "name", .id_size = 4},
		{.kind = 2, .revision = 8, .id = "name", .id_size = 4},
		{.kind = 2, .revision = 7, .id = "nama", .id_size = 4},
		{.kind = 2, .revision = 7, .id = "nam", .id_size = 3},
		{.kind = 2, .revision = 7, .id = "name", .id_size = 5},
	};
	struct buf sealed = {0};
	struct vault_bytes plain;
	seal(&sealed);
	for (size_t i = 0; i < array_count(wrong); i++)
		assert_int_equal(vault_unseal(vault, &wrong[i], sealed.data, sealed.size, &plain, NULL),
		                 CELLA_EAUTH);
	/* Another CAS's, with the same name and the same key file. */
	struct vault *other;
	char path[CAS_PATH_MAX];
	assert_int_equal(vault_create(cas_path(&t, "cas/other", path), &t.config.sealing, NULL, &other, NULL),
	                 0);
	assert_int_equal(vault_unseal(other, &some_id, sealed.data, sealed.size, &plain, NULL), CELLA_EAUTH);
	vault_free(other);
	unlink(path);
	buf_done(&sealed);
}

static void test_generations(void **state)
{
	(void)state;
	struct buf old = {0}, new = {0};
	struct vault_bytes plain;
	struct error err;
	struct vault *again;
	seal(&old);
	assert_int_equal(vault_renew(vault, NULL), 0);
	assert_int_equal(vault_renew(vault, &err), CELLA_EBUG);
	assert_int_equal(vault_generation(vault), 2);
	assert_int_equal(vault_generation_before(vault), 1);
	seal(&new);
	const struct buf *both[] = {&old, &new};
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(vault_unseal(vault, &some_id, both[i]->data, both[i]->size, &plain, NULL),
		                 0);
		vault_bytes_done(&plain);
	}
	assert_int_equal(vault_open(vault_path, &t.config.sealing, NULL, &again, NULL), 0);
	assert_int_equal(vault_unseal(again, &some_id, old.data, old.size, &plain, NULL), 0);
	vault_bytes_done(&plain);
	vault_free(again);
	assert_int_equal(vault_retire(vault, NULL), 0);
	assert_int_equal(vault_unseal(vault, &some_id, old.data, old.size, &plain, &err), CELLA_EAUTH);
	assert_non_null(strstr(err.text, "master key 1, the vault"));
	assert_int_equal(vault_unseal(vault, &some_id, new.data, new.size, &plain, NULL), 0);
	vault_bytes_done(&plain);
	buf_done(&old);
	buf_done(&new);
}

static void test_reseal(void **state)
{
	(void)state;
	struct vault_sealing by_passphrase = {.kind = VAULT_PASSPHRASE,
	                                      .passphrase = "a passphrase",
	                                      .passphrase_size = 12,
	                                      .scrypt_log_n = VAULT_SCRYPT_LOG_N_MIN};
	struct vault *v;
	struct error err;
	struct vault_header header;
	size_t size;
	const uint8_t *key = vault_public_key(vault);
	assert_int_equal(vault_reseal(vault, &by_passphrase, NULL), 0);
	assert_int_equal(vault_open(vault_path, &t.config.sealing, NULL, &v, &err), CELLA_EINVAL);
	assert_int_equal(vault_open(vault_path, &by_passphrase, NULL, &v, &err), 0);
	assert_memory_equal(vault_public_key(v), key, CRYPTO_ED25519_SIZE);
	vault_free(v);
	uint8_t *bytes = cas_read(vault_path, &size);
	assert_int_equal(vault_header_decode(bytes, size, &header, NULL), 0);
	assert_int_equal(header.cost.log_n, VAULT_SCRYPT_LOG_N_MIN);
	assert_int_equal(header.cost.r, 8);
	assert_int_equal(header.cost.p, 1);
	free(bytes);
	by_passphrase.passphrase = "another one!";
	assert_int_equal(vault_open(vault_path, &by_passphrase, NULL, &v, &err), CELLA_EAUTH);
	by_passphrase.scrypt_log_n = VAULT_SCRYPT_LOG_N_MIN - 1;
	assert_int_equal(vault_reseal(vault, &by_passphrase, &err), CELLA_EINVAL);
	by_passphrase.scrypt_log_n = CRYPTO_SCRYPT_LOG_N_MAX + 1;
	assert_int_equal(vault_reseal(vault, &by_passphrase, &err), CELLA_EINVAL);
	assert_int_equal(vault_reseal(vault, &t.config.sealing, NULL), 0);
	assert_int_equal(vault_open(vault_path, &t.config.sealing, NULL, &v, NULL), 0);
	vault_free(v);
}

/* A cost that would take the machine's memory, or next to none, is refused before it is tried. */
static void test_stored_cost(void **state)
{
	(void)state;
	static const struct crypto_scrypt wrong[] = {
		{VAULT_SCRYPT_LOG_N_MIN - 1, 8, 1},
		{CRYPTO_SCRYPT_LOG_N_MAX + 1, 8, 1},
		{40, 8, 1},
		{15, 1, 1},
		{15, 9, 1},
		{15, 8, 0},
		{15, 8, CRYPTO_SCRYPT_P_MAX + 1},
	};
	uint8_t bytes[VAULT_FILE_MAX] = {0};
	const size_t size = VAULT_FILE_MAX - VAULT_MASTER_SIZE;
	struct vault_header header = {.sealing = VAULT_PASSPHRASE, .cost = {15, 8, 1}, .master_count = 1};
	struct vault_header found;
	vault_header_encode(&header, bytes);
	assert_int_equal(vault_header_decode(bytes, size, &found, NULL), 0);
	for (size_t i = 0; i < array_count(wrong); i++) {
		header.cost = wrong[i];
		vault_header_encode(&header, bytes);
		assert_int_equal(vault_header_decode(bytes, size, &found, NULL), CELLA_ELIMIT);
	}
}

static void test_key_files(void **state)
{
	(void)state;
	struct vault *v;
	struct error err;
	char path[CAS_PATH_MAX];
	size_t size;
	struct vault_sealing sealing = t.config.sealing;
	uint8_t *bytes = cas_read(t.key_file, &size);
	assert_int_equal(size, VAULT_KEY_FILE_SIZE);
	assert_int_equal(vault_key_file_create(t.key_file, &err), CELLA_EEXIST);
	assert_int_equal(chmod(t.key_file, 0640), 0);
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "chmod 600"));
	assert_int_equal(chmod(t.key_file, 0600), 0);
	sealing.key_file = cas_path(&t, "cas/lock", path); /* any name in the vault's directory */
	cas_write(path, bytes, size);
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_EPERM);
	assert_non_null(strstr(err.text, "beside the vault"));
	sealing.insecure_key_inside = true;
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, NULL), 0);
	vault_free(v);
	sealing.key_file = cas_path(&t, "key2", path);
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_ENOENT);
	for (size_t at = 0; at < size; at++) {
		bytes[at] ^= 0x20;
		cas_write(path, bytes, size);
		int rc = vault_open(vault_path, &sealing, NULL, &v, &err);
		assert_int_equal(rc, CELLA_EFORMAT);
		bytes[at] ^= 0x20;
	}
	bytes[20] = bytes[20] == '0' ? '1' : '0';
	cas_write(path, bytes, size);
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_EAUTH);
	cas_write(path, bytes, size - 1);
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_EFORMAT);
	sealing.key_file = "/dev/zero";
	assert_int_equal(vault_open(vault_path, &sealing, NULL, &v, &err), CELLA_EFORMAT);
	free(bytes);
}

static int start(void **state)
{
	if (cas_start(state) < 0)
		return -1;
	cas_test_begin(&t);
	cas_test_close(&t);
	cas_path(&t, "cas/vault", vault_path);
	return vault_open(vault_path, &t.config.sealing, t.config.pool, &vault, NULL);
}

static int finish(void **state)
{
	(void)state;
	vault_free(vault);
	cas_test_end(&t);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_layout),
		cmocka_unit_test(test_every_bit),  cmocka_unit_test(test_moved),
		cmocka_unit_test(test_reseal),     cmocka_unit_test(test_stored_cost),
		cmocka_unit_test(test_key_files),  cmocka_unit_test(test_generations),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
