/*
 * Roots of volumes, and the leases on writing them.
 *
 *   volume    64 bytes root, u64 token, u64 lease until, u32 size of the holder's name, the name
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "cas/records/records_state.h"

enum { TOKEN_EPOCH_SHIFT = 40 }; /* a thousand leases a second for 34 years, in one epoch */
static_assert((uint64_t)RECORDS_EPOCH_MAX <= UINT64_MAX >> TOKEN_EPOCH_SHIFT,
              "a token begins with its epoch");

static int decode(const struct vault_bytes *bytes, struct records_volume *ret_volume, struct error *err)
{
	struct records_volume v = {0};
	struct reader in = reader_of(bytes->data, bytes->size);
	size_t size;
	reader_copy(&in, v.root, sizeof(v.root));
	v.token = reader_u64(&in);
	v.lease_until_ns = reader_u64(&in);
	const uint8_t *holder = reader_blob(&in, &size);
	if (!reader_finished(&in) || size > RECORDS_NAME_MAX)
		return records_malformed("volume", err);
	memcpy(v.holder, holder, size);
	*ret_volume = v;
	return 0;
}

int records_volume_get(struct records *r, const uint8_t volume[VOLUME_ID_SIZE],
                       struct records_volume *ret_volume, struct error *err)
{
	cleanup_vault_bytes struct vault_bytes bytes = {0};
	if (!records_find(r, RECORDS_VOLUME, volume, VOLUME_ID_SIZE)) {
		*ret_volume = (struct records_volume){0};
		return 0;
	}
	int rc = records_get(r, RECORDS_VOLUME, volume, VOLUME_ID_SIZE, "volume", &bytes, NULL, err);
	return rc == 0 ? decode(&bytes, ret_volume, err) : rc;
}

static int put(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], const struct records_volume *v,
               struct error *err)
{
	cleanup_buf struct buf body = {0};
	buf_put(&body, v->root, sizeof(v->root));
	buf_put_u64(&body, v->token);
	buf_put_u64(&body, v->lease_until_ns);
	buf_put_string(&body, v->holder);
	if (body.failed)
		return error_set(err, CELLA_ENOMEM, "no memory for a volume's root");
	const struct crypto_part part = {body.data, body.size};
	return records_put(r, RECORDS_VOLUME, volume, VOLUME_ID_SIZE, &part, 1, err);
}

int records_volume_acquire(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], const char *holder,
                           bool take_over, uint64_t now_ns, uint64_t until_ns, uint64_t *ret_token,
                           struct error *err)
{
	struct records_volume v;
	int rc = records_check_name(holder, "volume's holder", err);
	if (rc == 0)
		rc = records_volume_get(r, volume, &v, err);
	if (rc < 0)
		return rc;
	if (!take_over && v.lease_until_ns > now_ns)
		return error_set(err, CELLA_EAGAIN,
		                 "%s writes to the volume, for %" PRIu64
		                 " s yet, or until it ends: start again then",
		                 v.holder, (v.lease_until_ns - now_ns) / 1000000000 + 1);
	v.token = max_of(v.token, audit_head(r->audit)->epoch << TOKEN_EPOCH_SHIFT) + 1;
	v.lease_until_ns = until_ns;
	memset(v.holder, 0, sizeof(v.holder));
	memcpy(v.holder, holder, strlen(holder));
	rc = put(r, volume, &v, err);
	if (rc == 0)
		*ret_token = v.token;
	return rc;
}

static int check_token(const struct records_volume *v, uint64_t token, struct error *err)
{
	if (v->token == token && token)
		return 0;
	return error_set(err, CELLA_EFENCED,
	                 "another writer took the volume over (token %" PRIu64 ", this one has %" PRIu64
	                 "): what was not committed is lost",
	                 v->token, token);
}

int records_volume_swap(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                        const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                        struct error *err)
{
	struct records_volume v;
	int rc = records_volume_get(r, volume, &v, err);
	if (rc == 0)
		rc = check_token(&v, token, err);
	if (rc < 0)
		return rc;
	if (crypto_equal(v.root, to, sizeof(v.root)))
		return 0;
	if (!crypto_equal(v.root, from, sizeof(v.root)))
		return error_set(err, CELLA_EAUTH,
		                 "the CAS holds another root of the volume than the one expected");
	memcpy(v.root, to, sizeof(v.root));
	return put(r, volume, &v, err);
}

int records_volume_renew(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                         uint64_t until_ns, struct error *err)
{
	struct records_volume v;
	int rc = records_volume_get(r, volume, &v, err);
	if (rc == 0)
		rc = check_token(&v, token, err);
	if (rc < 0)
		return rc;
	v.lease_until_ns = until_ns;
	return put(r, volume, &v, err);
}

int records_volume_release(struct records *r, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                           struct error *err)
{
	struct records_volume v;
	int rc = records_volume_get(r, volume, &v, err);
	if (rc < 0 || v.token != token || v.lease_until_ns == 0)
		return rc;
	v.lease_until_ns = 0;
	return put(r, volume, &v, err);
}
