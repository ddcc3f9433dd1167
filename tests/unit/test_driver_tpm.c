/*
 * Which machines are taken for ones with a TPM, and which for Azure's? What a TPM itself answers is asked of
 * a software TPM: integration/evidence_tpm.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "attest/driver/driver.h"

#define TAG "/sys/class/dmi/id/chassis_asset_tag"

/* A kernel with two files. */
struct kernel {
	bool has_tpm;
	const char *tag; /* NULL: there is none */
	int trouble;     /* of reading it */
};

static bool is_there(void *data, const char *path)
{
	const struct kernel *k = data;
	return strcmp(path, TAG) == 0 ? k->tag != NULL : k->has_tpm && strcmp(path, "/dev/tpmrm0") == 0;
}

static int read_file(void *data, const char *path, size_t limit, struct buf *ret, struct error *err)
{
	const struct kernel *k = data;
	assert_string_equal(path, TAG);
	if (k->trouble)
		return error_set(err, k->trouble, "cannot read it");
	if (strlen(k->tag) > limit)
		return error_set(err, CELLA_ELIMIT, "it is too large");
	buf_put(ret, k->tag, strlen(k->tag));
	return 0;
}

static void test_finds_the_kind(void **state)
{
	(void)state;
	static const struct {
		struct kernel kernel;
		int kind; /* -1: none */
	} rows[] = {
		{{.has_tpm = false}, -1},
		{{.has_tpm = true}, TEE_TPM},
		{{.has_tpm = true, .tag = "No Asset Tag\n"}, TEE_TPM},
		{{.has_tpm = true, .tag = ""}, TEE_TPM},
		{{.has_tpm = true, .tag = "7783-7084-3265-9085-8269-3286-77\n"}, TEE_AZURE},
		{{.has_tpm = true, .tag = "7783-7084-3265-9085-8269-3286-77"}, TEE_AZURE},
		{{.has_tpm = true, .tag = "7783-7084-3265-9085-8269-3286-7"}, TEE_TPM},
		{{.has_tpm = true, .tag = "7783-7084-3265-9085-8269-3286-77 and more than fits there"},
	         TEE_TPM},
		{{.has_tpm = true, .tag = "7783-7084-3265-9085-8269-3286-77\n", .trouble = CELLA_EPERM},
	         TEE_TPM},
		{{.has_tpm = false, .tag = "7783-7084-3265-9085-8269-3286-77\n"}, -1},
	};
	for (size_t i = 0; i < array_count(rows); i++) {
		struct kernel kernel = rows[i].kernel;
		const struct driver_io io = {.data = &kernel, .is_there = is_there, .read = read_file};
		enum tee_kind kind = TEE_KINDS;
		struct error err = {0};
		const int rc = driver_find(&io, &kind, &err);
		assert_int_equal(rc, rows[i].kind < 0 ? CELLA_ENOENT : 0);
		if (rc == 0)
			assert_int_equal(kind, rows[i].kind);
		else
			assert_non_null(strstr(err.text, "/dev/tpmrm0"));
	}
}

static void test_there_is_none(void **state)
{
	(void)state;
	static const enum tee_kind kinds[] = {TEE_TPM, TEE_AZURE};
	const uint8_t report_data[DRIVER_REPORT_DATA_SIZE] = {0};
	for (size_t i = 0; i < array_count(kinds); i++) {
		struct kernel kernel = {.tag = "7783-7084-3265-9085-8269-3286-77\n"};
		const struct driver_io io = {.data = &kernel, .is_there = is_there, .read = read_file};
		struct driver_evidence evidence = {0};
		struct error err = {0};
		assert_int_equal(driver_get(kinds[i], &io, report_data, &evidence, &err), CELLA_ENOENT);
		assert_non_null(strstr(err.text, "there is no /dev/tpmrm0"));
		assert_null(evidence.evidence.data);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_the_kind),
		cmocka_unit_test(test_there_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
