#include "cli/cas_client.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"

enum { CREDENTIAL_MAX = 65536 };

struct cas_client {
	struct https_client *https;
	struct cert_key *key;
	struct cert *chain[CERT_CHAIN_MAX];
	size_t chain_count;
};

static int64_t now_s(void *arg)
{
	(void)arg;
	return (int64_t)time(NULL);
}

static int read_credential(struct cas_client *c, const char *path, struct error *err)
{
	struct buf pem = {0};
	cleanup_close int fd = -1;
	int rc = io_open_private(path, "the credential", &fd, err);
	if (rc == 0)
		rc = io_read_fd(fd, path, CREDENTIAL_MAX, &pem, err);
	if (rc == 0)
		rc = cert_key_read(pem.data, pem.size, &c->key, err);
	if (rc == 0)
		rc = cert_read_pem(pem.data, pem.size, c->chain, &c->chain_count, err);
	if (pem.data)
		mem_wipe(pem.data, pem.size);
	buf_done(&pem);
	return rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED
	               ? error_prefix(err, rc, "the credential %s: ", path)
	               : rc;
}

int cas_client_open(const struct context *context, struct mem_pool *pool, struct cas_client **ret_client,
                    struct error *err)
{
	struct cas_client *c = calloc(1, sizeof(*c));
	if (!c)
		return error_set(err, CELLA_ENOMEM, "no memory for a connection");
	int rc = *context->credential ? read_credential(c, context->credential, err) : 0;
	if (rc == 0) {
		const struct https_client_options options = {.url = context->url,
		                                             .key_hash = context->pin,
		                                             .key = c->key,
		                                             .chain = (const struct cert *const *)c->chain,
		                                             .chain_count = c->chain_count,
		                                             .now = now_s,
		                                             .pool = pool};
		rc = https_client_new(&options, &c->https, err);
	}
	if (rc < 0) {
		cas_client_free(c);
		return rc;
	}
	*ret_client = c;
	return 0;
}

void cas_client_free(struct cas_client *c)
{
	if (!c)
		return;
	https_client_free(c->https);
	for (size_t i = 0; i < c->chain_count; i++)
		cert_free(c->chain[i]);
	cert_key_free(c->key);
	free(c);
}

void cas_client_wait_by(struct cas_client *c, https_wait_fn *wait, void *arg)
{
	https_client_wait_by(c->https, wait, arg);
}

/* What there is to do about an answer that says too little of it. */
static int advise(const struct cas_client *c, unsigned status, int rc, struct error *err)
{
	const char *advice = NULL;
	if (!err)
		return rc;
	if (rc == CELLA_ENOSPC)
		advice = "the disk of the CAS is full, and nothing was changed";
	else if (status == 403 && !c->key && strstr(err->text, "certificate is needed"))
		advice = "cella cas attest URL --pin KEY-HASH --credential FILE names an owner's";
	if (!advice)
		return rc;
	const struct error answer = *err;
	return error_set(err, rc, "%s: %s", answer.text, advice);
}

struct https_client *cas_client_https(struct cas_client *c)
{
	return c->https;
}

/* Any answer but 2xx is an error. */
static int check_reply(struct cas_client *c, int rc, struct https_reply *reply, struct error *err)
{
	if (rc < 0)
		return rc;
	const unsigned status = reply->status;
	rc = https_reply_check(c->https, reply, err);
	if (rc == 0)
		return 0;
	https_reply_done(reply);
	return advise(c, status, rc, err);
}

int cas_client_ask(struct cas_client *c, const struct https_message *message, struct https_reply *ret_reply,
                   struct error *err)
{
	return check_reply(c, https_client_ask(c->https, message, ret_reply, err), ret_reply, err);
}

static int read_json(const struct https_reply *reply, json_t **ret_json, struct error *err)
{
	json_error_t why;
	json_t *json = json_loadb(reply->body ? (const char *)reply->body : "", reply->size,
	                          JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return error_set(err, CELLA_EFORMAT, "the CAS's answer is no JSON: %s", why.text);
	*ret_json = json;
	return 0;
}

/* ret_json NULL: nobody wants it. */
static int take_json(struct https_reply *reply, json_t **ret_json, struct error *err)
{
	int rc = ret_json ? read_json(reply, ret_json, err) : 0;
	https_reply_done(reply);
	return rc;
}

/* It may hold keys. */
static void body_done(char **text)
{
	if (*text)
		mem_wipe(*text, strlen(*text));
	free(*text);
}
#define cleanup_body cleanup_with(body_done)

/* Takes `body`; NULL: the message has none. */
static int put_body(struct https_message *message, json_t *body, char **ret_text, struct error *err)
{
	if (!body)
		return 0;
	char *text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	if (!text)
		return error_set(err, CELLA_ENOMEM, "no memory for a request");
	message->type = "application/json";
	message->body = text;
	message->size = strlen(text);
	*ret_text = text;
	return 0;
}

int cas_client_json(struct cas_client *c, const char *method, const char *target, json_t *body,
                    json_t **ret_json, struct error *err)
{
	return cas_client_json_with(c, method, target, NULL, body, ret_json, err);
}

int cas_client_json_with(struct cas_client *c, const char *method, const char *target, const char *header,
                         json_t *body, json_t **ret_json, struct error *err)
{
	struct https_reply reply;
	struct https_message message = {.method = method, .target = target, .header = header};
	cleanup_body char *text = NULL;
	int rc = put_body(&message, body, &text, err);
	if (rc == 0)
		rc = cas_client_ask(c, &message, &reply, err);
	return rc == 0 ? take_json(&reply, ret_json, err) : rc;
}

int cas_client_send(struct cas_client *c, const char *target, json_t *body, struct error *err)
{
	struct https_message message = {.method = "POST", .target = target};
	cleanup_body char *text = NULL;
	int rc = put_body(&message, body, &text, err);
	return rc == 0 ? https_client_send(c->https, &message, err) : rc;
}

int cas_client_receive(struct cas_client *c, json_t **ret_json, struct error *err)
{
	struct https_reply reply;
	int rc = check_reply(c, https_client_receive(c->https, &reply, err), &reply, err);
	return rc == 0 ? take_json(&reply, ret_json, err) : rc;
}

/* The entry that was seen last is still in the log: not so in an old copy that has gone on since. */
static int check_entry(const struct context *context, const json_t *status, struct error *err)
{
	const char *hash = json_string_value(json_object_get(json_object_get(status, "entry"), "hash"));
	if (hash && strcmp(hash, context->hash) == 0)
		return 0;
	return error_set(
		err, CELLA_EAUTH,
		"the CAS at %s is an older one that has gone on: entry %llu of its audit log is another "
		"than the one that was seen before",
		context->url, (unsigned long long)context->number);
}

static int check_head(const struct context *context, const json_t *status, uint64_t epoch, uint64_t number,
                      struct error *err)
{
	bool older = epoch < context->epoch || (epoch == context->epoch && number < context->number);
	if (epoch == 0 || older)
		return error_set(
			err, CELLA_EAUTH,
			"the CAS at %s is an older one: its audit log ends at entry %llu of epoch %llu, "
			"entry %llu of epoch %llu was seen before",
			context->url, (unsigned long long)number, (unsigned long long)epoch,
			(unsigned long long)context->number, (unsigned long long)context->epoch);
	return epoch == context->epoch && *context->hash ? check_entry(context, status, err) : 0;
}

int cas_client_check(struct cas_client *c, struct context *context, json_t **ret_status, struct error *err)
{
	json_t *status;
	char target[64] = "/v1/status";
	if (*context->hash)
		snprintf(target, sizeof(target), "/v1/status?entry=%llu",
		         (unsigned long long)context->number);
	int rc = cas_client_json(c, "GET", target, NULL, &status, err);
	if (rc < 0)
		return rc;
	const json_t *head = json_object_get(status, "head");
	const char *hash = json_string_value(json_object_get(head, "hash"));
	uint64_t epoch = (uint64_t)json_integer_value(json_object_get(head, "epoch"));
	uint64_t number = (uint64_t)json_integer_value(json_object_get(head, "number"));
	rc = check_head(context, status, epoch, number, err);
	if (rc < 0) {
		json_decref(status);
		return rc;
	}
	context->epoch = epoch;
	context->number = number;
	snprintf(context->hash, sizeof(context->hash), "%s", hash ? hash : "");
	if (ret_status)
		*ret_status = status;
	else
		json_decref(status);
	return 0;
}

void cas_client_target(struct buf *to, const char *session, const char *rest, const char *last)
{
	buf_put(to, "/v1/sessions/", strlen("/v1/sessions/"));
	http_encode(to, session);
	if (rest)
		buf_put(to, rest, strlen(rest));
	if (last)
		http_encode(to, last);
}

int cas_client_nonce(struct cas_client *c, uint8_t ret_nonce[CAS_CLIENT_NONCE_SIZE], struct error *err)
{
	json_t *answer;
	int rc = cas_client_json(c, "POST", "/v1/nonce", NULL, &answer, err);
	if (rc < 0)
		return rc;
	const char *hex = json_string_value(json_object_get(answer, "nonce"));
	if (!hex || strlen(hex) != 2 * CAS_CLIENT_NONCE_SIZE ||
	    !io_unhex(hex, CAS_CLIENT_NONCE_SIZE, ret_nonce))
		rc = error_set(err, CELLA_EFORMAT, "the CAS's answer holds no nonce");
	json_decref(answer);
	return rc;
}
