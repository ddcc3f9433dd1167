/*
 * Evidence of real machines (../shared/data/attestation/snp, which may not be committed). Does each row of
 * its README hold, or is refused, as is written there, and is every report refused when any single bit of it
 * is changed?
 *
 * SNP_BITS=all changes every bit of all four reports, not every bit of one and every ninth of another;
 * SNP_BITS=N every N-th, and every (8 N + 1)-th.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "attest/snp/format.h"
#include "attest/tee.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "crypto/vendor_cert.h"

enum {
	TODAY = 1795910400,      /* 2026-11-29 */
	SUMMER_2025 = 1748736000, /* 2025-06-01 */
};

#define DATA ATTESTATION_DATA "/snp/"
#define MILAN "milan.ask_ark.pem"
#define MILAN_VLEK "milan_vlek.asvk_ark.pem"
#define VLEK "milan_vlek_v3.vlek-expired-2025-12-10.der"

static const struct row {
	const char *report, *leaf, *chain;
	int64_t time;
	const char *failed; /* a check that fails; NULL: it is accepted */
} rows[] = {
	{"milan_v2.report.bin", "milan_v2.vcek.cer", MILAN, TODAY, NULL},
	{"milan_b.report.hex", "milan_b.vcek.der", MILAN, TODAY, NULL},
	{"milan_c.report.bin", "milan_c.vcek.der", MILAN, TODAY, NULL},
	{"milan_vlek_v3.report.bin", VLEK, MILAN_VLEK, SUMMER_2025, NULL},
	{"milan_vlek_v3.report.bin", VLEK, MILAN_VLEK, TODAY, "certificate.validity"},
	{"milan_c.report.bin", "milan_c.vcek-must-fail-1.der", MILAN, TODAY, "signature"},
	{"milan_c.report.bin", "milan_c.vcek-must-fail-2.der", MILAN, TODAY, "signature"},
	{"milan_c.report.bin", "milan_b.vcek.der", MILAN, TODAY, "signature"},
	{"milan_c.report.bin", "milan_c.vcek.der", "genoa.ask_ark.pem", TODAY, "certificate.root"},
	{"milan_c.report.bin", "milan_c.vcek.der", MILAN_VLEK, TODAY, "certificate.root"},
	{"milan_vlek_v3.report.bin", VLEK, MILAN, SUMMER_2025, "certificate.root"},
};
enum { GENUINE = 4 };

static bool is_there(void)
{
	return access(DATA "milan_v2.report.bin", R_OK) == 0;
}

static void want_data(const char *test)
{
	if (is_there())
		return;
	printf("skipped: %s: there is no recorded evidence in %s\n", test, ATTESTATION_DATA);
	skip();
}

static void read_data(const char *name, bool decoded, struct buf *to)
{
	char path[400];
	struct buf file = {0};
	struct error err;
	snprintf(path, sizeof(path), "%s%s", DATA, name);
	if (io_read_file(path, 1 << 20, &file, &err) != 0)
		fail_msg("%s", err.text);
	if (decoded)
		assert_int_equal(tee_file_bytes(file.data, file.size, to, NULL), 0);
	else
		buf_put(to, file.data, file.size);
	buf_done(&file);
}

/* A row, read. */
struct asked {
	struct buf report, leaf, chain;
	struct tee_blob certs[2];
	struct tee_input input;
};

static void ask(const struct row *row, struct asked *a)
{
	memset(a, 0, sizeof(*a));
	read_data(row->report, true, &a->report);
	read_data(row->leaf, false, &a->leaf);
	read_data(row->chain, false, &a->chain);
	a->certs[0] = (struct tee_blob){a->leaf.data, a->leaf.size, row->leaf};
	a->certs[1] = (struct tee_blob){a->chain.data, a->chain.size, row->chain};
	a->input = (struct tee_input){
		.kind = TEE_SNP,
		.evidence = {a->report.data, a->report.size, row->report},
		.certs = a->certs,
		.cert_count = 2,
		.time = row->time,
	};
}

static void asked_done(struct asked *a)
{
	buf_done(&a->report);
	buf_done(&a->leaf);
	buf_done(&a->chain);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

static void test_rows(void **state)
{
	(void)state;
	want_data("test_rows");
	for (size_t i = 0; i < array_count(rows); i++) {
		struct asked a;
		struct tee_verdict v = {0};
		ask(&rows[i], &a);
		assert_int_equal(tee_verify(&a.input, &v, NULL), 0);
		if (tee_accepted(&v) != !rows[i].failed)
			fail_msg("row %zu, %s", i, rows[i].report);
		if (rows[i].failed)
			assert_int_equal(tee_check_named(&v, rows[i].failed)->status, TEE_FAILED);
		tee_verdict_done(&v);
		asked_done(&a);
	}
}

/* The chains of all lines, up to roots that are named by hand here. */
static void test_chains_of_all_lines(void **state)
{
	(void)state;
	want_data("test_chains_of_all_lines");
	static const struct {
		const char *file;
		struct vendor_root root;
	} lines[] = {
		{MILAN, {"ARK-Milan", "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"}},
		{MILAN_VLEK,
	         {"ARK-Milan", "9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9"}},
		{"genoa.ask_ark.pem",
	         {"ARK-Genoa", "429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831"}},
		{"turin.ask_ark.pem",
	         {"ARK-Turin", "4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08"}},
	};
	for (size_t i = 0; i < array_count(lines); i++) {
		struct buf file = {0};
		struct vendor_certs set = {0};
		struct vendor_chain chain;
		read_data(lines[i].file, false, &file);
		assert_int_equal(vendor_certs_add(&set, file.data, file.size, NULL), 0);
		assert_int_equal(set.count, 2);
		assert_int_equal(vendor_chain_make(&set, set.certs[0], &lines[i].root, 1,
		                                   VENDOR_RSA_PSS_SHA384, &chain, NULL),
		                 0);
		assert_int_equal(chain.count, 2);
		assert_int_equal(chain.links[0].flaws | chain.links[1].flaws, 0);
		assert_non_null(chain.root);
		assert_int_equal(vendor_chain_make(&set, set.certs[0], &lines[i].root, 1, VENDOR_RSA_SHA384,
		                                   &chain, NULL),
		                 0);
		assert_int_equal(chain.links[0].flaws, VENDOR_BAD_ALGORITHM);
		vendor_certs_done(&set);
		buf_done(&file);
	}
}

/* Is a report refused when this bit of it is changed? */
static bool is_refused(struct asked *a, size_t bit)
{
	struct tee_verdict v = {0};
	a->report.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	const int rc = tee_verify(&a->input, &v, NULL);
	const bool refused = rc == CELLA_EFORMAT || (rc == 0 && !tee_accepted(&v));
	if (rc == 0 && bit / 8 < SNP_SIGNED_SIZE)
		assert_int_equal(tee_check_named(&v, "signature")->status, TEE_FAILED);
	a->report.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	tee_verdict_done(&v);
	return refused;
}

static void test_every_bit(void **state)
{
	(void)state;
	want_data("test_every_bit");
	const char *asked = getenv("SNP_BITS");
	/* An emulated processor takes too long for all of them. */
#ifdef __x86_64__
	const size_t native = 1;
#else
	const size_t native = 64;
#endif
	const bool all = asked && strcmp(asked, "all") == 0;
	const size_t first = asked && !all ? max_of(strtoul(asked, NULL, 10), 1ul) : native;
	for (size_t row = 0; row < GENUINE; row += all ? 1 : GENUINE - 1) {
		struct asked a;
		struct tee_chains *chains;
		struct tee_verdict v = {0};
		ask(&rows[row], &a);
		assert_int_equal(tee_chains_new(1, &chains, NULL), 0);
		a.input.chains = chains;
		assert_int_equal(a.report.size, SNP_REPORT_SIZE);
		const size_t step = row == 0 || all ? first
		                                    : 8 * first + 1; /* not the same one of each byte */
		for (size_t bit = 0; bit < (size_t)SNP_REPORT_SIZE * 8; bit += step)
			if (!is_refused(&a, bit))
				fail_msg("%s: bit %zu of byte 0x%zx may be changed", rows[row].report,
				         bit % 8, bit / 8);
		assert_int_equal(tee_verify(&a.input, &v, NULL), 0); /* and unchanged it is accepted */
		assert_true(tee_accepted(&v));
		tee_verdict_done(&v);
		tee_chains_free(chains);
		asked_done(&a);
	}
}

/* No bit of a certificate may be changed. */
static void test_bits_of_certificates(void **state)
{
	(void)state;
	want_data("test_bits_of_certificates");
	struct asked a;
	ask(&rows[0], &a);
#ifdef __x86_64__
	const size_t step = 7;
#else
	const size_t step = 211;
#endif
	for (size_t bit = 0; bit < a.leaf.size * 8; bit += step) {
		struct tee_verdict v = {0};
		a.leaf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		const int rc = tee_verify(&a.input, &v, NULL);
		if (rc != CELLA_EFORMAT && (rc != 0 || tee_accepted(&v)))
			fail_msg("bit %zu of byte %zu of the VCEK", bit % 8, bit / 8);
		a.leaf.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		tee_verdict_done(&v);
	}
	asked_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_chains_of_all_lines),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_bits_of_certificates),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
