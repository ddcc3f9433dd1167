/*
 * The CAS without its wire: what it holds, and how its threads share that.
 *
 * Requests come from any thread. The records (cas/records/records.h) are behind one lock; changes of them are
 * handed in and made by whichever thread gets to it, all that wait at once, so that one sync serves many
 * (group commit: DeWitt et al. 1984). Sessions stay parsed as long as they are what the records hold.
 * Whoever handles secrets does so at a *desk*: a pool of protected memory and a stack in it, one thread's
 * at a time.
 *
 * Time is `now`'s, in nanoseconds since 1970; tests bring their own.
 */
#ifndef CAS_SERVICE_H
#define CAS_SERVICE_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/map.h"
#include "cas/records/records.h"
#include "cas/session/session.h"
#include "crypto/x509.h"

enum {
	CAS_DESKS = 8,
	CAS_DESK_MEMORY = 8 << 20,
	CAS_DESK_STACK = 512 * 1024,
	CAS_SESSIONS_MEMORY = 128 << 20,
	CAS_RECORDS_MEMORY = 64 << 20,
	CAS_NONCE_SIZE = 32,
	CAS_NONCE_LIFE_S = 24 * 3600, /* executors of one job share its nonce, those that come late too */
	CAS_LEASE_S = 300, /* of a job that writes to a volume; it is renewed every 50 s */
};

struct cas;
struct vendor_root;

struct cas_config {
	const char *directory;
	struct vault_sealing sealing;
	enum mem_level memory; /* MEM_SECRET, or MEM_INSECURE_NONE where that was asked for */
	bool insecure_older; /* as records_config */
	size_t sessions_memory; /* bytes for sessions that are kept parsed; 0: CAS_SESSIONS_MEMORY */
	/* For tests, which sign evidence themselves; the program leaves it NULL: the makers' pinned roots. */
	const struct vendor_root *test_roots;
	size_t test_root_count;
	uint64_t (*now)(void *arg); /* NULL: the host's clock */
	void *now_arg;
};

/* A CAS in a directory that is not there yet, or is empty: keys, its own TLS key, and an owner, whose
 * credential (private key and certificate, PEM) goes to the file `owner`, mode 0600, CELLA_EEXIST. */
int cas_create(const struct cas_config *config, const char *owner, struct cas **ret_cas,
               struct error *err) must_check;
int cas_open(const struct cas_config *config, struct cas **ret_cas, struct error *err) must_check;
void cas_close(struct cas *cas);

uint64_t cas_now_ns(const struct cas *cas);
/* Its TLS key and a certificate for it. Borrowed. The hash of the key is what clients pin. */
const struct cert_key *cas_tls_key(const struct cas *cas);
const char *cas_key_hash(const struct cas *cas);

/* ---- desks */

struct cas_desk {
	struct mem_pool *pool;
	struct mem_stack *stack;
	struct cas *cas;
	SLIST_ENTRY(cas_desk) next;
};
/* Runs fn(arg) at a desk, on its stack; waits for a free one. The stack is wiped behind it. */
void cas_at_desk(struct cas *cas, void (*fn)(struct cas_desk *desk, void *arg), void *arg);

/* ---- records */

/* To read them; not for long. */
struct records *cas_records_lock(struct cas *cas);
void cas_records_unlock(struct cas *cas);

/* A change: `make` runs once, in a step of a batch, and says in *event what it did (texts that live until
 * cas_commit returns). It may fail: then nothing of it is kept. */
struct cas_change {
	int (*make)(void *arg, struct records *r, struct audit_event *event, struct error *err);
	void *arg;
	/* Filled in by cas_commit. */
	struct error *err;
	int rc;
	bool done;
	TAILQ_ENTRY(cas_change) next;
};
/* 0 once it is durable. */
int cas_commit(struct cas *cas, struct cas_change *change, struct error *err) must_check;

/* ---- sessions, parsed */

struct cas_session {
	struct session *session;
	uint8_t hash[CRYPTO_SHA384_SIZE];
	uint8_t creator[RECORDS_KEY_SIZE];
	unsigned users;
	bool current; /* no: it was put or removed since; it goes with its last user */
	char name[RECORDS_NAME_MAX + 1];
	LIST_ENTRY(cas_session) next;
};
/* The session as it is now: borrowed until cas_session_put_back. CELLA_ENOENT. */
int cas_session_get(struct cas *cas, const char *name, const struct cas_session **ret_session,
                    struct error *err) must_check;
void cas_session_put_back(struct cas *cas, const struct cas_session *session);
/* The records have another one under this name, or none, from now on. Before anybody is told so. */
void cas_session_forget(struct cas *cas, const char *name);

/* ---- keys that others have */

enum { CAS_KEY_HEX_SIZE = 2 * RECORDS_KEY_SIZE + 1 };
/* 64 hexadecimal digits. CELLA_EINVAL; `what` names it. */
int cas_key_parse(const char *hex, const char *what, uint8_t ret_key[RECORDS_KEY_SIZE],
                  struct error *err) must_check;

#endif
