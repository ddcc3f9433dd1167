#include "cas/grant_make.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cell/provision.h"

enum { IMPORTS_MAX = 8 }; /* from one session to the next */

struct maker {
	struct cas_desk *desk;
	const struct cas_session
		*session; /* whose secrets are meant; another one's while they are imported */
	unsigned imports;
	struct session_arena arena; /* in the desk's pool */
	struct provision *grant;
};

void volume_secret_name(const char *volume, char to[RECORDS_NAME_MAX + 1])
{
	snprintf(to, RECORDS_NAME_MAX + 1, "volume/%s", volume);
}

static int no_memory(struct error *err)
{
	return error_set(err, CELLA_ENOMEM, "no protected memory for a grant");
}

/* A secret that the records have, copied from their pool into the desk's. */
static int stored_secret(struct maker *m, const char *name, void **ret_data, size_t *ret_size,
                         struct error *err)
{
	struct cas *cas = m->desk->cas;
	struct records_secret secret;
	int rc = records_secret_get(cas_records_lock(cas), m->session->name, name, 0, &secret, err);
	if (rc == 0) {
		*ret_data = session_arena_copy(&m->arena, secret.data, secret.size);
		*ret_size = secret.size;
		if (!*ret_data)
			rc = no_memory(err);
		records_secret_done(&secret);
	}
	cas_records_unlock(cas);
	return rc;
}

static bool is_exported(const struct session_secret *secret, const struct cas_session *to)
{
	for (size_t i = 0; i < secret->exports.count; i++) {
		const struct session_peer *peer = &secret->exports.items[i];
		if (strcmp(peer->session, to->name) == 0 &&
		    (!peer->hash.given || crypto_equal(peer->hash.hash, to->hash, sizeof(to->hash))))
			return true;
	}
	return false;
}

static int look_up(void *data, const char *name, struct session_value *ret_value, struct error *err);

static int look_up_there(struct maker *m, const struct cas_session *from, const struct session_import *import,
                         struct session_value *ret_value, struct error *err)
{
	const struct cas_session *here = m->session;
	const struct session_secret *there = session_secret(from->session, import->name);
	if (import->hash.given && !crypto_equal(import->hash.hash, from->hash, sizeof(from->hash)))
		return error_set(err, CELLA_EINVAL,
		                 "the session %s has another hash than the one that %s names", from->name,
		                 here->name);
	if (!there || !is_exported(there, here))
		return error_set(err, CELLA_EINVAL, "the session %s does not export the secret %s to %s",
		                 from->name, import->name, here->name);
	m->session = from;
	m->imports++;
	int rc = look_up(m, import->name, ret_value, err);
	m->imports--;
	m->session = here;
	return rc;
}

static int import_secret(struct maker *m, const struct session_import *import,
                         struct session_value *ret_value, struct error *err)
{
	const struct cas_session *from;
	if (m->imports == IMPORTS_MAX)
		return error_set(err, CELLA_EINVAL,
		                 "a secret is imported from session to session more than %d "
		                 "times",
		                 IMPORTS_MAX);
	int rc = cas_session_get(m->desk->cas, import->session, &from, err);
	if (rc < 0)
		return error_prefix(err, CELLA_EINVAL, "importing from the session %s: ", import->session);
	rc = look_up_there(m, from, import, ret_value, err);
	cas_session_put_back(m->desk->cas, from);
	return rc;
}

static int look_up(void *data, const char *name, struct session_value *ret_value, struct error *err)
{
	struct maker *m = data;
	const struct session_secret *secret = session_secret(m->session->session, name);
	void *bytes = NULL;
	size_t size = 0;
	if (!secret)
		return error_set(err, CELLA_EINVAL, "the session %s has no secret %s", m->session->name,
		                 name);
	if (secret->origin == SESSION_IMPORTED)
		return import_secret(m, &secret->import, ret_value, err);
	if (secret->origin == SESSION_GIVEN) {
		*ret_value = (struct session_value){secret->kind, secret->value, secret->value_size};
		return 0;
	}
	int rc = stored_secret(m, name, &bytes, &size, err);
	if (rc == 0)
		*ret_value = (struct session_value){secret->kind, bytes, size};
	return rc;
}

/* ---- strings */

/* `name`: of a variable, NULL for an argument. */
static int put_string(struct maker *m, const char *name, const char *text, const char **ret_string,
                      struct error *err)
{
	cleanup_session_text struct session_text expanded = {.pool = m->desk->pool};
	if (name) {
		session_text_put(&expanded, name, strlen(name));
		session_text_put(&expanded, "=", 1);
	}
	int rc = session_expand(text, SESSION_IN_STRING, look_up, m, &expanded, err);
	if (rc < 0)
		return rc;
	*ret_string = expanded.failed ? NULL : session_arena_copy(&m->arena, expanded.data, expanded.size);
	return *ret_string ? 0 : no_memory(err);
}

static int put_strings(struct maker *m, const struct session_service *service, struct error *err)
{
	struct provision *g = m->grant;
	const struct session_variable *v = service->environment;
	g->arguments = session_arena_take(&m->arena, (service->command.count + 1) * sizeof(char *));
	g->environment = session_arena_take(&m->arena, (service->environment_count + 2) * sizeof(char *));
	if (!g->arguments || !g->environment)
		return no_memory(err);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < service->command.count; i++)
		rc = put_string(m, NULL, service->command.items[i], &g->arguments[g->argument_count++], err);
	for (size_t i = 0; rc == 0 && i < service->environment_count; i++)
		rc = put_string(m, v[i].name, v[i].value, &g->environment[g->environment_count++], err);
	if (rc == 0 && service->pwd)
		rc = put_string(m, "PWD", service->pwd, &g->environment[g->environment_count++], err);
	return rc;
}

/* ---- volumes */

static int take_keys(struct maker *m, const struct session_volume *volume, struct provision_volume *to,
                     struct error *err)
{
	char name[RECORDS_NAME_MAX + 1];
	void *bytes = NULL;
	size_t size = 0;
	volume_secret_name(volume->name, name);
	int rc = stored_secret(m, name, &bytes, &size, err);
	if (rc == CELLA_ENOENT)
		return error_set(
			err, CELLA_EINVAL,
			"the volume %s of the session was not handed to the CAS: cella session volume "
			"%s %s DIR",
			volume->name, m->session->name, volume->name);
	if (rc < 0)
		return rc;
	struct reader r = reader_of(bytes, size);
	reader_copy(&r, to->id, sizeof(to->id));
	to->key_count = reader_u32(&r);
	if (to->key_count > VOLUME_KEYS_MAX)
		return error_set(err, CELLA_EFORMAT, "the keys of the volume %s are malformed", volume->name);
	reader_copy(&r, to->keys, to->key_count * sizeof(to->keys[0]));
	if (!reader_finished(&r))
		return error_set(err, CELLA_EFORMAT, "the keys of the volume %s are malformed", volume->name);
	return 0;
}

/* The key that the session names goes before those that were handed over. */
static int take_named_key(struct maker *m, const struct session_volume *volume, struct provision_volume *to,
                          struct error *err)
{
	struct session_value key;
	int rc = look_up(m, volume->key, &key, err);
	if (rc < 0)
		return rc;
	if (key.size != sizeof(to->keys[0]))
		return error_set(err, CELLA_EINVAL, "the secret %s has %zu bytes, the key of a volume %zu",
		                 volume->key, key.size, sizeof(to->keys[0]));
	memcpy(to->keys[0], key.data, key.size);
	to->key_count = 1;
	return 0;
}

static int put_volume(struct maker *m, const struct session_volume *volume, struct error *err)
{
	struct cas *cas = m->desk->cas;
	struct provision *g = m->grant;
	struct provision_volume *to = &g->volumes[g->volume_count];
	struct records_volume kept;
	if (g->volume_count == PROVISION_VOLUMES_MAX)
		return error_set(err, CELLA_EINVAL, "a service has %d volumes at most",
		                 PROVISION_VOLUMES_MAX);
	int rc = take_keys(m, volume, to, err);
	if (rc == 0 && volume->origin == SESSION_GIVEN)
		rc = take_named_key(m, volume, to, err);
	if (rc < 0)
		return rc;
	rc = records_volume_get(cas_records_lock(cas), to->id, &kept, err);
	cas_records_unlock(cas);
	if (rc == 0 && bytes_are_zero(kept.root, sizeof(kept.root)))
		rc = error_set(err, CELLA_EINVAL, "the CAS knows no root of the volume %s", volume->name);
	if (rc < 0)
		return rc;
	memcpy(to->root, kept.root, sizeof(to->root));
	to->preopen = g->preopen_count;
	g->volume_count++;
	g->preopens[g->preopen_count++] = (struct wasi_preopen){
		.guest = volume->path,
		.flags = OWNER_PREOPEN_VOLUME | (volume->writable ? 0 : OWNER_PREOPEN_READ_ONLY),
	};
	return 0;
}

/* Those of the service's image; without an image, all of the session. */
static int put_volumes(struct maker *m, const struct session_service *service, struct error *err)
{
	const struct session *s = m->session->session;
	const struct session_image *image = service->image ? session_image(s, service->image) : NULL;
	int rc = 0;
	if (image && image->file_count)
		return error_set(
			err, CELLA_EINVAL,
			"the image %s has files to inject, which this version cannot give to a cell: "
			"use variables, arguments or a volume",
			image->name);
	for (size_t i = 0; rc == 0 && i < (image ? image->volumes.count : s->volume_count); i++)
		rc = put_volume(m, image ? session_volume(s, image->volumes.items[i]) : &s->volumes[i], err);
	return rc;
}

/* ---- all of it */

static int fill(struct maker *m, const struct session_service *service, const struct evidence *evidence,
                struct error *err)
{
	struct provision *g = m->grant;
	*g = (struct provision){.executor = 1, .role = PROVISION_GRANT, .builder_count = 1};
	memcpy(g->identity, evidence->cell, sizeof(g->identity));
	memcpy(g->builders[0], evidence->builder, sizeof(g->builders[0]));
	int rc = crypto_random(g->session, sizeof(g->session), err);
	if (rc == 0)
		rc = crypto_random(g->data_key, sizeof(g->data_key), err);
	if (rc == 0)
		rc = put_strings(m, service, err);
	return rc == 0 ? put_volumes(m, service, err) : rc;
}

static int seal(struct maker *m, const uint8_t public_key[CRYPTO_X25519_SIZE], struct buf *ret_sealed,
                struct error *err)
{
	uint8_t *plain;
	size_t size;
	int rc = provision_write(m->grant, m->desk->pool, &plain, &size, err);
	if (rc < 0)
		return rc;
	uint8_t *to = buf_reserve(ret_sealed, size + CRYPTO_HPKE_OVERHEAD);
	rc = to ? crypto_hpke_seal(public_key, PROVISION_GRANT_INFO, strlen(PROVISION_GRANT_INFO), NULL, 0,
	                           plain, size, to, err)
	        : error_set(err, CELLA_ENOMEM, "no memory for a grant");
	mem_free(m->desk->pool, plain);
	return rc;
}

int grant_make(struct cas_desk *desk, const struct cas_session *session,
               const struct session_service *service, const struct evidence *evidence, struct buf *ret_sealed,
               struct error *err)
{
	struct maker m = {.desk = desk, .session = session, .arena = {.pool = desk->pool}};
	m.grant = session_arena_take(&m.arena, sizeof(*m.grant));
	int rc = m.grant ? fill(&m, service, evidence, err) : no_memory(err);
	if (rc == 0)
		rc = seal(&m, evidence->public_key, ret_sealed, err);
	session_arena_done(&m.arena);
	return rc;
}
