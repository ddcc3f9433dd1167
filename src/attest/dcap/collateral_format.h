/*
 * What Intel says of its platforms, and signs: TCB info of a family of platforms (versions 2 and 3, of SGX
 * and TDX) and the identity of the quoting enclave. Intel SGX and TDX Provisioning Certification Service, API
 * version 4, "Get SGX TCB Info", "Get TDX TCB Info", "Get (TD) Quoting Enclave Identity".
 *
 * Both are JSON in JSON. The signature, ECDSA with P-256 as r || s, is over the bytes of the member as they
 * were served, hence they are cut out of the text where they stand and read from there: what is checked and
 * what is believed are the same bytes. Members that are not known here are passed over, for Intel adds some;
 * no member may be there twice.
 *
 * A file of collateral is one of:
 *   {"tcbInfo": {...}, "signature": "..."} or {"enclaveIdentity": {...}, "signature": "..."}, as served;
 *   a set, as tools keep it: an object of strings tcb_info, tcb_info_signature, tcb_info_issuer_chain,
 *   qe_identity, qe_identity_signature, qe_identity_issuer_chain, pck_crl, pck_crl_issuer_chain, root_ca_crl,
 *   pck_certificate_chain; the two documents with or without their outer object, the CRLs in hexadecimal or
 *   PEM, the chains in PEM.
 */
#ifndef ATTEST_COLLATERAL_FORMAT_H
#define ATTEST_COLLATERAL_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	COLLATERAL_MAX = 1 << 20,       /* bytes of a file */
	COLLATERAL_DEPTH_MAX = 12,      /* objects and arrays in each other */
	COLLATERAL_MEMBERS_MAX = 32,    /* of an outermost object */
	COLLATERAL_SIGNATURE_SIZE = 64,
	COLLATERAL_CERTS_MAX = 6,       /* strings of certificates and CRLs in a set */
	TCB_LEVELS_MAX = 64,
	TCB_ADVISORIES_MAX = 256,       /* of one level */
	TCB_COMPONENTS = 16,
	TCB_MODULES_MAX = 16,
	TCB_FMSPC_SIZE = 6,
	TCB_PCE_ID_SIZE = 2,
};

/* The first seven are Intel's texts; the last two the DCAP library's for a TD that was launched by a module
 * that is out of date and now runs on one that is not. */
enum tcb_status {
	TCB_UP_TO_DATE,
	TCB_SW_HARDENING_NEEDED,
	TCB_CONFIGURATION_NEEDED,
	TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED,
	TCB_OUT_OF_DATE,
	TCB_OUT_OF_DATE_CONFIGURATION_NEEDED,
	TCB_REVOKED,
	TCB_TD_RELAUNCH_ADVISED,
	TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
	TCB_STATUSES,
};
const char *tcb_status_name(enum tcb_status status); /* "UpToDate" */

/* Of a platform it has components and a PCE's number, of an enclave or a TDX module only isvsvn. */
struct tcb_level {
	uint8_t sgx[TCB_COMPONENTS], tdx[TCB_COMPONENTS];
	uint16_t pce_svn;
	uint16_t isv_svn;
	int64_t date;
	enum tcb_status status;
	const json_t *advisories; /* an array of strings, or NULL; of the document */
};
struct tcb_levels {
	size_t count;
	struct tcb_level *levels; /* in the document's order, the best first */
};

struct tdx_module {
	char id[16]; /* "TDX_03"; "" of the one that is named outside of the list */
	uint8_t mr_signer[48];
	uint8_t attributes[8], attributes_mask[8];
	struct tcb_levels levels;
};

struct tcb_info {
	bool is_tdx;
	uint32_t version;
	int64_t issued, next_update;
	uint32_t evaluation_number;
	uint8_t fmspc[TCB_FMSPC_SIZE], pce_id[TCB_PCE_ID_SIZE];
	struct tcb_levels levels;
	bool has_module;
	struct tdx_module module; /* of TDX 1.0 */
	size_t module_count; /* by version, of TDX 1.5 */
	struct tdx_module modules[TCB_MODULES_MAX];
	json_t *json;
};

struct qe_identity {
	bool is_tdx; /* "TD_QE"; else "QE" */
	uint32_t version;
	int64_t issued, next_update;
	uint32_t evaluation_number;
	uint8_t misc_select[4], misc_select_mask[4];
	uint8_t attributes[16], attributes_mask[16];
	uint8_t mr_signer[32];
	uint16_t isv_prod_id;
	struct tcb_levels levels;
	json_t *json;
};

/* From the signed bytes. CELLA_EFORMAT with the member; CELLA_ENOMEM. */
int tcb_info_read(const void *json, size_t size, struct tcb_info *ret_info, struct error *err) must_check;
void tcb_info_done(struct tcb_info *info);
int qe_identity_read(const void *json, size_t size, struct qe_identity *ret_identity,
                     struct error *err) must_check;
void qe_identity_done(struct qe_identity *identity);

/* The signed bytes of a document, copied as they stood, and their signature. */
struct collateral_document {
	char *bytes; /* NULL: it is not there */
	size_t size;
	uint8_t signature[COLLATERAL_SIGNATURE_SIZE];
};
struct collateral_file {
	struct collateral_document tcb_info, qe_identity;
	size_t cert_count;
	char *certs[COLLATERAL_CERTS_MAX]; /* chains and CRLs as vendor_certs_add reads them */
};
/* Does it begin as JSON does? Else it is something for vendor_certs_add. */
bool collateral_is_json(const void *data, size_t size);
int collateral_file_read(const void *data, size_t size, struct collateral_file *ret_file,
                         struct error *err) must_check;
void collateral_file_done(struct collateral_file *file);

#endif
