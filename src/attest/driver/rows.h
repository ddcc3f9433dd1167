/* The drivers that there are. Each stands in its own file. */
#ifndef ATTEST_DRIVER_ROWS_H
#define ATTEST_DRIVER_ROWS_H

#include "attest/driver/driver.h"

extern const struct driver_row driver_snp, driver_tdx; /* tsm.c */
extern const struct driver_row driver_sgx; /* gramine.c */
extern const struct driver_row driver_azure, driver_tpm; /* tpm.c */

#endif
