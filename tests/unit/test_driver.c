/*
 * Drivers, by a made kernel. Does evidence come with the report data that were asked for, and with nothing
 * else, whoever writes at the same time? Is what was made in configfs removed again? Does each thing that a
 * machine can lack have its own answer?
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "attest/driver/driver.h"
#include "base/io.h"
#include "crypto/crypto.h"
#include "dcap_support.h"
#include "snp_support.h"

#define TSM "/sys/kernel/config/tsm/report"

enum { ENTRIES = 4, SNP_REPORT_DATA_AT = 0x50, SGX_REPORT_DATA_AT = 48 + 320, TD_REPORT_DATA_AT = 48 + 520 };

/* What happens in between, so many times. */
struct troubles {
	int others_after_write;  /* another one writes an inblob after ours */
	int others_after_read;   /* and after ours was read */
	int busy;                /* outblob: EAGAIN */
	int lost_writes;         /* the kernel drops an inblob at close */
	int name_taken;          /* mkdir: EEXIST */
	int other_thread;        /* of an enclave, writes report data after ours */
	bool wrong_report_data;  /* the hardware answers something else */
	bool denied, no_auxblob, empty_auxblob, bad_generation;
	int log;   /* CELLA_E…: of reading the event log */
	bool empty_log;
};

struct entry {
	bool used;
	char name[64];
	unsigned generation, level;
	uint8_t inblob[64];
};

struct kernel {
	bool has_tsm, has_ccel, has_gramine, has_device;
	const char *provider, *attestation_type;
	const char *floor; /* the least privilege level that may be asked for, or NULL */
	struct troubles troubles;
	struct entry entries[ENTRIES];
	uint8_t user_report_data[64];
	const struct buf *quote;           /* of Intel's */
	size_t report_data_at;
	struct maker_files *snp;
	const struct buf *certs;
	int made, removed, reads;
};

static bool happens(int *times)
{
	if (*times <= 0)
		return false;
	(*times)--;
	return true;
}

static bool ends_with(const char *path, const char *end)
{
	const size_t size = strlen(path), tail = strlen(end);
	return size >= tail && strcmp(path + size - tail, end) == 0;
}

static struct entry *entry_of(struct kernel *k, const char *path)
{
	for (size_t i = 0; i < ENTRIES; i++) {
		struct entry *e = &k->entries[i];
		const size_t size = strlen(e->name);
		if (e->used && strncmp(path, e->name, size) == 0 && (path[size] == '/' || !path[size]))
			return e;
	}
	return NULL;
}

static bool fake_is_there(void *data, const char *path)
{
	const struct kernel *k = data;
	if (strcmp(path, TSM) == 0)
		return k->has_tsm;
	if (strncmp(path, "/dev/attestation/", 17) == 0)
		return k->has_gramine && (!ends_with(path, "attestation_type") || k->attestation_type);
	if (ends_with(path, "/CCEL"))
		return k->has_ccel;
	if (ends_with(path, "/privlevel_floor"))
		return k->floor != NULL;
	return k->has_device;
}

static void other_writes(struct entry *e)
{
	memset(e->inblob, 0xee, sizeof(e->inblob));
	e->generation++;
}

/* What the hardware signs. */
static void put_evidence(struct kernel *k, const uint8_t report_data[64], struct buf *ret)
{
	uint8_t other[64] = {0x66};
	const uint8_t *signed_data = k->troubles.wrong_report_data ? other : report_data;
	if (k->snp) {
		memcpy(k->snp->report.data + SNP_REPORT_DATA_AT, signed_data, 64);
		maker_sign(k->snp);
		buf_put(ret, k->snp->report.data, k->snp->report.size);
	} else {
		buf_put(ret, k->quote->data, k->quote->size);
		memcpy(ret->data + ret->size - k->quote->size + k->report_data_at, signed_data, 64);
	}
}

static int read_entry(struct kernel *k, struct entry *e, const char *path, struct buf *ret, struct error *err)
{
	char text[40];
	if (ends_with(path, "/provider")) {
		snprintf(text, sizeof(text), "%s\n", k->provider);
	} else if (ends_with(path, "/privlevel_floor")) {
		snprintf(text, sizeof(text), "%s\n", k->floor);
	} else if (ends_with(path, "/generation")) {
		if (happens(&k->troubles.others_after_read) && k->reads > 0)
			other_writes(e);
		snprintf(text, sizeof(text), k->troubles.bad_generation ? "x\n" : "%u\n", e->generation);
	} else if (ends_with(path, "/outblob")) {
		if (happens(&k->troubles.busy))
			return error_set(err, CELLA_EAGAIN, "busy");
		if (k->floor && e->level < (unsigned)(k->floor[0] - '0'))
			return error_set(err, CELLA_EIO, "cannot read %s: Invalid argument", path);
		k->reads++;
		put_evidence(k, e->inblob, ret);
		return 0;
	} else {
		assert_true(ends_with(path, "/auxblob"));
		if (k->troubles.no_auxblob)
			return error_set(err, CELLA_ENOENT, "no auxblob");
		if (!k->troubles.empty_auxblob && k->certs)
			buf_put(ret, k->certs->data, k->certs->size);
		return 0;
	}
	buf_put(ret, text, strlen(text));
	return 0;
}

static int fake_read(void *data, const char *path, size_t limit, struct buf *ret, struct error *err)
{
	struct kernel *k = data;
	struct entry *e = entry_of(k, path);
	int rc = 0;
	if (e)
		rc = read_entry(k, e, path, ret, err);
	else if (ends_with(path, "/attestation_type"))
		buf_put(ret, k->attestation_type, strlen(k->attestation_type));
	else if (ends_with(path, "/dev/attestation/quote"))
		put_evidence(k, k->user_report_data, ret);
	else if (ends_with(path, "/CCEL") && k->troubles.log)
		rc = error_set(err, k->troubles.log, "cannot read %s", path);
	else if (ends_with(path, "/CCEL"))
		buf_put(ret, "log", k->troubles.empty_log ? 0 : 3);
	else
		rc = error_set(err, CELLA_ENOENT, "there is no %s", path);
	assert_true(ret->size <= limit);
	return rc;
}

static int fake_write(void *data, const char *path, const void *bytes, size_t size, struct error *err)
{
	struct kernel *k = data;
	struct entry *e = entry_of(k, path);
	if (k->troubles.denied)
		return error_set(err, CELLA_EPERM, "cannot open %s", path);
	if (e && ends_with(path, "/privlevel")) {
		assert_int_equal(size, 1);
		e->level = (unsigned)(*(const char *)bytes - '0');
		e->generation++;
		return 0;
	}
	assert_int_equal(size, 64);
	if (e) {
		assert_true(ends_with(path, "/inblob"));
		if (happens(&k->troubles.lost_writes))
			return 0;
		memcpy(e->inblob, bytes, size);
		e->generation++;
		if (happens(&k->troubles.others_after_write))
			other_writes(e);
		return 0;
	}
	assert_string_equal(path, "/dev/attestation/user_report_data");
	memcpy(k->user_report_data, bytes, size);
	if (happens(&k->troubles.other_thread))
		memset(k->user_report_data, 0xdd, sizeof(k->user_report_data));
	return 0;
}

static int fake_make_directory(void *data, const char *path, struct error *err)
{
	struct kernel *k = data;
	if (happens(&k->troubles.name_taken))
		return error_set(err, CELLA_EEXIST, "there is a %s", path);
	for (size_t i = 0; i < ENTRIES; i++)
		if (!k->entries[i].used) {
			k->entries[i] = (struct entry){.used = true, .generation = 7};
			snprintf(k->entries[i].name, sizeof(k->entries[i].name), "%s", path);
			k->made++;
			return 0;
		}
	return error_set(err, CELLA_EIO, "no room");
}

static int fake_remove_directory(void *data, const char *path, struct error *err)
{
	struct kernel *k = data;
	struct entry *e = entry_of(k, path);
	if (!e)
		return error_set(err, CELLA_ENOENT, "there is no %s", path);
	e->used = false;
	k->removed++;
	return 0;
}

static struct driver_io io_of(struct kernel *k)
{
	return (struct driver_io){.data = k,
	                          .is_there = fake_is_there,
	                          .read = fake_read,
	                          .write = fake_write,
	                          .make_directory = fake_make_directory,
	                          .remove_directory = fake_remove_directory};
}

/* ---- machines */

static struct maker_files snp_files;
static struct dcap_files td_files, enclave_files;

static struct kernel snp_machine(void)
{
	return (struct kernel){.has_tsm = true,
	                       .has_device = true,
	                       .provider = "sev_guest",
	                       .snp = &snp_files,
	                       .certs = &snp_files.leaf};
}

static struct kernel td_machine(void)
{
	return (struct kernel){.has_tsm = true,
	                       .has_ccel = true,
	                       .has_device = true,
	                       .provider = "tdx_guest",
	                       .quote = &td_files.quote,
	                       .report_data_at = TD_REPORT_DATA_AT};
}

static struct kernel enclave_machine(void)
{
	return (struct kernel){.has_gramine = true,
	                       .attestation_type = "dcap",
	                       .quote = &enclave_files.quote,
	                       .report_data_at = SGX_REPORT_DATA_AT};
}

/* ---- questions */

static const uint8_t wanted[64] = {1, 2, 3, [63] = 64};

static int get(enum tee_kind kind, struct kernel *k, struct driver_evidence *e, struct error *err)
{
	const struct driver_io io = io_of(k);
	*e = (struct driver_evidence){0};
	return driver_get(kind, &io, wanted, e, err);
}

static void assert_gets(enum tee_kind kind, struct kernel k, size_t certs, size_t logs)
{
	struct driver_evidence e;
	struct error err = {0};
	struct tee_blob blobs[2 * DRIVER_BLOBS_MAX];
	struct tee_input input = {.kind = kind};
	struct tee_verdict v = {0};
	char hex[129];
	if (get(kind, &k, &e, &err) != 0)
		fail_msg("%s", err.text);
	assert_int_equal(e.cert_count, certs);
	assert_int_equal(e.event_log_count, logs);
	driver_evidence_input(&e, blobs, &input);
	assert_int_equal(input.cert_count, certs);
	assert_int_equal(input.event_log_count, logs);
	input.event_log_count = 0; /* three bytes are none */
	assert_int_equal(tee_show(&input, &v, &err), 0);
	io_hex(wanted, sizeof(wanted), hex);
	assert_string_equal(tee_claim_named(&v, "report_data")->value, hex);
	assert_int_equal(k.made, k.removed);
	tee_verdict_done(&v);
	driver_evidence_done(&e);
}

static void assert_refuses(enum tee_kind kind, struct kernel k, int code, const char *words)
{
	struct driver_evidence e;
	struct error err = {0};
	const int rc = get(kind, &k, &e, &err);
	if (rc != code || !strstr(err.text, words))
		fail_msg("%d: %s; wanted %d: %s", rc, err.text, code, words);
	assert_int_equal(e.evidence.size, 0);
	assert_int_equal(e.cert_count, 0);
	assert_int_equal(k.made, k.removed);
}

static void test_gives_what_was_asked(void **state)
{
	(void)state;
	struct kernel k = snp_machine();
	assert_gets(TEE_SNP, k, 1, 0);
	k.provider = "sev-snp";
	k.troubles.no_auxblob = true;
	assert_gets(TEE_SNP, k, 0, 0);
	k.troubles = (struct troubles){.empty_auxblob = true};
	assert_gets(TEE_SNP, k, 0, 0);
	k = snp_machine(); /* whose guest runs above the highest privilege: an SVSM has that */
	k.floor = "0";
	assert_gets(TEE_SNP, k, 1, 0);
	k.floor = "2";
	assert_gets(TEE_SNP, k, 1, 0);
	k.troubles.others_after_write = 3;
	assert_gets(TEE_SNP, k, 1, 0);
	k = td_machine();
	assert_gets(TEE_TDX, k, 0, 1);
	k.has_ccel = false;
	assert_gets(TEE_TDX, k, 0, 0);
	k = enclave_machine();
	assert_gets(TEE_SGX, k, 0, 0);
	k.attestation_type = "dcap\n";
	assert_gets(TEE_SGX, k, 0, 0);
	k.attestation_type = NULL;
	assert_gets(TEE_SGX, k, 0, 0);
}

/* The evidence is as good without it: who wants one says so, and reads that there is none. */
static void test_logs_that_cannot_be_had(void **state)
{
	(void)state;
	static const int troubles[] = {CELLA_EPERM, CELLA_ENOENT, CELLA_ELIMIT};
	struct kernel k = td_machine();
	for (size_t i = 0; i < array_count(troubles); i++) {
		k.troubles.log = troubles[i];
		assert_gets(TEE_TDX, k, 0, 0);
	}
	k.troubles.log = 0;
	k.troubles.empty_log = true;
	assert_gets(TEE_TDX, k, 0, 0);
	k.troubles.log = CELLA_EIO;
	struct driver_evidence e;
	struct error err = {0};
	assert_int_equal(get(TEE_TDX, &k, &e, &err), CELLA_EIO);
	assert_non_null(strstr(err.text, "/CCEL"));
}

/* Each a few times, then no more. */
static void test_others_write_meanwhile(void **state)
{
	(void)state;
	const struct troubles some[] = {
		{.others_after_write = 3}, {.others_after_read = 3}, {.busy = 3},
		{.lost_writes = 3},        {.name_taken = 3},        {.others_after_write = 2, .busy = 2},
	};
	for (size_t i = 0; i < array_count(some); i++) {
		struct kernel k = snp_machine();
		k.troubles = some[i];
		assert_gets(TEE_SNP, k, 1, 0);
		k = td_machine();
		k.troubles = some[i];
		assert_gets(TEE_TDX, k, 0, 1);
	}
	struct kernel k = enclave_machine();
	k.troubles.other_thread = 3;
	assert_gets(TEE_SGX, k, 0, 0);
}

static void test_others_never_stop(void **state)
{
	(void)state;
	const struct {
		struct troubles troubles;
		int code;
		const char *words;
	} cases[] = {
		{{.others_after_write = 1000}, CELLA_EAGAIN, "its generation went from"},
		{{.others_after_read = 1000}, CELLA_EAGAIN, "its generation went from"},
		{{.busy = 1000}, CELLA_EAGAIN, "busy"},
		{{.lost_writes = 1000}, CELLA_EAGAIN, "its generation went from"},
		{{.name_taken = 1000}, CELLA_EEXIST, "there is a " TSM "/cella-"},
	};
	for (size_t i = 0; i < array_count(cases); i++) {
		struct kernel k = snp_machine();
		k.troubles = cases[i].troubles;
		assert_refuses(TEE_SNP, k, cases[i].code, cases[i].words);
	}
	struct kernel k = enclave_machine();
	k.troubles.other_thread = 1000;
	assert_refuses(TEE_SGX, k, CELLA_EAGAIN, "another thread");
}

static void test_what_a_machine_lacks(void **state)
{
	(void)state;
	struct kernel k = {0};
	assert_refuses(TEE_SNP, k, CELLA_ENOENT, "there is no " TSM);
	assert_refuses(TEE_TDX, k, CELLA_ENOENT, "there is no " TSM);
	assert_refuses(TEE_SGX, k, CELLA_ENOENT, "does not run in an enclave");
	k = td_machine();
	assert_refuses(TEE_SNP, k, CELLA_ENOENT, "by tdx_guest, not by sev");
	k = snp_machine();
	k.troubles.denied = true;
	assert_refuses(TEE_SNP, k, CELLA_EPERM, "cannot open");
	k.troubles = (struct troubles){.bad_generation = true};
	assert_refuses(TEE_SNP, k, CELLA_EIO, "generation is no number: x");
	k.troubles = (struct troubles){.wrong_report_data = true};
	assert_refuses(TEE_SNP, k, CELLA_EIO, "other report data");
	k = enclave_machine();
	k.attestation_type = "none";
	assert_refuses(TEE_SGX, k, CELLA_EUNSUPPORTED, "is \"none\", wanted \"dcap\"");
	struct buf no_quote = {0};
	buf_put(&no_quote, "no quote at all, but long enough to be read as if it were one", 60);
	k = enclave_machine();
	k.quote = &no_quote;
	k.report_data_at = 0;
	buf_put(&no_quote, (uint8_t[64]){0}, 64);
	assert_refuses(TEE_SGX, k, CELLA_EIO, "/dev/attestation/quote: ");
	buf_done(&no_quote);
	assert_refuses(TEE_TPM, k, CELLA_ENOENT, "there is no /dev/tpmrm0");
	assert_refuses(TEE_AZURE, k, CELLA_ENOENT, "there is no /dev/tpmrm0");
}

static void test_finds_the_kind(void **state)
{
	(void)state;
	struct kernel none = {0}, enclave = enclave_machine(), snp = snp_machine();
	struct driver_io io = io_of(&none);
	enum tee_kind kind;
	struct error err = {0};
	assert_int_equal(driver_find(&io, &kind, &err), CELLA_ENOENT);
	assert_non_null(strstr(err.text, "/dev/sev-guest, /dev/tdx_guest, /dev/attestation/quote"));
	io = io_of(&enclave);
	assert_int_equal(driver_find(&io, &kind, &err), 0);
	assert_int_equal(kind, TEE_SGX);
	io = io_of(&snp);
	assert_int_equal(driver_find(&io, &kind, &err), 0);
	assert_int_equal(kind, TEE_SNP);
}

/* The machine's own files, on a directory. */
static void test_system_files(void **state)
{
	(void)state;
	const struct driver_io *io = &driver_system;
	const char *tmp = getenv("TMPDIR");
	char directory[200], file[240];
	struct buf bytes = {0};
	struct error err = {0};
	snprintf(directory, sizeof(directory), "%s/driver-test", tmp ? tmp : "/tmp");
	snprintf(file, sizeof(file), "%s/file", directory);
	assert_int_equal(io->make_directory(NULL, directory, &err), 0);
	assert_int_equal(io->make_directory(NULL, directory, &err), CELLA_EEXIST);
	assert_true(io->is_there(NULL, directory));
	assert_false(io->is_there(NULL, file));
	assert_int_equal(io->read(NULL, file, 10, &bytes, &err), CELLA_ENOENT);
	assert_int_equal(io->write(NULL, file, "x", 1, &err), CELLA_ENOENT);
	assert_int_equal(io_write_file(file, "", 0, 0600, &err), 0);
	assert_int_equal(io->write(NULL, file, "abc", 3, &err), 0);
	assert_int_equal(io->read(NULL, file, 3, &bytes, &err), 0);
	assert_int_equal(bytes.size, 3);
	assert_memory_equal(bytes.data, "abc", 3);
	assert_int_equal(io->read(NULL, file, 2, &bytes, &err), CELLA_ELIMIT);
	buf_done(&bytes);
	assert_int_equal(remove(file), 0);
	assert_int_equal(io->remove_directory(NULL, directory, &err), 0);
	assert_int_equal(io->remove_directory(NULL, directory, &err), CELLA_ENOENT);
}

static int start(void **state)
{
	(void)state;
	struct error err = {0};
	if (crypto_init(NULL, &err) != 0 || maker_start() != 0 || dcap_start() != 0)
		return -1;
	const struct maker_shape milan = maker_shape(SNP_MILAN, 3, false);
	const struct dcap_shape td = dcap_shape(true, 4), enclave = dcap_shape(false, 3);
	maker_make(&milan, &snp_files);
	dcap_make(&td, &td_files);
	dcap_make(&enclave, &enclave_files);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	maker_done(&snp_files);
	dcap_done(&td_files);
	dcap_done(&enclave_files);
	maker_stop();
	dcap_stop();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gives_what_was_asked),   cmocka_unit_test(test_logs_that_cannot_be_had),
		cmocka_unit_test(test_others_write_meanwhile), cmocka_unit_test(test_others_never_stop),
		cmocka_unit_test(test_what_a_machine_lacks),   cmocka_unit_test(test_finds_the_kind),
		cmocka_unit_test(test_system_files),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
