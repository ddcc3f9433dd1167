#include "cas/guards.h"

#include <string.h>

#include "base/buf.h"
#include "cas/lookup.h"

/* ---- volumes */

struct holders {
	struct records *r;
	const char *session;
	const struct cas_volume *handed;
	const char *last_session, *last_name; /* looked at */
	size_t count; /* other sessions that have handed over this volume */
	bool shares;  /* one of them has a key of it that was handed over now */
};

static bool has_key(const struct cas_volume *v, const uint8_t key[CRYPTO_KEY_SIZE])
{
	bool has = false;
	for (uint32_t i = 0; i < v->key_count; i++)
		has |= crypto_equal(v->keys[i], key, CRYPTO_KEY_SIZE);
	return has;
}

static void compare(struct holders *h, const struct records_secret *kept)
{
	struct reader in = reader_of(kept->data, kept->size);
	uint8_t id[VOLUME_ID_SIZE], key[CRYPTO_KEY_SIZE];
	reader_copy(&in, id, sizeof(id));
	uint32_t count = reader_u32(&in);
	if (in.failed || !crypto_equal(id, h->handed->id, sizeof(id)))
		return;
	h->count++;
	for (uint32_t i = 0; i < count && !in.failed; i++) {
		reader_copy(&in, key, sizeof(key));
		h->shares = h->shares || (!in.failed && has_key(h->handed, key));
	}
	mem_wipe(key, sizeof(key));
}

/* id: session, NUL, name, NUL, version. */
static int look_at_secret(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	struct holders *h = arg;
	struct records_secret kept;
	const char *session = id, *name = session + strlen(session) + 1;
	(void)id_size;
	(void)revision;
	if (strncmp(name, VOLUME_SECRET, strlen(VOLUME_SECRET)) != 0 || strcmp(session, h->session) == 0)
		return 0;
	if (h->last_name && strcmp(session, h->last_session) == 0 && strcmp(name, h->last_name) == 0)
		return 0; /* another version */
	h->last_session = session;
	h->last_name = name;
	int rc = records_secret_get(h->r, session, name, 0, &kept, err);
	if (rc < 0)
		return rc;
	compare(h, &kept);
	records_secret_done(&kept);
	return 0;
}

int guard_volume(struct records *r, const char *session, const struct cas_volume *handed, struct error *err)
{
	struct holders h = {.r = r, .session = session, .handed = handed};
	int rc = records_list(r, RECORDS_SECRET, "", 0, look_at_secret, &h, err);
	if (rc == 0 && h.count && !h.shares)
		return error_set(
			err, CELLA_EPERM,
			"the volume was handed over to another session, with other keys: who shares it "
			"has one of them, or imports it from there");
	return rc;
}

/* ---- owners */

struct others {
	struct records *r;
	const uint8_t *key;
	size_t count;
};

static int count_other(void *arg, const void *id, size_t id_size, uint64_t revision, struct error *err)
{
	struct others *o = arg;
	(void)revision;
	(void)err;
	if (!crypto_equal(id, o->key, RECORDS_KEY_SIZE) &&
	    !records_is_revoked(o->r, RECORDS_REVOKED_OWNER, id, id_size))
		o->count++;
	return 0;
}

int guard_last_owner(struct records *r, const uint8_t key[RECORDS_KEY_SIZE], struct error *err)
{
	struct others o = {r, key, 0};
	int rc = records_list(r, RECORDS_OWNER, "", 0, count_other, &o, err);
	return rc == 0 && o.count == 0
	               ? error_set(
				 err, CELLA_EINVAL,
				 "without this key nobody could change anything at this CAS any more: let in "
				 "another owner before")
	               : rc;
}
