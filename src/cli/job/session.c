#include "cli/job/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attest/claims.h"
#include "base/base64url.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "cas/session/session.h"
#include "cell/launch_format.h"
#include "cli/cas_client.h"
#include "cli/las_endorse.h"
#include "cli/las_key.h"
#include "cli/lease_store.h"

/* A refusal may have any reason: where the hardware's word was renewed and did not help, it is not renewed
 * again for so long. */
static const uint64_t NO_HELP_NS = 60ull * 1000000000u;

struct job_sessions {
	struct cas_client *client;
	struct cas_client *asked; /* for questions, of which several are under way; NULL: before the first */
	struct context context;
	struct mem_pool *pool;
	https_wait_fn *wait;
	void *wait_arg;
	char *sessions[JOB_SESSIONS_MAX], *services[JOB_SESSIONS_MAX];
	char las_key[CRYPTO_KEY_PATH_MAX];
	uint64_t no_help_ns[JOB_SESSIONS_MAX]; /* when it did not help, of each; 0: it has not been so */
	bool granted; /* something, and then by what `machine` was accepted */
	enum session_machine machine;
	bool kept[JOB_SESSIONS_MAX]; /* its lease was asked for, or is not to be kept */
	struct buf leases[JOB_SESSIONS_MAX]; /* where no CAS is reached */
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
			         s->sessions[number], s->services[number], driver_asks(driver), why.text);
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

/* ---- what this node may keep */

static struct lease_name lease_name_of(const struct job_sessions *s, uint32_t number)
{
	return (struct lease_name){s->context.pin, s->sessions[number], s->services[number]};
}

static int ask_lease(struct job_sessions *s, uint32_t number, const void *evidence, size_t evidence_size,
                     const void *keep, uint64_t offline_s, struct error *err)
{
	const struct lease_name name = lease_name_of(s, number);
	cleanup_buf struct buf lease = {0};
	json_t *answer = NULL, *more = json_object();
	json_object_set_new(more, "keep", claims_base64url(keep, LAUNCH_KEEP_SIZE));
	int rc = ask_cas(s, number, "/v1/lease", evidence, evidence_size, more, &answer, err);
	if (rc == 0)
		rc = read_bytes(answer, "lease", &lease, err);
	json_decref(answer);
	return rc == 0 ? lease_store_put(&name, keep, LAUNCH_KEEP_SIZE, offline_s, lease.data, lease.size,
	                                 err)
	               : rc;
}

/* The CAS, which answers, gives none: what was kept before goes. */
static bool is_answer(int rc)
{
	return rc == CELLA_EAUTH || rc == CELLA_ENOENT;
}

/* Once in a job, that was granted. That it cannot be kept is no reason not to run; what was kept before stays
 * until there is a newer one, or the CAS says that there is none: it may be gone at any time. */
static void keep_lease(struct job_sessions *s, uint32_t number, const void *evidence, size_t evidence_size,
                       const void *keep, uint64_t offline_s)
{
	const struct lease_name name = lease_name_of(s, number);
	struct error why = {.text = "the launcher keeps none (CELLA_LOG=info says why)"};
	if (s->kept[number])
		return;
	s->kept[number] = true;
	int rc = !offline_s ? CELLA_ENOENT
	         : bytes_are_zero(keep, LAUNCH_KEEP_SIZE)
	                 ? CELLA_EUNSUPPORTED
	                 : ask_lease(s, number, evidence, evidence_size, keep, offline_s, &why);
	if (is_answer(rc))
		lease_store_remove(&name);
	if (offline_s && rc < 0)
		log_warn("no newer offline lease of %s/%s: %s", name.session, name.service, why.text);
}

static int take_kept(struct job_sessions *s, uint32_t number, struct buf *ret_sealed, struct error *err)
{
	buf_put(ret_sealed, s->leases[number].data, s->leases[number].size);
	return ret_sealed->failed ? error_set(err, CELLA_ENOMEM, "no memory for an offline lease") : 0;
}

static void print_left(const struct lease_name *name, uint64_t left_s)
{
	const uint64_t minutes = left_s / 60;
	fprintf(stderr, "cella run: offline lease of %s/%s, ends in ", name->session, name->service);
	if (minutes >= 60)
		fprintf(stderr, "%" PRIu64 " h %" PRIu64 " min\n", minutes / 60, minutes % 60);
	else if (minutes)
		fprintf(stderr, "%" PRIu64 " min\n", minutes);
	else
		fprintf(stderr, "%" PRIu64 " s\n", left_s);
}

/* The CAS is not reached: a lease of each session, or why not, behind what is wrong with the CAS. */
static int go_offline(struct job_sessions *s, struct error *err)
{
	struct error why;
	uint64_t left_s[JOB_SESSIONS_MAX];
	for (uint32_t i = 0; i < s->grants.count; i++) {
		const struct lease_name name = lease_name_of(s, i);
		int rc = lease_store_get(&name, &s->leases[i], &left_s[i], &why);
		if (rc < 0)
			return error_prefix(err, rc == CELLA_ENOENT ? CELLA_EIO : rc,
			                    "%s/%s: %s; the CAS: ", name.session, name.service, why.text);
	}
	for (uint32_t i = 0; i < s->grants.count; i++) {
		const struct lease_name name = lease_name_of(s, i);
		print_left(&name, left_s[i]);
	}
	s->grants.offline = true;
	return crypto_random(s->grants.nonce, sizeof(s->grants.nonce), err);
}

/* ---- grants */

static int take_grant(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                      const void *keep, struct buf *ret_sealed, struct error *err)
{
	struct job_sessions *s = data;
	const struct lease_name name = lease_name_of(s, number);
	json_t *answer = NULL;
	if (s->grants.offline)
		return take_kept(s, number, ret_sealed, err);
	int rc = ask_cas(s, number, "/v1/attest", evidence, evidence_size, NULL, &answer, err);
	if (is_answer(rc))
		lease_store_remove(&name);
	if (rc == 0)
		rc = read_bytes(answer, "grant", ret_sealed, err);
	if (rc == 0) {
		note_machine(s, json_string_value(json_object_get(answer, "machine")));
		keep_lease(s, number, evidence, evidence_size, keep,
		           (uint64_t)json_integer_value(json_object_get(answer, "offline")));
	}
	json_decref(answer);
	return of_session(s, number, rc, err);
}

/* ---- questions, which have a connection of their own: they wait for nothing that is asked beside them */

static json_t *question_of(const void *question, size_t size)
{
	json_t *more = json_object();
	json_object_set_new(more, "question", claims_base64url(question, size));
	return more;
}

static int open_asked(struct job_sessions *s, struct error *err)
{
	int rc = s->asked ? 0 : cas_client_open(&s->context, s->pool, &s->asked, err);
	if (rc == 0)
		cas_client_wait_by(s->asked, s->wait, s->wait_arg);
	return rc;
}

static int ask_keeper(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                      const void *question, size_t size, struct error *err)
{
	struct job_sessions *s = data;
	int rc = open_asked(s, err);
	if (rc == 0)
		rc = cas_client_send(s->asked, "/v1/keeper",
		                     request_of(s, number, evidence, evidence_size,
		                                question_of(question, size)),
		                     err);
	return of_session(s, number, rc, err);
}

static int take_answer(void *data, uint32_t number, struct buf *ret_answer, struct error *err)
{
	struct job_sessions *s = data;
	json_t *answer = NULL;
	int rc = cas_client_receive(s->asked, &answer, err);
	if (rc == 0)
		rc = read_bytes(answer, "answer", ret_answer, err);
	json_decref(answer);
	return of_session(s, number, rc, err);
}

static int ask_keeper_again(void *data, uint32_t number, const void *evidence, size_t evidence_size,
                            const void *question, size_t size, struct buf *ret_answer, struct error *err)
{
	struct job_sessions *s = data;
	json_t *answer = NULL;
	if (!endorse_again(s, number))
		return CELLA_EAUTH;
	int rc = cas_client_json(s->client, "POST", "/v1/keeper",
	                         request_of(s, number, evidence, evidence_size, question_of(question, size)),
	                         &answer, err);
	if (rc == 0)
		rc = read_bytes(answer, "answer", ret_answer, err);
	if (rc == 0)
		s->no_help_ns[number] = 0;
	json_decref(answer);
	return of_session(s, number, rc, err);
}

static int socket_of(void *data, uint64_t *ret_deadline_ns)
{
	const struct job_sessions *s = data;
	*ret_deadline_ns = UINT64_MAX;
	return s->asked ? https_client_socket(cas_client_https(s->asked), ret_deadline_ns) : -1;
}

static bool has_answer(void *data)
{
	const struct job_sessions *s = data;
	return s->asked && https_client_has_answer(cas_client_https(s->asked));
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
	int rc = las_key_place(s->las_key, err);
	if (rc == 0 && access(s->las_key, R_OK) < 0)
		rc = error_errno(
			err, CELLA_ENOENT,
			"this node's launcher has no key that a CAS could know (cella las enrol makes "
			"one): %s",
			s->las_key);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = split_name(s, i, names[i], err);
	s->pool = pool;
	if (rc == 0)
		rc = context_load(NULL, &s->context, err);
	if (rc == 0)
		rc = cas_client_open(&s->context, pool, &s->client, err);
	if (rc < 0)
		return rc;
	rc = cas_client_check(s->client, &s->context, NULL, err);
	if (rc == 0)
		rc = cas_client_nonce(s->client, s->grants.nonce, err);
	return rc == CELLA_EIO || rc == CELLA_ELOST || rc == CELLA_ETIMEOUT ? go_offline(s, err) : rc;
}

static void wait_by(void *data, https_wait_fn *wait, void *arg)
{
	struct job_sessions *s = data;
	s->wait = wait;
	s->wait_arg = arg;
	cas_client_wait_by(s->client, wait, arg);
	if (s->asked)
		cas_client_wait_by(s->asked, wait, arg);
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
	                                .answer = take_answer,
	                                .ask_again = ask_keeper_again,
	                                .socket = socket_of,
	                                .has_answer = has_answer,
	                                .renew = renew_leases,
	                                .wait_by = wait_by};
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
	cas_client_free(s->asked);
	for (size_t i = 0; i < JOB_SESSIONS_MAX; i++) {
		buf_done(&s->leases[i]);
		free(s->sessions[i]);
		free(s->services[i]);
	}
	free(s);
}

const struct job_grants *job_sessions_grants(const struct job_sessions *s)
{
	return &s->grants;
}
