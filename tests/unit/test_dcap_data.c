/*
 * Quotes of real machines (../shared/data/attestation, which may not be committed). Does each hold at its
 * time, with the status that belongs to it, and is it refused when a bit of what is signed is changed, in the
 * quote or in the collateral, and when it is cut anywhere?
 *
 * DCAP_BITS=N changes N bits of the quotes and N of the collateral, drawn with a fixed seed; else some
 * 3,000, on an emulated processor 60.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/dcap/quote_format.h"
#include "attest/json_cut.h"
#include "attest/tee.h"
#include "base/io.h"
#include "crypto/crypto.h"

#ifdef __x86_64__
enum { BITS = 3000, CUTS = 37, FILES = 5 };
#else
enum { BITS = 60, CUTS = 2, FILES = 5 }; /* an emulated processor takes too long for more */
#endif
enum { JULY_2023 = 1688169600, JULY_2025 = 1751328000, MARCH_2026 = 1772323200, MARCH_2025 = 1740787200 };

#define OLD "{\"tcb_status\":{\"OutOfDate\":\"accept\"}}"
#define WITHOUT "{\"collateral\":\"optional\",\"crl\":\"optional\"}"

static const struct row {
	enum tee_kind kind;
	const char *quote;
	const char *collateral[FILES];
	int64_t time;
	const char *policy;
	const char *status; /* NULL: without collateral there is none */
} rows[] = {
	{TEE_TDX,
         "tdx/v4_a.quote.bin",
         {"tdx/v4_a.tcb_info.json", "tdx/v4_a.qe_identity.json", "tdx/v4_a.pck_crl.der",
          "tdx/v4_a.root_crl.der"},
         JULY_2023,
         OLD,
         "OutOfDate"},
	{TEE_TDX, "tdx/v4_b.quote.bin", {"tdx/v4_b.collateral-2025-06-19.json"}, JULY_2025, NULL, "UpToDate"},
	{TEE_TDX,
         "tdx/v5_outdated.quote.bin",
         {"tdx/v5_outdated.collateral-2026-02-18.json"},
         MARCH_2026,
         OLD,
         "OutOfDate"},
	{TEE_SGX,
         "sgx/v3_a.quote.bin",
         {"sgx/v3_a.collateral-2025-06-19.json"},
         JULY_2025,
         NULL,
         "ConfigurationAndSWHardeningNeeded"},
	{TEE_TDX, "tdx/v4_ccel.quote.bin", {NULL}, MARCH_2025, WITHOUT, NULL},
	{TEE_TDX, "tdx/v5_a.quote.bin", {NULL}, MARCH_2026, WITHOUT, NULL},
};

static void want_data(const char *test)
{
	if (access(ATTESTATION_DATA "/tdx/v4_a.quote.bin", R_OK) == 0)
		return;
	printf("skipped: %s: there is no recorded evidence in %s\n", test, ATTESTATION_DATA);
	skip();
}

static void read_data(const char *name, struct buf *to)
{
	char path[400];
	struct error err;
	snprintf(path, sizeof(path), "%s/%s", ATTESTATION_DATA, name);
	if (io_read_file(path, 1 << 20, to, &err) != 0)
		fail_msg("%s", err.text);
}

/* A row, read. */
struct asked {
	struct buf quote, files[FILES];
	struct tee_blob collateral[FILES];
	struct tee_policy *policy;
	struct tee_input input;
};

static void ask(const struct row *row, struct asked *a)
{
	memset(a, 0, sizeof(*a));
	read_data(row->quote, &a->quote);
	a->input = (struct tee_input){
		.kind = row->kind,
		.evidence = {a->quote.data, a->quote.size, row->quote},
		.collateral = a->collateral,
		.time = row->time,
	};
	for (size_t i = 0; i < FILES && row->collateral[i]; i++) {
		read_data(row->collateral[i], &a->files[i]);
		a->collateral[i] = (struct tee_blob){a->files[i].data, a->files[i].size, row->collateral[i]};
		a->input.collateral_count++;
	}
	if (row->policy)
		assert_int_equal(tee_policy_read(row->kind, row->policy, strlen(row->policy), &a->policy,
		                                 NULL),
		                 0);
	a->input.policy = a->policy;
}

static void asked_done(struct asked *a)
{
	buf_done(&a->quote);
	for (size_t i = 0; i < FILES; i++)
		buf_done(&a->files[i]);
	tee_policy_free(a->policy);
}

static bool is_accepted(const struct tee_input *input)
{
	struct tee_verdict v = {0};
	const int rc = tee_verify(input, &v, NULL);
	const bool accepted = rc == 0 && tee_accepted(&v);
	if (rc != 0 && rc != CELLA_EFORMAT)
		fail_msg("error %d", rc);
	tee_verdict_done(&v);
	return accepted;
}

static void test_rows(void **state)
{
	(void)state;
	want_data("test_rows");
	for (size_t i = 0; i < array_count(rows); i++) {
		struct asked a;
		struct tee_verdict v = {0};
		struct error err;
		ask(&rows[i], &a);
		if (tee_verify(&a.input, &v, &err) != 0)
			fail_msg("%s: %s", rows[i].quote, err.text);
		if (!tee_accepted(&v))
			fail_msg("%s is refused", rows[i].quote);
		const struct tee_claim *status = tee_claim_named(&v, "tcb.status");
		if (rows[i].status)
			assert_string_equal(status->value, rows[i].status);
		else
			assert_null(status);
		tee_verdict_done(&v);
		asked_done(&a);
	}
}

/* xorshift64: the same bits each time. */
static uint64_t draw(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static unsigned long bits_wanted(void)
{
	const char *text = getenv("DCAP_BITS");
	return text ? strtoul(text, NULL, 10) : BITS;
}

static void flip(uint8_t *bytes, size_t bit)
{
	bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
}

/* Of `size` bytes, `count` bits. The chains of unchanged collateral are remembered. */
static void change_bits(struct asked *a, uint8_t *bytes, size_t size, unsigned long count, uint64_t *seed,
                        const char *what)
{
	if (!is_accepted(&a->input))
		fail_msg("%s is refused unchanged", what);
	for (unsigned long i = 0; i < count; i++) {
		const size_t bit = draw(seed) % (8 * size);
		flip(bytes, bit);
		if (is_accepted(&a->input))
			fail_msg("%s: byte %zu, bit %zu", what, bit / 8, bit % 8);
		flip(bytes, bit);
	}
}

static void test_bits_of_quotes(void **state)
{
	(void)state;
	want_data("test_bits_of_quotes");
	uint64_t seed = 0x5eed;
	for (size_t i = 0; i < array_count(rows); i++) {
		struct asked a;
		struct quote quote;
		ask(&rows[i], &a);
		assert_int_equal(tee_chains_new(2, &a.input.chains, NULL), 0);
		assert_int_equal(quote_parse(a.quote.data, a.quote.size, &quote, NULL), 0);
		const size_t size = (size_t)(quote.qe_auth - a.quote.data) + quote.qe_auth_size;
		change_bits(&a, a.quote.data, size, bits_wanted() / array_count(rows), &seed, rows[i].quote);
		tee_chains_free(a.input.chains);
		asked_done(&a);
	}
}

/* The part of a document that is signed; of a CRL all of it. */
static uint8_t *signed_part(struct buf *file, size_t *ret_size)
{
	struct json_piece pieces[4];
	size_t count;
	if (!json_cut((const char *)file->data, file->size, 12, pieces, array_count(pieces), &count)) {
		*ret_size = file->size;
		return file->data;
	}
	const struct json_piece *piece = json_piece_is(&pieces[0], "signature") ? &pieces[1] : &pieces[0];
	*ret_size = piece->size;
	return file->data + (piece->value - (const char *)file->data);
}

static void test_bits_of_collateral(void **state)
{
	(void)state;
	want_data("test_bits_of_collateral");
	uint64_t seed = 0x5eed1;
	struct asked a;
	ask(&rows[0], &a);
	for (size_t i = 0; i < a.input.collateral_count; i++) {
		size_t size;
		uint8_t *part = signed_part(&a.files[i], &size);
		change_bits(&a, part, size, bits_wanted() / a.input.collateral_count, &seed,
		            rows[0].collateral[i]);
	}
	asked_done(&a);
}

static void test_truncations(void **state)
{
	(void)state;
	want_data("test_truncations");
	for (size_t i = 0; i < array_count(rows); i++) {
		struct asked a;
		struct quote quote;
		ask(&rows[i], &a);
		assert_int_equal(quote_parse(a.quote.data, a.quote.size, &quote, NULL), 0);
		for (size_t size = 0; size < quote.size; size++) {
			a.input.evidence.size = size;
			struct tee_verdict v = {0};
			assert_int_equal(tee_verify(&a.input, &v, NULL), CELLA_EFORMAT);
		}
		a.input.evidence.size = quote.size;
		assert_true(is_accepted(&a.input));
		asked_done(&a);
	}
}

static void test_truncated_collateral(void **state)
{
	(void)state;
	want_data("test_truncated_collateral");
	for (size_t i = 0; i < array_count(rows); i++) {
		struct asked a;
		ask(&rows[i], &a);
		for (size_t j = 0; j < a.input.collateral_count; j++) {
			const size_t whole = a.collateral[j].size;
			for (size_t size = 0; size + 1 < whole; size += 1 + size / CUTS) {
				a.collateral[j].size = size;
				if (is_accepted(&a.input))
					fail_msg("%s, %zu bytes", rows[i].collateral[j], size);
			}
			a.collateral[j].size = whole;
		}
		asked_done(&a);
	}
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_bits_of_quotes),
		cmocka_unit_test(test_bits_of_collateral),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_truncated_collateral),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
