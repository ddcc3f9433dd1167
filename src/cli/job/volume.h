/*
 * The volumes of a job, as its owner has them: where each lies, its keys, and the root keeper. What all
 * executors get of them goes into the provisioning; a keeper serves the program's executor alone.
 */
#ifndef CLI_JOB_VOLUME_H
#define CLI_JOB_VOLUME_H

#include "base/error.h"
#include "cell/provision.h"
#include "cli/job/owner_keeper.h"
#include "mem/mem.h"

struct job_volume {
	const char *path;       /* the directory that it is stored in */
	const char *key, *root; /* its key file and root file; NULL: beside it, path.key and path.root */
	uint32_t preopen;       /* index of the preopened directory that it is */
	bool read_only;
};

struct job_volumes {
	struct provision_volume *provisions; /* in protected memory */
	uint32_t count;
	struct owner_keepers keepers; /* of those that the program may write */
	struct volume_keeper
		held[PROVISION_VOLUMES_MAX]; /* of those that it reads, so that nobody removes that */
	uint32_t held_count;
};

/* Read the keys, and the roots that the job begins with. CELLA_ENOENT: no key file, or no root file;
 * CELLA_EPERM: others may read the key file; CELLA_EAUTH: the root file is another volume's. */
int job_volumes_open(const struct job_volume *volumes, uint32_t count, struct mem_pool *pool,
                     struct job_volumes **ret_volumes, struct error *err) must_check;
/* Leases are given up. NULL is fine. */
void job_volumes_free(struct mem_pool *pool, struct job_volumes *volumes);

#endif
