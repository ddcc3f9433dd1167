/* Who may read, update, or create beneath a session. Keys are public: their order and number may show. */
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "cas/session/session.h"

struct principals {
	const uint8_t
		*keys[SESSION_KEYS_MAX + 1]; /* each once, though one may be listed and be the creator's */
	size_t count;
};

static bool same_key(const uint8_t *a, const uint8_t *b)
{
	return crypto_equal(a, b, SESSION_KEY_HASH_SIZE);
}

static void add(struct principals *p, const uint8_t *key)
{
	for (size_t i = 0; i < p->count; i++)
		if (same_key(p->keys[i], key))
			return;
	if (p->count < array_count(p->keys))
		p->keys[p->count++] = key;
}

static bool has_asked(const struct session_requesters *requesters, const uint8_t *key)
{
	for (size_t i = 0; i < requesters->count; i++)
		if (same_key(requesters->keys[i], key))
			return true;
	return false;
}

static bool is_asking_cell(const struct session_requesters *requesters, const char *identity)
{
	return requesters->identity && strcmp(requesters->identity, identity) == 0;
}

/* "HEX, HEX, cella://SESSION/SERVICE": those that have not asked. */
static void list_missing(const struct session_access *policy, const struct principals *p,
                         const struct session_requesters *requesters, char *to, size_t size)
{
	size_t used = 0;
	to[0] = '\0';
	for (size_t i = 0; i < p->count && used < size; i++) {
		char hex[2 * SESSION_KEY_HASH_SIZE + 1];
		if (has_asked(requesters, p->keys[i]))
			continue;
		io_hex(p->keys[i], SESSION_KEY_HASH_SIZE, hex);
		used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "", hex);
	}
	for (size_t i = 0; i < policy->identities.count && used < size; i++)
		if (!is_asking_cell(requesters, policy->identities.items[i]))
			used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "",
			                         policy->identities.items[i]);
}

void session_identity(const char *session, const char *service, char ret_uri[SESSION_IDENTITY_MAX + 1])
{
	snprintf(ret_uri, SESSION_IDENTITY_MAX + 1, SESSION_IDENTITY_SCHEME "%s/%s", session, service);
}

int session_access(const struct session_access *policy, const char *what,
                   const uint8_t creator[SESSION_KEY_HASH_SIZE], const struct session_requesters *requesters,
                   struct error *err)
{
	struct principals p = {0};
	char missing[700];
	size_t agree = 0, count;
	if (policy->who == SESSION_ANYBODY)
		return 0;
	if (policy->who == SESSION_NOBODY)
		return error_set(err, CELLA_EPERM, "the session's access_policy lets nobody %s", what);
	for (size_t i = 0; i < policy->keys.count; i++)
		add(&p, policy->keys.bytes + i * SESSION_KEY_HASH_SIZE);
	if (policy->creator)
		add(&p, creator);
	for (size_t i = 0; i < p.count; i++)
		agree += has_asked(requesters, p.keys[i]);
	for (size_t i = 0; i < policy->identities.count; i++)
		agree += is_asking_cell(requesters, policy->identities.items[i]);
	count = p.count + policy->identities.count;
	size_t wanted = policy->at_least ? policy->at_least : count;
	if (count && agree >= wanted)
		return 0;
	if (wanted > count)
		return error_set(err, CELLA_EPERM,
		                 "the session's access_policy wants %zu keys to %s it, but names %zu: the "
		                 "creator's stands there by its hash, too",
		                 wanted, what, count);
	list_missing(policy, &p, requesters, missing, sizeof(missing));
	return error_set(err, CELLA_EPERM,
	                 "the session's access_policy wants %zu of %zu keys to %s it, and %zu of them %s; "
	                 "missing: %s",
	                 wanted, count, what, agree, agree == 1 ? "asks" : "ask", missing);
}
