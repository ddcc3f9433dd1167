#include "attest/tpm/evidence_format.h"

const uint8_t tpm_evidence_magic[TPM_EVIDENCE_MAGIC_SIZE] = {'C', 'E', 'L', 'L', 'A', 'T', 'P', 'M'};

static void put_bytes(struct buf *to, struct tpm_bytes bytes)
{
	buf_put_blob(to, bytes.data, bytes.size);
}

static struct tpm_bytes read_bytes(struct reader *r)
{
	struct tpm_bytes bytes;
	bytes.data = reader_blob(r, &bytes.size);
	return bytes;
}

void tpm_evidence_write(const struct tpm_evidence_parts *p, struct buf *to)
{
	buf_put(to, tpm_evidence_magic, sizeof(tpm_evidence_magic));
	buf_put_u32(to, TPM_EVIDENCE_VERSION);
	put_bytes(to, p->ak_public);
	put_bytes(to, p->quote);
	put_bytes(to, p->signature);
	put_bytes(to, p->values);
	buf_put_u32(to, p->hierarchy);
	buf_put_u32(to, (uint32_t)p->parent_count);
	for (size_t i = 0; i < p->parent_count; i++)
		put_bytes(to, p->parents[i]);
	put_bytes(to, p->ek_public);
	put_bytes(to, p->certification);
	put_bytes(to, p->certification_signature);
}

static bool read_parts(struct reader *r, struct tpm_evidence_parts *p)
{
	p->ak_public = read_bytes(r);
	p->quote = read_bytes(r);
	p->signature = read_bytes(r);
	p->values = read_bytes(r);
	p->hierarchy = reader_u32(r);
	p->parent_count = reader_u32(r);
	if (p->parent_count > TPM_PARENTS_MAX)
		return false;
	for (size_t i = 0; i < p->parent_count; i++)
		p->parents[i] = read_bytes(r);
	p->ek_public = read_bytes(r);
	p->certification = read_bytes(r);
	p->certification_signature = read_bytes(r);
	return reader_finished(r) && (p->certification.size > 0) == (p->certification_signature.size > 0) &&
	       (p->hierarchy != 0 || p->parent_count == 0);
}

static size_t values_size(const struct tpm_selection *selection)
{
	size_t size = 0;
	for (size_t i = 0; i < selection->count; i++)
		size += (size_t)__builtin_popcount(selection->banks[i].pcrs) *
		        crypto_hash_size((enum crypto_hash)selection->banks[i].hash);
	return size;
}

static int read_attest(struct tpm_bytes bytes, uint16_t type, const char *what, struct tpm_attest *ret,
                       struct error *err)
{
	struct tpm_attest attest;
	int rc = tpm_attest_read(bytes.data, bytes.size, &attest, err);
	if (rc == 0 && attest.type != type)
		rc = error_set(err, CELLA_EFORMAT, "it is of the type 0x%x, not 0x%x", attest.type, type);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", what);
	*ret = attest;
	return 0;
}

static int decode(struct tpm_evidence *e, struct error *err)
{
	const struct tpm_evidence_parts *p = &e->parts;
	e->has_ek = p->ek_public.size > 0;
	e->has_certification = p->certification.size > 0;
	int rc = tpm_public_read(p->ak_public.data, p->ak_public.size, &e->ak, err);
	if (rc < 0)
		return error_prefix(err, rc, "the attestation key: ");
	rc = read_attest(p->quote, TPM_QUOTE, "the quote", &e->quote, err);
	if (rc == 0 && e->has_certification)
		rc = read_attest(p->certification, TPM_CERTIFY, "the certification", &e->certification, err);
	if (rc < 0)
		return rc;
	rc = e->has_ek ? tpm_public_read(p->ek_public.data, p->ek_public.size, &e->ek, err) : 0;
	if (rc < 0)
		return error_prefix(err, rc, "the endorsement key: ");
	if (values_size(&e->quote.selection) != p->values.size)
		return error_set(err, CELLA_EFORMAT,
		                 "%zu bytes of values of PCRs, where the quote selects %zu", p->values.size,
		                 values_size(&e->quote.selection));
	return 0;
}

int tpm_evidence_read(const void *data, size_t size, struct tpm_evidence *ret_evidence, struct error *err)
{
	struct reader r = reader_of(data, size);
	struct tpm_evidence evidence = {0};
	const uint8_t *magic = reader_bytes(&r, TPM_EVIDENCE_MAGIC_SIZE);
	const uint32_t version = reader_u32(&r);
	if (!magic || !crypto_equal(magic, tpm_evidence_magic, TPM_EVIDENCE_MAGIC_SIZE))
		return error_set(err, CELLA_EFORMAT,
		                 "this is no evidence of a TPM: that begins with \"CELLATPM\"");
	if (version != TPM_EVIDENCE_VERSION)
		return error_set(err, CELLA_EFORMAT,
		                 "evidence of a TPM of the version %u is not understood: it is 1", version);
	if (!read_parts(&r, &evidence.parts))
		return error_set(err, CELLA_EFORMAT, "%zu bytes of evidence of a TPM are cut or malformed",
		                 size);
	int rc = decode(&evidence, err);
	if (rc == 0)
		*ret_evidence = evidence;
	return rc;
}

const uint8_t *tpm_evidence_pcr(const struct tpm_evidence *evidence, enum crypto_hash hash, unsigned index)
{
	size_t at = 0;
	const struct tpm_selection *selection = &evidence->quote.selection;
	for (size_t i = 0; i < selection->count; i++) {
		const struct tpm_bank *bank = &selection->banks[i];
		const size_t size = crypto_hash_size((enum crypto_hash)bank->hash);
		const uint32_t below = bank->pcrs & ((1u << index) - 1);
		if (bank->hash == (int)hash && bank->pcrs >> index & 1)
			return evidence->parts.values.data + at + size * (size_t)__builtin_popcount(below);
		at += size * (size_t)__builtin_popcount(bank->pcrs);
	}
	return NULL;
}
