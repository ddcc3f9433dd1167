#include "cli/session/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cli/session/source.h"
#include "cli/verb.h"

enum { POOL_SIZE = 8 << 20, POOL_LEAST = 2 << 20 };

int session_cas_prepare(struct session_cas *r, struct error *err)
{
	bool secret = mem_level_check(MEM_SECRET, POOL_LEAST, NULL) == 0;
	int rc = mem_pool_new(secret ? MEM_SECRET : MEM_INSECURE_NONE, POOL_SIZE, &r->pool, err);
	return rc == 0 ? crypto_init(r->pool, err) : rc;
}

int session_cas_open(struct session_cas *r, struct error *err)
{
	int rc = r->pool ? 0 : session_cas_prepare(r, err);
	if (rc == 0)
		rc = context_load(NULL, &r->context, err);
	if (rc == 0)
		rc = cas_client_open(&r->context, r->pool, &r->client, err);
	if (rc == 0)
		rc = cas_client_check(r->client, &r->context, NULL, err);
	return rc < 0 ? rc : context_save(&r->context, false, err);
}

void session_cas_done(struct session_cas *r)
{
	cas_client_free(r->client);
}

int session_create_command(const struct session_remote *c, struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	cleanup_session_source struct session_source file = {0};
	cleanup_buf struct buf signatures = {0};
	struct https_reply reply;
	json_t *answer = NULL;
	int rc = session_signatures(c, &signatures, err);
	if (rc == 0)
		rc = session_cas_prepare(&r, err);
	if (rc == 0)
		rc = session_source_open(c->operands[0], c->json, &file, err);
	if (rc == 0)
		rc = session_cas_open(&r, err);
	if (rc == 0) {
		const struct https_message message = {.method = "POST",
		                                      .target = "/v1/sessions",
		                                      .type = "application/yaml",
		                                      .body = file.text.data,
		                                      .size = file.text.size,
		                                      .header = (const char *)signatures.data};
		rc = cas_client_ask(r.client, &message, &reply, err);
		if (rc < 0)
			error_prefix(err, rc, "%s: ", c->operands[0]);
	}
	if (rc != 0)
		return rc;
	answer = json_loadb((const char *)reply.body, reply.size, 0, NULL);
	https_reply_done(&reply);
	if (c->json)
		rc = verb_print_json(json_incref(answer), err);
	else
		printf("session %s\nhash    %s\n", json_string_value(json_object_get(answer, "name")),
		       json_string_value(json_object_get(answer, "hash")));
	json_decref(answer);
	return rc;
}

/* Of a session by its name, with the signatures that were given. */
static int ask_signed(const struct session_remote *c, const char *method, struct https_reply *ret_reply,
                      struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	cleanup_buf struct buf target = {0}, signatures = {0};
	int rc = session_signatures(c, &signatures, err);
	if (rc == 0)
		rc = session_cas_open(&r, err);
	if (rc < 0)
		return rc;
	cas_client_target(&target, c->operands[0], NULL, NULL);
	buf_put(&target, "", 1);
	const struct https_message message = {.method = method,
	                                      .target = (const char *)target.data,
	                                      .header = (const char *)signatures.data};
	return cas_client_ask(r.client, &message, ret_reply, err);
}

int session_read_command(const struct session_remote *c, struct error *err)
{
	struct https_reply reply;
	int rc = ask_signed(c, "GET", &reply, err);
	if (rc < 0)
		return rc;
	fwrite(reply.body, 1, reply.size, stdout);
	fprintf(stderr, "hash %s\n", https_reply_header(&reply, "cella-session-hash"));
	https_reply_done(&reply);
	return 0;
}

int session_list_command(const struct session_remote *c, struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	json_t *answer, *one;
	size_t i;
	int rc = session_cas_open(&r, err);
	if (rc == 0)
		rc = cas_client_json(r.client, "GET", "/v1/sessions", NULL, &answer, err);
	if (rc < 0)
		return rc;
	if (c->json)
		rc = verb_print_json(json_incref(json_object_get(answer, "sessions")), err);
	else
		json_array_foreach(json_object_get(answer, "sessions"), i, one)
		{
			char when[CERT_TIME_TEXT_SIZE];
			cert_time_text(json_integer_value(json_object_get(one, "updated")), when);
			printf("%s  %.16s…  %s\n", when, json_string_value(json_object_get(one, "hash")),
			       json_string_value(json_object_get(one, "name")));
		}
	json_decref(answer);
	return rc;
}

int session_delete_command(const struct session_remote *c, struct error *err)
{
	struct https_reply reply;
	int rc = ask_signed(c, "DELETE", &reply, err);
	if (rc == 0)
		https_reply_done(&reply);
	return rc;
}

/* ---- explain */

static void print_refusal(const json_t *refusal)
{
	char when[CERT_TIME_TEXT_SIZE];
	cert_time_text(json_integer_value(json_object_get(refusal, "time")), when);
	printf("refusal %" JSON_INTEGER_FORMAT ", %s\n",
	       json_integer_value(json_object_get(refusal, "number")), when);
	verb_print_lines(json_string_value(json_object_get(refusal, "reasons")));
}

int session_explain_command(const struct session_remote *c, struct error *err)
{
	cleanup_session_cas struct session_cas r = {0};
	cleanup_buf struct buf target = {0};
	const char *name = c->operands[0], *slash = strrchr(name, '/');
	json_t *answer, *one;
	size_t i;
	if (!slash || slash == name || !slash[1])
		return error_set(err, CELLA_EINVAL, "%.100s is no SESSION/SERVICE, such as hospital/classify",
		                 name);
	cleanup_free char *session = strndup(name, (size_t)(slash - name));
	int rc = session ? session_cas_open(&r, err) : error_set(err, CELLA_ENOMEM, "no memory for a name");
	if (rc < 0)
		return rc;
	cas_client_target(&target, session, "/services/", slash + 1);
	buf_put(&target, "/refusals", sizeof("/refusals"));
	rc = cas_client_json(r.client, "GET", (const char *)target.data, NULL, &answer, err);
	if (rc < 0)
		return rc;
	const json_t *list = json_object_get(answer, "refusals");
	if (c->json)
		rc = verb_print_json(json_incref(json_object_get(answer, "refusals")), err);
	else if (json_array_size(list) == 0)
		printf("nobody was refused as %s\n", name);
	else
		json_array_foreach(list, i, one) print_refusal(one);
	json_decref(answer);
	return rc;
}
