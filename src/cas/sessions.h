/*
 * Sessions and their volumes at the CAS, and who may do what with them: owners create sessions, or in
 * the namespace of a session whom that lets; a session's own access_policy says who may read and update it.
 */
#ifndef CAS_SESSIONS_H
#define CAS_SESSIONS_H

#include "cas/requester.h"
#include "volume/volume.h"

struct cas_session_facts {
	char name[RECORDS_NAME_MAX + 1];
	uint8_t hash[CRYPTO_SHA384_SIZE];
	uint64_t created_ns, updated_ns, revision;
};

/* A new session, or the next state of one, which then names its predecessor's hash. CELLA_EFORMAT: the first
 * mistake by line and column; CELLA_EPERM: no right; CELLA_EEXIST, CELLA_EAUTH: there is one, with another
 * hash; CELLA_EINVAL: a secret cannot be generated. */
int cas_session_put(struct cas *cas, const struct cas_requester *who, const void *yaml, size_t size,
                    struct cas_session_facts *ret_facts, struct error *err) must_check;
/* The text as it was put, appended, into memory that the caller wipes: given secrets stand in it.
 * CELLA_EPERM, CELLA_ENOENT. */
int cas_session_read(struct cas *cas, const struct cas_requester *who, const char *name,
                     struct cas_session_facts *ret_facts, struct buf *ret_yaml, struct error *err) must_check;
int cas_session_remove(struct cas *cas, const struct cas_requester *who, const char *name,
                       struct error *err) must_check;
/* Names of those that the requester may read. */
typedef int cas_session_fn(void *arg, const struct cas_session_facts *facts, struct error *err);
int cas_session_list(struct cas *cas, const struct cas_requester *who, cas_session_fn *fn, void *arg,
                     struct error *err) must_check;
/* Is there such a service, or were there refusals of one that is called so? CELLA_ENOENT: no, with the
 * nearest name; CELLA_EPERM. */
int cas_session_service_known(struct cas *cas, const struct cas_requester *who, const char *name,
                              const char *service, struct error *err) must_check;
/* The `back`-th newest refusal of a service, from 0. CELLA_ENOENT: there are fewer; CELLA_EPERM. */
int cas_session_refusal(struct cas *cas, const struct cas_requester *who, const char *name,
                        const char *service, unsigned back, struct records_refusal *ret_refusal,
                        struct error *err) must_check;

/* A volume of the session, with its keys (the newest first) and the root that counts. Who may update the
 * session may hand it over, and bring a later root of it. */
struct cas_volume {
	uint8_t id[VOLUME_ID_SIZE];
	uint8_t root[VOLUME_REFERENCE_SIZE];
	uint32_t key_count;
	uint8_t keys[VOLUME_KEYS_MAX][CRYPTO_KEY_SIZE];
};
/* CELLA_EFENCED: a job writes to it; CELLA_EAUTH: the CAS holds a later root. */
int cas_volume_hand(struct cas *cas, const struct cas_requester *who, const char *session, const char *volume,
                    const struct cas_volume *handed, struct error *err) must_check;

/* Whoever has the lease of it, if anybody, commits nothing more, and the next one may have it at once. Who
 * may hand it over may. CELLA_ENOENT: it was not handed over. */
int cas_volume_take_over(struct cas *cas, const struct cas_requester *who, const char *session,
                         const char *volume, struct error *err) must_check;

/* What is known of it; no keys. Who may read the session may. CELLA_ENOENT: it was not handed over. */
int cas_volume_read(struct cas *cas, const struct cas_requester *who, const char *session, const char *volume,
                    uint8_t ret_id[VOLUME_ID_SIZE], struct records_volume *ret_volume,
                    struct error *err) must_check;

#endif
