/*
 * A root keeper in a file: two slots of 512 bytes that are written in turn, so that a write that is cut
 * leaves the other; the valid one with the larger sequence counts.
 *
 *   slot     magic "CVK1", u32 version, 16 bytes volume, u64 sequence, u64 token, 64 bytes reference, SHA-384
 *            of all that, zeros
 *
 * Record locks of open file descriptions, on bytes that need not be there: the first is held for the time of
 * one operation; the second by all readers at once, and by a writer while it removes what they might need.
 * The lease is one on a byte of its token's own, so that whoever has the last token is known, whatever one
 * that was taken over still holds. They go with their holder.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "volume/keeper.h"

enum {
	SLOT_SIZE = 512,
	SLOTS = 2,
	SLOT_DIGEST_AT = 104,
	KEEPER_VERSION = 1,
	OPERATION_LOCK = 0, /* bytes that are locked */
	READERS_LOCK = 1,
	LEASE_LOCKS = 1 << 10, /* and the token */
};
#define KEEPER_MAGIC 0x314b5643u /* "CVK1" */
#define COUNTS_MAX ((uint64_t)1 << 63) /* nobody gets there by counting */

struct file_keeper {
	char *path;
	int lease; /* descriptor that holds the lock; -1: none */
	int held;  /* the same of readers, of which there are so many */
	uint32_t readers;
};

struct slot {
	uint64_t sequence, token;
	uint8_t volume[VOLUME_ID_SIZE];
	uint8_t root[VOLUME_REFERENCE_SIZE];
};

static int slot_write(const struct slot *s, uint8_t to[SLOT_SIZE], struct error *err)
{
	const uint32_t words[] = {KEEPER_MAGIC, KEEPER_VERSION};
	memset(to, 0, SLOT_SIZE);
	memcpy(to, words, sizeof(words));
	memcpy(to + 8, s->volume, sizeof(s->volume));
	memcpy(to + 24, &s->sequence, sizeof(s->sequence));
	memcpy(to + 32, &s->token, sizeof(s->token));
	memcpy(to + 40, s->root, sizeof(s->root));
	return crypto_sha384(to, SLOT_DIGEST_AT, to + SLOT_DIGEST_AT, err);
}

/* False: it was cut when it was written, or never. */
static bool slot_read(const uint8_t from[SLOT_SIZE], struct slot *ret)
{
	uint8_t digest[CRYPTO_SHA384_SIZE];
	struct reader r = reader_of(from, SLOT_SIZE);
	if (reader_u32(&r) != KEEPER_MAGIC || reader_u32(&r) != KEEPER_VERSION ||
	    crypto_sha384(from, SLOT_DIGEST_AT, digest, NULL) < 0 ||
	    memcmp(digest, from + SLOT_DIGEST_AT, sizeof(digest)) != 0)
		return false;
	reader_copy(&r, ret->volume, sizeof(ret->volume));
	ret->sequence = reader_u64(&r);
	ret->token = reader_u64(&r);
	reader_copy(&r, ret->root, sizeof(ret->root));
	return ret->sequence < COUNTS_MAX && ret->token < COUNTS_MAX;
}

/* The slot that counts; all zeros for an empty file. */
static int state_read(const struct file_keeper *k, int fd, const uint8_t volume[VOLUME_ID_SIZE],
                      struct slot *ret_state, struct error *err)
{
	uint8_t bytes[SLOTS * SLOT_SIZE] = {0};
	struct slot best = {0}, slot;
	ssize_t n = pread(fd, bytes, sizeof(bytes), 0);
	if (n < 0)
		return error_errno(err, CELLA_EIO, "cannot read the root file %s", k->path);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slot_read(bytes + i * SLOT_SIZE, &slot) && slot.sequence > best.sequence)
			best = slot;
	if (n > 0 && best.sequence == 0)
		return error_set(err, CELLA_EFORMAT, "%s is no root file, or it is damaged", k->path);
	if (best.sequence && memcmp(best.volume, volume, sizeof(best.volume)) != 0)
		return error_set(err, CELLA_EAUTH, "the root file %s is another volume's", k->path);
	*ret_state = best;
	return 0;
}

static int state_write(const struct file_keeper *k, int fd, struct slot *state, struct error *err)
{
	uint8_t bytes[SLOT_SIZE];
	struct slot next = *state;
	next.sequence++;
	int rc = slot_write(&next, bytes, err);
	if (rc < 0)
		return rc;
	if (pwrite(fd, bytes, sizeof(bytes), (off_t)(next.sequence % SLOTS * SLOT_SIZE)) != sizeof(bytes) ||
	    fdatasync(fd) < 0)
		return error_errno(err, errno == ENOSPC ? CELLA_ENOSPC : CELLA_EIO,
		                   "cannot write the root file %s", k->path);
	*state = next;
	return 0;
}

static struct flock lock_at(short type, uint64_t at)
{
	return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)at, .l_len = 1};
}

static struct flock lease_of(uint64_t token)
{
	return lock_at(F_WRLCK, LEASE_LOCKS + token % (COUNTS_MAX / 2));
}

static int lock_byte(const struct file_keeper *k, int fd, short type, uint64_t at, struct error *err)
{
	struct flock lock = lock_at(type, at);
	while (fcntl(fd, F_OFD_SETLKW, &lock) < 0)
		if (errno != EINTR)
			return error_errno(err, CELLA_EIO, "cannot lock the root file %s", k->path);
	return 0;
}

static int lock_record(const struct file_keeper *k, int fd, short type, struct error *err)
{
	return lock_byte(k, fd, type, OPERATION_LOCK, err);
}

static int keeper_get(void *data, const uint8_t volume[VOLUME_ID_SIZE],
                      uint8_t ret_root[VOLUME_REFERENCE_SIZE], struct error *err)
{
	const struct file_keeper *k = data;
	struct slot state = {0};
	cleanup_close int fd = open(k->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return error_errno(err, CELLA_EIO, "cannot open the root file %s", k->path);
	int rc = fd < 0 ? 0 : lock_record(k, fd, F_RDLCK, err);
	if (rc == 0 && fd >= 0)
		rc = state_read(k, fd, volume, &state, err);
	if (rc == 0)
		memcpy(ret_root, state.root, sizeof(state.root));
	return rc;
}

/* Has nobody the lease that goes with this token? */
static int check_lease(const struct file_keeper *k, int fd, uint64_t token, struct error *err)
{
	struct flock lease = lease_of(token);
	if (fcntl(fd, F_OFD_GETLK, &lease) < 0)
		return error_errno(err, CELLA_EIO, "cannot see who holds the root file %s", k->path);
	if (lease.l_type == F_UNLCK)
		return 0;
	return error_set(err, CELLA_EAGAIN,
	                 "another process writes to the volume (it holds the root file %s); wait for it, or "
	                 "take over, which fences it off",
	                 k->path);
}

static int take_lease(const struct file_keeper *k, int fd, const uint8_t volume[VOLUME_ID_SIZE],
                      bool take_over, uint64_t *ret_token, struct error *err)
{
	struct slot state;
	int rc = state_read(k, fd, volume, &state, err);
	if (rc == 0 && !take_over)
		rc = check_lease(k, fd, state.token, err);
	if (rc < 0)
		return rc;
	state.token++;
	memcpy(state.volume, volume, sizeof(state.volume));
	struct flock lease = lease_of(state.token);
	if (fcntl(fd, F_OFD_SETLK, &lease) < 0)
		return error_errno(err, CELLA_EIO, "cannot lock the root file %s", k->path);
	rc = state_write(k, fd, &state, err);
	if (rc == 0)
		*ret_token = state.token;
	return rc;
}

static int keeper_acquire(void *data, const uint8_t volume[VOLUME_ID_SIZE], bool take_over,
                          uint64_t *ret_token, struct error *err)
{
	struct file_keeper *k = data;
	uint64_t token = 0;
	cleanup_close int fd = open(k->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, CELLA_EIO, "cannot open the root file %s for writing", k->path);
	int rc = lock_record(k, fd, F_WRLCK, err);
	if (rc == 0)
		rc = take_lease(k, fd, volume, take_over, &token, err);
	if (rc < 0)
		return rc;
	(void)!io_sync_name(k->path, NULL); /* it may be new */
	rc = lock_record(k, fd, F_UNLCK, err);
	if (rc < 0)
		return rc;
	*ret_token = token;
	k->lease = take_fd(&fd);
	return 0;
}

static int swap_locked(struct file_keeper *k, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                       const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                       struct error *err)
{
	struct slot state;
	int rc = state_read(k, k->lease, volume, &state, err);
	if (rc < 0)
		return rc;
	if (state.token != token)
		return error_set(
			err, CELLA_EFENCED,
			"another writer took the volume over (token %llu, this one has %llu): what was "
			"not committed is lost",
			(unsigned long long)state.token, (unsigned long long)token);
	/* If it holds the next one already, it may be for a write that could not be synced. */
	if (memcmp(state.root, from, sizeof(state.root)) != 0 &&
	    memcmp(state.root, to, sizeof(state.root)) != 0)
		return error_set(err, CELLA_EAUTH,
		                 "the root file %s holds another root than the one expected", k->path);
	memcpy(state.root, to, sizeof(state.root));
	return state_write(k, k->lease, &state, err);
}

static int keeper_swap(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token,
                       const uint8_t from[VOLUME_REFERENCE_SIZE], const uint8_t to[VOLUME_REFERENCE_SIZE],
                       struct error *err)
{
	struct file_keeper *k = data;
	if (k->lease < 0)
		return error_set(err, CELLA_EFENCED, "this writer has no lease");
	int rc = lock_record(k, k->lease, F_WRLCK, err);
	if (rc < 0)
		return rc;
	rc = swap_locked(k, volume, token, from, to, err);
	int unlocked = lock_record(k, k->lease, F_UNLCK, rc == 0 ? err : NULL);
	return rc < 0 ? rc : unlocked;
}

static void keeper_release(void *data, const uint8_t volume[VOLUME_ID_SIZE], uint64_t token)
{
	struct file_keeper *k = data;
	(void)volume;
	(void)token;
	if (k->lease >= 0)
		close(k->lease);
	k->lease = -1;
}

/* ---- readers */

/* Where there is no root file there is nothing to hold. */
static int keeper_hold(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	struct file_keeper *k = data;
	(void)volume;
	if (k->readers == 0) {
		cleanup_close int fd = open(k->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return error_errno(err, CELLA_EIO, "cannot open the root file %s", k->path);
		int rc = fd < 0 ? 0 : lock_byte(k, fd, F_RDLCK, READERS_LOCK, err);
		if (rc < 0)
			return rc;
		k->held = take_fd(&fd);
	}
	k->readers++;
	return 0;
}

static void keeper_let_go(void *data, const uint8_t volume[VOLUME_ID_SIZE])
{
	struct file_keeper *k = data;
	(void)volume;
	k->readers -= k->readers > 0;
	if (k->readers || k->held < 0)
		return;
	close(k->held);
	k->held = -1;
}

static int keeper_begin_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE], struct error *err)
{
	const struct file_keeper *k = data;
	struct flock lock = lock_at(F_WRLCK, READERS_LOCK);
	(void)volume;
	if (k->lease >= 0 && fcntl(k->lease, F_OFD_SETLK, &lock) == 0)
		return 0;
	return error_set(err, CELLA_EAGAIN, "others read an earlier commit of the volume");
}

static void keeper_end_removal(void *data, const uint8_t volume[VOLUME_ID_SIZE])
{
	const struct file_keeper *k = data;
	(void)volume;
	(void)!lock_byte(k, k->lease, F_UNLCK, READERS_LOCK, NULL);
}

int volume_keeper_file(const char *path, struct volume_keeper *ret_keeper, struct error *err)
{
	struct file_keeper *k = calloc(1, sizeof(*k));
	char *copy = strdup(path);
	if (!k || !copy) {
		free(k);
		free(copy);
		return error_set(err, CELLA_ENOMEM, "no memory for a root keeper");
	}
	*k = (struct file_keeper){.path = copy, .lease = -1, .held = -1};
	*ret_keeper = (struct volume_keeper){.data = k,
	                                     .get = keeper_get,
	                                     .acquire = keeper_acquire,
	                                     .swap = keeper_swap,
	                                     .release = keeper_release,
	                                     .hold = keeper_hold,
	                                     .let_go = keeper_let_go,
	                                     .begin_removal = keeper_begin_removal,
	                                     .end_removal = keeper_end_removal};
	return 0;
}

void volume_keeper_file_free(struct volume_keeper *keeper)
{
	struct file_keeper *k = keeper->data;
	if (k) {
		keeper_release(k, NULL, 0);
		if (k->held >= 0)
			close(k->held);
		free(k->path);
	}
	free(k);
	keeper->data = NULL;
}
