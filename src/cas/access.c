#include "cas/access.h"

#include <string.h>

#include "base/io.h"
#include "cas/identity.h"

/* The keys that ask: the connection's, then those of the signatures. */
struct askers {
	uint8_t keys[1 + SIGNATURES_MAX][RECORDS_KEY_SIZE];
	size_t count;
};

static int add_signers(struct cas *cas, const struct access_request *q,
                       const uint8_t hash[CRYPTO_SHA384_SIZE], struct askers *to, struct error *err)
{
	struct signature_statement statement = {.action = q->action, .session = q->session};
	struct signers signers;
	memcpy(statement.cas, records_cas(cas_records_lock(cas)), sizeof(statement.cas));
	cas_records_unlock(cas);
	memcpy(statement.digest, q->digest ? q->digest : hash, sizeof(statement.digest));
	int rc = signatures_check(&statement, q->who->signatures, &signers, err);
	for (size_t i = 0; rc == 0 && i < signers.count; i++) {
		uint8_t *key = to->keys[to->count];
		rc = cas_key_parse(signers.key_hash[i], "key's hash", key, err);
		to->count += rc == 0 && !cas_key_is_revoked(cas, key);
	}
	return rc == CELLA_EAUTH || rc == CELLA_EFORMAT || rc == CELLA_EUNSUPPORTED || rc == CELLA_ELIMIT
	               ? error_prefix(err, CELLA_EPERM, "of those who have signed: ")
	               : rc;
}

static int gather(struct cas *cas, const struct access_request *q, const uint8_t hash[CRYPTO_SHA384_SIZE],
                  struct askers *ret, struct error *err)
{
	const bool cell = q->who->identity;
	int rc = cell ? cas_identity_check(cas, q->who, err) : 0;
	*ret = (struct askers){.count = q->who->known && !cell};
	if (rc < 0)
		return rc;
	memcpy(ret->keys[0], q->who->key, sizeof(ret->keys[0]));
	if (q->who->known && cas_key_is_revoked(cas, q->who->key))
		return error_set(err, CELLA_EPERM, "the key that asks was revoked");
	return q->who->signatures ? add_signers(cas, q, hash, ret, err) : 0;
}

bool access_may_read(struct cas *cas, const struct cas_requester *who, const struct cas_session *session)
{
	const struct session_requesters all = {.keys = &who->key,
	                                       .count = who->known && !who->identity,
	                                       .identity = who->identity};
	const bool revoked = who->identity ? cas_identity_check(cas, who, NULL) < 0
	                                   : who->known && cas_key_is_revoked(cas, who->key);
	return !revoked && session_access(&session->session->read, "read", session->creator, &all, NULL) == 0;
}

/* The same whether there is a session. */
static int deny_stranger(struct cas *cas, const struct access_request *q, const struct error *why,
                         struct error *err)
{
	(void)!cas_deny(cas, q->who, q->session, why, NULL);
	return error_set(
		err, CELLA_EPERM,
		"the key that asks is no owner's of this CAS, and may do nothing with the session %.255s, "
		"if there is one",
		q->session);
}

int access_demand(struct cas *cas, const struct access_request *q, const struct cas_session *session,
                  const struct session_access *access, const char *what, struct error *err)
{
	struct askers askers;
	struct error why;
	int rc = gather(cas, q, session->hash, &askers, &why);
	const struct session_requesters all = {.keys = askers.keys,
	                                       .count = askers.count,
	                                       .identity = q->who->identity};
	if (rc == 0 && q->who->identity && access != &session->session->read)
		rc = error_set(&why, CELLA_EPERM, "a cell may read a session, and may not %s it", what);
	if (rc == 0)
		rc = session_access(access, what, session->creator, &all, &why);
	if (rc == CELLA_EPERM)
		return cas_is_owner(cas, q->who) || access_may_read(cas, q->who, session)
		               ? cas_deny(cas, q->who, q->session, &why, err)
		               : deny_stranger(cas, q, &why, err);
	if (rc < 0 && err)
		*err = why;
	return rc;
}

int access_demand_owner(struct cas *cas, const struct access_request *q, const char *what, struct error *err)
{
	struct error why;
	if (cas_is_owner(cas, q->who))
		return 0;
	error_set(&why, CELLA_EPERM, "the key that asks may not %s the session %.255s: it is no owner's",
	          what, q->session);
	return deny_stranger(cas, q, &why, err);
}

int access_demand_read(struct cas *cas, const struct access_request *q, uint8_t ret_hash[CRYPTO_SHA384_SIZE],
                       struct error *err)
{
	const struct cas_session *session;
	struct error why;
	int rc = cas_session_get(cas, q->session, &session, &why);
	if (rc == CELLA_ENOENT)
		rc = access_demand_owner(cas, q, "read", err) < 0 ? CELLA_EPERM : CELLA_ENOENT;
	if (rc < 0 && rc != CELLA_EPERM && err)
		*err = why;
	if (rc < 0)
		return rc;
	rc = access_demand(cas, q, session, &session->session->read, "read", err);
	if (ret_hash)
		memcpy(ret_hash, session->hash, CRYPTO_SHA384_SIZE);
	cas_session_put_back(cas, session);
	return rc;
}
