/* The public interface to volumes: include/cella/volume.h. */
#include "cella/volume.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/volume_place.h"

enum { FILE_MODE = 0644, DIRECTORY_MODE = 0755 };

struct cella_volume {
	struct mem_pool *pool;
	struct volume_place *place;
	struct volume *v;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int crypto_rc;

static void start_crypto(void)
{
	crypto_rc = crypto_init(NULL, NULL);
}

/* The public error is filled from the inner one. */
static int give(int rc, const struct error *why, struct cella_volume_error *error)
{
	if (rc < 0 && error) {
		error->code = rc;
		memcpy(error->text, why->text, min_of(sizeof(error->text), sizeof(why->text)));
	}
	return rc;
}

static int begin(const char *path, const struct cella_volume_options *o,
                 struct volume_place_config *ret_config, struct error *err)
{
	enum mem_level level = o->insecure_memory ? MEM_INSECURE_NONE : MEM_SECRET;
	size_t cache;
	pthread_once(&once, start_crypto);
	if (crypto_rc < 0)
		return error_set(err, crypto_rc, "OpenSSL could not be started");
	int rc = volume_place_cache(level, &cache, err);
	struct mem_pool *pool;
	if (rc == 0)
		rc = mem_pool_new(level, VOLUME_PLACE_POOL, &pool, err);
	if (rc < 0)
		return rc;
	*ret_config = (struct volume_place_config){.path = path,
	                                           .key = o->key_file,
	                                           .root = o->root_file,
	                                           .pool = pool,
	                                           .cache = cache,
	                                           .any_copy = o->any_copy,
	                                           .take_over = o->take_over};
	return 0;
}

static const struct cella_volume_options defaults;

int cella_volume_create(const char *path, const struct cella_volume_options *options,
                        struct cella_volume_error *error)
{
	struct volume_place_config config;
	struct error err = {0};
	int rc = begin(path, options ? options : &defaults, &config, &err);
	if (rc == 0) {
		rc = volume_place_create(&config, &err);
		mem_pool_free(config.pool);
	}
	return give(rc, &err, error);
}

int cella_volume_open(const char *path, const struct cella_volume_options *options,
                      struct cella_volume **ret_volume, struct cella_volume_error *error)
{
	const struct cella_volume_options *o = options ? options : &defaults;
	struct volume_place_config config;
	struct error err = {0};
	struct cella_volume *volume = calloc(1, sizeof(*volume));
	if (!volume)
		return give(error_set(&err, CELLA_ENOMEM, "no memory for a volume"), &err, error);
	int rc = begin(path, o, &config, &err);
	if (rc == 0) {
		volume->pool = config.pool;
		rc = volume_place_open(&config, o->writable, &volume->place, &err);
	}
	if (rc < 0) {
		cella_volume_close(volume);
		return give(rc, &err, error);
	}
	volume->v = volume_place_volume(volume->place);
	*ret_volume = volume;
	return 0;
}

void cella_volume_close(struct cella_volume *volume)
{
	if (!volume)
		return;
	volume_place_free(volume->place);
	mem_pool_free(volume->pool);
	free(volume);
}

int cella_volume_commit(struct cella_volume *volume, struct cella_volume_error *error)
{
	struct error err = {0};
	return give(volume_commit(volume->v, &err), &err, error);
}

int cella_volume_read(struct cella_volume *volume, const char *path, uint64_t offset, void *to, size_t size,
                      size_t *ret_size, struct cella_volume_error *error)
{
	struct error err = {0};
	struct volume_file *f;
	int rc = volume_file_open(volume->v, path, 0, 0, &f, &err);
	if (rc == 0) {
		rc = volume_file_read(f, offset, to, size, ret_size, &err);
		volume_file_close(f);
	}
	return give(rc, &err, error);
}

int cella_volume_write(struct cella_volume *volume, const char *path, uint64_t offset, const void *from,
                       size_t size, struct cella_volume_error *error)
{
	struct error err = {0};
	struct volume_file *f;
	int rc = volume_file_open(volume->v, path, VOLUME_WRITE | VOLUME_CREATE, FILE_MODE, &f, &err);
	if (rc == 0) {
		rc = volume_file_write(f, offset, from, size, &err);
		volume_file_close(f);
	}
	return give(rc, &err, error);
}

int cella_volume_truncate(struct cella_volume *volume, const char *path, uint64_t size,
                          struct cella_volume_error *error)
{
	struct error err = {0};
	struct volume_file *f;
	int rc = volume_file_open(volume->v, path, VOLUME_WRITE, 0, &f, &err);
	if (rc == 0) {
		rc = volume_file_truncate(f, size, &err);
		volume_file_close(f);
	}
	return give(rc, &err, error);
}

int cella_volume_mkdir(struct cella_volume *volume, const char *path, struct cella_volume_error *error)
{
	struct error err = {0};
	return give(volume_mkdir(volume->v, path, DIRECTORY_MODE, &err), &err, error);
}

int cella_volume_rename(struct cella_volume *volume, const char *from, const char *to,
                        struct cella_volume_error *error)
{
	struct error err = {0};
	return give(volume_rename(volume->v, from, to, &err), &err, error);
}

int cella_volume_remove(struct cella_volume *volume, const char *path, struct cella_volume_error *error)
{
	struct error err = {0};
	int rc = volume_unlink(volume->v, path, &err);
	if (rc == CELLA_EISDIR)
		rc = volume_rmdir(volume->v, path, &err);
	return give(rc, &err, error);
}

int cella_volume_stat(struct cella_volume *volume, const char *path, struct cella_volume_stat *ret_stat,
                      struct cella_volume_error *error)
{
	struct error err = {0};
	struct volume_stat st;
	int rc = volume_stat(volume->v, path, VOLUME_NOFOLLOW, &st, &err);
	if (rc == 0)
		*ret_stat = (struct cella_volume_stat){.type = (enum cella_volume_type)st.type,
		                                       .mode = st.mode,
		                                       .size = st.size,
		                                       .modified_ns = st.modified_ns};
	return give(rc, &err, error);
}

int cella_volume_next(struct cella_volume *volume, const char *path, const char *after, char ret_name[256],
                      struct cella_volume_error *error)
{
	struct error err = {0};
	struct volume_entry entry;
	int rc = volume_next(volume->v, path, after, &entry, &err);
	if (rc == 0)
		memcpy(ret_name, entry.name, sizeof(entry.name));
	return give(rc, &err, error);
}
