#include "cas/kbs/api.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "cas/api_answer.h"
#include "cas/kbs/kbs.h"

enum { COOKIE_HEADER_MAX = 160, UPLOAD_MAX = RECORDS_SECRET_MAX };

#define PROBLEMS "https://github.com/confidential-containers/kbs/errors/"

/* ---- errors, as the protocol's document has them */

/* They may quote what a guest sent, cut anywhere. */
static void answer_problem(struct https_request *request, unsigned status, const char *type,
                           const struct error *err)
{
	char uri[sizeof(PROBLEMS) + 40];
	struct error shown = *err;
	snprintf(uri, sizeof(uri), PROBLEMS "%s", type);
	printable(shown.text, strlen(shown.text), false);
	json_t *json = json_pack("{s:s, s:s}", "type", uri, "detail", shown.text);
	if (json)
		https_answer_json(request, status, json);
	else
		https_answer_error(request, err);
	json_decref(json);
}

/* A guest that is answered 401 begins a new handshake; one that is answered 403 gives up. */
static void answer_error(struct https_request *request, const struct error *err)
{
	switch (err->code) {
	case CELLA_EFORMAT: answer_problem(request, 401, "SerdeError", err); return;
	case CELLA_EUNSUPPORTED:
	case CELLA_EAUTH: answer_problem(request, 401, "AttestationError", err); return;
	default: https_answer_error(request, err); return;
	}
}

static struct kbs_caller caller(const struct https_request *request)
{
	return (struct kbs_caller){.cookies = https_header(request, "cookie"),
	                           .authorization = https_header(request, "authorization"),
	                           .address = https_address(request)};
}

static struct kbs_path path(const struct https_request *request)
{
	return (struct kbs_path){https_segment(request, "repository"), https_segment(request, "type"),
	                         https_segment(request, "tag")};
}

/* ---- the handshake */

static void set_cookie(struct https_request *request, const char *cookie, unsigned seconds)
{
	char header[COOKIE_HEADER_MAX];
	snprintf(header, sizeof(header), "kbs-session-id=%s; Path=/; Max-Age=%u; Secure; HttpOnly", cookie,
	         seconds);
	https_add_header(request, "Set-Cookie", header);
}

/* Guests that have not said which hashes they know want a text there. */
static json_t *extra_params(const struct kbs_request *r)
{
	return r->negotiates ? json_pack("{s:s}", "selected-hash-algorithm", kbs_hash_name(r->hash))
	                     : json_string("");
}

static void post_auth(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct kbs_challenge challenge;
	struct error err;
	size_t size;
	const void *body = https_body(request, &size);
	if (kbs_auth(api->kbs, body, size, &challenge, &err) < 0) {
		answer_error(request, &err);
		return;
	}
	set_cookie(request, challenge.cookie, KBS_HANDSHAKE_S);
	api_answer_json(request, 200,
	                json_pack("{s:s, s:o}", "nonce", challenge.nonce, "extra-params",
	                          extra_params(&challenge.request)));
}

static void post_attest(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const struct kbs_caller who = caller(request);
	struct buf token = {0};
	struct error err;
	size_t size;
	const void *body = https_body(request, &size);
	char cookie[KBS_COOKIE_SIZE];
	int rc = kbs_attest(api->kbs, &who, body, size, &token, &err);
	metric_add(rc == 0 ? api->guests : api->guests_refused, 1);
	if (rc < 0) {
		answer_error(request, &err);
	} else {
		if (kbs_cookie_find(who.cookies, cookie))
			set_cookie(request, cookie, KBS_GUEST_S);
		api_answer_json(request, 200,
		                json_pack("{s:s#}", "token", (const char *)token.data, (int)token.size));
	}
	buf_done(&token);
}

/* ---- resources */

static void get_resource(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const struct kbs_caller who = caller(request);
	const struct kbs_path which = path(request);
	struct error err;
	json_t *jwe = NULL;
	int rc = kbs_resource(api->kbs, &who, &which, &jwe, &err);
	if (rc == 0)
		metric_add(api->resources, 1);
	else if (rc == CELLA_EAUTH)
		metric_add(api->resources_refused, 1);
	if (rc == 0)
		api_answer_json(request, 200, jwe);
	else if (rc == CELLA_ENOENT)
		answer_problem(request, 401, "TokenNotFound", &err);
	else if (rc == CELLA_EAUTH)
		answer_problem(request, 403, "PolicyDeny", &err);
	else
		https_answer_error(request, &err);
}

static void post_resource(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const struct cas_requester who = api_requester(request);
	const struct kbs_path which = path(request);
	struct error err;
	size_t size;
	const void *body = https_body(request, &size);
	if (kbs_upload(api->cas, &who, &which, body, size, &err) < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

/* ---- of this CAS */

static void get_version(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const struct cas_requester who = api_requester(request);
	struct error err;
	uint64_t version;
	if (kbs_uploads(api->cas, &who, https_segment(request, "session"), https_segment(request, "secret"),
	                &version, &err) < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 200, json_pack("{s:I}", "version", (json_int_t)version));
}

static void get_keys(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct error err;
	json_t *keys = NULL;
	if (kbs_keys(api->kbs, &keys, &err) < 0)
		https_answer_error(request, &err);
	else
		api_answer_json(request, 200, keys);
}

static int add_refusal(void *arg, const struct kbs_refusal *r, struct error *err)
{
	json_t *json = json_pack("{s:s, s:I, s:s, s:s}", "id", r->id, "time",
	                         (json_int_t)(r->time_ns / 1000000000u), "from", r->address, "reasons",
	                         r->text);
	return json_array_append_new(arg, json) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of refusals");
}

static void get_refusals(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const struct cas_requester who = api_requester(request);
	struct error err;
	json_t *list = json_array();
	int rc = kbs_refusals(api->kbs, &who, add_refusal, list, &err);
	api_answer_list(api, request, "refusals", list, rc, &err);
}

/* ---- life */

int kbs_api_begin(struct cas_api *api, struct error *err)
{
	const struct {
		struct metric **metric;
		struct metric_shape shape;
	} rows[] = {
		{&api->guests, {.name = "cella_cas_guests_total", .help = "Guests that have attested."}},
		{&api->guests_refused,
	         {.name = "cella_cas_guest_refusals_total", .help = "Guests whose attestation was refused."}},
		{&api->resources,
	         {.name = "cella_cas_resources_total", .help = "Resources that guests were given."}},
		{&api->resources_refused,
	         {.name = "cella_cas_resource_refusals_total",
	          .help = "Resources that guests were refused."}},
	};
	int rc = kbs_new(api->cas, &api->kbs, err);
	for (size_t i = 0; rc == 0 && i < array_count(rows); i++)
		rc = metrics_counter(api->metrics, &rows[i].shape, rows[i].metric, err);
	return rc;
}

void kbs_api_end(struct cas_api *api)
{
	kbs_free(api->kbs);
}

/* ---- the table */

const struct https_route kbs_routes[] = {
	{"POST", "/kbs/v0/auth", KBS_REQUEST_MAX, true, false, post_auth, NULL},
	{"POST", "/kbs/v0/attest", KBS_ATTESTATION_MAX, true, false, post_attest, NULL},
	{"GET", "/kbs/v0/resource/{repository}/{type}/{tag}", 0, true, false, get_resource, NULL},
	{"POST", "/kbs/v0/resource/{repository}/{type}/{tag}", UPLOAD_MAX, true, true, post_resource, NULL},
	{"GET", "/v1/sessions/{session}/secrets/{secret}/version", 0, true, true, get_version, NULL},
	{"GET", "/v1/guests/keys", 0, true, false, get_keys, NULL},
	{"GET", "/v1/guests/refusals", 0, true, true, get_refusals, NULL},
};
const size_t kbs_route_count = array_count(kbs_routes);
