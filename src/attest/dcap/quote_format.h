/*
 * Quotes of Intel's DCAP, versions 3 (SGX), 4 (SGX, TDX 1.0) and 5 (SGX, TDX 1.0 and 1.5): Intel SGX ECDSA
 * QuoteLibReference (DCAP 1.21), appendix A; Intel TDX DCAP Quoting Library API (DCAP 1.21), appendix A.3.
 * docs/protocols/hardware-evidence.md has the offsets.
 *
 * All numbers are little-endian. A quote is a header, a body (an SGX report, or a TD's report), both of which
 * the attestation key signs, and then that signature, the key, the report of the quoting enclave (QE) that
 * made the key, the signature of that report by the platform's PCK, and how to find the PCK. Whatever follows
 * the signature data belongs to nobody: kernels hand quotes out in areas that are larger.
 *
 * What is decoded points into the quote's bytes.
 */
#ifndef ATTEST_QUOTE_FORMAT_H
#define ATTEST_QUOTE_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	QUOTE_MAX = 64 << 10,        /* bytes that belong to one */
	QUOTE_HEADER_SIZE = 48,
	QUOTE_SGX_BODY_SIZE = 384,   /* of an SGX report, the QE's also */
	QUOTE_TD10_BODY_SIZE = 584,
	QUOTE_TD15_BODY_SIZE = 648,
	QUOTE_POINT_SIZE = 64,       /* x || y, and r || s */
	QUOTE_SVNS = 16,
	QUOTE_RTMRS = 4,
	QUOTE_MEASUREMENT_SIZE = 48, /* of a TD: SHA-384 */
	QUOTE_SGX_MEASUREMENT_SIZE = 32,
	QUOTE_REPORT_DATA_SIZE = 64,
};

enum quote_tee { QUOTE_SGX = 0x0, QUOTE_TDX = 0x81 };

/* How the PCK's certificate is to be found. */
enum quote_certification {
	QUOTE_PCK_CHAIN = 5,  /* it and the CAs' in PEM */
	QUOTE_QE_REPORT = 6, /* in quotes of version 4 and later: the QE's report with another one inside */
};

/* An SGX report's body: of an enclave, or of the QE. */
struct quote_sgx_body {
	const uint8_t *cpu_svn; /* 16 */
	uint32_t misc_select;
	const uint8_t *isv_ext_prod_id; /* 16 */
	const uint8_t *attributes; /* 16: flags, then XFRM */
	const uint8_t *mr_enclave; /* 32 */
	const uint8_t *mr_signer; /* 32 */
	const uint8_t *config_id; /* 64 */
	uint16_t isv_prod_id;
	uint16_t isv_svn;
	uint16_t config_svn;
	const uint8_t *isv_family_id; /* 16 */
	const uint8_t *report_data; /* 64 */
	bool reserved_are_zero;
};
enum {
	QUOTE_SGX_INIT = 0x1, /* bits of the first byte of the attributes */
	QUOTE_SGX_DEBUG = 0x2,
	QUOTE_SGX_MODE64BIT = 0x4,
};

struct quote_td_body {
	const uint8_t *tee_tcb_svn; /* 16: of the TDX module that launched it */
	const uint8_t *mr_seam; /* 48 */
	const uint8_t *mr_signer_seam; /* 48 */
	const uint8_t *seam_attributes; /* 8 */
	uint64_t td_attributes;
	uint64_t xfam;
	const uint8_t *mr_td; /* 48 */
	const uint8_t *mr_config_id; /* 48 */
	const uint8_t *mr_owner; /* 48 */
	const uint8_t *mr_owner_config; /* 48 */
	const uint8_t *rtmrs[QUOTE_RTMRS]; /* 48 each */
	const uint8_t *report_data; /* 64 */
	const uint8_t *tee_tcb_svn_2; /* 16: of the module that runs now; NULL: not of version 1.5 */
	const uint8_t *mr_service_td; /* 48; NULL */
};

struct quote {
	uint16_t version;
	enum quote_tee tee;
	uint16_t qe_svn, pce_svn; /* of version 3 alone */
	const uint8_t *qe_vendor_id; /* 16 */
	const uint8_t *user_data; /* 20 */
	struct quote_sgx_body sgx; /* by `tee` one of the two */
	struct quote_td_body td;
	const uint8_t *report_data; /* the body's, 64 */

	const uint8_t *signed_bytes; /* header and body */
	size_t signed_size;
	const uint8_t *signature; /* of these, 64 */
	const uint8_t *attestation_key; /* 64 */
	const uint8_t *qe_report; /* QUOTE_SGX_BODY_SIZE, signed with the PCK */
	struct quote_sgx_body qe;
	const uint8_t *qe_signature; /* 64 */
	const uint8_t *qe_auth;
	size_t qe_auth_size;
	uint16_t certification; /* of enum quote_certification, or another number */
	const uint8_t *certification_data;
	size_t certification_size;
	size_t size; /* of all this */
	size_t trailing_size; /* what follows */
};

/* The QE that Intel signs. */
extern const uint8_t quote_intel_qe_vendor[16];

/* The quote borrows `data`. CELLA_EFORMAT; *ret_quote is untouched then. */
int quote_parse(const void *data, size_t size, struct quote *ret_quote, struct error *err) must_check;

#endif
