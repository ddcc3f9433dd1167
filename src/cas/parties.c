#include "cas/parties.h"

#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cas/guards.h"

/* ---- owners and launchers */

struct party_change {
	enum records_kind kind;
	const uint8_t *key;
	struct records_party party;
};

/* What was revoked is not let in again: nothing takes a revocation back. */
static int add_party(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct party_change *c = act->arg;
	const bool owner = c->kind == RECORDS_OWNER;
	if (records_is_revoked(r, owner ? RECORDS_REVOKED_OWNER : RECORDS_REVOKED_LAS, c->key,
	                       RECORDS_KEY_SIZE))
		return error_set(err, CELLA_EINVAL,
		                 "this key of %s was revoked, which nothing takes back: make a new one",
		                 owner ? "an owner" : "a launcher");
	return records_party_add(r, c->kind, c->key, &c->party, err);
}

static int remove_party(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct party_change *c = act->arg;
	int rc = c->kind == RECORDS_OWNER ? guard_last_owner(r, c->key, err)
	                                  : records_endorsements_remove(r, c->key, err);
	return rc == 0 ? records_party_remove(r, c->kind, c->key, err) : rc;
}

static json_t *party_json(const uint8_t key[RECORDS_KEY_SIZE], const char *label)
{
	char hex[CAS_KEY_HEX_SIZE];
	io_hex(key, RECORDS_KEY_SIZE, hex);
	return label ? json_pack("{s:s, s:s}", "key", hex, "label", label) : json_pack("{s:s}", "key", hex);
}

int cas_party_add(struct cas *cas, const struct cas_requester *who, enum records_kind kind,
                  const uint8_t key[RECORDS_KEY_SIZE], const char *label, struct error *err)
{
	bool owner = kind == RECORDS_OWNER;
	struct party_change c = {kind, key, {.since_ns = cas_now_ns(cas)}};
	int rc = cas_demand_owner(cas, who, owner ? "let in an owner" : "enrol a launcher", err);
	if (rc == 0 && !owner)
		rc = crypto_ed25519_check(key, err);
	if (rc < 0)
		return rc;
	memcpy(c.party.by, who->key, sizeof(c.party.by));
	snprintf(c.party.label, sizeof(c.party.label), "%s", label);
	return cas_do_act(cas, who, owner ? AUDIT_OWNER_ADDED : AUDIT_LAS_ENROLLED, party_json(key, label),
	                  add_party, &c, err);
}

int cas_party_remove(struct cas *cas, const struct cas_requester *who, enum records_kind kind,
                     const uint8_t key[RECORDS_KEY_SIZE], struct error *err)
{
	bool owner = kind == RECORDS_OWNER;
	struct party_change c = {.kind = kind, .key = key};
	int rc = cas_demand_owner(cas, who, owner ? "remove an owner" : "remove a launcher", err);
	return rc < 0 ? rc
	              : cas_do_act(cas, who, owner ? AUDIT_OWNER_REMOVED : AUDIT_LAS_REMOVED,
	                           party_json(key, NULL), remove_party, &c, err);
}

/* Of ids that are in the records, while these are locked. */
struct party_listing {
	struct records *records;
	enum records_kind kind;
	cas_party_fn *fn;
	void *arg;
};

static int list_party(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	const struct party_listing *l = arg;
	struct cas_party party;
	(void)revision;
	if (id_size != sizeof(party.key))
		return error_set(err, CELLA_EFORMAT, "a key of %zu bytes in the records", id_size);
	memcpy(party.key, id, sizeof(party.key));
	party.revoked = records_is_revoked(l->records,
	                                   l->kind == RECORDS_OWNER ? RECORDS_REVOKED_OWNER
	                                                            : RECORDS_REVOKED_LAS,
	                                   party.key, sizeof(party.key));
	int rc = records_party_get(l->records, l->kind, party.key, &party.party, err);
	return rc < 0 ? rc : l->fn(l->arg, &party, err);
}

int cas_party_list(struct cas *cas, const struct cas_requester *who, enum records_kind kind, cas_party_fn *fn,
                   void *arg, struct error *err)
{
	int rc = cas_demand_owner(cas, who, kind == RECORDS_OWNER ? "list owners" : "list launchers", err);
	if (rc < 0)
		return rc;
	struct party_listing l = {.records = cas_records_lock(cas), .kind = kind, .fn = fn, .arg = arg};
	rc = records_list(l.records, kind, "", 0, list_party, &l, err);
	cas_records_unlock(cas);
	return rc;
}

/* ---- revocations */

const struct cas_revocable cas_revocable[] = {
	{"cell", "a cell's identity", RECORDS_REVOKED_CELL, CRYPTO_SHA384_SIZE},
	{"builder", "a builder's key", RECORDS_REVOKED_BUILDER, CRYPTO_ED25519_SIZE},
	{"las", "a launcher's key", RECORDS_REVOKED_LAS, CRYPTO_ED25519_SIZE},
	{"owner", "an owner's key", RECORDS_REVOKED_OWNER, RECORDS_KEY_SIZE},
	{"certificate", "a certificate's serial number", RECORDS_REVOKED_CERTIFICATE, RECORDS_SERIAL_SIZE},
	{"executor", "an executor's digest", RECORDS_REVOKED_EXECUTOR, CRYPTO_SHA384_SIZE},
};
const size_t cas_revocable_count = array_count(cas_revocable);

struct revoked_listing {
	struct records *records;
	cas_revoked_fn *fn;
	void *arg;
};

static int list_revoked(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	const struct revoked_listing *l = arg;
	const uint8_t *bytes = id;
	struct cas_revoked revoked;
	size_t i = 0;
	(void)revision;
	while (i < cas_revocable_count && (uint8_t)cas_revocable[i].kind != bytes[0])
		i++;
	if (i == cas_revocable_count || id_size != 1 + cas_revocable[i].size)
		return error_set(err, CELLA_EFORMAT, "a revocation in the records is of no known kind");
	revoked.kind = &cas_revocable[i];
	revoked.what = bytes + 1;
	int rc = records_revocation_get(l->records, revoked.kind->kind, revoked.what, revoked.kind->size,
	                                &revoked.revocation, err);
	return rc < 0 ? rc : l->fn(l->arg, &revoked, err);
}

int cas_revoked_list(struct cas *cas, const struct cas_requester *who, cas_revoked_fn *fn, void *arg,
                     struct error *err)
{
	int rc = cas_demand_owner(cas, who, "list what is revoked", err);
	if (rc < 0)
		return rc;
	struct revoked_listing l = {.records = cas_records_lock(cas), .fn = fn, .arg = arg};
	rc = records_list(l.records, RECORDS_REVOKED, "", 0, list_revoked, &l, err);
	cas_records_unlock(cas);
	return rc;
}

struct revoking {
	enum records_revoked kind;
	const void *what;
	size_t size;
	const char *reason;
	uint64_t now_ns;
};

static int revoke_record(const struct cas_act *act, struct records *r, struct error *err)
{
	const struct revoking *v = act->arg;
	int rc = 0;
	if (v->kind == RECORDS_REVOKED_OWNER && v->size == RECORDS_KEY_SIZE)
		rc = guard_last_owner(r, v->what, err);
	if (v->kind == RECORDS_REVOKED_CERTIFICATE && v->size == RECORDS_SERIAL_SIZE)
		rc = records_certificate_find(r, v->what, err);
	if (v->kind == RECORDS_REVOKED_LAS && v->size == RECORDS_KEY_SIZE)
		rc = records_endorsements_remove(r, v->what, err);
	return rc == 0 ? records_revoke(r, v->kind, v->what, v->size, v->reason, v->now_ns, err) : rc;
}

int cas_revoke(struct cas *cas, const struct cas_requester *who, enum records_revoked kind, const void *what,
               size_t size, const char *reason, struct error *err)
{
	struct revoking v = {kind, what, size, reason, cas_now_ns(cas)};
	char hex[2 * RECORDS_REVOKED_MAX + 1];
	int rc = cas_demand_owner(cas, who, "revoke", err);
	if (rc < 0)
		return rc;
	if (size > RECORDS_REVOKED_MAX)
		return error_set(err, CELLA_EINVAL, "%zu bytes name nothing that can be revoked", size);
	io_hex(what, size, hex);
	return cas_do_act(cas, who, AUDIT_REVOKED,
	                  json_pack("{s:s, s:i, s:s}", "revoked", hex, "kind", (int)kind, "reason", reason),
	                  revoke_record, &v, err);
}
