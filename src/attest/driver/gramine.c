/*
 * The driver of SGX enclaves under Gramine: its files in /dev/attestation (its documentation, "Attestation
 * and Secret Provisioning"). Report data are written to `user_report_data`, then `quote` is read.
 *
 * These files are one set for all threads of the process: if another one writes report data in between, the
 * quote has those. So the quote is looked into, and asked for again.
 */
#include <string.h>

#include "attest/dcap/quote_format.h"
#include "attest/driver/rows.h"
#include "base/cleanup.h"
#include "crypto/crypto.h"

#define GRAMINE "/dev/attestation"

enum { ATTEMPTS = 8, TYPE_MAX = 32 };

static bool is_present(const struct driver_io *io)
{
	return io->is_there(io->data, GRAMINE "/quote");
}

/* Gramine has the files also where its manifest allows no attestation. */
static int check_type(const struct driver_io *io, struct error *err)
{
	static const char path[] = GRAMINE "/attestation_type";
	cleanup_buf struct buf type = {0};
	if (!io->is_there(io->data, path)) /* before Gramine 1.3 */
		return 0;
	int rc = io->read(io->data, path, TYPE_MAX, &type, err);
	if (rc < 0)
		return rc;
	buf_put(&type, "", 1);
	if (type.failed)
		return error_set(err, CELLA_ENOMEM, "no memory to read %s", path);
	char *text = (char *)type.data;
	text[strcspn(text, "\n ")] = '\0';
	return strcmp(text, "dcap") == 0 ? 0
	                                 : error_set(err, CELLA_EUNSUPPORTED,
	                                             "%s is \"%s\", wanted \"dcap\": the manifest needs "
	                                             "sgx.remote_attestation = \"dcap\"",
	                                             path, text);
}

static int attempt(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
                   struct buf *ret, struct error *err)
{
	struct quote quote;
	int rc = io->write(io->data, GRAMINE "/user_report_data", report_data, DRIVER_REPORT_DATA_SIZE, err);
	if (rc == 0)
		rc = io->read(io->data, GRAMINE "/quote", QUOTE_MAX, ret, err);
	if (rc == 0)
		rc = quote_parse(ret->data, ret->size, &quote, err);
	if (rc < 0)
		return rc == CELLA_EFORMAT ? error_prefix(err, CELLA_EIO, "%s/quote: ", GRAMINE) : rc;
	return crypto_equal(quote.report_data, report_data, DRIVER_REPORT_DATA_SIZE)
	               ? 0
	               : error_set(err, CELLA_EAGAIN,
	                           "another thread of this enclave asked for quotes meanwhile: they have "
	                           "its report data");
}

static int get(const struct driver_io *io, const uint8_t report_data[DRIVER_REPORT_DATA_SIZE],
               struct driver_evidence *ret, struct error *err)
{
	if (!is_present(io))
		return error_set(err, CELLA_ENOENT,
		                 "there is no %s/quote: this process does not run in an enclave of Gramine's",
		                 GRAMINE);
	int rc = check_type(io, err);
	if (rc == 0)
		rc = CELLA_EAGAIN;
	for (int i = 0; rc == CELLA_EAGAIN && i < ATTEMPTS; i++) {
		driver_evidence_done(ret);
		rc = attempt(io, report_data, &ret->evidence, err);
	}
	return rc;
}

const struct driver_row driver_sgx = {
	.kind = TEE_SGX,
	.name = "gramine",
	.device = GRAMINE "/quote",
	.is_present = is_present,
	.get = get,
};
