/*
 * What the root keeper is told. Questions go out one behind the other, each from the root that the one before
 * goes to, and are answered in that order; commits go on meanwhile.
 *
 *             ask             yes
 *     (none) -----> under way -----> published
 *                      |                 ^
 *                      | no answer       | the keeper is asked what it has, once
 *                      v                 | nothing is under way any more
 *                    lost ---------------+
 *
 * The keeper is at the root that is published, or at one that was asked for since. A yes to a question is
 * one to all before it. Behind a lost answer only a yes, and that the token is too old, say anything: a
 * question that goes on from what may never have been is refused.
 *
 * In `bounded` mode questions go out before they are needed, a part of the bound apart, so that a commit
 * waits for the keeper only where too many commits would be unknown to it.
 */
#include <string.h>

#include "base/clock.h"
#include "volume/volume_state.h"

enum { BOUND_PARTS = VOLUME_QUESTIONS_MAX };

static unsigned under_way(const struct volume *v)
{
	return v->questions.count - v->questions.lost;
}

static bool nothing_is_under_way(const struct volume *v)
{
	return under_way(v) == 0;
}

bool publish_is_done(const struct volume *v)
{
	return !reference_is_set(v->reference) ||
	       memcmp(v->published, v->reference, sizeof(v->published)) == 0;
}

static const uint8_t *last_asked(const struct volume *v)
{
	const struct volume_questions *q = &v->questions;
	return q->count ? q->of[q->count - 1].to : v->published;
}

/* The keeper has what this question goes to. */
static void advance(struct volume *v, unsigned index)
{
	struct volume_questions *q = &v->questions;
	memcpy(v->published, q->of[index].to, sizeof(v->published));
	v->published_ns = q->of[index].asked_ns;
	q->count -= index + 1;
	q->lost = 0;
	memmove(q->of, q->of + index + 1, q->count * sizeof(q->of[0]));
	if (!publish_is_done(v) || v->failure.code)
		return;
	if (v->head_is_open)
		head_advance(v); /* from what may be removed now */
	removal_run(v);
}

/* The answer to the oldest that is under way. */
static int take(struct volume *v, int rc, struct error *err)
{
	struct volume_questions *q = &v->questions;
	if (rc == 0) {
		advance(v, q->lost);
		return 0;
	}
	q->lost++;
	if (rc == CELLA_EFENCED || (rc == CELLA_EAUTH && q->lost == 1))
		return volume_break(v, rc, err);
	return error_prefix(err, rc, "the commit is on the disk, but not at the root keeper: ");
}

static int wait_for_answer(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	return take(v, keeper->answer(keeper->data, err), err);
}

/* Answers were lost, and nothing is under way: which of the questions did what they were to do? */
static int settle_lost(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	struct volume_questions *q = &v->questions;
	uint8_t kept[VOLUME_REFERENCE_SIZE];
	int rc = keeper->get(keeper->data, v->id, kept, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < q->count; i++)
		if (memcmp(kept, q->of[i].to, sizeof(kept)) == 0) {
			memcpy(v->published, kept, sizeof(kept));
			v->published_ns = q->of[i].asked_ns;
		}
	q->count = q->lost = 0;
	return 0;
}

/* To go to the last commit, from where the keeper will be. There is room for it. */
static int ask(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	struct volume_questions *q = &v->questions;
	int rc = q->lost ? settle_lost(v, err) : 0;
	if (rc < 0)
		return error_prefix(err, rc, "the commit is on the disk, but not at the root keeper: ");
	const uint64_t now_ns = clock_ns();
	rc = keeper->swap(keeper->data, v->id, v->token, last_asked(v), v->reference, err);
	if (rc < 0 && keeper->answer)
		return error_prefix(err, rc, "the commit is on the disk, but not at the root keeper: ");
	struct volume_question *asked = &q->of[q->count++];
	memcpy(asked->to, v->reference, sizeof(asked->to));
	asked->asked_ns = now_ns;
	return keeper->answer ? 0 : take(v, rc, err);
}

/* Beside what is under way. Where answers were lost that is settled first. */
static bool can_ask_more(const struct volume *v)
{
	const struct volume_questions *q = &v->questions;
	return v->config.keeper.answer && q->lost == 0 && q->count < VOLUME_QUESTIONS_MAX &&
	       memcmp(last_asked(v), v->reference, sizeof(v->reference)) != 0;
}

/* That an answer to an earlier question is lost is no error yet: the same is asked again. */
static int wait_until(struct volume *v, bool (*enough)(const struct volume *v), struct error *err)
{
	while (!enough(v)) {
		const bool anew = nothing_is_under_way(v);
		int rc = anew || can_ask_more(v) ? ask(v, err) : 0;
		if (under_way(v))
			rc = wait_for_answer(v, err);
		if (rc < 0 && (anew || v->failure.code))
			return rc;
	}
	return 0;
}

/* ---- how far it may be behind */

static uint64_t behind(const struct volume *v, const uint8_t reference[VOLUME_REFERENCE_SIZE])
{
	return volume_counter_of(v->reference) - volume_counter_of(reference);
}

static bool is_older(const struct volume *v, uint64_t part)
{
	return clock_ns() - v->published_ns >= (uint64_t)v->config.bound_s * 1000000000 / part;
}

static bool is_enough(const struct volume *v)
{
	if (publish_is_done(v))
		return true;
	if (v->config.mode == VOLUME_STRICT || !reference_is_set(v->published))
		return false;
	return v->config.mode == VOLUME_OFFLINE ||
	       (behind(v, v->published) < v->config.bound_commits && !is_older(v, 1));
}

/* Is it time to ask, so that no commit waits? */
static bool should_ask(const struct volume *v)
{
	if (v->config.mode != VOLUME_BOUNDED || !reference_is_set(v->published) || !can_ask_more(v))
		return false;
	return behind(v, last_asked(v)) >= v->config.bound_commits / BOUND_PARTS || is_older(v, 2);
}

int publish_note(struct volume *v, struct error *err)
{
	const struct volume_keeper *keeper = &v->config.keeper;
	while (under_way(v) && keeper->has_answer(keeper->data)) {
		int rc = wait_for_answer(v, err);
		if (v->failure.code)
			return rc;
	}
	return 0;
}

/* A question ahead of its time that could not be asked is asked when it is needed. */
int publish_enough(struct volume *v, struct error *err)
{
	int rc = should_ask(v) ? ask(v, err) : 0;
	return v->failure.code ? rc : wait_until(v, is_enough, err);
}

int publish_locked(struct volume *v, struct error *err)
{
	return wait_until(v, publish_is_done, err);
}

int publish_confirm(struct volume *v, struct error *err)
{
	int rc = wait_until(v, nothing_is_under_way, err);
	if (rc == 0)
		rc = ask(v, err);
	return rc == 0 && under_way(v) ? wait_for_answer(v, err) : rc;
}

void publish_end(struct volume *v)
{
	while (under_way(v))
		(void)!wait_for_answer(v, NULL);
}
