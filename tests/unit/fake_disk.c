/* Storage and a root keeper in memory (fake_disk.h). */
#include "fake_disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

enum { SECTOR = 512, PAGE = 4096, FILES_MAX = 4096 };

struct bytes {
	uint8_t *at;
	size_t size, room;
};

struct file {
	char name[VOLUME_DISK_NAME_MAX];
	bool exists;         /* its name, now */
	bool name_synced;    /* its name, after a crash, for sure */
	bool removed;        /* its name may be back after a crash, */
	bool superseded;     /* but not where that of another file is durable */
	struct bytes now;    /* what is read */
	struct bytes synced; /* what a crash leaves for sure */
	bool dirty;          /* the two differ, or may */
	bool put;            /* it was put: the old or the new one, as a whole */
	bool durable;        /* the put was to be, so the new one is no torn one */
};

struct fake_disk {
	struct fake_world *world;
	pthread_mutex_t lock;
	uint64_t room;
	size_t count;
	struct file files[FILES_MAX];
};

uint64_t fake_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static void resize(struct bytes *b, size_t size)
{
	if (size > b->room) {
		b->room = size + size / 2 + 1;
		b->at = realloc(b->at, b->room);
		if (!b->at)
			abort();
	}
	if (size > b->size)
		memset(b->at + b->size, 0, size - b->size);
	b->size = size;
}

static void copy_bytes(struct bytes *to, const struct bytes *from)
{
	resize(to, 0);
	resize(to, from->size);
	if (from->size)
		memcpy(to->at, from->at, from->size);
}

static void set_bytes(struct bytes *to, const void *from, size_t size)
{
	resize(to, 0);
	resize(to, size);
	if (size)
		memcpy(to->at, from, size);
}

/* ---- faults */

/* Counts an operation: 0, or what it reports; *ret_works: does it take effect? */
static int begin(struct fake_world *w, bool *ret_works, struct error *err)
{
	*ret_works = !w->stopped;
	if (w->stopped)
		return error_set(err, CELLA_EIO, "the power is off");
	if (++w->operations != w->fault_at || w->fault == FAULT_NONE)
		return 0;
	*ret_works = w->fault == FAULT_AFTER || w->fault == FAULT_STOP;
	w->stopped = w->fault == FAULT_STOP || w->fault == FAULT_STOP_BEFORE;
	return error_set(err, w->code, "operation %llu was made to fail", (unsigned long long)w->operations);
}

static void lock_of(struct fake_disk **disk)
{
	pthread_mutex_unlock(&(*disk)->lock);
}
static struct fake_disk *enter(void *data)
{
	struct fake_disk *disk = data;
	pthread_mutex_lock(&disk->lock);
	return disk;
}
#define entered(data) __attribute__((cleanup(lock_of))) struct fake_disk *disk = enter(data)

static struct file *find(struct fake_disk *disk, const char *name)
{
	for (size_t i = 0; i < disk->count; i++)
		if (disk->files[i].exists && strcmp(disk->files[i].name, name) == 0)
			return &disk->files[i];
	return NULL;
}

static struct file *add(struct fake_disk *disk, const char *name)
{
	if (disk->count == FILES_MAX)
		abort();
	struct file *f = &disk->files[disk->count++];
	*f = (struct file){.exists = true};
	memcpy(f->name, name, strnlen(name, sizeof(f->name) - 1));
	return f;
}

static bool has_room(const struct fake_disk *disk, size_t more)
{
	uint64_t sum = more;
	for (size_t i = 0; i < disk->count; i++)
		sum += disk->files[i].exists ? disk->files[i].now.size : 0;
	return sum <= disk->room;
}

static void sync_name(struct fake_disk *disk, struct file *f)
{
	f->name_synced = true;
	for (struct file *before = disk->files; before < f; before++)
		before->superseded |= strcmp(before->name, f->name) == 0;
}

/* ---- the interface */

static int disk_open(void *data, const char *name, void **ret_file, struct error *err)
{
	entered(data);
	struct file *f = find(disk, name);
	if (disk->world->stopped)
		return error_set(err, CELLA_EIO, "the power is off");
	if (!f)
		return error_set(err, CELLA_ENOENT, "there is no file %s", name);
	*ret_file = f;
	return 0;
}

static int disk_create(void *data, const char *name, void **ret_file, struct error *err)
{
	entered(data);
	bool works;
	if (find(disk, name))
		return error_set(err, CELLA_EEXIST, "there is a file %s", name);
	int rc = begin(disk->world, &works, err);
	if (rc == 0 && !has_room(disk, 1))
		return error_set(err, CELLA_ENOSPC, "there is no room for a file");
	struct file *f = works ? add(disk, name) : NULL;
	if (rc == 0)
		*ret_file = f;
	return rc;
}

static void disk_close(void *data, void *file)
{
	(void)data;
	(void)file;
}

static int disk_read(void *data, void *file, uint64_t offset, void *to, size_t size, size_t *ret_size,
                     struct error *err)
{
	entered(data);
	const struct file *f = file;
	if (disk->world->stopped)
		return error_set(err, CELLA_EIO, "the power is off");
	size_t left = offset < f->now.size ? f->now.size - (size_t)offset : 0;
	*ret_size = min_of(size, left);
	if (*ret_size)
		memcpy(to, f->now.at + offset, *ret_size);
	return 0;
}

static int disk_write(void *data, void *file, uint64_t offset, const void *from, size_t size,
                      struct error *err)
{
	entered(data);
	struct file *f = file;
	bool works;
	size_t end = (size_t)offset + size, more = end > f->now.size ? end - f->now.size : 0;
	int rc = begin(disk->world, &works, err);
	if (rc == 0 && !has_room(disk, more))
		return error_set(err, CELLA_ENOSPC, "there is no room for %zu bytes", more);
	if (!works)
		return rc;
	resize(&f->now, end > f->now.size ? end : f->now.size);
	memcpy(f->now.at + offset, from, size);
	f->dirty = true;
	return rc;
}

/* All of it, or all but the last page. */
static void drop_unsynced(struct file *f, bool keep_last)
{
	size_t kept = keep_last && f->now.size > PAGE ? PAGE : 0, at = f->now.size - kept;
	struct bytes last = {0};
	set_bytes(&last, f->now.at + at, kept);
	copy_bytes(&f->now, &f->synced);
	if (kept) {
		resize(&f->now, at + kept);
		memcpy(f->now.at + at, last.at, kept);
	}
	free(last.at);
}

static int disk_sync(void *data, void *file, struct error *err)
{
	entered(data);
	struct file *f = file;
	bool works;
	int rc = begin(disk->world, &works, err);
	/* one that fails may drop what it should have written (fsync as Linux has it), all or a part */
	if (disk->world->fault == FAULT_FAIL && rc < 0 && !disk->world->stopped)
		drop_unsynced(f, disk->world->operations % 2);
	if (!works || disk->world->stopped)
		return rc;
	copy_bytes(&f->synced, &f->now);
	f->dirty = false;
	sync_name(disk, f);
	return rc;
}

static int disk_put(void *data, const char *name, const void *bytes, size_t size, bool durable,
                    struct error *err)
{
	entered(data);
	bool works;
	int rc = begin(disk->world, &works, err);
	if (rc == 0 && !has_room(disk, size))
		return error_set(err, CELLA_ENOSPC, "there is no room for %zu bytes", size);
	if (!works)
		return rc;
	struct file *f = find(disk, name);
	if (!f)
		f = add(disk, name);
	set_bytes(&f->now, bytes, size);
	f->put = f->dirty = true;
	f->durable = durable;
	if (durable && !disk->world->stopped) {
		copy_bytes(&f->synced, &f->now);
		f->dirty = false;
		sync_name(disk, f);
	}
	return rc;
}

static int disk_remove(void *data, const char *name, struct error *err)
{
	entered(data);
	bool works;
	struct file *f = find(disk, name);
	if (!f)
		return error_set(err, CELLA_ENOENT, "there is no file %s", name);
	int rc = begin(disk->world, &works, err);
	if (works) {
		f->exists = false;
		f->removed = true;
	}
	return rc;
}

/* The file at an index, if there is one. */
static bool listed(void *data, size_t index, char name[VOLUME_DISK_NAME_MAX], uint64_t *ret_size)
{
	entered(data);
	if (index >= disk->count || !disk->files[index].exists)
		return false;
	memcpy(name, disk->files[index].name, VOLUME_DISK_NAME_MAX);
	*ret_size = disk->files[index].now.size;
	return true;
}

/* Whoever is told of a file may read, meanwhile. */
static int disk_list(void *data, int (*each)(void *arg, const char *name, uint64_t size), void *arg,
                     struct error *err)
{
	const struct fake_disk *whole = data;
	char name[VOLUME_DISK_NAME_MAX];
	uint64_t size;
	int rc = whole->world->stopped ? error_set(err, CELLA_EIO, "the power is off") : 0;
	for (size_t i = 0; rc == 0 && i < FILES_MAX; i++)
		if (listed(data, i, name, &size))
			rc = each(arg, name, size);
	return rc;
}

struct volume_disk fake_disk_interface(struct fake_disk *disk)
{
	return (struct volume_disk){.data = disk,
	                            .open = disk_open,
	                            .create = disk_create,
	                            .close = disk_close,
	                            .read = disk_read,
	                            .write = disk_write,
	                            .sync = disk_sync,
	                            .put = disk_put,
	                            .remove = disk_remove,
	                            .list = disk_list};
}

/* ---- disks as a whole */

struct fake_disk *fake_disk_new(struct fake_world *world)
{
	struct fake_disk *disk = calloc(1, sizeof(*disk));
	if (!disk)
		abort();
	disk->world = world;
	disk->room = UINT64_MAX;
	pthread_mutex_init(&disk->lock, NULL);
	return disk;
}

void fake_disk_free(struct fake_disk *disk)
{
	if (!disk)
		return;
	for (size_t i = 0; i < disk->count; i++) {
		free(disk->files[i].now.at);
		free(disk->files[i].synced.at);
	}
	pthread_mutex_destroy(&disk->lock);
	free(disk);
}

void fake_disk_set_room(struct fake_disk *disk, uint64_t bytes)
{
	disk->room = bytes;
}

static void add_synced(struct fake_disk *disk, const char *name, const struct bytes *bytes)
{
	struct file *f = add(disk, name);
	copy_bytes(&f->now, bytes);
	copy_bytes(&f->synced, bytes);
	f->name_synced = true;
}

struct fake_disk *fake_disk_copy(const struct fake_disk *disk, struct fake_world *world)
{
	struct fake_disk *copy = fake_disk_new(world);
	for (size_t i = 0; i < disk->count; i++)
		if (disk->files[i].exists)
			add_synced(copy, disk->files[i].name, &disk->files[i].now);
	return copy;
}

/* Which of the unsynced sectors arrive: none, all, half of them or of the pages, a front or a back part. */
enum arrival { ARRIVES_NOT, ARRIVES_ALL, ARRIVES_SOME, ARRIVES_PAGES, ARRIVES_FRONT, ARRIVES_BACK, ARRIVALS };

static bool page_arrives(size_t at, uint64_t *random, bool before)
{
	return at % PAGE == 0 ? fake_random(random) & 1 : before;
}

/* What a crash leaves of a file that was written, but not synced since. */
static void tear(const struct file *f, uint64_t *random, struct bytes *ret)
{
	enum arrival how = fake_random(random) % ARRIVALS;
	size_t front = f->now.size ? (size_t)(fake_random(random) % f->now.size) : 0;
	bool page = false,
	     long_size = fake_random(random) & 1; /* the size arrives, though not what it should hold */
	copy_bytes(ret, &f->synced);
	for (size_t at = 0; at < f->now.size; at += SECTOR) {
		size_t size = min_of((size_t)SECTOR, f->now.size - at);
		page = page_arrives(at, random, page);
		bool arrives = how == ARRIVES_ALL || (how == ARRIVES_SOME && fake_random(random) & 1) ||
		               (how == ARRIVES_PAGES && page) ||
		               (how == ARRIVES_FRONT && at + size <= front) ||
		               (how == ARRIVES_BACK && at >= front / PAGE * PAGE);
		if (!arrives)
			continue;
		if (at + size > ret->size)
			resize(ret, at + size);
		memcpy(ret->at + at, f->now.at + at, size);
	}
	if (long_size && ret->size < f->now.size)
		resize(ret, f->now.size);
}

static void crash_file(const struct file *f, uint64_t *random, struct fake_disk *image)
{
	struct bytes left = {0};
	bool named = f->name_synced || fake_random(random) & 1, gone = f->removed && fake_random(random) & 1;
	if (!named || gone || f->superseded || find(image, f->name)) /* of a name there is one, the newest */
		return;
	if (!f->dirty) {
		copy_bytes(&left, &f->synced);
	} else if (!f->put) {
		tear(f, random, &left);
	} else {
		bool arrives = !f->name_synced || fake_random(random) & 1;
		copy_bytes(&left, arrives ? &f->now : &f->synced);
		if (arrives && !f->durable && fake_random(random) & 1)
			resize(&left, (size_t)(fake_random(random) % (f->now.size + 1)));
	}
	add_synced(image, f->name, &left);
	free(left.at);
}

struct fake_disk *fake_disk_crashed(const struct fake_disk *disk, uint64_t seed, struct fake_world *world)
{
	struct fake_disk *image = fake_disk_new(world);
	for (size_t i = disk->count; i > 0; i--)
		crash_file(&disk->files[i - 1], &seed, image);
	return image;
}

static void show(struct file *f, struct fake_bytes *ret)
{
	*ret = (struct fake_bytes){.name = f->name, .bytes = f->now.at, .size = f->now.size};
}

bool fake_disk_file(struct fake_disk *disk, size_t index, struct fake_bytes *ret_file)
{
	for (size_t i = 0; i < disk->count; i++)
		if (disk->files[i].exists && index-- == 0) {
			show(&disk->files[i], ret_file);
			return true;
		}
	return false;
}

bool fake_disk_find(struct fake_disk *disk, const char *name, struct fake_bytes *ret_file)
{
	struct file *f = find(disk, name);
	if (f)
		show(f, ret_file);
	return f;
}

void fake_disk_replace(struct fake_disk *disk, const char *name, const void *bytes, size_t size)
{
	struct file *f = find(disk, name);
	if (!f)
		f = add(disk, name);
	set_bytes(&f->now, bytes, size);
	copy_bytes(&f->synced, &f->now);
}

/* ---- the keeper */

static int keeper_get(void *data, const uint8_t volume[VOLUME_ID_SIZE],
                      uint8_t ret_root[VOLUME_REFERENCE_SIZE], struct error *err)
{
	const struct fake_keeper *k = data;
	(void)volume;
	if (k->world->stopped)
		return error_set(err, CELLA_EIO, "the power is off");
	memcpy(ret_root, k->root, sizeof(k->root));
	return 0;
}

static int swap(struct fake_keeper *k, uint64_t token, const uint8_t from[VOLUME_REFERENCE_SIZE],
                const uint8_t to[VOLUME_REFERENCE_SIZE], bool works, int rc, struct error *err)
{
	if (rc < 0 && !works)
		return rc;
	if (token != k->token)
		return rc < 0 ? rc : error_set(err, CELLA_EFENCED, "another writer took over");
	if (memcmp(k->root, to, sizeof(k->root)) == 0)
		return rc;
	if (memcmp(k->root, from, sizeof(k->root)) != 0)
		return rc < 0 ? rc : error_set(err, CELLA_EAUTH, "the keeper holds another root");
	memcpy(k->root, to, sizeof(k->root));
	return rc;
}

static int keeper_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                       const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                       struct error *err)
{
	struct fake_keeper *k = data;
	bool works;
	(void)volume;
	int rc = begin(k->world, &works, err);
	return swap(k, token, from, to, works, rc, err);
}

static int send_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                     const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                     struct error *err)
{
	struct fake_keeper *k = data;
	struct fake_question *q = &k->questions[k->count];
	(void)volume;
	if (k->world->stopped)
		return error_set(err, CELLA_EIO, "the power is off");
	if (k->count == FAKE_QUESTIONS_MAX)
		abort();
	k->count++;
	*q = (struct fake_question){.token = token};
	memcpy(q->from, from, sizeof(q->from));
	memcpy(q->to, to, sizeof(q->to));
	return 0;
}

/* The power may be off where the writer is: then it may have arrived before. */
static void carry_out(struct fake_keeper *k, struct fake_question *q)
{
	bool works;
	int rc = begin(k->world, &works, &q->why);
	if (k->world->stopped && !works)
		works = fake_random(&k->random) & 1;
	q->rc = swap(k, q->token, q->from, q->to, works, rc, &q->why);
	q->done = true;
}

static void carry_out_some(struct fake_keeper *k)
{
	for (unsigned i = 0; i < k->count && fake_random(&k->random) & 1; i++)
		if (!k->questions[i].done)
			carry_out(k, &k->questions[i]);
}

static bool keeper_has_answer(void *data)
{
	struct fake_keeper *k = data;
	if (!k->slow)
		carry_out_some(k);
	return k->count && k->questions[0].done;
}

static int keeper_answer(void *data, struct error *err)
{
	struct fake_keeper *k = data;
	if (k->count == 0)
		abort();
	struct fake_question q = k->questions[0];
	if (!q.done)
		carry_out(k, &q);
	k->count--;
	memmove(k->questions, k->questions + 1, k->count * sizeof(q));
	if (q.rc < 0 && err)
		*err = q.why;
	return q.rc;
}

static int keeper_acquire(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over,
                          uint64_t *ret_token, struct error *err)
{
	struct fake_keeper *k = data;
	bool works;
	(void)volume;
	(void)take_over;
	carry_out_some(k);
	k->count = 0; /* too late: its token is too old by then */
	int rc = begin(k->world, &works, err);
	if (works)
		k->token++;
	if (rc == 0)
		*ret_token = k->token;
	return rc;
}

static void keeper_release(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	(void)data;
	(void)volume;
	(void)token;
}

struct volume_keeper fake_keeper_interface(struct fake_keeper *keeper)
{
	return (struct volume_keeper){.data = keeper,
	                              .get = keeper_get,
	                              .acquire = keeper_acquire,
	                              .swap = keeper->far ? send_swap : keeper_swap,
	                              .answer = keeper->far ? keeper_answer : NULL,
	                              .has_answer = keeper->far ? keeper_has_answer : NULL,
	                              .release = keeper_release};
}
