#include "cas/sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/nearest.h"
#include "cas/access.h"
#include "cas/generate.h"
#include "cas/guards.h"
#include "cas/lookup.h"
#include "cas/service_state.h"

/* ---- putting */

struct putting {
	const struct cas_requester *who;
	const void *yaml;
	size_t size;
	struct cas_session_facts *facts;
	struct error *err;
	int rc;
	struct session *session;
	struct records_session record;
};

static int put_records(const struct cas_act *act, struct records *r, struct error *err)
{
	struct putting *p = act->arg;
	int rc = records_session_put(r, p->session->name, &p->record, err);
	return rc == 0 ? secrets_generate(r, p->session->name, p->session, p->record.updated_ns, err) : rc;
}

/* The session in whose namespace one of this name would lie, the nearest. CELLA_ENOENT. */
static int namespace_of(struct cas *cas, const char *name, const struct cas_session **ret_session,
                        struct error *err)
{
	char above[RECORDS_NAME_MAX + 1], *slash;
	snprintf(above, sizeof(above), "%s", name);
	while ((slash = strrchr(above, '/'))) {
		*slash = '\0';
		int rc = cas_session_get(cas, above, ret_session, err);
		if (rc == 0 && session_has_namespace_of((*ret_session)->session, name))
			return 0;
		if (rc == 0)
			cas_session_put_back(cas, *ret_session);
		else if (rc != CELLA_ENOENT)
			return rc;
	}
	return error_set(err, CELLA_ENOENT, "no session has a namespace for %.255s", name);
}

/* In a namespace whoever its session lets; elsewhere owners. */
static int demand_create(struct cas *cas, const struct access_request *q, struct error *err)
{
	const struct cas_session *above;
	int rc = namespace_of(cas, q->session, &above, err);
	if (rc == CELLA_ENOENT)
		return access_demand_owner(cas, q, "create", err);
	if (rc < 0)
		return rc;
	rc = access_demand(cas, q, above, &above->session->create, "create sessions below", err);
	cas_session_put_back(cas, above);
	return rc;
}

static int demand_put(struct cas *cas, const struct putting *p, struct error *err)
{
	const struct access_request q = {p->who, SIGNATURE_PUT, p->session->name, p->record.hash};
	const struct session_digest *predecessor = &p->session->predecessor;
	const struct cas_session *before;
	int rc = cas_session_get(cas, p->session->name, &before, err);
	if (rc == CELLA_ENOENT && !predecessor->given)
		return demand_create(cas, &q, err);
	if (rc == CELLA_ENOENT && access_demand_owner(cas, &q, "update", err) < 0)
		return CELLA_EPERM;
	if (rc < 0)
		return rc;
	rc = access_demand(cas, &q, before, &before->session->update, "update", err);
	/* Who may change this state may not change another one that comes meanwhile. */
	if (rc == 0 && predecessor->given &&
	    !crypto_equal(predecessor->hash, before->hash, sizeof(before->hash))) {
		char now[17], named[17];
		io_hex(before->hash, 8, now);
		io_hex(predecessor->hash, 8, named);
		rc = error_set(err, CELLA_EAUTH,
		               "the session %s is %s... now, not the predecessor %s... that the update names",
		               p->session->name, now, named);
	}
	if (rc == 0 && !predecessor->given) {
		char hash[2 * CRYPTO_SHA384_SIZE + 1];
		io_hex(before->hash, sizeof(before->hash), hash);
		rc = error_set(err, CELLA_EEXIST,
		               "there is a session %s: to update it, name its hash as predecessor: %s",
		               p->session->name, hash);
	}
	cas_session_put_back(cas, before);
	return rc;
}

static int demand_creator(struct cas *cas, const struct putting *p, struct error *err)
{
	const struct session *s = p->session;
	struct error why;
	if (!s->has_creator || (p->who->known && crypto_equal(s->creator, p->who->key, sizeof(s->creator))))
		return 0;
	error_set(&why, CELLA_EPERM, "the session names another creator than the key that asks");
	return cas_deny(cas, p->who, s->name, &why, err);
}

static int put_parsed(struct cas *cas, struct putting *p)
{
	const struct session *s = p->session;
	char hash[2 * CRYPTO_SHA384_SIZE + 1];
	uint64_t now = cas_now_ns(cas);
	p->record = (struct records_session){.created_ns = now,
	                                     .updated_ns = now,
	                                     .policy = p->yaml,
	                                     .policy_size = p->size};
	int rc = session_hash(s, p->record.hash, p->err);
	if (rc == 0)
		rc = demand_put(cas, p, p->err);
	if (rc == 0)
		rc = demand_creator(cas, p, p->err);
	if (rc < 0)
		return rc;
	memcpy(p->record.creator, p->who->key, sizeof(p->record.creator));
	if (s->predecessor.given)
		memcpy(p->record.predecessor, s->predecessor.hash, sizeof(p->record.predecessor));
	io_hex(p->record.hash, sizeof(p->record.hash), hash);
	rc = cas_do_act(cas, p->who, s->predecessor.given ? AUDIT_SESSION_UPDATED : AUDIT_SESSION_CREATED,
	                json_pack("{s:s, s:s}", "session", s->name, "hash", hash), put_records, p, p->err);
	if (rc == 0)
		cas_session_forget(cas, s->name);
	return rc;
}

static void put_at_desk(struct cas_desk *desk, void *arg)
{
	struct putting *p = arg;
	p->rc = session_parse("session", p->yaml, p->size, desk->pool, NULL, &p->session, p->err);
	if (p->rc < 0)
		return;
	p->rc = put_parsed(desk->cas, p);
	if (p->rc == 0) {
		snprintf(p->facts->name, sizeof(p->facts->name), "%s", p->session->name);
		memcpy(p->facts->hash, p->record.hash, sizeof(p->facts->hash));
		p->facts->updated_ns = p->record.updated_ns;
	}
	session_free(p->session);
}

int cas_session_put(struct cas *cas, const struct cas_requester *who, const void *yaml, size_t size,
                    struct cas_session_facts *ret_facts, struct error *err)
{
	struct error why;
	struct cas_session_facts facts = {0};
	struct putting p = {.who = who, .yaml = yaml, .size = size, .facts = &facts, .err = err ? err : &why};
	cas_at_desk(cas, put_at_desk, &p);
	if (p.rc == 0)
		*ret_facts = facts;
	return p.rc;
}

/* ---- reading */

static int read_record(struct cas *cas, const char *name, struct cas_session_facts *facts,
                       struct buf *ret_yaml, struct error *err)
{
	struct records_session record;
	int rc = records_session_get(cas_records_lock(cas), name, &record, err);
	if (rc == 0) {
		*facts = (struct cas_session_facts){.created_ns = record.created_ns,
		                                    .updated_ns = record.updated_ns,
		                                    .revision = record.revision};
		snprintf(facts->name, sizeof(facts->name), "%s", name);
		memcpy(facts->hash, record.hash, sizeof(facts->hash));
		if (ret_yaml)
			buf_put(ret_yaml, record.policy, record.policy_size);
		records_session_done(&record);
	}
	cas_records_unlock(cas);
	return rc == 0 && ret_yaml && ret_yaml->failed
	               ? error_set(err, CELLA_ENOMEM, "no memory for a session's text")
	               : rc;
}

int cas_session_read(struct cas *cas, const struct cas_requester *who, const char *name,
                     struct cas_session_facts *ret_facts, struct buf *ret_yaml, struct error *err)
{
	const struct access_request q = {who, SIGNATURE_READ, name, NULL};
	uint8_t hash[CRYPTO_SHA384_SIZE];
	size_t before = ret_yaml->size;
	int rc = access_demand_read(cas, &q, hash, err);
	if (rc == 0)
		rc = read_record(cas, name, ret_facts, ret_yaml, err);
	if (rc < 0 || crypto_equal(hash, ret_facts->hash, sizeof(hash)))
		return rc;
	/* It is another state, which who may read the one before may perhaps not. */
	mem_wipe(ret_yaml->data + before, ret_yaml->size - before);
	ret_yaml->size = before;
	return error_set(err, CELLA_EFENCED, "the session %s was changed meanwhile: try again", name);
}

int cas_session_refusal(struct cas *cas, const struct cas_requester *who, const char *name,
                        const char *service, unsigned back, struct records_refusal *ret_refusal,
                        struct error *err)
{
	int rc = access_demand_read(cas, &(struct access_request){who, SIGNATURE_READ, name, NULL}, NULL,
	                            err);
	if (rc < 0)
		return rc;
	rc = records_refusal_get(cas_records_lock(cas), name, service, back, ret_refusal, err);
	cas_records_unlock(cas);
	return rc;
}

struct names {
	char (*items)[RECORDS_NAME_MAX + 1];
	size_t count, capacity;
};

static int add_name(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	struct names *names = arg;
	(void)revision;
	if (names->count == names->capacity) {
		size_t capacity = 2 * names->capacity + 16;
		void *grown = realloc(names->items, capacity * sizeof(*names->items));
		if (!grown)
			return error_set(err, CELLA_ENOMEM, "no memory for a list of sessions");
		names->items = grown;
		names->capacity = capacity;
	}
	snprintf(names->items[names->count++], sizeof(*names->items), "%.*s", (int)id_size, (const char *)id);
	return 0;
}

static bool may_list(struct cas *cas, const struct cas_requester *who, const char *name)
{
	const struct cas_session *session;
	if (cas_session_get(cas, name, &session, NULL) < 0)
		return false;
	bool may = access_may_read(cas, who, session);
	cas_session_put_back(cas, session);
	return may;
}

static const char *name_at(const void *data, size_t i)
{
	const struct names *names = data;
	return names->items[i];
}

/* That it is not there, and which one that the requester may read resembles it. */
static int no_session(struct cas *cas, const struct cas_requester *who, const char *name, struct error *err)
{
	struct names names = {0};
	int rc = records_list(cas_records_lock(cas), RECORDS_SESSION, "", 0, add_name, &names, err);
	cas_records_unlock(cas);
	const char *nearest = rc == 0 ? nearest_name(name, name_at, &names, names.count) : NULL;
	bool tell = nearest && may_list(cas, who, nearest);
	if (rc == 0)
		rc = error_set(err, CELLA_ENOENT, "there is no session %.255s%s%s%s", name,
		               tell ? "; did you mean " : "", tell ? nearest : "", tell ? "?" : "");
	free(names.items);
	return rc;
}

static const char *service_at(const void *data, size_t i)
{
	const struct session *s = data;
	return s->services[i].name;
}

int cas_session_service_known(struct cas *cas, const struct cas_requester *who, const char *name,
                              const char *service, struct error *err)
{
	const struct access_request q = {who, SIGNATURE_READ, name, NULL};
	const struct cas_session *session;
	cleanup_free struct records_refusal *refusal = malloc(sizeof(*refusal));
	int rc = refusal ? access_demand_read(cas, &q, NULL, err)
	                 : error_set(err, CELLA_ENOMEM, "no memory for refusals");
	if (rc == CELLA_ENOENT)
		return no_session(cas, who, name, err);
	if (rc == 0)
		rc = cas_session_get(cas, name, &session, err);
	if (rc != 0)
		return rc;
	const struct session_secret *secret = session_secret(session->session, service);
	if (!session_service(session->session, service) && !(secret && secret->guest_count)) {
		rc = records_refusal_get(cas_records_lock(cas), name, service, 0, refusal, err);
		cas_records_unlock(cas);
	}
	if (rc == CELLA_ENOENT) {
		const struct session *s = session->session;
		const char *nearest = nearest_name(service, service_at, s, s->service_count);
		rc = error_set(err, rc, "the session %s has no service %.63s%s%s%s", name, service,
		               nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
	}
	cas_session_put_back(cas, session);
	return rc;
}

int cas_session_list(struct cas *cas, const struct cas_requester *who, cas_session_fn *fn, void *arg,
                     struct error *err)
{
	struct names names = {0};
	int rc = records_list(cas_records_lock(cas), RECORDS_SESSION, "", 0, add_name, &names, err);
	cas_records_unlock(cas);
	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		struct cas_session_facts facts;
		if (!may_list(cas, who, names.items[i]) ||
		    read_record(cas, names.items[i], &facts, NULL, NULL) < 0)
			continue;
		rc = fn(arg, &facts, err);
	}
	free(names.items);
	return rc;
}

/* ---- removing */

static int remove_record(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct cas_session *session = act->arg;
	return records_session_remove(r, session->name, session->hash, err);
}

int cas_session_remove(struct cas *cas, const struct cas_requester *who, const char *name, struct error *err)
{
	const struct access_request q = {who, SIGNATURE_DELETE, name, NULL};
	const struct cas_session *session;
	int rc = access_demand_read(cas, &q, NULL, err);
	if (rc == 0)
		rc = cas_session_get(cas, name, &session, err);
	if (rc != 0)
		return rc;
	rc = access_demand(cas, &q, session, &session->session->update, "delete", err);
	if (rc == 0)
		rc = cas_do_act(cas, who, AUDIT_SESSION_DELETED, json_pack("{s:s}", "session", name),
		                remove_record, (void *)(uintptr_t)session, err);
	if (rc == 0)
		cas_session_forget(cas, name);
	cas_session_put_back(cas, session);
	return rc;
}

/* ---- volumes */

struct handing {
	const char *session, *volume;
	const uint8_t *hash; /* of the session that was judged */
	const struct cas_volume *handed;
	uint64_t now_ns;
};

static int keep_keys(const struct handing *h, struct records *r, struct error *err)
{
	const struct cas_volume *v = h->handed;
	uint8_t bytes[VOLUME_HANDED_MAX];
	char name[RECORDS_NAME_MAX + 1];
	size_t size = sizeof(v->id) + sizeof(v->key_count) + v->key_count * sizeof(v->keys[0]);
	uint64_t version;
	volume_secret_name(h->volume, name);
	memcpy(bytes, v->id, sizeof(v->id));
	memcpy(bytes + sizeof(v->id), &v->key_count, sizeof(v->key_count));
	memcpy(bytes + sizeof(v->id) + sizeof(v->key_count), v->keys, v->key_count * sizeof(v->keys[0]));
	int rc = records_secret_put(r, h->session, name, SESSION_BINARY, bytes, size, h->now_ns, &version,
	                            err);
	mem_wipe(bytes, sizeof(bytes));
	return rc;
}

/* From whatever root is there to a later one; nobody may have the lease. */
static int keep_root(const struct handing *h, struct records *r, struct error *err)
{
	struct records_volume there;
	uint64_t token;
	int rc = records_volume_get(r, h->handed->id, &there, err);
	if (rc == 0 && volume_counter_of(there.root) > volume_counter_of(h->handed->root))
		rc = error_set(
			err, CELLA_EAUTH,
			"the CAS holds commit %llu of the volume, later than the %llu that it was given: "
			"this is an old copy",
			(unsigned long long)volume_counter_of(there.root),
			(unsigned long long)volume_counter_of(h->handed->root));
	if (rc == 0 && volume_counter_of(there.root) &&
	    volume_counter_of(there.root) == volume_counter_of(h->handed->root) &&
	    !crypto_equal(there.root, h->handed->root, sizeof(there.root)))
		rc = error_set(err, CELLA_EAUTH,
		               "the CAS holds another commit %llu of the volume: two have written to it, and "
		               "only one of them counts",
		               (unsigned long long)volume_counter_of(there.root));
	if (rc == 0)
		rc = records_volume_acquire(r, h->handed->id, "its owner", false, h->now_ns, h->now_ns,
		                            &token, err);
	if (rc == CELLA_EAGAIN)
		rc = error_prefix(err, CELLA_EFENCED, "it has to wait: ");
	if (rc == 0)
		rc = records_volume_swap(r, h->handed->id, token, there.root, h->handed->root, err);
	return rc == 0 ? records_volume_release(r, h->handed->id, token, err) : rc;
}

/* The records have the session that was judged still. */
static int demand_same(const struct handing *h, struct records *r, struct error *err)
{
	struct records_session now;
	int rc = records_session_get(r, h->session, &now, err);
	if (rc < 0)
		return rc;
	bool same = crypto_equal(now.hash, h->hash, sizeof(now.hash));
	records_session_done(&now);
	return same ? 0
	            : error_set(err, CELLA_EFENCED, "the session %s was changed meanwhile: try again",
	                        h->session);
}

static int hand_volume(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct handing *h = act->arg;
	int rc = demand_same(h, r, err);
	if (rc == 0)
		rc = guard_volume(r, h->session, h->handed, err);
	if (rc == 0)
		rc = keep_keys(h, r, err);
	return rc == 0 ? keep_root(h, r, err) : rc;
}

/* What other owners sign. */
static int volume_digest(const struct cas_session *s, const char *volume, const struct cas_volume *handed,
                         uint8_t ret_digest[CRYPTO_SHA384_SIZE], struct error *err)
{
	const struct signature_volume v = {.session_hash = s->hash,
	                                   .name = volume,
	                                   .id = handed->id,
	                                   .id_size = sizeof(handed->id),
	                                   .root = handed->root,
	                                   .root_size = sizeof(handed->root),
	                                   .keys = handed->keys,
	                                   .keys_size = handed->key_count * sizeof(handed->keys[0])};
	return signature_volume_digest(&v, ret_digest, err);
}

int cas_volume_hand(struct cas *cas, const struct cas_requester *who, const char *session, const char *volume,
                    const struct cas_volume *handed, struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE] = {0};
	const struct access_request q = {who, SIGNATURE_VOLUME, session, digest};
	const struct cas_session *s;
	struct handing h = {.session = session,
	                    .volume = volume,
	                    .handed = handed,
	                    .now_ns = cas_now_ns(cas)};
	struct error why;
	int rc = cas_session_get(cas, session, &s, err);
	if (rc == CELLA_ENOENT && access_demand_owner(cas, &q, "hand over a volume of", err) < 0)
		return CELLA_EPERM;
	if (rc < 0)
		return rc;
	rc = volume_digest(s, volume, handed, digest, err);
	if (rc == 0)
		rc = access_demand(cas, &q, s, &s->session->read, "read", err);
	if (rc == 0)
		rc = access_demand(cas, &q, s, &s->session->update, "hand over a volume of", err);
	if (rc == 0 && !session_volume(s->session, volume))
		rc = error_set(err, CELLA_ENOENT, "the session %s has no volume %.63s", session, volume);
	const struct session_volume *named = rc == 0 ? session_volume(s->session, volume) : NULL;
	if (rc == 0 && (handed->key_count > VOLUME_KEYS_MAX ||
	                (handed->key_count == 0 && named->origin != SESSION_GIVEN)))
		rc = error_set(err, CELLA_EINVAL, "a volume has 1 to %d keys", VOLUME_KEYS_MAX);
	h.hash = s->hash;
	if (rc == 0) {
		rc = cas_do_act(cas, who, AUDIT_VOLUME_COMMITTED,
		                json_pack("{s:s, s:s, s:I}", "session", session, "volume", volume, "commit",
		                          (json_int_t)volume_counter_of(handed->root)),
		                hand_volume, &h, &why);
		if (rc == CELLA_EPERM)
			rc = cas_deny(cas, who, session, &why, err);
		else if (rc < 0 && err)
			*err = why;
	}
	cas_session_put_back(cas, s);
	return rc;
}

static int read_volume(struct records *r, const char *session, const char *volume,
                       uint8_t ret_id[VOLUME_ID_SIZE], struct records_volume *ret_volume, struct error *err)
{
	struct records_secret handed;
	char name[RECORDS_NAME_MAX + 1];
	volume_secret_name(volume, name);
	int rc = records_secret_get(r, session, name, 0, &handed, err);
	if (rc == CELLA_ENOENT)
		return error_set(err, CELLA_ENOENT, "the volume %.63s of the session %s was not handed over",
		                 volume, session);
	if (rc < 0)
		return rc;
	if (handed.size >= VOLUME_ID_SIZE)
		memcpy(ret_id, handed.data, VOLUME_ID_SIZE);
	else
		rc = error_set(err, CELLA_EFORMAT, "the keys of the volume %.63s are malformed", volume);
	records_secret_done(&handed);
	return rc == 0 ? records_volume_get(r, ret_id, ret_volume, err) : rc;
}

int cas_volume_read(struct cas *cas, const struct cas_requester *who, const char *session, const char *volume,
                    uint8_t ret_id[VOLUME_ID_SIZE], struct records_volume *ret_volume, struct error *err)
{
	int rc = access_demand_read(cas, &(struct access_request){who, SIGNATURE_READ, session, NULL}, NULL,
	                            err);
	if (rc < 0)
		return rc;
	rc = read_volume(cas_records_lock(cas), session, volume, ret_id, ret_volume, err);
	cas_records_unlock(cas);
	return rc;
}

/* ---- leases of volumes */

/* A token that is larger than the holder's, and given up at once: his is fenced off. */
static int end_lease(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct handing *h = act->arg;
	struct records_volume there;
	uint8_t id[VOLUME_ID_SIZE];
	uint64_t token;
	int rc = demand_same(h, r, err);
	if (rc == 0)
		rc = read_volume(r, h->session, h->volume, id, &there, err);
	if (rc == 0)
		rc = records_volume_acquire(r, id, "its owner", true, h->now_ns, h->now_ns, &token, err);
	return rc == 0 ? records_volume_release(r, id, token, err) : rc;
}

int cas_volume_take_over(struct cas *cas, const struct cas_requester *who, const char *session,
                         const char *volume, struct error *err)
{
	const struct access_request q = {who, SIGNATURE_TAKE_OVER, session, NULL};
	const struct cas_session *s;
	struct handing h = {.session = session, .volume = volume, .now_ns = cas_now_ns(cas)};
	int rc = cas_session_get(cas, session, &s, err);
	if (rc == CELLA_ENOENT && access_demand_owner(cas, &q, "take over a lease of", err) < 0)
		return CELLA_EPERM;
	if (rc < 0)
		return rc;
	h.hash = s->hash;
	rc = access_demand(cas, &q, s, &s->session->read, "read", err);
	if (rc == 0)
		rc = access_demand(cas, &q, s, &s->session->update, "take over a lease of", err);
	if (rc == 0)
		rc = cas_do_act(cas, who, AUDIT_VOLUME_RELEASED,
		                json_pack("{s:s, s:s, s:s}", "session", session, "volume", volume, "how",
		                          "taken over"),
		                end_lease, &h, err);
	cas_session_put_back(cas, s);
	return rc;
}
