/*
 * Commits. What was written goes to the end of the log, the root last; when the disk has all of it, the
 * keeper is asked to go from the root before to this one (publish.c). A crash in between leaves the volume
 * at the one or the other: opening follows the keeper (root.c).
 *
 * In a mode other than `strict` a commit counts once the disk has it, and the file "head" says that the log
 * is to be searched for commits that the keeper does not know.
 */
#include <string.h>

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
void head_advance(struct volume *v)
{
	(void)!head_put(v, false, false, NULL);
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
		rc = publish_confirm(v, err);
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
	if (publish_is_done(v))
		return 0;
	int rc = v->config.mode == VOLUME_STRICT ? 0 : head_follow(v, err);
	if (rc < 0)
		return error_prefix(err, rc, "the commit is on the disk, but not its hint: ");
	return publish_enough(v, err);
}

int commit_locked(struct volume *v, struct error *err)
{
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	int rc = publish_note(v, err);
	if (rc < 0 || !v->changed)
		return rc < 0 ? rc : make_count(v, err);
	rc = flush_all(v, err);
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
