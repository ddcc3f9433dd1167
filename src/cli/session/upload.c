/* cella session upload: a secret that stands in no text is handed to the CAS (cas/kbs/kbs.h); or an owner's
 * signature under it, where the session wants several. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cas/records/records.h"
#include "cas/session/signature.h"
#include "cli/session/remote.h"
#include "cli/session/source.h"
#include "cli/verb.h"
#include "net/http.h"

/* NAMESPACE/NAME/SECRET, as guests name it. */
struct target {
	char *session; /* NAMESPACE/NAME */
	const char *secret;
	struct buf path; /* at the CAS, a string */
};

static void target_done(struct target *t)
{
	free(t->session);
	buf_done(&t->path);
}
#define cleanup_target cleanup_with(target_done)

static int read_target(const char *operand, struct target *ret, struct error *err)
{
	const char *first = strchr(operand, '/'), *second = first ? strchr(first + 1, '/') : NULL;
	if (!second || strchr(second + 1, '/') || first == operand || second == first + 1 || !second[1])
		return error_set(
			err, CELLA_EINVAL,
			"%.100s is no NAMESPACE/NAME/SECRET, such as clinic/hospital/key: only sessions "
			"with a name of two parts have secrets that are uploaded",
			operand);
	cleanup_free char *repository = strndup(operand, (size_t)(first - operand));
	ret->session = strndup(operand, (size_t)(second - operand));
	ret->secret = second + 1;
	if (!repository || !ret->session)
		return error_set(err, CELLA_ENOMEM, "no memory for a name");
	const char *const parts[] = {repository, ret->session + (first + 1 - operand), ret->secret};
	buf_printf(&ret->path, "/kbs/v0/resource");
	for (size_t i = 0; i < array_count(parts); i++) {
		buf_put_u8(&ret->path, '/');
		http_encode(&ret->path, parts[i]);
	}
	buf_put(&ret->path, "", 1);
	return ret->path.failed ? error_set(err, CELLA_ENOMEM, "no memory for a name") : 0;
}

/* Whose place it takes: as --after says beside --hash, or as the CAS does. */
static int version_of(const struct session_remote *c, struct session_cas *r, const struct target *target,
                      uint64_t *ret_version, struct error *err)
{
	cleanup_buf struct buf path = {0};
	json_t *answer;
	if (c->hash) {
		*ret_version = c->after;
		return 0;
	}
	cas_client_target(&path, target->session, "/secrets/", target->secret);
	buf_put(&path, "/version", sizeof("/version"));
	int rc = path.failed ? error_set(err, CELLA_ENOMEM, "no memory for a name")
	                     : cas_client_json(r->client, "GET", (const char *)path.data, NULL, &answer, err);
	if (rc < 0)
		return rc;
	*ret_version = (uint64_t)json_integer_value(json_object_get(answer, "version"));
	json_decref(answer);
	return 0;
}

static int sign_upload(const struct session_remote *c, struct session_cas *r, const struct target *target,
                       const struct session_text *secret, struct error *err)
{
	uint8_t hash[CRYPTO_SHA384_SIZE];
	struct signature_statement s = {.action = SIGNATURE_UPLOAD, .session = target->session};
	struct signature_upload u = {hash, target->secret, 0, secret->data, secret->size};
	int rc = session_hash_of(c, r, target->session, hash, err);
	if (rc == 0)
		rc = version_of(c, r, target, &u.version, err);
	if (rc == 0)
		rc = signature_upload_digest(&u, s.digest, err);
	return rc == 0 ? session_sign(c, r, &s, err) : rc;
}

static int send_upload(const struct session_remote *c, struct session_cas *r, const struct target *target,
                       const struct session_text *secret, struct error *err)
{
	cleanup_buf struct buf signatures = {0};
	struct https_reply reply;
	int rc = session_signatures(c, &signatures, err);
	if (rc < 0)
		return rc;
	const struct https_message message = {.method = "POST",
	                                      .target = (const char *)target->path.data,
	                                      .type = "application/octet-stream",
	                                      .body = secret->data,
	                                      .size = secret->size,
	                                      .header = (const char *)signatures.data};
	rc = cas_client_ask(r->client, &message, &reply, err);
	if (rc < 0)
		return error_prefix(err, rc, "%s: ", c->operands[0]);
	https_reply_done(&reply);
	if (c->json)
		return verb_print_json(json_pack("{s:s, s:I}", "secret", c->operands[0], "bytes",
		                                 (json_int_t)secret->size),
		                       err);
	printf("%s: the CAS has it, %zu byte%s\n", c->operands[0], secret->size,
	       secret->size == 1 ? "" : "s");
	return 0;
}

int session_upload_command(const struct session_remote *c, struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	cleanup_session_text struct session_text secret = {0};
	cleanup_target struct target target = {0};
	int rc = read_target(c->operands[0], &target, err);
	if (rc == 0)
		rc = session_cas_prepare(&r, err);
	if (rc == 0)
		rc = session_source_read(c->operands[1], RECORDS_SECRET_MAX, &secret, err);
	if (rc == 0 && (secret.size == 0 || secret.size > RECORDS_SECRET_MAX))
		rc = error_set(err, CELLA_EINVAL, "a secret has 1 to %d bytes, and %s has %s",
		               RECORDS_SECRET_MAX, c->operands[1], secret.size ? "more" : "none");
	if (rc == 0)
		rc = session_cas_open(&r, err);
	if (rc < 0)
		return rc;
	return c->sign ? sign_upload(c, &r, &target, &secret, err)
	               : send_upload(c, &r, &target, &secret, err);
}
