/* The drivers, and the machine's own files for them. */
#include "attest/driver/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attest/driver/rows.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"

/* ---- files of the machine */

static int code_of(int error)
{
	switch (error) {
	case EAGAIN:
	case EBUSY:
	case EINTR: return CELLA_EAGAIN;
	case ENOENT:
	case ENODEV:
	case ENXIO: return CELLA_ENOENT;
	case EACCES:
	case EPERM: return CELLA_EPERM;
	case EEXIST: return CELLA_EEXIST;
	case ENOMEM: return CELLA_ENOMEM;
	default: return CELLA_EIO;
	}
}

static bool system_is_there(void *data not_used, const char *path)
{
	return access(path, F_OK) == 0;
}

/* Its size is not known before: such files are made when they are read. */
static int read_all(int fd, const char *path, size_t limit, struct buf *ret, struct error *err)
{
	enum { STEP = 65536 };
	const size_t before = ret->size;
	for (;;) {
		uint8_t *at = buf_reserve(ret, STEP);
		if (!at)
			return error_set(err, CELLA_ENOMEM, "no memory to read %s", path);
		const ssize_t n = read(fd, at, STEP);
		const int error = errno;
		ret->size -= STEP - (size_t)max_of(n, (ssize_t)0);
		errno = error;
		if (n < 0)
			return error_errno(err, code_of(error), "cannot read %s", path);
		if (n == 0)
			return 0;
		if (ret->size - before > limit)
			return error_set(err, CELLA_ELIMIT, "%s is larger than the %zu bytes allowed here",
			                 path, limit);
	}
}

static int system_read(void *data not_used, const char *path, size_t limit, struct buf *ret,
                       struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? error_errno(err, code_of(errno), "cannot open %s", path)
	              : read_all(fd, path, limit, ret, err);
}

static int system_write(void *data not_used, const char *path, const void *bytes, size_t size,
                        struct error *err)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return error_errno(err, code_of(errno), "cannot open %s", path);
	const ssize_t n = write(fd, bytes, size);
	int rc = 0;
	if (n < 0)
		rc = error_errno(err, code_of(errno), "cannot write %s", path);
	else if ((size_t)n != size)
		rc = error_set(err, CELLA_EIO, "%s took %zd of %zu bytes", path, n, size);
	if (close(fd) < 0 && rc == 0)
		rc = error_errno(err, code_of(errno), "cannot write %s", path);
	return rc;
}

static int system_make_directory(void *data not_used, const char *path, struct error *err)
{
	return mkdir(path, 0700) < 0 ? error_errno(err, code_of(errno), "cannot make %s", path) : 0;
}

static int system_remove_directory(void *data not_used, const char *path, struct error *err)
{
	return rmdir(path) < 0 ? error_errno(err, code_of(errno), "cannot remove %s", path) : 0;
}

const struct driver_io driver_system = {
	.is_there = system_is_there,
	.read = system_read,
	.write = system_write,
	.make_directory = system_make_directory,
	.remove_directory = system_remove_directory,
};

/* ---- evidence */

void driver_evidence_done(struct driver_evidence *e)
{
	buf_done(&e->evidence);
	for (size_t i = 0; i < e->cert_count; i++)
		buf_done(&e->certs[i].bytes);
	for (size_t i = 0; i < e->event_log_count; i++)
		buf_done(&e->event_logs[i].bytes);
	*e = (struct driver_evidence){0};
}

static void borrow(const struct driver_blob *from, size_t count, struct tee_blob *to)
{
	for (size_t i = 0; i < count; i++)
		to[i] = (struct tee_blob){from[i].bytes.data, from[i].bytes.size, from[i].name};
}

void driver_evidence_input(const struct driver_evidence *e, struct tee_blob *blobs, struct tee_input *input)
{
	borrow(e->certs, e->cert_count, blobs);
	borrow(e->event_logs, e->event_log_count, blobs + DRIVER_BLOBS_MAX);
	input->evidence = (struct tee_blob){e->evidence.data, e->evidence.size, "evidence"};
	input->certs = blobs;
	input->cert_count = e->cert_count;
	input->event_logs = blobs + DRIVER_BLOBS_MAX;
	input->event_log_count = e->event_log_count;
}

int driver_add_log(const struct driver_io *io, const char *path, const char *name, struct driver_evidence *to,
                   struct error *err)
{
	struct driver_blob log = {.name = name};
	struct error why;
	int rc = io->is_there(io->data, path) ? io->read(io->data, path, TEE_BLOB_MAX, &log.bytes, &why)
	                                      : CELLA_ENOENT;
	if (rc == CELLA_ELIMIT)
		log_warn("an event log is left out: %s", why.text);
	if (rc == 0 && log.bytes.size > 0) {
		to->event_logs[to->event_log_count++] = log;
		return 0;
	}
	buf_done(&log.bytes);
	return rc == 0 || rc == CELLA_EPERM || rc == CELLA_ENOENT || rc == CELLA_ELIMIT
	               ? 0
	               : error_set(err, rc, "%s", why.text);
}

/* ---- rows */

static const struct driver_row *const driver_rows[] = {
	&driver_snp, &driver_tdx, &driver_sgx, &driver_azure, &driver_tpm,
};

const struct driver_row *driver_of(enum tee_kind kind)
{
	for (size_t i = 0; i < array_count(driver_rows); i++)
		if (driver_rows[i]->kind == kind)
			return driver_rows[i];
	return NULL;
}

const char *driver_asks(const struct driver_row *row)
{
	return row->found ? row->found() : row->device;
}

int driver_find(const struct driver_io *io, enum tee_kind *ret_kind, struct error *err)
{
	char looked[300] = "";
	size_t used = 0;
	for (size_t i = 0; i < array_count(driver_rows); i++) {
		if (driver_rows[i]->is_present(io)) {
			*ret_kind = driver_rows[i]->kind;
			return 0;
		}
		if (used < sizeof(looked))
			used += (size_t)snprintf(looked + used, sizeof(looked) - used, "%s%s", i ? ", " : "",
			                         driver_rows[i]->device);
	}
	return error_set(err, CELLA_ENOENT,
	                 "nothing here gives evidence of this machine: there is none of %s", looked);
}

/* What came is believed no more than what others send: does it say what was asked for? */
static int check_report_data(enum tee_kind kind, const struct driver_evidence *e,
                             const uint8_t report_data[DRIVER_REPORT_DATA_SIZE], struct error *err)
{
	struct tee_blob blobs[2 * DRIVER_BLOBS_MAX];
	struct tee_input input = {.kind = kind};
	struct tee_verdict verdict = {0};
	char wanted[2 * DRIVER_REPORT_DATA_SIZE + 1];
	driver_evidence_input(e, blobs, &input);
	input.event_log_count = 0; /* which are for the verifier to read */
	int rc = tee_show(&input, &verdict, err);
	if (rc < 0)
		return error_prefix(err, rc == CELLA_EFORMAT ? CELLA_EIO : rc, "the evidence: ");
	io_hex(report_data, DRIVER_REPORT_DATA_SIZE, wanted);
	const struct tee_claim *found = tee_claim_named(&verdict, "report_data");
	if (found && strcmp(found->value, wanted) != 0)
		rc = error_set(err, CELLA_EIO,
		               "the evidence has other report data than was asked for: %.16s…", found->value);
	tee_verdict_done(&verdict);
	return rc;
}

int driver_get(enum tee_kind kind, const struct driver_io *io,
               const uint8_t report_data[DRIVER_REPORT_DATA_SIZE], struct driver_evidence *ret_evidence,
               struct error *err)
{
	const struct driver_row *row = driver_of(kind);
	if (!row)
		return error_set(err, CELLA_EUNSUPPORTED, "this build has no driver for %s",
		                 tee_kind_of(kind) ? tee_kind_of(kind)->title : "this kind of evidence");
	int rc = row->get(io, report_data, ret_evidence, err);
	if (rc == 0)
		rc = check_report_data(kind, ret_evidence, report_data, err);
	if (rc < 0) {
		driver_evidence_done(ret_evidence);
		return error_prefix(err, rc, "evidence of %s by %s: ", tee_kind_of(kind)->title, row->name);
	}
	return 0;
}
