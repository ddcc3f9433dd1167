#include "fake_power.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/io.h"

enum { FILES_MAX = 8, SECTOR = 512, PATH_SIZE = 1024 };

/* A write, or with no data a truncation to `at`. */
struct pending {
	uint64_t at;
	struct buf data;
	bool truncates;
};

struct disk_file {
	char path[PATH_SIZE];
	struct buf synced; /* what is in it for sure */
	struct pending *pending;
	size_t count, capacity;
};

/* SQLite allocates it, with room for its own VFS's file behind. */
struct file {
	sqlite3_file base;
	struct disk_file *disk; /* NULL: one without a name */
	sqlite3_file *real;
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	struct disk_file files[FILES_MAX];
	uint64_t operations, cut_after, syncs, failing_sync;
	bool cut;
} power;

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* ---- what the disk has */

static void forget_pending(struct disk_file *d)
{
	for (size_t i = 0; i < d->count; i++)
		buf_done(&d->pending[i].data);
	d->count = 0;
}

static void forget(struct disk_file *d)
{
	forget_pending(d);
	free(d->pending);
	buf_done(&d->synced);
	*d = (struct disk_file){0};
}

static void take_whole(struct disk_file *d)
{
	buf_done(&d->synced);
	if (access(d->path, F_OK) == 0)
		demand(io_read_file(d->path, 64 << 20, &d->synced, NULL) == 0);
	forget_pending(d);
}

static struct disk_file *disk_file(const char *path)
{
	struct disk_file *unused = NULL;
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (strcmp(power.files[i].path, path) == 0)
			return &power.files[i];
		if (!power.files[i].path[0])
			unused = &power.files[i];
	}
	demand(unused && strlen(path) < PATH_SIZE);
	memcpy(unused->path, path, strlen(path) + 1);
	take_whole(unused);
	return unused;
}

static void remember(struct disk_file *d, uint64_t at, const void *data, size_t size)
{
	if (d->count == d->capacity) {
		d->capacity = 2 * d->capacity + 16;
		d->pending = reallocarray(d->pending, d->capacity, sizeof(*d->pending));
		demand(d->pending != NULL);
	}
	struct pending *p = &d->pending[d->count++];
	*p = (struct pending){.at = at, .truncates = data == NULL};
	if (data)
		buf_put(&p->data, data, size);
}

static void put(struct buf *image, uint64_t at, const uint8_t *data, size_t size)
{
	if (at + size > image->size)
		demand(buf_reserve(image, at + size - image->size) != NULL);
	memcpy(image->data + at, data, size);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void settle_file(struct disk_file *d, enum fake_power_rest rest, uint64_t *random)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct pending *p = &d->pending[i];
		if (rest == FAKE_POWER_NOTHING)
			break;
		if (p->truncates) {
			if (rest == FAKE_POWER_ALL || next_random(random) % 2)
				d->synced.size = min_of(d->synced.size, (size_t)p->at);
			continue;
		}
		for (size_t done = 0; done < p->data.size; done += SECTOR)
			if (rest == FAKE_POWER_ALL || next_random(random) % 2)
				put(&d->synced, p->at + done, p->data.data + done,
				    min_of((size_t)SECTOR, p->data.size - done));
	}
	int fd = open(d->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	demand(fd >= 0 && io_write_full(fd, d->synced.data, d->synced.size, NULL) == 0);
	close(fd);
}

void fake_power_settle(enum fake_power_rest rest, uint64_t seed)
{
	uint64_t random = seed;
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (power.files[i].path[0] && power.cut)
			settle_file(&power.files[i], rest, &random);
		forget(&power.files[i]);
	}
	fake_power_cut_after(0);
	power.failing_sync = 0;
}

void fake_power_cut_after(uint64_t operations)
{
	power.cut = false;
	power.cut_after = operations;
	power.operations = 0;
}

bool fake_power_is_cut(void)
{
	return power.cut;
}

uint64_t fake_power_operations(void)
{
	return power.operations;
}

void fake_power_fail_sync(uint64_t sync)
{
	power.syncs = 0;
	power.failing_sync = sync;
}

/* One more operation: does it happen? */
static bool happens(void)
{
	power.operations++;
	if (power.cut_after && power.operations >= power.cut_after)
		power.cut = true;
	return !power.cut;
}

/* ---- files */

static struct file *file_of(sqlite3_file *f)
{
	return (struct file *)(void *)f;
}

static int file_close(sqlite3_file *f)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods ? real->pMethods->xClose(real) : SQLITE_OK;
}

static int file_read(sqlite3_file *f, void *to, int size, sqlite3_int64 at)
{
	sqlite3_file *real = file_of(f)->real;
	return power.cut ? SQLITE_IOERR_READ : real->pMethods->xRead(real, to, size, at);
}

static int file_write(sqlite3_file *f, const void *from, int size, sqlite3_int64 at)
{
	struct file *file = file_of(f);
	if (!happens())
		return SQLITE_IOERR_WRITE;
	if (file->disk)
		remember(file->disk, (uint64_t)at, from, (size_t)size);
	return file->real->pMethods->xWrite(file->real, from, size, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct file *file = file_of(f);
	if (!happens())
		return SQLITE_IOERR_TRUNCATE;
	if (file->disk)
		remember(file->disk, (uint64_t)size, NULL, 0);
	return file->real->pMethods->xTruncate(file->real, size);
}

static int file_sync(sqlite3_file *f, int flags)
{
	struct file *file = file_of(f);
	(void)flags;
	if (!happens() || ++power.syncs == power.failing_sync)
		return SQLITE_IOERR_FSYNC;
	if (file->disk)
		take_whole(file->disk); /* the real disk need not know: its power stays */
	return SQLITE_OK;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *ret_size)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xFileSize(real, ret_size);
}

static int file_lock(sqlite3_file *f, int level)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xLock(real, level);
}

static int file_unlock(sqlite3_file *f, int level)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xUnlock(real, level);
}

static int file_check_lock(sqlite3_file *f, int *ret_locked)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xCheckReservedLock(real, ret_locked);
}

static int file_control(sqlite3_file *f, int operation, void *arg)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xFileControl(real, operation, arg);
}

static int file_sector(sqlite3_file *f)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xSectorSize(real);
}

static int file_device(sqlite3_file *f)
{
	sqlite3_file *real = file_of(f)->real;
	return real->pMethods->xDeviceCharacteristics(real);
}

/* Version 1: no shared memory and no mapping, which an exclusive database does without. */
static const sqlite3_io_methods methods = {
	.iVersion = 1,
	.xClose = file_close,
	.xRead = file_read,
	.xWrite = file_write,
	.xTruncate = file_truncate,
	.xSync = file_sync,
	.xFileSize = file_size,
	.xLock = file_lock,
	.xUnlock = file_unlock,
	.xCheckReservedLock = file_check_lock,
	.xFileControl = file_control,
	.xSectorSize = file_sector,
	.xDeviceCharacteristics = file_device,
};

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct file *file = file_of(f);
	(void)vfs;
	file->base.pMethods = NULL;
	file->real = (sqlite3_file *)(void *)(file + 1);
	file->disk = name ? disk_file(name) : NULL;
	int code = power.real->xOpen(power.real, name, file->real, flags, ret_flags);
	if (code == SQLITE_OK)
		file->base.pMethods = &methods;
	return code;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
	(void)vfs;
	if (!happens())
		return SQLITE_IOERR_DELETE;
	int code = power.real->xDelete(power.real, name, sync);
	if (code == SQLITE_OK)
		forget(disk_file(name));
	return code;
}

void fake_power_install(void)
{
	power.real = sqlite3_vfs_find(NULL);
	demand(power.real != NULL);
	power.vfs = *power.real;
	power.vfs.zName = "power";
	power.vfs.szOsFile = (int)sizeof(struct file) + power.real->szOsFile;
	power.vfs.xOpen = vfs_open;
	power.vfs.xDelete = vfs_delete;
	demand(sqlite3_vfs_register(&power.vfs, 1) == SQLITE_OK);
}
