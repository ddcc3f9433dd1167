/*
 * What the names in a session stand for: secrets, whether given, generated or imported, and the volumes that
 * were handed over. It all lies in the pool of the desk where it is looked up.
 */
#ifndef CAS_LOOKUP_H
#define CAS_LOOKUP_H

#include "cas/service.h"
#include "volume/volume.h"

enum { LOOKUP_IMPORTS_MAX = 8 }; /* from one session to the next */

struct lookup {
	struct cas_desk *desk;
	/* Whose names are meant; another one's while something is imported. */
	const struct cas_session *session;
	unsigned imports;
	struct session_arena arena; /* in the desk's pool; the caller's to free */
};

/* A session_lookup; `data` is a struct lookup. CELLA_EINVAL: there is no such secret, or it is not exported
 * to this session; the text is for the session's owner. */
int lookup_secret(void *data, const char *name, struct session_value *ret_value,
                  struct error *err) must_check;

struct lookup_volume {
	uint8_t id[VOLUME_ID_SIZE];
	uint32_t key_count;
	uint8_t keys[VOLUME_KEYS_MAX][CRYPTO_KEY_SIZE]; /* the newest first */
	/* Of the session that it comes from. */
	enum session_update update;
	uint64_t bound;
	bool writable; /* as both say */
};
/* CELLA_EINVAL: it was not handed over, is not exported to this session, or its key is none. */
int lookup_volume(struct lookup *l, const struct session_volume *volume, struct lookup_volume *ret_volume,
                  struct error *err) must_check;

/* The volumes of a service are those of its image; without an image, all of the session. NULL behind the
 * last. */
const struct session_volume *service_volume(const struct session *session,
                                            const struct session_service *service, size_t number);

/* The keys of a volume that was handed to the CAS are a secret of its session: 16 bytes id, u32 count, count
 * keys of 32 bytes, the newest first. */
enum { VOLUME_HANDED_MAX = VOLUME_ID_SIZE + 4 + VOLUME_KEYS_MAX * CRYPTO_KEY_SIZE };
#define VOLUME_SECRET "volume/" /* which its name begins with, as that of no other secret does */
/* The name of that secret, RECORDS_NAME_MAX + 1 bytes. */
void volume_secret_name(const char *volume, char to[RECORDS_NAME_MAX + 1]);

#endif
