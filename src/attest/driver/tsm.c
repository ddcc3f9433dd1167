/*
 * The driver of confidential virtual machines: the kernel's configfs-tsm (Linux 6.7; its
 * Documentation/ABI/testing/configfs-tsm-report).
 *
 * A directory below /sys/kernel/config/tsm/report is a request: its file `inblob` takes the report data,
 * `outblob` is the evidence, `auxblob` what came with it (certificates, of SEV-SNP), `provider` the format.
 * `generation` grows by one with each write, whoever writes: as it was before our one write, plus one, it
 * must be when all has been read, or somebody else wrote in between, and it is done again. The kernel takes
 * the bytes of a binary file when that is closed, and then tells nobody whether it did: the generation tells.
 *
 * `privlevel` takes the privilege level that the evidence is to be of, where there are several: it is the
 * highest that this guest may have.
 *
 * Our directory has a name that nobody else takes, so there is nobody who writes in between unless he means
 * to. It is removed afterwards.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attest/driver/rows.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "crypto/crypto.h"

#define TSM "/sys/kernel/config/tsm/report"
#define CCEL "/sys/firmware/acpi/tables/data/CCEL"

enum {
	ATTEMPTS = 8,
	TEXT_MAX = 256,
	BLOB_MAX = 1 << 20,
	RANDOM_SIZE = 8,
	PATH_SIZE = 128,
};

struct request {
	const struct driver_io *io;
	char directory[PATH_SIZE];
};

static void path_of(const struct request *q, const char *name, char to[PATH_SIZE + 16])
{
	snprintf(to, PATH_SIZE + 16, "%s/%s", q->directory, name);
}

static int read_blob(const struct request *q, const char *name, size_t limit, struct buf *ret,
                     struct error *err)
{
	char path[PATH_SIZE + 16];
	path_of(q, name, path);
	return q->io->read(q->io->data, path, limit, ret, err);
}

/* A line, without its end. */
static int read_text(const struct request *q, const char *name, char to[TEXT_MAX], struct error *err)
{
	cleanup_buf struct buf file = {0};
	int rc = read_blob(q, name, TEXT_MAX - 1, &file, err);
	if (rc < 0)
		return rc;
	if (file.size)
		memcpy(to, file.data, file.size);
	to[file.size] = '\0';
	to[strcspn(to, "\n")] = '\0';
	return 0;
}

static int read_generation(const struct request *q, unsigned long long *ret_generation, struct error *err)
{
	char text[TEXT_MAX], *end;
	int rc = read_text(q, "generation", text, err);
	if (rc < 0)
		return rc;
	*ret_generation = strtoull(text, &end, 10);
	return *text && !*end
	               ? 0
	               : error_set(err, CELLA_EIO, "%s/generation is no number: %.40s", q->directory, text);
}

static int check_provider(const struct request *q, const char *wanted, struct error *err)
{
	char provider[TEXT_MAX];
	int rc = read_text(q, "provider", provider, err);
	if (rc == 0 && strncmp(provider, wanted, strlen(wanted)) != 0)
		rc = error_set(err, CELLA_ENOENT,
		               "this machine gives evidence by %.40s, not by %s…: it is of another kind",
		               provider, wanted);
	return rc;
}

/* Of SEV-SNP: a guest below an SVSM may not speak for the highest level, which is the default. */
static int choose_level(const struct request *q, struct error *err)
{
	char path[PATH_SIZE + 16], floor[TEXT_MAX];
	path_of(q, "privlevel_floor", path);
	if (!q->io->is_there(q->io->data, path))
		return 0;
	int rc = read_text(q, "privlevel_floor", floor, err);
	path_of(q, "privlevel", path);
	return rc < 0 || strcmp(floor, "0") == 0 ? rc
	                                         : q->io->write(q->io->data, path, floor, strlen(floor), err);
}

static int begin(struct request *q, struct error *err)
{
	uint8_t random[RANDOM_SIZE];
	char hex[2 * RANDOM_SIZE + 1];
	int rc = CELLA_EEXIST;
	if (!q->io->is_there(q->io->data, TSM))
		return error_set(
			err, CELLA_ENOENT,
			"there is no %s: this is no confidential virtual machine, its kernel is older "
			"than Linux 6.7, or configfs is not mounted",
			TSM);
	for (int i = 0; rc == CELLA_EEXIST && i < ATTEMPTS; i++) {
		rc = crypto_random(random, sizeof(random), err);
		if (rc < 0)
			return rc;
		io_hex(random, sizeof(random), hex);
		snprintf(q->directory, sizeof(q->directory), "%s/cella-%s", TSM, hex);
		rc = q->io->make_directory(q->io->data, q->directory, err);
	}
	return rc;
}

/* CELLA_EAGAIN: somebody wrote in between, or the kernel says so. */
static int attempt(const struct request *q, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
                   struct driver_evidence *ret, struct error *err)
{
	char path[PATH_SIZE + 16];
	unsigned long long before, after;
	struct error why;
	path_of(q, "inblob", path);
	int rc = read_generation(q, &before, err);
	if (rc == 0)
		rc = q->io->write(q->io->data, path, report_data, DRIVER_REPORT_DATA_SIZE, err);
	if (rc == 0)
		rc = read_blob(q, "outblob", TEE_EVIDENCE_MAX, &ret->evidence, err);
	if (rc < 0)
		return rc;
	/* Not every provider has it, and not every host gives certificates. */
	ret->certs[0].name = "certs.bin";
	ret->cert_count = 1;
	rc = read_blob(q, "auxblob", BLOB_MAX, &ret->certs[0].bytes, &why);
	if (rc == CELLA_EAGAIN)
		return error_set(err, rc, "%s", why.text);
	if (rc < 0 || !ret->certs[0].bytes.size) {
		buf_done(&ret->certs[0].bytes);
		ret->cert_count = 0;
	}
	rc = read_generation(q, &after, err);
	if (rc == 0 && after != before + 1)
		rc = error_set(err, CELLA_EAGAIN,
		               "others wrote to %s meanwhile: its generation went from %llu to %llu, wanted "
		               "%llu",
		               q->directory, before, after, before + 1);
	return rc;
}

static int get(const struct driver_io *io, const char *provider,
               const uint8_t report_data[DRIVER_REPORT_DATA_SIZE], struct driver_evidence *ret,
               struct error *err)
{
	struct request q = {.io = io};
	int rc = begin(&q, err);
	if (rc < 0)
		return rc;
	rc = check_provider(&q, provider, err);
	if (rc == 0)
		rc = choose_level(&q, err);
	if (rc == 0)
		rc = CELLA_EAGAIN;
	for (int i = 0; rc == CELLA_EAGAIN && i < ATTEMPTS; i++) {
		driver_evidence_done(ret);
		rc = attempt(&q, report_data, ret, err);
	}
	/* What is left over harms nobody, and a failure here hides no other. */
	(void)!io->remove_directory(io->data, q.directory, NULL);
	return rc;
}

static bool snp_is_present(const struct driver_io *io)
{
	return io->is_there(io->data, "/dev/sev-guest");
}

static bool tdx_is_present(const struct driver_io *io)
{
	return io->is_there(io->data, "/dev/tdx_guest");
}

static int snp_get(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
                   struct driver_evidence *ret, struct error *err)
{
	return get(io, "sev", report_data, ret, err);
}

/* With the log of the events that the RTMRs have hashed, where firmware and kernel keep one. */
static int tdx_get(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
                   struct driver_evidence *ret, struct error *err)
{
	int rc = get(io, "tdx", report_data, ret, err);
	return rc < 0 ? rc : driver_add_log(io, CCEL, "ccel.bin", ret, err);
}

const struct driver_row driver_snp = {
	.kind = TEE_SNP,
	.name = "configfs-tsm",
	.device = "/dev/sev-guest",
	.is_present = snp_is_present,
	.get = snp_get,
};

const struct driver_row driver_tdx = {
	.kind = TEE_TDX,
	.name = "configfs-tsm",
	.device = "/dev/tdx_guest",
	.is_present = tdx_is_present,
	.get = tdx_get,
};
