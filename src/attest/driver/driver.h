/*
 * Drivers: how a machine's own hardware is asked for evidence of it, on that machine. What they hand out is
 * what tee_verify (attest/tee.h) takes: the evidence, the certificates that came with it, and the logs whose
 * events it has hashed. Collateral is for whoever verifies.
 *
 * All access to files goes through callbacks, so that each driver is tested by a made kernel, without the
 * hardware. A driver that does not speak through files (a TPM's) leaves them to its own library, and finds
 * its device by itself.
 *
 * Report data may be asked for by several at once where a kernel has one place for it; a driver hands out no
 * evidence with report data that it was not asked for.
 *
 * A driver is one row of driver_rows (driver.c) and a file src/attest/driver_NAME.c.
 */
#ifndef ATTEST_DRIVER_H
#define ATTEST_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "attest/tee.h"
#include "base/buf.h"
#include "base/error.h"

enum {
	DRIVER_REPORT_DATA_SIZE = 64,
	DRIVER_BLOBS_MAX = 8, /* certificate files, event logs */
};

/* Files, by absolute paths. Errors name the path. */
struct driver_io {
	void *data;
	bool (*is_there)(void *data, const char *path);
	/* A whole file, appended. CELLA_EAGAIN: the kernel could not now (EAGAIN, EBUSY, EINTR);
	 * CELLA_ENOENT; CELLA_EPERM; CELLA_ELIMIT; CELLA_EIO. */
	int (*read)(void *data, const char *path, size_t limit, struct buf *ret, struct error *err);
	/* To one that is there, by one write, and closed. The same codes. */
	int (*write)(void *data, const char *path, const void *bytes, size_t size, struct error *err);
	/* CELLA_EEXIST; the same codes. */
	int (*make_directory)(void *data, const char *path, struct error *err);
	int (*remove_directory)(void *data, const char *path, struct error *err);
};
/* The machine's own. */
extern const struct driver_io driver_system;

/* A file beside the evidence. */
struct driver_blob {
	const char *name; /* a constant, as a file is called: "certs.bin", "ccel.bin" */
	struct buf bytes;
};
/* Zeroed, it is empty and valid. */
struct driver_evidence {
	struct buf evidence; /* binary, as tee_input.evidence */
	struct driver_blob certs[DRIVER_BLOBS_MAX];
	size_t cert_count;
	struct driver_blob event_logs[DRIVER_BLOBS_MAX];
	size_t event_log_count;
};
void driver_evidence_done(struct driver_evidence *evidence);
/* What tee_verify takes, borrowed: evidence, certificates and event logs. The rest of *input is not touched;
 * `blobs` has room for 2 * DRIVER_BLOBS_MAX. */
void driver_evidence_input(const struct driver_evidence *evidence, struct tee_blob *blobs,
                           struct tee_input *input);

/* For drivers: a log of the machine's, which a kernel may not have, or let root alone read. Such a one is
 * left out, and with a warning one of more than TEE_BLOB_MAX. */
int driver_add_log(const struct driver_io *io, const char *path, const char *name, struct driver_evidence *to,
                   struct error *err) must_check;

struct driver_row {
	enum tee_kind kind;
	const char *name; /* of the way: "configfs-tsm", "gramine", "tpm2-tss" */
	const char *device; /* for a person: what it looks for */
	const char *(*found)(void); /* likewise: what it asks, where that may be another; NULL: `device` */
	/* Is this machine one of that kind, as far as can be seen without asking it? */
	bool (*is_present)(const struct driver_io *io);
	/* Into *ret_evidence, which is zeroed; what is in it after a failure, driver_get gives back.
	 * CELLA_ENOENT: it is not there; CELLA_EPERM: this user may not; CELLA_EAGAIN: others kept it busy;
	 * CELLA_EIO. */
	int (*get)(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
	           struct driver_evidence *ret_evidence, struct error *err);
};
/* NULL: this build has no driver for that kind. */
const struct driver_row *driver_of(enum tee_kind kind);
/* Of one that is present, for a person: what it asks. */
const char *driver_asks(const struct driver_row *row);
/* The first kind that is present: CELLA_ENOENT with what was looked for. */
int driver_find(const struct driver_io *io, enum tee_kind *ret_kind, struct error *err) must_check;
/* Evidence of this machine with that report data. *ret_evidence is zeroed before the call, and empty again
 * after a failure. */
int driver_get(enum tee_kind kind, const struct driver_io *io,
               const uint8_t report_data[DRIVER_REPORT_DATA_SIZE], struct driver_evidence *ret_evidence,
               struct error *err) must_check;

#endif
