#include "cas/secret_read.h"

#include <string.h>

#include "cas/access.h"
#include "cas/lookup.h"

struct reading {
	const struct cas_requester *who;
	const char *session, *name;
	cas_secret_fn *take;
	void *arg;
	struct error *err;
	int rc;
};

static bool names_cell(const struct session_access *read, const char *identity)
{
	for (size_t i = 0; i < read->identities.count; i++)
		if (strcmp(read->identities.items[i], identity) == 0)
			return true;
	return false;
}

/* Beside what reading the session takes. */
static int demand_cell(struct cas *cas, const struct reading *r, const struct cas_session *s,
                       struct error *err)
{
	struct error why;
	if (r->who->identity && names_cell(&s->session->read, r->who->identity))
		return 0;
	error_set(&why, CELLA_EPERM,
	          "secrets of the session %s are read by cells that its access_policy.read names, and by the "
	          "certificates that this CAS gave them",
	          r->session);
	return cas_deny(cas, r->who, r->session, &why, err);
}

static int find(struct lookup *l, const char *name, struct session_value *ret_value, struct error *err)
{
	const struct session_secret *secret = session_secret(l->session->session, name);
	if (!secret || secret->origin == SESSION_IMPORTED)
		return error_set(err, CELLA_ENOENT, "the session %s has no secret %.63s of its own",
		                 l->session->name, name);
	int rc = lookup_secret(l, name, ret_value, err);
	return rc == CELLA_EINVAL ? error_prefix(err, CELLA_ENOENT, "it is not there: ") : rc;
}

static int note(struct cas *cas, const struct reading *r, struct error *err)
{
	return cas_do_act(cas, r->who, AUDIT_PROVISIONED,
	                  json_pack("{s:s, s:s, s:s, s:s}", "session", r->session, "secret", r->name, "cell",
	                            r->who->identity, "from", r->who->address),
	                  NULL, NULL, err);
}

static int read_one(struct cas_desk *desk, const struct reading *r, const struct cas_session *s,
                    struct error *err)
{
	const struct access_request q = {r->who, SIGNATURE_READ, r->session, NULL};
	struct lookup lookup = {.desk = desk, .session = s, .arena = {.pool = desk->pool}};
	struct session_value value;
	int rc = access_demand(desk->cas, &q, s, &s->session->read, "read", err);
	if (rc == 0)
		rc = demand_cell(desk->cas, r, s, err);
	if (rc == 0)
		rc = find(&lookup, r->name, &value, err);
	if (rc == 0)
		rc = note(desk->cas, r, err);
	if (rc == 0)
		r->take(r->arg, value.data, value.size);
	session_arena_done(&lookup.arena);
	return rc;
}

static void read_at_desk(struct cas_desk *desk, void *arg)
{
	struct reading *r = arg;
	const struct access_request q = {r->who, SIGNATURE_READ, r->session, NULL};
	const struct cas_session *s;
	r->rc = cas_session_get(desk->cas, r->session, &s, r->err);
	if (r->rc == CELLA_ENOENT)
		r->rc = access_demand_owner(desk->cas, &q, "read", r->err) < 0 ? CELLA_EPERM : CELLA_ENOENT;
	if (r->rc < 0)
		return;
	r->rc = read_one(desk, r, s, r->err);
	cas_session_put_back(desk->cas, s);
}

int cas_secret_read(struct cas *cas, const struct cas_requester *who, const char *session, const char *name,
                    cas_secret_fn *take, void *arg, struct error *err)
{
	struct error why;
	struct reading r = {.who = who,
	                    .session = session,
	                    .name = name,
	                    .take = take,
	                    .arg = arg,
	                    .err = err ? err : &why};
	cas_at_desk(cas, read_at_desk, &r);
	return r.rc;
}
