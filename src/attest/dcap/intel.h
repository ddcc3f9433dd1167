/* What of Intel is known here without being given. */
#ifndef ATTEST_DCAP_INTEL_H
#define ATTEST_DCAP_INTEL_H

#include "crypto/vendor_cert.h"

#define DCAP_PCK_NAME "Intel SGX PCK Certificate"
#define DCAP_PLATFORM_CA_NAME "Intel SGX PCK Platform CA"
#define DCAP_PROCESSOR_CA_NAME "Intel SGX PCK Processor CA"
#define DCAP_SIGNING_NAME "Intel SGX TCB Signing"

/* Intel's Provisioning Certification Service, version 4 of its interface; and its root's CRL. */
#define DCAP_SERVICE "https://api.trustedservices.intel.com/"
#define DCAP_ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

extern const struct vendor_root dcap_root; /* pinned by the hash of its key */
extern const char dcap_signing_certs[];    /* in PEM */

#endif
