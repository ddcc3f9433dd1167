#include "cell/provision.h"

#include <string.h>

#include "base/buf.h"

enum { STRING_MIN = 5 }; /* bytes of the shortest string: its size and its terminating zero */

/* Measures when data is NULL, writes otherwise. */
struct provision_writer {
	uint8_t *data;
	size_t at;
};

static void put(struct provision_writer *w, const void *bytes, size_t size)
{
	if (w->data && size)
		memcpy(w->data + w->at, bytes, size);
	w->at += size;
}

static void put_u32(struct provision_writer *w, uint32_t v)
{
	uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
	put(w, bytes, sizeof(bytes));
}

static void put_u64(struct provision_writer *w, uint64_t v)
{
	put_u32(w, (uint32_t)v);
	put_u32(w, (uint32_t)(v >> 32));
}

static void put_string(struct provision_writer *w, const char *s)
{
	size_t size = strlen(s) + 1;
	put_u32(w, (uint32_t)size);
	put(w, s, size);
}

static void put_strings(struct provision_writer *w, const char *const *strings, uint32_t count)
{
	put_u32(w, count);
	for (uint32_t i = 0; i < count; i++)
		put_string(w, strings[i]);
}

static void put_volume(struct provision_writer *w, const struct provision_volume *v)
{
	put_u32(w, v->preopen);
	put(w, v->id, sizeof(v->id));
	put(w, v->root, sizeof(v->root));
	put_u32(w, v->mode);
	put_u32(w, v->bound);
	put_u32(w, v->key_count);
	put(w, v->keys, v->key_count * sizeof(v->keys[0]));
}

static void put_provision(struct provision_writer *w, const struct provision *p)
{
	put_u32(w, PROVISION_VERSION);
	put_u32(w, p->executor);
	put_u32(w, p->role);
	put_u32(w, p->executor_count);
	put_u32(w, p->grants);
	put(w, p->session, sizeof(p->session));
	put(w, p->data_key, sizeof(p->data_key));
	put(w, p->identity, sizeof(p->identity));
	put_u32(w, p->builder_count);
	put(w, p->builders, p->builder_count * sizeof(p->builders[0]));
	put_strings(w, p->arguments, p->argument_count);
	put_strings(w, p->environment, p->environment_count);
	put_u32(w, p->preopen_count);
	for (uint32_t i = 0; i < p->preopen_count; i++) {
		put_string(w, p->preopens[i].guest);
		put_u32(w, p->preopens[i].flags);
	}
	put_u32(w, p->volume_count);
	for (uint32_t i = 0; i < p->volume_count; i++)
		put_volume(w, &p->volumes[i]);
	put_u32(w, p->file_count);
	for (uint32_t i = 0; i < p->file_count; i++) {
		put_string(w, p->files[i].path);
		put_u32(w, (uint32_t)p->files[i].size);
		put(w, p->files[i].data, p->files[i].size);
	}
	put_u64(w, p->time_ns);
	put_string(w, p->identity_path ? p->identity_path : "");
}

int provision_write(const struct provision *p, struct mem_pool *pool, uint8_t **ret_data, size_t *ret_size,
                    struct error *err)
{
	struct provision_writer w = {0};
	uint32_t most = max_of(p->argument_count, p->environment_count);
	if (most > PROVISION_STRINGS_MAX)
		return error_set(err, CELLA_ELIMIT,
		                 "%u arguments or variables; %d are allowed: pass data in files", most,
		                 PROVISION_STRINGS_MAX);
	put_provision(&w, p);
	if (w.at > PROVISION_SIZE_MAX)
		return error_set(
			err, CELLA_ELIMIT,
			"arguments, environment and injected files take %zu bytes; %d are allowed: pass data "
			"in volumes and directories",
			w.at, PROVISION_SIZE_MAX);
	w.data = mem_alloc(pool, w.at);
	if (!w.data)
		return error_set(err, CELLA_ENOMEM, "no protected memory for %zu bytes of provisioning",
		                 w.at);
	w.at = 0;
	put_provision(&w, p);
	*ret_data = w.data;
	*ret_size = w.at;
	return 0;
}

static const char *get_string(struct reader *r)
{
	size_t size;
	const uint8_t *s = reader_blob(r, &size);
	if (!s || size == 0 || s[size - 1] != 0) {
		r->failed = true;
		return "";
	}
	return (const char *)s;
}

static const char **get_strings(struct reader *r, struct mem_pool *pool, uint32_t *ret_count)
{
	uint32_t count = reader_u32(r);
	if (count > PROVISION_STRINGS_MAX || count > reader_left(r) / STRING_MIN)
		r->failed = true;
	const char **strings = r->failed ? NULL : mem_alloc(pool, (count + 1) * sizeof(*strings));
	r->failed = r->failed || !strings;
	for (uint32_t i = 0; i < count && !r->failed; i++)
		strings[i] = get_string(r);
	*ret_count = r->failed ? 0 : count;
	return strings;
}

/* Moved: nothing of it stays in the bytes that are read, which live as long as the provision. */
static void get_secret(struct reader *r, void *to, size_t size)
{
	const uint8_t *from = reader_bytes(r, size);
	if (!from)
		return;
	memcpy(to, from, size);
	mem_wipe((void *)(uintptr_t)from, size);
}

/* Is it a volume whose keys are here? */
static bool has_keys(const struct wasi_preopen *preopen)
{
	return (preopen->flags & (OWNER_PREOPEN_VOLUME | OWNER_PREOPEN_GRANTED)) == OWNER_PREOPEN_VOLUME;
}

static void get_volume(struct reader *r, const struct provision *p, struct provision_volume *v)
{
	v->preopen = reader_u32(r);
	reader_copy(r, v->id, sizeof(v->id));
	reader_copy(r, v->root, sizeof(v->root));
	v->mode = reader_u32(r);
	v->bound = reader_u32(r);
	v->key_count = reader_u32(r);
	if (v->preopen >= p->preopen_count || !has_keys(&p->preopens[v->preopen]) || v->key_count == 0 ||
	    v->key_count > VOLUME_KEYS_MAX || v->mode > VOLUME_OFFLINE) {
		r->failed = true;
		return;
	}
	get_secret(r, v->keys, v->key_count * sizeof(v->keys[0]));
}

/* Each has its keys once. */
static void get_volumes(struct reader *r, struct provision *p)
{
	uint32_t wanted = 0, count = reader_u32(r);
	for (uint32_t i = 0; i < p->preopen_count; i++)
		wanted += has_keys(&p->preopens[i]);
	if (count > PROVISION_VOLUMES_MAX || count != wanted) {
		r->failed = true;
		return;
	}
	for (; p->volume_count < count && !r->failed; p->volume_count++) {
		struct provision_volume *v = &p->volumes[p->volume_count];
		get_volume(r, p, v);
		if (p->volume_count && v->preopen <= v[-1].preopen)
			r->failed = true;
	}
}

/* What is a grant's alone. */
static void get_granted(struct reader *r, struct provision *p)
{
	uint32_t count = reader_u32(r);
	if (count > PROVISION_FILES_MAX || (count && p->role != PROVISION_GRANT))
		r->failed = true;
	for (uint32_t i = 0; i < count && !r->failed; i++) {
		struct wasi_file *file = &p->files[p->file_count++];
		file->path = get_string(r);
		file->data = reader_blob(r, &file->size);
	}
	p->time_ns = reader_u64(r);
	p->identity_path = get_string(r);
	if (p->role != PROVISION_GRANT && (p->time_ns || *p->identity_path))
		r->failed = true;
}

static void get_provision(struct reader *r, struct mem_pool *pool, struct provision *p)
{
	r->failed = reader_u32(r) != PROVISION_VERSION || r->failed;
	p->executor = reader_u32(r);
	p->role = reader_u32(r);
	p->executor_count = reader_u32(r);
	p->grants = reader_u32(r);
	reader_copy(r, p->session, sizeof(p->session));
	get_secret(r, p->data_key, sizeof(p->data_key));
	reader_copy(r, p->identity, sizeof(p->identity));
	p->builder_count = reader_u32(r);
	if (p->builder_count > PROVISION_BUILDERS_MAX) {
		r->failed = true;
		return;
	}
	reader_copy(r, p->builders, p->builder_count * sizeof(p->builders[0]));
	p->arguments = get_strings(r, pool, &p->argument_count);
	p->environment = get_strings(r, pool, &p->environment_count);
	p->preopen_count = reader_u32(r);
	if (p->preopen_count > PROVISION_PREOPENS_MAX) {
		r->failed = true;
		return;
	}
	for (uint32_t i = 0; i < p->preopen_count; i++) {
		p->preopens[i].guest = get_string(r);
		p->preopens[i].flags = reader_u32(r);
	}
	get_volumes(r, p);
	get_granted(r, p);
}

/* The provision with a copy of its bytes behind it, which its strings point into. */
int provision_read(const uint8_t *data, size_t size, struct mem_pool *pool, struct provision **ret_provision,
                   struct error *err)
{
	struct provision *p = mem_alloc(pool, sizeof(*p) + size);
	if (!p)
		return error_set(err, CELLA_ENOMEM, "no protected memory for the provisioning");
	uint8_t *copy = (uint8_t *)(p + 1);
	memcpy(copy, data, size);
	struct reader r = reader_of(copy, size);
	get_provision(&r, pool, p);
	bool role_known = p->role >= PROVISION_DRIVER && p->role <= PROVISION_GRANT;
	if (!reader_finished(&r) || !role_known || p->executor == 0 || p->executor > UINT16_MAX ||
	    p->grants > (p->role == PROVISION_GRANT ? 0 : PROVISION_GRANTS_MAX)) {
		provision_free(pool, p);
		return error_set(err, CELLA_EFORMAT, "the provisioning is malformed at byte %zu", r.at);
	}
	*ret_provision = p;
	return 0;
}

void provision_free(struct mem_pool *pool, struct provision *p)
{
	if (!p)
		return;
	mem_free(pool, (void *)p->arguments);
	mem_free(pool, (void *)p->environment);
	mem_free(pool, p);
}
