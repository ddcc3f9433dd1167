#include "tpm/device.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tctildr.h>

#include "attest/tpm/evidence_format.h"
#include "base/cleanup.h"
#include "tpm/templates.h"

enum {
	STRUCTURE_MAX = 4096, /* bytes of one on the wire */
	NV_STEP = 512,        /* every TPM reads and writes as much at once */
	READS_MAX = 8,        /* of PCRs, until they are those that were quoted */
	RSA_EK_CERTIFICATE = 0x01C00002,
	ECC_EK_CERTIFICATE = 0x01C0000A,
};

struct device {
	TSS2_TCTI_CONTEXT *tcti;
	ESYS_CONTEXT *esys;
};

/* ---- errors ---- */

static bool is_about(TSS2_RC rc, TSS2_RC code)
{
	return (rc & TPM2_RC_FMT1) ? (rc & ~(TSS2_RC)(TPM2_RC_N_MASK | TPM2_RC_P)) == code : rc == code;
}

static int code_of(TSS2_RC rc)
{
	if (rc == TPM2_RC_RETRY || rc == TPM2_RC_YIELDED || rc == TPM2_RC_TESTING || rc == TPM2_RC_NV_RATE)
		return CELLA_EAGAIN;
	if (is_about(rc, TPM2_RC_HANDLE))
		return CELLA_ENOENT;
	if (is_about(rc, TPM2_RC_AUTH_FAIL) || is_about(rc, TPM2_RC_BAD_AUTH) ||
	    rc == TPM2_RC_NV_AUTHORIZATION || rc == TPM2_RC_LOCKOUT || rc == TPM2_RC_AUTH_UNAVAILABLE ||
	    rc == TPM2_RC_NV_LOCKED)
		return CELLA_EPERM;
	return rc == TSS2_ESYS_RC_MEMORY ? CELLA_ENOMEM : CELLA_EIO;
}

static int failed(const char *what, TSS2_RC rc, struct error *err)
{
	return error_set(err, code_of(rc), "the TPM could not %s: %s (0x%x)", what, Tss2_RC_Decode(rc), rc);
}

/* ---- start ---- */

/* What tpm2-tss would say of it in numbers. */
static int check_file(const char *tcti, struct error *err)
{
	static const char prefix[] = "device:";
	if (strncmp(tcti, prefix, sizeof(prefix) - 1) != 0 ||
	    access(tcti + sizeof(prefix) - 1, R_OK | W_OK) == 0)
		return 0;
	const int error = errno;
	return error_errno(err, error == EACCES ? CELLA_EPERM : CELLA_ENOENT,
	                   "cannot use the TPM at %s (a user of the group tss may)",
	                   tcti + sizeof(prefix) - 1);
}

int device_open(const char *tcti, struct device **ret_device, struct error *err)
{
	int rc = check_file(tcti, err);
	if (rc < 0)
		return rc;
	struct device *device = calloc(1, sizeof(*device));
	if (!device)
		return error_set(err, CELLA_ENOMEM, "no memory for a TPM");
	TSS2_RC r = Tss2_TctiLdr_Initialize(tcti, &device->tcti);
	if (r == TSS2_RC_SUCCESS)
		r = Esys_Initialize(&device->esys, device->tcti, NULL);
	if (r != TSS2_RC_SUCCESS) {
		device_close(device);
		return error_set(err, CELLA_ENOENT, "no TPM answers at %.100s: %s (0x%x)", tcti,
		                 Tss2_RC_Decode(r), r);
	}
	*ret_device = device;
	return 0;
}

void device_close(struct device *device)
{
	if (!device)
		return;
	if (device->esys)
		Esys_Finalize(&device->esys);
	if (device->tcti)
		Tss2_TctiLdr_Finalize(&device->tcti);
	free(device);
}

/* ---- keys ---- */

static void esys_free(void *p)
{
	Esys_Free(*(void **)p);
}
#define cleanup_esys __attribute__((cleanup(esys_free)))

static int create(struct device *d, const TPM2B_PUBLIC *template, ESYS_TR *ret_key, struct buf *ret_public,
                  struct error *err)
{
	const TPM2B_SENSITIVE_CREATE sensitive = {0};
	const TPM2B_DATA outside = {0};
	const TPML_PCR_SELECTION pcrs = {0};
	cleanup_esys TPM2B_PUBLIC *public = NULL;
	uint8_t bytes[STRUCTURE_MAX];
	size_t size = 0;
	TSS2_RC r = Esys_CreatePrimary(d->esys, ESYS_TR_RH_ENDORSEMENT, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	                               ESYS_TR_NONE, &sensitive, template, &outside, &pcrs, ret_key, &public,
	                               NULL, NULL, NULL);
	if (r != TSS2_RC_SUCCESS)
		return failed("make a key of the endorsement hierarchy", r, err);
	r = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, bytes, sizeof(bytes), &size);
	if (r != TSS2_RC_SUCCESS) {
		(void)Esys_FlushContext(d->esys, *ret_key);
		return failed("write a key's public area", r, err);
	}
	buf_put(ret_public, bytes, size);
	return 0;
}

static bool has_index(struct device *d, uint32_t index)
{
	ESYS_TR handle;
	if (Esys_TR_FromTPMPublic(d->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle) !=
	    TSS2_RC_SUCCESS)
		return false;
	(void)Esys_TR_Close(d->esys, &handle);
	return true;
}

/* The certificate's key where there is one; RSA, which every TPM has, otherwise. */
static int create_ek(struct device *d, ESYS_TR *ret_key, struct buf *ret_public, struct error *err)
{
	TPM2B_PUBLIC template;
	if (!has_index(d, RSA_EK_CERTIFICATE) && has_index(d, ECC_EK_CERTIFICATE))
		template_ek_ecc(&template);
	else
		template_ek_rsa(&template);
	return create(d, &template, ret_key, ret_public, err);
}

static int create_ak(struct device *d, ESYS_TR *ret_key, struct buf *ret_public, struct error *err)
{
	TPM2B_PUBLIC template;
	template_ak(&template);
	return create(d, &template, ret_key, ret_public, err);
}

/* A key that lies in the TPM. */
static int load(struct device *d, uint32_t handle, ESYS_TR *ret_key, struct buf *ret_public,
                struct error *err)
{
	cleanup_esys TPM2B_PUBLIC *public = NULL;
	uint8_t bytes[STRUCTURE_MAX];
	size_t size = 0;
	TSS2_RC r = Esys_TR_FromTPMPublic(d->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ret_key);
	if (r == TSS2_RC_SUCCESS)
		r = Esys_ReadPublic(d->esys, *ret_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
		                    NULL, NULL);
	if (r == TSS2_RC_SUCCESS)
		r = Tss2_MU_TPMT_PUBLIC_Marshal(&public->publicArea, bytes, sizeof(bytes), &size);
	if (r != TSS2_RC_SUCCESS)
		return failed("read its persistent attestation key", r, err);
	buf_put(ret_public, bytes, size);
	return 0;
}

/* ---- quotes ---- */

static void select_pcrs(uint32_t pcrs, TPML_PCR_SELECTION *to)
{
	*to = (TPML_PCR_SELECTION){.count = 1};
	to->pcrSelections[0].hash = TPM2_ALG_SHA256;
	to->pcrSelections[0].sizeofSelect = 3;
	for (size_t i = 0; i < 3; i++)
		to->pcrSelections[0].pcrSelect[i] = (uint8_t)(pcrs >> (8 * i));
}

static uint32_t selected(const TPML_PCR_SELECTION *selection)
{
	uint32_t pcrs = 0;
	if (selection->count == 1)
		for (size_t i = 0; i < selection->pcrSelections[0].sizeofSelect && i < 3; i++)
			pcrs |= (uint32_t)selection->pcrSelections[0].pcrSelect[i] << (8 * i);
	return pcrs;
}

/* A TPM gives some of them at a time. */
static int read_pcrs(struct device *d, struct buf *to, struct error *err)
{
	uint32_t left = DEVICE_PCRS;
	to->size = 0;
	while (left != 0) {
		TPML_PCR_SELECTION asked;
		cleanup_esys TPML_PCR_SELECTION *given = NULL;
		cleanup_esys TPML_DIGEST *values = NULL;
		select_pcrs(left, &asked);
		TSS2_RC r = Esys_PCR_Read(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &asked, NULL,
		                          &given, &values);
		if (r != TSS2_RC_SUCCESS)
			return failed("read its PCRs", r, err);
		const uint32_t got = selected(given);
		if (got == 0 || (got & ~left) != 0)
			return error_set(err, CELLA_ENOENT,
			                 "the TPM has no bank of SHA-256 (tpm2_pcrallocate)");
		for (size_t i = 0; i < values->count; i++)
			buf_put(to, values->digests[i].buffer, values->digests[i].size);
		left &= ~got;
	}
	return to->failed ? error_set(err, CELLA_ENOMEM, "no memory for PCRs") : 0;
}

struct quoted {
	TPM2B_ATTEST *attest;
	TPMT_SIGNATURE *signature;
};
static void quoted_cleanup(struct quoted *q)
{
	Esys_Free(q->attest);
	Esys_Free(q->signature);
	*q = (struct quoted){0};
}
#define cleanup_quoted __attribute__((cleanup(quoted_cleanup)))

static int quote_once(struct device *d, ESYS_TR key, const TPM2B_DATA *extra, struct quoted *to,
                      struct error *err)
{
	const TPMT_SIG_SCHEME scheme = {.scheme = TPM2_ALG_NULL};
	TPML_PCR_SELECTION pcrs;
	select_pcrs(DEVICE_PCRS, &pcrs);
	quoted_cleanup(to);
	TSS2_RC r = Esys_Quote(d->esys, key, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, extra, &scheme,
	                       &pcrs, &to->attest, &to->signature);
	return r == TSS2_RC_SUCCESS ? 0 : failed("quote its PCRs", r, err);
}

/* Are these the values that were quoted? Of the hash that the signature's scheme has. */
static int is_of(const struct quoted *q, const struct buf *values, bool *ret_is, struct error *err)
{
	struct tpm_attest attest;
	uint8_t digest[CRYPTO_HASH_MAX];
	const struct crypto_part part = {values->data, values->size};
	const int hash = tpm_hash_of(q->signature->signature.any.hashAlg);
	int rc = tpm_attest_read(q->attest->attestationData, q->attest->size, &attest, err);
	if (rc == 0 && hash < 0)
		rc = error_set(err, CELLA_EIO, "the TPM signs with the hash 0x%x, which is not known here",
		               q->signature->signature.any.hashAlg);
	if (rc == 0)
		rc = crypto_hash((enum crypto_hash)hash, &part, 1, digest, err);
	if (rc == 0)
		*ret_is = attest.digest.size == crypto_hash_size((enum crypto_hash)hash) &&
		          crypto_equal(attest.digest.data, digest, attest.digest.size);
	return rc;
}

/* IMA extends PCR 10 at any time. */
static int quote_and_read(struct device *d, ESYS_TR key, const TPM2B_DATA *extra, struct quoted *to,
                          struct buf *values, struct error *err)
{
	for (size_t i = 0; i < READS_MAX; i++) {
		bool is = false;
		int rc = quote_once(d, key, extra, to, err);
		if (rc == 0)
			rc = read_pcrs(d, values, err);
		if (rc == 0)
			rc = is_of(to, values, &is, err);
		if (rc < 0 || is)
			return rc;
	}
	return error_set(err, CELLA_EAGAIN, "its PCRs changed %d times while they were read", READS_MAX);
}

static int write_evidence(const struct quoted *q, const struct buf *values, const struct buf *ak,
                          const struct buf *ek, uint32_t hierarchy, struct buf *to, struct error *err)
{
	uint8_t signature[STRUCTURE_MAX];
	size_t size = 0;
	TSS2_RC r = Tss2_MU_TPMT_SIGNATURE_Marshal(q->signature, signature, sizeof(signature), &size);
	if (r != TSS2_RC_SUCCESS)
		return failed("write a signature", r, err);
	const struct tpm_evidence_parts parts = {
		.ak_public = {ak->data, ak->size},
		.quote = {q->attest->attestationData, q->attest->size},
		.signature = {signature, size},
		.values = {values->data, values->size},
		.hierarchy = hierarchy,
		.ek_public = {ek->data, ek->size},
	};
	tpm_evidence_write(&parts, to);
	return ak->failed || ek->failed || to->failed ? error_set(err, CELLA_ENOMEM, "no memory for evidence")
	                                              : 0;
}

static int read_ek_public(struct device *d, struct buf *to, struct error *err)
{
	ESYS_TR ek;
	int rc = create_ek(d, &ek, to, err);
	if (rc == 0)
		(void)Esys_FlushContext(d->esys, ek);
	return rc;
}

int device_quote(struct device *d, uint32_t handle, const void *extra, size_t size, struct buf *ret_evidence,
                 struct error *err)
{
	TPM2B_DATA data = {.size = (uint16_t)size};
	ESYS_TR key;
	cleanup_quoted struct quoted quoted = {0};
	cleanup_buf struct buf ak = {0}, ek = {0}, values = {0};
	if (size > sizeof(data.buffer))
		return error_set(err, CELLA_EINVAL, "%zu bytes of extra data are too many for a quote", size);
	memcpy(data.buffer, extra, size);
	int rc = handle ? 0 : read_ek_public(d, &ek, err);
	if (rc == 0)
		rc = handle ? load(d, handle, &key, &ak, err) : create_ak(d, &key, &ak, err);
	if (rc < 0)
		return rc;
	rc = quote_and_read(d, key, &data, &quoted, &values, err);
	if (handle)
		(void)Esys_TR_Close(d->esys, &key);
	else
		(void)Esys_FlushContext(d->esys, key);
	return rc < 0 ? rc
	              : write_evidence(&quoted, &values, &ak, &ek, handle ? 0 : tpm_endorsement, ret_evidence,
	                               err);
}

/* ---- NV memory ---- */

static int nv_open(struct device *d, uint32_t index, ESYS_TR *ret_handle, size_t *ret_size, struct error *err)
{
	cleanup_esys TPM2B_NV_PUBLIC *public = NULL;
	TSS2_RC r = Esys_TR_FromTPMPublic(d->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
	                                  ret_handle);
	if (r == TSS2_RC_SUCCESS)
		r = Esys_NV_ReadPublic(d->esys, *ret_handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
		                       &public, NULL);
	if (r != TSS2_RC_SUCCESS)
		return error_set(err, code_of(r), "the TPM has no NV index 0x%08x: %s (0x%x)", index,
		                 Tss2_RC_Decode(r), r);
	*ret_size = public->nvPublic.dataSize;
	return 0;
}

int device_nv_read(struct device *d, uint32_t index, struct buf *ret, struct error *err)
{
	ESYS_TR handle;
	size_t size = 0;
	int rc = nv_open(d, index, &handle, &size, err);
	if (rc < 0)
		return rc;
	if (size > DEVICE_NV_MAX)
		return error_set(err, CELLA_ELIMIT, "the NV index 0x%08x has %zu bytes, the most is %d",
		                 index, size, DEVICE_NV_MAX);
	ESYS_TR auth = handle;
	for (size_t at = 0; at < size;) {
		cleanup_esys TPM2B_MAX_NV_BUFFER *part = NULL;
		const size_t step = min_of(size - at, (size_t)NV_STEP);
		TSS2_RC r = Esys_NV_Read(d->esys, auth, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE,
		                         (uint16_t)step, (uint16_t)at, &part);
		if (r == TPM2_RC_NV_AUTHORIZATION && auth == handle) {
			auth = ESYS_TR_RH_OWNER; /* an index that its owner reads alone */
			continue;
		}
		if (r != TSS2_RC_SUCCESS)
			return failed("read its NV memory", r, err);
		buf_put(ret, part->buffer, part->size);
		at += part->size ? part->size : size;
	}
	(void)Esys_TR_Close(d->esys, &handle);
	return ret->failed ? error_set(err, CELLA_ENOMEM, "no memory for an NV index") : 0;
}

static int nv_define(struct device *d, uint32_t index, size_t size, ESYS_TR *ret_handle, struct error *err)
{
	const TPM2B_AUTH auth = {0};
	const TPM2B_NV_PUBLIC public = {
		.nvPublic =
			{
				.nvIndex = index,
				.nameAlg = TPM2_ALG_SHA256,
				.attributes = TPMA_NV_OWNERWRITE | TPMA_NV_AUTHWRITE | TPMA_NV_OWNERREAD |
	                                      TPMA_NV_AUTHREAD | TPMA_NV_NO_DA,
				.dataSize = (uint16_t)size,
			},
	};
	TSS2_RC r = Esys_NV_DefineSpace(d->esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	                                ESYS_TR_NONE, &auth, &public, ret_handle);
	return r == TSS2_RC_SUCCESS ? 0 : failed("make an NV index", r, err);
}

int device_nv_write(struct device *d, uint32_t index, const void *data, size_t size, struct error *err)
{
	ESYS_TR handle;
	TPM2B_MAX_NV_BUFFER part = {.size = (uint16_t)size};
	size_t room = size;
	int rc = has_index(d, index) ? nv_open(d, index, &handle, &room, err)
	                             : nv_define(d, index, size, &handle, err);
	if (rc < 0)
		return rc;
	if (size > room || size > NV_STEP)
		return error_set(err, CELLA_ELIMIT, "the NV index 0x%08x has room for %zu bytes, not %zu",
		                 index, room, size);
	memcpy(part.buffer, data, size);
	TSS2_RC r = Esys_NV_Write(d->esys, ESYS_TR_RH_OWNER, handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	                          ESYS_TR_NONE, &part, 0);
	(void)Esys_TR_Close(d->esys, &handle);
	return r == TSS2_RC_SUCCESS ? 0 : failed("write its NV memory", r, err);
}

/* An index may be larger than the certificate in it, which says how long it is: a SEQUENCE. */
static size_t der_size(const struct buf *der)
{
	if (der->size < 4 || der->data[0] != 0x30 || der->data[1] != 0x82)
		return 0;
	const size_t size = 4 + (size_t)(der->data[2] << 8 | der->data[3]);
	return size <= der->size ? size : 0;
}

int device_ek_certificate(struct device *d, struct buf *ret_der, struct error *err)
{
	cleanup_buf struct buf found = {0};
	const uint32_t index = has_index(d, RSA_EK_CERTIFICATE)   ? RSA_EK_CERTIFICATE
	                       : has_index(d, ECC_EK_CERTIFICATE) ? ECC_EK_CERTIFICATE
	                                                          : 0;
	if (index == 0)
		return 0;
	int rc = device_nv_read(d, index, &found, err);
	if (rc == 0)
		buf_put(ret_der, found.data, der_size(&found));
	return rc == 0 && ret_der->failed ? error_set(err, CELLA_ENOMEM, "no memory for a certificate") : rc;
}

/* ---- credentials ---- */

/* The template's policy: whoever may use the endorsement hierarchy. */
static int ek_session(struct device *d, ESYS_TR *ret_session, struct error *err)
{
	const TPMT_SYM_DEF none = {.algorithm = TPM2_ALG_NULL};
	TSS2_RC r = Esys_StartAuthSession(d->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
	                                  ESYS_TR_NONE, NULL, TPM2_SE_POLICY, &none, TPM2_ALG_SHA256,
	                                  ret_session);
	if (r != TSS2_RC_SUCCESS)
		return failed("begin a session", r, err);
	r = Esys_PolicySecret(d->esys, ESYS_TR_RH_ENDORSEMENT, *ret_session, ESYS_TR_PASSWORD, ESYS_TR_NONE,
	                      ESYS_TR_NONE, NULL, NULL, NULL, 0, NULL, NULL);
	if (r == TSS2_RC_SUCCESS)
		return 0;
	(void)Esys_FlushContext(d->esys, *ret_session);
	return failed("authorise the endorsement key", r, err);
}

static int activate(struct device *d, ESYS_TR ak, ESYS_TR ek, const TPM2B_ID_OBJECT *blob,
                    const TPM2B_ENCRYPTED_SECRET *secret, struct buf *ret_secret, struct error *err)
{
	ESYS_TR session;
	cleanup_esys TPM2B_DIGEST *found = NULL;
	int rc = ek_session(d, &session, err);
	if (rc < 0)
		return rc;
	TSS2_RC r = Esys_ActivateCredential(d->esys, ak, ek, ESYS_TR_PASSWORD, session, ESYS_TR_NONE, blob,
	                                    secret, &found);
	if (r != TSS2_RC_SUCCESS) {
		(void)Esys_FlushContext(d->esys, session);
		return error_set(
			err, CELLA_EAUTH,
			"the TPM refuses the credential: it is for another TPM or another key (%s, 0x%x)",
			Tss2_RC_Decode(r), r);
	}
	(void)Esys_FlushContext(d->esys, session);
	buf_put(ret_secret, found->buffer, found->size);
	mem_wipe(found, sizeof(*found));
	return ret_secret->failed ? error_set(err, CELLA_ENOMEM, "no memory for a secret") : 0;
}

int device_activate(struct device *d, const struct buf *blob, const struct buf *secret,
                    struct buf *ret_secret, struct error *err)
{
	TPM2B_ID_OBJECT id = {0};
	TPM2B_ENCRYPTED_SECRET wrapped = {0};
	cleanup_buf struct buf unused = {0};
	size_t at = 0, wrapped_at = 0;
	ESYS_TR ak, ek;
	if (Tss2_MU_TPM2B_ID_OBJECT_Unmarshal(blob->data, blob->size, &at, &id) != TSS2_RC_SUCCESS ||
	    at != blob->size ||
	    Tss2_MU_TPM2B_ENCRYPTED_SECRET_Unmarshal(secret->data, secret->size, &wrapped_at, &wrapped) !=
	            TSS2_RC_SUCCESS ||
	    wrapped_at != secret->size)
		return error_set(err, CELLA_EFORMAT, "this is no credential of a TPM");
	int rc = create_ak(d, &ak, &unused, err);
	if (rc < 0)
		return rc;
	rc = create_ek(d, &ek, &unused, err);
	if (rc == 0) {
		rc = activate(d, ak, ek, &id, &wrapped, ret_secret, err);
		(void)Esys_FlushContext(d->esys, ek);
	}
	(void)Esys_FlushContext(d->esys, ak);
	return rc;
}
