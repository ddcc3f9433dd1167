#include "cli/job/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/place.h"
#include "cli/volume_key.h"

static int read_keys(const char *path, struct mem_pool *pool, struct provision_volume *ret, struct error *err)
{
	struct volume_keys *keys = mem_alloc(pool, sizeof(*keys));
	if (!keys)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a volume's keys");
	int rc = volume_keys_read(path, pool, keys, err);
	if (rc == 0) {
		ret->key_count = (uint32_t)keys->count;
		memcpy(ret->id, keys->volume, sizeof(ret->id));
		memcpy(ret->keys, keys->keys, sizeof(ret->keys));
	}
	mem_free(pool, keys);
	return rc;
}

static int read_root(const struct volume_keeper *keeper, const char *path, struct provision_volume *ret,
                     struct error *err)
{
	int rc = keeper->get(keeper->data, ret->id, ret->root, err);
	if (rc == 0 && bytes_are_zero(ret->root, sizeof(ret->root)))
		rc = error_set(err, CELLA_ENOENT,
		               "there is no root of the volume in %s: name its root file with --volume-root",
		               path);
	return rc;
}

static int open_one(const struct job_volume *volume, struct mem_pool *pool, struct job_volumes *all,
                    struct error *err)
{
	struct provision_volume *provision = &all->provisions[all->count];
	struct volume_keeper keeper;
	char key[PLACE_PATH_MAX], root[PLACE_PATH_MAX];
	provision->preopen = volume->preopen;
	int rc = place_beside(volume->key, volume->path, ".key", key, err);
	if (rc == 0)
		rc = place_beside(volume->root, volume->path, ".root", root, err);
	if (rc == 0)
		rc = read_keys(key, pool, provision, err);
	if (rc == 0)
		rc = volume_keeper_file(root, &keeper, err);
	if (rc < 0)
		return rc;
	rc = volume->read_only ? keeper.hold(keeper.data, provision->id, err) : 0;
	if (rc == 0)
		rc = read_root(&keeper, root, provision, err);
	if (rc < 0)
		volume_keeper_file_free(&keeper);
	else if (volume->read_only)
		all->held[all->held_count++] = keeper;
	else
		all->keepers.of[volume->preopen] = keeper;
	all->count++;
	return rc;
}

int job_volumes_open(const struct job_volume *volumes, uint32_t count, struct mem_pool *pool,
                     struct job_volumes **ret_volumes, struct error *err)
{
	struct job_volumes *all = calloc(1, sizeof(*all));
	if (!all)
		return error_set(err, CELLA_ENOMEM, "no memory for a job's volumes");
	if (count > PROVISION_VOLUMES_MAX) {
		free(all);
		return error_set(err, CELLA_ELIMIT, "--volume may be given %d times at most",
		                 PROVISION_VOLUMES_MAX);
	}
	int rc = 0;
	all->provisions = mem_alloc(pool, (count + 1) * sizeof(*all->provisions));
	if (!all->provisions)
		rc = error_set(err, CELLA_ENOMEM, "no protected memory for a job's volumes");
	for (uint32_t i = 0; rc == 0 && i < count; i++) {
		rc = open_one(&volumes[i], pool, all, err);
		if (rc < 0)
			error_prefix(err, rc, "--volume %s: ", volumes[i].path);
	}
	if (rc < 0) {
		job_volumes_free(pool, all);
		return rc;
	}
	*ret_volumes = all;
	return 0;
}

void job_volumes_free(struct mem_pool *pool, struct job_volumes *all)
{
	if (!all)
		return;
	for (size_t i = 0; i < array_count(all->keepers.of); i++)
		if (all->keepers.of[i].get)
			volume_keeper_file_free(&all->keepers.of[i]);
	for (uint32_t i = 0; i < all->held_count; i++)
		volume_keeper_file_free(&all->held[i]);
	mem_free(pool, all->provisions);
	free(all);
}
