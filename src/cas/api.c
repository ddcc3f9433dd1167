#include "cas/api.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "attest/claims.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cas/api_answer.h"
#include "cas/api_identity.h"
#include "cas/api_machines.h"
#include "cas/attest.h"
#include "cas/audit/list.h"
#include "cas/kbs/api.h"
#include "cas/keeper.h"
#include "cas/parties.h"
#include "cas/sessions.h"

enum {
	ATTEST_BODY_MAX = 16384,
	SMALL_BODY_MAX = 16384,
	REFUSALS_MAX = RECORDS_REFUSALS,
	LABEL_MAX = RECORDS_NAME_MAX,
};

/* ---- what it is */

/* A number of 15 digits at most, where the parameter is there. */
static int read_number(const struct https_request *request, const char *name, uint64_t *number,
                       struct error *err)
{
	enum { DIGITS_MAX = 15 };
	const char *text = https_parameter(request, name);
	const size_t size = text ? strlen(text) : 0;
	if (text && (size == 0 || size > DIGITS_MAX || strspn(text, "0123456789") != size))
		return error_set(err, CELLA_EINVAL, "%s=%.40s is no number", name, text);
	*number = text ? strtoull(text, NULL, 10) : *number;
	return 0;
}

static int add_entry(struct records *r, uint64_t number, json_t *status, struct error *err)
{
	uint8_t hash[CRYPTO_SHA384_SIZE];
	int rc = audit_entry_at(records_storage(r), records_cas(r), number, hash, err);
	if (rc == 0)
		json_object_set_new(status, "entry",
		                    json_pack("{s:I, s:o}", "number", (json_int_t)number, "hash",
		                              claims_hex(hash, sizeof(hash))));
	return rc == CELLA_ENOENT ? 0 : rc;
}

static void get_status(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct error err;
	uint64_t entry = 0; /* who has seen an earlier head of the log sees whether it is still in it */
	int rc = read_number(request, "entry", &entry, &err);
	if (rc < 0) {
		api_answer_error(api, request, &err);
		return;
	}
	struct records *r = cas_records_lock(api->cas);
	struct audit_head head = *records_head(r);
	json_t *json = json_pack("{s:o, s:s, s:I, s:{s:I, s:I, s:o, s:o}}", "cas",
	                         claims_hex(records_cas(r), VAULT_CAS_SIZE), "version", CELLA_VERSION, "time",
	                         (json_int_t)(cas_now_ns(api->cas) / 1000000000u), "head", "epoch",
	                         (json_int_t)head.epoch, "number", (json_int_t)head.number, "hash",
	                         claims_hex(head.hash, sizeof(head.hash)), "signature",
	                         claims_hex(head.signature, sizeof(head.signature)));
	if (json)
		json_object_set_new(json, "log_key", claims_hex(records_public_key(r), CRYPTO_ED25519_SIZE));
	if (json && entry)
		rc = add_entry(r, entry, json, &err);
	cas_records_unlock(api->cas);
	if (rc == 0) {
		api_answer_json(request, 200, json);
		return;
	}
	json_decref(json);
	api_answer_error(api, request, &err);
}

static void get_health(void *arg, struct https_request *request)
{
	(void)arg;
	https_answer_health(request, NULL, 0);
}

static void get_metrics(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	https_answer_metrics(request, api->metrics);
}

/* ---- attestation */

static void post_nonce(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	uint8_t nonce[CAS_NONCE_SIZE];
	struct error err;
	if (cas_nonce(api->cas, nonce, &err) < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 200, json_pack("{s:o}", "nonce", claims_hex(nonce, sizeof(nonce))));
}

/* What an executor shows, and of a question to its root keeper that, too. */
enum {
	ATTEST_SESSION,
	ATTEST_SERVICE,
	ATTEST_EVIDENCE,
	ATTEST_MEMBERS,
	KEEPER_QUESTION = ATTEST_MEMBERS,
	KEEPER_MEMBERS
};
static const char *const attest_names[KEEPER_MEMBERS] = {"session", "service", "evidence", "question"};

static struct cas_attestation attestation_of(const struct https_request *request,
                                             const char *const values[ATTEST_MEMBERS])
{
	return (struct cas_attestation){.session = values[ATTEST_SESSION],
	                                .service = values[ATTEST_SERVICE],
	                                .evidence = values[ATTEST_EVIDENCE],
	                                .evidence_size = strlen(values[ATTEST_EVIDENCE]),
	                                .peer = https_address(request)};
}

static void post_attest(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const char *values[ATTEST_MEMBERS];
	cleanup_buf struct buf grant = {0};
	struct cas_granted granted = {0};
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, attest_names, values, ATTEST_MEMBERS, &body, &err);
	if (rc == 0) {
		const struct cas_attestation a = attestation_of(request, values);
		rc = cas_attest(api->cas, &a, &grant, &granted, &err);
		metric_add(rc == 0 ? api->granted : api->refused, 1);
	}
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 200,
		                json_pack("{s:o, s:s, s:I}", "grant",
		                          claims_base64url(grant.data, grant.size), "machine",
		                          session_machine_name(granted.machine), "offline",
		                          (json_int_t)granted.offline_s));
	json_decref(body);
}

/* What the node of one that is granted may keep. */
static void post_lease(void *arg, struct https_request *request)
{
	static const char *const names[KEEPER_MEMBERS] = {"session", "service", "evidence", "keep"};
	struct cas_api *api = arg;
	const char *values[KEEPER_MEMBERS];
	cleanup_buf struct buf keep = {0}, lease = {0};
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, names, values, KEEPER_MEMBERS, &body, &err);
	if (rc == 0)
		rc = api_read_base64url(values[ATTEST_MEMBERS], "a launcher's statement", &keep, &err);
	if (rc == 0) {
		const struct cas_attestation a = attestation_of(request, values);
		rc = cas_lease(api->cas, &a, keep.data, keep.size, &lease, &err);
	}
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 200,
		                json_pack("{s:o}", "lease", claims_base64url(lease.data, lease.size)));
	json_decref(body);
}

/* ---- the root keeper, for executors that were granted a service */

static void post_keeper(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const char *values[KEEPER_MEMBERS];
	cleanup_buf struct buf question = {0}, answer = {0};
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, attest_names, values, KEEPER_MEMBERS, &body, &err);
	if (rc == 0)
		rc = api_read_base64url(values[KEEPER_QUESTION], "a question", &question, &err);
	if (rc == 0) {
		const struct cas_attestation a = attestation_of(request, values);
		rc = cas_keeper_ask(api->cas, &a, question.data, question.size, &answer, &err);
	}
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 200,
		                json_pack("{s:o}", "answer", claims_base64url(answer.data, answer.size)));
	json_decref(body);
}

static void post_renewal(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	const char *values[ATTEST_MEMBERS];
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, attest_names, values, ATTEST_MEMBERS, &body, &err);
	if (rc == 0) {
		const struct cas_attestation a = attestation_of(request, values);
		rc = cas_keeper_renew(api->cas, &a, &err);
	}
	json_decref(body);
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

/* ---- sessions */

static json_t *facts_json(const struct cas_session_facts *f)
{
	return json_pack("{s:s, s:o, s:I, s:I}", "name", f->name, "hash",
	                 claims_hex(f->hash, sizeof(f->hash)), "updated",
	                 (json_int_t)(f->updated_ns / 1000000000u), "revision", (json_int_t)f->revision);
}

static void post_session(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct cas_session_facts facts;
	struct error err;
	size_t size;
	const void *yaml = https_body(request, &size);
	if (cas_session_put(api->cas, &who, yaml, size, &facts, &err) < 0)
		api_answer_error(api, request, &err);
	else
		api_answer_json(request, 201,
		                json_pack("{s:s, s:o}", "name", facts.name, "hash",
		                          claims_hex(facts.hash, sizeof(facts.hash))));
}

static int add_facts(void *arg, const struct cas_session_facts *facts, struct error *err)
{
	return json_array_append_new(arg, facts_json(facts)) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of sessions");
}

static void get_sessions(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct error err;
	json_t *list = json_array();
	api_answer_list(api, request, "sessions", list,
	                cas_session_list(api->cas, &who, add_facts, list, &err), &err);
}

static void get_session(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct cas_session_facts facts;
	struct buf yaml = {0};
	struct error err;
	if (cas_session_read(api->cas, &who, https_segment(request, "session"), &facts, &yaml, &err) < 0) {
		api_answer_error(api, request, &err);
	} else {
		char hash[2 * CRYPTO_SHA384_SIZE + 1];
		io_hex(facts.hash, sizeof(facts.hash), hash);
		https_add_header(request, "cella-session-hash", hash);
		https_answer(request, 200, "application/yaml", yaml.data, yaml.size);
	}
	if (yaml.data)
		mem_wipe(yaml.data, yaml.size);
	buf_done(&yaml);
}

static void delete_session(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct error err;
	if (cas_session_remove(api->cas, &who, https_segment(request, "session"), &err) < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static void get_refusals(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	cleanup_free struct records_refusal *refusal = malloc(sizeof(*refusal));
	struct error err;
	json_t *list = json_array();
	bool known = false;
	int rc = refusal ? 0 : error_set(&err, CELLA_ENOMEM, "no memory for refusals");
	if (rc == 0)
		rc = cas_session_service_known(api->cas, &who, https_segment(request, "session"),
		                               https_segment(request, "service"), &err);
	known = rc == 0;
	for (unsigned i = 0; rc == 0 && i < REFUSALS_MAX; i++) {
		rc = cas_session_refusal(api->cas, &who, https_segment(request, "session"),
		                         https_segment(request, "service"), i, refusal, &err);
		if (rc == 0)
			json_array_append_new(list, json_pack("{s:I, s:I, s:s}", "number",
			                                      (json_int_t)refusal->number, "time",
			                                      (json_int_t)(refusal->time_ns / 1000000000u),
			                                      "reasons", refusal->text));
	}
	api_answer_list(api, request, "refusals", list, known && rc == CELLA_ENOENT ? 0 : rc, &err);
}

/* ---- volumes */

static int read_volume(const struct https_request *request, struct cas_volume *ret, struct error *err)
{
	size_t size;
	const char *body = https_body(request, &size);
	json_t *json = json_loadb(body ? body : "", size, JSON_REJECT_DUPLICATES, NULL);
	json_t *keys = json_object_get(json, "keys");
	int rc = json_is_array(keys) && json_object_size(json) == 3
	                 ? 0
	                 : error_set(err, CELLA_EFORMAT, "the body wants \"id\", \"root\" and \"keys\"");
	if (rc == 0)
		rc = api_read_hex(json_string_value(json_object_get(json, "id")), "the volume's id", ret->id,
		                  sizeof(ret->id), err);
	if (rc == 0)
		rc = api_read_hex(json_string_value(json_object_get(json, "root")), "the volume's root",
		                  ret->root, sizeof(ret->root), err);
	if (rc == 0 && json_array_size(keys) > VOLUME_KEYS_MAX)
		rc = error_set(err, CELLA_EFORMAT, "a volume has %d keys at most", VOLUME_KEYS_MAX);
	for (size_t i = 0; rc == 0 && i < json_array_size(keys); i++)
		rc = api_read_hex(json_string_value(json_array_get(keys, i)), "a volume's key",
		                  ret->keys[ret->key_count++], sizeof(ret->keys[0]), err);
	json_decref(json);
	return rc;
}

/* At a desk: its keys are secrets. */
struct volume_put {
	struct https_request *request;
	struct error err;
	int rc;
};

static void put_volume_at_desk(struct cas_desk *desk, void *arg)
{
	struct volume_put *put = arg;
	struct cas_requester who = api_requester(put->request);
	struct cas_volume volume = {0};
	put->rc = read_volume(put->request, &volume, &put->err);
	if (put->rc == 0)
		put->rc = cas_volume_hand(desk->cas, &who, https_segment(put->request, "session"),
		                          https_segment(put->request, "volume"), &volume, &put->err);
	mem_wipe(&volume, sizeof(volume));
}

static void put_volume(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct volume_put put = {.request = request};
	cas_at_desk(api->cas, put_volume_at_desk, &put);
	if (put.rc < 0)
		api_answer_error(api, request, &put.err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static void get_volume(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct records_volume volume;
	uint8_t id[VOLUME_ID_SIZE];
	struct error err;
	if (cas_volume_read(api->cas, &who, https_segment(request, "session"),
	                    https_segment(request, "volume"), id, &volume, &err) < 0) {
		api_answer_error(api, request, &err);
		return;
	}
	bool leased = volume.lease_until_ns > cas_now_ns(api->cas);
	api_answer_json(request, 200,
	                json_pack("{s:o, s:o, s:s, s:I}", "id", claims_hex(id, sizeof(id)), "root",
	                          claims_hex(volume.root, sizeof(volume.root)), "holder",
	                          leased ? volume.holder : "", "lease_until",
	                          leased ? (json_int_t)(volume.lease_until_ns / 1000000000u)
	                                 : (json_int_t)0));
}

static void delete_lease(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct error err;
	if (cas_volume_take_over(api->cas, &who, https_segment(request, "session"),
	                         https_segment(request, "volume"), &err) < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

/* ---- owners and launchers */

static void post_party(struct cas_api *api, struct https_request *request, enum records_kind kind)
{
	static const char *const names[] = {"key", "label"};
	struct cas_requester who = api_requester(request);
	uint8_t key[RECORDS_KEY_SIZE];
	const char *values[array_count(names)];
	json_t *body = NULL;
	struct error err;
	int rc = api_read_strings(request, names, values, array_count(names), &body, &err);
	if (rc == 0)
		rc = api_read_hex(values[0], "the key", key, sizeof(key), &err);
	if (rc == 0 && strlen(values[1]) > LABEL_MAX)
		rc = error_set(&err, CELLA_EFORMAT, "a label has %d bytes at most", LABEL_MAX);
	if (rc == 0)
		rc = cas_party_add(api->cas, &who, kind, key, values[1], &err);
	json_decref(body);
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static void delete_party(struct cas_api *api, struct https_request *request, enum records_kind kind)
{
	struct cas_requester who = api_requester(request);
	uint8_t key[RECORDS_KEY_SIZE];
	struct error err;
	int rc = api_read_hex(https_segment(request, "key"), "a key", key, sizeof(key), &err);
	if (rc == 0)
		rc = cas_party_remove(api->cas, &who, kind, key, &err);
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static int add_party(void *arg, const struct cas_party *p, struct error *err)
{
	json_t *json = json_pack("{s:o, s:s, s:I, s:o, s:b}", "key", claims_hex(p->key, sizeof(p->key)),
	                         "label", p->party.label, "since",
	                         (json_int_t)(p->party.since_ns / 1000000000u), "by",
	                         claims_hex(p->party.by, sizeof(p->party.by)), "revoked", (int)p->revoked);
	return json_array_append_new(arg, json) == 0 ? 0
	                                             : error_set(err, CELLA_ENOMEM, "no memory for a list");
}

static void get_parties(struct cas_api *api, struct https_request *request, enum records_kind kind,
                        const char *name)
{
	struct cas_requester who = api_requester(request);
	json_t *list = json_array();
	struct error err;
	api_answer_list(api, request, name, list, cas_party_list(api->cas, &who, kind, add_party, list, &err),
	                &err);
}

static void get_las(void *arg, struct https_request *request)
{
	get_parties(arg, request, RECORDS_LAS, "las");
}

static void get_owners(void *arg, struct https_request *request)
{
	get_parties(arg, request, RECORDS_OWNER, "owners");
}

static void post_las(void *arg, struct https_request *request)
{
	post_party(arg, request, RECORDS_LAS);
}

static void delete_las(void *arg, struct https_request *request)
{
	delete_party(arg, request, RECORDS_LAS);
}

static void post_owner(void *arg, struct https_request *request)
{
	post_party(arg, request, RECORDS_OWNER);
}

static void delete_owner(void *arg, struct https_request *request)
{
	delete_party(arg, request, RECORDS_OWNER);
}

/* ---- revocations */

static void post_revocation(void *arg, struct https_request *request)
{
	static const char *const names[] = {"kind", "what", "reason"};
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	uint8_t what[RECORDS_REVOKED_MAX];
	const char *values[array_count(names)];
	json_t *body = NULL;
	struct error err;
	size_t i = 0;
	int rc = api_read_strings(request, names, values, array_count(names), &body, &err);
	while (rc == 0 && i < cas_revocable_count && strcmp(cas_revocable[i].name, values[0]) != 0)
		i++;
	if (rc == 0 && i == cas_revocable_count)
		rc = error_set(&err, CELLA_EFORMAT,
		               "what is revoked is a cell, builder, las, owner, certificate or executor");
	if (rc == 0)
		rc = api_read_hex(values[1], cas_revocable[i].called, what, cas_revocable[i].size, &err);
	if (rc == 0 && strlen(values[2]) > RECORDS_REASON_MAX)
		rc = error_set(&err, CELLA_EFORMAT, "a reason has %d bytes at most", RECORDS_REASON_MAX);
	if (rc == 0)
		rc = cas_revoke(api->cas, &who, cas_revocable[i].kind, what, cas_revocable[i].size, values[2],
		                &err);
	json_decref(body);
	if (rc < 0)
		api_answer_error(api, request, &err);
	else
		https_answer(request, 204, NULL, NULL, 0);
}

static int add_revoked(void *arg, const struct cas_revoked *r, struct error *err)
{
	json_t *json = json_pack("{s:s, s:o, s:I, s:s}", "kind", r->kind->name, "what",
	                         claims_hex(r->what, r->kind->size), "since",
	                         (json_int_t)(r->revocation.since_ns / 1000000000u), "reason",
	                         r->revocation.reason);
	return json_array_append_new(arg, json) == 0
	               ? 0
	               : error_set(err, CELLA_ENOMEM, "no memory for a list of what is revoked");
}

static void get_revocations(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	json_t *list = json_array();
	struct error err;
	api_answer_list(api, request, "revocations", list,
	                cas_revoked_list(api->cas, &who, add_revoked, list, &err), &err);
}

/* ---- the audit log */

static void get_audit(void *arg, struct https_request *request)
{
	struct cas_api *api = arg;
	struct cas_requester who = api_requester(request);
	struct cas_audit_query query = {.session = https_parameter(request, "session"), .from = 1};
	uint64_t since_s = 0, next = 0;
	struct error err;
	json_t *list = json_array();
	int rc = read_number(request, "from", &query.from, &err);
	if (rc == 0)
		rc = read_number(request, "since", &since_s, &err);
	query.since_ns = min_of(since_s, UINT64_MAX / 1000000000u) * 1000000000u;
	if (rc == 0)
		rc = cas_audit_list(api->cas, &who, &query, list, &next, &err);
	if (rc == 0) {
		api_answer_json(request, 200,
		                json_pack("{s:o, s:I}", "entries", list, "next", (json_int_t)next));
	} else {
		json_decref(list);
		api_answer_error(api, request, &err);
	}
}

/* ---- the table */

static const struct https_route table[] = {
	{"GET", "/v1/status", 0, true, false, get_status, NULL},
	{"GET", "/v1/health", 0, false, false, get_health, NULL},
	{"GET", "/v1/metrics", 0, false, false, get_metrics, NULL},
	{"POST", "/v1/nonce", 0, true, false, post_nonce, NULL},
	{"POST", "/v1/attest", ATTEST_BODY_MAX, true, false, post_attest, NULL},
	{"POST", "/v1/lease", ATTEST_BODY_MAX, true, false, post_lease, NULL},
	{"POST", "/v1/keeper", ATTEST_BODY_MAX, true, false, post_keeper, NULL},
	{"POST", "/v1/keeper/renewal", ATTEST_BODY_MAX, true, false, post_renewal, NULL},
	{"GET", "/v1/identity/ca", 0, true, false, api_get_identity_ca, NULL},
	{"GET", "/v1/identity/crl", 0, true, false, api_get_identity_crl, NULL},
	{"GET", "/v1/identity/certificates", 0, true, true, api_get_certificates, NULL},
	{"POST", "/v1/sessions", SESSION_TEXT_MAX, true, true, post_session, NULL},
	{"GET", "/v1/sessions", 0, true, true, get_sessions, NULL},
	{"GET", "/v1/sessions/{session}", 0, true, true, get_session, NULL},
	{"DELETE", "/v1/sessions/{session}", 0, true, true, delete_session, NULL},
	{"GET", "/v1/sessions/{session}/services/{service}/refusals", 0, true, true, get_refusals, NULL},
	{"GET", "/v1/sessions/{session}/secrets/{secret}", 0, true, true, api_get_secret, NULL},
	{"GET", "/v1/sessions/{session}/volumes/{volume}", 0, true, true, get_volume, NULL},
	{"PUT", "/v1/sessions/{session}/volumes/{volume}", SMALL_BODY_MAX, true, true, put_volume, NULL},
	{"DELETE", "/v1/sessions/{session}/volumes/{volume}/lease", 0, true, true, delete_lease, NULL},
	{"GET", "/v1/las", 0, true, true, get_las, NULL},
	{"POST", "/v1/las", SMALL_BODY_MAX, true, true, post_las, NULL},
	{"DELETE", "/v1/las/{key}", 0, true, true, delete_las, NULL},
	{"POST", "/v1/endorsements", ENDORSE_BODY_MAX, true, false, post_endorsement, NULL},
	{"GET", "/v1/endorsements", 0, true, true, get_endorsements, NULL},
	{"GET", "/v1/collateral", 0, true, true, get_collateral, NULL},
	{"POST", "/v1/collateral", COLLATERAL_BODY_MAX, true, true, post_collateral, NULL},
	{"DELETE", "/v1/collateral/{tee}/{hash}", 0, true, true, delete_collateral, NULL},
	{"GET", "/v1/owners", 0, true, true, get_owners, NULL},
	{"POST", "/v1/owners", SMALL_BODY_MAX, true, true, post_owner, NULL},
	{"DELETE", "/v1/owners/{key}", 0, true, true, delete_owner, NULL},
	{"GET", "/v1/revocations", 0, true, true, get_revocations, NULL},
	{"POST", "/v1/revocations", SMALL_BODY_MAX, true, true, post_revocation, NULL},
	{"GET", "/v1/audit", 0, true, true, get_audit, NULL},
};

static int make_metrics(struct cas_api *api, struct error *err)
{
	const struct metric_shape granted = {.name = "cella_cas_grants_total",
	                                     .help = "Executors that had keys."};
	const struct metric_shape refused = {.name = "cella_cas_refusals_total",
	                                     .help = "Executors that were refused."};
	const struct metric_shape denied = {.name = "cella_cas_denials_total",
	                                    .help = "Requests of keys that had no right to them."};
	int rc = metrics_counter(api->metrics, &granted, &api->granted, err);
	if (rc == 0)
		rc = metrics_counter(api->metrics, &refused, &api->refused, err);
	return rc == 0 ? metrics_counter(api->metrics, &denied, &api->denied, err) : rc;
}

int cas_api_new(struct cas *cas, struct metrics *metrics, struct cas_api **ret_api, struct error *err)
{
	struct cas_api *api = calloc(1, sizeof(*api));
	struct https_route *routes = calloc(array_count(table) + kbs_route_count, sizeof(*routes));
	if (!api || !routes) {
		free(api);
		free(routes);
		return error_set(err, CELLA_ENOMEM, "no memory for the CAS's routes");
	}
	*api = (struct cas_api){.cas = cas,
	                        .metrics = metrics,
	                        .routes = routes,
	                        .route_count = array_count(table) + kbs_route_count};
	memcpy(routes, table, sizeof(table));
	memcpy(routes + array_count(table), kbs_routes, kbs_route_count * sizeof(*routes));
	for (size_t i = 0; i < api->route_count; i++)
		routes[i].arg = api;
	pthread_mutex_init(&api->ends_lock, NULL);
	int rc = make_metrics(api, err);
	if (rc == 0)
		rc = api_machines_begin(api, err);
	if (rc == 0)
		rc = kbs_api_begin(api, err);
	if (rc < 0) {
		cas_api_free(api);
		return rc;
	}
	*ret_api = api;
	return 0;
}

void cas_api_free(struct cas_api *api)
{
	if (!api)
		return;
	kbs_api_end(api);
	pthread_mutex_destroy(&api->ends_lock);
	free(api->routes);
	free(api);
}
