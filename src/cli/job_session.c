#include "cli/job_session.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cas/session.h"
#include "cli/cas_client.h"
#include "cli/las_endorse.h"
#include "cli/las_key.h"

/* A refusal may have any reason: where the hardware's word was renewed and did not help, it is not renewed
 * again for so long. */
static const uint64_t NO_HELP_NS = 60ull * 1000000000u;

struct job_sessions {
	struct cas_client *client;
	char *sessions[JOB_SESSIONS_MAX], *services[JOB_SESSIONS_MAX];
	char las_key[CRYPTO_KEY_PATH_MAX];
	uint64_t no_help_ns[JOB_SESSIONS_MAX]; /* when it did not help, of each; 0: it has not been so */
	bool granted; /* something, and then by what `machine` was accepted */
	enum session_machine machine;
	struct job_grants grants;
};

/* The service is what stands behind the last slash. */
static int split_name(struct job_sessions *s, size_t i, const char *name, struct error *err)
{
	const char *slash = strrchr(name, '/');
	if (!slash || slash == name || !slash[1])
		return error_set(err, CELLA_EINVAL,
		                 "--session %.100s: it wants SESSION/SERVICE, such as hospital/classify",
		                 name);
	s->sessions[i] = strndup(name, (size_t)(slash - name));
	s->services[i] = strdup(slash + 1);
	return s->sessions[i] && s->services[i] ? 0 : error_set(err, CELLA_ENOMEM, "no memory for a session");
}

/* What all requests of an executor begin with; takes `more`, an object of further members. */
static json_t *request_of(const struct job_sessions *s, uint32_t number, const void *evidence,
                          size_t evidence_size, json_t *more)
{
	json_t *request = json_pack("{s:s, s:s, s:s%}", "session", s->sessions[number], "service",
	                            s->services[number], "evidence", evidence, evidence_size);
	if (request && more)
		json_object_update(request, more);
	json_decref(more);
	return request;
}

static int read_bytes(json_t *answer, const char *name, struct buf *ret, struct error *err)
{
	const json_t *text = json_object_get(answer, name);
	size_t size = json_string_length(text);
	uint8_t *to = json_is_string(text) ? buf_reserve(ret, base64url_bytes(size)) : NULL;
	if (!to || !base64url_decode(json_string_value(text), size, to))
		return error_set(err, CELLA_EFORMAT, "the CAS's answer holds no %s", name);
	return 0;
}

/* The CAS, not the executor, is lost. */
static int of_session(const struct job_sessions *s, uint32_t number, int rc, struct error *err)
{
	if (rc < 0)
		error_prefix(err, rc, "session %s/%s: ", s->sessions[number], s->services[number]);
	return rc == CELLA_ELOST ? CELLA_EIO : rc;
}

/* The CAS refuses with one sentence, whatever for. If this machine has hardware that vouches for it, its word
 * may be missing, or too old: it is renewed, and the same is asked once more. True: it is worth asking. */
static bool endorse_again(struct job_sessions *s, uint32_t number)
{
	struct las_endorsing l = {.session = s->sessions[number], .service = s->services[number]};
	const uint64_t now_ns = clock_ns();
	bool vouches = false;
	if (s->no_help_ns[number] && now_ns - s->no_help_ns[number] < NO_HELP_NS)
		return false;
	s->no_help_ns[number] = now_ns; /* until it turns out that it did */
	for (int kind = 0; kind < TEE_KINDS; kind++) {
		const struct driver_row *driver = driver_of((enum tee_kind)kind);
		struct error why;
		if (!driver || !driver->is_present(&driver_system))
			continue;
		l.kind = (enum tee_kind)kind;
		int rc = las_endorse(s->client, &driver_system, &l, &why);
		if (rc < 0)
			log_warn("session %s/%s: %s did not vouch for this machine's launcher: %s",
			         s->sessions[number], s->services[number], driver->device, why.text);
		vouches = vouches || rc == 0;
	}
	return vouches;
}

/* Of a request; takes `more`. *ret_answer may be NULL. */
static int ask_cas(struct job_sessions *s, uint32_t number, const char *target, const void *evidence,
                   size_t evidence_size, json_t *more, json_t **ret_answer, struct error *err)
{
	int rc = cas_client_json(s->client, "POST", target,
	                         request_of(s, number, evidence, evidence_size, json_incref(more)),
	                         ret_answer, err);
	if (rc == CELLA_EAUTH && endorse_again(s, number)) {
		rc = cas_client_json(s->client, "POST", target,
		                     request_of(s, number, evidence, evidence_size, json_incref(more)),
		                     ret_answer, err);
		if (rc == 0)
			s->no_help_ns[number] = 0;
	}
	json_decref(more);
	return rc;
}

/* NULL, of an older CAS, and what is no class are soft. */
static void note_machine(struct job_sessions *s, const char *name)
{
	enum session_machine machine = SESSION_SOFT;
	if (name && !session_machine_parse(name, &machine))
		machine = SESSION_SOFT;
	s->machine = !s->granted || s->machine == machine ? machine : SESSION_SOFT;
	s->granted = true;
	s->grants.machine = session_machine_name(s->machine);
}

static int take_grant(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                      struct buf *ret_sealed, struct error *err)
{
	struct job_sessions *s = data;
	json_t *answer = NULL;
	int rc = ask_cas(s, number, "/v1/attest", evidence, evidence_size, NULL, &answer, err);
	if (rc == 0)
		rc = read_bytes(answer, "grant", ret_sealed, err);
	if (rc == 0)
		note_machine(s, json_string_value(json_object_get(answer, "machine")));
	json_decref(answer);
	return of_session(s, number, rc, err);
}

static int ask_keeper(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                      const void *question, size_t size, struct buf *ret_answer, struct error *err)
{
	struct job_sessions *s = data;
	json_t *answer = NULL;
	json_t *more = json_object();
	json_object_set_new(more, "question", claims_base64url(question, size));
	int rc = ask_cas(s, number, "/v1/keeper", evidence, evidence_size, more, &answer, err);
	if (rc == 0)
		rc = read_bytes(answer, "answer", ret_answer, err);
	json_decref(answer);
	return of_session(s, number, rc, err);
}

static int renew_leases(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                        struct error *err)
{
	struct job_sessions *s = data;
	int rc = ask_cas(s, number, "/v1/keeper/renewal", evidence, evidence_size, NULL, NULL, err);
	return of_session(s, number, rc, err);
}

static int open_all(struct job_sessions *s, const char *const *names, size_t count, struct mem_pool *pool,
                    struct error *err)
{
	struct context context;
	int rc = las_key_place(s->las_key, err);
	if (rc == 0 && access(s->las_key, R_OK) < 0)
		rc = error_errno(
			err, CELLA_ENOENT,
			"this node's launcher has no key that a CAS could know (cella las enrol makes "
			"one): %s",
			s->las_key);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = split_name(s, i, names[i], err);
	if (rc == 0)
		rc = context_load(NULL, &context, err);
	if (rc == 0)
		rc = cas_client_open(&context, pool, &s->client, err);
	if (rc == 0)
		rc = cas_client_check(s->client, &context, NULL, err);
	return rc == 0 ? cas_client_nonce(s->client, s->grants.nonce, err) : rc;
}

int job_sessions_open(const char *const *names, size_t count, struct mem_pool *pool,
                      struct job_sessions **ret_sessions, struct error *err)
{
	struct job_sessions *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a job's sessions");
	s->grants = (struct job_grants){.data = s,
	                                .count = (uint32_t)count,
	                                .machine = session_machine_name(SESSION_SOFT),
	                                .las_key = s->las_key,
	                                .take = take_grant,
	                                .ask = ask_keeper,
	                                .renew = renew_leases};
	int rc = count <= JOB_SESSIONS_MAX
	                 ? open_all(s, names, count, pool, err)
	                 : error_set(err, CELLA_EINVAL, "--session may be given %d times at most",
	                             JOB_SESSIONS_MAX);
	if (rc < 0) {
		job_sessions_free(s);
		return rc;
	}
	*ret_sessions = s;
	return 0;
}

void job_sessions_free(struct job_sessions *s)
{
	if (!s)
		return;
	cas_client_free(s->client);
	for (size_t i = 0; i < JOB_SESSIONS_MAX; i++) {
		free(s->sessions[i]);
		free(s->services[i]);
	}
	free(s);
}

const struct job_grants *job_sessions_grants(const struct job_sessions *s)
{
	return &s->grants;
}
