/*
 * What a volume reads. By the first byte of the input:
 *
 *   even   a tree of someone who has the key: its items are the input's, in leaves that are well formed
 *   odd    files of someone who has not: the rest is put over those of a good volume (its file's number, u24
 *          where, bytes), which then opens only as it was
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "fake_disk.h"
#include "volume/volume_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { POOL_SIZE = 64 << 20, LEAVES = 2, READ_MAX = 8192 };

static struct mem_pool *pool;
static const uint8_t key[1][CRYPTO_KEY_SIZE] = {{1}};
static struct fake_world world;
static struct fake_disk *good;
static struct fake_keeper keeper = {.world = &world};

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static struct volume_config config_of(struct fake_disk *disk)
{
	return (struct volume_config){.pool = pool,
	                              .keys = key,
	                              .key_count = 1,
	                              .cache = VOLUME_CACHE_LEAST,
	                              .writable = true,
	                              .disk = fake_disk_interface(disk),
	                              .keeper = fake_keeper_interface(&keeper)};
}

static void write_good(struct volume *v)
{
	struct volume_file *f;
	static const uint8_t bytes[READ_MAX] = {1};
	demand(volume_mkdir(v, "d", 0755, NULL) == 0);
	demand(volume_symlink(v, "d", "s", NULL) == 0);
	demand(volume_file_open(v, "d/f", VOLUME_WRITE | VOLUME_CREATE, 0644, &f, NULL) == 0);
	demand(volume_file_write(f, 0, bytes, sizeof(bytes), NULL) == 0);
	volume_file_close(f);
	demand(volume_commit(v, NULL) == 0);
}

static void start(void)
{
	struct volume *v;
	if (good)
		return;
	demand(mem_pool_new(MEM_INSECURE_NONE, POOL_SIZE, &pool, NULL) == 0 && crypto_init(pool, NULL) == 0);
	good = fake_disk_new(&world);
	struct volume_config config = config_of(good);
	demand(volume_create(&config, NULL) == 0);
	demand(volume_open(&config, &v, NULL) == 0);
	write_good(v);
	volume_free(v);
}

/* All that can be read, and some changes; whatever comes of them. */
static void use(struct volume *v)
{
	static const char *const paths[] = {"", "a", "d", "d/f", "s", "s/f", "a/a"};
	struct volume_counts counts;
	struct volume_info info;
	uint8_t bytes[READ_MAX];
	(void)!volume_verify(v, NULL, &counts, NULL);
	(void)!volume_info(v, &info, NULL);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct volume_entry entry = {0};
		struct volume_file *f;
		struct volume_stat st;
		char target[VOLUME_PATH_MAX];
		uint64_t data, hole;
		size_t got;
		(void)!volume_stat(v, paths[i], VOLUME_FOLLOW, &st, NULL);
		(void)!volume_readlink(v, paths[i], target, NULL);
		for (unsigned n = 0; n < 100 && volume_next(v, paths[i], entry.name, &entry, NULL) == 0; n++)
			;
		if (volume_file_open(v, paths[i], VOLUME_WRITE, 0, &f, NULL) < 0)
			continue;
		(void)!volume_file_read(f, 0, bytes, sizeof(bytes), &got, NULL);
		(void)!volume_file_seek_data(f, 0, &data, &hole, NULL);
		(void)!volume_file_write(f, 3, "x", 1, NULL);
		(void)!volume_file_truncate(f, 5000, NULL);
		(void)!volume_unlink(v, paths[i], NULL);
		volume_file_close(f);
	}
	(void)!volume_rename(v, "d", "e", NULL);
	(void)!volume_rmdir(v, "a", NULL);
	(void)!volume_compact(v, 0, NULL);
	(void)!volume_commit(v, NULL);
}

/* u8 leaf, u8 inode, u8 kind, u8 size of the rest of the key and its bytes, u8 size of the value and its
 * bytes. */
static void add_items(uint8_t leaves[LEAVES][VOLUME_NODE_SIZE], struct reader *r)
{
	while (reader_left(r) > 4) {
		uint8_t *leaf = leaves[reader_u8(r) % LEAVES], value[255] = {0};
		struct tree_key k = tree_key(reader_u8(r), (enum volume_item)reader_u8(r));
		size_t more = reader_u8(r);
		reader_copy(r, k.bytes + k.size, min_of(more, reader_left(r)));
		k.size += more;
		size_t size = reader_u8(r);
		reader_copy(r, value, min_of(size, reader_left(r)));
		bool equal;
		unsigned index = node_search(leaf, k.bytes, k.size, &equal);
		if (!equal && node_has_room(leaf, k.size, size))
			node_insert(leaf, index, k.bytes, k.size, value, size);
	}
}

static void write_tree(struct volume *v, bool two, struct reader *r)
{
	static uint8_t leaves[LEAVES][VOLUME_NODE_SIZE], top[VOLUME_NODE_SIZE];
	struct tree_key least = tree_key(0, 0), middle = tree_key(1, 0);
	struct volume_pointer at[LEAVES], above;
	const uint8_t *plain[LEAVES] = {leaves[0], leaves[1]}, *plain_top = top;
	node_init(leaves[0], 0);
	node_init(leaves[1], 0);
	add_items(leaves, r);
	demand(segment_append(v, VOLUME_KIND_NODE, plain, LEAVES, VOLUME_NODE_SIZE, at, NULL) == 0);
	node_init(top, 1);
	node_insert(top, 0, least.bytes, least.size, &at[0], sizeof(at[0]));
	node_insert(top, 1, middle.bytes, middle.size, &at[1], sizeof(at[1]));
	demand(segment_append(v, VOLUME_KIND_NODE, &plain_top, 1, VOLUME_NODE_SIZE, &above, NULL) == 0);
	v->tree.top = two ? above : at[0];
	v->tree.level = two;
}

static void read_a_forged_tree(struct fake_disk *disk, const uint8_t *data, size_t size)
{
	struct volume_config config = config_of(disk);
	struct reader r = reader_of(data + 1, size - 1);
	struct volume *v;
	demand(volume_open(&config, &v, NULL) == 0);
	write_tree(v, data[0] & 2, &r);
	use(v);
	volume_free(v);
}

static void read_changed_files(struct fake_disk *disk, const uint8_t *data, size_t size)
{
	struct volume_config config = config_of(disk);
	struct fake_bytes f;
	struct volume *v;
	config.any_copy = data[0] & 2;
	if (config.any_copy)
		memset(keeper.root, 0, sizeof(keeper.root));
	if (size < 5 || !fake_disk_file(disk, data[1] % 8, &f))
		return;
	size_t at = (size_t)(data[2] | data[3] << 8 | data[4] << 16) % (f.size + 1);
	memcpy(f.bytes + at, data + 5, min_of(size - 5, f.size - at));
	if (data[0] & 4)
		fake_disk_replace(disk, f.name, f.bytes, at);
	if (volume_open(&config, &v, NULL) < 0)
		return;
	use(v);
	volume_free(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	start();
	if (size < 2)
		return 0;
	struct fake_keeper kept = keeper;
	struct fake_disk *disk = fake_disk_copy(good, &world);
	if (data[0] & 1)
		read_changed_files(disk, data, size);
	else
		read_a_forged_tree(disk, data, size);
	fake_disk_free(disk);
	keeper = kept;
	return 0;
}
