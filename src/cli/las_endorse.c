#include "cli/las_endorse.h"

#include <string.h>
#include <unistd.h>

#include "attest/claims.h"
#include "attest/endorsement_format.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/las_key.h"

static int read_key(bool make, struct crypto_signer *ret_signer, struct error *err)
{
	char path[CRYPTO_KEY_PATH_MAX];
	int rc = las_key_place(path, err);
	if (rc < 0)
		return rc;
	return make ? crypto_key_file_load(path, LAS_KEY_NAME, ret_signer, err)
	            : crypto_key_file_read(path, LAS_KEY_NAME, ret_signer, err);
}

int las_public_key(bool make, uint8_t ret_key[CRYPTO_ED25519_SIZE], struct error *err)
{
	struct crypto_signer signer;
	int rc = read_key(make, &signer, err);
	if (rc < 0)
		return rc;
	memcpy(ret_key, signer.public_key, sizeof(signer.public_key));
	mem_wipe(&signer, sizeof(signer));
	return 0;
}

/* Files that a person names, read. */
struct more_certs {
	struct buf bytes[ENDORSEMENT_BLOBS_MAX];
	size_t count;
};

static void cleanup_certs_fn(struct more_certs *certs)
{
	for (size_t i = 0; i < certs->count; i++)
		buf_done(&certs->bytes[i]);
}

static int add_certs(const struct option_list *paths, struct more_certs *certs, struct endorsement *e,
                     struct error *err)
{
	for (size_t i = 0; paths && i < paths->count; i++) {
		if (e->cert_count == ENDORSEMENT_BLOBS_MAX)
			return error_set(err, CELLA_ELIMIT, "more than %d files of certificates",
			                 ENDORSEMENT_BLOBS_MAX);
		struct buf *bytes = &certs->bytes[certs->count++];
		int rc = io_read_file(paths->items[i], ENDORSEMENT_MAX, bytes, err);
		if (rc < 0)
			return rc;
		e->certs[e->cert_count++] = (struct tee_blob){bytes->data, bytes->size, paths->items[i]};
	}
	return 0;
}

/* The longest log, which is the one of a kernel that measures files (IMA). A session that requires it refuses
 * what comes without it, and says so. */
static bool drop_log(struct endorsement *e)
{
	size_t longest = 0;
	if (e->event_log_count == 0)
		return false;
	for (size_t i = 1; i < e->event_log_count; i++)
		if (e->event_logs[i].size > e->event_logs[longest].size)
			longest = i;
	log_warn("the event log %s has %zu bytes, and a CAS takes %d with all that it comes with: it is left "
	         "out, and a session that demands it refuses this machine",
	         e->event_logs[longest].name, e->event_logs[longest].size, ENDORSEMENT_MAX);
	e->event_logs[longest] = e->event_logs[--e->event_log_count];
	return true;
}

static int encode(const struct las_endorsing *l, const struct crypto_signer *key,
                  const struct driver_evidence *evidence, const uint8_t nonce[ENDORSEMENT_NONCE_SIZE],
                  struct buf *ret, struct error *err)
{
	struct more_certs certs __attribute__((cleanup(cleanup_certs_fn))) = {0};
	struct tee_blob blobs[2 * DRIVER_BLOBS_MAX];
	struct tee_input input = {0};
	struct endorsement e = {.kind = l->kind};
	driver_evidence_input(evidence, blobs, &input);
	memcpy(e.launcher, key->public_key, sizeof(e.launcher));
	memcpy(e.nonce, nonce, sizeof(e.nonce));
	e.evidence = input.evidence;
	for (size_t i = 0; i < input.cert_count; i++)
		e.certs[e.cert_count++] = input.certs[i];
	for (size_t i = 0; i < input.event_log_count; i++)
		e.event_logs[e.event_log_count++] = input.event_logs[i];
	int rc = add_certs(l->certs, &certs, &e, err);
	if (rc == 0)
		rc = endorsement_encode(&e, key, ret, err);
	while (rc == CELLA_ELIMIT && drop_log(&e))
		rc = endorsement_encode(&e, key, ret, err);
	return rc;
}

static int send(struct cas_client *client, const struct las_endorsing *l, const struct buf *bytes,
                struct error *err)
{
	json_t *body = json_pack("{s:s, s:s, s:o}", "session", l->session, "service", l->service,
	                         "endorsement", claims_base64url(bytes->data, bytes->size));
	return body ? cas_client_json(client, "POST", "/v1/endorsements", body, NULL, err)
	            : error_set(err, CELLA_ENOMEM, "no memory for an endorsement");
}

static int make(struct cas_client *client, const struct driver_io *io, const struct las_endorsing *l,
                const struct crypto_signer *key, struct buf *ret, struct error *err)
{
	uint8_t nonce[ENDORSEMENT_NONCE_SIZE], report_data[TEE_REPORT_DATA_MAX];
	struct driver_evidence evidence = {0};
	int rc = cas_client_nonce(client, nonce, err);
	if (rc == 0)
		rc = endorsement_report_data(key->public_key, nonce, report_data, err);
	if (rc == 0)
		rc = driver_get(l->kind, io, report_data, &evidence, err);
	if (rc == 0)
		rc = encode(l, key, &evidence, nonce, ret, err);
	driver_evidence_done(&evidence);
	return rc;
}

int las_endorse(struct cas_client *client, const struct driver_io *io, const struct las_endorsing *l,
                struct error *err)
{
	cleanup_buf struct buf bytes = {0};
	struct crypto_signer key;
	int rc = read_key(false, &key, err);
	if (rc < 0)
		return rc;
	rc = make(client, io, l, &key, &bytes, err);
	mem_wipe(&key, sizeof(key));
	return rc == 0 ? send(client, l, &bytes, err) : rc;
}
