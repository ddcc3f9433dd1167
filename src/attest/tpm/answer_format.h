/*
 * What cella-tpm (src/tpm/main.c) answers on its standard output: 32 bits of a code, 0 or CELLA_E…, a text
 * for a person, and the blobs that were asked for, their number before them.
 *
 *   quote HEX      evidence with that extra data; the EK's certificate in DER, or nothing
 *   azure HEX      the HCL report with that report data; evidence by its key with their SHA-256; the quote
 *                  where it is a TD, or nothing
 *   activate       the secret; standard input has the two blobs of a credential
 */
#ifndef ATTEST_TPM_ANSWER_FORMAT_H
#define ATTEST_TPM_ANSWER_FORMAT_H

#include "attest/tpm/format.h"

enum { TPM_ANSWER_MAX = 256 << 10, TPM_ANSWER_BLOBS_MAX = 3, TPM_ANSWER_TEXT_MAX = 1000 };

struct tpm_answer {
	int code; /* 0, or CELLA_E… */
	struct tpm_bytes text;
	size_t count;
	struct tpm_bytes blobs[TPM_ANSWER_BLOBS_MAX];
};
void tpm_answer_write(const struct tpm_answer *answer, struct buf *to);
/* Borrows. CELLA_EFORMAT. */
int tpm_answer_read(const void *data, size_t size, struct tpm_answer *ret_answer,
                    struct error *err) must_check;

#endif
