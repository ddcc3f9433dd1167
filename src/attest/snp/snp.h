/*
 * Evidence of AMD SEV-SNP: a report of the processor's firmware about a virtual machine, signed with a key
 * that AMD certifies for one chip and one TCB version (VCEK), or for a cloud's operator (VLEK).
 *
 * Certificates: the VCEK or VLEK, and ASK (ASVK) and ARK; also as the table that the host hands to guests
 * (GHCB 2.03, section 4.1.8.1). Collateral: AMD's CRLs. docs/protocols/hardware-evidence.md.
 */
#ifndef ATTEST_SNP_H
#define ATTEST_SNP_H

#include "attest/tee.h"

extern const struct tee_kind_row snp_kind;

#endif
