/*
 * For tests of TDX and SGX: a maker of processors of our own. It certifies platforms as Intel does, publishes
 * CRLs, TCB info and a QE identity, and its quoting enclaves sign quotes; each thing can be made wrong.
 *
 * What it publishes, with components as all of SGX and the first and third of TDX, and PCE 10 or later:
 *   5 UpToDate; 4 SWHardeningNeeded; 3 ConfigurationNeeded; 2 OutOfDateConfigurationNeeded; 1 OutOfDate;
 *   0 Revoked; their advisories are INTEL-SA-00005 to 0.
 * The TDX module's versions, of TDX_01: 5 UpToDate, 3 OutOfDate, 1 Revoked; of TDX_03: 2 UpToDate.
 * The quoting enclave's: 8 UpToDate, 6 OutOfDate, 5 Revoked.
 */
#ifndef DCAP_SUPPORT_H
#define DCAP_SUPPORT_H

#include "attest/tee.h"
#include "base/buf.h"
#include "crypto/vendor_cert.h"

enum { DCAP_TIME = 1750000000, DCAP_DAY = 86400, DCAP_YEAR = 31536000 };

/* What can be wrong, each alone. */
enum dcap_flaw {
	DCAP_RIGHT,
	DCAP_QUOTE_BY_ANOTHER,    /* signed with a key that the quote does not name */
	DCAP_KEY_UNREPORTED,      /* the QE reports another attestation key */
	DCAP_AUTH_CHANGED,        /* the QE's authentication data */
	DCAP_QE_BY_ANOTHER,       /* its report is not signed by the PCK */
	DCAP_NOT_VENDOR,          /* the quote names another maker of quoting enclaves */
	DCAP_NO_CHAIN,            /* the quote brings no certificates */
	DCAP_PCK_BY_ANOTHER,      /* the PCK's certificate is not signed by its CA */
	DCAP_PCK_NAME,            /* it is called something else */
	DCAP_PCK_OF_ROOT,         /* the root signed it, no CA between */
	DCAP_PCK_EXPIRED,
	DCAP_CA_OTHER_NAME,       /* another CA of the root's signed it */
	DCAP_ANOTHER_ROOT,        /* the root has another key than the pinned one */
	DCAP_PCK_REVOKED,
	DCAP_CA_REVOKED,
	DCAP_SIGNER_REVOKED,
	DCAP_CRL_BY_ANOTHER,      /* the PCK CA's CRL */
	DCAP_CRL_EXPIRED,
	DCAP_NO_PCK_CRL,
	DCAP_NO_ROOT_CRL,
	DCAP_TCB_CHANGED,         /* one byte of a signed document */
	DCAP_TCB_BY_PCK,          /* signed with the platform's own key, which is below the same root */
	DCAP_TCB_BY_ANOTHER,
	DCAP_TCB_SIGNER_OF_CA,    /* by one called as the signer is, whom a PCK CA certified */
	DCAP_TCB_OTHER_FMSPC,
	DCAP_TCB_OTHER_PCE,
	DCAP_TCB_OTHER_TEE,
	DCAP_TCB_EXPIRED,
	DCAP_TCB_EARLY,
	DCAP_NO_TCB_INFO,
	DCAP_QE_ID_CHANGED,
	DCAP_QE_ID_EXPIRED,
	DCAP_QE_ID_OTHER_TEE,
	DCAP_NO_QE_IDENTITY,
	DCAP_QE_MR_SIGNER,        /* of the quoting enclave, as are the next */
	DCAP_QE_PROD_ID,
	DCAP_QE_MISC_SELECT,
	DCAP_QE_DEBUG,
	DCAP_FLAWS,
};

struct dcap_shape {
	bool is_tdx;
	uint16_t version;   /* of the quote */
	bool is_15;         /* the body, in version 5 */
	bool old_format;    /* TCB info of version 2 */
	uint8_t component, pce_svn;
	uint8_t module, module_version;         /* TEE_TCB_SVN[0], [1] */
	uint8_t module_now, module_version_now; /* of TEE_TCB_SVN_2 */
	uint8_t qe_svn;
	uint64_t td_attributes, xfam;
	uint8_t mr_signer_seam, seam_attributes, sgx_flags;
	const uint8_t *report_data; /* 64 bytes; NULL: some */
	enum dcap_flaw flaw;
};
struct dcap_shape dcap_shape(bool is_tdx, uint16_t version);

int dcap_start(void);
void dcap_stop(void);

struct dcap_files {
	struct buf root, ca, pck, signer; /* DER */
	struct buf root_crl, pck_crl;
	struct buf tcb_info, qe_identity; /* JSON as served */
	struct buf quote;
	struct vendor_root pin;
	char pin_hash[CERT_KEY_HASH_SIZE];
	/* How they are given. */
	struct tee_blob certs[2], collateral[4];
	struct tee_input input;
};
void dcap_make(const struct dcap_shape *shape, struct dcap_files *files);
/* Another quote, after a change of the shape's report data. */
void dcap_quote_again(const struct dcap_shape *shape, struct dcap_files *files);
void dcap_done(struct dcap_files *files);

#endif
