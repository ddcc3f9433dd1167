/*
 * Storage and a root keeper in memory, which fail where a test wants it, and lose what a power cut may take.
 *
 * All operations that change something (of the disk: create, write, sync, put, remove; of the keeper:
 * acquire, swap) are counted together, from 1. One of them may be the fault's:
 *
 *   FAULT_FAIL   it fails, and changes nothing
 *   FAULT_AFTER  it takes effect, and is reported as failed
 *   FAULT_STOP   the power goes: it may have an effect or a part of one, and nothing works any more
 *   FAULT_STOP_BEFORE  the same, before it has any
 *
 * fake_disk_crashed gives the disk as it may be found after that. What was synced is there. What was not is
 * there, absent, or in part, in sectors of 512 bytes or pages, each for itself: so writes are torn and
 * reordered. A
 * new file whose name was not synced may be missing, one that was removed may be back, and a small file that
 * was put is the old or the new one; if it was put without being durable it may be cut, too.
 */
#ifndef FAKE_DISK_H
#define FAKE_DISK_H

#include "volume/disk.h"
#include "volume/keeper.h"

enum fault { FAULT_NONE, FAULT_FAIL, FAULT_AFTER, FAULT_STOP, FAULT_STOP_BEFORE };

enum { FAKE_QUESTIONS_MAX = 8 };

/* What a disk and a keeper have in common. */
struct fake_world {
	uint64_t operations;
	uint64_t fault_at; /* 0: never */
	enum fault fault;
	int code; /* what the fault reports */
	bool stopped;
};

struct fake_disk;
struct fake_disk *fake_disk_new(struct fake_world *world);
void fake_disk_free(struct fake_disk *disk);
struct volume_disk fake_disk_interface(struct fake_disk *disk);
/* As it may be found after a power cut now. */
struct fake_disk *fake_disk_crashed(const struct fake_disk *disk, uint64_t seed, struct fake_world *world);
/* As it is. */
struct fake_disk *fake_disk_copy(const struct fake_disk *disk, struct fake_world *world);
/* Writes and new files fail with CELLA_ENOSPC once so many bytes are stored. */
void fake_disk_set_room(struct fake_disk *disk, uint64_t bytes);

/* Its files, to look at and to change; false: there is no such file. */
struct fake_bytes {
	const char *name;
	uint8_t *bytes;
	size_t size;
};
bool fake_disk_file(struct fake_disk *disk, size_t index, struct fake_bytes *ret_file);
bool fake_disk_find(struct fake_disk *disk, const char *name, struct fake_bytes *ret_file);
void fake_disk_replace(struct fake_disk *disk, const char *name, const void *bytes, size_t size);

/* One that is far is only asked to swap, and answers later: what is under way it does at any time, some of it
 * after its writer was killed. */
struct fake_keeper {
	struct fake_world *world;
	uint64_t token;
	uint8_t root[VOLUME_REFERENCE_SIZE];
	bool far;
	uint64_t random;
	bool slow; /* it does nothing before it is waited for */
	unsigned count;
	struct fake_question {
		uint64_t token;
		uint8_t from[VOLUME_REFERENCE_SIZE], to[VOLUME_REFERENCE_SIZE];
		bool done;
		int rc;
		struct error why;
	} questions[FAKE_QUESTIONS_MAX];
};
/* As its fields say by then. */
struct volume_keeper fake_keeper_interface(struct fake_keeper *keeper);

/* Numbers from a seed (splitmix64: Steele and others 2014). */
uint64_t fake_random(uint64_t *state);

#endif
