/* cella session sign: an owner's consent to what another one asks for (cas/session/signature.h). */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cas/session/signature.h"
#include "cli/session/remote.h"
#include "cli/session/source.h"
#include "cli/verb.h"

static int cas_of(struct session_cas *r, uint8_t ret_cas[SIGNATURE_CAS_SIZE], struct error *err)
{
	json_t *status;
	int rc = cas_client_json(r->client, "GET", "/v1/status", NULL, &status, err);
	if (rc < 0)
		return rc;
	const char *hex = json_string_value(json_object_get(status, "cas"));
	if (!hex || strlen(hex) != 2 * SIGNATURE_CAS_SIZE || !io_unhex(hex, SIGNATURE_CAS_SIZE, ret_cas))
		rc = error_set(err, CELLA_EFORMAT, "the CAS's answer does not say which one it is");
	json_decref(status);
	return rc;
}

/* The first private key in a credential, PEM. */
static int key_of(const struct context *context, struct cert_key **ret_key, struct error *err)
{
	struct buf pem = {0};
	if (!*context->credential)
		return error_set(err, CELLA_EPERM,
		                 "signing needs a credential: cella cas attest ... --credential FILE");
	int rc = io_read_file(context->credential, CERT_TEXT_MAX, &pem, err);
	if (rc == 0)
		rc = cert_key_read(pem.data, pem.size, ret_key, err);
	if (pem.data)
		mem_wipe(pem.data, pem.size);
	buf_done(&pem);
	return rc < 0 ? error_prefix(err, rc, "%s: ", context->credential) : 0;
}

int session_sign(const struct session_remote *c, struct session_cas *r, struct signature_statement *s,
                 struct error *err)
{
	cleanup_buf struct buf text = {0};
	struct cert_key *key = NULL;
	int rc = cas_of(r, s->cas, err);
	if (rc == 0)
		rc = key_of(&r->context, &key, err);
	if (rc == 0)
		rc = signature_make(s, key, &text, err);
	cert_key_free(key);
	if (rc < 0)
		return rc;
	if (c->json)
		return verb_print_json(json_pack("{s:s, s:s, s:s%}", "session", s->session, "action",
		                                 s->action, "signature", (const char *)text.data, text.size),
		                       err);
	printf("%.*s\n", (int)text.size, (const char *)text.data);
	return 0;
}

static int read_hash(const char *hex, uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	return hex && strlen(hex) == (size_t)2 * CRYPTO_SHA384_SIZE &&
	                       io_unhex(hex, CRYPTO_SHA384_SIZE, ret_hash)
	               ? 0
	               : error_set(err, CELLA_EINVAL, "a session's hash has %d hexadecimal digits: %.100s",
	                           2 * CRYPTO_SHA384_SIZE, hex ? hex : "");
}

int session_hash_of(const struct session_remote *c, struct session_cas *r, const char *session,
                    uint8_t ret_hash[CRYPTO_SHA384_SIZE], struct error *err)
{
	json_t *answer, *one;
	size_t i;
	if (c->hash)
		return read_hash(c->hash, ret_hash, err);
	int rc = cas_client_json(r->client, "GET", "/v1/sessions", NULL, &answer, err);
	if (rc < 0)
		return rc;
	rc = CELLA_ENOENT;
	json_array_foreach(json_object_get(answer, "sessions"), i, one)
	{
		const char *name = json_string_value(json_object_get(one, "name"));
		if (name && strcmp(name, session) == 0)
			rc = read_hash(json_string_value(json_object_get(one, "hash")), ret_hash, err);
	}
	json_decref(answer);
	return rc == CELLA_ENOENT
	               ? error_set(
				 err, rc,
				 "the session %s is none that this owner may read alone: say what is signed "
				 "for with --hash HASH",
				 session)
	               : rc;
}

int session_sign_command(const struct session_remote *c, struct error *err)
{
	static const char *const others[] = {SIGNATURE_READ, SIGNATURE_DELETE, SIGNATURE_TAKE_OVER};
	cleanup_session_cas struct session_cas r = {0};
	cleanup_session_source struct session_source file = {0};
	struct signature_statement s = {.action = c->action ? c->action : SIGNATURE_PUT,
	                                .session = c->operands[0]};
	bool put = strcmp(s.action, SIGNATURE_PUT) == 0;
	size_t i = 0;
	while (!put && i < array_count(others) && strcmp(s.action, others[i]) != 0)
		i++;
	if (i == array_count(others))
		return error_set(err, CELLA_EINVAL, "--for is put, read, delete or take-over");
	if (!put && !c->hash)
		return error_set(
			err, CELLA_EINVAL,
			"sign --for %s wants --hash HASH, the session's as it is: cella session list "
			"--json, of who may read it alone, or calculate-hash of the file that was put last",
			s.action);
	int rc = session_cas_prepare(&r, err);
	if (rc == 0 && put)
		rc = session_source_open(c->operands[0], c->json, &file, err);
	if (rc == 0 && put) {
		s.session = file.session->name;
		memcpy(s.digest, file.hash, sizeof(s.digest));
	}
	if (rc == 0 && !put)
		rc = session_hash_of(c, &r, s.session, s.digest, err);
	if (rc == 0)
		rc = session_cas_open(&r, err);
	return rc == 0 ? session_sign(c, &r, &s, err) : rc;
}

static int add_file(const char *file, struct buf *to, struct error *err)
{
	cleanup_buf struct buf text = {0};
	int rc = io_read_file(file, SIGNATURE_TEXT_MAX, &text, err);
	while (rc == 0 && text.size && isspace(text.data[text.size - 1]))
		text.size--;
	for (size_t i = 0; rc == 0 && i < text.size; i++)
		if (!isgraph(text.data[i]))
			rc = error_set(err, CELLA_EINVAL,
			               "%s holds no signature: cella session sign makes one", file);
	if (rc == 0)
		buf_put(to, text.data, text.size);
	return rc;
}

int session_signatures(const struct session_remote *c, struct buf *ret_header, struct error *err)
{
	static const char name[] = "cella-signatures: ";
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < c->signature_count; i++) {
		buf_put(ret_header, i ? ", " : name, i ? 2 : strlen(name));
		rc = add_file(c->signatures[i], ret_header, err);
	}
	if (c->signature_count)
		buf_put(ret_header, "", 1);
	return rc == 0 && ret_header->failed ? error_set(err, CELLA_ENOMEM, "no memory for signatures") : rc;
}
