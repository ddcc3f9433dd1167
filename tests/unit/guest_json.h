/* Evidence of SEV-SNP as guests of Confidential Containers write it (cas/kbs/evidence.h), from the report's
 * bytes: the other way round, for tests. */
#ifndef GUEST_JSON_H
#define GUEST_JSON_H

#include <jansson.h>

#include "base/buf.h"

/* In the order of the crates' releases. */
enum guest_form {
	GUEST_FLAT,   /* current_build ..., _author_key_en */
	GUEST_NESTED, /* current {major, ...}, key_info, cpuid_fam_id ... */
	GUEST_FORMS
};
/* {attestation_report, cert_chain}; certificates in DER, by the names VCEK, ASK, ARK. */
json_t *guest_snp(const uint8_t *report, enum guest_form form, const struct buf *vcek, const struct buf *ask,
                  const struct buf *ark);
json_t *guest_bytes(const void *bytes, size_t size);

#endif
