/* The drivers that there are. Each stands in its own file. */
#ifndef ATTEST_DRIVER_ROWS_H
#define ATTEST_DRIVER_ROWS_H

#include "attest/driver.h"

extern const struct driver_row driver_snp, driver_tdx; /* driver_tsm.c */
extern const struct driver_row driver_sgx; /* driver_gramine.c */
extern const struct driver_row driver_azure, driver_tpm; /* driver_tpm.c */

#endif
