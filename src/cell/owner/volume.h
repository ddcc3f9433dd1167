/*
 * Volumes of a job in its executor: opened here, from the keys in the provisioning, over the owner's channel.
 *
 * The owner resolves the names of the files that a volume is stored in (OWNER_PATH frames on its preopened
 * directory) and passes descriptors, by which they are read and written here. It serves the root keeper, too,
 * over sealed frames, so that nobody on the way can answer with an older root.
 *
 * Only a driver's executor writes. The others, and a reader, are at the root that the provisioning names,
 * which is the same for all: what the driver commits meanwhile is not seen by them.
 *
 * Threats: the owner's machine is trusted for the root, the disk is not: see volume/volume.h.
 */
#ifndef CELL_OWNER_VOLUME_H
#define CELL_OWNER_VOLUME_H

#include "cell/owner/owner.h"
#include "cell/provision.h"
#include "volume/volume.h"

struct owner_volume;

struct owner_volume_config {
	struct owner *owner;
	struct mem_pool *pool;
	const struct provision_volume *volume; /* borrowed while it is opened; the caller wipes it */
	const char *guest;                     /* its name in the cell, for messages; borrowed */
	size_t cache;
	bool writable;
	/* Others read the root that the job began with: what that needs is removed at the end only. */
	bool shared;
};

int owner_volume_open(const struct owner_volume_config *config, struct owner_volume **ret_volume,
                      struct error *err) must_check;
struct volume *owner_volume_of(struct owner_volume *volume);
/* A last commit: files that were open must have been closed. Nothing where it is not writable. */
int owner_volume_commit(struct owner_volume *volume, struct error *err) must_check;
/* What was not committed is lost. NULL is fine. */
void owner_volume_free(struct owner_volume *volume);

#endif
