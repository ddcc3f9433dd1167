#include "attest/tpm/answer_format.h"

enum { CODES = 64 }; /* more than there are of CELLA_E… */

void tpm_answer_write(const struct tpm_answer *answer, struct buf *to)
{
	buf_put_u32(to, (uint32_t)-answer->code);
	buf_put_blob(to, answer->text.data, answer->text.size);
	buf_put_u32(to, (uint32_t)answer->count);
	for (size_t i = 0; i < answer->count; i++)
		buf_put_blob(to, answer->blobs[i].data, answer->blobs[i].size);
}

int tpm_answer_read(const void *data, size_t size, struct tpm_answer *ret_answer, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_answer answer = {0};
	const uint32_t code = reader_u32(&r);
	answer.code = code < CODES ? -(int)code : CELLA_EIO;
	answer.text.data = reader_blob(&r, &answer.text.size);
	answer.count = reader_u32(&r);
	for (size_t i = 0; i < answer.count && i < TPM_ANSWER_BLOBS_MAX; i++)
		answer.blobs[i].data = reader_blob(&r, &answer.blobs[i].size);
	if (!reader_finished(&r) || answer.count > TPM_ANSWER_BLOBS_MAX ||
	    answer.text.size > TPM_ANSWER_TEXT_MAX)
		return error_set(err, CELLA_EFORMAT, "cella-tpm answered %zu bytes that are not understood",
		                 size);
	*ret_answer = answer;
	return 0;
}
