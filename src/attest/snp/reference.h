/*
 * The launch measurement that a guest of SEV-SNP will have, computed from the files that it is launched from.
 *
 * AMD 56860, section 8.17 (SNP_LAUNCH_UPDATE): each page that is measured extends the launch digest by
 * SHA-384 over a PAGE_INFO. Which pages there are, in what order and with what in them, is QEMU's way to
 * launch OVMF: the firmware's image below 4 GiB; the sections that its metadata names (docs of OVMF, "SEV
 * metadata"), with the page of hashes of kernel, initrd and command line among them; then a save area
 * (VMSA, AMD 24593, appendix B) for each virtual processor. Pure functions of bytes, which may be anybody's.
 */
#ifndef ATTEST_REFERENCE_SNP_H
#define ATTEST_REFERENCE_SNP_H

#include <stdint.h>

#include "attest/snp/format.h"
#include "attest/tee.h"

enum {
	REFERENCE_FIRMWARE_MAX = 64 << 20, /* bytes */
	REFERENCE_CPUS_MAX = 4096,
	REFERENCE_COMMAND_LINE_MAX = 1 << 16,
};

struct reference_snp {
	struct tee_blob firmware;       /* OVMF, as QEMU is given it with -bios: code without variables */
	struct tee_blob kernel, initrd; /* data NULL: none */
	const char *command_line;       /* NULL: empty; only with a kernel */
	uint32_t cpus;
	uint32_t cpu_signature;  /* CPUID 1, EAX, of the virtual processors */
	uint64_t guest_features; /* SEV_FEATURES of the save areas; bit 0, SNP, is always there */
};

/* CELLA_EFORMAT for a firmware that does not say what is measured; CELLA_EINVAL. */
int reference_snp(const struct reference_snp *r, uint8_t ret_measurement[SNP_MEASUREMENT_SIZE],
                  struct error *err) must_check;

/* The signature of one of QEMU's processors, such as "EPYC-Milan". CELLA_EINVAL with the nearest name. */
int reference_snp_cpu(const char *name, uint32_t *ret_signature, struct error *err) must_check;

#endif
