#include "cell/identity_question.h"

#include <string.h>

const char *const identity_file_names[IDENTITY_FILES] = {"key.pem", "cert.pem", "ca.pem"};

bool identity_question_is(const void *bytes, size_t size)
{
	struct reader r = reader_of(bytes, size);
	return reader_u32(&r) == OWNER_IDENTITY_CERTIFY;
}

int identity_question_read(const void *bytes, size_t size, struct owner_identity_request *ret_question,
                           struct error *err)
{
	struct owner_identity_request q;
	struct reader r = reader_of(bytes, size);
	reader_copy(&r, &q, sizeof(q));
	if (!reader_finished(&r) || q.operation != OWNER_IDENTITY_CERTIFY || q.public_size == 0 ||
	    q.public_size > sizeof(q.public_key) ||
	    !bytes_are_zero(q.public_key + q.public_size, sizeof(q.public_key) - q.public_size))
		return error_set(err, CELLA_EFORMAT, "an executor's question for a certificate is malformed");
	*ret_question = q;
	return 0;
}

void identity_answer_write(const struct identity_answer *answer, struct buf *to)
{
	buf_put_u32(to, IDENTITY_VERSION);
	buf_put_u64(to, answer->time_ns);
	buf_put_u32(to, answer->life_s);
	buf_put_blob(to, answer->certificate, answer->certificate_size);
	buf_put_blob(to, answer->ca, answer->ca_size);
}

/* Text alone: it becomes a file of the cell's. */
static const char *get_pem(struct reader *r, size_t *ret_size)
{
	const char *pem = (const char *)reader_blob(r, ret_size);
	if (!pem || *ret_size == 0 || *ret_size > IDENTITY_PEM_MAX || memchr(pem, '\0', *ret_size))
		r->failed = true;
	return pem;
}

int identity_answer_read(const void *bytes, size_t size, struct identity_answer *ret_answer,
                         struct error *err)
{
	struct identity_answer a;
	struct reader r = reader_of(bytes, size);
	uint32_t version = reader_u32(&r);
	a.time_ns = reader_u64(&r);
	a.life_s = reader_u32(&r);
	a.certificate = get_pem(&r, &a.certificate_size);
	a.ca = get_pem(&r, &a.ca_size);
	if (!reader_finished(&r) || version != IDENTITY_VERSION || a.life_s == 0)
		return error_set(err, CELLA_EFORMAT, "a CAS's answer with a certificate is malformed");
	*ret_answer = a;
	return 0;
}
