/* Intel's certificates and documents put together: everything that depends on bytes alone. */
#include <stdlib.h>
#include <string.h>

#include "attest/dcap/dcap.h"
#include "attest/dcap/intel.h"
#include "base/cleanup.h"
#include "crypto/crypto.h"

void dcap_endorsements_free(void *endorsements)
{
	struct dcap_endorsements *e = endorsements;
	if (!e)
		return;
	vendor_certs_done(&e->certs);
	tcb_info_done(&e->tcb_info);
	qe_identity_done(&e->qe_identity);
	free(e);
}

static void cleanup_endorsements_fn(struct dcap_endorsements **e)
{
	dcap_endorsements_free(*e);
}
#define cleanup_endorsements __attribute__((cleanup(cleanup_endorsements_fn)))

static void cleanup_file_fn(struct collateral_file *file)
{
	collateral_file_done(file);
}
#define cleanup_file __attribute__((cleanup(cleanup_file_fn)))

/* ---- the PCK ---- */

/* The chain that the quote brings ends with a zero byte where a C program made it. */
static int add_quoted(struct dcap_endorsements *e, const struct quote *quote, struct error *err)
{
	size_t size = quote->certification_size;
	if (quote->certification != QUOTE_PCK_CHAIN)
		return 0;
	while (size > 0 && quote->certification_data[size - 1] == 0)
		size--;
	int rc = vendor_certs_add(&e->certs, quote->certification_data, size, err);
	return rc < 0 ? error_prefix(err, rc, "the quote's certificates: ") : 0;
}

/* The first certificate with the extension, the quote's before others. */
static int find_pck(struct dcap_endorsements *e, struct error *err)
{
	const uint8_t *value;
	size_t size;
	for (size_t i = 0; i < e->certs.count; i++) {
		int rc = vendor_cert_extension(e->certs.certs[i], PCK_OID, &value, &size, err);
		if (rc == CELLA_ENOENT)
			continue;
		if (rc == 0)
			rc = pck_read(value, size, &e->platform, err);
		if (rc < 0)
			return rc;
		e->has_platform = true;
		e->pck = e->certs.certs[i];
		return 0;
	}
	return 0;
}

/* ---- documents ---- */

struct documents {
	struct collateral_document tcb_info, qe_identity;
};

static void take_document(struct collateral_document *from, struct collateral_document *to)
{
	free(to->bytes);
	*to = *from;
	from->bytes = NULL;
}

static bool is_of_platform(const struct dcap_endorsements *e, const struct tcb_info *info, bool is_tdx)
{
	return info->is_tdx == is_tdx &&
	       (!e->has_platform || (crypto_equal(info->fmspc, e->platform.fmspc, TCB_FMSPC_SIZE) &&
	                             crypto_equal(info->pce_id, e->platform.pce_id, TCB_PCE_ID_SIZE)));
}

/* Does the second take the place of the first? If it alone is for this platform, or if it is later. */
static bool is_better(bool first_fits, int64_t first_issued, bool second_fits, int64_t second_issued)
{
	return second_fits != first_fits ? second_fits : second_issued > first_issued;
}

static int add_tcb_info(struct dcap_endorsements *e, bool is_tdx, struct collateral_document *from,
                        struct documents *kept, struct error *err)
{
	struct tcb_info info;
	int rc = tcb_info_read(from->bytes, from->size, &info, err);
	if (rc < 0)
		return rc;
	if (e->has_tcb_info && !is_better(is_of_platform(e, &e->tcb_info, is_tdx), e->tcb_info.issued,
	                                  is_of_platform(e, &info, is_tdx), info.issued)) {
		tcb_info_done(&info);
		return 0;
	}
	tcb_info_done(&e->tcb_info);
	e->tcb_info = info;
	e->has_tcb_info = true;
	take_document(from, &kept->tcb_info);
	return 0;
}

static int add_qe_identity(struct dcap_endorsements *e, bool is_tdx, struct collateral_document *from,
                           struct documents *kept, struct error *err)
{
	struct qe_identity identity;
	int rc = qe_identity_read(from->bytes, from->size, &identity, err);
	if (rc < 0)
		return rc;
	if (e->has_qe_identity && !is_better(e->qe_identity.is_tdx == is_tdx, e->qe_identity.issued,
	                                     identity.is_tdx == is_tdx, identity.issued)) {
		qe_identity_done(&identity);
		return 0;
	}
	qe_identity_done(&e->qe_identity);
	e->qe_identity = identity;
	e->has_qe_identity = true;
	take_document(from, &kept->qe_identity);
	return 0;
}

static int add_file(struct dcap_endorsements *e, bool is_tdx, const struct tee_blob *blob,
                    struct documents *kept, struct error *err)
{
	cleanup_file struct collateral_file file = {0};
	int rc = collateral_file_read(blob->data, blob->size, &file, err);
	for (size_t i = 0; rc == 0 && i < file.cert_count; i++)
		rc = vendor_certs_add(&e->certs, file.certs[i], strlen(file.certs[i]), err);
	if (rc == 0 && file.tcb_info.bytes)
		rc = add_tcb_info(e, is_tdx, &file.tcb_info, kept, err);
	if (rc == 0 && file.qe_identity.bytes)
		rc = add_qe_identity(e, is_tdx, &file.qe_identity, kept, err);
	return rc < 0 ? error_prefix(err, rc, "%s: ", blob->name ? blob->name : "collateral") : 0;
}

static int add_collateral(struct dcap_endorsements *e, const struct tee_input *input, bool json,
                          struct documents *kept, struct error *err)
{
	for (size_t i = 0; i < input->collateral_count; i++) {
		const struct tee_blob *blob = &input->collateral[i];
		if (collateral_is_json(blob->data, blob->size) != json)
			continue;
		int rc = json ? add_file(e, input->kind == TEE_TDX, blob, kept, err)
		              : chain_read(blob, 1, &e->certs, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* ---- chains ---- */

static int make_chain(const struct tee_input *input, const struct dcap_endorsements *e,
                      const struct vendor_cert *leaf, struct vendor_chain *ret, struct error *err)
{
	const struct vendor_root *roots = input->test_roots ? input->test_roots : &dcap_root;
	const size_t count = input->test_roots ? input->test_root_count : 1;
	return vendor_chain_make(&e->certs, leaf, roots, count, VENDOR_ECDSA_SHA256, ret, err);
}

/* Not any key below Intel's root may sign documents: every platform has one. */
static bool has_signed(const struct vendor_cert *cert, const struct collateral_document *document)
{
	return strcmp(vendor_cert_facts(cert)->common_name, DCAP_SIGNING_NAME) == 0 &&
	       vendor_key_kind(vendor_cert_key(cert)) == VENDOR_P256 &&
	       vendor_key_verify(vendor_cert_key(cert), VENDOR_ECDSA_SHA256, document->bytes, document->size,
	                         document->signature, sizeof(document->signature), NULL) == 0;
}

static int find_signers(const struct tee_input *input, const struct dcap_endorsements *e,
                        const struct collateral_document *document, struct dcap_signers *to,
                        struct error *err)
{
	for (size_t i = 0; i < e->certs.count && to->count < DCAP_SIGNERS_MAX; i++) {
		if (!document->bytes || !has_signed(e->certs.certs[i], document))
			continue;
		int rc = make_chain(input, e, e->certs.certs[i], &to->chains[to->count], err);
		if (rc < 0)
			return rc;
		to->count++;
	}
	return 0;
}

static int make_chains(const struct tee_input *input, struct dcap_endorsements *e,
                       const struct documents *kept, struct error *err)
{
	int rc = e->pck ? make_chain(input, e, e->pck, &e->pck_chain, err) : 0;
	if (rc == 0)
		rc = find_signers(input, e, &kept->tcb_info, &e->tcb_signers, err);
	return rc < 0 ? rc : find_signers(input, e, &kept->qe_identity, &e->qe_signers, err);
}

/* The platform is found before the documents, of which it chooses. */
static int put_together(const struct tee_input *input, const struct quote *quote, struct dcap_endorsements *e,
                        struct documents *kept, struct error *err)
{
	int rc = add_quoted(e, quote, err);
	if (rc == 0)
		rc = chain_read(input->certs, input->cert_count, &e->certs, err);
	if (rc == 0)
		rc = add_collateral(e, input, false, kept, err);
	if (rc == 0)
		rc = find_pck(e, err);
	if (rc == 0)
		rc = add_collateral(e, input, true, kept, err);
	if (rc == 0 && !e->pck) /* a set may have brought it */
		rc = find_pck(e, err);
	if (rc == 0 && (kept->tcb_info.bytes || kept->qe_identity.bytes))
		rc = vendor_certs_add(&e->certs, dcap_signing_certs, strlen(dcap_signing_certs), err);
	return rc < 0 ? rc : make_chains(input, e, kept, err);
}

static int make(const struct tee_input *input, const struct quote *quote, struct dcap_endorsements **ret,
                struct error *err)
{
	struct documents kept = {0};
	cleanup_endorsements struct dcap_endorsements *e = calloc(1, sizeof(*e));
	if (!e)
		return error_set(err, CELLA_ENOMEM, "no memory for certificates and collateral");
	int rc = put_together(input, quote, e, &kept, err);
	free(kept.tcb_info.bytes);
	free(kept.qe_identity.bytes);
	if (rc == 0)
		*ret = take_ptr(&e);
	return rc;
}

/* ---- remembered ---- */

static int key_of(const struct tee_input *input, const struct quote *quote, uint8_t ret_key[TEE_KEY_SIZE],
                  struct error *err)
{
	struct tee_blob blobs[2 + TEE_BLOBS_MAX + TEE_BLOBS_MAX];
	size_t count = 0;
	const char *label = input->kind == TEE_TDX ? "tdx endorsements" : "sgx endorsements";
	blobs[count++] = (struct tee_blob){&quote->certification, sizeof(quote->certification), NULL};
	blobs[count++] = (struct tee_blob){quote->certification_data, quote->certification_size, NULL};
	for (size_t i = 0; i < input->cert_count; i++)
		blobs[count++] = input->certs[i];
	for (size_t i = 0; i < input->collateral_count; i++)
		blobs[count++] = input->collateral[i];
	if (input->test_roots) /* another answer for the same bytes */
		label = "test endorsements";
	return tee_chains_key(label, blobs, count, ret_key, err);
}

int dcap_endorse(const struct tee_input *input, const struct quote *quote,
                 const struct dcap_endorsements **ret_endorsements, struct dcap_endorsements **ret_owned,
                 struct error *err)
{
	uint8_t key[TEE_KEY_SIZE];
	struct dcap_endorsements *made = NULL;
	int rc = input->chains ? key_of(input, quote, key, err) : 0;
	if (rc < 0)
		return rc;
	const struct dcap_endorsements *known = input->chains ? tee_chains_get(input->chains, key) : NULL;
	if (!known)
		rc = make(input, quote, &made, err);
	if (rc < 0)
		return rc;
	const bool kept = made && input->chains &&
	                  tee_chains_put(input->chains, key, made, dcap_endorsements_free, NULL) == 0;
	*ret_endorsements = known ? known : made;
	*ret_owned = kept ? NULL : made;
	return 0;
}
