#include "attest/endorsement_format.h"

#include <assert.h>
#include <string.h>

static_assert((int)ENDORSEMENT_BLOBS_MAX <= (int)TEE_BLOBS_MAX, "a verifier takes as many");

int endorsement_report_data(const uint8_t launcher[CRYPTO_ED25519_SIZE],
                            const uint8_t nonce[ENDORSEMENT_NONCE_SIZE],
                            uint8_t ret_report_data[TEE_REPORT_DATA_MAX], struct error *err)
{
	const struct crypto_part parts[] = {{ENDORSEMENT_CONTEXT, sizeof(ENDORSEMENT_CONTEXT)},
	                                    {launcher, CRYPTO_ED25519_SIZE},
	                                    {nonce, ENDORSEMENT_NONCE_SIZE}};
	static_assert((int)CRYPTO_HASH_MAX == (int)TEE_REPORT_DATA_MAX, "a SHA-512 fills the report data");
	return crypto_hash(CRYPTO_SHA512, parts, array_count(parts), ret_report_data, err);
}

static void put_blobs(const struct tee_blob *blobs, size_t count, struct buf *to)
{
	buf_put_u32(to, (uint32_t)count);
	for (size_t i = 0; i < count; i++)
		buf_put_blob(to, blobs[i].data, blobs[i].size);
}

/* Small enough to be added up, and to be counted in 32 bits. */
static bool blobs_fit(const struct tee_blob *blobs, size_t count, size_t *total)
{
	if (count > ENDORSEMENT_BLOBS_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (blobs[i].size > ENDORSEMENT_MAX)
			return false;
		*total += blobs[i].size;
	}
	return *total <= ENDORSEMENT_MAX;
}

/* What is signed: the context first, so that it passes for nothing else that the key may sign. */
static void put_signed(const void *data, size_t size, struct buf *to)
{
	buf_put(to, ENDORSEMENT_CONTEXT, sizeof(ENDORSEMENT_CONTEXT));
	buf_put(to, data, size);
}

static int put_signature(const struct crypto_signer *launcher, size_t from, struct buf *to, struct error *err)
{
	cleanup_buf struct buf text = {0};
	uint8_t signature[CRYPTO_SIGNATURE_SIZE];
	put_signed(to->data + from, to->size - from, &text);
	if (to->failed || text.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for an endorsement");
	int rc = crypto_sign(launcher, text.data, text.size, signature, err);
	if (rc == 0)
		buf_put(to, signature, sizeof(signature));
	return rc < 0 || !to->failed ? rc : error_set(err, CELLA_ENOMEM, "no memory for an endorsement");
}

int endorsement_check_signature(const struct endorsement *e, const void *data, size_t size, struct error *err)
{
	cleanup_buf struct buf text = {0};
	put_signed(data, size - CRYPTO_SIGNATURE_SIZE, &text);
	return text.failed ? error_set(err, CELLA_ENOMEM, "no memory for an endorsement")
	                   : crypto_verify(e->launcher, text.data, text.size, e->signature, err);
}

int endorsement_encode(const struct endorsement *e, const struct crypto_signer *launcher, struct buf *ret,
                       struct error *err)
{
	const size_t from = ret->size;
	enum { AROUND = 1024 };
	size_t total = AROUND;
	if (!blobs_fit(&e->evidence, 1, &total) || !blobs_fit(e->certs, e->cert_count, &total) ||
	    !blobs_fit(e->event_logs, e->event_log_count, &total))
		return error_set(err, CELLA_ELIMIT,
		                 "evidence with its certificates and event logs is more than %d KiB, or more "
		                 "than %d files of a kind",
		                 ENDORSEMENT_MAX >> 10, ENDORSEMENT_BLOBS_MAX);
	buf_put_u32(ret, ENDORSEMENT_MAGIC);
	buf_put_u16(ret, ENDORSEMENT_VERSION);
	buf_put_u16(ret, (uint16_t)e->kind);
	buf_put(ret, e->launcher, sizeof(e->launcher));
	buf_put(ret, e->nonce, sizeof(e->nonce));
	buf_put_blob(ret, e->evidence.data, e->evidence.size);
	put_blobs(e->certs, e->cert_count, ret);
	put_blobs(e->event_logs, e->event_log_count, ret);
	return put_signature(launcher, from, ret, err);
}

static struct tee_blob read_blob(struct reader *r, const char *name)
{
	struct tee_blob blob = {.name = name};
	blob.data = reader_blob(r, &blob.size);
	return blob;
}

static size_t read_blobs(struct reader *r, const char *name, struct tee_blob *to)
{
	const uint32_t count = reader_u32(r);
	if (count > ENDORSEMENT_BLOBS_MAX) {
		r->failed = true;
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		to[i] = read_blob(r, name);
	return count;
}

int endorsement_decode(const void *data, size_t size, struct endorsement *ret_endorsement, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct endorsement e = {0};
	const uint32_t magic = reader_u32(&r);
	const uint16_t version = reader_u16(&r), kind = reader_u16(&r);
	if (r.failed || magic != ENDORSEMENT_MAGIC || size > ENDORSEMENT_MAX)
		return error_set(err, CELLA_EFORMAT, "%zu bytes are no endorsement", size);
	if (version != ENDORSEMENT_VERSION)
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "an endorsement of version %u; this program knows %d", version,
		                 ENDORSEMENT_VERSION);
	if (!tee_kind_of((enum tee_kind)kind))
		return error_set(err, CELLA_EUNSUPPORTED,
		                 "an endorsement by a kind of evidence (%u) that is not verified here", kind);
	e.kind = (enum tee_kind)kind;
	reader_copy(&r, e.launcher, sizeof(e.launcher));
	reader_copy(&r, e.nonce, sizeof(e.nonce));
	e.evidence = read_blob(&r, "evidence");
	e.cert_count = read_blobs(&r, "certificates", e.certs);
	e.event_log_count = read_blobs(&r, "event log", e.event_logs);
	e.signature = reader_bytes(&r, CRYPTO_SIGNATURE_SIZE);
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "an endorsement whose parts do not fill its %zu bytes",
		                 size);
	*ret_endorsement = e;
	return 0;
}

void endorsement_input(const struct endorsement *e, struct tee_input *input)
{
	input->kind = e->kind;
	input->evidence = e->evidence;
	input->certs = e->certs;
	input->cert_count = e->cert_count;
	input->event_logs = e->event_logs;
	input->event_log_count = e->event_log_count;
}
