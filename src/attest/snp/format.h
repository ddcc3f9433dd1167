/*
 * The attestation report of SEV-SNP: AMD 56860 (SEV-SNP firmware ABI), revision 1.58, section 7.3, table
 * "ATTESTATION_REPORT"; versions 2, 3 and 5. Integers are little-endian. docs/protocols/hardware-evidence.md.
 */
#ifndef ATTEST_SNP_FORMAT_H
#define ATTEST_SNP_FORMAT_H

enum {
	SNP_REPORT_SIZE = 0x4a0,
	SNP_SIGNED_SIZE = 0x2a0,

	SNP_AT_VERSION = 0x000,
	SNP_AT_GUEST_SVN = 0x004,
	SNP_AT_POLICY = 0x008,
	SNP_AT_FAMILY_ID = 0x010,
	SNP_AT_IMAGE_ID = 0x020,
	SNP_AT_VMPL = 0x030,
	SNP_AT_SIGNATURE_ALGORITHM = 0x034,
	SNP_AT_CURRENT_TCB = 0x038,
	SNP_AT_PLATFORM_INFO = 0x040,
	SNP_AT_KEY_INFO = 0x048,
	SNP_AT_RESERVED_1 = 0x04c,
	SNP_AT_REPORT_DATA = 0x050,
	SNP_AT_MEASUREMENT = 0x090,
	SNP_AT_HOST_DATA = 0x0c0,
	SNP_AT_ID_KEY_DIGEST = 0x0e0,
	SNP_AT_AUTHOR_KEY_DIGEST = 0x110,
	SNP_AT_REPORT_ID = 0x140,
	SNP_AT_REPORT_ID_MA = 0x160,
	SNP_AT_REPORTED_TCB = 0x180,
	SNP_AT_CPUID = 0x188, /* family, model, stepping: from version 3 on */
	SNP_AT_RESERVED_2 = 0x18b,
	SNP_AT_CHIP_ID = 0x1a0,
	SNP_AT_COMMITTED_TCB = 0x1e0,
	SNP_AT_CURRENT_FIRMWARE = 0x1e8, /* build, minor, major */
	SNP_AT_RESERVED_3 = 0x1eb,
	SNP_AT_COMMITTED_FIRMWARE = 0x1ec,
	SNP_AT_RESERVED_4 = 0x1ef,
	SNP_AT_LAUNCH_TCB = 0x1f0,
	SNP_AT_LAUNCH_MITIGATIONS = 0x1f8, /* from version 5 on */
	SNP_AT_CURRENT_MITIGATIONS = 0x200,
	SNP_AT_RESERVED_5 = 0x208,
	SNP_AT_SIGNATURE = 0x2a0,

	/* The signature (chapter 10, "ECDSA P-384 with SHA-384"): r and s, little-endian, then zeros. */
	SNP_SIGNATURE_FIELD = 72,
	SNP_SIGNATURE_NUMBER = 48,
	SNP_ECDSA_P384_SHA384 = 1,

	SNP_TCB_SIZE = 8,
	SNP_MEASUREMENT_SIZE = 48,
	SNP_DIGEST_SIZE = 48,
	SNP_CHIP_ID_SIZE = 64,
	SNP_TURIN_HWID_SIZE = 8, /* of the chip id; zeros follow */
	SNP_HOST_DATA_SIZE = 32,
	SNP_REPORT_ID_SIZE = 32,
	SNP_REPORT_DATA_SIZE = 64,
	SNP_ID_SIZE = 16, /* of family and image */
	SNP_VMPL_MAX = 3,
	SNP_POLICY_ONE = 17, /* the bit of the guest policy that must be one */
};

#endif
