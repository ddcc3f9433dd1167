#include "cas/grant_make.h"

#include <stdio.h>
#include <string.h>

#include "attest/lease.h"
#include "base/cleanup.h"
#include "cas/keeper.h"
#include "cas/lookup.h"
#include "cell/identity_question.h"
#include "cell/provision.h"

struct maker {
	struct lookup lookup;
	const struct cas_attestation *for_whom;
	const struct session_service *service;
	struct provision *grant;
};

static int no_memory(struct error *err)
{
	return error_set(err, CELLA_ENOMEM, "no protected memory for a grant");
}

/* ---- strings and files */

/* A text of the session with its secrets, in the lookup's arena, with a zero byte behind it. */
static int expand(struct maker *m, const char *prefix, const char *text, enum session_place place,
                  const char **ret_bytes, size_t *ret_size, struct error *err)
{
	cleanup_session_text struct session_text expanded = {.pool = m->lookup.desk->pool};
	session_text_put(&expanded, prefix, strlen(prefix));
	int rc = session_expand(text, place, lookup_secret, &m->lookup, &expanded, err);
	if (rc < 0)
		return rc;
	*ret_size = expanded.size;
	*ret_bytes = expanded.failed ? NULL
	                             : session_arena_copy(&m->lookup.arena, expanded.data, expanded.size);
	return *ret_bytes ? 0 : no_memory(err);
}

static int put_argument(struct maker *m, const char *text, struct error *err)
{
	size_t size;
	return expand(m, "", text, SESSION_IN_STRING, &m->grant->arguments[m->grant->argument_count++], &size,
	              err);
}

static int put_variable(struct maker *m, const char *name, const char *value, struct error *err)
{
	char prefix[SESSION_VARIABLE_MAX + 2];
	size_t size;
	snprintf(prefix, sizeof(prefix), "%s=", name);
	return expand(m, prefix, value, SESSION_IN_STRING,
	              &m->grant->environment[m->grant->environment_count++], &size, err);
}

static int put_strings(struct maker *m, struct error *err)
{
	struct provision *g = m->grant;
	const struct session_service *service = m->service;
	struct session_arena *arena = &m->lookup.arena;
	g->arguments = session_arena_take(arena, (service->command.count + 1) * sizeof(char *));
	g->environment = session_arena_take(arena, (service->environment_count + 2) * sizeof(char *));
	int rc = g->arguments && g->environment ? 0 : no_memory(err);
	for (size_t i = 0; rc == 0 && i < service->command.count; i++)
		rc = put_argument(m, service->command.items[i], err);
	for (size_t i = 0; rc == 0 && i < service->environment_count; i++)
		rc = put_variable(m, service->environment[i].name, service->environment[i].value, err);
	return rc == 0 && service->pwd ? put_variable(m, "PWD", service->pwd, err) : rc;
}

static int put_files(struct maker *m, struct error *err)
{
	static_assert((int)SESSION_FILES_MAX <= (int)PROVISION_FILES_MAX,
	              "a grant has room for an image's files");
	const struct session *s = m->lookup.session->session;
	const struct session_image *image = m->service->image ? session_image(s, m->service->image) : NULL;
	int rc = 0;
	for (size_t i = 0; rc == 0 && image && i < image->file_count; i++) {
		struct wasi_file *file = &m->grant->files[m->grant->file_count++];
		const char *bytes = NULL;
		file->path = image->files[i].path;
		rc = expand(m, "", image->files[i].content, SESSION_IN_FILE, &bytes, &file->size, err);
		file->data = bytes;
	}
	return rc;
}

/* ---- volumes */

static enum volume_mode mode_of(enum session_update update)
{
	return update == SESSION_STRICT    ? VOLUME_STRICT
	       : update == SESSION_BOUNDED ? VOLUME_BOUNDED
	                                   : VOLUME_OFFLINE;
}

static int put_volume(struct maker *m, const struct session_volume *volume, struct error *err)
{
	struct cas *cas = m->lookup.desk->cas;
	struct provision *g = m->grant;
	struct provision_volume *to = &g->volumes[g->volume_count];
	struct lookup_volume found = {0};
	struct records_volume kept = {0};
	if (g->volume_count == PROVISION_VOLUMES_MAX)
		return error_set(err, CELLA_EINVAL, "a service has %d volumes at most",
		                 PROVISION_VOLUMES_MAX);
	int rc = lookup_volume(&m->lookup, volume, &found, err);
	if (rc == 0) {
		rc = records_volume_get(cas_records_lock(cas), found.id, &kept, err);
		cas_records_unlock(cas);
	}
	if (rc == 0 && bytes_are_zero(kept.root, sizeof(kept.root)))
		rc = error_set(err, CELLA_EINVAL, "the CAS knows no root of the volume %s", volume->name);
	if (rc < 0)
		return rc;
	to->preopen = g->preopen_count;
	to->mode = mode_of(found.update);
	to->bound = (uint32_t)found.bound;
	to->key_count = found.key_count;
	memcpy(to->id, found.id, sizeof(to->id));
	memcpy(to->root, kept.root, sizeof(to->root));
	memcpy(to->keys, found.keys, sizeof(to->keys));
	g->volume_count++;
	g->preopens[g->preopen_count++] = (struct wasi_preopen){
		.guest = volume->path,
		.flags = OWNER_PREOPEN_VOLUME | (found.writable ? 0 : OWNER_PREOPEN_READ_ONLY),
	};
	return 0;
}

static int put_volumes(struct maker *m, struct error *err)
{
	const struct session_volume *volume;
	int rc = 0;
	for (size_t i = 0; rc == 0 && (volume = service_volume(m->lookup.session->session, m->service, i));
	     i++)
		rc = put_volume(m, volume, err);
	return rc;
}

/* ---- all of it */

static int fill(struct maker *m, const struct evidence *evidence, struct error *err)
{
	struct provision *g = m->grant;
	*g = (struct provision){.executor = 1,
	                        .role = PROVISION_GRANT,
	                        .builder_count = 1,
	                        .time_ns = cas_now_ns(m->lookup.desk->cas),
	                        .identity_path = m->service->identity};
	memcpy(g->identity, evidence->cell, sizeof(g->identity));
	memcpy(g->builders[0], evidence->builder, sizeof(g->builders[0]));
	int rc = crypto_random(g->session, sizeof(g->session), err);
	if (rc == 0)
		rc = cas_grant_key(m->lookup.desk->cas, m->for_whom, g->data_key, err);
	if (rc == 0)
		rc = put_strings(m, err);
	if (rc == 0)
		rc = put_files(m, err);
	return rc == 0 ? put_volumes(m, err) : rc;
}

/* What is of another kind or size than a text takes is the session's mistake, whichever function finds it. */
static int sessions_mistake(int rc, struct error *err)
{
	if (rc == CELLA_ENOMEM)
		return error_set(
			err, CELLA_EINVAL,
			"what the service gets does not fit into the %d MiB in which a grant is made",
			CAS_DESK_MEMORY >> 20);
	if (rc != CELLA_EFORMAT && rc != CELLA_ELIMIT)
		return rc;
	if (err)
		err->code = CELLA_EINVAL;
	return CELLA_EINVAL;
}

static int seal(struct maker *m, const uint8_t public_key[CRYPTO_X25519_SIZE], struct buf *ret_sealed,
                struct error *err)
{
	struct mem_pool *pool = m->lookup.desk->pool;
	uint8_t *plain;
	size_t size;
	int rc = provision_write(m->grant, pool, &plain, &size, err);
	if (rc < 0)
		return sessions_mistake(rc, err);
	uint8_t *to = buf_reserve(ret_sealed, size + CRYPTO_HPKE_OVERHEAD);
	rc = to ? crypto_hpke_seal(public_key, PROVISION_GRANT_INFO, strlen(PROVISION_GRANT_INFO), NULL, 0,
	                           plain, size, to, err)
	        : error_set(err, CELLA_ENOMEM, "no memory for a grant");
	mem_free(pool, plain);
	return rc == CELLA_EAUTH ? error_prefix(err, CELLA_EINVAL, "the executor's key: ") : rc;
}

int grant_make(struct cas_desk *desk, const struct cas_session *session,
               const struct session_service *service, const struct cas_attestation *for_whom,
               const struct evidence *evidence, struct buf *ret_sealed, struct error *err)
{
	struct maker m = {.lookup = {.desk = desk, .session = session, .arena = {.pool = desk->pool}},
	                  .for_whom = for_whom,
	                  .service = service};
	m.grant = session_arena_take(&m.lookup.arena, sizeof(*m.grant));
	int rc = m.grant ? sessions_mistake(fill(&m, evidence, err), err) : no_memory(err);
	if (rc == 0)
		rc = seal(&m, evidence->public_key, ret_sealed, err);
	session_arena_done(&m.lookup.arena);
	return rc;
}

/* ---- for a node to keep */

/* Nobody certifies it then. Its files are there all the same, and empty: else whoever carries the job could
 * put an identity of his own in their place. */
static int leave_identity_out(struct maker *m, struct error *err)
{
	static_assert((int)SESSION_FILES_MAX + (int)IDENTITY_FILES <= (int)PROVISION_FILES_MAX,
	              "a grant has room for those of an identity, too");
	struct provision *g = m->grant;
	for (size_t i = 0; g->identity_path && i < IDENTITY_FILES; i++) {
		const size_t size = strlen(g->identity_path) + 1 + strlen(identity_file_names[i]) + 1;
		char *path = session_arena_take(&m->lookup.arena, size);
		if (!path)
			return no_memory(err);
		snprintf(path, size, "%s/%s", g->identity_path, identity_file_names[i]);
		g->files[g->file_count++] = (struct wasi_file){.path = path, .data = ""};
	}
	g->identity_path = NULL;
	return 0;
}

static int make_keepable(struct maker *m, struct error *err)
{
	struct provision *g = m->grant;
	for (uint32_t i = 0; i < g->volume_count; i++)
		g->preopens[g->volumes[i].preopen].flags |= OWNER_PREOPEN_READ_ONLY;
	int rc = leave_identity_out(m, err);
	return rc == 0 ? crypto_random(g->data_key, sizeof(g->data_key), err) : rc;
}

/* The head and the grant, one behind the other, under HPKE. */
static int seal_lease(struct maker *m, const struct evidence *evidence, const struct lease_keep *keep,
                      struct buf *ret_sealed, struct error *err)
{
	struct mem_pool *pool = m->lookup.desk->pool;
	struct lease lease;
	uint8_t *grant;
	lease_fill(&lease, evidence, keep, m->service->offline_s);
	int rc = provision_write(m->grant, pool, &grant, &lease.grant_size, err);
	if (rc < 0)
		return sessions_mistake(rc, err);
	const size_t size = LEASE_HEAD_SIZE + lease.grant_size;
	uint8_t *plain = mem_alloc(pool, size), *to = buf_reserve(ret_sealed, size + CRYPTO_HPKE_OVERHEAD);
	rc = plain && to ? lease_write_head(&lease, plain, err) : no_memory(err);
	if (rc == 0) {
		memcpy(plain + LEASE_HEAD_SIZE, grant, lease.grant_size);
		rc = crypto_hpke_seal(keep->public_key, LEASE_INFO, strlen(LEASE_INFO), NULL, 0, plain, size,
		                      to, err);
	}
	mem_free(pool, plain);
	mem_free(pool, grant);
	return rc == CELLA_EAUTH ? error_prefix(err, CELLA_EINVAL, "the launcher's keep key: ") : rc;
}

int grant_make_lease(struct cas_desk *desk, const struct cas_session *session,
                     const struct session_service *service, const struct cas_attestation *for_whom,
                     const struct evidence *evidence, const struct lease_keep *keep, struct buf *ret_sealed,
                     struct error *err)
{
	struct maker m = {.lookup = {.desk = desk, .session = session, .arena = {.pool = desk->pool}},
	                  .for_whom = for_whom,
	                  .service = service};
	m.grant = session_arena_take(&m.lookup.arena, sizeof(*m.grant));
	int rc = m.grant ? sessions_mistake(fill(&m, evidence, err), err) : no_memory(err);
	if (rc == 0)
		rc = make_keepable(&m, err);
	if (rc == 0)
		rc = seal_lease(&m, evidence, keep, ret_sealed, err);
	session_arena_done(&m.lookup.arena);
	return rc;
}
