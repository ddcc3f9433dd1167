/*
 * What a PCK certificate says of its platform: the X.509 extension 1.2.840.113741.1.13.1 in DER. Intel SGX
 * PCK Certificate and Certificate Revocation List Profile Specification (revision 1.5), section 1.3.5.
 *
 * A SEQUENCE of SEQUENCEs of an OBJECT IDENTIFIER below that number and a value. The members 2 (TCB), 3
 * (PCE-ID), 4 (FMSPC) and 5 (SGX type) are to be there, and none twice; a member that is not known is passed
 * over. Lengths are to be in the shortest form, numbers not negative and of the field's size.
 */
#ifndef ATTEST_PCK_FORMAT_H
#define ATTEST_PCK_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define PCK_OID "1.2.840.113741.1.13.1"

enum { PCK_COMPONENTS = 16, PCK_EXTENSION_MAX = 4096 };

struct pck_platform {
	uint8_t ppid[16]; /* zeros: not said */
	uint8_t components[PCK_COMPONENTS];
	uint16_t pce_svn;
	uint8_t cpu_svn[16];
	uint8_t pce_id[2];
	uint8_t fmspc[6];
	uint8_t sgx_type;          /* 0: standard, 1: scalable, 2: scalable with integrity */
	bool has_instance;
	uint8_t instance_id[16];   /* of a platform of several packages */
	bool has_configuration;
	bool dynamic_platform, cached_keys, smt_enabled;
};

/* From the extension's value. CELLA_EFORMAT. */
int pck_read(const void *der, size_t size, struct pck_platform *ret_platform, struct error *err) must_check;

#endif
