#include "cas/refusals.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "cas/network.h"
#include "cas/service_state.h"

static const uint64_t SECOND_NS = 1000000000;
enum { SETS = 64, WAYS = 4 };

/* How far an allowance is used up: the time at which it is whole again. */
struct allowance {
	uint64_t peer; /* whose it is, by a secret hash */
	uint64_t whole_ns;
};

/* A refusal that is counted. */
struct counted {
	uint8_t key[CRYPTO_SHA384_SIZE];
	uint64_t since_ns, times; /* 0: free */
	enum audit_kind kind;
	char who[CAS_KEY_HEX_SIZE];
	char *what;
};

struct refusals {
	pthread_mutex_t lock;
	uint8_t secret[CRYPTO_KEY_SIZE]; /* who does not know it cannot choose whose allowance to use up */
	struct allowance all, addresses[SETS][WAYS];
	struct counted counted[REFUSALS_PLACES];
	uint64_t others, others_since_ns;
};

int refusals_new(struct refusals **ret_refusals, struct error *err)
{
	struct refusals *r = calloc(1, sizeof(*r));
	if (!r)
		return error_set(err, CELLA_ENOMEM, "no memory to count refusals");
	int rc = crypto_random(r->secret, sizeof(r->secret), err);
	if (rc < 0) {
		free(r);
		return rc;
	}
	pthread_mutex_init(&r->lock, NULL);
	*ret_refusals = r;
	return 0;
}

void refusals_free(struct refusals *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < REFUSALS_PLACES; i++)
		free(r->counted[i].what);
	free(r);
}

/* ---- allowances */

/* A clock that was set back makes it whole. */
static bool has_some(struct allowance *a, uint64_t now_ns, uint64_t burst, uint64_t interval_s)
{
	const uint64_t most = burst * interval_s * SECOND_NS;
	if (a->whole_ns < now_ns || a->whole_ns - now_ns > most)
		a->whole_ns = now_ns;
	return a->whole_ns - now_ns + interval_s * SECOND_NS <= most;
}

static int peer_of(const struct refusals *r, const char *address, uint64_t *ret_peer, struct error *err)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	const uint64_t network = network_of(address);
	const struct crypto_part parts[] = {{r->secret, sizeof(r->secret)}, {&network, sizeof(network)}};
	int rc = crypto_sha384_parts(parts, array_count(parts), digest, err);
	if (rc == 0)
		memcpy(ret_peer, digest, sizeof(*ret_peer));
	return rc;
}

/* In a full set the one that is used up the least makes room. */
static struct allowance *allowance_of(struct refusals *r, uint64_t peer)
{
	struct allowance *set = r->addresses[peer % SETS], *least = set;
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].peer == peer)
			return &set[i];
		least = set[i].whole_ns < least->whole_ns ? &set[i] : least;
	}
	*least = (struct allowance){.peer = peer};
	return least;
}

static bool take(struct refusals *r, struct allowance *address, uint64_t now_ns)
{
	bool some = has_some(address, now_ns, REFUSALS_BURST, REFUSALS_INTERVAL_S);
	some = has_some(&r->all, now_ns, REFUSALS_ALL_BURST, REFUSALS_ALL_INTERVAL_S) && some;
	if (some) {
		address->whole_ns += REFUSALS_INTERVAL_S * SECOND_NS;
		r->all.whole_ns += REFUSALS_ALL_INTERVAL_S * SECOND_NS;
	}
	return some;
}

/* ---- counting */

static int key_of(const struct refusal *f, uint8_t ret_key[CRYPTO_SHA384_SIZE], struct error *err)
{
	const struct crypto_part parts[] = {{&f->kind, sizeof(f->kind)},      {f->who, strlen(f->who)},
	                                    {f->address, strlen(f->address)}, {f->words, strlen(f->words)},
	                                    {f->of[0], strlen(f->of[0])},     {f->of[1], strlen(f->of[1])}};
	return crypto_sha384_parts(parts, array_count(parts), ret_key, err);
}

static void count(struct refusals *r, const struct refusal *f, const uint8_t key[CRYPTO_SHA384_SIZE],
                  uint64_t now_ns)
{
	struct counted *place = NULL;
	for (size_t i = 0; i < REFUSALS_PLACES; i++) {
		struct counted *c = &r->counted[i];
		if (c->times && crypto_equal(c->key, key, sizeof(c->key))) {
			c->times++;
			return;
		}
		place = place || c->times ? place : c;
	}
	char *what = place ? strdup(f->what) : NULL;
	if (!what) {
		r->others_since_ns = r->others++ ? r->others_since_ns : now_ns;
		return;
	}
	*place = (struct counted){.since_ns = now_ns, .times = 1, .kind = f->kind, .what = what};
	memcpy(place->key, key, sizeof(place->key));
	snprintf(place->who, sizeof(place->who), "%s", f->who);
}

/* May it be written out? If not, it is counted. */
static int admit(struct refusals *r, const struct refusal *f, uint64_t now_ns, bool *ret_admitted,
                 struct error *err)
{
	uint8_t key[CRYPTO_SHA384_SIZE];
	uint64_t peer;
	int rc = key_of(f, key, err);
	if (rc == 0)
		rc = peer_of(r, f->address, &peer, err);
	if (rc != 0)
		return rc;
	pthread_mutex_lock(&r->lock);
	*ret_admitted = take(r, allowance_of(r, peer), now_ns);
	if (!*ret_admitted)
		count(r, f, key, now_ns);
	pthread_mutex_unlock(&r->lock);
	return 0;
}

/* ---- what was counted, written */

static bool is_due(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns < since_ns || now_ns - since_ns >= REFUSALS_COUNTED_S * SECOND_NS;
}

/* One that is due, or any of them. The caller frees its `what`. */
static bool take_due(struct refusals *r, uint64_t now_ns, bool any, struct counted *ret)
{
	bool found = false;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < REFUSALS_PLACES && !found; i++) {
		struct counted *c = &r->counted[i];
		found = c->times && (any || is_due(c->since_ns, now_ns));
		if (found) {
			*ret = *c;
			*c = (struct counted){0};
		}
	}
	if (!found && r->others && (any || is_due(r->others_since_ns, now_ns))) {
		*ret = (struct counted){.times = r->others, .kind = AUDIT_REFUSED};
		r->others = 0;
		found = true;
	}
	pthread_mutex_unlock(&r->lock);
	return found;
}

struct writing {
	const struct refusal *refusal; /* an entry of its own, or */
	const struct counted *counted;
	const char *what;
};

static int write_entry(void *arg, struct records *r, struct audit_event *event, struct error *err)
{
	const struct writing *w = arg;
	event->kind = w->refusal ? w->refusal->kind : w->counted->kind;
	event->who = w->refusal ? w->refusal->who : w->counted->who;
	event->what = w->what;
	return w->refusal && w->refusal->keep ? w->refusal->keep(w->refusal->arg, r, err) : 0;
}

static void write_counted(struct cas *cas, struct counted *c)
{
	json_t *json = c->what ? json_loads(c->what, 0, NULL)
	                       : json_pack("{s:s}", "refused", "different ones, too many to be told apart");
	if (json)
		json_object_set_new(json, "again", json_integer((json_int_t)c->times));
	char *what = json ? json_dumps(json, JSON_COMPACT) : NULL;
	struct writing w = {.counted = c, .what = what};
	struct cas_change change = {.make = write_entry, .arg = &w};
	struct error err = {.text = "no memory"};
	if (!what || cas_commit(cas, &change, &err) < 0)
		log_error("%" PRIu64 " refusals that were counted are not in the audit log: %s", c->times,
		          err.text);
	json_decref(json);
	free(what);
	free(c->what);
}

static void write_due(struct cas *cas, bool any)
{
	struct counted c;
	while (take_due(cas->refusals, cas_now_ns(cas), any, &c))
		write_counted(cas, &c);
}

int cas_refuse(struct cas *cas, const struct refusal *refusal, struct error *err)
{
	struct writing w = {.refusal = refusal, .what = refusal->what};
	struct cas_change change = {.make = write_entry, .arg = &w};
	bool admitted;
	write_due(cas, false);
	int rc = admit(cas->refusals, refusal, cas_now_ns(cas), &admitted, err);
	return rc == 0 && admitted ? cas_commit(cas, &change, err) : rc;
}

void cas_refusals_end(struct cas *cas)
{
	if (cas->refusals && cas->records)
		write_due(cas, true);
}
