/*
 * A volume's key file: the keys that open it, in hexadecimal, for its owner alone.
 *
 *     cella volume key 1
 *     volume 4f0c...            the volume's id, 32 digits
 *     key 91d2...               64 digits; the newest first, VOLUME_KEYS_MAX at most
 *
 * More than one key is there while everything is written anew under the first (cella volume rekey). A file
 * that is anything else, or that others may read or change, is refused. Keys are never printed or logged.
 */
#ifndef CLI_VOLUME_KEY_H
#define CLI_VOLUME_KEY_H

#include "base/error.h"
#include "crypto/crypto.h"
#include "mem/mem.h"
#include "volume/volume.h"

/* Lies in protected memory (mem_alloc), which wipes it when it is freed. */
struct volume_keys {
	uint8_t volume[VOLUME_ID_SIZE];
	size_t count;
	uint8_t keys[VOLUME_KEYS_MAX][CRYPTO_KEY_SIZE];
};

/* CELLA_ENOENT; CELLA_EPERM: others may read it; CELLA_EFORMAT. `pool` holds the text meanwhile. */
int volume_keys_read(const char *path, struct mem_pool *pool, struct volume_keys *ret_keys,
                     struct error *err) must_check;
/* A new file, durable. CELLA_EEXIST. */
int volume_keys_create(const char *path, struct mem_pool *pool, const struct volume_keys *keys,
                       struct error *err) must_check;
/* In the place of the one that is there, at once, durable. Where that is a symlink, of what it leads to. */
int volume_keys_replace(const char *path, struct mem_pool *pool, const struct volume_keys *keys,
                        struct error *err) must_check;
/* One more, drawn, before the others. */
int volume_keys_add(struct volume_keys *keys, struct error *err) must_check;

#endif
