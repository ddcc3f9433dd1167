#include "cas/api_machines.h"

#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cas/api_answer.h"
#include "cas/collateral.h"
#include "cas/endorse.h"

/* ---- endorsements of launchers */

/* "session" and "service" may be empty. */
void post_endorsement(void *arg, struct https_request *request)
{
	static const char *const names[] = {"session", "service", "endorsement"};
	struct cas_api *api = arg;
	const char *values[array_count(names)];
	cleanup_buf struct buf bytes = {0};
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, names, values, array_count(names), &body, &err);
	if (rc == 0)
		rc = api_read_base64url(values[2], "an endorsement", &bytes, &err);
	if (rc == 0) {
		const struct cas_endorsing e = {.session = values[0],
		                                .service = values[1],
		                                .endorsement = bytes.data,
		                                .size = bytes.size,
		                                .peer = https_address(request)};
		rc = cas_endorse(api->cas, &e, &err);
	}
	json_decref(body);
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static int add_endorsed(void *arg, const struct cas_endorsed *e, struct error *err)
{
	json_t *json = json_pack("{s:o, s:s, s:I, s:b}", "las", claims_hex(e->launcher, sizeof(e->launcher)),
	                         "tee", tee_kind_of(e->kind)->name, "time",
	                         (json_int_t)(e->time_ns / 1000000000u), "enrolled", (int)e->enrolled);
	return json_array_append_new(arg, json) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of endorsements");
}

void get_endorsements(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	json_t *list = json_array();
	struct error err;
	api_answer_list(api, request, "endorsements", list,
	                cas_endorsed_list(api->cas, &who, add_endorsed, list, &err), &err);
}

/* ---- collateral */

/* Read and set in one, so that of two changes at once the later one counts. */
static void show_ends(struct cas_api *api)
{
	int64_t ends[TEE_KINDS];
	struct error err;
	pthread_mutex_lock(&api->ends_lock);
	if (cas_collateral_ends(api->cas, ends, &err) < 0)
		log_warn("metrics say when collateral ended before: %s", err.text);
	else
		for (size_t kind = 0; kind < TEE_KINDS; kind++)
			metric_set(api->collateral_ends[kind], ends[kind] == INT64_MAX ? 0 : ends[kind]);
	pthread_mutex_unlock(&api->ends_lock);
}

int api_machines_begin(struct cas_api *api, struct error *err)
{
	int rc = 0;
	for (size_t kind = 0; rc == 0 && kind < TEE_KINDS; kind++) {
		const struct tee_kind_row *row = tee_kind_of((enum tee_kind)kind);
		const struct metric_shape shape =
			{.name = "cella_cas_collateral_ends_timestamp_seconds",
		         .help = "When the first of the collateral ends; 0: there is none that does.",
		         .labels = {{"tee", row ? row->name : ""}}};
		if (row)
			rc = metrics_gauge(api->metrics, &shape, &api->collateral_ends[kind], err);
	}
	if (rc == 0)
		show_ends(api);
	return rc;
}

void post_collateral(void *arg, struct https_request *request)
{
	static const char *const names[] = {"tee", "label", "data"};
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	const char *values[array_count(names)];
	cleanup_buf struct buf bytes = {0};
	enum tee_kind kind;
	json_t *body = NULL;
	struct error err;
	int64_t ends = 0;
	int rc = api_read_strings(request, names, values, array_count(names), &body, &err);
	if (rc == 0)
		rc = tee_kind_parse(values[0], &kind, &err);
	if (rc == 0 && !tee_kind_of(kind))
		rc = error_set(&err, CELLA_EINVAL, "this CAS does not verify evidence of %.40s", values[0]);
	if (rc == 0 && strlen(values[1]) > RECORDS_NAME_MAX)
		rc = error_set(&err, CELLA_EFORMAT, "a label has %d bytes at most", RECORDS_NAME_MAX);
	if (rc == 0)
		rc = api_read_base64url(values[2], "a file of collateral", &bytes, &err);
	if (rc == 0)
		rc = cas_collateral_add(api->cas, &who, kind, values[1], bytes.data, bytes.size, &ends, &err);
	json_decref(body);
	if (rc < 0) {
		api_answer_error(api, request, &err);
		return;
	}
	show_ends(api);
	api_answer_json(request, 201, json_pack("{s:I}", "ends", (json_int_t)ends));
}

static int add_collateral(void *arg, const struct cas_collateral *c, struct error *err)
{
	json_t *json = json_pack("{s:s, s:o, s:s, s:I, s:I}", "tee", tee_kind_of(c->kind)->name, "hash",
	                         claims_hex(c->hash, sizeof(c->hash)), "label", c->label, "since",
	                         (json_int_t)(c->since_ns / 1000000000u), "ends", (json_int_t)c->ends);
	return json_array_append_new(arg, json) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of collateral");
}

void get_collateral(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	json_t *list = json_array();
	struct error err;
	api_answer_list(api, request, "collateral", list,
	                cas_collateral_list(api->cas, &who, add_collateral, list, &err), &err);
}

void delete_collateral(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	uint8_t hash[CRYPTO_SHA384_SIZE];
	enum tee_kind kind;
	struct error err;
	int rc = tee_kind_parse(https_segment(request, "tee"), &kind, &err);
	if (rc == 0)
		rc = api_read_hex(https_segment(request, "hash"), "a file's hash", hash, sizeof(hash), &err);
	if (rc == 0 && !tee_kind_of(kind))
		rc = error_set(&err, CELLA_ENOENT, "there is no such collateral");
	if (rc == 0)
		rc = cas_collateral_remove(api->cas, &who, kind, hash, &err);
	if (rc < 0) {
		api_answer_error(api, request, &err);
		return;
	}
	show_ends(api);
	https_answer(request, 204, NULL, NULL, 0);
}
