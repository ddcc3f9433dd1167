/* Life of a volume: made, opened, snapshots, freed. */
#include "volume/volume.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "volume/volume_state.h"

enum { NODE_CACHE_PART = 4, NODE_CACHE_LEAST = 64, HEADER_MAC_AT = 32 };

void *volume_alloc(struct volume *v, size_t size)
{
	return mem_alloc(v->pool, size);
}

int volume_may_write(struct volume *v, struct error *err)
{
	if (!v->config.writable)
		return error_set(err, CELLA_EROFS, "the volume was opened for reading");
	if (v->failure.code) {
		if (err)
			*err = v->failure;
		return v->failure.code;
	}
	return tree_limit(v, err);
}

int volume_break(struct volume *v, int rc, const struct error *err)
{
	if (rc == 0 || v->failure.code)
		return rc;
	error_set(&v->failure, rc, "the volume can only be opened again, at its last commit: %s",
	          err ? err->text : cella_error_name(rc));
	return rc;
}

/* ---- keys and the file "volume" */

static int take_keys(struct volume *v, struct error *err)
{
	const struct volume_config *c = &v->config;
	if (c->key_count == 0 || c->key_count > VOLUME_KEYS_MAX)
		return error_set(err, CELLA_EINVAL, "a volume has 1 to %d keys", VOLUME_KEYS_MAX);
	for (size_t i = 0; i < c->key_count; i++) {
		uint8_t id[CRYPTO_KEY_SIZE];
		struct segment_key *key = &v->keys[i];
		memcpy(v->key_bytes[i], c->keys[i], CRYPTO_KEY_SIZE);
		v->key_count++;
		int rc = crypto_deriver_new(v->key_bytes[i], &key->deriver, err);
		if (rc == 0)
			rc = crypto_derive(key->deriver, VOLUME_LABEL_KEY_ID, strlen(VOLUME_LABEL_KEY_ID), id,
			                   err);
		if (rc < 0)
			return rc;
		memcpy(key->id, id, sizeof(key->id));
	}
	v->config.keys = (const uint8_t(*)[CRYPTO_KEY_SIZE])v->key_bytes;
	return 0;
}

/* The file "volume" under a key: magic, version, id, zeros, and a MAC of these. */
static int header_make(struct volume *v, unsigned key, uint8_t ret_header[VOLUME_HEADER_SIZE],
                       struct error *err)
{
	enum { LABEL_SIZE = sizeof(VOLUME_LABEL_HEADER) - 1 };
	uint8_t info[LABEL_SIZE + HEADER_MAC_AT] = VOLUME_LABEL_HEADER;
	const uint32_t words[] = {VOLUME_MAGIC, VOLUME_VERSION};
	memset(ret_header, 0, VOLUME_HEADER_SIZE);
	memcpy(ret_header, words, sizeof(words));
	memcpy(ret_header + sizeof(words), v->id, VOLUME_ID_SIZE);
	memcpy(info + LABEL_SIZE, ret_header, HEADER_MAC_AT);
	return crypto_derive(v->keys[key].deriver, info, sizeof(info), ret_header + HEADER_MAC_AT, err);
}

static int header_check(struct volume *v, const uint8_t header[VOLUME_HEADER_SIZE], struct error *err)
{
	struct reader r = reader_of(header, VOLUME_HEADER_SIZE);
	uint8_t expected[VOLUME_HEADER_SIZE];
	if (reader_u32(&r) != VOLUME_MAGIC)
		return error_set(err, CELLA_EFORMAT, "it is no volume: its file \"volume\" begins otherwise");
	uint32_t version = reader_u32(&r);
	if (version != VOLUME_VERSION)
		return error_set(err, CELLA_EFORMAT, "a volume of version %u is unknown to this program",
		                 version);
	reader_copy(&r, v->id, sizeof(v->id));
	for (unsigned i = 0; i < v->key_count; i++) {
		int rc = header_make(v, i, expected, err);
		if (rc < 0)
			return rc;
		if (crypto_equal(expected, header, sizeof(expected)))
			return 0;
	}
	return error_set(err, CELLA_EAUTH,
	                 "the key is not this volume's, or its file \"volume\" was changed");
}

static int header_read(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	uint8_t header[VOLUME_HEADER_SIZE];
	void *file;
	size_t size;
	int rc = disk->open(disk->data, VOLUME_FILE_HEADER, &file, err);
	if (rc < 0)
		return rc == CELLA_ENOENT ? error_set(err, rc, "there is no volume: no file \"volume\"") : rc;
	rc = disk->read(disk->data, file, 0, header, sizeof(header), &size, err);
	disk->close(disk->data, file);
	if (rc == 0 && size < sizeof(header))
		return error_set(err, CELLA_EFORMAT, "it is no volume: its file \"volume\" has %zu bytes",
		                 size);
	return rc == 0 ? header_check(v, header, err) : rc;
}

int volume_write_header(struct volume *v, struct error *err)
{
	uint8_t header[VOLUME_HEADER_SIZE];
	const struct volume_disk *disk = &v->config.disk;
	int rc = header_make(v, 0, header, err);
	return rc == 0 ? disk->put(disk->data, VOLUME_FILE_HEADER, header, sizeof(header), true, err) : rc;
}

/* ---- life */

static int begin(struct volume *v, struct error *err)
{
	int rc = take_keys(v, err);
	if (rc == 0)
		rc = crew_new(v->config.workers, &v->crew, err);
	if (rc == 0)
		rc = segments_init(v, err);
	return rc == 0 ? block_cache_init(v, v->config.cache, err) : rc;
}

static int volume_new(const struct volume_config *config, struct volume **ret_volume, struct error *err)
{
	struct volume *v = mem_alloc(config->pool, sizeof(*v));
	if (!v)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a volume");
	v->config = *config;
	v->pool = config->pool;
	v->config.workers = min_of(config->workers ? config->workers : 1, (unsigned)VOLUME_WORKERS_MAX);
	size_t cache = config->cache ? config->cache : VOLUME_CACHE_DEFAULT;
	v->config.cache = cache < VOLUME_CACHE_LEAST ? VOLUME_CACHE_LEAST : cache;
	pthread_mutex_init(&v->lock, NULL);
	TAILQ_INIT(&v->segments.used);
	TAILQ_INIT(&v->tree.clean);
	v->tree.clean_max = v->config.cache / NODE_CACHE_PART / VOLUME_NODE_SIZE;
	if (v->tree.clean_max < NODE_CACHE_LEAST)
		v->tree.clean_max = NODE_CACHE_LEAST;
	v->segments.next_number = 1;
	int rc = begin(v, err);
	if (rc < 0) {
		volume_free(v);
		return rc;
	}
	*ret_volume = v;
	return 0;
}

/* Before the root is asked for, which needs what is held then. */
static int hold(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	int rc = keeper->hold ? keeper->hold(keeper->data, v->id, err) : 0;
	v->holding = rc == 0 && keeper->hold;
	return rc;
}

static void release_lease(struct volume *v)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	if (!v->token)
		return;
	bool committed = memcmp(v->reference, v->opened, sizeof(v->opened)) != 0;
	/* Where it fails, a later writer goes on along the chain of roots. */
	if (v->loaded && v->failure.code == 0 && publish_locked(v, NULL) == 0) {
		if (committed || v->head_is_open || v->head_is_unsettled)
			head_settle(v);
		removal_run(v); /* of what readers held until now */
	}
	publish_end(v);
	keeper->release(keeper->data, v->id, v->token);
}

void volume_free(struct volume *v)
{
	if (!v)
		return;
	release_lease(v);
	if (v->holding)
		v->config.keeper.let_go(v->config.keeper.data, v->id);
	if (v->origin) {
		volume_locked(v->origin);
		v->origin->snapshots--;
	}
	size_t at = 0;
	const struct map_slot *slot;
	while ((slot = map_next(&v->inodes, &at))) {
		struct inode *inode = slot->value;
		if (inode->inline_data)
			mem_free(v->pool, inode->inline_data);
		mem_free(v->pool, inode);
	}
	map_done(&v->inodes);
	map_done(&v->sizes);
	map_done(&v->strays);
	map_done(&v->removable);
	block_cache_done(v);
	tree_done(v);
	segments_done(v);
	crew_free(v->crew);
	for (unsigned i = 0; i < v->key_count; i++)
		crypto_deriver_free(v->keys[i].deriver);
	pthread_mutex_destroy(&v->lock);
	mem_free(v->pool, v);
}

static int take_lease(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	int rc = keeper->acquire(keeper->data, v->id, v->config.take_over, &v->token, err);
	return rc == 0 ? removal_scan(v, err) : rc;
}

static int fill_new(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	void *file;
	int rc = disk->open(disk->data, VOLUME_FILE_HEADER, &file, NULL);
	if (rc == 0)
		disk->close(disk->data, file);
	if (rc != CELLA_ENOENT)
		return error_set(err, CELLA_EEXIST, "there is a volume already, or something in its place");
	rc = v->config.id ? 0 : crypto_random(v->id, sizeof(v->id), err);
	if (v->config.id)
		memcpy(v->id, v->config.id, sizeof(v->id));
	if (rc == 0)
		rc = take_lease(v, err);
	if (rc == 0 && v->sizes.count)
		rc = error_set(err, CELLA_EEXIST, "there are segments of another volume");
	if (rc == 0)
		rc = volume_write_header(v, err);
	if (rc == 0)
		rc = tree_make(v, err);
	if (rc == 0)
		rc = path_make_root(v, err);
	if (rc == 0)
		rc = commit_locked(v, err);
	v->loaded = rc == 0;
	return rc;
}

int volume_create(const struct volume_config *config, struct error *err)
{
	struct volume *v;
	int rc = volume_new(config, &v, err);
	if (rc < 0)
		return rc;
	v->config.writable = true;
	rc = fill_new(v, err);
	volume_free(v);
	return rc;
}

static int load(struct volume *v, struct error *err)
{
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	int rc = header_read(v, err);
	if (rc == 0)
		rc = v->config.writable ? take_lease(v, err) : hold(v, err);
	if (rc == 0)
		rc = root_choose(v, reference, &root, err);
	if (rc < 0)
		return rc;
	root_adopt(v, &root, reference);
	memcpy(v->opened, reference, sizeof(v->opened));
	memcpy(&v->opened_segment, reference + sizeof(uint64_t), sizeof(v->opened_segment));
	/* whatever is listed: no segment that the root refers to has a larger number than its own */
	v->segments.next_number = v->opened_segment + 1;
	v->published_ns = clock_ns();
	if (v->config.writable)
		rc = removal_note_strays(v, err);
	if (rc == 0 && v->config.writable && !v->head_is_unsettled)
		rc = publish_locked(v, err); /* what no hint leads readers to */
	if (rc == 0 && v->config.writable)
		rc = inode_reap_orphans(v, err);
	if (rc == 0 && v->config.writable)
		removal_run(v);
	v->loaded = rc == 0;
	return rc;
}

int volume_open(const struct volume_config *config, struct volume **ret_volume, struct error *err)
{
	struct volume *v = NULL;
	int rc = volume_new(config, &v, err);
	if (rc == 0)
		rc = load(v, err);
	if (rc < 0) {
		volume_free(v);
		return rc;
	}
	*ret_volume = v;
	return 0;
}

int volume_snapshot(struct volume *v, struct mem_pool *pool, struct volume **ret_snapshot, struct error *err)
{
	volume_locked(v);
	struct volume_config config = v->config;
	struct volume *s;
	config.pool = pool;
	config.writable = false;
	int rc = volume_new(&config, &s, err);
	if (rc < 0)
		return rc;
	memcpy(s->id, v->id, sizeof(s->id));
	root_adopt(s, &v->root, v->reference);
	s->origin = v;
	v->snapshots++;
	*ret_snapshot = s;
	return 0;
}

/* ---- what is known of it */

struct survey {
	struct error *err;
	struct volume_info info;
	struct map sizes; /* of the segments that there are */
};

static int add_segment(void *arg, const char *name, uint64_t size)
{
	struct survey *s = arg;
	uint32_t number;
	if (segment_file_number(name, &number) < 0)
		return 0;
	s->info.segments++;
	s->info.stored += size;
	if (map_put(&s->sizes, number, (void *)(uintptr_t)(size + 1)) == 0)
		return 0;
	return error_set(s->err, CELLA_ENOMEM, "no memory for a list of segments");
}

/* The count of a segment that was removed goes with the next commit. */
static int add_dead(struct volume *v, struct survey *s, struct error *err)
{
	struct tree_key key = tree_key(0, VOLUME_ITEM_DEAD);
	struct item item;
	int rc;
	while ((rc = tree_next(v, &key, TREE_AFTER, &item, err)) == 0 &&
	       tree_item_is(&item, 0, VOLUME_ITEM_DEAD)) {
		uint32_t blocks = 0;
		memcpy(&blocks, item.value, min_of(sizeof(blocks), item.value_size));
		key = tree_key_number(0, VOLUME_ITEM_DEAD, tree_number_of(&item));
		if (map_get(&s->sizes, tree_number_of(&item)))
			s->info.dead += (uint64_t)blocks * VOLUME_BLOCK_SIZE;
	}
	return rc == CELLA_ENOENT ? 0 : rc;
}

int volume_info(struct volume *v, struct volume_info *ret_info, struct error *err)
{
	volume_locked(v);
	const struct volume_disk *disk = &v->config.disk;
	struct survey s = {.err = err,
	                   .info = {.counter = v->root.counter,
	                            .time_ns = v->root.time_ns,
	                            .cache_hits = v->cache.hits,
	                            .cache_misses = v->cache.misses,
	                            .held = v->removable.count}};
	int rc = disk->list(disk->data, add_segment, &s, err);
	if (rc == 0)
		rc = add_dead(v, &s, err);
	if (rc == 0)
		*ret_info = s.info;
	map_done(&s.sizes);
	return rc;
}
