/* cella evidence get: evidence of this machine, as files that `cella evidence verify` takes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "attest/driver/driver.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/evidence/verb.h"
#include "crypto/crypto.h"

enum { PATH_SIZE = 4096, MODE = 0644 };

static int write_blob(const char *directory, const char *name, const struct buf *bytes, struct error *err)
{
	char path[PATH_SIZE];
	if (snprintf(path, sizeof(path), "%s/%s", directory, name) >= (int)sizeof(path))
		return error_set(err, CELLA_EINVAL, "the path %.60s... is too long", directory);
	return io_replace_file(path, bytes->data, bytes->size, MODE, err);
}

static int write_list(const char *directory, const struct driver_blob *list, size_t count, struct error *err)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = write_blob(directory, list[i].name, &list[i].bytes, err);
	return rc;
}

static void print_list(const char *option, const char *directory, const struct driver_blob *list,
                       size_t count)
{
	if (count)
		printf(" %s", option);
	for (size_t i = 0; i < count; i++)
		printf(" %s/%s", directory, list[i].name);
}

static int write_files(const char *directory, enum tee_kind kind, const struct driver_evidence *e,
                       const uint8_t report_data[DRIVER_REPORT_DATA_SIZE], struct error *err)
{
	char hex[2 * DRIVER_REPORT_DATA_SIZE + 1];
	if (mkdir(directory, 0755) < 0 && errno != EEXIST)
		return error_errno(err, CELLA_EIO, "cannot make the directory %s", directory);
	int rc = write_blob(directory, "evidence.bin", &e->evidence, err);
	if (rc == 0)
		rc = write_list(directory, e->certs, e->cert_count, err);
	if (rc == 0)
		rc = write_list(directory, e->event_logs, e->event_log_count, err);
	if (rc < 0)
		return rc;
	io_hex(report_data, DRIVER_REPORT_DATA_SIZE, hex);
	printf("cella evidence verify --tee %s --evidence %s/evidence.bin", tee_kind_of(kind)->name,
	       directory);
	print_list("--certs", directory, e->certs, e->cert_count);
	print_list("--event-log", directory, e->event_logs, e->event_log_count);
	printf(" --report-data %s\n", hex);
	return 0;
}

/* What is asked for, followed by zeros; without it what nobody can have known before. */
static int choose_report_data(const char *hex, uint8_t ret[DRIVER_REPORT_DATA_SIZE], struct error *err)
{
	size_t size = 0;
	if (!hex)
		return crypto_random(ret, DRIVER_REPORT_DATA_SIZE, err);
	memset(ret, 0, DRIVER_REPORT_DATA_SIZE);
	return evidence_report_data(hex, ret, &size, err);
}

int evidence_get(const struct evidence_options *o, struct error *err)
{
	uint8_t report_data[DRIVER_REPORT_DATA_SIZE];
	struct driver_evidence e = {0};
	enum tee_kind kind;
	if (!o->out)
		return error_set(err, CELLA_EINVAL, "--out is missing: where the evidence is to be written");
	int rc = o->tee ? tee_kind_parse(o->tee, &kind, err) : driver_find(&driver_system, &kind, err);
	if (rc == 0)
		rc = choose_report_data(o->report_data, report_data, err);
	if (rc == 0)
		rc = driver_get(kind, &driver_system, report_data, &e, err);
	if (rc == 0)
		rc = write_files(o->out, kind, &e, report_data, err);
	driver_evidence_done(&e);
	return rc;
}
