#include "attest/dcap/quote_format.h"

#include <string.h>

#include "base/buf.h"

enum {
	ECDSA_P256 = 2, /* the kind of attestation key that there is */
	SVN_SIZE = 16,
	BODY_SGX = 1, /* of a quote of version 5 */
	BODY_TD10 = 2,
	BODY_TD15 = 3,
};

const uint8_t quote_intel_qe_vendor[16] = {0x93, 0x9A, 0x72, 0x33, 0xF7, 0x9C, 0x4C, 0xA9,
                                           0x94, 0x0A, 0x0D, 0xB3, 0x95, 0x7F, 0x06, 0x07};

static bool skip_zeros(struct reader *r, size_t size)
{
	const uint8_t *bytes = reader_bytes(r, size);
	return bytes && bytes_are_zero(bytes, size);
}

static uint64_t load_u64(const uint8_t *bytes)
{
	struct reader r = reader_of(bytes, sizeof(uint64_t));
	return reader_u64(&r);
}

static void parse_sgx_body(struct reader *r, struct quote_sgx_body *to)
{
	to->cpu_svn = reader_bytes(r, SVN_SIZE);
	to->misc_select = reader_u32(r);
	to->reserved_are_zero = skip_zeros(r, 12);
	to->isv_ext_prod_id = reader_bytes(r, 16);
	to->attributes = reader_bytes(r, 16);
	to->mr_enclave = reader_bytes(r, QUOTE_SGX_MEASUREMENT_SIZE);
	to->reserved_are_zero &= skip_zeros(r, 32);
	to->mr_signer = reader_bytes(r, QUOTE_SGX_MEASUREMENT_SIZE);
	to->reserved_are_zero &= skip_zeros(r, 32);
	to->config_id = reader_bytes(r, 64);
	to->isv_prod_id = reader_u16(r);
	to->isv_svn = reader_u16(r);
	to->config_svn = reader_u16(r);
	to->reserved_are_zero &= skip_zeros(r, 42);
	to->isv_family_id = reader_bytes(r, 16);
	to->report_data = reader_bytes(r, QUOTE_REPORT_DATA_SIZE);
}

static void parse_td_body(struct reader *r, bool is_15, struct quote_td_body *to)
{
	const uint8_t *attributes, *xfam;
	to->tee_tcb_svn = reader_bytes(r, SVN_SIZE);
	to->mr_seam = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->mr_signer_seam = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->seam_attributes = reader_bytes(r, 8);
	attributes = reader_bytes(r, 8);
	xfam = reader_bytes(r, 8);
	to->td_attributes = attributes ? load_u64(attributes) : 0;
	to->xfam = xfam ? load_u64(xfam) : 0;
	to->mr_td = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->mr_config_id = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->mr_owner = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->mr_owner_config = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	for (size_t i = 0; i < QUOTE_RTMRS; i++)
		to->rtmrs[i] = reader_bytes(r, QUOTE_MEASUREMENT_SIZE);
	to->report_data = reader_bytes(r, QUOTE_REPORT_DATA_SIZE);
	to->tee_tcb_svn_2 = is_15 ? reader_bytes(r, SVN_SIZE) : NULL;
	to->mr_service_td = is_15 ? reader_bytes(r, QUOTE_MEASUREMENT_SIZE) : NULL;
}

static int parse_header(struct reader *r, struct quote *to, struct error *err)
{
	to->version = reader_u16(r);
	const uint16_t key_kind = reader_u16(r);
	const uint32_t tee = reader_u32(r);
	to->qe_svn = reader_u16(r);
	to->pce_svn = reader_u16(r);
	to->qe_vendor_id = reader_bytes(r, 16);
	to->user_data = reader_bytes(r, 20);
	if (r->failed)
		return error_set(err, CELLA_EFORMAT, "a quote's header has %d bytes, this is shorter",
		                 QUOTE_HEADER_SIZE);
	if (to->version < 3 || to->version > 5)
		return error_set(err, CELLA_EFORMAT,
		                 "this is no quote of version 3, 4 or 5 (its first bytes say %u)",
		                 to->version);
	if (key_kind != ECDSA_P256)
		return error_set(err, CELLA_EFORMAT,
		                 "the quote's attestation key is of kind %u; only 2, ECDSA with P-256, is "
		                 "supported",
		                 key_kind);
	if (tee != QUOTE_SGX && (tee != QUOTE_TDX || to->version < 4))
		return error_set(err, CELLA_EFORMAT,
		                 "a quote of version %u of TEE type 0x%x is neither of SGX nor of TDX",
		                 to->version, tee);
	to->tee = (enum quote_tee)tee;
	return 0;
}

/* Version 5 says what its body is; before that the TEE's type does. */
static int parse_body(struct reader *r, struct quote *to, struct error *err)
{
	static const uint32_t sizes[] = {[BODY_SGX] = QUOTE_SGX_BODY_SIZE,
	                                 [BODY_TD10] = QUOTE_TD10_BODY_SIZE,
	                                 [BODY_TD15] = QUOTE_TD15_BODY_SIZE};
	uint16_t type = to->tee == QUOTE_SGX ? BODY_SGX : BODY_TD10;
	if (to->version == 5) {
		type = reader_u16(r);
		const uint32_t size = reader_u32(r);
		if (type < BODY_SGX || type > BODY_TD15 || size != sizes[type] ||
		    (type == BODY_SGX) != (to->tee == QUOTE_SGX))
			return error_set(err, CELLA_EFORMAT,
			                 "the quote's body is of type %u and %u bytes, which is none that is "
			                 "known for its TEE",
			                 type, size);
	}
	if (type == BODY_SGX)
		parse_sgx_body(r, &to->sgx);
	else
		parse_td_body(r, type == BODY_TD15, &to->td);
	to->report_data = type == BODY_SGX ? to->sgx.report_data : to->td.report_data;
	to->signed_bytes = r->data;
	to->signed_size = r->at;
	return r->failed ? error_set(err, CELLA_EFORMAT, "the quote ends within its body") : 0;
}

static void parse_qe(struct reader *r, struct quote *to)
{
	to->qe_report = reader_bytes(r, QUOTE_SGX_BODY_SIZE);
	if (to->qe_report) {
		struct reader report = reader_of(to->qe_report, QUOTE_SGX_BODY_SIZE);
		parse_sgx_body(&report, &to->qe);
	}
	to->qe_signature = reader_bytes(r, QUOTE_POINT_SIZE);
	to->qe_auth_size = reader_u16(r);
	to->qe_auth = reader_bytes(r, to->qe_auth_size);
	to->certification = reader_u16(r);
	to->certification_size = reader_u32(r);
	to->certification_data = reader_bytes(r, to->certification_size);
}

static int parse_signature(struct reader *r, struct quote *to, struct error *err)
{
	to->signature = reader_bytes(r, QUOTE_POINT_SIZE);
	to->attestation_key = reader_bytes(r, QUOTE_POINT_SIZE);
	struct reader inner = *r;
	if (to->version >= 4) {
		const uint16_t type = reader_u16(r);
		const uint32_t size = reader_u32(r);
		const uint8_t *bytes = reader_bytes(r, size);
		if (bytes && type != QUOTE_QE_REPORT)
			return error_set(err, CELLA_EFORMAT,
			                 "the quote's certification data are of type %u; version %u has "
			                 "type 6",
			                 type, to->version);
		inner = reader_of(bytes, bytes ? size : 0);
		parse_qe(&inner, to);
	} else {
		parse_qe(&inner, to);
		*r = inner;
	}
	if (!reader_finished(&inner) || !reader_finished(r))
		return error_set(err, CELLA_EFORMAT,
		                 "the lengths within the quote's signature data do not fit together");
	return 0;
}

int quote_parse(const void *data, size_t size, struct quote *ret_quote, struct error *err)
{
	struct quote quote = {0};
	struct reader r = reader_of(data, size);
	int rc = parse_header(&r, &quote, err);
	if (rc == 0)
		rc = parse_body(&r, &quote, err);
	if (rc < 0)
		return rc;
	const uint32_t signature_size = reader_u32(&r);
	const uint8_t *signature = signature_size <= QUOTE_MAX ? reader_bytes(&r, signature_size) : NULL;
	if (!signature)
		return error_set(err, CELLA_EFORMAT,
		                 "the quote ends within its signature data, which are to have %u bytes",
		                 signature_size);
	struct reader inner = reader_of(signature, signature_size);
	rc = parse_signature(&inner, &quote, err);
	if (rc < 0)
		return rc;
	quote.size = r.at;
	quote.trailing_size = size - r.at;
	*ret_quote = quote;
	return 0;
}
