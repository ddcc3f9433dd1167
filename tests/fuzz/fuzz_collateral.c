/*
 * Do files of collateral and the documents that Intel signs stay inside themselves? Byte 0 says what follows:
 * 'f' a file, 't' TCB info, 'q' a QE identity, 'x' the SGX extension of a PCK certificate.
 */
#include <stdlib.h>
#include <string.h>

#include "attest/dcap/collateral_format.h"
#include "attest/dcap/pck_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(const struct tcb_levels *levels)
{
	if (levels->count == 0 || levels->count > TCB_LEVELS_MAX)
		abort();
	for (size_t i = 0; i < levels->count; i++)
		if (strlen(tcb_status_name(levels->levels[i].status)) == 0)
			abort();
}

static void tcb_info(const void *data, size_t size)
{
	struct tcb_info info;
	if (tcb_info_read(data, size, &info, NULL) < 0)
		return;
	look_at(&info.levels);
	for (size_t i = 0; i < info.module_count; i++)
		look_at(&info.modules[i].levels);
	if (info.is_tdx != info.has_module)
		abort();
	tcb_info_done(&info);
}

static void qe_identity(const void *data, size_t size)
{
	struct qe_identity identity;
	if (qe_identity_read(data, size, &identity, NULL) < 0)
		return;
	look_at(&identity.levels);
	qe_identity_done(&identity);
}

static void file(const void *data, size_t size)
{
	struct collateral_file read;
	if (collateral_file_read(data, size, &read, NULL) < 0)
		return;
	if (read.cert_count > COLLATERAL_CERTS_MAX)
		abort();
	if (read.tcb_info.bytes)
		tcb_info(read.tcb_info.bytes, read.tcb_info.size);
	if (read.qe_identity.bytes)
		qe_identity(read.qe_identity.bytes, read.qe_identity.size);
	collateral_file_done(&read);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pck_platform platform;
	if (size == 0)
		return -1;
	switch (data[0]) {
	case 'f': file(data + 1, size - 1); break;
	case 't': tcb_info(data + 1, size - 1); break;
	case 'q': qe_identity(data + 1, size - 1); break;
	case 'x': (void)!pck_read(data + 1, size - 1, &platform, NULL); break;
	default: return -1;
	}
	return 0;
}
