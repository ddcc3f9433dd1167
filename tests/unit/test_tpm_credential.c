/*
 * Credentials for TPMs. Does the TPM that has both keys, and no other, learn the secret? It is made with
 * OpenSSL's KDFs, so that no mistake is made twice; integration/evidence_tpm asks a real software TPM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attest/tpm/answer_format.h"
#include "tpm_support.h"

static const uint32_t AK_ATTRIBUTES = TPM_FIXED_TPM | TPM_FIXED_PARENT | TPM_SENSITIVE_DATA_ORIGIN |
                                      TPM_RESTRICTED | TPM_SIGN;
static const uint8_t SECRET[TPM_CREDENTIAL_SECRET_SIZE] = "a secret that the verifier keeps";

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || soft_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	soft_stop();
	return 0;
}

static struct tpm_name name_of(enum soft_kind kind, uint32_t attributes)
{
	cleanup_buf struct buf public = {0};
	struct tpm_public ak;
	soft_ak_public(kind, attributes, &public);
	assert_int_equal(tpm_public_read(public.data, public.size, &ak, NULL), 0);
	return ak.name;
}

static void make(enum soft_ek ek, const struct tpm_name *name, size_t size, struct tpm_credential *ret)
{
	cleanup_buf struct buf public = {0};
	struct error err = {0};
	soft_ek_public(ek, &public);
	if (tpm_make_credential(public.data, public.size, name, SECRET, size, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_activated(void **state)
{
	(void)state;
	static const size_t sizes[] = {1, 16, 32};
	for (enum soft_ek ek = 0; ek < SOFT_EKS; ek++)
		for (enum soft_kind kind = 0; kind < SOFT_KINDS; kind++)
			for (size_t i = 0; i < array_count(sizes); i++) {
				const struct tpm_name name = name_of(kind, AK_ATTRIBUTES);
				struct tpm_credential credential = {0};
				uint8_t secret[CRYPTO_HASH_MAX];
				size_t size = 0;
				make(ek, &name, sizes[i], &credential);
				assert_true(soft_activate(ek, &name, &credential, secret, &size));
				assert_int_equal(size, sizes[i]);
				assert_memory_equal(secret, SECRET, size);
				tpm_credential_done(&credential);
			}
}

/* Two credentials for the same secret have nothing in common. */
static void test_fresh(void **state)
{
	(void)state;
	const struct tpm_name name = name_of(SOFT_P256, AK_ATTRIBUTES);
	for (enum soft_ek ek = 0; ek < SOFT_EKS; ek++) {
		struct tpm_credential a = {0}, b = {0};
		make(ek, &name, 32, &a);
		make(ek, &name, 32, &b);
		assert_memory_not_equal(a.blob.data, b.blob.data, a.blob.size);
		assert_memory_not_equal(a.secret.data, b.secret.data, a.secret.size);
		tpm_credential_done(&a);
		tpm_credential_done(&b);
	}
}

/* Another AK, the same key with other attributes, another EK, and each byte changed. */
static void test_refused(void **state)
{
	(void)state;
	const struct tpm_name name = name_of(SOFT_P256, AK_ATTRIBUTES);
	const struct tpm_name other = name_of(SOFT_RSASSA, AK_ATTRIBUTES);
	const struct tpm_name exportable = name_of(SOFT_P256, AK_ATTRIBUTES & ~(uint32_t)TPM_FIXED_TPM);
	uint8_t secret[CRYPTO_HASH_MAX];
	size_t size;
	for (enum soft_ek ek = 0; ek < SOFT_EKS; ek++) {
		struct tpm_credential c = {0};
		make(ek, &name, 32, &c);
		assert_false(soft_activate(ek, &other, &c, secret, &size));
		assert_false(soft_activate(ek, &exportable, &c, secret, &size));
		assert_false(soft_activate(ek == SOFT_EK_P256 ? SOFT_EK_RSA : SOFT_EK_P256, &name, &c, secret,
		                           &size));
		for (size_t i = 0; i < c.blob.size; i++) {
			c.blob.data[i] ^= 1;
			assert_false(soft_activate(ek, &name, &c, secret, &size));
			c.blob.data[i] ^= 1;
		}
		for (size_t i = 0; i < c.secret.size; i++) {
			c.secret.data[i] ^= 1;
			assert_false(soft_activate(ek, &name, &c, secret, &size));
			c.secret.data[i] ^= 1;
		}
		assert_true(soft_activate(ek, &name, &c, secret, &size));
		tpm_credential_done(&c);
	}
}

static void assert_no_ek(const struct buf *public, size_t size, int code, const char *why)
{
	const struct tpm_name name = name_of(SOFT_P256, AK_ATTRIBUTES);
	struct tpm_credential c = {0};
	struct error err = {0};
	assert_int_equal(tpm_make_credential(public->data, public->size, &name, SECRET, size, &c, &err),
	                 code);
	if (!strstr(err.text, why))
		fail_msg("\"%s\" does not say \"%s\"", err.text, why);
	assert_null(c.blob.data);
}

static void test_no_ek(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *why;
	} rows[] = {
		{1, 0x08, "neither RSA nor ECC"},
		{3, 0x42, "not known here"},  /* the hash that names it */
		{3, 0x04, "too weak"},        /* SHA-1 */
		{5, 0x00, "no endorsement key"}, /* not restricted */
		{43, 0x26, "with 0x26"},      /* not AES */
		{45, 0xC0, "192 bits"},
		{47, 0x44, "not with AES in CFB"},
	};
	cleanup_buf struct buf public = {0};
	soft_ek_public(SOFT_EK_RSA, &public);
	for (size_t i = 0; i < array_count(rows); i++) {
		const uint8_t kept = public.data[rows[i].at];
		public.data[rows[i].at] = rows[i].value;
		assert_no_ek(&public, 32, CELLA_EFORMAT, rows[i].why);
		public.data[rows[i].at] = kept;
	}
	assert_no_ek(&public, 33, CELLA_EINVAL, "1 to 32");
	assert_no_ek(&public, 0, CELLA_EINVAL, "1 to 32");
	public.size--;
	assert_no_ek(&public, 32, CELLA_EFORMAT, "no public area");
	public.size = 0;
	soft_ak_public(SOFT_RSASSA, AK_ATTRIBUTES, &public);
	assert_no_ek(&public, 32, CELLA_EFORMAT, "no endorsement key");
}

/* As files and messages: whole they are what they were, and cut or longer they are nothing. */
static void test_files(void **state)
{
	(void)state;
	const struct tpm_name name = name_of(SOFT_P256, AK_ATTRIBUTES);
	cleanup_buf struct buf file = {0}, said = {0};
	struct tpm_credential c = {0}, read = {0};
	make(SOFT_EK_RSA, &name, 32, &c);
	tpm_credential_write(&c, &file);
	assert_int_equal(tpm_credential_read(file.data, file.size, &read, NULL), 0);
	assert_int_equal(read.blob.size, c.blob.size);
	assert_memory_equal(read.blob.data, c.blob.data, c.blob.size);
	assert_memory_equal(read.secret.data, c.secret.data, c.secret.size);
	tpm_credential_done(&read);
	buf_put_u8(&file, 0);
	for (size_t size = 0; size <= file.size; size++)
		if (size != file.size - 1)
			assert_int_equal(tpm_credential_read(file.data, size, &read, NULL), CELLA_EFORMAT);
	const struct tpm_answer answer = {.code = CELLA_EAUTH,
	                                  .text = {(const uint8_t *)"no", 2},
	                                  .count = 2,
	                                  .blobs = {{c.blob.data, c.blob.size},
	                                            {c.secret.data, c.secret.size}}};
	struct tpm_answer heard;
	tpm_answer_write(&answer, &said);
	assert_int_equal(tpm_answer_read(said.data, said.size, &heard, NULL), 0);
	assert_int_equal(heard.code, CELLA_EAUTH);
	assert_int_equal(heard.text.size, 2);
	assert_memory_equal(heard.blobs[1].data, c.secret.data, c.secret.size);
	for (size_t size = 0; size < said.size; size++)
		assert_int_equal(tpm_answer_read(said.data, size, &heard, NULL), CELLA_EFORMAT);
	said.data[3] = 0x80; /* a code that there is not is a failure all the same */
	assert_int_equal(tpm_answer_read(said.data, said.size, &heard, NULL), 0);
	assert_int_equal(heard.code, CELLA_EIO);
	tpm_credential_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_activated), cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_no_ek),
		cmocka_unit_test(test_files),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
