/*
 * Commits. What was written goes to the end of the log, the root last; when the disk has all of it, the
 * keeper is asked to go from the root before to this one. A crash in between leaves the volume at the
 * one or the other: opening follows the keeper (root.c).
 *
 * In a mode other than `strict` a commit counts once the disk has it, and the file "head" says that the log
 * is to be searched for commits that the keeper does not know.
 */
#include <string.h>

#include "base/clock.h"
#include "volume/volume_state.h"

enum { HINT_COMMITS = 64 }; /* that the file "head" may be behind, in one segment */

/* A root of what there is now, behind the last one. */
static int append_root(struct volume *v, struct volume_root *ret_root,
                       uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	struct volume_root root = {.counter = v->root.counter + 1,
	                           .time_ns = volume_now_ns(),
	                           .top = v->tree.top,
	                           .level = v->tree.level,
	                           .flags = v->config.mode == VOLUME_STRICT ? 0 : VOLUME_ROOT_COUNTS,
	                           .next_inode = v->next_inode,
	                           .token = v->token};
	memcpy(root.before, v->reference, sizeof(root.before));
	*ret_root = root;
	return root_write(v, &root, ret_reference, err);
}

/* Everything that is in memory only goes to the disk. */
static int flush_all(struct volume *v, struct error *err)
{
	int rc = block_cache_flush(v, err);
	if (rc == 0)
		rc = inode_flush_all(v, err);
	if (rc == 0 && !v->root_buried)
		rc = dead_add(v, volume_place_of(v->reference).segment, 1, err);
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

static int head_put(struct volume *v, bool settled, bool durable, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	uint8_t bytes[VOLUME_HEAD_SIZE];
	const uint64_t behind[] = {v->token, settled ? VOLUME_HEAD_SETTLED : 0};
	memcpy(bytes, v->reference, VOLUME_REFERENCE_SIZE);
	memcpy(bytes + VOLUME_REFERENCE_SIZE, behind, sizeof(behind));
	int rc = disk->put(disk->data, VOLUME_FILE_HEAD, bytes, sizeof(bytes), durable, err);
	if (rc == 0)
		memcpy(v->hinted, v->reference, sizeof(v->hinted));
	return rc;
}

/* Where it fails it leads on from where it is, as far. */
static void head_advance(struct volume *v)
{
	(void)!head_put(v, false, false, NULL);
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
	if (v->head_is_open)
		head_advance(v); /* from what may be removed now */
	removal_run(v);
	return 0;
}

static bool is_published(const struct volume *v)
{
	return !reference_is_set(v->reference) ||
	       memcmp(v->published, v->reference, sizeof(v->published)) == 0;
}

int publish_locked(struct volume *v, struct error *err)
{
	return is_published(v) ? 0 : tell_keeper(v, err);
}

/* May the keeper stay where it is for now? */
static bool may_lag(const struct volume *v)
{
	if (v->config.mode == VOLUME_STRICT || !reference_is_set(v->published))
		return false;
	if (v->config.mode == VOLUME_OFFLINE)
		return true;
	return volume_counter_of(v->reference) - volume_counter_of(v->published) < v->config.bound_commits &&
	       clock_ns() - v->published_ns < (uint64_t)v->config.bound_s * 1000000000;
}

/*
 * The file "head", in modes other than strict: that the log is to be searched is durable there before the
 * first commit counts, and it follows the commits at a distance.
 *
 * A writer that was taken over learns it from the keeper, which it asks seldom: it must not lead away from
 * what the other has committed since. The token in "head", which is in the clear, is a reason to ask, and no
 * more.
 */
static int head_check(struct volume *v, struct error *err)
{
	struct volume_head head;
	int rc = head_read(v, &head, err);
	const bool gone = rc == CELLA_ENOENT;
	if (rc == 0 && head.token > v->token)
		rc = tell_keeper(v, err);
	if (gone || (rc == 0 && (head.settled || head.token != v->token))) /* it is another's, or nobody's */
		v->head_is_open = false;
	return gone ? 0 : rc;
}

/* So far is the log searched after a crash. */
static bool head_is_near(const struct volume *v)
{
	return volume_place_of(v->hinted).segment == volume_place_of(v->reference).segment &&
	       volume_counter_of(v->reference) - volume_counter_of(v->hinted) < HINT_COMMITS;
}

static int head_follow(struct volume *v, struct error *err)
{
	int rc = head_check(v, err);
	if (rc == 0 && !v->head_is_open) {
		rc = head_put(v, false, true, err);
		v->head_is_open = rc == 0;
	} else if (rc == 0 && !head_is_near(v)) {
		head_advance(v);
	}
	return rc;
}

void head_settle(struct volume *v)
{
	if (head_check(v, NULL) == 0)
		(void)!head_put(v, true, false, NULL);
}

/* The last root is on the disk; does it count? */
static int make_count(struct volume *v, struct error *err)
{
	if (is_published(v))
		return 0;
	int rc = v->config.mode == VOLUME_STRICT ? 0 : head_follow(v, err);
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
		rc = append_root(v, &root, reference, err);
	if (rc < 0)
		return error_prefix(err, rc, "nothing was committed: ");
	rc = segment_sync(v, err);
	if (rc < 0)
		return error_prefix(err, rc, "the commit may count or not, as the disk has it: ");
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
