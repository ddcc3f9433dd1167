/*
 * Where a volume lies: its directory VOL, and beside it the key file VOL.key and the root file VOL.root, or
 * wherever these are. Opened, it is a struct volume whose keys and plaintext lie in a pool of its own.
 */
#ifndef CLI_VOLUME_PLACE_H
#define CLI_VOLUME_PLACE_H

#include "base/error.h"
#include "cli/volume_key.h"
#include "mem/mem.h"
#include "volume/volume.h"

struct volume_place_config {
	const char *path;
	const char *key, *root; /* NULL: beside it */
	struct mem_pool *pool;
	size_t cache; /* 0: the default */
	bool any_copy, take_over;
};

struct volume_place;

/* What of `pool` is wanted, at `level` and within the process's limits: the bytes of the cache. */
int volume_place_cache(enum mem_level level, size_t *ret_cache, struct error *err) must_check;
enum { VOLUME_PLACE_POOL = 512 << 20 }; /* a pool's budget */

/* A new volume with its key and root files; nothing is left of it where that fails. */
int volume_place_create(const struct volume_place_config *config, struct error *err) must_check;
/* CELLA_EAUTH: the key file is another volume's. CELLA_ENOENT: no volume, key file, or root file. */
int volume_place_open(const struct volume_place_config *config, bool writable,
                      struct volume_place **ret_place, struct error *err) must_check;
/* Under a new key: everything is written anew, and the old keys leave the key file last. Where that was
 * interrupted it goes on with the key that was drawn then. CELLA_EAGAIN: another one does it, or writes. */
struct volume_rekeyed {
	bool went_on;
	bool held; /* what lies under the old keys is still there, as others read it */
};
int volume_place_rekey(const struct volume_place_config *config, struct volume_rekeyed *ret_rekeyed,
                       struct error *err) must_check;
void volume_place_free(struct volume_place *place); /* NULL is fine */

struct volume *volume_place_volume(const struct volume_place *place);
const struct volume_keys *volume_place_keys(const struct volume_place *place);
const char *volume_place_root(const struct volume_place *place); /* the root file's path */
const char *volume_place_key(const struct volume_place *place);
int volume_place_directory(const struct volume_place *place); /* borrowed */

#endif
