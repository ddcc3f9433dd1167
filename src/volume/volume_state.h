/*
 * What the files of volumes share. Which calls which, from the top:
 *
 *   volume.c     life of a volume
 *   commit.c     commits; publish.c  what the keeper is told of them
 *   removal.c    segments that nothing refers to any more
 *   root.c       roots: which one counts; whole.c  is a commit on the disk?
 *   path.c       paths, and what is done to names
 *   file.c       open files: read, write, truncate
 *   inode.c      inodes, in the tree and open ones
 *   verify.c     reading everything; compact.c  moving what is in use
 *   block_cache.c  blocks of files in the clear, those not yet written included
 *   group.c      where a file's blocks lie
 *   tree.c       the Merkle tree: a copy-on-write B-tree from keys to values; tree_change.c  its changes
 *   node.c       one node of it: bytes with slots
 *   segment.c    sealed blocks: the segments that are read, and the one that is written
 *   crew.c       threads that seal and open
 *   disk_directory.c, keeper_file.c
 *
 * All functions here are called with the volume's lock.
 */
#ifndef VOLUME_VOLUME_STATE_H
#define VOLUME_VOLUME_STATE_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/map.h"
#include "volume/volume.h"
#include "volume/volume_format.h"

enum {
	SEGMENTS_OPEN_MAX = 128,
	CHUNK_BLOCKS = 32,     /* that one thread reads and opens, or seals and writes, at a time */
	BATCH_BLOCKS = 256,    /* that are looked up before they are read */
	READ_AHEAD_BLOCKS = 32,
	NODES_DIRTY_MAX = 1024, /* then they are written, commit or not */
	SYMLINKS_MAX = 40,
	VOLUME_QUESTIONS_MAX = 8, /* to the keeper, under way */
	SEGMENT_NONE = 0,
	SEGMENT_UNWRITTEN = 0xffffffff, /* a pointer to a node that lies in memory only */
	ROOT_INODE = 1,
};

/* ---- crew.c: fn(arg, part, worker) for each part from 0 on, by the workers and the caller; 0, or what the
 * first that failed gave. */
struct crew;
typedef int crew_function(void *arg, size_t part, unsigned worker);
int crew_new(unsigned workers, struct crew **ret_crew, struct error *err) must_check;
void crew_free(struct crew *crew);
int crew_run(struct crew *crew, crew_function *fn, void *arg, size_t parts) must_check;

/* ---- segment.c */
struct segment_key {
	uint8_t id[VOLUME_KEY_ID_SIZE];
	struct crypto_deriver *deriver;
};

struct segment {
	TAILQ_ENTRY(segment) link; /* the one used last comes first */
	uint32_t number;
	unsigned key; /* index of its key */
	void *file;
	struct crypto_fixed *ciphers[VOLUME_WORKERS_MAX]; /* one for each worker */
};
TAILQ_HEAD(segment_list, segment);

struct segments {
	struct map open; /* struct segment by number */
	size_t most; /* that may be */
	struct segment_list used;
	struct segment *writing; /* NULL: the next write begins one; also in `open` */
	uint32_t next_block;     /* of it */
	uint32_t next_number;
	bool unsynced;
	uint8_t *staging; /* CHUNK_BLOCKS for each worker; ciphertext only, in ordinary memory */
};

int segments_init(struct volume *v, struct error *err) must_check;
void segments_done(struct volume *v);
/* Seal messages of `size` bytes (whole blocks), the i-th from plain[i], and write them: ret[i] gets where it
 * lies. A place that was tried is not tried again. */
int segment_append(struct volume *v, enum volume_block_kind kind, const uint8_t *const *plain, size_t count,
                   size_t size, struct volume_pointer *ret, struct error *err) must_check;
/* One message of `size` bytes. */
int segment_read(struct volume *v, enum volume_block_kind kind, const struct volume_pointer *at, void *to,
                 size_t size, struct error *err) must_check;
/* Data blocks, `to[i]` for at[i]; a hole gives zeros. Where one is refused all of `to` is zero, and
 * *ret_bad is its index. */
int segment_read_data(struct volume *v, const struct volume_pointer *at, size_t count, uint8_t *const *to,
                      size_t *ret_bad, struct error *err) must_check;
int segment_sync(struct volume *v, struct error *err) must_check;
/* What was sealed as a root, from block `first` of a segment to its end, as far as that shows without a
 * pointer to it, in order. One that was not begun, or is not this volume's, has none; for a writer, where the
 * hint says that roots may count there, it is CELLA_EAUTH if something is in the place of its header. */
typedef void segment_root_fn(void *arg, const struct volume_pointer *at,
                             const uint8_t block[VOLUME_BLOCK_SIZE]);
int segment_each_root(struct volume *v, uint32_t number, uint32_t first, segment_root_fn *each, void *arg,
                      struct error *err) must_check;
/* All of one that another writer wrote. */
int segment_make_durable(struct volume *v, uint32_t number, struct error *err) must_check;
/* The next write begins a new segment. */
int segment_close_writing(struct volume *v, struct error *err) must_check;
void segment_forget(struct volume *v, uint32_t number);
int segment_file_number(const char *name, uint32_t *ret_number); /* CELLA_ENOENT: it is no segment's name */

/* ---- node.c: one node, VOLUME_NODE_SIZE bytes */
struct item {
	const uint8_t *key, *value;
	size_t key_size, value_size;
};
void node_init(uint8_t *node, unsigned level);
unsigned node_level(const uint8_t *node);
unsigned node_count(const uint8_t *node);
struct item node_item(const uint8_t *node, unsigned index);
/* The index of the first item whose key is not less; *ret_equal: is it equal? */
unsigned node_search(const uint8_t *node, const void *key, size_t key_size, bool *ret_equal);
bool node_has_room(const uint8_t *node, size_t key_size, size_t value_size);
size_t node_used(const uint8_t *node); /* bytes of items and slots */
/* There is room. */
void node_insert(uint8_t *node, unsigned index, const void *key, size_t key_size, const void *value,
                 size_t value_size);
void node_remove(uint8_t *node, unsigned index);
/* The value has the size of the old one. */
void node_overwrite(uint8_t *node, unsigned index, const void *value);
/* Move the items from `index` on to the end of the other node. */
void node_move_tail(uint8_t *node, unsigned index, uint8_t *to);
/* CELLA_EAUTH unless its bytes are a node of this level. */
int node_check(const uint8_t *node, unsigned level, struct error *err) must_check;

/* ---- tree.c */
struct node {
	TAILQ_ENTRY(node) link; /* clean ones: the one used last comes first */
	struct volume_pointer at; /* SEGMENT_UNWRITTEN and a serial number: dirty */
	uint8_t *bytes;
	bool dirty;
};
TAILQ_HEAD(node_list, node);

struct tree {
	struct map nodes; /* struct node by segment and block */
	struct node_list clean;
	size_t clean_count, clean_max;
	size_t dirty_count;
	uint32_t serial;
	struct volume_pointer top;
	uint32_t level;
	struct map dead; /* blocks by segment, not yet in the tree; the pointer is the number */
};

enum { TREE_KEY_SIZE = VOLUME_TREE_KEY_MAX };
struct tree_key {
	uint8_t bytes[TREE_KEY_SIZE];
	size_t size;
};
struct tree_key tree_key(uint64_t inode, enum volume_item kind);
struct tree_key tree_key_number(uint64_t inode, enum volume_item kind, uint64_t number);
struct tree_key tree_key_name(uint64_t inode, const char *name, size_t size);
uint64_t tree_inode_of(const struct item *item);
uint64_t tree_number_of(const struct item *item); /* of a key made by tree_key_number */
bool tree_item_is_group(const struct item *item);
/* Is the item's key one of the inode and kind? */
bool tree_item_is(const struct item *item, uint64_t inode, enum volume_item kind);

void tree_done(struct volume *v);
int tree_make(struct volume *v, struct error *err) must_check; /* an empty one */
/* What an item points to is valid until the next call of a tree function. CELLA_ENOENT. */
int tree_get(struct volume *v, const struct tree_key *key, struct item *ret_item,
             struct error *err) must_check;
/* A part of the tree that cannot be read lies at this key: the first key behind it. CELLA_ENOENT. */
int tree_skip(struct volume *v, const struct tree_key *key, struct tree_key *ret_key,
              struct error *err) must_check;
enum tree_from { TREE_AT_OR_AFTER, TREE_AFTER };
/* The first item whose key is greater, or not less. CELLA_ENOENT: there is none. */
int tree_next(struct volume *v, const struct tree_key *key, enum tree_from from, struct item *ret_item,
              struct error *err) must_check;
int tree_put(struct volume *v, const struct tree_key *key, const void *value, size_t size,
             struct error *err) must_check;
/* Nothing happens if it is not there. */
int tree_remove(struct volume *v, const struct tree_key *key, struct error *err) must_check;
/* Before changes, where the tree is whole: dirty nodes must not fill the memory, so they may be written. */
int tree_limit(struct volume *v, struct error *err) must_check;
/* Write the dirty nodes. */
int tree_flush(struct volume *v, struct error *err) must_check;
/* Copy the nodes that lie in segments for which `moves` says so. */
int tree_move_nodes(struct volume *v, bool (*moves)(void *arg, uint32_t segment), void *arg,
                    struct error *err) must_check;

/* ---- inode.c */
struct inode_record {
	enum volume_type type;
	uint8_t flags;
	uint16_t mode;
	uint32_t links;
	uint64_t size, modified_ns, changed_ns;
};

struct inode {
	uint64_t number;
	uint32_t opens;
	bool dirty;
	struct inode_record record;
	uint8_t *inline_data; /* VOLUME_INLINE_MAX bytes while it is inline, else NULL */
};

/* An inode as the tree or, for an open one, memory has it; `payload` (may be NULL) takes its data or
 * target, *ret_size says how much there is. CELLA_ENOENT. */
int inode_get(struct volume *v, uint64_t number, struct inode_record *ret_record, uint8_t *payload,
              size_t *ret_size, struct error *err) must_check;
int inode_put(struct volume *v, uint64_t number, const struct inode_record *record, const void *payload,
              size_t size, struct error *err) must_check;
/* Change what is in the record of an inode, open or not. */
int inode_update(struct volume *v, uint64_t number, const struct inode_record *record,
                 struct error *err) must_check;
int inode_open(struct volume *v, uint64_t number, struct inode **ret_inode, struct error *err) must_check;
/* Its end, if its last name is gone. */
void inode_close(struct volume *v, struct inode *inode);
int inode_flush(struct volume *v, struct inode *inode, struct error *err) must_check;
int inode_flush_all(struct volume *v, struct error *err) must_check;
/* A name is gone. The last one takes the inode along, at once or when it is closed. */
int inode_drop_link(struct volume *v, uint64_t number, struct error *err) must_check;
/* Remove what was without a name, but open, when the last writer went. */
int inode_reap_orphans(struct volume *v, struct error *err) must_check;
uint64_t volume_now_ns(void);

void inode_stat(uint64_t number, const struct inode_record *record, struct volume_stat *ret_stat);

/* ---- file.c */
int file_truncate(struct volume *v, struct inode *inode, uint64_t size, struct error *err) must_check;

/* ---- path.c */
/* The regular file at a path, made if the flags say so (enum volume_open_flag). */
int path_open(struct volume *v, const char *path, unsigned flags, uint16_t mode, uint64_t *ret_number,
              struct error *err) must_check;
/* The entry of a directory that comes next after a name ("": the first); CELLA_ENOENT at the end. Where the
 * tree is damaged: CELLA_EAUTH, or the next one that can be read. */
enum entry_damage { ENTRY_STOP_AT_DAMAGE, ENTRY_PASS_DAMAGE };
int entry_next(struct volume *v, uint64_t directory, const char *after, enum entry_damage damage,
               struct volume_entry *ret_entry, struct error *err) must_check;
/* An empty root directory. */
int path_make_root(struct volume *v, struct error *err) must_check;

/* ---- group.c */
/* Where the blocks [first, first + count) of a file lie. */
int block_group_get(struct volume *v, uint64_t inode, uint64_t first, size_t count,
                    struct volume_pointer *ret, struct error *err) must_check;
/* Neither this nor block_group_cut writes nodes, so a full disk does not stop them half-way; tree_limit comes
 * before. */
int block_group_put(struct volume *v, uint64_t inode, uint64_t first, size_t count,
                    const struct volume_pointer *at, struct error *err) must_check;
/* The blocks from `first` on become a hole. */
int block_group_cut(struct volume *v, uint64_t inode, uint64_t first, struct error *err) must_check;
/* The first block at or after `first` that is (not) a hole; UINT64_MAX: none. */
int block_group_find(struct volume *v, uint64_t inode, uint64_t first, bool hole, uint64_t *ret_block,
                     struct error *err) must_check;

/* ---- block_cache.c */
struct frame {
	uint64_t inode;
	uint32_t block;
	uint32_t chain; /* the next one with its hash */
	uint8_t state; /* enum frame_state */
	uint8_t used; /* since the hand last came by */
	uint16_t trial; /* its place among those on trial, from 1; 0: it is none */
};
enum frame_state { FRAME_FREE, FRAME_CLEAN, FRAME_DIRTY };

struct block_cache {
	struct mem_region *memory;
	struct frame *frames;
	uint32_t *buckets;
	uint32_t count, bucket_count;
	uint32_t fresh; /* frames from here on were never used */
	uint32_t hand;
	uint32_t dirty, dirty_max;
	uint64_t *noted; /* a bit for a block, by its hash */
	uint32_t noted_count;
	uint32_t *trials; /* frames on trial, which go round */
	uint32_t trial_count, trial_next;
	uint64_t hits, misses;
};
int block_cache_init(struct volume *v, size_t size, struct error *err) must_check;
void block_cache_done(struct volume *v);
/* NULL: it is not there. */
uint8_t *block_cache_find(struct volume *v, uint64_t inode, uint64_t block);
bool block_cache_has(const struct volume *v, uint64_t inode, uint64_t block);
/* Before blocks are changed: dirty ones must leave room for clean ones, so they may be written. */
int block_cache_limit(struct volume *v, struct error *err) must_check;
/* A frame for a block that is not there, in which anything may be. Valid until the next call. Writes
 * nothing: what is there can be read whatever the disk is like. */
int block_cache_take(struct volume *v, uint64_t inode, uint64_t block, uint8_t **ret_bytes,
                     struct error *err) must_check;
/* As many at once as can be had, one at least. */
int block_cache_take_run(struct volume *v, uint64_t inode, uint64_t block, size_t count, uint8_t **ret_bytes,
                         size_t *ret_count, struct error *err) must_check;
void block_cache_set_dirty(struct volume *v, uint8_t *bytes);
/* Forget the block, whatever its state. */
void block_cache_drop(struct volume *v, uint64_t inode, uint64_t block);
/* Forget the blocks of a file from `first` to `end`. */
void block_cache_drop_from(struct volume *v, uint64_t inode, uint64_t first, uint64_t end);
/* Was the block noted not long ago? Sometimes true of one that was not. */
void block_cache_note(struct volume *v, uint64_t inode, uint64_t block);
bool block_cache_noted(const struct volume *v, uint64_t inode, uint64_t block);
int block_cache_flush(struct volume *v, struct error *err) must_check;

/* ---- root.c */
static inline bool reference_is_set(const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	return !bytes_are_zero(reference, VOLUME_REFERENCE_SIZE);
}
/* The root that a reference names. */
int root_read(struct volume *v, const uint8_t reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
              struct error *err) must_check;
/* To the end of the log. */
int root_write(struct volume *v, const struct volume_root *root, uint8_t ret_reference[VOLUME_REFERENCE_SIZE],
               struct error *err) must_check;
/* The volume is as that root says. */
void root_adopt(struct volume *v, const struct volume_root *root,
                const uint8_t reference[VOLUME_REFERENCE_SIZE]);
/* Which root counts, by the keeper, the mode, the volume's own hint, and the log. */
int root_choose(struct volume *v, uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
                struct error *err) must_check;

/* ---- whole.c: can all be read that a commit added to the one before it, whose root lies there? Else what
 * reading it gives. */
int root_is_whole(struct volume *v, const struct volume_root *root, const struct volume_pointer *before,
                  struct error *err) must_check;

/* The file "head". */
struct volume_head {
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	uint64_t token;
	bool settled; /* false also where it was torn: then the rest is zero */
};
int head_read(struct volume *v, struct volume_head *ret_head,
              struct error *err) must_check; /* CELLA_ENOENT */

/* ---- commit.c */
int commit_locked(struct volume *v, struct error *err) must_check;
/* The file "head" leads to the last commit. Best effort. */
void head_advance(struct volume *v);
/* The keeper knows of all that counts. Best effort. */
void head_settle(struct volume *v);

/* ---- publish.c */
/* Questions to the keeper, in the order in which it answers them. */
struct volume_questions {
	struct volume_question {
		uint8_t to[VOLUME_REFERENCE_SIZE];
		uint64_t asked_ns; /* by the monotonic clock: nothing before is unknown to it */
	} of[VOLUME_QUESTIONS_MAX];
	unsigned count;
	unsigned lost; /* so many of the first were answered, and what they did is not known */
};
bool publish_is_done(const struct volume *v); /* the keeper knows of the last commit */
/* What has come of answers. An error: this is the writer no more. */
int publish_note(struct volume *v, struct error *err) must_check;
/* In its mode the keeper may be so far behind: asks in time, and waits only for what may not be unknown. */
int publish_enough(struct volume *v, struct error *err) must_check;
/* Until publish_is_done. */
int publish_locked(struct volume *v, struct error *err) must_check;
/* It says so now: this is still the writer. */
int publish_confirm(struct volume *v, struct error *err) must_check;
/* No question is under way any more. */
void publish_end(struct volume *v);

/* ---- volume.c */
struct volume {
	pthread_mutex_t lock;
	struct volume_config config;
	struct mem_pool *pool;
	uint8_t id[VOLUME_ID_SIZE];
	struct segment_key keys[VOLUME_KEYS_MAX];
	uint8_t key_bytes[VOLUME_KEYS_MAX][CRYPTO_KEY_SIZE];
	unsigned key_count;
	struct crew *crew;
	struct segments segments;
	struct tree tree;
	struct block_cache cache;
	struct map inodes; /* struct inode by number: open ones */
	struct volume_root root; /* the last commit */
	uint8_t reference[VOLUME_REFERENCE_SIZE]; /* to it */
	uint8_t opened[VOLUME_REFERENCE_SIZE]; /* to the one that it was opened at */
	uint8_t hinted[VOLUME_REFERENCE_SIZE]; /* what this writer put into the hint */
	bool head_is_open; /* by this writer it says, for sure, to search the log */
	bool head_is_unsettled; /* it was found so */
	bool loaded; /* it was opened, or made, without a failure */
	uint8_t published[VOLUME_REFERENCE_SIZE]; /* what the keeper has */
	uint64_t published_ns; /* when that was the last commit, by the monotonic clock */
	struct volume_questions questions; /* or it has what one of these goes to */
	uint64_t token;
	bool holding; /* the keeper knows of this reader */
	uint32_t opened_segment; /* in which the root lies that it was opened at */
	uint64_t next_inode;
	bool changed; /* since the last commit */
	bool root_buried; /* the last root's block is counted as dead already */
	struct volume *origin; /* of a snapshot */
	uint32_t snapshots;
	struct map
		sizes; /* blocks by segment, as they were found on the disk or written here; for a writer */
	struct map strays; /* of these, what was never committed */
	struct map removable; /* counter of the commit that does without it, by segment */
	struct error failure; /* code not 0: nothing more can be written */
};

/* ---- removal.c: segments that nothing refers to any more */
/* So many blocks of the segment are referred to no more. */
int dead_add(struct volume *v, uint32_t segment, uint32_t blocks, struct error *err) must_check;
/* Until the counts of dead blocks stand in the tree. */
int dead_settle(struct volume *v, struct error *err) must_check;
int removal_scan(struct volume *v, struct error *err) must_check; /* what segments there are */
/* Those behind the one in which the root lies that was opened; they are removed next. */
int removal_note_strays(struct volume *v, struct error *err) must_check;
/* The commit that is made does without this segment. */
int removal_add(struct volume *v, uint32_t segment, struct error *err) must_check;
/* After a commit that the keeper has. Best effort. */
void removal_run(struct volume *v);

static inline struct volume *volume_enter(struct volume *v)
{
	pthread_mutex_lock(&v->lock);
	return v;
}
static inline void volume_leave(struct volume **v)
{
	pthread_mutex_unlock(&(*v)->lock);
}
/* `volume_locked(v);` holds the lock to the end of the block. */
#define volume_locked(v) \
	__attribute__((cleanup(volume_leave), unused)) struct volume *locked_ = volume_enter(v)

/* The file "volume", under the newest key. */
int volume_write_header(struct volume *v, struct error *err) must_check;
/* CELLA_EROFS, or why the volume can be written no more. */
int volume_may_write(struct volume *v, struct error *err) must_check;
/* A change failed half-way: returns rc, and from here on the volume can only go back to its last commit. */
int volume_break(struct volume *v, int rc, const struct error *err);
/* Memory of the pool; freed by mem_free. */
void *volume_alloc(struct volume *v, size_t size);

static inline uint64_t block_count_of(uint64_t size)
{
	return size / VOLUME_BLOCK_SIZE + (size % VOLUME_BLOCK_SIZE != 0);
}

#endif
