/*
 * Commits. What was written goes to the end of the log, the root last; when the disk has all of it, the
 * keeper is asked to go from the root before to this one. A crash in between leaves the volume at the
 * one or the other: opening follows the keeper. Where the volume was written in a mode other than `strict`
 * the keeper may be behind; so opening goes on from its root along the chain of those that follow it, as far
 * as the volume's own hint leads.
 */
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "volume/volume_state.h"

enum { CHAIN_MAX = 1 << 20 }; /* roots that may follow the keeper's */

static void reference_make(uint64_t counter, const struct volume_pointer *at,
                           uint8_t ret_reference[VOLUME_REFERENCE_SIZE])
{
	memset(ret_reference, 0, VOLUME_REFERENCE_SIZE);
	memcpy(ret_reference, &counter, sizeof(counter));
	memcpy(ret_reference + sizeof(counter), at, sizeof(*at));
}

static void reference_split(const uint8_t reference[VOLUME_REFERENCE_SIZE], uint64_t *ret_counter,
                            struct volume_pointer *ret_at)
{
	memcpy(ret_counter, reference, sizeof(*ret_counter));
	memcpy(ret_at, reference + sizeof(*ret_counter), sizeof(*ret_at));
}

static uint64_t counter_of(const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	struct volume_pointer at;
	uint64_t counter;
	reference_split(reference, &counter, &at);
	return counter;
}

static bool reference_is_set(const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	return !bytes_are_zero(reference, VOLUME_REFERENCE_SIZE);
}

int root_read(struct volume *v, const uint8_t reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
              struct error *err)
{
	uint8_t block[VOLUME_BLOCK_SIZE];
	struct volume_pointer at;
	uint64_t counter;
	reference_split(reference, &counter, &at);
	if (at.segment == SEGMENT_NONE || at.segment == SEGMENT_UNWRITTEN)
		return error_set(err, CELLA_EAUTH, "the reference to the volume's root is malformed");
	int rc = segment_read(v, VOLUME_KIND_ROOT, &at, block, sizeof(block), err);
	if (rc < 0)
		return error_prefix(err, rc, "root %llu of the volume: ", (unsigned long long)counter);
	struct reader r = reader_of(block, sizeof(block));
	struct volume_root root = {.counter = reader_u64(&r), .time_ns = reader_u64(&r)};
	reader_copy(&r, &root.top, sizeof(root.top));
	root.level = reader_u32(&r);
	reader_u32(&r);
	root.next_inode = reader_u64(&r);
	reader_copy(&r, root.before, sizeof(root.before));
	if (root.counter != counter || root.level >= VOLUME_LEVELS_MAX || root.top.segment == SEGMENT_NONE ||
	    root.top.segment == SEGMENT_UNWRITTEN)
		return error_set(err, CELLA_EAUTH, "root %llu of the volume is malformed",
		                 (unsigned long long)counter);
	*ret_root = root;
	return 0;
}

void root_adopt(struct volume *v, const struct volume_root *root,
                const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	v->root = *root;
	v->tree.top = root->top;
	v->tree.level = root->level;
	v->next_inode = root->next_inode;
	memcpy(v->reference, reference, VOLUME_REFERENCE_SIZE);
}

static int head_read(struct volume *v, uint8_t ret_reference[VOLUME_REFERENCE_SIZE], uint64_t *ret_token,
                     struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	uint8_t head[VOLUME_HEAD_SIZE];
	void *file;
	size_t size;
	int rc = disk->open(disk->data, VOLUME_FILE_HEAD, &file, err);
	if (rc < 0)
		return rc;
	rc = disk->read(disk->data, file, 0, head, sizeof(head), &size, err);
	disk->close(disk->data, file);
	if (rc < 0)
		return rc;
	if (size < sizeof(head))
		return error_set(err, CELLA_EAUTH, "the volume's file \"head\" was cut");
	memcpy(ret_reference, head, VOLUME_REFERENCE_SIZE);
	memcpy(ret_token, head + VOLUME_REFERENCE_SIZE, sizeof(*ret_token));
	return 0;
}

/* Is the hint wrong, or a root that it leads to? Else the disk fails, and might tell more at another time. */
static bool is_no_hint(int rc)
{
	return rc == CELLA_ENOENT || rc == CELLA_EAUTH || rc == CELLA_EFORMAT;
}

/* The hint cannot be followed. A reader does without; a writer might write over what was committed. */
static int lose_chain(const struct volume *v, const uint8_t head[VOLUME_REFERENCE_SIZE],
                      const uint8_t kept[VOLUME_REFERENCE_SIZE], int rc, struct error *err)
{
	if (!v->config.writable)
		return 0;
	return error_prefix(
		err, rc,
		"its file \"head\" leads to commit %llu, which cannot be followed from %llu, the root "
		"keeper's; without that file it goes on from there: ",
		(unsigned long long)counter_of(head), (unsigned long long)counter_of(kept));
}

/* The newest root, by the hint, that follows the keeper's; that itself if none does. */
static int follow_chain(struct volume *v, const uint8_t kept[VOLUME_REFERENCE_SIZE],
                        uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	uint8_t head[VOLUME_REFERENCE_SIZE], at[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	uint64_t token;
	memcpy(ret_reference, kept, VOLUME_REFERENCE_SIZE);
	int rc = head_read(v, head, &token, err);
	if (rc < 0)
		return is_no_hint(rc) ? 0 : rc;
	memcpy(at, head, sizeof(at));
	for (unsigned n = 0; n < CHAIN_MAX && counter_of(at) > counter_of(kept); n++) {
		rc = root_read(v, at, &root, err);
		if (rc < 0)
			return is_no_hint(rc) ? lose_chain(v, head, kept, rc, err) : rc;
		memcpy(at, root.before, sizeof(at));
	}
	if (counter_of(at) > counter_of(kept))
		return lose_chain(v, head, kept,
		                  error_set(err, CELLA_ELIMIT, "that is more than %d commits", CHAIN_MAX),
		                  err);
	if (memcmp(at, kept, sizeof(at)) == 0)
		memcpy(ret_reference, head, sizeof(head));
	return 0;
}

/* What others may count on: all who open it so are at the same commit, whoever writes meanwhile. */
static int stay_at(struct volume *v, const uint8_t kept[VOLUME_REFERENCE_SIZE],
                   uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	uint8_t last[VOLUME_REFERENCE_SIZE];
	memcpy(ret_reference, kept, VOLUME_REFERENCE_SIZE);
	int rc = v->config.writable ? follow_chain(v, kept, last, err) : 0;
	if (rc < 0 || !v->config.writable || memcmp(last, kept, sizeof(last)) == 0)
		return rc;
	return error_set(
		err, CELLA_EAGAIN,
		"it has commits that its root file was not told of: a cella volume compact tells it, and a cella "
		"session volume a CAS that keeps its root");
}

int root_choose(struct volume *v, uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
                struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	uint8_t kept[VOLUME_REFERENCE_SIZE], chosen[VOLUME_REFERENCE_SIZE];
	uint64_t token;
	int rc = keeper->get(keeper->data, v->id, kept, err);
	if (rc < 0)
		return rc;
	if (!reference_is_set(kept) && !v->config.any_copy)
		return error_set(err, CELLA_ENOENT,
		                 "the root keeper knows no root of this volume: is it another volume's?");
	memcpy(v->published, kept, sizeof(kept));
	if (!reference_is_set(kept))
		rc = head_read(v, chosen, &token, err);
	else
		rc = v->config.exact ? stay_at(v, kept, chosen, err) : follow_chain(v, kept, chosen, err);
	if (rc < 0)
		return rc;
	rc = root_read(v, chosen, ret_root, err);
	if (rc == CELLA_EAUTH || rc == CELLA_ENOENT)
		return error_prefix(
			err, rc,
			"its last commit is not there: this is an old copy, or one with parts missing or damaged: ");
	if (rc == 0)
		memcpy(ret_reference, chosen, sizeof(chosen));
	return rc;
}

static int write_root(struct volume *v, struct volume_root *ret_root,
                      uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	uint8_t block[VOLUME_BLOCK_SIZE] = {0};
	const uint8_t *plain = block;
	struct volume_pointer at;
	struct volume_root root = {.counter = v->root.counter + 1,
	                           .time_ns = volume_now_ns(),
	                           .top = v->tree.top,
	                           .level = v->tree.level,
	                           .next_inode = v->next_inode};
	memcpy(root.before, v->reference, sizeof(root.before));
	const uint64_t front[] = {root.counter, root.time_ns}, behind[] = {root.level, root.next_inode};
	memcpy(block, front, 16);
	memcpy(block + 16, &root.top, VOLUME_POINTER_SIZE);
	memcpy(block + 40, behind, 16);
	memcpy(block + 56, root.before, VOLUME_REFERENCE_SIZE);
	int rc = segment_append(v, VOLUME_KIND_ROOT, &plain, 1, sizeof(block), &at, err);
	if (rc < 0)
		return rc;
	reference_make(root.counter, &at, ret_reference);
	*ret_root = root;
	return 0;
}

/* Everything that is in memory only goes to the disk. */
static int flush_all(struct volume *v, struct error *err)
{
	struct volume_pointer last;
	uint64_t counter;
	reference_split(v->reference, &counter, &last);
	int rc = blocks_flush(v, err);
	if (rc == 0)
		rc = inode_flush_all(v, err);
	if (rc == 0 && !v->root_buried)
		rc = dead_add(v, last.segment, 1, err);
	if (rc < 0)
		return rc;
	v->root_buried = true;
	rc = dead_settle(v, err);
	return rc == 0 ? tree_flush(v, err) : rc;
}

/* The last answer of the keeper was lost: did it do what it was asked to? */
static int ask_keeper(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	uint8_t kept[VOLUME_REFERENCE_SIZE];
	if (!reference_is_set(v->asked))
		return 0;
	int rc = keeper->get(keeper->data, v->id, kept, err);
	if (rc < 0)
		return rc;
	if (memcmp(kept, v->asked, sizeof(kept)) == 0)
		memcpy(v->published, kept, sizeof(kept));
	memset(v->asked, 0, sizeof(v->asked));
	return 0;
}

static int swap_root(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	int rc = ask_keeper(v, err);
	if (rc < 0)
		return rc;
	rc = keeper->swap(keeper->data, v->id, v->token, v->published, v->reference, err);
	if (rc == CELLA_EFENCED || rc == CELLA_EAUTH)
		return volume_break(v, rc, err);
	if (rc < 0)
		memcpy(v->asked, v->reference, sizeof(v->asked));
	return rc;
}

/* Also where it has it: then it says whether this is still the writer. */
static int tell_keeper(struct volume *v, struct error *err)
{
	int rc = swap_root(v, err);
	if (rc < 0)
		return v->failure.code
		               ? rc
		               : error_prefix(err, rc,
		                              "the commit is on the disk, but not at the root keeper: ");
	memcpy(v->published, v->reference, sizeof(v->published));
	v->published_ns = clock_ns();
	removal_run(v);
	return 0;
}

int publish_locked(struct volume *v, struct error *err)
{
	if (!reference_is_set(v->reference) || memcmp(v->published, v->reference, sizeof(v->published)) == 0)
		return 0;
	return tell_keeper(v, err);
}

/* May the keeper stay where it is for now? */
static bool may_lag(const struct volume *v)
{
	if (v->config.mode == VOLUME_STRICT || !reference_is_set(v->published))
		return false;
	if (v->config.mode == VOLUME_OFFLINE)
		return true;
	return counter_of(v->reference) - counter_of(v->published) < v->config.bound_commits &&
	       clock_ns() - v->published_ns < (uint64_t)v->config.bound_s * 1000000000;
}

/* A writer that was taken over learns it from the keeper, which it asks seldom: it must not lead away from
 * what the other has committed since. The hint, which is in the clear, is a reason to ask, and no more. */
static int head_check(struct volume *v, struct error *err)
{
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	uint64_t token;
	int rc = head_read(v, reference, &token, err);
	if (rc < 0)
		return is_no_hint(rc) ? 0 : rc;
	return token > v->token ? tell_keeper(v, err) : 0;
}

int head_write(struct volume *v, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	bool durable = v->config.mode != VOLUME_STRICT; /* then it is what opening goes on by */
	uint8_t head[VOLUME_HEAD_SIZE];
	if (memcmp(v->hinted, v->reference, sizeof(v->hinted)) == 0)
		return 0;
	memcpy(head, v->reference, sizeof(v->reference));
	memcpy(head + sizeof(v->reference), &v->token, sizeof(v->token));
	int rc = head_check(v, err);
	if (rc == 0)
		rc = disk->put(disk->data, VOLUME_FILE_HEAD, head, sizeof(head), durable, err);
	if (rc == 0)
		memcpy(v->hinted, v->reference, sizeof(v->hinted));
	return rc;
}

/* The last root is on the disk; does it count? */
static int make_count(struct volume *v, struct error *err)
{
	int rc = v->config.mode == VOLUME_STRICT || !reference_is_set(v->reference) ? 0 : head_write(v, err);
	if (rc < 0)
		return error_prefix(err, rc, "the commit is on the disk, but not its hint: ");
	return may_lag(v) ? 0 : publish_locked(v, err);
}

int commit_locked(struct volume *v, struct error *err)
{
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	if (!v->changed)
		return make_count(v, err);
	int rc = flush_all(v, err);
	if (rc == 0)
		rc = write_root(v, &root, reference, err);
	if (rc < 0)
		return error_prefix(err, rc, "nothing was committed: ");
	rc = segment_sync(v, err);
	if (rc < 0)
		return error_prefix(err, rc, "nothing was committed: ");
	root_adopt(v, &root, reference);
	v->changed = false;
	v->root_buried = false;
	return make_count(v, err);
}

int volume_commit(struct volume *v, struct error *err)
{
	volume_locked(v);
	int rc = volume_may_write(v, err);
	return rc == 0 ? commit_locked(v, err) : rc;
}

int volume_publish(struct volume *v, struct error *err)
{
	volume_locked(v);
	int rc = volume_may_write(v, err);
	return rc == 0 ? publish_locked(v, err) : rc;
}

static int named_root(void *data, const uint8_t volume[VOLUME_ID_SIZE],
                      uint8_t ret_root[VOLUME_REFERENCE_SIZE], struct error *err)
{
	(void)volume;
	(void)err;
	memcpy(ret_root, data, VOLUME_REFERENCE_SIZE);
	return 0;
}

int volume_descends(const struct volume_config *config, const uint8_t later[VOLUME_REFERENCE_SIZE],
                    const uint8_t earlier[VOLUME_REFERENCE_SIZE], bool *ret_descends, struct error *err)
{
	uint8_t at[VOLUME_REFERENCE_SIZE];
	struct volume_config there = *config;
	struct volume_root root;
	struct volume *v;
	memcpy(at, later, sizeof(at));
	there.keeper = (struct volume_keeper){.data = at, .get = named_root};
	there.writable = false;
	there.exact = true;
	int rc = volume_open(&there, &v, err);
	if (rc < 0)
		return rc;
	while (rc == 0 && counter_of(at) > counter_of(earlier)) {
		rc = root_read(v, at, &root, err);
		if (rc == 0)
			memcpy(at, root.before, sizeof(at));
	}
	volume_free(v);
	if (rc == 0)
		*ret_descends = memcmp(at, earlier, sizeof(at)) == 0;
	return rc;
}
