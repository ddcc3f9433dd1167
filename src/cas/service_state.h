/* The inside of the CAS, shared by its files. */
#ifndef CAS_SERVICE_STATE_H
#define CAS_SERVICE_STATE_H

#include "cas/service.h"

struct machines;
struct refusals;

/* What the CAS keeps of its own lies beside the sessions' secrets, under a name that no session has. */
#define CAS_OWN_SESSION "."

struct cas {
	struct cas_config config;
	char *directory;

	pthread_mutex_t desk_lock;
	pthread_cond_t desk_free;
	SLIST_HEAD(, cas_desk) desks;

	pthread_mutex_t records_lock; /* of `records` and its pool */
	struct mem_pool *records_pool;
	struct records *records;

	pthread_mutex_t change_lock;
	pthread_cond_t changed;
	TAILQ_HEAD(, cas_change) changes;
	bool changing;
	struct mem_stack *change_stack; /* of whoever makes them: among them is the making of secrets */
	struct refusals *refusals;
	struct machines *machines;
	struct map granted; /* executors and services, by a digest: who has had its keys in this run */
	struct map asked; /* the same: how many questions to a root keeper, a uintptr_t */

	pthread_mutex_t
		session_lock; /* of the sessions and their pool; never held together with records_lock */
	struct mem_pool *session_pool;
	LIST_HEAD(, cas_session) sessions;
	uint64_t session_changes; /* how often one was forgotten */

	struct cert_key *tls_key;
	char key_hash[CERT_KEY_HASH_SIZE];
	struct cert_key *identity_key; /* of the CA of cells' identities */
	struct cert *identity_ca;
	pthread_mutex_t crl_lock; /* of the list of revoked certificates that was made last */
	struct buf crl;
	uint64_t crl_made_ns;
	size_t crl_revocations; /* that there were then */
	uint8_t *grant_key; /* CRYPTO_KEY_SIZE bytes of the records' pool: grants' data keys come from it */
	uint8_t nonce_key[CRYPTO_KEY_SIZE]; /* of this run: nonces of an earlier one are refused */
};

#endif
