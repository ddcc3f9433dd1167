/*
 * Evidence of a TPM 2.0 as Cella keeps it: one file around the TPM's own structures, which keep their bytes
 * (docs/protocols/hardware-evidence.md). What the TPM signed is the quote alone; all else is judged by it.
 */
#ifndef ATTEST_TPM_EVIDENCE_FORMAT_H
#define ATTEST_TPM_EVIDENCE_FORMAT_H

#include "attest/tpm/format.h"

enum { TPM_EVIDENCE_VERSION = 1, TPM_PARENTS_MAX = 4, TPM_EVIDENCE_MAGIC_SIZE = 8 };
extern const uint8_t tpm_evidence_magic[TPM_EVIDENCE_MAGIC_SIZE];

/* As on the disk. */
struct tpm_evidence_parts {
	struct tpm_bytes ak_public; /* TPMT_PUBLIC */
	struct tpm_bytes quote;     /* TPMS_ATTEST */
	struct tpm_bytes signature; /* TPMT_SIGNATURE */
	struct tpm_bytes values; /* of the PCRs that the quote selects, one after another, in its order */
	uint32_t hierarchy;                        /* TPM_HANDLE below which the AK lies; 0: not said */
	size_t parent_count;
	struct tpm_bytes parents[TPM_PARENTS_MAX]; /* names, the primary key's first */
	struct tpm_bytes ek_public;                /* TPMT_PUBLIC, or empty */
	struct tpm_bytes certification;            /* TPMS_ATTEST of the AK by another key, or empty */
	struct tpm_bytes certification_signature;  /* TPMT_SIGNATURE, empty with it */
};

/* And decoded. It borrows the bytes. */
struct tpm_evidence {
	struct tpm_evidence_parts parts;
	struct tpm_public ak;
	struct tpm_attest quote;
	bool has_ek, has_certification;
	struct tpm_public ek;
	struct tpm_attest certification;
};

void tpm_evidence_write(const struct tpm_evidence_parts *parts, struct buf *to);
/* CELLA_EFORMAT. The signatures are not decoded: that takes the kind of the key. */
int tpm_evidence_read(const void *data, size_t size, struct tpm_evidence *ret_evidence,
                      struct error *err) must_check;

/* The value of a PCR in the quote, of crypto_hash_size bytes; NULL: it is not in it. */
const uint8_t *tpm_evidence_pcr(const struct tpm_evidence *evidence, enum crypto_hash hash, unsigned index);

#endif
