/*
 * Volumes: sealed files on storage that nobody vouches for.
 *
 * A volume is a tree of directories, files and symlinks. On the disk it is a flat directory of plain files
 * full of noise (volume/volume_format.h, docs/protocols/volume.md), reached by callbacks (volume/disk.h).
 * All that is written goes to the end of a log; a commit ends with a root that, through a Merkle tree,
 * stands for every byte of the volume; and a *root keeper* (volume/keeper.h) holds the reference to the root
 * that counts. So a volume is at any time what some commit left, and an old copy, or a part of one, is
 * refused.
 *
 * Threats. The disk belongs to the attacker: it may lose, change, exchange, cut and bring back anything at
 * any time. It learns how many blocks were written, when, and which are read; no contents, names, sizes of
 * files, nor where a file ends. Everything in the clear, keys and indices included, lies in memory of the
 * config's pool, but for names, targets of symlinks and roots (no contents, no keys), which pass over the
 * caller's stack and are not wiped there.
 *
 * Paths are relative to the volume's root; components are separated by '/', "." and empty ones are
 * skipped, "" is the root. Symlinks are followed within the volume: CELLA_EPERM where one is absolute, or
 * where ".." leads out.
 *
 * Errors, besides each function's own:
 *   CELLA_EAUTH   a block or the tree was changed, or is not the one that belongs there: named
 *   CELLA_EIO     the disk fails; CELLA_ENOSPC it is full: nothing committed is lost, and the call can be
 *                 made again; but a change of names that fails half-way, and a sync that fails, leave a
 *                 volume that has to be opened again, which each further call says
 *   CELLA_EFENCED another writer took over: nothing more can be committed
 *   CELLA_EROFS   the volume was opened for reading
 *   CELLA_ENOENT, CELLA_EEXIST, CELLA_ENOTDIR, CELLA_EISDIR, CELLA_ENOTEMPTY, CELLA_ELIMIT  as POSIX has them
 *
 * A volume's functions may be called by several threads; they take turns. Threads that read at the same time
 * use a snapshot each. A pool belongs to one thread, so a volume that several threads share has a pool of
 * its own; and OpenSSL has one, too (crypto_init), as all of them use it.
 */
#ifndef VOLUME_VOLUME_H
#define VOLUME_VOLUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/crypto.h"
#include "mem/mem.h"
#include "volume/disk.h"
#include "volume/keeper.h"

struct volume;
struct volume_file;

enum {
	VOLUME_CACHE_LEAST = 1 << 20,
	VOLUME_CACHE_DEFAULT = 32 << 20,
	VOLUME_KEYS_MAX = 4,
	VOLUME_WORKERS_MAX = 16,
};

/* When a commit counts. */
enum volume_mode {
	VOLUME_STRICT,  /* once the keeper has it */
	VOLUME_BOUNDED, /* once the disk has it; the keeper is less than `bound_commits` commits and `bound_s`
	                 * seconds behind */
	VOLUME_OFFLINE, /* once the disk has it; the keeper gets it when the volume is closed, or asked by
	                 * volume_publish, while its lease lasts */
};

struct volume_config {
	struct mem_pool *pool;
	struct volume_disk disk;
	struct volume_keeper keeper;
	const uint8_t (*keys)[CRYPTO_KEY_SIZE]; /* the newest first; copied */
	size_t key_count;
	const uint8_t *id; /* of volume_create: the new volume's, VOLUME_ID_SIZE random bytes; NULL: drawn */
	size_t cache; /* bytes of open blocks kept; 0: VOLUME_CACHE_DEFAULT */
	unsigned workers; /* threads that seal and open, the caller's included; 0: 1 */
	bool writable; /* takes the lease */
	bool take_over; /* from another writer, who is fenced off */
	bool any_copy; /* believe the volume's own hint when the keeper knows no root: no protection from an
	                   * old copy */
	bool exact; /* at the keeper's root, no later one; CELLA_EAGAIN for a writer if there is one */
	enum volume_mode mode;
	uint32_t bound_commits, bound_s;
};

/* An empty volume in an empty place, its first commit at the keeper. CELLA_EEXIST. */
int volume_create(const struct volume_config *config, struct error *err) must_check;
/* At the keeper's root, or, where commits counted without it, at the last of these. CELLA_ENOENT: there is
 * no volume, or the keeper has no root of it; CELLA_EAUTH: the key is another one's; CELLA_EAGAIN: another
 * writer has the lease. */
int volume_open(const struct volume_config *config, struct volume **ret_volume, struct error *err) must_check;
/* What was not committed is lost; the keeper is brought up to the last commit. Files that are open must have
 * been closed. NULL is fine. */
void volume_free(struct volume *v);
/* The last commit, for reading, as a volume of its own: unchanged by what is committed after. It is freed
 * before `v`. `pool` is that of the thread that will use it. */
int volume_snapshot(struct volume *v, struct mem_pool *pool, struct volume **ret_snapshot,
                    struct error *err) must_check;

/* Make what was written so far durable, as the mode says. */
int volume_commit(struct volume *v, struct error *err) must_check;
/* Bring the keeper up to the last commit. */
int volume_publish(struct volume *v, struct error *err) must_check;

/* Does one commit come from another, by the roots between them? `config` as for reading; its keeper is not
 * asked. CELLA_EAUTH, CELLA_ENOENT: the later one is not there, or one between them, as after compacting. */
int volume_descends(const struct volume_config *config, const uint8_t later[VOLUME_REFERENCE_SIZE],
                    const uint8_t earlier[VOLUME_REFERENCE_SIZE], bool *ret_descends,
                    struct error *err) must_check;

struct volume_info {
	uint64_t counter; /* of commits */
	uint64_t time_ns; /* of the last one */
	uint64_t segments; /* files that it lies in */
	uint64_t stored; /* bytes of them */
	uint64_t dead; /* of these, bytes that compacting frees */
	uint64_t held; /* segments that this writer did not remove, as others read an earlier commit */
	uint64_t cache_hits, cache_misses; /* blocks */
};
int volume_info(struct volume *v, struct volume_info *ret_info, struct error *err) must_check;

enum volume_type { VOLUME_FILE = 1, VOLUME_DIRECTORY, VOLUME_SYMLINK };

struct volume_stat {
	uint64_t inode;
	enum volume_type type;
	uint16_t mode; /* permission bits; kept, not enforced */
	uint32_t links;
	uint64_t size; /* bytes; of a directory 0 */
	uint64_t modified_ns, changed_ns; /* since 1970 */
};
enum volume_follow { VOLUME_NOFOLLOW, VOLUME_FOLLOW }; /* a symlink as the last component */

int volume_stat(struct volume *v, const char *path, enum volume_follow follow, struct volume_stat *ret_stat,
                struct error *err) must_check;
int volume_mkdir(struct volume *v, const char *path, uint16_t mode, struct error *err) must_check;
int volume_rmdir(struct volume *v, const char *path, struct error *err) must_check;
int volume_unlink(struct volume *v, const char *path, struct error *err) must_check;
/* Over an existing file or empty directory of the same type, at once. */
int volume_rename(struct volume *v, const char *from, const char *to, struct error *err) must_check;
int volume_link(struct volume *v, const char *from, const char *to, struct error *err) must_check;
int volume_symlink(struct volume *v, const char *target, const char *path, struct error *err) must_check;
/* The target with its terminating zero. */
int volume_readlink(struct volume *v, const char *path, char ret_target[VOLUME_PATH_MAX],
                    struct error *err) must_check;
int volume_set_mode(struct volume *v, const char *path, uint16_t mode, struct error *err) must_check;
int volume_set_modified(struct volume *v, const char *path, enum volume_follow follow, uint64_t modified_ns,
                        struct error *err) must_check;

/* The entry of a directory whose name comes next after `after` ("": the first), in the order of bytes.
 * CELLA_ENOENT at the end; `path` must exist (CELLA_ENOTDIR). */
struct volume_entry {
	char name[256];
	uint64_t inode;
	enum volume_type type;
	bool after_damage; /* of volume_next_readable: entries before this one are lost */
};
int volume_next(struct volume *v, const char *path, const char *after, struct volume_entry *ret_entry,
                struct error *err) must_check;
/* The same past what is damaged. CELLA_EAUTH: what follows is lost up to the end. */
int volume_next_readable(struct volume *v, const char *path, const char *after,
                         struct volume_entry *ret_entry, struct error *err) must_check;

enum volume_open_flag {
	VOLUME_WRITE = 1, /* also for reading */
	VOLUME_CREATE = 2,
	VOLUME_EXCLUSIVE = 4, /* with VOLUME_CREATE: CELLA_EEXIST if it is there */
	VOLUME_TRUNCATE = 8,
	VOLUME_NO_SYMLINK = 16, /* CELLA_ELIMIT where the last component is one */
};
/* A regular file; it stays usable when its name goes. */
int volume_file_open(struct volume *v, const char *path, unsigned flags, uint16_t mode,
                     struct volume_file **ret_file, struct error *err) must_check;
void volume_file_close(struct volume_file *f); /* commits nothing. NULL is fine */
void volume_file_stat(const struct volume_file *f, struct volume_stat *ret_stat);
/* `to` is memory that no other process can write to. *ret_size is `size` but at the end of the file. Where a
 * block is refused nothing is read, and what is at `to` is zero. */
int volume_file_read(struct volume_file *f, uint64_t offset, void *to, size_t size, size_t *ret_size,
                     struct error *err) must_check;
/* After a failure a part of it may have been written. CELLA_ELIMIT past VOLUME_FILE_MAX. */
int volume_file_write(struct volume_file *f, uint64_t offset, const void *from, size_t size,
                      struct error *err) must_check;
int volume_file_truncate(struct volume_file *f, uint64_t size, struct error *err) must_check;
int volume_file_set_modified(struct volume_file *f, uint64_t modified_ns, struct error *err) must_check;
/* The first byte at or after `offset` that may be other than zero, *ret_data, and where the next hole begins,
 * *ret_hole; both the file's size when there is none. */
int volume_file_seek_data(struct volume_file *f, uint64_t offset, uint64_t *ret_data, uint64_t *ret_hole,
                          struct error *err) must_check;

/*
 * Read everything. Each damage is reported by path and block (-1: all of it, or what cannot be told), and is
 * no error; the error is for what ends the check itself.
 */
struct volume_report {
	void *data;
	void (*damaged)(void *data, const char *path, int64_t block, const struct error *why);
	void (*progress)(void *data, uint64_t files, uint64_t bytes);
};
struct volume_counts {
	uint64_t files, directories, symlinks, bytes, damaged;
};
int volume_verify(struct volume *v, const struct volume_report *report, struct volume_counts *ret_counts,
                  struct error *err) must_check;

/* Copy what is in use out of segments of which at least `least_dead` percent (0: every one) is not, commit,
 * and remove them. With 0, everything lies under the newest key then, whatever the disk lists. */
int volume_compact(struct volume *v, unsigned least_dead, struct error *err) must_check;

#endif
