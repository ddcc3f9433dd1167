/* Uploads: how a secret comes that stands in no session's text. */
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cas/access.h"
#include "cas/kbs/state.h"

bool kbs_session_name(const struct kbs_path *path, char to[RECORDS_NAME_MAX + 1])
{
	char shown[RECORDS_NAME_MAX + 1];
	const int size = snprintf(to, RECORDS_NAME_MAX + 1, "%s/%s", path->repository, path->type);
	memcpy(shown, to, sizeof(shown));
	printable(shown, strlen(shown), false);
	return size <= RECORDS_NAME_MAX && strcmp(shown, to) == 0;
}

struct uploading {
	const struct cas_session *session;
	const struct session_secret *secret;
	uint64_t version; /* that is there; 0: none */
	const void *bytes;
	size_t size;
	uint64_t now_ns;
};

static int find_version(struct records *r, const char *session, const char *secret, uint64_t *ret_version,
                        struct error *err)
{
	struct records_secret found;
	int rc = records_secret_get(r, session, secret, 0, &found, err);
	*ret_version = rc == 0 ? found.version : 0;
	if (rc == 0)
		records_secret_done(&found);
	return rc == CELLA_ENOENT ? 0 : rc;
}

/* Earlier versions go: nobody is to be given what was replaced. */
static int put(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct uploading *u = act->arg;
	struct records_session now;
	uint64_t version;
	int rc = records_session_get(r, u->session->name, &now, err);
	if (rc < 0)
		return rc;
	const bool same = crypto_equal(now.hash, u->session->hash, sizeof(now.hash));
	records_session_done(&now);
	uint64_t before;
	rc = find_version(r, u->session->name, u->secret->name, &before, err);
	if (rc < 0)
		return rc;
	if (!same || before != u->version)
		return error_set(err, CELLA_EFENCED, "the %s %s was changed meanwhile: try again",
		                 same ? "secret" : "session", same ? u->secret->name : u->session->name);
	rc = records_secret_put(r, u->session->name, u->secret->name, u->secret->kind, u->bytes, u->size,
	                        u->now_ns, &version, err);
	return rc == 0 && version > 1
	               ? records_secret_remove(r, u->session->name, u->secret->name, version, err)
	               : rc;
}

static int check_bytes(const struct uploading *u, const char *name, const char *tag, struct error *err)
{
	const uint8_t *bytes = u->bytes;
	if (!u->secret)
		return error_set(err, CELLA_ENOENT, "the session %s has no secret %.63s", name, tag);
	if (u->secret->origin != SESSION_UPLOADED)
		return error_set(
			err, CELLA_EINVAL,
			"the secret %s of the session %s is not one that is uploaded: say upload: true "
			"of it",
			u->secret->name, name);
	if (u->size == 0 || u->size > RECORDS_SECRET_MAX)
		return error_set(err, CELLA_EINVAL, "a secret has 1 to %d bytes, not %zu", RECORDS_SECRET_MAX,
		                 u->size);
	for (size_t i = 0; u->secret->kind == SESSION_ASCII && i < u->size; i++)
		if ((bytes[i] < ' ' || bytes[i] > '~') && bytes[i] != '\n' && bytes[i] != '\t')
			return error_set(err, CELLA_EINVAL,
			                 "byte %zu is none of an ascii secret; anything is of kind binary",
			                 i + 1);
	return 0;
}

static int upload(struct cas *cas, const struct access_request *q, struct uploading *u, const char *tag,
                  uint8_t digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	u->secret = session_secret(u->session->session, tag);
	int rc = find_version(cas_records_lock(cas), q->session, tag, &u->version, err);
	cas_records_unlock(cas);
	const struct signature_upload what = {u->session->hash, tag, u->version, u->bytes, u->size};
	if (rc == 0)
		rc = signature_upload_digest(&what, digest, err);
	if (rc == 0)
		rc = access_demand(cas, q, u->session, &u->session->session->update, "upload a secret of",
		                   err);
	if (rc == 0)
		rc = check_bytes(u, q->session, tag, err);
	return rc == 0 ? cas_do_act(cas, q->who, AUDIT_SECRET_SET,
	                            json_pack("{s:s, s:s, s:I}", "session", q->session, "secret", tag, "size",
	                                      (json_int_t)u->size),
	                            put, u, err)
	               : rc;
}

int kbs_upload(struct cas *cas, const struct cas_requester *who, const struct kbs_path *path,
               const void *bytes, size_t size, struct error *err)
{
	char name[RECORDS_NAME_MAX + 1];
	uint8_t digest[CRYPTO_SHA384_SIZE] = {0};
	const struct access_request q = {who, SIGNATURE_UPLOAD, name, digest};
	struct uploading u = {.bytes = bytes, .size = size, .now_ns = cas_now_ns(cas)};
	int rc = kbs_session_name(path, name)
	                 ? cas_session_get(cas, name, &u.session, err)
	                 : error_set(err, CELLA_EINVAL, "there can be no session of that name");
	if (rc == CELLA_ENOENT && access_demand_owner(cas, &q, "upload a secret of", err) < 0)
		return CELLA_EPERM;
	if (rc < 0)
		return rc;
	rc = upload(cas, &q, &u, path->tag, digest, err);
	cas_session_put_back(cas, u.session);
	return rc;
}

int kbs_uploads(struct cas *cas, const struct cas_requester *who, const char *session, const char *secret,
                uint64_t *ret_version, struct error *err)
{
	const struct access_request q = {who, SIGNATURE_READ, session, NULL};
	const struct cas_session *found;
	int rc = access_demand_read(cas, &q, NULL, err);
	if (rc == 0)
		rc = cas_session_get(cas, session, &found, err);
	if (rc != 0)
		return rc;
	const struct session_secret *s = session_secret(found->session, secret);
	if (!s || s->origin != SESSION_UPLOADED)
		rc = error_set(err, CELLA_ENOENT, "the session %s has no secret %.63s that is uploaded",
		               session, secret);
	cas_session_put_back(cas, found);
	if (rc < 0)
		return rc;
	rc = find_version(cas_records_lock(cas), session, secret, ret_version, err);
	cas_records_unlock(cas);
	return rc;
}
