#include "cas/requester.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/printable.h"
#include "cas/refusals.h"

bool cas_is_owner(struct cas *cas, const struct cas_requester *who)
{
	if (!who->known || who->identity)
		return false;
	struct records *r = cas_records_lock(cas);
	bool is = records_party_known(r, RECORDS_OWNER, who->key) &&
	          !records_is_revoked(r, RECORDS_REVOKED_OWNER, who->key, sizeof(who->key));
	cas_records_unlock(cas);
	return is;
}

void cas_who_text(const struct cas_requester *who, char to[CAS_KEY_HEX_SIZE])
{
	if (who->known)
		io_hex(who->key, sizeof(who->key), to);
	else
		snprintf(to, CAS_KEY_HEX_SIZE, "without a certificate");
}

/* ---- one change with its entry in the log */

static int make_act(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct cas_act *act = arg;
	event->kind = act->kind;
	event->who = act->who;
	event->what = act->what;
	return act->make ? act->make(act, r, err) : 0;
}

int cas_do_act(struct cas *cas, const struct cas_requester *who, enum audit_kind kind, json_t *what,
               int (*make)(const struct cas_act *, struct records *, struct error *), void *arg,
               struct error *err)
{
	struct cas_act act = {.kind = kind, .what = json_dumps(what, JSON_COMPACT), .make = make, .arg = arg};
	struct cas_change change = {.make = make_act, .arg = &act};
	json_decref(what);
	cas_who_text(who, act.who);
	int rc = act.what ? cas_commit(cas, &change, err)
	                  : error_set(err, CELLA_ENOMEM, "no memory for the audit log");
	free(act.what);
	return rc;
}

int cas_deny(struct cas *cas, const struct cas_requester *who, const char *session, const struct error *why,
             struct error *err)
{
	struct error denied = *why, ignored;
	char name[RECORDS_NAME_MAX + 1];
	printable(denied.text, strlen(denied.text), false);
	char key[CAS_KEY_HEX_SIZE];
	json_t *json = json_pack("{s:s, s:s}", "denied", denied.text, "from", who->address);
	if (session) {
		snprintf(name, sizeof(name), "%s", session);
		printable(name, strlen(name), false);
		json_object_set_new(json, "session", json_string(name));
	}
	cleanup_free char *what = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	cas_who_text(who, key);
	const struct refusal refusal = {.kind = AUDIT_DENIED,
	                                .who = key,
	                                .address = who->address,
	                                .what = what,
	                                .words = denied.text,
	                                .of = {"", ""}};
	if (what)
		(void)!cas_refuse(cas, &refusal, &ignored);
	return error_set(err, CELLA_EPERM, "%s", denied.text);
}

int cas_demand_owner(struct cas *cas, const struct cas_requester *who, const char *what, struct error *err)
{
	struct error why;
	char key[CAS_KEY_HEX_SIZE];
	if (cas_is_owner(cas, who))
		return 0;
	cas_who_text(who, key);
	error_set(&why, CELLA_EPERM, "the key %s may not %s: it is no owner's of this CAS", key, what);
	return cas_deny(cas, who, NULL, &why, err);
}

bool cas_key_is_revoked(struct cas *cas, const uint8_t key[RECORDS_KEY_SIZE])
{
	bool is = records_is_revoked(cas_records_lock(cas), RECORDS_REVOKED_OWNER, key, RECORDS_KEY_SIZE);
	cas_records_unlock(cas);
	return is;
}
