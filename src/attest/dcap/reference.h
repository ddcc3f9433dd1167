/*
 * MRTD, the launch measurement that a TD will have, computed from its firmware.
 *
 * Intel TDX Module Base Architecture Specification, "MRTD: Build-Time Measurement Register": SHA-384 over a
 * block for each page that is added (TDH.MEM.PAGE.ADD), and a block and 256 bytes of contents for each piece
 * of a page that is measured (TDH.MR.EXTEND). Which pages there are, and in what order, is the way of QEMU
 * and KVM to launch a TDVF (Intel TDX Virtual Firmware Design Guide, "TDVF Metadata"): section by section,
 * page by page, and a page is measured as soon as it is added. A pure function of bytes, which may be
 * anybody's.
 *
 * What is loaded later is in the RTMRs: those depend on the machine's ACPI tables, boot variables and boot
 * loader.
 */
#ifndef ATTEST_REFERENCE_TDX_H
#define ATTEST_REFERENCE_TDX_H

#include <stdint.h>

#include "attest/tee.h"

enum { REFERENCE_TDX_SIZE = 48, REFERENCE_TDX_FIRMWARE_MAX = 64 << 20 };

/* CELLA_EFORMAT for a firmware that does not say what is measured. */
int reference_tdx(const struct tee_blob *firmware, uint8_t ret_mr_td[REFERENCE_TDX_SIZE],
                  struct error *err) must_check;

#endif
