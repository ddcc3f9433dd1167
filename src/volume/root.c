/*
 * Roots: which one counts when a volume is opened. The keeper says; where the volume was written in a mode
 * other than `strict` it may be behind, so opening goes on from its root along the chain of those that follow
 * it, each of which names the one before it. Two things lead to them: the file "head", a hint, and the log
 * itself, behind the root that is known: a root has its tag beside it, so whoever has the key knows it as one
 * wherever it lies. Neither makes a root count that does not follow the keeper's.
 */
#include <stdlib.h>
#include <string.h>

#include "volume/volume_state.h"

enum { CHAIN_MAX = 1 << 20 }; /* roots that may follow the keeper's */

static void reference_make(uint64_t counter, const struct volume_pointer *at,
                           uint8_t ret_reference[VOLUME_REFERENCE_SIZE])
{
	memset(ret_reference, 0, VOLUME_REFERENCE_SIZE);
	memcpy(ret_reference, &counter, sizeof(counter));
	memcpy(ret_reference + sizeof(counter), at, sizeof(*at));
}

/* ---- one root */

static bool root_decode(const uint8_t block[VOLUME_BLOCK_SIZE], struct volume_root *ret_root)
{
	memcpy(ret_root, block, sizeof(*ret_root));
	return ret_root->level < VOLUME_LEVELS_MAX && ret_root->top.segment != SEGMENT_NONE &&
	       ret_root->top.segment != SEGMENT_UNWRITTEN;
}

int root_read(struct volume *v, const uint8_t reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
              struct error *err)
{
	uint8_t block[VOLUME_BLOCK_SIZE];
	struct volume_pointer at = volume_place_of(reference);
	uint64_t counter = volume_counter_of(reference);
	if (at.segment == SEGMENT_NONE || at.segment == SEGMENT_UNWRITTEN)
		return error_set(err, CELLA_EAUTH, "the reference to the volume's root is malformed");
	int rc = segment_read(v, VOLUME_KIND_ROOT, &at, block, sizeof(block), err);
	if (rc < 0)
		return error_prefix(err, rc, "root %llu of the volume: ", (unsigned long long)counter);
	if (!root_decode(block, ret_root) || ret_root->counter != counter)
		return error_set(err, CELLA_EAUTH, "root %llu of the volume is malformed",
		                 (unsigned long long)counter);
	return 0;
}

int root_write(struct volume *v, const struct volume_root *root, uint8_t ret_reference[VOLUME_REFERENCE_SIZE],
               struct error *err)
{
	uint8_t block[VOLUME_BLOCK_SIZE] = {0};
	const uint8_t *plain = block;
	struct volume_pointer at;
	memcpy(block, root, sizeof(*root));
	int rc = segment_append(v, VOLUME_KIND_ROOT, &plain, 1, sizeof(block), &at, err);
	if (rc == 0)
		reference_make(root->counter, &at, ret_reference);
	return rc;
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

/* ---- the chain of roots */

/* Can it not be followed, as it is no root, or damaged? Else the disk fails, and might tell more at another
 * time. */
static bool is_unreadable(int rc)
{
	return rc == CELLA_ENOENT || rc == CELLA_EAUTH || rc == CELLA_EFORMAT || rc == CELLA_ELIMIT;
}

/* Does the later root follow the earlier? *ret_counts: so do all on the way, without the keeper. */
static int chain_leads(struct volume *v, const uint8_t later[VOLUME_REFERENCE_SIZE],
                       const uint8_t earlier[VOLUME_REFERENCE_SIZE], bool *ret_leads, bool *ret_counts,
                       struct error *err)
{
	uint8_t at[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	memcpy(at, later, sizeof(at));
	*ret_counts = true;
	for (unsigned n = 0; volume_counter_of(at) > volume_counter_of(earlier); n++) {
		if (n == CHAIN_MAX)
			return error_set(err, CELLA_ELIMIT, "that is more than %d commits", CHAIN_MAX);
		int rc = root_read(v, at, &root, err);
		if (rc < 0)
			return rc;
		*ret_counts = *ret_counts && root.flags & VOLUME_ROOT_COUNTS;
		memcpy(at, root.before, sizeof(at));
	}
	*ret_leads = memcmp(at, earlier, sizeof(at)) == 0;
	return 0;
}

/* Does a root follow the keeper's, and count without it? One that cannot be followed, or should not be there:
 * a reader does without; a writer might write over what was committed. */
static int is_later(struct volume *v, const uint8_t reference[VOLUME_REFERENCE_SIZE],
                    const uint8_t kept[VOLUME_REFERENCE_SIZE], bool *ret_later, struct error *err)
{
	bool leads = false, counts = false;
	*ret_later = false;
	if (volume_counter_of(reference) <= volume_counter_of(kept))
		return 0;
	int rc = chain_leads(v, reference, kept, &leads, &counts, err);
	if (rc == 0 && leads && !counts)
		rc = error_set(err, CELLA_EAUTH,
		               "it counts at the keeper only, which was not told, or is an old copy itself; "
		               "where jobs of a session write, cella session volume tells it");
	*ret_later = rc == 0 && leads;
	if (rc == 0 || (is_unreadable(rc) && !v->config.writable))
		return 0;
	return error_prefix(err, rc,
	                    "there is commit %llu, which cannot be followed from %llu, the root keeper's; "
	                    "without the volume's file \"head\" it goes on from there: ",
	                    (unsigned long long)volume_counter_of(reference),
	                    (unsigned long long)volume_counter_of(kept));
}

/* ---- the log, behind a root */

/* The newest one found so far: of the last writer, its last. Of two writers the one that took over has the
 * larger token. */
struct search {
	struct volume *v;
	const uint8_t *kept; /* the keeper's reference */
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	struct volume_root
		root; /* it; `token` 0 where it is the keeper's, who may have begun to count anew */
	uint8_t rejected[VOLUME_REFERENCE_SIZE]; /* the last that does not follow, nor do those behind it */
	struct error failure; /* why one of the writer with this token cannot be followed; code 0: none */
	uint64_t failure_token;
};

static bool is_newer(const struct search *s, const struct volume_root *root)
{
	return root->token > s->root.token ||
	       (root->token == s->root.token && root->counter >= s->root.counter);
}

static void look_at_root(void *arg, const struct volume_pointer *at, const uint8_t block[VOLUME_BLOCK_SIZE])
{
	struct search *s = arg;
	uint8_t reference[VOLUME_REFERENCE_SIZE];
	struct volume_root root;
	struct error why;
	if (!root_decode(block, &root) || !(root.flags & VOLUME_ROOT_COUNTS))
		return;
	reference_make(root.counter, at, reference);
	bool later = memcmp(root.before, s->reference, sizeof(root.before)) == 0;
	bool rejected = memcmp(root.before, s->rejected, sizeof(root.before)) == 0;
	if (!later && !rejected && is_newer(s, &root) &&
	    is_later(s->v, reference, s->kept, &later, &why) < 0) {
		s->failure = why;
		s->failure_token = root.token;
	}
	if (!later) {
		memcpy(s->rejected, reference, sizeof(reference));
		return;
	}
	memcpy(s->reference, reference, sizeof(reference));
	s->root = root;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;
	return *left < *right ? -1 : *left > *right;
}

/* The segments behind one, as far as the disk lists them, in order; freed by the caller. */
static int segments_behind(struct volume *v, uint32_t first, uint32_t **ret_numbers, size_t *ret_count,
                           struct error *err)
{
	const struct map_slot *slot;
	size_t at = 0, count = 0;
	int rc = v->config.writable ? 0 : removal_scan(v, err); /* a writer has done so */
	if (rc < 0)
		return rc;
	uint32_t *numbers = malloc((v->sizes.count + 1) * sizeof(*numbers));
	if (!numbers)
		return error_set(err, CELLA_ENOMEM, "no memory for a list of segments");
	while ((slot = map_next(&v->sizes, &at)))
		if (slot->key > first)
			numbers[count++] = (uint32_t)slot->key;
	qsort(numbers, count, sizeof(*numbers), by_number);
	*ret_numbers = numbers;
	*ret_count = count;
	return 0;
}

/* The newest commit found may be one whose writer ended before the disk had all of it: then it was never
 * acknowledged, and the one before it is the last. */
static int settle_on_whole(struct search *s, const uint8_t from[VOLUME_REFERENCE_SIZE], struct error *err)
{
	struct volume_pointer before = volume_place_of(s->root.before);
	if (memcmp(s->reference, from, sizeof(s->reference)) == 0)
		return 0;
	int rc = root_is_whole(s->v, &s->root, &before, err);
	if (rc < 0 && is_unreadable(rc)) {
		memcpy(s->reference, s->root.before, sizeof(s->reference));
		rc = 0;
	}
	return rc;
}

static int search_segments(struct search *s, uint32_t first, uint32_t block, struct error *err)
{
	uint32_t *numbers;
	size_t count;
	int rc = segments_behind(s->v, first, &numbers, &count, err);
	if (rc < 0)
		return rc;
	rc = segment_each_root(s->v, first, block, look_at_root, s, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = segment_each_root(s->v, numbers[i], 1, look_at_root, s, err);
	free(numbers);
	if (rc == 0 && s->v->head_is_unsettled && s->failure.code && s->failure_token >= s->root.token) {
		if (err)
			*err = s->failure;
		rc = s->failure.code;
	}
	return rc;
}

/* From a root that counts to the newest that the log has behind it. `origin` is where to look from, which may
 * be a place before it. */
static int search_log(struct volume *v, const uint8_t kept[VOLUME_REFERENCE_SIZE],
                      const uint8_t origin[VOLUME_REFERENCE_SIZE], uint8_t reference[VOLUME_REFERENCE_SIZE],
                      struct error *err)
{
	struct search s = {.v = v, .kept = kept};
	struct volume_pointer at = volume_place_of(origin);
	int rc = root_read(v, reference, &s.root, err);
	if (rc < 0)
		return is_unreadable(rc) ? 0 : rc; /* whoever chooses it sees that, too */
	memcpy(s.reference, reference, sizeof(s.reference));
	if (memcmp(reference, kept, sizeof(s.reference)) == 0)
		s.root.token = 0;
	rc = search_segments(&s, at.segment, at.block + 1, err);
	if (rc == 0)
		rc = settle_on_whole(&s, reference, err);
	if (rc == 0)
		memcpy(reference, s.reference, sizeof(s.reference));
	return rc;
}

/* What was found may be in the kernel's memory alone, if its writer was killed. Whoever goes on from there
 * counts on it. */
static int make_durable(struct volume *v, const uint8_t kept[VOLUME_REFERENCE_SIZE],
                        const uint8_t reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	const uint32_t first = volume_place_of(kept).segment, last = volume_place_of(reference).segment;
	uint32_t *numbers;
	size_t count;
	int rc = segments_behind(v, first, &numbers, &count, err);
	if (rc < 0)
		return rc;
	rc = first == SEGMENT_NONE ? 0 : segment_make_durable(v, first, err);
	for (size_t i = 0; rc == 0 && i < count && numbers[i] <= last; i++)
		rc = segment_make_durable(v, numbers[i], err);
	free(numbers);
	return rc;
}

/* ---- which one counts */

int head_read(struct volume *v, struct volume_head *ret_head, struct error *err)
{
	const struct volume_disk *disk = &v->config.disk;
	uint8_t bytes[VOLUME_HEAD_SIZE];
	void *file;
	size_t size;
	int rc = disk->open(disk->data, VOLUME_FILE_HEAD, &file, err);
	if (rc < 0)
		return rc;
	rc = disk->read(disk->data, file, 0, bytes, sizeof(bytes), &size, err);
	disk->close(disk->data, file);
	if (rc < 0)
		return rc;
	*ret_head = (struct volume_head){0};
	if (size < sizeof(bytes)) /* torn, or cut */
		return 0;
	struct reader r = reader_of(bytes, sizeof(bytes));
	reader_copy(&r, ret_head->reference, sizeof(ret_head->reference));
	ret_head->token = reader_u64(&r);
	ret_head->settled = reader_u64(&r) == VOLUME_HEAD_SETTLED;
	return 0;
}

/* Two writers may have gone on from one root while one took over from the other, and the hint is of that one.
 * A writer that has the next token knows that it is not. */
static bool is_of_last_writer(const struct volume *v, const struct volume_head *head)
{
	return !v->config.writable || head->token + 1 == v->token;
}

/* The newest root that follows the keeper's; that itself if none does. */
static int follow_chain(struct volume *v, const uint8_t kept[VOLUME_REFERENCE_SIZE],
                        uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	struct volume_head head;
	bool later;
	memcpy(ret_reference, kept, VOLUME_REFERENCE_SIZE);
	int rc = head_read(v, &head, err);
	if (rc < 0)
		return rc == CELLA_ENOENT ? 0 : rc;
	v->head_is_unsettled = !head.settled;
	rc = is_later(v, head.reference, kept, &later, err);
	if (rc == 0 && later)
		memcpy(ret_reference, head.reference, VOLUME_REFERENCE_SIZE);
	if (rc < 0 || (head.settled && !v->config.writable))
		return rc;
	/* a settled one was before the last writer's first commit, which may have come no further */
	return search_log(v, kept, is_of_last_writer(v, &head) ? ret_reference : kept, ret_reference, err);
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

/* Of a volume that no keeper knows. */
static int believe_head(struct volume *v, uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct error *err)
{
	struct volume_head head;
	if (!v->config.any_copy)
		return error_set(err, CELLA_ENOENT,
		                 "the root keeper knows no root of this volume: is it another volume's?");
	int rc = head_read(v, &head, err);
	if (rc < 0)
		return rc;
	memcpy(ret_reference, head.reference, VOLUME_REFERENCE_SIZE);
	v->head_is_unsettled = !head.settled;
	return head.settled ? 0 : search_log(v, head.reference, head.reference, ret_reference, err);
}

int root_choose(struct volume *v, uint8_t ret_reference[VOLUME_REFERENCE_SIZE], struct volume_root *ret_root,
                struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	uint8_t kept[VOLUME_REFERENCE_SIZE], chosen[VOLUME_REFERENCE_SIZE];
	int rc = keeper->get(keeper->data, v->id, kept, err);
	if (rc < 0)
		return rc;
	memcpy(v->published, kept, sizeof(kept));
	if (!reference_is_set(kept))
		rc = believe_head(v, chosen, err);
	else
		rc = v->config.exact ? stay_at(v, kept, chosen, err) : follow_chain(v, kept, chosen, err);
	if (rc < 0)
		return rc;
	rc = root_read(v, chosen, ret_root, err);
	if (rc == CELLA_EAUTH || rc == CELLA_ENOENT)
		return error_prefix(
			err, rc,
			"its last commit is not there: this is an old copy, or one with parts missing or damaged: ");
	if (rc == 0 && v->config.writable && memcmp(chosen, kept, sizeof(chosen)) != 0)
		rc = make_durable(v, kept, chosen, err);
	if (rc == 0)
		memcpy(ret_reference, chosen, sizeof(chosen));
	return rc;
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
	struct volume *v;
	bool counts;
	memcpy(at, later, sizeof(at));
	there.keeper = (struct volume_keeper){.data = at, .get = named_root};
	there.writable = false;
	there.exact = true;
	int rc = volume_open(&there, &v, err);
	if (rc < 0)
		return rc;
	rc = chain_leads(v, later, earlier, ret_descends, &counts, err);
	volume_free(v);
	return rc;
}
