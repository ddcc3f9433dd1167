/*
 * A TD of Azure's cannot ask its processor for a quote. A service of the host's makes one of the report that
 * the paravisor has (Microsoft, "Azure confidential VM guest attestation": POST /acc/tdquote at the address
 * of the instance metadata service). Plain HTTP, on the machine's own link: the quote is signed, and checked
 * elsewhere.
 */
#ifndef TPM_TD_QUOTE_H
#define TPM_TD_QUOTE_H

#include "base/buf.h"
#include "base/error.h"

enum { TD_REPORT_SIZE = 1024, TD_QUOTE_MAX = 64 << 10 };

/* `server` is an IPv4 address and a port. CELLA_EINVAL, CELLA_EIO, CELLA_ETIMEOUT. */
int td_quote_fetch(const char *server, const uint8_t report[TD_REPORT_SIZE], struct buf *ret_quote,
                   struct error *err) must_check;

#endif
