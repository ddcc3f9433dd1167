/*
 * Evidence of SEV-SNP, of a maker of our own. Is what is genuine accepted, and is each thing that can be
 * wrong with a report, its certificates, a CRL or a policy refused by the check that is named for it, and by
 * no other?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/io.h"
#include "crypto/crypto.h"
#include "snp_support.h"

enum { CERTS = 3 };

/* One question, and where it is put from. */
struct question {
	struct tee_input input;
	struct tee_blob certs[CERTS], crl;
	struct tee_policy *policy;
};

static void ask_of(const struct maker_files *files, struct question *q)
{
	memset(q, 0, sizeof(*q));
	q->certs[0] = (struct tee_blob){files->leaf.data, files->leaf.size, "leaf"};
	q->certs[1] = (struct tee_blob){files->ca.data, files->ca.size, "ca"};
	q->certs[2] = (struct tee_blob){files->root.data, files->root.size, "root"};
	q->input = (struct tee_input){
		.kind = TEE_SNP,
		.evidence = {files->report.data, files->report.size, "report"},
		.certs = q->certs,
		.cert_count = CERTS,
		.time = MAKER_TIME,
		.test_roots = &files->pin,
		.test_root_count = 1,
	};
}

static void print_verdict(const struct tee_verdict *v)
{
	for (size_t i = 0; i < v->check_count; i++)
		print_message("%s %s: %s (wanted: %s)\n", tee_status_name(v->checks[i].status),
		              v->checks[i].name, v->checks[i].found, v->checks[i].wanted);
}

/* The failed checks are those of `names`, separated by spaces, and no others. */
static void assert_fails(const struct tee_verdict *v, const char *names)
{
	char found[400] = "";
	for (size_t i = 0, at = 0; i < v->check_count; i++)
		if (v->checks[i].status == TEE_FAILED)
			at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%s", at ? " " : "",
			                       v->checks[i].name);
	if (strcmp(found, names) != 0)
		print_verdict(v);
	assert_string_equal(found, names);
	assert_int_equal(tee_accepted(v), *names == '\0');
}

static void assert_verdict(const struct tee_input *input, const char *names)
{
	struct tee_verdict v = {0};
	struct error err = {0};
	if (tee_verify(input, &v, &err) != 0)
		fail_msg("%s", err.text);
	assert_fails(&v, names);
	tee_verdict_done(&v);
}

static void assert_shape(const struct maker_shape *shape, const char *names)
{
	struct maker_files files;
	struct question q;
	maker_make(shape, &files);
	ask_of(&files, &q);
	assert_verdict(&q.input, names);
	maker_done(&files);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL) < 0 || maker_start() < 0 ? -1 : 0;
}

static int stop(void **state)
{
	(void)state;
	maker_stop();
	return 0;
}

/* ---- what is genuine ---- */

static void test_genuine(void **state)
{
	(void)state;
	static const uint32_t versions[] = {2, 3, 5};
	for (enum snp_product p = SNP_MILAN; p <= SNP_TURIN; p++)
		for (size_t i = 0; i < array_count(versions); i++)
			for (int vlek = 0; vlek < 2; vlek++) {
				const struct maker_shape shape = maker_shape(p, versions[i], vlek);
				assert_shape(&shape, "");
			}
}

static void test_claims(void **state)
{
	(void)state;
	static const struct {
		const char *name, *value;
	} rows[] = {
		{"version", "5"},
		{"policy.abi", "0.31"},
		{"policy.debug", "0"},
		{"guest_svn", "7"},
		{"cpuid", "1a.02.01"},
		{"tcb.reported.fmc", "9"},
		{"tcb.current.snp", "24"},
		{"tcb.launch.microcode", "217"},
		{"tcb.committed", "09040118000000d9"},
		{"signing_key", "VCEK"},
		{"firmware.current", "1.55.29"},
		{"mitigations.current", "0x7"},
		{"platform.alias_check", "1"},
		{"certificate.hwid", "0102030405060708"},
		{"certificate.tcb.fmc", "9"},
		{"certificate.product", "Turin-B0"},
		{"certificate.subject", "CN=SEV-VCEK,O=A Maker,C=US,OU=Engineering"},
	};
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct question q;
	struct tee_verdict v = {0};
	maker_make(&shape, &files);
	ask_of(&files, &q);
	assert_int_equal(tee_show(&q.input, &v, NULL), 0);
	assert_int_equal(v.check_count, 0);
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct tee_claim *claim = tee_claim_named(&v, rows[i].name);
		assert_non_null(claim);
		assert_string_equal(claim->value, rows[i].value);
	}
	assert_null(tee_claim_named(&v, "no_such_claim"));
	tee_verdict_done(&v);
	maker_done(&files);
}

/* ---- the certificates ---- */

static void wrong_product(struct maker_shape *s)
{
	s->product_name = "Genoa-B0";
}
static void no_product(struct maker_shape *s)
{
	s->product_name = "Rome-B0";
}
static void by_another(struct maker_shape *s)
{
	s->leaf_by_another = true;
}
static void ca_by_another(struct maker_shape *s)
{
	s->ca_by_another = true;
}
static void root_by_another(struct maker_shape *s)
{
	s->root_by_another = true;
}
static void no_ca(struct maker_shape *s)
{
	s->ca_is_none = true;
}
static void no_usage(struct maker_shape *s)
{
	s->ca_without_usage = true;
}
static void short_salt(struct maker_shape *s)
{
	s->ca_salt = 32;
}
static void sha256(struct maker_shape *s)
{
	s->ca_sha256 = true, s->ca_salt = 32;
}
static void too_long(struct maker_shape *s)
{
	s->root_path_length = true;
}
static void critical(struct maker_shape *s)
{
	s->leaf_critical = true;
}
static void twice(struct maker_shape *s)
{
	s->level_twice = true;
}
static void malformed(struct maker_shape *s)
{
	s->level_malformed = true;
}
static void missing(struct maker_shape *s)
{
	s->levels[SNP_MICROCODE] = -1;
}
static void reserved_level(struct maker_shape *s)
{
	s->reserved_level = 1;
}
static void no_hwid(struct maker_shape *s)
{
	s->hwid_size = 0;
}
static void odd_hwid(struct maker_shape *s)
{
	s->hwid_size = 63;
}
static void turin_hwid(struct maker_shape *s)
{
	s->hwid_size = 8;
}
static void csp_too(struct maker_shape *s)
{
	s->csp_id = "CN=cloud.example";
}
static void vlek_name(struct maker_shape *s)
{
	s->leaf_name = "SEV-VLEK";
}
static void vlek_ca(struct maker_shape *s)
{
	s->ca_name = "SEV-VLEK-Milan";
}
static void other_ca(struct maker_shape *s)
{
	s->ca_name = "SEV-Genoa";
}
static void expired(struct maker_shape *s)
{
	s->not_after = MAKER_TIME - 1;
}
static void not_yet(struct maker_shape *s)
{
	s->not_before = MAKER_TIME + 1;
}
static void p256(struct maker_shape *s)
{
	s->leaf_p256 = true;
}
static void wrapped(struct maker_shape *s)
{
	s->hwid_wrapped = true;
}
static void no_reserved_level(struct maker_shape *s)
{
	s->reserved_level = -1;
}
static void last_second(struct maker_shape *s)
{
	s->not_after = MAKER_TIME;
}

static void test_certificates(void **state)
{
	(void)state;
	static const struct {
		void (*spoil)(struct maker_shape *shape);
		const char *fails;
	} rows[] = {
		{wrapped, ""},
		{no_reserved_level, ""},
		{last_second, ""},
		{wrong_product, "certificate.kind certificate.product"},
		{no_product, "certificate.kind certificate.product"},
		{by_another, "certificate.chain"},
		{ca_by_another, "certificate.chain"},
		{root_by_another, "certificate.chain"},
		{no_usage, "certificate.chain"},
		{short_salt, "certificate.chain"},
		{sha256, "certificate.chain"},
		{too_long, "certificate.chain"},
		{critical, "certificate.chain"},
		{twice, "certificate.kind certificate.tcb"},
		{malformed, "certificate.kind certificate.tcb"},
		{missing, "certificate.kind certificate.tcb"},
		{reserved_level, "certificate.tcb"},
		{no_hwid, "certificate.kind"},
		{odd_hwid, "certificate.kind certificate.chip"},
		{turin_hwid, "certificate.chip"},
		{csp_too, "certificate.kind"},
		{vlek_name, "certificate.kind"},
		{vlek_ca, "certificate.kind"},
		{other_ca, "certificate.kind"},
		{expired, "certificate.validity"},
		{not_yet, "certificate.validity"},
		{p256, "signature"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
		rows[i].spoil(&shape);
		print_message("certificate %zu\n", i);
		assert_shape(&shape, rows[i].fails);
	}
}

/* A CA that is none counts as one more leaf, and is still not believed. */
static void test_ca_that_is_none(void **state)
{
	(void)state;
	struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct tee_verdict v = {0};
	struct maker_files files;
	struct question q;
	no_ca(&shape);
	maker_make(&shape, &files);
	ask_of(&files, &q);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "certificate.chain");
	assert_non_null(strstr(tee_check_named(&v, "certificate.chain")->found, "may not sign"));
	tee_verdict_done(&v);
	maker_done(&files);
}

static void test_missing_certificates(void **state)
{
	(void)state;
	static const struct {
		unsigned left; /* bits */
		const char *fails;
	} rows[] = {
		{6, "certificate certificate.chain certificate.kind certificate.product certificate.tcb "
	            "certificate.chip signature"},
		{5, "certificate.root certificate.chain certificate.product"},
		{3, "certificate.root certificate.chain certificate.product"},
		{1, "certificate.root certificate.chain certificate.product"},
	};
	const struct maker_shape shape = maker_shape(SNP_GENOA, 3, false);
	struct maker_files files;
	maker_make(&shape, &files);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct question q;
		ask_of(&files, &q);
		q.input.cert_count = 0;
		for (unsigned bit = 0; bit < CERTS; bit++)
			if (rows[i].left & 1u << bit)
				q.certs[q.input.cert_count++] = q.certs[bit];
		assert_verdict(&q.input, rows[i].fails);
	}
	maker_done(&files);
}

/* A root of the right name that is not the pinned one, and AMD's own roots. */
static void test_roots(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 2, false);
	const struct vendor_root another = {"ARK-Milan", "00"};
	struct maker_files files;
	struct question q;
	maker_make(&shape, &files);
	ask_of(&files, &q);
	q.input.test_roots = &another;
	assert_verdict(&q.input, "certificate.root certificate.product");
	q.input.test_roots = NULL;
	assert_verdict(&q.input, "certificate.root certificate.product");
	maker_done(&files);
}

/* Of several keys the one that signed is found, wherever it stands. */
static void test_several_leaves(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_shape other = shape;
	struct maker_files files, others;
	struct question q;
	struct tee_blob certs[4];
	other.leaf_p256 = true;
	maker_make(&shape, &files);
	maker_make(&other, &others);
	ask_of(&files, &q);
	for (size_t place = 0; place < 4; place++) {
		size_t count = 0;
		for (size_t i = 0; i < 4; i++)
			certs[i] = i == place ? (struct tee_blob){others.leaf.data, others.leaf.size, "other"}
			                      : q.certs[count++];
		q.input.certs = certs;
		q.input.cert_count = 4;
		assert_verdict(&q.input, "");
	}
	maker_done(&files);
	maker_done(&others);
}

static void test_forms(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct question q;
	maker_make(&shape, &files);
	for (int form = 0; form < 4; form++) {
		struct buf all = {0};
		char *hex = malloc(2 * files.leaf.size + 1);
		ask_of(&files, &q);
		if (form < 2)
			maker_table(&files, form == 1, &all);
		if (form == 2) {
			maker_pem(&files.leaf, "CERTIFICATE", &all);
			maker_pem(&files.ca, "CERTIFICATE", &all);
			buf_put_string(&all, "\ncomments may stand between\n");
			maker_pem(&files.root, "CERTIFICATE", &all);
		}
		io_hex(files.leaf.data, files.leaf.size, hex);
		q.certs[0] = form == 3 ? (struct tee_blob){hex, 2 * files.leaf.size, "hex"}
		                       : (struct tee_blob){all.data, all.size, "all"};
		q.input.cert_count = form == 3 ? CERTS : 1;
		assert_verdict(&q.input, "");
		buf_done(&all);
		free(hex);
	}
	maker_done(&files);
}

/* ---- the report ---- */

static void test_reports(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *fails; /* when it is signed again */
	} rows[] = {
		{SNP_AT_POLICY + 2, 0x01, "reserved"},      /* bit 17 is not one */
		{SNP_AT_POLICY + 3, 0x04, "reserved"},      /* bit 26 */
		{SNP_AT_POLICY + 7, 0x80, "reserved"},      /* bit 63 */
		{SNP_AT_POLICY + 3, 0x03, ""},              /* bits 24 and 25 are known */
		{SNP_AT_POLICY + 1, 2, "policy.abi"},       /* firmware 2.31 */
		{SNP_AT_POLICY, 56, ""},                    /* 0.56: less than 1.55 */
		{SNP_AT_VMPL, 3, ""},
		{SNP_AT_VMPL, 4, "vmpl"},
		{SNP_AT_VMPL + 3, 0xff, "vmpl"},
		{SNP_AT_SIGNATURE_ALGORITHM, 2, "signature.algorithm signature"},
		{SNP_AT_SIGNATURE_ALGORITHM + 3, 1, "signature.algorithm signature"},
		{SNP_AT_CURRENT_TCB + 1, 0, "tcb.order"},   /* the TEE's level is behind */
		{SNP_AT_CURRENT_TCB + 2, 1, "reserved"},
		{SNP_AT_LAUNCH_TCB + 5, 1, "reserved"},
		{SNP_AT_COMMITTED_TCB + 7, 218, "tcb.order"},
		{SNP_AT_REPORTED_TCB + 7, 216, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 7, 218, "certificate.tcb tcb.order"},
		{SNP_AT_REPORTED_TCB + 6, 23, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB, 3, "certificate.tcb"},
		{SNP_AT_PLATFORM_INFO, 0x65, "reserved"},   /* bit 6 */
		{SNP_AT_PLATFORM_INFO, 0xa5, ""},           /* bit 7: trusted I/O */
		{SNP_AT_PLATFORM_INFO + 1, 1, "reserved"},
		{SNP_AT_KEY_INFO, 1, ""},                   /* an author key */
		{SNP_AT_KEY_INFO, 2, "certificate.kind"},   /* the chip's key is masked */
		{SNP_AT_KEY_INFO, 1 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 2 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 7 << 2, "certificate.kind"},
		{SNP_AT_KEY_INFO, 1 << 5, "reserved"},
		{SNP_AT_KEY_INFO + 3, 0x80, "reserved"},
		{SNP_AT_RESERVED_1, 1, "reserved"},
		{SNP_AT_AUTHOR_KEY_DIGEST, 1, "reserved"},  /* without an author key */
		{SNP_AT_CPUID, 0x1a, "certificate.product"}, /* Turin's */
		{SNP_AT_CPUID, 0x17, "certificate.product"},
		{SNP_AT_CPUID + 1, 0x11, "certificate.product"}, /* Genoa's */
		{SNP_AT_CPUID + 2, 7, ""},
		{SNP_AT_RESERVED_2, 1, "reserved"},
		{SNP_AT_CHIP_ID - 1, 1, "reserved"},
		{SNP_AT_CHIP_ID, 0, "certificate.chip"},
		{SNP_AT_CHIP_ID + 63, 0, "certificate.chip"},
		{SNP_AT_RESERVED_3, 1, "reserved"},
		{SNP_AT_RESERVED_4, 1, "reserved"},
		{SNP_AT_RESERVED_5, 1, "reserved"},
		{SNP_AT_LAUNCH_MITIGATIONS, 1, "reserved"}, /* from version 5 on */
		{SNP_AT_CURRENT_MITIGATIONS + 7, 1, "reserved"},
		{SNP_AT_SIGNATURE - 1, 1, "reserved"},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_NUMBER, 1, "reserved"},
		{SNP_AT_SIGNATURE + SNP_SIGNATURE_FIELD + SNP_SIGNATURE_NUMBER, 1, "reserved"},
		{SNP_AT_SIGNATURE + 2 * SNP_SIGNATURE_FIELD, 1, "reserved"},
		{SNP_REPORT_SIZE - 1, 1, "reserved"},
		{SNP_AT_MEASUREMENT, 1, ""},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		ask_of(&files, &q);
		print_message("report byte 0x%zx = 0x%x\n", rows[i].at, rows[i].value);
		assert_verdict(&q.input, rows[i].fails);
		maker_done(&files);
	}
}

/* Version 2 has no CPUID, version 5 has mitigations. */
static void test_versions(void **state)
{
	(void)state;
	static const struct {
		uint32_t version;
		size_t at;
		const char *fails;
	} rows[] = {
		{2, SNP_AT_CPUID, "reserved"},      {2, SNP_AT_LAUNCH_MITIGATIONS, "reserved"},
		{5, SNP_AT_LAUNCH_MITIGATIONS, ""}, {5, SNP_AT_CURRENT_MITIGATIONS + 7, ""},
		{5, SNP_AT_RESERVED_5, "reserved"}, {5, SNP_AT_RESERVED_2, "reserved"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		const struct maker_shape shape = maker_shape(SNP_GENOA, rows[i].version, false);
		struct maker_files files;
		struct question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = 1;
		maker_sign(&files);
		ask_of(&files, &q);
		assert_verdict(&q.input, rows[i].fails);
		maker_done(&files);
	}
}

static void test_turin(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *fails;
	} rows[] = {
		{SNP_AT_REPORTED_TCB, 8, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 3, 23, "certificate.tcb"},
		{SNP_AT_REPORTED_TCB + 4, 1, "reserved"},
		{SNP_AT_REPORTED_TCB + 6, 1, "reserved"},
		{SNP_AT_CHIP_ID + 7, 0, "certificate.chip"},
		{SNP_AT_CHIP_ID + 8, 1, "certificate.chip"}, /* what follows the 8 bytes is zero */
	};
	struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct question q;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		ask_of(&files, &q);
		assert_verdict(&q.input, rows[i].fails);
		maker_done(&files);
	}
	shape.levels[SNP_FMC] = -1; /* the certificate must say */
	struct maker_files files;
	struct question q;
	maker_make(&shape, &files);
	ask_of(&files, &q);
	assert_verdict(&q.input, "certificate.kind certificate.tcb");
	maker_done(&files);
}

/* The host may mask the chip's id: the key still tells. */
static void test_masked_chip(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct question q;
	struct tee_verdict v = {0};
	maker_make(&shape, &files);
	memset(files.report.data + SNP_AT_CHIP_ID, 0, SNP_CHIP_ID_SIZE);
	maker_sign(&files);
	ask_of(&files, &q);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_fails(&v, "");
	assert_int_equal(tee_check_named(&v, "certificate.chip")->status, TEE_WARNED);
	tee_verdict_done(&v);
	/* But by what AMD's server would be asked for its certificate nobody knows. */
	assert_int_equal(tee_sources(&q.input, &v, NULL), 0);
	assert_null(tee_claim_named(&v, "vcek.der"));
	assert_int_equal(v.check_count, 0); /* it is here already */
	tee_verdict_done(&v);
	q.input.cert_count = 0;
	assert_int_equal(tee_sources(&q.input, &v, NULL), 0);
	assert_non_null(tee_claim_named(&v, "ask_ark.pem"));
	assert_non_null(tee_check_named(&v, "vcek.der"));
	assert_non_null(strstr(tee_check_named(&v, "vcek.der")->found, "masks the chip's id"));
	tee_verdict_done(&v);
	assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
	assert_non_null(strstr(tee_check_named(&v, "certificate")->found, "masks the chip's id"));
	tee_verdict_done(&v);
	maker_done(&files);
}

static void test_report_data(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct question q;
	uint8_t data[TEE_REPORT_DATA_MAX];
	maker_make(&shape, &files);
	ask_of(&files, &q);
	memcpy(data, files.report.data + SNP_AT_REPORT_DATA, sizeof(data));
	q.input.report_data = data;
	q.input.report_data_size = sizeof(data);
	assert_verdict(&q.input, "");
	q.input.report_data_size = 63; /* the last byte is not zero */
	assert_verdict(&q.input, "report_data");
	memset(files.report.data + SNP_AT_REPORT_DATA + 32, 0, 32);
	maker_sign(&files);
	q.input.report_data_size = 32;
	assert_verdict(&q.input, "");
	data[31] ^= 1;
	assert_verdict(&q.input, "report_data");
	q.input.report_data_size = 0; /* asked for: nothing but zeros */
	assert_verdict(&q.input, "report_data");
	struct tee_verdict v = {0};
	q.input.report_data_size = 65;
	assert_int_equal(tee_verify(&q.input, &v, NULL), CELLA_EINVAL);
	maker_done(&files);
}

/* ---- CRLs ---- */

static void test_crls(void **state)
{
	(void)state;
	enum { DAY = 86400 };
	static const struct {
		struct maker_crl crl;
		const char *policy, *fails;
		enum tee_status status;
	} rows[] = {
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME + DAY}, NULL, "", TEE_PASSED},
		{{.this_update = MAKER_TIME, .next_update = MAKER_TIME}, NULL, "", TEE_PASSED},
		{{.this_update = MAKER_TIME - DAY}, NULL, "", TEE_PASSED},
		{{.revokes_another = true, .this_update = MAKER_TIME - DAY}, NULL, "", TEE_PASSED},
		{{.revokes_ca = true, .revokes_another = true, .this_update = MAKER_TIME - DAY},
	         NULL,
	         "certificate.crl",
	         TEE_FAILED},
		{{.this_update = MAKER_TIME + 1}, NULL, "certificate.crl", TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         NULL,
	         "certificate.crl",
	         TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         "{\"expired_crl\": \"warn\"}",
	         "",
	         TEE_WARNED},
		{{.revokes_ca = true, .this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME - 1},
	         "{\"expired_crl\": \"warn\"}",
	         "certificate.crl",
	         TEE_FAILED},
		{{.by_another = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.critical = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.is_indirect = true, .this_update = MAKER_TIME - DAY}, NULL, "certificate.crl", TEE_FAILED},
		{{.this_update = MAKER_TIME - DAY}, "{\"crl\": \"required\"}", "", TEE_PASSED},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	maker_make(&shape, &files);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf crl = {0}, pem = {0};
		struct tee_verdict v = {0};
		struct question q;
		maker_make_crl(&shape, &rows[i].crl, &crl);
		maker_pem(&crl, "X509 CRL", &pem);
		ask_of(&files, &q);
		q.crl = i % 2 ? (struct tee_blob){pem.data, pem.size, "crl"}
		              : (struct tee_blob){crl.data, crl.size, "crl"};
		q.input.collateral = &q.crl;
		q.input.collateral_count = 1;
		if (rows[i].policy)
			assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy),
			                                 &q.policy, NULL),
			                 0);
		q.input.policy = q.policy;
		print_message("crl %zu\n", i);
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		assert_fails(&v, rows[i].fails);
		assert_int_equal(tee_check_named(&v, "certificate.crl")->status, rows[i].status);
		tee_verdict_done(&v);
		tee_policy_free(q.policy);
		buf_done(&crl);
		buf_done(&pem);
	}
	maker_done(&files);
}

/* Of two CRLs either may revoke, and the newer one is asked whether it is still good. */
static void test_two_crls(void **state)
{
	(void)state;
	enum { DAY = 86400 };
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	const struct maker_crl older = {.this_update = MAKER_TIME - 9 * DAY, .next_update = MAKER_TIME - DAY};
	const struct maker_crl newer = {.this_update = MAKER_TIME - DAY, .next_update = MAKER_TIME + DAY};
	struct maker_crl revoking = older;
	struct buf a = {0}, b = {0}, c = {0};
	struct maker_files files;
	struct question q;
	revoking.revokes_ca = true;
	maker_make(&shape, &files);
	maker_make_crl(&shape, &older, &a);
	maker_make_crl(&shape, &newer, &b);
	maker_make_crl(&shape, &revoking, &c);
	ask_of(&files, &q);
	struct tee_blob crls[2] = {{a.data, a.size, "a"}, {b.data, b.size, "b"}};
	q.input.collateral = crls;
	q.input.collateral_count = 2;
	assert_verdict(&q.input, "");
	crls[0] = (struct tee_blob){c.data, c.size, "c"};
	assert_verdict(&q.input, "certificate.crl");
	q.input.collateral_count = 0;
	struct tee_policy *policy;
	assert_int_equal(tee_policy_read(TEE_SNP, "{\"crl\":\"required\"}", 18, &policy, NULL), 0);
	q.input.policy = policy;
	assert_verdict(&q.input, "certificate.crl");
	tee_policy_free(policy);
	buf_done(&a);
	buf_done(&b);
	buf_done(&c);
	maker_done(&files);
}

/* ---- policies ---- */

#define B0 "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"
#define B1 "b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1"
#define Z32 "0000000000000000000000000000000000000000000000000000000000000000"

static void test_policies(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *fails;
	} rows[] = {
		{"{}", ""},
		{"{\"host_data\": \"" B0 "\"}", ""},
		{"{\"host_data\": [\"" Z32 "\", \"" B0 "\"]}", ""},
		{"{\"host_data\": [\"" Z32 "\"]}", "host_data"},
		{"{\"id_key_digest\": \"" B1 B1 "\"}", ""},
		{"{\"id_key_digest\": \"" Z32 "00000000000000000000000000000000\"}", "id_key_digest"},
		{"{\"author_key_digest\": \"" Z32 "00000000000000000000000000000000\"}", ""},
		{"{\"author_key_digest\": \"" B1 B1 "\"}", "author_key_digest"},
		{"{\"measurement\": \"" B1 B1 "\"}", "measurement"},
		{"{\"report_id\": \"" B0 "\"}", "report_id"},
		{"{\"chip_id\": \"" B0 B0 "\"}", "chip_id"},
		{"{\"family_id\": \"b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", ""},
		{"{\"family_id\": \"b4b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "family_id"},
		{"{\"image_id\": \"b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "image_id"},
		{"{\"minimum_guest_svn\": 7}", ""},
		{"{\"minimum_guest_svn\": 8}", "minimum.guest_svn"},
		{"{\"maximum_vmpl\": 0}", ""},
		{"{\"minimum_tcb\": {\"fmc\": 9, \"bootloader\": 4, \"tee\": 1, \"snp\": 24, \"microcode\": 217}}",
	         ""},
		{"{\"minimum_tcb\": {\"fmc\": 10}}", "minimum.reported.fmc"},
		{"{\"minimum_tcb\": {\"snp\": 25, \"microcode\": 218}}",
	         "minimum.reported.snp minimum.reported.microcode"},
		{"{\"minimum_launch_tcb\": {\"bootloader\": 5}}", "minimum.launch.bootloader"},
		{"{\"minimum_committed_tcb\": {\"tee\": 2}}", "minimum.committed.tee"},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 55, \"build\": 29}}", ""},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 55, \"build\": 30}}", "minimum.firmware"},
		{"{\"minimum_firmware\": {\"major\": 1, \"minor\": 54, \"build\": 99}}", ""},
		{"{\"launch_mitigations\": 3, \"current_mitigations\": 5}", ""},
		{"{\"launch_mitigations\": 4, \"current_mitigations\": 8}",
	         "mitigations.launch mitigations.current"},
		{"{\"guest_policy\": {\"smt\": \"require\", \"debug\": \"refuse\"}}", ""},
		{"{\"guest_policy\": {\"smt\": \"refuse\", \"single_socket\": \"require\"}}",
	         "policy.smt policy.single_socket"},
		{"{\"guest_policy\": {\"smt\": \"warn\"}}", ""},
		{"{\"platform\": {\"ecc\": \"require\", \"alias_check\": \"require\", \"tsme\": \"refuse\"}}",
	         ""},
		{"{\"platform\": {\"ciphertext_hiding\": \"require\", \"smt\": \"refuse\"}}",
	         "platform.smt platform.ciphertext_hiding"},
		{"{\"provisional_firmware\": \"refuse\"}", ""},
		{"{\"product\": [\"Milan\", \"Turin\"]}", ""},
		{"{\"product\": \"Milan\"}", "product"},
		{"{\"signing_key\": \"vcek\"}", ""},
		{"{\"signing_key\": \"vlek\"}", "signing_key"},
		{"{\"csp_id\": \"CN=cloud.example\"}", "csp_id"},
	};
	const struct maker_shape shape = maker_shape(SNP_TURIN, 5, false);
	struct maker_files files;
	struct question q;
	maker_make(&shape, &files);
	ask_of(&files, &q);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct error err = {0};
		struct tee_policy *policy;
		if (tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy, &err) != 0)
			fail_msg("%s: %s", rows[i].policy, err.text);
		print_message("%s\n", rows[i].policy);
		q.input.policy = policy;
		assert_verdict(&q.input, rows[i].fails);
		tee_policy_free(policy);
	}
	maker_done(&files);
}

/* Debugging, migration, and firmware that is not committed. */
static void test_dangerous(void **state)
{
	(void)state;
	static const struct {
		size_t at;
		uint8_t value;
		const char *check, *policy, *fails;
	} rows[] = {
		{SNP_AT_POLICY + 2, 0x0b, "policy.debug", "{\"guest_policy\":{\"debug\":\"refuse\"}}",
	         "policy.debug"},
		{SNP_AT_POLICY + 2, 0x07, "policy.migration_agent",
	         "{\"guest_policy\":{\"migration_agent\":\"refuse\"}}", "policy.migration_agent"},
		{SNP_AT_COMMITTED_TCB + 7, 200, NULL, "{\"provisional_firmware\":\"refuse\"}",
	         "firmware.provisional"},
		{SNP_AT_PLATFORM_INFO + 7, 1, "reserved", "{\"reserved\":\"warn\"}", ""},
	};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	for (size_t i = 0; i < array_count(rows); i++) {
		struct maker_files files;
		struct question q;
		struct tee_verdict v = {0};
		struct tee_policy *policy;
		maker_make(&shape, &files);
		files.report.data[rows[i].at] = rows[i].value;
		maker_sign(&files);
		ask_of(&files, &q);
		assert_int_equal(tee_verify(&q.input, &v, NULL), 0);
		if (rows[i].check)
			assert_int_not_equal(tee_check_named(&v, rows[i].check)->status, TEE_PASSED);
		tee_verdict_done(&v);
		assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy,
		                                 NULL),
		                 0);
		q.input.policy = policy;
		assert_verdict(&q.input, rows[i].fails);
		tee_policy_free(policy);
		maker_done(&files);
	}
}

static void test_policies_that_are_none(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *why;
	} rows[] = {
		{"", "no JSON"},
		{"[]", "no object"},
		{"{\"measurment\": 1}", "did you mean measurement?"},
		{"{\"guest_policy\": {\"debugg\": \"refuse\"}}",
	         "guest_policy: there is no member \"debugg\"; did you mean debug?"},
		{"{\"guest_policy\": {\"debug\": \"refused\"}}",
	         "guest_policy.debug: \"refused\" is none of \"any\", \"warn\", \"refuse\", \"require\"; did you mean refuse?"},
		{"{\"guest_policy\": {\"debug\": true}}", "is none of"},
		{"{\"guest_policy\": []}", "guest_policy: no object"},
		{"{\"measurement\": \"00\"}", "is not 96 hexadecimal digits"},
		{"{\"measurement\": []}", "empty array"},
		{"{\"measurement\": [1]}", "no string"},
		{"{\"family_id\": \"g3b3b3b3b3b3b3b3b3b3b3b3b3b3b3b3\"}", "is not 32 hexadecimal digits"},
		{"{\"minimum_guest_svn\": -1}", "is not between 0 and 4294967295"},
		{"{\"minimum_guest_svn\": 1.5}", "no integer"},
		{"{\"minimum_tcb\": {\"snp\": 256}}", "minimum_tcb.snp: 256 is not between 0 and 255"},
		{"{\"maximum_vmpl\": 4}", "is not between 0 and 3"},
		{"{\"product\": \"\"}", "a string of 0 bytes"},
		{"{\"product\": 1}", "no string"},
		{"{\"product\": \"Milan\", \"product\": \"Milan\"}", "duplicate"},
		{"{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}}", "nested"},
	};
	struct tee_policy *policy;
	struct error err;
	for (size_t i = 0; i < array_count(rows); i++) {
		assert_int_equal(tee_policy_read(TEE_SNP, rows[i].policy, strlen(rows[i].policy), &policy,
		                                 &err),
		                 CELLA_EFORMAT);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].policy, err.text);
	}
	assert_int_equal(tee_policy_read(TEE_TPM + 100, "{}", 2, &policy, &err), CELLA_EUNSUPPORTED);
}

/* ---- what is not understood, and every change ---- */

static void test_not_understood(void **state)
{
	(void)state;
	static const uint32_t versions[] = {0, 1, 4, 6, 0x01000002};
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct tee_verdict v = {0};
	struct question q;
	struct error err;
	maker_make(&shape, &files);
	ask_of(&files, &q);
	for (size_t i = 0; i < array_count(versions); i++) {
		memcpy(files.report.data, &versions[i], sizeof(versions[i]));
		maker_sign(&files);
		assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
		assert_non_null(strstr(err.text, "2, 3 and 5 are"));
	}
	files.report.data[0] = 3, files.report.data[3] = 0;
	maker_sign(&files);
	for (size_t size = 0; size < SNP_REPORT_SIZE; size++) {
		q.input.evidence.size = size;
		assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
		assert_int_equal(tee_show(&q.input, &v, &err), CELLA_EFORMAT);
	}
	assert_int_equal(v.check_count, 0);
	buf_put_u8(&files.report, 0);
	q.input.evidence = (struct tee_blob){files.report.data, files.report.size, "report"};
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EFORMAT);
	q.input.evidence.size--;
	assert_verdict(&q.input, "");
	q.input.event_logs = q.certs;
	q.input.event_log_count = 1;
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EINVAL);
	q.input.event_log_count = 0;
	q.input.kind = TEE_KINDS;
	assert_int_equal(tee_verify(&q.input, &v, &err), CELLA_EUNSUPPORTED);
	maker_done(&files);
}

/* Every truncation of a certificate or table is an error, or refused. */
static void test_truncated_certificates(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files;
	struct buf table = {0};
	struct question q;
#ifdef __x86_64__
	const size_t step = 1;
#else
	const size_t step = 17; /* an emulated processor takes too long for all of them */
#endif
	maker_make(&shape, &files);
	maker_table(&files, false, &table);
	ask_of(&files, &q);
	for (size_t which = 0; which < 2; which++) {
		const struct buf *whole = which ? &table : &files.leaf;
		q.input.cert_count = which ? 1 : CERTS;
		for (size_t size = 0; size < whole->size; size += step) {
			struct tee_verdict v = {0};
			uint8_t *copy = malloc(size + 1); /* so that a sanitizer sees its end */
			memcpy(copy, whole->data, size);
			q.certs[0] = (struct tee_blob){copy, size, "cut"};
			int rc = tee_verify(&q.input, &v, NULL);
			assert_true(rc == CELLA_EFORMAT || (rc == 0 && !tee_accepted(&v)));
			tee_verdict_done(&v);
			free(copy);
		}
	}
	buf_done(&table);
	maker_done(&files);
}

/* ---- what is remembered ---- */

static void test_remembered(void **state)
{
	(void)state;
	const struct maker_shape shape = maker_shape(SNP_MILAN, 3, false);
	struct maker_files files, others;
	struct tee_chains *chains;
	struct question q;
	maker_make(&shape, &files);
	struct maker_shape spoilt = shape;
	by_another(&spoilt);
	maker_make(&spoilt, &others);
	ask_of(&files, &q);
	assert_int_equal(tee_chains_new(2, &chains, NULL), 0);
	q.input.chains = chains;
	for (int i = 0; i < 3; i++)
		assert_verdict(&q.input, "");
	q.input.time = MAKER_TIME + 2LL * MAKER_YEAR; /* what is remembered does not outlive it */
	assert_verdict(&q.input, "certificate.validity");
	q.input.time = MAKER_TIME;
	files.report.data[SNP_AT_MEASUREMENT] ^= 1;
	assert_verdict(&q.input, "signature");
	files.report.data[SNP_AT_MEASUREMENT] ^= 1;
	q.certs[0] = (struct tee_blob){others.leaf.data, others.leaf.size, "other"};
	assert_verdict(&q.input, "certificate.chain");
	const struct vendor_root another = {"ARK-Milan", "00"};
	ask_of(&files, &q);
	q.input.chains = chains;
	q.input.test_roots = &another; /* the third: the first goes */
	assert_verdict(&q.input, "certificate.root certificate.product");
	q.input.test_roots = &files.pin;
	assert_verdict(&q.input, "");
	tee_chains_free(chains);
	maker_done(&files);
	maker_done(&others);
}

static size_t freed;
static void count_free(void *value)
{
	freed += *(size_t *)value;
}

static void test_chains(void **state)
{
	(void)state;
	uint8_t keys[4][TEE_KEY_SIZE];
	size_t values[4] = {1, 10, 100, 1000};
	struct tee_chains *chains;
	assert_int_equal(tee_chains_new(0, &chains, NULL), CELLA_EINVAL);
	assert_int_equal(tee_chains_new(3, &chains, NULL), 0);
	for (size_t i = 0; i < 4; i++) {
		const struct tee_blob blob = {&values[i], sizeof(values[i]), NULL};
		assert_int_equal(tee_chains_key("test", &blob, 1, keys[i], NULL), 0);
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(tee_chains_put(chains, keys[i], &values[i], count_free, NULL), 0);
	assert_ptr_equal(tee_chains_get(chains, keys[0]), &values[0]); /* so the second is the oldest */
	assert_int_equal(tee_chains_put(chains, keys[0], &values[3], count_free, NULL), CELLA_EEXIST);
	assert_int_equal(tee_chains_put(chains, keys[3], &values[3], count_free, NULL), 0);
	assert_int_equal(freed, 10);
	assert_null(tee_chains_get(chains, keys[1]));
	assert_null(tee_chains_get(NULL, keys[0]));
	assert_ptr_equal(tee_chains_get(chains, keys[2]), &values[2]);
	tee_chains_free(chains);
	assert_int_equal(freed, 1111);
}

static void test_files_of_people(void **state)
{
	(void)state;
	static const struct {
		const char *file, *bytes;
		size_t size;
	} rows[] = {
		{"0a0B\n", "\x0a\x0b", 2}, {" 0x0a 0b\r\n0c", "\x0a\x0b\x0c", 3},
		{"0a0", "0a0", 3}, /* half a byte: not hexadecimal */
		{"0a0g", "0a0g", 4},       {"0x", "0x", 2},
		{"\n", "\n", 1},           {"", "", 0},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf bytes = {0};
		buf_put(&bytes, "before", 6);
		assert_int_equal(tee_file_bytes(rows[i].file, strlen(rows[i].file), &bytes, NULL), 0);
		assert_int_equal(bytes.size, 6 + rows[i].size);
		assert_memory_equal(bytes.data + 6, rows[i].bytes, rows[i].size);
		buf_done(&bytes);
	}
}

static void test_kinds(void **state)
{
	(void)state;
	enum tee_kind kind;
	struct error err;
	assert_int_equal(tee_kind_parse("snp", &kind, &err), 0);
	assert_int_equal(kind, TEE_SNP);
	assert_string_equal(tee_kind_of(TEE_SNP)->name, "snp");
	assert_int_equal(tee_kind_parse("snpp", &kind, &err), CELLA_EINVAL);
	assert_non_null(strstr(err.text, "did you mean snp?"));
	assert_null(tee_kind_of(TEE_KINDS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_genuine),
		cmocka_unit_test(test_claims),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_several_leaves),
		cmocka_unit_test(test_masked_chip),
		cmocka_unit_test(test_report_data),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_remembered),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_files_of_people),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_certificates),
		cmocka_unit_test(test_ca_that_is_none),
		cmocka_unit_test(test_missing_certificates),
		cmocka_unit_test(test_roots),
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_turin),
		cmocka_unit_test(test_crls),
		cmocka_unit_test(test_two_crls),
		cmocka_unit_test(test_dangerous),
		cmocka_unit_test(test_policies_that_are_none),
		cmocka_unit_test(test_not_understood),
		cmocka_unit_test(test_truncated_certificates),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
