#include "cas/lookup.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"

void volume_secret_name(const char *volume, char to[RECORDS_NAME_MAX + 1])
{
	snprintf(to, RECORDS_NAME_MAX + 1, VOLUME_SECRET "%s", volume);
}

/* A secret that the records have, copied from their pool into the desk's. */
static int stored_secret(struct lookup *l, const char *name, void **ret_data, size_t *ret_size,
                         struct error *err)
{
	struct cas *cas = l->desk->cas;
	struct records_secret secret;
	int rc = records_secret_get(cas_records_lock(cas), l->session->name, name, 0, &secret, err);
	if (rc == 0) {
		*ret_data = session_arena_copy(&l->arena, secret.data, secret.size);
		*ret_size = secret.size;
		if (!*ret_data)
			rc = error_set(err, CELLA_ENOMEM, "no protected memory for a secret");
		records_secret_done(&secret);
	}
	cas_records_unlock(cas);
	return rc;
}

/* ---- from another session */

static bool is_exported(const struct session_peers *exports, const struct cas_session *to)
{
	for (size_t i = 0; i < exports->count; i++) {
		const struct session_peer *peer = &exports->items[i];
		if (strcmp(peer->session, to->name) == 0 &&
		    (!peer->hash.given || crypto_equal(peer->hash.hash, to->hash, sizeof(to->hash))))
			return true;
	}
	return false;
}

/* What is looked up in the other session, which is l->session then; `here` is the one that imports. */
typedef int import_fn(struct lookup *l, const char *name, const struct cas_session *here, void *ret,
                      struct error *err);

static int import_from(struct lookup *l, const struct cas_session *from, const struct session_import *import,
                       import_fn *fn, void *ret, struct error *err)
{
	const struct cas_session *here = l->session;
	if (import->hash.given && !crypto_equal(import->hash.hash, from->hash, sizeof(from->hash)))
		return error_set(err, CELLA_EINVAL,
		                 "the session %s has another hash than the one that %s names", from->name,
		                 here->name);
	l->session = from;
	l->imports++;
	int rc = fn(l, import->name, here, ret, err);
	l->imports--;
	l->session = here;
	return rc;
}

static int import(struct lookup *l, const struct session_import *import, import_fn *fn, void *ret,
                  struct error *err)
{
	const struct cas_session *from;
	if (l->imports == LOOKUP_IMPORTS_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "something is imported from session to session more than %d times",
		                 LOOKUP_IMPORTS_MAX);
	int rc = cas_session_get(l->desk->cas, import->session, &from, err);
	if (rc < 0)
		return error_prefix(err, rc == CELLA_ENOENT ? CELLA_EINVAL : rc,
		                    "importing from the session %s: ", import->session);
	rc = import_from(l, from, import, fn, ret, err);
	cas_session_put_back(l->desk->cas, from);
	return rc;
}

static int not_exported(const struct lookup *l, const char *what, const char *name,
                        const struct cas_session *here, struct error *err)
{
	return error_set(err, CELLA_EINVAL, "the session %s does not export the %s %s to %s",
	                 l->session->name, what, name, here->name);
}

/* ---- secrets */

static int import_secret(struct lookup *l, const char *name, const struct cas_session *here, void *ret,
                         struct error *err)
{
	const struct session_secret *there = session_secret(l->session->session, name);
	struct session_value *value = ret;
	if (!there || !is_exported(&there->exports, here))
		return not_exported(l, "secret", name, here, err);
	int rc = lookup_secret(l, name, value, err);
	if (rc < 0)
		return rc;
	/* Of a given one it lies in that session, which goes with its last user. */
	value->data = session_arena_copy(&l->arena, value->data, value->size);
	return value->data ? 0 : error_set(err, CELLA_ENOMEM, "no protected memory for a secret");
}

int lookup_secret(void *data, const char *name, struct session_value *ret_value, struct error *err)
{
	struct lookup *l = data;
	const struct session_secret *secret = session_secret(l->session->session, name);
	void *bytes = NULL;
	size_t size = 0;
	if (!secret)
		return error_set(err, CELLA_EINVAL, "the session %s has no secret %s", l->session->name,
		                 name);
	if (secret->origin == SESSION_IMPORTED)
		return import(l, &secret->import, import_secret, ret_value, err);
	if (secret->origin == SESSION_GIVEN) {
		*ret_value = (struct session_value){secret->kind, secret->value, secret->value_size};
		return 0;
	}
	int rc = stored_secret(l, name, &bytes, &size, err);
	if (rc == CELLA_ENOENT && secret->origin == SESSION_UPLOADED)
		return error_set(err, CELLA_EINVAL,
		                 "the secret %s of the session %s was not uploaded: cella session upload "
		                 "%s/%s FILE",
		                 name, l->session->name, l->session->name, name);
	if (rc == 0)
		*ret_value = (struct session_value){secret->kind, bytes, size};
	return rc;
}

/* ---- volumes */

static int read_handed(const void *bytes, size_t size, const char *name, struct lookup_volume *ret,
                       struct error *err)
{
	struct reader r = reader_of(bytes, size);
	reader_copy(&r, ret->id, sizeof(ret->id));
	ret->key_count = reader_u32(&r);
	if (ret->key_count <= VOLUME_KEYS_MAX)
		reader_copy(&r, ret->keys, ret->key_count * sizeof(ret->keys[0]));
	return reader_finished(&r)
	               ? 0
	               : error_set(err, CELLA_EFORMAT, "the keys of the volume %s are malformed", name);
}

static int take_handed(struct lookup *l, const struct session_volume *volume, struct lookup_volume *ret,
                       struct error *err)
{
	char name[RECORDS_NAME_MAX + 1];
	void *bytes = NULL;
	size_t size = 0;
	volume_secret_name(volume->name, name);
	int rc = stored_secret(l, name, &bytes, &size, err);
	if (rc == CELLA_ENOENT)
		return error_set(
			err, CELLA_EINVAL,
			"the volume %s of the session was not handed to the CAS: cella session volume "
			"%s %s DIR",
			volume->name, l->session->name, volume->name);
	return rc == 0 ? read_handed(bytes, size, volume->name, ret, err) : rc;
}

/* The key that the session names takes the place of those that were handed over. */
static int take_named_key(struct lookup *l, const struct session_volume *volume, struct lookup_volume *ret,
                          struct error *err)
{
	struct session_value key;
	int rc = lookup_secret(l, volume->key, &key, err);
	if (rc < 0)
		return rc;
	if (key.size != sizeof(ret->keys[0]))
		return error_set(err, CELLA_EINVAL, "the secret %s has %zu bytes, the key of a volume %zu",
		                 volume->key, key.size, sizeof(ret->keys[0]));
	memcpy(ret->keys[0], key.data, key.size);
	ret->key_count = 1;
	return 0;
}

static int import_volume(struct lookup *l, const char *name, const struct cas_session *here, void *ret,
                         struct error *err)
{
	const struct session_volume *there = session_volume(l->session->session, name);
	return there && is_exported(&there->exports, here) ? lookup_volume(l, there, ret, err)
	                                                   : not_exported(l, "volume", name, here, err);
}

int lookup_volume(struct lookup *l, const struct session_volume *volume, struct lookup_volume *ret_volume,
                  struct error *err)
{
	int rc;
	if (volume->origin == SESSION_IMPORTED) {
		rc = import(l, &volume->import, import_volume, ret_volume, err);
		ret_volume->writable = ret_volume->writable && volume->writable;
		return rc;
	}
	*ret_volume = (struct lookup_volume){.update = volume->update,
	                                     .bound = volume->bound,
	                                     .writable = volume->writable};
	rc = take_handed(l, volume, ret_volume, err);
	return rc == 0 && volume->origin == SESSION_GIVEN ? take_named_key(l, volume, ret_volume, err) : rc;
}

const struct session_volume *service_volume(const struct session *session,
                                            const struct session_service *service, size_t number)
{
	const struct session_image *image = service->image ? session_image(session, service->image) : NULL;
	if (image)
		return number < image->volumes.count ? session_volume(session, image->volumes.items[number])
		                                     : NULL;
	return number < session->volume_count ? &session->volumes[number] : NULL;
}
