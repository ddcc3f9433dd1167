#include "cell/owner/volume.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

enum { OWNER_VOLUME_BOUND_S = 60 }; /* that a keeper is behind at most, where it may be */

/* A file that is to be removed at the end. */
struct removed_name {
	char text[VOLUME_DISK_NAME_MAX];
};

struct owner_volume {
	struct owner *owner;
	struct mem_pool *pool;
	const char *guest;
	uint32_t preopen;
	uint32_t grant; /* as in struct provision_volume */
	bool writable, shared;
	uint8_t root[VOLUME_REFERENCE_SIZE];
	struct volume_disk disk;
	struct volume *volume;
	uint8_t id[VOLUME_ID_SIZE];
	struct buf removed; /* of struct removed_name */
};

/* ---- names, at the owner */

static int ask(struct owner_volume *o, struct owner_path_request *request, const char *name,
               const char *second, void *answer, size_t capacity, int *ret_fd, struct error *err)
{
	const struct wasi_host host = owner_wasi_host(o->owner);
	struct owner_path_reply reply;
	int fd = -1;
	request->preopen = request->second_preopen = o->preopen;
	request->path_size = (uint32_t)strlen(name);
	request->second_size = (uint32_t)strlen(second);
	int rc = host.path(host.data, request, name, second, &reply, answer, capacity, &fd);
	if (rc < 0)
		return error_set(err, rc,
		                 "the owner's command line did not answer about the volume's file %s", name);
	errno = reply.error;
	if (reply.error)
		return error_errno(err, volume_disk_code(reply.error), "the volume's file %s", name);
	if (ret_fd && fd < 0)
		return error_set(err, CELLA_EFORMAT, "no descriptor came of the volume's file %s", name);
	if (ret_fd)
		*ret_fd = fd;
	else if (fd >= 0)
		close(fd);
	return 0;
}

static int names_open(void *data, const char *name, enum volume_opening how, int *ret_fd, struct error *err)
{
	static const uint32_t flags[] = {
		[VOLUME_OPEN_READ] = OWNER_PATH_READ,
		[VOLUME_OPEN_NEW] = OWNER_PATH_READ | OWNER_PATH_WRITE | OWNER_PATH_CREATE |
	                            OWNER_PATH_EXCLUSIVE,
		[VOLUME_OPEN_REPLACE] = OWNER_PATH_WRITE | OWNER_PATH_CREATE | OWNER_PATH_TRUNCATE,
		[VOLUME_OPEN_DIRECTORY] = OWNER_PATH_READ | OWNER_PATH_DIRECTORY,
	};
	struct owner_path_request request = {.operation = OWNER_PATH_OPEN, .flags = flags[how]};
	return ask(data, &request, name, "", NULL, 0, ret_fd, err);
}

static int names_size(void *data, const char *name, uint64_t *ret_size, struct error *err)
{
	enum { FORMAT_MASK = 0170000, FORMAT_REGULAR = 0100000 };
	struct owner_path_request request = {.operation = OWNER_PATH_STAT};
	struct owner_path_stat found = {0};
	int rc = ask(data, &request, name, "", &found, sizeof(found), NULL, err);
	if (rc == 0 && (found.mode & FORMAT_MASK) != FORMAT_REGULAR)
		rc = error_set(err, CELLA_ENOENT, "the volume's %s is no regular file", name);
	if (rc == 0)
		*ret_size = found.size;
	return rc;
}

static int names_rename(void *data, const char *from, const char *to, struct error *err)
{
	struct owner_path_request request = {.operation = OWNER_PATH_RENAME};
	return ask(data, &request, from, to, NULL, 0, NULL, err);
}

static int remove_now(struct owner_volume *o, const char *name, struct error *err)
{
	struct owner_path_request request = {.operation = OWNER_PATH_UNLINK};
	return ask(o, &request, name, "", NULL, 0, NULL, err);
}

static int names_remove(void *data, const char *name, struct error *err)
{
	struct owner_volume *o = data;
	struct removed_name removed = {0};
	if (!o->shared)
		return remove_now(o, name, err);
	uint8_t *to = buf_reserve(&o->removed, sizeof(removed));
	if (!to)
		return error_set(err, CELLA_ENOMEM, "no memory for the names of a volume's files");
	snprintf(removed.text, sizeof(removed.text), "%s", name);
	memcpy(to, &removed, sizeof(removed));
	return 0;
}

/* ---- the root keeper, which is asked for the root when the volume is opened, under the lease, and where its
 * answer to a commit was lost */

static int keeper_get(void *data, const uint8_t volume[VOLUME_ID_SIZE],
                      uint8_t ret_root[VOLUME_REFERENCE_SIZE], struct error *err)
{
	struct owner_volume *o = data;
	struct owner_keeper_request request = {.operation = OWNER_KEEPER_GET, .preopen = o->preopen};
	struct owner_keeper_reply reply;
	if (!o->writable) {
		memcpy(ret_root, o->root, sizeof(o->root));
		return 0;
	}
	memcpy(request.volume, volume, sizeof(request.volume));
	int rc = owner_ask_keeper(o->owner, o->grant, &request, &reply, err);
	if (rc == 0 && !o->volume && !crypto_equal(reply.root, o->root, sizeof(o->root)))
		rc = error_set(err, CELLA_EAGAIN,
		               "another writer made a commit since the job began: start it again");
	if (rc == 0)
		memcpy(ret_root, reply.root, sizeof(reply.root));
	return rc;
}

static struct owner_keeper_request release_of(const struct owner_volume *o,
                                              const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	struct owner_keeper_request request = {.operation = OWNER_KEEPER_RELEASE,
	                                       .preopen = o->preopen,
	                                       .token = token};
	memcpy(request.volume, volume, sizeof(request.volume));
	return request;
}

/* The owner's own lease ends with the owner; a CAS is told by whoever outlives us. Where this fails the owner
 * is gone, and the lease ends by itself. */
static int leave_release(struct owner_volume *o, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                         struct error *err)
{
	const struct owner_keeper_request request = release_of(o, volume, token);
	return o->grant ? owner_leave_last(o->owner, o->grant, &request, err) : 0;
}

static int keeper_acquire(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over,
                          uint64_t *ret_token, struct error *err)
{
	struct owner_volume *o = data;
	struct owner_keeper_request request = {.operation = OWNER_KEEPER_ACQUIRE, .preopen = o->preopen};
	struct owner_keeper_reply reply;
	(void)take_over; /* not from inside a job */
	memcpy(request.volume, volume, sizeof(request.volume));
	int rc = owner_ask_keeper(o->owner, o->grant, &request, &reply, err);
	if (rc == 0)
		rc = leave_release(o, volume, reply.token, err);
	if (rc == 0)
		*ret_token = reply.token;
	return rc;
}

static struct owner_keeper_request swap_of(const struct owner_volume *o, const uint8_t volume[VOLUME_ID_SIZE],
                                           uint64_t token, const uint8_t from[VOLUME_REFERENCE_SIZE],
                                           const uint8_t to[VOLUME_REFERENCE_SIZE])
{
	struct owner_keeper_request request = {.operation = OWNER_KEEPER_SWAP,
	                                       .preopen = o->preopen,
	                                       .token = token};
	memcpy(request.volume, volume, sizeof(request.volume));
	memcpy(request.from, from, sizeof(request.from));
	memcpy(request.to, to, sizeof(request.to));
	return request;
}

static int keeper_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                       const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                       struct error *err)
{
	struct owner_volume *o = data;
	const struct owner_keeper_request request = swap_of(o, volume, token, from, to);
	struct owner_keeper_reply reply;
	return owner_ask_keeper(o->owner, o->grant, &request, &reply, err);
}

static void keeper_release(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	struct owner_volume *o = data;
	const struct owner_keeper_request request = release_of(o, volume, token);
	struct owner_keeper_reply reply;
	/* Where it does not arrive the owner is gone, and the lease with it. */
	(void)!owner_ask_keeper(o->owner, o->grant, &request, &reply, NULL);
}

static int ask_about_removal(struct owner_volume *o, enum owner_keeper_operation operation,
                             const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	struct owner_keeper_request request = {.operation = operation, .preopen = o->preopen};
	struct owner_keeper_reply reply;
	memcpy(request.volume, volume, sizeof(request.volume));
	return owner_ask_keeper(o->owner, o->grant, &request, &reply, err);
}

static int keeper_begin_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	return ask_about_removal(data, OWNER_KEEPER_BEGIN_REMOVAL, volume, err);
}

static void keeper_end_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE])
{
	(void)!ask_about_removal(data, OWNER_KEEPER_END_REMOVAL, volume, NULL);
}

/* ---- a CAS, which may be far away, as the root keeper */

static int cas_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                    const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                    struct error *err)
{
	struct owner_volume *o = data;
	const struct owner_keeper_request request = swap_of(o, volume, token, from, to);
	return owner_ask_later(o->owner, o->grant, &request, o, err);
}

static int cas_answer(void *data, struct error *err)
{
	struct owner_volume *o = data;
	return owner_take_answer(o->owner, o, err);
}

static bool cas_has_answer(void *data)
{
	struct owner_volume *o = data;
	return owner_has_answer(o->owner, o);
}

/* It does not know who reads which root (docs/protocols/cas.md), and is not asked. */
static int cas_begin_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	(void)data;
	(void)volume;
	return error_set(err, CELLA_EAGAIN, "other jobs may read an earlier commit");
}

static struct volume_keeper keeper_of(struct owner_volume *o)
{
	struct volume_keeper keeper = {.data = o,
	                               .get = keeper_get,
	                               .acquire = keeper_acquire,
	                               .swap = keeper_swap,
	                               .release = keeper_release,
	                               .begin_removal = keeper_begin_removal,
	                               .end_removal = keeper_end_removal};
	if (o->grant) {
		keeper.swap = cas_swap;
		keeper.answer = cas_answer;
		keeper.has_answer = cas_has_answer;
		keeper.begin_removal = cas_begin_removal;
	}
	return keeper;
}

/* ---- life */

static int open_volume(const struct owner_volume_config *config, struct owner_volume *o, struct error *err)
{
	const struct volume_names names = {.data = o,
	                                   .open = names_open,
	                                   .size = names_size,
	                                   .rename = names_rename,
	                                   .remove = names_remove};
	enum volume_mode mode = (enum volume_mode)config->volume->mode;
	int rc = volume_disk_names(&names, &o->disk, err);
	if (rc < 0)
		return rc;
	struct volume_config volume = {
		.pool = o->pool,
		.disk = o->disk,
		.keeper = keeper_of(o),
		.keys = config->volume->keys,
		.key_count = config->volume->key_count,
		.cache = config->cache,
		.writable = o->writable,
		/* What a writer had committed ahead of its keeper is no other writer's. */
		.exact = !o->writable || mode == VOLUME_STRICT,
		.mode = mode,
		.bound_commits = config->volume->bound,
		.bound_s = OWNER_VOLUME_BOUND_S,
	};
	return volume_open(&volume, &o->volume, err);
}

int owner_volume_open(const struct owner_volume_config *config, struct owner_volume **ret_volume,
                      struct error *err)
{
	struct owner_volume *o = mem_alloc(config->pool, sizeof(*o));
	if (!o)
		return error_set(err, CELLA_ENOMEM, "no protected memory for a volume");
	*o = (struct owner_volume){.owner = config->owner,
	                           .pool = config->pool,
	                           .guest = config->guest,
	                           .preopen = config->volume->preopen,
	                           .grant = config->volume->grant,
	                           .writable = config->writable,
	                           .shared = config->shared};
	memcpy(o->root, config->volume->root, sizeof(o->root));
	memcpy(o->id, config->volume->id, sizeof(o->id));
	int rc = open_volume(config, o, err);
	if (rc < 0) {
		owner_volume_free(o);
		return error_prefix(err, rc, "the volume at %s: ", config->guest);
	}
	*ret_volume = o;
	return 0;
}

struct volume *owner_volume_of(struct owner_volume *o)
{
	return o->volume;
}

int owner_volume_commit(struct owner_volume *o, struct error *err)
{
	int rc = o->writable ? volume_commit(o->volume, err) : 0;
	return rc < 0 ? error_prefix(err, rc, "the volume at %s: ", o->guest) : 0;
}

/* What stays, as others read it, is dead weight that compacting finds. */
static void remove_at_end(struct owner_volume *o)
{
	if (o->removed.size == 0 || keeper_of(o).begin_removal(o, o->id, NULL) < 0)
		return;
	struct reader r = reader_of(o->removed.data, o->removed.size);
	struct removed_name removed;
	while (reader_left(&r)) {
		reader_copy(&r, &removed, sizeof(removed));
		(void)!remove_now(o, removed.text, NULL);
	}
	keeper_end_removal(o, o->id);
}

void owner_volume_free(struct owner_volume *o)
{
	if (!o)
		return;
	remove_at_end(o);
	volume_free(o->volume);
	volume_disk_directory_free(&o->disk);
	buf_done(&o->removed);
	mem_free(o->pool, o);
}
