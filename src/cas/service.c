#include "cas/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "cas/identity.h"
#include "cas/machines.h"
#include "cas/own_keys.h"
#include "cas/refusals.h"
#include "cas/service_state.h"

uint64_t cas_now_ns(const struct cas *cas)
{
	struct timespec now;
	if (cas->config.now)
		return cas->config.now(cas->config.now_arg);
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const struct cert_key *cas_tls_key(const struct cas *cas)
{
	return cas->tls_key;
}

const char *cas_key_hash(const struct cas *cas)
{
	return cas->key_hash;
}

/* ---- desks */

static int desk_new(struct cas *cas, struct error *err)
{
	struct cas_desk *desk = calloc(1, sizeof(*desk));
	if (!desk)
		return error_set(err, CELLA_ENOMEM, "no memory for a CAS's desk");
	desk->cas = cas;
	SLIST_INSERT_HEAD(&cas->desks, desk, next);
	int rc = mem_pool_new(cas->config.memory, CAS_DESK_MEMORY, &desk->pool, err);
	return rc < 0 ? rc : mem_stack_new(desk->pool, CAS_DESK_STACK, &desk->stack, err);
}

static void desks_free(struct cas *cas)
{
	struct cas_desk *desk;
	while ((desk = SLIST_FIRST(&cas->desks))) {
		SLIST_REMOVE_HEAD(&cas->desks, next);
		mem_stack_free(desk->stack);
		mem_pool_free(desk->pool);
		free(desk);
	}
}

struct desk_call {
	void (*fn)(struct cas_desk *desk, void *arg);
	struct cas_desk *desk;
	void *arg;
};

static void call_on_stack(void *arg)
{
	struct desk_call *call = arg;
	call->fn(call->desk, call->arg);
}

void cas_at_desk(struct cas *cas, void (*fn)(struct cas_desk *desk, void *arg), void *arg)
{
	pthread_mutex_lock(&cas->desk_lock);
	while (SLIST_EMPTY(&cas->desks))
		pthread_cond_wait(&cas->desk_free, &cas->desk_lock);
	struct cas_desk *desk = SLIST_FIRST(&cas->desks);
	SLIST_REMOVE_HEAD(&cas->desks, next);
	pthread_mutex_unlock(&cas->desk_lock);
	struct desk_call call = {fn, desk, arg};
	mem_stack_call(desk->stack, call_on_stack, &call);
	mem_stack_wipe(desk->stack);
	pthread_mutex_lock(&cas->desk_lock);
	SLIST_INSERT_HEAD(&cas->desks, desk, next);
	pthread_cond_signal(&cas->desk_free);
	pthread_mutex_unlock(&cas->desk_lock);
}

/* ---- records */

struct records *cas_records_lock(struct cas *cas)
{
	pthread_mutex_lock(&cas->records_lock);
	return cas->records;
}

void cas_records_unlock(struct cas *cas)
{
	pthread_mutex_unlock(&cas->records_lock);
}

TAILQ_HEAD(changes, cas_change);

static int make_change(struct cas *cas, struct cas_change *change)
{
	struct records *r = cas->records;
	struct audit_event event = {.who = "", .what = "{}"};
	int rc = records_step(r, change->err);
	if (rc < 0)
		return rc;
	rc = change->make(change->arg, r, &event, change->err);
	if (rc < 0)
		records_undo(r);
	return rc < 0 ? rc : records_keep(r, &event, 1, cas_now_ns(cas), change->err);
}

/* All of them in one batch. What each did is kept or not by itself; if the whole cannot be made durable,
 * none. */
struct making {
	struct cas *cas;
	struct changes *changes;
};

static void make_changes(void *arg)
{
	struct cas *cas = ((struct making *)arg)->cas;
	struct changes *changes = ((struct making *)arg)->changes;
	struct cas_change *change;
	struct error why = {0};
	size_t kept = 0;
	pthread_mutex_lock(&cas->records_lock);
	int rc = records_begin(cas->records, &why);
	TAILQ_FOREACH(change, changes, next)
	{
		if (rc < 0)
			*change->err = why;
		change->rc = rc < 0 ? rc : make_change(cas, change);
		kept += change->rc == 0;
	}
	if (rc == 0 && kept)
		rc = records_commit(cas->records, NULL, &why);
	else if (rc == 0)
		records_abort(cas->records);
	pthread_mutex_unlock(&cas->records_lock);
	TAILQ_FOREACH(change, changes, next)
	if (rc < 0 && change->rc >= 0) {
		change->rc = rc;
		*change->err = why;
	}
}

/* The first of those that wait makes all that came meanwhile. */
int cas_commit(struct cas *cas, struct cas_change *change, struct error *err)
{
	struct error why = {0};
	change->err = &why;
	change->done = false;
	pthread_mutex_lock(&cas->change_lock);
	TAILQ_INSERT_TAIL(&cas->changes, change, next);
	while (!change->done && cas->changing)
		pthread_cond_wait(&cas->changed, &cas->change_lock);
	if (!change->done) {
		struct changes all = TAILQ_HEAD_INITIALIZER(all);
		struct cas_change *c;
		TAILQ_CONCAT(&all, &cas->changes, next);
		cas->changing = true;
		pthread_mutex_unlock(&cas->change_lock);
		mem_stack_call(cas->change_stack, make_changes, &(struct making){cas, &all});
		mem_stack_wipe(cas->change_stack);
		pthread_mutex_lock(&cas->change_lock);
		TAILQ_FOREACH(c, &all, next)
		c->done = true;
		cas->changing = false;
		pthread_cond_broadcast(&cas->changed);
	}
	pthread_mutex_unlock(&cas->change_lock);
	change->err = NULL;
	if (change->rc < 0 && err)
		*err = why;
	return change->rc;
}

/* ---- sessions */

static void session_drop(struct cas_session *s)
{
	LIST_REMOVE(s, next);
	session_free(s->session);
	free(s);
}

/* With a user more. NULL: it is not parsed yet. */
static const struct cas_session *session_find(struct cas *cas, const char *name)
{
	struct cas_session *s = LIST_FIRST(&cas->sessions);
	while (s && (!s->current || strcmp(s->name, name) != 0))
		s = LIST_NEXT(s, next);
	if (s)
		s->users++;
	return s;
}

/* All that nobody uses, for want of room: they are read again when they are asked for. Was there any? */
static bool drop_idle(struct cas *cas)
{
	struct cas_session *s, *after;
	bool dropped = false;
	for (s = LIST_FIRST(&cas->sessions); s; s = after) {
		after = LIST_NEXT(s, next);
		if (s->users)
			continue;
		session_drop(s);
		dropped = true;
	}
	return dropped;
}

static int session_add(struct cas *cas, const char *name, const struct records_session *record, bool current,
                       const struct cas_session **ret_session, struct error *err)
{
	struct cas_session *s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(err, CELLA_ENOMEM, "no memory for a session");
	snprintf(s->name, sizeof(s->name), "%s", name);
	memcpy(s->hash, record->hash, sizeof(s->hash));
	memcpy(s->creator, record->creator, sizeof(s->creator));
	s->current = current;
	s->users = 1;
	int rc = session_parse(name, record->policy, record->policy_size, cas->session_pool, NULL,
	                       &s->session, err);
	if (rc == CELLA_ENOMEM && drop_idle(cas))
		rc = session_parse(name, record->policy, record->policy_size, cas->session_pool, NULL,
		                   &s->session, err);
	if (rc < 0) {
		free(s);
		return error_prefix(err, rc, "the session as it is stored: ");
	}
	LIST_INSERT_HEAD(&cas->sessions, s, next);
	*ret_session = s;
	return 0;
}

/* From the records; `changes`: how many there were before. If there was one more meanwhile it serves this
 * once. */
static int session_load(struct cas *cas, const char *name, uint64_t changes,
                        const struct cas_session **ret_session, struct error *err)
{
	struct records_session record;
	int rc = records_session_get(cas_records_lock(cas), name, &record, err);
	cas_records_unlock(cas);
	if (rc < 0)
		return rc;
	pthread_mutex_lock(&cas->session_lock);
	rc = session_add(cas, name, &record, cas->session_changes == changes, ret_session, err);
	pthread_mutex_unlock(&cas->session_lock);
	cas_records_lock(cas);
	records_session_done(&record);
	cas_records_unlock(cas);
	return rc;
}

int cas_session_get(struct cas *cas, const char *name, const struct cas_session **ret_session,
                    struct error *err)
{
	pthread_mutex_lock(&cas->session_lock);
	uint64_t changes = cas->session_changes;
	const struct cas_session *found = session_find(cas, name);
	pthread_mutex_unlock(&cas->session_lock);
	if (!found)
		return session_load(cas, name, changes, ret_session, err);
	*ret_session = found;
	return 0;
}

void cas_session_put_back(struct cas *cas, const struct cas_session *session)
{
	struct cas_session *s = (struct cas_session *)(uintptr_t)session;
	pthread_mutex_lock(&cas->session_lock);
	if (--s->users == 0 && !s->current)
		session_drop(s);
	pthread_mutex_unlock(&cas->session_lock);
}

void cas_session_forget(struct cas *cas, const char *name)
{
	struct cas_session *s, *after;
	pthread_mutex_lock(&cas->session_lock);
	cas->session_changes++;
	for (s = LIST_FIRST(&cas->sessions); s; s = after) {
		after = LIST_NEXT(s, next);
		if (strcmp(s->name, name) != 0)
			continue;
		s->current = false;
		if (s->users == 0)
			session_drop(s);
	}
	pthread_mutex_unlock(&cas->session_lock);
}

/* ---- the first owner */

static int add_owner(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	struct records_party party = {.label = "the first owner"};
	event->kind = AUDIT_OWNER_ADDED;
	event->what = "{\"label\": \"the first owner\"}";
	return records_party_add(r, RECORDS_OWNER, arg, &party, err);
}

static int write_credential(struct cas *cas, const char *path, uint8_t ret_key[RECORDS_KEY_SIZE],
                            struct error *err)
{
	char hash[CERT_KEY_HASH_SIZE];
	int64_t now = (int64_t)(cas_now_ns(cas) / 1000000000u);
	int rc = cert_credential_create(path, "Cella owner", now, hash, err);
	return rc == 0 ? cas_key_parse(hash, "key hash", ret_key, err) : rc;
}

struct owner_call {
	const char *path;
	uint8_t key[RECORDS_KEY_SIZE];
	struct error *err;
	int rc;
};

static void make_credential(struct cas_desk *desk, void *arg)
{
	struct owner_call *call = arg;
	call->rc = write_credential(desk->cas, call->path, call->key, call->err);
}

/* ---- life */

static int start(const struct cas_config *config, struct cas **ret_cas, struct error *err)
{
	struct cas *cas = calloc(1, sizeof(*cas));
	if (!cas)
		return error_set(err, CELLA_ENOMEM, "no memory for a CAS");
	cas->config = *config;
	TAILQ_INIT(&cas->changes);
	pthread_mutex_init(&cas->desk_lock, NULL);
	pthread_mutex_init(&cas->records_lock, NULL);
	pthread_mutex_init(&cas->change_lock, NULL);
	pthread_mutex_init(&cas->session_lock, NULL);
	pthread_mutex_init(&cas->crl_lock, NULL);
	pthread_cond_init(&cas->desk_free, NULL);
	pthread_cond_init(&cas->changed, NULL);
	int rc = mem_pool_new(config->memory, CAS_RECORDS_MEMORY, &cas->records_pool, err);
	if (rc == 0)
		rc = mem_pool_new(config->memory,
		                  config->sessions_memory ? config->sessions_memory : CAS_SESSIONS_MEMORY,
		                  &cas->session_pool, err);
	if (rc == 0)
		rc = mem_stack_new(cas->records_pool, CAS_DESK_STACK, &cas->change_stack, err);
	for (int i = 0; rc == 0 && i < CAS_DESKS; i++)
		rc = desk_new(cas, err);
	if (rc == 0)
		rc = crypto_random(cas->nonce_key, sizeof(cas->nonce_key), err);
	if (rc == 0)
		rc = refusals_new(&cas->refusals, err);
	if (rc == 0)
		rc = machines_new(&cas->machines, err);
	if (rc < 0) {
		cas_close(cas);
		return rc;
	}
	*ret_cas = cas;
	return 0;
}

static struct records_config records_config_of(const struct cas *cas)
{
	return (struct records_config){.directory = cas->config.directory,
	                               .pool = cas->records_pool,
	                               .sealing = cas->config.sealing,
	                               .now_ns = cas_now_ns(cas),
	                               .who = "the CAS",
	                               .insecure_older = cas->config.insecure_older};
}

static int fill_new(struct cas *cas, uint8_t owner[RECORDS_KEY_SIZE], struct error *err)
{
	struct records_config records = records_config_of(cas);
	struct cas_change change = {.make = add_owner, .arg = owner};
	int rc = records_create(&records, &cas->records, err);
	if (rc == 0)
		rc = own_keys_load(cas, err);
	return rc == 0 ? cas_commit(cas, &change, err) : rc;
}

/* The credential first: a CAS without an owner would be nobody's. */
int cas_create(const struct cas_config *config, const char *owner, struct cas **ret_cas, struct error *err)
{
	struct cas *cas;
	int rc = start(config, &cas, err);
	if (rc < 0)
		return rc;
	struct owner_call call = {.path = owner, .err = err};
	cas_at_desk(cas, make_credential, &call);
	rc = call.rc;
	if (rc == 0) {
		rc = fill_new(cas, call.key, err);
		if (rc < 0)
			unlink(owner);
	}
	if (rc < 0) {
		cas_close(cas);
		return rc;
	}
	*ret_cas = cas;
	return 0;
}

int cas_open(const struct cas_config *config, struct cas **ret_cas, struct error *err)
{
	struct cas *cas;
	int rc = start(config, &cas, err);
	if (rc < 0)
		return rc;
	struct records_config records = records_config_of(cas);
	rc = records_open(&records, &cas->records, err);
	if (rc == 0 && records_count(cas->records, RECORDS_OWNER) == 0)
		rc = error_set(
			err, CELLA_EPERM,
			"the CAS in %s has no owner, as its first start did not come to its end: remove "
			"the directory, and start again",
			config->directory);
	if (rc == 0)
		rc = own_keys_load(cas, err);
	if (rc < 0) {
		cas_close(cas);
		return rc;
	}
	*ret_cas = cas;
	return 0;
}

void cas_close(struct cas *cas)
{
	struct cas_session *s;
	if (!cas)
		return;
	cas_refusals_end(cas);
	refusals_free(cas->refusals);
	machines_free(cas->machines);
	while ((s = LIST_FIRST(&cas->sessions)))
		session_drop(s);
	map_done(&cas->granted);
	map_done(&cas->asked);
	records_close(cas->records);
	cert_key_free(cas->tls_key);
	cert_key_free(cas->identity_key);
	cert_free(cas->identity_ca);
	buf_done(&cas->crl);
	desks_free(cas);
	mem_free(cas->records_pool, cas->grant_key);
	mem_stack_free(cas->change_stack);
	mem_pool_free(cas->session_pool);
	mem_pool_free(cas->records_pool);
	mem_wipe(cas->nonce_key, sizeof(cas->nonce_key));
	free(cas);
}

/* ---- keys that others have */

int cas_key_parse(const char *hex, const char *what, uint8_t ret_key[RECORDS_KEY_SIZE], struct error *err)
{
	uint8_t key[RECORDS_KEY_SIZE];
	if (strlen(hex) != 2 * sizeof(key) || !io_unhex(hex, sizeof(key), key))
		return error_set(err, CELLA_EINVAL, "%.80s is no %s: it has %zu hexadecimal digits", hex,
		                 what, 2 * sizeof(key));
	memcpy(ret_key, key, sizeof(key));
	return 0;
}
