/*
 * What comes with quotes: event logs, the PCK's extension, and files of collateral. Is each read as its
 * specification has it, and is everything else refused?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/dcap/collateral_format.h"
#include "attest/dcap/pck_format.h"
#include "attest/event_log.h"
#include "attest/json_cut.h"
#include "base/io.h"
#include "crypto/crypto.h"

/* ---- event logs ---- */

enum { SHA1 = 0x4, SHA256 = 0xB, SHA384 = 0xC, UNKNOWN = 0x7 };

static void put_filled(struct buf *to, uint8_t with, size_t size)
{
	memset(buf_reserve(to, size), with, size);
}

static void put_header(struct buf *log, const uint16_t *hashes, const uint16_t *sizes, uint32_t count)
{
	buf_put_u32(log, 0);
	buf_put_u32(log, EVENT_NO_ACTION);
	put_filled(log, 0, 20);
	buf_put_u32(log, 29 + 4 * count);
	buf_put(log, "Spec ID Event03", 16);
	buf_put_u32(log, 0);
	buf_put(log, "\x00\x02\x00\x02", 4);
	buf_put_u32(log, count);
	for (uint32_t i = 0; i < count; i++) {
		buf_put_u16(log, hashes[i]);
		buf_put_u16(log, sizes[i]);
	}
	buf_put_u8(log, 0);
}

static void put_event(struct buf *log, uint32_t index, uint32_t type, const uint16_t *hashes,
                      const uint16_t *sizes, uint32_t count, const void *data, uint32_t size)
{
	buf_put_u32(log, index);
	buf_put_u32(log, type);
	buf_put_u32(log, count);
	for (uint32_t i = 0; i < count; i++) {
		buf_put_u16(log, hashes[i]);
		put_filled(log, (uint8_t)(index + 1), sizes[i]);
	}
	buf_put_u32(log, size);
	buf_put(log, data, size);
}

static const uint16_t all_hashes[] = {SHA1, SHA256, SHA384, UNKNOWN}, all_sizes[] = {20, 32, 48, 17};

/* What `extend` gives, computed beside it. */
static void extend(enum crypto_hash hash, uint8_t *value, uint8_t filled)
{
	uint8_t digest[CRYPTO_HASH_MAX];
	memset(digest, filled, sizeof(digest));
	const struct crypto_part parts[] = {{value, crypto_hash_size(hash)},
	                                    {digest, crypto_hash_size(hash)}};
	assert_int_equal(crypto_hash(hash, parts, 2, value, NULL), 0);
}

static void test_replay(void **state)
{
	(void)state;
	static const enum crypto_hash hashes[] = {CRYPTO_SHA1, CRYPTO_SHA256, CRYPTO_SHA384};
	static const uint8_t locality[17] = "StartupLocality\0\3";
	struct buf log = {0};
	put_header(&log, all_hashes, all_sizes, 4);
	put_event(&log, 0, EVENT_NO_ACTION, all_hashes, all_sizes, 4, locality, sizeof(locality));
	put_event(&log, 0, 0x8, all_hashes, all_sizes, 4, "x", 1);
	put_event(&log, 4, EVENT_SEPARATOR, all_hashes, all_sizes, 4, NULL, 0);
	put_event(&log, 0, EVENT_NO_ACTION, all_hashes, all_sizes, 4, locality,
	          sizeof(locality)); /* too late */
	put_event(&log, 0, 0xD, all_hashes, all_sizes, 4, "yz", 2);
	put_event(&log, 17, 0xD, all_hashes, all_sizes, 4, "yz", 2);
	for (size_t i = 0; i < array_count(hashes); i++) {
		const size_t size = crypto_hash_size(hashes[i]);
		struct event_registers registers;
		uint8_t zero[CRYPTO_HASH_MAX] = {0}, fourth[CRYPTO_HASH_MAX] = {0}, dynamic[CRYPTO_HASH_MAX];
		memset(dynamic, 0xFF, sizeof(dynamic));
		zero[size - 1] = 3;
		extend(hashes[i], zero, 1);
		extend(hashes[i], zero, 1);
		extend(hashes[i], fourth, 5);
		extend(hashes[i], dynamic, 18);
		assert_int_equal(event_log_replay(log.data, log.size, hashes[i], &registers, NULL), 0);
		assert_memory_equal(registers.values[0], zero, size);
		assert_memory_equal(registers.values[4], fourth, size);
		assert_memory_equal(registers.values[17], dynamic, size);
		assert_true(bytes_are_zero(registers.values[1], size));
		assert_int_equal(registers.values[18][0], 0xFF);
		assert_int_equal(registers.extended, 1u << 0 | 1u << 4 | 1u << 17);
		assert_int_equal(registers.event_count, 6);
	}
	struct event_registers registers;
	assert_int_equal(event_log_replay(log.data, log.size, CRYPTO_SHA512, &registers, NULL), CELLA_ENOENT);
	buf_done(&log);
}

/* What follows the events in an area of memory. */
static void test_filled(void **state)
{
	(void)state;
	static const struct {
		uint8_t with;
		int rc;
	} rows[] = {{0, 0}, {0xFF, 0}, {1, CELLA_EFORMAT}};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct buf log = {0};
		struct event_registers registers;
		put_header(&log, all_hashes, all_sizes, 3);
		put_event(&log, 1, 0xD, all_hashes, all_sizes, 3, "x", 1);
		put_filled(&log, rows[i].with, 100);
		assert_int_equal(event_log_replay(log.data, log.size, CRYPTO_SHA384, &registers, NULL),
		                 rows[i].rc);
		if (rows[i].rc == 0)
			assert_int_equal(registers.event_count, 1);
		log.data[log.size - 1] ^= 0x80; /* no longer all alike */
		assert_int_equal(event_log_replay(log.data, log.size, CRYPTO_SHA384, &registers, NULL),
		                 CELLA_EFORMAT);
		buf_done(&log);
	}
}

static void test_malformed_logs(void **state)
{
	(void)state;
	static const uint16_t twice[] = {SHA384, SHA384}, sizes[] = {48, 48}, wrong[] = {47},
			      unlisted[] = {SHA1};
	struct event_registers registers;
	for (int i = 0; i < 8; i++) {
		struct buf log = {0};
		if (i == 1)
			put_header(&log, twice, sizes, 2);
		else if (i == 2)
			put_header(&log, twice, wrong, 1);
		else if (i == 3)
			put_header(&log, twice, sizes, 0);
		else
			put_header(&log, twice, sizes, 1);
		switch (i) {
		case 4: put_event(&log, 24, 0xD, twice, sizes, 1, "x", 1); break;
		case 5: put_event(&log, 1, 0xD, twice, sizes, 2, "x", 1); break;
		case 6: put_event(&log, 1, 0xD, unlisted, (const uint16_t[]){20}, 1, "x", 1); break;
		case 7: put_event(&log, 1, 0xD, NULL, NULL, 0, "x", 1); break;
		default: put_event(&log, 1, 0xD, twice, sizes, 1, "x", 1); break;
		}
		const int rc = event_log_replay(log.data, log.size, CRYPTO_SHA384, &registers, NULL);
		if (rc != (i == 0 ? 0 : CELLA_EFORMAT))
			fail_msg("log %d: %d", i, rc);
		buf_done(&log);
	}
}

static void test_cut_log(void **state)
{
	(void)state;
	struct buf log = {0};
	struct event_registers registers;
	put_header(&log, all_hashes, all_sizes, 4);
	const size_t header = log.size;
	put_event(&log, 1, 0xD, all_hashes, all_sizes, 4, "event", 5);
	for (size_t size = 0; size < log.size; size++) {
		uint8_t *copy = malloc(size + 1);
		assert_non_null(copy);
		memcpy(copy, log.data, size);
		const int rc = event_log_replay(copy, size, CRYPTO_SHA384, &registers, NULL);
		assert_int_equal(rc, size == header ? 0 : CELLA_EFORMAT);
		free(copy);
	}
	buf_done(&log);
}

/* ---- the PCK's extension ---- */

#define OID "060a2a864886f84d010d01"       /* and the number */
#define TCB_OID "060b2a864886f84d010d0102" /* and the number */
#define CPU_SVN      \
	TCB_OID "12" \
		"0410000102030405060708090a0b0c0d0e0f"
#define PCE_SVN      \
	TCB_OID "11" \
		"02010b"
#define LAST         \
	TCB_OID "10" \
		"020105"
#define PCE_ID   \
	OID "03" \
	    "04020000"
#define FMSPC    \
	OID "04" \
	    "040600906ed50000"
#define TYPE     \
	OID "05" \
	    "0a0100"

enum { PARTS = 4 };

/* Components 1 to 15, and what follows them: members of the TCB, then of the extension, in hexadecimal and
 * without their SEQUENCEs; then bytes behind it. */
static const struct {
	const char *what, *tcb[PARTS], *members[PARTS + 1], *behind;
	bool holds;
} extensions[] = {
	{"right", {LAST, PCE_SVN, CPU_SVN}, {PCE_ID, FMSPC, TYPE}, "", true},
	{"a component of 255",
         {TCB_OID "10"
                  "020200ff",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         true},
	{"an unknown member",
         {LAST, PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE,
          OID "09"
              "0500"},
         "",
         true},
	{"a component of 256",
         {TCB_OID "10"
                  "02020100",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"a negative one",
         {TCB_OID "10"
                  "020185",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"a zero too many",
         {TCB_OID "10"
                  "02020005",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"an empty number",
         {TCB_OID "10"
                  "0200",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"one twice",
         {TCB_OID "0f"
                  "020105",
          PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"one missing", {PCE_SVN, CPU_SVN}, {PCE_ID, FMSPC, TYPE}, "", false},
	{"no PCESVN", {LAST, CPU_SVN}, {PCE_ID, FMSPC, TYPE}, "", false},
	{"of a number too high",
         {LAST, PCE_SVN, CPU_SVN,
          TCB_OID "13"
                  "020105"},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"below another",
         {"060b2a864886f84d010d010310020105", PCE_SVN, CPU_SVN},
         {PCE_ID, FMSPC, TYPE},
         "",
         false},
	{"no FMSPC", {LAST, PCE_SVN, CPU_SVN}, {PCE_ID, TYPE}, "", false},
	{"FMSPC twice", {LAST, PCE_SVN, CPU_SVN}, {PCE_ID, FMSPC, TYPE, FMSPC}, "", false},
	{"a short FMSPC",
         {LAST, PCE_SVN, CPU_SVN},
         {PCE_ID,
          OID "04"
              "040500906ed500",
          TYPE},
         "",
         false},
	{"a long length",
         {LAST, PCE_SVN, CPU_SVN},
         {PCE_ID,
          OID "04"
              "04810600906ed50000",
          TYPE},
         "",
         false},
	{"a value too many", {LAST, PCE_SVN, CPU_SVN}, {PCE_ID, FMSPC "0500", TYPE}, "", false},
	{"bytes behind", {LAST, PCE_SVN, CPU_SVN}, {PCE_ID, FMSPC, TYPE}, "00", false},
};

static void put_hex(struct buf *to, const char *hex)
{
	uint8_t *bytes = buf_reserve(to, strlen(hex) / 2);
	assert_true(io_unhex(hex, strlen(hex) / 2, bytes));
}

static void put_sequence(struct buf *to, const struct buf *content)
{
	buf_put_u8(to, 0x30);
	if (content->size >= 0x100)
		buf_put_u8(to, 0x82), buf_put_u8(to, (uint8_t)(content->size >> 8));
	else if (content->size >= 0x80)
		buf_put_u8(to, 0x81);
	buf_put_u8(to, (uint8_t)content->size);
	buf_put(to, content->data, content->size);
}

static void put_member(struct buf *to, const char *hex)
{
	struct buf member = {0};
	put_hex(&member, hex);
	put_sequence(to, &member);
	buf_done(&member);
}

static void make_extension(size_t row, struct buf *to)
{
	struct buf tcb = {0}, member = {0}, list = {0};
	for (unsigned i = 1; i < PCK_COMPONENTS; i++) {
		char component[40];
		snprintf(component, sizeof(component), TCB_OID "%02x020105", i);
		put_member(&tcb, component);
	}
	for (size_t i = 0; i < PARTS && extensions[row].tcb[i]; i++)
		put_member(&tcb, extensions[row].tcb[i]);
	put_hex(&member, OID "02");
	put_sequence(&member, &tcb);
	put_sequence(&list, &member);
	for (size_t i = 0; i <= PARTS && extensions[row].members[i]; i++)
		put_member(&list, extensions[row].members[i]);
	put_sequence(to, &list);
	put_hex(to, extensions[row].behind);
	buf_done(&tcb);
	buf_done(&member);
	buf_done(&list);
}

static void test_pck(void **state)
{
	(void)state;
	struct pck_platform platform;
	for (size_t i = 0; i < array_count(extensions); i++) {
		struct buf der = {0};
		make_extension(i, &der);
		const int rc = pck_read(der.data, der.size, &platform, NULL);
		if (rc != (extensions[i].holds ? 0 : CELLA_EFORMAT))
			fail_msg("%s: %d", extensions[i].what, rc);
		for (size_t less = 0; rc == 0 && less < der.size; less++)
			assert_int_equal(pck_read(der.data, less, &platform, NULL), CELLA_EFORMAT);
		buf_done(&der);
	}
	struct buf der = {0};
	make_extension(0, &der);
	assert_int_equal(pck_read(der.data, der.size, &platform, NULL), 0);
	assert_int_equal(platform.components[15], 5);
	assert_int_equal(platform.pce_svn, 11);
	assert_int_equal(platform.fmspc[2], 0x6E);
	assert_int_equal(platform.cpu_svn[15], 15);
	assert_false(platform.has_configuration);
	buf_done(&der);
}

/* ---- JSON ---- */

static void test_cut(void **state)
{
	(void)state;
	static const struct {
		const char *text, *value; /* of the first member; NULL: refused */
	} rows[] = {
		{"{\"a\":1}", "1"},
		{" { \"a\" : [1, {\"b\":\"}\"}] , \"c\":2 } ", "[1, {\"b\":\"}\"}]"},
		{"{\"a\":\"\\\"}\\\\\"}", "\"\\\"}\\\\\""},
		{"{\"a\":[[[[]]]]}", "[[[[]]]]"},
		{"{\"a\":[[[[[]]]]]}", NULL}, /* too deep */
		{"{}", NULL},
		{"{\"a\":1,}", NULL},
		{"{\"a\":1} x", NULL},
		{"{\"a\":}", NULL},
		{"{\"a\" 1}", NULL},
		{"{\"a\":1", NULL},
		{"{\"a\":\"x\\", NULL},
		{"{a:1}", NULL},
		{"[1]", NULL},
		{"", NULL},
		{"{\"a\":1,\"b\":2,\"c\":3,\"d\":4}", NULL}, /* too many */
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct json_piece pieces[3];
		size_t count;
		const bool holds = json_cut(rows[i].text, strlen(rows[i].text), 4, pieces, 3, &count);
		if (holds != (rows[i].value != NULL))
			fail_msg("%s", rows[i].text);
		if (holds) {
			assert_true(json_piece_is(&pieces[0], "a"));
			assert_int_equal(pieces[0].size, strlen(rows[i].value));
			assert_memory_equal(pieces[0].value, rows[i].value, pieces[0].size);
		}
	}
}

#define SIGNATURE                                                                                      \
	"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
	"000000000000000000000000000000000000"

static void test_files(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool holds;
	} rows[] = {
		{"{\"tcbInfo\":{\"x\":1},\"signature\":\"" SIGNATURE "\"}", true},
		{"{\"signature\":\"" SIGNATURE "\",\"enclaveIdentity\":{\"x\":1}}", true},
		{"{\"tcbInfo\":{\"x\":1},\"signature\":\"" SIGNATURE "00\"}", false},
		{"{\"tcbInfo\":{\"x\":1},\"signature\":\"x\"}", false},
		{"{\"tcbInfo\":{\"x\":1},\"signature\":1}", false},
		{"{\"tcbInfo\":{\"x\":1}}", false},
		{"{\"tcbInfo\":{},\"signature\":\"" SIGNATURE "\",\"more\":1}", false},
		{"{\"tcbInfo\":{},\"tcbInfo\":{},\"signature\":\"" SIGNATURE "\"}", false},
		{"{\"tcb_info\":\"{\\\"x\\\":1}\",\"tcb_info_signature\":\"" SIGNATURE "\"}", true},
		{"{\"tcb_info\":\"{\\\"x\\\":1}\"}", false},
		{"{\"tcb_info_signature\":\"" SIGNATURE "\"}", false},
		{"{\"tcb_info\":\"{\\\"tcbInfo\\\":{\\\"x\\\":1},\\\"signature\\\":\\\"" SIGNATURE "\\\"}\"}",
	         true},
		{"{\"tcb_info\":\"{\\\"tcbInfo\\\":{\\\"x\\\":1},\\\"signature\\\":\\\"" SIGNATURE
	         "\\\"}\",\"tcb_info_signature\":\"" SIGNATURE "\"}",
	         false},
		{"{\"root_ca_crl\":\"00\",\"pck_crl\":\"00\"}", true},
		{"{\"root_ca_crl\":\"00\",\"root_ca_crl\":\"00\"}", false},
		{"{\"root_ca_crl\":1}", false},
		{"{\"root_ca_crll\":\"00\"}", false},
		{"{\"pck_crl\":\"\\u0000\"}", false},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct collateral_file file;
		struct error err = {0};
		const int rc = collateral_file_read(rows[i].text, strlen(rows[i].text), &file, &err);
		if (rc != (rows[i].holds ? 0 : CELLA_EFORMAT))
			fail_msg("%s: %d, %s", rows[i].text, rc, err.text);
		if (rc < 0)
			continue;
		if (file.tcb_info.bytes)
			assert_string_equal(file.tcb_info.bytes, "{\"x\":1}");
		collateral_file_done(&file);
	}
	struct error err = {0};
	struct collateral_file file;
	assert_int_equal(collateral_file_read("{\"pck_crll\":\"\"}", 15, &file, &err), CELLA_EFORMAT);
	assert_non_null(strstr(err.text, "did you mean \"pck_crl\"?"));
}

#define ISV_LEVEL(svn, date, status) \
	"{\"tcb\":{\"isvsvn\":" svn "},\"tcbDate\":\"" date "\",\"tcbStatus\":\"" status "\"}"
#define IDENTITY(id, version, issued, levels)                                                                     \
	"{\"id\":\"" id "\",\"version\":" version ",\"issueDate\":\"" issued                                      \
	"\",\"nextUpdate\":\"2025-07-19T10:32:27Z\",\"tcbEvaluationDataNumber\":17,\"miscselect\":\"00000000\","  \
	"\"miscselectMask\":\"FFFFFFFF\",\"attributes\":\"11000000000000000000000000000000\",\"attributesMask\":" \
	"\"FBFFFFFFFFFFFFFF0000000000000000\",\"mrsigner\":"                                                      \
	"\"DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5\",\"isvprodid\":2,\"new\":[],"        \
	"\"tcbLevels\":[" levels "]}"
#define DATE "2025-06-19T10:32:27Z"
#define LEVEL ISV_LEVEL("4", "2024-03-13T00:00:00Z", "UpToDate")

static void test_documents(void **state)
{
	(void)state;
	static const struct {
		const char *text, *named; /* in the error; NULL: it holds */
	} rows[] = {
		{IDENTITY("TD_QE", "2", DATE, LEVEL), NULL},
		{IDENTITY("QE", "2", "2024-02-29T23:59:59Z", LEVEL "," LEVEL), NULL},
		{IDENTITY("QVE", "2", DATE, LEVEL), "\"id\""},
		{IDENTITY("QE", "3", DATE, LEVEL), "\"version\""},
		{IDENTITY("QE", "2.0", DATE, LEVEL), "\"version\""},
		{IDENTITY("QE", "2", "2025-02-29T10:32:27Z", LEVEL), "\"issueDate\""},
		{IDENTITY("QE", "2", "2025-06-19T24:32:27Z", LEVEL), "\"issueDate\""},
		{IDENTITY("QE", "2", "2025-06-19 10:32:27Z", LEVEL), "\"issueDate\""},
		{IDENTITY("QE", "2", "2025-06-19T10:32:27", LEVEL), "\"issueDate\""},
		{IDENTITY("QE", "2", DATE, ""), "\"tcbLevels\""},
		{IDENTITY("QE", "2", DATE, "1"), "\"tcb\""},
		{IDENTITY("QE", "2", DATE, ISV_LEVEL("-1", DATE, "UpToDate")), "\"isvsvn\""},
		{IDENTITY("QE", "2", DATE, ISV_LEVEL("65536", DATE, "UpToDate")), "\"isvsvn\""},
		{IDENTITY("QE", "2", DATE, ISV_LEVEL("1", DATE, "Fine")), "\"tcbStatus\""},
		{IDENTITY("QE", "2", DATE, ISV_LEVEL("1", DATE, "TDRelaunchAdvised")), "\"tcbStatus\""},
		{"{\"id\":\"QE\",\"id\":\"QE\"}", "duplicate"},
		{"{\"a\":1", "no JSON object"},
		{"{\"a\":[[[[[[[[[[[[[1]]]]]]]]]]]]]}", "no JSON object"},
		{"{\"a\":[}]}", "no JSON"},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct qe_identity identity;
		struct error err = {0};
		const int rc = qe_identity_read(rows[i].text, strlen(rows[i].text), &identity, &err);
		if (rc != (rows[i].named ? CELLA_EFORMAT : 0) ||
		    (rows[i].named && !strstr(err.text, rows[i].named)))
			fail_msg("%s: %d, %s", rows[i].text, rc, err.text);
		if (rc == 0)
			qe_identity_done(&identity);
	}
	struct qe_identity identity;
	assert_int_equal(qe_identity_read(rows[0].text, strlen(rows[0].text), &identity, NULL), 0);
	assert_true(identity.is_tdx);
	assert_int_equal(identity.issued, 1750329147);
	assert_int_equal(identity.levels.levels[0].isv_svn, 4);
	qe_identity_done(&identity);
}

static int start(void **state)
{
	(void)state;
	return crypto_init(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_filled),
		cmocka_unit_test(test_malformed_logs),
		cmocka_unit_test(test_cut_log),
		cmocka_unit_test(test_pck),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_documents),
	};
	return cmocka_run_group_tests(tests, start, NULL);
}
